"""Every cell of the table of docs/participants.md: whoever comes, by whatever link, is shown their own right page."""

from __future__ import annotations

import contextlib
import itertools
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.browser.built_folders import build_folder
from tests.browser.participant import SITE, Participant

from beholder.experiments import open_server, open_store, read_experiment, write_static_pages
from beholder.experiments.simulation._participant_client import ParticipantClient
from beholder.responses import read_responses

pytestmark = pytest.mark.browser

PAGE = Path(__file__).parents[2] / "docs" / "participants.md"
CHANGES = {
    "practice.n_without": 0, "min_width": 0, "min_height": 0, "completion_code": "DONE", "no_consent_code": "NO",
    "screen_out_code": "OUT", "exclusion.instructions_s_min": 0.05,
}  # fmt: skip
CHECKED = {"headphone_check": True, "headphone_trials": 1, "headphone_required": 1}
WAYS = {"plain link": "none", "own link": "none", "Prolific": "prolific", "MTurk": "mturk", "static page": "static"}
PHONE = {"viewport": {"width": 390, "height": 844}, "screen": {"width": 390, "height": 844}, "has_touch": True,
         "is_mobile": True}  # fmt: skip
FORBIDDEN = """for (const name of ["localStorage", "sessionStorage"])
    Object.defineProperty(window, name, {get() { throw new DOMException("forbidden", "SecurityError"); }});"""


def read_table() -> dict[tuple[str, str], str]:
    """Who comes and by which way, to the page that the docs say."""
    lines = PAGE.read_text(encoding="utf-8").partition("## What is shown\n\n")[2].split("\n\n")[0].splitlines()
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]
    ways = rows[0][1:]
    assert ways == list(WAYS)
    return {(row[0], way): page for row in rows[2:] for way, page in zip(ways, row[1:], strict=True)}


TABLE = read_table()
CELLS = [cell for cell, page in TABLE.items() if page != "–"]


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """A served study for each recruiter, and the page of one without a server; `folders` to serve more of them."""
    folder = tmp_path_factory.mktemp("studies")
    with contextlib.ExitStack() as stack:
        made = SimpleNamespace(url={}, store={}, folder=folder)
        for name in ("none", "prolific", "mturk"):
            build_folder(folder / name, "similarity", 2, {**CHANGES, **CHECKED, "recruiter": name})
            experiment = read_experiment(folder / name)
            made.store[name] = stack.enter_context(open_store(experiment, folder / f"{name}.db"))
            made.url[name] = stack.enter_context(open_server(experiment, made.store[name], limits=None)).url
        build_folder(folder / "static", "similarity", 2, {**CHANGES, "recruiter": "mturk"})
        (page,) = write_static_pages(read_experiment(folder / "static"))
        made.page = page.read_text(encoding="utf-8")
        yield made


class Visit:
    """One cell: people and their links, browsers and what was done in them before.

    Parameters
    ----------
    browser, studies
    way : str
        A column of the table.
    """

    numbers = itertools.count()

    def __init__(self, browser, studies, way):
        self.browser, self.studies, self.way = browser, studies, way
        self.stack = contextlib.ExitStack()
        self.people = []
        self.who = f"w{next(self.numbers)}"

    @property
    def study(self):
        return WAYS[self.way]

    @property
    def is_static(self):
        return self.way == "static page"

    @property
    def base(self):
        return f"{SITE}/task.html" if self.is_static else f"{self.studies.url[self.study]}/"

    def parameters(self, who=None, job="1"):
        """Of the recruiter's link to somebody."""
        who = who or self.who
        if self.study == "prolific":
            return {"PROLIFIC_PID": who, "STUDY_ID": f"s{job}", "SESSION_ID": f"x-{who}"}
        if self.study == "mturk":
            site = "https://www.mturk.com"
            return {"workerId": who, "assignmentId": f"a{job}-{who}", "hitId": "h", "turkSubmitTo": site}
        return {}

    def link(self, who=None, job="1"):
        """The link that somebody is given, of their own or of all."""
        found = self.parameters(who, job)
        return f"{self.base}?{urlencode(found)}" if found else self.base

    def join(self, until="trials"):
        """Somebody takes part as far as this step, in a browser that we do not look at; their token."""
        with ParticipantClient(self.base.rstrip("/")) as client:
            client.join(self.parameters(), {"width": 1280})
            advance(client, until)
            return client._token

    def open_browser(self, **options):
        options.setdefault("viewport", {"width": 1280, "height": 720})
        context = self.stack.enter_context(contextlib.closing(self.browser.new_context(**options)))
        if self.is_static:
            page = self.studies.page
            context.route(f"{SITE}/**", lambda route: route.fulfill(body=page, content_type="text/html"))
        return context

    def open(self, address, context=None):
        """A new tab with this address, of a new browser if none is given."""
        person = Participant(context or self.open_browser(), address)
        self.people.append(person)
        return settle(person)

    def own(self, token):
        """What stands in the address of their tab."""
        return f"{self.link()}#t={token}"

    def take_part(self, until="trials", context=None):
        """Somebody takes part as far as this step; their tab, and the address by which they come back."""
        if self.is_static:
            person = self.open(self.base, context)
            go_in_page(person, until)
            return person, self.base
        token = self.join(until)
        person = self.open(self.own(token), context)
        if person.screen == "who":
            person.click_next()
            settle_from(person, "who")
        return person, self.own(token) if self.way == "own link" else self.link()


