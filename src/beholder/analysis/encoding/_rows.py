"""Rows of the table of an encoding analysis, and what a reader should not conclude from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from beholder.analysis.encoding._asked import Asked
from beholder.analysis.encoding._choose import Chosen, choose_on_others, choose_on_training
from beholder.analysis.encoding._participants import Participant
from beholder.analysis.encoding._scores import read_p
from beholder.analysis.encoding._splits import Split
from beholder.analysis.encoding._summary import RegionScore, Tested
from beholder.analysis.encoding._uncertainty import FEWEST_ORDERS

Found = Sequence[Sequence[Tested]]
"""Scores of each participant at each layer."""


def make_rows(asked: Asked, layers: Sequence[str], people: Sequence[Participant], found: Found) -> list[dict[str, Any]]:
    """A row for each layer, region, participant and statistic, those of all participants, and of the chosen layers."""
    rows: list[dict[str, Any]] = []
    for region in _list_regions(found):
        scores = {
            p: [tested.regions[region] for tested in mine]
            for p, mine in enumerate(found)
            if all(region in tested.regions for tested in mine)
        }
        everyone = [(people[p].subject, len(people[p].rows), own) for p, own in scores.items()]
        for subject, n, own in everyone:
            rows += _row_a_layer(asked, layers, region, subject, n, own)
        if len(everyone) > 1:
            rows += _rows_over_people(asked, layers, region, [own for _, _, own in everyone])
        if len(layers) > 1:
            rows += _rows_of_chosen(asked, layers, region, everyone)
    return rows


def _list_regions(found: Found) -> list[str]:
    return list(dict.fromkeys(region for mine in found for tested in mine for region in tested.regions))


def _start(asked: Asked, region: str, subject: str, n: int) -> dict[str, Any]:
    return {"target": region, "subject": subject, "method": asked.recipe or asked.method, "n": n, "seed": asked.seed}


def _read_ps(estimates: Sequence[float], nulls: Sequence[np.ndarray]) -> list[tuple[float | None, float | None]]:
    """P of each layer by itself, and against the best of all layers."""
    if not len(nulls[0]):
        return [(None, None)] * len(estimates)
    largest = np.max(nulls, axis=0)
    return [(read_p(r, null), read_p(r, largest)) for r, null in zip(estimates, nulls, strict=True)]


def _row_a_layer(
    asked: Asked, layers: Sequence[str], region: str, subject: str, n: int, scores: Sequence[RegionScore]
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    ps = _read_ps([score.tested_r for score in scores], [score.null for score in scores])
    for layer, score, (p, p_layers) in zip(layers, scores, ps, strict=True):
        start = _start(asked, region, subject, n) | {"layer": layer, "n_units": score.n_units}
        rows.append(
            start | {
                "statistic": "r", "estimate": score.r, "low": score.low, "high": score.high, "p": p,
                "p_of_all_layers": p_layers,
            }
        )  # fmt: skip
        if score.n_corrected:
            spread = None if np.isnan(score.sd_splits) else score.sd_splits
            rows.append(
                start | {
                    "statistic": "corrected-r2", "estimate": score.corrected, "n_units": score.n_corrected,
                    "n_above_1": score.n_above_1, "sd_over_splits": spread,
                }
            )  # fmt: skip
    return rows


def _rows_over_people(
    asked: Asked, layers: Sequence[str], region: str, scores: Sequence[Sequence[RegionScore]]
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    r = np.array([[score.r for score in own] for own in scores])
    has_null = all(len(score.null) for own in scores for score in own)
    nulls = (
        np.mean([[score.null for score in own] for own in scores], axis=0) if has_null else np.empty((len(layers), 0))
    )
    tested = np.mean([[score.tested_r for score in own] for own in scores], axis=0)
    ps = _read_ps([float(each) for each in tested], list(nulls))
    for i, layer in enumerate(layers):
        low, high = _interval_over_people(r[:, i])
        start = _start(asked, region, "", len(scores)) | {"layer": layer}
        start["n_units"] = sum(own[i].n_units for own in scores)
        rows.append(
            start | {
                "statistic": "r", "estimate": float(r[:, i].mean()), "low": low, "high": high, "p": ps[i][0],
                "p_of_all_layers": ps[i][1],
            }
        )  # fmt: skip
        known = [own[i] for own in scores if own[i].n_corrected]
        if known:
            rows.append(
                start | {
                    "statistic": "corrected-r2", "estimate": float(np.mean([score.corrected for score in known])),
                    "n": len(known), "n_units": sum(score.n_corrected for score in known),
                    "n_above_1": sum(score.n_above_1 for score in known),
                }
            )  # fmt: skip
    return rows


def _interval_over_people(values: np.ndarray) -> tuple[float, float]:
    """Student's 95 % interval of the mean; none of fewer than three."""
    from scipy.special import stdtrit

    n = len(values)
    if n < 3:
        return np.nan, np.nan
    half = float(stdtrit(n - 1, 0.975)) * float(values.std(ddof=1)) / np.sqrt(n)
    return float(values.mean()) - half, float(values.mean()) + half


