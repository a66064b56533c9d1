"""What every worker does, wherever it runs.

Walk through the shards without a receipt, claim one, compute it, commit its files by rename, write its receipt last. So
a plan can be finished by any number of workers, of any number of runs, in any order, after any interruption. The disk
holds the files of shards, then their receipts, while the next shards are computed.
"""

from __future__ import annotations

import abc
import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack
from typing import Any, ClassVar, NamedTuple, final

from beholder._core.errors import suggest_keywords
from beholder._core.machine import Kind, describe_kind
from beholder._core.progress import Advance
from beholder.jobs._array import Clock, read_array_task
from beholder.jobs._folder import JobFolder
from beholder.jobs._parcel import PICKLED, Parcel
from beholder.jobs._plan import Plan, Shard
from beholder.jobs._records import Files

Finish = Callable[[], tuple[Files, Mapping[str, Any]]]
"""Waits for a started shard, commits its files, returns their sizes (and hashes) and the facts of its receipt."""

_RETRY_SECONDS = 0.2


class Worker(abc.ABC):
    """What computes shards. It reaches worker processes by value, whatever it holds."""

    parcel: ClassVar[Parcel] = PICKLED
    """How it is sent to other processes."""

    lookahead: int = 0
    """How many shards to start before the first one is finished."""

    uses_torch: ClassVar[bool] = False
    """Whether its numbers come from torch, on the device that its attribute ``device`` names, else on the CPU."""

    may_end_early: bool = False
    """Items may stop by themselves, before the parts that :meth:`report` counts in add up to one."""

    keeps_state: ClassVar[bool] = False
    """Whether a shard that is cut off goes on from where it was; else it is made anew."""

    tick: Callable[[float, Shard | None], None] | None = None
    """Set while shards are being done; called by :meth:`report`."""

    def report(self, n: float, shard: Shard | None = None) -> None:
        """Say that ``n`` items of a shard are done, or parts of items where they are slow.

        Of no shard, it is of the one being finished. What is not reported counts when the shard ends.
        """
        if self.tick is not None:
            self.tick(n, shard)

    def count_bytes(self, shard: Shard) -> int | None:
        """Bytes of a shard's files, where they are known before it is done; a disk without room is then refused."""
        return None

    @abc.abstractmethod
    def open(self, n_workers: int) -> contextlib.AbstractContextManager[Callable[[Shard], Finish]]:
        """Get ready (load a model, start threads); yields ``start(shard)``.

        Parameters
        ----------
        n_workers : int
            How many workers share this machine's cores.
        """


@suggest_keywords
def work_through(
    plan: Plan,
    shards: list[Shard],
    worker: Worker,
    folder: JobFolder,
    n_workers: int,
    advance: Advance,
) -> None:
    """Claim and finish shards until none is left; ``advance`` is called with the numbers of items done here.

    A task of a job array leaves others those that they have claimed, and begins none that it has no time for.
    """
    task = read_array_task()
    clock = Clock(None if task is None else task.ends)
    with contextlib.ExitStack() as held:
        committer = held.enter_context(open_committer(plan, folder))
        start = held.enter_context(worker.open(n_workers))
        counter = Counter(advance)
        worker.tick = counter.count
        held.callback(setattr, worker, "tick", None)
        left, is_admitted = list(shards), False
        while left:
            busy: list[Shard] = []
            started: deque[tuple[Shard, contextlib.ExitStack, Finish]] = deque()
            try:
                for shard in left:
                    if folder.read_receipt(plan.hash, shard) is not None:  # of another worker: cheaper than a claim
                        continue
                    if not clock.has_time(shard):
                        break
                    claim = contextlib.ExitStack()
                    if not claim.enter_context(folder.claim(shard)):
                        claim.close()
                        busy.append(shard)
                    elif folder.read_receipt(plan.hash, shard) is not None:
                        claim.close()
                    else:
                        with _closing_on_error(claim):
                            if not is_admitted:
                                machine = folder.admit(_describe_kind(worker))
                                committer.machines = () if machine is None else (machine,)
                                is_admitted = True
                            for machine in committer.machines:
                                folder.begin_elsewhere(shard, machine)
                            counter.begin(shard)
                            clock.begin(shard)
                            started.append((shard, claim, start(shard)))
                        if len(started) > worker.lookahead:
                            clock.end(_finish(committer, counter, *started.popleft()))
                while started:
                    clock.end(_finish(committer, counter, *started.popleft()))
            finally:
                for _, claim, _ in started:
                    claim.close()
            if task is not None:
                return
            left = [shard for shard in busy if folder.read_receipt(plan.hash, shard) is None]
            if left:
                time.sleep(_RETRY_SECONDS)


