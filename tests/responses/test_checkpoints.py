"""The log beside a file of answers reaches the file while answers go on."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
import time
from pathlib import Path

from beholder.responses import GroupWriter
from beholder.responses._checkpoints import Checkpointer


def open_connection(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def test_the_file_alone_holds_what_was_written_a_moment_ago(tmp_path: Path) -> None:
    path = tmp_path / "numbers.db"
    writing = open_connection(path)
    writing.execute("PRAGMA journal_mode = WAL")
    writing.execute("PRAGMA wal_autocheckpoint = 0")
    writing.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY) STRICT")
    writer, checkpoints = GroupWriter(writing), Checkpointer(open_connection(path), 0.02)

    def count_in_file() -> int:
        with tempfile.TemporaryDirectory(dir=tmp_path) as place:
            shutil.copy(path, place)
            return count(f"{place}/numbers.db")

    def count(copy: str) -> int:
        with contextlib.closing(sqlite3.connect(copy)) as connection:
            try:
                return connection.execute("SELECT count(*) FROM numbers").fetchone()[0]
            except sqlite3.DatabaseError:  # copied in the middle of a move
                return -1

    for k in range(3):
        for n in range(50 * k, 50 * (k + 1)):
            writer.submit(lambda connection, n=n: connection.execute("INSERT INTO numbers VALUES (?)", (n,))).result()
        end = time.monotonic() + 20
        while count_in_file() != 50 * (k + 1):
            assert time.monotonic() < end
            time.sleep(0.02)
    checkpoints.close()
    writer.close()
