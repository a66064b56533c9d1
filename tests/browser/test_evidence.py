"""What the page counts of keys, pointer, clipboard and focus, and what an export says of it."""

from __future__ import annotations

from typing import Any

import pytest

from beholder.responses import read_responses

pytestmark = pytest.mark.browser

CLICK_BY_SCRIPT = "document.querySelector('[data-answer]:not([disabled]), button.main:not([disabled])')?.click()"


def read_trials(lab) -> Any:
    """The answers that were given."""
    return read_responses(lab.database).trials


def list_signs(people: Any) -> list[str]:
    """What of the first participant's answers no person shows."""
    return people["automation_signs"][0].split()


def take_rest(person):
    """To the end, from wherever somebody is."""
    assert person.take_part() == "done"


def test_a_mouse_is_seen_to_move_and_press(lab):
    person = lab.invite(lab.serve("odd_one_out", 3))
    person.go_to_trial()
    for k in range(4):  # one of practice, three of the task
        person.page.mouse.move(100 + 10 * k, 300, steps=5)
        box = person.page.locator("[data-answer]:not([disabled])").nth(k % 3).bounding_box()
        person.page.mouse.move(box["x"] + 5, box["y"] + 5, steps=12)
        trial = person.trial
        person.page.mouse.click(box["x"] + 5, box["y"] + 5)
        person.wait_until(
            "(trial) => document.body.dataset.trial !== trial || !document.querySelector('[data-answer]')", trial
        )
        person.go_to("trial", "comment")
        if person.screen == "trial":
            person.wait_for_answers()
    take_rest(person)
    trials: Any = read_trials(lab)
    assert trials["pointer_presses"].tolist()[1:] == [1, 1] and (trials["pointer_moves"] >= 15).all()
    assert trials["clicks"].tolist()[1:] == [1, 1] and (trials["key_presses"] == 0).all()
    assert (trials["pointer_jumps"] == 0).all() and (trials["scripted_events"] == 0).all()
    assert trials["webdriver"].all()  # Playwright's browser says so itself
    assert (trials["elapsed_ms"].dropna() >= trials["rt_ms"][1:]).all()


def test_keys_are_counted_and_the_buttons_that_they_press_are_no_scripts(lab):
    person = lab.invite(lab.serve("odd_one_out", 3))
    assert person.take_part(keyboard=True) == "done"
    people: Any
    trials: Any
    trials, people = read_trials(lab), read_responses(lab.database).participants
    assert (trials["key_presses"] >= 1).all() and (trials["pointer_presses"] == 0).all()
    assert (trials["scripted_events"] == 0).all() and people["scripted_events"][0] == 0
    assert people["key_presses"][0] > trials["key_presses"].sum()  # steps and practice too
    assert people["n_without_input"][0] == 0 and people["n_without_page"][0] == 0
    assert list_signs(people)[0] == "webdriver" and not {"no_page", "no_input", "jumps"} & set(list_signs(people))
    assert people["excluded"][0] and people["exclusion_reasons"][0] == "automation"


def test_clicks_of_a_script_are_no_input(lab):
    person = lab.invite(lab.serve("2afc", 3))
    person.go_to_trial()
    while person.screen not in ("comment", "end"):  # the last click may meet the next screen already
        person.page.evaluate(CLICK_BY_SCRIPT)
        person.page.wait_for_timeout(20)
    people: Any
    trials: Any
    trials, people = read_trials(lab), read_responses(lab.database).participants
    assert (trials["scripted_events"] >= 1).all()
    assert (trials[["key_presses", "pointer_presses", "clicks"]] == 0).all(axis=None)
    assert people["n_without_input"][0] == 3 and "no_input" in list_signs(people)


@pytest.mark.slow
def test_a_mouse_that_jumps_is_noticed(lab):
    person = lab.invite(lab.serve("odd_one_out", 12, {"practice.n_without": 0}))
    person.go_to_trial()
    for k in range(12):
        trial = person.trial
        person.answer(2 * (k % 2))  # one movement of a few hundred pixels, as programs make it
        if k < 11:
            person.wait_for_another_trial(trial)
    take_rest(person)
    assert (read_trials(lab)["pointer_jumps"][1:] == 1).all()
    assert "jumps" in list_signs(read_responses(lab.database).participants)


def test_pasting_and_being_elsewhere_are_noted(lab):
    person = lab.invite(lab.serve("words", 2, {"practice.n_with_feedback": 0, "level_calibration": False}))
    person.go_to_trial()
    away = person.page.evaluate(
        """async () => {
            const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
            window.dispatchEvent(new FocusEvent("blur"));
            const left = performance.now();
            await wait(120);
            const away = performance.now() - left;
            window.dispatchEvent(new FocusEvent("focus"));
            const input = document.querySelector("[role=combobox]");
            input.dispatchEvent(new ClipboardEvent("paste", {bubbles: true}));
            return away;
        }"""
    )
    first = person.trial
    person.answer()
    person.wait_for_another_trial(first)
    person.answer()
    take_rest(person)
    people: Any
    trials: Any
    trials, people = read_trials(lab), read_responses(lab.database).participants
    assert trials["pastes"].tolist() == [1, 0] and people["pastes"][0] == 1
    assert trials["focus_losses"].tolist() == [1, 0] and trials["unfocused_ms"][0] == pytest.approx(away, abs=20)
    assert people["unfocused_ms"][0] == trials["unfocused_ms"][0]
    assert trials["hidings"].tolist() == [0, 0]
