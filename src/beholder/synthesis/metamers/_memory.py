"""Metamers that are kept in memory: batches side by side, without files."""

from __future__ import annotations

from collections.abc import Sequence

from beholder._core.progress import logger, show_progress
from beholder._core.threads import open_threads
from beholder.synthesis.metamers._bench import MetamerTask
from beholder.synthesis.metamers._session import FinishedMetamer, MetamerSession

Skipped = tuple[str, str, int, str]


def make_all(
    session: MetamerSession, batches: Sequence[Sequence[MetamerTask]], n_concurrent_batches: int, label: str
) -> tuple[list[FinishedMetamer], list[Skipped]]:
    """Make metamers, as many batches side by side as there are lanes.

    Parameters
    ----------
    session : MetamerSession
    batches : sequence of sequence of MetamerTask
        Tasks of one layer each.
    n_concurrent_batches : int
    label : str
        For the progress bar.

    Returns
    -------
    finished : list of FinishedMetamer
        In the order of the batches.
    skipped : list of (stimulus_id, layer, seed, reason)
    """
    total = sum(len(batch) for batch in batches)
    with show_progress(label, total, "metamers") as advance, open_threads(n_concurrent_batches) as pool:
        finished, skipped = [], []
        try:
            futures = [pool.submit(_make_batch, session, batch) for batch in batches]
            for batch, future in zip(batches, futures, strict=True):
                made, empty = future.result()
                finished += made
                skipped += empty
                advance(len(batch))
        except BaseException:
            session.runner.cancel()
            raise
    return finished, skipped


def _make_batch(session: MetamerSession, tasks: Sequence[MetamerTask]) -> tuple[list[FinishedMetamer], list[Skipped]]:
    empty = session.find_empty(tasks)
    left, skipped = [], []
    for task, is_empty in zip(tasks, empty, strict=True):
        if is_empty:
            logger.warning("%s: %s is zero everywhere, so there is nothing to match", task.stimulus_id, task.layer)
            skipped.append((task.stimulus_id, task.layer, task.seed, "all zero"))
        else:
            left.append(task)
    finished = session.make(left) if left else []
    for each in finished:
        log_not_finite(each)
    return finished, skipped


def log_not_finite(finished: FinishedMetamer) -> None:
    """Say that a network gave NaN or infinity half-way."""
    task, made = finished.task, finished.made
    if made.stopped_by == "not finite":
        logger.warning(
            "%s at %s: the loss was not finite at step %d; the last good state is kept",
            task.stimulus_id, task.layer, made.steps,
        )  # fmt: skip