def advance(client, until):
    """Over HTTP, to where this step begins (of the trials: one answer after)."""
    if until == "consent":
        return
    client.send_step("consent", {"version": "1", "agreed": until != "declined"}, 0)
    if until in ("declined", "instructions"):
        return
    if until not in ("excluded",):
        time.sleep(0.06)
    client.send_step("instructions", {"pages_ms": {}}, 0)
    if until == "withdrawn":
        client._ask("POST", "/api/withdraw", {})
        return
    if until == "screened_out":
        client._ask("POST", "/api/step", {"step": "checks", "data": {"headphones": {"n": 1, "n_correct": 0}}})
        return
    data = {"headphones": {"n": 1, "n_correct": 1}} if client.read_state()["settings"]["headphone_check"] else {}
    client.send_step("checks", data, 0)
    for trial in client.list_trials(1, 2)[: 1 if until == "trials" else 2]:
        client.send_answer(trial["id"], {"response": {"rating": 3}, "rt_ms": 500, "shown_at": 1})
    if until != "trials":
        client.send_step("comment", {}, 0)
        client.send_step("debrief", {}, 0)


def go_in_page(person, until):
    """The same, clicked; of a page without a server."""
    if until == "declined":
        person.page.click("[data-action=decline]")
        person.wait_for("end")
    elif until == "instructions":
        person.go_to("instructions")
    elif until in ("trials", "withdrawn", "screened_out"):
        person.go_to_trial()
        first = person.trial
        person.answer()
        person.wait_for_another_trial(first)
        if until == "withdrawn":
            person.page.click("#leave")
            person.page.click("[data-action=withdraw]")
            person.wait_for("end")
        if until == "screened_out":  # as a check or the practice would have
            person.page.evaluate(
                """() => { for (const key of Object.keys(sessionStorage)) if (key.includes("page-")) {
                    const run = JSON.parse(sessionStorage[key]);
                    sessionStorage[key] = JSON.stringify({...run, step: "screened_out"}); } }"""
            )
    else:
        assert person.take_part() == "done"


def settle(person):
    """Wait until a page stands."""
    person.wait_until("!['loading', 'saving'].includes(document.body.dataset.screen)")
    return person


def settle_from(person, screen):
    """Wait until another page than this one stands."""
    person.wait_until("(screen) => ![screen, 'loading', 'saving'].includes(document.body.dataset.screen)", screen)
    return person


def read_page(person):
    """The page that is shown, as the table names it."""
    screen = person.screen
    if screen == "end":
        return f"end {person.page.evaluate('document.body.dataset.end')}"
    if screen == "problem":
        said = person.page.inner_text("main")
        named = {"Everybody who is needed": "full", "does not say who": "recruiter", "Nothing is known": "unknown",
                 "This link is damaged": "link"}  # fmt: skip
        return f"problem {next((name for words, name in named.items() if words in said), said)}"
    return screen


