"""Tables against the rows they were made of; every column described."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from beholder.responses import (
    Event,
    ResponseStore,
    export_responses,
    insert_answer,
    insert_event,
    insert_recruit,
    read_progress,
    read_responses,
    read_status,
)

from .test_store import add_session, make_answer

DEMANDED = [
    "participant", "session", "task", "trial", "mode", "unit", "choice", "correct", "confidence", "catch_trial",
    "rt_ms", "excluded",
]  # fmt: skip


def fill(store: ResponseStore) -> None:
    """Somebody who passes, somebody who fails the catch trial, somebody who left."""
    for name, catch, n in (("p-good", "upper", 3), ("p-bad", "lower", 3), ("p-left", "upper", 1)):
        session = add_session(store, name, 1 if name == "p-good" else 2, started=10.0)

        def work(
            connection: sqlite3.Connection, session: int = session, name: str = name, catch: str = catch, n: int = n
        ) -> None:
            insert_recruit(connection, session, "prolific", {"PROLIFIC_PID": f"id-{session}-known"}, 10.0)
            insert_event(connection, session, Event(12.0, "consent", "instructions", {"version": "1", "agreed": True}))
            insert_event(connection, session, Event(32.0, "instructions", "checks", {}))
            checks = {"headphones": {"n": 6, "n_correct": 5}, "calibration": {"px_per_mm": 4.5}}
            insert_event(connection, session, Event(33.0, "checks", "practice", checks))
            for trial in (1, 2):
                insert_answer(connection, session, make_answer(trial, trial, block=1, at=35.0 + trial))
            insert_event(connection, session, Event(38.0, "practice_block", "trials", {"block": 1, "passed": True}))
            for trial, task_trial in list(enumerate((2, 1, 3), start=1))[:n]:
                choice = catch if task_trial == 3 else ("upper", "lower")[trial % 2]
                insert_answer(connection, session, make_answer(trial, task_trial, at=40.0 + trial, choice=choice))
            if n == 3:
                insert_event(connection, session, Event(43.0, "answered_all", "comment", {}))
                comment = {"text": '=HYPERLINK("http://a")' if name == "p-bad" else "fine, “thanks”\nbye"}
                insert_event(connection, session, Event(50.0, "comment", "done", comment))

        store.write(work)


@pytest.fixture
def out(store: ResponseStore, tmp_path: Path) -> Path:
    fill(store)
    return export_responses(store.path, tmp_path / "out").out


def test_a_row_a_trial_with_the_columns_that_were_promised(out: Path) -> None:
    table = pd.read_csv(out / "responses.csv")
    assert list(table.columns[: len(DEMANDED)]) == DEMANDED
    assert len(table) == 7
    good: Any = table[table["participant"] == "p-good"]
    assert good["trial"].tolist() == [1, 2, 3] and good["n"].tolist() == [2, 1, 3]
    assert good["choice"].tolist() == ["query_min", "query_max", "query_max"]
    assert good["response"].tolist() == ["lower", "upper", "upper"]
    assert good["correct"].tolist() == [False, True, True]
    assert good["catch_trial"].tolist() == [False, False, True]
    assert good["answered_s"].tolist() == [31.0, 32.0, 33.0]
    assert set(table["unit"]) == {"net/layer1.conv/3"} and set(table["channel"]) == {3} and set(table["batch"]) == {1}
    assert set(table["device_pixel_ratio"]) == {2.0} and set(table["dropped_frames"]) == {1.0}
    assert good["contrast"].tolist() == [1.0, 0.5, 1.5] and set(table["condition_mode"]) == {"odd"}
    assert json.loads(good["shown"].iloc[0]) == {"upper": "query_max", "lower": "query_min"}


def test_included_are_those_who_finished_and_break_no_rule(out: Path) -> None:
    included = pd.read_csv(out / "responses_included.csv")
    assert set(included["participant"]) == {"p-good"}
    people = pd.read_csv(out / "participants.csv").set_index("participant")
    assert people["excluded"].to_dict() == {"p-good": False, "p-bad": True, "p-left": True}
    assert people.loc["p-bad", "exclusion_reasons"] == "catch_ratio_min"
    assert people.loc["p-left", "exclusion_reasons"] == "unfinished"
    assert people["time_s"].tolist() == [33.0, 33.0, 31.0] and people["instructions_s"].tolist() == [20.0] * 3
    assert people["catch_ratio"].tolist()[:2] == [1.0, 0.0] and people["proportion_correct"].tolist()[:2] == [0.5, 0.5]
    assert people["headphones_correct"].tolist() == [5, 5, 5] and people["px_per_mm"].tolist() == [4.5] * 3
    assert people["practice_blocks"].tolist() == [1, 1, 1]


def test_practice_stands_apart(out: Path) -> None:
    practice = pd.read_csv(out / "practice.csv")
    assert len(practice) == 6 and set(practice["role"]) == {"practice"} and set(practice["block"]) == {1}


def test_parquet_and_csv_hold_the_same(out: Path) -> None:
    for name in ("responses", "responses_included", "practice"):
        csv, parquet = pd.read_csv(out / f"{name}.csv"), pd.read_parquet(out / f"{name}.parquet")
        assert list(csv.columns) == list(parquet.columns) and len(csv) == len(parquet)
        for column in csv.columns:
            assert (
                csv[column].isna().tolist() == (parquet[column].isna() | (parquet[column] == "")).fillna(True).tolist()
            )
        assert csv["rt_ms"].tolist() == parquet["rt_ms"].tolist()


def test_every_column_is_described_and_no_other(out: Path) -> None:
    columns = json.loads((out / "columns.json").read_text())
    for name in ("responses", "responses_included", "practice", "participants"):
        assert [column["name"] for column in columns[name]] == list(pd.read_csv(out / f"{name}.csv").columns)
        assert all(column["meaning"] for column in columns[name])
    assert (out / "provenance.json").is_file()


def test_nothing_tells_who_somebody_is(out: Path) -> None:
    for path in out.iterdir():
        content = path.read_bytes()
        assert b"-known" not in content and b"PROLIFIC" not in content, path.name


def test_a_comment_is_no_formula(out: Path) -> None:
    comments: Any = pd.read_csv(out / "participants.csv").set_index("participant")["comment"]
    assert comments["p-bad"] == '\'=HYPERLINK("http://a")' and comments["p-good"] == "fine, “thanks”\nbye"


def test_exports_of_the_same_answers_are_the_same_bytes(store: ResponseStore, out: Path, tmp_path: Path) -> None:
    export_responses(store.path, tmp_path / "again")
    for path in out.iterdir():
        if path.name not in ("provenance.json", ".provenance.lock"):
            assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


def test_nobody_has_come_yet(store: ResponseStore, tmp_path: Path) -> None:
    made = export_responses(store.path, tmp_path / "out")
    assert len(pd.read_csv(tmp_path / "out" / "responses.csv")) == 0
    assert list(pd.read_parquet(tmp_path / "out" / "responses.parquet").columns[:12]) == DEMANDED
    assert repr(made.responses) == "Responses(2afc, 0 answers of 0 participants, 0 of them excluded)"
    assert read_status(store.path).n_participants == 0


def test_a_forged_measurement_is_left_empty(store: ResponseStore) -> None:
    from dataclasses import replace

    session = add_session(store)
    details = {"window": {"fullscreen": 2.5, "dpr": True, "evil": 1}, "frames": {}, "audio": {}}
    store.write(lambda connection: insert_answer(connection, session, replace(make_answer(1), details=details)))
    row = read_responses(store.path).trials.iloc[0]
    assert row["device_pixel_ratio"] == 1.0 and pd.isna(row["window_fullscreen"]) and "evil" not in row.index


def test_status_counts(store: ResponseStore) -> None:
    fill(store)
    status = read_status(store.path, now=60.0)
    assert (status.n_participants, status.n_finished, status.n_included, status.n_active) == (3, 2, 1, 1)
    assert status.steps == {"done": 2, "trials": 1} and status.reasons == {"catch_ratio_min": 1}
    assert (status.n_answers, status.answers_last_minute, status.median_rt_ms) == (7, 13, 1600.5)
    assert status.median_time_s == 33.0 and status.tasks_finished == (1, 1)
    assert read_status(store.path, now=1000.0).n_active == 0
    assert read_status(store.path, now=1000.0).answers_last_minute == 0
    assert status.to_tables()["status"][0]["n_tasks"] == 2 and status.answers_ahead == 0


def test_status_of_answers_dated_later_than_now(store: ResponseStore) -> None:
    """A server's clock, or this machine's, was set back: they are neither of the last minute nor passed over."""
    fill(store)
    status = read_status(store.path, now=0.0)
    assert (status.n_answers, status.answers_last_minute, status.answers_ahead, status.n_active) == (7, 0, 13, 0)
    assert any("13 answers dated later than now" in line for line in status.to_lines())
    assert status.to_tables()["status"][0]["answers_ahead"] == 13


def test_a_carriage_return_in_a_comment_ends_no_row(store: ResponseStore, tmp_path: Path) -> None:
    """What an old Macintosh, or a script, sends as a line break."""
    texts = ["one\rtwo", "one\r\ntwo", "one\ntwo"]
    for k, text in enumerate(texts):
        session = add_session(store, f"p{k}", 1, started=10.0)
        event = Event(12.0, "comment", "done", {"text": text})
        store.write(lambda connection, session=session, event=event: insert_event(connection, session, event))
    export_responses(store.path, tmp_path / "out")
    content = (tmp_path / "out" / "participants.csv").read_bytes()
    assert b"\r" not in content
    rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
    place = rows[0].index("comment")
    assert [row[place] for row in rows[1:]] == ["one\ntwo"] * 3


def test_a_byte_order_mark_where_it_is_asked_for(store: ResponseStore, tmp_path: Path) -> None:
    fill(store)
    plain = export_responses(store.path, tmp_path / "plain").out
    marked = export_responses(store.path, tmp_path / "marked", bom=True).out
    files = sorted(path.name for path in plain.glob("*.csv"))
    assert len(files) == 4
    for name in files:
        assert (marked / name).read_bytes() == b"\xef\xbb\xbf" + (plain / name).read_bytes(), name


def test_the_day_of_a_session_where_it_is_asked_for(store: ResponseStore, tmp_path: Path) -> None:
    for name, started in (("p1", 1_800_000_000.0), ("p2", 1_800_000_000.0 + 86_400 - 28_000)):
        add_session(store, name, 1, started=started)
    made = export_responses(store.path, tmp_path / "out", dates=True)
    assert pd.read_csv(made.out / "participants.csv")["date"].tolist() == ["2027-01-15", "2027-01-16"]
    described = json.loads((made.out / "columns.json").read_text())["participants"]
    assert described[-1]["name"] == "date"
    assert "date" not in export_responses(store.path, tmp_path / "again").responses.participants


def test_times_of_a_pair_shown_in_turn(store: ResponseStore, tmp_path: Path) -> None:
    session = add_session(store, "p1", 1, started=10.0)
    frames = {"first_ms": 200.1, "gap_ms": 500.2, "second_ms": 199.9}
    answer = dataclasses.replace(make_answer(1, 1, at=20.0), details={"frames": frames})
    store.write(lambda connection: insert_answer(connection, session, answer))
    row = read_responses(store.path).trials.iloc[0]
    assert (row["shown_first_ms"], row["shown_gap_ms"], row["shown_second_ms"]) == (200.1, 500.2, 199.9)


def test_a_clock_that_was_set_back_excludes_nobody(store: ResponseStore) -> None:
    """Files that an earlier version wrote can hold an end before its beginning."""
    session = add_session(store, "p1", 1, started=5000.0)

    def work(connection: sqlite3.Connection) -> None:
        insert_event(connection, session, Event(5001.0, "consent", "instructions", {"version": "1", "agreed": True}))
        insert_event(connection, session, Event(1402.0, "instructions", "checks", {}))
        for trial in (1, 2, 3):
            choice = ("upper", "lower")[trial % 2]
            insert_answer(connection, session, make_answer(trial, trial, at=1410.0 + trial, choice=choice))
        insert_event(connection, session, Event(1413.0, "answered_all", "comment", {}))

    store.write(work)
    description = {"kind": "2afc", "settings": {"exclusion": {"time_s_min": 2, "instructions_s_min": 1}}}
    (progress,) = store.read(lambda connection: read_progress(connection, description))
    assert progress.conduct.time_s is None and progress.conduct.instructions_s is None
    assert progress.exclusions == ()
