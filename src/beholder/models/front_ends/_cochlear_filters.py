"""The fixed numbers of a cochleagram: band-pass filters on the ERB scale, and windows that take the rate down."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords

_Q, _LEAST_WIDTH = 9.265, 24.7
WINDOWS = ("sinc", "sinc-centered", "hann")


def to_erb(frequency: np.ndarray | float) -> np.ndarray:
    r"""Hz to ERB number, :math:`E(f) = 9.265 \ln(1 + f / (24.7 \cdot 9.265))`.

    Source: Glasberg & Moore (1990), Derivation of auditory filter shapes from notched-noise data, equation 4.

    >>> round(float(to_erb(1000.0)), 3)
    15.572
    """
    return _Q * np.log1p(np.asarray(frequency, dtype=np.float64) / (_LEAST_WIDTH * _Q))


def to_frequency(erb: np.ndarray | float) -> np.ndarray:
    """ERB number to Hz; the inverse of :func:`to_erb`.

    >>> round(float(to_frequency(to_erb(440.0))), 6)
    440.0
    """
    return _LEAST_WIDTH * _Q * np.expm1(np.asarray(erb, dtype=np.float64) / _Q)


@final
@dataclass(frozen=True, eq=False)
class CochlearFilters:
    """Transfer functions of a bank of filters, low frequency first.

    Parameters
    ----------
    transfer : numpy.ndarray
        (n_channels, n_samples // 2 + 1), float64 in [0, 1]: gains at the frequencies of a real FFT.
    centers : numpy.ndarray
        (n_channels,), Hz.
    """

    transfer: np.ndarray
    centers: np.ndarray

    def __repr__(self) -> str:
        low, high = self.centers[[0, -1]]
        return f"CochlearFilters({len(self.centers)} channels, centers {low:.0f} to {high:.0f} Hz)"


@functools.lru_cache(maxsize=2)
@suggest_keywords
def make_cochlear_filters(
    n_samples: int = 40_000,
    rate: int = 20_000,
    *,
    n_filters: int = 50,
    low: float = 50.0,
    high: float = 10_000.0,
    sample_factor: int = 4,
) -> CochlearFilters:
    r"""Half-cosine filters, equally spaced and equally wide in ERB numbers, with low-pass and high-pass ends.

    With s = ``sample_factor`` there are s(n + 1) − 1 band-pass filters; their centres :math:`c_i`, a distance d apart,
    cut the range from ``low`` to ``high`` into s(n + 1) equal parts. Filter i has the gain

    .. math:: H_i(f) = \cos\left(\pi \frac{E(f) - c_i}{2 s d}\right) / \sqrt{s}, \quad |E(f) - c_i| < s d

    and none elsewhere. The s filters below complete the s lowest band-pass ones, :math:`\sqrt{1/s - H_i^2}` below
    :math:`c_i`, and the s above the highest likewise, so that :math:`\sum_i H_i^2 = 1` at every frequency.

    Parameters
    ----------
    n_samples : int
        Length of the sounds, which gives the grid of frequencies.
    rate : int
        Samples per second.
    n_filters : int
        Filters that would tile the range once (``sample_factor`` 1).
    low, high : float
        Hz; ``high`` at most half the rate.
    sample_factor : int
        How densely the range is tiled: 1 or an even number.

    Returns
    -------
    CochlearFilters
        s(n + 1) − 1 + 2s channels: 211 by default. The arrays are shared, and read-only.

    Raises
    ------
    InputError
        Limits outside the range of the rate, or another sample factor.

    Source: McDermott & Simoncelli (2011), Sound texture perception via statistics of the auditory periphery, Auditory
    model; Feather, Leclerc, Mądry & McDermott (2023), Model metamers reveal divergent invariances between biological
    and artificial neural networks, Methods, Cochleagram.

    >>> filters = make_cochlear_filters()
    >>> filters.transfer.shape, [round(float(f), 3) for f in filters.centers[[3, 4, 87]]]
    ((211, 20001), [50.0, 54.968, 1000.161])
    """
    if not (0 <= low < high <= rate / 2):
        raise InputError(f"limits with 0 <= low < high <= {rate / 2:g} Hz", got=f"{low:g} and {high:g} Hz")
    if n_samples < 2 or n_filters < 1:
        raise InputError("at least 2 samples and 1 filter", got=f"{n_samples} and {n_filters}")
    if sample_factor < 1 or (sample_factor != 1 and sample_factor % 2):
        raise InputError("a sample factor of 1 or an even number", got=str(sample_factor))
    n_band = sample_factor * (n_filters + 1) - 1
    erb = to_erb(np.arange(n_samples // 2 + 1) * (rate / n_samples))
    centers, distance = np.linspace(to_erb(low), to_erb(high), n_band + 2, retstep=True)
    centers = centers[1:-1]
    reach = sample_factor * float(distance)
    away = erb[None, :] - centers[:, None]
    band = np.where(np.abs(away) < reach, np.cos(np.pi * away / (2 * reach)), 0.0)
    rest = np.sqrt(np.maximum(1 - band**2, 0.0))
    bottom = np.where(away[:sample_factor] < 0, rest[:sample_factor], 0.0)
    top = np.where(away[-sample_factor:] > 0, rest[-sample_factor:], 0.0)
    ends = (centers[:sample_factor] - reach, centers[-sample_factor:] + reach)
    all_centers = to_frequency(np.concatenate([ends[0], centers, ends[1]]))
    all_centers[all_centers < 0] = 1.0
    transfer = np.concatenate([bottom, band, top]) / np.sqrt(sample_factor)
    transfer.flags.writeable = all_centers.flags.writeable = False
    return CochlearFilters(transfer, all_centers)


def make_downsampling_window(factor: int, n_taps: int = 1001, window: str = "sinc") -> np.ndarray:
    r"""Taps of the low-pass filter that goes before taking every ``factor``-th sample.

    ``"sinc"`` and ``"sinc-centered"`` are :math:`\mathrm{sinc}(t / q) / q` times a Kaiser window with
    :math:`\beta = 5`, for q = ``factor``. The published filter takes t from −n/2 in steps of one, so that with an odd
    number of taps the sinc stands half a sample off the window's centre; networks were trained on it, so it is the
    default. ``"sinc-centered"`` takes t from −(n − 1)/2. ``"hann"`` is a Hann window of sum 1.

    Parameters
    ----------
    factor : int
        Samples per output sample.
    n_taps : int
        Length.
    window : {"sinc", "sinc-centered", "hann"}

    Returns
    -------
    numpy.ndarray
        (n_taps,), float64.

    Source: as for :func:`make_cochlear_filters`.

    >>> round(float(make_downsampling_window(100).sum()), 5)
    1.00094
    """
    if window not in WINDOWS:
        raise InputError(f"a window: {', '.join(WINDOWS)}", got=repr(window))
    if n_taps < (3 if window == "hann" else 1) or factor < 1:
        raise InputError("at least one tap (three for hann) and a factor of 1", got=f"{n_taps} and {factor}")
    if window == "hann":
        taps = np.hanning(n_taps)
        return taps / taps.sum()
    start = -n_taps / 2 if window == "sinc" else -(n_taps - 1) / 2
    times = start + np.arange(n_taps)
    return np.kaiser(n_taps, 5.0) * np.sinc(times / factor) / factor
