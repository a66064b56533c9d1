"""Stimuli that a page cannot show: it says which, loses nothing, and goes on when they can be shown."""

import contextlib
import json
import logging

import pytest
from tests.browser.built_folders import build_folder
from tests.browser.participant import Participant
from tests.experiment_folders import NO_PRACTICE

from beholder.experiments import read_experiment, write_static_pages
from beholder.responses import read_responses

pytestmark = pytest.mark.browser


def block(person, number, how):
    """Keep the stimulus of this number, as trials are shown, from arriving; the function that lets it pass again."""
    listed, lifted = [], []

    def read_list(route):
        answer = route.fetch()
        for trial in answer.json():
            for value in trial["stimuli"].values():
                listed.extend([value] if isinstance(value, str) else value)
        route.fulfill(response=answer)

    def handle(route):
        is_blocked = route.request.url.endswith(listed[number - 1]) and not lifted
        (how if is_blocked else lambda route: route.continue_())(route)

    person.page.route("**/api/trials?*", read_list)
    person.page.route("**/s/*", handle)
    return lambda: lifted.append(True)


def refuse(route):
    route.abort("blockedbyclient")


def spoil(route):
    route.fulfill(body=b"nothing that a browser decodes", content_type="image/png")


@pytest.mark.parametrize(
    ("kind", "how", "words"),
    [
        ("similarity", refuse, ("part 1 of 2", "ad blocker")),
        ("words", spoil, ("Trial 1 of 2 cannot be shown", "another browser")),
        pytest.param("recognition", refuse, ("cannot be shown", "ad blocker"), marks=pytest.mark.slow),
        pytest.param("recognition", spoil, ("cannot be shown", "another browser"), marks=pytest.mark.slow),
        pytest.param("words", refuse, ("cannot be shown", "ad blocker"), marks=pytest.mark.slow),
    ],
)
def test_the_page_says_which_and_trying_again_goes_on(lab, caplog, kind, how, words):
    person = lab.invite(lab.serve(kind, 2, {**NO_PRACTICE, "level_calibration": False}))
    lift = block(person, 1, how)
    with caplog.at_level(logging.WARNING, "beholder"):
        person.go_to("not-shown")
    text = person.page.inner_text("main")
    assert all(word in text for word in words), text
    assert "trial_" not in text and "is saved" in text
    assert "task_1/trials/trial_" in caplog.text
    person.page.click("[data-action=again]")
    person.page.locator("[data-action=again]:not([disabled])").wait_for()
    lift()
    assert person.take_part() == "done"
    table = read_responses(lab.database).trials
    assert sorted(table["stimulus_failures"]) == [0, 2]
    assert table["presentations"].tolist() == [1, 1]
    person.complaints.clear()


@pytest.mark.parametrize("kind", ["2afc", pytest.param("words", marks=pytest.mark.slow)])
def test_what_can_never_be_shown_is_gone_on_without(lab, kind):
    """Offered once trying again did not help; the trial has no answer, and the study goes on to its end."""
    person = lab.invite(lab.serve(kind, 2, {**NO_PRACTICE, "level_calibration": False}))
    block(person, 1, spoil)
    person.go_to("not-shown")
    assert not person.page.locator("[data-action=skip]").count()
    actions = "[...document.querySelectorAll('.buttons button')].map((each) => each.dataset.action)"
    assert person.page.evaluate(actions) == ["again", "reload"]
    person.page.click("[data-action=again]")
    person.page.locator("[data-action=skip]").wait_for()
    assert person.page.evaluate(actions) == ["again", "skip", "reload"]
    assert "not held against you" in person.page.inner_text("main")
    person.page.click("[data-action=skip]")
    person.wait_for("trial")
    assert person.take_part() == "done"
    tables = read_responses(lab.database)
    assert tables.trials["trial"].tolist() == [2]
    assert tables.participants["n_skipped"].tolist() == [1] and bool(tables.participants["finished"].all())
    person.complaints.clear()


