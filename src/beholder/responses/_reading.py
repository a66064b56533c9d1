"""Files of answers, opened by who only reads: this version's, and the first format's as if they were."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from beholder._core.errors import InputError, suggest_keywords
from beholder.responses._schema import FORMAT, OLD_FORMAT, OLD_VIEWS

_UNWRITABLE = ("unable to open database file", "attempt to write a readonly database")
_BACKUP = "a copy that `beholder tasks backup` makes, also while a server runs"


@suggest_keywords
def connect_for_reading(path: Path | str) -> sqlite3.Connection:
    """A connection that cannot write, to a file that a server may be writing to.

    A file of the first format looks like one of this: everybody is on their first visit, with one token.

    Raises
    ------
    InputError
        No file of answers.
    """
    path = Path(path)
    if not path.is_file():
        got = f"a folder at {path}" if path.is_dir() else f"no file at {path}"
        raise InputError("a file of answers", got=got, hint="the --db of `beholder tasks serve`")
    if not path.stat().st_size:
        raise InputError("a file of answers", got=f"{path}, which is empty", hint="the --db of `beholder tasks serve`")
    uri = f"file:{quote(str(path.resolve()))}?mode={_pick_mode(path)}"
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=30, check_same_thread=False)
    except sqlite3.OperationalError as error:
        raise _explain(path, error) from error
    try:
        made_by = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
        if made_by is None or made_by[0] not in (FORMAT, OLD_FORMAT):
            raise InputError(f"a file of answers of the format {FORMAT}", got=f"{path} ({made_by and made_by[0]})")
        if made_by[0] == OLD_FORMAT:
            connection.execute("PRAGMA temp_store = MEMORY")
            for statement in OLD_VIEWS:
                connection.execute(statement)
        connection.execute("PRAGMA query_only = ON")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _explain(path, error) from error
    except InputError:
        connection.close()
        raise
    return connection


def _pick_mode(path: Path) -> str:
    """How SQLite is to open a file that is only read.

    One that it may not write to leaves the log that it needs beside the file, one that it may takes it away again. What
    a log already holds, of a server that runs or was killed, stays there.
    """
    log = Path(f"{path.resolve()}-wal")
    return "ro" if log.exists() and log.stat().st_size else "rw"


def _explain(path: Path, error: sqlite3.Error) -> InputError:
    if any(words in str(error) for words in _UNWRITABLE):
        got = f"{path}, beside which SQLite cannot put the log that it needs"
        return InputError("a file of answers in a folder that can be written", got=got, hint="a copy of it elsewhere")
    return InputError("a file of answers", got=f"{path} ({error})")


@contextlib.contextmanager
def open_for_reading(path: Path | str) -> Generator[sqlite3.Connection]:
    """:func:`connect_for_reading` in one transaction: everything is read as of one moment.

    Raises
    ------
    InputError
        No file of answers, or a damaged one.
    """
    with contextlib.closing(connect_for_reading(path)) as connection:
        connection.isolation_level = None
        connection.execute("BEGIN")
        refuse_damaged(connection, path)
        yield connection


def refuse_damaged(connection: sqlite3.Connection, path: Path | str) -> None:
    """Refuse a file whose parts do not belong together, as a copy of it has that was made while it was written to.

    Raises
    ------
    InputError
        It is one.
    """
    try:
        (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if found == "ok" and connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
            found = "rows of a session that is not there"
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise InputError(
            "a whole file of answers", got=f"{path}, which is damaged ({' '.join(found.split())[:100]})",
            hint=_BACKUP,
        )  # fmt: skip


@suggest_keywords
def read_meta(connection: sqlite3.Connection, key: str) -> str:
    """A value of the file itself."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    if row is None:
        raise InputError(f"a file of answers that holds {key!r}", got="one without")
    return str(row[0])


@suggest_keywords
def read_description(connection: sqlite3.Connection) -> dict[str, Any]:
    """What the experiment is, as :meth:`Description.to_dict`."""
    try:
        return json.loads(read_meta(connection, "experiment"))
    except ValueError:
        raise InputError("a whole file of answers", got="one that is damaged", hint=_BACKUP) from None
