"""Wall time to the match that the published metamer procedure ends at, against that procedure as it is.

Usage: python benchmarks/metamers.py FOLDER [--published results.parquet] [--steps 40] [--rounds 3] [--layers ...]

SqueezeNet 1.1 with its published weights, each picture of FOLDER by itself. The match that 24,000 published steps end
at (float, pixels in range) is read from --published, which is what this command leaves behind (about two hours):

    beholder metamers make squeezenet1_1 FOLDER --layers features.3 features.7 features.12 --recipe published

Their wall time is 24,000 times that of a step as published: the whole network forward twice, backward from the layer,
a step of unit length, clamped into range; the median over rounds of --steps. Ours is one call of ``make_metamers``
with that match as its target, everything in it: start, optimisation, measuring at every recorded layer.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from peers import stop

import beholder as bh
from beholder.models import use_published_preparation

LAYERS = ("features.3", "features.7", "features.12")
PUBLISHED_STEPS = 24_000


def time_published_step(model: bh.Model, picture: torch.Tensor, layer: str, n_steps: int) -> float:
    """Seconds a step of the published loop."""
    net = model.module
    kept: list[torch.Tensor] = []
    part = net.get_submodule(layer)
    handle = part.register_forward_hook(lambda *arguments: kept.append(arguments[-1]))
    with torch.no_grad():
        net(model.normalize(picture))
    target = kept.pop().clone()
    x = torch.full_like(picture, 0.5) + torch.randn_like(picture) / 20
    start = time.perf_counter()
    for _ in range(n_steps):
        x = x.detach().requires_grad_()
        net(model.normalize(x))
        kept.clear()
        net(model.normalize(x))
        loss = (kept.pop() - target).norm() / target.norm()
        (gradient,) = torch.autograd.grad(loss, x)
        with torch.no_grad():
            x = (x - gradient / (gradient.norm() + 1e-10)).clamp(0, 1)
    seconds = (time.perf_counter() - start) / n_steps
    handle.remove()
    return seconds


def main() -> None:
    """Print one row a picture and layer, and the medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--published", default="metamers/squeezenet1_1/results.parquet")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--layers", nargs="+", default=[*LAYERS])
    args = parser.parse_args()
    make = f"beholder metamers make squeezenet1_1 {args.folder} --layers {' '.join(args.layers)} --recipe published"
    if not Path(args.published).is_file():
        stop("what the published steps end at", f"no file at {args.published}", f"{make} (two hours)")
    table = pd.read_parquet(args.published)
    table = table[(table["layer"] == table["measured_layer"]) & (table["recipe"] == "published")]
    reached = table.set_index(["stimulus_id", "layer"])["db_snr"]
    model = use_published_preparation(bh.load_model("torchvision:squeezenet1_1", pretrained=True, device="cpu"))
    stimuli = bh.StimulusSet.from_folder(Path(args.folder))
    if missing := [
        f"{each} at {layer}" for each in stimuli.ids for layer in args.layers if (each, layer) not in reached
    ]:
        stop("published metamers of every picture", f"{args.published} without {missing[0]}", f"{make} (two hours)")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    print("| picture | layer | published dB | published s | ours s | ours dB | steps | times less |")
    print("|---|---|---|---|---|---|---|---|")
    ratios: dict[str, list[float]] = {}
    for stimulus in stimuli.ids:
        one = stimuli[[stimulus]]
        for layer in args.layers:
            goal = float(reached.loc[(stimulus, layer)])
            ours, steps = [], []
            for _ in range(args.rounds):
                picture = torch.from_numpy(np.random.default_rng(0).random((1, 3, 224, 224), np.float32))
                steps.append(time_published_step(model, picture, layer, args.steps))
                start = time.perf_counter()
                made = bh.make_metamers(model, one, [layer], target_db=goal)
                ours.append(time.perf_counter() - start)
            row = made.to_pandas().query("layer == measured_layer").iloc[0]
            theirs, mine = statistics.median(steps) * PUBLISHED_STEPS, statistics.median(ours)
            missed = "" if row["db_snr"] >= goal else " (missed)"
            ratios.setdefault(layer, []).append(theirs / mine)
            print(
                f"| {stimulus} | {layer} | {goal:.1f} | {theirs:.0f} | {mine:.1f} | {row['db_snr']:.1f}{missed} | "
                f"{row['steps']} | {theirs / mine:.0f} |",
                flush=True,
            )
    for layer, found in ratios.items():
        print(f"{layer}: median {statistics.median(found):.0f} x, least {min(found):.0f} x")


if __name__ == "__main__":
    main()
