"""Screens of pages against golden pictures of them, so that how a browser draws its letters makes no difference."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import maximum_filter, minimum_filter

FOLDER = Path(__file__).parents[1] / "golden" / "screens"
RENEW = "BEHOLDER_RENEW_SCREENS"
AGAIN = "python tools/write_screens.py"

SIZES = {"1280": {"width": 1280, "height": 900}, "390": {"width": 390, "height": 844}}
"""Windows, by name."""
LOOKS = [("1280", "light"), ("1280", "dark"), ("390", "light"), ("390", "dark"), ("1280", "print")]
"""Windows and schemes in which pages are looked at."""

SHRUNK = 4
"""Screen pixels along a pixel of a golden picture."""
CELL = 4
"""Pixels of a golden picture along what is compared: its mean colour."""
FAR = 24
"""Of 255: how far a cell's mean may lie from all those around it."""
SHARE = 0.02
"""Cells that may be further off: words that break elsewhere, a number of another length."""


_SETTLE = """async () => {
    const next = () => new Promise((go) => requestAnimationFrame(go));
    for (let n = 0; n < 3; n++) await next();
    await Promise.all(document.getAnimations().map((each) => Promise.race([each.finished.catch(() => null),
        new Promise((go) => setTimeout(go, 1000))])));
}"""
"""Colours that a scheme changes do so in a moment, not at once."""


def take_picture(page) -> bytes:
    """The window of a Playwright page as PNG, its pictures loaded and nothing moving."""
    page.evaluate("document.querySelectorAll('img').forEach((each) => { each.loading = 'eager'; })")
    page.evaluate("Promise.all([...document.images].map((each) => each.decode().catch(() => null)))")
    page.evaluate(_SETTLE)
    return page.screenshot(animations="disabled", caret="hide")


def shrink(screen: Image.Image) -> Image.Image:
    """A screen as it is kept."""
    size = (max(1, screen.width // SHRUNK), max(1, screen.height // SHRUNK))
    return screen.convert("RGB").resize(size, Image.Resampling.BOX)


def measure_difference(before: Image.Image, now: Image.Image) -> float:
    """Proportion of cells whose colour is none that the other screen has there or within a cell's breadth.

    Parameters
    ----------
    before, now : PIL.Image.Image
        Shrunk screens; of unlike sizes all is different.
    """
    if before.size != now.size:
        return 1.0
    one, other = (average_cells(np.asarray(each.convert("RGB"), np.float32)) for each in (before, now))
    off = np.maximum(measure_distance(one, other), measure_distance(other, one))
    return float((off > FAR).any(axis=2).mean())


def average_cells(pixels: np.ndarray) -> np.ndarray:
    """Mean colours, (rows, columns, 3), of squares of ``CELL`` pixels; what is left over at the ends is left out."""
    rows, columns = (n // CELL for n in pixels.shape[:2])
    cells = pixels[: rows * CELL, : columns * CELL].reshape(rows, CELL, columns, CELL, 3)
    return cells.mean(axis=(1, 3))


def measure_distance(cells: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How far each cell lies outside of what the other screen spans around it."""
    low, high = (extreme(others, size=(3, 3, 1), mode="nearest") for extreme in (minimum_filter, maximum_filter))
    return np.maximum(np.maximum(cells - high, low - cells), 0)


def check_screen(name: str, png: bytes, folder: Path) -> None:
    """Hold a screen against its golden picture; what does not fit is left in ``folder`` to be looked at."""
    with Image.open(io.BytesIO(png)) as screen:
        now = shrink(screen)
    golden = FOLDER / f"{name}.webp"
    if os.environ.get(RENEW):
        golden.parent.mkdir(parents=True, exist_ok=True)
        now.save(golden, quality=70, method=6)
        return
    assert golden.is_file(), f"{name} has no golden picture: {AGAIN}"
    with Image.open(golden) as before:
        share = measure_difference(before, now)
    if share > SHARE:
        (folder / f"{name}.png").write_bytes(png)
        raise AssertionError(
            f"{name}: {share:.1%} of the screen looks otherwise than {golden}; it is now {folder / name}.png; "
            f"meant? `{AGAIN} {name}`"
        )
