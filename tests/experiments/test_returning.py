"""People who come back: the link's identity decides, whatever the browser holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from beholder.experiments import Limits
from beholder.responses import ResponseStore, forget_recruits, read_responses, read_status
from experiment_folders import write_folder

from .person import Person, serving

CODES = {"completion_code": "DONE", "no_consent_code": "NO", "screen_out_code": "OUT"}
PLAIN = {**CODES, "practice.n_with_feedback": 0, "practice.n_without": 0, "practice.n_required": 0}


def link(who: str, **more: str) -> dict[str, str]:
    return {"PROLIFIC_PID": who, "STUDY_ID": "s1", "SESSION_ID": f"x-{who}", **more}


def hit(who: str, **more: str) -> dict[str, str]:
    site = "https://www.mturk.com"
    return {"workerId": who, "assignmentId": f"a-{who}", "hitId": "h", "turkSubmitTo": site, **more}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    for recruiter in ("none", "prolific", "mturk"):
        changes = {**PLAIN, "recruiter": recruiter}
        write_folder(folder / recruiter, "similarity", n_tasks=2, n_trials=3, n_catch=0, changes=changes)
    return folder


@pytest.fixture
def prolific(built: Path, tmp_path: Path) -> Iterator[tuple[TestClient, ResponseStore]]:
    with serving(built / "prolific", tmp_path / "a.db") as made:
        yield made


@pytest.fixture
def mturk(built: Path, tmp_path: Path) -> Iterator[tuple[TestClient, ResponseStore]]:
    with serving(built / "mturk", tmp_path / "a.db") as made:
        yield made


def join(client: TestClient, params: Mapping[str, str | list[str]], token: str | None = None, **more: Any) -> Any:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return client.post("/api/join", json={"recruiter_params": params, "screen": {}, **more}, headers=headers)


def come(client: TestClient, params: dict[str, str], token: str | None = None) -> Person:
    reply = join(client, params, token)
    assert reply.status_code in (200, 201), reply.text
    return Person(client, reply.json()["token"])


def rate(trial: dict[str, Any]) -> dict[str, int]:
    return {"rating": 1 + trial["n"]}


def finish(person: Person) -> dict[str, Any]:
    person.begin()
    person.go_through("trials", rate)
    person.step("comment")
    return person.step("debrief").json()


def test_the_same_person_elsewhere_goes_on_where_they_are(prolific: tuple[TestClient, ResponseStore]) -> None:
    """Another device gets a token of its own, and the first one's goes on to work."""
    client, store = prolific
    here = come(client, link("a"))
    here.begin()
    here.answer(here.trials()[0], {"rating": 3})
    there: Any = come(client, link("a"))
    assert there.token != here.token and len(there.token) == 43
    assert there.state() == here.state() and there.state()["n_done"] == 1
    first, other = here.trials()[0], there.trials()[0]
    assert first == other
    assert there.answer(other, {"rating": 5}).status_code == 200
    assert here.answer(first, {"rating": 6}).json()["code"] == "conflict"
    assert here.state() == there.state() and here.state()["n_done"] == 2
    here.go_through("trials", rate)
    assert there.state()["step"] == "comment"
    people = read_responses(store.path).participants
    assert len(people) == 1 and read_responses(store.path).trials["choice"].tolist() == ["3", "5", "4"]


def test_the_links_identity_outranks_what_the_browser_holds(prolific: tuple[TestClient, ResponseStore]) -> None:
    """A lab computer: each by their own link, in a tab that holds the token of the one before."""
    client, store = prolific
    token, names = None, ["a", "b", "c"]
    for name in names:
        person = come(client, link(name), token)
        assert person.token != token and person.state()["step"] == "consent"
        assert finish(person)["code"] == "DONE"
        token = person.token
    back = come(client, link("a"), token)  # the first once more, in the tab of the last
    assert back.token != token and back.state()["step"] == "done"
    people: Any = read_responses(store.path).participants
    assert people["finished"].tolist() == [True] * 3 and people["participant"].nunique() == 3


def test_ones_own_token_is_given_back(prolific: tuple[TestClient, ResponseStore]) -> None:
    client, store = prolific
    person = come(client, link("a"))
    for _ in range(3):
        assert join(client, link("a"), person.token).json() == {"token": person.token, "repeat": False}
    assert store.read(lambda c: c.execute("SELECT count(*) FROM logins").fetchone()) == (1,)
    assert store.read(lambda c: c.execute("SELECT count(*) FROM recruits").fetchone()) == (1,)
    assert join(client, link("a"), "x" * 43).json()["token"] not in (person.token, "x" * 43)


