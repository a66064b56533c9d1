"""A file system without locks: one line says so, work goes on, and nothing is left to confuse."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str | Path]:
    def refuse(file: object, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    model = f"file:{place / 'net.py'}"
    paths = ["--in_path", place / "images", "--out_path", tmp_path / "out"]
    return ["extract", "-m", model, "--module_name", "2", *paths, "--workers", "2"]


def test_extract(command: list[str | Path], tmp_path: Path, beholder: Command) -> None:
    code, _, err = beholder(*command)
    assert code == 0, err
    assert [line for line in err.splitlines() if "without locks" in line] == [
        f"warning: {tmp_path / 'out/net.zarr'} lies on a file system without locks: files with a heartbeat stand for "
        "them, and what a dead process held is free after 60 s"
    ]
    assert not [path for path in tmp_path.rglob("*") if "lock" in path.name]


def test_a_run_of_another_host_is_named_with_what_to_delete(
    command: list[str | Path], tmp_path: Path, beholder: Command
) -> None:
    assert beholder(*command)[0] == 0
    (jobs,) = tmp_path.glob("out/.*.jobs")
    marker = jobs / "run.lock.held"
    marker.write_text(json.dumps({"host": "node17", "pid": 4711, "since": "2026-01-01"}), encoding="utf-8")
    code, _, err = beholder(*command)
    assert code == 1 and f"process 4711 of node17 holds it since 2026-01-01; if that has ended, delete {marker}" in err
    marker.unlink()
    assert beholder(*command)[0] == 0
