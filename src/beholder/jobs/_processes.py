"""The process pool: fresh interpreters that claim shards and die with their parent.

A worker never imports the caller's main module and needs nothing of it: the plan and what computes it reach it in a
file, by value. So a script needs no guard, and a notebook or a prompt will do.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, cast

from beholder._core.errors import BeholderError, InputError
from beholder._core.files import TEMPORARY_PREFIX, explain_write_errors
from beholder._core.progress import logger, tell, tell_once
from beholder.jobs._array import is_time_over
from beholder.jobs._deaths import DeathCount
from beholder.jobs._folder import JobFolder
from beholder.jobs._parcel import Parcel
from beholder.jobs._plan import Plan, Shard
from beholder.jobs._rates import WorkerRates
from beholder.jobs._serve import unpack_error
from beholder.jobs._work import Worker

_PATIENCE_SECONDS = 5
_POLL_SECONDS = 1.0
_START = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); from beholder.jobs._serve import serve; serve()"
)


def run_in_processes(
    plan: Plan, shards: list[Shard], worker: Worker, folder: JobFolder, n_workers: int, advance: Callable[[int], None]
) -> None:
    """Finish ``shards`` in ``n_workers`` processes.

    A process that the system kills is replaced, unless more than three are killed one after another before a shard is
    finished; its shard is free again by then.

    Raises
    ------
    InputError
        Something that the work needs cannot be sent to other processes.
    BeholderError
        A process ended before it was ready, or too many died at work. Errors of the work itself keep their class.
    """
    with write_parcel((plan, shards, worker, folder), worker, folder) as path, _Pool(worker, path, n_workers) as pool:
        for _ in range(n_workers):
            pool.start()
        pool.wait(advance, DeathCount(folder), WorkerRates(plan.unit))


@contextlib.contextmanager
def write_parcel(work: tuple[Any, ...], worker: Worker, folder: JobFolder) -> Generator[Path]:
    """A file beside the output that holds work for other processes; deleted in the end."""
    with explain_write_errors(folder.output):
        folder.path.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f"{TEMPORARY_PREFIX}workers-", dir=folder.path)
        os.close(handle)
    path = Path(name)
    try:
        with explain_write_errors(folder.output):
            try:
                worker.parcel.write(work, path)
            except (OSError, BeholderError):
                raise
            except Exception as error:
                raise InputError(
                    "work that can be sent to other processes",
                    got=f"{_find_culprit(worker, worker.parcel, path)} ({_say(error)})", hint="--workers 1",
                ) from error  # fmt: skip
        yield path
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def _find_culprit(worker: Worker, parcel: Parcel, path: Path) -> str:
    """The part of a worker that cannot be sent."""
    for name, value in vars(worker).items():
        try:
            parcel.write(value, path)
        except OSError:
            raise
        except Exception:
            label = getattr(value, "name", None)
            return f"{name} {label!r} that cannot be" if isinstance(label, str) else f"{name} that cannot be"
    return "parts that cannot be"


def _say(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


class _Pool:
    """Worker processes, each with a thread that reads what it says."""

    def __init__(self, worker: Worker, parcel: Path, n_workers: int) -> None:
        self._orders = pickle.dumps(sys.path) + pickle.dumps(
            (sys.argv, logger.getEffectiveLevel(), worker.parcel.read, parcel, n_workers)
        )
        self._said: queue.SimpleQueue[tuple[subprocess.Popen[bytes], str | None, Any]] = queue.SimpleQueue()
        self._alive: dict[subprocess.Popen[bytes], bool] = {}
        self._names: dict[subprocess.Popen[bytes], str] = {}
        self._is_told = False

    def start(self) -> None:
        """Start a process."""
        flags = cast(list[str], subprocess._args_from_interpreter_flags())  # type: ignore[attr-defined]
        command = [sys.executable, *flags, "-P", "-c", _START]
        with _hold_interrupts():
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self._alive[process] = False
            self._names[process] = f"process {len(self._names) + 1}"
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.write(self._orders)
            process.stdin.flush()
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout as said, contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
            while True:
                self._said.put((process, *pickle.load(said)))
        self._said.put((process, None, None))

    def wait(self, advance: Callable[[int], None], deaths: DeathCount, rates: WorkerRates) -> None:
        """Until every process has said that it is through; the first error of any is raised."""
        while self._alive:
            try:
                process, kind, value = self._said.get(timeout=_POLL_SECONDS)
            except queue.Empty:  # a process of the worker's own may keep its pipe open after its death
                self._hand_on()
                for process in [each for each in self._alive if each.poll() is not None]:
                    self._said.put((process, None, None))
                continue
            if process not in self._alive:
                continue
            if kind == "ready":
                self._alive[process] = True
            elif kind == "done":
                advance(value)
                rates.add(self._names[process], value)
                rates.tell()
            elif kind == "log":
                logger.log(value[0], "%s", value[1])
            elif kind == "tell":
                line, key = value
                tell("%s", line) if key is None else tell_once("%s", line, key=key)
            elif kind == "error":
                raise unpack_error(*value)
            else:
                was_ready = self._alive.pop(process)
                _end(process)
                if kind == "end":
                    continue
                reason = _describe_exit(process.returncode)
                if not was_ready and process.returncode >= 0:
                    raise BeholderError(
                        f"expected worker processes that start; got one that ended with {reason} before it was ready; "
                        "try --workers 1"
                    )
                if deaths.add():
                    raise BeholderError(
                        f"expected worker processes to live; got {deaths.n} in a row that died, the last by {reason}; "
                        "try fewer --workers or a smaller --batch_size: finished parts are kept"
                    )
                logger.warning("a worker process ended with %s; starting another", reason)
                self.start()
        rates.tell(last=True)

    def _hand_on(self) -> None:
        """Tell the processes of a task of a job array what the queue has told it."""
        if is_time_over() and not self._is_told:
            self._is_told = True
            for process in self._alive:
                process.send_signal(signal.SIGUSR1)

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *_error: object) -> None:
        for process in self._alive:
            process.terminate()
        for process in self._alive:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process that is ending; one that does not is killed."""
    try:
        process.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()


@contextlib.contextmanager
def _hold_interrupts() -> Generator[None]:
    """Let Ctrl-C wait, so that a process begins with it held back and never prints a traceback for it."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _describe_exit(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
