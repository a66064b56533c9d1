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

from beholder.experiments import import_collected, read_experiment, write_static_pages
from beholder.responses import read_progress, read_responses


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
