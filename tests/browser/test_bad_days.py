"""Days on which the computer is otherwise: asleep, with two screens, with a clock that is set."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from tests.browser.built_folders import build_folder
from tests.browser.conftest import skip_in
from tests.browser.participant import SITE, Participant

from beholder.experiments import import_collected, read_experiment, write_static_pages
from beholder.responses import read_responses

pytestmark = pytest.mark.browser

EARLIER = "Object.defineProperty(performance, 'timeOrigin', { value: performance.timeOrigin - 3600000 })"
SET_BY = "(hours) => { const now = Date.now; Date.now = () => now() + 3600000 * hours; }"


def test_a_computer_that_slept_sends_what_was_answered_and_goes_on(lab):
    """Frozen and cut off in the middle of a trial, for a while; awake again before the network is."""
    person = lab.invite(lab.serve("odd_one_out", 3, {"practice.n_without": 0}))
    person.go_to_trial()
    first = person.trial
    person.page.context.set_offline(True)
    if lab.name == "chromium":
        devtools = person.page.context.new_cdp_session(person.page)
        devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
        time.sleep(1.5)
        devtools.send("Page.setWebLifecycleState", {"state": "active"})
    else:
        person.page.context.stop(1.5)
    assert person.trial == first and person.screen == "trial"
    person.answer()
    person.wait_until("!document.getElementById('notice').hidden")  # says that nothing is lost
    person.page.context.set_offline(False)
    person.wait_for_another_trial(first)
    assert person.take_part() == "done"
    trials: Any = read_responses(lab.database).trials
    assert trials["trial"].tolist() == [1, 2, 3]
    assert trials["rt_ms"][0] >= 1400 and (trials["elapsed_ms"][1:] >= trials["rt_ms"][1:]).all()


def test_a_window_on_another_screen_shows_and_notes_what_that_screen_is(lab):
    """A trial on a plain screen, the next ones on one of double density."""
    skip_in(lab.browser, "webkit", why="the density of its window is set when it starts")
    person = lab.invite(lab.serve("odd_one_out", 3, {"practice.n_without": 0}))
    person.go_to_trial()

    def measure():
        return person.page.evaluate("document.querySelector('.picture').getBoundingClientRect().width")

    plain, first = measure(), person.trial
    person.answer()
    person.wait_for_another_trial(first)
    size = {"width": 1280, "height": 720}
    if lab.name == "chromium":
        devtools = person.page.context.new_cdp_session(person.page)
        devtools.send("Emulation.setDeviceMetricsOverride", {**size, "deviceScaleFactor": 2, "mobile": False})
    else:
        person.page.set_viewport_size(size, 2)
    person.wait_until("window.devicePixelRatio === 2")
    second = person.trial
    person.answer()
    person.wait_for_another_trial(second)
    assert measure() == pytest.approx(plain, abs=1)  # as large to the eye
    assert person.take_part() == "done"
    trials: Any = read_responses(lab.database).trials
    assert trials["device_pixel_ratio"].tolist() == [1, 2, 2]
    assert trials["scale"][2] == pytest.approx(2 * trials["scale"][0], rel=0.02)


@pytest.mark.parametrize("hours", [-1, 1])
def test_setting_the_clock_changes_no_time_of_a_page_without_a_server(browser, tmp_path, hours):
    """The page alone knows the time; the clock is set while instructions are read, and back between two loads."""
    experiment = read_experiment(build_folder(tmp_path / "built", "odd_one_out", 3))
    (path,) = write_static_pages(experiment)
    context = browser.new_context(viewport={"width": 1280, "height": 720}, accept_downloads=True)
    page = path.read_text(encoding="utf-8")
    context.route(f"{SITE}/**", lambda route: route.fulfill(body=page, content_type="text/html"))
    begun = time.monotonic()
    person = Participant(context, f"{SITE}/task.html")
    person.go_to("instructions")
    person.page.evaluate(SET_BY, hours)
    person.go_to_trial()
    if hours < 0:  # and is loaded again, by a clock that is behind what was noted before
        person.page.add_init_script(EARLIER)
        person.page.reload()
    assert person.take_part() == "done"
    took = time.monotonic() - begun
    with person.page.expect_download() as download:
        person.page.click("a.main")
    collected = tmp_path / "collected.json"
    download.value.save_as(collected)
    record = json.loads(collected.read_text(encoding="utf-8"))
    times = [record["begun"], *(step["at_ms"] for step in record["steps"][:2])]
    times += [answer["shown_at"] for answer in record["answers"]] + [record["ended"]]
    assert times == sorted(times) and times[-1] - times[0] < 1000 * took
    import_collected(experiment, [collected], tmp_path / "a.db")
    row = read_responses(tmp_path / "a.db").participants.iloc[0]
    assert 0 < row["time_s"] < took and 0 <= row["instructions_s"] < took
    context.close()
