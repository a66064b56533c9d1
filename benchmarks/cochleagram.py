"""Cochleagram, forward and backward, against the FFTs and products that it cannot do without.

Usage: python benchmarks/cochleagram.py [--sounds 1 4] [--rounds 15] [--threads 1 2] [--device cpu]

Three contenders take turns, a round each; medians are compared. *bare* does what any way of computing a cochleagram of
two seconds and its gradient must do, and nothing else: the sound's FFT, the product of the spectrum with 211 filters,
211 inverse FFTs, the product with the window, and the transposes of these in the other order; no modulus, no
compression, no autograd. It works on a few bands at a time and on the bins that matter, as the cochleagram itself
does, so that it is as fast as it can be made here. *bare, whole* does the FFTs and the products with the filters in one
piece, over all bins. *autograd* is the definition as ordinary differentiable operations.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from beholder.models import Cochleagram, make_cochlear_filters
from beholder.models.front_ends._cochlear_filters import make_downsampling_window
from beholder.models.front_ends._envelopes import group_stimuli, spread_frames, weigh_frames

N_SAMPLES = 40_000


def run_cochleagram(sounds: Tensor, front_end: Cochleagram) -> None:
    """Forward and backward."""
    leaf = sounds.clone().requires_grad_()
    cochleagram = front_end(leaf)
    torch.autograd.grad(cochleagram, leaf, torch.ones_like(cochleagram))


@torch.no_grad()
def run_bare(sounds: Tensor, front_end: Cochleagram) -> None:
    """The FFTs and products of both ways, a few bands at a time."""
    layout, columns, at_once = front_end.layout, front_end.columns, front_end.layout.count_at_once()
    for stimuli in group_stimuli(sounds):
        spectrum = torch.fft.rfft(sounds[stimuli])[:, None]
        bands = spectrum.new_zeros(len(spectrum), at_once, N_SAMPLES)
        level = sounds.new_ones(len(spectrum), at_once, N_SAMPLES)
        signals = []
        for rows, parts in layout.cut(front_end.gains, at_once):
            some = bands[:, : rows.stop - rows.start]
            for inner, bins, part in parts:
                torch.mul(spectrum[..., bins], part, out=some[:, inner, bins])
            signals.append(torch.fft.ifft(some, norm="forward"))
            for inner, bins, _ in parts:
                some[:, inner, bins] = 0
            weigh_frames(level[:, : rows.stop - rows.start], columns, layout)
        back = torch.zeros_like(spectrum[:, 0])
        frames = sounds.new_ones(len(back), at_once, layout.n_frames)
        for signal, (rows, parts) in zip(signals, layout.cut(front_end.gains, at_once), strict=True):
            spread_frames(frames[:, : rows.stop - rows.start], columns, layout)
            spectra = torch.fft.fft(signal)
            for inner, bins, part in parts:
                back[:, bins] += (spectra[:, inner, bins] * part).sum(dim=1)
        torch.fft.irfft(back, n=N_SAMPLES, norm="forward")


@torch.no_grad()
def run_whole(sounds: Tensor, transfer: Tensor) -> None:
    """FFTs and filter products of both ways in one piece."""
    bands = F.pad(torch.fft.rfft(sounds)[:, None] * transfer, (0, N_SAMPLES - transfer.shape[1]))
    signals = torch.fft.ifft(bands)
    back = torch.fft.fft(signals)[..., : transfer.shape[1]]
    torch.fft.irfft((back * transfer).sum(dim=1), n=N_SAMPLES)


def run_autograd(sounds: Tensor, transfer: Tensor, taps: Tensor) -> None:
    """The definition, left to autograd."""
    leaf = sounds.clone().requires_grad_()
    bands = F.pad(torch.fft.rfft(leaf)[:, None] * transfer, (0, N_SAMPLES - transfer.shape[1]))
    signals = torch.fft.ifft(bands)
    modulus = (signals.real.square() + signals.imag.square()).clamp(min=1e-16).sqrt()
    frames = F.conv1d(modulus.view(-1, 1, N_SAMPLES), taps[None, None], stride=100)
    cochleagram = (frames.relu() + 1e-8) ** 0.3
    torch.autograd.grad(cochleagram, leaf, torch.ones_like(cochleagram))


def time_once(run: Callable[[], None], device: str) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    run()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sounds", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", nargs="+", type=int, default=[torch.get_num_threads()])
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    front_end = Cochleagram().to(args.device)
    transfer = torch.tensor(make_cochlear_filters().transfer, dtype=torch.float32, device=args.device)
    taps = torch.tensor(make_downsampling_window(100), dtype=torch.float32, device=args.device)
    print(f"torch {torch.__version__} on {args.device}; medians of {args.rounds} rounds, forward and backward\n")
    print("| sounds of 2 s | threads | beholder | bare | of bare | bare, whole | of it | autograd | of it |")
    print("|---|---|---|---|---|---|---|---|---|")
    for threads in args.threads:
        torch.set_num_threads(threads)
        for n in args.sounds:
            sounds = 0.1 * torch.randn(n, N_SAMPLES, generator=torch.Generator().manual_seed(0)).to(args.device)
            contenders: list[Callable[[], None]] = [
                lambda sounds=sounds: run_cochleagram(sounds, front_end),
                lambda sounds=sounds: run_bare(sounds, front_end),
                lambda sounds=sounds: run_whole(sounds, transfer),
                lambda sounds=sounds: run_autograd(sounds, transfer, taps),
            ]
            times: list[list[float]] = [[] for _ in contenders]
            for round_ in range(args.rounds + 1):
                for contender, found in zip(contenders, times, strict=True):
                    seconds = time_once(contender, args.device)
                    if round_:  # the first warms up
                        found.append(seconds)
            ours, *others = (statistics.median(found) for found in times)
            cells = [f"{1000 * other:.0f} ms | {ours / other:.2f}" for other in others]
            print(f"| {n} | {threads} | {1000 * ours:.0f} ms | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
