"""Everybody can take part: every screen passes axe, works at 200 % and on the keyboard; phones are told kindly."""

import contextlib
from pathlib import Path

import pytest
from tests.browser.built_folders import FAST
from tests.experiment_folders import NO_PRACTICE

pytestmark = pytest.mark.browser

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}


def find_faults(page):
    """What axe finds, one line a fault."""
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(f"() => {{ {AXE.read_text(encoding='utf-8')} }}")
    found = page.evaluate("(rules) => axe.run(document, rules)", RULES)
    return [f"{each['id']}: {node['html'][:200]}" for each in found["violations"] for node in each["nodes"]]


def check_every_screen(lab, kind, changes=None):
    faults = {}

    def visit(person, screen):
        if found := find_faults(person.page):
            faults[screen] = found

    person = lab.invite(lab.serve(kind, 2, changes))
    assert person.take_part(visit=visit) == "done"
    assert len(set(person.screens)) >= 7
    assert faults == {}


def test_every_screen_passes_axe(lab):
    check_every_screen(lab, "2afc", {"completion_code": "C0DE"})


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in FAST if kind != "2afc"])
def test_every_screen_of_every_kind_passes_axe(lab, kind):
    check_every_screen(lab, kind)


def test_calibration_and_leaving_pass_axe(lab):
    changes = {"size": "4deg", "calibration": "card", "headphone_check": True, "headphone_trials": 1,
               "headphone_required": 0, "level_calibration": False}  # fmt: skip
    person = lab.invite(lab.serve("words", 1, changes))
    for screen in ("card", "headphones"):
        person.go_to(screen)
        assert find_faults(person.page) == []
    person.page.click("[data-action=play]")
    person.page.locator("[data-answer]").first.wait_for(timeout=20000)
    assert find_faults(person.page) == []
    person.page.keyboard.press("2")
    person.wait_for("ready")
    person.page.click("#leave")
    assert find_faults(person.page) == []


@pytest.mark.slow
def test_covers_pass_axe(chromium_lab, start_chromium):
    """What lies over a page while it waits: no sound, a window that is too small."""
    with contextlib.closing(start_chromium(devices=False)) as browser:
        changes = {"practice.n_with_feedback": 0, "practice.n_required": 0, "level_calibration": False}
        url = chromium_lab.serve("words", 1, changes)
        person = chromium_lab.invite(url, context=browser.new_context())
        person.go_to("sound")
        assert find_faults(person.page) == []
    person = chromium_lab.invite(chromium_lab.serve("similarity", 1, {"min_width": 2000}))
    person.go_to("window")
    assert find_faults(person.page) == []


def test_zoom_of_200_percent_keeps_everything_in_reach(lab):
    """At 200 % a window of 1280 × 720 has 640 × 360 CSS pixels of 2 × 2 pixels each."""
    url = lab.serve("2afc", 1, {"practice.n_with_feedback": 0, "min_width": 0, "min_height": 0})
    person = lab.invite(url, viewport={"width": 640, "height": 360}, device_scale_factor=2)

    def visit(person, screen):
        assert person.page.evaluate("document.documentElement.scrollWidth") <= 640, screen

    assert person.take_part(visit=visit) == "done"


def test_phones_are_told_kindly(lab):
    url = lab.serve("similarity", 1)
    person = lab.invite(url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True,
                        screen={"width": 390, "height": 844})  # fmt: skip
    person.wait_for("phone")
    assert "computer" in person.page.inner_text("main")
    assert person.page.url in person.page.inner_text(".address")
    width = person.page.evaluate("innerWidth") if lab.name == "webkit" else 390  # whose window is no narrower
    assert person.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
def test_phones_are_welcome_where_the_study_says_so(lab):
    url = lab.serve("similarity", 1, {"phones": True, "min_width": 0, "min_height": 0})
    person = lab.invite(url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True,
                        screen={"width": 390, "height": 844})  # fmt: skip
    assert person.take_part() == "done"


def test_a_small_window_waits_until_it_is_larger(lab):
    person = lab.invite(lab.serve("2afc", 1, {"practice.n_with_feedback": 0}))
    person.wait_for("consent")
    person.page.set_viewport_size({"width": 500, "height": 380})
    person.go_to("window")
    assert "600 × 400" in person.page.inner_text("main")
    person.page.set_viewport_size({"width": 1280, "height": 720})
    person.wait_for_answers()
    assert person.take_part() == "done"


@pytest.mark.slow
def test_reduced_motion_leaves_nothing_moving(chromium_lab):
    person = chromium_lab.invite(chromium_lab.serve("similarity", 1), reduced_motion="reduce")
    moving = "document.getAnimations().length"
    assert person.take_part(visit=lambda person, screen: person.page.evaluate(moving) == 0 or 1 / 0) == "done"


def test_focus_is_seen(lab):
    person = lab.invite(lab.serve("similarity", 1))
    person.wait_for("consent")
    person.page.keyboard.press("Tab")
    style = "getComputedStyle(document.activeElement)"
    assert person.page.evaluate("document.activeElement.dataset.action") == "agree"
    assert person.page.evaluate(f"{style}.outlineStyle") == "solid"
    assert float(person.page.evaluate(f"{style}.outlineWidth").removesuffix("px")) >= 2


def test_the_whole_screen_is_used_where_the_study_asks_for_it(lab):
    person = lab.invite(lab.serve("similarity", 1, {"fullscreen": True, "practice.n_without": 0}))
    person.go_to("ready")
    assert "whole screen" in person.page.inner_text("main")
    person.click_next()
    person.go_to_trial()
    assert person.page.evaluate("Boolean(document.fullscreenElement)")
    assert person.read_state()["checks"]["fullscreen"] is True
    assert person.take_part() == "done"
    person.wait_until("!document.fullscreenElement")


def test_pages_that_ask_who_is_here_pass_axe(lab):
    """An own link that may have been passed on, a link that is not known, somebody who came to the end here."""
    url = lab.serve("similarity", 1, {"completion_code": "C1"})
    person = lab.invite(url)
    person.wait_for("consent")
    assert find_faults(person.page) == []  # with the own link on it
    passed_on = lab.invite(person.page.url)
    passed_on.wait_for("who")
    assert find_faults(passed_on.page) == []
    person.page.click("[data-action=decline]")
    person.wait_for("end")
    assert find_faults(person.page) == []
    person.page.goto(f"{url}/?again")
    person.wait_for("next")
    assert find_faults(person.page) == []
    lost = lab.invite(f"{url}/#t={'x' * 43}")
    lost.wait_for("problem")
    assert find_faults(lost.page) == []
    lost.complaints.clear()  # that the server does not know it


@pytest.mark.parametrize("changes", [{}, {"recruiter": "prolific"}], ids=["own link", "recruited"])
def test_both_answers_to_the_consent_text_are_in_view_however_long_it_is(lab, changes):
    url = lab.serve("similarity", 1, {**NO_PRACTICE, **changes})
    person = lab.invite(f"{url}/?PROLIFIC_PID=a&STUDY_ID=b&SESSION_ID=c", viewport={"width": 1280, "height": 720})
    person.go_to("consent")
    seen = """(action) => {
        const button = document.querySelector(`[data-action=${action}]`);
        const { left, top, right, bottom } = button.getBoundingClientRect();
        const there = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
        return bottom <= innerHeight && there === button; }"""
    for _ in range(2):
        assert all(person.page.evaluate(seen, action) for action in ("agree", "decline"))
        person.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
