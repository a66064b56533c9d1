"""Long work on the workers of a Dask scheduler: each starts a fresh process, which claims shards and commits them.

Dask finds the machines, starts and restarts its workers and carries messages; it never holds results. A worker's
process is the one that ``--workers`` starts, so that bytes are the same; it ends with its worker, and when the caller
cancels or is gone. What reaches the caller are counts, log lines and errors.
"""

# distributed and cloudpickle have no types
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import functools
import hashlib
import pickle
import queue
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import cloudpickle

import beholder
from beholder._core.errors import BeholderError, InputError, OtherMachine
from beholder._core.progress import Advance, logger
from beholder.jobs import _dask_worker
from beholder.jobs._cluster import parse_cluster
from beholder.jobs._conditions import keep_open, read_conditions
from beholder.jobs._dask_session import DaskSession, open_session, say_briefly
from beholder.jobs._deaths import DeathCount
from beholder.jobs._folder import JobFolder
from beholder.jobs._plan import Plan, Shard
from beholder.jobs._processes import write_parcel
from beholder.jobs._rates import WorkerRates
from beholder.jobs._serve import unpack_error
from beholder.jobs._work import Worker

_POLL_SECONDS, _LOST_SECONDS, _LEAVE_SECONDS = 1.0, 15.0, 10.0
_TELL_SECONDS = 60.0
_MOST_NAMED = 5


def run_on_dask(
    plan: Plan, shards: list[Shard], worker: Worker, folder: JobFolder, n_workers: int, advance: Advance
) -> None:
    """Finish ``shards`` on the workers of a scheduler: all of them, or ``n_workers`` where that is more than one.

    Raises
    ------
    MissingExtra
        Dask is not installed.
    InputError
        No scheduler at the address; no worker that can take part; work that cannot be sent.
    BeholderError
        No worker in time, too many that died, a scheduler that was lost. Errors of the work itself keep their class.
    """
    word = read_conditions().cluster or ""
    cluster = parse_cluster(word)
    session = keep_open(word, lambda: open_session(cluster))
    if n_workers > session.n_asked:
        session.scale(n_workers)
        session.n_asked = n_workers
    most = len(shards) if cluster.kind == "dask" and n_workers <= 1 else min(n_workers, len(shards))
    with write_parcel((plan, shards, worker, folder), worker, folder) as path:
        crew = _Crew(session, worker, path.absolute(), most, DeathCount(folder), WorkerRates(plan.unit))
        try:
            crew.work(advance)
        except Exception:
            _tell_missing(plan, folder)
            raise
        finally:
            crew.dismiss()


def _tell_missing(plan: Plan, folder: JobFolder) -> None:
    missing = [shard.key for shard in folder.list_unfinished(plan)]
    named = ", ".join(missing[:_MOST_NAMED]) + (", …" if len(missing) > _MOST_NAMED else "")
    logger.warning(
        "%s: %d of %d parts are missing (%s); the same command makes just these", plan.name, len(missing),
        len(plan.shards), named,
    )  # fmt: skip


@functools.cache
def _read_own_version() -> str:
    found = hashlib.sha256()
    for path in sorted(Path(beholder.__file__).parent.rglob("*.py")):
        found.update(path.read_bytes())
    return f"{beholder.__version__} {found.hexdigest()}"


@final
class _ByValue:
    """A function that reaches a worker by value, also where Beholder is not installed."""

    def __init__(self, function: Callable[..., Any]) -> None:
        cloudpickle.register_pickle_by_value(_dask_worker)
        try:
            self._data = cloudpickle.dumps(function)
        finally:
            cloudpickle.unregister_pickle_by_value(_dask_worker)
        self._function = function

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)

    def __reduce__(self) -> Any:
        return cloudpickle.loads, (self._data,)


@dataclass
class _Member:
    """A worker of the scheduler."""

    name: str
    host: str
    settings: dict[str, str] = field(default_factory=dict[str, str])
    future: Any = None


