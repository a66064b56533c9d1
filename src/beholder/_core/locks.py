"""Locks that a killed process leaves to nobody; on file systems that have none, leases stand for them."""

from __future__ import annotations

import errno
import json
import os
import platform
import random
import time
from pathlib import Path
from types import TracebackType
from typing import Any, final

from filelock import FileLock, Timeout

from beholder._core.errors import OutputBusy
from beholder._core.leases import Lease, find_life, is_alive, read_holder, try_lease

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
    is_lease : bool
        The file system has no locks, so that a file with a heartbeat stands for one.
    """

    def __init__(self, lock: FileLock | _SharedLock | Lease) -> None:
        self._lock = lock
        self.is_lease = isinstance(lock, Lease)

    def release(self) -> None:
        """Let others take it."""
        self._lock.release()

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


def take_lock(path: Path | str, *, wait: bool = False, shared: bool = False, watch: bool = False) -> Lock:
    """Take the lock that the file ``path`` stands for; its folder must exist.

    Where the file system has no locks, a lease is taken: see ``leases``. A marker of an earlier version, which has no
    heartbeat, cannot be told from a live one, unless its process was one of this host.

    Parameters
    ----------
    path : path
    wait : bool
        Wait until it is free.
    shared : bool
        Together with others that take it so, never beside one that holds it alone. Where locks are never shared
        (Windows), it is held alone.
    watch : bool
        Wait until it is known whether the holder of a lease lives; else one of whom that is not known yet holds it.

    Raises
    ------
    LockTaken
        It is held, and this was not to wait; or by a marker of another host.

    Examples
    --------
    >>> with take_lock("run.lock") as lock:
    ...     lock.is_lease
    False
    """
    path = Path(path)
    while True:
        _refuse_marker(path, wait=wait)
        if not has_locks(path):
            lease, life = try_lease(path, shared=shared)
            if lease is not None:
                return Lock(lease)
        else:
            life = find_life(path, shared=shared)
            if life == "dead":
                lock = _lock_file(path, wait=wait, shared=shared)
                if lock is not None:
                    return Lock(lock)
        if not wait and not (watch and life == "unknown"):
            raise LockTaken(path, read_holder(path))
        time.sleep(_RETRY_SECONDS * random.uniform(0.5, 1.5))


def _lock_file(path: Path, *, wait: bool, shared: bool) -> FileLock | _SharedLock | None:
    """The operating system's lock, or None where it is held and this was to wait."""
    if shared and fcntl is not None:
        try:
            return _SharedLock(path)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            if not wait:
                raise LockTaken(path) from None
            return None
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(blocking=wait)
    except Timeout:
        raise LockTaken(path) from None
    return lock


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


def _refuse_marker(path: Path, *, wait: bool) -> None:
    """Heed the marker of an earlier version; one that a dead process of this host left is deleted."""
    marker = Path(f"{path}{MARKER_SUFFIX}")
    while (holder := _read_marker(marker)) is not None:
        if not wait or holder["host"] != platform.node():
            raise LockTaken(
                path,
                f"process {holder['pid']} of {holder['host']} holds it since {holder['since']}; "
                f"if that has ended, delete {marker}",
            )
        time.sleep(_RETRY_SECONDS)


def _read_marker(marker: Path) -> dict[str, Any] | None:
    try:
        holder: Any = json.loads(marker.read_text(encoding="utf-8"))
        host, pid, _ = holder["host"], int(holder["pid"]), holder["since"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        host, pid, holder = platform.node(), 0, None
    if host == platform.node() and not is_alive(pid):
        marker.unlink(missing_ok=True)
        return None
    return holder
