"""Commands as job arrays: the bytes of the plain command, whichever task makes which part, whatever cuts it off."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.forking import FORKING

import beholder as bh
from beholder.cli._main import main
from beholder.jobs import JobScripts
from beholder.jobs._array import FOLDER, LATE, TASK

from .test_killed import finish, make_command, place, run_command
from .test_killed import read_tree as read_all

__all__ = ["place"]

FAST = ("panel",)
KINDS = (*FAST, "adversarial", "extract", "workers", "record", "default", "null", "natural")


def read_tree(folder: Path) -> dict[str, bytes]:
    """All but which libraries were loaded where it was made: processes of the tests have more of them than a job's."""
    return {name: data for name, data in read_all(folder).items() if "/machine.json" not in name}


def run_task(tokens: list[str], told: str, scripts: Path, cut_at: int | None) -> None:
    os.environ |= {TASK: told, FOLDER: str(scripts)}
    if cut_at is not None:
        cut_at_step(cut_at)
    run_command(tokens)


def cut_at_step(step: int) -> None:
    """Let the queue say, in the middle of a metamer, that it ends the job soon."""
    from beholder.synthesis.engine._session import SynthesisSession

    check, n = SynthesisSession.check_cancelled, 0

    def count(self: SynthesisSession) -> None:
        nonlocal n
        n += 1
        if n == step:
            os.kill(os.getpid(), signal.SIGUSR1)
        check(self)

    SynthesisSession.check_cancelled = count


def start_task(tokens: list[str], told: str, scripts: Path, cut_at: int | None = None) -> object:
    process = FORKING.Process(target=run_task, args=(tokens, told, scripts, cut_at))
    process.start()
    return process


def end(process: object) -> int | None:
    process.join(300)  # type: ignore[attr-defined]
    return process.exitcode  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [pytest.param(each, marks=() if each in FAST else pytest.mark.slow) for each in KINDS])
def test_an_array_leaves_the_bytes_of_the_plain_command(kind: str, place: Path, tmp_path: Path) -> None:
    finish(make_command(kind, place, tmp_path / "plain"))
    array, scripts = make_command(kind, place, tmp_path / "array"), tmp_path / "scripts"
    scripts.mkdir()
    tasks = [start_task(array, f"{i}/3", scripts) for i in range(3)]
    assert [end(each) for each in tasks] == [0, 0, 0]
    assert end(start_task(array, "merge", scripts)) == 0
    plain, made = read_tree(tmp_path / "plain"), read_tree(tmp_path / "array")
    assert list(made) == list(plain)
    assert [name for name in plain if made[name] != plain[name]] == []


def test_a_metamer_that_the_queue_cuts_off_goes_on_from_its_step(place: Path, tmp_path: Path) -> None:
    finish(make_command("default", place, tmp_path / "plain"))
    array, scripts = make_command("default", place, tmp_path / "array"), tmp_path / "scripts"
    scripts.mkdir()
    assert end(start_task(array, "0/1", scripts, cut_at=40)) == LATE
    states = list((tmp_path / "array").rglob("state/*/*.pt"))
    assert len(states) == 1, "one was in work"
    assert end(start_task(array, "merge", scripts)) == 1, "parts are missing"
    assert end(start_task(array, "0/1", scripts)) == 0
    assert end(start_task(array, "merge", scripts)) == 0
    assert read_tree(tmp_path / "array") == read_tree(tmp_path / "plain")


SBATCH = r"""#!/bin/bash
# stands for SLURM's: runs what it is given, the jobs of an array side by side, before it says their number
script="${@: -1}"
last=$(sed -n 's/^#SBATCH --array=0-\([0-9]*\).*/\1/p' "$script")
if [ -n "$last" ]; then
    for i in $(seq 0 "$last"); do SLURM_ARRAY_TASK_ID=$i SLURM_JOB_ID=$i bash "$script" >> "$LOG" 2>&1 & done
    wait
else
    bash "$script" >> "$LOG" 2>&1
fi
echo 7
"""


def test_the_scripts_of_a_command_run_it(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(make_command("extract", place, tmp_path / "plain"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sbatch").write_text(SBATCH, encoding="utf-8")
    (tmp_path / "bin" / "sbatch").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    asked = [*make_command("extract", place, tmp_path / "array"), "--cluster", "script:tasks=2,time=10"]
    with pytest.raises(SystemExit, match="0"):
        main(asked)
    said = capsys.readouterr().out
    assert said.startswith("an array of 2 jobs, and one after it that puts together what they made")
    command = said.splitlines()[-2].strip()
    assert subprocess.run(command, shell=True, capture_output=True, text=True, check=True).stdout.startswith(
        "submitted"
    )
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert "no part is left" in log and "error" not in log
    assert read_tree(tmp_path / "array") == read_tree(tmp_path / "plain")
    with pytest.raises(SystemExit, match="0"):
        main(asked)
    assert "every one of 1 part is there: one job, which puts them together" in capsys.readouterr().out


def test_scripts_are_written_without_the_network_and_the_stimuli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ["extract", "--model_name", "file:gone.py", "--module_name", "a", "--in_path", "gone"]
    with pytest.raises(SystemExit, match="0"):
        main([*asked, "--cluster", "script:gpus=1,constraint=a100"])
    (array,) = tmp_path.glob("beholder-jobs/*/array.sh")
    text = array.read_text(encoding="utf-8")
    assert " --in-path gone --device cuda &\n" in text, "no node takes its CPU in silence"
    assert "#SBATCH --gres=gpu:1\n" in text and "#SBATCH --constraint=a100\n" in text
    assert "constraint" not in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main([*asked, "--cluster", "script", "--overwrite"])
    assert "expected --cluster script with what adds to an output; got --overwrite" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([*asked, "--cluster", "script:partitoin=gpu"])
    assert "'partition'" in capsys.readouterr().err


def test_a_call_of_python_as_an_array(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch import nn

    monkeypatch.chdir(tmp_path)
    net = bh.wrap(nn.Sequential(nn.Conv2d(3, 4, 9, 4), nn.ReLU()), name="mine")
    plain = bh.extract(net, place / "images", ["0"], out_path="plain", batch_size=4)
    scripts: object = bh.extract(net, place / "images", ["0"], out_path="array", batch_size=4, cluster="script:tasks=1")
    assert isinstance(scripts, JobScripts) and not Path("array").exists()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), FOLDER: str(scripts.folder)}
    command = [sys.executable, "-m", "beholder.jobs._call", str(scripts.folder / "call.pickle")]
    for told in ("0/1", "merge"):
        subprocess.run(command, env={**environment, TASK: told}, check=True, timeout=120)
    made = bh.extract(net, place / "images", ["0"], out_path="array", batch_size=4)
    assert (made["0"].to_numpy() == plain["0"].to_numpy()).all()
    assert read_tree(Path("array")) == read_tree(Path("plain"))
