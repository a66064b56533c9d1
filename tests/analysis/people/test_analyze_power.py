"""Power from pilot data, as results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from beholder import InputError, analyze_power
from beholder._core.errors import UnknownNameError
from beholder.analysis import RESULT_KINDS, open_result
from beholder.analysis.people._designs import design_from_matrix
from beholder.analysis.people._pilots import simulate_anova_power
from beholder.statistics import simulate_kappa_power


def make_matrix(effect: float = 0.1, n: int = 12) -> np.ndarray:
    rng = np.random.default_rng(0)
    values = rng.normal(0.8, 0.1, (n, 3, 2)) + rng.normal(0, 0.1, (n, 1, 1))
    values[:, 2, 0] -= effect
    return values


def make_trials(n_people: int = 8, n_items: int = 24, effect: float = 1.0) -> Any:
    rng = np.random.default_rng(1)
    rows: list[dict[str, Any]] = []
    people, items = rng.normal(0, 0.5, n_people), rng.normal(0, 0.6, n_items)
    for who in range(n_people):
        for item in range(n_items):
            for level in (1.0, 2.0, 3.0, 4.0):
                condition = "edge" if (item + who) % 2 else "photo"
                logit = people[who] + items[item] + effect * (condition == "photo") + 1.5 * (level - 2.5)
                right = bool(rng.random() < 0.25 + 0.73 / (1 + np.exp(-logit)))
                answer = {"truth": "abcd"[item % 4], "response": "abcd"[(item + (not right)) % 4], "correct": right}
                rows.append(
                    {"participant": f"p{who}", "stimulus": f"s{item}", "condition": condition, "level": level} | answer
                )
    return pd.DataFrame(rows)


def list_powers(result: Any) -> list[float]:
    return result.table[result.table["statistic"] == "power"]["estimate"].tolist()


def test_an_effect_that_is_taken_away_keeps_the_tests_level() -> None:
    """Scaled by 0 the interaction is not there, whatever else differs."""
    design = design_from_matrix(make_matrix(effect=0.3))
    level = simulate_anova_power(design, "observer:stage", 12, scale=0.0, alpha=0.05, n_simulations=300, seed=1)
    assert level == pytest.approx(0.05, abs=0.035)
    assert simulate_anova_power(design, "stage", 12, scale=1.0, alpha=0.05, n_simulations=60, seed=1) > 0.5
    with pytest.raises(UnknownNameError, match="layer"):
        simulate_anova_power(design, "observer:layer", 12, scale=1, alpha=0.05, n_simulations=1, seed=1)


def test_mixed_design_from_a_matrix(tmp_path: Path) -> None:
    np.save(tmp_path / "pilot.npy", np.clip(make_matrix(), 0, 1))
    found = analyze_power(tmp_path / "pilot.npy", design="anova", n=[4, 12, 40], n_simulations=60)
    powers = list_powers(found)
    assert powers == sorted(powers) and powers[0] < 0.8 < powers[2]
    assert found.settings["effect"] == "observer:stage" and found.settings["each"]
    needed = found.table[found.table["statistic"] == "needed"]["estimate"].iloc[0]
    assert needed == next(n for n, power in zip((4, 12, 40), powers, strict=True) if power >= 0.8)
    opened = open_result(found.save(tmp_path / "power.parquet"))
    assert opened.sentences() == found.sentences() and "participants in each group reach" in found.sentences()[0]
    (drawing,) = RESULT_KINDS["power"].draw(opened)
    np.testing.assert_allclose(np.asarray(drawing.figure.axes[0].get_lines()[0].get_ydata()), powers)
    less = analyze_power(tmp_path / "pilot.npy", design="anova", n=[12], n_simulations=60, effect_scale=0.3)
    assert list_powers(less)[0] < powers[1] and "multiplied by 0.3" in less.methods()


def test_two_conditions_of_right_answers() -> None:
    found = analyze_power(make_trials(), design="accuracy", n=[4, 30], trials=[10, 40], n_simulations=80)
    assert found.settings["kind"] == "within" and found.settings["items"] == "shared"
    first, second = found.settings["proportions"]
    assert first < second
    powers = list_powers(found)
    assert powers[0] < powers[1] and powers[0] <= powers[2] and len(powers) == 4


def test_which_network_fails_more_like_people() -> None:
    trials = make_trials()[lambda own: own["level"] == 2.0]
    right = trials.pivot(index="stimulus", columns="participant", values="correct")
    nets = pd.concat(
        pd.DataFrame({"participant": name, "stimulus": right.index, "correct": values, "rule": "mean"})
        for name, values in (("like", right["p0"].to_numpy()), ("unlike", right["p0"].to_numpy()[::-1]))
    )
    found = analyze_power(pd.concat([trials, nets]).fillna({"rule": ""}), design="kappa", n=[20, 100], n_simulations=80)
    assert found.settings["compared"] == ["like", "unlike"] and found.settings["n_people"] == 8
    order = sorted(right.index, key=lambda name: int(name[1:]))
    people = right.loc[order].to_numpy().T
    expected = simulate_kappa_power(
        right["p0"].loc[order], pd.Series(right["p0"].to_numpy()[::-1], right.index).loc[order], people, 20,
        n_simulations=80,
    )  # fmt: skip
    assert list_powers(found)[0] == expected
    with pytest.raises(InputError, match="two networks"):
        analyze_power(trials, design="kappa")


def test_thresholds_in_two_conditions() -> None:
    found = analyze_power(make_trials(effect=1.5), design="threshold", n=[3, 25], trials=[12], n_simulations=100)
    assert found.settings["levels"] == ["edge", "photo"] and found.settings["difference"] < 0
    powers = list_powers(found)
    assert powers[0] < powers[1] and "drawn experiments each" in found.sentences()[0]
    with pytest.raises(InputError, match="levels in two conditions"):
        analyze_power(make_trials()[lambda own: own["condition"] == "edge"], design="threshold")


def test_bad_input() -> None:
    with pytest.raises(UnknownNameError):
        analyze_power(make_trials(), design="anovas")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="0 < alpha"):
        analyze_power(make_trials(), design="accuracy", alpha=1.0)
    with pytest.raises(InputError, match="two levels of condition"):
        analyze_power(make_trials()[lambda own: own["condition"] == "edge"], design="accuracy")
    with pytest.raises(UnknownNameError, match="level"):
        analyze_power(make_trials().drop(columns="level"), design="threshold")
    with pytest.raises(InputError, match="two participants or more"):
        analyze_power(make_matrix(), design="anova", n=[1])
