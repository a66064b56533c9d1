"""Serving an experiment: how long an answer takes to be on disk, and how many a second can be.

Usage: python benchmarks/serving.py [--participants 300] [--trials 45] [--only "ours paced" first]

Server and participants are processes of their own; the CPU time of each is told, because on a machine of few cores the
participants take what the server could have used. Every answer is acknowledged after it is on disk
(``synchronous=FULL``). *paced*: each participant answers once a second. *flat out*: each answers as soon as the last
answer is acknowledged. The *bare* opponent is the shortest Starlette program that keeps answers: one table, one commit
a request, nothing checked. *first*: from opening the page to the first trial's pictures, and to all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))


def serve_ours(folder: str, db: str, port: int) -> None:
    """The server as people run it."""
    from beholder.experiments import Limits, open_store, read_experiment, serve

    experiment = read_experiment(folder)
    limits = Limits(requests_per_s=1e6, request_burst=1e6, joins_per_s=1e6, join_burst=1e6)
    with open_store(experiment, db) as store:
        serve(experiment, store, port=port, limits=limits)


def serve_bare(folder: str, db: str, port: int) -> None:
    """Starlette and SQLite, a commit a request."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    connection = sqlite3.connect(db, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE answers (session TEXT, trial INTEGER, body TEXT, PRIMARY KEY (session, trial))")
    n_trials = len(list(Path(folder).glob("task_1/trials/trial_*")))
    done: dict[str, int] = {}

    async def join(request: Any) -> JSONResponse:
        token = os.urandom(16).hex()
        done[token] = 0
        return JSONResponse({"token": token}, 201)

    async def step(request: Any) -> JSONResponse:
        return JSONResponse({})

    async def list_trials(request: Any) -> JSONResponse:
        first = done[request.headers["authorization"][7:]] + 1
        rows = [{"id": str(n), "n": n} for n in range(first, n_trials + 1)]
        return JSONResponse(rows, 200 if rows else 409)

    async def save(request: Any) -> JSONResponse:
        token, n = request.headers["authorization"][7:], int(request.path_params["n"])
        body = json.loads(await request.body())
        connection.execute("INSERT INTO answers VALUES (?, ?, ?)", (token, n, json.dumps(body)))
        connection.commit()
        done[token] = n
        return JSONResponse({"saved": True})

    async def state(request: Any) -> JSONResponse:
        return JSONResponse({"n_done": done[request.headers["authorization"][7:]], "n_trials": n_trials})

    routes = [
        Route("/api/join", join, methods=["POST"]), Route("/api/step", step, methods=["POST"]),
        Route("/api/trials", list_trials), Route("/api/trials/{n}", save, methods=["PUT"]), Route("/api/state", state),
    ]  # fmt: skip
    uvicorn.run(Starlette(routes=routes), port=port, access_log=False, log_level="warning")


HEAD = (
    f"{'server':8}{'load':10}{'answers':>8}{'lost':>6}{'a second':>10}{'p50 ms':>8}{'p99 ms':>8}{'max ms':>8}"
    f"{'server CPU':>12}{'client CPU':>12}{'memory MiB':>16}"
)

SERVERS = {"ours": serve_ours, "bare": serve_bare}


def read_cpu_s(pid: int) -> float:
    """Seconds of CPU that a process has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def read_memory_mib(pid: int) -> float:
    """Resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def run_client(url: str, n: int, interval_s: float, ramp_s: float, pipe: Any) -> None:
    """All participants, in a process of their own."""
    from load_client import run_load

    tally = asyncio.run(run_load(url, n, interval_s, ramp_s=ramp_s))
    pipe.send((tally, sum(os.times()[:2])))


def measure(which: str, folder: Path, n: int, interval_s: float, ramp_s: float) -> dict[str, Any]:
    """One run of one server under one load."""
    from load_client import find_lost

    port = 8700 + os.getpid() % 1000
    with tempfile.TemporaryDirectory() as place:
        db = f"{place}/answers.db"
        command = [sys.executable, __file__, "--serve", which, str(folder), db, str(port)]
        server = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT / "src")})
        url = f"http://127.0.0.1:{port}"
        memory: list[float] = []
        stop = threading.Event()
        try:
            wait_for(port)
            cpu = read_cpu_s(server.pid)
            threading.Thread(target=watch_memory, args=(server.pid, memory, stop), daemon=True).start()
            ours, theirs = multiprocessing.Pipe()
            client = multiprocessing.Process(target=run_client, args=(url, n, interval_s, ramp_s, theirs))
            client.start()
            tally, client_cpu = ours.recv()
            client.join()
            server_cpu = read_cpu_s(server.pid) - cpu
        finally:
            stop.set()
            server.terminate()
            server.wait()
        lost = len(find_lost(db, tally)) if which == "ours" else count_lost_bare(db, tally)
    n_answers = sum(map(len, tally.saved.values()))
    steady = memory[int(ramp_s) + 5 :] or memory
    return {
        "server": which, "load": "paced" if interval_s else "flat out", "answers": n_answers, "lost": lost,
        "finished": tally.finished, "per_s": n_answers / tally.wall_s,
        "p50_ms": statistics.median(tally.latencies) * 1e3, "p99_ms": find_percentile(tally.latencies, 99) * 1e3,
        "max_ms": max(tally.latencies) * 1e3, "server_cpu": server_cpu / (tally.wall_s + ramp_s),
        "client_cpu": client_cpu / (tally.wall_s + ramp_s), "mib_start": steady[0], "mib_end": steady[-1],
    }  # fmt: skip


