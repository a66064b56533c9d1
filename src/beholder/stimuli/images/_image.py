"""Reading pictures of every mode that Pillow knows into RGB, and writing them."""

from __future__ import annotations

import errno
import io
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from beholder._core.errors import SKIP_HINT, BeholderError, InputError, StimulusError, format_values, suggest_keywords
from beholder._core.files import write_bytes
from beholder._core.wording import format_count
from beholder.stimuli.images._picture import to_picture

logger = logging.getLogger("beholder")

Colour = tuple[int, int, int]
IMAGENET_MEAN_COLOUR: Colour = (124, 116, 104)
"""What transparent pixels are shown on: the mean colour that most networks subtract."""

_ORIENTATION = 274
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPS_SIDES = frozenset({5, 6, 7, 8})
_HOLDS_ORIENTATION = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif")
_WITH_ALPHA = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})
_MACHINE_TROUBLE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE})


@suggest_keywords
def open_image(
    source: Path | str | bytes | np.ndarray | Image.Image,
    *,
    background: Colour = IMAGENET_MEAN_COLOUR,
    keep_alpha: bool = False,
    draft: tuple[int, int] | None = None,
    name: str | None = None,
) -> Image.Image:
    r"""Read a picture as RGB, upright, whatever its mode.

    A plain RGB file gives exactly what ``Image.open(file).convert("RGB")`` gives. EXIF rotation is applied, the first
    frame of an animation taken, 16-bit values scaled by 255 / 65535, transparency laid over ``background``: with
    opacity :math:`a` in [0, 1] a pixel becomes :math:`a \cdot rgb + (1 - a) \cdot background`. Colour profiles
    are not applied.

    Parameters
    ----------
    source : path, bytes, numpy.ndarray or PIL.Image.Image
        A file, a file's content, a picture array as :func:`to_picture` takes it, or an open picture, which gives
        what its file does, EXIF rotation included.
    background : (r, g, b)
        In [0, 255].
    keep_alpha : bool
        Give RGBA, with opacity untouched, instead of RGB.
    draft : (width, height), optional
        Let the JPEG decoder shrink the picture to a size not below this one: faster, other pixels.
    name : str, optional
        What errors call the picture; by default its path.

    Raises
    ------
    StimulusError
        The file is missing, truncated, no picture, far too large, or holds values of unknown range.

    Examples
    --------
    >>> picture = open_image("cat.jpg")  # doctest: +SKIP
    """
    if isinstance(source, np.ndarray):
        return _convert(to_picture(source), background, keep_alpha)
    if name is None:
        name = "bytes" if isinstance(source, bytes) else str(source)
    try:
        if isinstance(source, Image.Image):
            source.load()
            turn = _TURNS.get(_read_orientation(source, name)) if source.format != "TIFF" else None
            picture = _convert(source, background, keep_alpha)
            return picture if turn is None else picture.transpose(turn)
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            orientation = _read_orientation(image, name)
            if draft is not None and image.format in ("JPEG", "MPO"):
                image.draft(None, (draft[1], draft[0]) if orientation in _SWAPS_SIDES else draft)
            image.load()
            if image.format == "TIFF" or orientation not in _TURNS:  # Pillow turns TIFF itself
                return _convert(image, background, keep_alpha)
            return _convert(image, background, keep_alpha).transpose(_TURNS[orientation])
    except StimulusError as error:
        raise StimulusError(error.expected, got=f"{name} ({error.got})", hint=error.hint) from error
    except MemoryError:
        raise
    except Exception as error:  # Pillow's readers raise whatever a damaged file makes them trip over
        raise _explain(error, name) from error


@suggest_keywords
def composite_alpha(image: Image.Image, background: Colour = IMAGENET_MEAN_COLOUR) -> Image.Image:
    """Lay an RGBA picture over one colour and give RGB."""
    alpha = image.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return image.convert("RGB")
    ground = Image.new("RGB", image.size, background)
    ground.paste(image.convert("RGB"), mask=alpha)
    return ground


@suggest_keywords
def read_picture_size(path: Path) -> tuple[int, int] | None:
    """Width and height of a picture as it is shown, upright, from its first bytes; None where they do not tell."""
    try:
        with Image.open(path) as picture:
            turned = picture.getexif().get(_ORIENTATION) in _SWAPS_SIDES
            width, height = picture.size
            return (height, width) if turned else (width, height)
    except (OSError, ValueError, SyntaxError):  # the reader of the whole file says what is wrong with it
        return None


