"""Days on which something is otherwise: a laptop that slept, one participant in all, a file copied as it is written."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from tests.experiment_folders import NO_PRACTICE, write_folder

from beholder._core.errors import InputError
from beholder.experiments import KINDS, open_store, simulate_participants
from beholder.responses import (
    backup_responses,
    export_responses,
    open_responses,
    read_responses,
    read_status,
)

from .person import Clock, Person, serving

FIRST = {"choice": 0}


def test_a_laptop_that_slept_goes_on_though_its_place_was_given_away(tmp_path: Path) -> None:
    """Eight hours between two answers: the task is given to somebody else, both finish, nothing is lost."""
    write_folder(tmp_path / "b", "odd_one_out", n_tasks=2, changes=NO_PRACTICE)
    clock = Clock()
    with serving(tmp_path / "b", tmp_path / "a.db", clock=clock, per_task=1) as (client, store):
        sleeper, other = Person(client), Person(client)
        for person in (sleeper, other):
            person.begin()
        before, after = sleeper.trials()[:3], sleeper.trials()[3:]
        for trial in before:
            clock.now += 2
            sleeper.answer(trial, FIRST, rt_ms=900)
        clock.now += 8 * 3600
        third = Person(client)  # there is a place again
        assert third.begin()["step"] == "trials"
        for trial in after:
            clock.now += 2
            assert sleeper.answer(trial, FIRST, rt_ms=900).status_code == 200
        assert sleeper.state()["step"] == "comment"
        for person in (other, third):
            person.go_through("trials", lambda trial: FIRST)
        tables: Any = read_responses(store.path)
    assert tables.participants["finished"].tolist() == [True] * 3
    assert tables.participants["task"].tolist() == [1, 2, 1]
    slept = tables.trials[tables.trials["session"] == 1]
    assert slept["trial"].tolist() == list(range(1, 9))
    assert slept["elapsed_ms"].tolist()[1:] == pytest.approx([2e3, 2e3, 8 * 3.6e6 + 2e3, *[2e3] * 4])
    assert tables.participants["time_s"][0] == pytest.approx(8 * 3600 + 16)  # what `time_s_max` looks at


@pytest.mark.parametrize("kind", KINDS)
def test_one_participant_of_one_task(kind: str, tmp_path: Path) -> None:
    experiment = write_folder(tmp_path / "b", kind, n_tasks=1, changes={"practice.n_required": 0})
    made = simulate_participants(experiment, tmp_path / "a.db", 1, "ideal")
    assert made.count("done") == 1
    out = export_responses(tmp_path / "a.db", tmp_path / "out")
    assert len(out.responses.participants) == 1 and len(out.responses.trials) == 8
    status = read_status(tmp_path / "a.db")
    assert (status.n_participants, status.n_finished, status.tasks_finished) == (1, 1, (1, 1))


def test_a_copy_of_the_file_alone_is_whole_a_moment_later(tmp_path: Path) -> None:
    """As people copy files, while the server that writes to it stays open: what is older than seconds is in it."""
    write_folder(tmp_path / "b", "odd_one_out", changes=NO_PRACTICE)
    with serving(tmp_path / "b", tmp_path / "a.db") as (client, store):
        person = Person(client)
        person.begin()
        for trial in person.trials():
            person.answer(trial, FIRST)
        end = time.monotonic() + 30
        while True:
            time.sleep(0.2)
            shutil.copy(store.path, tmp_path / "copy.db")
            with contextlib.suppress(InputError):  # copied in the middle of a move
                if len(read_responses(tmp_path / "copy.db").trials) == 8:
                    break
            for rest in tmp_path.glob("copy.db*"):
                rest.unlink()
            assert time.monotonic() < end
        assert len(read_responses(store.path).trials) == 8
        assert len(read_responses(backup_responses(store.path, tmp_path / "backup.db")).trials) == 8


def test_a_torn_copy_is_refused_in_one_line_wherever_a_file_of_answers_is_read(tmp_path: Path) -> None:
    """Its first pages are of one moment and the others of a later one, or the other way round."""
    experiment, db = write_folder(tmp_path / "b", "odd_one_out", n_trials=30), tmp_path / "a.db"
    moments = []
    for n in (2, 4):
        simulate_participants(experiment, db, n, "ideal")
        moments.append((db.read_bytes(), read_responses(db).trials))
    readers: list[Any] = [
        read_status,
        lambda path: export_responses(path, tmp_path / "out"),
        lambda path: backup_responses(path, tmp_path / "backup.db"),
        lambda path: open_responses(path).close(),
        lambda path: open_store(experiment, path).close(),
    ]
    n_pages, n_refused = len(moments[1][0]) // 4096, 0
    for (one, _), (other, _) in (moments, moments[::-1]):
        for page in range(1, n_pages, 2):
            torn = tmp_path / f"torn{n_refused}-{page}.db"
            torn.write_bytes(one[: page * 4096] + other[page * 4096 :])
            try:
                trials = read_responses(torn).trials
            except InputError:
                n_refused += 1
            else:  # by chance all that is read is of one moment
                assert any(trials.equals(whole) for _, whole in moments)
                continue
            for read in readers if n_refused % 5 == 1 else ():
                with pytest.raises(InputError, match="file of answers"):
                    read(torn)
    assert n_refused > n_pages / 2 and not (tmp_path / "backup.db").exists()
