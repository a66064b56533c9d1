"""Networks of sounds on the command line: listed, looked at, extracted from, with what was done to the sounds said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import beholder as bh
from beholder.models import load_model
from beholder.stimuli import draw_syllables_set, load_sound, make_syllable, resample_sound, save_sound

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Many small operations wait for one another on cores that are busy with something else."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    draw_syllables_set(tmp_path / "sounds", 1)
    return tmp_path / "sounds"


def test_the_networks_are_listed_with_their_layers(beholder: Command) -> None:
    code, out, _ = beholder("models", "audio:")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["cochcnn9", "cochresnet50", "spectemp"]
    code, out, _ = beholder("models", "cochresnet50*waveform", "--json")
    assert code == 0
    assert len(json.loads(out)["models"]) == 5
    for name, shape in (("audio:spectemp", "111×211×390"), ("CochResNet50", "2048×7×13"), ("kell2018", "512×5×9")):
        code, out, _ = beholder("layers", name)
        assert code == 0
        assert shape in out


def test_extract_from_the_bundled_network(sounds: Path, tmp_path: Path, beholder: Command) -> None:
    layers = ["cochleagram", "block3", "classifier"]
    code, _, err = beholder(
        "extract", "--model_name", "beholder:syllables", "--module_name", *layers, "--in_path", sounds,
        "--out_path", tmp_path / "out",
    )  # fmt: skip
    assert code == 0, err
    acts = bh.open(tmp_path / "out" / "syllables.zarr")
    assert acts["cochleagram"].shape == (16, 65, 94)
    assert acts["block3"].shape == (16, 128, 16, 23)
    named = acts["classifier"].to_numpy().reshape(16, 16).argmax(axis=1)
    assert (named == np.arange(16)).mean() > 0.9


def test_other_rates_and_lengths_are_adapted_and_said(
    tmp_path: Path, beholder: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("beholder._core.progress._told", set())
    whole = make_syllable("sha", 5)
    save_sound(tmp_path / "in" / "sha.wav", resample_sound(whole, 16_000, 20_000)[:15_000], 20_000)
    save_sound(tmp_path / "in" / "long.wav", np.concatenate([np.zeros(8000), whole, np.zeros(8000)]), 16_000, rms=0.02)
    command = ["extract", "--model_name", "beholder:syllables", "--module_name", "classifier"]
    code, _, err = beholder(*command, "--in_path", tmp_path / "in", "--out_path", tmp_path / "out")
    assert code == 0, err
    assert "sounds at 20000 Hz are resampled to 16000 Hz" in err
    assert "sounds shorter than 1 s are padded with silence on both sides" in err
    assert "sounds longer than 1 s are cut to their middle" in err
    values = bh.open(tmp_path / "out" / "syllables.zarr")["classifier"].to_numpy().reshape(2, 16)
    net = load_model("beholder:syllables", device="cpu")
    np.testing.assert_allclose(net.prepare(tmp_path / "in" / "long.wav"), whole, atol=1e-6)
    assert net.classes is not None
    assert [net.classes[i] for i in values.argmax(axis=1)] == ["sha", "sha"]


def test_spoken_digits_through_a_published_architecture(shared_data: Path, tmp_path: Path, beholder: Command) -> None:
    for name in ("0_george_0", "7_lucas_3"):
        (tmp_path / "digits").mkdir(exist_ok=True)
        (tmp_path / "digits" / f"{name}.wav").symlink_to(shared_data / "spoken_digits" / f"{name}.wav")
    code, _, err = beholder(
        "extract", "--model_name", "audio:cochresnet50@random", "--module_name", "input_after_preproc", "conv1_relu1",
        "final", "--pool", "mean", "--in_path", tmp_path / "digits", "--out_path", tmp_path / "out",
    )  # fmt: skip
    assert code == 0, err
    acts = bh.open(tmp_path / "out" / "cochresnet50--random.mean.zarr")
    assert acts["input_after_preproc"].shape == (2, 211)
    assert acts["conv1_relu1"].shape == (2, 64)
    assert acts["final"].shape == (2, 794)
    sound, rate = load_sound(tmp_path / "digits" / "0_george_0.wav")
    assert rate == 8000 and len(sound) < 8000
