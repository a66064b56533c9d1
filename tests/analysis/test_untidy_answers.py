"""Tables as laboratories have them: every analysis of answers reads them alike, and says what it left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import beholder as bh
from beholder import analyze_agreement, analyze_anova, analyze_mixed, analyze_psychometrics, analyze_recognition

ANALYSES: dict[str, Callable[..., Any]] = {
    "recognition": analyze_recognition,
    "agreement": lambda answers, **k: analyze_agreement(answers, n_draws=20, n_permutations=20, **k),
    "anova": lambda answers, **k: analyze_anova(answers, n_permutations=0, **k),
    "mixed": analyze_mixed,
    "psychometrics": lambda answers, **k: analyze_psychometrics(answers, n_draws=0, **k),
}


@pytest.fixture(scope="module")
def answers() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    labels = ("cat", "dog", "car")
    rows = [
        (who, group, condition, f"s{k}", 2.0 ** (k % 4), labels[k % 3], labels[(k + (rng.random() > 0.7)) % 3])
        for who, group in zip("abcdef", ["old", "young"] * 3, strict=True)
        for condition in ("edge", "photo")
        for k in range(12)
    ]
    names = ["participant", "group", "condition", "stimulus", "level", "truth", "response"]
    table = pd.DataFrame(rows, columns=names)
    return table.assign(correct=(table["truth"] == table["response"]).astype(int))


def estimate(result: Any) -> list[float]:
    return result.table["estimate"].tolist()


@pytest.mark.parametrize("kind", ANALYSES)
@pytest.mark.parametrize("in_memory", [False, True], ids=["file", "table"])
def test_answers_without_a_condition_are_left_out_and_counted(
    answers: pd.DataFrame, tmp_path: Path, kind: str, in_memory: bool
) -> None:
    holes = answers.assign(condition=answers["condition"].where(answers.index % 10 != 3))
    whole = holes[holes["condition"].notna()].reset_index(drop=True)
    n = len(holes) - len(whole)
    found: list[Any] = []
    for name, table in (("holes", holes), ("whole", whole)):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
        found.append(ANALYSES[kind](table if in_memory else tmp_path / f"{name}.csv"))
    np.testing.assert_allclose(estimate(found[0]), estimate(found[1]))
    assert any(f"{n} " in warning and "condition left out" in warning for warning in found[0].warnings)


def test_columns_of_other_names_are_factors(answers: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    answers.to_csv(path, index=False)
    options: dict[str, Any] = {"within": ["condition"], "between": ["group"], "n_permutations": 0}
    assert estimate(analyze_anova(path, **options)) == estimate(analyze_anova(answers, **options))
    mixed = analyze_mixed(path, "correct ~ group * condition").table
    assert "group[young]:condition[photo]" in mixed["target"].tolist()
    table = analyze_recognition(path, by=["group"]).table
    own = table[(table["target"] == "old") & (table["observer"] == "people")]["estimate"].iloc[0]
    old = answers[answers["group"] == "old"]
    assert own == pytest.approx(old.groupby("participant")["correct"].mean().mean())
    fitted = analyze_psychometrics(path, by=["group"], n_draws=0).table
    assert set(fitted[fitted["statistic"] == "threshold"]["target"]) == {"old", "young"}


@pytest.mark.parametrize("kind", ["recognition", "agreement", "psychometrics"])
def test_a_table_in_memory_counts_as_its_file(answers: pd.DataFrame, tmp_path: Path, kind: str) -> None:
    untidy = answers.rename(columns=str.upper).assign(RESPONSE=answers["response"].str.capitalize())
    untidy = untidy.drop(columns="CORRECT")
    found = ANALYSES[kind](untidy)
    path = tmp_path / "answers.csv"
    answers.to_csv(path, index=False)
    np.testing.assert_allclose(estimate(found), estimate(ANALYSES[kind](path)))


def test_one_stimulus_has_no_interval(answers: pd.DataFrame) -> None:
    found = ANALYSES["agreement"](answers[answers["stimulus"] == "s0"])
    means = found.table[(found.table["statistic"] == "people with one another") & (found.table["target"] == "edge")]
    assert means["low"].isna().all()


def test_semicolons_are_named_and_notes_speak_of_keywords(answers: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    answers.to_csv(path, index=False, sep=";")
    with pytest.raises(bh.InputError, match="separated by semicolons; try the same table saved with commas"):
        analyze_recognition(path)
    single = answers.assign(stimulus=[f"s{k}" for k in range(len(answers))])
    notes = analyze_mixed(single).warnings
    assert any("id_pattern takes them off" in note for note in notes) and not any("--" in note for note in notes)
