"""Files that stand for locks on file systems that have none: made by one process alone, kept alive by a heartbeat.

Making a file that must not exist yet is decided by the server, on every file system. A thread of the holder touches the
file every few seconds. A process that wants it watches: where the file has not been touched for a minute *by the
watcher's own clock*, its holder is dead, and the file is taken away. No clock of one machine is ever held against that
of another, nor against the server's. A dead process of the same machine is known at once.

A process that stands still for longer than a minute (a machine asleep) loses what it holds.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import platform
import threading
import time
import uuid
from pathlib import Path
from typing import Any, Literal, final

_SUFFIX, _SHARED, _BURIAL = ".lease", ".shared", ".burial"
BEAT_SECONDS, PATIENCE_SECONDS = 2.0, 60.0

Life = Literal["alive", "unknown", "dead"]


@final
class Lease:
    """A file that this process holds; use :func:`try_lease`."""

    def __init__(self, path: Path, token: str) -> None:
        self._path, self._token = path, token
        _HEART.add(self)

    def release(self) -> None:
        """Let others take it."""
        _HEART.remove(self)
        with contextlib.suppress(OSError):
            if _read(self._path).get("token") == self._token:
                self._path.unlink()
                if self._path.parent.name.endswith(_SHARED):
                    self._path.parent.rmdir()

    def beat(self) -> None:
        """Show that the holder lives; what others have taken away is let go."""
        if _read(self._path).get("token") == self._token:
            os.utime(self._path)
        else:
            _HEART.remove(self)


@final
class _Heart:
    """The thread that touches what this process holds."""

    def __init__(self) -> None:
        self._leases: set[Lease] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, lease: Lease) -> None:
        with self._lock:
            self._leases.add(lease)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="beholder-heart", daemon=True)
                self._thread.start()

    def remove(self, lease: Lease) -> None:
        with self._lock:
            self._leases.discard(lease)

    def _work(self) -> None:
        while True:
            time.sleep(BEAT_SECONDS)
            with self._lock:
                held = list(self._leases)
            for lease in held:
                with contextlib.suppress(OSError):
                    lease.beat()


_HEART = _Heart()


def try_lease(path: Path, *, shared: bool = False) -> tuple[Lease | None, Life]:
    """Take the lock that ``path`` stands for, or tell how its holder is.

    Parameters
    ----------
    path : path
        Its folder must exist.
    shared : bool
        Beside others that take it so, never beside one that holds it alone.

    Returns
    -------
    Lease or None
        None where another process holds it.
    str
        Of the other: ``"alive"``, or ``"unknown"`` while it has not been watched long enough.
    """
    token = uuid.uuid4().hex
    alone = _name(path)
    file = path.with_name(path.name + _SHARED) / f"{token}{_SUFFIX}" if shared else alone
    life = _look(file)
    if life != "dead" or not _make(file, token):
        return None, "unknown" if life == "dead" else life
    lease = Lease(file, token)
    left = {_look(other) for other in ([alone] if shared else _list_shared(path))} - {"dead"}
    if left:
        lease.release()
        return None, "alive" if "alive" in left else "unknown"
    return lease, "alive"


def find_life(path: Path, *, shared: bool = False) -> Life:
    """How the holder of the lease on ``path`` is, for those that lock otherwise; dead where there is none."""
    found = [_look(file) for file in (_name(path), *([] if shared else _list_shared(path)))]
    return "alive" if "alive" in found else "unknown" if "unknown" in found else "dead"


def read_holder(path: Path) -> str:
    """Who holds the lease on ``path``, in words; empty where nobody does, or several."""
    holder = _read(_name(path))
    return f"process {holder['pid']} of {holder['host']}, since {holder['since']}" if "pid" in holder else ""


def _name(path: Path) -> Path:
    return path.with_name(path.name + _SUFFIX)


def _list_shared(path: Path) -> list[Path]:
    try:
        return [each for each in path.with_name(path.name + _SHARED).iterdir() if each.suffix == _SUFFIX]
    except FileNotFoundError:
        return []


def _make(file: Path, token: str) -> bool:
    """Make a lease; False where another process was faster."""
    try:
        if file.parent.name.endswith(_SHARED):
            file.parent.mkdir(exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except (FileExistsError, FileNotFoundError):  # the folder of shared ones may go with the last of them
        return False
    since = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    about = {"token": token, "host": platform.node(), "space": _SPACE, "pid": os.getpid(), "since": since}
    with open(descriptor, "w", encoding="utf-8") as stream:
        json.dump(about, stream)
    return True


_watched: dict[Path, tuple[int, float, bool]] = {}
"""Of each lease of another process: when it was last touched (its own time), since when that has been so (ours), and
whether it has ever been seen to be touched."""


def _look(file: Path) -> Life:
    """How the holder of a lease is; one that is dead is buried."""
    try:
        descriptor = os.open(file, os.O_RDONLY)  # opening asks the server, not a cache of this machine
    except FileNotFoundError:
        _watched.pop(file, None)
        return "dead"
    try:
        touched = os.fstat(descriptor).st_mtime_ns
        holder = _parse(os.read(descriptor, 4096))
    finally:
        os.close(descriptor)
    now = time.monotonic()
    before, since, has_beaten = _watched.get(file, (touched, now, False))
    if before != touched:
        since, has_beaten = now, True
    _watched[file] = touched, since, has_beaten
    is_here = holder.get("host") == platform.node() and holder.get("space") == _SPACE
    if (is_here and not is_alive(holder["pid"])) or now - since > PATIENCE_SECONDS:
        _bury(file, holder.get("token", ""))
        return "dead" if not file.exists() else "unknown"
    return "alive" if has_beaten or (is_here and holder["pid"] == os.getpid()) else "unknown"


def _bury(file: Path, token: str) -> None:
    """Take away the lease of a dead process: one of those that found it dead, and no lease but that one."""
    spade = file.with_name(f"{file.name}.{token}{_BURIAL}")
    try:
        os.close(os.open(spade, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    except FileExistsError:
        if _look_at_spade(spade):
            spade.unlink(missing_ok=True)
        return
    try:
        if file.exists() and _read(file).get("token", "") == token:
            file.unlink(missing_ok=True)
            _watched.pop(file, None)
    finally:
        spade.unlink(missing_ok=True)


def _look_at_spade(spade: Path) -> bool:
    """Whether whoever took it has died over it."""
    now = time.monotonic()
    _, since, _ = _watched.setdefault(spade, (0, now, False))
    return now - since > PATIENCE_SECONDS


def _read(file: Path) -> dict[str, Any]:
    try:
        return _parse(file.read_bytes())
    except OSError:
        return {}


def _parse(data: bytes) -> dict[str, Any]:
    try:
        found: Any = json.loads(data)
        return {**found, "pid": int(found["pid"])}
    except (ValueError, TypeError, KeyError):
        return {}


def _name_space() -> str:
    """Within what the number of a process is unique: this start of this machine, or of a container on it."""
    parts: list[str] = []
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


_SPACE = _name_space()


def is_alive(pid: int) -> bool:
    """Whether a process of this machine is there; yes where the system cannot be asked without harm to it."""
    if pid <= 0:
        return False
    if os.name == "nt":  # there os.kill ends the process, or sends it Ctrl-C
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
