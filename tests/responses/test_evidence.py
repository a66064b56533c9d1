"""Signs of answers that no person gave: bounds, and how often people who did answer show one."""

from __future__ import annotations

import csv
import dataclasses
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from beholder.responses import (
    Answer,
    Event,
    ParticipantSummary,
    ResponseStore,
    Trace,
    insert_answer,
    insert_event,
    list_exclusions,
    list_signs,
    read_responses,
)
from beholder.responses._evidence import COUNTS, SIGNS, compute_interquartile_range, summarize_evidence

from .test_store import add_session, make_answer

PRESSED = {"presses": 1, "clicks": 1, "moves": 30}


def make_people(n: int = 40, **changes: Any) -> list[Trace]:
    """Answers as people give them, two seconds apart; ``changes`` are made to the first so many of them."""
    many = changes.pop("many", n)
    rng = np.random.default_rng(5)
    rts = 300 + 1000 * rng.lognormal(-0.5, 0.5, n)
    made = [{"rt_ms": rt, "elapsed_ms": rt + 900, "counts": PRESSED} for rt in rts]
    return [Trace(**(each | (changes if k < many else {}))) for k, each in enumerate(made)]


def test_people_show_no_sign() -> None:
    assert list_signs(make_people()) == ()
    assert list_signs([]) == () and list_signs(make_people(1)) == ()


@pytest.mark.parametrize(
    ("sign", "changes"),
    [
        ("no_page", {"counts": None}),
        ("no_input", {"counts": {"presses": 0, "moves": 4, "scripted": 2}}),
        ("too_fast", {"rt_ms": 149.9}),
    ],
)
def test_a_tenth_of_the_answers_may_look_odd(sign: str, changes: dict[str, Any]) -> None:
    assert list_signs(make_people(40, many=4, **changes)) == ()
    assert list_signs(make_people(40, many=5, **changes)) == (sign,)
    assert list_signs(make_people(5, many=1, **changes)) == ()  # one of five is more than a tenth, but one
    assert list_signs(make_people(5, many=2, **changes)) == (sign,)


def test_bounds_belong_to_people() -> None:
    assert list_signs(make_people(many=40, rt_ms=150.0)) == ("regular",)  # 150 ms are not too fast
    for name in ("keys", "presses", "clicks"):
        assert list_signs(make_people(counts={name: 1})) == ()
    early: Any = {"rt_ms": 900.0, "elapsed_ms": 799.9}
    assert list_signs(make_people(many=1, **early)) == () and list_signs(make_people(many=2, **early)) == ("early",)
    assert list_signs(make_people(many=2, **(early | {"elapsed_ms": 800.0}))) == ()
    assert list_signs(make_people(many=2, **(early | {"elapsed_ms": None}))) == ()


def test_jumps_are_half_of_ten_presses() -> None:
    assert list_signs(make_people(9, counts={"presses": 1, "jumps": 1})) == ()
    assert list_signs(make_people(10, counts={"presses": 2, "jumps": 1})) == ()
    assert list_signs(make_people(10, counts={"presses": 1, "jumps": 1})) == ("jumps",)


def test_regular_times_are_the_middle_half_of_twenty() -> None:
    steady = [Trace(1000.0 + 0.5 * k, 2000.0, PRESSED) for k in range(20)]
    assert list_signs(steady) == ("regular",) and list_signs(steady[:19]) == ()
    assert list_signs([*steady[:14], *(Trace(9000.0 + k, 9999.0, PRESSED) for k in range(6))]) == ()
    assert list_signs([*steady, *(Trace(9000.0 + k, 9999.0, PRESSED) for k in range(5))]) == (
        "regular",
    )  # some pauses hide nothing


def test_the_spread_is_that_of_numpy() -> None:
    values = [trace.rt_ms for trace in make_people(37)]
    low, high = np.quantile(values, [0.25, 0.75], method="weibull")
    assert compute_interquartile_range(values) == pytest.approx(high - low)
    assert compute_interquartile_range(values[:3]) is None


def test_signs_come_in_their_order() -> None:
    robot = [Trace(100.0, 30.0, None) for _ in range(20)] + [
        Trace(100.0, 30.0, {"presses": 0, "jumps": 0}) for _ in range(5)
    ]
    assert list_signs(robot, True) == ("webdriver", "no_page", "no_input", "too_fast", "regular")
    assert set(list_signs(robot, True)) < set(SIGNS)


