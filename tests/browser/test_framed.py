"""MTurk's page frames the study: another origin, whose storage and whole screen are its own."""

import contextlib
from urllib.parse import parse_qs, urlencode

import pytest
from tests.browser.conftest import open_lab
from tests.browser.participant import Participant
from tests.experiment_folders import NO_PRACTICE

from beholder.responses import read_responses

pytestmark = pytest.mark.browser

SITE = "https://workersandbox.mturk.com"


class Worker(Participant):
    """Who sees the study in a frame of MTurk's page: `page` is the frame, `outer` what is around it."""

    def __init__(self, context, url):
        super().__init__(context, url)
        self.outer = self.page
        self.enter()

    def _watch(self, request):
        pass

    def enter(self):
        """Look into the frame."""
        self.page = self.outer.query_selector("iframe").content_frame()
        self.page.wait_for_selector("body[data-screen]")


@pytest.fixture
def lab(start_chromium, tmp_path):
    """Participants come with a Chromium that lets a page of another origin frame one of this machine."""
    browser = start_chromium("--disable-features=LocalNetworkAccessChecks")
    with contextlib.closing(browser), open_lab(browser, tmp_path) as made:
        yield made


@pytest.fixture
def offer(lab):
    """Frames a study as MTurk's sandbox does; gives the worker and what was handed in."""
    handed = []

    def start(url, *, height=700, worker="w1", assignment="a1", **options):
        link = (
            f"{url}/?{urlencode({'assignmentId': assignment, 'hitId': 'h', 'workerId': worker, 'turkSubmitTo': SITE})}"
        )
        page = f"<!doctype html><h1>A task</h1><iframe src='{link}' width='1220' height='{height}'></iframe>"

        def answer(route):
            if route.request.method == "POST":
                handed.append((route.request.url, parse_qs(route.request.post_data)))
                route.fulfill(body="<p id=thanks>Handed in", content_type="text/html")
            else:
                route.fulfill(body=page, content_type="text/html")

        options.setdefault("viewport", {"width": 1280, "height": 800})
        context = lab.stack.enter_context(contextlib.closing(lab.browser.new_context(**options)))
        context.route(f"{SITE}/**", answer)
        return lab.invite(f"{SITE}/task/{assignment}", context=context, person=Worker), handed

    return start


@pytest.mark.parametrize("kind", ["similarity", pytest.param("words", marks=pytest.mark.slow)])
def test_a_whole_study_in_mturks_frame(lab, offer, kind):
    changes = {**NO_PRACTICE, "recruiter": "mturk", "completion_code": "C2", "level_calibration": False}
    url = lab.serve(kind, 2, {**changes, "fullscreen": True})
    worker, handed = offer(url)
    worker.go_to_trial()
    first = worker.trial
    worker.answer()
    worker.wait_for_another_trial(first)
    worker.outer.reload()
    worker.enter()
    assert worker.take_part() == "done"
    worker.page.click("form button")
    worker.page.wait_for_selector("#thanks")
    assert handed == [(f"{SITE}/mturk/externalSubmit", {"assignmentId": ["a1"], "code": ["C2"]})]
    tables = read_responses(lab.database)
    assert len(tables.trials) == 2 and tables.participants["finished"].tolist() == [True]
    again, _ = offer(url)
    assert again.wait_for("end") == "end"


def test_a_frame_without_room_leads_out_of_it(lab, offer):
    """MTurk's frame is as high as the task says, and may not fill the screen; the study goes on in a tab of its own."""
    url = lab.serve("similarity", 2, {**NO_PRACTICE, "recruiter": "mturk", "min_height": 500, "fullscreen": True})
    worker, handed = offer(url, height=400)
    worker.go_to("ready")
    assert "whole screen" not in worker.page.inner_text("main")
    worker.go_to("window")
    assert "leaves it 1220 × 400" in worker.page.inner_text("main")
    with worker.page.page.context.expect_page() as opened:
        worker.page.click("[data-action=tab]")
    worker.page = opened.value
    worker.page.wait_for_selector("body[data-screen]")
    assert worker.take_part() == "done"
    worker.page.click("form button")
    worker.page.wait_for_selector("#thanks")
    assert handed[0][1]["assignmentId"] == ["a1"]
    assert len(read_responses(lab.database).participants) == 1


def test_a_preview_in_mturks_frame_begins_nothing(lab, offer):
    url = lab.serve("similarity", 1, {**NO_PRACTICE, "recruiter": "mturk"})
    worker, _ = offer(url, assignment="ASSIGNMENT_ID_NOT_AVAILABLE")
    assert worker.wait_for("preview") == "preview"
    assert not len(read_responses(lab.database).participants)
