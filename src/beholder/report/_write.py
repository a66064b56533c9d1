"""From a folder to a page."""

from __future__ import annotations

import base64
import datetime
import hashlib
import logging
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

from beholder._core.errors import BeholderError, InputError, suggest_keywords
from beholder._core.files import read_json, write_text
from beholder._core.provenance import read_versions
from beholder.report._embed import MAX_PAGE_BYTES
from beholder.report._kind_figures import FigureKind
from beholder.report._kind_hdf5 import Hdf5Kind
from beholder.report._kind_metamers import MetamerKind
from beholder.report._kind_pictures import PictureKind
from beholder.report._kind_provenance import ProvenanceKind
from beholder.report._kind_rdms import RdmKind
from beholder.report._kind_stores import StoreKind
from beholder.report._kind_units import UnitKind
from beholder.report._section import SECTIONS, Page, Section, SectionKind
from beholder.report._trim import trim_section

logger = logging.getLogger("beholder")

PAGE_NAME = "report.html"
WORDS_NAME = "report.json"
_MOST_WORDS = 2_000
_FRAME_BYTES = 500_000

# Order matters: a kind may claim files that later kinds then leave alone.
for _name, _kind in (
    ("rdms", RdmKind()),
    ("metamers", MetamerKind()),
    ("units", UnitKind()),
    ("pictures", PictureKind()),
    ("figures", FigureKind()),
    ("stores", StoreKind()),
    ("hdf5", Hdf5Kind()),
    ("provenance", ProvenanceKind()),
):
    SECTIONS.add(_name, _kind)


@suggest_keywords
def write_report(folder: Path | str, out: Path | str | None = None) -> Path:
    """Write one self-contained HTML page of everything found in a folder.

    Parameters
    ----------
    folder : path
        Results of any commands. ``report.json`` in it, an object with ``title`` and ``sentence``, opens the page.
    out : path, optional
        The page; ``report.html`` in the folder unless given.

    Returns
    -------
    Path
        The page: under 20 MB, it asks no server for anything.

    Raises
    ------
    InputError
        There is no such folder, or nothing in it that the report can show.

    Examples
    --------
    >>> write_report("demo/")                                     # doctest: +SKIP
    PosixPath('demo/report.html')
    """
    folder = Path(folder)
    if not folder.is_dir() or folder.suffix == ".zarr":
        got = f"the store {folder}" if folder.is_dir() else f"no folder at {folder}"
        raise InputError("a folder of results", got=got, hint=str(folder.parent) if folder.is_dir() else None)
    out = Path(out) if out is not None else folder / PAGE_NAME
    if out.is_dir():
        out = out / PAGE_NAME
    sections = collect_sections(folder, out)
    if not sections:
        raise InputError(
            "results that a report can show", got=f"none below {folder}", hint="a folder that a command wrote into"
        )
    write_text(out, render_page(folder, sections))
    return out


def collect_sections(folder: Path, out: Path) -> list[Section]:
    """Every section about what lies below ``folder``, in the page's order."""
    page = Page(folder, out)
    sections = []
    for name in SECTIONS:
        kind = SECTIONS[name]
        try:
            items = kind.find(folder)
        except Exception as error:  # whatever a damaged file makes of a kind of section
            sections.append(_tell_failure(name, error))
            continue
        for item in items:
            if page.is_claimed(item):
                continue
            section = _render_safely(kind, item, page)
            if section is not None:
                sections.append(section)
    return sorted(sections, key=lambda section: section.order)


def _render_safely(kind: SectionKind, item: Path, page: Page) -> Section | None:
    """A file that cannot be read becomes a section that says so, and does not cost the rest of the page."""
    try:
        return kind.render(item, page)
    except Exception as error:  # whatever a parser makes of a damaged or hostile file
        return _tell_failure(item.relative_to(page.folder).as_posix(), error)


