"""The file of answers: opened once for writing, read by as many as like."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar, final

from beholder._core.errors import InputError, OutputBusy, OutputError
from beholder._core.files import explain_write_errors
from beholder._core.locks import Lock, LockTaken, take_lock
from beholder._core.settings import refuse_changes
from beholder.responses._records import Description, TrialKey
from beholder.responses._schema import FORMAT, list_statements
from beholder.responses._statements import delete_session, insert_trial
from beholder.responses._writer import GroupWriter

T = TypeVar("T")


@final
class ResponseStore:
    """One SQLite file of answers, open for writing by this process alone.

    Use :func:`open_responses`. Rows are added and never changed; only a withdrawal deletes.

    Attributes
    ----------
    path : Path
    """

    def __init__(self, path: Path, lock: Lock) -> None:
        self.path = path
        self._lock = lock
        self._reader = _connect(path)
        self._reading = threading.Lock()
        self._writer = GroupWriter(_connect(path))

    def __repr__(self) -> str:
        return f"ResponseStore({self.path})"

    def __enter__(self) -> ResponseStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Have ``work(connection)`` done in a transaction that others share; the future is done once it is on disk.

        What the work raises undoes the work and is the future's exception.
        """
        return self._writer.submit(work)

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """:meth:`submit`, waited for."""
        return self.submit(work).result()

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """``work(connection)`` on a connection that sees what is committed."""
        with self._reading:
            return work(self._reader)

    def read_meta(self, key: str) -> str:
        """A value of the file itself."""
        return self.read(lambda connection: _read_meta(connection, key))

    def withdraw(self, token: bytes, at: float) -> Future[bool]:
        """Delete what is known of the session that a token opens, from the file's bytes too.

        Parameters
        ----------
        token : bytes
            sha256 of what the browser holds.
        at : float
            Seconds since 1970.
        """
        return self._writer.submit(lambda connection: delete_session(connection, token, at))

    def flush_deleted(self) -> None:
        """Move what the log beside the file holds into the file, so that deleted rows are in neither."""
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None, timeout=10)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Commit what waits and give the file back."""
        self._writer.close()
        self._reader.close()
        self._lock.release()


def open_responses(
    path: Path | str,
    description: Description | None = None,
    trials: Sequence[TrialKey] = (),
    *,
    entropy: Callable[[int], bytes] = secrets.token_bytes,
) -> ResponseStore:
    """Open a file of answers for writing; one that is not there is made.

    Parameters
    ----------
    path : path
        The SQLite file. Its parent folders are made.
    description : Description, optional
        What the experiment is; needed to make a file. One that differs from the file's is refused.
    trials : sequence of TrialKey
        What is known of every trial, written when the file is made.
    entropy : callable
        So many random bytes, for the file's keys. Anything but the default is for simulations alone.

    Raises
    ------
    InputError
        Not a file of answers, or none there and nothing known to make it of.
    ConfigurationChanged
        The file has answers to another experiment; the first differences are named.
    OutputBusy
        Another process has it open.
    """
    path = Path(path)
    if description is None and not path.is_file():
        raise InputError("a file of answers", got=f"no file at {path}")
    with explain_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock = take_lock(f"{path.resolve()}.lock")  # the same one by whatever link the file is named
        except LockTaken as taken:
            got = f"a server or simulation that has it open{f' ({taken.holder})' if taken.holder else ''}"
            raise OutputBusy(
                f"expected to be the only one that writes {path}; got {got}; try stopping it, or another --db"
            ) from taken
    try:
        if description is not None and (not path.exists() or path.stat().st_size == 0):
            _make_file(path, description, trials, entropy)
        with contextlib.closing(connect_for_reading(path)) as connection:
            old = read_description(connection)
        if description is not None:
            refuse_other(old, description, str(path))
        return ResponseStore(path, lock)
    except sqlite3.OperationalError as error:
        lock.release()
        raise OutputError(
            f"expected a place for {path} that SQLite can write to; got {error}; try a local disk with room"
        ) from error
    except BaseException:
        lock.release()
        raise


def refuse_other(old: Mapping[str, Any], description: Description, name: str) -> None:
    """Refuse a file of answers to another experiment, whose description is ``old``.

    Files of the first version do not say what the stimuli hold: of them, names and sizes are compared.

    Raises
    ------
    ConfigurationChanged
        Names the first differences.
    """
    new = json.loads(json.dumps(description.to_dict()))
    if "stimuli" not in old:
        new.pop("stimuli", None)
    refuse_changes(old, new, name, dict.fromkeys(new, "another --db for the changed experiment"))


def connect_for_reading(path: Path | str) -> sqlite3.Connection:
    """A connection that cannot write, to a file that a server may be writing to.

    Raises
    ------
    InputError
        No file of answers.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("a file of answers", got=f"no file at {path}", hint="the --db of `beholder tasks serve`")
    try:
        connection = sqlite3.connect(f"file:{_quote(path)}?mode=ro", uri=True, timeout=30, check_same_thread=False)
        made_by = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    except sqlite3.DatabaseError as error:
        raise InputError("a file of answers", got=f"{path} ({error})") from error
    if made_by is None or made_by[0] != FORMAT:
        raise InputError(f"a file of answers of the format {FORMAT}", got=f"{path} ({made_by and made_by[0]})")
    return connection


