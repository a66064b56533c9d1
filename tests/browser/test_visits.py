"""Several sessions of one person in a browser, on days that the server's clock runs through."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.browser.test_access import find_faults
from tests.experiment_folders import write_folder
from tests.experiments.person import Clock

from beholder.experiments import open_server, open_store
from beholder.experiments.settings._visits import DAY_S
from beholder.experiments.simulation._participant_client import ParticipantClient
from beholder.responses import read_responses

pytestmark = pytest.mark.browser

CHANGES = {
    "disabled_ms": 30, "break_fractions": [], "practice.n_without": 0, "comment": False, "sessions.n": 2,
    "sessions.days_max": 3, "sessions.completion_codes": ["FIRST", "SECOND"], "no_consent_code": "NO",
}  # fmt: skip


PAGE = Path(__file__).parents[2] / "docs" / "participants.md"


def read_table() -> dict[tuple[str, str], str]:
    """Who comes and by which way, to the page that the docs say."""
    lines = PAGE.read_text(encoding="utf-8").partition("## Several sessions\n")[2].splitlines()
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines[lines.index("") + 1 :]]
    start = next(k for k, row in enumerate(rows) if row[0] == "who opens the link")
    end = next(k for k, row in enumerate(rows[start:], start=start) if row == [""])
    ways = rows[start][1:]
    return {(row[0], way): page for row in rows[start + 2 : end] for way, page in zip(ways, row[1:], strict=True)}


TABLE = read_table()
WORDS = {
    "repeat": "there is no further session for you", "who": "somebody who began a session of this study",
    "next": "It leads to your next session, or to the last page once more.",
}  # fmt: skip
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Two experiments of two sessions, one of Prolific, served by one clock: ``{recruiter: url}, clock``."""
    folder, clock = tmp_path_factory.mktemp("studies"), Clock()
    with contextlib.ExitStack() as stack:
        urls = {}
        for name in ("none", "prolific"):
            changes = {**CHANGES, "recruiter": name}
            experiment = write_folder(folder / name, "similarity", n_tasks=2, n_trials=2, n_catch=0, changes=changes)
            store = stack.enter_context(contextlib.closing(open_store(experiment, folder / f"{name}.db")))
            urls[name] = stack.enter_context(open_server(experiment, store, clock=clock, limits=None)).url
        yield urls, clock


def advance(client, until):
    """Go through a session over HTTP as far as a step."""
    while (step := client.read_state()["step"]) not in (until, "done"):
        if step == "trials":
            for trial in client.list_trials(1, 9):
                client.send_answer(trial["id"], {"response": {"rating": 1}, "rt_ms": 500, "shown_at": 1})
        else:
            client.send_step(step, {"version": "1", "agreed": True} if step == "consent" else {}, 1)


def come_as_far(client, clock, parameters, who):
    """Be who a row of the table says."""
    client.join(parameters, {})
    advance(client, "done")
    days = {"before the next opens": 0.5, "too late for the next": 4}
    clock.now += days.get(who.rpartition(", ")[2], 1.5) * DAY_S
    if who.startswith("in the middle"):
        client.begin_next(parameters, {})
        advance(client, "trials")
        client.send_answer(client.list_trials(1, 1)[0]["id"], {"response": {"rating": 1}, "rt_ms": 500, "shown_at": 1})
    elif who == "done with the last session":
        client.begin_next(parameters, {})
        advance(client, "done")


@pytest.mark.parametrize(
    ("who", "way"),
    [pytest.param(*cell, marks=[pytest.mark.slow] if cell[1] != "plain link" else []) for cell in TABLE],
)
def test_every_cell_of_the_table(lab, studies, who, way):
    urls, clock = studies
    recruited = way.endswith("offer") or way.startswith("the offer")
    url = urls["prolific" if recruited else "none"]
    person, first = f"p{next(NUMBERS)}", "s1"
    parameters = {"PROLIFIC_PID": person, "STUDY_ID": first, "SESSION_ID": "x"} if recruited else {}
    with ParticipantClient(url) as client:
        come_as_far(client, clock, parameters, who)
        token = client._token
    link = {
        "plain link": url, "own link": f"{url}/#t={token}", "the offer of the session before": parameters,
        "another offer": {**parameters, "STUDY_ID": "s2" if "next session" not in who else "s3"},
    }[way]  # fmt: skip
    ours = lab.stack.enter_context(contextlib.closing(lab.browser.new_context()))
    if way == "plain link" and "elsewhere" not in who:  # the browser in which the person was
        lab.invite(f"{url}/#t={token}", context=ours).wait_for("end")
    seen = lab.invite(link if isinstance(link, str) else f"{url}/?{urlencode(link)}", context=ours)
    assert name_page(seen) == TABLE[who, way]
    assert WORDS.get(seen.screen, "") in read_page(seen)


