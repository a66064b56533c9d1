"""Exports of adaptive experiments: fitted thresholds beside what the procedure itself found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.experiment_folders import NO_PRACTICE, write_folder

from beholder._core.errors import InputError
from beholder.analysis import analyze_psychometrics, analyze_recognition
from beholder.experiments import Adaptive, UpDown, make_staircase, simulate_participants
from beholder.responses import Trials, export_responses, read_trials

LEVELS = (0.05, 0.1, 0.2, 0.4, 0.8)


@pytest.mark.parametrize("method", ["up_down", "quest+"])
def test_the_procedure_s_own_estimate_stands_beside_the_fit(tmp_path: Path, method: str) -> None:
    adaptive: dict[str, Any] = {"method": method, "up": 1, "down": 1, "start": 1.0, "target": 0.6, "guess": 0.25}
    built = write_folder(
        tmp_path / "built", "recognition", n_tasks=1, n_trials=20, n_catch=0,
        changes={**NO_PRACTICE, "adaptive": adaptive}, levels=LEVELS,
    )  # fmt: skip
    simulate_participants(built, tmp_path / "answers.sqlite", 2, "lapse:0.5")
    made = export_responses(tmp_path / "answers.sqlite", tmp_path / "out")
    assert tmp_path / "out" / "staircases.json" in made.files
    logs: list[dict[str, Any]] = json.loads((tmp_path / "out" / "staircases.json").read_text("utf-8"))
    assert [len(log["answers"]) for log in logs] == [20, 20]
    trials: Any = made.responses.trials
    found: Any = analyze_psychometrics(tmp_path / "out", n_draws=0, include_excluded=True).table
    for log in logs:
        stairs = make_staircase(Adaptive(**adaptive), LEVELS)
        for level, right in log["answers"]:  # the server chose as this procedure does
            assert stairs.next_level() == level
            stairs.update(level, right)
        own = trials[trials["session"] == log["session"]]
        assert log["answers"] == [list(row) for row in zip(own["level"], own["correct"], strict=True)]
        row = found[(found["statistic"] == "estimate of the procedure") & (found["subject"] == log["participant"])]
        assert len(row) == 1 and row["p_correct"].iloc[0] == pytest.approx(0.5 if method == "up_down" else 0.6)
        assert row["estimate"].iloc[0] == pytest.approx(stairs.estimate().threshold)
        if isinstance(stairs, UpDown):
            n = min(6, len(stairs.reversals)) // 2 * 2
            assert row["estimate"].iloc[0] == pytest.approx(np.mean(stairs.reversals[-n:]))
    assert (found["statistic"] == "threshold").any()


def test_chance_is_that_of_the_choices_not_of_the_labels_that_occur(tmp_path: Path) -> None:
    built = write_folder(tmp_path / "built", "recognition", n_tasks=1, n_trials=8, n_catch=0, changes=NO_PRACTICE)
    simulate_participants(built, tmp_path / "answers.sqlite", 2, "ideal")
    export_responses(tmp_path / "answers.sqlite", tmp_path / "out")
    trials = read_trials(tmp_path / "out", include_excluded=True)
    n_choices = trials.n_choices
    truths: Any = trials.table["truth"]
    few: Any = trials.table[truths.isin(sorted(set(truths))[:2])]
    assert n_choices > few["truth"].nunique() == 2
    kept = Trials(few, trials.sentences, n_choices)
    found = analyze_recognition(kept)
    assert found.settings["chance"] == 1 / n_choices and found.settings["chance_of"] == "choices"
    assert analyze_recognition(few).settings["chance"] == 1 / 2
    levels = Trials(few.assign(level=np.arange(len(few)) % 2 + 1.0), (), n_choices)
    assert analyze_psychometrics(levels, n_draws=0).settings["guess"] == 1 / n_choices
    assert analyze_psychometrics(levels.table, n_draws=0).settings["guess"] == 1 / 2


def test_functions_are_on_the_scale_on_which_the_procedure_sought(tmp_path: Path) -> None:
    right = [[level, k % 4 < 1 + 3 * (level > 0.15)] for k in range(12) for level in LEVELS]
    log = {"levels": LEVELS, "answers": right, "participant": "a"}

    def ask(name: str, *logs: dict[str, Any], **options: Any) -> tuple[str, str]:
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(logs))
        found = analyze_psychometrics(path, guess=0.25, n_draws=0, **options)
        return found.settings["scale"], " ".join(found.sentences())

    wide, narrow = (log | {"adaptive": {"method": "quest+", "guess": 0.25}, "levels": levels, "answers": answers}
                    for levels, answers in ((LEVELS, right), ([1, 2, 3], [[1, 0], [2, 1], [3, 1]] * 9)))  # fmt: skip
    scale, told = ask("wide", wide)
    assert scale == "log" and "Functions are of the logarithm of levels, as QUEST+ took them" in told
    path = tmp_path / "wide.json"
    by_hand = analyze_psychometrics(path, guess=0.25, n_draws=0, scale="log")
    pick = "statistic == 'threshold' and subject == 'a'"
    assert analyze_psychometrics(path, guess=0.25, n_draws=0).table.query(pick).equals(by_hand.table.query(pick))
    assert "as QUEST+ took" not in " ".join(by_hand.sentences())
    assert ask("asked", wide, scale="linear")[0] == "linear"
    assert ask("narrow", narrow) == ("linear", ask("narrow", narrow)[1])
    assert ask("stairs", log | {"adaptive": {"method": "up_down"}})[0] == "linear"
    scale, told = ask("both", wide, narrow | {"participant": "b"})
    assert scale == "linear" and "of some levels and not of others" in told


def test_who_is_excluded_has_no_estimate(tmp_path: Path) -> None:
    log = {"adaptive": {"method": "up_down"}, "levels": [1, 2, 3], "answers": [[3, 1], [3, 1], [2, 0], [3, 1], [3, 0]]}
    path = tmp_path / "staircases.json"
    path.write_text(json.dumps([log | {"participant": "a"}, log | {"participant": "b", "excluded": True}]))
    table: Any = analyze_psychometrics(path, guess=0.5, n_draws=0).table
    assert set(table["subject"]) - {""} == {"a"} or set(table["subject"]) == {"a", "all people"}
    path.write_text(json.dumps(log | {"adaptive": {"method": "up_down", "pace": 2}}))
    with pytest.raises(InputError, match="settings of adaptive trials"):
        analyze_psychometrics(path, guess=0.5, n_draws=0)
