"""Locks, and what stands for them on file systems that have none."""

from __future__ import annotations

import errno
import fcntl
import itertools
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from beholder._core import leases
from beholder._core.locks import LockTaken, take_lock

FLOCK = fcntl.flock
DEAD = 2**22 + 1  # above the largest process number


@pytest.fixture
def refusal() -> int:
    return errno.ENOLCK


@pytest.fixture
def no_locks(refusal: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: object, operation: int) -> None:
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.fixture
def write_marker(tmp_path: Path) -> Callable[[str, int], Path]:
    def write(host: str, pid: int) -> Path:
        marker = tmp_path / "run.lock.held"
        marker.write_text(json.dumps({"host": host, "pid": pid, "since": "2026-01-01"}), encoding="utf-8")
        return marker

    return write


def test_a_lock_is_free_again_when_its_block_ends(tmp_path: Path) -> None:
    with take_lock(tmp_path / "run.lock") as lock:
        assert not lock.is_lease
        with pytest.raises(LockTaken) as taken:
            take_lock(tmp_path / "run.lock")
        assert taken.value.holder == ""
    take_lock(tmp_path / "run.lock").release()
    assert not list(tmp_path.glob("*.held"))


@pytest.mark.parametrize("refusal", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
@pytest.mark.usefixtures("no_locks")
def test_without_locks_a_lease_stands_for_one_and_goes_when_it_is_released(tmp_path: Path) -> None:
    with take_lock(tmp_path / "run.lock") as lock:
        assert lock.is_lease
        (lease,) = tmp_path.iterdir()
        assert json.loads(lease.read_text(encoding="utf-8"))["pid"] == os.getpid()
        with pytest.raises(LockTaken) as taken:
            take_lock(tmp_path / "run.lock", watch=True)
        assert taken.value.holder.startswith(f"process {os.getpid()} of {platform.node()}")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("no_locks")
def test_leases_are_shared_or_held_alone(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    with take_lock(path, shared=True), take_lock(path, shared=True), pytest.raises(LockTaken):
        take_lock(path)
    with take_lock(path), pytest.raises(LockTaken):
        take_lock(path, shared=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("no_locks")
def test_what_a_dead_process_of_this_host_left_is_free(tmp_path: Path, write_marker: Callable) -> None:
    write_marker(platform.node(), DEAD)
    take_lock(tmp_path / "run.lock").release()
    code = f"from beholder._core.leases import *; try_lease(Path({str(tmp_path / 'run.lock')!r})); os._exit(0)"
    for more in ("", ", shared=True"):
        subprocess.run([sys.executable, "-c", code.replace("'))", f"'){more})")], check=True)
        assert len(list(tmp_path.rglob("*.lease"))) == 1
        take_lock(tmp_path / "run.lock").release()
    assert not list(tmp_path.rglob("*.lease"))


@pytest.fixture
def foreign(tmp_path: Path, no_locks: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lease of a process of another host, on a file system whose clock stands in 2001."""
    monkeypatch.setattr(leases, "PATIENCE_SECONDS", 0.4)
    lease = tmp_path / "run.lock.lease"
    about = {"token": "theirs", "host": "elsewhere", "space": "", "pid": os.getpid(), "since": "2026-01-01"}
    lease.write_text(json.dumps(about), encoding="utf-8")
    os.utime(lease, (1e9, 1e9))
    return lease


def test_a_lease_that_is_not_touched_for_long_enough_is_free(tmp_path: Path, foreign: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(LockTaken, match="of elsewhere"):
        take_lock(tmp_path / "run.lock")
    with take_lock(tmp_path / "run.lock", watch=True):
        assert time.monotonic() - begun >= 0.4
        assert json.loads(foreign.read_text(encoding="utf-8"))["token"] != "theirs"
    assert not list(tmp_path.iterdir())


def test_a_lease_that_is_touched_is_held_whatever_the_clocks_say(tmp_path: Path, foreign: Path) -> None:
    stop = threading.Event()

    def beat() -> None:
        for n in itertools.count():
            os.utime(foreign, (1e9 + n, 1e9 + n))
            if stop.wait(0.05):
                return

    with ThreadPoolExecutor() as pool:
        pool.submit(beat)
        begun = time.monotonic()
        with pytest.raises(LockTaken):
            take_lock(tmp_path / "run.lock", watch=True)
        assert time.monotonic() - begun < 0.4, "one that is seen to live is not watched to the end"
        with pytest.raises(LockTaken):
            while time.monotonic() - begun < 1:
                time.sleep(0.05)
                take_lock(tmp_path / "run.lock")
            raise LockTaken(foreign)
        stop.set()


@pytest.mark.usefixtures("no_locks")
def test_a_lease_beats_until_it_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "BEAT_SECONDS", 0.02)
    file = tmp_path / "run.lock.lease"
    with take_lock(tmp_path / "run.lock"):
        os.utime(file, (1e9, 1e9))
        deadline = time.monotonic() + 20
        while file.stat().st_mtime == 1e9:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        file.write_text('{"token": "theirs", "pid": 1}', encoding="utf-8")
    assert file.exists(), "what is another's by now is not released"


def test_of_many_that_find_one_dead_a_single_one_takes_its_place(tmp_path: Path, foreign: Path) -> None:
    held, most = [], []

    def work(_: int) -> None:
        with take_lock(tmp_path / "run.lock", wait=True):
            held.append(1)
            most.append(len(held))
            time.sleep(0.01)
            held.pop()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(24)))
    assert most == [1] * 24
    assert not list(tmp_path.iterdir())


def test_one_that_locks_heeds_the_lease_of_one_that_cannot(tmp_path: Path, foreign: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fcntl, "flock", FLOCK)
        with pytest.raises(LockTaken, match="elsewhere"):
            take_lock(tmp_path / "run.lock")
        with take_lock(tmp_path / "run.lock", watch=True) as lock:
            assert not lock.is_lease


@pytest.mark.usefixtures("no_locks")
@pytest.mark.parametrize("wait", [False, True])
def test_one_of_another_host_is_named_with_what_to_delete(tmp_path: Path, write_marker: Callable, wait: bool) -> None:
    marker = write_marker("elsewhere", DEAD)
    with pytest.raises(LockTaken, match=f"process {DEAD} of elsewhere .* delete {marker}"):
        take_lock(tmp_path / "run.lock", wait=wait)
    assert marker.exists()


def test_a_host_with_locks_heeds_the_marker_of_one_without(tmp_path: Path, write_marker: Callable) -> None:
    write_marker("elsewhere", 1)
    with pytest.raises(LockTaken, match="elsewhere"):
        take_lock(tmp_path / "run.lock")


def test_waiting_ends_when_the_other_process_dies(tmp_path: Path) -> None:
    taken = f"lock = take_lock({str(tmp_path / 'a')!r})"
    code = f"from beholder._core.locks import take_lock; {taken}; print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(LockTaken):
            take_lock(tmp_path / "a")
        other.kill()
        take_lock(tmp_path / "a", wait=True).release()
