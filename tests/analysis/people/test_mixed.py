"""Formulas and tables of trials."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from beholder import InputError
from beholder._core.errors import UnknownNameError
from beholder.analysis import fit_mixed_logistic
from beholder.statistics import RandomTerm, fit_logistic_mixed


def make_table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    person, item = (each.ravel() for each in np.meshgrid(np.arange(6), np.arange(12), indexing="ij"))
    condition = np.array(["edge", "photo", "silhouette"])[item % 3]
    size = (item % 4).astype(float)
    correct = rng.random(72) < 1 / (1 + np.exp(-(1 - 0.8 * (condition == "silhouette") + rng.normal(size=6)[person])))
    return pd.DataFrame(
        {
            "correct": correct,
            "condition": condition,
            "size": size,
            "participant": person,
            "stimulus": [f"s{i}" for i in item],
        }
    )


def test_words_are_compared_with_the_first_level() -> None:
    table = make_table()
    found = fit_mixed_logistic(table, "correct ~ condition + size", ["participant"])
    assert found.names == ("(Intercept)", "condition[photo]", "condition[silhouette]", "size")
    design = np.stack(
        [np.ones(72), table["condition"] == "photo", table["condition"] == "silhouette", table["size"]], axis=1
    ).astype(float)
    expected = fit_logistic_mixed(
        table["correct"], design, list(found.names), [RandomTerm("participant", table["participant"].to_numpy())]
    )
    np.testing.assert_allclose(found.estimate, expected.estimate)
    frame = found.to_pandas()
    assert list(frame.columns) == ["estimate", "se", "z", "p", "low", "high"]
    assert frame.loc["size", "low"] == pytest.approx(found.interval("size")[0])


def test_interactions() -> None:
    table = make_table()
    names = fit_mixed_logistic(table, "correct ~ size*condition", ["participant"]).names
    assert names[-2:] == ("size:condition[photo]", "size:condition[silhouette]")
    assert len(names) == 6
    assert fit_mixed_logistic(table, "correct ~ 1", ["participant"]).names == ("(Intercept)",)


def test_a_slope_by_name() -> None:
    found = fit_mixed_logistic(make_table(), "correct ~ size", {"participant": "size", "stimulus": None})
    assert list(found.sds) == ["participant", "participant: size", "stimulus"]
    with pytest.raises(InputError, match="two levels for the slope of participant"):
        fit_mixed_logistic(make_table(), "correct ~ condition", {"participant": "condition"})


def test_bad_input() -> None:
    table = make_table()
    with pytest.raises(UnknownNameError, match="condition"):
        fit_mixed_logistic(table, "correct ~ conditon")
    for formula in ("correct", "correct ~", "correct ~ condition + (1|participant)", "~ size"):
        with pytest.raises(InputError, match="a formula such as"):
            fit_mixed_logistic(table, formula)
    table.loc[3, "size"] = np.nan
    with pytest.raises(InputError, match="1 missing in size"):
        fit_mixed_logistic(table, "correct ~ size")
    with pytest.raises(InputError, match="only edge"):
        fit_mixed_logistic(table[table["condition"] == "edge"], "correct ~ condition")
