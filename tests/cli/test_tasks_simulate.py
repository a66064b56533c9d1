"""``beholder tasks simulate`` and ``beholder stimuli grade`` on the command line."""

from __future__ import annotations

import builtins
import json

import pytest
from tests.experiment_folders import NO_PRACTICE, write_folder


@pytest.fixture
def built(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_folder(tmp_path / "exp", n_tasks=1, n_trials=4, n_catch=0, changes=NO_PRACTICE)


def test_simulate_says_how_it_went_and_goes_on(built, beholder):
    flags = ["tasks", "simulate", "exp", "--db", "answers.sqlite", "--participants", "2", "--observer"]
    code, out, err = beholder(*flags, "ideal")
    assert code == 0, err
    assert out == "2 participants (ideal): 2 done\n100.0 % of 8 answers right\nanswers.sqlite\n"
    code, out, _ = beholder(*flags, "ideal", "--json")
    tables = json.loads(out)
    assert code == 0
    assert tables["participants"] == []
    assert tables["simulation"][0]["n_before"] == 2


def test_simulate_with_a_network(tmp_path, monkeypatch, beholder):
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "exp", "odd_one_out", n_tasks=1, n_trials=2, n_catch=0, changes=NO_PRACTICE)
    flags = ["tasks", "simulate", "exp", "--db", "a.sqlite", "--participants", "1", "--observer", "model"]
    code, out, err = beholder(*flags, "--model_name", "beholder:shapes", "--layer", "block2", "--device", "cpu")
    assert code == 0, err
    assert out.startswith("1 participant (model beholder:shapes block2): 1 done\n")
    code, _, err = beholder(*flags)
    assert code == 2
    assert err == "error: expected --model_name NAME with --observer model; got none\n"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--db", "a.sqlite", "--participants", "2"], "no single DIR"),
        (["exp", "--participants", "2"], "no single --db FILE"),
        (["exp", "--db", "a.sqlite"], "no single --participants N"),
        (["exp", "--db", "a.sqlite", "--participants", "2", "--observer", "lapse:x"], "lapse:RATE"),
        (["exp", "--db", "a.sqlite", "--participants", "2", "--observer", "gues"], "try 'guess'"),
        (["nothing", "--db", "a.sqlite", "--participants", "2"], "no folder at nothing"),
        (["--power", "--difference", "0.5"], "proportion_2 between 0 and 1"),
    ],
)
def test_simulate_refuses_in_one_line(built, tmp_path, beholder, flags, message):
    code, out, err = beholder("tasks", "simulate", *flags)
    assert (code, out) == (2, "")
    assert message in err and err.count("\n") == 1
    assert not (tmp_path / "a.sqlite").exists()


def test_a_browser_that_is_not_there_is_one_line(built, monkeypatch, beholder):
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("playwright"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    code, _, err = beholder("tasks", "simulate", "exp", "--db", "a.sqlite", "--participants", "1", "--browser")
    assert code == 2
    assert "pip install 'beholder[browser]'" in err and err.count("\n") == 1


def test_power_prints_a_table_and_what_to_take(built, beholder):
    flags = ["tasks", "simulate", "--power", "--baseline", "0.7", "--difference", "0.1"]
    code, out, err = beholder(*flags, "--trials", "20", "40", "--participants", "10", "20", "30")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0].startswith("0.7 and 0.8 right, within participants, shared stimuli; SD 0.07 between participants")
    assert [line.split()[0] for line in lines[3:6]] == ["10", "20", "30"]
    assert lines[-2].startswith("20 trials in each condition: 19 participants (power 0.8")
    assert "in 1,000 drawn experiments" in lines[-1]
    code, out, _ = beholder(*flags, "--trials", "20", "--json")
    tables = json.loads(out)
    assert tables["recommended"][0]["n_participants"] == 19
    assert {"n_participants", "n_trials", "power"} == set(tables["power"][0])
    code, out, _ = beholder("tasks", "simulate", "exp", "--power", "--difference", "0.2", "--design", "between")
    assert "4 trials in each condition" in out
    code, out, _ = beholder(*flags, "--items", "separate", "--trials", "5")
    assert "more stimuli are needed" in out


def test_grade_writes_a_table_that_extract_takes(tmp_path, monkeypatch, place, beholder):
    monkeypatch.chdir(tmp_path)
    flags = ["stimuli", "grade", "--in_path", str(place / "images"), "--out_path", "graded"]
    code, out, err = beholder(*flags, "--grade", "contrast", "--levels", "0.1", "1")
    assert code == 0, err
    assert out == "12 images, 2 levels of contrast\ngraded/stimuli.csv\n"
    code, out, _ = beholder(*flags, "--grade", "contrast", "--levels", "0.1", "1", "--json")
    assert json.loads(out)["graded"][0]["n_stimuli"] == 12
    code, _, err = beholder(
        "extract", "--model_name", "beholder:shapes", "--module_name", "block2", "--in_path", "graded/stimuli.csv",
        "--pool", "mean", "--device", "cpu",
    )  # fmt: skip
    assert code == 0, err
    code, _, err = beholder(*flags, "--grade", "phase", "--levels", "90")
    assert code == 2 and "grade was 'contrast', now 'phase'" in err
    code, _, err = beholder(*flags[:4], "--grade", "contrast", "--levels", "-0.5", "--out_path", "other")
    assert code == 2 and "a contrast in [0, 1]; got -0.5" in err
