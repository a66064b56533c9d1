"""What the golden runs look at: pictures, sounds and networks whose numbers are whole, so that every sum is exact."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

NETWORK = """
import numpy as np
import torch
from torch import nn

version = "1"
input_shape = (3, 16, 16)
input_range = (0, 1)
classes = ["circle", "square"]


def build():
    numbers = np.random.default_rng({seed})
    net = nn.Sequential()
    net.add_module("conv", nn.Conv2d(3, 4, 4, 4))
    net.add_module("relu", nn.ReLU())
    net.add_module("pool", nn.AvgPool2d(2))
    net.add_module("flat", nn.Flatten())
    net.add_module("head", nn.Linear(16, 2))
    with torch.no_grad():
        for tensor in net.parameters():
            tensor.copy_(torch.from_numpy(numbers.integers(-3, 4, tuple(tensor.shape)).astype(np.float32)))
    return net
"""
SOUND_NETWORK = """
import numpy as np
import torch
from torch import nn

from beholder.models import SoundPreprocessing

version = "1"
preprocessing = SoundPreprocessing(rate=8000, duration=0.04, rms=None)
classes = ["ba", "da"]


def build():
    numbers = np.random.default_rng(5)
    net = nn.Sequential()
    net.add_module("frames", nn.Unflatten(1, (20, 16)))
    net.add_module("band", nn.Linear(16, 4))
    net.add_module("relu", nn.ReLU())
    net.add_module("flat", nn.Flatten())
    net.add_module("head", nn.Linear(80, 2))
    with torch.no_grad():
        for tensor in net.parameters():
            tensor.copy_(torch.from_numpy(numbers.integers(-3, 4, tuple(tensor.shape)).astype(np.float32)))
    return net
"""
CLASSES = ("circle", "square")


def write_picture(path: Path, pixels: np.ndarray) -> None:
    """A PNG without compression, so that no library decides its bytes."""
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 0)), (b"IEND", b""))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in chunks
        )
    )


def draw_pictures(folder: Path, n: int, *, seed: int = 1, first: int = 0) -> None:
    """Pictures of two classes whose pixels are 0 or 255 in each channel."""
    generator = np.random.default_rng(seed)
    for i in range(first, first + n):
        pixels = (generator.integers(0, 2, (16, 16, 3)) * 255).astype(np.uint8)
        write_picture(folder / CLASSES[i % 2] / f"{CLASSES[i % 2]}_{i:02d}.png", pixels)


def write_sound(path: Path, samples: np.ndarray) -> None:
    """A WAV file of 16 bits and 8 kHz."""
    data = samples.astype("<i2").tobytes()
    kind = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
    head = struct.pack("<4sI4s", b"RIFF", 36 + len(data), b"WAVE")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head + kind + struct.pack("<4sI", b"data", len(data)) + data)


def write_sounds(folder: Path, n: int) -> None:
    """Short sounds of two classes."""
    generator = np.random.default_rng(7)
    for i in range(n):
        name = ("ba", "da")[i % 2]
        write_sound(folder / name / f"{name}_{i}.wav", generator.integers(-8, 9, 320) * 1024)


def write_unit_stimuli(folder: Path, n_units: int = 3, n_batches: int = 3) -> None:
    """``stimuli/{model}`` as the units' commands leave it, of pictures of 4 pixels."""
    counter = iter(range(10**6))

    def write(path: Path) -> None:
        number = next(counter)
        write_picture(path, np.array([number % 251, number // 251, 7] * 4, np.uint8).reshape(2, 2, 3))

    for i in range(n_units):
        unit = folder / f"features.{i % 2}" / f"channel_{i}"
        for batch in range(n_batches):
            for sign in ("min", "max"):
                for k in range(10):
                    write(unit / "natural_images" / f"batch_{batch}" / f"{sign}_{k}.png")
            for name in ("base", "min", "max"):
                write(unit / "counterfactual_images" / f"batch_{batch}" / f"{name}.png")
        for sign in ("min", "max"):
            for k in range(10):
                write(unit / "optimized_images" / f"{sign}_{k}.png")


def write_words(folder: Path) -> None:
    """Sounds whose folders are named after words of the list."""
    for k, word in enumerate(("young", "ability", "about", "above")):
        write_sound(folder / word / f"{word}.wav", np.arange(64) * (k + 1) % 50 * 100)


def write_graded(folder: Path) -> None:
    """A table of pictures of two classes at two levels."""
    rows = ["file,label,source,manipulation,level"]
    for i in range(4):
        for level in (0.25, 1.0):
            name = f"{CLASSES[i % 2]}_{i}_{level}.png"
            write_picture(folder / name, np.full((2, 2, 3), int(50 * i + 40 * level), np.uint8))
            rows.append(f"{name},{CLASSES[i % 2]},{CLASSES[i % 2]}_{i},contrast,{level}")
    (folder / "graded.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def write_inputs(folder: Path) -> None:
    """Everything that the runs are shown, below one folder."""
    draw_pictures(folder / "images", 8)
    draw_pictures(folder / "more", 4, seed=4, first=20)
    draw_pictures(folder / "natural", 40, seed=2)
    draw_pictures(folder / "shown", 2, seed=3)
    write_sounds(folder / "sounds", 4)
    (folder / "net.py").write_text(NETWORK.format(seed=0), encoding="utf-8")
    (folder / "other.py").write_text(NETWORK.format(seed=9), encoding="utf-8")
    (folder / "ears.py").write_text(SOUND_NETWORK, encoding="utf-8")
    rows = [
        f"circle/circle_{i:02d}.png,{i % 2},{i / 4},{'dim' if i % 3 else ''}" if i % 2 == 0
        else f"square/square_{i:02d}.png,{i % 2},{i / 4},{'dim' if i % 3 else ''}"
        for i in range(8)
    ]  # fmt: skip
    (folder / "images" / "table.csv").write_text("\n".join(["file,target,contrast,note", *rows]) + "\n", "utf-8")
    units = [{"layer": "conv", "channel": 1}, {"layer": "conv", "channel": 3}]
    (folder / "units.json").write_text(_to_units("toy", units), encoding="utf-8")
    (folder / "one.json").write_text(_to_units("toy", units[:1]), encoding="utf-8")


def _to_units(model: str, units: list[dict[str, object]]) -> str:
    import json

    return json.dumps({"model": model, "seed": 42, "units": units}, indent=2) + "\n"


def register_networks() -> None:
    """Names for the networks in the working directory."""
    import beholder as bh
    from beholder.models import ImagePreprocessing

    for name, file in (("toy", "net.py"), ("other", "other.py"), ("ears", "ears.py")):
        bh.register_model(name, f"file:{file}", overwrite=True)
    resized = ImagePreprocessing(resize=16, crop=(16, 16), mean=(0, 0, 0), std=(1, 1, 1))
    bh.register_model("wide", "file:net.py", preprocessing=resized, overwrite=True)
