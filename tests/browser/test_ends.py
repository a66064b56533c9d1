"""The ways out: no consent, failed checks, withdrawal, codes, and people who come twice."""

import pytest
from tests.browser.built_folders import draw_picture

from beholder.responses import read_responses

pytestmark = pytest.mark.browser


def test_no_consent_ends_with_its_code(lab):
    person = lab.invite(lab.serve("similarity", 1, {"no_consent_code": "N0"}))
    person.wait_for("consent")
    person.page.click("[data-action=decline]")
    person.wait_for("end")
    assert person.page.evaluate("document.body.dataset.end") == "declined"
    assert person.page.inner_text(".code") == "N0"


def test_withdrawal_is_asked_for_once_more_and_deletes(lab):
    person = lab.invite(lab.serve("similarity", 2, {"practice.n_without": 0}))
    person.go_to_trial()
    person.answer()
    person.page.wait_for_timeout(300)
    person.page.click("#leave")
    person.page.click("[data-action=stay]")
    person.wait_for_answers()
    person.page.click("#leave")
    person.page.keyboard.press("1")  # nothing is answered behind the question
    person.page.click("[data-action=withdraw]")
    person.wait_for("end")
    assert person.page.evaluate("document.body.dataset.end") == "withdrawn"
    assert person.read_state()["step"] == "withdrawn"


@pytest.mark.parametrize("recruiter", ["none", "prolific"])
def test_who_comes_back_after_the_end_can_still_leave_and_the_next_person_cannot_for_them(lab, recruiter):
    url = lab.serve("similarity", 1, {"practice.n_without": 0, "recruiter": recruiter, "completion_code": "C1"})
    link = f"{url}/?PROLIFIC_PID=p1&STUDY_ID=s1&SESSION_ID=x1" if recruiter == "prolific" else url
    person = lab.invite(link)
    person.wait_for("consent")
    own = link if recruiter == "prolific" else person.page.url
    assert person.take_part() == "done"
    assert not person.page.locator("#leave").is_visible()
    if recruiter == "none":
        person.page.reload()
        person.wait_for("end")
        assert not person.page.locator("#leave").is_visible()
    back = lab.invite(own)
    back.wait_for("end")
    back.page.click("#leave")
    back.page.click("[data-action=withdraw]")
    back.wait_until("document.body.dataset.end === 'withdrawn'")
    assert len(read_responses(lab.database).participants) == 0


def test_what_was_said_of_a_trial_is_gone_with_it(lab):
    person = lab.invite(lab.serve("same_different", 1, {"practice.n_with_feedback": 0, "feedback": "always"}))
    person.go_to_trial()
    person.answer()
    person.wait_until("document.getElementById('live').textContent.includes('orrect')")
    person.go_to("end")
    assert person.page.evaluate("document.getElementById('live').textContent") == ""


def test_instructions_promise_no_practice_where_there_is_none(lab):
    with_practice, without = (lab.invite(lab.serve("similarity", 1, {"practice.n_without": n})) for n in (1, 0))
    pages = []
    for person in (with_practice, without):
        person.go_to("instructions")
        pages.append(person.page.inner_text("p.small"))
    assert pages[0].endswith("2") and pages[1].endswith("1")
    for person, praised in ((with_practice, True), (without, False)):
        person.go_to("main-intro")
        text = person.page.inner_text(".sheet")
        assert ("practice" in text) is praised
        assert "One trial follows" in text


def test_prolific_is_told_by_a_link(lab):
    url = lab.serve("similarity", 1, {"recruiter": "prolific", "completion_code": "C1"})
    link = f"{url}/?PROLIFIC_PID=p1&STUDY_ID=s1&SESSION_ID=x1"
    left = lab.invite(link)
    left.go_to("instructions")
    left.page.close()
    person = lab.invite(link, context=left.page.context)  # the same browser, by the recruiter's link once more
    assert person.screen != "consent"
    assert person.take_part() == "done"
    assert "consent" not in person.screens
    assert person.page.get_attribute("a.main", "href") == "https://app.prolific.com/submissions/complete?cc=C1"
    again = lab.invite(f"{url}/?PROLIFIC_PID=p1&STUDY_ID=s1&SESSION_ID=x2")
    again.wait_for("end")
    assert again.page.get_attribute("a.main", "href") == "https://app.prolific.com/submissions/complete?cc=C1"


def test_mturk_previews_and_gets_its_form(lab):
    url = lab.serve("similarity", 1, {"recruiter": "mturk", "completion_code": "C2"})
    site = "https%3A%2F%2Fworkersandbox.mturk.com"
    looking = lab.invite(f"{url}/?assignmentId=ASSIGNMENT_ID_NOT_AVAILABLE&hitId=h&turkSubmitTo={site}")
    looking.wait_for("preview")
    person = lab.invite(f"{url}/?assignmentId=a1&hitId=h&workerId=w1&turkSubmitTo={site}")
    assert person.take_part() == "done"
    form = person.page.locator("form")
    assert form.get_attribute("action") == "https://workersandbox.mturk.com/mturk/externalSubmit"
    assert person.page.input_value("input[name=assignmentId]") == "a1"


def test_failed_headphone_check_ends_kindly(lab):
    changes = {"headphone_check": True, "headphone_trials": 1, "headphone_required": 1, "level_calibration": False,
               "screen_out_code": "S0"}  # fmt: skip
    person = lab.invite(lab.serve("words", 1, changes))
    person.go_to("headphones")
    person.page.click("[data-action=play]")
    buttons = person.page.locator("[data-answer]")
    buttons.first.wait_for(timeout=20000)
    buttons.nth(1).click()  # of one question the first tone is the quietest
    person.wait_for("ready")
    person.click_next()
    person.wait_for("end")
    assert person.page.inner_text(".code") == "S0"
    assert "not your fault" in person.page.inner_text("main")


def test_practice_that_fails_is_repeated_and_then_ends(lab):
    """With wrong answers only: a second block, then the end with the code for those who are screened out."""
    changes = {
        "practice.n_with_feedback": 1,
        "practice.n_required": 1,
        "practice.max_blocks": 2,
        "screen_out_code": "S1",
    }
    url = lab.serve("same_different", 1, changes, draw=lambda k: draw_picture(k, 48))
    person = lab.invite(url)
    person.answer = lambda: type(person).answer(person, 1)  # different, where the pair is the same
    assert person.take_part() == "screened_out"
    assert person.screens.count("practice-intro") == 2
    assert person.page.inner_text(".code") == "S1"


def test_texts_of_the_study_replace_those_of_the_pages(lab):
    texts = {"consent.heading": "Einverständnis", "lang": "de", "consent.text": "Eins.\n\nZwei **fett**."}
    person = lab.invite(lab.serve("similarity", 1, {"texts": texts}))
    person.wait_for("consent")
    assert person.page.inner_text("h1") == "Einverständnis"
    assert person.page.get_attribute("html", "lang") == "de"
    assert person.page.locator(".sheet p").all_inner_texts()[:2] == ["Eins.", "Zwei fett."]
    assert person.page.locator(".sheet strong").inner_text() == "fett"
