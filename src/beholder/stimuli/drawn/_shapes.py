"""A procedural picture set: sixteen categories of shapes and textures, drawn by code, seeded.

Colour, position, size, rotation, background, clutter, lighting and grain are drawn independently of the
category, so that none of them gives it away.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.files import write_bytes
from beholder._core.seeds import DEFAULT_SEED, derive_seed, make_generator
from beholder.stimuli.drawn._shape_masks import PICTURE_SIZE, SHAPES, TEXTURES

if TYPE_CHECKING:
    from beholder.stimuli.sets._set import StimulusSet

SHAPE_CATEGORIES: tuple[str, ...] = tuple(sorted([*SHAPES, *TEXTURES]))
"""The sixteen categories in class order, which is alphabetical."""

_LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_LEAST_CONTRAST = 60.0


@suggest_keywords
def make_shape_picture(category: str, seed: int) -> np.ndarray:
    """Draw one picture of a category.

    Parameters
    ----------
    category : str
        One of :data:`SHAPE_CATEGORIES`.
    seed : int
        Picks the picture. The same category and seed give the same bytes.

    Returns
    -------
    numpy.ndarray
        (224, 224, 3), uint8.

    Raises
    ------
    UnknownNameError
        There is no such category.

    Examples
    --------
    >>> make_shape_picture("star", 0).shape
    (224, 224, 3)
    """
    if category not in SHAPE_CATEGORIES:
        raise UnknownNameError("shape category", category, SHAPE_CATEGORIES)
    rng = make_generator(seed, "shapes", category)
    mask = (SHAPES[category] if category in SHAPES else TEXTURES[category])(rng)
    ground_colour, figure_colour = _draw_colours(rng)
    ground = np.empty((PICTURE_SIZE, PICTURE_SIZE, 3), dtype=np.float32)
    ground[:] = ground_colour
    if category in SHAPES:
        _scatter_clutter(ground, ground_colour, rng)
    picture = ground + mask[..., None] * (figure_colour - ground)
    picture *= _draw_lighting(rng)[..., None]
    grain = rng.standard_normal((PICTURE_SIZE, PICTURE_SIZE), dtype=np.float32)
    picture += grain[..., None] * np.float32(rng.uniform(0.0, 4.0))
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


@suggest_keywords
def draw_shapes_set(folder: Path | str, n_per_category: int = 10, seed: int = DEFAULT_SEED) -> StimulusSet:
    """Draw the procedural set into a folder, one PNG class folder a category.

    The first pictures of a category do not depend on how many are asked for.

    Parameters
    ----------
    folder : path
        Made if absent. Files are ``{category}/{category}_{i:04d}.png``, i from 0.
    n_per_category : int
        Pictures a category, at least 1.
    seed : int
        Another seed gives other pictures: use one for training and one for testing.

    Returns
    -------
    StimulusSet
        Targets follow :data:`SHAPE_CATEGORIES`.

    Raises
    ------
    InputError
        ``n_per_category`` is below 1, or the folder cannot be written.
    """
    from beholder.stimuli.sets._set import StimulusSet

    if n_per_category < 1:
        raise InputError("at least 1 picture a category", got=str(n_per_category))
    folder = Path(folder)
    for category in SHAPE_CATEGORIES:
        for i in range(n_per_category):
            picture = make_shape_picture(category, derive_seed(seed, "shapes set", category, i))
            buffer = io.BytesIO()
            Image.fromarray(picture).save(buffer, "PNG", compress_level=4)
            write_bytes(folder / category / f"{category}_{i:04d}.png", buffer.getbuffer())
    return StimulusSet.from_folder(folder)


def _draw_colours(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two random colours, float32 (3,) in [0, 255], that differ clearly in luminance."""
    while True:
        colours = rng.uniform(15, 240, size=(2, 3)).astype(np.float32)
        first, second = colours @ _LUMINANCE
        if abs(first - second) >= _LEAST_CONTRAST:
            return colours[0], colours[1]


def _scatter_clutter(ground: np.ndarray, colour: np.ndarray, rng: np.random.Generator) -> None:
    """Draw a few small faint scraps onto the ground, in place."""
    picture = Image.fromarray(ground.astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(4, 12))):
        tint = np.clip(colour + rng.uniform(-28, 28, size=3), 0, 255)
        corners = rng.uniform(0, PICTURE_SIZE, size=2) + rng.uniform(-14, 14, size=(int(rng.integers(3, 6)), 2))
        r, g, b = (int(value) for value in tint)
        draw.polygon([(float(x), float(y)) for x, y in corners], fill=(r, g, b))
    ground[:] = np.asarray(picture)


def _draw_lighting(rng: np.random.Generator) -> np.ndarray:
    """A soft uneven light, float32 (224, 224) around 1."""
    coarse = rng.uniform(0.8, 1.15, size=(4, 4)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((PICTURE_SIZE, PICTURE_SIZE), Image.Resampling.BICUBIC))
