"""The log-mel spectrogram against one written out in plain numpy."""

import math

import numpy as np
import pytest
import torch

from beholder._core.errors import InputError
from beholder.models import LogMel, compute_log_mel


def make_plain(sound: np.ndarray, rate: int, n_mels: int, n_window: int, hop: int, low: float, high: float):
    """Frame by frame: mirror, window, transform, sum under triangles, take the logarithm."""
    reach = n_window // 2
    mirrored = np.concatenate([sound[reach:0:-1], sound, sound[-2 : -reach - 2 : -1]])
    corners = []
    for i in range(n_mels + 2):
        low_mel, high_mel = (2595 * math.log10(1 + f / 700) for f in (low, high))
        corners.append(700 * (10 ** ((low_mel + (high_mel - low_mel) * i / (n_mels + 1)) / 2595) - 1))
    window = np.array([math.sin(math.pi * n / n_window) ** 2 for n in range(n_window)])
    frames = []
    for start in range(0, len(mirrored) - n_window + 1, hop):
        power = np.abs(np.fft.rfft(mirrored[start : start + n_window] * window)) ** 2
        row = []
        for i in range(n_mels):
            left, middle, right = corners[i : i + 3]
            total = 0.0
            for k, value in enumerate(power):
                f = k * rate / n_window
                if left < f <= middle:
                    total += value * (f - left) / (middle - left)
                elif middle < f < right:
                    total += value * (right - f) / (right - middle)
            row.append(math.log2(max(total, 1e-6)))
        frames.append(row)
    return np.array(frames).T


@pytest.fixture
def sounds() -> torch.Tensor:
    rng = np.random.default_rng(0)
    t = np.arange(1000) / 4000
    return torch.from_numpy(0.1 * np.sin(2 * np.pi * 700 * t) + 0.01 * rng.standard_normal((2, 1000)))


def test_against_the_plain_one(sounds):
    settings = {"n_mels": 20, "n_window": 120, "hop": 40, "low": 50.0, "high": 1900.0}
    found = compute_log_mel(sounds, 4000, **settings)
    expected = np.stack([make_plain(sound, 4000, *settings.values()) for sound in sounds.numpy()])
    assert found.shape == (2, 20, 26)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-9)


def test_published_size_and_silence():
    front_end = LogMel()
    found = front_end(torch.zeros(3, 40_000))
    assert found.shape == (3, 256, 401)
    assert found.min().item() == found.max().item() == pytest.approx(math.log2(1e-6), rel=1e-6)
    assert front_end(torch.zeros(40_000)).shape == (256, 401)
    assert not front_end.state_dict()
    with torch.device("meta"):
        assert LogMel()(torch.zeros(1, 40_000)).shape == (1, 256, 401)


def test_gradient_is_the_change(sounds):
    sounds.requires_grad_()
    weights = torch.randn(2, 256, 11, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad((compute_log_mel(sounds) * weights).sum(), sounds)
    step = 1e-7 * torch.randn(sounds.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        change = ((compute_log_mel(sounds + step) - compute_log_mel(sounds - step)) * weights).sum() / 2
    assert change.item() == pytest.approx((gradient * step).sum().item(), rel=1e-5)


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="8000 Hz"):
        LogMel(16_000)
    with pytest.raises(InputError, match="more than 600 samples"):
        compute_log_mel(torch.zeros(600))
    with pytest.raises(InputError, match="tensor"):
        compute_log_mel(np.zeros(4000))  # pyright: ignore[reportArgumentType]
