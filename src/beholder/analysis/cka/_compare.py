"""Rows of a table of CKA: values, intervals by leaving out each stimulus, p by giving the stimuli other orders."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.progress import show_progress
from beholder._core.seeds import make_generator
from beholder._core.wording import format_count
from beholder.analysis._join import LayerRows
from beholder.analysis.cka._cka import align_kernel
from beholder.analysis.cka._sums import (
    HELD_BYTES,
    AlignedSides,
    HeldKernels,
    StreamedKernels,
    align_sides,
    read_kernel,
)
from beholder.statistics import JackknifeMean, compute_mean_interval, jackknife_mean

TEST_STIMULI = 2_000


@final
@dataclass(frozen=True, eq=False)
class CkaTarget:
    """What layers are compared with.

    Attributes
    ----------
    words : dict
        Columns of its rows: ``target``, ``subject``, ``time``.
    stimuli : (n_stimuli,), int
        Which of the joined stimuli it has.
    values : (n_stimuli, n_replicates, *features)
        Read when sliced.
    """

    words: dict[str, Any]
    stimuli: np.ndarray
    values: Any


def compare_kernels(
    layers: Mapping[str, LayerRows], targets: Sequence[CkaTarget], *, debiased: bool, n_permutations: int, seed: int,
    notes: list[str],
) -> list[dict[str, Any]]:  # fmt: skip
    """Rows of every layer with every target, and of means over people, in the order of targets.

    Parameters
    ----------
    layers : mapping of str to LayerRows
        Over all joined stimuli.
    targets : sequence of CkaTarget
    debiased, n_permutations, seed, notes
    """
    n_stimuli = len(next(iter(layers.values())))
    is_held = 8 * n_stimuli**2 * (len(layers) + len(targets)) <= HELD_BYTES
    generator = make_generator(seed, "cka permutations")
    rows: dict[int, list[dict[str, Any]]] = {}
    means: list[dict[str, Any]] = []
    part = 1 / (1 + n_permutations)  # of a target: its CKA, then each order of the stimuli
    with show_progress("cka", len(targets), "targets", tells_end=False) as advance:
        kernels = [read_kernel(layer) for layer in layers.values()] if is_held else []
        for places in _group_stimuli(targets):
            stimuli, own = targets[places[0]].stimuli, [targets[place] for place in places]
            if is_held:
                cut = [each[np.ix_(stimuli, stimuli)] for each in kernels]
                others = [read_kernel(target.values) for target in own]
                found = align_sides(HeldKernels([*cut, *others]), len(layers), debiased)
            else:
                parts: list[Any] = [_cut_rows(layer, stimuli) for layer in layers.values()]
                parts += [target.values for target in own]
                found = align_sides(StreamedKernels(parts), len(layers), debiased)
                cut, others = [], []
            advance(part * len(own))
            test = _Test(layers, own, stimuli, cut, others, debiased, n_permutations, generator, notes)
            for number, place in enumerate(places):
                p = test.run([number], lambda: advance(part))
                rows[place] = [
                    {
                        "layer": layer,
                        **targets[place].words,
                        "statistic": "cka",
                        "n": len(stimuli),
                        "n_stimuli": len(stimuli),
                    }
                    | _tell(jackknife_mean(found.values[row, [number]], found.left_out[row, [number]]))
                    | {"interval": "stimuli", "p": float(p[row])}
                    for row, layer in enumerate(layers)
                ]
            means += _average_people(found, own, list(layers), test, _count_people(targets))
    means += _average_unlike(rows, targets, list(layers), notes)
    return [row for place in sorted(rows) for row in rows[place]] + means


def _tell(found: JackknifeMean) -> dict[str, Any]:
    return {"estimate": found.estimate, "low": found.low, "high": found.high}


def _group_stimuli(targets: Sequence[CkaTarget]) -> list[list[int]]:
    """Targets with the same stimuli."""
    found: dict[bytes, list[int]] = {}
    for place, target in enumerate(targets):
        found.setdefault(target.stimuli.tobytes(), []).append(place)
    return list(found.values())


def _count_people(targets: Sequence[CkaTarget]) -> dict[str, int]:
    return Counter(str(target.words["target"]) for target in targets)


def _average_people(
    found: AlignedSides, targets: Sequence[CkaTarget], layers: Sequence[str], test: _Test, n_people: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Rows ``mean over subjects`` of targets that several people have, all with the same stimuli."""
    people_of: dict[str, list[int]] = {}
    for number, target in enumerate(targets):
        people_of.setdefault(str(target.words["target"]), []).append(number)
    rows: list[dict[str, Any]] = []
    for name, people in people_of.items():
        if len(people) < 2 or len(people) < n_people[name]:
            continue
        p = test.run(people)
        words = {key: value for key, value in targets[people[0]].words.items() if key != "subject"}
        for row, layer in enumerate(layers):
            mean = _tell(jackknife_mean(found.values[row, people], found.left_out[row, people]))
            rows.append(
                {"layer": layer, **words, "target": name, "statistic": "mean over subjects", "n": len(people)}
                | {"n_stimuli": len(targets[people[0]].stimuli), "interval": "both", "p": float(p[row])} | mean
            )  # fmt: skip
    return rows


