"""Every kind of preprocessing, and reading one from a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beholder._core.errors import InputError, suggest_keywords
from beholder.models.preprocessing._array import ArrayPreprocessing
from beholder.models.preprocessing._base import PREPROCESSINGS, Preprocessing
from beholder.models.preprocessing._extended import ExtendedPreprocessing
from beholder.models.preprocessing._grey import GreyPreprocessing
from beholder.models.preprocessing._image import (
    CLIP_MEAN,
    CLIP_STD,
    IMAGENET_MEAN,
    IMAGENET_STD,
    NAMED_IMAGE_PREPROCESSING,
    ImagePreprocessing,
)
from beholder.models.preprocessing._published import from_open_clip, from_timm, from_torchvision
from beholder.models.preprocessing._sound import SoundPreprocessing

__all__ = [
    "CLIP_MEAN",
    "CLIP_STD",
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "NAMED_IMAGE_PREPROCESSING",
    "ArrayPreprocessing",
    "ExtendedPreprocessing",
    "GreyPreprocessing",
    "ImagePreprocessing",
    "Preprocessing",
    "SoundPreprocessing",
    "from_open_clip",
    "from_timm",
    "from_torchvision",
    "read_preprocessing",
]


@suggest_keywords
def read_preprocessing(description: str | Mapping[str, Any]) -> Preprocessing:
    """Read a preprocessing from what :meth:`Preprocessing.to_dict` gave, or from a panel file.

    Parameters
    ----------
    description : str or mapping
        ``"imagenet"`` (256/224 bilinear), ``"imagenet-232"``, ``"clip"`` (224/224 bicubic), ``"slip"`` (224/224
        bilinear), or a table with the
        fields of a preprocessing; ``kind`` is ``"image"`` (the default), or another of :data:`PREPROCESSINGS`, and
        ``base`` may name one of these words to start from.

    Examples
    --------
    >>> read_preprocessing({"base": "imagenet", "resize": 232}).resize
    232
    """
    table: dict[str, Any] = {"base": description.strip()} if isinstance(description, str) else dict(description)
    kind = table.pop("kind", "image")
    if kind not in PREPROCESSINGS:
        raise InputError(f"a kind of preprocessing: {', '.join(PREPROCESSINGS)}", got=repr(kind))
    base = table.pop("base", None)
    if isinstance(base, Mapping):
        table["base"] = read_preprocessing(base)
    elif base is not None:
        if kind != "image" or base not in NAMED_IMAGE_PREPROCESSING:
            raise InputError(f"a named preprocessing: {', '.join(NAMED_IMAGE_PREPROCESSING)}", got=repr(base))
        table = {**NAMED_IMAGE_PREPROCESSING[base].to_dict(), **table}
        table.pop("kind")
    return PREPROCESSINGS[kind].from_dict(table)
