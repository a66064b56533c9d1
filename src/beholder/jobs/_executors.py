"""Where shards are computed: in this process, in others beside it, or wherever an executor of your own takes them.

An executor is a function that is registered under a name, here or by the entry point ``beholder.executors`` of an
installed package. No command knows which there are: the variable ``BEHOLDER_EXECUTOR`` names one for all of them. It is
through when every shard has a receipt. It may have any number of workers call :func:`work_through` with any of the
shards, on any machine that sees the output's folder, since shards are claimed.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from beholder._core.registry import Registry
from beholder.jobs._folder import JobFolder
from beholder.jobs._plan import Plan, Shard
from beholder.jobs._work import Worker, work_through

Executor = Callable[[Plan, list[Shard], Worker, JobFolder, int, Callable[[int], None]], None]
"""``executor(plan, shards, worker, folder, n_workers, advance)``; ``advance(n)`` says that ``n`` items are done."""

EXECUTORS: Registry[Executor] = Registry("executor", "beholder.executors")

_VARIABLE = "BEHOLDER_EXECUTOR"


def choose_executor(n_workers: int) -> str:
    """The executor of a run that names none."""
    return os.environ.get(_VARIABLE) or ("inline" if n_workers <= 1 else "processes")


@EXECUTORS.register("inline")
def run_inline(
    plan: Plan, shards: list[Shard], worker: Worker, folder: JobFolder, n_workers: int, advance: Callable[[int], None]
) -> None:
    """Finish the shards in this process, one worker."""
    work_through(plan, shards, worker, folder, 1, advance)


@EXECUTORS.register("processes")
def run_in_processes(
    plan: Plan, shards: list[Shard], worker: Worker, folder: JobFolder, n_workers: int, advance: Callable[[int], None]
) -> None:
    """Finish the shards in fresh processes of this machine; see ``_processes``."""
    from beholder.jobs._processes import run_in_processes

    run_in_processes(plan, shards, worker, folder, n_workers, advance)
