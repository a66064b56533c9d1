"""Section kind: metamers of several networks side by side, own ones or the published examples of an experiment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import final

from beholder._core.wording import count_items, format_count
from beholder.report._metamer_view import Embedder, SmallPicture, plan_side
from beholder.report._section import SECTIONS, TEMPLATES, Page, Section, SectionKind, SectionView, list_choices
from beholder.report._sounds import is_sound
from beholder.stimuli import GridRow, is_metamer_examples, list_metamer_sets, read_metamer_grid

_SHARE_OF_PAGE = 0.4
_MOST_STIMULI = 40


@final
@dataclass(frozen=True)
class GridCard:
    """The original (no network) or one metamer."""

    name: str
    network: str
    alt: str
    shown: SmallPicture
    link: str | None


@final
@dataclass(frozen=True)
class GridLine:
    """The original alone, or the metamers of one network."""

    network: str
    cards: tuple[GridCard, ...]


@final
@dataclass(frozen=True)
class GridStimulus:
    """One stimulus: the original, then a line a network."""

    stimulus: str
    label: str
    lines: tuple[GridLine, ...]


@final
@dataclass(frozen=True)
class GridView(SectionView):
    """Stimuli, what they can be filtered by, and what they are, plural."""

    rows: tuple[GridStimulus, ...]
    networks: tuple[tuple[str, str], ...]
    noun: str

    @property
    def template(self) -> Path:
        """``metamer_grid.html.jinja``."""
        return TEMPLATES / "metamer_grid.html.jinja"


@SECTIONS.register("metamer_grids")
@final
class MetamerGridKind(SectionKind):
    """Original × network × stage, where there are several networks, or published examples."""

    turn = 19

    def find(self, folder: Path) -> list[Path]:
        """Folders of published examples; folders that hold the metamers of several networks."""
        found = []
        for root, folders, _ in os.walk(folder):
            folders[:] = sorted(name for name in folders if not name.startswith(".") and not name.endswith(".zarr"))
            if is_metamer_examples(root):
                found.append(Path(root))
                folders.clear()
            elif len(list_metamer_sets(root)) > 1:
                found.append(Path(root))
        return found

    def render(self, item: Path, page: Page) -> Section | None:
        """As many stimuli as fit."""
        grid = read_metamer_grid(item)
        published = is_metamer_examples(item)
        if published:
            page.claim(item)
        elif not any(len(row.made) > 1 for row in grid.rows):
            return None  # each network has stimuli of its own: there is nothing to hold side by side
        rows = grid.rows if published else tuple(row for row in grid.rows if len(row.made) > 1)
        files = [path for row in rows for stages in row.made.values() for _, path in stages]
        noun = "sounds" if files and is_sound(files[0]) else "pictures"
        view, broken = _make_view(rows, noun, page)
        n = len(grid.networks)
        warnings = []
        if len(view.rows) < len(rows):
            warnings.append(f"{len(view.rows):,} of {count_items(len(rows), 'stimuli')} are shown.")
        if broken:
            warnings.append(
                f"Not readable: {', '.join(broken[:5])}{f' and {len(broken) - 5:,} more' * (len(broken) > 5)}."
            )
        name = item.resolve().name
        sense = "sound" if noun == "sounds" else "look"
        return Section(
            title=f"How do metamers of {format_count(n, 'network')} {sense} beside one another ({name})?"
            if n > 1
            else f"How do metamers {sense} beside their originals ({name})?",
            answer=f"{format_count(len(files), 'metamer')} of {count_items(len(rows), noun)}, of "
            f"{format_count(n, 'network')}{': published examples' if published else ''}.",
            view=view,
            explanation="Each row is one network, from its early stages on the left to its late ones on the right. "
            f"Where a metamer does not {sense} like the original to you, the network takes alike what you do not.",
            warnings=tuple(warnings),
            order=395,
            facts={},
        )


def _make_view(rows: tuple[GridRow, ...], noun: str, page: Page) -> tuple[GridView, list[str]]:
    chosen = rows[:_MOST_STIMULI]
    n_cards = sum(1 + sum(map(len, row.made.values())) for row in chosen)
    side = plan_side(n_cards, int(_SHARE_OF_PAGE * page.budget.left), has_sounds=noun == "sounds")
    embedder = Embedder(page.budget, side)
    shown: list[GridStimulus] = []
    for row in chosen:
        one = _show_row(row, embedder, page)
        if one is None:
            break
        shown.append(one)
    networks = list_choices(card.network for row in shown for line in row.lines for card in line.cards if card.network)
    return GridView(tuple(shown), networks, noun), embedder.broken


def _show_row(row: GridRow, embedder: Embedder, page: Page) -> GridStimulus | None:
    stages = [("", (("original", row.original),) if row.original is not None else ())]
    stages += [(network, own) for network, own in row.made.items()]
    lines = []
    for network, own in stages:
        cards = []
        for stage, path in own:
            shown = embedder.embed(path)
            if embedder.is_full:
                return None
            if shown is not None:
                alt = f"{row.stimulus}, {network} at {stage}" if network else f"{row.stimulus}, original"
                cards.append(GridCard(stage, network, alt, shown, page.link(path)))
        lines.append(GridLine(network, tuple(cards)))
    return GridStimulus(row.stimulus, row.label, tuple(lines))
