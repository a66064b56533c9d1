"""One stimulus at graded levels: contrast, noise, blur and phase of a picture, noise under a sound."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, format_values, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator

NOISE_SPECTRA = ("white", "pink", "matched")
"""Spectra of noise under a sound: flat, falling by 3 dB an octave, or the sound's own."""


@suggest_keywords
def set_contrast(picture: np.ndarray, contrast: float) -> np.ndarray:
    r"""Lower a picture's contrast towards mid grey, :math:`0.5 + c \, (x - 0.5)`.

    Parameters
    ----------
    picture : numpy.ndarray
        (..., height, width) or (..., height, width, 3), float in [0, 1].
    contrast : float
        In [0, 1]; 1 leaves the picture as it is, 0 gives plain grey.

    Returns
    -------
    numpy.ndarray
        Of the same shape, float32 in [0, 1].

    Raises
    ------
    InputError
        A contrast outside [0, 1], or values that are no picture's.

    Notes
    -----
    Source: Geirhos et al. (2018), Generalisation in humans and deep neural networks, section 2.3, "contrast".

    >>> set_contrast(np.array([[0.0, 1.0]]), 0.5).tolist()
    [[0.25, 0.75]]
    """
    picture = _as_picture(picture)
    _check_level("a contrast", contrast, 0, 1)
    return (0.5 + contrast * (picture - 0.5)).astype(np.float32)


@suggest_keywords
def add_uniform_noise(picture: np.ndarray, width: float, *, seed: int = DEFAULT_SEED) -> np.ndarray:
    r"""Add to every pixel a number drawn uniformly from :math:`[-w, w]`, and clip to [0, 1].

    Parameters
    ----------
    picture : numpy.ndarray
        (height, width) or (height, width, 3), float in [0, 1]. The noise is grey: the same in all three colours.
    width : float
        Half the range of the noise, at least 0. The published experiment used 0 to 0.9 on pictures of 30 % contrast,
        of which wide noise clips less.
    seed : int
        Decides the noise.

    Returns
    -------
    numpy.ndarray
        Of the same shape, float32 in [0, 1].

    Raises
    ------
    InputError
        A negative width, or values that are no picture's.

    Notes
    -----
    Source: Geirhos et al. (2018), section 2.3, "additive uniform noise".

    >>> grey = np.full((8, 8), 0.5)
    >>> bool(np.abs(add_uniform_noise(grey, 0.1) - 0.5).max() <= 0.1)
    True
    """
    picture = _as_picture(picture)
    _check_level("a width of noise", width, 0, math.inf)
    noise = make_generator(seed, "graded", "uniform").uniform(-width, width, size=picture.shape[:2])
    return _clip(picture + _add_color_axis(noise, picture))


@suggest_keywords
def add_pink_noise(picture: np.ndarray, rms: float, *, exponent: float = 1.0, seed: int = DEFAULT_SEED) -> np.ndarray:
    r"""Add Gaussian noise whose amplitude falls as :math:`1 / f^{e}`, and clip to [0, 1].

    Parameters
    ----------
    picture : numpy.ndarray
        (height, width) or (height, width, 3), float in [0, 1], at least 2 × 2. The noise is grey.
    rms : float
        Root mean square of the noise before clipping, at least 0.
    exponent : float
        1 for 1/f noise, as natural pictures have it; 0 for white noise.
    seed : int
        Decides the noise.

    Returns
    -------
    numpy.ndarray
        Of the same shape, float32 in [0, 1].

    Raises
    ------
    InputError
        A negative RMS, or values that are no picture's.

    Notes
    -----
    Source: Field (1987), Relations between the statistics of natural images and the response properties of cortical
    cells, J. Opt. Soc. Am. A 4, for the spectrum.
    """
    picture = _as_picture(picture)
    _check_level("an RMS of noise", rms, 0, math.inf)
    height, width = picture.shape[:2]
    if height * width < 4:
        raise InputError("a picture of at least 2 x 2 pixels", got=f"{height} x {width}")
    white = make_generator(seed, "graded", "pink").standard_normal((height, width))
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    gain = np.zeros_like(f)
    gain[f > 0] = f[f > 0] ** -float(exponent)
    noise = np.fft.irfft2(np.fft.rfft2(white) * gain, s=(height, width))
    noise *= rms / math.sqrt(float(np.mean(noise**2)))
    return _clip(picture + _add_color_axis(noise, picture))


