"""A short measured probe of long work: some of its shards, done for real, in a scratch folder."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TypeVar, final

from beholder.jobs._estimate import Sampled
from beholder.jobs._plan import Shard
from beholder.jobs._records import count_receipt_bytes
from beholder.jobs._work import Counter, Finish, Worker

T = TypeVar("T")
Clock = Callable[[], float]

SOFT_SECONDS, HARD_SECONDS = 10.0, 40.0
"""After the first no shard is begun, after the second one that is being done is given up, where parts of it count."""

_SAMPLE_SECONDS = 0.05


class EnoughMeasured(BaseException):
    """The probe has seen enough of a shard that takes long."""


def spread(items: Sequence[T]) -> list[T]:
    """The same items in an order of which every beginning is spread over all: first, middle, quarters, eighths.

    >>> spread([0, 1, 2, 3, 4, 5, 6, 7])
    [0, 4, 2, 6, 1, 5, 3, 7]
    """
    bits = max(1, (len(items) - 1).bit_length())
    places = (int(f"{i:0{bits}b}"[::-1], 2) for i in range(2**bits))
    return [items[i] for i in places if i < len(items)]


def measure_shards(
    shards: Sequence[Shard],
    worker: Worker,
    n_workers: int,
    *,
    soft: float = SOFT_SECONDS,
    hard: float = HARD_SECONDS,
    clock: Clock = time.monotonic,
) -> Sampled:
    """Do some shards as one of ``n_workers`` would, and say what that took.

    First as many as a worker does side by side; then, if there is time, as many more as fit in ``soft`` seconds, by
    which alone the rate is told where they are the greater part: the first shards pay for what is prepared once.

    Parameters
    ----------
    shards : sequence of Shard
        All that are left.
    worker : Worker
        Writes to a scratch folder.
    n_workers : int
        How many would share this machine's cores.
    soft, hard : float
        Seconds.
    clock : callable
    """
    probe = _Probe(worker, clock, hard)
    order = spread(shards)
    n_first = max(1, worker.lookahead)
    with MemoryWatch() as memory:
        begun = clock()
        with contextlib.suppress(EnoughMeasured), worker.open(n_workers) as start:
            probe.begun = clock()
            n_first = max(1, worker.lookahead)
            probe.do(order[:n_first], start)
            first = probe.seconds, probe.n_items
            left = order[n_first:]
            if left and 0 < first[0] < soft:
                n_more = n_first * max(1, int((soft - first[0]) / first[0]))
                probe.do(left[:n_more], start)
                if probe.n_items - first[1] >= first[1]:
                    probe.warm_up = first
    opening = probe.begun - begun
    return probe.tell(opening, memory.most)


@final
class _Probe:
    """Shards that one worker does, counted."""

    def __init__(self, worker: Worker, clock: Clock, hard: float) -> None:
        self._worker, self._clock, self._hard = worker, clock, hard
        self.begun = clock()
        self.seconds = self.n_items = self.n_whole = 0.0
        self.warm_up = (0.0, 0.0)
        self._n_bytes = self._n_noted = 0

    def do(self, shards: Sequence[Shard], start: Callable[[Shard], Finish]) -> None:
        """Do shards, as many side by side as the worker begins ahead."""
        worker = self._worker
        counter = Counter(self._count)
        worker.tick = counter.count
        started: deque[tuple[Shard, Finish]] = deque()
        try:
            for shard in shards:
                counter.begin(shard)
                started.append((shard, start(shard)))
                if len(started) > worker.lookahead:
                    self._finish(counter, *started.popleft())
            while started:
                self._finish(counter, *started.popleft())
        finally:
            worker.tick = None
            self.seconds = self._clock() - self.begun

    def _finish(self, counter: Counter, shard: Shard, finish: Finish) -> None:
        counter.head = shard.key
        files, facts = finish()
        counter.end(shard)
        self.n_whole += shard.size
        self._n_bytes += sum(mark[0] if isinstance(mark, tuple) else mark for mark in files.values())
        self._n_noted += count_receipt_bytes(shard.payload, files, facts)

    def _count(self, n: float) -> None:
        self.n_items += n
        if self.n_items > 0 and self._clock() - self.begun >= self._hard:
            raise EnoughMeasured

    def tell(self, opening: float, memory: int | None) -> Sampled:
        """What was measured."""
        seconds, n_items = self.seconds - self.warm_up[0], self.n_items - self.warm_up[1]
        n_bytes = self._n_bytes if self.n_whole else None
        return Sampled(n_items, seconds, self.n_whole, n_bytes, opening, memory, self._n_noted)


@final
class MemoryWatch:
    """The most memory that this process holds while a block runs.

    Attributes
    ----------
    most : int or None
        Bytes; None where the system does not say.
    """

    def __init__(self) -> None:
        self.most = read_memory()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="beholder-memory", daemon=True)

    def _watch(self) -> None:
        while not self._is_over.wait(_SAMPLE_SECONDS):
            self.look()

    def look(self) -> None:
        """Take a sample."""
        now = read_memory()
        if now is not None:
            self.most = max(self.most or 0, now)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.look()
        self._is_over.set()
        self._thread.join()


def read_memory() -> int | None:
    """Bytes that this process holds; where the system tells no more, the most that it has ever held."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(ImportError):
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    return None


def read_free_memory() -> int | None:
    """Bytes of memory that programs may still take, where the system says."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


@contextlib.contextmanager
def measure_work(clock: Clock = time.monotonic, soft: float = SOFT_SECONDS) -> Generator[WorkMeter]:
    """Measure work that comes without shards, by what it counts; it is given up after ``soft`` seconds."""
    meter = WorkMeter(clock, soft)
    with MemoryWatch() as memory, contextlib.suppress(EnoughMeasured):
        yield meter
    meter.memory = memory.most


@final
class WorkMeter:
    """Counts work until there is enough of it.

    Attributes
    ----------
    n_items : float
    seconds : float
    memory : int or None
    """

    def __init__(self, clock: Clock, soft: float) -> None:
        self._clock, self._soft = clock, soft
        self._begun = clock()
        self._first: tuple[float, float] | None = None
        self.n_items = self.seconds = 0.0
        self.memory: int | None = None

    def advance(self, n: float) -> None:
        """Items, or parts of them, that were just done.

        Raises
        ------
        EnoughMeasured
        """
        self.n_items += n
        self.seconds = self._clock() - self._begun
        if self._first is None and n:
            self._first = self.seconds, self.n_items
        if self.seconds >= self._soft:
            raise EnoughMeasured

    def tell(self) -> Sampled:
        """What was measured; without the first step, which pays for what is prepared once, where there are more."""
        seconds, n_items = self.seconds, self.n_items
        if self._first is not None and n_items >= 2 * self._first[1]:
            seconds, n_items = seconds - self._first[0], n_items - self._first[1]
        return Sampled(n_items, seconds, n_items, None, 0.0, self.memory)
