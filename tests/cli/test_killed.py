"""Kill -9 at random moments: the next run completes the output to the same bytes."""

from __future__ import annotations

import multiprocessing
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.forking import FORKING

NETWORK = """
import torch
from torch import nn


def build():
    torch.manual_seed(0)
    convolutions = [nn.Conv2d(3, 8, 5, 2), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3)]
    return nn.Sequential(*convolutions, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))


input_range = (0.0, 1.0)
preprocessing = {"kind": "image", "resize": 64, "crop": 64}
"""


def run_command(tokens: list[str]) -> None:
    from beholder.cli._main import run, split_globals

    sys.exit(run(split_globals(tokens)[0]))


def start(tokens: list[str]) -> multiprocessing.Process:
    process = FORKING.Process(target=run_command, args=(tokens,))
    process.start()
    return process  # pyright: ignore[reportReturnType]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("killed")
    generator = np.random.default_rng(0)
    for i in range(30):
        folder = place / "images"
        folder.mkdir(exist_ok=True)
        Image.fromarray(generator.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(folder / f"picture_{i:02d}.png")
    (place / "net.py").write_text(NETWORK, encoding="utf-8")
    (place / "ten.py").write_text(NETWORK.replace("Linear(8, 4)", "Linear(8, 10)"), encoding="utf-8")
    return place


def make_command(kind: str, place: Path, out: Path) -> list[str]:
    net = f"file:{place / 'net.py'}"
    if kind in ("extract", "workers"):
        paths = ["--in_path", str(place / "images"), "--out_path", str(out)]
        return [
            "extract",
            "--model_name",
            net,
            "--module_name",
            "0",
            "2",
            *paths,
            "--batch_size",
            "2",
            "--workers",
            "2" if kind == "workers" else "1",
        ]
    if kind == "record":
        paths = ["--in_path", str(place / "images"), "--out_path", str(out)]
        return ["units", "record", "--model_name", net, *paths, "--batch_size", "2", "--threads", "1"]
    if kind in ("default", "published"):
        pictures = [str(place / "images" / f"picture_{i:02d}.png") for i in range(3)]
        steps = ["-I", "30"] if kind == "default" else ["-I", "20", "-N", "3"]
        more = ["--layers", "0", "2", "--recipe", kind, *steps, "--out_path", str(out), "--threads", "1"]
        return ["metamers", "make", net, *pictures, *more]
    if kind == "null":
        more = ["--layers", "0", "2", "-N", "500", "--out_path", str(out), "--threads", "1"]
        return ["metamers", "null", net, str(place / "images"), *more]
    if kind == "natural":
        more = ["--batch_size", "1", "--pattern", r"picture_\d(\d)", "--device", "cpu", "--out", str(out)]
        return ["evaluate", "natural", f"file:{place / 'ten.py'}", str(place / "images"), *more]
    if kind == "adversarial":
        more = ["--pattern", r"picture_\d(\d)", "--eps", "l2:1,8", "--attacks", "pgd", "random", "--steps", "3"]
        more += ["--batch_size", "1", "--n_checked", "2", "--device", "cpu", "--threads", "1", "--out", str(out)]
        return ["evaluate", "adversarial", f"file:{place / 'ten.py'}", str(place / "images"), *more]
    paths = ["--stimuli_root", str(place), "--folders", "images", "--output_dir", str(out)]
    more = ["--layers", "0", "2", "--replicates", "2", "--batch_size", "2", "--auto_confirm"]
    return ["panel", *paths, "--models", net, *more]


def read_tree(folder: Path) -> dict[str, bytes]:
    skip = ("provenance.json", ".lock", "report.html")
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith(skip))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def finish(tokens: list[str]) -> None:
    process = start(tokens)
    process.join(120)
    assert process.exitcode == 0


def has_receipt(out: Path) -> bool:
    """Whether some part is finished; folders may vanish while this looks."""
    try:
        return any(out.rglob("receipts/*.json"))
    except FileNotFoundError:
        return False


def kill_and_compare(kind: str, place: Path, tmp_path: Path, n_kills: int, seed: int) -> None:
    whole = tmp_path / "whole"
    finish(make_command(kind, place, whole))
    expected = read_tree(whole)
    generator = random.Random(seed)
    began = time.monotonic()
    finish(make_command(kind, place, tmp_path / "again"))
    seconds = time.monotonic() - began
    assert read_tree(tmp_path / "again") == expected
    n_inside = 0
    for kill in range(n_kills):
        out = tmp_path / f"broken{kill}"
        tokens = make_command(kind, place, out)
        process = start(tokens)
        if kill % 2:
            while process.is_alive() and not has_receipt(out):
                time.sleep(0.001)
            time.sleep(generator.random() * seconds / 8)
        else:
            time.sleep(generator.random() * seconds)
        process.kill()
        process.join()
        n_inside += process.exitcode == -signal.SIGKILL
        finish(tokens)
        assert read_tree(out) == expected, f"kill {kill} left other bytes"
    assert n_inside, "no kill fell into the work"


@pytest.mark.parametrize("kind", ["extract", "panel", "default", "published", "null"])
def test_two_kills(kind: str, place: Path, tmp_path: Path) -> None:
    kill_and_compare(kind, place, tmp_path, 2, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", ["extract", "workers", "panel", "record", "default", "published", "null", "natural", "adversarial"]
)
def test_twenty_kills(kind: str, place: Path, tmp_path: Path) -> None:
    kill_and_compare(kind, place, tmp_path, 20, seed=2)
