"""Preprocessing as torchvision, timm and open_clip describe it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from beholder.models.preprocessing._image import CLIP_MEAN, CLIP_STD, CROP_MODES, ImagePreprocessing


def from_torchvision(transforms: Any) -> ImagePreprocessing:
    """The preprocessing of ``weights.transforms()`` of a torchvision classifier (or segmentation network).

    Segmentation transforms only resize, so pictures of one batch would differ in shape; here the middle is cut.
    """
    if type(transforms).__name__ == "SemanticSegmentation":
        side = transforms.resize_size[0]
        crop, resize = (side, side), side
    else:
        sides = list(transforms.crop_size)
        crop = (sides[0], sides[-1])
        resize = transforms.resize_size[0] if len(transforms.resize_size) == 1 else tuple(transforms.resize_size)
    return ImagePreprocessing(
        resize=resize,
        crop=crop,
        crop_mode="center" if isinstance(resize, int) else "squash",
        interpolation=transforms.interpolation.value,
        mean=tuple(float(v) for v in transforms.mean),  # pyright: ignore[reportArgumentType]
        std=tuple(float(v) for v in transforms.std),  # pyright: ignore[reportArgumentType]
    )


def from_timm(config: Mapping[str, Any]) -> ImagePreprocessing:
    """The preprocessing of timm's ``resolve_data_config(...)``, as its evaluation transform applies it.

    Parameters
    ----------
    config : mapping
        ``input_size, interpolation, mean, std, crop_pct, crop_mode``.
    """
    height, width = (int(side) for side in config["input_size"][-2:])
    scaled = tuple(math.floor(side / (config.get("crop_pct") or 0.875)) for side in (height, width))
    mode = config.get("crop_mode") or "center"
    if mode not in CROP_MODES:
        mode = "center"
    resize: Any = scaled[0] if mode == "center" and scaled[0] == scaled[1] else scaled
    mean, std = tuple(config["mean"]), tuple(config["std"])
    return ImagePreprocessing(
        resize=resize,
        crop=(height, width),
        crop_mode=mode,
        interpolation=config.get("interpolation") or "bilinear",
        mean=mean,  # pyright: ignore[reportArgumentType]
        std=std,  # pyright: ignore[reportArgumentType]
        fill=tuple(round(255 * value) for value in mean) if mode == "border" else (0, 0, 0),  # pyright: ignore
    )


def from_open_clip(config: Mapping[str, Any]) -> ImagePreprocessing:
    """The preprocessing of an open_clip ``preprocess_cfg``: size, mean, std, interpolation, resize_mode, fill_color."""
    size = config.get("size", 224)
    height, width = (size, size) if isinstance(size, int) else (int(size[0]), int(size[-1]))
    mode = {"shortest": "center", "longest": "border", "squash": "squash"}[config.get("resize_mode") or "shortest"]
    fill = config.get("fill_color") or 0
    interpolation = config.get("interpolation") or "bicubic"
    return ImagePreprocessing(
        resize=height if mode == "center" and height == width else (height, width),
        crop=(height, width),
        crop_mode=mode,
        interpolation=interpolation if interpolation == "bilinear" else "bicubic",
        mean=tuple(config.get("mean") or CLIP_MEAN),  # pyright: ignore[reportArgumentType]
        std=tuple(config.get("std") or CLIP_STD),  # pyright: ignore[reportArgumentType]
        fill=(fill, fill, fill),
    )