def come(visit, row):
    """Do what the row says, and open the link; the tab to look at."""
    simple = {
        "somebody new": lambda: visit.open(visit.link()),
        "who only previews": lambda: preview(visit),
        "with a phone": lambda: come_by_phone(visit),
        "with a computer, after a phone": lambda: come_after_phone(visit),
        "agreed, closed the tab": lambda: close_and_return(visit, "instructions"),
        "in mid-trial, reloads": lambda: reload(visit, "trials"),
        "in mid-trial, reloads, storage forbidden": lambda: reload(visit, "trials", forbidden=True),
        "in mid-trial, closed the tab": lambda: close_and_return(visit, "trials"),
        "in mid-trial, opens a second tab": lambda: open_second(visit),
        "in mid-trial, elsewhere": lambda: return_elsewhere(visit, "trials"),
        "in mid-trial, offline": lambda: lose_connection(visit),
        "declined": lambda: open_again(visit, "declined"),
        "screened out": lambda: open_again(visit, "screened_out"),
        "finished, reloads": lambda: reload(visit, "done"),
        "finished, opens the link again": lambda: open_again(visit, "done"),
        "finished, handed in": lambda: open_again(visit, "done", hand_in=True),
        "finished, closed the tab": lambda: close_and_return(visit, "done"),
        "finished, elsewhere": lambda: return_elsewhere(visit, "done"),
        "finished and excluded": lambda: open_again(visit, "excluded"),
        "finished, comes by another offer": lambda: come_by_another_offer(visit),
        "withdrew": lambda: open_again(visit, "withdrawn"),
        "withdrew, elsewhere": lambda: return_elsewhere(visit, "withdrawn"),
        "another person, in the tab of one in mid-trial": lambda: follow(visit, "trials"),
        "another person, in the tab of one who finished": lambda: follow(visit, "done"),
        "somebody new, when the study is full": lambda: come_late(visit),
        "by a link that cannot be used": lambda: come_by_broken_link(visit),
        "by a link with two ids": lambda: come_by_damaged_link(visit, ["a", "b"]),
        "by a link whose id is no id": lambda: come_by_damaged_link(visit, ["a" * 3000]),
    }
    return simple[row]()


def go(person, address):
    """Follow a link in this tab, as if typed."""
    person.page.goto("about:blank")
    person.page.goto(address)
    return settle(person)


def preview(visit):
    return visit.open(f"{visit.base}?assignmentId=ASSIGNMENT_ID_NOT_AVAILABLE&hitId=h")


def come_by_phone(visit):
    address = visit.own(visit.join()) if visit.way == "own link" else visit.link()
    n = count_sessions(visit)
    person = visit.open(address, visit.open_browser(**PHONE))
    assert count_sessions(visit) == n
    assert person.page.inner_text(".address") == address
    return person


def come_after_phone(visit):
    address = come_by_phone(visit).page.inner_text(".address")
    return visit.open(address)


def close_and_return(visit, until):
    context = visit.open_browser()
    person, address = visit.take_part(until, context=context)
    person.page.close()
    return visit.open(address, context)


def reload(visit, until, forbidden=False):
    context = visit.open_browser()
    if forbidden:
        context.add_init_script(FORBIDDEN)
    person, _ = visit.take_part(until, context=context)
    person.page.reload()
    return settle(person)


def open_second(visit):
    context = visit.open_browser()
    first, address = visit.take_part("trials", context=context)
    second = visit.open(address, context)
    if not visit.is_static:
        shown = read_page(second)
        if shown == "who":
            second.click_next()
            settle_from(second, "who")
        first.wait_for("moved")
        if shown == "who":
            return go(second, address)
    return second


def return_elsewhere(visit, until):
    _, address = visit.take_part(until)
    return visit.open(address)


def lose_connection(visit):
    person, _ = visit.take_part("trials")
    if not visit.is_static:
        person.click_next()
        person.wait_for_answers()
    person.page.context.set_offline(True)
    if visit.is_static:
        return person
    person.answer()
    person.page.locator("#notice").wait_for(state="visible")
    person.page.evaluate("document.body.dataset.screen = 'notice'")
    return person


def open_again(visit, until, hand_in=False):
    person, address = visit.take_part(until)
    if hand_in and visit.is_static:
        with person.page.expect_download():
            person.page.click("a.main")
    return go(person, address)


def come_by_another_offer(visit):
    if visit.is_static:
        link = f"{visit.base}?workerId=w&assignmentId="
        person = visit.open(f"{link}a1")
        assert person.take_part() == "done"
        return go(person, f"{link}a2")
    visit.join("done")
    return visit.open(visit.link(job="2"))


def follow(visit, until):
    """The next person at this computer, by the link that they were given."""
    person, address = visit.take_part(until)
    if visit.way == "own link":
        address = visit.own(visit.join("instructions"))
    elif visit.study in ("prolific", "mturk"):
        address = visit.link(f"{visit.who}-next")
    go(person, address)
    if visit.way == "own link":
        assert person.screen == "who"  # nothing is known of it here: it may have been passed on
        person.click_next()
        settle_from(person, "who")
    return person


def come_late(visit):
    built = visit.studies.folder / visit.study
    path = visit.studies.folder / f"full-{visit.who}.db"
    store = visit.stack.enter_context(open_store(read_experiment(built), path))
    url = visit.stack.enter_context(open_server(read_experiment(built), store, per_task=1)).url
    with ParticipantClient(url) as client:
        client.join(visit.parameters("first"), {})
        advance(client, "done")
    return visit.open(f"{url}/?{urlencode(visit.parameters())}")


