"""Folders of corrupted pictures as they are published: in each corruption a folder a severity, in it the classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from beholder.stimuli import COMMON_CORRUPTIONS, StimulusSet, join_sets

_EXTRA = ("speckle_noise", "gaussian_blur", "spatter", "saturate")
_GROUPS = ("noise", "blur", "weather", "digital", "extra")
_SEVERITIES = ("1", "2", "3", "4", "5")


def read_corrupted(folder: Path) -> StimulusSet | None:
    """Pictures in the layout of ImageNet-C, ``{corruption}/{severity}/{class}/``; None for another folder.

    Parameters
    ----------
    folder : path
        All of them, a corruption or a severity of one. The same picture may be in each: ids tell both, and the column
        ``original`` has its own.
    """
    found = _find_levels(folder.resolve())
    return join_sets([_read(place) for place in found]) if found else None


def _find_levels(folder: Path) -> list[Path]:
    """The folders of single severities, in their order; none where anything else is among them."""
    if folder.name in _SEVERITIES and folder.parent.name in (*COMMON_CORRUPTIONS, *_EXTRA):
        return [folder]
    if not folder.is_dir():
        return []
    inside = {path.name: path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")}
    order = _SEVERITIES if folder.name in (*COMMON_CORRUPTIONS, *_EXTRA) else (*COMMON_CORRUPTIONS, *_EXTRA, *_GROUPS)
    if not inside or not set(inside) <= set(order):
        return []
    each = [_find_levels(inside[name]) for name in order if name in inside]
    return [place for own in each for place in own] if all(each) else []


def _read(place: Path) -> StimulusSet:
    shown = StimulusSet.from_folder(place)
    corruption, severity = place.parent.name, place.name
    n = len(shown)
    return replace(
        shown, ids=tuple(f"{corruption}_{severity}__{each}" for each in shown.ids),
        conditions={**shown.conditions, "corruption": [corruption] * n, "severity": [int(severity)] * n,
                    "original": list(shown.ids)},
    )  # fmt: skip
