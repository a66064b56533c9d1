"""A result of people's analyses that was saved and opened again tells and draws what the fresh one does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

import beholder as bh
from beholder.analysis import RESULT_KINDS, Result, make_result, open_result
from beholder.responses import RecognitionMatrix

CONDITIONS = ("photo", "edge")  # not in alphabetical order, nor are names of networks


def make_answers() -> pd.DataFrame:
    """Four people and two networks, three labels, four levels, two conditions."""
    rng = np.random.default_rng(5)
    labels = ("zebra", "cat", "dog")
    rows = [
        (who, "first" if who in ("zeta", "alpha") else "", condition, f"s{k}", 2.0 ** (k % 4), labels[k % 3],
         labels[(k + (rng.random() > 0.5 + 0.1 * (k % 4))) % 3])
        for who in ("p10", "p2", "p1", "p3", "zeta", "alpha")
        for condition in CONDITIONS
        for k in range(12)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["participant", "rule", "condition", "stimulus", "level", "truth", "response"])
    return table.assign(correct=table["truth"] == table["response"])


def make_units() -> pd.DataFrame:
    rng = np.random.default_rng(6)
    rows = [
        (
            who,
            f"{model}/{layer}/{k}",
            model,
            layer,
            ("synthetic", "natural")[k % 2],
            bool(rng.random() < 0.8),
            1 + k % 3,
        )
        for who in ("p2", "p1", "p3")
        for model in ("zeta", "alpha")
        for layer in ("layer10", "layer2")
        for k in range(4)
    ]
    names = ["participant", "unit", "model", "layer", "mode", "correct", "confidence"]
    return pd.DataFrame(rows, columns=names)


def make_people() -> pd.DataFrame:
    table = make_answers()
    return table[table["rule"] == ""].drop(columns="rule")


def make_matrices() -> list[RecognitionMatrix]:
    values = np.random.default_rng(7).uniform(0.3, 1, (2, 5, 3, 2))
    people, stages = tuple("edcba"), ("natural", "layer10", "layer2")
    return [
        RecognitionMatrix(own, people, stages, ("Human", "Network"), name)
        for own, name in zip(values, ("zeta", "alpha"), strict=True)
    ]


MADE: dict[str, Callable[[], Result]] = {
    "recognition": lambda: bh.analyze_recognition(make_answers()),
    "recognition of matrices": lambda: bh.analyze_recognition(make_matrices()),
    "agreement": lambda: bh.analyze_agreement(make_answers(), n_draws=20, n_permutations=20),
    "interpretability": lambda: bh.analyze_interpretability(make_units(), n_draws=50),
    "anova": lambda: bh.analyze_anova(make_people(), within=["condition", "level"], n_permutations=0),
    "mixed": lambda: bh.analyze_mixed(make_people(), "correct ~ condition", groups=["stimulus", "participant"]),
    "psychometrics": lambda: bh.analyze_psychometrics(make_answers(), n_draws=20),
    "power": lambda: bh.analyze_power(make_people(), design="accuracy", n=[4, 8], n_simulations=20),
}


def draw(result: Result) -> list[Any]:
    """Names and words of every picture, what stands in it, its lines and patches with their colours."""
    found: list[Any] = []
    for drawing in RESULT_KINDS[result.kind].draw(result):
        figure = drawing.figure
        words = [str(cast(Text, each).get_text()) for each in figure.findobj(Text)]
        lines = [
            (each.get_label(), each.get_color(), np.asarray(each.get_xydata()).round(9).tolist())
            for axes in figure.axes
            for each in axes.get_lines()
        ]
        images = [
            np.ma.filled(np.ma.asarray(each.get_array()), -1).tolist()
            for axes in figure.axes
            for each in axes.get_images()
        ]
        found.append((drawing.name, drawing.alt, drawing.explanation, words, repr(lines), repr(images)))
    return found


@pytest.mark.parametrize("name", MADE)
def test_it_tells_and_draws_the_same(name: str, tmp_path: Path) -> None:
    fresh = MADE[name]()
    opened = open_result(fresh.save(tmp_path / "result.parquet"))
    assert opened.sentences() == fresh.sentences() and opened.warnings == fresh.warnings
    assert opened.methods() == fresh.methods()
    assert opened.to_json() == fresh.to_json()
    assert draw(opened) == draw(fresh)


def test_settings_keep_their_order(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"z": 1, "a": {"q": 2, "b": 3}}
    made = make_result("anova", [{"statistic": "F", "estimate": 1.0}], settings)
    opened = open_result(made.save(tmp_path / "result.parquet"))
    assert [*opened.settings, *opened.settings["a"]] == ["z", "a", "q", "b"]