def test_reload_helps_too_and_nothing_answered_is_lost(lab):
    person = lab.invite(lab.serve("similarity", 2, NO_PRACTICE))
    lift = block(person, 3, refuse)
    person.go_to_trial()
    person.answer()
    person.wait_for("not-shown")
    assert "part" in person.page.inner_text("main")
    lift()
    person.page.click("[data-action=reload]")
    person.wait_for("resume")
    assert person.take_part() == "done"
    assert sorted(read_responses(lab.database).trials["stimulus_failures"]) == [0, 1]
    person.complaints.clear()


@pytest.mark.slow
def test_what_the_browser_kept_broken_is_fetched_anew_without_a_word(lab):
    person = lab.invite(lab.serve("similarity", 1, NO_PRACTICE))
    spoiled = []

    def handle(route):
        if spoiled:
            route.continue_()
        else:
            spoiled.append(True)
            spoil(route)

    person.page.route("**/s/*", handle)
    assert person.take_part() == "done"
    assert "not-shown" not in person.screens
    assert read_responses(lab.database).trials["stimulus_failures"].tolist() == [0]


@pytest.mark.slow
def test_a_lost_connection_is_no_failure_of_a_stimulus(lab):
    person = lab.invite(lab.serve("recognition", 2, NO_PRACTICE))
    person.go_to("main-intro")
    person.page.route("**/s/*", refuse)
    person.page.route("**/api/beat", lambda route: route.abort())
    person.page.reload()
    person.wait_for("main-intro")
    person.click_next()
    person.page.locator("#notice").wait_for(state="visible")
    person.page.wait_for_timeout(2500)
    assert person.screen == "loading"
    person.page.unroute("**/s/*")
    person.page.unroute("**/api/beat")
    assert person.take_part() == "done"
    assert read_responses(lab.database).trials["stimulus_failures"].tolist() == [0, 0]
    person.complaints.clear()


def test_a_page_without_a_server_says_so_too(browser, tmp_path):
    folder = build_folder(tmp_path / "built", "similarity", 1, NO_PRACTICE)
    (folder / "task_1/trials/trial_1/a.png").write_bytes(b"nothing that a browser decodes")
    (page,) = write_static_pages(read_experiment(folder))
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    person = Participant(context, page.as_uri())
    person.go_to("not-shown")
    text = person.page.inner_text("main")
    assert "of 2 cannot be shown" in text and "answered is kept" in text
    person.page.click("[data-action=again]")
    person.page.locator("[data-action=again]:not([disabled])").wait_for()
    (kept,) = (value for value in person.page.evaluate("Object.values(sessionStorage)") if "failures" in value)
    assert [each["reason"] for each in json.loads(kept)["failures"]] == ["decode", "decode"]
    person.page.click("[data-action=skip]")
    assert person.take_part() == "done"
    (kept,) = (value for value in person.page.evaluate("Object.values(sessionStorage)") if "failures" in value)
    (row,) = json.loads(kept)["answers"]
    assert (row["skipped"], row["n"], row["correct"]) == (True, 1, None) and "response" not in row
    context.close()


@pytest.mark.parametrize("file", ["texts.en.json", pytest.param("js/main.js", marks=pytest.mark.slow)])
def test_a_page_whose_own_files_are_refused_says_what_may_help(lab, file):
    url = lab.serve("similarity", 1, NO_PRACTICE)
    options = {"reduced_motion": "reduce"} if lab.name == "chromium" else {}
    with contextlib.closing(lab.browser.new_context(**options)) as context:
        context.route(f"**/{file}", refuse)
        person = lab.invite(url, context=context)
        late = person.page.locator(".late")
        looked = "[getComputedStyle(document.querySelector('.late')).visibility, performance.now()]"
        seen, after_ms = person.page.evaluate(looked)
        assert seen == "hidden" or after_ms > 6000  # on a busy machine the page itself comes late
        late.wait_for(state="visible")
        assert "ad blocker" in person.page.inner_text("main")
        assert "problem." not in person.page.inner_text("body")
        context.unroute(f"**/{file}")
        person.page.reload()
        assert person.wait_for("consent") == "consent"
        assert person.page.locator(".late").count() == 0
        person.complaints.clear()