@suggest_keywords
def save_picture(path: Path | str, picture: Image.Image | np.ndarray) -> None:
    """Write a picture by rename; the extension picks the format (PNG is exact, JPEG gets quality 95).

    Parameters
    ----------
    path : path
        Ending in ``.png``, ``.jpg`` or what else Pillow writes.
    picture : PIL.Image.Image or numpy.ndarray
        An array as :func:`to_picture` takes it.

    Raises
    ------
    InputError
        Pillow cannot write such a file, or the folder cannot be written.
    """
    image = to_picture(picture) if isinstance(picture, np.ndarray) else picture
    suffix = Path(path).suffix.lower()
    form = Image.registered_extensions().get(suffix)
    if form is None or form not in Image.SAVE:
        raise InputError("a picture file name such as x.png", got=str(path))
    options: dict[str, Any] = {"quality": 95} if form in ("JPEG", "WEBP") else {}
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    write_bytes(path, buffer.getbuffer())


def _read_orientation(image: Image.Image, name: str) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none. Looks only where one can stand."""
    info = image.info
    if not any(key in info for key in _HOLDS_ORIENTATION):
        return 1
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception as error:  # damaged metadata around sound pixels
        logger.warning("%s: EXIF cannot be read, taken as upright (%s)", name, error)
        return 1


def _convert(image: Image.Image, background: Colour, keep_alpha: bool) -> Image.Image:
    """A loaded picture of any mode as RGB, or RGBA."""
    mode = image.mode
    if mode == "RGB" and "transparency" not in image.info:
        return image.convert("RGBA") if keep_alpha else image
    if mode.startswith("I") or mode == "F":
        image = _scale_deep_grey(image)
    if image.mode in _WITH_ALPHA or "transparency" in image.info:
        with_alpha = image if image.mode == "RGBA" else image.convert("RGBA")
        return with_alpha if keep_alpha else composite_alpha(with_alpha, background)
    return image.convert("RGBA" if keep_alpha else "RGB")


def _scale_deep_grey(image: Image.Image) -> Image.Image:
    """Grey of 16 bits (modes ``I;16*``, ``I``) or float in [0, 1] (``F``) as 8-bit grey, with its transparency."""
    values = np.asarray(image)
    low, high = values.min(initial=0), values.max(initial=0)
    if image.mode == "F":
        if not (low >= 0 and high <= 1):
            raise StimulusError("float pixels in [0, 1]", got=format_values(low, high))
        scaled = np.rint(values * 255).astype(np.uint8)
    else:
        if low < 0 or high > 65535:
            raise StimulusError("pixels of at most 16 bits", got=format_values(low, high))
        scaled = ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    grey = Image.fromarray(scaled)
    key = image.info.get("transparency")
    if isinstance(key, int):
        grey.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
    return grey


def _explain(error: Exception, name: str) -> BeholderError:
    if isinstance(error, OSError) and error.errno in _MACHINE_TROUBLE:
        return BeholderError(f"expected to read {name}; got {os.strerror(error.errno or 0).lower()}")
    if isinstance(error, FileNotFoundError):
        return StimulusError("an image file", got=f"no file at {name}")
    if isinstance(error, OSError) and error.errno is not None:
        return StimulusError("an image file that can be read", got=f"{name} ({error.strerror})")
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        limit = f"at most {format_count(2 * (Image.MAX_IMAGE_PIXELS or 0), 'pixel')}"
        return StimulusError(f"an image of {limit}", got=f"{name}, which is larger", hint="a smaller picture")
    if isinstance(error, Image.UnidentifiedImageError):
        if name.lower().endswith((".wav", ".flac")):
            return StimulusError(
                "an image file", got=f"{name}, a sound", hint="bh.wrap(…, sample_rate=16000), for a network of sounds"
            )
        return StimulusError("an image file", got=f"{name}, which is no image", hint=SKIP_HINT)
    reason = " ".join(str(error).split()) or type(error).__name__
    return StimulusError("a whole image file", got=f"{name} ({reason})", hint=SKIP_HINT)
