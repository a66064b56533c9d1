"""Everything about one target: values, means, ceiling, tests, the nearest layer, differences, as rows of the table."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.wording import format_count
from beholder.analysis.rsa._choice import Choice, choose_layer
from beholder.analysis.rsa._targets import RsaTarget
from beholder.analysis.rsa._tests import ALPHA, Drawn
from beholder.statistics import (
    NoiseCeiling,
    RsaBootstrap,
    correct_holm,
    flip_signs,
    noise_ceiling,
)

_MOST_DIFFERENCES = 500


@final
@dataclass(frozen=True, eq=False)
class ComparedLayers:
    """RDMs of one network's layers, (n_layers, n_pairs); ``name`` tells sources apart where there are several."""

    model: str
    name: str
    layers: list[str]
    rdms: np.ndarray


@final
@dataclass(frozen=True, eq=False)
class Comparison:
    """What is known of one target, in its place: its people's RDMs, both bootstraps of all sources' layers, tests."""

    sources: Sequence[ComparedLayers]
    target: RsaTarget
    place: int
    drawn: Drawn
    people: RsaBootstrap
    averaged: RsaBootstrap
    method: str
    n_permutations: int
    seed: int

    @property
    def n_stimuli(self) -> int:
        """Stimuli that were compared."""
        return self.people.n_stimuli

    def iter_sources(self) -> Iterator[tuple[ComparedLayers, range]]:
        """Each source with the places of its layers."""
        start = 0
        for source in self.sources:
            yield source, range(start, start + len(source.layers))
            start += len(source.layers)


def compare_target(
    given: Comparison, depth_bins: int | None, *, differences: bool, notes: list[str]
) -> list[dict[str, Any]]:
    """Rows of one target."""
    ceiling = _find_ceiling(given, notes)
    rows: list[dict[str, Any]] = []
    choices: list[Choice | None] = []
    for source, places in given.iter_sources():
        tests = _test(given, source, notes)
        rows += _list_layers(given, source, places, ceiling, tests)
        if depth_bins:
            rows += _list_bins(given, source, places, depth_bins)
        values = given.people.values[places.start : places.stop]
        choice = choose_layer(values, source.rdms, given.target.rdms, given.method, given.seed)
        choices.append(choice)
        if choice is None:
            notes.append(
                f"{given.target.name}: too few people and stimuli to choose the nearest layer on others than those "
                "that give its value."
            )
        else:
            rows.append(_tell_choice(given, source, places, choice, ceiling, tests))
        if differences:
            rows += _compare_layers(given, source, places, notes)
    rows += _compare_sources(given, choices, depth_bins)
    if ceiling is not None:
        for name in ("lower", "upper", "chance"):
            row = _start(given, given.sources[0]) | {"model": "", "statistic": f"ceiling {name}", "n": ceiling.n}
            rows.append(row | {"estimate": getattr(ceiling, name), "p": ceiling.p if name == "lower" else math.nan})
    return rows


def _start(given: Comparison, source: ComparedLayers) -> dict[str, Any]:
    row = {"model": source.model, "target": given.target.name, "method": given.method, "seed": given.seed}
    row |= {"n_stimuli": given.n_stimuli, "source": source.name}
    return row if math.isnan(given.target.time) else row | {"time": given.target.time}


def _find_ceiling(given: Comparison, notes: list[str]) -> NoiseCeiling | None:
    name, people = given.target.name, given.target.rdms
    if len(people) < 2:
        return None
    found = noise_ceiling(people, given.method, seed=given.seed)
    if not found.is_above_chance:
        notes.append(
            f"{name}: people's RDMs do not agree above chance (lower noise ceiling {found.lower:.3f}, shuffled stimuli "
            f"up to {found.chance:.3f}): no percentage of the ceiling is reported."
        )
    return found


