"""What chance draws for a comparison of RDMs: one bootstrap of all, and shuffled stimuli of each target and source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError
from beholder._core.threads import hold_products
from beholder.analysis._draws import DrawnRows, compute_draws
from beholder.statistics import (
    PermutationTest,
    RsaBootstrap,
    StimulusShuffles,
    plan_rsa_draws,
    plan_stimulus_shuffles,
)

ALPHA = 0.05


@final
@dataclass(frozen=True, eq=False)
class Drawn:
    """What was drawn.

    Attributes
    ----------
    boot : RsaBootstrap
        Of all layers with all people, then with people pooled.
    of_people, of_pooled : dict of (int, int) to PermutationTest
        Of each target and source, by their places: shuffled stimuli of people, and of people pooled; of one person
        both are the same.
    problems : dict of int to str
        Why the stimuli of a target cannot be shuffled.
    """

    boot: RsaBootstrap
    of_people: dict[tuple[int, int], PermutationTest] = field(default_factory=dict[tuple[int, int], PermutationTest])
    of_pooled: dict[tuple[int, int], PermutationTest] = field(default_factory=dict[tuple[int, int], PermutationTest])
    problems: dict[int, str] = field(default_factory=dict[int, str])


def draw_all(
    models: Sequence[np.ndarray], people: Sequence[np.ndarray], pooled: np.ndarray, *, method: str, over: Any,
    n_draws: int, n_permutations: int, seed: int, settings: Mapping[str, Any], out_path: Path | str | None,
    overwrite: bool,
) -> Drawn:  # fmt: skip
    """Draw stimuli, people and orders of the stimuli for all sources and targets together.

    Parameters
    ----------
    models : sequence of (n_layers, n_pairs)
        Of each source.
    people : sequence of (n_subjects, n_pairs)
        Of each target.
    pooled : (n_targets, n_pairs)
    method, over, n_draws, n_permutations, seed
        As for :func:`bootstrap_rsa` and :func:`permute_stimuli`.
    settings, out_path, overwrite
        As for :func:`~beholder.analysis._draws.compute_draws`.
    """
    everyone = np.concatenate([*people, pooled])
    draws = plan_rsa_draws(np.concatenate(models), everyone, method, over=over, n_draws=n_draws, seed=seed)
    shuffles: dict[tuple[int, int, str], StimulusShuffles] = {}
    problems: dict[int, str] = {}
    options: dict[str, Any] = {"n_permutations": n_permutations, "alpha": ALPHA, "seed": seed}
    for target, own in enumerate(people):
        for source, layers in enumerate(models):
            try:
                shuffles[target, source, "people"] = plan_stimulus_shuffles(layers, own, method, **options)
                if len(own) > 1:
                    one = pooled[target : target + 1]
                    shuffles[target, source, "pooled"] = plan_stimulus_shuffles(layers, one, method, **options)
            except InputError as error:
                problems[target] = str(error)
    names = {key: "-".join(map(str, key)) for key in shuffles}
    asked: dict[str, DrawnRows] = {"bootstrap": draws, **{names[key]: each for key, each in shuffles.items()}}
    rows = compute_draws("rsa", asked, settings, out_path, overwrite=overwrite)
    tests = {key: each.sum_up(rows[names[key]]) for key, each in shuffles.items()}
    of_people = {key[:2]: test for key, test in tests.items() if key[2] == "people"}
    of_pooled = {key[:2]: test for key, test in tests.items() if key[2] == "pooled" or len(people[key[0]]) == 1}
    with hold_products():
        return Drawn(draws.sum_up(rows["bootstrap"]), of_people, of_pooled, problems)
