"""What is written of a made stimulus, and what is read again."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile
from torch import nn

import beholder as bh
from beholder.synthesis.engine._stimulus_format import StimulusFormat, compute_opacity, encode_png

GENERATOR = np.random.default_rng(0)


def test_kinds_of_files() -> None:
    def choose(shape: tuple[int, ...], **options: object) -> str:
        return StimulusFormat.of_model(bh.wrap(nn.Identity(), **options), shape).suffix  # type: ignore[arg-type]

    assert choose((3, 8, 8), input_range=(0.0, 1.0)) == ".png"
    assert choose((1, 8, 8), input_range=(-1.0, 1.0)) == ".png"
    assert choose((3, 8, 8)) == ".npy"
    assert choose((4, 8, 8), input_range=(0.0, 1.0)) == ".npy"
    assert choose((400,), sample_rate=8000) == ".wav"
    assert choose((400,)) == ".npy"


@pytest.mark.parametrize("value_range", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_come_back_rounded(value_range: tuple[float, float], channels: int, tmp_path: Path) -> None:
    low, high = value_range
    form = StimulusFormat(".png", low, high)
    image = (low + (high - low) * GENERATOR.random((channels, 6, 5))).astype(np.float32)
    (tmp_path / "x.png").write_bytes(form.encode(image))
    with Image.open(tmp_path / "x.png") as file:
        pixels = np.asarray(file)
    assert pixels.shape == ((6, 5) if channels == 1 else (6, 5, 3))
    back = form.decode(tmp_path / "x.png")
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, form.round(image))
    np.testing.assert_allclose(back, image, atol=(high - low) / 510 * 1.001)


def test_pictures_are_what_prepare_gives(tmp_path: Path) -> None:
    from beholder.models import read_preprocessing

    form = StimulusFormat(".png")
    image = GENERATOR.random((3, 32, 32)).astype(np.float32)
    (tmp_path / "x.png").write_bytes(form.encode(image))
    prepared = read_preprocessing({"kind": "image", "resize": 32, "crop": 32}).prepare(tmp_path / "x.png")
    np.testing.assert_array_equal(prepared, form.round(image))


def test_sounds_and_arrays_come_back_as_they_are(tmp_path: Path) -> None:
    sound = (3 * GENERATOR.standard_normal(100)).astype(np.float32)
    form = StimulusFormat(".wav", sample_rate=8000)
    (tmp_path / "x.wav").write_bytes(form.encode(sound))
    assert wavfile.read(tmp_path / "x.wav")[0] == 8000
    np.testing.assert_array_equal(form.decode(tmp_path / "x.wav"), sound)
    form = StimulusFormat(".npy")
    (tmp_path / "x.npy").write_bytes(form.encode(sound.reshape(4, 25)))
    np.testing.assert_array_equal(form.decode(tmp_path / "x.npy"), sound.reshape(4, 25))
    with pytest.raises(bh.InputError, match="made stimulus"):
        StimulusFormat(".png").decode(tmp_path / "x.wav")


def test_opacity() -> None:
    size = np.arange(100, dtype=np.float64).reshape(10, 10)
    opacity = compute_opacity(np.stack([size, size]))
    assert opacity.max() == 1
    assert opacity[0, 0] == 0
    assert (opacity == 1).sum() == 20
    np.testing.assert_allclose(opacity[2, 0], 20 / np.percentile(size, 80))
    assert (compute_opacity(np.zeros((3, 4, 4))) == 1).all()
    assert Image.open(io.BytesIO(encode_png(np.uint8(opacity * 255)))).mode == "L"  # pyright: ignore[reportArgumentType]
