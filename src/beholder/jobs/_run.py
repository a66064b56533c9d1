"""Running a plan by one of the executors."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any

from beholder._core.errors import BeholderError
from beholder._core.progress import show_progress
from beholder.jobs._executors import EXECUTORS, choose_executor
from beholder.jobs._folder import JobFolder
from beholder.jobs._plan import Plan
from beholder.jobs._work import Worker


def run_plan(
    plan: Plan, worker: Worker, folder: JobFolder, *, n_workers: int = 1, executor: str = "auto"
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

    Raises
    ------
    InputError
        The work cannot be sent to other processes.
    UnknownNameError
        There is no such executor.
    BeholderError
        The executor left a part unfinished.
    BaseException
        The first error of any worker, of its own class; finished shards are kept.
    """
    todo = [shard for shard in plan.shards if folder.read_receipt(plan.hash, shard) is None]
    if todo:
        total = sum(shard.size for shard in plan.shards)
        done = total - sum(shard.size for shard in todo)
        n_workers = min(n_workers, len(todo)) if folder.has_locks else 1
        run = EXECUTORS[choose_executor(n_workers) if executor == "auto" else executor]
        with show_progress(plan.name, total, plan.unit, done) as advance, _note_interruption():
            run(plan, todo, worker, folder, n_workers, advance)
    found = [folder.read_receipt(plan.hash, shard) for shard in plan.shards]
    receipts = [receipt for receipt in found if receipt is not None]
    if len(receipts) < len(found):
        raise BeholderError(
            f"expected every part of {folder.output} to be finished; got {len(found) - len(receipts)} of {len(found)} "
            "without a receipt; try running the same command again: finished parts are kept"
        )
    return receipts


@contextlib.contextmanager
def _note_interruption() -> Generator[None]:
    try:
        yield
    except KeyboardInterrupt as stop:
        stop.add_note("finished parts are kept; the same call goes on from them")
        raise
