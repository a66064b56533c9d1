"""PGD beside torchattacks and foolbox, auto-PGD beside AutoAttack: seconds, and how many stimuli stay right.

Each row is one attack on one batch, without random starts (auto-PGD: from the same random numbers), and the answers
to what it made. The bare loop is k forward and backward passes and one more forward pass, without any attack.

    python benchmarks/attacks.py --images FOLDER --autoattack CLONE
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peers import import_peer
from torch import Tensor, nn

import beholder as bh
from beholder.synthesis import measure_norms, open_attack_space, run_apgd, run_pgd

RADII = {"linf": 0.3 / 255, "l2": 0.15, "l1": 3.0}
EASY = 0.2  # auto-PGD's radii, in those of PGD


class Whole(nn.Module):
    """A network from prepared pictures on, as the other packages take it."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.module, self.normalize = net.module.eval().requires_grad_(False), net.normalize

    def forward(self, x: Tensor) -> Tensor:
        return self.module(self.normalize(x))


def load_pictures(net: Any, folder: Path | None, n: int) -> Tensor:
    """Evenly through a folder's pictures, or noise."""
    if folder is None:
        return torch.rand(n, *net.input_shape, generator=torch.Generator().manual_seed(0))
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    chosen = [files[i * len(files) // n] for i in range(n)]
    return torch.tensor(np.stack([net.prepare(path) for path in chosen]))


def run_bare(whole: nn.Module, x: Tensor, labels: Tensor, n_steps: int) -> Tensor:
    """The passes of an attack, alone."""
    for _ in range(n_steps):
        leaf = x.clone().requires_grad_(True)
        torch.autograd.grad(nn.functional.cross_entropy(whole(leaf), labels, reduction="sum"), leaf)
    return x


def list_rows(whole: nn.Module, x: Tensor, labels: Tensor, n_steps: int) -> dict[str, tuple[Callable[[], Tensor], str]]:
    """Opponents and the norm of each."""
    torchattacks, foolbox = import_peer("torchattacks", "attacks"), import_peer("foolbox", "attacks")
    model = foolbox.PyTorchModel(whole, bounds=(0, 1), device="cpu")

    def run_foolbox(name: str, radius: float) -> Tensor:
        attack = getattr(foolbox.attacks, name)(rel_stepsize=0.25, steps=n_steps, random_start=False)
        parts = [slice(i, i + 1) for i in range(len(x))] if "L1" in name else [slice(None)]
        made = [attack(model, x[p], foolbox.criteria.Misclassification(labels[p]), epsilons=radius)[1] for p in parts]
        return torch.cat(made)

    def run_torchattacks(name: str, radius: float) -> Tensor:
        kind = getattr(torchattacks, name)
        return kind(whole, eps=radius, alpha=radius / 4, steps=n_steps, random_start=False)(x, labels)

    return {
        "torchattacks PGD": (lambda: run_torchattacks("PGD", RADII["linf"]), "linf"),
        "torchattacks PGDL2": (lambda: run_torchattacks("PGDL2", RADII["l2"]), "l2"),
        "foolbox Linf PGD": (lambda: run_foolbox("LinfProjectedGradientDescentAttack", RADII["linf"]), "linf"),
        "foolbox L2 PGD": (lambda: run_foolbox("L2ProjectedGradientDescentAttack", RADII["l2"]), "l2"),
        "foolbox sparse L1, one by one": (lambda: run_foolbox("SparseL1DescentAttack", RADII["l1"]), "l1"),
    }


def list_auto_rows(folder: str, whole: nn.Module, x: Tensor, labels: Tensor, n_steps: int) -> dict[str, Any]:
    """The published auto-PGD: name, its run, ours as keywords."""
    sys.path.insert(0, folder)
    from autoattack.autopgd_base import APGDAttack, APGDAttack_targeted  # type: ignore[import-not-found]

    rows: dict[str, Any] = {}
    for norm, published in (("linf", "Linf"), ("l2", "L2"), ("l1", "L1")):
        common = {
            "n_iter": n_steps, "norm": published, "eps": RADII[norm] * EASY, "seed": 0, "device": "cpu",
            "use_largereps": norm == "l1",
        }  # fmt: skip
        plain, targeted = APGDAttack(whole, **common), APGDAttack_targeted(whole, n_target_classes=2, **common)
        rows[f"APGD-CE {published}"] = (lambda a=plain: a.perturb(x, labels), norm, {})
        rows[f"APGD-T {published}"] = (lambda a=targeted: a.perturb(x, labels), norm, {"loss": "dlr", "n_targets": 2})
    return rows


def compare(rounds: int, runs: dict[str, Callable[[], Tensor]]) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Median seconds of each over rounds in which they take turns, and what each made."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    made: dict[str, Tensor] = {}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            made[name] = run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(each) for name, each in seconds.items()}, made


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="torchvision:squeezenet1_1")
    parser.add_argument("--images", type=Path, help="a folder of pictures; noise without")
    parser.add_argument("--n_images", type=int, default=16)
    parser.add_argument("--n_steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--autoattack", help="a clone of AutoAttack; without, auto-PGD is left out")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    import_peer("torchattacks", "attacks")
    net = bh.load_model(args.model)
    space, whole = open_attack_space(net), Whole(net).eval()  # torchattacks puts it back as it found it
    x = load_pictures(net, args.images, args.n_images)
    with torch.no_grad():
        labels = whole(x).argmax(1)

    def is_right(attacked: Tensor) -> Tensor:
        with torch.no_grad():
            return whole(attacked).argmax(1) == labels

    def run_ours(norm: str) -> Tensor:
        found = run_pgd(
            space.predict, x, labels, norm=norm, radius=RADII[norm], n_steps=args.n_steps, step_size=RADII[norm] / 4,
            keep="last", low=0.0, high=1.0,
        )  # fmt: skip
        assert (measure_norms(found.x - x, norm) <= RADII[norm] * (1 + 1e-5)).all()
        return found.x

    def answer(run: Callable[[], Tensor]) -> Callable[[], Tensor]:
        def attack_and_answer() -> Tensor:
            made = run()
            is_right(made)
            return made

        return attack_and_answer

    print(
        f"torch {torch.__version__}, {args.threads} threads, {args.model}, {args.n_images} pictures, all right before"
    )
    print("| attack | theirs | bare loop | beholder | × theirs | of bare | right: theirs | beholder | the same |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, (theirs, norm) in list_rows(whole, x, labels, args.n_steps).items():
        runs = {
            "theirs": answer(theirs),
            "bare": answer(lambda: run_bare(whole, x, labels, args.n_steps)),
            "ours": lambda norm=norm: run_ours(norm),
        }
        seconds, made = compare(args.rounds, runs)
        print_row(name, seconds, is_right(made["theirs"]), is_right(made["ours"]))
    for name, (theirs, norm, more) in (
        list_auto_rows(args.autoattack, whole, x, labels, args.n_steps).items() if args.autoattack else ()
    ):

        def run_auto(norm: str = norm, more: dict[str, Any] = more) -> Tensor:
            return run_apgd(
                space.predict, x, labels, norm=norm, radius=RADII[norm] * EASY, n_steps=args.n_steps, low=0.0, high=1.0,
                generator=torch.Generator().manual_seed(0), **more,
            ).x  # fmt: skip

        seconds, made = compare(1, {"theirs": theirs, "ours": run_auto})
        print_row(name, seconds, is_right(made["theirs"]), is_right(made["ours"]))


def print_row(name: str, seconds: dict[str, float], theirs: Tensor, ours: Tensor) -> None:
    """One row of the table."""
    bare = seconds.get("bare")
    times = f"{seconds['theirs']:.2f} s | {'–' if bare is None else f'{bare:.2f} s'} | {seconds['ours']:.2f} s"
    share = "–" if bare is None else f"{seconds['ours'] / bare:.2f}"
    ratios = f"{seconds['theirs'] / seconds['ours']:.2f} | {share}"
    counts = f"{int(theirs.sum())} | {int(ours.sum())} | {int((theirs == ours).sum())} of {len(ours)}"
    print(f"| {name} | {times} | {ratios} | {counts} |", flush=True)


if __name__ == "__main__":
    main()
