"""Locks that a killed process leaves to nobody, and what stands for them on file systems that have none."""

from __future__ import annotations

import contextlib
import datetime
import errno
import json
import os
import platform
import time
from pathlib import Path
from types import TracebackType
from typing import Any, final

from filelock import FileLock, Timeout

from beholder._core.errors import OutputBusy

try:
    import fcntl
except ImportError:  # Windows, whose file systems all lock
    fcntl = None

MARKER_SUFFIX = ".held"
_ABSENT = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_TAKEN = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK}
_RETRY_SECONDS = 0.05


class LockTaken(OutputBusy):
    """Another process holds the lock.

    Attributes
    ----------
    holder : str
        Which, and what to delete if it is dead; empty where a lock of the operating system says that it lives.
    """

    def __init__(self, path: Path, holder: str = "") -> None:
        super().__init__(
            f"expected {path} to be free; got another process that holds it{f' ({holder})' * bool(holder)}"
        )
        self.holder = holder


@final
class Lock:
    """A lock that is held; use :func:`take_lock`.

    Attributes
    ----------
    is_marker : bool
        The file system has no locks, so that a file with this process's name stands for one: it outlives a process
        that is killed, and is too coarse for processes that share work.
    """

    def __init__(self, lock: FileLock | _SharedLock | None, marker: Path) -> None:
        self._lock, self._marker = lock, marker
        self.is_marker = lock is None

    def release(self) -> None:
        """Let others take it."""
        if self._lock is not None:
            self._lock.release()
        else:
            self._marker.unlink(missing_ok=True)

    def __enter__(self) -> Lock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


@final
class _SharedLock:
    """A lock that any number of processes hold at the same time, and none while another holds it alone."""

    def __init__(self, path: Path) -> None:
        assert fcntl is not None
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise

    def release(self) -> None:
        """Let go of it; the file stays."""
        os.close(self._descriptor)


def take_lock(path: Path | str, *, wait: bool = False, shared: bool = False) -> Lock:
    """Take the lock that the file ``path`` stands for; its folder must exist.

    Where the file system has no locks, ``{path}.held`` is made instead, with the host and the process that holds it.
    One that a dead process of this host left is replaced; one of another host cannot be told from a live one.

    Parameters
    ----------
    path : path
    wait : bool
        Wait until it is free.
    shared : bool
        Together with others that take it so, never beside one that holds it alone. Where locks are never shared
        (Windows, file systems without locks), it is held alone.

    Raises
    ------
    LockTaken
        It is held, and this was not to wait; or by a marker of another host.

    Examples
    --------
    >>> with take_lock("run.lock") as lock:
    ...     lock.is_marker
    False
    """
    path = Path(path)
    marker = Path(f"{path}{MARKER_SUFFIX}")
    while True:
        holder = _read_marker(marker)
        if holder is None:
            if not has_locks(path):
                with contextlib.suppress(FileExistsError):
                    _write_marker(marker)
                    return Lock(None, marker)
            elif shared and fcntl is not None:
                try:
                    return Lock(_SharedLock(path), marker)
                except OSError as error:
                    if error.errno not in _TAKEN:
                        raise
                    if not wait:
                        raise LockTaken(path) from None
            else:
                lock = FileLock(path, thread_local=False)
                try:
                    lock.acquire(blocking=wait)
                except Timeout:
                    raise LockTaken(path) from None
                return Lock(lock, marker)
        elif not wait or holder["host"] != platform.node():
            raise LockTaken(
                path,
                f"process {holder['pid']} of {holder['host']} holds it since {holder['since']}; "
                f"if that has ended, delete {marker}",
            )
        time.sleep(_RETRY_SECONDS)


def has_locks(path: Path) -> bool:
    """Whether the file system of the file ``path``, which may be made for it, has locks."""
    if fcntl is None:
        return True
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _ABSENT:
            path.unlink(missing_ok=True)
            return False
    finally:
        os.close(descriptor)
    return True


def _write_marker(marker: Path) -> None:
    since = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    descriptor = os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump({"host": platform.node(), "pid": os.getpid(), "since": since}, file)


def _read_marker(marker: Path) -> dict[str, Any] | None:
    """Who holds the lock; a marker that a dead process of this host left, or left half-written, is deleted."""
    try:
        text = marker.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    holder: Any = None
    try:
        holder = json.loads(text)
        host, pid, _ = holder["host"], int(holder["pid"]), holder["since"]
    except (ValueError, KeyError, TypeError):
        if time.time() - marker.stat().st_mtime < 1:
            return {"host": platform.node(), "pid": "?", "since": "now"}
        host, pid = platform.node(), 0
    if host == platform.node() and not _is_alive(pid):
        marker.unlink(missing_ok=True)
        return None
    return holder


def _is_alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