def _test(given: Comparison, source: ComparedLayers, notes: list[str]) -> dict[str, np.ndarray]:
    """p of each layer, raw and corrected for all: of shuffled stimuli (mean, pooled RDM), of people's flipped signs."""  # noqa: D403
    name, n_people = given.target.name, len(given.target.subjects)
    empty = np.full(len(source.layers), math.nan)
    names = ("p", "p_max", "p_pooled", "p_pooled_max", "p_people", "p_people_max")
    found: dict[str, np.ndarray] = dict.fromkeys(names, empty)
    place = given.place, given.sources.index(source)
    stimuli, averaged = given.drawn.of_people.get(place), given.drawn.of_pooled.get(place)
    if stimuli is not None:
        found |= {"p": stimuli.p, "p_max": stimuli.p_max}
        if stimuli.smallest_p > ALPHA and given.n_permutations:
            notes.append(
                f"{name}: the smallest p that shuffling {format_count(given.n_stimuli, 'stimulus')} can give is "
                f"{stimuli.smallest_p:.3f}, above {ALPHA}: not run."
            )
    if averaged is not None:
        found |= {"p_pooled": averaged.p, "p_pooled_max": averaged.p_max}
    if given.place in given.drawn.problems:
        notes.append(f"{name}: no permutation of stimuli ({given.drawn.problems[given.place]}).")
    if n_people > 1:
        values = given.people.values[_places(given, source)]
        people = flip_signs(values, alpha=ALPHA, seed=given.seed)
        found |= {"p_people": people.p, "p_people_max": people.p_max}
        if people.smallest_p > ALPHA:
            notes.append(
                f"With {format_count(n_people, 'person')} the smallest p of a "
                f"test over people is {people.smallest_p:.3g}, above "
                f"{ALPHA}: not run. The p values of shuffled stimuli tell whether these people's RDMs are related to "
                "the layer's, not whether other people's would be."
            )
    return found


def _places(given: Comparison, source: ComparedLayers) -> slice:
    found = next(places for each, places in given.iter_sources() if each is source)
    return slice(found.start, found.stop)


def _list_layers(
    given: Comparison, source: ComparedLayers, places: range, ceiling: NoiseCeiling | None, tests: dict[str, np.ndarray]
) -> Iterator[dict[str, Any]]:
    n_people, n_layers = len(given.target.subjects), len(places)
    for own, (place, layer) in enumerate(zip(places, source.layers, strict=True)):
        depth = own / (n_layers - 1) if n_layers > 1 else 0.0
        row = _start(given, source) | {"layer": layer, "depth": depth}
        for subject, value in zip(given.target.subjects, given.people.values[place], strict=True):
            if n_people > 1 or subject:
                yield row | {"statistic": "comparison", "subject": subject, "estimate": value, "n": given.n_stimuli}
        estimate, low, high = given.people.interval(given.people.mean_weights(place))
        mean = row | {"statistic": "mean over subjects", "estimate": estimate, "low": low, "high": high, "n": n_people}
        mean |= {"p": tests["p"][own], "p_corrected": tests["p_max"][own]}
        mean |= {"p_people": tests["p_people"][own], "p_people_corrected": tests["p_people_max"][own]}
        mean |= {"interval": given.people.over, "percent_of_ceiling": _share(estimate, ceiling)}
        yield mean
        estimate, low, high = given.averaged.interval(given.averaged.mean_weights(place))
        averaged = row | {"statistic": "averaged RDM", "estimate": estimate, "low": low, "high": high, "n": n_people}
        averaged |= {"p": tests["p_pooled"][own], "p_corrected": tests["p_pooled_max"][own], "interval": "stimuli"}
        yield averaged


def _share(estimate: float, ceiling: NoiseCeiling | None) -> float:
    """Percent of the lower ceiling, where that is above its chance level."""
    return 100 * estimate / ceiling.lower if ceiling is not None and ceiling.is_above_chance else math.nan


def _list_bins(given: Comparison, source: ComparedLayers, places: range, n_bins: int) -> Iterator[dict[str, Any]]:
    for number, weights in enumerate(_weigh_bins(given, places, n_bins)):
        if not weights.any():
            continue
        estimate, low, high = given.people.interval(weights)
        layer = f"depth {number + 1} of {n_bins}"
        row = _start(given, source) | {
            "layer": layer,
            "statistic": "mean of depth bin",
            "n": len(given.target.subjects),
        }
        row |= {"estimate": estimate, "low": low, "high": high, "interval": given.people.over}
        yield row | {"depth": (number + 0.5) / n_bins}


def _weigh_bins(given: Comparison, places: range, n_bins: int) -> list[np.ndarray]:
    """Weights of the mean over layers in each bin of relative depth; all 0 where a bin has none."""
    n_layers, found = len(places), list[np.ndarray]()
    depth = np.arange(n_layers) / max(n_layers - 1, 1)
    bins = np.minimum((depth * n_bins).astype(int), n_bins - 1)
    for number in range(n_bins):
        weights = np.zeros(given.people.values.shape)
        inside = np.array(places)[bins == number]
        if len(inside):
            weights[inside] = 1 / (len(inside) * given.people.n_subjects)
        found.append(weights)
    return found


