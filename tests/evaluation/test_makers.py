"""Whose metamers other networks recognise more often, over the stimuli that both have."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from beholder._core.errors import InputError
from beholder.evaluation import Judgement, compare_makers


def make_judgement(right, passed=None):
    """Verdicts by ``right[maker][judge]``, a number a stimulus; all on one layer."""
    rows = [
        {"model": maker, "judge": judge, "decision": "class", "layer": "late", "stimulus_id": f"s{i}", "seed": 0,
         "correct": bool(value), "main": True, "passed": True if passed is None else passed[maker][i]}
        for maker, judges in right.items() for judge, values in judges.items() for i, value in enumerate(values)
    ]  # fmt: skip
    return Judgement(pd.DataFrame(rows), dict.fromkeys(right, ("late",)))


RIGHT = {
    "plain": {"plain": [1] * 8, "robust": [0, 0, 1, 0, 0, 0, 1, 0], "third": [0, 1, 1, 0, 0, 0, 0, 0]},
    "robust": {"robust": [1] * 8, "plain": [1, 1, 1, 0, 1, 0, 1, 1], "third": [1, 1, 1, 1, 0, 0, 1, 0]},
}


def test_the_difference_is_taken_stimulus_by_stimulus_without_a_networks_own_verdicts():
    found = compare_makers(make_judgement(RIGHT), "plain", "robust", "late")
    plain = np.mean([RIGHT["plain"][judge] for judge in ("robust", "third")], axis=0)
    robust = np.mean([RIGHT["robust"][judge] for judge in ("plain", "third")], axis=0)
    assert found.judges == (("robust", "third"), ("plain", "third"))
    assert (found.first.estimate, found.second.estimate) == (plain.mean(), robust.mean())
    half = t.ppf(0.975, 7) * plain.std(ddof=1) / 8**0.5
    assert found.first.high == pytest.approx(plain.mean() + half)
    assert found.difference.estimate == (robust - plain).mean()
    assert 0 < found.difference.low < found.difference.estimate < found.difference.high < 1
    assert found.difference.n == 8
    turned = compare_makers(make_judgement(RIGHT), "robust", "plain", "late")
    assert turned.difference.estimate == -found.difference.estimate


def test_the_same_judges_may_be_asked_of_both():
    found = compare_makers(make_judgement(RIGHT), "plain", "robust", "late", judges=["third"])
    assert found.judges == (("third",), ("third",))
    assert found.difference.estimate == (5 - 2) / 8


def test_only_stimuli_that_passed_for_both_count_unless_asked():
    passed = {"plain": [False] + [True] * 7, "robust": [True] * 6 + [False] * 2}
    judged = make_judgement(RIGHT, passed)
    assert compare_makers(judged, "plain", "robust", "late").difference.n == 5
    assert compare_makers(judged, "plain", "robust", "late", failed=True).difference.n == 8


def test_too_few_in_common_are_refused():
    with pytest.raises(InputError, match="two stimuli or more at early"):
        compare_makers(make_judgement(RIGHT), "plain", "robust", "early")
