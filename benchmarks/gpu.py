"""What an accelerator gives: extraction, synthesis, metamers and training, in one table and one JSON file.

Usage: benchmarks/gpu.sh [--device cuda] [--out gpu.json] [--quick]    (under ten minutes; --quick: a walk, on the CPU)

Extraction runs ResNet-50 and ViT-B/16 of timm with random weights (speed does not depend on them), in fp32 and bf16,
plainly and compiled, into a store of pooled activations: from prepared arrays, and from JPEGs that are decoded ahead
of the network. Its opponent is the loop of timm's own benchmark.py (``InferenceBenchmarkRunner``): the network alone on
one batch that stays on the device, channels last, autocast for bf16, the same batch size. The first part of a run
(compilation, choice of kernels) is made before the clock starts. Its environment:
``pip install -r benchmarks/requirements-gpu.txt``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from peers import stop
from PIL import Image

import beholder as bh
from beholder._core.machine import describe_kind
from beholder.models import copy_trainee, pick_device
from beholder.synthesis import Channel, synthesize
from beholder.training import resolve_settings
from beholder.training._learner import Learner

NETWORKS = {"resnet50": ("layer3", "global_pool"), "vit_base_patch16_224": ("blocks.6", "norm")}


@dataclass(frozen=True)
class Size:
    """How much is done."""

    networks: tuple[str, ...] = tuple(NETWORKS)
    side: int = 224
    n_arrays: int = 2048
    n_files: int = 4096
    batch: int = 256
    rounds: int = 30
    batches: tuple[int, ...] = (1, 32, 256)
    steps: int = 20
    n_metamers: int = 64
    iterations: int = 100
    training_batch: int = 128
    updates: int = 10


QUICK = Size(networks=("resnet10t", "test_vit"), side=64, n_arrays=16, n_files=16, batch=8, rounds=2, batches=(1, 4),
             steps=2, n_metamers=4, iterations=4, training_batch=8, updates=2)  # fmt: skip
LAYERS = {**NETWORKS, "resnet10t": ("layer3", "global_pool"), "test_vit": ("blocks.1", "norm")}


def wait(device: str) -> None:
    """Until the device has done all that it was told."""
    place = torch.device(device)
    if place.type != "cpu":
        torch.get_device_module(place).synchronize()


def clock(work: Callable[[], Any], device: str) -> float:
    """Seconds, the device's too."""
    wait(device)
    start = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - start


