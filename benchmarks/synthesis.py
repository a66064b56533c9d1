"""Optimisation steps per second: Beholder, a bare loop, and lucent.

Usage: python benchmarks/synthesis.py [--rows squeezenet-features.6 ...] [--batches 1 10] [--rounds 3] [--frozen]

The bare loop is the network up to the layer in torch's default layout and thread count, and the gradient to a plain
input of the same batch: no parameterisation, no augmentation, no optimiser. Beholder does all of these, as
``synthesize`` does them by default (Fourier, one resampling an image, Adam). lucent does what ``render_vis`` does by
default (Fourier, its standard transforms, Adam), for a batch of the same objective. Each gets the network as it comes
from torchvision, as in lucent's README: its weights ask for gradients, which lucent's backward pass computes too. With
``--frozen`` they do not, a line that a user of lucent has to know of. Its environment:
``pip install -r benchmarks/requirements.txt`` and ``pip install --no-deps -r benchmarks/requirements-lucent.txt``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import time
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
import torchvision
from peers import import_peer

import beholder as bh
from beholder.synthesis import Channel, Problem, synthesize

ROWS = {
    "squeezenet-features.6": ("squeezenet1_1", "features.6", 24),
    "squeezenet-features.11": ("squeezenet1_1", "features.11", 24),
    "resnet50-layer3": ("resnet50", "layer3", 16),
}


class _Stop(BaseException):
    pass


def make_net(name: str) -> torch.nn.Module:
    """A network with seeded random weights; speed does not depend on them."""
    torch.manual_seed(0)
    return torchvision.models.get_model(name).eval()


def time_bare(net: torch.nn.Module, layer: str, n_images: int, steps: int) -> float:
    """Steps per second of the network up to the layer and back."""
    seen: list[torch.Tensor] = []

    def stop(_module: Any, _args: Any, output: torch.Tensor) -> None:
        seen.append(output)
        raise _Stop

    handle = net.get_submodule(layer).register_forward_hook(stop)
    images = torch.rand(n_images, 3, 224, 224)
    start = time.perf_counter()
    for _ in range(steps):
        leaf = images.requires_grad_(True)
        with contextlib.suppress(_Stop):
            net(leaf)
        torch.autograd.grad(-seen.pop()[:, 3].mean(), leaf)
    seconds = time.perf_counter() - start
    handle.remove()
    return steps / seconds


def time_beholder(net: torch.nn.Module, layer: str, n_images: int, steps: int) -> float:
    """Steps per second of ``synthesize`` beyond what it does once."""
    from beholder.models import ImagePreprocessing

    model = bh.wrap(net, ImagePreprocessing(), name="net")
    problems = [Problem(Channel(layer, 3), seed=i) for i in range(n_images)]

    def run(n: int) -> float:
        start = time.perf_counter()
        synthesize(model, problems, steps=n, redirect_steps=n // 4)  # as 16 of the default 64 steps
        return time.perf_counter() - start

    once = run(1)
    return steps / (run(steps + 1) - once)


def import_lucent() -> tuple[ModuleType, ModuleType, ModuleType]:
    """Its objectives, parameterisations and loop; ends the benchmark where it is not installed."""
    warnings.simplefilter("ignore")
    return tuple(import_peer(f"lucent.optvis.{name}") for name in ("objectives", "param", "render"))


def time_lucent(net: torch.nn.Module, layer: str, n_images: int, steps: int) -> float:
    """Steps per second of ``render_vis``."""
    objectives, param, render = import_lucent()

    def run(n: int) -> float:
        start = time.perf_counter()
        with open(os.devnull, "w") as null, contextlib.redirect_stdout(null), contextlib.redirect_stderr(null):
            render.render_vis(
                net, objectives.channel(layer.replace(".", "_"), 3), lambda: param.image(224, batch=n_images),
                thresholds=(n,), show_image=False, progress=False,
            )  # fmt: skip
        return time.perf_counter() - start

    hooks = {part: (part._forward_hooks.copy()) for part in net.modules()}
    once = run(1)
    rate = steps / (run(steps + 1) - once)
    for part, before in hooks.items():  # lucent leaves its own behind
        part._forward_hooks.clear()
        part._forward_hooks.update(before)
    return rate


def measure(
    row: str, n_images: int, rounds: int, contenders: list[Callable[..., float]], *, frozen: bool
) -> list[float]:
    """Median rate of each contender over rounds in which they take turns."""
    name, layer, steps = ROWS[row]
    nets = [make_net(name).requires_grad_(not frozen) for _ in contenders]  # wrapping a network freezes it
    steps = max(steps // (1 if n_images == 1 else 4), 2)
    rates: list[list[float]] = [[] for _ in contenders]
    for _ in range(rounds):
        for contender, net, found in zip(contenders, nets, rates, strict=True):
            found.append(contender(net, layer, n_images, steps))
    return [statistics.median(found) for found in rates]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", nargs="+", default=[*ROWS])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 10])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frozen", action="store_true", help="weights that ask for no gradient")
    args = parser.parse_args()
    import_lucent()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; steps/s, medians of {args.rounds} rounds")
    print("| row | batch | bare loop | beholder | lucent | of bare | × lucent |\n|---|---|---|---|---|---|---|")
    for row in args.rows:
        for n_images in args.batches:
            contenders = [time_bare, time_beholder, time_lucent]
            bare, ours, lucent = measure(row, n_images, args.rounds, contenders, frozen=args.frozen)
            rates = " | ".join(f"{rate:.2f}" for rate in (bare, ours, lucent, ours / bare, ours / lucent))
            print(f"| {row} | {n_images} | {rates} |", flush=True)


if __name__ == "__main__":
    main()