@contextlib.contextmanager
def _closing_on_error(claim: contextlib.ExitStack) -> Generator[None]:
    try:
        yield
    except BaseException:
        claim.close()
        raise


def _describe_kind(worker: Worker) -> Kind:
    return describe_kind(str(vars(worker).get("device", "cpu")) if worker.uses_torch else None)


def _finish(committer: Committer, counter: Counter, shard: Shard, claim: contextlib.ExitStack, finish: Finish) -> Shard:
    counter.head = shard.key
    with _closing_on_error(claim):
        files, facts = finish()
    committer.add(shard, claim, files, facts)
    counter.end(shard)
    return shard


@final
class Counter:
    """Counts the items of shards that are done side by side, whoever reports them: no shard counts more than it has.

    Attributes
    ----------
    head : str
        Key of the shard that is being finished.
    """

    def __init__(self, advance: Advance) -> None:
        self._advance, self.head = advance, ""
        self._left: dict[str, float] = {}
        self._sizes: dict[str, int] = {}
        self._lock = threading.Lock()

    def begin(self, shard: Shard) -> None:
        """A shard is started."""
        with self._lock:
            self._left[shard.key] = self._sizes[shard.key] = shard.size

    def count(self, n: float, shard: Shard | None) -> None:
        """So many of its items are done; of a negative number, are to be done again."""
        key = self.head if shard is None else shard.key
        with self._lock:
            left = self._left.get(key, 0)
            n = max(min(n, left), left - self._sizes.get(key, 0))
            self._left[key] = left - n
        if n:
            self._advance(n)

    def end(self, shard: Shard) -> None:
        """A shard is finished: the rest of it counts."""
        with self._lock:
            left = self._left.pop(shard.key)
        self._advance(left)


_MOST_WAITING = 8
"""Shards whose receipts may be late: what a kill costs at most, beside the shard in work."""


class _Done(NamedTuple):
    shard: Shard
    claim: ExitStack
    files: Files
    facts: Mapping[str, Any]


@final
class Committer:
    """Vouches for finished shards in a thread of its own, as many at a time as there are.

    A disk writes slower than a core computes small shards, and waiting for it costs the same for one file as for many.

    Attributes
    ----------
    machines : tuple of str
        The name of this one's kind, where it is not the output's own.
    """

    def __init__(self, plan: Plan, folder: JobFolder) -> None:
        self._plan, self._folder = plan, folder
        self.machines: tuple[str, ...] = ()
        self._waiting: queue.Queue[_Done | None] = queue.Queue(_MOST_WAITING)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="beholder-commit", daemon=True)
        self._thread.start()

    def add(self, shard: Shard, claim: ExitStack, files: Files, facts: Mapping[str, Any]) -> None:
        """Hand over a shard whose files are written, with its claim; raises what went wrong with an earlier one."""
        self._waiting.put(_Done(shard, claim, files, facts))
        self._raise()

    def close(self) -> None:
        """Wait until every receipt is written."""
        self._waiting.put(None)
        self._thread.join()
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        going = True
        while going:
            batch = [self._waiting.get()]
            with contextlib.suppress(queue.Empty):
                while True:
                    batch.append(self._waiting.get_nowait())
            going = None not in batch
            done = [each for each in batch if each is not None]
            try:
                if self._error is None and done:
                    self._commit(done)
            except BaseException as error:
                self._error = error
            finally:
                for each in done:
                    each.claim.close()

    def _commit(self, done: list[_Done]) -> None:
        self._folder.keep_files([name for each in done for name in each.files])
        for each in done:
            self._folder.vouch(self._plan, each.shard, each.files, each.facts, self.machines)


@contextlib.contextmanager
def open_committer(plan: Plan, folder: JobFolder) -> Generator[Committer]:
    """A committer that has written every receipt when the block ends, whatever ends it."""
    committer = Committer(plan, folder)
    try:
        yield committer
    except BaseException:
        with contextlib.suppress(Exception):
            committer.close()
        raise
    committer.close()