@pytest.mark.parametrize(
    ("who", "way"),
    [("done with the last session", "another offer"), ("in the middle of the next session, elsewhere", "own link")],
)
def test_words_of_studies_of_several_sessions(lab, studies, who, way):
    """What is said of a study that can be done once is not said of them."""
    test_every_cell_of_the_table(lab, studies, who, way)


def name_page(person):
    """The page that is shown, as the table calls it."""
    person.wait_for("consent", "end", "next", "resume", "repeat", "trial", "upcoming", "who")
    end, text = person.page.evaluate("[document.body.dataset.end ?? '', document.body.innerText]")
    assert ("FIRST" in text or "SECOND" in text) == bool(end), "a code is shown at the end of one's own session alone"
    if person.screen != "end":
        return person.screen
    told = {"opens on": "early", "is open": "open", "is closed now": "closed"}
    return "end " + next((name for words, name in told.items() if words in text), end)


@pytest.fixture
def study(lab, tmp_path):
    """Serves an experiment of two sessions by a clock of its own: gives its address, the clock and the file."""

    def serve(**changes):
        experiment = write_folder(
            tmp_path / "built", "similarity", n_tasks=2, n_trials=2, n_catch=0, changes={**CHANGES, **changes}
        )
        clock = Clock()
        store = lab.stack.enter_context(contextlib.closing(open_store(experiment, tmp_path / "answers.db")))
        server = lab.stack.enter_context(open_server(experiment, store, clock=clock, limits=None))
        return server.url, clock, tmp_path / "answers.db"

    return serve


def read_page(person) -> str:
    return person.page.inner_text("main")


def invite_back(lab, link):
    """Somebody opens their link in a browser that knows nothing of them."""
    person = lab.invite(link)
    person.wait_until("document.body.dataset.screen !== 'loading' && Boolean(document.body.dataset.screen)")
    return person


def test_two_sessions_by_ones_own_link(lab, study):
    url, clock, db = study()
    person = lab.invite(url)
    person.go_to("consent")
    assert "This study has 2 sessions on different days; this is session 1." in read_page(person)
    assert person.take_part() == "done"
    assert "debrief" not in person.screens, "what it was about is told after the last session"
    text = read_page(person)
    assert "You have finished session 1 of 2" in text and "FIRST" in text
    assert "The next session opens on" in text and "Please begin it before" in text
    assert find_faults(person.page) == []
    link = person.page.inner_text("output.link")
    clock.now += DAY_S / 2
    early = invite_back(lab, link)
    assert "The next session opens on" in read_page(early) and "FIRST" in read_page(early)
    assert not early.page.locator("[data-action=next]").count()
    clock.now += DAY_S
    again = invite_back(lab, link)
    assert "The next session is open." in read_page(again)
    assert find_faults(again.page) == []
    again.page.click("[data-action=next]")
    again.wait_for("consent")
    assert "this is session 2" in read_page(again)
    again.go_to_trial()
    again.answer()
    again.wait_for("trial")
    again.page.reload()
    assert again.take_part() == "done"
    text = read_page(again)
    assert "SECOND" in text and "FIRST" not in text and "next session" not in text
    assert "debrief" in again.screens
    rows: Any = read_responses(db).participants
    assert rows["visit"].tolist() == [1, 2] and rows["finished"].all()
    assert rows["participant"].nunique() == 1
    assert rows["days_since_last"][1] == pytest.approx(1.5)


@pytest.mark.slow
def test_the_page_that_stays_open_goes_on_in_place(lab, study):
    url, _, db = study(**{"sessions.days_min": 0})
    person = lab.invite(url)
    assert person.take_part() == "done"
    assert "FIRST" in read_page(person), "the code of the session that has just ended is shown first"
    person.page.click("[data-action=next]")
    person.wait_for("consent")
    assert person.take_part() == "done"
    assert "SECOND" in read_page(person)
    assert read_responses(db).trials["visit"].tolist() == [1, 1, 2, 2]


