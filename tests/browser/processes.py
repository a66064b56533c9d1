"""Programs that a test starts, each with a home of its own, and nothing of them left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest


def find_program(*names: str) -> str:
    """The first of these programs that there is; where there is none, the test fails in CI and skips elsewhere."""
    path = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin"
    program = next(filter(None, (shutil.which(name, path=path) for name in names)), None)
    if program is None:
        assert not os.environ.get("CI"), f"no {names[0]} on PATH"
        pytest.skip(f"no {names[0]} on PATH")
    return program


def find_port() -> int:
    """A port that nobody listens on."""
    with contextlib.closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def make_home() -> Iterator[dict[str, str]]:
    """Environment of a person without settings: every folder that a browser writes to is a new one, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="beholder-browser-", ignore_cleanup_errors=True) as folder:
        names = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME")
        gone = ("WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS")
        kept = {name: value for name, value in os.environ.items() if name not in gone}
        yield {**kept, **dict.fromkeys(names, folder)}


@contextlib.contextmanager
def run_program(
    command: Sequence[str], environment: dict[str, str], log: Path, *, pass_fds: Sequence[int] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs while the block does; then it and everything that it started are killed.

    What it prints is in ``log``.
    """
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=pass_fds,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


def stop_for(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Stop a program and everything that it started, and let it go on."""
    os.killpg(process.pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        os.killpg(process.pid, signal.SIGCONT)
