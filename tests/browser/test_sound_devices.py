"""Nothing to play sounds with: the page says so, and no answer is saved for a sound that was not played."""

import contextlib
import json
import sqlite3

import pytest

pytestmark = pytest.mark.browser

NONE = {"practice.n_without": 0, "practice.n_with_feedback": 0, "practice.n_obvious": 0, "practice.n_required": 0,
        "break_fractions": [], "level_calibration": False}  # fmt: skip
STILL = """
const clock = Object.getOwnPropertyDescriptor(BaseAudioContext.prototype, "currentTime");
const {start} = AudioBufferSourceNode.prototype;
window.played = 0;
AudioBufferSourceNode.prototype.start = function (...when) {
    window.played += 1;
    start.apply(this, window.still === undefined ? when : [1e5]);
};
Object.defineProperty(BaseAudioContext.prototype, "currentTime", {
    get() { return window.still ?? clock.get.call(this); },
});
"""
"""Sounds stand still while ``window.still`` is a number, as in Firefox without a device."""


def read_answers(lab):
    """Words, restarts and the participant's own word for each answer."""
    with sqlite3.connect(lab.database) as database:
        rows = [json.loads(row[0]) for row in database.execute("SELECT details FROM answers ORDER BY trial")]
    return [(row["frames"].get("sound_restarts"), row["audio"].get("confirmed")) for row in rows]


def invite_still(lab, kind, n_trials=1, *, still, **options):
    """Somebody whose sounds can be made to stand still; from the beginning where ``still``."""
    url = lab.serve(kind, n_trials, NONE, **options)
    context = lab.stack.enter_context(contextlib.closing(lab.browser.new_context()))
    context.add_init_script(STILL + ("window.still = 0;" if still else ""))
    return lab.invite(url, context=context)


def test_sounds_that_stand_still_are_noticed_before_anything_is_asked(lab):
    person = invite_still(lab, "words", still=True)
    person.go_to("sound")
    assert "Switch on or plug in" in person.page.inner_text("main")
    assert person.page.locator("[data-action=test]").count() == 0  # it would not sound
    person.page.keyboard.press("Enter")
    person.page.wait_for_timeout(300)
    person.wait_for("sound")
    person.page.evaluate("delete window.still")
    person.page.click("[data-action=next]")
    person.wait_for("ready", "main-intro", "trial")
    assert person.take_part() == "done"
    assert read_answers(lab) == [(None, None)]


@pytest.mark.parametrize(
    ("kind", "options"), [("words", {}), pytest.param("odd_one_out", {"sounds": True}, marks=pytest.mark.slow)]
)
def test_a_sound_that_stops_half_way_is_played_again_and_no_answer_kept(lab, kind, options):
    """The device is unplugged while the second sound plays; what was answered by then is not saved."""
    person = invite_still(lab, kind, 2, still=False, **options)
    person.go_to_trial()
    first = person.trial
    person.answer()
    person.wait_until("(trial) => document.body.dataset.trial !== trial", first)
    played = person.page.evaluate("window.played")
    person.page.evaluate("window.still = 1e5")
    person.wait_for("sound")
    assert person.page.locator("[data-answer]:not([disabled]), [role=combobox]:not([disabled])").count() == 0
    person.page.keyboard.press("1")
    assert person.read_state()["n_done"] == 1
    person.page.evaluate("delete window.still")
    person.page.click("[data-action=next]")
    person.wait_for_answers()
    assert person.page.evaluate("window.played") > played
    assert person.take_part() == "done"
    assert len(read_answers(lab)) == 2


def test_where_the_browser_knows_of_no_device_a_listener_can_say_that_there_is_one(chromium_lab, start_chromium):
    with contextlib.closing(start_chromium(devices=False)) as browser:
        person = chromium_lab.invite(chromium_lab.serve("words", 1, NONE), context=browser.new_context())
        person.go_to("sound")
        assert not person.page.locator("[data-action=hears]").is_visible()
        person.page.click("[data-action=next]")
        person.wait_for("sound")
        person.page.click("[data-action=test]")
        person.page.click("[data-action=hears]")
        assert person.take_part() == "done"
    assert read_answers(chromium_lab) == [(None, True)]


@pytest.mark.slow
def test_sounds_of_other_kinds_are_looked_after_too(lab):
    person = invite_still(lab, "similarity", still=True, sounds=True)
    person.go_to("sound")
    person.page.evaluate("delete window.still")
    assert person.take_part() == "done"