def _tell_failure(name: str, error: Exception) -> Section:
    reason = str(error) if isinstance(error, BeholderError) else f"{type(error).__name__}: {error}"
    logger.warning("report: %s could not be read: %s", name, reason[:_MOST_WORDS])
    return Section(title=name, warnings=(f"{name} could not be read: {reason[:_MOST_WORDS]}",), order=850)


def render_page(folder: Path, sections: list[Section]) -> str:
    """The page as HTML. Its own policy lets it run its own script and load nothing."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("beholder.report", "_templates"),
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["cell"] = format_cell
    environment.tests["number"] = lambda value: isinstance(value, int | float) and not isinstance(value, bool)
    folder_of_templates = resources.files("beholder.report").joinpath("_templates")
    style, script = (folder_of_templates.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    template = environment.get_template("section.html.jinja")
    sections = _fit([_draw_safely(section, template) for section in map(trim_section, sections)], template)
    return environment.get_template("page.html.jinja").render(
        head=describe_page(folder, sections),
        sections=sections,
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash_for_policy(style),
        script_hash=_hash_for_policy(script),
        beholder=read_versions(("beholder",)).get("beholder", ""),
    )


def _draw_safely(section: Section, template: Any) -> tuple[Section, int]:
    """The section and its size, or what stands in its place where its content cannot be drawn."""
    try:
        return section, _count_bytes(section, template)
    except Exception as error:  # a file that parses and holds something else than the section draws
        told = _tell_failure(section.title, error)
        return told, _count_bytes(told, template)


def _count_bytes(section: Section, template: Any) -> int:
    return len(template.render(section=section, number=0).encode())


def _fit(drawn: list[tuple[Section, int]], template: Any) -> list[Section]:
    """The sections, the largest without its content as long as the page would be larger than it may."""
    sections, sizes = [section for section, _ in drawn], [size for _, size in drawn]
    while sum(sizes) > MAX_PAGE_BYTES - _FRAME_BYTES:
        place = sizes.index(max(sizes))
        old = sections[place]
        reason = "Left out: the page would be larger than 20 MB."
        sections[place] = Section(title=old.title, warnings=(reason,), order=old.order, facts=old.facts)
        new = _count_bytes(sections[place], template)
        if new >= sizes[place]:
            break
        sizes[place] = new
    return sections


def _hash_for_policy(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def describe_page(folder: Path, sections: list[Section]) -> dict[str, str]:
    """Title, sentence, model, stimuli and date for the page's header."""
    words = _read_words(folder / WORDS_NAME)
    model = _join_models(section.facts.get("model", "") for section in sections)
    stimuli = _join(section.facts.get("stimuli", "") for section in sections)
    date = max((section.facts.get("date", "") for section in sections), default="")
    date = date or datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes")
    sentence = f"{len(sections)} {'part' if len(sections) == 1 else 'parts'} found in {folder.resolve().name}/."
    found = {
        "title": folder.resolve().name,
        "sentence": sentence,
        "model": model,
        "stimuli": stimuli,
        "date": date[:10],
    }
    return found | words


def _read_words(path: Path) -> dict[str, str]:
    """Title and sentence that the folder gives its page; a file that holds none is told and left aside."""
    if not path.is_file():
        return {}
    try:
        words = read_json(path)
        if not isinstance(words, dict) or not all(isinstance(word, str) for word in words.values()):
            raise InputError(f"{WORDS_NAME}, an object of words", got=str(path))
    except InputError as error:
        logger.warning("report: %s", error)
        return {}
    return {name: word[:_MOST_WORDS] for name, word in words.items()}


def format_cell(value: Any) -> str:
    """A table's cell: numbers with at most four significant digits behind the point, whole ones as they are."""
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.1f}"
    return str(value)


def _join_models(names: Iterable[str]) -> str:
    """Each model once: a folder is named by what stands in the full name, ``source:name@weights``."""
    found = list(dict.fromkeys(name for name in names if name))
    short = {name.partition(":")[2].partition("@")[0] for name in found if ":" in name}
    return ", ".join(name for name in found if name not in short)


def _join(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(word for word in words if word))
