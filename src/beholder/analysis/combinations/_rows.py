"""Rows of a table of combined RDMs: scores of sums and of single models, weights, proportions of variance, tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from beholder._core.progress import Advance
from beholder._core.seeds import make_generator
from beholder._core.wording import format_count
from beholder.analysis.combinations._fits import Fits, HeldOut
from beholder.analysis.combinations._partition import partition_variance
from beholder.statistics import flip_signs

_MOST_PARTITIONED = 3
_FEWEST_PEOPLE = 3


def describe_target(
    fits: Fits, target: str, people: Sequence[tuple[str, np.ndarray]], n_permutations: int, seed: int, notes: list[str],
    advance: Advance,
) -> list[dict[str, Any]]:  # fmt: skip
    """Rows of one target: over people where there are several, then of each.

    Parameters
    ----------
    fits : Fits
    target : str
    people : sequence of (str, (n_pairs,))
        Names and RDMs.
    n_permutations, seed, notes
    advance : callable
        Told of RDMs that are done, and of parts of them.
    """
    part = 1 / (1 + n_permutations)
    held: list[HeldOut] = []
    for _, rdm in people:
        held.append(fits.run(rdm))
        advance(part)
    rows: list[dict[str, Any]] = []
    for (subject, rdm), one in zip(people, held, strict=True):
        own = _list_values(fits, one) | _divide(fits, rdm)
        rows += [
            {"target": target, "subject": subject, "statistic": statistic, "layer": layer, "estimate": value}
            | {"n": fits.n_stimuli, "chosen": _name_best(fits, [one], statistic)}
            for (statistic, layer), value in own.items()
        ]
    p = _permute(
        fits, [rdm for _, rdm in people], float(np.mean([one.weighted for one in held])), n_permutations, seed,
        lambda: advance(part * len(people)),
    )  # fmt: skip
    if len(people) == 1:
        rows[0]["p"] = p
        return rows
    means: list[dict[str, Any]] = []
    keys = dict.fromkeys((row["statistic"], row["layer"]) for row in rows)
    for statistic, layer in keys:
        values = [row["estimate"] for row in rows if (row["statistic"], row["layer"]) == (statistic, layer)]
        row = {"target": target, "subject": "", "statistic": statistic, "layer": layer, "n": len(values)}
        row |= _average(values, bounded=statistic == "weight")
        means.append(row | {"chosen": _name_best(fits, held, statistic)})
        if statistic == "weighted sum":
            means[-1]["p"] = p
        if statistic == "gain":
            test = flip_signs([values], seed=seed)
            means[-1]["p"] = float(test.p[0])
            if np.isnan(test.p[0]):
                notes.append(
                    f"{target}: with {format_count(len(values), 'person')} no "
                    f"gain can have a p below {test.smallest_p:.3g}."
                )
    return means + rows


def _name_best(fits: Fits, held: Sequence[HeldOut], statistic: str) -> str:
    """The single model that was chosen by most, where a row is of it."""
    if statistic not in ("best single model", "gain"):
        return ""
    return list(fits.models)[Counter(one.best for one in held).most_common(1)[0][0]]


def _list_values(fits: Fits, held: HeldOut) -> dict[tuple[str, str], float]:
    names = list(fits.models)
    together = " + ".join(names)
    found = {("weighted sum", together): held.weighted, ("unweighted sum", together): held.unweighted}
    found |= {("single model", name): float(value) for name, value in zip(names, held.singles, strict=True)}
    found["best single model", ""] = held.best_single
    found["gain", together] = held.weighted - held.best_single
    for name, place in zip(names, fits.places, strict=True):
        found["weight", name] = float(held.weights[place].sum())
    return found


def _divide(fits: Fits, rdm: np.ndarray) -> dict[tuple[str, str], float]:
    if len(fits.models) > _MOST_PARTITIONED:
        return {}
    shares = partition_variance(rdm, fits.models, fits.method)
    found = {("variance alone", name): value for name, value in shares.alone.items()}
    found |= {("variance shared", " & ".join(part)): value for part, value in shares.parts.items()}
    found["variance total", " + ".join(fits.models)] = shares.total
    return found


def _average(values: Sequence[float], *, bounded: bool) -> dict[str, float]:
    """Mean over people, from three on with its interval by Student's t.

    Weights have none: they end at 0, and Student's intervals of them held the true mean in 73 to 93 % of simulated
    studies of six people.
    """
    from scipy.stats import t

    mean = float(np.mean(values))
    if bounded or len(values) < _FEWEST_PEOPLE:
        return {"estimate": mean}
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return {"estimate": mean, "low": mean - half, "high": mean + half}


def _permute(
    fits: Fits, rdms: Sequence[np.ndarray], observed: float, n_permutations: int, seed: int, count: Callable[[], object]
) -> float:
    """P of the mean weighted score over people: other orders of stimuli, the same in all people, all refitted."""
    if not n_permutations:
        return float("nan")
    n = fits.n_stimuli
    above, generator = np.triu_indices(n, 1), make_generator(seed, "combinations")
    squares: list[np.ndarray] = []
    for rdm in rdms:
        square = np.zeros((n, n))
        square[above] = rdm
        squares.append(square + square.T)
    reached = 0
    for _ in range(n_permutations):
        order = generator.permutation(n)
        moved = [square[order[above[0]], order[above[1]]] for square in squares]
        reached += float(np.mean([fits.score(each) for each in moved])) >= observed - 1e-12
        count()
    return (1 + reached) / (1 + n_permutations)