def _tell_choice(
    given: Comparison, source: ComparedLayers, places: range, choice: Choice, ceiling: NoiseCeiling | None,
    tests: dict[str, np.ndarray],
) -> dict[str, Any]:  # fmt: skip
    """The nearest layer; its interval is as wide as that of what was chosen, around the value in those who did not."""
    estimate, low, high = given.people.interval(_spread(given, places, choice))
    shift = choice.estimate - estimate
    row = _start(given, source) | {"layer": source.layers[choice.layer], "statistic": "nearest layer"}
    row |= {"estimate": choice.estimate, "low": low + shift, "high": high + shift, "n": len(given.target.subjects)}
    row |= {"p": tests["p"][choice.layer], "p_corrected": tests["p_max"][choice.layer]}
    row |= {"interval": given.people.over, "percent_of_ceiling": _share(choice.estimate, ceiling)}
    return row | {"chosen_on": choice.by, "n_agree": choice.n_agree, "n_choices": choice.n_choices}


def _spread(given: Comparison, places: range, choice: Choice) -> np.ndarray:
    """A choice's weights among the layers of all sources."""
    weights = np.zeros(given.people.values.shape)
    weights[places.start : places.stop] = choice.weights
    return weights


def _compare_layers(given: Comparison, source: ComparedLayers, places: range, notes: list[str]) -> list[dict[str, Any]]:
    pairs = list(itertools.combinations(range(len(places)), 2))
    if len(pairs) > _MOST_DIFFERENCES:
        notes.append(
            f"{format_count(len(pairs), 'pair')} of layers are not tested against "
            f"each other; fewer layers are ({_MOST_DIFFERENCES} "
            "pairs at most)."
        )
        return []
    rows: list[dict[str, Any]] = []
    for one, two in pairs:
        weights = given.people.mean_weights(places[one]) - given.people.mean_weights(places[two])
        row = _start(given, source) | {"layer": source.layers[one], "other_layer": source.layers[two]}
        rows.append(row | _tell_difference(given, weights))
    return _correct(rows)


def _compare_sources(
    given: Comparison, choices: Sequence[Choice | None], depth_bins: int | None
) -> list[dict[str, Any]]:
    """Differences of networks or conditions: of layers with one name, of depth bins, of their nearest layers."""
    rows: list[dict[str, Any]] = []
    sources = list(given.iter_sources())
    for (one, places_1), (two, places_2) in itertools.combinations(sources, 2):
        start = _start(given, one) | {"other_model": two.model, "other_source": two.name}
        mean = given.people.mean_weights
        for own, layer in zip(places_1, one.layers, strict=True):
            if layer in two.layers:
                weights = mean(own) - mean(places_2[two.layers.index(layer)])
                rows.append(start | {"layer": layer, "other_layer": layer} | _tell_difference(given, weights))
        if depth_bins:
            bins = (_weigh_bins(given, places, depth_bins) for places in (places_1, places_2))
            for number, (weights_1, weights_2) in enumerate(zip(*bins, strict=True)):
                if weights_1.any() and weights_2.any():
                    name = f"depth {number + 1} of {depth_bins}"
                    row = start | {"layer": name, "other_layer": name}
                    rows.append(row | _tell_difference(given, weights_1 - weights_2))
        first, second = choices[given.sources.index(one)], choices[given.sources.index(two)]
        if first is not None and second is not None:
            weights = _spread(given, places_1, first) - _spread(given, places_2, second)
            row = start | {"layer": one.layers[first.layer], "other_layer": two.layers[second.layer]}
            rows.append(row | {"chosen_on": first.by} | _tell_difference(given, weights))
    return _correct(rows)


def _tell_difference(given: Comparison, weights: np.ndarray) -> dict[str, Any]:
    estimate, low, high = given.people.interval(weights)
    row = {"statistic": "difference", "estimate": estimate, "low": low, "high": high, "p": given.people.test(weights)}
    return row | {"n": len(given.target.subjects), "interval": given.people.over}


def _correct(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    corrected = correct_holm([row["p"] for row in rows])
    return [row | {"p_corrected": value} for row, value in zip(rows, corrected, strict=True)]
