"""A page in a tab behind others: browsers draw no frames of it, and nothing is shown to nobody or waits for ever."""

import json
import sqlite3

import pytest
from tests.experiment_folders import NO_PRACTICE

pytestmark = pytest.mark.browser

COVER = """
    const draw = window.requestAnimationFrame.bind(window);
    let waiting = [];
    let isHidden = false;
    window.requestAnimationFrame = (call) => (isHidden ? waiting.push(call) : draw(call));
    Object.defineProperty(Document.prototype, "hidden", { get: () => isHidden });
    window.cover = (hide) => {
        isHidden = hide;
        document.dispatchEvent(new Event("visibilitychange"));
        if (!hide) waiting.splice(0).forEach((call) => draw(call));
    };
    window.coverWhen = (selector) => {
        const look = () => (document.querySelector(selector) ? window.cover(true) : draw(look));
        look();
    };
"""
SHOWN = "document.querySelectorAll('.layer.shown .picture').length"


def arrive(lab, kind, n_trials=1, changes=None, **options):
    """Somebody before the first trial, whose tab can be covered."""
    person = lab.invite(lab.serve(kind, n_trials, {**NO_PRACTICE, **(changes or {})}, **options))
    person.page.add_init_script(COVER)
    person.page.reload()
    person.go_to("main-intro")
    return person


def read_frames(lab):
    with sqlite3.connect(lab.database) as database:
        rows = database.execute("SELECT details FROM answers ORDER BY trial").fetchall()
    return [json.loads(row[0])["frames"] for row in rows]


def count_events(lab):
    with sqlite3.connect(lab.database) as database:
        return database.execute("SELECT count(*) FROM events WHERE event = 'presented'").fetchone()[0]


@pytest.mark.parametrize("kind", ["similarity", pytest.param("2afc", marks=pytest.mark.slow)])
def test_the_end_comes_though_the_page_is_covered(lab, kind):
    person = arrive(lab, kind)
    person.click_next()
    person.wait_for_answers()
    person.page.evaluate("cover(true)")
    person.answer()
    if kind == "2afc":
        person.page.locator("[data-action=next]").click()
    assert person.wait_for("comment") == "comment"
    person.click_next()
    person.wait_for("debrief")
    person.click_next()
    person.wait_for("end")


def test_nothing_is_announced_or_shown_while_the_page_is_covered(lab):
    person = arrive(lab, "recognition", 2, {"break_fractions": []})
    person.click_next()
    person.wait_for_answers()
    person.page.evaluate("cover(true)")
    person.answer()
    person.wait_until("document.querySelector('#progress').hidden === false")
    person.page.wait_for_timeout(1200)
    assert count_events(lab) == 1
    assert person.page.evaluate(SHOWN) == 0
    person.page.evaluate("cover(false)")
    person.wait_for_answers()
    assert count_events(lab) == 2


def test_a_picture_is_taken_down_when_the_page_is_covered(lab):
    person = arrive(lab, "recognition", changes={"stimulus_ms": 6000, "mask_ms": 100})
    person.page.evaluate("coverWhen('.layer.shown img.picture')")
    person.click_next()
    person.wait_until("document.hidden")
    person.page.wait_for_timeout(150)
    assert person.page.evaluate("document.querySelectorAll('.layer.shown img.picture').length") == 0
    person.page.evaluate("cover(false)")
    person.wait_for_answers()
    person.answer()
    person.wait_for("comment")
    (frames,) = read_frames(lab)
    assert frames["cut"] is True
    assert 0 < frames["stimulus_ms"] < 3000
    assert frames["mask_ms"] == pytest.approx(100, abs=frames["interval_ms"] * (1 + frames["dropped"]))


@pytest.mark.slow
def test_what_comes_before_a_picture_begins_anew(lab):
    person = arrive(lab, "recognition", changes={"fixation_ms": 700, "stimulus_ms": 100})
    person.page.evaluate("coverWhen('.layer.shown .fixation')")
    person.click_next()
    person.wait_until("document.hidden")
    person.page.wait_for_timeout(900)
    assert person.page.evaluate(SHOWN) == 0
    person.page.evaluate("cover(false)")
    person.wait_for_answers()
    person.answer()
    person.wait_for("comment")
    (frames,) = read_frames(lab)
    assert "cut" not in frames
    assert frames["fixation_ms"] == pytest.approx(700, abs=frames["interval_ms"] * (1 + frames["dropped"]))
    assert frames["stimulus_ms"] == pytest.approx(100, abs=frames["interval_ms"] * (1 + frames["dropped"]))
