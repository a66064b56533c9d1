"""Sub-bands and their envelopes, at a lower rate: the costly part of a cochleagram, with its own backward pass.

A sound's spectrum is cut into bands by real gains, each band becomes a complex signal by an inverse FFT without
negative frequencies, and the modulus of that is weighed by a window every ``factor`` samples. Bands are worked on a
few at a time, so that what lies between two FFTs stays in the processor's cache, and only the bins where a filter
is not zero are multiplied. The result for one sound does not depend on what else is in the batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

_ROWS = 4
_SAMPLES_AT_ONCE, _SAMPLES_AT_ONCE_PARALLEL = 160_000, 1_280_000
_FEW_THREADS = 2
LEAST_ENVELOPE = 1e-8

_Part = tuple[slice, slice, Tensor]


@final
@dataclass(frozen=True)
class BandLayout:
    """Where the gains of each few bands lie in one flat array, and what is done with the bands.

    Parameters
    ----------
    n_samples : int
        Length of the sounds.
    factor : int
        Samples per frame.
    n_taps : int
        Length of the window.
    chunks : tuple of (int, int, int, int)
        First and last band (exclusive), first and last bin (exclusive); the gains follow one another.
    """

    n_samples: int
    factor: int
    n_taps: int
    chunks: tuple[tuple[int, int, int, int], ...]

    @property
    def n_channels(self) -> int:
        """Number of bands."""
        return self.chunks[-1][1]

    @property
    def n_frames(self) -> int:
        """Frames in which the window lies inside the sound."""
        return (self.n_samples - self.n_taps) // self.factor + 1

    @property
    def n_columns(self) -> int:
        """Blocks of ``factor`` samples that one window touches."""
        return -(-self.n_taps // self.factor)

    @property
    def n_blocks(self) -> int:
        """Blocks that all the windows touch."""
        return self.n_frames - 1 + self.n_columns

    def count_at_once(self) -> int:
        """Bands to work on at once: few stay in the cache of one core; several cores want more to share."""
        budget = _SAMPLES_AT_ONCE if torch.get_num_threads() == 1 else _SAMPLES_AT_ONCE_PARALLEL
        return min(max(budget // self.n_samples // _ROWS, 1) * _ROWS, self.n_channels)

    def cut(self, gains: Tensor, at_once: int) -> Iterator[tuple[slice, list[_Part]]]:
        """Bands that are worked on at once, and of every few of them where they lie, their bins and their gains."""
        start, first = 0, 0
        parts: list[_Part] = []
        for row, last_row, bin_, last_bin in self.chunks:
            if row - first >= at_once:
                yield slice(first, row), parts
                first, parts = row, []
            stop = start + (last_row - row) * (last_bin - bin_)
            part = gains[start:stop].view(last_row - row, last_bin - bin_)
            parts.append((slice(row - first, last_row - first), slice(bin_, last_bin), part))
            start = stop
        yield slice(first, self.n_channels), parts


def lay_out_bands(transfer: np.ndarray, n_samples: int, factor: int, n_taps: int) -> tuple[BandLayout, np.ndarray]:
    """Keep of (n_channels, n_bins) gains only the bins that matter, a few neighbouring bands at a time.

    Returns
    -------
    layout : BandLayout
    gains : numpy.ndarray
        One flat array; :meth:`BandLayout.cut` takes it apart. Divided by ``n_samples``, which the inverse FFTs then
        need not do.
    """
    chunks, kept = [], []
    for row in range(0, len(transfer), _ROWS):
        part = transfer[row : row + _ROWS]
        used = np.flatnonzero(part.any(axis=0))
        first, last = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
        chunks.append((row, row + len(part), first, last))
        kept.append(part[:, first:last].ravel())
    return BandLayout(n_samples, factor, n_taps, tuple(chunks)), np.concatenate(kept) / n_samples


def stack_taps(taps: Tensor, factor: int) -> Tensor:
    """The window cut into columns of ``factor`` taps, (factor, n_columns), filled up with zeros.

    The number of columns is a multiple of sixteen, which makes their product with blocks of samples much faster.
    """
    n_columns = 16 * -(-taps.shape[0] // (16 * factor))
    return torch.nn.functional.pad(taps, (0, n_columns * factor - taps.shape[0])).view(n_columns, factor).T


def weigh_frames(signal: Tensor, columns: Tensor, layout: BandLayout) -> Tensor:
    """Weighted sums of (..., n_samples) under the window at every ``factor``-th sample: (..., n_frames).

    One product of blocks of ``factor`` samples with the window's columns, then a sum along its diagonals.
    """
    needed = layout.n_blocks * layout.factor
    surplus = needed - signal.shape[-1]
    signal = torch.nn.functional.pad(signal, (0, surplus)) if surplus > 0 else signal[..., :needed]
    products = signal.reshape(*signal.shape[:-1], layout.n_blocks, layout.factor) @ columns
    return _take_diagonals(products, layout).sum(dim=-1)


def spread_frames(frames: Tensor, columns: Tensor, layout: BandLayout) -> Tensor:
    """The transpose of :func:`weigh_frames`: (..., n_frames) to (..., n_samples)."""
    products = frames.new_zeros(*frames.shape[:-1], layout.n_blocks, columns.shape[1])
    _take_diagonals(products, layout).copy_(frames[..., None])
    signal = (products @ columns.T).flatten(-2)
    surplus = layout.n_samples - signal.shape[-1]
    return torch.nn.functional.pad(signal, (0, surplus)) if surplus > 0 else signal[..., : layout.n_samples]


def _take_diagonals(products: Tensor, layout: BandLayout) -> Tensor:
    """A view of (..., n_blocks, columns): (..., n_frames, n_columns), of column c the blocks from c on."""
    return products.unfold(-2, layout.n_columns, 1).diagonal(dim1=-2, dim2=-1)


@final
class HilbertEnvelopes(torch.autograd.Function):
    """Moduli of the complex sub-bands of sounds, (n_stimuli, n_samples) to (n_stimuli, n_channels, n_frames).

    A modulus below 1e-8 counts as 1e-8, and lets no gradient through.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, gains: Tensor, columns: Tensor, layout: BandLayout, keep: bool) -> Tensor:
        """Envelopes; keeps the sub-bands and their moduli for the way back if there will be one."""
        frames = x.new_empty(len(x), layout.n_channels, layout.n_frames)
        kept: list[Tensor] = []
        at_once = layout.count_at_once()
        for stimuli in group_stimuli(x):
            spectrum = torch.fft.rfft(x[stimuli])[:, None]
            bands = spectrum.new_zeros(len(spectrum), at_once, layout.n_samples)
            for rows, parts in layout.cut(gains, at_once):
                some = bands[:, : rows.stop - rows.start]
                for inner, bins, part in parts:
                    torch.mul(spectrum[..., bins], part, out=some[:, inner, bins])
                signal = torch.fft.ifft(some, norm="forward")
                for inner, bins, _ in parts:
                    some[:, inner, bins] = 0
                modulus = take_modulus(signal).clamp_(min=LEAST_ENVELOPE)
                if keep:
                    kept += [signal, modulus]
                frames[stimuli, rows] = weigh_frames(modulus, columns, layout)
        ctx.layout, ctx.at_once = layout, at_once
        ctx.save_for_backward(gains, columns, *kept)
        return frames

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] (as the decorator gives it)
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor, None, None, None, None]:
        """The gradient with respect to the samples."""
        (frames,), layout = gradients, ctx.layout
        gains, columns, *kept = ctx.saved_tensors
        x = frames.new_empty(len(frames), layout.n_samples)
        n_bins = layout.n_samples // 2 + 1
        pending = iter(kept)
        for stimuli in group_stimuli(frames):
            spectrum = torch.zeros(len(x[stimuli]), n_bins, dtype=gains.dtype.to_complex(), device=x.device)
            for rows, parts in layout.cut(gains, ctx.at_once):
                signal, modulus = next(pending), next(pending)
                change = spread_frames(frames[stimuli, rows], columns, layout)
                change /= torch.threshold(modulus, LEAST_ENVELOPE, torch.inf)
                bands = torch.fft.fft(signal * change)
                for inner, bins, part in parts:
                    spectrum[:, bins] += (bands[:, inner, bins] * part).sum(dim=1)
            spectrum[:, 1 : (layout.n_samples + 1) // 2] *= 0.5  # as a real inverse counts these bins twice
            x[stimuli] = torch.fft.irfft(spectrum, n=layout.n_samples, norm="forward")
        return x, None, None, None, None


def take_modulus(signal: Tensor) -> Tensor:
    """Moduli of complex numbers. On one or two cores numpy takes them in a third of torch's time."""
    if signal.device.type == "cpu" and torch.get_num_threads() <= _FEW_THREADS:
        return torch.from_numpy(np.abs(signal.numpy()))
    squares = torch.view_as_real(signal).square()
    return squares[..., 0].add(squares[..., 1]).sqrt_()


def group_stimuli(x: Tensor) -> list[slice]:
    """Which stimuli are worked on together: one on a CPU, whose cache holds no more, all elsewhere."""
    return [slice(i, i + 1) for i in range(len(x))] if x.device.type == "cpu" else [slice(0, len(x))]


def compute_subbands(x: Tensor, gains: Tensor, layout: BandLayout) -> Tensor:
    """Real sub-bands of sounds: (n_stimuli, n_samples) to (n_stimuli, n_channels, n_samples)."""
    spectrum = torch.fft.rfft(x)[:, None]
    n_bins = layout.n_samples // 2 + 1
    bands = [
        torch.nn.functional.pad(spectrum[..., bins] * part, (bins.start, n_bins - bins.stop))
        for _, parts in layout.cut(gains, layout.n_channels)
        for _, bins, part in parts
    ]
    return torch.fft.irfft(torch.cat(bands, dim=1), n=layout.n_samples, norm="forward")
