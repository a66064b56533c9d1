"""A kind of task that another package brings, with its page, is taken in a browser: served, and without a server."""

import contextlib
import json

import pytest
from PIL import Image
from tests.browser.participant import Participant
from tests.testing.toy.toy_kind import BRIGHTER

from beholder.experiments import build_tasks, open_server, open_store, register_task_kind, write_static_pages
from beholder.responses import TASK_KINDS, read_responses

pytestmark = pytest.mark.browser


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    monkeypatch.setattr(TASK_KINDS, "_entries", dict(TASK_KINDS._entries))
    register_task_kind(BRIGHTER)
    source = tmp_path / "pictures"
    source.mkdir()
    for k in range(2):
        for slot, level in (("dim", 40), ("bright", 200)):
            Image.new("L", (64, 64), level + k).save(source / f"{slot}_{k}.png")
    return build_tasks(BRIGHTER.load_planner()([source], tmp_path, n_tasks=1), tmp_path / "built")


def look_at_trial(person, screen):
    if screen != "trial":
        return
    page = person.page
    assert page.locator(".question strong").inner_text() == "brighter"
    assert page.locator(".brighter .tile").count() == 2
    assert page.locator("[aria-label='left picture']").count() == 1
    sun = page.locator("img.sun")
    assert sun.evaluate("img => img.decode().then(() => img.naturalWidth > 0)"), "its picture is there"
    assert sun.evaluate("img => getComputedStyle(img).width") == "24px", "its style sheet is there"


def take_part(browser, url, stack):
    context = stack.enter_context(contextlib.closing(browser.new_context(viewport={"width": 1280, "height": 720})))
    person = Participant(context, url)
    assert person.take_part(visit=look_at_trial) == "done"
    assert "instructions" in person.screens and person.screens.count("trial") == 2
    assert person.complaints == [], "nothing that the Content-Security-Policy refuses"
    assert person.foreign == []
    return person


def test_page_of_another_package_is_served(browser, experiment, tmp_path):
    with (
        contextlib.closing(open_store(experiment, tmp_path / "answers.sqlite")) as store,
        open_server(experiment, store) as server,
        contextlib.ExitStack() as stack,
    ):
        take_part(browser, server.url, stack)
    trials = read_responses(tmp_path / "answers.sqlite").trials
    assert len(trials) == 2 and set(trials["choice"]) <= {"dim", "bright"}
    assert trials["correct"].tolist() == [choice == "bright" for choice in trials["choice"]]


def test_page_of_another_package_is_in_pages_without_a_server(chromium, experiment, tmp_path):
    (page,) = write_static_pages(experiment)
    with contextlib.ExitStack() as stack:
        person = take_part(chromium, page.as_uri(), stack)
        with person.page.expect_download() as download:
            person.page.click("a.main")
        download.value.save_as(tmp_path / "answers.json")
    sent = json.loads((tmp_path / "answers.json").read_text(encoding="utf-8"))
    assert sent["kind"] == "brighter" and [set(answer["response"]) for answer in sent["answers"]] == [{"choice"}] * 2
