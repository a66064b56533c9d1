"""A real SLURM runs the scripts: an extraction, metamers that the wall time cuts off, and what goes wrong."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.slurm_cluster import ask, open_slurm, wait_for

from beholder.cli._main import main

from .test_array import read_tree
from .test_killed import NETWORK, finish, make_command, place

__all__ = ["place"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def slurm() -> Iterator[dict[str, str]]:
    with (
        tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as folder,
        open_slurm(Path(folder)) as variables,
    ):
        yield variables


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slurm: dict[str, str]) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, value in {**slurm, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def submit(command: list[str], cluster: str, slurm: dict[str, str]) -> str:
    """Write the scripts, submit them, wait until the queue is empty; what the jobs said."""
    with pytest.raises(SystemExit, match="0"):
        main([*command, "--cluster", cluster])
    (folder,) = Path("beholder-jobs").iterdir()
    subprocess.run(["bash", str(folder / "submit.sh")], check=True, timeout=120)

    waiting: dict[str, float] = {}

    def is_through() -> bool:
        """A job that was put back waits for two minutes: here for as long as it takes to end what it was."""
        back = {line.split()[0] for line in ask(["squeue", "-h", "-r", "-o", "%A %r"], slurm).splitlines()
                if "BeginTime" in line}  # fmt: skip
        for job in back:
            if time.monotonic() - waiting.setdefault(job, time.monotonic()) > 10:
                ask(["scontrol", "update", f"JobId={job}", "StartTime=now"], slurm)
        for job in waiting.keys() - back:
            del waiting[job]
        return not ask(["squeue", "-h"], slurm)

    wait_for(is_through, 900)
    return "".join(path.read_text(encoding="utf-8") for path in sorted(folder.rglob("logs/*")))


def test_an_extraction(place: Path, here: Path, slurm: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    finish(make_command("extract", place, here / "plain"))
    said = submit(make_command("extract", place, here / "array"), "script:tasks=100,throttle=2,cpus=1,time=10", slurm)
    assert "this cluster's arrays have 4 jobs at most, not 100" in capsys.readouterr().out
    assert "error" not in said and said.count("no part is left") == 4
    assert read_tree(here / "array") == read_tree(here / "plain")


def run(command: list[str]) -> str:
    """Run a command in a process of its own; what it logs."""
    done = subprocess.run(
        [sys.executable, "-m", "beholder.cli", *command], capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


NAPPING = """
import os
import time


class Napping(nn.Conv2d):
    def forward(self, x):
        time.sleep(float(os.environ.get("NAP", "0")))
        return super().forward(x)


