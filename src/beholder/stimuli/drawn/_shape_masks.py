"""The sixteen figures of the procedural picture set, as coverage masks.

Eight are shapes (one object somewhere in the picture), eight are textures (the whole picture).
Each function draws one mask, float32 (224, 224) in [0, 1], 1 where the figure's own colour goes,
with position, size and rotation from the generator that it is given. Sines and angles of whole pictures are
computed in float64 and rounded: in float32 their last bits depend on the processor, and a few pixels with them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

PICTURE_SIZE = 224
"""Width and height of a picture, pixels."""

Mask = np.ndarray
_OVERSAMPLING = 2
_SHAPE_RADIUS = (52.0, 88.0)
_FARTHEST_POINT = 1.1  # of any outline from its centre, in radii


# --- shapes: outlines in a unit circle, rasterised at twice the size and averaged down ------------------------


def _polygon_from_radii(radii: np.ndarray) -> np.ndarray:
    angles = np.arange(len(radii)) * (2 * np.pi / len(radii)) - np.pi / 2
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def _make_cross_outline() -> np.ndarray:
    arm, half = 1.0, 0.32
    quarter = np.array([[half, -arm], [half, -half], [arm, -half]])
    turns = [np.array([[0, -1], [1, 0]]), np.array([[-1, 0], [0, -1]]), np.array([[0, 1], [-1, 0]])]
    return np.concatenate([quarter, *[quarter @ turn.T for turn in turns]])


def _make_heart_outline() -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    outline = np.stack([x, y - 2.5], axis=1)
    return outline * (1.08 / np.hypot(*outline.T).max())


_OUTLINES: dict[str, np.ndarray] = {
    "circle": _polygon_from_radii(np.full(96, 0.95)),
    "cross": _make_cross_outline(),
    "heart": _make_heart_outline(),
    "square": _polygon_from_radii(np.full(4, 1.1)),
    "star": _polygon_from_radii(np.array([1.08, 0.44] * 5)),
    "triangle": _polygon_from_radii(np.full(3, 1.1)),
}


def _place_shape(rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Centre (x, y) and radius, in pixels, such that the shape stays in the picture."""
    radius = rng.uniform(*_SHAPE_RADIUS)
    room = PICTURE_SIZE / 2 - _FARTHEST_POINT * radius - 2
    return PICTURE_SIZE / 2 + rng.uniform(-room, room, size=2), radius


def _rasterise(*outlines: np.ndarray) -> Mask:
    """Fill the first outline and cut the others out of it; outlines in pixels, (n_points, 2)."""
    big = Image.new("L", (PICTURE_SIZE * _OVERSAMPLING, PICTURE_SIZE * _OVERSAMPLING), 0)
    draw = ImageDraw.Draw(big)
    for fill, outline in zip((255, 0), outlines, strict=False):
        draw.polygon([(float(x), float(y)) for x, y in outline * _OVERSAMPLING], fill=fill)
    return np.asarray(big.reduce(_OVERSAMPLING), dtype=np.float32) / 255.0


def _turn(outline: np.ndarray, angle: float) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    return outline @ np.array([[cos, sin], [-sin, cos]])


def _draw_outline(name: str, rng: np.random.Generator) -> Mask:
    centre, radius = _place_shape(rng)
    tilt = rng.uniform(-0.45, 0.45) if name == "heart" else rng.uniform(0, 2 * np.pi)
    squeeze = np.array([1.0, rng.uniform(0.88, 1.0)])
    return _rasterise(_turn(_OUTLINES[name] * squeeze, tilt) * radius + centre)


def _draw_ring(rng: np.random.Generator) -> Mask:
    centre, radius = _place_shape(rng)
    circle = _OUTLINES["circle"] * np.array([1.0, rng.uniform(0.88, 1.0)])
    circle = _turn(circle, rng.uniform(0, np.pi)) * radius
    return _rasterise(circle + centre, circle * rng.uniform(0.52, 0.72) + centre)


def _draw_crescent(rng: np.random.Generator) -> Mask:
    centre, radius = _place_shape(rng)
    angle = rng.uniform(0, 2 * np.pi)
    shift = np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(0.4, 0.52)
    circle = _OUTLINES["circle"] * radius
    return _rasterise(circle + centre, circle * rng.uniform(0.82, 0.9) + centre + shift * radius)


# --- textures: a signed distance to the nearest edge, in pixels, turned into coverage ----------------------


@lru_cache(maxsize=1)
def _make_grid() -> tuple[np.ndarray, np.ndarray]:
    axis = np.arange(PICTURE_SIZE, dtype=np.float32) - (PICTURE_SIZE - 1) / 2
    return np.meshgrid(axis, axis)


