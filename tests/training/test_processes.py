"""Runs in processes of their own: killed at any moment, and several that train one network."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from beholder._core.errors import OtherMachine
from beholder._core.machine import Kind, describe_kind
from beholder.jobs import JobFolder
from beholder.jobs._kind import read_kinds
from beholder.training._order import list_batches
from beholder.training._train import _admit_all

SCRIPT = Path(__file__).with_name("run_training.py")
FILES = ("checkpoints/best.safetensors", "checkpoints/last.safetensors", "settings.json")


def start(out: Path, *words: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, str(SCRIPT), str(out), *words], env=environment, stderr=subprocess.DEVNULL)


def kill_often(out: Path, n_kills: int, words: tuple[str, ...], seed: int) -> int:
    """Kill a run at random moments after it has begun to write; how many kills met a live run."""
    rng, n_met = random.Random(seed), 0
    for _ in range(n_kills):
        process = start(out, *words)
        beginning = time.monotonic()
        while not (out / "settings.json").exists() and process.poll() is None and time.monotonic() - beginning < 120:
            time.sleep(0.01)
        wait = time.monotonic() + rng.uniform(2.0, 7.0)
        while time.monotonic() < wait and process.poll() is None:
            time.sleep(0.005)
        n_met += process.poll() is None
        process.kill()
        process.wait()
    return n_met


def compare_killed(tmp_path: Path, n_kills: int, epochs: str, seconds: str) -> None:
    assert start(tmp_path / "whole", epochs, "0", "norm").wait() == 0
    n_met = kill_often(tmp_path / "killed", n_kills, (epochs, seconds, "norm"), seed=3)
    assert start(tmp_path / "killed", epochs, "0", "norm").wait() == 0
    assert n_met >= n_kills // 2
    for name in FILES:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


@pytest.mark.slow
def test_killed_at_twenty_moments_ends_at_the_same_bytes(tmp_path: Path) -> None:
    compare_killed(tmp_path, 20, "12", "0.3")


def launch(out: Path, *words: str) -> subprocess.Popen[bytes]:
    """Two processes that train one network, started by torchrun."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*launcher, str(SCRIPT), str(out), *words], env=environment, stderr=subprocess.DEVNULL)


@pytest.mark.slow
def test_two_processes_that_were_killed_go_on_to_the_same_bytes(tmp_path: Path) -> None:
    """With batch norm, whose statistics each process has of its own stimuli, and an attack that looks at them."""
    whole = launch(tmp_path / "whole", "6", "0", "norm")
    assert whole.wait() == 0
    killed = launch(tmp_path / "killed", "6", "0.3", "norm")
    states = tmp_path / "killed" / "state"
    while killed.poll() is None and not any(int(path.stem) % 5 for path in states.glob("0*.safetensors")):
        time.sleep(0.002)
    # torchrun's children have sessions of their own
    subprocess.run(["pkill", "-9", "-f", str(tmp_path / "killed")], check=True)
    killed.wait()
    assert max(int(path.stem) for path in states.glob("0*.safetensors")) % 5, "killed within an epoch of five updates"
    assert launch(tmp_path / "killed", "6", "0", "norm").wait() == 0
    for name in FILES:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


@pytest.mark.slow
def test_what_each_of_two_processes_left_out_is_listed(tmp_path: Path) -> None:
    assert launch(tmp_path / "two", "1", "0", "damaged").wait() == 0
    batches = list_batches(76, 16, epoch=0, seed=42)
    first, second = ({int(i) for batch in batches for i in batch[rank::2] if i < 12} for rank in (0, 1))
    assert first and second, "each of them came upon some"
    outputs = json.loads((tmp_path / "two" / "provenance.json").read_text())["outputs"]
    assert outputs["."]["skipped"] == sorted(map(str, first | second))
    assert f'"n_skipped": {len(first | second)}' in (tmp_path / "two" / "log.jsonl").read_text()


@pytest.mark.slow
def test_a_process_on_another_kind_of_machine_is_refused_or_listed(tmp_path: Path) -> None:
    """Whichever it is: the first one's kind is the run's, the second one is on another."""
    assert launch(tmp_path / "two", "1", "0", "elsewhere").wait() != 0
    assert not list((tmp_path / "two").rglob("*.safetensors")), "before anything is learnt"
    assert launch(tmp_path / "two", "1", "0", "elsewhere", "mixed").wait() == 0
    outputs = json.loads((tmp_path / "two" / "provenance.json").read_text())["outputs"]
    assert [("SSE41" in each["kind"]) for each in outputs["."]["machines"]] == [False, True]


class Others:
    """Stands for a group of processes, of which this one sees what all have."""

    def __init__(self, kinds: Sequence[Kind]) -> None:
        self.kinds = list(kinds)

    def gather(self, value: Any) -> list[Any]:
        return self.kinds if isinstance(value, dict) else [value, None]


def test_every_process_is_held_against_the_machine_of_the_run(tmp_path: Path) -> None:
    own = describe_kind("cpu")
    other = {**own, "gpu": "another"}
    folder = JobFolder(tmp_path / ".out.jobs", tmp_path / "out")
    _admit_all(Others([own, own]), folder, "cpu")  # pyright: ignore[reportArgumentType]
    with pytest.raises(OtherMachine, match="of another kind \\(another\\)"):
        _admit_all(Others([own, other]), folder, "cpu")  # pyright: ignore[reportArgumentType]
    folder.mixed = True
    _admit_all(Others([own, other]), folder, "cpu")  # pyright: ignore[reportArgumentType]
    assert "another" in read_kinds(folder.path)[1].popitem()[1]


@pytest.mark.slow
def test_two_processes_learn_as_one_does(tmp_path: Path) -> None:
    """Started by torchrun, with gloo; without batch norm and dropout the gradient is that of the whole batch."""
    assert start(tmp_path / "one", "2", "0").wait() == 0
    assert launch(tmp_path / "two", "2", "0").wait() == 0
    one, two = (load_file(tmp_path / name / FILES[1]) for name in ("one", "two"))
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-4, atol=1e-5)
    rows = [(tmp_path / name / "log.csv").read_text().splitlines() for name in ("one", "two")]
    for a, b in zip(rows[0][1:], rows[1][1:], strict=True):
        assert [float(x or 0) for x in a.split(",")[3:9]] == pytest.approx(
            [float(x or 0) for x in b.split(",")[3:9]], rel=1e-3
        )
