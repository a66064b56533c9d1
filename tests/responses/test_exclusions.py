"""The rules on both sides of each bound, alone and together."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from beholder._core.errors import UnknownNameError
from beholder.responses import RULES, ParticipantSummary, list_exclusions

PUBLISHED = {
    "catch_ratio_min": 0.8, "time_s_min": 135.0, "time_s_max": 2500.0, "instructions_s_min": 15.0,
    "row_choices_min": 5, "practice_blocks_max": 3,
}  # fmt: skip
FINE = ParticipantSummary(
    True, n_catch=5, n_catch_correct=4, time_s=600.0, instructions_s=60.0, row_choices=(20, 25), practice_blocks=1
)

# rule, what passes at the bound, what fails just beyond it
_BOUNDS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("catch_ratio_min", {"n_catch_correct": 4}, {"n_catch_correct": 3}),
    ("time_s_min", {"time_s": 135.0}, {"time_s": 134.999}),
    ("time_s_max", {"time_s": 2500.0}, {"time_s": 2500.001}),
    ("instructions_s_min", {"instructions_s": 15.0}, {"instructions_s": 14.999}),
    ("row_choices_min", {"row_choices": (5, 40)}, {"row_choices": (4, 41)}),
    ("row_choices_min", {"row_choices": (40, 5)}, {"row_choices": (41, 4)}),
    ("practice_blocks_max", {"practice_blocks": 3}, {"practice_blocks": 4}),
]


@pytest.mark.parametrize("rule, passing, failing", _BOUNDS)
def test_bounds_belong_to_those_who_pass(rule: str, passing: dict[str, Any], failing: dict[str, Any]) -> None:
    assert list_exclusions(replace(FINE, **passing), PUBLISHED) == ()
    assert list_exclusions(replace(FINE, **failing), PUBLISHED) == (rule,)
    off = {name: bound for name, bound in PUBLISHED.items() if name != rule}
    assert list_exclusions(replace(FINE, **failing), off) == ()
    assert list_exclusions(replace(FINE, **failing), {**PUBLISHED, rule: None}) == ()


def test_every_combination_of_broken_rules() -> None:
    """All must hold: 2^5 ways to break them (too short and too long exclude each other)."""
    breaks = {rule: failing for rule, _, failing in _BOUNDS if rule != "time_s_max"}
    for k in range(len(breaks) + 1):
        for rules in itertools.combinations(breaks, k):
            conduct = FINE
            for rule in rules:
                conduct = replace(conduct, **breaks[rule])
            assert set(list_exclusions(conduct, PUBLISHED)) == set(rules)


def test_who_did_not_finish_is_always_left_out() -> None:
    assert list_exclusions(replace(FINE, finished=False), {}) == ("unfinished",)


def test_what_the_experiment_does_not_have_leaves_nobody_out() -> None:
    assert list_exclusions(ParticipantSummary(True), PUBLISHED) == ()


def test_fifteen_of_sixteen() -> None:
    rules = {"catch_ratio_min": 15 / 16}
    assert list_exclusions(ParticipantSummary(True, n_catch=16, n_catch_correct=15), rules) == ()
    assert list_exclusions(ParticipantSummary(True, n_catch=16, n_catch_correct=14), rules) == ("catch_ratio_min",)


def test_rules_are_those_of_the_settings() -> None:
    import dataclasses

    from beholder.experiments import Exclusion

    assert tuple(field.name for field in dataclasses.fields(Exclusion)) == RULES
    with pytest.raises(UnknownNameError, match="time_s_min"):
        list_exclusions(FINE, {"times_min": 3})
