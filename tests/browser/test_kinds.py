"""What single kinds do of their own."""

import pytest
from tests.browser.participant import ENABLED

pytestmark = pytest.mark.browser


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["same_different", "odd_one_out", "similarity"])
def test_sounds_are_played_one_after_the_other(lab, kind):
    person = lab.invite(lab.serve(kind, 1, {"practice.n_without": 0, "practice.n_with_feedback": 0}, sounds=True))
    person.go_to("trial")
    n = 3 if kind == "odd_one_out" else 2
    person.wait_until("document.querySelectorAll('.sound.sounding').length === 1")
    assert person.page.locator(".sound").count() == n
    assert person.page.locator(ENABLED).count() == 0
    assert person.take_part() == "done"


def test_adaptive_trials_come_one_after_the_other(lab):
    """The next level depends on the answer, so the page cannot ask for it before."""
    none = {"practice.n_without": 0, "practice.n_with_feedback": 0, "break_fractions": []}
    changes = {**none, "adaptive": {"method": "up_down"}, "mask_ms": 0}
    person = lab.invite(lab.serve("recognition", 3, changes, levels=(0.1, 0.5, 1.0)))
    assert person.take_part() == "done"
    assert person.read_state()["n_done"] == 3
    assert person.screens.count("main-intro") == 1
    assert "resume" not in person.screens


def test_categories_without_a_symbol_are_shown_by_name(lab):
    names = ["star", "cross", "dog", "boat", "clock"]
    changes = {"choices": names, "texts": {"labels.star": "Stern"}}
    person = lab.invite(lab.serve("recognition", 1, changes))
    person.go_to_trial()
    shown = [text.strip() for text in person.page.locator(".icon").all_inner_texts()]
    assert shown == ["Stern", *names[1:]]
    assert person.page.locator(".icon img").count() == 3
    person.page.keyboard.press("s")
    person.page.keyboard.press("Enter")
    person.wait_for("feedback", "practice-intro", "main-intro", "trial")


def test_the_question_about_a_word_comes_when_its_answer_can(lab):
    """Also where the sound has ended before: a short one, heard late."""
    none = {"practice.n_with_feedback": 0, "level_calibration": False}
    person = lab.invite(lab.serve("words", 1, {**none, "response_from_ms": 900}))  # of a sound of 200 ms
    person.go_to_trial()
    person.wait_until("!document.querySelector('.question').textContent.startsWith('Listen')")
    assert person.take_part() == "done"
