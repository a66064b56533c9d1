"""Many participants at once over plain sockets, with as little work a request as can be."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Tally:
    """What came of it."""

    latencies: list[float] = field(default_factory=list)
    """Seconds from sending an answer, or that a trial is about to be shown, to the acknowledgement; sent once each."""
    saved: dict[str, list[tuple[int, dict[str, Any]]]] = field(default_factory=dict)
    """Token to acknowledged answers: number as presented, response."""
    conflicts: int = 0
    retries: int = 0
    finished: int = 0
    wall_s: float = 0.0


class Connection:
    """One kept connection; what fails is sent again until it is answered."""

    def __init__(self, url: str, tally: Tally) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname, parts.port
        self.tally, self.token = tally, ""
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any, int]:
        """Status, parsed answer, and how often it was sent."""
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Length: {len(data)}\r\n"
        head += "Content-Type: application/json\r\n" + (f"Authorization: Bearer {self.token}\r\n" if self.token else "")
        request = head.encode() + b"\r\n" + data
        sent = 0
        while True:
            sent += 1
            try:
                status, answer = await asyncio.wait_for(self._exchange(request), 20)
            except (OSError, EOFError, TimeoutError):
                self.tally.retries += 1
                await self.close()
                await asyncio.sleep(0.1 + 0.1 * random.random())
                continue
            if status in (429, 500, 503):
                self.tally.retries += 1
                await asyncio.sleep(0.5 + random.random())
                continue
            return status, answer, sent

    async def fetch(self, path: str) -> bytes:
        """The bytes of a page, picture or sound."""
        status, content = await self._send(f"GET {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n\r\n".encode())
        assert status == 200, (path, status)
        return content

    async def _exchange(self, request: bytes) -> tuple[int, Any]:
        status, content = await self._send(request)
        return status, json.loads(content) if content else None

    async def _send(self, request: bytes) -> tuple[int, bytes]:
        if self.streams is None:
            self.streams = await asyncio.open_connection(self.host, self.port)
        reader, writer = self.streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        return int(head[9:12]), await reader.readexactly(length)

    async def close(self) -> None:
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None


async def begin(connection: Connection) -> None:
    """From joining to the first trial."""
    status, answer, _ = await connection.ask("POST", "/api/join", {"recruiter_params": {}, "screen": {"width": 1280}})
    assert status == 201, answer
    connection.token = answer["token"]
    for step, data in (("consent", {"version": "1", "agreed": True}), ("instructions", {}), ("checks", {})):
        status, answer, sent = await connection.ask("POST", "/api/step", {"step": step, "data": data})
        assert status == 200 or (status == 409 and sent > 1), answer


async def take_part(url: str, tally: Tally, interval_s: float, start: float, rng: random.Random) -> None:
    """One participant: an answer every so often, whatever happens to the server."""
    connection = Connection(url, tally)
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(0.7 * rng.random() * max(0.0, start - time.perf_counter()))
        await begin(connection)
        kept = tally.saved.setdefault(connection.token, [])
        status, trials, _ = await connection.ask("GET", "/api/trials")
        await asyncio.sleep(max(0.0, start - time.perf_counter()))
        due = time.perf_counter() + rng.random() * interval_s
        while status != 409:
            assert status == 200, trials
            for trial in trials:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                if not await give_answer(connection, trial, kept, rng):
                    break
                due = max(due + interval_s, time.perf_counter() - interval_s)
            status, trials, _ = await connection.ask("GET", "/api/trials")
        _, state, _ = await connection.ask("GET", "/api/state")
        tally.finished += state["n_done"] == state["n_trials"]
    await connection.close()


async def give_answer(
    connection: Connection, trial: dict[str, Any], kept: list[tuple[int, dict[str, Any]]], rng: random.Random
) -> bool:
    """Send an answer until it is acknowledged; False when the trial has another one."""
    response = {"choice": rng.choice(["upper", "lower"]), "confidence": rng.randint(1, 3)}
    body = {
        "response": response,
        "rt_ms": round(1500 + 500 * rng.random(), 1),
        "shown_at": 1_800_000_000_000,
        "frames": {"interval_ms": 16.7, "dropped": 0},
        "window": {"width": 1280, "height": 720, "dpr": 1},
        "evidence": {"keys": 0, "presses": 1, "clicks": 1, "moves": 40, "jumps": 0, "webdriver": False},
    }
    start = time.perf_counter()
    shown = {"trial": trial["id"], "key": rng.getrandbits(32)}
    status, answer, sent = await connection.ask("POST", "/api/presentations", shown)
    if sent == 1:
        connection.tally.latencies.append(time.perf_counter() - start)
    start = time.perf_counter()
    status, answer, sent = await connection.ask("PUT", f"/api/trials/{trial['id']}", body)
    if sent == 1:
        connection.tally.latencies.append(time.perf_counter() - start)
    if status == 409:
        connection.tally.conflicts += 1
        return False
    assert status == 200 and answer["saved"], answer
    kept.append((trial["n"], response))
    return True


async def run_load(url: str, n: int, interval_s: float, seed: int = 0, ramp_s: float = 0.0) -> Tally:
    """``n`` participants from their joining to their last trial."""
    tally = Tally()
    rng = random.Random(seed)
    start = time.perf_counter() + ramp_s
    await asyncio.gather(*(take_part(url, tally, interval_s, start, random.Random(rng.random())) for _ in range(n)))
    tally.wall_s = time.perf_counter() - start
    return tally


def find_lost(db: str, tally: Tally) -> list[tuple[str, int]]:
    """Acknowledged answers that are not in the file, or differ."""
    import hashlib
    import sqlite3

    with contextlib.closing(sqlite3.connect(db)) as connection:
        rows = connection.execute("SELECT l.token, a.trial, a.response FROM answers a JOIN logins l USING (session)")
        there = {(token, trial): json.loads(response) for token, trial, response in rows}
    return [
        (token, n)
        for token, answers in tally.saved.items()
        for n, response in answers
        if there.get((hashlib.sha256(token.encode()).digest(), n)) != response
    ]
