"""The cochleagram against a plain one, the published numbers, and the gradient of the definition."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from beholder._core.errors import InputError
from beholder.models import (
    Cochleagram,
    compute_cochleagram,
    list_sketch_frequencies,
    make_cochlear_filters,
    sketch_cochleagram,
)
from beholder.models.front_ends._cochleagram import compress
from beholder.models.front_ends._cochlear_filters import make_downsampling_window, to_erb, to_frequency

from .plain_cochleagram import make_cochleagram, make_gains, make_taps

SMALL = {"n_filters": 6, "low": 100.0, "high": 1900.0, "sample_factor": 2, "envelope_rate": 100, "n_taps": 161}
PLAIN = {"n": 6, "low": 100.0, "high": 1900.0, "s": 2, "factor": 40, "n_taps": 161}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Many small operations wait for one another on cores that are busy with something else."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def published():
    return Cochleagram()


def make_sounds(n_samples: int, n_sounds: int = 1, seed: int = 0) -> torch.Tensor:
    """Noise that comes and goes, with a rising tone, RMS about 0.1."""
    rng = np.random.default_rng(seed)
    t = np.arange(n_samples) / n_samples
    noise = rng.standard_normal((n_sounds, n_samples)) * np.sin(3 * np.pi * t) ** 2
    return torch.from_numpy(0.05 * noise + 0.1 * np.sin(2 * np.pi * (300 * t + 1500 * t**2)))


def test_filters_and_window_are_the_plain_ones():
    gains, centers = make_gains(4000, 20_000, 50, 50.0, 10_000.0, 4)
    filters = make_cochlear_filters(4000)
    np.testing.assert_allclose(filters.transfer, gains, atol=1e-6)
    np.testing.assert_allclose(filters.centers, centers, rtol=1e-9)
    np.testing.assert_allclose(make_downsampling_window(100), make_taps(100, 1001), atol=1e-15)
    centred = make_downsampling_window(100, window="sinc-centered")
    np.testing.assert_allclose(centred, make_taps(100, 1001, shift=0.0), atol=1e-15)
    np.testing.assert_array_equal(centred, centred[::-1])
    assert make_downsampling_window(100, 9, "hann").sum() == pytest.approx(1)
    np.testing.assert_allclose(to_frequency(to_erb(np.array([0.0, 50, 9999]))), [0, 50, 9999], atol=1e-9)


def test_the_published_numbers(published):
    filters = make_cochlear_filters()
    assert filters.transfer.shape == (211, 20_001)
    assert [round(filters.centers[i], 3) for i in (3, 4, 87, 207)] == [50.0, 54.968, 1000.161, 10_000.0]
    np.testing.assert_allclose((filters.transfer**2).sum(axis=0), 1, atol=1e-12)
    assert filters.transfer[4:207].max() == pytest.approx(0.5, abs=1e-4)
    assert published.output_shape == (211, 390)
    silence = published(torch.zeros(40_000))
    assert silence.shape == (211, 390)
    assert silence.min().item() == pytest.approx(0.00490, abs=5e-6)
    assert silence.max().item() == pytest.approx(0.00490, abs=5e-6)
    assert make_downsampling_window(100).sum() == pytest.approx(1.00094, abs=5e-6)


@pytest.mark.parametrize("frequency", [55.0, 1000.0, 6000.0])
def test_a_tone_gives_half_its_amplitude_times_the_gain(published, frequency):
    t = torch.arange(40_000, dtype=torch.float64) / 20_000
    tone = (0.2 * torch.sin(2 * torch.pi * frequency * t)).float()
    gains = make_cochlear_filters().transfer[:, round(frequency * 2)]
    expected = np.maximum(0.2 * gains / 2, 1e-8) * make_downsampling_window(100).sum()
    found = published.compute_envelopes(tone).numpy()
    np.testing.assert_allclose(found, np.repeat(expected[:, None], 390, axis=1), atol=2e-6)


def test_against_the_plain_one_at_full_size(published):
    sound = make_sounds(40_000)[0]
    expected = make_cochleagram(sound.numpy(), 20_000)
    double = compute_cochleagram(sound)
    np.testing.assert_allclose(double.numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(published(sound.float()).numpy(), expected, atol=2e-4)


@pytest.mark.parametrize("n_samples", [1000, 1001, 1037])
@pytest.mark.parametrize("envelope", ["hilbert", "rectified", "absolute"])
def test_against_the_plain_one_with_other_parameters(n_samples, envelope):
    sounds = make_sounds(n_samples, 3)
    found = compute_cochleagram(sounds, 4000, envelope=envelope, window="sinc-centered", **SMALL)
    expected = [make_cochleagram(sound, 4000, envelope=envelope, shift=0.0, **PLAIN) for sound in sounds.numpy()]
    np.testing.assert_allclose(found.numpy(), np.stack(expected), atol=1e-9)


def test_gradient_is_that_of_the_definition():
    """The same steps as ordinary differentiable operations, with the two rules about slopes written out."""
    sounds = make_sounds(1001, 2).requires_grad_()
    front_end = Cochleagram(1001, 4000, dtype=torch.float64, **SMALL)
    weights = torch.randn(2, *front_end.output_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    filters = make_cochlear_filters(1001, 4000, n_filters=6, low=100.0, high=1900.0, sample_factor=2)
    transfer = torch.from_numpy(filters.transfer.copy())
    bands = torch.fft.ifft(F.pad(torch.fft.rfft(sounds)[:, None] * transfer, (0, 500)))
    level = (bands.real**2 + bands.imag**2).clamp(min=1e-16).sqrt()
    taps = torch.from_numpy(make_downsampling_window(40, 161))
    frames = F.conv1d(level.reshape(-1, 1, 1001), taps[None, None], stride=40).view(2, 17, -1)
    (up_to_frames,) = torch.autograd.grad((frames * weights).sum(), sounds, retain_graph=True)
    (own,) = torch.autograd.grad((front_end.compute_envelopes(sounds) * weights).sum(), sounds)
    torch.testing.assert_close(own, up_to_frames, atol=1e-12, rtol=1e-9)
    slope = (0.3 * (frames.detach().clamp(min=0) + 1e-8) ** -0.7).clamp(max=5)
    (expected,) = torch.autograd.grad((frames * slope * weights).sum(), sounds)
    (found,) = torch.autograd.grad((front_end(sounds) * weights).sum(), sounds)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("envelope", ["hilbert", "rectified", "absolute"])
@pytest.mark.parametrize("n_samples", [600, 601])
def test_gradient_is_the_change(envelope, n_samples):
    sounds = make_sounds(n_samples, 2).requires_grad_()
    front_end = Cochleagram(n_samples, 4000, envelope=envelope, dtype=torch.float64, **SMALL)
    (gradient,) = torch.autograd.grad(front_end.compute_envelopes(sounds).sum(dim=(1, 2)).square().sum(), sounds)
    step = 1e-7 * torch.randn(sounds.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        up, down = (front_end.compute_envelopes(sounds + s * step).sum(dim=(1, 2)).square() for s in (1, -1))
    np.testing.assert_allclose((gradient * step).sum(dim=1), (up - down) / 2, rtol=1e-4)


def test_gradient_of_the_compression():
    x = torch.tensor([-0.5, 0.0, 0.001, 0.0179, 0.018, 0.5], dtype=torch.float64, requires_grad=True)
    y = compress(x)
    np.testing.assert_allclose(y.detach().numpy(), (np.maximum(x.detach().numpy(), 0) + 1e-8) ** 0.3)
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert slope[:4].tolist() == [5, 5, 5, 5]
    np.testing.assert_allclose(slope[4:].numpy(), 0.3 * np.array([0.018, 0.5]) ** -0.7, rtol=1e-6)
    assert 0.299 < y[3].item() < 0.3


def test_silence_and_silent_parts_have_finite_gradients(published):
    sounds = torch.zeros(2, 40_000)
    sounds[1, :8000] = make_sounds(8000)[0].float()
    sounds.requires_grad_()
    (gradient,) = torch.autograd.grad(published(sounds).square().sum(), sounds)
    assert torch.isfinite(gradient).all()
    assert gradient[0].abs().max() == 0
    assert gradient[1].abs().max() > 0


def test_what_is_fainter_than_the_least_envelope_lets_no_gradient_through():
    front_end = Cochleagram(1000, 4000, dtype=torch.float64, **SMALL)
    for scale, flows in ((1e-9, False), (1e-6, True)):
        sounds = (scale * make_sounds(1000)).requires_grad_()
        frames = front_end.compute_envelopes(sounds)
        (gradient,) = torch.autograd.grad(frames.sum(), sounds)
        assert bool(gradient.abs().max() > 0) is flows
        assert bool((frames > 1.1e-8).any()) is flows


def test_a_sound_alone_and_in_a_batch(published):
    sounds = make_sounds(40_000, 3).float()
    together = published.compute_envelopes(sounds)
    for i in range(3):
        assert torch.equal(published.compute_envelopes(sounds[i]), together[i])
    assert published(sounds[None]).shape == (1, 3, 211, 390)


def test_cores_that_share_the_work_change_nothing():
    sound = make_sounds(40_000)[0].requires_grad_()
    front_end = Cochleagram(dtype=torch.float64)
    found = []
    for n_threads in (1, 4):
        torch.set_num_threads(n_threads)
        frames = front_end.compute_envelopes(sound)
        found.append((front_end.layout.count_at_once(), frames, *torch.autograd.grad(frames.sum(), sound)))
    torch.set_num_threads(1)
    (few, *one), (many, *two) = found
    assert many > few
    for ours, theirs in zip(one, two, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=1e-9)


def test_half_a_sample(published):
    """The published window delays; the centred one does not: an envelope that mirrors itself tells."""
    t = torch.arange(40_000, dtype=torch.float64)
    click = torch.exp(-(((t - 19_500) / 200) ** 2)) * torch.cos(2 * torch.pi * 1000 * (t - 19_500) / 20_000)
    frames = {w: compute_cochleagram(click, window=w)[87] for w in ("sinc", "sinc-centered")}
    assert published.times[190] * 20_000 == 19_500
    mirrored = {w: (row[180:201] - row[180:201].flip(0)).abs().max().item() for w, row in frames.items()}
    assert mirrored["sinc-centered"] < 1e-6
    assert mirrored["sinc"] > 1e-3


def test_hann_pooling():
    sounds = make_sounds(1000)
    front_end = Cochleagram(1000, 4000, dtype=torch.float64, **{**SMALL, "n_taps": 81}, window="hann")
    found = front_end.compute_envelopes(sounds)
    assert found.shape == (1, 17, (1000 - 81) // 40 + 1)
    level = sounds[0].abs().mean()
    assert 0 < found.mean() < level


def test_nothing_in_the_state_dict_and_builds_without_memory(published):
    assert not published.state_dict()
    assert not list(published.parameters())
    with torch.device("meta"):
        empty = Cochleagram()
        assert empty(torch.zeros(3, 40_000)).shape == (3, 211, 390)
    assert "40000 samples at 20000 Hz -> 211×390" in repr(published)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"envelope": "peak"}, "hilbert"),
        ({"window": "box"}, "sinc-centered"),
        ({"envelope_rate": 300}, "divide 20000"),
        ({"high": 12_000.0}, "10000 Hz"),
        ({"low": 500.0, "high": 400.0}, "low < high"),
        ({"sample_factor": 3}, "even"),
        ({"n_samples": 1000}, "at least 1001 samples"),
        ({"n_filters": 0}, "1 filter"),
        ({"window": "hann", "n_taps": 2}, "three"),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        Cochleagram(**settings)


def test_sounds_of_another_kind_are_refused(published):
    with pytest.raises(InputError, match="40000 samples"):
        published(torch.zeros(1, 30_000))
    with pytest.raises(InputError, match="float"):
        published(torch.zeros(1, 40_000, dtype=torch.int32))
    with pytest.raises(InputError, match="tensor of sounds"):
        compute_cochleagram(torch.tensor(1.0))


@pytest.mark.parametrize("seconds", [0.05, 0.3])
@pytest.mark.parametrize("rate", [8_000, 11_025, 20_000])
def test_a_sketch_has_everything_where_its_axes_say(rate, seconds):
    """Frames divide the sound's length, short as it may be, and channels are where their frequencies are."""
    n = round(seconds * rate)
    times = (np.arange(n) + 0.5) / n
    for at in (0.02, 0.3, 0.5, 0.98):
        click = np.zeros(n, np.float32)
        click[int(at * n)] = 1
        found = sketch_cochleagram(click, rate).sum(0)
        frame = seconds / len(found)
        assert frame < 0.015
        assert (found.argmax() + 0.5) * frame == pytest.approx(at * seconds, abs=0.6 * frame)
    for hertz in (500.0, 2000.0):
        tone = np.sin(2 * np.pi * hertz * times * seconds).astype(np.float32)
        loudest = sketch_cochleagram(tone, rate).mean(1).argmax()
        assert list_sketch_frequencies(rate)[loudest] == pytest.approx(hertz, rel=0.04)
