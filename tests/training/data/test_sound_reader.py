"""Sounds in background noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kstest
from torch import nn

from beholder._core.errors import InputError
from beholder.models import SoundPreprocessing, wrap
from beholder.stimuli import StimulusSet, save_sound
from beholder.training import DataSettings, open_training_data
from beholder.training.data._sound_reader import Background, SoundReader, mix_at_snr

RATE, N = 1000, 400


def make_preprocessing(rms: float | None = 0.1) -> SoundPreprocessing:
    return SoundPreprocessing(rate=RATE, duration=N / RATE, rms=rms)


@pytest.fixture
def noises(tmp_path: Path) -> StimulusSet:
    rng = np.random.default_rng(0)
    (tmp_path / "noises").mkdir()
    for i, n in enumerate((100, 400, 3000)):
        save_sound(tmp_path / "noises" / f"noise_{i}.wav", (i + 1) * 0.1 * rng.standard_normal(n), RATE)
    return StimulusSet.from_folder(tmp_path / "noises")


@pytest.mark.parametrize("snr", [-10.0, 0.0, 7.5])
def test_sound_and_noise_have_the_ratio_asked_for(snr: float) -> None:
    rng = np.random.default_rng(1)
    sound, noise, span = np.zeros(N, np.float32), rng.standard_normal(N).astype(np.float32), slice(100, 250)
    sound[span] = rng.standard_normal(150)
    added = mix_at_snr(sound, noise, snr, span) - sound
    measured = 10 * np.log10(np.mean(sound[span] ** 2) / np.mean(added**2))
    assert abs(measured - snr) < 1e-4


def test_the_ratio_is_uniform_and_the_level_is_set(noises: StimulusSet) -> None:
    background = Background(noises, RATE, (-10, 10))
    reader = SoundReader(make_preprocessing(), {"crop": 0.08}, background)
    drawn, levels = [], []
    t = np.arange(N) / RATE
    tone = np.sin(2 * np.pi * 50 * t).astype(np.float32)  # 20 whole periods
    for k in range(400):
        shown = reader.show(tone, 0, k)
        levels.append((float(np.sqrt(np.mean(shown**2))), float(shown.mean())))
        drawn.append(background.draw(N, np.random.default_rng(k))[1])
    assert np.allclose(levels, [0.1, 0.0], atol=1e-5)
    assert kstest(np.array(drawn) / 20 + 0.5, "uniform").pvalue > 0.01


def test_the_mixture_holds_the_sound_at_the_drawn_ratio(noises: StimulusSet) -> None:
    """A tone's power in the mixture, by its own frequency, is what SNR and level make it."""
    background = Background(noises[[2]], RATE, (3.0, 3.0))
    reader = SoundReader(make_preprocessing(), {}, background)
    tone = np.sin(2 * np.pi * 50 * np.arange(N) / RATE).astype(np.float32)
    ratios = []
    for k in range(200):
        spectrum = np.abs(np.fft.rfft(reader.show(tone, 0, k))) ** 2
        ratios.append(spectrum[20] / (spectrum[1:].sum() - spectrum[20]))
    assert abs(10 * np.log10(np.median(ratios)) - 3) < 0.2  # the noise has some power at the tone's frequency too


def test_backgrounds_of_every_length_fill_the_window(noises: StimulusSet) -> None:
    background = Background(noises, RATE, (0, 0))
    for k in range(30):
        part, _ = background.draw(N, np.random.default_rng(k))
        assert part.shape == (N,) and abs(part.mean()) < 1e-6 and part.std() > 0.05


def test_silence_is_no_background(tmp_path: Path, noises: StimulusSet) -> None:
    save_sound(tmp_path / "noises" / "noise_0.wav", np.zeros(500), RATE)
    save_sound(tmp_path / "noises" / "noise_1.wav", np.zeros(500), RATE)
    some = Background(StimulusSet.from_folder(tmp_path / "noises"), RATE, (0, 0))  # one of three is heard, and taken
    assert all(some.draw(N, np.random.default_rng(k))[0].std() > 0.05 for k in range(10))
    silent = Background(noises[[0, 1]], RATE, (0, 0))
    with pytest.raises(InputError, match="silence"):
        silent.draw(N, np.random.default_rng(0))


def test_windows_and_places_are_uniform() -> None:
    reader = SoundReader(make_preprocessing(None), {"crop": 0.08})
    short = np.ones(100, np.float32)
    starts = [int(np.flatnonzero(reader.show(short, 0, "short", k))[0]) for k in range(300)]
    long = np.arange(1000, dtype=np.float32)
    firsts = [float(reader.show(long, 0, "long", k)[0]) for k in range(300)]
    assert kstest((np.array(starts) + 0.5) / 301, "uniform").pvalue > 0.01
    assert kstest((np.array(firsts) + 0.5) / 601, "uniform").pvalue > 0.01


@pytest.mark.parametrize("pad", ["end", "center"])
@pytest.mark.parametrize("n", [100, 101, 400, 777])
def test_without_crop_sounds_are_as_prepare_gives_them(pad: str, n: int) -> None:
    preprocessing = SoundPreprocessing(rate=RATE, duration=N / RATE, rms=0.1, pad=pad, cut="center")
    sound = np.random.default_rng(n).standard_normal(n).astype(np.float32)
    assert np.allclose(SoundReader(preprocessing, {}).show(sound, 0, 1), preprocessing.prepare(sound), atol=1e-6)


def test_gain_is_in_decibels() -> None:
    reader = SoundReader(make_preprocessing(), {"gain": 6.0})
    sound = np.random.default_rng(0).standard_normal(N).astype(np.float32)
    levels = [20 * np.log10(np.sqrt(np.mean(reader.show(sound, 0, k) ** 2)) / 0.1) for k in range(300)]
    assert min(levels) >= -6 and max(levels) <= 6
    assert kstest((np.array(levels) + 6) / 12, "uniform").pvalue > 0.01


def test_the_fingerprint_knows_the_background(noises: StimulusSet, tmp_path: Path) -> None:
    assert noises.root is not None
    folder = tmp_path / "said"
    for name in ("ja", "no"):
        (folder / name).mkdir(parents=True)
        save_sound(folder / name / f"{name}.wav", np.ones(50), RATE)
    model = wrap(nn.Identity(), preprocess=make_preprocessing())

    def find(background: Path | None) -> str:
        return open_training_data(folder, model, DataSettings(background=background), held_out=0)[0].fingerprint

    first = find(noises.root)
    assert first != find(None)
    save_sound(noises.root / "noise_0.wav", np.ones(100), RATE)
    assert find(noises.root) != first
