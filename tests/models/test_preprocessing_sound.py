"""Front ends against the published feature extractors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from beholder._core.errors import InputError, StimulusError
from beholder.models import ArrayPreprocessing, SoundPreprocessing, read_preprocessing

transformers = pytest.importorskip("transformers")


def make_sound(n_samples: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(n_samples) / 16_000
    tone = 0.3 * np.sin(2 * np.pi * 440 * t) * np.exp(-3 * t) + 0.1 * np.sin(2 * np.pi * 2500 * t)
    return (tone + 0.05 * rng.standard_normal(n_samples)).astype(np.float32)


def test_standardized_as_wav2vec2():
    sound = make_sound(16_000)
    oracle = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)(sound, sampling_rate=16_000, return_tensors="pt")
    found = SoundPreprocessing(front_end="standardized").normalize(torch.from_numpy(sound)[None])
    assert torch.allclose(found, oracle["input_values"], atol=1e-5)


@pytest.mark.parametrize("n_mels", [80, 128])
def test_whisper_features(n_mels):
    oracle = transformers.WhisperFeatureExtractor(feature_size=n_mels)
    preprocessing = SoundPreprocessing(duration=30.0, front_end="whisper", n_mels=n_mels)
    sounds = [make_sound(16_000 * 3, 1), make_sound(16_000 * 31, 2)]
    expected = oracle(sounds, sampling_rate=16_000, return_tensors="pt")["input_features"]
    found = preprocessing.normalize(torch.from_numpy(np.stack([preprocessing.prepare(sound) for sound in sounds])))
    assert found.shape == expected.shape == (2, n_mels, 3000)
    assert torch.allclose(found, expected, atol=1e-3)
    assert (found - expected).abs().mean() < 1e-5


@pytest.mark.filterwarnings("ignore:At least one mel filter")
@pytest.mark.parametrize("n_samples", [16_000 * 2, 16_000 * 5 + 77, 16_000 * 12])
def test_ast_features(n_samples):
    oracle = transformers.ASTFeatureExtractor()
    from beholder.models.sources._transformers import TransformersSource

    preprocessing = TransformersSource().find("ast", None).preprocessing
    assert isinstance(preprocessing, SoundPreprocessing)
    sound = make_sound(n_samples)
    expected = oracle(sound, sampling_rate=16_000, return_tensors="pt")["input_values"]
    found = preprocessing.normalize(torch.from_numpy(preprocessing.prepare(sound))[None])
    assert found.shape == expected.shape == (1, 1024, 128)
    assert torch.allclose(found, expected, atol=2e-3)
    assert (found - expected).abs().mean() < 1e-4


@pytest.mark.parametrize("front_end", ["standardized", "whisper", "ast"])
def test_gradient_reaches_the_samples(front_end):
    preprocessing = SoundPreprocessing(front_end=front_end, n_mels=32, n_frames=20)
    x = torch.from_numpy(np.stack([make_sound(3200, 3), make_sound(3200, 4)])).double().requires_grad_()
    weights = torch.randn(preprocessing.normalize(x).shape, generator=torch.Generator().manual_seed(0)).double()
    (gradient,) = torch.autograd.grad((preprocessing.normalize(x) * weights).sum(), x)
    assert torch.isfinite(gradient).all() and (gradient != 0).float().mean() > 0.5
    step = torch.randn(x.shape, generator=torch.Generator().manual_seed(1)).double() * 1e-6
    with torch.no_grad():
        change = ((preprocessing.normalize(x + step) - preprocessing.normalize(x - step)) * weights).sum() / 2
    assert change.item() == pytest.approx((gradient * step).sum().item(), rel=1e-3)


def test_prepare_cuts_and_pads(tmp_path):
    from beholder.stimuli import save_sound

    sound = make_sound(16_000)
    for seconds, cut, expected in (
        (0.5, "start", sound[:8000]), (0.5, "center", sound[4000:12_000]), (1.5, "start", np.pad(sound, (0, 8000))),
    ):  # fmt: skip
        preprocessing = SoundPreprocessing(duration=seconds, cut=cut)
        assert preprocessing.input_shape == expected.shape
        assert np.array_equal(preprocessing.prepare(sound), expected)
    save_sound(tmp_path / "a.wav", sound, 8000)
    prepared = SoundPreprocessing().prepare(tmp_path / "a.wav")
    assert prepared.shape == (32_000,) and prepared.dtype == np.float32
    assert np.array_equal(prepared, SoundPreprocessing().prepare((sound, 8000)))
    with pytest.raises(StimulusError, match="one channel"):
        SoundPreprocessing().prepare(np.zeros((2, 100), np.float32))


def test_prepare_pads_on_both_sides_at_a_stated_rms():
    sound = make_sound(8000) + 0.2
    preprocessing = SoundPreprocessing(duration=1.0, pad="center", rms=0.1)
    prepared = preprocessing.prepare(sound).astype(np.float64)
    assert prepared.shape == (16_000,)
    assert np.abs(prepared[:4000]).max() == np.abs(prepared[12_000:]).max() == 0
    assert np.sqrt(np.mean(prepared**2)) == pytest.approx(0.1, rel=1e-6)
    assert abs(prepared.mean()) < 1e-7
    assert np.corrcoef(prepared[4000:12_000], sound)[0, 1] > 0.999999
    cut = SoundPreprocessing(duration=0.25, cut="center", rms=0.1).prepare(sound).astype(np.float64)
    assert np.sqrt(np.mean(cut**2)) == pytest.approx(0.1, rel=1e-6)
    assert np.corrcoef(cut, sound[2000:6000])[0, 1] > 0.999999
    silence = preprocessing.prepare(np.full(8000, 0.25, np.float32))
    assert silence.shape == (16_000,) and not silence.any()
    again = preprocessing.prepare(preprocessing.prepare(sound))
    assert np.allclose(again, preprocessing.prepare(sound), atol=1e-7)
    with pytest.raises(StimulusError, match="one channel"):
        preprocessing.prepare(np.zeros(0, np.float32))


def test_what_is_done_to_sounds_is_said_once(monkeypatch, caplog):
    monkeypatch.setattr("beholder._core.progress._told", set())
    preprocessing = SoundPreprocessing(duration=1.0, cut="center")
    with caplog.at_level("INFO", logger="beholder"):
        preprocessing.prepare(make_sound(16_000))
        assert not caplog.messages
        for n_samples in (8000, 12_000, 4000):
            preprocessing.prepare((make_sound(n_samples), 8000))
        preprocessing.prepare(make_sound(20_000))
        preprocessing.prepare(make_sound(24_000))
    assert caplog.messages == [
        "sounds at 8000 Hz are resampled to 16000 Hz",
        "sounds longer than 1 s are cut to their middle (the first has 1.50 s)",
        "sounds shorter than 1 s are padded with silence at the end (the first has 0.50 s)",
    ]


@pytest.mark.parametrize("front_end", ["cochleagram", "log_mel"])
def test_cochleagrams_as_a_front_end(front_end):
    preprocessing = SoundPreprocessing(rate=20_000, duration=0.1, front_end=front_end, rms=0.1)
    x = torch.from_numpy(np.stack([preprocessing.prepare(make_sound(2000, seed)) for seed in (1, 2)])).requires_grad_()
    found = preprocessing.normalize(x)
    assert found.shape == {"cochleagram": (2, 211, 10), "log_mel": (2, 256, 21)}[front_end]
    (gradient,) = torch.autograd.grad(found.sum(), x)
    assert torch.isfinite(gradient).all() and gradient.abs().max() > 0
    assert read_preprocessing(preprocessing.to_dict()) == preprocessing


def test_descriptions():
    preprocessing = SoundPreprocessing(duration=2.0, front_end="whisper")
    assert read_preprocessing(preprocessing.to_dict()) == preprocessing
    assert preprocessing.describe() == "2 s at 16000 Hz" and preprocessing.modality == "sound"
    assert SoundPreprocessing(20_000, 2.0, rms=0.1).describe() == "2 s at 20000 Hz, RMS 0.1"
    for fields in ({"front_end": "ear"}, {"cut": "end"}, {"pad": "start"}, {"rms": 0.0}, {"loud": 1}):
        with pytest.raises(InputError):
            read_preprocessing({"kind": "sound", **fields})
    with pytest.raises(InputError, match="pictures"):
        preprocessing.prepare_uint8(np.zeros(3))


def test_arrays_as_they_are(tmp_path):
    from PIL import Image

    plain = ArrayPreprocessing()
    x = np.random.default_rng(0).normal(size=(5, 7))
    assert np.array_equal(plain.prepare(x), x.astype(np.float32)) and plain.input_range is None
    assert torch.equal(plain.normalize(torch.ones(2)), torch.ones(2))
    Image.new("RGB", (6, 4), (255, 0, 51)).save(tmp_path / "a.png")
    picture = plain.prepare(tmp_path / "a.png")
    assert picture.shape == (3, 4, 6) and np.allclose(picture[:, 0, 0], (1, 0, 0.2))
    narrow = ArrayPreprocessing(shape=(5, 7), value_range=(0, 1))
    with pytest.raises(StimulusError, match="values in"):
        narrow.prepare(x)
    with pytest.raises(StimulusError, match="shape"):
        narrow.prepare(x.T)
    assert read_preprocessing(narrow.to_dict()).input_shape == (5, 7)
    doubled = ArrayPreprocessing(prepare_with=lambda a: np.asarray(a) * 2, normalize_with=torch.neg)
    assert np.allclose(doubled.prepare(x), 2 * x) and doubled.normalize(torch.ones(1)) == -1
    assert doubled.to_dict()["normalize_with"] == "neg" or "normalize_with" in doubled.to_dict()
    with pytest.raises(InputError, match="functions"):
        read_preprocessing(doubled.to_dict())
