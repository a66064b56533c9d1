"""The file of answers: opened once for writing, read by as many as like."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shlex
import sqlite3
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar, final

from beholder._core.errors import InputError, OutputBusy, OutputError, suggest_keywords
from beholder._core.files import TEMPORARY_PREFIX, explain_write_errors, sync_files, sync_folder
from beholder._core.locks import Lock, LockTaken, take_lock
from beholder._core.settings import refuse_changes
from beholder.responses._checkpoints import LONGEST_LOG_PAGES, Checkpointer
from beholder.responses._reading import connect_for_reading, read_description, read_meta, refuse_damaged
from beholder.responses._records import Description, TrialKey
from beholder.responses._schema import FORMAT, OLD_FORMAT, list_statements
from beholder.responses._statements import delete_participant, insert_trial
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
        writing = _connect(path)
        writing.execute(f"PRAGMA wal_autocheckpoint = {LONGEST_LOG_PAGES}")
        self._writer = GroupWriter(writing)
        self._checkpoints = Checkpointer(_connect(path))

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
        return self.read(lambda connection: read_meta(connection, key))

    def withdraw(self, session: int, at: float) -> Future[list[int]]:
        """Delete all sessions of whoever has this one, from the file's bytes too; their numbers.

        Parameters
        ----------
        session : int
        at : float
            Seconds since 1970.
        """
        return self._writer.submit(lambda connection: delete_participant(connection, session, at))

    def flush_deleted(self) -> None:
        """Move what the log beside the file holds into the file, so that deleted rows are in neither."""
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None, timeout=10)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Commit what waits and give the file back."""
        self._checkpoints.close()
        self._writer.close()
        self._reader.close()
        self._lock.release()