@suggest_keywords
def blur_picture(picture: np.ndarray, sigma: float, *, pixels_per_degree: float | None = None) -> np.ndarray:
    r"""Blur with a Gaussian, :math:`g(r) \propto e^{-r^2 / 2 \sigma^2}`, mirrored at the border.

    Parameters
    ----------
    picture : numpy.ndarray
        (height, width) or (height, width, 3), float in [0, 1].
    sigma : float
        Standard deviation, at least 0: in pixels, or in degrees of visual angle where ``pixels_per_degree`` is given.
    pixels_per_degree : float, optional
        How many pixels of the picture one degree takes where it will be shown, above 0.

    Returns
    -------
    numpy.ndarray
        Of the same shape, float32 in [0, 1].

    Raises
    ------
    InputError
        A negative sigma, a scale that is not positive, or values that are no picture's.

    Notes
    -----
    Source: Geirhos et al. (2018), section 2.3, "low-pass filtering".
    """
    from scipy.ndimage import gaussian_filter

    picture = _as_picture(picture)
    _check_level("a sigma of blur", sigma, 0, math.inf)
    if pixels_per_degree is not None:
        if not 0 < pixels_per_degree < math.inf:
            raise InputError("pixels per degree above 0", got=str(pixels_per_degree))
        sigma = sigma * pixels_per_degree
    if sigma == 0:
        return picture.astype(np.float32)
    sides = (sigma, sigma, 0) if picture.ndim == 3 else (sigma, sigma)
    return _clip(gaussian_filter(picture, sides, mode="reflect", truncate=4.0))


@suggest_keywords
def scramble_phase(picture: np.ndarray, width: float, *, seed: int = DEFAULT_SEED) -> np.ndarray:
    r"""Shift the phase of every spatial frequency by an angle drawn uniformly from :math:`[-w, w]`, and clip.

    Amplitudes stay as they are. All colours are shifted alike, so that they stay together.

    Parameters
    ----------
    picture : numpy.ndarray
        (height, width) or (height, width, 3), float in [0, 1].
    width : float
        In degrees, in [0, 180]; at 180 nothing of the phase is left.
    seed : int
        Decides the angles.

    Returns
    -------
    numpy.ndarray
        Of the same shape, float32 in [0, 1].

    Raises
    ------
    InputError
        A width outside [0, 180], or values that are no picture's.

    Notes
    -----
    Source: Geirhos et al. (2018), section 2.3, "phase scrambling".
    """
    picture = _as_picture(picture)
    _check_level("a width of phase noise", width, 0, 180)
    if width == 0:
        return picture.astype(np.float32)
    shape = picture.shape[:2]
    angles = make_generator(seed, "graded", "phase").uniform(-width, width, size=shape)
    turned = np.exp(1j * np.deg2rad(_make_odd(angles)))
    spectrum = np.fft.fft2(picture, axes=(0, 1))
    return _clip(np.fft.ifft2(spectrum * _add_color_axis(turned, picture), axes=(0, 1)).real)


