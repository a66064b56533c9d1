"""Workers that the jobs tests run; importable by name from spawned processes."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beholder._core.errors import InputError
from beholder._core.files import write_text
from beholder.jobs import Finish, Plan, Shard, Worker, cut_range


@dataclass
class SquareWorker(Worker):
    """Writes the squares of a shard's range to one file."""

    out: Path
    kill_at: int | None = None
    refuse_at: int | None = None
    seconds: float = 0.0
    lookahead: int = 1

    @contextlib.contextmanager
    def open(self, n_workers: int) -> Iterator[Callable[[Shard], Finish]]:
        yield self._start

    def _start(self, shard: Shard) -> Finish:
        start, stop = shard.payload["start"], shard.payload["stop"]

        def finish() -> tuple[dict[str, int], dict[str, object]]:
            time.sleep(self.seconds)
            flag = self.out / "killed"
            if start == self.kill_at and not flag.exists():
                flag.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if start == self.refuse_at:
                raise InputError("a number that can be squared", got=str(start))
            for _ in range(3):
                self.report(1)
            text = "\n".join(str(i * i) for i in range(start, stop))
            write_text(self.out / f"{start}.txt", text)
            return {f"{start}.txt": len(text)}, {"sum": sum(i * i for i in range(start, stop))}

        return finish


def plan_squares(n: int, size: int, power: int = 2) -> Plan:
    shards = (Shard(f"s{a:04d}", b - a, {"start": a, "stop": b}) for a, b in cut_range(0, n, size))
    return Plan("squares", {"power": power}, tuple(shards), "numbers")


@dataclass
class CallWorker(Worker):
    """Keeps what a function makes of each shard's first number."""

    call: Callable[[int], Any]
    extra: Any = None

    @contextlib.contextmanager
    def open(self, n_workers: int) -> Iterator[Callable[[Shard], Finish]]:
        yield lambda shard: lambda: ({}, {"value": self.call(shard.payload["start"])})
