"""kill -9 under load: every acknowledged answer is on disk, and every participant goes on to the end."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.event_loops import run_apart
from tests.experiment_folders import write_folder
from tests.load_client import Tally, find_lost, run_load

from beholder.responses import read_responses

SERVE = """
import sys
from beholder.experiments import open_store, read_experiment, serve
experiment = read_experiment(sys.argv[1])
with open_store(experiment, sys.argv[2]) as store:
    serve(experiment, store, port=int(sys.argv[3]), limits=None)
"""


def find_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def start_server(folder: Path, db: Path, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", SERVE, str(folder), str(db), str(port)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})


def keep_killing(
    start: Callable[[], subprocess.Popen[bytes]], n: int, port: int, seed: int, done: threading.Event
) -> int:
    """Start the server; kill it at random moments while it answers, and start it again."""
    rng = random.Random(seed)
    killed = 0
    server = start()
    try:
        while not done.is_set():
            wait_for(port)
            if killed < n and not done.wait(0.3 + rng.random()):
                os.kill(server.pid, signal.SIGKILL)
                server.wait()
                server = start()
                killed += 1
            else:
                done.wait(0.2)
    finally:
        server.kill()
        server.wait()
    return killed


def wait_for(port: int) -> None:
    for _ in range(1000):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.05)
    raise AssertionError("the server did not start")


def run_killed(place: Path, n_people: int, n_trials: int, interval_s: float, n_kills: int) -> tuple[Tally, int]:
    changes = {"practice.n_with_feedback": 0, "practice.n_obvious": 0, "practice.n_required": 0, "exclusion": {}}
    write_folder(place / "b", n_tasks=5, n_trials=n_trials - 2, n_catch=2, changes=changes)
    port, done = find_port(), threading.Event()
    killed: list[int] = []

    def kill() -> None:
        killed.append(keep_killing(lambda: start_server(place / "b", place / "a.db", port), n_kills, port, 1, done))

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        wait_for(port)
        tally = run_apart(run_load(f"http://127.0.0.1:{port}", n_people, interval_s))
    finally:
        done.set()
        killer.join()
    return tally, killed[0]


def check(place: Path, tally: Tally, n_people: int, n_trials: int) -> None:
    """Nothing lost, nothing twice, nobody left behind; tasks stay even."""
    assert tally.finished == n_people and len(tally.saved) == n_people
    assert find_lost(str(place / "a.db"), tally) == []
    with contextlib.closing(sqlite3.connect(place / "a.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    responses: Any = read_responses(place / "a.db")
    finished = responses.participants[responses.participants["finished"].to_numpy(bool)]
    assert len(finished) == n_people
    assert (responses.trials.groupby("session")["trial"].max().loc[finished["session"]] == n_trials).all()


def test_two_kills(tmp_path: Path) -> None:
    tally, killed = run_killed(tmp_path, 30, 24, 0.12, 2)
    assert killed == 2 and tally.retries > 0
    check(tmp_path, tally, 30, 24)


@pytest.mark.slow
def test_twenty_kills_under_the_load_of_300(tmp_path: Path) -> None:
    tally, killed = run_killed(tmp_path, 300, 60, 1.0, 20)
    assert killed == 20
    check(tmp_path, tally, 300, 60)