class _Crew:
    """The workers that take part in one plan."""

    def __init__(
        self, session: DaskSession, worker: Worker, parcel: Path, most: int, deaths: DeathCount, rates: WorkerRates
    ) -> None:
        self._session, self._worker, self._parcel, self._most = session, worker, parcel, most
        self._topic = f"beholder-{uuid.uuid4().hex}"
        self._said: queue.SimpleQueue[tuple[str, str, Any]] = queue.SimpleQueue()
        self._members: dict[str, _Member] = {}
        self._unfit: set[str] = set()
        self._problems: dict[str, str] = {}
        self._errors: list[tuple[str, BaseException]] = []
        self._deaths, self._rates = deaths, rates
        self._is_over = False
        self._idle_since = self._heard = self._told = time.monotonic()
        session.client.subscribe_topic(self._topic, self._hear)

    def _hear(self, event: tuple[float, Any]) -> None:
        self._said.put(tuple(event[1]))

    def work(self, advance: Advance) -> None:
        """Until the shards are done; hires workers as they come."""
        hired = -_POLL_SECONDS
        while True:
            if (now := time.monotonic()) - hired >= _POLL_SECONDS:
                self._hire()
                hired = now
            busy = [each for each in self._members.values() if each.future is not None]
            if self._is_over and not busy:
                self._rates.tell(last=True)
                return
            if busy:
                self._idle_since = time.monotonic()
            else:
                self._check_patience()
            with contextlib.suppress(queue.Empty):
                self._take(advance, *self._said.get(timeout=_POLL_SECONDS))
                while True:
                    self._take(advance, *self._said.get_nowait())
            self._rates.tell()

    def _take(self, advance: Advance, address: str, kind: str, value: Any) -> None:
        member = self._members.get(address)
        name = address if member is None else member.name
        if kind == "done":
            self._rates.add(name, value)
            advance(value)
        elif kind == "log":
            level, text = value
            logger.log(level, "%s: %s", name, text)
        elif kind == "future" and member is not None and member.future is value:
            member.future = None
            self._end(address, member, value)

    def _end(self, address: str, member: _Member, future: Any) -> None:
        if future.status != "finished":
            self._lose(member, "its Dask worker")
            return
        how, value = future.result()
        if how == "end":
            self._is_over = True
        elif how == "died":
            reason, was_ready, words = value
            if was_ready or reason.startswith("signal"):
                self._lose(member, f"its process, by {reason}")
            else:
                told = f"a process that ended with {reason} before it was ready: {words}"
                self._set_aside(address, member, BeholderError(f"expected workers that start; got {told}"))
        elif how == "error":
            self._set_aside(address, member, unpack_error(*value))

    def _lose(self, member: _Member, what: str) -> None:
        if self._is_over:
            return
        if self._deaths.add():
            raise BeholderError(
                f"expected workers to live; got {self._deaths.n} in a row that were lost, the last on "
                f"{member.host}, {what}; try a smaller --batch_size or more memory: finished parts are kept"
            )
        logger.warning("%s lost %s; its part is free for others", member.name, what)

    def _set_aside(self, address: str, member: _Member, error: BaseException) -> None:
        """An error ends the run when a second worker gives it alike, or when no other worker is left.

        Any number of machines of another kind may refuse, as long as one of the output's own is there.
        """
        error.add_note(f"on {member.host}, {member.name}")
        alike = [other for other, before in self._errors if type(before) is type(error) and str(before) == str(error)]
        alike = [] if isinstance(error, OtherMachine) else alike
        self._errors.append((address, error))
        self._unfit.add(address)
        others = [each for each, own in self._members.items() if each not in self._unfit and own is not member]
        if alike or not others:
            logger.error("%s on %s ended the run", member.name, member.host)
            raise error
        logger.warning(
            "%s on %s takes no part any more: %s: %s",
            member.name,
            member.host,
            type(error).__name__,
            say_briefly(error),
        )

    def _hire(self) -> None:
        live = self._list_live()
        if live is None:
            return
        for address in [each for each in self._members if each not in live]:
            member = self._members.pop(address)
            if member.future is not None:
                self._release(member)
                self._lose(member, "its Dask worker")
        new = sorted(live - set(self._members) - self._unfit)
        if new:
            self._look_at(new)
        if self._is_over:
            return
        n_busy = sum(member.future is not None for member in self._members.values())
        for address, member in self._members.items():
            if n_busy >= self._most:
                break
            if member.future is None and address not in self._unfit:
                self._start(address, member)
                n_busy += 1

    def _list_live(self) -> set[str] | None:
        """The scheduler's workers by address; None where it does not answer just now."""
        client = self._session.client
        now = time.monotonic()
        if client.status == "running":
            with contextlib.suppress(Exception):
                found = set(client.nthreads())
                self._heard = now
                return found
        if now - self._heard > _LOST_SECONDS or client.status in ("closing", "closed"):
            raise BeholderError(
                f"expected the scheduler {self._session.label} to answer; got nothing for {now - self._heard:.0f} s; "
                "try running the same command again: finished parts are kept"
            )
        return None

    def _look_at(self, new: list[str]) -> None:
        paths = [each for each in sys.path if each]
        args = (str(self._parcel), str(Path.cwd()), paths, _read_own_version())
        try:
            found = self._session.client.run(_ByValue(_dask_worker.look_at), *args, workers=new, on_error="return")
        except Exception:  # a worker that is gone again, or the scheduler: seen in the next round
            return
        for address, look in found.items():
            if not isinstance(look, dict):
                logger.warning("%s could not be looked at: %s", address, say_briefly(look))
        looks = {address: look for address, look in found.items() if isinstance(look, dict)}
        for address, look in looks.items():
            member = _Member(look["name"], look["host"])
            if look["problem"]:
                self._unfit.add(address)
                self._problems[address] = f"{member.name} on {member.host} takes no part: {look['problem']}"
                logger.warning("%s", self._problems[address])
            else:
                self._members[address] = member
        self._share_gpus({address: look for address, look in looks.items() if address in self._members})
        if self._members:
            n_hosts = len({member.host for member in self._members.values()})
            logger.info("%d workers on %d machines", len(self._members), n_hosts)

    def _share_gpus(self, looks: dict[str, Any]) -> None:
        """A GPU each for workers of one machine that all see the same several."""
        if not str(vars(self._worker).get("device", "")).startswith("cuda"):
            return
        for host in {look["host"] for look in looks.values()}:
            own = [address for address, look in looks.items() if look["host"] == host]
            seen = {looks[address]["gpus"] for address in own}
            gpus = next(iter(seen)) or ",".join(map(str, range(looks[own[0]]["n_gpus"])))
            each = [gpu for gpu in gpus.split(",") if gpu]
            if len(own) > 1 and len(seen) == 1 and len(each) > 1:
                for i, address in enumerate(own):
                    self._members[address].settings["CUDA_VISIBLE_DEVICES"] = each[i % len(each)]

    def _start(self, address: str, member: _Member) -> None:
        n_here = Counter(each.host for each in self._members.values())[member.host]
        orders = pickle.dumps(sys.path) + pickle.dumps(
            (sys.argv, logger.getEffectiveLevel(), self._worker.parcel.read, self._parcel, min(n_here, self._most))
        )
        args = (orders, str(Path.cwd()), self._topic, address, member.settings)
        member.future = future = self._session.client.submit(
            _ByValue(_dask_worker.serve_plan), *args, key=f"beholder-{uuid.uuid4().hex}", workers=[address],
            allow_other_workers=False, pure=False, retries=0,
        )  # fmt: skip
        future.add_done_callback(functools.partial(self._note_end, address))

    def _note_end(self, address: str, future: Any) -> None:
        self._said.put((address, "future", future))

    def _check_patience(self) -> None:
        """Wait for workers, with a word; not for ever where there is a limit, and not where none can take part."""
        now, session = time.monotonic(), self._session
        if self._problems and not self._members and len(self._problems) >= session.n_asked:
            raise InputError("a worker that can take part", got="; ".join(self._problems.values()))
        waited = now - self._idle_since
        if session.wait is not None and waited > session.wait:
            raise BeholderError(
                f"expected a worker of {session.label} within {session.wait:.0f} s; got none; try starting workers, "
                "or wait=SECONDS in --cluster: finished parts are kept"
            )
        if now - self._told > _TELL_SECONDS:
            self._told = now
            logger.info("no worker of %s yet, since %.0f s", session.label, waited)

    def _release(self, member: _Member) -> None:
        with contextlib.suppress(Exception):
            self._session.client.cancel([member.future], force=True)
        member.future = None

    def dismiss(self) -> None:
        """End what still runs, and wait a moment until it has ended."""
        client = self._session.client
        busy = {address: member.future for address, member in self._members.items() if member.future is not None}
        with contextlib.suppress(Exception):
            if busy:
                client.cancel(list(busy.values()), force=True)
                self._await_leaving(set(busy))
            client.unsubscribe_topic(self._topic)

    def _await_leaving(self, busy: set[str]) -> None:
        until = time.monotonic() + _LEAVE_SECONDS
        while busy and time.monotonic() < until:
            with contextlib.suppress(queue.Empty):
                address, kind, _ = self._said.get(timeout=0.1)
                if kind == "gone":
                    busy.discard(address)
