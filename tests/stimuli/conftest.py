from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def draw_picture(seed: int, size: tuple[int, int] = (20, 14), mode: str = "RGB") -> Image.Image:
    """A smooth random picture."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).convert(mode)


@pytest.fixture
def picture():
    return draw_picture


@pytest.fixture
def fill():
    """Write one picture a name below a folder, made as needed."""

    def write(folder: Path, *names: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for i, name in enumerate(names):
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            draw_picture(i).save(file)
        return folder

    return write