def come_by_broken_link(visit):
    if visit.way == "own link":
        person = visit.open(visit.own("x" * 20))
        assert person.page.locator("[data-action=new]").is_visible()
        return person
    unfilled = {"prolific": "PROLIFIC_PID={{%PROLIFIC_PID%}}", "mturk": "hitId=h"}
    return visit.open(f"{visit.base}?{unfilled[visit.study]}")


def come_by_damaged_link(visit, values):
    if visit.way == "own link":
        token = visit.join()
        tokens = {"a": token, "b": "another"}
        return visit.open(visit.link() + "#" + "&".join(f"t={tokens.get(value, value)}" for value in values))
    name = "PROLIFIC_PID" if visit.study == "prolific" else "workerId"
    others = {key: value for key, value in visit.parameters().items() if key != name}
    if visit.is_static:
        others = {"assignmentId": "x", "turkSubmitTo": "https://www.mturk.com"}
    before = count_sessions(visit)
    person = visit.open(f"{visit.base}?{urlencode([*others.items(), *((name, value) for value in values)])}")
    assert count_sessions(visit) == before
    return person


def count_sessions(visit):
    if visit.is_static:
        return 0
    store = visit.studies.store[visit.study]
    return store.read(lambda connection: connection.execute("SELECT count(*) FROM sessions").fetchone())[0]


@pytest.fixture
def visit(browser, studies):
    """See :class:`Visit`; what a page complained about fails the test."""
    made = []

    def start(way):
        made.append(Visit(browser, studies, way))
        return made[-1]

    yield start
    for each in made:
        with each.stack:
            for person in each.people:
                refused = [said for said in person.complaints if "status of 4" not in said]
                assert refused == [] and person.foreign == []


EVERYWHERE = {
    "in mid-trial, reloads": "own link",
    "finished, opens the link again": "own link",
    "another person, in the tab of one in mid-trial": "Prolific",
    "another person, in the tab of one who finished": "plain link",
}
"""Rows whose fault would be the worst: answers of one person under another's name, or another's code."""


def list_cells():
    """All of them; each row by one way always, another one from row to row, and by the others where there is time."""
    rows = list(dict.fromkeys(row for row, _ in CELLS))
    for k, row in enumerate(rows):
        ways = [way for each, way in CELLS if each == row]
        chosen = EVERYWHERE.get(row, ways[k % len(ways)])
        for way in ways:
            mark = pytest.mark.slow if way != chosen else pytest.mark.everywhere if row in EVERYWHERE else None
            yield pytest.param(row, way, id=f"{row}-{way}", marks=[mark] if mark else [])


@pytest.mark.parametrize(("row", "way"), list(list_cells()))
def test_the_right_page(visit, row, way):
    """And a code nowhere but on the end that is one's own."""
    person = come(visit(way), row)
    assert read_page(person) == TABLE[row, way]
    codes = person.page.locator("output.code").all_inner_texts()
    wanted = {"end done": ["DONE"], "end screened_out": ["OUT"], "end declined": ["NO"], "end withdrawn": ["NO"]}
    unsaved = way == "static page" and TABLE[row, way] == "end done"  # first the answers, then the code
    assert codes == ([] if unsaved else wanted.get(TABLE[row, way], []))


def test_a_lab_computer_passes_from_person_to_person(lab):
    """One tab, one plain link, three people: by the button of the last page, by the link, and by it in mid-trial."""
    url = lab.serve("similarity", 2, {"practice.n_without": 0, "completion_code": "C1"})
    person = lab.invite(url)
    assert person.take_part() == "done"
    person.page.click("[data-action=new]")
    person.page.wait_for_selector("[data-action=agree]")
    assert "C1" not in person.page.content()
    assert person.take_part() == "done"
    assert person.page.inner_text("output.code") == "C1"
    person.page.goto(f"{url}/?next")
    person.wait_for("next")
    assert "C1" not in person.page.content()
    person.click_next()
    person.go_to_trial()
    person.answer()
    person.wait_for("trial", "end")
    person.page.goto(f"{url}/?again")
    person.wait_for("who")
    person.page.click("[data-action=new]")
    assert person.take_part() == "done"
    people: Any = read_responses(lab.database).participants
    assert people["finished"].tolist() == [True, True, False, True] and people["participant"].nunique() == 4
    assert people["n_answered"].tolist() == [2, 2, 1, 2]


