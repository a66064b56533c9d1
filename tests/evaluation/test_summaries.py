"""Summaries of verdicts: the order of groups, and intervals that no order of rows changes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from beholder.evaluation import summarize_verdicts
from beholder.statistics import bootstrap_proportion, wilson_interval


def make_table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    layers = np.repeat(["late", "early"], 30)
    return pd.DataFrame(
        {"layer": layers, "stimulus_id": [f"s{i % 10}" for i in range(60)], "correct": rng.random(60) < 0.6}
    )


def test_groups_come_as_they_first_appear() -> None:
    table = make_table()
    found = summarize_verdicts(table, ["layer"])
    assert list(found["layer"]) == ["late", "early"]
    late = table[table["layer"] == "late"]
    low, high = wilson_interval(late["correct"].sum(), 30)
    row = found.iloc[0]
    assert (row["n_stimuli"], row["n"], row["n_right"]) == (10, 30, late["correct"].sum())
    assert row["accuracy"] == late["correct"].mean()
    assert (row["low"], row["high"]) == (pytest.approx(float(low)), pytest.approx(float(high)))


def test_a_drawn_interval_does_not_depend_on_the_order_of_rows() -> None:
    table = make_table()
    found = summarize_verdicts(table, ["layer"], interval="bootstrap")
    again = summarize_verdicts(table.iloc[::-1], ["layer"], interval="bootstrap")
    for layer in ("late", "early"):
        one, two = (each[each["layer"] == layer].iloc[0] for each in (found, again))
        assert (one["low"], one["high"]) == (two["low"], two["high"])
    early = table[table["layer"] == "early"].groupby("stimulus_id")["correct"].agg(["sum", "count"])
    assert tuple(found[["low", "high"]].iloc[1]) == bootstrap_proportion(early["sum"], early["count"])
