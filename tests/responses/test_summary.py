"""Numbers of a summary against those counted by hand from the rows that were written."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from beholder._core.errors import InputError
from beholder.responses import (
    Responses,
    ResponseStore,
    Skipped,
    export_responses,
    read_export,
    read_responses,
    summarize_responses,
)
from beholder.statistics import wilson_interval

from .test_export import fill


@pytest.fixture
def exported(store: ResponseStore, tmp_path: Path) -> Path:
    fill(store)
    return export_responses(store.path, tmp_path / "answers").out


def test_an_export_is_read_as_the_file_of_answers_is(store: ResponseStore, exported: Path) -> None:
    """Types, conditions, rules, bounds; with a byte order mark and days too."""
    expected = read_responses(store.path)
    found = read_export(exported)
    assert (found.kind, found.rules, found.conditions) == (expected.kind, expected.rules, expected.conditions)
    assert (found.n_visits, found.n_choices) == (expected.n_visits, expected.n_choices) == (1, 2)
    for name in ("trials", "practice"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(expected, name))
    comments = expected.participants["comment"].str.replace("\r", "\n", regex=False)
    pd.testing.assert_frame_equal(found.participants, expected.participants.assign(comment=comments))
    assert summarize_responses(found) == summarize_responses(expected)
    export_responses(store.path, exported, bom=True, dates=True)
    again = read_export(exported)
    assert list(again.participants["participant"]) == list(expected.participants["participant"])
    assert "date" in again.participants


def test_what_is_no_export_is_refused(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tasks export"):
        read_export(tmp_path)
    table = pd.read_parquet(exported / "responses.parquet")
    table.drop(columns="stimulus_failures").to_parquet(exported / "responses.parquet")
    with pytest.raises(InputError, match="without stimulus_failures"):
        read_export(exported)
    (exported / "responses.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match=r"responses\.parquet"):
        read_export(exported)


def test_a_summary_counts_people_sessions_and_reasons(store: ResponseStore) -> None:
    fill(store)
    summary = summarize_responses(read_responses(store.path))
    assert (summary.n_participants, summary.n_finished, summary.n_included, summary.n_simulated) == (3, 2, 1, 0)
    assert summary.visits == ((3, 2, 1),)
    assert summary.reasons == {"catch_ratio_min": 1, "unfinished": 1}
    assert summary.rules == {"catch_ratio_min": 0.5, "row_choices_min": 1}
    assert (summary.n_answers, summary.n_catch, summary.n_catch_correct) == (7, 2, 1)
    assert summary.chance == 0.5 and not summary.is_adaptive


def make_responses(store: ResponseStore, rows: list[dict[str, Any]], conditions: dict[str, str]) -> Responses:
    """Tables of the real columns, with these cells in the trials and a participant a name."""
    found = read_responses(store.path)
    table: Any = pd.DataFrame(rows)
    trials = table.assign(catch_trial=False, level=pd.NA, rt_ms=500.0)
    for name in found.trials.columns:
        if name not in trials:
            trials[name] = pd.Series([pd.NA] * len(trials), dtype=found.trials[name].dtype)
    trials["excluded"] = trials["excluded"].fillna(False)
    trials["correct"] = trials["correct"].astype("boolean")
    return dataclasses.replace(found, trials=trials, conditions=conditions)


def test_right_answers_are_those_of_the_included_by_condition_with_people_drawn(store: ResponseStore) -> None:
    """Sums by hand; the interval is that of whole participants, wider than that of as many free answers."""
    rows = [
        {"participant": f"p{k}", "contrast": c, "stimulus_id": str(n), "correct": n < (4 if c > 0.2 else 0) or k < 3}
        for k in range(6) for c in (0.1, 0.5) for n in range(5)
    ]  # fmt: skip
    rows += [{"participant": "out", "contrast": 0.1, "stimulus_id": "0", "correct": False, "excluded": True}] * 9
    given = make_responses(store, rows, {"contrast": "contrast", "stimulus_id": "stimulus_id"})
    summary = summarize_responses(given)
    assert summary.conditions == ("contrast",) and summary.is_of_included
    low, high = summary.by_condition
    assert (low.condition, low.n_right, low.n_answers, low.proportions) == ((0.1,), 15, 30, (1.0,) * 3 + (0.0,) * 3)
    assert (high.condition, high.n_right, high.n_answers, high.proportions) == ((0.5,), 27, 30, (1.0,) * 3 + (0.8,) * 3)
    assert low.low is not None and low.high is not None
    assert low.high - low.low > 0.6 > np.diff(np.ravel(wilson_interval(15, 30)))
    overall = summary.overall
    assert overall is not None and (overall.n_right, overall.n_answers) == (42, 60)
    assert overall.median_rt_ms == 500
    few = summarize_responses(make_responses(store, rows[:40], {"contrast": "contrast"}))
    assert few.overall is not None and few.overall.low is None, "four participants"


def test_originals_in_place_of_metamers_are_in_no_condition(store: ResponseStore) -> None:
    rows = [
        {"participant": f"p{k}", "condition": f"net/layer{layer}", "condition_layer": f"layer{layer}",
         "replaced": k == 0, "correct": k == 0}
        for k in range(6) for layer in (10, 2)
    ]  # fmt: skip
    given = make_responses(store, rows, {"condition": "condition", "layer": "condition_layer", "replaced": "replaced"})
    summary = summarize_responses(given)
    assert [each.condition for each in summary.by_condition] == [("layer2",), ("layer10",)]
    assert [(each.n_right, each.n_answers) for each in summary.by_condition] == [(0, 5)] * 2
    assert summary.n_replaced == 2


def test_trials_gone_on_without_and_what_was_shown_are_counted(store: ResponseStore) -> None:
    rows = [
        {"participant": "p", "correct": True, "presentations": 1 + (n == 0), "presentations_withheld": n == 1,
         "stimulus_failures": 2 * (n == 2), "asked_stimulus_ms": 100.0, "asked_stimulus_frames": 6.0,
         "stimulus_frames": 6.0 + (n == 3), "shown_stimulus_ms": 100.0 + 16.6 * (n == 3)}
        for n in range(4)
    ]  # fmt: skip
    given = make_responses(store, rows, {})
    fill(store)
    people = read_responses(store.path).participants.iloc[:1]
    people = people.assign(participant="p", session=3, task=2, n_skipped=2, skipped_trials="4 11")
    summary = summarize_responses(dataclasses.replace(given, participants=people))
    assert summary.skipped == (Skipped("p", 3, 2, (4, 11)),)
    counts = summary.presentations
    assert counts["presentations"] == counts["presentations_withheld"] == counts["stimulus_failures"] == (1, 4)
    assert "stimulus_cut" not in counts, "nothing is known of it"
    (timing,) = summary.timing
    assert (timing.asked_ms, timing.n, timing.n_as_asked) == (100, 4, 3)
    assert (timing.mean_ms, timing.sd_ms) == (pytest.approx(104.15), pytest.approx(8.3))


def test_conditions_of_any_name_have_an_order(store: ResponseStore) -> None:
    names = ["²", "b10", "b9", "", "٣"]
    rows = [{"participant": "p", "contrast": name, "correct": True} for name in names]
    summary = summarize_responses(make_responses(store, rows, {"contrast": "contrast"}))
    found = [each.condition[0] for each in summary.by_condition]
    assert sorted(found) == sorted(names) and found.index("b9") < found.index("b10")