def test_ones_own_link_shows_the_code_again_and_the_address_does_not(lab):
    url = lab.serve("similarity", 1, {"practice.n_without": 0, "completion_code": "C1"})
    person = lab.invite(url)
    person.wait_for("consent")
    own = person.page.inner_text("output.link")
    assert own == person.page.url and "#t=" in own
    assert person.take_part() == "done"
    assert person.page.inner_text("output.link") == own
    assert person.page.url == f"{url}/"
    again = lab.invite(f"{own}.")  # as some letters put it
    again.wait_for("end")
    assert again.page.inner_text("output.code") == "C1"


@pytest.mark.everywhere
def test_an_own_link_opened_over_another_person_is_followed(lab):
    """The two addresses differ behind the # alone, which browsers do not load by themselves."""
    url = lab.serve("similarity", 2, {"practice.n_without": 0, "completion_code": "C1"})
    links = []
    for _ in range(2):
        with ParticipantClient(url) as client:
            client.join({}, {})
            links.append(f"{url}/#t={client._token}")
    person = lab.invite(links[0])
    settle(person)
    person.click_next()
    settle_from(person, "who")
    person.go_to_trial()
    with person.page.expect_event("load"):
        person.page.goto(links[1])
    person.wait_for("who")
    person.click_next()
    settle_from(person, "who")
    person.go_to_trial()
    person.answer(2)
    person.wait_for_another_trial(person.trial)
    assert read_responses(lab.database).participants["n_answered"].tolist() == [0, 1]
    assert person.take_part() == "done"
    assert person.page.url == f"{url}/"
    with person.page.expect_event("load"):
        person.page.goto(links[0])
    person.wait_for("who")
    assert "C1" not in person.page.content()


def test_looking_at_an_end_does_not_make_the_browser_forget_who_is_not_through(lab):
    url = lab.serve("similarity", 1, {"practice.n_without": 0, "completion_code": "C1"})
    with ParticipantClient(url) as client:
        client.join({}, {})
        advance(client, "done")
        ended = f"{url}/#t={client._token}"
    person = lab.invite(url)
    person.go_to_trial()
    with person.page.expect_event("load"):
        person.page.goto(ended)
    person.wait_for("end")
    assert "C1" in person.page.content()
    person.page.goto("about:blank")
    person.page.goto(f"{url}/")
    person.wait_for("who")


def test_who_reloads_a_page_that_asks_is_asked_again(lab):
    url = lab.serve("similarity", 1, {"practice.n_without": 0})
    person = lab.invite(url)
    person.go_to_trial()
    own = person.page.url
    other = lab.invite(own)
    other.wait_for("who")
    other.page.reload()
    assert settle(other).screen == "who"
    other.click_next()
    settle_from(other, "who")
    other.page.reload()
    assert settle(other).screen != "who"


@pytest.mark.parametrize(
    "token", ["é", "x" * 300, *(pytest.param(token, marks=pytest.mark.slow) for token in ("%00", "a b"))]
)
def test_a_broken_link_says_so(lab, token):
    person = lab.invite(f"{lab.serve('similarity', 1)}/#t={token}")
    person.wait_for("problem")
    person.page.click("[data-action=new]")
    person.page.wait_for_selector("[data-action=agree]")
    person.complaints.clear()  # that the server does not know it


def test_an_answer_of_the_one_before_is_sent_as_theirs(lab):
    """It was on its way when the next person opened their link in this tab."""
    url = lab.serve("similarity", 2, {"practice.n_without": 0, "recruiter": "prolific"})
    person = lab.invite(f"{url}/?PROLIFIC_PID=a")
    person.go_to_trial()
    person.page.route("**/api/trials/*", lambda route: route.abort())
    person.answer(2)
    person.wait_for("saving")
    person.page.unroute("**/api/trials/*")
    person.page.goto(f"{url}/?PROLIFIC_PID=b")
    person.wait_for("consent")
    found = read_responses(lab.database)
    assert found.participants["n_answered"].tolist() == [1, 0]
    assert found.trials["choice"].tolist() == ["3"]
    person.complaints.clear()  # that the connection was gone


def test_answers_that_were_not_handed_in_are_offered_again(visit):
    """Of a page without a server; handed in, they are of no concern to the next person."""
    here = visit("static page")
    person, address = here.take_part("done")
    go(person, address)
    assert person.screen == "who"
    person.click_next()
    person.wait_for("end")
    with person.page.expect_download() as download:
        person.page.click("a.main")
    collected = Path(download.value.path()).read_text(encoding="utf-8")
    assert '"end":"done"' in collected and collected.count('"rt_ms"') == 2
    person.page.wait_for_selector("[data-action=new]")
    assert person.page.inner_text("output.code") == "DONE"
    go(person, address)
    assert person.screen == "next"
    person.click_next()
    person.wait_for("consent")
