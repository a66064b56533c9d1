"""When layers are like the brain: clusters over the times of an RSA."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED
from beholder.analysis._result import Result
from beholder.statistics import flip_clusters

_MOMENT = re.compile(r"^(?P<name>.*?) ?(?P<time>-?[\d.]+(?:e[+-]?\d+)?) ms$")


@final
@dataclass(frozen=True)
class TimeCluster:
    """A stretch of time in which people's comparisons with a layer differ from 0.

    Attributes
    ----------
    layer, target : str
    start, stop : float
        Its first and last time, in seconds.
    estimate : float
        Mean comparison over people and these times.
    p : float
        Corrected for all times of this layer and target, not for other layers.
    smallest_p : float
        What the number of people allows at best.
    n : int
        People.
    """

    layer: str
    target: str
    start: float
    stop: float
    estimate: float
    p: float
    smallest_p: float
    n: int


@suggest_keywords
def find_time_clusters(result: Result, n_permutations: int = 10_000, seed: int = DEFAULT_SEED) -> list[TimeCluster]:
    """Clusters over time, by layer and target, in the result of an RSA of recordings with times.

    Each person's course over time, with signs flipped: :func:`beholder.statistics.flip_clusters`.

    Parameters
    ----------
    result : Result
        Of :func:`analyze_rsa`.
    n_permutations, seed : int

    Returns
    -------
    list of TimeCluster
        In the order of layers, targets and times, whatever their p.

    Raises
    ------
    InputError
        For a result without times, or of fewer than two people.

    Notes
    -----
    Source: Maris and Oostenveld (2007), J. Neurosci. Methods 164; Cichy, Pantazis and Oliva (2014), Resolving human
    object recognition in space and time, Nature Neuroscience 17.
    """
    table: Any = result.table
    courses: dict[tuple[str, str], dict[str, dict[float, float]]] = {}
    for row in table[(table["statistic"] == "comparison") & (table["subject"] != "")].to_dict("records"):
        moment = _MOMENT.match(str(row["target"]))
        if moment is not None:
            people = courses.setdefault((str(row["layer"]), moment["name"]), {})
            people.setdefault(str(row["subject"]), {})[float(moment["time"]) / 1000] = float(row["estimate"])
    if result.kind != "rsa" or not courses:
        got = f"one of {result.kind} without them"
        raise InputError("the result of an RSA of people's recordings with times", got=got)
    found: list[TimeCluster] = []
    for (layer, target), people in courses.items():
        times = sorted({time for course in people.values() for time in course})
        values = np.array([[course.get(time, np.nan) for time in times] for course in people.values()])
        if len(values) < 2:
            raise InputError("two people or more", got=f"{len(values)} at {layer}, {target}")
        whole = np.isfinite(values).all(axis=0)
        if not whole.all():
            missing = int((~whole).sum())
            raise InputError("a value for everyone at every time", got=f"{missing} times without at {layer}, {target}")
        test = flip_clusters(values, n_permutations=n_permutations, seed=seed)
        for each in test.clusters:
            mean = float(values[:, each.start : each.stop].mean())
            ends = times[each.start], times[each.stop - 1]
            found.append(TimeCluster(layer, target, *ends, mean, each.p, test.smallest_p, len(values)))
    return found
