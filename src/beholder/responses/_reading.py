"""Files of answers, opened by who only reads: this version's, and the first format's as if they were."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from beholder._core.errors import InputError
from beholder.responses._schema import FORMAT, OLD_FORMAT, OLD_VIEWS


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
        raise InputError("a file of answers", got=f"no file at {path}", hint="the --db of `beholder tasks serve`")
    uri = f"file:{quote(str(path.resolve()))}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=30, check_same_thread=False)
    try:
        made_by = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
        if made_by is None or made_by[0] not in (FORMAT, OLD_FORMAT):
            raise InputError(f"a file of answers of the format {FORMAT}", got=f"{path} ({made_by and made_by[0]})")
        if made_by[0] == OLD_FORMAT:
            connection.execute("PRAGMA temp_store = MEMORY")
            for statement in OLD_VIEWS:
                connection.execute(statement)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise InputError("a file of answers", got=f"{path} ({error})") from error
    except InputError:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def open_for_reading(path: Path | str) -> Iterator[sqlite3.Connection]:
    """:func:`connect_for_reading` in one transaction: everything is read as of one moment."""
    with contextlib.closing(connect_for_reading(path)) as connection:
        connection.isolation_level = None
        connection.execute("BEGIN")
        yield connection


def read_meta(connection: sqlite3.Connection, key: str) -> str:
    """A value of the file itself."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    if row is None:
        raise InputError(f"a file of answers that holds {key!r}", got="one without")
    return str(row[0])


def read_description(connection: sqlite3.Connection) -> dict[str, Any]:
    """What the experiment is, as :meth:`Description.to_dict`."""
    return json.loads(read_meta(connection, "experiment"))
