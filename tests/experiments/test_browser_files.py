"""What browsers cannot decode is converted or refused when tasks are built, never met by a participant."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from beholder._core.errors import InputError
from beholder.experiments.build._browser_files import look_at_file, read_for_browser

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (12, 16, 3), dtype=np.uint8)
SOUND = (0.3 * np.sin(np.arange(4000) / 7)).astype(np.float64)


def ship(path: Path) -> tuple[str, bytes]:
    suffix = look_at_file(path).suffix
    return suffix, read_for_browser(path, suffix)


def decode(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize(
    ("name", "kind"), [("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.jpeg", "JPEG"), ("a.webp", "WEBP"), ("a.gif", "GIF")]
)
def test_what_browsers_show_goes_as_it_is(name: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / name
    Image.fromarray(PIXELS).save(path, kind)
    assert ship(path) == (path.suffix, path.read_bytes())


@pytest.mark.parametrize("kind", ["TIFF", "BMP", "PPM"])
def test_another_format_in_disguise_becomes_png(kind: str, tmp_path: Path) -> None:
    for name in ("a.jpg", "b.png"):
        Image.fromarray(PIXELS).save(tmp_path / name, kind)
        suffix, content = ship(tmp_path / name)
        assert suffix == ".png" and content.startswith(b"\x89PNG")
        assert np.array_equal(decode(content), PIXELS)


def test_a_picture_under_the_name_of_another_format_goes_under_its_own(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png", "JPEG")
    assert ship(tmp_path / "a.png") == (".jpg", (tmp_path / "a.png").read_bytes())


def test_jpeg_in_cmyk_becomes_png(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).convert("CMYK").save(tmp_path / "a.jpg", "JPEG")
    suffix, content = ship(tmp_path / "a.jpg")
    assert suffix == ".png" and decode(content).shape == PIXELS.shape


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_a_truncated_picture_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-800])
    with pytest.raises(InputError, match=name):
        ship(path)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    heic = struct.pack(">I4s4sI4s", 24, b"ftyp", b"heic", 0, b"mif1") + b"\0" * 400
    for name, content in (("a.jpg", heic), ("a.png", b""), ("a.webp", b"<html></html>"), ("a.heic", heic)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            ship(tmp_path / name)
    with pytest.raises(InputError, match="svg"):
        look_at_file(tmp_path / "a.svg")
    with pytest.raises(InputError, match="no file"):
        look_at_file(tmp_path / "gone.png")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.wav", {"format": "WAV", "subtype": "PCM_16"}),
        ("b.wav", {"format": "WAV", "subtype": "PCM_U8"}),
        ("c.wav", {"format": "WAVEX", "subtype": "PCM_16"}),
        ("a.flac", {"format": "FLAC", "subtype": "PCM_24"}),
    ],
)
def test_what_browsers_play_goes_as_it_is(name: str, options: Any, tmp_path: Path) -> None:
    path = tmp_path / name
    soundfile.write(path, SOUND, 16000, **options)
    assert ship(path) == (path.suffix, path.read_bytes())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sphere.wav", {"format": "NIST", "subtype": "PCM_16"}),
        ("24.wav", {"format": "WAV", "subtype": "PCM_24"}),
        ("float.wav", {"format": "WAV", "subtype": "FLOAT"}),
        ("double.wav", {"format": "WAV", "subtype": "DOUBLE"}),
        ("ulaw.wav", {"format": "WAV", "subtype": "ULAW"}),
        ("aiff.wav", {"format": "AIFF", "subtype": "PCM_16"}),
        ("a.ogg", {"format": "OGG", "subtype": "VORBIS"}),
    ],
)
def test_other_sounds_become_wav_of_16_bits(name: str, options: Any, tmp_path: Path) -> None:
    path = tmp_path / name
    stereo = np.stack([SOUND, -SOUND], axis=1)
    soundfile.write(path, stereo, 16000, **options)
    suffix, content = ship(path)
    assert suffix == ".wav"
    with soundfile.SoundFile(io.BytesIO(content)) as made:
        assert (made.format, made.subtype, made.samplerate, made.channels) == ("WAV", "PCM_16", 16000, 2)
        found = made.read()
    expected, _ = soundfile.read(path)
    assert np.abs(found - expected).max() <= 0.5 / 32768 + 1e-12
    assert ship(path) == (suffix, content)


def test_samples_beyond_full_scale_are_clipped_with_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.5, 1.5, -2.0, 1.0]), 8000, subtype="FLOAT")
    _, content = ship(tmp_path / "a.wav")
    samples, _ = soundfile.read(io.BytesIO(content), dtype="int16")
    assert samples.tolist() == [16384, 32767, -32768, 32767]
    assert "2 of 4 samples" in caplog.text


def test_a_sound_that_is_none_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 8000)
    soundfile.write(tmp_path / "cut.wav", SOUND, 8000)
    (tmp_path / "cut.wav").write_bytes((tmp_path / "cut.wav").read_bytes()[:-1000])
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan]), 8000, subtype="FLOAT")
    (tmp_path / "text.wav").write_text("hello")
    for name in ("empty.wav", "cut.wav", "nan.wav", "text.wav"):
        with pytest.raises(InputError, match=name):
            ship(tmp_path / name)
