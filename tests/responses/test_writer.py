"""Group commit: shared commits, single failures, nothing done before it is on disk."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from beholder._core.errors import OutputError
from beholder.responses import GroupWriter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "numbers.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY) STRICT")
    connection.close()
    return path


def open_writer(path: Path) -> GroupWriter:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")
    return GroupWriter(connection)


def read(path: Path) -> list[int]:
    connection = sqlite3.connect(path)
    rows = [n for (n,) in connection.execute("SELECT n FROM numbers ORDER BY n")]
    connection.close()
    return rows


def insert(n: int):
    return lambda connection: connection.execute("INSERT INTO numbers VALUES (?)", (n,)).lastrowid


def test_what_waits_shares_a_commit(path: Path) -> None:
    writer, gate = open_writer(path), threading.Event()
    first = writer.submit(lambda connection: gate.wait(10))
    others = [writer.submit(insert(n)) for n in range(50)]
    gate.set()
    assert first.result() and [future.result() for future in others] == list(range(50))
    assert writer.n_commits <= 2 and writer.n_works == 51
    writer.close()
    assert read(path) == list(range(50))


def test_a_future_is_done_when_others_can_read_the_row(path: Path) -> None:
    writer = open_writer(path)
    for n in range(20):
        writer.submit(insert(n)).result()
        assert read(path)[-1] == n
    writer.close()


def test_one_that_fails_takes_back_its_own_rows_only(path: Path) -> None:
    writer, gate = open_writer(path), threading.Event()

    def insert_two(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO numbers VALUES (100)")
        connection.execute("INSERT INTO numbers VALUES (1)")

    writer.submit(lambda connection: gate.wait(10))
    futures = [writer.submit(work) for work in (insert(1), insert_two, insert(2))]
    gate.set()
    assert futures[0].result() == 1 and futures[2].result() == 2
    with pytest.raises(sqlite3.IntegrityError):
        futures[1].result()
    writer.close()
    assert read(path) == [1, 2]


def test_a_full_disk_fails_what_did_not_fit_and_the_rest_goes_on(path: Path) -> None:
    """SQLite's own bound on the file stands for the disk's."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("CREATE TABLE texts (text TEXT) STRICT")
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    writer = GroupWriter(connection)
    big = writer.submit(lambda connection: connection.execute("INSERT INTO texts VALUES (?)", ("x" * 100_000,)))
    with pytest.raises(sqlite3.OperationalError, match="full"):
        big.result()
    assert writer.submit(insert(7)).result() == 7
    writer.close()
    assert read(path) == [7]


def test_closing_commits_what_waits_and_refuses_more(path: Path) -> None:
    writer, gate = open_writer(path), threading.Event()
    writer.submit(lambda connection: gate.wait(10))
    future = writer.submit(insert(5))
    gate.set()
    writer.close()
    writer.close()
    assert future.result() == 5 and read(path) == [5]
    with pytest.raises(OutputError, match="closed"):
        writer.submit(insert(6))
