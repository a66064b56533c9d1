"""What records share: drawing places on the screen, and the room that pictures find there."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from typing import Any

from beholder.experiments.settings._settings import Settings

MARGIN = 32


def draw_stimulus(files: Mapping[str, Any], n_references: int, rng: random.Random) -> dict[str, Any]:
    """The one stimulus, in its one place."""
    return {"stimulus": "stimulus"}


def draw_pair(
    places: tuple[str, str], slots: tuple[str, str]
) -> Callable[[Mapping[str, Any], int, random.Random], dict[str, Any]]:
    """Two slots in two places, either way round."""

    def draw(files: Mapping[str, Any], n_references: int, rng: random.Random) -> dict[str, Any]:
        return dict(zip(places, shuffled(list(slots), rng), strict=True))

    return draw


def draw_references(files: Mapping[str, Any], prefix: str, n: int, rng: random.Random) -> list[str]:
    """The ``n`` strongest, which have the highest numbers: the strongest first, the others shuffled."""
    numbers = sorted(_list_numbers(files, prefix), reverse=True)[:n]
    return [f"{prefix}_{k}" for k in numbers[:1] + shuffled(numbers[1:], rng)]


def _list_numbers(files: Mapping[str, Any], prefix: str) -> list[int]:
    ends = (slot.removeprefix(f"{prefix}_") for slot in files if slot.startswith(f"{prefix}_"))
    return [int(end) for end in ends if end.isdigit()]


def shuffled(items: list[Any], rng: random.Random) -> list[Any]:
    """The items in a drawn order."""
    return rng.sample(items, len(items))


def fill_window(settings: Settings, width: int, height: int) -> float:
    """Room of a picture that has the middle of the window for itself."""
    return min(width - MARGIN, height - 96)


def measure_gap(width: int) -> float:
    """Between items that stand side by side."""
    return min(max(24.0, 0.06 * width), 96.0)


def measure_grid(settings: Settings, height: int) -> tuple[int, float]:
    """Columns of a grid of references, and the room that one has down the page."""
    columns = min(3, math.ceil(math.sqrt(settings.n_references_shown)))
    rows = math.ceil(settings.n_references_shown / columns)
    return columns, (height - 181 - 4 * (rows - 1)) / rows
