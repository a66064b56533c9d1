"""Where in a stimulus a unit is active: its map as a veil that leaves clear what drives it."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from PIL import Image

from beholder.report._embed import to_data_uri
from beholder.stimuli import ActivationMap, UnitStimulus

Scale = tuple[float, float]
_DARKEST = 0.8
_MOST_CELLS = 28


@final
@dataclass(frozen=True)
class Overlay:
    """A veil over a picture: a data URI, and the rectangle that it fills in per cent of the picture's sides."""

    source: str
    x: float
    y: float
    width: float
    height: float


def find_scale(shown: Sequence[UnitStimulus]) -> Scale | None:
    """The activations between which the veils of one row fade; None without maps.

    The 20th and the 95th percentile over all positions of the row, from the darkest to the clear; for ``min`` of the
    negative activations.
    """
    values = [read for one in shown if (read := _read_map(one)) is not None]
    if not values:
        return None
    everything = np.concatenate([each.ravel() for each in values])
    low, high = np.percentile(everything, (20, 95))
    return (float(low), float(high)) if high > low else (float(everything.min()), float(everything.max()))


def _read_map(one: UnitStimulus) -> np.ndarray | None:
    """Activations of a map, negative for ``min``: more of it drives the unit further. None where there is none."""
    found = one.map
    if found is None:
        return None
    try:
        with Image.open(found.path) as file:
            grey = np.asarray(file.convert("L"), dtype=np.float64) / 255
    except OSError:
        return None
    values = found.low + grey * (found.high - found.low)
    return values if one.sign == "max" else -values


def make_overlay(one: UnitStimulus, scale: Scale) -> Overlay | None:
    """The veil of one stimulus; None without a map.

    Cells lie where the unit's positions lie; the outermost are continued to the picture's edge.
    """
    low, high = scale
    values = _read_map(one)
    if values is None or one.map is None:
        return None
    proportion = (values - low) / (high - low) if high > low else np.ones_like(values)
    veil, edges = _continue_to_edges(_DARKEST * (1 - proportion.clip(0, 1)), one.map)
    veil = _shrink(veil)
    pixels = np.zeros((*veil.shape, 2), np.uint8)
    pixels[..., 1] = np.rint(255 * veil)
    buffer = io.BytesIO()
    Image.fromarray(pixels, "LA").save(buffer, "PNG", optimize=True)
    return Overlay(to_data_uri(buffer.getvalue(), "image/png"), *edges)


def _continue_to_edges(veil: np.ndarray, found: ActivationMap) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """Repeat the outer rows and columns until they cover the stimulus; x, y, width, height in per cent."""
    pads, spans = [], []
    for start, step, n, size in (
        (found.y, found.step_y, veil.shape[0], found.height),
        (found.x, found.step_x, veil.shape[1], found.width),
    ):
        first, last = start - step / 2 + 0.5, start + (n - 0.5) * step + 0.5
        before, after = max(0, math.ceil(first / step)), max(0, math.ceil((size - last) / step))
        pads.append((before, after))
        spans.append((100 * (first - before * step) / size, 100 * (n + before + after) * step / size))
    (y, height), (x, width) = spans
    return np.pad(veil, pads, mode="edge"), (x, y, width, height)


def _shrink(veil: np.ndarray) -> np.ndarray:
    """At most 28 cells a side, by averaging: more would not be seen."""
    size = tuple(min(side, _MOST_CELLS) for side in veil.shape)
    if size == veil.shape:
        return veil
    picture = Image.fromarray(veil.astype(np.float32)).resize(size[::-1], Image.Resampling.BOX)
    return np.asarray(picture, dtype=np.float64)
