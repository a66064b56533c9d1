"""Pictures inside the page: downsized, as data URIs, within a budget."""

from __future__ import annotations

import base64
import io
import re
import warnings
from pathlib import Path
from typing import final

MAX_PAGE_BYTES = 20_000_000
_EMBED_BYTES = 18_000_000
# 4/3 would be the size in print; a screen is read from further away.
_CSS_PIXELS_PER_POINT = 1.8
_VECTOR_BYTES = 3_000_000
_SVG_WIDTH = 640
_MOST_PIXELS = 50_000_000

PICTURE_PATTERNS = ("*.png", "*.PNG", "*.jpg", "*.jpeg", "*.JPG", "*.JPEG", "*.webp")


@final
class Budget:
    """Bytes that the page may still embed, so that it stays under 20 MB."""

    def __init__(self, limit: int = _EMBED_BYTES) -> None:
        self.left = limit

    def spend(self, uri: str) -> bool:
        """Take the length of ``uri`` from the budget; False, and nothing taken, when it no longer fits."""
        if len(uri) > self.left:
            return False
        self.left -= len(uri)
        return True


def to_data_uri(data: bytes, media_type: str) -> str:
    """``data:`` URI in base64."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def embed_svg(path: Path, budget: Budget) -> tuple[str, int, int] | None:
    """An SVG as (data URI, width, height in CSS pixels); None when it is too large. Inside an image no script runs."""
    data = path.read_bytes()
    if len(data) > _VECTOR_BYTES:
        return None
    return embed_svg_bytes(data, budget)


def embed_svg_bytes(data: bytes, budget: Budget) -> tuple[str, int, int] | None:
    """As :func:`embed_svg`, for an SVG in memory."""
    uri = to_data_uri(data, "image/svg+xml")
    if not budget.spend(uri):
        return None
    sizes = [re.search(rb'<svg[^>]*\b%s="([0-9.]+)pt"' % name, data[:4000]) for name in (b"width", b"height")]
    width, height = (round(float(found[1]) * _CSS_PIXELS_PER_POINT) if found else 0 for found in sizes)
    return (uri, width, height) if width and height else (uri, _SVG_WIDTH, 0)


def check_pixels(path: Path) -> None:
    """Refuse a picture that takes more memory than a page is worth; a few bytes of file can hold any number of pixels.

    Raises
    ------
    StimulusError
        It has more than 50 million pixels.
    """
    from PIL import Image

    from beholder._core.errors import StimulusError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                width, height = picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return  # whoever decodes it says why it is no picture
    if width * height > _MOST_PIXELS:
        got = f"{path} of {width} x {height}"
        raise StimulusError(f"a picture of at most {_MOST_PIXELS:,} pixels for the page", got=got)


def embed_picture(path: Path, max_side: int, budget: Budget) -> tuple[str, tuple[int, int]] | None:
    """A picture file, downsized to ``max_side`` pixels, as (data URI, original size).

    None when the page is full. A file that is no picture is a :class:`StimulusError`.
    """
    from PIL import Image

    from beholder.stimuli import open_image

    check_pixels(path)
    picture = open_image(path)
    size = picture.size
    picture.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=88, method=2)
    uri = to_data_uri(buffer.getvalue(), "image/webp")
    return (uri, size) if budget.spend(uri) else None
