"""Locks, and what stands for them on file systems that have none."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from beholder._core.locks import LockTaken, take_lock

DEAD = 2**22 + 1  # above the largest process number


@pytest.fixture(params=[errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS], ids=["ENOLCK", "ENOTSUP", "ENOSYS"])
def no_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: object, operation: int) -> None:
        raise OSError(request.param, os.strerror(request.param))

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
        assert not lock.is_marker
        with pytest.raises(LockTaken) as taken:
            take_lock(tmp_path / "run.lock")
        assert taken.value.holder == ""
    take_lock(tmp_path / "run.lock").release()
    assert not list(tmp_path.glob("*.held"))


@pytest.mark.usefixtures("no_locks")
def test_without_locks_a_file_stands_for_one_and_goes_when_it_is_released(tmp_path: Path) -> None:
    with take_lock(tmp_path / "run.lock") as lock:
        assert lock.is_marker
        (marker,) = tmp_path.iterdir()
        assert json.loads(marker.read_text(encoding="utf-8"))["pid"] == os.getpid()
        with pytest.raises(LockTaken, match=f"process {os.getpid()} of .* delete {marker}"):
            take_lock(tmp_path / "run.lock")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("no_locks")
def test_what_a_dead_process_of_this_host_left_is_replaced(tmp_path: Path, write_marker: Callable) -> None:
    marker = write_marker(platform.node(), DEAD)
    with take_lock(tmp_path / "run.lock"):
        assert json.loads(marker.read_text(encoding="utf-8"))["pid"] == os.getpid()
    marker.write_text("", encoding="utf-8")
    os.utime(marker, (0, 0))
    take_lock(tmp_path / "run.lock").release()


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
