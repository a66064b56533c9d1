"""What a million pictures through fourteen networks cost on 1, 8 and 64 GPUs, and where it stops: a model.

Rates of GPUs are published ones; decoding, the store and the book-keeping of 64 workers are measured here.

Usage: python benchmarks/scale.py [--workers 64] [--shards 2000] [--cluster dask:ADDRESS]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from beholder._core.files import sync_files, write_bytes
from beholder.jobs import Finish, JobFolder, Plan, Shard, Worker, long_work, run_plan

N_PICTURES = 1_000_000


@dataclass(frozen=True)
class Network:
    """A network of the panel.

    Attributes
    ----------
    name : str
    eager, compiled : float
        Pictures a second on one GPU.
    n_values : int
        Numbers that are stored a picture, with ``--pool mean``: channels of the recorded layers.
    """

    name: str
    eager: float
    compiled: float
    n_values: int


PANEL = (
    Network("ResNet50", 4217.6, 8237.5, 9_664),
    Network("ResNeXt-101-WSL", 1397.0, 2646.7, 67_136),
    Network("ConvNeXt-Large", 1206.2, 1475.0, 27_072),
    Network("CORNet-S", 4217.6 / 2, 8237.5 / 2, 960),  # not in the table: half of ResNet50's
    Network("VGG19", 1994.6, 3200.7, 1_472),
    Network("ViT-B-16", 2787.2, 3345.7, 9_984),
    Network("ViT-B-32-timm", 10112.9, 11925.1, 9_216),
    Network("DeiT-Base", 2847.8, 3344.8, 9_216),
    Network("ResNet50-CLIP", 3513.4, 6340.6, 22_656),
    Network("ConvNeXt-Large-CLIP", 587.8, 724.0, 27_072),
    Network("ViT-B-16-CLIP", 2783.6, 3342.0, 9_216),
    Network("ViT-B-32-CLIP", 10127.5, 11887.6, 9_216),
    Network("ViT-B-16-LAION-CLIP", 2783.6, 3342.0, 9_216),
    Network("SLIP ViT-Small", 7693.4, 9666.0, 1_920),
)
"""Rates: RTX 4090, mixed precision, PyTorch 2.4, eager and compiled, of the same architecture and picture size.