def _rows_of_chosen(
    asked: Asked, layers: Sequence[str], region: str, everyone: Sequence[tuple[str, int, Sequence[RegionScore]]]
) -> list[dict[str, Any]]:
    chosen: list[Chosen]
    if len(everyone) > 1:
        chosen = choose_on_others(np.array([[score.r for score in own] for _, _, own in everyone]))
    else:
        training = np.array([score.training for score in everyone[0][2]])
        if np.isnan(training).any():
            return []
        chosen = [choose_on_training(np.array([score.by_split for score in everyone[0][2]]), training)]
    rows: list[dict[str, Any]] = []
    for (subject, n, own), each in zip(everyone, chosen, strict=True):
        rows.append(
            _start(asked, region, subject, n) | {
                "layer": layers[each.layer], "statistic": "r-best-layer", "estimate": each.r,
                "n_units": own[each.layer].n_units, "chosen_on": each.chosen_on,
            }
        )  # fmt: skip
    if len(everyone) > 1:
        r = np.array([each.r for each in chosen])
        low, high = _interval_over_people(r)
        often = max(chosen, key=lambda each: sum(other.layer == each.layer for other in chosen)).layer
        rows.append(
            _start(asked, region, "", len(chosen)) | {
                "layer": layers[often], "statistic": "r-best-layer", "estimate": float(r.mean()), "low": low,
                "high": high, "n_units": sum(own[often].n_units for _, _, own in everyone),
                "chosen_on": chosen[0].chosen_on,
            }
        )  # fmt: skip
    return rows


def make_share_rows(
    asked: Asked, layers: Sequence[str], people: Sequence[Participant], shares: Sequence[np.ndarray]
) -> list[dict[str, Any]]:
    """Each layer's part of the R² of all layers jointly, mean over units."""
    rows: list[dict[str, Any]] = []
    for person, share in zip(people, shares, strict=True):
        for region in dict.fromkeys(person.regions.tolist()):
            mine = share[:, person.regions == region]
            for layer, values in zip(layers, mine, strict=True):
                rows.append(
                    _start(asked, region, person.subject, len(person.rows)) | {
                        "layer": layer, "statistic": "r2-share", "estimate": float(values.mean()),
                        "n_units": len(values),
                    }
                )  # fmt: skip
    return rows


def list_warnings(
    asked: Asked, layers: Sequence[str], people: Sequence[Participant], plans: Sequence[Sequence[Split]], found: Found
) -> list[str]:
    """Whole sentences on edges of the grid, values that were not computed, and choices that could not be made."""
    told: list[str] = []
    for i, layer in enumerate(layers):
        mine = [tested[i] for tested in found]
        for share, edge, why in (
            (np.mean([tested.at_smallest for tested in mine]), "smallest", "smaller penalties may fit better"),
            (
                np.mean([tested.at_largest for tested in mine]),
                "largest",
                "it predicts them hardly better than their mean",
            ),
        ):
            if share >= 0.2:
                told.append(f"{share:.0%} of units take the {edge} penalty at {layer}: {why}.")
    for person, plan, mine in zip(people, plans, found, strict=True):
        name = f"Participant {person.subject}" if person.subject else "The recordings"
        if person.runs is None:
            told.append(f"{name} has one response a stimulus: variance explained cannot be corrected for noise.")
        elif asked.method != "banded" and all(np.isnan(tested.corrected).all() for tested in mine):
            told.append(f"{name}: no unit has all repeats of all stimuli, so that nothing is corrected for noise.")
        elif asked.method == "banded":
            told.append("Joint predictions are not corrected for noise.")
        smallest = min(len(test) for _, test in plan)
        if smallest < 10:
            told.append(f"r of {name[0].lower()}{name[1:]} is told from as few as {smallest} stimuli a fold.")
    if (
        not asked.is_published
        and asked.n_permutations
        and not any(len(score.null) for mine in found for tested in mine for score in tested.regions.values())
    ):
        why = "groups are of different sizes, or there are too few orders of them for a p below .05"
        if asked.n_permutations < FEWEST_ORDERS:
            why = f"{FEWEST_ORDERS} permutations are the fewest for a p below .05"
        told.append(f"No test was made: {'joint fits are not repeated' if asked.method == 'banded' else why}.")
    if len(people) == 1 and len(layers) > 1 and asked.method == "pls":
        told.append("No best layer is named: with one participant PLS has no data to choose it on.")
    return told


def collect_arrays(
    asked: Asked, people: Sequence[Participant], plans: Sequence[Sequence[Split]], found: Found, n_stimuli: int
) -> dict[str, np.ndarray]:
    """Scores of each unit, (n_layers, n_units), with participants and regions, and what each split was trained on."""
    train = np.zeros((len(people), max(len(plan) for plan in plans), n_stimuli), dtype=bool)
    for p, (person, plan) in enumerate(zip(people, plans, strict=True)):
        for i, (rows, _) in enumerate(plan):
            train[p, i, person.rows[rows]] = True
    n_layers = len(found[0])
    over = {
        name: np.array([np.concatenate([getattr(mine[i], name) for mine in found]) for i in range(n_layers)])
        for name in ("r", "corrected", "alphas")
    }
    if asked.is_published:  # overlapping splits are kept apart, as the study keeps them: (n_layers, n_splits, n_units)
        for name in ("corrected_of_splits", "alphas_of_splits"):
            over[name] = np.array(
                [np.concatenate([getattr(mine[i], name) for mine in found], axis=1) for i in range(n_layers)]
            )
    return over | {
        "unit": np.concatenate([person.units for person in people]),
        "subject": np.concatenate([np.array([person.subject] * len(person.units), dtype=str) for person in people]),
        "region": np.concatenate([person.regions.astype(str) for person in people]),
        "train": train,
    }
