"""Folders of units' stimuli as ``beholder units`` leaves them, with files that only name themselves: fast."""

from __future__ import annotations

from pathlib import Path


def write_units(
    folder: Path, n_units: int, n_batches: int, *, optimized=0, counterfactual=False, files=True, suffix=".png"
):
    """``{layer}/channel_{c}``, three layers in turn; ``files=False`` leaves the folders empty."""
    for i in range(n_units):
        unit = folder / f"features.{(0, 3, 12)[i % 3]}" / f"channel_{i}"
        for batch in range(n_batches):
            write_signs(unit / "natural_images" / f"batch_{batch}", 10 if files else 0, suffix)
            if counterfactual:
                place = unit / "counterfactual_images" / f"batch_{batch}"
                write_files(place, [f"{name}{suffix}" for name in ("base", "min", "max")])
        if optimized:
            write_signs(unit / "optimized_images", optimized, suffix)
    return folder


def write_easy_units(folder: Path, n_units: int):
    """Units for catch trials as they come with the released code: no batches."""
    for i in range(n_units):
        for images in ("natural_images", "optimized_images"):
            write_signs(folder / f"unit_{i}" / images, 10, ".png")
    return folder


def write_signs(folder: Path, n: int, suffix: str):
    write_files(folder, [f"{sign}_{k}{suffix}" for sign in ("min", "max") for k in range(n)])


def write_files(folder: Path, names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("/".join([*folder.parts[-4:], name]))
