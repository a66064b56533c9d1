"""One small output of every kind, by the function that makes it and makes it again; and what reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

import beholder as bh
from beholder.models import Model
from beholder.stimuli import grade_stimuli

CLASSES = ("circle", "square")


@dataclass(frozen=True)
class Kind:
    """An output: what makes it below a folder, what it is called there, and what reads all of it."""

    make: Callable[[Path], Any]
    output: str
    read: Callable[[Path], Any]


def make_net() -> Model:
    torch.manual_seed(0)
    net = nn.Sequential()
    net.add_module("conv", nn.Conv2d(3, 4, 3))
    net.add_module("relu", nn.ReLU())
    net.add_module("pool", nn.AdaptiveAvgPool2d(2))
    net.add_module("flat", nn.Flatten())
    net.add_module("head", nn.Linear(16, 2))
    return bh.wrap(net, input_shape=(3, 16, 16), input_range=(0, 1), name="toy", classes=CLASSES)


def draw_pictures(folder: Path, n: int) -> None:
    generator = np.random.default_rng(0)
    for i in range(n):
        path = folder / CLASSES[i % 2] / f"{CLASSES[i % 2]}_{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(path)


def make_store(folder: Path) -> None:
    bh.extract(make_net(), folder / "images", ["conv", "head"], out_path=folder / "out", replicates=2,
               exposure=bh.Exposure(border=0.0, saturation=0.2))  # fmt: skip


def make_derived(folder: Path) -> None:
    from beholder.activations.extraction._postprocess import CenterActs

    acts = bh.extract(make_net(), folder / "images", ["head"], out_path=folder / "out")
    bh.process_activations(acts, [CenterActs()])


def read_store(path: Path) -> dict[str, Any]:
    acts = bh.open(path)
    found: dict[str, Any] = {name: np.asarray(acts[name][:]) for name in acts.layers}
    return found | {f"column {name}": column.to_numpy() for name, column in acts.stimuli.items()}


def record(folder: Path) -> Any:
    return bh.record_units(make_net(), folder / "natural", layers=["conv"], out_path=folder / "acts")


UNITS = [bh.Unit("conv", 1)]


def make_exemplars(folder: Path) -> None:
    found = bh.find_exemplars(
        record(folder), UNITS, num_batches=2, start_min=18, stop_min=20, start_max=20, stop_max=22
    )
    bh.write_exemplars(found, out_path=folder / "stimuli", model=make_net(), stimuli=folder / "natural")


def make_optimized(folder: Path) -> None:
    bh.optimize_units(make_net(), UNITS, activations=record(folder), n_images=1, steps=2, out_path=folder / "stimuli")


def make_maps(folder: Path) -> None:
    make_exemplars(folder)
    bh.map_units(make_net(), folder / "stimuli" / "toy")


def read_units(path: Path) -> dict[str, Any]:
    from beholder._core.files import read_json
    from beholder.jobs import check_content

    found = {}
    for unit in bh.open(path):
        for one in unit.stimuli:
            check_content(path, one.path)
            found[str(one.path.relative_to(path))] = (np.asarray(Image.open(one.path)), one.activation, one.percentile)
        for file in unit.path.rglob("*.json"):
            check_content(path, file)
            found[file.name] = repr(read_json(file))
    return found


def make_metamers(folder: Path) -> None:
    net = make_net()
    bh.null_distribution(net, folder / "images", ["conv", "head"], n_pairs=12, out_path=folder / "null_dist")
    if not (folder / "shown").exists():
        draw_pictures(folder / "shown", 2)
    bh.make_metamers(net, folder / "shown", ["conv"], measured=["conv", "head"], iterations=3,
                     out_path=folder / "metamers")  # fmt: skip


def make_judged(folder: Path) -> None:
    make_metamers(folder)
    bh.judge_metamers(folder / "metamers" / "toy", make_net())


def read_metamers(path: Path) -> dict[str, Any]:
    made = bh.open(path)
    found: dict[str, Any] = {"table": made.to_pandas().to_dict("records")}
    for one in made:
        found[f"{one.stimulus_id} of {one.layer}"] = (
            read_checked(path, one.path), one.read_losses(), repr(one.describe()), read_checked(path, one.original),
        )  # fmt: skip
    return found


def read_checked(output: Path, path: Path) -> np.ndarray:
    from beholder.jobs import check_content

    check_content(output, path)
    return np.asarray(Image.open(path))


def read_null(path: Path) -> dict[str, Any]:
    found = bh.open(path)
    return {layer: {name: column.tolist() for name, column in found[layer].items()} for layer in found.layers}


def make_graded(folder: Path) -> None:
    grade_stimuli(folder / "images", "contrast", [0.3, 1], out_path=folder / "graded")


def read_graded(path: Path) -> dict[str, Any]:
    from beholder.jobs import check_content

    stimuli = bh.StimulusSet.from_table(path / "stimuli.csv")
    check_content(path, path / "stimuli.csv", *map(stimuli.path, range(len(stimuli))))
    return {name: np.asarray(Image.open(stimuli.path(i))) for i, name in enumerate(stimuli.ids)}


KINDS = {
    "store": Kind(make_store, "out/toy.zarr", read_store),
    "derived": Kind(make_derived, "out/toy.centered.zarr", read_store),
    "exemplars": Kind(make_exemplars, "stimuli/toy", read_units),
    "optimized": Kind(make_optimized, "stimuli/toy", read_units),
    "maps": Kind(make_maps, "stimuli/toy", read_units),
    "metamers": Kind(make_metamers, "metamers/toy", read_metamers),
    "null": Kind(make_metamers, "null_dist/toy", read_null),
    "judgement": Kind(make_judged, "metamers/toy", read_metamers),
    "graded": Kind(make_graded, "graded", read_graded),
}
