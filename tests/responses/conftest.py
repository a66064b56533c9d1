"""A file of answers to two tasks of three trials, written without a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from beholder.responses import Description, ResponseStore, TrialKey, open_responses

UNIT = {"model": "net", "layer": "layer1.conv", "channel": 3, "batch": 1}


def make_description(**changes: object) -> Description:
    settings = {"disabled_ms": 0, "exclusion": {"catch_ratio_min": 0.5, "row_choices_min": 1}, **changes}
    return Description("2afc", settings, {"task_1": "aa", "task_2": "bb"}, "f" * 64)


def make_trials() -> list[TrialKey]:
    trials = [TrialKey(0, n, "practice", "natural", UNIT, "query_max", {}) for n in (1, 2)]
    for task in (1, 2):
        for n in (1, 2, 3):
            role = "catch" if n == 3 else "main"
            conditions = {"contrast": n / 2, "mode": "odd"}
            trials.append(
                TrialKey(task, n, role, "catch_trial" if n == 3 else "natural", UNIT, "query_max", conditions)
            )
    return trials


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResponseStore]:
    with open_responses(tmp_path / "answers.db", make_description(), make_trials()) as store:
        yield store