@suggest_keywords
def open_responses(
    path: Path | str,
    description: Description | None = None,
    trials: Sequence[TrialKey] = (),
    *,
    entropy: Callable[[int], bytes] = secrets.token_bytes,
    complete: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
    old: bool = False,
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
    complete : callable
        Gives the settings of an earlier version the ones that came since.
    old : bool
        Open a file of the first format too, to delete from it.

    Raises
    ------
    InputError
        Not a file of answers, or one of the first format, or none there and nothing known to make it of.
    ConfigurationChanged
        The file has answers to another experiment; the first differences are named.
    OutputBusy
        Another process has it open.
    """
    path = Path(path)
    makes = description is not None and (not path.exists() or (path.is_file() and path.stat().st_size == 0))
    if not makes:  # before anything is written beside a file that is none of ours
        _check_file(path, description, complete, old)
    with explain_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = take_file(path)
    try:
        if makes:
            assert description is not None
            if not path.exists() or path.stat().st_size == 0:
                _make_file(path, description, trials, entropy)
            _check_file(path, description, complete, old)
        return ResponseStore(path, lock)
    except sqlite3.OperationalError as error:
        lock.release()
        raise OutputError(
            f"expected a place for {path} that SQLite can write to; got {error}; try a local disk with room"
        ) from error
    except BaseException:
        lock.release()
        raise


def _check_file(
    path: Path,
    description: Description | None,
    complete: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    old: bool,
) -> None:
    """Refuse what :func:`open_responses` does not open; nothing is left beside it."""
    with contextlib.closing(connect_for_reading(path)) as connection:
        refuse_damaged(connection, path)
        there = read_description(connection)
        if not old:
            refuse_old(connection, path)
    if description is not None:
        refuse_other(there, description, str(path), complete)


def take_file(path: Path) -> Lock:
    """The lock of a file of answers, for the one that writes it.

    Raises
    ------
    OutputBusy
        Another process has it.
    """
    try:
        return take_lock(f"{path.resolve()}.lock")  # the same one by whatever link the file is named
    except LockTaken as taken:
        got = f"a server or simulation that has it open{f' ({taken.holder})' if taken.holder else ''}"
        raise OutputBusy(
            f"expected to be the only one that writes {path}; got {got}; try stopping it, or another --db"
        ) from taken


def refuse_old(connection: sqlite3.Connection, path: Path | str) -> None:
    """Refuse a file of the first format, which is read and not written to.

    Raises
    ------
    InputError
        It is one.
    """
    if read_meta(connection, "format") == OLD_FORMAT:
        path = Path(path)
        new = path.with_stem(f"{path.stem}-2")
        raise InputError(
            f"a file of answers of the format {FORMAT} to write to", got=f"{path} ({OLD_FORMAT}, which is only read)",
            hint=f"beholder tasks upgrade {shlex.quote(str(new))} --db {shlex.quote(str(path))}",
        )  # fmt: skip


@suggest_keywords
def refuse_other(
    old: Mapping[str, Any],
    description: Description,
    name: str,
    complete: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
) -> None:
    """Refuse a file of answers to another experiment, whose description is ``old``.

    Files of the first version do not say what the stimuli hold: of them, names and sizes are compared. Settings that an
    earlier version did not have are filled in by ``complete``.

    Raises
    ------
    ConfigurationChanged
        Names the first differences.
    """
    new = json.loads(json.dumps(description.to_dict()))
    if "stimuli" not in old:
        new.pop("stimuli", None)
    old = {**old, "settings": json.loads(json.dumps(dict(complete(old["settings"]))))}
    refuse_changes(old, new, name, ways=["another --db for the changed experiment"])


@suggest_keywords
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
        refuse_damaged(connection, path)
        out.parent.mkdir(parents=True, exist_ok=True)
        with _place_whole(out) as temporary:
            connection.execute("PRAGMA query_only = OFF")  # which would keep the copy from being written too
            connection.execute("VACUUM INTO ?", (str(temporary),))
    return out


@suggest_keywords
def forget_recruits(path: Path | str) -> int:
    """Delete what recruiters call the participants, and the key by which their names here were made.

    For the end of data collection: after it nobody can tell who a participant is or who withdrew, and the same person
    could take part again unseen.

    Returns
    -------
    int
        Of how many participants.
    """
    with open_responses(path, old=True) as store:

        def work(connection: sqlite3.Connection) -> int:
            sql = "SELECT count(DISTINCT participant) FROM sessions JOIN recruits USING (session)"
            n = connection.execute(sql).fetchone()[0]
            connection.execute("DELETE FROM recruits")
            if read_meta(connection, "format") == FORMAT:
                n += connection.execute("DELETE FROM withdrawn_names").rowcount
            connection.execute("UPDATE meta SET value = ? WHERE key = 'key'", (secrets.token_hex(32),))
            return n

        n = store.write(work)
        store.flush_deleted()
    return n


def _make_file(
    path: Path, description: Description, trials: Sequence[TrialKey], entropy: Callable[[int], bytes]
) -> None:
    """Make it under a temporary name, so that a kill leaves none or a whole one."""
    meta = {
        "experiment": json.dumps(description.to_dict(), sort_keys=True),
        "key": entropy(32).hex(),
        "addresses": entropy(32).hex(),
    }

    def fill(connection: sqlite3.Connection) -> None:
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        for trial in trials:
            insert_trial(connection, trial)

    write_file(path, fill)


def write_file(path: Path, fill: Callable[[sqlite3.Connection], None]) -> None:
    """Write a file of this format, which ``fill(connection)`` fills, whole and on disk or not at all."""
    with _place_whole(path) as temporary:
        with contextlib.closing(sqlite3.connect(temporary, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            for statement in list_statements():
                connection.execute(statement)
            connection.execute("INSERT INTO meta VALUES ('format', ?)", (FORMAT,))
            fill(connection)
            connection.execute("COMMIT")
        with contextlib.closing(sqlite3.connect(temporary)) as connection:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()


@contextlib.contextmanager
def _place_whole(path: Path) -> Generator[Path]:
    """A name beside ``path`` for SQLite to write to; what is there then stands at ``path``, on disk, or nothing is."""
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{path.name}")
    parts = [Path(f"{temporary}{suffix}") for suffix in ("", "-journal", "-wal", "-shm")]

    def take_away() -> None:
        for part in parts:
            part.unlink(missing_ok=True)

    take_away()  # what a killed run left
    try:
        yield temporary
        sync_files([temporary], temporary)
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        take_away()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    return connection