Source: timm, ``results/benchmark-infer-amp-nchw-pt240-cu124-rtx4090.csv`` and ``…-dynamo.csv``, at aa4b585.
"""


@dataclass(frozen=True)
class Site:
    """What work is done on.

    Attributes
    ----------
    n_gpus : int
        One worker each.
    decode_rate : float
        Pictures a second that one core decodes and prepares.
    store_bytes : float
        Bytes a second that the file system takes from all workers together.
    receipt_rate : float
        Shards a second that claims and receipts keep up with.
    cores_per_gpu : int
    load_seconds : float
        Until a worker has a network ready, once a network.
    """

    n_gpus: int
    decode_rate: float
    store_bytes: float
    receipt_rate: float
    cores_per_gpu: int = 8
    load_seconds: float = 20.0


@dataclass(frozen=True)
class PassCost:
    """What one network costs.

    Attributes
    ----------
    seconds : float
    limit : str
        What takes longest: ``network``, ``decode``, ``store`` or ``receipts``.
    n_shards, n_bytes : int
    parts : dict of str to float
        Seconds that each would take alone; they overlap.
    """

    seconds: float
    limit: str
    n_shards: int
    n_bytes: int
    parts: dict[str, float] = field(default_factory=dict)


def cut_pass(n_values: int, n_pictures: int, micro_batch: int = 64) -> tuple[int, int]:
    """Pictures in a shard, and shards, as an extraction cuts them on an accelerator.

    >>> cut_pass(9_664, 1_000_000)
    (1728, 579)
    """
    most = max(256, 2 ** math.ceil(math.log2(max(1, n_pictures / 64))))
    rows = micro_batch * max(1, min(2**26 // (4 * n_values * micro_batch), most // micro_batch))
    return rows, math.ceil(n_pictures / rows)


def cost_pass(network: Network, site: Site, n_pictures: int = N_PICTURES, *, compiled: bool = False) -> PassCost:
    """Seconds of one network: the longest of what overlaps, and loading.

    Workers take whole shards, so that ``ceil(n_shards / n_gpus)`` shards follow one another on the busiest.
    """
    rows, n_shards = cut_pass(network.n_values, n_pictures)
    in_turn = math.ceil(n_shards / site.n_gpus) * rows
    n_bytes = 4 * network.n_values * n_pictures
    parts = {
        "network": in_turn / (network.compiled if compiled else network.eager),
        "decode": in_turn / (site.decode_rate * site.cores_per_gpu),
        "store": n_bytes / site.store_bytes,
        "receipts": n_shards / site.receipt_rate,
    }
    limit = max(parts, key=parts.__getitem__)
    return PassCost(site.load_seconds + parts[limit], limit, n_shards, n_bytes, parts)


def find_receipt_need(costs: list[PassCost]) -> float:
    """Shards a second that the fastest pass finishes, were there no limit to receipts."""
    return max(cost.n_shards / max(s for name, s in cost.parts.items() if name != "receipts") for cost in costs)


def measure_decoding(n: int = 200) -> float:
    """Pictures a second that one core decodes, resizes and crops: JPEGs of 500 × 375 pixels, like ImageNet's."""
    from PIL import Image

    from beholder.models import ImagePreprocessing

    draws = np.random.default_rng(0)
    smooth = Image.fromarray(draws.integers(0, 256, (24, 32, 3), np.uint8)).resize((500, 375), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    smooth.save(buffer, "JPEG", quality=90)
    prepare = ImagePreprocessing()
    begun = time.perf_counter()
    for _ in range(n):
        prepare.prepare(Image.open(io.BytesIO(buffer.getvalue())))
    return n / (time.perf_counter() - begun)


def measure_store(folder: Path, n: int = 8) -> float:
    """Bytes a second that shards of 64 MB reach the disk with, checksums and all."""
    from beholder.activations.store._shard_file import plan_layout, write_shard

    values = np.random.default_rng(0).standard_normal((1728, 9664), dtype=np.float32)
    layout = plan_layout(len(values), values.shape[1:], "float32")
    begun = time.perf_counter()
    for i in range(n):
        write_shard(folder / f"{i}", values, layout)
        sync_files([folder / f"{i}"], folder)
    return n * values.nbytes / (time.perf_counter() - begun)


@dataclass
class StubWorker(Worker):
    """A network that takes no time: each shard is a file of 4 KB."""

    out: Path
    lookahead: int = 1

    @contextlib.contextmanager
    def open(self, n_workers: int) -> Iterator[Callable[[Shard], Finish]]:
        """Nothing to get ready."""
        yield lambda shard: lambda: (self._write(shard), {})

    def _write(self, shard: Shard) -> dict[str, int]:
        write_bytes(self.out / shard.key, bytes(4096))
        return {shard.key: 4096}


@dataclass(frozen=True)
class Booked:
    """What the book-keeping of stub networks took.

    Attributes
    ----------
    rate : float
        Shards a second that are claimed, written and vouched for, from the first one to the last.
    seconds_before : float
        Until the first.
    cpu_ms : float
        Processor time of all workers for a shard, the start of their processes included.
    """

    rate: float
    seconds_before: float
    cpu_ms: float


@long_work
def run_stubs(plan: Plan, out: Path, jobs: JobFolder, n_workers: int, cluster: str | None = None) -> None:
    """Finish a plan by processes of this machine, or by the workers of a scheduler."""
    run_plan(plan, StubWorker(out), jobs, n_workers=n_workers, executor="dask" if cluster else "processes")


def measure_receipts(folder: Path, n_workers: int, n_shards: int, cluster: str | None = None) -> Booked:
    """Let stub workers finish a plan; processor time of a scheduler's workers is not known here."""
    out = folder / "out"
    out.mkdir()
    jobs = JobFolder(folder / f".{out.name}.jobs", out)
    plan = Plan("stubs", {}, tuple(Shard(f"s{i:06d}", 1, {"i": i}) for i in range(n_shards)), "shards")
    begun, used = time.time(), sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    run_stubs(plan, out, jobs, n_workers, cluster=cluster)
    times = sorted(path.stat().st_mtime for path in (jobs.path / "receipts").glob("*.json"))
    used = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - used
    return Booked((n_shards - 1) / (times[-1] - times[0]), times[0] - begun, 1000 * used / n_shards)


def main() -> None:
    """Measure, and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--shards", type=int, default=2000)
    parser.add_argument(
        "--store_gb", type=float, default=2.0, help="GB/s that a shared file system takes from all workers"
    )
    parser.add_argument("--cluster", help="dask:ADDRESS, whose workers take the place of processes")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp)
        decode = measure_decoding()
        here = measure_store(folder)
        print(f"decoding: {decode:.0f} pictures/s a core; this disk: {here / 1e6:.0f} MB/s")
        found = measure_receipts(folder, asked.workers, asked.shards, asked.cluster)
        who = f"{asked.workers} workers on {os.cpu_count()} cores"
        told = f"{found.rate:.0f} shards/s after {found.seconds_before:.1f} s"
        print(f"{who}: {told}, {found.cpu_ms:.1f} ms of CPU a shard")
    print_costs(decode, asked.store_gb * 1e9, found.rate)


def print_costs(decode_rate: float, store_bytes: float, receipt_rate: float) -> None:
    """A row a number of GPUs, eager and compiled; then each network's limit on the most GPUs."""
    print(f"{'GPUs':>5} {'':<9}{'hours':>8}{'GPU hours':>11}{'shards/s':>10}  limits")
    for n_gpus in (1, 8, 64):
        for compiled in (False, True):
            site = Site(n_gpus, decode_rate, store_bytes, receipt_rate)
            costs = [cost_pass(network, site, compiled=compiled) for network in PANEL]
            hours = sum(cost.seconds for cost in costs) / 3600
            limits = [cost.limit for cost in costs]
            told = ", ".join(f"{limits.count(name)} {name}" for name in dict.fromkeys(limits))
            how = "compiled" if compiled else "eager"
            print(f"{n_gpus:>5} {how:<9}{hours:>8.2f}{hours * n_gpus:>11.1f}{find_receipt_need(costs):>10.1f}  {told}")
    n_bytes = sum(cost.n_bytes for cost in costs)
    print(f"{sum(cost.n_shards for cost in costs)} shards, {n_bytes / 1e9:.0f} GB")


if __name__ == "__main__":
    main()