def build():
    torch.manual_seed(0)
    convolutions = [Napping(3, 8, 5, 2), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3)]
    return nn.Sequential(*convolutions, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
"""
"""A network that takes its time, as long as NAP says, on however busy a machine."""


def make_metamers(place: Path, out: Path) -> list[str]:
    """Of six metamers each is some 120 naps long."""
    (place / "napping.py").write_text(NETWORK + NAPPING, encoding="utf-8")
    command = make_command("published", place, out)
    command[2], steps = f"file:{place / 'napping.py'}", command.index("-I")
    return [*command[:steps], "-I", "40", *command[steps + 2 :]]


def test_metamers_in_jobs_that_are_too_short_for_them(
    place: Path, here: Path, slurm: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(make_metamers(place, here / "plain"))
    monkeypatch.setenv("NAP", "0.1")
    said = submit(make_metamers(place, here / "array"), "script:tasks=1,cpus=1,time=1", slurm)
    n_starts = len(re.findall(r"metamers napping: .* in \d shards?\n", said))
    assert "its time is over" in said and n_starts > 1 and "error: expected" not in said, said
    assert read_tree(here / "array") == read_tree(here / "plain")


def test_a_job_that_the_wall_time_ends_is_named_and_asked_for_again(
    place: Path, here: Path, slurm: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue's signals do not reach it: it is killed in the middle of a part, and what is missing is named."""
    command = make_metamers(place, here / "array")
    monkeypatch.setenv("NAP", "0.3")
    with pytest.raises(SystemExit, match="0"):
        main([*command, "--cluster", "script:tasks=1,cpus=1,time=1"])
    (folder,) = Path("beholder-jobs").iterdir()
    text = (folder / "array.sh").read_text(encoding="utf-8")
    deaf = text.replace("USR1", "URG").replace('kill -TERM "$task"', ":").replace("+ 60 ", "+ 9999 ")
    (folder / "array.sh").write_text(deaf, encoding="utf-8")
    subprocess.run(["bash", str(folder / "submit.sh")], check=True, timeout=120)
    wait_for(lambda: not ask(["squeue", "-h"], slurm), 600)
    said = "".join(path.read_text(encoding="utf-8") for path in sorted((folder / "logs").iterdir()))
    assert "DUE TO TIME LIMIT" in said
    assert "error: expected every one of 6 parts; got" in said and "again, which asks for what is missing" in said
    monkeypatch.setenv("NAP", "0")
    submit(command, "script:tasks=4,cpus=1,time=30", slurm)
    run(make_metamers(place, here / "plain"))
    assert read_tree(here / "array") == read_tree(here / "plain")


def test_a_job_without_its_data_says_so_and_the_others_go_on(place: Path, here: Path, slurm: dict[str, str]) -> None:
    """One machine has one file system, so the first job is given a folder that is not there."""
    command = make_command("extract", place, here / "array")
    with pytest.raises(SystemExit, match="0"):
        main([*command, "--cluster", "script:tasks=2,cpus=1,time=10"])
    (folder,) = Path("beholder-jobs").iterdir()
    text = (folder / "array.sh").read_text(encoding="utf-8")
    images = str(place / "images")
    (folder / "array.sh").write_text(
        text.replace(f"{images} ", f'$([ "$SLURM_ARRAY_TASK_ID" = 0 ] && echo {images}-gone || echo {images}) '),
        encoding="utf-8",
    )
    subprocess.run(["bash", str(folder / "submit.sh")], check=True, timeout=120)
    wait_for(lambda: not ask(["squeue", "-h"], slurm), 400)
    logs = [path.read_text(encoding="utf-8") for path in sorted((folder / "logs").iterdir())]
    assert [log.count("error: expected") for log in logs] == [1, 0, 0]
    finish(make_command("extract", place, here / "plain"))
    assert read_tree(here / "array") == read_tree(here / "plain")


def test_jobs_that_dask_starts(place: Path, here: Path, slurm: dict[str, str]) -> None:
    pytest.importorskip("dask_jobqueue")
    run(make_command("default", place, here / "plain"))
    said = run(
        [*make_command("default", place, here / "jobs"), "--workers", "2", "--cluster",
         "slurm:cpus=1,memory=1GB,time=10,interface=lo,wait=300"]
    )  # fmt: skip
    assert "2 workers on 1 machines" in said and "dashboard" in said
    logs = list((here / "beholder-jobs" / "logs").iterdir())
    assert len(logs) >= 2 and not list((here / "beholder-jobs").glob(".keys-*")), "its keys are deleted"
    wait_for(lambda: not ask(["squeue", "-h"], slurm), 60)  # jobs end with the command
    assert read_tree(here / "jobs") == read_tree(here / "plain")


def test_a_whole_study(place: Path, here: Path, slurm: dict[str, str]) -> None:
    """Six steps, each an array and the job after it, begun when those that it needs have succeeded."""
    import pandas as pd

    (here / "named.py").write_text(
        NETWORK.replace("Linear(8, 4)", "Linear(8, 10)") + "\n\nclasses = [f'c{i}' for i in range(10)]\n", "utf-8"
    )
    for i in range(4):
        (here / "few" / f"c{i}").mkdir(parents=True)
        shutil.copy(place / "images" / f"picture_{i:02d}.png", here / "few" / f"c{i}")
    words = ["replicate", "file:named.py", "--natural", str(place / "images"), "--layers", "0", "--recipe",
             "default", "--iterations", "60", "--n_pairs", "40", "--n_draws", "2", "--norm", "l2", "--eps", "1",
             "--attack_steps", "2", "--n_attacked", "4", "--stimuli", "few", "--labelled", "few"]  # fmt: skip
    run([*words, "--out_path", "plain"])
    said = submit([*words, "--out_path", "jobs"], "script:tasks=2,cpus=1,time=10", slurm)
    assert "error: expected" not in said, said
    names = [sorted(path.relative_to(here / each).as_posix() for path in (here / each).rglob("*.parquet"))
             for each in ("plain", "jobs")]  # fmt: skip
    assert names[0] == names[1] and len(names[0]) >= 4
    for name in names[0]:
        pd.testing.assert_frame_equal(pd.read_parquet(here / "jobs" / name), pd.read_parquet(here / "plain" / name))