@contextlib.contextmanager
def open_for_reading(path: Path | str) -> Iterator[sqlite3.Connection]:
    """:func:`connect_for_reading` in one transaction: everything is read as of one moment."""
    with contextlib.closing(connect_for_reading(path)) as connection:
        connection.isolation_level = None
        connection.execute("BEGIN")
        yield connection


def read_description(connection: sqlite3.Connection) -> dict[str, Any]:
    """What the experiment is, as :meth:`Description.to_dict`."""
    return json.loads(_read_meta(connection, "experiment"))


def backup_responses(path: Path | str, out: Path | str) -> Path:
    """Copy a file of answers as of one moment, while a server goes on writing to it.

    Parameters
    ----------
    path : path
        The file of answers.
    out : path
        The copy; a file there is refused.

    Returns
    -------
    Path
        The copy, complete and on disk, or nothing there.
    """
    out = Path(out)
    if out.exists():
        raise InputError("a name that is free", got=str(out), hint="another name for the copy")
    with explain_write_errors(out), contextlib.closing(connect_for_reading(path)) as connection:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = out.with_name(f".tmp-{out.name}-{secrets.token_hex(4)}")
        try:
            connection.execute("VACUUM INTO ?", (str(temporary),))
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            temporary.rename(out)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return out


def forget_recruits(path: Path | str) -> int:
    """Delete what recruiters call the participants, and the key by which their names here were made.

    For the end of data collection: after it nobody can tell who a participant is, and the same person could take part
    again unseen.

    Returns
    -------
    int
        How many were deleted.
    """
    with open_responses(path) as store:

        def work(connection: sqlite3.Connection) -> int:
            n = connection.execute("DELETE FROM recruits").rowcount
            connection.execute("UPDATE meta SET value = ? WHERE key = 'key'", (secrets.token_hex(32),))
            return n

        n = store.write(work)
        store.flush_deleted()
    return n


def _make_file(
    path: Path, description: Description, trials: Sequence[TrialKey], entropy: Callable[[int], bytes]
) -> None:
    """Make it under a temporary name, so that a kill leaves none or a whole one."""
    temporary = path.with_name(f".tmp-{path.name}")
    for suffix in ("", "-wal", "-shm"):
        Path(f"{temporary}{suffix}").unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(temporary, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        for statement in list_statements():
            connection.execute(statement)
        meta = {
            "format": FORMAT,
            "experiment": json.dumps(description.to_dict(), sort_keys=True),
            "key": entropy(32).hex(),
            "addresses": entropy(32).hex(),
        }
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        for trial in trials:
            insert_trial(connection, trial)
        connection.execute("COMMIT")
    with contextlib.closing(sqlite3.connect(temporary)) as connection:
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    return connection


def _read_meta(connection: sqlite3.Connection, key: str) -> str:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    if row is None:
        raise InputError(f"a file of answers that holds {key!r}", got="one without")
    return str(row[0])


def _quote(path: Path) -> str:
    from urllib.parse import quote

    return quote(str(path.resolve()))