@pytest.mark.slow
def test_the_recruiters_second_study(lab, study):
    url, clock, db = study(recruiter="prolific")
    first, second = (
        f"{url}/?{urlencode({'PROLIFIC_PID': 'p1', 'STUDY_ID': study, 'SESSION_ID': 'x'})}" for study in ("s1", "s2")
    )
    person = lab.invite(first)
    assert person.take_part() == "done"
    assert person.page.get_attribute("a.main", "href").endswith("cc=FIRST")
    assert "where you found this one" in read_page(person)
    assert find_faults(person.page) == []
    early = invite_back(lab, second)
    assert early.screen == "upcoming" and "The next session opens on" in read_page(early)
    assert find_faults(early.page) == []
    assert "FIRST" not in read_page(early), "the code of the first study is none of the second's"
    clock.now += 2 * DAY_S
    again = lab.invite(second)
    assert again.take_part() == "done"
    assert again.screens[0] == "consent"
    assert again.page.get_attribute("a.main", "href").endswith("cc=SECOND")
    assert read_responses(db).participants["visit"].tolist() == [1, 2]


def test_a_phone_is_asked_to_take_a_computer_before_the_session_begins(lab, study):
    url, clock, db = study()
    person = lab.invite(url)
    person.take_part()
    link = person.page.inner_text("output.link")
    clock.now += 1.5 * DAY_S
    size = {"width": 390, "height": 844}
    phone = lab.invite(link, viewport=size, screen=size, has_touch=True, is_mobile=True)
    phone.wait_for("end")
    phone.page.click("[data-action=next]")
    phone.wait_for("phone")
    assert phone.page.inner_text(".address") == link
    assert read_responses(db).participants["visit"].tolist() == [1]


def test_whoever_leaves_between_two_sessions_leaves_nothing(lab, study):
    url, _, db = study()
    person = lab.invite(url)
    person.take_part()
    person.page.click("#leave")
    assert "earlier sessions" in person.page.inner_text("dialog")
    person.page.click("[data-action=withdraw]")
    person.wait_until("document.body.dataset.end === 'withdrawn'")
    assert "Your answers of all sessions are deleted." in read_page(person)
    assert not len(read_responses(db).participants)


def test_the_page_before_a_session_opens_by_itself(lab, study):
    """When its time has come by the server's clock; until then the page says when, and that it may be closed."""
    url, clock, _ = study()
    person = lab.invite(url)
    person.take_part()
    assert "You can close this window now." in read_page(person)
    clock.now += DAY_S - 1.5
    person.page.reload()
    person.wait_for("end")
    assert "The next session opens on" in read_page(person)
    clock.now += 2
    person.page.locator("[data-action=next]").wait_for(timeout=15_000)
    assert "The next session is open." in read_page(person) and "FIRST" in read_page(person)
    person.page.click("[data-action=next]")
    person.wait_for("consent")


@pytest.mark.slow
def test_the_page_before_the_session_of_another_offer_opens_by_itself(lab, study):
    url, clock, _ = study(recruiter="prolific")
    link = f"{url}/?PROLIFIC_PID=p1&STUDY_ID="
    lab.invite(f"{link}s1").take_part()
    clock.now += DAY_S - 1.5
    person = lab.invite(f"{link}s2")
    person.wait_for("upcoming")
    assert "please give it back where you found it" in read_page(person)
    clock.now += 2
    person.wait_for("consent")
    assert "this is session 2" in read_page(person)


def test_the_page_of_a_session_that_is_closed(lab, study):
    url, clock, _ = study()
    person = lab.invite(url)
    person.take_part()
    link = person.page.inner_text("output.link")
    clock.now += 4 * DAY_S
    late = invite_back(lab, link)
    text = read_page(late)
    assert "is closed now" in text and "FIRST" in text
    assert "You can close this window now." in text and "Your own link opens this page again:" in text
    assert late.page.inner_text("output.link") == link
    assert find_faults(late.page) == []


def test_declining_the_second_session_keeps_the_first(lab, study):
    url, clock, db = study()
    person = lab.invite(url)
    person.take_part()
    clock.now += 1.5 * DAY_S
    person.page.reload()
    person.page.click("[data-action=next]")
    person.wait_for("consent")
    person.page.click("[data-action=decline]")
    person.wait_until("document.body.dataset.end === 'declined'")
    assert "those of your earlier sessions are kept" in read_page(person) and "NO" in read_page(person)
    assert read_responses(db).participants["step"].tolist() == ["done", "declined"]
    person.page.click("#leave")
    person.page.click("[data-action=withdraw]")
    person.wait_until("document.body.dataset.end === 'withdrawn'")
    assert not len(read_responses(db).participants)


def test_the_next_person_of_a_lab_computer_is_not_led_into_the_session(lab, study):
    url, clock, _ = study()
    person = lab.invite(url)
    person.take_part()
    clock.now += 1.5 * DAY_S
    other = lab.invite(url, context=person.page.context)
    other.wait_for("next")
    assert WORDS["next"] in read_page(other)
    other.page.click("[data-action=new]")
    other.wait_for("consent")
    assert "this is session 1" in read_page(other)
