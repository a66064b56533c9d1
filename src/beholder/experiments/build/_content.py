"""What the files of a built experiment hold: the identity that answers are given to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from beholder._core.errors import InputError
from beholder._core.hashing import hash_file_fast, hash_settings
from beholder.experiments.flow._experiment import Experiment, Task, Trial


def hash_experiment(experiment: Experiment) -> str:
    """One hash of the content of every file that participants may be shown, and where it is shown.

    Raises
    ------
    InputError
        A file is not the one that was built.
    """
    return _hash_blocks({0: experiment.practice, **{task.index: task.trials for task in experiment.tasks}})


def hash_task(experiment: Experiment, task: Task) -> str:
    """As :func:`hash_experiment`, of one task and what is practised before it."""
    return _hash_blocks({0: experiment.practice, task.index: task.trials})


def _hash_blocks(blocks: dict[int, Iterable[Trial]]) -> str:
    known: dict[tuple[int, int], str] = {}
    rows = []
    for block, trials in blocks.items():
        for trial in trials:
            for slot, path in trial.files.items():
                digest = _hash_once(path, known)
                if trial.hashes.get(slot, digest) != digest:
                    raise InputError(
                        "the pictures and sounds that were built", got=f"{path}, which has changed since",
                        hint="`beholder tasks build --overwrite` with the same plan",
                    )  # fmt: skip
                rows.append([block, trial.n, slot, digest])
    return hash_settings(rows)


def _hash_once(path: Path, known: dict[tuple[int, int], str]) -> str:
    """The hash of a file, read once under however many names it has."""
    stat = path.stat()
    key = (stat.st_dev, stat.st_ino)
    if key not in known or not stat.st_ino:
        known[key] = hash_file_fast(path)
    return known[key]
