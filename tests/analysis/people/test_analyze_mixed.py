"""Mixed models as results: real trials against lme4, tests, proportions, the script for R."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from beholder import InputError, analyze_mixed
from beholder.analysis import RESULT_KINDS, fit_mixed_logistic, open_result, write_result

COLUMNS = {
    "participant": "subj", "response": "object_response", "truth": "category", "stimulus": "imagename",
    "condition": "source",
}  # fmt: skip

# Rscript mixed_lme4.R of the model below (lme4 1.1-31): correct ~ condition + (1 | condition:participant) +
# (1 | stimulus); fixef, sqrt(diag(vcov)), drop1(test = "Chisq")
LME4 = {"estimate": -1.279, "se": 0.349}


def make_table(n_people: int = 8) -> Any:
    rng = np.random.default_rng(0)
    person, item = (each.ravel() for each in np.meshgrid(np.arange(n_people), np.arange(20), indexing="ij"))
    condition = np.array(["photo", "edge"])[item % 2]
    level = (item // 2 % 3).astype(float)
    logits = 0.5 - 1.2 * (condition == "photo") + 0.3 * level + rng.normal(size=n_people)[person]
    correct = rng.random(len(person)) < 1 / (1 + np.exp(-logits - rng.normal(size=20)[item]))
    columns = {"participant": [f"p{each}" for each in person], "stimulus": [f"s{each}" for each in item]}
    return pd.DataFrame({**columns, "condition": condition, "level": level, "correct": correct})


def pick(result: Any, statistic: str) -> Any:
    return result.table[result.table["statistic"] == statistic].set_index("target")


def test_the_effect_of_edges_and_silhouettes(shared_data: Path) -> None:
    human = shared_data / "shape_texture" / "human"
    found = analyze_mixed(
        [human / "edge", human / "silhouette"], columns=COLUMNS, id_pattern=r"_00_(.+)\.png",
        groups=["condition:participant", "stimulus"],
    )  # fmt: skip
    row = pick(found, "coefficient").loc["condition[silhouette]"]
    assert (row["estimate"], row["se"]) == (pytest.approx(-1.28, abs=0.005), pytest.approx(0.35, abs=0.005))
    assert (row["estimate"], row["se"]) == (pytest.approx(LME4["estimate"], abs=1e-3), pytest.approx(0.349, abs=1e-3))
    assert found.settings["n_levels"] == {"condition:participant": 20, "stimulus": 160}
    assert "20 participants of each condition" in found.sentences()[0]


def test_ids_that_are_all_unlike_are_said(shared_data: Path) -> None:
    """With the trial's number in front, each picture would be a stimulus of its own."""
    found = analyze_mixed(shared_data / "shape_texture" / "human" / "edge", "correct ~ 1", columns=COLUMNS)
    assert any("id_pattern takes them off" in warning for warning in found.warnings)


def test_tests_of_terms_are_those_of_two_fits() -> None:
    table = make_table()
    found = analyze_mixed(table, "correct ~ condition * level", groups=["participant"])
    tests = pick(found, "likelihood ratio")
    assert list(tests.index) == ["condition:level"]
    larger = fit_mixed_logistic(table, "correct ~ condition * level", ["participant"])
    smaller = fit_mixed_logistic(table, "correct ~ condition + level", ["participant"])
    chi = 2 * (larger.log_likelihood - smaller.log_likelihood)
    assert tests["estimate"].iloc[0] == pytest.approx(chi) and tests["df"].iloc[0] == 1
    both = pick(analyze_mixed(table, "correct ~ condition + level", groups=["participant"]), "likelihood ratio")
    assert list(both.index) == ["condition", "level"]


def test_proportions_are_averages_over_people_and_stimuli() -> None:
    table = make_table()
    found = analyze_mixed(table)
    shares, spread = pick(found, "proportion correct"), pick(found, "standard deviation")["estimate"]
    coefficients = pick(found, "coefficient")["estimate"]
    rng = np.random.default_rng(0)
    total = float(np.hypot(*spread))
    for cell, logit in (("condition edge", coefficients.iloc[0]), ("condition photo", coefficients.sum())):
        drawn = 1 / (1 + np.exp(-(logit + total * rng.normal(size=400_000))))
        assert shares.loc[cell, "estimate"] == pytest.approx(drawn.mean(), abs=0.002)
        assert shares.loc[cell, "low"] < shares.loc[cell, "estimate"] < shares.loc[cell, "high"]
    own = found.table[(found.table["statistic"] == "observed proportion") & (found.table["subject"] == "p3")]
    expected = table[table["participant"] == "p3"].groupby("condition")["correct"].mean()
    assert own.set_index("target")["estimate"].tolist() == expected[["edge", "photo"]].tolist()


def test_a_result_tells_draws_and_opens_again(tmp_path: Path) -> None:
    found = analyze_mixed(make_table(), groups=["stimulus", "participant=condition"])
    files = write_result(found, tmp_path)
    assert {path.name for path in files} >= {"mixed.parquet", "mixed_trials.csv", "mixed_lme4.R"}
    opened = open_result(tmp_path / "mixed.parquet")
    assert opened.sentences() == found.sentences() and opened.methods() == found.methods()
    assert "logits (odds ×" in opened.sentences()[0]
    assert (
        "slope of condition" in opened.methods() and "Levels of condition were compared with edge." in opened.methods()
    )
    assert (
        opened.plot().get_xlabel() == found.plot().get_xlabel() and "each stimulus, n = 20" in found.plot().get_xlabel()
    )
    drawings = list(RESULT_KINDS["mixed"].draw(opened))
    assert [each.name for each in drawings] == ["proportions", "coefficients"]
    script = (tmp_path / "mixed_lme4.R").read_text()
    assert "correct ~ condition + (1 | stimulus) + (1 + condition | participant)" in script
    trials: Any = pd.read_csv(tmp_path / "mixed_trials.csv")
    assert trials["correct"].sum() == make_table()["correct"].sum() and len(trials) == 160


@pytest.mark.slow
def test_the_script_runs_in_r(tmp_path: Path) -> None:
    asked = ["Rscript", "-e", "library(lme4)"]
    if shutil.which("Rscript") is None or subprocess.run(asked, capture_output=True, check=False).returncode:
        pytest.skip("Rscript with lme4 is absent")
    found = analyze_mixed(make_table(), "correct ~ condition + level")
    write_result(found, tmp_path, figures=False)
    told = subprocess.run(["Rscript", "mixed_lme4.R"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    line = next(line for line in told.splitlines() if line.startswith("conditionphoto"))
    row = pick(found, "coefficient").loc["condition[photo]"]
    assert float(line.split()[1]) == pytest.approx(row["estimate"], abs=2e-3)
    assert float(line.split()[2]) == pytest.approx(row["se"], abs=2e-3)


def test_bad_days() -> None:
    table = make_table()
    table.loc[:3, "level"] = np.nan
    found = analyze_mixed(table, "correct ~ level", groups=["participant"])
    assert "4 answers without level left out." in found.warnings
    table["correct"] = table["correct"] | (table["condition"] == "edge")
    separated = analyze_mixed(table, groups=["participant"])
    assert any("(separation)" in warning for warning in separated.warnings)
    assert [each.name for each in RESULT_KINDS["mixed"].draw(separated)] == ["proportions"]
    with pytest.raises(InputError, match="only right ones"):
        analyze_mixed(table[table["condition"] == "edge"], "correct ~ 1")
