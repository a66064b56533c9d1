"""Training against a bare loop, decoding, and the passes of an adversarial step, each in one run.

Usage: python benchmarks/training.py [--images FOLDER] [--threads 1] [--clock cpu] [--small]

``decoded``: stimuli in memory, beside the shortest loop of torch on the same batches, weights laid out alike.
``files``: pictures of a folder with a folder for each class, beside reading the same batches without learning, plus
learning without reading; both in one process, so that on the same cores neither hides behind the other.
``attacked``: updates under PGD beside the passes that they are made of: k forward and backward passes for the stimuli,
one more forward pass that judges the last iterate, and one forward and backward pass for the weights.
Rounds alternate; the median of their ratios is told. ``--clock cpu`` counts processor time, where others work, too.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import beholder as bh
from beholder.models import copy_trainee, load_model
from beholder.training import ArrayData, DataSettings, open_training_data, read_ahead, resolve_settings
from beholder.training._learner import Learner
from beholder.training._order import list_batches
from beholder.training._space import LearningSpace, make_perturb

_CLOCK = time.perf_counter


def make_learner(model: bh.Model, preset: str, batch: int, **changes: object) -> Learner:
    settings = resolve_settings(preset, "image", {"batch_size": batch, "learning_rate": 0.01, **changes})
    learning = copy_trainee(model)
    space = LearningSpace(learning)
    return Learner(learning, settings, 10, perturb=make_perturb(space, settings, settings.attack_steps), space=space)


def measure(first: Callable[[], None], second: Callable[[], None], rounds: int) -> tuple[float, float, float]:
    """Median seconds of both, and the median ratio of second to first, alternating."""
    first()
    second()
    times: list[tuple[float, float]] = []
    for i in range(rounds):
        pair = [0.0, 0.0]
        for which in (0, 1) if i % 2 else (1, 0):
            start = _CLOCK()
            (first, second)[which]()
            pair[which] = _CLOCK() - start
        times.append((pair[0], pair[1]))
    ratio = statistics.median(b / a for a, b in times)
    return statistics.median(a for a, _ in times), statistics.median(b for _, b in times), ratio


def run_decoded(model: bh.Model, batch: int, rounds: int) -> tuple[float, float, float]:
    learner = make_learner(model, "standard", batch)
    shape = model.input_shape or ()
    x, labels = torch.rand(2 * batch, *shape), torch.arange(2 * batch) % 16
    data = ArrayData(x, labels, tuple(map(str, range(16))))
    batches = list_batches(2 * batch, batch, epoch=0, seed=1)
    net = copy_trainee(model).module.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)

    def ours() -> None:
        for part, own in read_ahead(data, batches, 0, 1, n_threads=0):
            learner.learn(part, own).read()

    def bare() -> None:
        for indices in batches:
            chosen = torch.from_numpy(indices)
            optimizer.zero_grad()
            functional.cross_entropy(net(model.normalize(x[chosen])), labels[chosen]).backward()
            optimizer.step()

    return measure(ours, bare, rounds)


def run_files(model: bh.Model, folder: Path, batch: int, rounds: int) -> tuple[float, float, float]:
    learner = make_learner(model, "standard", batch)
    data, _ = open_training_data(folder, model, DataSettings(cache_gb=0.0), held_out=0.0)
    batches = list_batches(data.n_stimuli, batch, epoch=0, seed=1)[:3]
    kept = [data.read_batch(indices, 0, 1) for indices in batches]
    kept = [(x, labels % 16) for x, labels in kept]

    def apart() -> None:
        for indices in batches:
            data.read_batch(indices, 0, 1)
        for x, labels in kept:
            learner.learn(x, labels).read()

    def ours() -> None:
        for x, labels in read_ahead(data, batches, 0, 1):
            learner.learn(x, labels % 16).read()

    return measure(apart, ours, rounds)


def run_attacked(model: bh.Model, batch: int, rounds: int, keep: str) -> tuple[float, float, float]:
    learner = make_learner(model, "adversarial", batch, attack_keep=keep)
    x, labels = torch.rand(batch, *(model.input_shape or ())), torch.arange(batch) % 16
    n_steps = learner.settings.attack_steps
    net = copy_trainee(model).module.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)

    def passes() -> None:
        net.eval()
        for parameter in net.parameters():
            parameter.requires_grad_(False)
        for _ in range(n_steps):
            _pass_for_stimuli(net, model, x, labels)
        with torch.no_grad():
            net(model.normalize(x))
        net.train()
        for parameter in net.parameters():
            parameter.requires_grad_(True)
        optimizer.zero_grad()
        functional.cross_entropy(net(model.normalize(x)), labels).backward()
        optimizer.step()

    return measure(passes, lambda: learner.learn(x, labels).read() and None, rounds)


def _pass_for_stimuli(net: nn.Module, model: bh.Model, x: Tensor, labels: Tensor) -> None:
    leaf = x.clone().requires_grad_(True)
    torch.autograd.grad(functional.cross_entropy(net(model.normalize(leaf)), labels), leaf)


def write_pictures(folder: Path, n: int) -> None:
    from PIL import Image

    for i in range(n):
        path = folder / f"class{i % 4}" / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(i).integers(0, 255, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((500, 375)).save(path, quality=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="a folder with a folder for each class; default drawn noise")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--small", action="store_true", help="few and small, to see that all rows run")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    arguments = parser.parse_args()
    global _CLOCK
    _CLOCK = time.perf_counter if arguments.clock == "wall" else time.process_time
    torch.set_num_threads(arguments.threads)
    batch, rounds = (4, 2) if arguments.small else (64, 7)
    model = load_model("beholder:shapes@random", device="cpu")
    rows = {"decoded: bare loop / Beholder's": run_decoded(model, batch, rounds)}
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.images
        if folder is None:
            folder = Path(temporary)
            write_pictures(folder, 4 * batch)
        rows["files: Beholder's / (reading + learning)"] = run_files(model, folder, batch, max(3, rounds // 2))
    for keep in ("best", "last"):
        rows[f"attacked, {keep} iterate: Beholder's / its passes"] = run_attacked(model, batch, rounds, keep)
    where = f"{platform.machine()}, torch {torch.__version__}, {arguments.threads} threads"
    print(f"{where}, batches of {batch}, {arguments.clock} time\n")
    print("| row | seconds | seconds | ratio |\n|---|---|---|---|")
    for name, (a, b, ratio) in rows.items():
        print(f"| {name} | {a:.3f} | {b:.3f} | {ratio:.3f} |")


if __name__ == "__main__":
    main()
