import numpy as np
import pytest

from beholder._core.errors import InputError, UnknownNameError
from beholder.stimuli import (
    add_noise_at_snr,
    add_pink_noise,
    add_uniform_noise,
    blur_picture,
    scramble_phase,
    set_contrast,
)


@pytest.fixture
def photo(picture):
    """A picture in the middle of the range, so that little is clipped: (32, 45, 3), float."""
    return 0.5 + (np.asarray(picture(3, (45, 32))) / 255 - 0.5) * 0.5


def test_contrast_is_lowered_around_mid_grey(photo):
    low = set_contrast(photo, 0.3)
    assert low.dtype == np.float32
    assert np.allclose(low - 0.5, 0.3 * (photo - 0.5), atol=1e-6)
    assert np.allclose(set_contrast(photo, 1), photo, atol=1e-6)
    assert (set_contrast(photo, 0) == 0.5).all()


def test_uniform_noise_is_grey_uniform_and_seeded():
    grey = np.full((200, 100, 3), 0.5)
    noise = add_uniform_noise(grey, 0.35, seed=1).astype(np.float64) - 0.5
    assert (noise == noise[..., :1]).all()
    values = noise[..., 0].ravel()
    assert np.abs(values).max() <= 0.35 + 1e-6
    from scipy import stats

    assert stats.kstest(values, stats.uniform(-0.35, 0.7).cdf).pvalue > 0.01
    assert np.array_equal(add_uniform_noise(grey, 0.35, seed=1), add_uniform_noise(grey, 0.35, seed=1))
    assert not np.array_equal(add_uniform_noise(grey, 0.35, seed=1), add_uniform_noise(grey, 0.35, seed=2))
    assert add_uniform_noise(grey, 2.0).min() == 0
    assert add_uniform_noise(grey, 2.0).max() == 1


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_pink_noise_has_the_rms_and_the_slope_asked_for(exponent):
    grey = np.full((256, 256), 0.5)
    noise = add_pink_noise(grey, 0.02, exponent=exponent).astype(np.float64) - 0.5
    assert np.sqrt(np.mean(noise**2)) == pytest.approx(0.02, rel=1e-3)
    amplitude = np.abs(np.fft.fft2(noise))
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    inside = (f > 0.02) & (f < 0.4)
    slope = np.polyfit(np.log(f[inside]), np.log(amplitude[inside]), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.05)


def test_blur_is_the_gaussian_of_its_formula():
    point = np.zeros((41, 41))
    point[20, 20] = 1
    blurred = blur_picture(point, 2.0)
    y, x = np.mgrid[-20:21, -20:21]
    g = np.exp(-(x**2 + y**2) / (2 * 2.0**2)) * ((abs(x) <= 8) & (abs(y) <= 8))
    assert np.allclose(blurred, g / g.sum(), atol=1e-7)
    assert np.allclose(blur_picture(point, 0.05, pixels_per_degree=40), blurred)
    flat = np.full((9, 12, 3), [0.2, 0.5, 0.9])
    assert np.allclose(blur_picture(flat, 5), flat, atol=1e-6)
    assert np.allclose(blur_picture(flat, 0), flat)


@pytest.mark.parametrize("size", [(32, 46), (31, 45), (32, 45)])
def test_phase_scrambling_keeps_amplitudes_and_bounds_the_angles(picture, size):
    photo = 0.5 + (np.asarray(picture(3, size[::-1])) / 255 - 0.5) * 0.1
    before = np.fft.fft2(photo, axes=(0, 1))
    after = np.fft.fft2(scramble_phase(photo, 60, seed=3).astype(np.float64), axes=(0, 1))
    assert np.allclose(np.abs(after), np.abs(before), atol=2e-4)
    strong = np.abs(before).min(axis=2) > 0.05
    shift = np.rad2deg(np.angle(after / before))[strong]
    assert np.abs(shift).max() <= 60.5
    assert np.abs(shift).max() > 45
    assert np.abs(shift - shift[:, :1]).max() < 0.5  # the colours move together
    assert np.allclose(after[0, 0], before[0, 0], atol=1e-3)
    assert np.allclose(scramble_phase(photo, 0), photo)


@pytest.mark.parametrize("spectrum", ["white", "pink", "matched"])
@pytest.mark.parametrize("n", [4000, 4001])
def test_noise_is_at_its_ratio_and_the_level_stays(spectrum, n):
    t = np.arange(n)
    sound = 0.3 * np.sin(t / 9) * (1 + np.cos(t / 400))
    mixture = add_noise_at_snr(sound, 6.0, spectrum=spectrum, seed=2).astype(np.float64)
    clean = sound - sound.mean()
    assert np.sqrt(np.mean(mixture**2)) == pytest.approx(clean.std(), rel=1e-5)
    alone = add_noise_at_snr(sound, -np.inf, spectrum=spectrum, seed=2).astype(np.float64)
    gain = np.linalg.lstsq(np.stack([clean, alone], axis=1), mixture, rcond=None)[0]
    ratio = 10 * np.log10((gain[0] * clean).var() / (gain[1] * alone).var())
    assert ratio == pytest.approx(6.0, abs=1e-3)
    assert np.allclose(add_noise_at_snr(sound, np.inf), clean, atol=1e-6)


def test_noise_under_sounds_has_its_spectrum():
    rng = np.random.default_rng(0)
    sound = np.convolve(rng.standard_normal(2**15), np.ones(20) / 20, "same")

    def slope(values):
        power = np.abs(np.fft.rfft(values)) ** 2
        f = np.fft.rfftfreq(len(values))
        inside = (f > 0.001) & (f < 0.4)
        return np.polyfit(np.log(f[inside]), np.log(power[inside]), 1)[0]

    assert slope(add_noise_at_snr(sound, -np.inf, spectrum="white")) == pytest.approx(0, abs=0.05)
    assert slope(add_noise_at_snr(sound, -np.inf, spectrum="pink")) == pytest.approx(-1, abs=0.05)
    matched = add_noise_at_snr(sound, -np.inf, spectrum="matched")
    own = np.abs(np.fft.rfft(sound - sound.mean()))
    assert np.allclose(np.abs(np.fft.rfft(matched))[1:-1], own[1:-1], rtol=1e-3, atol=1e-3 * own.max())
    assert abs(np.corrcoef(matched, sound)[0, 1]) < 0.2


def test_what_is_out_of_range_is_refused(photo):
    for wrong in (
        lambda: set_contrast(photo, 1.2),
        lambda: set_contrast(photo, float("nan")),
        lambda: add_uniform_noise(photo, -0.1),
        lambda: add_pink_noise(photo, float("inf")),
        lambda: blur_picture(photo, -1),
        lambda: blur_picture(photo, 1, pixels_per_degree=0),
        lambda: scramble_phase(photo, 181),
        lambda: set_contrast((photo * 255).astype(np.uint8), 0.5),
        lambda: set_contrast(photo * 3, 0.5),
        lambda: add_uniform_noise(photo.T, 0.1),
        lambda: add_noise_at_snr(np.zeros(10), 3),
        lambda: add_noise_at_snr(photo, 3),
    ):
        with pytest.raises(InputError, match="expected"):
            wrong()
    with pytest.raises(UnknownNameError, match="pink"):
        add_noise_at_snr(photo[:, 0, 0], 3, spectrum="pinc")  # pyright: ignore[reportArgumentType]
