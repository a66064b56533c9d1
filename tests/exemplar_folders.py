"""Folders of units' stimuli as ``beholder units`` leaves them, with tiny files that name themselves: fast."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

from PIL import Image, PngImagePlugin


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
        (folder / name).write_bytes(make_file("/".join([*folder.parts[-4:], name])))


def make_file(text: str) -> bytes:
    """A picture or a sound, by the name's suffix, that says ``text`` and differs from those that say something else."""
    if text.endswith(".wav"):
        samples = zlib.compress(text.encode()).ljust(200, b"\0")
        head = struct.pack(
            "<4sI4s4sIHHIIHH", b"RIFF", 36 + len(samples), b"WAVE", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16
        )
        return head + struct.pack("<4sI", b"data", len(samples)) + samples
    picture, info, buffer = (
        Image.new("RGB", (2, 2), zlib.crc32(text.encode()) % 2**24),
        PngImagePlugin.PngInfo(),
        io.BytesIO(),
    )
    info.add_text("says", text)
    picture.save(buffer, Path(text).suffix[1:].upper() if text.endswith((".gif", ".webp")) else "PNG", pnginfo=info)
    return buffer.getvalue()


def read_words(path: Path) -> str:
    """What a picture of :func:`make_file` says."""
    with Image.open(path) as picture:
        picture.load()
        return picture.info["says"]
