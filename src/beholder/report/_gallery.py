"""A gallery of a folder's files: pictures or sounds, class folders as its filter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from beholder._core.errors import StimulusError
from beholder._core.wording import format_count
from beholder.figures import RECORD_SUFFIX, FigureRecord, read_figure_record
from beholder.report._section import Card, Page, Section, find_files

_MOST_CARDS = 240
_BUILT = "experiment.json"  # marks folders of copies of stimuli for participants

MakeCard = Callable[[Path, Path, str, Page], Card | None]
"""File, folder of the gallery, group and page to a card; None when the page is full."""


def find_homes(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    """Folders of files that words lie beside, those that lie directly in ``folder``, and ``folder`` itself."""
    told = _find_told(folder)
    homes = {}
    for path in find_files(folder, *patterns):
        parts = path.relative_to(folder).parts
        top = folder / parts[0] if len(parts) > 1 else folder
        homes[next((parent for parent in path.parents if parent in told), top)] = None
    return list(homes)


def render_gallery(
    item: Path, page: Page, patterns: tuple[str, ...], noun: str, make_card: MakeCard, *, most: int = _MOST_CARDS
) -> Section | None:
    """As many files as fit, spread evenly over the groups; None where there are none of them.

    Parameters
    ----------
    item : Path
        The folder.
    page : Page
    patterns : tuple of str
        Of names.
    noun : str
        What the files are, in the singular.
    make_card : callable
        Raises :class:`StimulusError` for a file that it cannot show.
    most : int
        Cards.
    """
    paths = [path for path in find_files(item, *patterns) if not (_is_figure(path) or page.is_claimed(path))]
    if item == page.folder:
        paths = [path for path in paths if path.parent == item]
    told = _find_told(item)
    paths = [path for path in paths if told.isdisjoint(path.parents)]
    built = {path.parent for path in find_files(item, _BUILT)}
    paths = [path for path in paths if built.isdisjoint(path.parents)]
    if not paths:
        return None
    record = _read_words(item, page)
    groups: dict[str, list[Path]] = {}
    for path in paths:
        groups.setdefault(path.parent.relative_to(item).as_posix().strip("."), []).append(path)
    if all(len(own) == 1 for own in groups.values()):
        groups = {"": paths}  # folders of one file each group nothing
    cards, broken = [], []
    for group, path in _pick_evenly(groups, most):
        try:
            card = make_card(path, item, group, page)
        except StimulusError:
            broken.append(path.name)
            continue
        if card is None:
            break
        cards.append(card)
    warnings = []
    if len(cards) + len(broken) < len(paths):
        n_shown = f"{len(cards):,} of {format_count(len(paths), noun)}"
        warnings.append(f"{n_shown} are shown, spread evenly over the groups.")
    if broken:
        warnings.append(f"Not readable as {noun}s: {', '.join(broken)}.")
    n = len(groups)
    in_groups = f" in {format_count(n, 'group')}" if n > 1 else ""
    return Section(
        title=record.title if record else f"Which {noun}s are in {item.name or item.resolve().name}?",
        answer=(record.answer if record else "") or f"{format_count(len(paths), noun)}{in_groups}.",
        cards=tuple(cards),
        explanation=record.explanation if record else "",
        method=record.method if record else "",
        warnings=(*warnings, *(record.warnings if record else ())),
        order=record.order if record else 200,
    )


def _find_told(folder: Path) -> set[Path]:
    """Folders below ``folder`` that words lie beside, each a gallery of its own."""
    beside = (path.with_name(path.name.removesuffix(RECORD_SUFFIX)) for path in find_files(folder, f"*{RECORD_SUFFIX}"))
    return {path for path in beside if path.is_dir()}


def _is_figure(path: Path) -> bool:
    return path.with_suffix(RECORD_SUFFIX).is_file() or path.with_suffix(".svg").is_file()


def _read_words(item: Path, page: Page) -> FigureRecord | None:
    """Words about a folder of pictures, from ``{folder}.figure.json`` beside it."""
    if item == page.folder:
        return None
    path = item.with_name(item.name + RECORD_SUFFIX)
    if not path.is_file():
        return None
    page.claim(path)
    return read_figure_record(path)


def _pick_evenly(groups: dict[str, list[Path]], most: int) -> list[tuple[str, Path]]:
    """Up to ``most`` pictures: the first of every group, the second of every group, ..., then by group again."""
    rounds = max((len(paths) for paths in groups.values()), default=0)
    chosen: list[tuple[str, Path]] = []
    for index in range(rounds):
        chosen += [(group, paths[index]) for group, paths in groups.items() if index < len(paths)]
        if len(chosen) >= most:
            break
    order = {group: place for place, group in enumerate(groups)}
    return sorted(chosen[:most], key=lambda pair: (order[pair[0]], pair[1]))
