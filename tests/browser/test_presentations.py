"""What is shown for a moment is shown once: a reload is known for one, and asks for what was seen."""

import json

import pytest
from tests.browser.built_folders import build_folder
from tests.browser.participant import ENABLED, Participant
from tests.experiment_folders import NO_PRACTICE

from beholder.experiments import import_collected, read_experiment, write_static_pages
from beholder.responses import read_responses

pytestmark = pytest.mark.browser

KINDS = {
    "recognition": ({"fixation_ms": 100, "stimulus_ms": 400, "mask_ms": 100}, False),
    "words": ({}, False),
    "same_different": ({"fixation_ms": 100, "stimulus_ms": 300, "gap_ms": 100}, False),
    "same_different sounds": ({}, True),
    "similarity sounds": ({}, True),
    "odd_one_out sounds": ({}, True),
}
FAST = ("recognition", "same_different sounds")
COUNT_SOUNDS = """
    const start = AudioBufferSourceNode.prototype.start;
    window.played = 0;
    AudioBufferSourceNode.prototype.start = function (...when) { window.played += 1; return start.apply(this, when); };
"""


def watch(person):
    """Note whatever is shown or played from here on."""
    person.page.evaluate("""() => {
        window.seen = 0;
        const look = () => {
            window.seen += document.querySelectorAll(".layer.shown .picture, .sounding").length;
            requestAnimationFrame(look);
        };
        look();
    }""")


def reload_in_trial(person):
    """Load the page again, and go on to where the interrupted trial can be answered."""
    person.page.reload()
    person.wait_for("main-intro", "resume")
    watch(person)
    person.click_next()
    person.wait_for_answers()


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in KINDS]
)
def test_reload_shows_nothing_once_more(lab, name):
    changes, sounds = KINDS[name]
    url = lab.serve(name.split()[0], 1, {**NO_PRACTICE, **changes, "level_calibration": False}, sounds=sounds)
    person = lab.invite(url)
    person.page.add_init_script(COUNT_SOUNDS)
    person.page.reload()
    person.go_to("main-intro")
    watch(person)
    person.click_next()
    person.wait_for_answers()
    assert person.page.evaluate("window.seen + window.played") > 0
    assert not person.page.locator("[data-withheld]").count()
    reload_in_trial(person)
    assert person.page.evaluate("[window.seen, window.played]") == [0, 0]
    assert "only once" in person.page.inner_text("[data-withheld]")
    person.answer()
    person.wait_for("end", "comment", "debrief")
    table = read_responses(lab.database).trials
    assert (table["presentations"][0], table["presentations_withheld"][0]) == (1, 1)
    assert 0 <= table["rt_ms"][0] < 60000


def test_nothing_is_shown_before_the_server_knows(lab):
    person = lab.invite(lab.serve("recognition", 1, NO_PRACTICE))
    person.go_to("main-intro")
    person.page.route("**/api/presentations", lambda route: route.abort())
    watch(person)
    person.click_next()
    person.page.locator("#notice").wait_for(state="visible")
    assert person.page.evaluate("window.seen") == 0
    assert read_events(lab) == []
    person.page.unroute("**/api/presentations")
    person.wait_for_answers()
    assert person.page.evaluate("window.seen") > 0
    assert [event["shown"] for event in read_events(lab)] == [True]
    person.complaints.clear()


def read_events(lab):
    rows = lab.store.read(lambda db: db.execute("SELECT data FROM events WHERE event = 'presented'").fetchall())
    return [json.loads(row[0]) for row in rows]


def test_lost_acknowledgement_is_no_second_presentation(lab):
    person = lab.invite(lab.serve("recognition", 1, NO_PRACTICE))
    person.go_to("main-intro")

    lost = []

    def lose(route):
        if lost:
            route.continue_()
        else:
            lost.append(route.fetch().status)
            route.abort()

    person.page.route("**/api/presentations", lose)
    watch(person)
    person.click_next()
    person.wait_for_answers()
    assert lost == [200]
    assert person.page.evaluate("window.seen") > 0
    assert len(read_events(lab)) == 1
    person.complaints.clear()


@pytest.mark.slow
def test_what_stays_until_the_answer_is_shown_again_and_counted(lab):
    person = lab.invite(lab.serve("similarity", 1, NO_PRACTICE))
    person.go_to_trial()
    person.page.reload()
    person.go_to_trial()
    assert person.page.locator("img.picture").count() == 2
    person.answer()
    person.wait_for("end", "comment", "debrief")
    table = read_responses(lab.database).trials
    assert (table["presentations"][0], table["presentations_withheld"][0]) == (2, 0)


def test_a_page_without_a_server_counts_in_its_own_storage(browser, tmp_path):
    experiment = read_experiment(
        build_folder(tmp_path / "built", "recognition", 2, {**NO_PRACTICE, "stimulus_ms": 300})
    )
    (page,) = write_static_pages(experiment)
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    person = Participant(context, page.as_uri())
    person.go_to_trial()
    reload_in_trial(person)
    assert person.page.evaluate("window.seen") == 0
    assert person.page.locator("[data-withheld]").count() == 1
    person.answer()
    assert person.take_part() == "done"
    with person.page.expect_download() as download:
        person.page.click("a.main")
    download.value.save_as(tmp_path / "answers.json")
    context.close()
    assert person.complaints == []
    import_collected(experiment, [tmp_path / "answers.json"], tmp_path / "answers.db")
    table = read_responses(tmp_path / "answers.db").trials
    assert table["presentations"].tolist() == [1, 1]
    assert table["presentations_withheld"].tolist() == [1, 0]


@pytest.mark.slow
def test_second_tab_does_not_show_it_again(lab):
    person = lab.invite(lab.serve("recognition", 1, NO_PRACTICE))
    person.go_to_trial()
    second = lab.invite(person.page.url, context=person.page.context)
    person.wait_for("moved")
    second.go_to_trial()
    assert second.page.locator("[data-withheld]").count() == 1
    assert second.page.locator(ENABLED).count() == 16