def test_who_closed_the_last_page_finds_the_code_by_their_link(prolific: tuple[TestClient, ResponseStore]) -> None:
    client, _ = prolific
    finish(come(client, link("a")))
    back = come(client, link("a")).state()
    assert (back["step"], back["code"]) == ("done", "DONE")
    assert back["code_url"] == "https://app.prolific.com/submissions/complete?cc=DONE"


def test_who_declined_sees_that_they_did(prolific: tuple[TestClient, ResponseStore]) -> None:
    client, _ = prolific
    come(client, link("a")).step("consent", version="1", agreed=False)
    back = come(client, link("a"))
    assert (back.state()["step"], back.state()["code"]) == ("declined", "NO")
    assert back.step("consent", version="1", agreed=True).status_code == 409  # a no stands


def test_who_withdrew_cannot_take_part_again_elsewhere(prolific: tuple[TestClient, ResponseStore]) -> None:
    client, store = prolific
    person = come(client, link("a"))
    person.begin()
    elsewhere = come(client, link("a"))
    assert person.ask("POST", "/api/withdraw", {}).json()["step"] == "withdrawn"
    assert elsewhere.state()["step"] == "withdrawn"
    back = join(client, link("a"))
    assert back.status_code == 200 and back.json()["token"] is None
    assert (back.json()["state"]["step"], back.json()["state"]["code"]) == ("withdrawn", "NO")
    assert join(client, link("b")).status_code == 201
    status = read_status(store.path)
    assert (status.n_participants, status.n_withdrawn) == (1, 1)
    left = b"".join(path.read_bytes() for path in store.path.parent.glob("a.db*"))
    assert b"x-a" not in left and b"x-b" in left  # of the link nothing but the keyed hash


def test_after_forgetting_nobody_is_known(built: Path, tmp_path: Path) -> None:
    with serving(built / "prolific", tmp_path / "a.db") as (client, _):
        come(client, link("a")).ask("POST", "/api/withdraw", {})
    assert forget_recruits(tmp_path / "a.db") == 1
    with serving(built / "prolific", tmp_path / "a.db") as (client, _):
        assert join(client, link("a")).status_code == 201


def test_the_way_back_is_that_of_the_job_they_came_for(mturk: tuple[TestClient, ResponseStore]) -> None:
    """Returned and accepted anew while it runs, the new assignment counts; once it is over, no second one is paid."""
    client, store = mturk
    come(client, hit("w", assignmentId="a1"))
    person = come(client, hit("w", assignmentId="a2"))
    assert finish(person)["submit"]["fields"] == {"assignmentId": "a2", "code": "DONE"}
    assert join(client, hit("w", assignmentId="a2"), person.token).json()["repeat"] is False
    again = join(client, hit("w", assignmentId="a3"), person.token)
    assert again.json()["repeat"] is True
    assert person.state()["submit"]["fields"]["assignmentId"] == "a2"
    assert store.read(lambda c: c.execute("SELECT count(*) FROM recruits").fetchone()) == (2,)


def test_a_link_that_names_nobody_lets_nobody_in(
    prolific: tuple[TestClient, ResponseStore], built: Path, tmp_path: Path
) -> None:
    """One that nobody filled in would be the same person for all."""
    client, store = prolific
    for value in ("", "  ", "{{%PROLIFIC_PID%}}", "${PROLIFIC_PID}"):
        reply = join(client, link(value))
        assert (reply.status_code, reply.json()["code"]) == (422, "recruiter"), value
    assert read_status(store.path).n_participants == 0
    spaced = come(client, link(" a "))
    assert join(client, link("a"), spaced.token).json()["token"] == spaced.token


def test_who_only_looks_takes_no_place(prolific: tuple[TestClient, ResponseStore]) -> None:
    """As on a phone: nothing is begun, and what there is is found."""
    client, store = prolific
    assert join(client, link("a"), begin=False).json()["code"] == "nobody"
    assert read_status(store.path).n_participants == 0
    person = come(client, link("a"))
    finish(person)
    assert Person(client, join(client, link("a"), begin=False).json()["token"]).state()["step"] == "done"


