"""Running a plan: in this process, in others beside it, or wherever an executor of your own takes its shards.

An executor is a function that is registered under a name, here or by the entry point ``beholder.executors`` of an
installed package. No command knows which there are: the variable ``BEHOLDER_EXECUTOR`` names one for all of them. It is
through when every shard has a receipt. It may have any number of workers call :func:`work_through` with any of the
shards, on any machine that sees the output's folder, since shards are claimed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from beholder._core.errors import BeholderError, suggest_keywords
from beholder._core.progress import Advance, show_progress
from beholder._core.registry import Registry
from beholder.jobs._array import read_array_task
from beholder.jobs._array_work import take_part
from beholder.jobs._cluster import QUEUES, parse_cluster
from beholder.jobs._conditions import read_conditions
from beholder.jobs._dry_run import (
    find_counted,
    get_probe,
    note_interruption,
    refuse_full_disk,
    tell_start,
)
from beholder.jobs._folder import JobFolder
from beholder.jobs._plan import Plan, Shard
from beholder.jobs._work import Worker, work_through

Executor = Callable[[Plan, list[Shard], Worker, JobFolder, int, Advance], None]
"""``executor(plan, shards, worker, folder, n_workers, advance)``; ``advance(n)`` says that ``n`` items are done."""

EXECUTORS: Registry[Executor] = Registry("executor", "beholder.executors")
"""Executors by name: who works through shards."""

_VARIABLE = "BEHOLDER_EXECUTOR"


def choose_executor(n_workers: int) -> str:
    """The executor of a run that names none."""
    cluster = read_conditions().cluster
    if cluster is not None and parse_cluster(cluster).kind in ("dask", *QUEUES):
        return "dask"
    return os.environ.get(_VARIABLE) or ("inline" if n_workers <= 1 else "processes")


@EXECUTORS.register("inline")
def run_inline(
    plan: Plan, shards: list[Shard], worker: Worker, folder: JobFolder, n_workers: int, advance: Advance
) -> None:
    """Finish the shards in this process, one worker."""
    work_through(plan, shards, worker, folder, 1, advance)


@EXECUTORS.register("processes")
def run_in_processes(
    plan: Plan, shards: list[Shard], worker: Worker, folder: JobFolder, n_workers: int, advance: Advance
) -> None:
    """Finish the shards in fresh processes of this machine; see ``_processes``."""
    from beholder.jobs._processes import run_in_processes

    run_in_processes(plan, shards, worker, folder, n_workers, advance)


@EXECUTORS.register("dask")
def run_on_dask(
    plan: Plan, shards: list[Shard], worker: Worker, folder: JobFolder, n_workers: int, advance: Advance
) -> None:
    """Finish the shards on the workers of a Dask scheduler, which ``cluster`` names; see ``_dask``."""
    from beholder.jobs._dask import run_on_dask

    run_on_dask(plan, shards, worker, folder, n_workers, advance)


@suggest_keywords
def run_plan(
    plan: Plan, worker: Worker, folder: JobFolder, *, n_workers: int = 1, executor: str = "auto", is_last: bool = True
) -> list[dict[str, Any]]:
    """Finish every shard of a plan and return their receipts, in the plan's order.

    Parameters
    ----------
    plan : Plan
        Settings and shards.
    worker : Worker
        Computes and commits one shard.
    folder : JobFolder
        Where receipts and claims are kept.
    n_workers : int
        How many workers, used by the ``processes`` executor and those like it.
    executor : str
        A name in :data:`EXECUTORS`. ``auto`` is what the variable ``BEHOLDER_EXECUTOR`` names, else ``inline`` for one
        worker or where one shard is left, else ``processes``.
    is_last : bool
        Nothing that another plan of the same output asks for depends on these shards. A task of a job array ends with
        the last plan; others it waits for.

    Raises
    ------
    InputError
        The work cannot be sent to other processes.
    UnknownNameError
        There is no such executor.
    OutputError
        What will be written clearly finds no room.
    BeholderError
        The executor left a part unfinished.
    TaskEnded
        This is a task of a job array, which has done what it can.
    BaseException
        The first error of any worker, of its own class; finished shards are kept.
    """
    cluster = read_conditions().cluster
    if cluster is not None and executor == "auto":
        n_workers = parse_cluster(cluster).n_workers or n_workers
    if (probe := get_probe()) is not None:
        probe.measure_plan(plan, worker, folder, n_workers)
    folder.mixed = folder.mixed or read_conditions().mixed

    def run(todo: list[Shard], count: Advance = lambda _n: None) -> None:
        total = sum(shard.size for shard in find_counted(plan, todo))
        done = total - sum(shard.size for shard in todo)
        n = min(n_workers, len(todo))
        tell_start(plan, todo, total, n, refuse_full_disk(worker, todo, folder))
        execute = EXECUTORS[choose_executor(n) if executor == "auto" else executor]
        with show_progress(plan.name, total, plan.unit, done, steps=plan.steps) as advance, note_interruption():
            execute(plan, todo, worker, folder, n, lambda n: (advance(n), count(n))[0])

    before: list[dict[str, Any] | None] = [None] * len(plan.shards)
    if (task := read_array_task()) is not None:
        take_part(task, plan, worker, folder, run, is_last=is_last)
    else:
        before = [folder.read_receipt(plan.hash, shard) for shard in plan.shards]
        if todo := [shard for shard, receipt in zip(plan.shards, before, strict=True) if receipt is None]:
            run(todo)
    pairs = zip(plan.shards, before, strict=True)
    found = [folder.read_receipt(plan.hash, shard) if receipt is None else receipt for shard, receipt in pairs]
    receipts = [receipt for receipt in found if receipt is not None]
    if len(receipts) < len(found):
        raise BeholderError(
            f"expected every part of {folder.output} to be finished; got {len(found) - len(receipts)} of {len(found)} "
            "without a receipt; try running the same command again: finished parts are kept"
        )
    return receipts