@pytest.mark.parametrize("forged", [{"presses": "9"}, {"presses": True}, {"presses": -4}, {"presses": None}])
def test_forged_counts_count_nothing(forged: dict[str, Any]) -> None:
    found = summarize_evidence([Trace(500.0, None, forged)] * 3)
    assert found.signs == ("no_input",) and found.totals["presses"] == 0 and found.is_driven is False


def test_totals_are_of_answers_and_all_else_that_was_sent() -> None:
    found = summarize_evidence(
        [Trace(500.0, None, {"keys": 2}), Trace(500.0)], [{"keys": 3, "pastes": 1}, {"webdriver": True}]
    )
    assert found.totals == dict.fromkeys(COUNTS, 0) | {"keys": 5, "pastes": 1}
    assert found.is_driven and found.signs == ("webdriver",) and found.n_without_page == 1
    assert summarize_evidence([Trace(500.0)]).is_driven is None


def test_the_rule_is_off_unless_it_is_asked_for() -> None:
    conduct = ParticipantSummary(True, signs=("early", "regular"))
    assert list_exclusions(conduct, {}) == list_exclusions(conduct, {"automation": None}) == ()
    assert list_exclusions(conduct, {"automation": False}) == ()
    assert list_exclusions(conduct, {"automation": True}) == ("automation",)
    assert list_exclusions(ParticipantSummary(True), {"automation": True}) == ()


def answer_with(counts: dict[str, Any] | None, *what: int, **more: Any) -> Answer:
    """An answer, and what the page counted before it."""
    made = make_answer(*what, **more)
    return made if counts is None else dataclasses.replace(made, details={**made.details, "evidence": counts})


def test_exported_evidence_is_what_was_stored(store: ResponseStore) -> None:
    session = add_session(store, "p-known", 1, started=10.0)
    counts = {"keys": 3, "presses": 1, "clicks": 2, "moves": 7, "jumps": 0, "scripted": 1, "pastes": 4, "blurs": 5,
              "blurred_ms": 60, "hides": 6, "hidden_ms": 70, "webdriver": False}  # fmt: skip

    def work(connection: sqlite3.Connection) -> None:
        insert_event(connection, session, Event(12.0, "consent", "instructions", {"version": "1", "evidence": counts}))
        insert_answer(connection, session, answer_with({"keys": 10}, 1, 1, block=1, at=20.0))
        insert_answer(connection, session, answer_with(counts, 1, 2, at=40.0))
        insert_answer(connection, session, answer_with(None, 2, 1, at=42.5))

    store.write(work)
    tables = read_responses(store.path)
    first, second = tables.trials.iloc[0], tables.trials.iloc[1]
    names = {
        "key_presses": 3, "pointer_presses": 1, "clicks": 2, "pointer_moves": 7, "pointer_jumps": 0,
        "scripted_events": 1, "pastes": 4, "focus_losses": 5, "unfocused_ms": 60, "hidings": 6, "hidden_ms": 70,
    }  # fmt: skip
    assert {name: first[name] for name in names} == names and first["webdriver"] is np.False_
    assert second[[*names, "webdriver"]].isna().all()
    assert tables.trials["elapsed_ms"].isna().tolist() == [True, False] and second["elapsed_ms"] == 2500.0
    assert tables.practice["key_presses"].tolist() == [10]
    person = tables.participants.iloc[0]
    assert {name: person[name] for name in names} == {name: 2 * value for name, value in names.items()} | {
        "key_presses": 16
    }
    assert (person["n_without_page"], person["n_without_input"], bool(person["webdriver"])) == (1, 0, False)


def test_nobody_of_those_who_were_recorded_is_too_fast_or_too_regular(shared_data: Path) -> None:
    """Published answers to pictures in quick succession, whole and every block of twenty by itself."""
    files = sorted((shared_data / "shape_texture" / "human").glob("*/*.csv"))
    n_blocks = 0
    for path in files:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [{name.lower(): value for name, value in row.items()} for row in csv.DictReader(file)]
        rts = [1000 * float(row["rt"]) for row in rows if row["object_response"] != "na"]
        traces = [Trace(rt, None, PRESSED) for rt in rts]
        assert list_signs(traces) == ()
        blocks = [traces[k : k + 20] for k in range(0, len(traces) - 19, 20)]
        assert not any(list_signs(block) for block in blocks)
        n_blocks += len(blocks)
    assert (len(files), n_blocks) == (46, 1751)
