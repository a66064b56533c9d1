"""Presentations are counted before they happen, over reloads, tabs and restarts, and none repeats that may not."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.browser.built_folders import build_folder
from tests.experiment_folders import NO_PRACTICE
from tests.experiments.collected_records import BEGUN, collect
from tests.experiments.person import RESPONSES, Person, serving

from beholder._core.errors import InputError
from beholder.experiments import KINDS, get_preset, import_collected, make_settings, read_experiment, write_static_pages
from beholder.experiments.flow._showing import is_brief
from beholder.experiments.server._api import MEDIA_TYPES
from beholder.responses import export_responses, read_responses

BRIEF = {"recognition": True, "words": True, "same_different": True}


def announce(person: Person, trial: dict[str, Any], key: int) -> Any:
    return person.ask("POST", "/api/presentations", {"trial": trial["id"], "key": key})


@pytest.mark.parametrize("kind", KINDS)
def test_presets_show_what_is_brief_once_and_count_all(kind: str, tmp_path: Path) -> None:
    build_folder(tmp_path / "built", kind, 2, NO_PRACTICE)
    brief = BRIEF.get(kind, False)
    with serving(tmp_path / "built", tmp_path / "a.db") as (client, _):
        person = Person(client)
        person.begin()
        trial, other = person.trials()
        assert trial["brief"] is brief
        assert announce(person, trial, 1).json() == {"show": True, "presentations": 1}
        assert announce(person, trial, 2).json() == {"show": not brief, "presentations": 1 if brief else 2}
        assert person.answer(trial, RESPONSES[kind][0]).status_code == 200
        assert announce(person, other, 1).json() == {"show": True, "presentations": 1}
        assert person.answer(other, RESPONSES[kind][0]).status_code == 200
    table = read_responses(tmp_path / "a.db").trials
    assert table["presentations"].tolist() == [1 if brief else 2, 1]
    assert table["presentations_withheld"].tolist() == [1 if brief else 0, 0]


@pytest.mark.parametrize(("kind", "sounds"), [("odd_one_out", True), ("similarity", True), ("same_different", True)])
def test_sounds_are_brief_whatever_the_kind(kind: str, sounds: bool, tmp_path: Path) -> None:
    build_folder(tmp_path / "built", kind, 1, {**NO_PRACTICE, "stimulus_ms": 0}, sounds=sounds)
    with serving(tmp_path / "built", tmp_path / "a.db") as (client, _):
        person = Person(client)
        person.begin()
        (trial,) = person.trials()
        assert announce(person, trial, 1).json()["show"]
        assert not announce(person, trial, 2).json()["show"]


def test_every_sound_that_is_served_counts_as_one(tmp_path: Path) -> None:
    experiment = read_experiment(build_folder(tmp_path, "odd_one_out", 1, NO_PRACTICE))
    (trial,) = experiment.get_task(1).trials
    for suffix, kind in MEDIA_TYPES.items():
        made = type(trial)(1, "main", "", None, "a", {}, {"a": Path(f"a{suffix}")})
        assert is_brief(experiment.settings, made, 0) is kind.startswith("audio/")


def test_the_same_announcement_counts_once_and_a_restart_forgets_none(tmp_path: Path) -> None:
    build_folder(tmp_path / "built", "recognition", 1, {**NO_PRACTICE, "presentations_max": 2})
    with serving(tmp_path / "built", tmp_path / "a.db") as (client, _):
        person = Person(client)
        person.begin()
        (trial,) = person.trials()
        for _ in range(3):
            assert announce(person, trial, 7).json() == {"show": True, "presentations": 1}
    with serving(tmp_path / "built", tmp_path / "a.db") as (client, _):
        again = Person(client, person.token)
        assert announce(again, trial, 7).json() == {"show": True, "presentations": 1}
        assert announce(again, trial, 8).json() == {"show": True, "presentations": 2}
        for _ in range(2):
            assert announce(again, trial, 9).json() == {"show": False, "presentations": 2}
        assert again.state()["step"] == "trials"
        assert again.answer(trial, {"label": "dog"}).status_code == 200
        assert announce(again, trial, 10).status_code == 409
    table = read_responses(tmp_path / "a.db").trials
    assert (table["presentations"][0], table["presentations_withheld"][0]) == (2, 1)
    with sqlite3.connect(tmp_path / "a.db") as database:
        rows = database.execute("SELECT step, data FROM events WHERE event = 'presented' ORDER BY seq").fetchall()
    assert [step for step, _ in rows] == ["trials"] * 3
    assert [json.loads(data)["shown"] for _, data in rows] == [True, True, False]


def test_practice_counts_by_block(tmp_path: Path) -> None:
    changes = {"practice.n_with_feedback": 1, "practice.n_without": 0, "practice.n_required": 1}
    build_folder(tmp_path / "built", "recognition", 1, {**changes, "practice.max_blocks": 2})
    with serving(tmp_path / "built", tmp_path / "a.db") as (client, _):
        person = Person(client)
        person.begin()
        for block in (1, 2):
            (trial,) = person.trials()
            for key in range(block):
                announce(person, trial, key)
            assert person.answer(trial, {"label": "cat"}).status_code == 200
    practice = read_responses(tmp_path / "a.db").practice
    assert practice["presentations"].tolist() == [1, 1]
    assert practice["presentations_withheld"].tolist() == [0, 1]


def test_what_is_not_announced_is_empty_and_described(tmp_path: Path) -> None:
    build_folder(tmp_path / "built", "recognition", 1, NO_PRACTICE)
    with serving(tmp_path / "built", tmp_path / "a.db") as (client, _):
        person = Person(client)
        person.begin()
        person.go_through("trials", lambda trial: {"label": "dog"})
    table: Any = read_responses(tmp_path / "a.db").trials
    assert table["presentations"].isna().all() and table["presentations_withheld"].isna().all()
    export_responses(tmp_path / "a.db", tmp_path / "out")
    columns = {row["name"]: row for row in json.loads((tmp_path / "out/columns.json").read_text("utf-8"))["practice"]}
    assert "presentations_max" in columns["presentations_withheld"]["meaning"]
    exported = pd.read_parquet(tmp_path / "out/responses.parquet")
    assert str(exported["presentations"].dtype) == "Int64"


@pytest.mark.parametrize(
    "body",
    [{}, {"trial": "x", "key": 1.5}, {"trial": "x", "key": -1}, {"trial": "x", "key": True}, {"trial": 3, "key": 1},
     {"trial": "x", "key": 2**53}, {"trial": "x", "key": 1, "n": 1}],
)  # fmt: skip
def test_other_announcements_are_refused(body: dict[str, Any], tmp_path: Path) -> None:
    build_folder(tmp_path / "built", "recognition", 2, NO_PRACTICE)
    with serving(tmp_path / "built", tmp_path / "a.db") as (client, _):
        person, other = Person(client), Person(client)
        person.begin()
        other.begin()
        assert person.ask("POST", "/api/presentations", body).status_code == 422
        assert announce(person, {"id": "A" * 36}, 1).status_code == 404
        first, second = person.trials()
        assert announce(other, first, 1).status_code == 404
        assert announce(person, second, 1).status_code == 409


def test_the_bound_is_a_setting(tmp_path: Path) -> None:
    assert all(get_preset(name).presentations_max == 1 for name in ("feather-pictures", "feather-words"))
    assert get_preset("same-different").presentations_max == 1
    with pytest.raises(InputError, match="presentations_max of at least 1"):
        make_settings("same-different", {"presentations_max": 0})
    build_folder(tmp_path / "built", "words", 1, {**NO_PRACTICE, "presentations_max": None})
    with serving(tmp_path / "built", tmp_path / "a.db") as (client, _):
        person = Person(client)
        person.begin()
        (trial,) = person.trials()
        assert [announce(person, trial, key).json()["show"] for key in range(4)] == [True] * 4


def test_experiments_without_the_setting_go_on_with_their_answers(tmp_path: Path) -> None:
    """Built before there was such a setting: no bound, and the file of answers is no other experiment's."""
    build_folder(tmp_path / "built", "recognition", 1, {**NO_PRACTICE, "presentations_max": None})
    path = tmp_path / "built" / "experiment.json"
    built = json.loads(path.read_text("utf-8"))
    with serving(tmp_path / "built", tmp_path / "a.db") as (client, _):
        token = Person(client).token
    del built["settings"]["presentations_max"]
    path.write_text(json.dumps(built), encoding="utf-8")
    with serving(tmp_path / "built", tmp_path / "a.db") as (client, _):
        assert Person(client, token).state()["step"] == "consent"


