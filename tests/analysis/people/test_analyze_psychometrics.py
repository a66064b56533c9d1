"""Thresholds, sensitivity and response times as results: trials, counts, logs, networks."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from beholder import InputError, analyze_psychometrics
from beholder._core.errors import UnknownNameError
from beholder.analysis import RESULT_KINDS, open_result, write_result
from beholder.experiments import AdaptiveProcedure
from beholder.report import write_report
from beholder.statistics import compute_dprime, compute_mafc_dprime, fit_psychometric, fit_psychometrics

LEVELS = (1.0, 2.0, 4.0, 8.0, 16.0)
LABELS = ("cat", "dog", "car", "bus")


def make_trials(falling: bool = False) -> Any:
    """Three people and a network, two conditions, 20 answers a level."""
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for condition, shift in (("photo", 0.0), ("edge", 0.8)):
        for who, own in (("p1", 0.0), ("p2", 0.3), ("p10", -0.2), ("net", 0.9)):
            for level in LEVELS:
                p = 0.25 + 0.73 / (1 + math.exp(-2.5 * (math.log(level) - 0.5 - shift - own)))
                for k in range(20):
                    right = bool(rng.random() < p)
                    rows.append(
                        {"participant": who, "condition": condition, "level": 1 / level if falling else level,
                         "truth": LABELS[k % 4], "response": LABELS[(k + (not right)) % 4], "correct": right,
                         "rt": rng.gamma(5, 0.1) if who != "net" else np.nan, "rule": "mean" if who == "net" else ""}
                    )  # fmt: skip
    return pd.DataFrame(rows)


def pick(result: Any, statistic: str, **where: str) -> Any:
    table = result.table[result.table["statistic"] == statistic]
    for name, value in where.items():
        table = table[table[name] == value]
    return table


def count(trials: Any, who: str, condition: str) -> tuple[np.ndarray, np.ndarray]:
    own = trials[(trials["participant"] == who) & (trials["condition"] == condition)].groupby("level")["correct"]
    return own.sum().to_numpy(), own.count().to_numpy()


def test_a_page_says_once_what_several_pictures_have_in_common(tmp_path: Path) -> None:
    found = analyze_psychometrics(make_trials(), scale="log", n_draws=0)
    assert (
        len([each for each in RESULT_KINDS["psychometrics"].draw(found) if "mean over people" in each.explanation]) > 1
    )
    write_result(found, tmp_path, figures=False)
    page = write_report(tmp_path).read_text("utf-8")
    assert page.count("Black: mean over people with its interval") == 1


def test_thresholds_are_those_of_the_fits() -> None:
    trials = make_trials()
    found = analyze_psychometrics(trials, scale="log", n_draws=20)
    for who, column in (("p2", "subject"), ("net", "model")):
        right, shown = count(trials, who, "edge")
        fit = fit_psychometric(np.log10(LEVELS), right, shown, "logit", 0.25)
        row = pick(found, "threshold", target="edge", **{column: who}).iloc[0]
        assert row["estimate"] == pytest.approx(10**fit.threshold) and row["guess"] == 0.25
        assert row["low"] < row["estimate"] < row["high"]
        assert row["deviance"] == pytest.approx(fit.deviance) and 0 < row["p_fit"] <= 1
    own = pick(found, "threshold", target="edge")
    people = own[own["subject"].isin(["p1", "p2", "p10"])]
    mean = pick(found, "mean threshold", target="edge").iloc[0]
    assert mean["estimate"] == pytest.approx(10 ** np.log10(people["estimate"]).mean()) and mean["n"] == 3
    (difference,) = pick(found, "difference").to_dict("records")
    from scipy.stats import ttest_rel

    both = [pick(found, "threshold", target=name).set_index("subject")["estimate"] for name in ("edge", "photo")]
    values = [np.log10(each[["p1", "p2", "p10"]]) for each in both]
    expected: Any = ttest_rel(*values)
    assert (difference["estimate"], difference["p"]) == pytest.approx(((values[0] - values[1]).mean(), expected.pvalue))


def test_shared_and_free_lapse_rates_and_another_criterion() -> None:
    trials = make_trials()
    shared = analyze_psychometrics(trials, scale="log", lapse="shared", n_draws=0)
    counts = [count(trials, "p1", condition) for condition in ("edge", "photo")]
    fits = fit_psychometrics([np.log10(LEVELS)] * 2, [each[0] for each in counts], [each[1] for each in counts],
                             "logit", 0.25)  # fmt: skip
    rates = pick(shared, "lapse rate", subject="p1")["estimate"].tolist()
    assert rates == pytest.approx([fits[0].lapse] * 2)
    found = analyze_psychometrics(trials, scale="log", p_correct=0.75, lapse="free", prior="weak", n_draws=20)
    row = pick(found, "threshold", subject="p1", target="photo").iloc[0]
    right, shown = count(trials, "p1", "photo")
    fit = fit_psychometric(np.log10(LEVELS), right, shown, "logit", 0.25, "free", prior="weak")
    assert row["estimate"] == pytest.approx(10 ** fit.find_level(0.75)) and "Beta(1, 10)" in found.methods()
    assert "at 75 % right" in found.sentences()[0]


def test_higher_levels_that_are_harder_give_the_thresholds_mirrored() -> None:
    rising = analyze_psychometrics(make_trials(), scale="log", n_draws=0)
    falling = analyze_psychometrics(make_trials(falling=True), scale="log", n_draws=0)
    assert falling.settings["falling"] and "Higher levels are harder." in falling.sentences()
    np.testing.assert_allclose(
        1 / pick(falling, "threshold")["estimate"].to_numpy(), pick(rising, "threshold")["estimate"].to_numpy()
    )
    both = pd.concat([make_trials(), make_trials(falling=True).assign(condition="noise")])
    with pytest.raises(InputError, match=r"easier in .*, harder in noise"):
        analyze_psychometrics(both, n_draws=0)


def test_a_result_tells_draws_and_opens_again(tmp_path: Path) -> None:
    found = analyze_psychometrics(make_trials(), function="weibull", n_draws=20)
    opened = open_result(found.save(tmp_path / "psychometrics.parquet"))
    assert opened.sentences() == found.sentences() and "net" in opened.sentences()[0]
    assert "Weibull" in opened.methods() and opened.settings["scale"] == "log"
    drawings = {each.name: each.figure for each in RESULT_KINDS["psychometrics"].draw(opened)}
    assert set(drawings) == {"functions", "thresholds", "sensitivity", "times"}
    axes = drawings["functions"].axes
    assert [ax.get_title("left") for ax in axes] == ["edge", "photo"]
    lines = {line.get_label(): line for line in axes[0].get_lines() if not str(line.get_label()).startswith("_")}
    assert lines["people"].get_color() == "#000000" and lines["net"].get_color() == "#E69F00"
    right, shown = count(make_trials(), "net", "edge")
    np.testing.assert_allclose(np.asarray(lines["net"].get_ydata()), 100 * right / shown)


def test_counts_in_a_table(tmp_path: Path) -> None:
    right = [21, 24, 33, 39, 40]
    path = tmp_path / "counts.csv"
    path.write_text("level,n_right,n_shown\n" + "\n".join(f"{k + 1},{n},40" for k, n in enumerate(right)))
    found = analyze_psychometrics(path, guess=0.5, n_draws=0)
    fit = fit_psychometric([1, 2, 3, 4, 5], right, [40] * 5)
    assert pick(found, "threshold")["estimate"].iloc[0] == pytest.approx(fit.threshold)
    with pytest.raises(InputError, match="the guess rate of the design"):
        analyze_psychometrics(path)


def test_logs_of_staircases_and_quest(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    stairs = AdaptiveProcedure.from_dict({"method": "up_down", "levels": [1, 2, 3, 4, 5, 6], "down": 2, "n_trials": 60})
    quest = AdaptiveProcedure.from_dict(
        {"method": "quest+", "levels": [1, 2, 3, 4, 5, 6], "thresholds": [1, 2, 3, 4, 5], "slopes": [1, 2],
         "function": "logistic", "n_trials": 40}
    )  # fmt: skip
    for procedure in (stairs, quest):
        while (level := procedure.next_level()) is not None:
            procedure.update(level, bool(rng.random() < 0.5 + 0.48 / (1 + math.exp(-2 * (level - 3)))))
    logs = [stairs.to_dict() | {"answers": stairs.log, "participant": "p1"}, quest.to_dict() | {"answers": quest.log}]
    (tmp_path / "logs.json").write_text(json.dumps(logs))
    found = analyze_psychometrics(tmp_path / "logs.json", guess=0.5, n_draws=0)
    told = pick(found, "estimate of the procedure").set_index("subject")
    assert told.loc["p1", "estimate"] == stairs.estimate().threshold
    assert told.loc["logs_2", "estimate"] == quest.estimate().threshold and told.loc["logs_2", "method"] == "quest+"
    levels, right = (np.array(each) for each in zip(*stairs.log, strict=True))
    places = np.unique(levels)
    fit = fit_psychometric(places, [right[levels == each].sum() for each in places],
                           [(levels == each).sum() for each in places])  # fmt: skip
    assert pick(found, "threshold", subject="p1")["estimate"].iloc[0] == pytest.approx(fit.threshold)
    assert "Levitt" in found.methods() and "Watson" in found.methods()
    same = analyze_psychometrics({"p1": stairs}, guess=0.5, n_draws=0)
    assert pick(same, "threshold")["estimate"].iloc[0] == pytest.approx(fit.threshold)
    (tmp_path / "other.json").write_text('{"levels": [1, 2]}')
    with pytest.raises(InputError, match="logs of adaptive procedures"):
        analyze_psychometrics(tmp_path / "other.json")
    (tmp_path / "other.json").write_text(json.dumps(stairs.to_dict() | {"answers": [[1, "yes"]]}))
    with pytest.raises(InputError, match=r"\[level, right or wrong\]"):
        analyze_psychometrics(tmp_path / "other.json")


def test_sensitivity_of_choices_and_of_yes_and_no() -> None:
    trials = make_trials()
    found = analyze_psychometrics(trials, n_draws=0)
    right = trials[(trials["participant"] == "p1") & (trials["condition"] == "edge")]["correct"]
    assert pick(found, "d'", subject="p1", target="edge")["estimate"].iloc[0] == pytest.approx(
        compute_mafc_dprime(right.mean(), 4)
    )
    said = ["yes"] * 8 + ["no"] * 2 + ["yes"] * 3 + ["no"] * 9
    answers: dict[str, list[Any]] = {"truth": ["yes"] * 10 + ["no"] * 12, "response": said}
    answers["correct"] = [a == b for a, b in zip(answers["truth"], answers["response"], strict=True)]
    answers["participant"] = ["p1"] * 22
    asked = analyze_psychometrics(answers, task="yes-no", signal="yes")
    row = pick(asked, "d'").iloc[0]
    assert row["estimate"] == pytest.approx(compute_dprime(8, 10, 3, 12)) and row["low"] < row["estimate"] < row["high"]
    assert "log-linear" in asked.methods()
    with pytest.raises(InputError, match="LABEL"):
        analyze_psychometrics(answers, task="yes-no")
    with pytest.raises(UnknownNameError):
        analyze_psychometrics(answers, task="yes-no", signal="maybe")
    only = {name: column[:10] for name, column in answers.items()}
    with pytest.raises(InputError, match="levels, alternatives or response times"):
        analyze_psychometrics(only, task="yes-no", signal="yes")


def test_bad_days() -> None:
    trials = make_trials()
    who = trials["participant"]
    trials.loc[who == "p1", "correct"] = True
    trials = trials[(who != "p2") | (trials["level"] == 4.0)]
    found = analyze_psychometrics(trials, by=[], n_draws=10, scale="log")
    assert any("p1: all answers are right: no threshold can be told" in each for each in found.warnings)
    assert any("p2: one level alone tells no threshold" in each for each in found.warnings)
    assert any("p1: all 200 answers are right, so d' has no end" in each for each in found.warnings)
    assert math.isnan(pick(found, "threshold", subject="p1")["estimate"].iloc[0])
    assert found.to_json()["psychometrics"]
    assert len(list(RESULT_KINDS["psychometrics"].draw(found))) >= 2
    flat = trials[trials["participant"] == "p10"].assign(correct=lambda own: np.arange(len(own)) % 4 == 0)
    noted = analyze_psychometrics(flat, by=[], n_draws=0, scale="log")
    assert any("outside the levels 1 to 16" in each or "do not change" in each for each in noted.warnings)
    with pytest.raises(InputError, match="levels above 0 with"):
        analyze_psychometrics(trials.assign(level=trials["level"] - 1), scale="log")
    with pytest.raises(InputError, match="free or shared"):
        analyze_psychometrics(trials, lapse="some")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError):
        analyze_psychometrics(trials, function="logits")  # type: ignore[arg-type]


@pytest.mark.slow
def test_intervals_of_sensitivity_cover() -> None:
    """d' of yes and no at 1.5, of 4 alternatives at 1.2: 95 % intervals of 80 answers."""
    rng = np.random.default_rng(9)
    noise = rng.normal(size=(400_000, 3)).max(axis=1)
    share = float((rng.normal(1.2, size=400_000) > noise).mean())
    inside: list[tuple[bool, bool]] = []
    for _ in range(300):
        truth = np.repeat([True, False], 40)
        said = rng.normal(size=80) + 1.5 * truth > 0.9
        yes = {"truth": np.where(truth, "yes", "no"), "response": np.where(said, "yes", "no"), "correct": truth == said}
        row = pick(analyze_psychometrics(yes, task="yes-no", signal="yes"), "d'").iloc[0]
        right = rng.random(80) < share
        choice = pick(analyze_psychometrics({"correct": right}, n_alternatives=4), "d'").iloc[0]
        inside.append((row["low"] <= 1.5 <= row["high"], choice["low"] <= 1.2 <= choice["high"]))
    covered = np.mean(inside, axis=0)
    assert (covered >= 0.91).all() and (covered <= 0.985).all()


def test_thresholds_outside_the_levels_are_not_drawn() -> None:
    """Of two conditions one tells no threshold inside its levels: it has no dot, and the picture says so."""
    rows = [("p", condition, level, 40) for condition in ("steep", "flat") for level in LEVELS]
    table = pd.DataFrame(rows, columns=["participant", "condition", "level", "n_shown"])
    table["n_right"] = [20, 22, 30, 38, 39, 21, 21, 22, 22, 23]
    many = pd.concat([table, table.assign(participant="q")])
    found = analyze_psychometrics(many, guess=0.5, n_draws=20)
    assert not found.table[(found.table["statistic"] == "threshold") & (found.table["target"] == "flat")][
        "inside"
    ].any()
    (drawn,) = [each for each in RESULT_KINDS["psychometrics"].draw(found) if each.name == "thresholds"]
    ax = drawn.figure.axes[0]
    assert "2 without one inside the levels are not drawn" in ax.get_xlabel()
    assert ax.get_xlim()[0] >= min(LEVELS) - 1.5 and ax.get_xlim()[1] <= max(LEVELS) + 1.5
