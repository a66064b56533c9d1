"""What a section of the report has to do."""

from __future__ import annotations

import html
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from beholder._core.errors import suggest_keywords
from beholder.report import SECTIONS, Page, Section, SectionKind, write_rdms, write_report
from beholder.testing._expect import expect, explain

_PAGE = "report.html"
_OTHER = "beside.rdms.npz"
_ADDRESS = re.compile(
    r"""(?:src|href|action)\s*=\s*["']?\s*(?:\w+:)?//|url\(\s*["']?(?:\w+:)?//|@import""", re.IGNORECASE
)
_WORD = re.compile(r"\w{3,}")


@suggest_keywords
def check_section(name: str, folder: Path | str) -> None:
    """Check a kind of section: that it shows its files, and costs no more than itself where they are damaged.

    Parameters
    ----------
    name : str
        Its name in :data:`beholder.report.SECTIONS`: that of the entry point, or as it was added there.
    folder : path
        Small results that it shows. They are copied, never changed.

    Raises
    ------
    AssertionError
        It finds nothing, or what lies elsewhere; gives no section, or changes the folder; its title is not on the
        page; the page names a path of this machine or an address of the network; with one file of each ending cut,
        emptied or overwritten there is no page, or other sections are lost.

    Examples
    --------
    >>> from beholder.report import write_rdms
    >>> folder = Path("rdms")
    >>> folder.mkdir()
    >>> _ = write_rdms(
    ...     folder / "a.rdms.npz", np.zeros((1, 1, 3, 3)), layers=["conv"], measures=["cosine"], stimulus_ids="abc"
    ... )
    >>> check_section("rdms", folder)
    """
    kind = _open(name)
    with tempfile.TemporaryDirectory() as top:
        place = Path(top) / "results"
        shutil.copytree(folder, place)
        files = [path for path in sorted(place.rglob("*")) if path.is_file()]
        before = {path: path.read_bytes() for path in files}
        sections = _render(kind, name, place)
        changed = [
            path.name for path in sorted(place.rglob("*")) if path.is_file() and before.get(path) != path.read_bytes()
        ]
        expect(not changed, f"{name} to leave the folder as it is", got=f"others in {', '.join(changed[:3])}")
        with explain(f"a page with {name}"):
            text = write_report(place, Path(top) / _PAGE).read_text(encoding="utf-8")
        _check_page(text, name, sections, Path(top), Path(folder))
        _check_damaged(name, before, Path(top))


def _open(name: str) -> SectionKind:
    with explain(
        f"a section called {name!r} in beholder.report.SECTIONS", hint="an entry point beholder.report_sections"
    ):
        found = SECTIONS[name]
        kind = found() if isinstance(found, type) else found
    expect(isinstance(kind, SectionKind), "a beholder.report.SectionKind", got=type(kind).__name__)
    return kind


def _render(kind: SectionKind, name: str, place: Path) -> list[Section]:
    with explain(f"find of {name} to look through a folder"):
        items = kind.find(place)
    expect(len(items) > 0, f"find of {name} to find its files in the folder", got="none")
    outside = [item for item in items if not (item == place or place in item.parents)]
    expect(not outside, f"find of {name} to give paths below the folder", got=str(outside[:1]))
    expect(items == kind.find(place), f"find of {name} to give the same order each time", got="another")
    page = Page(place, place.parent / _PAGE)
    sections = []
    for item in items:
        if page.is_claimed(item):
            continue
        with explain(f"render of {name} to give a section for {item.name}"):
            made = kind.render(item, page)
        expect(made is None or isinstance(made, Section), f"a Section from render of {name}", got=type(made).__name__)
        if made is not None:
            sections.append(made)
    expect(len(sections) > 0, f"a section from render of {name}", got="None for each item")
    for section in sections:
        expect(bool(section.title.strip()), f"a title for each section of {name}", got="none", hint="its question")
    return sections


def _check_page(text: str, name: str, sections: list[Section], *places: Path) -> None:
    unread = re.search(r"[^<>]* could not be read: [^<>]*", text)
    expect(unread is None, f"the page to draw all sections of {name}", got=html.unescape(unread[0]) if unread else "")
    for section in sections:
        shown = _WORD.findall(text)
        missing = [each for each in _WORD.findall(section.title) if each not in shown]
        expect(not missing, f"{section.title!r} on the page", got="a page without it", hint="a template that draws")
    for place in {str(each.resolve()) for each in (*places, Path.home())} - {"/"}:
        told = [value for section in sections for value in vars(section).values() if isinstance(value, str)]
        found = any(place in each for each in (text, *told))
        expect(not found, f"no path of this machine on the page of {name}", got=place, hint="page.link(path)")
    found = _ADDRESS.search(text)
    expect(
        found is None, f"nothing on the page of {name} that asks a server",
        got=text[found.start() : found.start() + 60] if found else "", hint="a data URI",
    )  # fmt: skip


def _check_damaged(name: str, files: dict[Path, bytes], top: Path) -> None:
    for path, content in {path.suffix: (path, content) for path, content in files.items()}.values():
        for damage, damaged in _iter_damages(content):
            place = top / "damaged"
            shutil.copytree(top / "results", place)
            hurt = place / path.relative_to(top / "results")
            hurt.write_bytes(damaged)
            write_rdms(  # of one stimulus: a section without a picture to draw
                place / _OTHER, np.zeros((1, 1, 1, 1), np.float32), layers=["conv"], measures=["cosine"],
                stimulus_ids=["a"], model="beside",
            )  # fmt: skip
            with explain(f"a page from {name} with {hurt.name} {damage}"):
                text = write_report(place, top / _PAGE).read_text(encoding="utf-8")
            expect(
                "alike to beside" in text, f"{name} with {hurt.name} {damage} to cost no other section",
                got="a page without the one beside it",
            )  # fmt: skip
            expect(
                str(top) not in text, f"no path of this machine on the page where {hurt.name} is {damage}", got=str(top)
            )
            shutil.rmtree(place)


def _iter_damages(content: bytes) -> Iterator[tuple[str, bytes]]:
    yield "cut in half", content[: len(content) // 2]
    yield "empty", b""
    yield "overwritten", bytes(255 - byte for byte in content[:4096]) + content[4096:]
