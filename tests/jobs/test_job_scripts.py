"""The text of job scripts, what their options are, and steps that wait for each other."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from beholder._core.errors import BeholderError, InputError, UnknownNameError
from beholder.jobs import ScriptOptions, Step, run_steps, write_scripts, write_steps

OPTIONS = ScriptOptions.read(
    {
        "partition": "gpu", "account": "lab", "qos": "long", "constraint": "a100|h100", "time": "04:00:00",
        "memory": "32G", "cpus": "8", "gpus": 1, "tasks": 40, "throttle": 10, "lead": 90,
        "setup": ["module load cuda", "conda activate lab"], "extra": ["--exclude=node7,node9"],
    }
)  # fmt: skip

ARRAY = """#!/bin/bash
# Each job makes parts until none is left or its time is nearly over; started again, it goes on.
#SBATCH --array=0-39%10
#SBATCH --job-name=beholder-extract
#SBATCH --output=PLACE/logs/%A_%a.log
#SBATCH --open-mode=append
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --partition=gpu
#SBATCH --account=lab
#SBATCH --qos=long
#SBATCH --constraint="a100|h100"
#SBATCH --time=04:00:00
#SBATCH --mem=32G
#SBATCH --cpus-per-task=8
#SBATCH --gres=gpu:1
#SBATCH --exclude=node7,node9
#SBATCH --signal=B:USR1@90
#SBATCH --requeue

module load cuda
conda activate lab
cd 'HERE' || exit 1
# nodes without a network: weights are fetched before, by beholder models fetch
export BEHOLDER_OFFLINE=1 HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 HF_DATASETS_OFFLINE=1
export BEHOLDER_ARRAY_FOLDER='PLACE'
export BEHOLDER_ARRAY_TASK="$SLURM_ARRAY_TASK_ID/40"
export BEHOLDER_ARRAY_ENDS=$(( $(date +%s) + 14400 ))

trap 'kill -USR1 "$task" 2>/dev/null' USR1
trap 'kill -TERM "$task" 2>/dev/null' TERM
beholder extract --in-path 'my images' &
task=$!
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "the lab"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", "/bin:/usr/bin")  # no scontrol that knows of a cluster
    monkeypatch.setattr("beholder.jobs._scripts.read_array_limit", lambda: None)
    return folder


def test_the_text_of_an_array_is_what_was_asked_for(here: Path) -> None:
    scripts = write_scripts(["beholder", "extract", "--in-path", "my images"], "extract", OPTIONS, again="again")
    text = (scripts.folder / "array.sh").read_text(encoding="utf-8")
    place = str(scripts.folder)
    expected = ARRAY.replace("#SBATCH --output=PLACE/logs/%A_%a.log", f'#SBATCH --output="{place}/logs/%A_%a.log"')
    assert text.startswith(expected.replace("PLACE", place).replace("HERE", str(here)))
    merge = (scripts.folder / "merge.sh").read_text(encoding="utf-8")
    assert "export BEHOLDER_ARRAY_TASK=merge\n" in merge and "--array" not in merge and "exec beholder extract" in merge
    for name in ("array.sh", "merge.sh", "submit.sh"):
        subprocess.run(["bash", "-n", str(scripts.folder / name)], check=True)
    assert scripts.describe()[-2] == f"  bash '{scripts.folder / 'submit.sh'}'"


def test_options_that_are_none_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="try 'partition'"):
        ScriptOptions.read({"partitoin": "gpu"})
    for options, expected in [
        ({"cpus": "many"}, "a whole number for the option cpus"),
        ({"tasks": 0}, "tasks of 1 or more"),
        ({"time": "soon"}, "a wall time as SLURM writes it"),
        ({"setup": [1]}, "lines of text for the option setup"),
        ({"partition": ["gpu"]}, "a word for the option partition"),
        ({"partition": "gpu\n#SBATCH --exclusive"}, "a word for the option partition"),
    ]:
        with pytest.raises(InputError, match=expected):
            ScriptOptions.read(options)


def test_a_short_job_is_told_in_its_last_quarter() -> None:
    assert [ScriptOptions(time=time).settle_lead() for time in ("", "1", "04:00:00")] == [120, 15, 120]


def test_an_array_is_no_larger_than_the_cluster_allows(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beholder.jobs._scripts.read_array_limit", lambda: 9)
    scripts = write_scripts(["true"], "work", OPTIONS, again="again")
    assert scripts.n_tasks == 9 and "this cluster's arrays have 9 jobs at most, not 40" in scripts.describe()


def test_steps_wait_for_those_that_they_need(here: Path) -> None:
    steps = [
        Step("make", ("a",)),
        Step("draw-0", ("b",), ("make",), is_array=False),
        Step("last", ("c",), ("make", "draw-0")),
    ]
    scripts = write_steps(steps, here / "scripts", OPTIONS, again="again")
    log = here / "log"
    fake = here / "sbatch"
    fake.write_text(f'#!/bin/bash\necho "$@" >> "{log}"\nwc -l < "{log}"\n', encoding="utf-8")
    fake.chmod(0o755)
    subprocess.run(["bash", str(scripts.folder / "submit.sh")], env={"PATH": f"{here}:/bin:/usr/bin"}, check=True)
    said = [
        re.sub(r" \S*scripts/", " ", line)
        for line in log.read_text(encoding="utf-8").replace(str(here), "").splitlines()
    ]
    assert [line.removeprefix("--parsable ") for line in said] == [
        "make/array.sh",
        "--dependency=afterany:1 make/merge.sh",
        "--dependency=afterok:2 --kill-on-invalid-dep=yes draw-0/merge.sh",
        "--dependency=afterok:2:3 --kill-on-invalid-dep=yes last/array.sh",
        "--dependency=afterany:4 last/merge.sh",
    ]


def test_steps_that_need_a_failed_one_are_left_out(capfd: pytest.CaptureFixture[str]) -> None:
    steps = [Step("bad", ("gone",)), Step("needs", ("--version",), ("bad",)), Step("other", ("--version",))]
    with pytest.raises(
        BeholderError, match="got bad with exit code 2, which said why above; without what needs it: needs;"
    ):
        run_steps(steps)
    said = capfd.readouterr()
    assert said.err.startswith("error: expected a command of beholder; got 'gone'") and len(said.out.splitlines()) == 1
