"""Reloads, closed tabs, second tabs, double clicks, lost connections: nothing is lost and nothing is doubled."""

import re

import pytest
from tests.browser.built_folders import draw_picture
from tests.browser.participant import ENABLED

pytestmark = pytest.mark.browser


@pytest.fixture
def person(lab):
    """Somebody at the first main trial, which waits for an answer."""
    url = lab.serve("odd_one_out", 3, {"practice.n_without": 0})
    made = lab.invite(url)
    made.go_to_trial()
    return made


def test_reload_in_mid_trial_goes_on_with_the_same_trial(person):
    first = person.trial
    person.page.reload()
    person.wait_for("main-intro")
    person.click_next()
    person.wait_for_answers()
    assert person.trial == first
    person.answer()
    person.wait_for_another_trial(first)
    second = person.trial
    person.page.reload()
    person.wait_for("resume")
    assert "saved" in person.page.inner_text("main")
    person.click_next()
    person.wait_for_answers()
    assert person.trial == second
    assert person.read_state()["n_done"] == 1
    assert person.take_part() == "done"


def test_closed_tab_is_opened_again_by_its_address(lab, person):
    address, context = person.page.url, person.page.context
    assert re.search(r"#t=[\w-]{40,}$", address)
    person.answer()
    person.wait_for("trial", "end")
    person.page.close()
    again = lab.invite(address, context=context)
    again.wait_for("resume")
    again.click_next()
    assert again.take_part() == "done"


def test_second_tab_takes_over_and_the_first_steps_aside(lab, person):
    second = lab.invite(person.page.url, context=person.page.context)
    person.wait_for("moved")
    assert not person.page.locator(ENABLED).count()
    assert second.take_part() == "done"
    assert second.read_state()["n_done"] == 3


def test_double_click_answers_once(person):
    sent = []
    person.page.on("request", lambda request: request.method == "PUT" and sent.append(request.url))
    person.page.locator(ENABLED).first.dblclick()
    person.page.wait_for_timeout(400)
    person.wait_for_answers()
    assert len(sent) == 1
    assert person.read_state()["n_done"] == 1


def check_offline(person, seconds):
    context = person.page.context
    context.set_offline(True)
    first = person.trial
    person.answer(1)
    notice = person.page.locator("#notice")
    notice.wait_for(state="visible")
    assert "Nothing is lost" in notice.inner_text()
    person.page.wait_for_timeout(1000 * seconds)
    assert person.trial == first
    context.set_offline(False)
    person.wait_for_another_trial(first)
    assert notice.is_hidden()
    assert person.read_state()["n_done"] == 1


def test_offline_for_a_moment_keeps_the_answer_and_waits(person):
    check_offline(person, 1)


@pytest.mark.slow
def test_offline_for_ten_seconds(person):
    check_offline(person, 10)
    assert person.take_part() == "done"


def test_answer_that_a_reload_interrupted_is_sent_again(person):
    first = person.trial
    person.page.route("**/api/trials/*", lambda route: route.abort())
    person.answer(2)
    person.wait_for("saving")
    person.page.unroute("**/api/trials/*")
    person.page.reload()
    person.wait_for("resume")
    assert person.read_state()["n_done"] == 1
    person.click_next()
    person.wait_for_answers()
    assert person.trial != first
    person.complaints.clear()


def test_another_answer_elsewhere_is_kept_and_the_page_goes_on_from_there(person):
    """The server has an answer of another tab that this page does not know of."""
    body = {"response": {"choice": 2}, "rt_ms": 400, "shown_at": 1}
    assert person.call("PUT", f"/api/trials/{person.trial}", body)[0] == 200
    first = person.trial
    person.answer(0)
    person.wait_for_another_trial(first)
    assert person.read_state()["n_done"] == 1
    assert person.take_part() == "done"


def serve_45_trials(lab):
    changes = {"practice.n_with_feedback": 0}
    return lab.invite(lab.serve("2afc", 45, changes, draw=lambda k: draw_picture(k % 100, 32)))


def test_first_trial_needs_its_own_pictures_only(lab):
    """45 trials of 20 pictures each: with those of the first three the first is shown; the others come meanwhile."""
    person = serve_45_trials(lab)
    passed, held = [], []

    def hold(route):
        if len(passed) < 60:
            passed.append(route)
            route.continue_()
        else:
            held.append(route)

    person.page.route("**/s/*", hold)
    person.go_to_trial()
    assert person.page.evaluate("[...document.images].every((picture) => picture.naturalWidth === 32)")
    assert len(passed) == 60
    for _ in range(100):  # the next ones are asked for soon
        if not held:
            person.page.wait_for_timeout(50)
    assert 0 < len(held) <= 4  # of six connections, two are left for what the page asks meanwhile
    passed.clear()
    for route in held:
        route.continue_()
    person.answer()
    person.wait_for("feedback")


@pytest.mark.slow
def test_first_trial_comes_within_two_seconds(chromium_lab):
    """Where no proxy of the tests stands between."""
    person = serve_45_trials(chromium_lab)
    person.go_to("main-intro")
    person.page.evaluate("performance.mark('asked')")
    person.click_next()
    person.wait_for("trial")
    waited = person.page.evaluate("performance.now() - performance.getEntriesByName('asked')[0].startTime")
    assert waited < 2000