def _average_unlike(
    rows: Mapping[int, Sequence[dict[str, Any]]], targets: Sequence[CkaTarget], layers: Sequence[str], notes: list[str]
) -> list[dict[str, Any]]:
    """Rows ``mean over subjects`` of targets whose people have unlike stimuli: their mean, its interval over people.

    Stimuli cannot be left out, or put in another order, for all of them alike: no interval over stimuli, no p.
    """
    found: list[dict[str, Any]] = []
    for name, n_people in _count_people(targets).items():
        places = [place for place, target in enumerate(targets) if str(target.words["target"]) == name]
        if n_people < 2 or len({targets[place].stimuli.tobytes() for place in places}) < 2:
            continue
        notes.append(
            f"{name}: people have data of unlike stimuli; the mean over subjects has an interval over people alone, "
            "and no p."
        )
        words = {key: value for key, value in targets[places[0]].words.items() if key != "subject"}
        for row, layer in enumerate(layers):
            mean = compute_mean_interval([rows[place][row]["estimate"] for place in places], (-1, 1))
            found.append(
                {"layer": layer, **words, "target": name, "statistic": "mean over subjects", "n": mean.n}
                | {"n_stimuli": min(len(targets[place].stimuli) for place in places), "interval": "subjects"}
                | {"estimate": mean.estimate, "low": mean.low, "high": mean.high, "p": math.nan}
            )  # fmt: skip
    return found


class _Test:
    """P against the largest CKA of any layer with stimuli in other orders, one-sided."""

    def __init__(
        self, layers: Mapping[str, LayerRows], targets: Sequence[CkaTarget], stimuli: np.ndarray,
        kernels: Sequence[np.ndarray], others: Sequence[np.ndarray], debiased: bool, n_permutations: int,
        generator: np.random.Generator, notes: list[str],
    ) -> None:  # fmt: skip
        self._n_layers, self._n_permutations = len(layers), n_permutations
        self._generator = generator
        if not n_permutations:
            return
        n = len(stimuli)
        if n > TEST_STIMULI:
            chosen = np.sort(generator.permutation(n)[:TEST_STIMULI])
            notes.append(f"p is of {TEST_STIMULI:,} of {format_count(n, 'stimulus')}, drawn at random.")
            cuts = [_cut_rows(layer, stimuli[chosen]) for layer in layers.values()]
            kernels = [read_kernel(each) for each in cuts]
            others = [read_kernel(_cut_rows(target.values, chosen)) for target in targets]
        self._own = np.stack([align_kernel(each, debiased) for each in kernels])
        self._others = [align_kernel(each, debiased) for each in others]
        self._n = len(kernels[0])
        self._above = np.triu_indices(self._n, 1)

    def run(self, places: Sequence[int], count: Callable[[], object] = lambda: None) -> np.ndarray:
        """Of the mean over some targets, (n_layers,); each order of the stimuli is counted."""
        if not self._n_permutations:
            return np.full(self._n_layers, math.nan)
        other = np.mean([self._others[place] for place in places], axis=0)
        found = self._own @ other
        if np.isnan(found).all():
            return np.full(len(found), math.nan)
        n_pairs = len(self._above[0])
        square = np.zeros((self._n, self._n))
        square[self._above] = other[:n_pairs]
        square += square.T
        rest, reached = other[n_pairs:], np.zeros(len(found))
        for _ in range(self._n_permutations):
            order = self._generator.permutation(self._n)
            moved = square[order[self._above[0]], order[self._above[1]]]
            moved = np.concatenate([moved, rest[order]]) if len(rest) else moved
            reached += np.nanmax(self._own @ moved) >= found - 1e-12
            count()
        p: np.ndarray = (1 + reached) / (1 + self._n_permutations)
        p[np.isnan(found)] = math.nan
        return p


def _cut_rows(layer: Any, rows: np.ndarray) -> Any:
    if not isinstance(layer, LayerRows):
        return layer[rows]
    places: list[int] = rows.tolist()
    return LayerRows(layer, rows, [layer.stimulus_ids[row] for row in places])