def _make_turned_grid(rng: np.random.Generator, angle: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Pixel coordinates turned by a random angle and shifted by a random amount."""
    x, y = _make_grid()
    angle = rng.uniform(0, 2 * np.pi) if angle is None else angle
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    shift_x, shift_y = rng.uniform(0, 200, size=2).astype(np.float32)
    return cos * x + sin * y + shift_x, -sin * x + cos * y + shift_y


def _make_central_grid(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Distance from a point near the middle, pixels, and angle around it in turns, [-0.5, 0.5]."""
    x, y = _make_grid()
    centre_x, centre_y = rng.uniform(-35, 35, size=2).astype(np.float32)
    x, y = x - centre_x, y - centre_y
    return np.hypot(x, y), (np.arctan2(y, x, dtype=np.float64) / (2 * np.pi)).astype(np.float32)


def _cover(distance: np.ndarray) -> Mask:
    """Coverage of a pixel whose centre lies ``distance`` pixels inside the figure."""
    return np.clip(distance + np.float32(0.5), 0, 1)


def _fold(position: np.ndarray, period: float | np.floating) -> np.ndarray:
    """Distance to the nearest multiple of ``period``."""
    position = position / np.float32(period)
    return np.abs(position - np.rint(position)) * np.float32(period)


def _draw_stripes(rng: np.random.Generator) -> Mask:
    u, _ = _make_turned_grid(rng)
    period = rng.uniform(22, 46)
    return _cover(_fold(u, period) - np.float32(period * rng.uniform(0.2, 0.3)))


def _draw_waves(rng: np.random.Generator) -> Mask:
    u, v = _make_turned_grid(rng)
    period, length = rng.uniform(24, 40), rng.uniform(55, 90)
    swing = np.float32(length * rng.uniform(0.16, 0.24))
    bent = v + swing * np.sin(u * (2 * np.pi / length), dtype=np.float64).astype(np.float32)
    return _cover(_fold(bent, period) - np.float32(period * rng.uniform(0.2, 0.3)))


def _draw_checkerboard(rng: np.random.Generator) -> Mask:
    u, v = _make_turned_grid(rng)
    cell = rng.uniform(20, 42)
    across, along = _fold(u, 2 * cell) - np.float32(cell / 2), _fold(v, 2 * cell) - np.float32(cell / 2)
    return _cover(np.sign(across * along) * np.minimum(np.abs(across), np.abs(along)))


def _draw_dots(rng: np.random.Generator) -> Mask:
    u, v = _make_turned_grid(rng)
    period = rng.uniform(30, 52)
    if rng.random() < 0.5:
        u = u + np.where(np.rint(v / np.float32(period)) % 2 == 0, 0, np.float32(period / 2))
    distance = np.hypot(_fold(u, period), _fold(v, period))
    return _cover(np.float32(period * rng.uniform(0.24, 0.34)) - distance)


def _draw_bricks(rng: np.random.Generator) -> Mask:
    u, v = _make_turned_grid(rng, angle=rng.uniform(-0.35, 0.35))
    height = rng.uniform(22, 36)
    width = height * rng.uniform(2.0, 2.6)
    row = np.floor(v / np.float32(height))
    joint = u + (row % 2) * np.float32(width / 2)
    inside = np.minimum(_fold(joint, width), _fold(v, height))
    return _cover(inside - np.float32(rng.uniform(1.8, 3.4)))


def _draw_honeycomb(rng: np.random.Generator) -> Mask:
    u, v = _make_turned_grid(rng)
    size = rng.uniform(26, 46)
    step_u, step_v = np.float32(size), np.float32(size * np.sqrt(3))

    def measure_to_edge(shift_u: float, shift_v: float) -> np.ndarray:
        du, dv = _fold(u - np.float32(shift_u), step_u), _fold(v - np.float32(shift_v), step_v)
        return np.float32(size / 2) - np.maximum(du, du * np.float32(0.5) + dv * np.float32(np.sqrt(3) / 2))

    inside = np.maximum(measure_to_edge(0, 0), measure_to_edge(size / 2, size * np.sqrt(3) / 2))
    return _cover(inside - np.float32(rng.uniform(1.8, 3.2)))


def _draw_spiral(rng: np.random.Generator) -> Mask:
    distance, turns = _make_central_grid(rng)
    period, arms = rng.uniform(26, 44), int(rng.integers(1, 3)) * (1 if rng.random() < 0.5 else -1)
    wound = distance + (turns * arms + np.float32(rng.random())) * np.float32(period)
    return _cover(_fold(wound, period) - np.float32(period * rng.uniform(0.2, 0.3)))


def _draw_rays(rng: np.random.Generator) -> Mask:
    distance, turns = _make_central_grid(rng)
    period = 1 / int(rng.integers(8, 15))
    edge = _fold(turns + np.float32(rng.random()), period) - np.float32(period / 4)
    return _cover(edge * distance * np.float32(2 * np.pi))


def _make_outline_drawer(name: str) -> Callable[[np.random.Generator], Mask]:
    return lambda rng: _draw_outline(name, rng)


SHAPES: dict[str, Callable[[np.random.Generator], Mask]] = {
    **{name: _make_outline_drawer(name) for name in _OUTLINES},
    "crescent": _draw_crescent,
    "ring": _draw_ring,
}
"""Categories that are one object."""

TEXTURES: dict[str, Callable[[np.random.Generator], Mask]] = {
    "bricks": _draw_bricks,
    "checkerboard": _draw_checkerboard,
    "dots": _draw_dots,
    "honeycomb": _draw_honeycomb,
    "rays": _draw_rays,
    "spiral": _draw_spiral,
    "stripes": _draw_stripes,
    "waves": _draw_waves,
}
"""Categories that fill the picture."""
