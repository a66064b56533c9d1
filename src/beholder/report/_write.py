"""From a folder to a page."""

from __future__ import annotations

import base64
import datetime
import functools
import hashlib
import logging
import math
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

from beholder._core.errors import BeholderError, InputError, suggest_keywords
from beholder._core.files import check_output_folder, read_json, write_text
from beholder._core.places import hide_places
from beholder._core.progress import show_progress
from beholder._core.provenance import read_versions
from beholder._core.wording import format_count, format_number
from beholder.figures import draw_for_files
from beholder.report._embed import MAX_PAGE_BYTES
from beholder.report._section import SECTIONS, Page, Section, SectionKind, get_section_kind
from beholder.report._trim import trim_section

logger = logging.getLogger("beholder")

PAGE_NAME = "report.html"
WORDS_NAME = "report.json"
_MOST_WORDS = 2_000
_FRAME_BYTES = 500_000


@suggest_keywords
@draw_for_files()
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
    >>> import beholder as bh
    >>> acts = bh.extract("beholder:shapes", "images", ["block5", "classifier"], device="cpu", out_path="shown")
    >>> bh.write_report("shown").as_posix()
    'shown/report.html'
    """
    folder = Path(folder)
    if not folder.is_dir() or folder.suffix == ".zarr":
        got = f"the store {folder}" if folder.is_dir() else f"no folder at {folder}"
        raise InputError("a folder of results", got=got, hint=str(folder.parent) if folder.is_dir() else None)
    out = Path(out) if out is not None else folder / PAGE_NAME
    if out.is_dir():
        out = out / PAGE_NAME
    check_output_folder(out.parent)
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
    sections: list[Section] = []
    kinds: list[tuple[str, SectionKind]] = []
    found: list[tuple[SectionKind, Path]] = []
    for name in SECTIONS:
        try:
            kinds.append((name, get_section_kind(name)))
        except Exception as error:  # whatever an installed package raises
            sections.append(_format_failure(name, error))
    for name, kind in sorted(kinds, key=lambda pair: pair[1].turn):
        try:
            found += [(kind, item) for item in kind.find(folder)]
        except Exception as error:  # whatever a damaged file makes of a kind of section
            sections.append(_format_failure(name, error))
    with show_progress("report", len(found), "results", tells_end=False) as advance:
        for kind, item in found:
            section = None if page.is_claimed(item) else _render_safely(kind, item, page)
            if section is not None:
                sections.append(section)
            advance(1)
    return sorted(sections, key=lambda section: section.order)


def _render_safely(kind: SectionKind, item: Path, page: Page) -> Section | None:
    """A file that cannot be read becomes a section that says so, and does not cost the rest of the page."""
    try:
        return kind.render(item, page)
    except Exception as error:  # whatever a parser makes of a damaged or hostile file
        return _format_failure(item.relative_to(page.folder).as_posix(), error, is_file=True)


def _format_failure(name: str, error: Exception, *, is_file: bool = False) -> Section:
    reason = str(error) if isinstance(error, BeholderError) else f"{type(error).__name__}: {error}"
    if is_file and not isinstance(error, BeholderError):
        reason = f"it is damaged, or another version wrote it; try the command that made it ({reason})"
    logger.warning("report: %s could not be read: %s", name, reason[:_MOST_WORDS])
    return Section(title=name, warnings=(f"{name} could not be read: {reason[:_MOST_WORDS]}",), order=850)


def render_page(folder: Path, sections: list[Section]) -> str:
    """The page as HTML. Its own policy lets it run its own script and load nothing."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("beholder.report", "_templates"),
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        finalize=functools.partial(_hide_places, folder=folder),
    )  # fmt: skip
    environment.filters["cell"] = format_cell
    environment.filters["template"] = functools.cache(
        lambda path: environment.from_string(path.read_text(encoding="utf-8"))
    )
    environment.tests["number"] = lambda value: isinstance(value, int | float) and not isinstance(value, bool)
    folder_of_templates = resources.files("beholder.report").joinpath("_templates")
    style, script = (folder_of_templates.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    template = environment.get_template("section.html.jinja")
    drawn = [_draw_safely(trim_section(section), template) for section in sections]
    sections = _fit(drawn, template)
    style += _read_styles(sections)
    return environment.get_template("page.html.jinja").render(
        head=describe_page(folder, sections),
        sections=sections,
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash_for_policy(style),
        script_hash=_hash_for_policy(script),
        beholder=read_versions(("beholder",)).get("beholder", ""),
    )


def _hide_places(value: Any, folder: Path) -> Any:
    """What a template shows, without places on this machine: a page is made to be passed on."""
    if not isinstance(value, str) or value.startswith("data:"):
        return value
    return type(value)(hide_places(value, folder))


def _read_styles(sections: list[Section]) -> str:
    """Style sheets that views bring, each once."""
    paths = dict.fromkeys(section.view.style for section in sections if section.view is not None)
    return "".join(path.read_text(encoding="utf-8") for path in paths if path is not None)


def _draw_safely(section: Section, template: Any) -> tuple[Section, int]:
    """The section and its size, or what stands in its place where its content cannot be drawn."""
    try:
        return section, _count_bytes(section, template)
    except Exception as error:  # a file that parses and holds something else than the section draws
        told = _format_failure(section.title, error, is_file=True)
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
    sentence = f"{format_count(len(sections), 'part')} found in {folder.resolve().name}/."
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
    """A table's cell: numbers with three significant digits, whole ones as they are.

    >>> format_cell(0.123456), format_cell(12), format_cell(float("nan"))
    ('0.123', '12', '')
    """
    if isinstance(value, float):
        return "" if math.isnan(value) else format_number(value)
    return str(value)


def _join_models(names: Iterable[str]) -> str:
    """Each model once: a folder is named by what stands in the full name, ``source:name@weights``."""
    found = list(dict.fromkeys(name for name in names if name))
    short = {name.partition(":")[2].partition("@")[0] for name in found if ":" in name}
    return ", ".join(name for name in found if name not in short)


def _join(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(word for word in words if word))
