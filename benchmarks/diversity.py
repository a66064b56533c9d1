"""What the recipes of ``beholder units optimize`` cost, and how strong and how different their pictures are.

Usage: python benchmarks/diversity.py --images FOLDER --out FOLDER [--recipes searched steered] [--n_units 50]
[--n_images 6] [--size 64]

Units of two trained networks, drawn with a seed: layers in turn, channels at random. Natural pictures are recorded at
the size that pictures are made at, since a smaller canvas is cheaper alike for every recipe. A pass is one picture
forward and backward through the network up to the unit's layer, counted where the network runs, so that a busy machine
counts the same; seconds are the processor's. Interrupted, the same command goes on with the units that are missing, and
prints the table of those that every recipe has made. ``TORCH_HOME`` and ``HF_HOME`` say where weights lie.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
import torchvision
from torch import nn

import beholder as bh
from beholder.models import ImagePreprocessing, Unit
from beholder.synthesis import Visualizations
from beholder.synthesis.gradients._network import Network
from beholder.synthesis.objectives._diversity import compute_likenesses

LAYERS = {
    "squeezenet1_1": [
        "features.3.expand3x3", "features.4", "features.6.expand3x3", "features.6", "features.7.expand1x1",
        "features.9", "features.10.expand3x3", "features.10", "features.11.squeeze", "features.12.expand3x3",
        "features.12",
    ],
    "tf_efficientnet_lite0.in1k": ["blocks.1.1", "blocks.2.1", "blocks.3.2", "blocks.4.2", "blocks.5.3", "blocks.6.0"],
}  # fmt: skip
SHARES = {"squeezenet1_1": 0.88, "tf_efficientnet_lite0.in1k": 0.12}
"""Of the units."""
STEPS = 64
OTHER = {"squeezenet1_1": "features.8", "tf_efficientnet_lite0.in1k": "blocks.4.0"}
"""A layer that no unit is of: how much pictures differ there is nothing that any recipe works on."""


def open_net(name: str, size: int) -> bh.Model:
    """A trained network that takes pictures of ``size`` pixels."""
    crop = {"resize": size * 8 // 7, "crop": (size, size)}
    if name == "squeezenet1_1":
        module: nn.Module = torchvision.models.squeezenet1_1(weights="IMAGENET1K_V1")
        return bh.wrap(module, ImagePreprocessing(**crop), name=name)
    half = (0.5, 0.5, 0.5)
    module = timm.create_model(name, pretrained=True)
    return bh.wrap(module, ImagePreprocessing(**crop, mean=half, std=half), name=name)


def draw_units(name: str, n_units: int, sizes: dict[str, int]) -> list[Unit]:
    """Units, layers in turn."""
    rng = np.random.default_rng(50)
    return [Unit(layer := LAYERS[name][i % len(LAYERS[name])], int(rng.integers(sizes[layer]))) for i in range(n_units)]


class Counter:
    """Counts pictures that go through a network: forward and backward, and forward alone."""

    def __init__(self) -> None:
        self.passes = self.looks = 0
        run = Network.run

        def count(network: Network, images: torch.Tensor, *args: Any) -> Any:
            if torch.is_grad_enabled():
                self.passes += len(images)
            else:
                self.looks += len(images)
            return run(network, images, *args)

        Network.run = count  # pyright: ignore[reportAttributeAccessIssue]


def make(net: bh.Model, units: list[Unit], n_images: int, acts: Any, recipe: str, out: Path, counter: Counter) -> None:
    """Visualise units one by one, and note what each took."""
    log = out / f"{recipe}.jsonl"
    done = {line["unit"] for line in read_log(log)}
    for unit in units:
        if f"{net.path_name}/{unit}" in done:
            continue
        before, start, clock = counter.passes, time.process_time(), time.perf_counter()
        bh.optimize_units(net, [unit], n_images, activations=acts, out_path=out / recipe, recipe=recipe, threads=1)
        line = {
            "unit": f"{net.path_name}/{unit}", "passes": counter.passes - before,
            "cpu": time.process_time() - start, "wall": time.perf_counter() - clock,
        }  # fmt: skip
        with log.open("a") as file:
            file.write(json.dumps(line) + "\n")


def read_log(log: Path) -> list[dict[str, Any]]:
    """What each unit took."""
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def compute_mean_likeness(net: bh.Model, images: np.ndarray, layer: str) -> float:
    """Mean cosine of the Gram matrices of every two pictures at a layer: 1 for the same texture."""
    values = bh.capture(net, images, [layer])[1][layer].float().flatten(2)
    likeness = compute_likenesses(values).numpy()
    return float(likeness[~np.eye(len(likeness), dtype=bool)].mean())


def measure(net: bh.Model, units: list[Unit], recipe: str, out: Path) -> Iterator[dict[str, Any]]:
    """A row a unit and sign."""
    costs = {line["unit"]: line for line in read_log(out / f"{recipe}.jsonl")}
    if not costs:
        return
    vis = Visualizations.open(out / recipe / net.path_name)
    places = {unit: i for i, unit in enumerate(vis.units)}
    table = {(row["layer"], row["channel"], row["sign"]): row for row in vis.table}
    for unit in units:
        cost = costs.get(f"{net.path_name}/{unit}")
        if cost is None:
            continue
        for k, sign in enumerate(("min", "max")):
            images, turn = vis.images[places[unit], k], 1.0 if sign == "max" else -1.0
            row = table[unit.layer, unit.channel, sign]
            values, natural = turn * vis.activations[places[unit], k].astype(float), turn * row["natural_best"]
            way = (values - natural) / (values[-1] - natural) if values[-1] > natural else np.zeros(len(values))
            others = ~np.eye(len(images), dtype=bool)
            yield {
                "net": net.path_name, "unit": str(unit), "sign": sign, "recipe": recipe,
                "can_differ": row["weakest_beats"] == "yes", "best": float(values[-1]), "natural": natural,
                "best_beats": float(values[-1] > natural), "share": float((values > natural).mean()),
                "mean": float(way[:-1].mean()), "weakest": float(way[0]),
                "own": compute_mean_likeness(net, images, unit.layer),
                "other": compute_mean_likeness(net, images, OTHER[net.path_name]),
                "pixels": float(np.corrcoef(images.reshape(len(images), -1))[others].mean()),
                "batches": cost["passes"] / 2 / (len(images) * STEPS), "cpu": cost["cpu"] / 2,
            }  # fmt: skip


MEASURES = {
    "batches": "passes, in those of one batch of the pictures alone",
    "cpu": "processor seconds",
    "best_beats": "strongest picture beats the best natural one",
    "share": "pictures that beat it",
    "mean": "activation of the others, from the best natural picture (0) to the strongest one (1)",
    "weakest": "activation of the weakest, the same way",
    "own": "likeness of the pictures at the unit's layer",
    "other": "likeness at a layer that no unit is of",
    "pixels": "correlation of their pixels",
}
"""Columns of the rows, and what they say; likeness is the mean cosine of the Gram matrices of every two."""


def print_table(rows: list[dict[str, Any]], recipes: list[str]) -> None:
    """Means over the units and signs that every recipe has made, of all and of those whose pictures may differ."""
    made: dict[tuple[str, str, str], dict[str, dict[str, Any]]] = {}
    for row in rows:
        made.setdefault((row["net"], row["unit"], row["sign"]), {})[row["recipe"]] = row
    whole = [found for found in made.values() if set(recipes) <= set(found)]
    free = [found for found in whole if all(found[recipe]["can_differ"] for recipe in recipes)]
    n_units = len({(row["net"], row["unit"]) for found in whole for row in found.values()})
    print(f"{n_units} units: {len(whole)} sides, of which {len(free)} beat the natural pictures without the term")
    print(f"| | {' | '.join(recipes)} |\n|---|{'---|' * len(recipes)}")
    for name, told in MEASURES.items():
        some = whole if name in ("best_beats", "share") else free
        means = [np.mean([found[recipe][name] for found in some]) for recipe in recipes]
        print(f"| {told} | {' | '.join(f'{mean:.3g}' for mean in means)} |")
    if len(recipes) == 2:
        for name in ("mean", "own", "other"):
            n_higher = sum(found[recipes[1]][name] > found[recipes[0]][name] for found in free)
            print(f"{name}: higher in {n_higher} of {len(free)} by {recipes[1]}")


def main() -> None:
    """Make, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipes", nargs="+", default=["searched", "steered"])
    parser.add_argument("--n_units", type=int, default=50)
    parser.add_argument("--n_images", type=int, default=6)
    parser.add_argument("--size", type=int, default=64)
    args = parser.parse_args()
    torch.set_num_threads(1)
    counter, rows = Counter(), []
    for name, share in SHARES.items():
        net = open_net(name, args.size)
        acts = bh.record_units(net, args.images, layers=LAYERS[name], out_path=args.out / "activations", threads=1)
        units = draw_units(name, round(args.n_units * share), {layer: acts[layer].shape[-1] for layer in LAYERS[name]})
        for recipe in args.recipes:
            make(net, units, args.n_images, acts, recipe, args.out, counter)
            rows += measure(net, units, recipe, args.out)
    (args.out / "rows.json").write_text(json.dumps(rows))
    print_table(rows, args.recipes)


if __name__ == "__main__":
    main()
