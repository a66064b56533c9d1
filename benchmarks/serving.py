"""Serving an experiment: how long an answer takes to be on disk, how many participants there can be, what one costs.

Usage: python benchmarks/serving.py [--loads 300:1 2000:5 3000:5 4000:5 300:0] [--trials 12] [--only ours bare first]

A load is a number of participants and the seconds between two answers of each; 0: the next one as soon as the last is
acknowledged. For every answer the page asks twice: before the trial is shown, and with the answer; each is acknowledged
once it is on disk (``synchronous=FULL``), and p50, p99 and max are of both. Server and participants are processes of
their own: on a machine of few cores the participants take what the server could have used, so the CPU time of each is
told, and the server's for an answer, both requests together, from when everybody has come on. The *bare* opponent is
the shortest Starlette program that keeps answers: two tables, one commit a request, nothing checked. *first*: from
opening the page to the first trial's pictures, and to all of them. Last, the most participants whose p99 stayed below
150 ms.
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
    connection.execute("CREATE TABLE shown (session TEXT, trial TEXT, key INTEGER)")
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

    async def show(request: Any) -> JSONResponse:
        token, body = request.headers["authorization"][7:], json.loads(await request.body())
        connection.execute("INSERT INTO shown VALUES (?, ?, ?)", (token, body["trial"], body["key"]))
        connection.commit()
        return JSONResponse({"show": True})

    async def state(request: Any) -> JSONResponse:
        return JSONResponse({"n_done": done[request.headers["authorization"][7:]], "n_trials": n_trials})

    routes = [
        Route("/api/join", join, methods=["POST"]), Route("/api/step", step, methods=["POST"]),
        Route("/api/presentations", show, methods=["POST"]), Route("/api/trials", list_trials),
        Route("/api/trials/{n}", save, methods=["PUT"]), Route("/api/state", state),
    ]  # fmt: skip
    uvicorn.run(Starlette(routes=routes), port=port, access_log=False, log_level="warning")


HEAD = (
    f"{'server':8}{'load':>12}{'answers':>9}{'lost':>6}{'a second':>10}{'p50 ms':>8}{'p99 ms':>8}{'max ms':>8}"
    f"{'CPU ms':>8}{'server':>8}{'client':>8}{'memory MiB':>16}"
)
MOST_MS = 150.0

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
        watched: list[tuple[float, float, float]] = []
        stop = threading.Event()
        try:
            wait_for(port)
            start = time.perf_counter()
            threading.Thread(target=watch, args=(server.pid, watched, stop), daemon=True).start()
            ours, theirs = multiprocessing.Pipe()
            client = multiprocessing.Process(target=run_client, args=(url, n, interval_s, ramp_s, theirs))
            client.start()
            tally, client_cpu = ours.recv()
            client.join()
        finally:
            stop.set()
            server.terminate()
            server.wait()
        lost = len(find_lost(db, tally)) if which == "ours" else count_lost_bare(db, tally)
    n_answers = sum(map(len, tally.saved.values()))
    steady = [each for each in watched if each[0] >= start + ramp_s] or watched
    (begin, cpu_begin, mib_begin), (end, cpu_end, mib_end) = steady[0], steady[-1]
    share = min(1.0, (end - begin) / tally.wall_s)
    return {
        "server": which, "n": n, "interval_s": interval_s, "answers": n_answers, "lost": lost,
        "per_s": n_answers / tally.wall_s, "p50_ms": statistics.median(tally.latencies) * 1e3,
        "p99_ms": find_percentile(tally.latencies, 99) * 1e3, "max_ms": max(tally.latencies) * 1e3,
        "cpu_ms": 1e3 * (cpu_end - cpu_begin) / max(1.0, n_answers * share),
        "server_cpu": (cpu_end - cpu_begin) / max(1e-9, end - begin),
        "client_cpu": client_cpu / (tally.wall_s + ramp_s), "mib_start": mib_begin, "mib_end": mib_end,
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


def watch(pid: int, watched: list[tuple[float, float, float]], stop: threading.Event) -> None:
    """Twice a second: the time, seconds of CPU, memory."""
    while not stop.wait(0.5):
        try:
            watched.append((time.perf_counter(), read_cpu_s(pid), read_memory_mib(pid)))
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
    parser.add_argument("--loads", nargs="+", default=["300:1", "2000:5", "3000:5", "4000:5", "300:0"])
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--ramp", type=float, default=30.0, help="seconds in which they come, before the first answer")
    parser.add_argument("--only", nargs="+", default=["first", "ours", "bare"])
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
        print(f"{args.trials} trials each; {os.cpu_count()} cores, load {os.getloadavg()[0]:.2f} before", flush=True)
        if "first" in args.only:
            row = measure_first(Path(place), args.trials)
            print(
                f"first trial ready after {row['first_s']:.2f} s, all {row['n_trials']} trials "
                f"({row['n_files']:.0f} files) after {row['all_s']:.2f} s",
                flush=True,
            )
        print(HEAD, flush=True)
        within = 0
        for which in SERVERS:
            for text in args.loads if which in args.only else ():
                n, _, interval = text.partition(":")
                row = measure(which, Path(place), int(n), float(interval or 1), args.ramp)
                print_row(row)
                if which == "ours" and row["interval_s"] and row["p99_ms"] < MOST_MS and not row["lost"]:
                    within = max(within, row["n"])
        print(f"p99 below {MOST_MS:.0f} ms, none lost: up to {within} participants of the paced loads above")


def print_row(row: dict[str, Any]) -> None:
    """One line of the table."""
    load = f"{row['n']} / {row['interval_s']:g} s" if row["interval_s"] else f"{row['n']} at once"
    print(
        f"{row['server']:8}{load:>12}{row['answers']:9}{row['lost']:6}{row['per_s']:10.0f}{row['p50_ms']:8.1f}"
        f"{row['p99_ms']:8.1f}{row['max_ms']:8.1f}{row['cpu_ms']:8.2f}{row['server_cpu']:8.0%}{row['client_cpu']:8.0%}"
        f"{row['mib_start']:8.0f} -> {row['mib_end']:.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
