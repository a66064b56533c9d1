"""What a worker process runs: read the parcel, work through the shards, tell the parent, die with it."""

# cloudpickle has no types
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from __future__ import annotations

import contextlib
import functools
import logging
import os
import pickle
import random
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

import cloudpickle

from beholder._core.errors import rebuild_error
from beholder._core.progress import relay_told
from beholder.jobs._array import listen_to_queue, read_array_task
from beholder.jobs._work import work_through

logger = logging.getLogger("beholder")


class WorkerTraceback(Exception):
    """Where in a worker process an error came from; the cause of that error in the calling process."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def serve() -> None:
    """Run one worker: its orders come on standard input, what it does goes to standard output as pickles.

    The last of its orders is how many workers share its machine's cores. What the work itself prints goes to standard
    error. The process ends when its parent does.
    """
    with contextlib.suppress(ValueError, AttributeError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    if read_array_task() is not None:
        listen_to_queue()
    send = _open_channel()
    sys.argv, level, read, path, n_here = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_die_with_parent, args=(sys.stdin.fileno(),), daemon=True).start()
    logger.handlers[:] = [_Forward(send)]
    logger.setLevel(level)
    logger.propagate = False
    relay_told(lambda line, key: send("tell", (line, key)))
    try:
        plan, shards, worker, folder = read(path)
        send("ready", None)
        first = random.randrange(len(shards))  # workers that begin at one place would all look at all shards
        work_through(plan, shards[first:] + shards[:first], worker, folder, n_here, lambda n: send("done", n))
    except BaseException as error:
        send("error", pack_error(error))
    else:
        send("end", None)


def _open_channel() -> Callable[[str, Any], None]:
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    lock = threading.Lock()

    def send(kind: str, value: Any) -> None:
        with lock:
            pickle.dump((kind, value), channel)
            channel.flush()

    return send


def _die_with_parent(stdin: int) -> None:
    while os.read(stdin, 1024):
        pass
    os._exit(1)


class _Forward(logging.Handler):
    """Hands messages to the parent, whose settings decide what becomes of them."""

    def __init__(self, send: Callable[[str, Any], None]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):
            self._send("log", (record.levelno, self.format(record)))


def pack_error(error: BaseException) -> tuple[bytes | None, str, str]:
    """An error for the parent: pickled in a way that it survives, its line, its traceback."""
    rebuild = functools.partial(rebuild_error, type(error), error.args, vars(error))
    line = f"{type(error).__name__}: {error}"
    text = "".join(traceback.format_exception(error))
    for make in (functools.partial(_give, error), rebuild):
        with contextlib.suppress(Exception):
            data = cloudpickle.dumps(make)
            back = pickle.loads(data)()
            if type(back) is type(error) and str(back) == str(error):
                return data, line, text
    return None, line, text


def _give(error: BaseException) -> BaseException:
    return error


def unpack_error(data: bytes | None, line: str, text: str) -> BaseException:
    """The error in the parent: of the same class where that can be rebuilt; the worker's traceback is its cause."""
    error: BaseException = RuntimeError(line)
    if data is not None:
        with contextlib.suppress(Exception):
            error = pickle.loads(data)()
    error.__cause__ = WorkerTraceback(text)
    return error
