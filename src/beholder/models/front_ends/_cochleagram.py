"""A differentiable cochleagram: what a sound's filtered, compressed envelopes look like over time.

Source: McDermott & Simoncelli (2011), Sound texture perception via statistics of the auditory periphery; with the
parameters of Feather, Leclerc, Mądry & McDermott (2023), Model metamers reveal divergent invariances between
biological and artificial neural networks, Methods, Cochleagram.
"""

from __future__ import annotations

import functools
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from beholder._core.errors import InputError, suggest_keywords
from beholder.models.front_ends._cochlear_filters import make_cochlear_filters, make_downsampling_window
from beholder.models.front_ends._envelopes import (
    HilbertEnvelopes,
    compute_subbands,
    lay_out_bands,
    stack_taps,
    weigh_frames,
)

ENVELOPES = ("hilbert", "rectified", "absolute")


@final
class Cochleagram(nn.Module):
    r"""Sounds to cochleagrams, differentiably; the defaults are the published parameters.

    Band-pass filters (:func:`~beholder.models.make_cochlear_filters`) are applied to the sound's spectrum, which makes
    them circular in time; the envelope of each sub-band :math:`z_i` is weighed by a window w
    (:func:`~beholder.models.make_downsampling_window`) that lies inside the sound, and compressed:

    .. math:: y_i[m] = \left(\max\left(0, \sum_t w_t \max(|z_i[qm + t]|, 10^{-8})\right) + 10^{-8}\right)^{0.3}

    :math:`z_i` is the inverse transform of the positive frequencies, not doubled, so that a tone of amplitude A in the
    middle of a band of gain H has the envelope A·H/2. On the way back the rectifier counts as the identity, and the
    slope of the power is at most 5. Nothing here is learned, and nothing is in the ``state_dict``.

    Parameters
    ----------
    n_samples : int
        Length of the sounds.
    rate : int
        Samples per second.
    n_filters, low, high, sample_factor
        Of the filters: how many tile the range once, from and to which frequency in Hz, how densely.
    envelope : {"hilbert", "rectified", "absolute"}
        Modulus of the analytic signal; or the real sub-band, half-wave rectified, or without its sign (both as large
        as they are, so about 2/π and 4/π of the first).
    envelope_rate : int
        Frames per second; a divisor of ``rate``.
    window : {"sinc", "sinc-centered", "hann"}
        ``"sinc"`` stands half a sample off its centre, as networks were trained on it.
    n_taps : int
        Length of the window in samples.
    power, offset, largest_slope : float
        Of the compression.
    dtype : torch.dtype
        Of the constants, and so of the sounds.

    Raises
    ------
    InputError
        Parameters that contradict each other, or a sound shorter than the window.

    Examples
    --------
    >>> Cochleagram()(torch.zeros(1, 40_000)).shape
    torch.Size([1, 211, 390])
    """

    def __init__(
        self,
        n_samples: int = 40_000,
        rate: int = 20_000,
        *,
        n_filters: int = 50,
        low: float = 50.0,
        high: float = 10_000.0,
        sample_factor: int = 4,
        envelope: str = "hilbert",
        envelope_rate: int = 200,
        window: str = "sinc",
        n_taps: int = 1001,
        power: float = 0.3,
        offset: float = 1e-8,
        largest_slope: float = 5.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        if envelope not in ENVELOPES:
            raise InputError(f"an envelope: {', '.join(ENVELOPES)}", got=repr(envelope))
        if envelope_rate < 1 or rate % envelope_rate:
            raise InputError(f"frames per second that divide {rate}", got=str(envelope_rate))
        if n_samples < n_taps:
            raise InputError(f"sounds of at least {n_taps} samples, the window's length", got=f"{n_samples} samples")
        factor = rate // envelope_rate
        filters = make_cochlear_filters(
            n_samples, rate, n_filters=n_filters, low=low, high=high, sample_factor=sample_factor
        )
        self.n_samples, self.rate, self.envelope_rate, self.envelope = n_samples, rate, envelope_rate, envelope
        self.power, self.offset, self.largest_slope = power, offset, largest_slope
        self.centers = filters.centers
        self.layout, gains = lay_out_bands(filters.transfer, n_samples, factor, n_taps)
        taps = make_downsampling_window(factor, n_taps, window)
        self.gains: Tensor
        self.columns: Tensor
        self.register_buffer("gains", torch.tensor(gains, dtype=dtype), persistent=False)
        self.register_buffer("columns", stack_taps(torch.tensor(taps, dtype=dtype), factor), persistent=False)

    @property
    def output_shape(self) -> tuple[int, int]:
        """(n_channels, n_frames) of one cochleagram."""
        return self.layout.n_channels, self.layout.n_frames

    @property
    def times(self) -> np.ndarray:
        """(n_frames,), seconds: the middle of each frame's window."""
        middle = (self.layout.n_taps - 1) / 2
        return (np.arange(self.layout.n_frames) * self.layout.factor + middle) / self.rate

    def extra_repr(self) -> str:
        """The main parameters."""
        channels, frames = self.output_shape
        return f"{self.n_samples} samples at {self.rate} Hz -> {channels}×{frames}"

    def forward(self, x: Tensor) -> Tensor:
        """Cochleagrams of sounds.

        Parameters
        ----------
        x : (..., n_samples), float

        Returns
        -------
        Tensor
            (..., n_channels, n_frames), low frequency first.
        """
        return compress(self.compute_envelopes(x), self.power, self.offset, self.largest_slope)

    def compute_envelopes(self, x: Tensor) -> Tensor:
        """Envelopes at the low rate, not compressed: (..., n_samples) to (..., n_channels, n_frames)."""
        if x.shape[-1] != self.n_samples or not x.is_floating_point():
            raise InputError(f"sounds of {self.n_samples} samples, float", got=f"{x.dtype} of shape {tuple(x.shape)}")
        flat = x.reshape(-1, self.n_samples)
        if self.envelope == "hilbert":
            keep = torch.is_grad_enabled() and x.requires_grad
            frames: Any = HilbertEnvelopes.apply(flat, self.gains, self.columns, self.layout, keep)
        else:
            subbands = compute_subbands(flat, self.gains, self.layout)
            rectified = subbands.relu() if self.envelope == "rectified" else subbands.abs()
            frames = weigh_frames(rectified, self.columns, self.layout)
        return frames.view(*x.shape[:-1], *self.output_shape)


@final
class _Compression(torch.autograd.Function):
    """A rectified power whose slope is kept within bounds."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, power: float, offset: float, largest_slope: float) -> Tensor:
        base = x.clamp(min=0) + offset
        compressed = base.pow(power)
        ctx.save_for_backward((compressed / base).mul_(power).clamp_(max=largest_slope))
        return compressed

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] (as the decorator gives it)
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor, None, None, None]:
        (slope,) = ctx.saved_tensors
        return gradients[0] * slope, None, None, None


def compress(x: Tensor, power: float = 0.3, offset: float = 1e-8, largest_slope: float = 5.0) -> Tensor:
    r"""Rectified power, :math:`y = (\max(0, x) + \epsilon)^p`, with a tame gradient.

    On the way back the rectifier is the identity, and the slope :math:`p (\max(0, x) + \epsilon)^{p - 1}` at most
    ``largest_slope``, which with the defaults is so for x below 0.018.

    Parameters
    ----------
    x : Tensor, float
        Any shape.
    power, offset, largest_slope : float

    Returns
    -------
    Tensor
        Of the same shape.

    Source: as for :class:`Cochleagram`.

    >>> [round(value, 4) for value in compress(torch.tensor([-1.0, 0.0, 1.0])).tolist()]
    [0.004, 0.004, 1.0]
    """
    result: Any = _Compression.apply(x, power, offset, largest_slope)
    return result


@suggest_keywords
def compute_cochleagram(
    x: Tensor,
    rate: int = 20_000,
    *,
    n_filters: int = 50,
    low: float = 50.0,
    high: float = 10_000.0,
    sample_factor: int = 4,
    envelope: str = "hilbert",
    envelope_rate: int = 200,
    window: str = "sinc",
    n_taps: int = 1001,
    power: float = 0.3,
    offset: float = 1e-8,
    largest_slope: float = 5.0,
) -> Tensor:
    """Cochleagrams of sounds of any one length, differentiably.

    Parameters
    ----------
    x : (..., n_samples), float32 or float64, full scale is [-1, 1]
    rate : int
        Samples per second.
    n_filters, low, high, sample_factor, envelope, envelope_rate, window, n_taps, power, offset, largest_slope
        As for :class:`Cochleagram`. What they make is kept for the next call with the same ones.

    Returns
    -------
    Tensor
        (..., n_channels, n_frames), low frequency first; (211, 390) for 2 s at 20 kHz.

    Source: as for :class:`Cochleagram`.

    >>> tone = 0.1 * torch.sin(torch.arange(40_000) * (2 * torch.pi * 1000 / 20_000))
    >>> int(compute_cochleagram(tone)[:, 195].argmax())
    87
    """
    if not isinstance(x, Tensor) or x.ndim == 0:
        raise InputError("a tensor of sounds (..., n_samples)", got=repr(type(x).__name__))
    front_end = _get_front_end(
        x.device, n_samples=x.shape[-1], rate=rate, n_filters=n_filters, low=low, high=high,
        sample_factor=sample_factor, envelope=envelope, envelope_rate=envelope_rate, window=window, n_taps=n_taps,
        power=power, offset=offset, largest_slope=largest_slope, dtype=x.dtype,
    )  # fmt: skip
    return front_end(x)


@functools.lru_cache(maxsize=8)
def _get_front_end(device: torch.device, **settings: Any) -> Cochleagram:
    return Cochleagram(**settings).to(device)