@suggest_keywords
def add_noise_at_snr(
    sound: np.ndarray,
    snr_db: float,
    *,
    spectrum: Literal["white", "pink", "matched"] = "white",
    seed: int = DEFAULT_SEED,
) -> np.ndarray:
    r"""Add noise at a signal-to-noise ratio, :math:`10 \log_{10} (\sigma_{sound}^2 / \sigma_{noise}^2)` dB.

    The ratio is exact for the samples at hand. The mixture has the RMS of the sound, so that loudness does not tell
    the level.

    Parameters
    ----------
    sound : numpy.ndarray
        (n_samples,), float, not silent, at least 2 samples.
    snr_db : float
        In decibels; ``inf`` adds nothing, ``-inf`` leaves the noise alone.
    spectrum : {"white", "pink", "matched"}
        Flat; falling by 3 dB an octave; or the long-term spectrum of the sound itself, with random phases.
    seed : int
        Decides the noise.

    Returns
    -------
    numpy.ndarray
        (n_samples,), float32, without mean; nothing is clipped.

    Raises
    ------
    InputError
        Silence, more than one axis, or a ratio that is NaN.
    UnknownNameError
        Another spectrum.

    Notes
    -----
    Source: Feather et al. (2023), Model metamers reveal divergent invariances, Methods, for speech in noise.

    >>> sound = np.sin(np.arange(8000) / 5)
    >>> float(np.sqrt(np.mean(add_noise_at_snr(sound, 0.0) ** 2)) / np.std(sound)).__round__(4)
    1.0
    """
    sound = np.asarray(sound, dtype=np.float64)
    if sound.ndim != 1 or len(sound) < 2:
        raise InputError("a sound of shape (n_samples,), 2 or more", got=str(sound.shape))
    if spectrum not in NOISE_SPECTRA:
        raise UnknownNameError("spectrum of noise", spectrum, NOISE_SPECTRA)
    if math.isnan(snr_db):
        raise InputError("a signal-to-noise ratio in dB", got="nan")
    sound = sound - sound.mean()
    level = math.sqrt(float(np.mean(sound**2)))
    if not 0 < level < math.inf:
        raise InputError("a sound that is not silent", got=f"an RMS of {level:g}")
    noise = _draw_noise(sound, spectrum, seed) * level
    mixture = sound + noise * 10 ** (-snr_db / 20) if snr_db > -math.inf else noise
    return (mixture * (level / math.sqrt(float(np.mean(mixture**2))))).astype(np.float32)


def _draw_noise(sound: np.ndarray, spectrum: str, seed: int) -> np.ndarray:
    """Noise without mean and with an RMS of 1, (n_samples,)."""
    n = len(sound)
    rng = make_generator(seed, "graded", "noise", spectrum)
    if spectrum == "matched":
        angles = rng.uniform(-np.pi, np.pi, size=n // 2 + 1)
        if n % 2 == 0:
            angles[-1] = 0  # the highest frequency is real
        noise = np.fft.irfft(np.abs(np.fft.rfft(sound)) * np.exp(1j * angles), n)
    else:
        noise = rng.standard_normal(n)
        if spectrum == "pink":
            f = np.fft.rfftfreq(n)
            f[0] = np.inf
            noise = np.fft.irfft(np.fft.rfft(noise) / np.sqrt(f), n)
    noise = noise - noise.mean()
    return noise / math.sqrt(float(np.mean(noise**2)))


def _make_odd(angles: np.ndarray) -> np.ndarray:
    """The angles with that of each frequency the negative of its opposite's, so that the picture stays real."""
    height, width = angles.shape
    own = np.arange(height * width).reshape(height, width)
    opposite = own[-np.arange(height) % height][:, -np.arange(width) % width]
    mirrored = -angles.reshape(-1)[opposite]
    return np.where(own == opposite, 0.0, np.where(own < opposite, angles, mirrored))


def _as_picture(picture: np.ndarray) -> np.ndarray:
    """Float64 values of a picture, checked."""
    picture = np.asarray(picture)
    if picture.ndim < 2 or 0 in picture.shape:
        raise InputError("a picture of shape (height, width) or (height, width, 3)", got=str(picture.shape))
    if not np.issubdtype(picture.dtype, np.floating):
        raise InputError("a picture of float in [0, 1]", got=str(picture.dtype), hint="picture / 255")
    low, high = float(picture.min()), float(picture.max())
    if not (low >= 0 and high <= 1):  # NaN fails too
        raise InputError("a picture of float in [0, 1]", got=format_values(low, high))
    return picture.astype(np.float64)


def _check_level(name: str, level: float, low: float, high: float) -> None:
    if not (low <= level <= high and math.isfinite(level)):
        allowed = f"in [{low:g}, {high:g}]" if math.isfinite(high) else f"of {low:g} or more"
        raise InputError(f"{name} {allowed}", got=str(level))


def _add_color_axis(field: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """One field for all colours of a picture."""
    if picture.ndim > 3 or (picture.ndim == 3 and picture.shape[2] not in (1, 3)):
        raise InputError("a picture of shape (height, width) or (height, width, 3)", got=str(picture.shape))
    return field[..., None] if picture.ndim == 3 else field


def _clip(picture: np.ndarray) -> np.ndarray:
    return np.clip(picture, 0, 1).astype(np.float32)
