"""A page that cannot show a stimulus says so; the log names the file, the export the trial, the participant neither."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from tests.browser.built_folders import build_folder
from tests.experiment_folders import NO_PRACTICE
from tests.experiments.collected_records import BEGUN, collect
from tests.experiments.person import Person, serving

from beholder._core.errors import InputError
from beholder.experiments import import_collected, read_experiment, write_static_pages
from beholder.responses import read_progress, read_responses, read_status


def report(person: Person, trial: dict[str, Any], stimuli: list[Any], reason: Any = "decode") -> Any:
    return person.ask("POST", "/api/failures", {"trial": trial["id"], "stimuli": stimuli, "reason": reason})


def test_the_log_names_the_file_and_the_export_the_trial(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    build_folder(tmp_path / "built", "2afc", 2, NO_PRACTICE)
    with serving(tmp_path / "built", tmp_path / "a.db") as (client, store):
        person = Person(client)
        person.begin()
        first, second = person.trials()
        with caplog.at_level(logging.WARNING, "beholder"):
            reply = report(person, first, [first["stimuli"]["upper"], first["stimuli"]["left"][0]])
        assert reply.json() == {"told": True}
        (one, two) = (record.getMessage() for record in caplog.records)
        assert one.startswith("a page of session 1 cannot show task_1/trials/trial_1/queries/")
        assert one.endswith("of trial 1: the browser could not decode it")
        assert "trial_1/references/min_8.png" in two
        assert report(person, second, [second["stimuli"]["upper"]]).status_code == 409
        assert person.state()["step"] == "trials"
        person.go_through("trials", lambda trial: {"choice": "upper", "confidence": 1})
        assert len(store.read(lambda db: read_progress(db, {"kind": "2afc", "settings": {}}))) == 1
    table = read_responses(tmp_path / "a.db").trials
    assert table["stimulus_failures"].tolist() == [1, 0]


def test_only_stimuli_of_the_next_trial_of_ones_own(tmp_path: Path) -> None:
    build_folder(tmp_path / "built", "similarity", 2, NO_PRACTICE)
    with serving(tmp_path / "built", tmp_path / "a.db") as (client, _):
        person, other = Person(client), Person(client)
        person.begin()
        other.begin()
        first, second = person.trials()
        stimulus = first["stimuli"]["left"]
        assert report(person, first, [stimulus], "fetch").status_code == 200
        assert report(other, first, [stimulus]).status_code == 404
        assert report(other, other.trials()[0], [stimulus]).status_code == 404
        assert report(person, first, [second["stimuli"]["left"]]).status_code == 404
        assert report(person, first, ["s/" + "A" * 36]).status_code == 404
        assert report(person, first, [first["id"]]).status_code == 404
        for stimuli, reason in (([], "fetch"), ([3], "fetch"), ([stimulus] * 65, "fetch"), ([stimulus], "because")):
            assert report(person, first, stimuli, reason).status_code == 422
        assert report(person, first, [stimulus], ["fetch"]).status_code == 422


def test_what_is_kept_of_a_trial_has_a_bound(tmp_path: Path) -> None:
    """Whoever asks for ever neither fills the disk nor is held up."""
    build_folder(tmp_path / "built", "similarity", 1, NO_PRACTICE)
    with serving(tmp_path / "built", tmp_path / "a.db") as (client, store):
        person = Person(client)
        person.begin()
        (trial,) = person.trials()
        for key in range(120):
            assert report(person, trial, [trial["stimuli"]["left"]]).status_code == 200
            shown = person.ask("POST", "/api/presentations", {"trial": trial["id"], "key": key})
            assert shown.json()["show"]
        assert store.read(lambda db: db.execute("SELECT count(*) FROM events").fetchone()) == (4 + 200,)


def test_a_file_that_the_server_cannot_read_is_named_in_its_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    build_folder(tmp_path / "built", "similarity", 1, NO_PRACTICE)
    with serving(tmp_path / "built", tmp_path / "a.db") as (client, _):
        person = Person(client)
        person.begin()
        (trial,) = person.trials()
        (tmp_path / "built/task_1/trials/trial_1/a.png").unlink()
        (tmp_path / "built/task_1/trials/trial_1/b.png").unlink()
        with caplog.at_level(logging.ERROR, "beholder"):
            reply = client.get(trial["stimuli"]["left"])
        assert reply.status_code == 503 and "trial_1" not in reply.text
        assert "trial_1" in caplog.text


def test_pages_without_a_server_hand_over_what_they_could_not_show(tmp_path: Path) -> None:
    experiment = read_experiment(build_folder(tmp_path / "built", "similarity", 2, NO_PRACTICE))
    (page,) = write_static_pages(experiment)
    record = collect(page) | {"failures": [{"block": 0, "n": 2, "reason": "decode", "at_ms": BEGUN}] * 2}
    (tmp_path / "a.json").write_text(json.dumps(record), encoding="utf-8")
    import_collected(experiment, [tmp_path / "a.json"], tmp_path / "a.db")
    assert read_responses(tmp_path / "a.db").trials["stimulus_failures"].tolist() == [0, 2]


def skip(person: Person, trial: dict[str, Any]) -> Any:
    return person.ask("POST", "/api/skips", {"trial": trial["id"]})


def first_stimulus(trial: dict[str, Any]) -> str:
    first = next(iter(trial["stimuli"].values()))
    return first if isinstance(first, str) else first[0]


def leave_out(person: Person, trial: dict[str, Any]) -> None:
    """As a page does that has tried again."""
    for _ in range(2):
        assert report(person, trial, [first_stimulus(trial)]).status_code == 200
    assert skip(person, trial).json() == {"saved": True}


def test_a_trial_that_cannot_be_shown_is_gone_on_without(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It has no answer, neither right nor wrong, and no other trial takes its place, after a restart either."""
    build_folder(tmp_path / "built", "2afc", 4, NO_PRACTICE)
    answer = {"response": {"choice": "upper", "confidence": 1}, "rt_ms": 500, "shown_at": 1}
    with serving(tmp_path / "built", tmp_path / "a.db") as (client, _):
        person, other = Person(client), Person(client)
        person.begin()
        first, second, third, fourth = person.trials()
        assert skip(person, first).json()["code"] == "not_tried"
        assert report(person, first, [first_stimulus(first)]).status_code == 200
        assert skip(person, first).json()["code"] == "not_tried"
        assert report(person, first, [first_stimulus(first)]).status_code == 200
        assert skip(other, first).status_code == 404 and skip(person, second).json()["code"] == "order"
        assert person.ask("POST", "/api/skips", {"trial": 3}).status_code == 422
        with caplog.at_level(logging.WARNING, "beholder"):
            assert skip(person, first).json() == skip(person, first).json() == {"saved": True}
        assert "session 1 went on without trial 1, which could not be shown" in caplog.text
        assert person.ask("PUT", f"/api/trials/{first['id']}", answer).status_code == 409
        assert person.ask("PUT", f"/api/trials/{second['id']}", answer).status_code == 200
        assert skip(person, second).status_code == 409
        leave_out(person, third)
        token = person.token
    with serving(tmp_path / "built", tmp_path / "a.db") as (client, store):
        person = Person(client, token)
        assert person.state()["n_done"] == 3 and person.ask("GET", "/api/trials").json()[0]["n"] == 4
        assert skip(person, third).json() == {"saved": True}
        assert person.ask("PUT", f"/api/trials/{second['id']}", answer).json()["saved"], "the same answer once more"
        leave_out(person, fourth)
        assert person.state()["step"] == "comment"
        events = store.read(lambda db: db.execute("SELECT data FROM events WHERE event = 'skipped'").fetchall())
    assert [json.loads(data)["trial"] for (data,) in events] == [1, 3, 4]
    assert json.loads(events[0][0])["reason"] == "decode" and json.loads(events[0][0])["slots"]
    tables: Any = read_responses(tmp_path / "a.db")
    status = read_status(tmp_path / "a.db")
    assert tables.trials["trial"].tolist() == [2]
    (row,) = tables.participants[tables.participants["session"] == 1].to_dict("records")
    assert (row["finished"], row["n_trials"], row["n_answered"], row["n_skipped"]) == (True, 4, 1, 3)
    assert row["skipped_trials"] == "1 3 4" and row["proportion_correct"] in (0.0, 1.0)
    assert status.n_skipped == 3 and any("3 trials left out" in line for line in status.to_lines())


