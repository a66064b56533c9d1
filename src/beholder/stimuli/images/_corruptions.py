"""The fifteen common corruptions of ImageNet-C, by the library that keeps them."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from beholder._core.errors import InputError, MissingExtra, UnknownNameError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED

COMMON_CORRUPTIONS = (
    "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "snow",
    "frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression",
)  # fmt: skip
"""Names, in the order of the publication: noise, blur, weather, digital."""

_OWN_SEED = ("impulse_noise", "glass_blur")
"""Those that draw by a generator of their own; the others draw from NumPy's global one."""
_LEAST_SIZE = 32
_lock = threading.Lock()


@suggest_keywords
def corrupt_picture(picture: np.ndarray, name: str, severity: float, *, seed: int = DEFAULT_SEED) -> np.ndarray:
    """Corrupt a picture as ImageNet-C does.

    Parameters
    ----------
    picture : numpy.ndarray
        (height, width, 3) or (height, width), float in [0, 1], 32 pixels or more a side; rounded to 8 bits first. The
        published strengths are those for 224 × 224 pixels.
    name : str
        One of :data:`COMMON_CORRUPTIONS`.
    severity : int
        1 to 5.
    seed : int
        Decides everything that is drawn.

    Returns
    -------
    numpy.ndarray
        (height, width, 3), float32 in [0, 1].

    Raises
    ------
    UnknownNameError
        No such corruption.
    InputError
        Another severity, or a smaller picture.
    MissingExtra
        The library is not installed.

    Notes
    -----
    Source: Hendrycks & Dietterich (2019), Benchmarking neural network robustness to common corruptions and
    perturbations, ICLR; computed by imagecorruptions-imaug, which goes on from imagecorruptions.

    Examples
    --------
    >>> foggy = corrupt_picture(np.full((64, 64, 3), 0.5), "fog", 3)  # doctest: +SKIP
    """
    if name not in COMMON_CORRUPTIONS:
        raise UnknownNameError("common corruption", name, COMMON_CORRUPTIONS)
    if severity not in (1, 2, 3, 4, 5):
        raise InputError("a severity of 1, 2, 3, 4 or 5", got=f"{severity:g}")
    values = np.asarray(picture, dtype=np.float64)
    values = np.stack([values] * 3, axis=-1) if values.ndim == 2 else values
    if values.ndim != 3 or values.shape[2] != 3 or min(values.shape[:2]) < _LEAST_SIZE:
        raise InputError(f"a picture of {_LEAST_SIZE} pixels or more a side", got=f"shape {values.shape}")
    library = _load_library()
    pixels = np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)
    own = {"seed": seed % 2**32} if name in _OWN_SEED else {}
    with _lock:
        before = np.random.get_state()
        np.random.seed(seed % 2**32)
        try:
            made = library.corrupt(pixels, severity=int(severity), corruption_name=name, **own)
        finally:
            np.random.set_state(before)
    return np.asarray(made, dtype=np.float32) / np.float32(255)


def _load_library() -> Any:
    try:
        import imagecorruptions
    except ModuleNotFoundError as error:
        raise MissingExtra("imagecorruptions-imaug", "corruptions", "common corruptions") from error
    except ImportError as error:  # OpenCV wants libGL, which a server may lack
        raise InputError(
            "OpenCV for common corruptions", got=str(error), hint="apt install libgl1, or opencv-python-headless"
        ) from error
    return imagecorruptions
