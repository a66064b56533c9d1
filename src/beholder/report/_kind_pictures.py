"""Section kind: folders of pictures, as a gallery."""

from __future__ import annotations

from pathlib import Path
from typing import final

from beholder._core.errors import StimulusError
from beholder.figures import RECORD_SUFFIX, FigureRecord, read_figure_record
from beholder.report._embed import PICTURE_PATTERNS, embed_picture
from beholder.report._section import SECTIONS, Card, Page, Section, SectionKind, find_files

_CARD_PIXELS = 192
_MOST_CARDS = 240
_BUILT = "experiment.json"  # marks folders of copies of stimuli for participants


@SECTIONS.register("pictures")
@final
class PictureKind(SectionKind):
    """A gallery for each folder of pictures; class folders become the filter. Figures are left to their own kind."""

    turn = 40

    def find(self, folder: Path) -> list[Path]:
        """Folders of pictures that words lie beside, those that lie directly in ``folder``, and ``folder`` itself."""
        told = _find_told(folder)
        homes = {}
        for path in find_files(folder, *PICTURE_PATTERNS):
            parts = path.relative_to(folder).parts
            top = folder / parts[0] if len(parts) > 1 else folder
            homes[next((parent for parent in path.parents if parent in told), top)] = None
        return list(homes)

    def render(self, item: Path, page: Page) -> Section | None:
        """As many pictures as fit, spread evenly over the groups."""
        paths = [
            path for path in find_files(item, *PICTURE_PATTERNS) if not (_is_figure(path) or page.is_claimed(path))
        ]
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
        cards, broken = [], []
        for group, path in _pick_evenly(groups, _MOST_CARDS):
            try:
                shown = embed_picture(path, _CARD_PIXELS, page.budget)
            except StimulusError:
                broken.append(path.name)
                continue
            if shown is None:
                break
            uri, (width, height) = shown
            facts = (("file", path.relative_to(item).as_posix()), ("size", f"{width} × {height} px"))
            cards.append(Card(uri, path.stem, group, facts, page.link(path)))
        warnings = []
        if len(cards) + len(broken) < len(paths):
            warnings.append(f"{len(cards):,} of {len(paths):,} pictures are shown, spread evenly over the groups.")
        if broken:
            warnings.append(f"Not readable as pictures: {', '.join(broken)}.")
        n = len(groups)
        return Section(
            title=record.title if record else f"Which pictures are in {item.name or item.resolve().name}?",
            answer=(record.answer if record else "")
            or f"{len(paths):,} picture{'' if len(paths) == 1 else 's'}{f' in {n} groups' if n > 1 else ''}.",
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
