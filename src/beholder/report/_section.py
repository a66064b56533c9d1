"""What a section of the report is, and the registry that section kinds are filed in."""

from __future__ import annotations

import fnmatch
import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, final
from urllib.parse import quote

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.registry import Registry
from beholder.report._embed import Budget

TEMPLATES = Path(__file__).parent / "_templates"


@final
@dataclass(frozen=True)
class Table:
    """A table, folded away under its section.

    Attributes
    ----------
    columns : tuple of str
    rows : tuple of tuple
        Cells, numbers as numbers.
    file : str or None
        Link, relative to the page, to the file that holds all of it.
    n_rows : int or None
        Rows of the whole table, when only the first ones are here.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    file: str | None = None
    n_rows: int | None = None


@final
@dataclass(frozen=True)
class Card:
    """One stimulus or unit in a gallery.

    Attributes
    ----------
    source : str
        The picture as a data URI.
    name : str
    group : str
        What the gallery is filtered by, such as the category.
    facts : tuple of (str, str)
        Shown on hover and focus.
    link : str or None
        The original beside the page.
    sound : str
        A sound as a data URI, which the card plays; ``source`` is what it looks like, 160 × 112.
    """

    source: str
    name: str
    group: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    link: str | None = None
    sound: str = ""


@final
@dataclass(frozen=True)
class Picture:
    """A figure on the page.

    Attributes
    ----------
    source : str
        Data URI.
    alt : str
    width : int
        Width on the page in CSS pixels, as in print.
    files : tuple of (str, str)
        Name and link of the files beside the page.
    height : int
        As ``width``: the page keeps the room before the picture is there. 0 where it is not known.
    """

    source: str
    alt: str
    width: int
    files: tuple[tuple[str, str], ...] = ()
    height: int = 0


class SectionView(ABC):
    """What a section shows in a form of its own: the data, and the template that draws them."""

    @property
    @abstractmethod
    def template(self) -> Path:
        """A Jinja template, in which the data are ``section.view`` and ``id`` begins the section's element ids."""

    @property
    def style(self) -> Path | None:
        """A style sheet that the page takes in beside its own."""
        return None


@final
@dataclass(frozen=True)
class Section:
    """One question and its answer.

    Attributes
    ----------
    title : str
        The question.
    answer : str
        The answer in words and figures, one sentence.
    pictures, cards : tuple
        Figures; gallery.
    view : SectionView or None
        Drawn by a template of its own, below the figures.
    explanation : str
        How to read the picture.
    table : Table or None
    text : str
        Verbatim text, folded and copyable, such as a provenance file.
    method : str
    warnings : tuple of str
    order : int
        Place on the page, low first.
    facts : mapping of str to str
        ``model``, ``stimuli``, ``date``: told in the page's header.
    """

    title: str
    answer: str = ""
    pictures: tuple[Picture, ...] = ()
    cards: tuple[Card, ...] = ()
    view: SectionView | None = None
    explanation: str = ""
    table: Table | None = None
    text: str = ""
    method: str = ""
    warnings: tuple[str, ...] = ()
    order: int = 500
    facts: Mapping[str, str] = field(default_factory=dict)


@final
class Page:
    """The page under construction, as a section sees it.

    Parameters
    ----------
    folder : Path
        What the report is about.
    out : Path
        Where the page will lie; links are relative to it.
    """

    def __init__(self, folder: Path, out: Path) -> None:
        self.folder, self.out = folder, out
        self.budget = Budget()
        self._claimed: set[Path] = set()

    def link(self, path: Path) -> str | None:
        """Link to a file below the page's own folder; None for a file elsewhere, which may not travel with it."""
        try:
            relative = path.resolve().relative_to(self.out.resolve().parent)
        except ValueError:
            return None
        return quote(relative.as_posix())

    def claim(self, path: Path) -> None:
        """Keep later kinds of section from showing this file, or a folder with all in it, again."""
        self._claimed.add(path.resolve())

    def is_claimed(self, path: Path) -> bool:
        """Whether an earlier section has shown this file, or a folder that it lies in."""
        path = path.resolve()
        return path in self._claimed or any(parent in self._claimed for parent in path.parents)


class SectionKind(ABC):
    """A kind of file that the report knows how to show.

    Attributes
    ----------
    turn : int
        When it looks through the folder, low first: what it claims is left alone by those after it.
    """

    turn: ClassVar[int] = 100

    @abstractmethod
    def find(self, folder: Path) -> list[Path]:
        """Files or folders below ``folder`` that this kind shows, a section each, in order."""

    @abstractmethod
    def render(self, item: Path, page: Page) -> Section | None:
        """The section about ``item``, None when there is nothing to show. Reads, draws, computes nothing."""


SECTIONS: Registry[SectionKind | type[SectionKind]] = Registry(
    "report section", "beholder.report_sections", modules="beholder.report._kind_*"
)
"""Sections of the report by name."""


def get_section_kind(name: str) -> SectionKind:
    """The kind called ``name``, which may be filed as a class or an instance."""
    found = SECTIONS[name]
    made = found() if isinstance(found, type) else found
    if not isinstance(made, SectionKind):
        raise InputError(
            f"the entry {name!r} of the report's sections to be a beholder.report.SectionKind", got=repr(type(made))
        )
    return made


@suggest_keywords
def find_files(folder: Path, *patterns: str) -> list[Path]:
    """Files and ``.zarr`` folders below ``folder`` whose name fits a pattern, sorted; hidden ones are left out."""
    return [path for path in _walk(folder) if any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns)]


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        stores = sorted(name for name in folders if name.endswith(".zarr"))
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not name.endswith(".zarr"))
        for name in sorted([*stores, *files]):
            if not name.startswith("."):
                yield Path(root) / name


def list_choices(values: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Values to filter by, each once, with how many there are of it."""
    return tuple((value, f"{value} ({n})") for value, n in Counter(values).items())
