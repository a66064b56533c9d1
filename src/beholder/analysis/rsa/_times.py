"""When layers are like the brain: clusters over the times of an RSA."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.wording import format_count
from beholder.analysis._result import Result
from beholder.analysis.rsa._targets import RsaTarget, strip_moment
from beholder.statistics import flip_clusters

_ALPHA = 0.05
_NUMBER = re.compile(r"-?[\d.]+")


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
    compared = table[(table["statistic"] == "comparison") & (result.kind == "rsa")]
    rows: list[dict[str, Any]] = compared.to_dict("records")
    courses = list(_iter_courses(rows))
    if not courses:
        raise InputError("the result of an RSA of people's recordings with times", got=f"one of {result.kind} without")
    for course in courses:
        if course.fault:
            raise InputError("two people or more, each with a value at every time", got=course.fault)
    return [each for course in courses for each in _find_clusters(course, n_permutations, seed)]


def list_time_clusters(
    rows: Sequence[Mapping[str, Any]], notes: list[str], seed: int, n_permutations: int = 10_000
) -> list[dict[str, Any]]:
    """Rows ``cluster over time`` of a table's rows ``comparison``; none of recordings without times.

    ``time`` is the first moment of a cluster, ``stop`` its last.
    """
    found: list[dict[str, Any]] = []
    for course in _iter_courses([row for row in rows if row["statistic"] == "comparison"]):
        if course.fault:
            notes.append(f"No clusters over time: {course.fault}.")
            continue
        kept = {name: course.first[name] for name in ("model", "source", "method", "n_stimuli", "seed")}
        for each in _find_clusters(course, n_permutations, seed):
            if each.smallest_p > _ALPHA:
                notes.append(
                    f"With {format_count(each.n, 'person')} no cluster over "
                    f"time can have a p below {each.smallest_p:.3g}."
                )
            place = {"layer": each.layer, "target": each.target, "time": each.start, "stop": each.stop, "n": each.n}
            found.append(kept | place | {"statistic": "cluster over time", "p": each.p, "estimate": each.estimate})
    return found


@final
@dataclass(frozen=True, eq=False)
class _Course:
    """People's comparisons with a layer over time, (n_people, n_times), and what keeps them from being tested."""

    first: Mapping[str, Any]
    layer: str
    target: str
    times: list[float]
    values: np.ndarray
    fault: str


def _iter_courses(rows: Sequence[Mapping[str, Any]]) -> Iterator[_Course]:
    people_of: dict[tuple[str, ...], dict[str, dict[float, float]]] = {}
    first: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for row in rows:
        time = float(row.get("time", math.nan))
        if math.isnan(time):
            continue
        key = (str(row["model"]), str(row["source"]), str(row["layer"]), strip_moment(str(row["target"]), time))
        first.setdefault(key, row)
        people_of.setdefault(key, {}).setdefault(str(row["subject"]), {})[time] = float(row["estimate"])
    for key, people in people_of.items():
        times = sorted({time for course in people.values() for time in course})
        values = np.array([[course.get(time, np.nan) for time in times] for course in people.values()])
        missing, fault = int((~np.isfinite(values)).any(axis=0).sum()), ""
        if len(values) < 2:
            fault = f"1 person at {key[3]}"
        elif missing:
            fault = f"{missing} of {len(times)} times at which a person lacks a value at {key[2]}, {key[3]}"
        yield _Course(first[key], key[2], key[3], times, values, fault)


def _find_clusters(course: _Course, n_permutations: int, seed: int) -> list[TimeCluster]:
    test = flip_clusters(course.values, n_permutations=n_permutations, seed=seed)
    found: list[TimeCluster] = []
    for each in test.clusters:
        mean = float(course.values[:, each.start : each.stop].mean())
        ends = course.times[each.start], course.times[each.stop - 1]
        found.append(TimeCluster(course.layer, course.target, *ends, mean, each.p, test.smallest_p, len(course.values)))
    return found


def gather_moments(notes: Sequence[str], targets: Sequence[RsaTarget]) -> list[str]:
    """Notes that moments of one target share but for their numbers as one, with how many moments it is of."""
    moment_of = {target.name: target for target in targets if not math.isnan(target.time)}
    n_moments = Counter(strip_moment(name, target.time) for name, target in moment_of.items())
    found: dict[tuple[str, str], tuple[str, int]] = {}
    for note in notes:
        name, colon, rest = note.partition(": ")
        if not colon or name not in moment_of:
            found[note, ""] = (note, 1)
            continue
        label = strip_moment(name, moment_of[name].time)
        key = (label, _NUMBER.sub("", rest))
        first, n = found.get(key, (f"{moment_of[name].time * 1000:g} ms: {rest}", 0))
        found[key] = (first, n + 1)
    return [
        first
        if not key[1] and first == key[0]
        else f"{key[0]} at {n} of {format_count(n_moments[key[0]], 'moment')}, first {first}"
        for key, (first, n) in found.items()
    ]
