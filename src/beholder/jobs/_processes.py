"""The process pool: spawned workers that claim shards and die with their parent."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from beholder._core.errors import BeholderError
from beholder._core.progress import logger
from beholder.jobs._folder import JobFolder
from beholder.jobs._plan import Plan, Shard
from beholder.jobs._run import Worker, work_through

_MAX_DEATHS = 3


def run_in_processes(
    plan: Plan, shards: list[Shard], worker: Worker, folder: JobFolder, n_workers: int, advance: Callable[[int], None]
) -> None:
    """Finish ``shards`` in ``n_workers`` processes.

    A process that the system kills is replaced, up to three times; its shard is free again by then.
    """
    context = multiprocessing.get_context("spawn")
    pool: dict[Any, Any] = {}

    def spawn() -> None:
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_serve, args=(sender, plan, shards, worker, folder, n_workers), daemon=True)
        process.start()
        sender.close()
        pool[receiver] = process

    deaths = 0
    try:
        for _ in range(n_workers):
            spawn()
        while pool:
            for receiver in multiprocessing.connection.wait(list(pool)):
                try:
                    message = receiver.recv()  # type: ignore[union-attr]
                except EOFError:
                    process = pool.pop(receiver)
                    process.join()
                    if process.exitcode:
                        deaths += 1
                        reason = _describe_exit(process.exitcode)
                        if deaths > _MAX_DEATHS:
                            raise BeholderError(
                                f"expected worker processes to live; got {deaths} that died, the last by {reason}; "
                                "try fewer --workers or a smaller --batch_size (in a script of your own, the call "
                                "below `if __name__ == '__main__':`): finished parts are kept"
                            ) from None
                        logger.warning("a worker process died by %s; starting another", reason)
                        spawn()
                    continue
                if isinstance(message, BaseException):
                    raise message
                advance(message)
    finally:
        for receiver, process in pool.items():
            process.terminate()
            process.join()
            receiver.close()


def _describe_exit(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _serve(sender: Any, plan: Plan, shards: list[Shard], worker: Worker, folder: JobFolder, n_workers: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        work_through(plan, shards, worker, folder, n_workers, sender.send)
    except BeholderError as error:
        sender.send(_PlainError.copy(error))
    except Exception as error:
        import traceback

        sender.send(RuntimeError(f"{type(error).__name__} in a worker process: {error}\n{traceback.format_exc()}"))
    finally:
        sender.close()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


class _PlainError(BeholderError):
    """A worker's error, flattened so that it crosses processes whatever its constructor takes."""

    @classmethod
    def copy(cls, error: BeholderError) -> _PlainError:
        plain = cls(str(error))
        plain.exit_code = error.exit_code
        return plain
