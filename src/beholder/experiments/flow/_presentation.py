"""What a participant sees where and when: order of trials, sides, places of references. Drawn once, by the server."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from beholder._core.errors import suggest_keywords
from beholder.experiments.flow._experiment import Experiment, Task, Trial
from beholder.experiments.settings._kinds import get_task_kind
from beholder.experiments.settings._settings import Practice, Settings

Shown = dict[str, Any]
"""Place on the screen to the slot shown there, or to a list of slots."""


@suggest_keywords
def draw_presentation(experiment: Experiment, task: Task, seed: int) -> dict[str, Any]:
    """Draw everything that one session shows, before its first page.

    Parameters
    ----------
    experiment : Experiment
    task : Task
        One of the experiment's.
    seed : int
        Decides all of it.

    Returns
    -------
    dict
        ``main``: a list of ``[n, shown]`` in the order of presentation, ``n`` the trial in the task; ``practice``: such
        a list for each block that can come. JSON values.

    Notes
    -----
    Sides are drawn trial by trial, each with a chance of one half, so that no answer follows from those before. The
    strongest reference comes first and the others in an order of the trial's own, as in Zimmermann, Klein & Brendel
    (2023), Scale alone does not improve mechanistic interpretability.
    """
    rng = random.Random(seed)
    settings = experiment.settings
    order = list(task.trials)
    if settings.shuffle_trials:
        rng.shuffle(order)
    return {
        "main": [[trial.n, draw_places(settings, trial, rng)] for trial in order],
        "practice": [
            [[trial.n, draw_places(settings, trial, rng)] for trial in block]
            for block in _draw_blocks(settings.practice, experiment.practice, rng)
        ],
    }


def draw_places(settings: Settings, trial: Trial, rng: random.Random) -> Shown:
    """Draw which slot of a trial is shown in which place of the screen.

    >>> from pathlib import Path
    >>> from beholder.experiments import make_settings
    >>> trial = Trial(1, "main", "", None, "a", {}, {slot: Path(slot) for slot in "abc"})
    >>> draw_places(make_settings("odd-one-out"), trial, random.Random(1))
    {'items': ['a', 'c', 'b']}
    """
    return get_task_kind(settings.kind).draw_places(trial.files, settings.n_references_shown, rng)


def count_blocks(experiment: Experiment) -> int:
    """Practice blocks that a participant can have at most; 0 where there is no practice."""
    return experiment.settings.practice.max_blocks if _count_trials(experiment) else 0


def _count_trials(experiment: Experiment) -> int:
    return min(experiment.settings.practice.n_trials, len(experiment.practice))


def _draw_blocks(practice: Practice, pool: Sequence[Trial], rng: random.Random) -> list[list[Trial]]:
    """Trials of each block: those with feedback first, each part in an order of its own."""
    n = min(practice.n_trials, len(pool))
    if not n:
        return []
    blocks = []
    for k in range(practice.max_blocks):
        start = 0 if practice.repeat_block or (k + 1) * n > len(pool) else k * n
        trials = list(pool[start : start + n])
        cut = min(practice.n_with_feedback, n)
        blocks.append(_shuffled(trials[:cut], rng) + _shuffled(trials[cut:], rng))
    return blocks


def _shuffled(items: list[Any], rng: random.Random) -> list[Any]:
    return rng.sample(items, len(items))
