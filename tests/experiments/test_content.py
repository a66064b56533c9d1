"""Answers belong to the pictures that were shown: other content under the same names is another experiment."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest
from tests.browser.built_folders import build_folder
from tests.exemplar_folders import write_units
from tests.experiments.collected_records import collect

from beholder._core.errors import ConfigurationChanged, InputError
from beholder._core.hashing import hash_bytes
from beholder.experiments import (
    build_tasks,
    import_collected,
    open_store,
    plan_choice,
    read_experiment,
    write_static_pages,
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """``net/`` with units, a plan and the folder that was built from it."""
    write_units(tmp_path / "net", 4, 2)
    plan_choice(tmp_path / "net", tmp_path, n_trials=2, n_tasks=2, n_catch=1).save(tmp_path / "plan.json")
    build_tasks(tmp_path / "plan.json", tmp_path / "built")
    return tmp_path


def change(path: Path) -> None:
    """Other content of the same size."""
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def find_shown(place: Path) -> Path:
    """The source of a picture that the first trial shows."""
    shown = (place / "built/task_1/trials/trial_1/queries/max.png").read_bytes()
    return next(path for path in sorted((place / "net").rglob("*.png")) if path.read_bytes() == shown)


def test_a_rebuild_with_other_pictures_of_the_same_size_is_another_experiment(place: Path) -> None:
    open_store(read_experiment(place / "built"), place / "a.db").close()
    build_tasks(place / "plan.json", place / "built", overwrite=True)
    open_store(read_experiment(place / "built"), place / "a.db").close()
    change(find_shown(place))
    with pytest.raises(ConfigurationChanged, match="stimuli_hash"):
        build_tasks(place / "plan.json", place / "built")
    build_tasks(place / "plan.json", place / "built", overwrite=True)
    with pytest.raises(ConfigurationChanged, match=r"a\.db.*stimuli was .*try another"):
        open_store(read_experiment(place / "built"), place / "a.db")


def test_the_key_has_the_hash_of_every_file(place: Path) -> None:
    folder = place / "built" / "task_1"
    for row in json.loads((folder / "key.json").read_text())["trials"]:
        own = folder / "trials" / f"trial_{row['n']}"
        files = {path.relative_to(own).as_posix(): hash_bytes(path.read_bytes()) for path in own.rglob("*.png")}
        assert row["hashes"] == files != {}


def test_a_built_picture_that_was_replaced_is_named(place: Path) -> None:
    picture = place / "built/task_2/trials/trial_1/references/min_3.png"
    copy = picture.read_bytes()
    picture.unlink()
    picture.write_bytes(copy)
    change(picture)
    with pytest.raises(InputError, match=r"references/min_3\.png, which has changed since"):
        open_store(read_experiment(place / "built"), place / "a.db")


def test_files_of_answers_that_do_not_know_their_stimuli_go_on(place: Path) -> None:
    open_store(read_experiment(place / "built"), place / "a.db").close()
    with contextlib.closing(sqlite3.connect(place / "a.db")) as connection:
        (text,) = connection.execute("SELECT value FROM meta WHERE key = 'experiment'").fetchone()
        about = json.loads(text)
        assert about.pop("stimuli")
        connection.execute("UPDATE meta SET value = ? WHERE key = 'experiment'", (json.dumps(about),))
        connection.commit()
    open_store(read_experiment(place / "built"), place / "a.db").close()


def test_pages_of_other_pictures_are_not_taken_in(tmp_path: Path) -> None:
    from beholder.experiments.build._static_page import name_old_page

    built = build_folder(tmp_path / "built", "2afc", 4, None)
    (page,) = write_static_pages(read_experiment(built))
    record = collect(page)
    (tmp_path / "a.json").write_text(json.dumps(record))
    assert import_collected(read_experiment(built), [tmp_path / "a.json"], tmp_path / "a.db").n_new == 1
    old = {**record, "name": name_old_page(read_experiment(built), read_experiment(built).tasks[0])}
    (tmp_path / "old.json").write_text(json.dumps(old))
    assert import_collected(read_experiment(built), [tmp_path / "old.json"], tmp_path / "old.db").n_new == 1
    picture = built / "task_1/trials/trial_1/queries/max.png"
    content = picture.read_bytes()
    picture.unlink()  # it may be one file under several names
    picture.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match="of another plan, other stimuli or pages written anew"):
        import_collected(read_experiment(built), [tmp_path / "a.json"], tmp_path / "b.db")
