"""The table of an encoding analysis, and what is known of each unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from beholder.analysis.encoding._best_layer import Chosen, choose_on_others, choose_on_training
from beholder.analysis.encoding._corrected import find_jackknife_half_width
from beholder.analysis.encoding._participants import Participant
from beholder.analysis.encoding._settings import EncodeSettings
from beholder.analysis.encoding._splits import Split
from beholder.analysis.encoding._summary import RegionScore, Tested
from beholder.analysis.encoding._uncertainty import Spread, find_r_half_width
from beholder.statistics import compute_permutation_p

Found = Sequence[Sequence[Tested]]
"""Scores of each participant at each layer."""
_FEWEST_PEOPLE = 3
_SINGLE = 1e-6  # what single precision rounds


def make_rows(
    settings: EncodeSettings, layers: Sequence[str], people: Sequence[Participant], found: Found,
    groups: np.ndarray | None,
) -> list[dict[str, Any]]:  # fmt: skip
    """A row for each layer, region, participant and statistic, those of all participants, and of the chosen layers.

    Intervals of one or two participants are over stimuli, of more over participants; ``interval`` says which.
    """
    rows: list[dict[str, Any]] = []
    for region in _list_regions(found):
        scores = {
            p: [tested.regions[region] for tested in mine]
            for p, mine in enumerate(found)
            if all(region in tested.regions for tested in mine)
        }
        everyone = [(people[p].subject, len(people[p].rows), own) for p, own in scores.items()]
        for subject, n, own in everyone:
            rows += _row_a_layer(settings, layers, region, subject, n, own)
        if len(everyone) > 1:
            rows += _rows_over_people(settings, layers, region, [own for _, _, own in everyone], groups)
        if len(layers) > 1:
            rows += _rows_of_chosen(settings, layers, region, everyone, groups)
    return rows


def _list_regions(found: Found) -> list[str]:
    return list(dict.fromkeys(region for mine in found for tested in mine for region in tested.regions))


def _start(settings: EncodeSettings, region: str, subject: str, n: int) -> dict[str, Any]:
    return {
        "target": region,
        "subject": subject,
        "method": settings.recipe or settings.method,
        "n": n,
        "seed": settings.seed,
    }


def _read_ps(estimates: Sequence[float], nulls: Sequence[np.ndarray]) -> list[tuple[float | None, float | None]]:
    """P of each layer by itself, and against the best of all layers."""
    if not len(nulls[0]):
        return [(None, None)] * len(estimates)
    largest = np.max(nulls, axis=0)
    return [
        (compute_permutation_p(r, null, tolerance=_SINGLE), compute_permutation_p(r, largest, tolerance=_SINGLE))
        for r, null in zip(estimates, nulls, strict=True)
    ]


def _row_a_layer(
    settings: EncodeSettings, layers: Sequence[str], region: str, subject: str, n: int, scores: Sequence[RegionScore]
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    ps = _read_ps([score.tested_r for score in scores], [score.null for score in scores])
    for layer, score, (p, p_layers) in zip(layers, scores, ps, strict=True):
        start = _start(settings, region, subject, n) | {"layer": layer, "n_units": score.n_units}
        rows.append(
            start | {"statistic": "r", "estimate": score.r, "p": p, "p_of_all_layers": p_layers}
            | _bound(score.r, score.half_width)
        )  # fmt: skip
        if score.n_corrected:
            spread = None if np.isnan(score.sd_splits) else score.sd_splits
            rows.append(
                start | {
                    "statistic": "corrected-r2", "estimate": score.corrected, "n_units": score.n_corrected,
                    "n_above_1": score.n_above_1, "sd_over_splits": spread,
                } | _bound(score.corrected, score.corrected_half_width, lowest=0, highest=np.inf)
            )  # fmt: skip
    return rows


def _bound(
    estimate: float, half_width: float, over: str = "stimuli", *, lowest: float = -1, highest: float = 1
) -> dict[str, Any]:
    """Columns of an interval."""
    if np.isnan(half_width):
        return {"interval": ""}
    low, high = max(lowest, estimate - half_width), min(highest, estimate + half_width)
    return {"low": low, "high": high, "interval": over}


def _bound_over_people(
    values: Sequence[float], spreads: Sequence[Spread], groups: np.ndarray | None, n_tested: int
) -> dict[str, Any]:
    """Interval of the mean r over participants: over participants, of two over stimuli."""
    if len(values) >= _FEWEST_PEOPLE:
        return _bound(float(np.mean(values)), _find_student_half_width(values), "participants")
    return _bound(float(np.mean(values)), find_r_half_width(spreads, groups, n_tested))


def _find_student_half_width(values: Sequence[float]) -> float:
    from scipy.special import stdtrit

    n = len(values)
    return float(stdtrit(n - 1, 0.975)) * float(np.std(values, ddof=1)) / np.sqrt(n)


def _rows_over_people(
    settings: EncodeSettings, layers: Sequence[str], region: str, scores: Sequence[Sequence[RegionScore]],
    groups: np.ndarray | None,
) -> list[dict[str, Any]]:  # fmt: skip
    rows: list[dict[str, Any]] = []
    has_null = all(len(score.null) for own in scores for score in own)
    nulls = (
        np.mean([[score.null for score in own] for own in scores], axis=0) if has_null else np.empty((len(layers), 0))
    )
    tested = np.mean([[score.tested_r for score in own] for own in scores], axis=0)
    ps = _read_ps([float(each) for each in tested], list(nulls))
    for i, layer in enumerate(layers):
        mine = [own[i] for own in scores]
        r = [score.r for score in mine]
        start = _start(settings, region, "", len(scores)) | {"layer": layer}
        start["n_units"] = sum(score.n_units for score in mine)
        rows.append(
            start | {
                "statistic": "r", "estimate": float(np.mean(r)), "p": ps[i][0], "p_of_all_layers": ps[i][1],
            } | _bound_over_people(r, [score.spread for score in mine], groups, min(score.n_tested for score in mine))
        )  # fmt: skip
        known = [score for score in mine if score.n_corrected]
        if known:
            values = [score.corrected for score in known]
            many = len(known) >= _FEWEST_PEOPLE
            half = (
                _find_student_half_width(values)
                if many
                else find_jackknife_half_width(np.mean([score.corrected_without for score in known], axis=0))
            )
            rows.append(
                start | {
                    "statistic": "corrected-r2", "estimate": float(np.mean(values)), "n": len(known),
                    "n_units": sum(score.n_corrected for score in known),
                    "n_above_1": sum(score.n_above_1 for score in known),
                } | _bound(
                    float(np.mean(values)), half, "participants" if many else "stimuli", lowest=0, highest=np.inf
                )
            )  # fmt: skip
    return rows


def _rows_of_chosen(
    settings: EncodeSettings, layers: Sequence[str], region: str,
    everyone: Sequence[tuple[str, int, Sequence[RegionScore]]], groups: np.ndarray | None,
) -> list[dict[str, Any]]:  # fmt: skip
    """The layer of each participant; its interval is as wide as that of the layer that was chosen (most often)."""
    chosen: list[Chosen]
    if len(everyone) > 1:
        chosen = choose_on_others(np.array([[score.r for score in own] for _, _, own in everyone]))
    else:
        training = np.array([score.training for score in everyone[0][2]])
        if np.isnan(training).any():
            return []
        chosen = [choose_on_training(np.array([score.by_split for score in everyone[0][2]]), training)]
    rows: list[dict[str, Any]] = []
    scores = [own[each.layer] for (_, _, own), each in zip(everyone, chosen, strict=True)]
    for (subject, n, _), score, each in zip(everyone, scores, chosen, strict=True):
        rows.append(
            _start(settings, region, subject, n) | {
                "layer": layers[each.layer], "statistic": "r-best-layer", "estimate": each.r,
                "n_units": score.n_units, "chosen_on": each.chosen_on,
            } | _bound(each.r, score.half_width)
        )  # fmt: skip
    if len(everyone) > 1:
        often = max(chosen, key=lambda each: sum(other.layer == each.layer for other in chosen)).layer
        rows.append(
            _start(settings, region, "", len(chosen)) | {
                "layer": layers[often], "statistic": "r-best-layer", "estimate": float(np.mean([c.r for c in chosen])),
                "n_units": sum(own[often].n_units for _, _, own in everyone), "chosen_on": chosen[0].chosen_on,
                "n_agree": sum(each.layer == often for each in chosen),
            } | _bound_over_people(
                [each.r for each in chosen], [score.spread for score in scores], groups,
                min(score.n_tested for score in scores),
            )
        )  # fmt: skip
    return rows


def make_share_rows(
    settings: EncodeSettings, layers: Sequence[str], people: Sequence[Participant], shares: Sequence[np.ndarray]
) -> list[dict[str, Any]]:
    """Each layer's part of the R² of all layers jointly, mean over units."""
    rows: list[dict[str, Any]] = []
    for person, share in zip(people, shares, strict=True):
        for region in dict.fromkeys(person.regions.tolist()):
            mine = share[:, person.regions == region]
            for layer, values in zip(layers, mine, strict=True):
                rows.append(
                    _start(settings, region, person.subject, len(person.rows)) | {
                        "layer": layer, "statistic": "r2-part", "estimate": float(values.mean()),
                        "n_units": len(values),
                    }
                )  # fmt: skip
    return rows


def collect_arrays(
    settings: EncodeSettings,
    people: Sequence[Participant],
    plans: Sequence[Sequence[Split]],
    found: Found,
    n_stimuli: int,
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
    if (
        settings.is_published
    ):  # overlapping splits are kept apart, as the study keeps them: (n_layers, n_splits, n_units)
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
