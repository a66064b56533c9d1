"""Several recordings as conditions: how far a layer is from one and from the other, in the same people."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from beholder._core.wording import format_count
from beholder.analysis.rsa._compare import ComparedLayers
from beholder.analysis.rsa._targets import RsaTarget
from beholder.statistics import RsaBootstrap, correct_holm


def compare_recordings(
    sources: Sequence[ComparedLayers], targets: Sequence[RsaTarget], columns: Sequence[range], boot: RsaBootstrap,
    method: str, over: str, notes: list[str],
) -> list[dict[str, Any]]:  # fmt: skip
    """Rows of differences between recordings at targets of one name, for each layer.

    People are paired by name. Where none is in both, the difference of the means is told with what other stimuli would
    change, and a note says that people are not drawn.

    Parameters
    ----------
    sources : sequence of ComparedLayers
    targets : sequence of RsaTarget
    columns : sequence of range
        Places of each target's people in the bootstrap.
    boot : RsaBootstrap
        Of all layers of all sources, with all people of all targets.
    method, over, notes
    """
    rows: list[dict[str, Any]] = []
    for one, two in _iter_pairs(targets):
        first, second = targets[one], targets[two]
        shared = [name for name in first.subjects if name in second.subjects]
        own = [columns[one][first.subjects.index(name)] for name in shared] or list(columns[one])
        other = [columns[two][second.subjects.index(name)] for name in shared] or list(columns[two])
        drawn = _subtract(boot, own, other, paired=bool(shared))
        told: Any = over if len(shared) > 1 else "stimuli"
        drawn = replace(drawn, over=told)
        if not shared:
            notes.append(f"{first.name} less {second.name}: of other people; their interval is over stimuli alone.")
        elif max(len(first.subjects), len(second.subjects)) > len(shared):
            notes.append(
                f"{first.name} less {second.name}: {format_count(len(shared), 'person')} "
                "are in both, the others left out."
            )
        start = 0
        for source in sources:
            found: list[dict[str, Any]] = []
            for place, layer in enumerate(source.layers, start=start):
                weights = drawn.mean_weights(place)
                estimate, low, high = drawn.interval(weights)
                row = {
                    "model": source.model, "source": source.name, "layer": layer, "target": first.name,
                    "other_target": second.name, "statistic": "difference of recordings", "method": method,
                    "estimate": estimate, "low": low, "high": high, "p": drawn.test(weights), "interval": told,
                    "n": len(shared) or min(len(own), len(other)), "seed": boot.seed, "n_stimuli": boot.n_stimuli,
                }  # fmt: skip
                found.append(row if np.isnan(first.time) else row | {"time": first.time})
            start += len(source.layers)
            corrected = correct_holm([row["p"] for row in found])
            rows += [row | {"p_corrected": value} for row, value in zip(found, corrected.tolist(), strict=True)]
    return rows


def _iter_pairs(targets: Sequence[RsaTarget]) -> Iterator[tuple[int, int]]:
    """Places of targets of one name in two recordings."""
    for one, two in itertools.combinations(range(len(targets)), 2):
        first, second = targets[one], targets[two]
        if first.label and first.label == second.label and first.recordings != second.recordings:
            yield one, two


def _subtract(boot: RsaBootstrap, own: Sequence[int], other: Sequence[int], *, paired: bool) -> RsaBootstrap:
    """The first less the second, in each person or of the means over people: all that varies with stimuli."""
    first, second = boot.select(own), boot.select(other)

    def take(one: np.ndarray, two: np.ndarray) -> np.ndarray:
        return one - two if paired else one.mean(axis=-1, keepdims=True) - two.mean(axis=-1, keepdims=True)

    return replace(
        first,
        values=take(first.values, second.values),
        draws=take(first.draws, second.draws),
        interactions=take(first.interactions, second.interactions) if len(boot.interactions) else boot.interactions,
    )
