"""Group commit: what many participants send at once goes to disk together, and is acknowledged after that."""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar, final

from beholder._core.errors import OutputError

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_MOST_AT_ONCE = 512


@final
class GroupWriter:
    """One thread that owns the writing connection.

    Work that comes while a commit is on its way to disk waits and shares the next one, so that the disk's time for a
    commit bounds the wait and not the rate. Each piece of work is a savepoint: one that fails takes back its own rows
    only. A future is done when its rows are on disk (``synchronous=FULL``), never before.

    Parameters
    ----------
    connection : sqlite3.Connection
        In autocommit mode, opened with ``check_same_thread=False``; this object closes it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._queue: queue.SimpleQueue[tuple[Work[Any], Future[Any]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self.n_commits = 0
        self.n_works = 0
        self._thread = threading.Thread(target=self._run, name="beholder-responses", daemon=True)
        self._thread.start()

    def submit(self, work: Work[T]) -> Future[T]:
        """Have ``work(connection)`` done and committed; the future holds what it returned, or its exception."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise OutputError("expected an open file of answers; got one that was closed; try opening it again")
            self._queue.put((work, future))
        return future

    def close(self) -> None:
        """Commit what waits, and close the connection."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        going = True
        while going:
            batch = [self._queue.get()]
            while len(batch) < _MOST_AT_ONCE:
                try:
                    batch.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            going = None not in batch
            self._commit([item for item in batch if item is not None])
        self._connection.close()

    def _commit(self, batch: list[tuple[Work[Any], Future[Any]]]) -> None:
        batch = [(work, future) for work, future in batch if future.set_running_or_notify_cancel()]
        if not batch:
            return
        connection = self._connection
        outcomes: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
            for work, future in batch:
                outcomes.append((future, *_do_in_savepoint(connection, work)))
            connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            outcomes = [(future, None, error) for _, future in batch]
        self.n_commits += 1
        self.n_works += len(batch)
        for future, value, error in outcomes:
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)


def _do_in_savepoint(connection: sqlite3.Connection, work: Work[Any]) -> tuple[Any, BaseException | None]:
    """Do one piece of work; what it raises undoes it. A full disk ends the transaction, and so is raised on."""
    connection.execute("SAVEPOINT one")
    try:
        value = work(connection)
    except Exception as error:
        if not connection.in_transaction:
            raise
        connection.execute("ROLLBACK TO one")
        connection.execute("RELEASE one")
        return None, error
    connection.execute("RELEASE one")
    return value, None