def write_record(folder: Path, shown: list[bool]) -> tuple[Any, dict[str, Any]]:
    """A page's record whose first trial was come to so often."""
    experiment = read_experiment(build_folder(folder / "built", "recognition", 2, NO_PRACTICE))
    (page,) = write_static_pages(experiment)
    record = collect(page)
    rows = [{"block": 0, "n": 1, "key": k, "shown": each, "at_ms": BEGUN + k} for k, each in enumerate(shown)]
    return experiment, {**record, "presented": rows}


def test_pages_without_a_server_hand_over_what_they_counted(tmp_path: Path) -> None:
    experiment, record = write_record(tmp_path, [True, False])
    (tmp_path / "a.json").write_text(json.dumps(record), encoding="utf-8")
    import_collected(experiment, [tmp_path / "a.json"], tmp_path / "a.db")
    table = read_responses(tmp_path / "a.db").trials
    assert table["presentations"].fillna(-1).tolist() == [1, -1]
    assert table["presentations_withheld"].fillna(-1).tolist() == [1, -1]


def test_a_record_that_shows_more_than_it_may_is_refused(tmp_path: Path) -> None:
    experiment, record = write_record(tmp_path, [True, True])
    (tmp_path / "a.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(InputError, match="more often"):
        import_collected(experiment, [tmp_path / "a.json"], tmp_path / "a.db")
