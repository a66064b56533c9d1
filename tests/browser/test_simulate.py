"""``beholder tasks simulate --browser`` clicks through the real pages of every kind."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from tests.browser.built_folders import build_folder
from tests.browser.processes import find_program
from tests.experiment_folders import write_folder

from beholder.experiments import KINDS, read_experiment, simulate_participants
from beholder.responses import read_responses

pytestmark = pytest.mark.browser

RUN = "from beholder.cli import main; main()"


@pytest.fixture(autouse=True)
def needs_chromium():
    find_program("chromium", "chromium-browser", "google-chrome")


def simulate(folder, db, *flags):
    """The command in a process of its own, where no other browser is driven."""
    command = [sys.executable, "-c", RUN, "tasks", "simulate", str(folder), "--db", str(db), *flags, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


QUICK = ("2afc",)


@pytest.mark.parametrize(
    "kind", [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS]
)
def test_participants_in_the_browser_answer_as_those_over_http(kind, tmp_path):
    build_folder(tmp_path / "built", kind, 2, {"min_width": 0, "min_height": 0})
    tables = simulate(tmp_path / "built", tmp_path / "seen", "--participants", "1", "--browser")
    assert tables["participants"][0]["end"] == "done"
    assert tables["participants"][0]["n_answers"] == 2
    simulate_participants(read_experiment(tmp_path / "built"), tmp_path / "sent", 1, "ideal")
    seen: Any
    seen, sent = (read_responses(tmp_path / name) for name in ("seen", "sent"))
    columns = ["participant", "trial", "n", "choice", "correct"]
    assert seen.trials[columns].equals(sent.trials[columns])
    assert seen.participants["simulated"].all()
    if kind != "similarity":
        assert seen.trials["correct"].all()


def test_participants_in_the_browser_come_back_on_another_day(tmp_path):
    changes = {"sessions.n": 2, "sessions.days_max": 2, "practice.n_without": 0, "min_width": 0, "min_height": 0}
    write_folder(tmp_path / "built", "similarity", n_tasks=2, n_trials=2, n_catch=0, changes=changes)
    (row,) = simulate(tmp_path / "built", tmp_path / "seen", "--participants", "1", "--browser")["participants"]
    assert (row["end"], row["n_sessions"], row["n_answers"]) == ("done", 2, 4)
    people: Any = read_responses(tmp_path / "seen").participants
    assert people["visit"].tolist() == [1, 2]
    assert people["simulated"].all()
    assert 1 <= people["days_since_last"][1] <= 2
