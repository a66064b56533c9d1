"""Many workers on many machines in a folder whose file system has no locks."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from beholder.jobs import JobFolder, run_plan

sys.path.insert(0, str(Path(__file__).parent))

from sample_work import SquareWorker, plan_squares

PLAN = plan_squares(48, 2)

STARTED_SO = """
import errno, fcntl, os, platform
def refuse(file, operation):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
fcntl.flock = refuse
platform.node = lambda: os.environ["NODE"]
from beholder._core import leases
leases.BEAT_SECONDS, leases.PATIENCE_SECONDS = 0.1, 1.5
"""
"""What each process runs first: its file system refuses locks, and it is on a machine of its own."""

WORK = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from sample_work import SquareWorker, plan_squares
from beholder.jobs import JobFolder, open_output
out = Path(sys.argv[1])
with open_output(JobFolder(out.parent / ".out.jobs", out), shared=True) as output:
    output.settle({"power": 2})
    output.run(plan_squares(48, 2), SquareWorker(out, seconds=0.03), n_workers=int(sys.argv[2]))
"""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "started").mkdir()
    (tmp_path / "started" / "sitecustomize.py").write_text(STARTED_SO, encoding="utf-8")
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def start(out: Path, node: str, n_workers: int = 1) -> subprocess.Popen[bytes]:
    path = [str(out.parent / "started"), str(Path(__file__).parents[2] / "src"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "NODE": node, "PYTHONPATH": os.pathsep.join(path)}
    command = [sys.executable, "-c", WORK, str(out), str(n_workers), str(Path(__file__).parent)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)


def check_whole(out: Path) -> None:
    plain = JobFolder(out.parent / ".plain.jobs", out.parent / "plain")
    plain.output.mkdir()
    wanted = run_plan(PLAN, SquareWorker(plain.output), plain)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        path.name: path.read_bytes() for path in plain.output.iterdir()
    }
    folder = JobFolder(out.parent / ".out.jobs", out)
    assert [folder.read_receipt(PLAN.hash, shard) for shard in PLAN.shards] == wanted


def test_workers_of_two_machines_share_one_plan(out: Path) -> None:
    runs = [start(out, "node1", 2), start(out, "node2")]
    said = [run.communicate()[1].decode() for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert "without locks: files with a heartbeat" in said[0]
    check_whole(out)
    assert not list(out.parent.rglob("*.lease*"))


def test_what_a_dead_machine_held_is_taken_over(out: Path) -> None:
    dead = start(out, "node1")
    while len(list(out.iterdir())) < 3:
        assert dead.poll() is None, dead.communicate()[1].decode()
        time.sleep(0.01)
    dead.kill()
    dead.communicate()
    assert list(out.parent.rglob("*.lease"))
    after = start(out, "node2")
    assert after.communicate()[1] is not None and after.returncode == 0
    check_whole(out)


@pytest.mark.slow
def test_twenty_kills_of_workers_on_three_machines(out: Path) -> None:
    draw = random.Random(7)
    runs = [start(out, f"node{i}") for i in range(3)]
    for _ in range(20):
        time.sleep(draw.uniform(0.3, 1.2))
        i = draw.randrange(3)
        if runs[i].poll() is None:
            runs[i].send_signal(signal.SIGKILL)
        runs[i].communicate()
        runs[i] = start(out, f"node{i}")
    for run in runs:
        run.communicate()
    assert [run.returncode for run in runs] == [0, 0, 0]
    check_whole(out)