def measure_first(folder: Path, n_trials: int) -> dict[str, float]:
    """Seconds from opening the page: to the stimuli of the first trial, and to those of all, over six connections."""
    port = 8700 + os.getpid() % 1000
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, __file__, "--serve", "ours", str(folder), f"{place}/answers.db", str(port)]
        server = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT / "src")})
        try:
            wait_for(port)
            times = [asyncio.run(open_page(port)) for _ in range(5)]
        finally:
            server.terminate()
            server.wait()
    first, everything, n_files = (statistics.median(column) for column in zip(*times, strict=True))
    return {"first_s": first, "all_s": everything, "n_files": n_files, "n_trials": n_trials}


async def open_page(port: int) -> tuple[float, float, int]:
    """What the page asks for until it can show the first trial, then all others."""
    from load_client import Connection, Tally, begin

    connections = [Connection(f"http://127.0.0.1:{port}", Tally()) for _ in range(6)]
    start = time.perf_counter()
    await connections[0].fetch("/")
    await begin(connections[0])
    _, trials, _ = await connections[0].ask("GET", "/api/trials")
    groups = [
        [
            f"/{address}"
            for value in trial["stimuli"].values()
            for address in (value if isinstance(value, list) else [value])
        ]
        for trial in trials
    ]

    async def fetch_all(addresses: list[str]) -> None:
        left = list(addresses)

        async def work(connection: Connection) -> None:
            while left:
                await connection.fetch(left.pop())

        await asyncio.gather(*map(work, connections))

    await fetch_all(groups[0])
    first = time.perf_counter() - start
    await fetch_all([address for group in groups[1:] for address in group])
    everything = time.perf_counter() - start
    for connection in connections:
        await connection.close()
    return first, everything, sum(map(len, groups))


def watch_memory(pid: int, memory: list[float], stop: threading.Event) -> None:
    """Once a second."""
    while not stop.wait(1.0):
        try:
            memory.append(read_memory_mib(pid))
        except (OSError, IndexError):
            return


def count_lost_bare(db: str, tally: Any) -> int:
    """Acknowledged answers that are not in the bare server's file."""
    with sqlite3.connect(db) as connection:
        there = set(connection.execute("SELECT session, trial FROM answers"))
    return sum((token, n) not in there for token, answers in tally.saved.items() for n, _ in answers)


def find_percentile(values: list[float], q: float) -> float:
    """The value below which q percent lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * q / 100))]


def wait_for(port: int) -> None:
    """Until somebody listens."""
    import socket

    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--participants", type=int, default=300)
    parser.add_argument("--trials", type=int, default=45)
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between two answers of one participant")
    parser.add_argument("--ramp", type=float, default=10.0, help="seconds in which they come, before the first answer")
    parser.add_argument(
        "--only", nargs="+", default=["first", "ours paced", "ours flat out", "bare paced", "bare flat out"]
    )
    parser.add_argument("--serve", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        which, folder, db, port = args.serve
        SERVERS[which](folder, db, int(port))
        return
    from experiment_folders import write_folder

    with tempfile.TemporaryDirectory() as place:
        changes = {"practice.n_with_feedback": 0, "practice.n_obvious": 0, "practice.n_required": 0}
        write_folder(Path(place), n_tasks=2, n_trials=args.trials - 5, n_catch=5, changes=changes)
        for path in Path(place).rglob("*.png"):
            path.write_bytes(path.read_bytes() + os.urandom(60_000))  # as large as pictures of 224 x 224
        load = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}"
        print(f"{args.participants} participants, {args.trials} trials each; {load}")
        if "first" in args.only:
            row = measure_first(Path(place), args.trials)
            print(
                f"first trial ready after {row['first_s']:.2f} s, all {row['n_trials']} trials "
                f"({row['n_files']:.0f} files) after {row['all_s']:.2f} s",
                flush=True,
            )
        print(HEAD, flush=True)
        for each in args.only:
            if each == "first":
                continue
            which, _, load = each.partition(" ")
            paced = load == "paced"
            row = measure(
                which, Path(place), args.participants, args.interval if paced else 0.0, args.ramp if paced else 5.0
            )
            print(
                f"{row['server']:8}{row['load']:10}{row['answers']:8}{row['lost']:6}{row['per_s']:10.0f}"
                f"{row['p50_ms']:8.1f}{row['p99_ms']:8.1f}{row['max_ms']:8.1f}{row['server_cpu']:12.0%}"
                f"{row['client_cpu']:12.0%}{row['mib_start']:8.0f} -> {row['mib_end']:.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
