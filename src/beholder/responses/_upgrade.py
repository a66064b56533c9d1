"""A file of answers of the first format as one of this: a copy, the old one unchanged."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Generator
from pathlib import Path

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import explain_write_errors
from beholder.responses._reading import connect_for_reading, open_for_reading, read_meta
from beholder.responses._schema import FORMAT, OLD_FORMAT
from beholder.responses._store import take_file, write_file

_COPIED = {
    "meta": "SELECT key, value FROM meta WHERE key <> 'format'",
    "trials": "SELECT task, n, role, mode, unit, correct, conditions, levels FROM trials",
    "sessions": "SELECT session, participant, visit, task, presentation, started FROM sessions",
    "logins": "SELECT token, session, at FROM logins",
    "recruits": "SELECT recruit, session, at, recruiter, parameters FROM recruits ORDER BY recruit",
    "events": "SELECT session, seq, at, event, step, data FROM events",
    "answers": "SELECT session, trial, n, at, response, choice, correct, confidence, level, rt_ms, details, body "
    "FROM answers",
    "practice": "SELECT session, block, trial, n, at, response, choice, correct, confidence, level, rt_ms, details, "
    "body FROM practice",
    "withdrawals": "SELECT withdrawal, session, visit, at FROM withdrawals ORDER BY withdrawal",
    "withdrawn_tokens": "SELECT token FROM withdrawn_tokens",
}


@suggest_keywords
def upgrade_responses(path: Path | str, out: Path | str) -> Path:
    """Copy a file of answers of the first format into one that this version goes on with.

    Sessions that are open go on with the tokens that they have. Who withdrew before stays deleted; that a recruited
    person did so the first format did not keep, so they are not known again.

    Parameters
    ----------
    path : path
        The file of the first format; nothing in it changes.
    out : path
        The copy; a file there is refused.

    Returns
    -------
    Path
        The copy, complete and on disk, or nothing there.

    Raises
    ------
    InputError
        No file of answers, or one of this format already.
    OutputBusy
        A server or simulation has it open: what it takes later would not be copied.
    """
    path, out = Path(path), Path(out)
    if out.exists():
        raise InputError("a name that is free", got=str(out), hint="another name for the copy")
    with contextlib.closing(connect_for_reading(path)) as source:  # before anything is written beside it
        if read_meta(source, "format") != OLD_FORMAT:
            raise InputError(
                f"a file of answers of the format {OLD_FORMAT}", got=f"{path}, which is of {FORMAT} already"
            )
    with explain_write_errors(out), _hold(path), open_for_reading(path) as source:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_file(out, lambda target: _copy(source, target))
    return out


@contextlib.contextmanager
def _hold(path: Path) -> Generator[None]:
    """Keep servers from the file meanwhile, where its folder can be written at all."""
    lock = take_file(path) if path.is_file() and os.access(path.resolve().parent, os.W_OK) else None
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def _copy(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    for table, sql in _COPIED.items():
        rows = source.execute(sql)
        marks = ", ".join("?" for _ in rows.description)
        target.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
    counted = source.execute("SELECT seq FROM sqlite_sequence WHERE name = 'sessions'").fetchone()
    target.execute("DELETE FROM sqlite_sequence WHERE name = 'sessions'")
    if counted is not None:  # numbers of sessions that were withdrawn are not given again
        target.execute("INSERT INTO sqlite_sequence VALUES ('sessions', ?)", counted)
