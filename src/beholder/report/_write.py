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

from beholder._core.errors import BeholderError, InputError
from beholder._core.files import read_json, write_text
from beholder._core.provenance import read_versions
from beholder.report._kind_figures import FigureKind
from beholder.report._kind_hdf5 import Hdf5Kind
from beholder.report._kind_metamers import MetamerKind
from beholder.report._kind_pictures import PictureKind
from beholder.report._kind_provenance import ProvenanceKind
from beholder.report._kind_rdms import RdmKind
from beholder.report._kind_stores import StoreKind
from beholder.report._kind_units import UnitKind
from beholder.report._section import SECTIONS, Page, Section, SectionKind

logger = logging.getLogger("beholder")

PAGE_NAME = "report.html"
WORDS_NAME = "report.json"

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
        for item in kind.find(folder):
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
    except (BeholderError, OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("report: %s could not be read: %s", item, error)
        name = item.relative_to(page.folder).as_posix()
        return Section(title=name, warnings=(f"{name} could not be read: {error}",), order=850)


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
    return environment.get_template("page.html.jinja").render(
        head=describe_page(folder, sections),
        sections=sections,
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash_for_policy(style),
        script_hash=_hash_for_policy(script),
        beholder=read_versions(("beholder",)).get("beholder", ""),
    )


def _hash_for_policy(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def describe_page(folder: Path, sections: list[Section]) -> dict[str, str]:
    """Title, sentence, model, stimuli and date for the page's header."""
    words = {}
    if (folder / WORDS_NAME).is_file():
        words = read_json(folder / WORDS_NAME)
        if not isinstance(words, dict) or not all(isinstance(word, str) for word in words.values()):
            raise InputError(f"{WORDS_NAME}, an object of words", got=str(folder / WORDS_NAME))
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
