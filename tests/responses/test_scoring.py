"""Every button under every order, against a table written by hand."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from beholder._core.errors import InputError, UnknownNameError
from beholder.responses import ANSWER_FORMS, Score, check_response, score_response

# pressed, what lies where, what was chosen, right: all by hand
_TABLE = [
    ("2afc", {"choice": "upper"}, {"upper": "query_max", "lower": "query_min"}, "query_max", "query_max", True),
    ("2afc", {"choice": "lower"}, {"upper": "query_max", "lower": "query_min"}, "query_max", "query_min", False),
    ("2afc", {"choice": "upper"}, {"upper": "query_min", "lower": "query_max"}, "query_max", "query_min", False),
    ("2afc", {"choice": "lower"}, {"upper": "query_min", "lower": "query_max"}, "query_max", "query_max", True),
    ("counterfactual", {"choice": "left"}, {"left": "max", "right": "min"}, "max", "max", True),
    ("counterfactual", {"choice": "right"}, {"left": "max", "right": "min"}, "max", "min", False),
    ("counterfactual", {"choice": "left"}, {"left": "min", "right": "max"}, "max", "min", False),
    ("counterfactual", {"choice": "right"}, {"left": "min", "right": "max"}, "max", "max", True),
    ("same_different", {"choice": "same"}, {"first": "second", "second": "first"}, "same", "same", True),
    ("same_different", {"choice": "same"}, {"first": "first", "second": "second"}, "different", "same", False),
    ("same_different", {"choice": "different"}, {"first": "first", "second": "second"}, "same", "different", False),
    ("same_different", {"choice": "different"}, {"first": "second", "second": "first"}, "different", "different", True),
    ("recognition", {"label": "cat"}, {"stimulus": "stimulus"}, "cat", "cat", True),
    ("recognition", {"label": "dog"}, {"stimulus": "stimulus"}, "cat", "dog", False),
    ("words", {"word": "young"}, {"stimulus": "stimulus"}, "young", "young", True),
    ("words", {"word": "ability"}, {"stimulus": "stimulus"}, "young", "ability", False),
    ("similarity", {"rating": 3}, {"left": "b", "right": "a"}, None, "3", None),
    ("similarity", {"rating": 7}, {"left": "a", "right": "b"}, "7", "7", True),
]


@pytest.mark.parametrize("kind, response, shown, correct, choice, right", _TABLE)
@pytest.mark.parametrize("confidence", [1, 2, 3])
def test_truth_table(
    kind: str, response: dict[str, Any], shown: dict[str, str], correct: str, choice: str, right: bool, confidence: int
) -> None:
    """Confidence is what the button says, on the left as on the right."""
    response = {**response, "confidence": confidence}
    assert score_response(kind, response, shown, correct) == Score(choice, right, confidence)


def test_every_place_of_three_under_every_order() -> None:
    for order in itertools.permutations("abc"):
        for place in range(3):
            score = score_response("odd_one_out", {"choice": place}, {"items": list(order)}, "b")
            assert score == Score(order[place], order[place] == "b", None)


def test_without_a_right_answer_nothing_is_right_or_wrong() -> None:
    score = score_response("odd_one_out", {"choice": 1}, {"items": ["c", "a", "b"]}, None)
    assert score == Score("a", None, None)


_GOOD = {
    "2afc": {"choice": "upper", "confidence": 3},
    "counterfactual": {"choice": "left", "confidence": 1},
    "recognition": {"label": "cat"},
    "words": {"word": "cat"},
    "same_different": {"choice": "same"},
    "odd_one_out": {"choice": 2},
    "similarity": {"rating": 7},
}


def check(kind: str, response: Any) -> Any:
    steps = 3 if kind in ("2afc", "counterfactual") else 1
    return check_response(kind, response, choices=("cat", "dog"), rating_steps=7, confidence_steps=steps)


@pytest.mark.parametrize("kind", ANSWER_FORMS)
def test_what_a_button_sends_is_let_through(kind: str) -> None:
    assert check(kind, _GOOD[kind]) == _GOOD[kind]


_BAD: list[tuple[str, Any]] = [
    ("2afc", None), ("2afc", []), ("2afc", "upper"), ("2afc", {}), ("2afc", {"choice": "upper"}),
    ("2afc", {"choice": "left", "confidence": 1}), ("2afc", {"choice": "query_max", "confidence": 1}),
    ("2afc", {"choice": 0, "confidence": 1}), ("2afc", {"choice": None, "confidence": 1}),
    ("2afc", {"choice": ["upper"], "confidence": 1}), ("2afc", {"choice": "upper", "confidence": 0}),
    ("2afc", {"choice": "upper", "confidence": 4}), ("2afc", {"choice": "upper", "confidence": True}),
    ("2afc", {"choice": "upper", "confidence": 1.0}), ("2afc", {"choice": "upper", "confidence": "1"}),
    ("2afc", {"choice": "upper", "confidence": float("nan")}),
    ("2afc", {"choice": "upper", "confidence": 1, "correct": True}),
    ("recognition", {"label": "Cat"}), ("recognition", {"label": ""}), ("recognition", {"word": "cat"}),
    ("recognition", {"label": "cat", "confidence": 1}), ("words", {"word": "mouse"}),
    ("same_different", {"choice": "maybe"}), ("odd_one_out", {"choice": 3}), ("odd_one_out", {"choice": -1}),
    ("odd_one_out", {"choice": True}), ("odd_one_out", {"choice": "a"}), ("similarity", {"rating": 0}),
    ("similarity", {"rating": 8}), ("similarity", {"rating": 2.5}), ("similarity", {"rating": 10**40}),
]  # fmt: skip


@pytest.mark.parametrize("kind, response", _BAD, ids=lambda value: json.dumps(value, default=str)[:50])
def test_what_no_button_sends_is_refused(kind: str, response: Any) -> None:
    with pytest.raises(InputError):
        check(kind, response)


def test_unknown_kind() -> None:
    with pytest.raises(UnknownNameError, match="2afc"):
        check_response("2afcc", {})