def time_timm(name: str, size: Size, device: str, precision: str, *, compiled: bool) -> float:
    """Pictures a second of the network alone, as timm's benchmark.py measures it."""
    net = timm.create_model(name, **_find_shape(name, size)).eval().to(device, memory_format=torch.channels_last)
    run: Any = torch.compile(net) if compiled else net
    x = torch.randn(size.batch, 3, size.side, size.side, device=device).contiguous(memory_format=torch.channels_last)
    cast = (
        torch.autocast(torch.device(device).type, torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()
    )
    with torch.inference_mode(), cast:
        for _ in range(max(1, size.rounds // 3)):
            run(x)
        seconds = clock(lambda: [run(x) for _ in range(size.rounds)], device)
    return size.rounds * size.batch / seconds


def _find_shape(name: str, size: Size) -> dict[str, Any]:
    return {"img_size": size.side} if "vit" in name else {}


def make_observer(name: str, size: Size, device: str) -> bh.Model:
    """The network as Beholder has it; at another size than its own, wrapped for arrays."""
    if size.side == 224:
        return bh.load_model(f"timm:{name}@random", device=device)
    torch.manual_seed(0)
    net = timm.create_model(name, **_find_shape(name, size)).eval().to(device)
    return bh.wrap(
        net, preprocess={"resize": size.side, "crop": [size.side, size.side]}, name=name,
    )  # fmt: skip


def time_extraction(
    observer: bh.Model, layers: tuple[str, ...], stimuli: Any, size: Size, folder: Path, **how: Any
) -> float:
    """Pictures a second into a store. A store of one batch comes first: it compiles and picks kernels."""
    n = len(stimuli)
    shutil.rmtree(folder, ignore_errors=True)
    options = {"pool": "mean", "batch_size": min(size.batch, n), **how}
    first = (
        stimuli[: size.batch]
        if isinstance(stimuli, np.ndarray)
        else stimuli.select_fraction(min(1.0, size.batch / n), 0)
    )
    bh.extract(observer, first, layers, out_path=folder / "first", **options)
    seconds = clock(
        lambda: bh.extract(observer, stimuli, layers, out_path=folder / "all", **options), str(observer.device)
    )
    shutil.rmtree(folder, ignore_errors=True)
    return n / seconds


def write_jpegs(folder: Path, n: int, side: int) -> bh.StimulusSet:
    """Pictures of 500 × 375 pixels, as ImageNet's are on average: 64 of them, the others copies."""
    generator = np.random.default_rng(0)
    folder.mkdir(parents=True)
    width, height = (500, 375) if side == 224 else (80, 70)
    known: list[bytes] = []
    for i in range(n):
        path = folder / f"{i:05d}.jpg"
        if len(known) < 64:
            rough = Image.fromarray(generator.integers(0, 256, (24, 32, 3), dtype=np.uint8))
            rough.resize((width, height), Image.Resampling.BICUBIC).save(path, quality=90)
            known.append(path.read_bytes())
        else:
            path.write_bytes(known[i % 64])
    return bh.StimulusSet.from_folder(folder)


def time_decoding(observer: bh.Model, stimuli: bh.StimulusSet) -> float:
    """Pictures a second that all cores decode and prepare."""
    from concurrent.futures import ThreadPoolExecutor

    from beholder.models import load_stimulus

    n = min(len(stimuli), 512)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        start = time.perf_counter()
        list(pool.map(lambda i: load_stimulus(stimuli, i, observer.preprocessing, None, as_uint8=True), range(n)))
        return n / (time.perf_counter() - start)


def measure_extraction(size: Size, device: str, scratch: Path, note: Callable[..., None]) -> None:
    """Each network in fp32 and bf16, plain and compiled."""
    files = write_jpegs(scratch / "jpegs", size.n_files, size.side)
    arrays = np.random.default_rng(1).random((size.n_arrays, 3, size.side, size.side), dtype=np.float32)
    for name in size.networks:
        observer = make_observer(name, size, device)
        decoding = time_decoding(observer, files)
        note("decoding alone", name, "", decoding, "pictures/s")
        for precision in ("fp32", "bf16"):
            for compiled in (False, True):
                how = {"precision": precision, "compile": compiled}
                words = f"{precision}{' compiled' if compiled else ''}"
                alone = time_timm(name, size, device, precision, compiled=compiled)
                note("timm's loop", name, words, alone, "pictures/s")
                held = time_extraction(observer, LAYERS[name], arrays, size, scratch / "store", **how)
                note("extraction from arrays", name, words, held, "pictures/s", held / alone)
                if (precision, compiled) in (("fp32", False), ("bf16", True)):
                    read = time_extraction(observer, LAYERS[name], files, size, scratch / "store", **how)
                    note("extraction from JPEGs", name, words, read, "pictures/s", read / min(decoding, held))


def measure_synthesis(size: Size, device: str, note: Callable[..., None]) -> None:
    """Steps a second towards one channel, and metamers of many pictures at once."""
    name = size.networks[0]
    observer = make_observer(name, size, device)
    objective = Channel("layer3", 3)
    for n in size.batches:
        options: dict[str, Any] = {"n_images": n, "batch_size": n}
        synthesize(observer, objective, steps=2, **options)
        seconds = clock(lambda n=n, o=options: synthesize(observer, objective, steps=size.steps, **o), device)
        note("synthesis", name, f"batch {n}", size.steps / seconds, "steps/s")
    pictures = np.random.default_rng(2).random((size.n_metamers, 3, size.side, size.side), dtype=np.float32)
    make: Any = lambda k: bh.synthesis.make_metamers(  # noqa: E731
        observer, pictures, ["layer3"], iterations=k, batch_size=size.n_metamers, measured=["layer3"]
    )
    make(2)
    seconds = clock(lambda: make(size.iterations), device)
    note(
        "metamers",
        name,
        f"{size.n_metamers} at once",
        size.n_metamers * size.iterations / seconds,
        "steps of pictures/s",
    )


def measure_training(size: Size, device: str, note: Callable[..., None]) -> None:
    """Updates a second from memory."""
    name = size.networks[0]
    observer = make_observer(name, size, device)
    x = torch.rand(size.training_batch, 3, size.side, size.side)
    labels = torch.arange(size.training_batch) % 16
    for precision in ("fp32", "bf16"):
        changes = {"batch_size": size.training_batch, "learning_rate": 0.01, "precision": precision}
        learner = Learner(copy_trainee(observer), resolve_settings("standard", "image", changes), size.updates)
        for _ in range(2):
            learner.learn(x, labels).read()
        seconds = clock(lambda held=learner: [held.learn(x, labels) for _ in range(size.updates)], device)
        note("training", name, precision, size.updates * size.training_batch / seconds, "pictures/s")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--parts", nargs="+", default=["extraction", "synthesis", "training"])
    asked = parser.parse_args()
    size, device = QUICK if asked.quick else Size(), pick_device(asked.device)
    if device == "cpu" and asked.device == "auto":
        stop("an accelerator that torch sees", f"none, by torch {torch.__version__}", "--quick --device cpu for a walk")
    rows: list[dict[str, Any]] = []

    def note(what: str, network: str, how: str, rate: float, unit: str, share: float | None = None) -> None:
        rows.append({"what": what, "network": network, "how": how, "rate": rate, "unit": unit, "share": share})
        told = "" if share is None else f"{share:7.2f}"
        print(f"{what:24} {network:22} {how:16} {rate:12,.1f} {unit:20}{told}", flush=True)
        here = {"device": device, "cores": os.cpu_count(), "python": platform.python_version()}
        machine = {**describe_kind(device), **here}
        asked.out.write_text(json.dumps({"machine": machine, "size": asdict(size), "rows": rows}, indent=2) + "\n")

    print(f"{'what':24} {'network':22} {'how':16} {'rate':>12} {'unit':20}  share", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        if "extraction" in asked.parts:
            measure_extraction(size, device, Path(scratch), note)
        if "synthesis" in asked.parts:
            measure_synthesis(size, device, note)
        if "training" in asked.parts:
            measure_training(size, device, note)


if __name__ == "__main__":
    main()
