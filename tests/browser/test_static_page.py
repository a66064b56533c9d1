"""The page without a server: the same pages, the answers handed over at the end."""

import contextlib
import json
import re
from pathlib import Path

import pytest
from tests.browser.built_folders import FAST, build_folder
from tests.browser.participant import SITE, Participant

from beholder.experiments import import_collected, read_experiment, write_static_pages
from beholder.responses import read_responses

pytestmark = pytest.mark.browser


@pytest.fixture
def visitor(browser, tmp_path):
    """Opens the page of a kind of task as a file, or as if it came from a site."""
    with contextlib.ExitStack() as stack:

        def open_page(kind, changes=None, *, address=None, library=""):
            experiment = read_experiment(build_folder(tmp_path / "built", kind, 2, changes))
            (page,) = write_static_pages(experiment)
            window = {"width": 1280, "height": 720}
            context = stack.enter_context(contextlib.closing(browser.new_context(viewport=window)))

            def serve(route):
                if route.request.url.endswith("/jatos.js"):
                    route.fulfill(body=library, content_type="text/javascript")
                else:
                    route.fulfill(body=page.read_text(encoding="utf-8"), content_type="text/html")

            if address is not None:
                context.route("**/*", serve)
            person = Participant(context, address or page.as_uri())
            people.append(person)
            return person

        people = []
        yield open_page
        for person in people:
            assert person.complaints == []
            assert person.foreign == []


def test_the_next_person_is_promised_no_link_that_a_page_without_a_server_does_not_give(visitor, tmp_path):
    person = visitor("similarity")
    assert person.take_part() == "done"
    take_file(person, tmp_path)
    person.page.goto("about:blank")
    person.page.goto(person.url)
    person.wait_for("next")
    assert "link" not in person.page.inner_text("main")


def check_answers(sent, kind):
    assert (sent["kind"], sent["task"], sent["end"]) == (kind, 1, "done")
    assert [answer["n"] for answer in sent["answers"]] == [1, 2]
    assert all(
        answer["response"] and answer["rt_ms"] >= 0 and answer["window"]["dpr"] == 1 for answer in sent["answers"]
    )


def take_file(person, folder):
    with person.page.expect_download() as download:
        person.page.click("a.main")
    path = folder / "answers.json"
    download.value.save_as(path)
    return json.loads(path.read_text(encoding="utf-8"))


def check_file(visitor, folder, kind):
    person = visitor(kind)
    assert person.take_part() == "done"
    sent = take_file(person, folder)
    check_answers(sent, kind)
    chosen = {json.dumps(answer["response"]): answer["correct"] for answer in sent["answers"]}
    assert all(isinstance(correct, bool) for correct in chosen.values()) or kind == "similarity"
    taken = import_collected(read_experiment(folder / "built"), [folder / "answers.json"], folder / "answers.db")
    assert taken.n_new == 1
    found = read_responses(folder / "answers.db")
    assert len(found.practice) == len(sent["practice"])
    assert found.trials["trial"].tolist() == [answer["n"] for answer in sent["answers"]]
    if kind != "similarity":
        assert found.trials["correct"].tolist() == [answer["correct"] for answer in sent["answers"]]


def test_file_is_offered(visitor, tmp_path):
    check_file(visitor, tmp_path, "2afc")


def test_the_code_comes_after_the_answers_are_saved(visitor, tmp_path):
    person = visitor("similarity", {"completion_code": "C0DE", "practice.n_without": 0})
    assert person.take_part() == "done"
    page = person.page
    assert "in this page only" in page.inner_text("main") and "C0DE" not in page.inner_text("main")
    take_file(person, tmp_path)
    page.locator(".code").wait_for()
    assert page.inner_text(".code") == "C0DE"
    assert "saved as a file" in page.inner_text("main")
    with page.expect_download():
        page.click("a[download]")  # once more, for who has lost it


def test_who_declines_has_nothing_to_hand_in(visitor):
    person = visitor("similarity", {"no_consent_code": "N0"})
    person.wait_for("consent")
    person.page.click("[data-action=decline]")
    person.wait_for("end")
    assert "No answers were stored" in person.page.inner_text("main")
    assert person.page.locator("a[download]").count() == 0
    assert person.page.inner_text(".code") == "N0"


def test_who_is_screened_out_hands_in_what_there_is_and_gets_that_code(visitor, tmp_path):
    changes = {
        "practice.n_with_feedback": 1,
        "practice.n_required": 1,
        "practice.max_blocks": 1,
        "screen_out_code": "S0",
    }
    person = visitor("same_different", changes)
    person.answer = lambda: type(person).answer(person, 1)  # different, where the pair is the same
    assert person.take_part() == "screened_out"
    assert "not your fault" in person.page.inner_text("main") and "S0" not in person.page.inner_text("main")
    assert take_file(person, tmp_path)["end"] == "screened_out"
    person.page.locator(".code").wait_for()
    assert person.page.inner_text(".code") == "S0"


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in FAST if kind != "2afc"])
def test_file_is_offered_by_every_kind(visitor, tmp_path, kind):
    check_file(visitor, tmp_path, kind)


def test_reload_goes_on(visitor, tmp_path):
    person = visitor("similarity", {"practice.n_without": 0})
    person.go_to_trial()
    first = person.trial
    person.answer()
    person.wait_for_another_trial(first)
    person.page.reload()
    person.wait_for("resume")
    assert person.take_part() == "done"
    check_answers(take_file(person, tmp_path), "similarity")


def test_mturk_gets_a_form(visitor):
    site = "https://workersandbox.mturk.com"
    person = visitor("similarity", address=f"{SITE}/task.html?assignmentId=a1&turkSubmitTo={site}")
    assert person.take_part() == "done"
    assert person.page.get_attribute("form", "action") == f"{site}/mturk/externalSubmit"
    assert person.page.input_value("input[name=assignmentId]") == "a1"
    check_answers(json.loads(person.page.input_value("input[name=data]")), "similarity")


@pytest.mark.parametrize("code", ["", "C0DE"])
def test_jatos_gets_the_results(visitor, code):
    library = """window.jatos = {
        onLoad: (go) => setTimeout(go, 10),
        submitResultData: async (text) => { window.sent = text; },
        startNextComponent: () => { window.left = true; },
    };"""
    person = visitor("similarity", {"completion_code": code}, address=f"{SITE}/publix/1/task.html", library=library)
    person.take_part()
    if code:
        person.wait_until("Boolean(document.querySelector('.code'))")
        assert person.page.evaluate("Boolean(window.sent) && !window.left")
        assert "all your answers are saved" in person.page.inner_text("main")
        person.click_next()
    person.wait_until("window.left === true")
    check_answers(json.loads(person.page.evaluate("window.sent")), "similarity")


def test_page_says_that_it_is_the_weaker_form(tmp_path: Path):
    experiment = read_experiment(build_folder(tmp_path, "similarity", 1))
    (path,) = write_static_pages(experiment)
    text = path.read_text(encoding="utf-8")
    assert "weaker form" in text[: text.index("<html")]
    assert not re.search(r'(?:src|href)="(?!data:|#)', re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL))
    assert write_static_pages(experiment) == [path]
    assert path.read_text(encoding="utf-8") == text