def test_plain_links_let_in_a_new_person_each_time(built: Path, tmp_path: Path) -> None:
    with serving(built / "none", tmp_path / "a.db") as (client, store):
        first = come(client, {"utm": "x"})
        second = come(client, {"utm": "x"}, first.token)
        assert second.token != first.token
        first.begin()
        assert second.state()["step"] == "consent" and first.state()["step"] == "trials"
        assert join(client, {}, begin=False).status_code == 404
        assert read_status(store.path).n_participants == 2


def test_windows_of_one_person_know_each_other(prolific: tuple[TestClient, ResponseStore]) -> None:
    client, _ = prolific
    one, other, else_ = come(client, link("a")), come(client, link("a")), come(client, link("b"))
    assert one.state()["session"] == other.state()["session"] != else_.state()["session"]
    assert not client.get(f"/s/{one.state()['session']}").is_success


def test_what_a_page_needs_before_anybody_begins(built: Path, tmp_path: Path) -> None:
    with serving(built / "prolific", tmp_path / "a.db") as (client, store):
        greeting = client.get("/api/greeting").json()
        assert greeting == {
            "texts": {}, "background": "#747474", "phones": False, "recruiter": "prolific", "identity": "PROLIFIC_PID",
                "parameters": ["PROLIFIC_PID", "STUDY_ID", "SESSION_ID"],
        }  # fmt: skip
        assert read_status(store.path).n_participants == 0
        consent = come(client, link("a")).state()["consent"]
        assert consent == {"version": "1", "recruited": True, "own_link": False}


def test_who_comes_back_by_their_own_token_is_not_held_up(built: Path, tmp_path: Path) -> None:
    """New tokens are bounded, for new people and for devices alike."""
    limits = Limits(joins_per_s=0.001, join_burst=3)
    with serving(built / "prolific", tmp_path / "a.db", limits=limits) as (client, _):
        person = come(client, link("a"))
        come(client, link("a")), come(client, link("b"))  # pyright: ignore[reportUnusedExpression]
        for params in (link("a"), link("c")):
            assert join(client, params).status_code == 429
        for _ in range(5):
            assert join(client, link("a"), person.token).status_code == 200


DAMAGED = {
    "two": ["a", "b"], "long": "x" * 501, "very long": "x" * 3000, "null": "\0a", "inside": "a\nb", "escape": "a\x1bb",
    "unseen": "a\u200bb", "no text": "a\ufffdb", "half a sign": "a\ud800",
}  # fmt: skip


@pytest.mark.parametrize("value", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("name", ["PROLIFIC_PID", "STUDY_ID", "SESSION_ID"])
def test_a_link_whose_ids_nobody_can_tell_lets_nobody_in(
    name: str, value: Any, prolific: tuple[TestClient, ResponseStore]
) -> None:
    client, store = prolific
    link = {"PROLIFIC_PID": "a", "STUDY_ID": "s", "SESSION_ID": "t"}
    body = json.dumps({"recruiter_params": {**link, name: value}, "screen": {}})
    refused = client.post("/api/join", content=body, headers={"Content-Type": "application/json"})
    assert (refused.status_code, refused.json()["code"]) == (422, "link") and name in refused.json()["error"]
    assert store.read(lambda connection: connection.execute("SELECT count(*) FROM sessions").fetchone()) == (0,)
    assert join(client, {**link, name: ["a", " a "]}).status_code == 201  # the same one twice is one
    assert join(client, {**link, "utm": value if isinstance(value, list) else "y" * 3000}).status_code in (200, 201)


def test_what_else_a_link_carries_is_dropped_whatever_it_is(mturk: tuple[TestClient, ResponseStore]) -> None:
    client, store = mturk
    link = {"workerId": "W1", "assignmentId": "A1", "hitId": "h", "turkSubmitTo": "https://www.mturk.com"}
    assert join(client, {**link, "fbclid": "z" * 3000, "ref": ["a", "b"]}).status_code == 201
    kept = store.read(lambda connection: connection.execute("SELECT parameters FROM recruits").fetchall())
    assert [json.loads(text) for (text,) in kept] == [link]
    for name, value in link.items():
        refused = join(client, {**link, name: [value, "other"]})
        assert (refused.status_code, refused.json()["code"]) == (422, "link"), name
