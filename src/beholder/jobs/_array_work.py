"""What a task of a job array does with a plan: the parts that are free, as long as its time suffices."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence

from beholder._core.files import write_json
from beholder._core.hashing import hash_settings
from beholder._core.progress import Advance
from beholder.jobs._array import (
    PLANS,
    ArrayTask,
    PartsMissing,
    TaskEnded,
    TimeOver,
    check_time,
    note_missing,
    note_more,
    rotate,
)
from beholder.jobs._folder import JobFolder
from beholder.jobs._plan import Plan, Shard
from beholder.jobs._work import Worker

_MOMENT_SECONDS, _LOOK_AGAIN_SECONDS = 1.0, (0.1, 0.4)


def take_part(
    task: ArrayTask,
    plan: Plan,
    worker: Worker,
    folder: JobFolder,
    run: Callable[[list[Shard], Advance], None],
    *,
    is_last: bool = True,
) -> None:
    """Make what a task of an array can of a plan; returns where every part is there and more of the output follows.

    Parameters
    ----------
    task : ArrayTask
    plan : Plan
    worker : Worker
    folder : JobFolder
    run : callable
        ``run(shards, advance)``: makes those of some shards that are free.
    is_last : bool
        Nothing that tasks make depends on these parts; else the others' are waited for.

    Raises
    ------
    TaskEnded
        The task has done what it can.
    PartsMissing
        The job after the array found parts that are missing.
    """
    note_plan(task, plan, folder)
    left = folder.list_unfinished(plan)
    if task.is_merge:
        if left:
            missing = {str(folder.output): [shard.key for shard in left]}
            note_missing(task, missing)
            raise PartsMissing(missing, len(plan.shards), task)
        return
    n_made = 0.0

    def advance(n: float) -> None:
        nonlocal n_made
        n_made += n

    def end(n_left: int, *, is_late: bool = False) -> TaskEnded:
        if is_late and not is_last:
            note_more(task)
        whole = math.floor(n_made + 1e-6)  # what was begun and goes on in another task is not made
        return TaskEnded(whole, n_left, plan.unit, is_late=is_late, has_state=worker.keeps_state)

    try:
        while left:
            check_time()
            if _is_any_free(folder, left):
                run(rotate(left, task), advance)
                left = folder.list_unfinished(plan)
                if left:
                    check_time()
                if task.ends is not None and _is_any_free(folder, left):  # it did not begin them
                    raise end(len(left), is_late=True)
            elif is_last:
                break
            else:
                time.sleep(_MOMENT_SECONDS)
                left = folder.list_unfinished(plan)
    except TimeOver:
        raise end(len(folder.list_unfinished(plan)), is_late=True) from None
    if is_last:
        raise end(len(left))


def note_plan(task: ArrayTask, plan: Plan, folder: JobFolder) -> None:
    """Note for scripts that are written again which parts there are, and where their receipts are."""
    if task.folder is None:
        return
    place = {"jobs": str(folder.path.resolve()), "output": str(folder.output.resolve()), "name": plan.name}
    path = task.folder / PLANS / f"{hash_settings([place, plan.hash])[:16]}.json"
    record = {**place, "unit": plan.unit, "parts": [shard.key for shard in plan.shards]}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, record)


def _is_any_free(folder: JobFolder, shards: Sequence[Shard]) -> bool:
    """Whether nobody has claimed one of the shards; looked at twice, since who looks has a claim for that moment."""
    free = [shard for shard in shards if _is_free(folder, shard)]
    if free:
        time.sleep(random.uniform(*_LOOK_AGAIN_SECONDS))
    return any(_is_free(folder, shard) for shard in free)


def _is_free(folder: JobFolder, shard: Shard) -> bool:
    with folder.claim(shard) as is_ours:
        return is_ours
