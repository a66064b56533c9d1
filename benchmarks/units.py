"""Recording all layers of interest against one plain forward pass, and exemplars out of a large recording.

Usage: python benchmarks/units.py [--rows record exemplars] [--model resnet50] [--n 256] [--n_stimuli 50000]

``record``: pictures are 8-bit arrays in memory, so that neither side decodes; ours includes looking at the network and
writing the store. The plain pass is the bare network in torch's default layout and threads, in batches of 32,
normalisation included.
``exemplars``: a store of that many stimuli x all ResNet-50 units, filled by the store's own writer with random numbers;
50 units sampled with seed 42, in a process of its own, whose peak memory is told.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import numpy as np
import torch
import torchvision

import beholder as bh
from beholder.activations.store._arrays import StoredLayer, create_layer, open_group, write_stimuli
from beholder.activations.store._shard_file import plan_layout, shard_path, write_shard
from beholder.models import ImagePreprocessing
from beholder.units import list_unit_layers

_ROWS = 512

_EXEMPLARS = textwrap.dedent(
    """
    import resource, sys, time
    import beholder as bh

    acts = bh.open(sys.argv[1])
    units = bh.UnitList.read(sys.argv[2])
    bh.find_exemplars(acts, units[:1], percentile=(10, 90))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    best = bh.find_exemplars(acts, units, percentile=(10, 90))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read = sum(acts[layer].nbytes for layer in units.layers)
    print(len(best), len(units.layers), read / 1e9, seconds, before / 1024, peak / 1024)
    """
)


def make_net(name: str) -> bh.Model:
    """A network with seeded random weights; speed does not depend on them."""
    torch.manual_seed(0)
    module = torchvision.models.get_model(name).eval()
    return bh.wrap(module, ImagePreprocessing(resize=224, crop=(224, 224)), name=name)


def read_clocks() -> np.ndarray:
    """Wall time, and processor time of all threads."""
    return np.array([time.perf_counter(), time.process_time()])


def time_plain(net: bh.Model, pictures: np.ndarray) -> np.ndarray:
    """Wall and processor seconds of the bare network over the pictures."""
    start = read_clocks()
    with torch.inference_mode():
        for i in range(0, len(pictures), 32):
            batch = torch.from_numpy(pictures[i : i + 32]).permute(0, 3, 1, 2).float() / 255
            net.module(net.normalize(batch))
    return read_clocks() - start


def time_recording(net: bh.Model, pictures: np.ndarray) -> np.ndarray:
    """Wall and processor seconds of recording every layer of interest into a store."""
    stimuli = bh.StimulusSet.from_arrays(pictures)
    with tempfile.TemporaryDirectory() as out:
        start = read_clocks()
        bh.record_units(net, stimuli, out_path=out)
        return read_clocks() - start


def compare_recording(name: str, n: int, rounds: int) -> None:
    """Print one row: seconds of both, and their ratio by either clock, the median over rounds."""
    net = make_net(name)
    pictures = np.random.default_rng(0).integers(0, 255, (n, 224, 224, 3), dtype=np.uint8)
    n_layers = len(list_unit_layers(net))
    time_plain(net, pictures[:32])
    time_recording(net, pictures[:32])
    plain, recording = [], []
    for _ in range(rounds):
        plain.append(time_plain(net, pictures))
        recording.append(time_recording(net, pictures))
    ours, theirs = np.median(recording, axis=0), np.median(plain, axis=0)
    wall, cpu = np.median(np.array(recording) / np.array(plain), axis=0)
    print(f"{'record':<32}{'plain s':>10}{'record s':>10}{'ratio':>8}{'of CPU time':>13}")
    words = f"{name}, {n_layers} layers, {n}"
    print(f"{words:<32}{theirs[0]:>10.2f}{ours[0]:>10.2f}{wall:>8.2f}{cpu:>13.2f}", flush=True)


def fill_store(path: Path, widths: dict[str, int], n_stimuli: int) -> None:
    """A recording of random numbers, written as an extraction writes it."""
    generator = np.random.default_rng(0)
    root = open_group(path, "a")
    ids = [f"val_{i:08d}" for i in range(n_stimuli)]
    attributes = {"layers": list(widths), "complete": True, "model": "torchvision:resnet50@random", "settings": {}}
    root.attrs.put({**attributes, "stimulus_columns": ["id", "file"]})
    write_stimuli(root, {"id": ids, "file": [f"{name}.JPEG" for name in ids]})
    for name, width in widths.items():
        layer = StoredLayer(name, ("channel",), plan_layout(_ROWS, (width,), "float32"))
        create_layer(root, layer, n_stimuli, 1)
        for i in range(0, n_stimuli, _ROWS):
            values = generator.standard_normal((min(_ROWS, n_stimuli - i), 1, width), dtype=np.float32)
            write_shard(shard_path(path / layer.path_name / "values", i // _ROWS, 0, 1), values, layer.layout)


def measure_exemplars(n_stimuli: int) -> None:
    """Print one row: seconds and memory of finding the exemplars of 50 units."""
    widths = list_unit_layers("torchvision:resnet50")
    units = bh.sample_units("torchvision:resnet50", 50, seed=42)
    with tempfile.TemporaryDirectory() as out:
        store, file = Path(out) / "resnet50.mean.zarr", Path(out) / "units.json"
        start = time.perf_counter()
        fill_store(store, widths, n_stimuli)
        filling = time.perf_counter() - start
        units.save(file)
        command = [sys.executable, "-c", _EXEMPLARS, str(store), str(file)]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    n, n_layers, read, seconds, before, peak = (float(word) for word in told)
    n_bytes = 4 * n_stimuli * sum(widths.values())
    print(f"{n_stimuli} stimuli x {sum(widths.values())} units, {n_bytes / 1e9:.1f} GB, filled in {filling:.0f} s")
    print(f"{'exemplars':<24}{'read GB':>10}{'seconds':>10}{'before MB':>11}{'peak MB':>10}")
    print(f"{f'{n:.0f} units, {n_layers:.0f} layers':<24}{read:>10.1f}{seconds:>10.1f}{before:>11.0f}{peak:>10.0f}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", nargs="+", default=["record", "exemplars"])
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--n", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--n_stimuli", type=int, default=50_000)
    args = parser.parse_args()
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    if "record" in args.rows:
        compare_recording(args.model, args.n, args.rounds)
    if "exemplars" in args.rows:
        measure_exemplars(args.n_stimuli)


if __name__ == "__main__":
    main()