def test_practice_asks_no_right_answer_of_what_cannot_be_shown(tmp_path: Path) -> None:
    build_folder(tmp_path / "built", "2afc", 2, {"practice.n_without": 0})
    with serving(tmp_path / "built", tmp_path / "a.db") as (client, store):
        person = Person(client)
        person.begin()
        assert person.state()["step"] == "practice"
        for trial in person.trials():
            leave_out(person, trial)
        assert person.state()["step"] == "trials"
        sql = "SELECT data FROM events WHERE event = 'practice_block'"
        (data,) = store.read(lambda db: db.execute(sql).fetchone())
    assert json.loads(data) == {"block": 1, "passed": True, "n_correct": 0, "n_trials": 0}


def test_pages_without_a_server_go_on_without_a_trial_too(tmp_path: Path) -> None:
    experiment = read_experiment(build_folder(tmp_path / "built", "similarity", 3, NO_PRACTICE))
    (page,) = write_static_pages(experiment)
    record = collect(page)
    left = record["answers"][1]
    record["answers"][1] = {name: left[name] for name in ("id", "trial", "n")} | {"skipped": True, "at_ms": BEGUN}
    failure = {"block": 0, "n": 2, "reason": "fetch", "at_ms": BEGUN}
    for n, taken in ((1, False), (2, True)):
        (tmp_path / "a.json").write_text(json.dumps(record | {"failures": [failure] * n}), encoding="utf-8")
        if not taken:
            with pytest.raises(InputError, match="Trial 2 was left out and may have been shown"):
                import_collected(experiment, [tmp_path / "a.json"], tmp_path / "a.db")
    import_collected(experiment, [tmp_path / "a.json"], tmp_path / "a.db")
    tables = read_responses(tmp_path / "a.db")
    assert tables.trials["trial"].tolist() == [1, 3]
    assert tables.participants["skipped_trials"].tolist() == [str(left["trial"])]
