"""The demo's comparisons: what each layer tells of the category, and who recognises pictures in noise."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import ConfigurationChanged
from beholder.demo._units import redo
from beholder.experiments import GuessObserver, IdealObserver, Observation, Observer, TrialFinder

if TYPE_CHECKING:
    from beholder.activations import Activations
    from beholder.experiments import Experiment
    from beholder.models import Model
    from beholder.stimuli import StimulusSet

logger = logging.getLogger("beholder")

LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
N_PARTICIPANTS = 10
THRESHOLD, SPREAD, SLOPE = 0.65, 0.08, 0.07
"""Noise at which a simulated participant sees half of the pictures, how participants differ, how steeply it goes."""
SETTINGS = {"choices": [], "practice.n_required": 0, "exclusion.catch_ratio_min": None}
N_PERMUTATIONS, N_FOLDS = 50, 3


@final
class NoisyObserver(Observer):
    """Sees a picture the less often the more noise it has, and guesses otherwise; each participant in their own way."""

    def __init__(self, experiment: Experiment) -> None:
        self._finder, self._ideal, self._guess = TrialFinder(experiment), IdealObserver(experiment), GuessObserver()
        self._rng: np.random.Generator | None = None
        self._threshold = THRESHOLD

    def answer(self, observation: Observation, rng: np.random.Generator) -> dict[str, Any]:
        """See :meth:`beholder.experiments.Observer.answer`."""
        if rng is not self._rng:  # the next participant
            self._rng, self._threshold = rng, float(rng.normal(THRESHOLD, SPREAD))
        level = float(self._finder.find(observation)[0].conditions["level"])
        seen = 1 / (1 + np.exp((level - self._threshold) / SLOPE))
        return (self._ideal if rng.random() < seen else self._guess).answer(observation, rng)


def compare_layers(acts: Activations, stimuli: StimulusSet, folder: Path) -> None:
    """Tell categories from each layer's channels, averaged over space: a result with its layer curve."""
    from beholder.analysis import analyze_decode, write_result

    means: dict[str, np.ndarray] = {}
    for layer in acts.layers:
        values = acts[layer].to_numpy().astype(np.float32)
        means[layer] = values.reshape(len(values), values.shape[1], -1).mean(axis=2)
    labels = np.array(stimuli.labels)
    fewest = int(np.unique(labels, return_counts=True)[1].min())
    found = analyze_decode(
        means, labels, stimulus_ids=stimuli.ids, classifier="centroid", n_folds=min(N_FOLDS, fewest),
        n_permutations=N_PERMUTATIONS,
    )  # fmt: skip
    write_result(found, folder, overwrite=True)


def compare_recognition(net: Model, stimuli: StimulusSet, folder: Path, seed: int) -> None:
    """Show one picture of each category in noise to simulated people and to the network: a result with its curves.

    Parameters
    ----------
    net : Model
    stimuli : StimulusSet
    folder : path
        Gets the graded pictures, ``tasks/``, ``simulated.sqlite``, ``people/``, ``networks/``, and the result.
    seed : int
    """
    from beholder.analysis import analyze_recognition, write_result
    from beholder.evaluation import answer_stimuli
    from beholder.stimuli import StimulusSet, grade_stimuli

    labels = list(stimuli.labels)
    shown = stimuli[[labels.index(label) for label in dict.fromkeys(labels)]]
    redo(lambda **again: grade_stimuli(shown, "uniform_noise", LEVELS, out_path=folder / "graded", seed=seed, **again))
    _ask_people(folder, seed)
    pictures = StimulusSet.from_table(folder / "graded" / "stimuli.csv")
    redo(lambda **again: answer_stimuli(net, pictures, out_path=folder / "networks", **again))
    found = analyze_recognition(folder / "people", folder / "networks", by=["level"], seed=seed)
    note = "No person took part: participants are simulated, and see a picture the less often the more noise it has."
    write_result(dataclasses.replace(found, warnings=(note, *found.warnings)), folder, overwrite=True)


def _ask_people(folder: Path, seed: int) -> None:
    """Plan, build and simulate the experiment on the graded pictures, and export its answers."""
    from beholder.experiments import build_tasks, make_settings, open_store, plan_recognition, simulate_participants
    from beholder.responses import export_responses

    settings = make_settings("feather-pictures", SETTINGS)
    plan = plan_recognition(
        folder / "graded" / "stimuli.csv", folder, n_tasks=N_PARTICIPANTS, n_catch=0, settings=settings, seed=seed
    )
    db = folder / "simulated.sqlite"
    try:
        plan.save(folder / "plan.json")
        experiment = build_tasks(plan, folder / "tasks")
        open_store(experiment, db).close()
    except ConfigurationChanged as change:
        logger.info("demo: making anew: %s", change)
        for left in folder.glob("simulated.sqlite*"):
            left.unlink()
        plan.save(folder / "plan.json", overwrite=True)
        experiment = build_tasks(plan, folder / "tasks", overwrite=True)
    simulate_participants(experiment, db, N_PARTICIPANTS, NoisyObserver(experiment), seed=seed)
    export_responses(db, folder / "people")
