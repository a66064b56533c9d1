"""Jobs of queues as Dask's workers: what is asked for, and a queue of one machine that runs them."""

from __future__ import annotations

import builtins
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from beholder._core.errors import InputError, MissingExtra, UnknownNameError
from beholder.jobs import parse_cluster
from beholder.jobs._dask_session import open_session
from beholder.jobs._queues import QueueOptions

sys.path.insert(0, str(Path(__file__).parent))

from sample_work import SquareWorker, plan_squares

FILE = """
partition = "gpu"
account = "lab"
time = "01:00:00"
memory = "16GB"
cpus = 4
gpus = "a100:1"
constraint = "a100"
setup = ["module load cuda"]
extra = ["--exclude=node3"]
wait = 600
"""


def test_options_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "gpu.toml").write_text(FILE, encoding="utf-8")
    options = QueueOptions.read("slurm", parse_cluster(f"slurm:{tmp_path / 'gpu.toml'}").options)
    asked = options.list_keywords("slurm")
    assert options.wait == 600
    assert asked["processes"] == 1 and asked["cores"] == 4 and asked["memory"] == "16GB"
    assert asked["queue"] == "gpu" and asked["account"] == "lab" and asked["walltime"] == "01:00:00"
    assert asked["job_extra_directives"] == ["--gres=gpu:a100:1", "--constraint=a100", "--exclude=node3"]
    assert asked["job_script_prologue"] == [f"cd {Path.cwd()}", "module load cuda"]
    lsf = options.list_keywords("lsf")
    assert lsf["project"] == "lab" and lsf["job_extra_directives"][0] == '-gpu "num=a100:1"'


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"partitoin": "gpu"}, r"expected the name of an option of cluster slurm; got 'partitoin'; try 'partition'"),
        ({"cpus": "many"}, "expected a whole number for the option cpus; got 'many'"),
        ({"cpus": 0}, "cpus of 1 or more"),
        ({"wait": "0"}, "wait=SECONDS above 0"),
        ({"setup": [1]}, "lines of text for the option setup"),
        ({"time": True}, "a word for the option time"),
    ],
)
def test_options_that_are_none(options: dict[str, Any], match: str) -> None:
    with pytest.raises((InputError, UnknownNameError), match=match):
        QueueOptions.read("slurm", options)


def test_a_machine_without_the_queue_and_an_environment_without_dask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dask_jobqueue")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"expected the command qsub for .*cluster.* pbs; got none in"):
        open_session(parse_cluster("pbs")).__enter__()
    real = builtins.__import__

    def refuse(name: str, *args: Any, **options: Any) -> Any:
        if name.startswith("distributed"):
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtra, match=r"pip install 'beholder\[cluster\]'"):
        open_session(parse_cluster("dask:node7:8786")).__enter__()


SBATCH = """#!/bin/bash
cp "$1" "$(dirname "$0")/job.sh"
setsid bash "$1" > "$(dirname "$0")/log.$$" 2>&1 < /dev/null &
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/bash
kill -TERM -- "-$1" 2> /dev/null
exit 0
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_jobs_of_a_queue_of_one_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dask_jobqueue")
    from test_dask import finish, read_files

    for name, text in {"sbatch": SBATCH, "scancel": SCANCEL}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    word = "slurm:partition=gpu,time=00:10:00,memory=1GB,constraint=a100"
    receipts = finish(SquareWorker(out, seconds=0.2), plan_squares(24, 2), out, workers=2, cluster=word)
    assert len(receipts) == len(read_files(out)) == 12
    script = (tmp_path / "job.sh").read_text(encoding="utf-8")
    for line in ("#SBATCH -p gpu", "#SBATCH -t 00:10:00", "#SBATCH --constraint=a100", f"cd {tmp_path}"):
        assert line in script
    assert "--nworkers" not in script
    assert [path.name for path in (tmp_path / "beholder-jobs").iterdir()] == ["logs"], "no keys are left behind"
