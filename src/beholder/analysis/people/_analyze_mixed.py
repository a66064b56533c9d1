"""Logistic mixed models of single answers, as a result."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.hashing import hash_settings
from beholder._core.progress import show_progress
from beholder._core.wording import format_count
from beholder.analysis._join import identify_input
from beholder.analysis._result import Result, make_result
from beholder.analysis.people._mixed import (
    find_levels,
    find_missing,
    fit_mixed_logistic,
    is_empty,
    join_columns,
    list_columns,
    make_design,
    parse_formula,
    read_column,
)
from beholder.analysis.people._values import list_columns_of, list_paths
from beholder.responses import parse_columns, read_trials
from beholder.statistics import LogisticMixedFit, compare_fits

_Z = 1.959963984540054
_NODES = 41
_MOST_CELLS = 24
_MOST_VALUES = 6
_MOST_SINGLE = 0.7


@suggest_keywords
def analyze_mixed(
    answers: Any,
    formula: str = "correct ~ condition",
    *,
    groups: Sequence[str] | Mapping[str, str | None] = ("participant", "stimulus"),
    columns: Mapping[str, str] | Sequence[str] | None = None,
    id_pattern: str | None = None,
    include_excluded: bool = False,
) -> Result:
    """A logistic mixed model of single answers, with people and stimuli as crossed random factors, and its tests.

    Parameters
    ----------
    answers : path, sequence of path, table, Trials
        As :func:`beholder.responses.read_trials` reads them, or a table of columns.
    formula : str
        As for :func:`fit_mixed_logistic`: the column of answers, then predictors joined by ``+``, ``:`` or ``*``.
    groups : sequence of str, or mapping of str to str or None
        Columns whose levels have intercepts of their own; ``condition:stimulus`` where stimuli of one name are unlike
        in unlike conditions. ``participant=condition``, or a mapping, lets the effect of one predictor differ between
        them, too.
    columns, id_pattern, include_excluded
        As for :func:`beholder.responses.read_trials`.

    Returns
    -------
    Result
        ``kind`` is ``mixed``. Statistics: ``coefficient`` in logits (``target`` its name; ``se, z``, Wald's interval
        and p); ``likelihood ratio`` (``target`` a term of the formula; chi-square, ``df``); ``standard deviation``
        between levels of a group, and ``correlation`` of intercept and slope; ``proportion correct`` of each cell of
        the predictors, over other people and stimuli than these; ``observed proportion`` of each participant in each
        cell; ``log likelihood``.

    Raises
    ------
    UnknownNameError
        A column that is not there.
    InputError
        A formula that cannot be read, answers all alike, a factor of one level.

    Notes
    -----
    Source: Bates, Mächler, Bolker & Walker 2015, Journal of Statistical Software 67(1).

    Examples
    --------
    >>> right = [1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0]
    >>> table = {"correct": right, "level": [1, 2, 3] * 4, "participant": [*"aaabbbcccddd"], "stimulus": [*"xyz"] * 4}
    >>> found = analyze_mixed(table, "correct ~ level")
    >>> found.table.query("statistic == 'likelihood ratio'")["target"].tolist()
    ['level']
    """
    outcome, terms = parse_formula(formula)
    slopes = _parse_groups(groups)
    paths = list_paths(answers)
    if paths:
        answers = read_trials(
            *paths, columns=columns, id_pattern=id_pattern, include_excluded=include_excluded,
            further=list_columns(outcome, terms, slopes),
        )  # fmt: skip
    table, told = list_columns_of(answers)
    predictors = list(dict.fromkeys(name for term in terms for name in term))
    given = {name: read_column(table, name) for name in list_columns(outcome, terms, slopes)}
    lacks = {name: find_missing(column) | (is_empty(column) & (name != "layer")) for name, column in given.items()}
    keep = ~np.any(list(lacks.values()), axis=0)
    notes: list[str] = []
    if not keep.all():
        lacking = [name for name, lost in lacks.items() if lost.any()]
        notes.append(f"{format_count(int((~keep).sum()), 'answer')} without {' or '.join(lacking)} left out.")
    if not keep.any():
        raise InputError("answers with a value in every column of the formula", got="none")
    data = {name: np.array(column[keep].tolist()) for name, column in given.items()}
    # a main effect stays as long as its interaction is there
    tested = [term for term in terms if not any(set(term) < set(other) for other in terms)]
    smaller: list[LogisticMixedFit] = []
    with show_progress("mixed", 1 + len(tested), "models", tells_end=False) as advance:
        fit = fit_mixed_logistic(data, formula, slopes)
        advance(1)
        for term in tested:
            rest = [":".join(other) for other in terms if other != term]
            smaller.append(fit_mixed_logistic(data, f"{outcome} ~ {' + '.join(rest or ['1'])}", slopes))
            advance(1)
    notes += _find_single(fit)
    rows = _make_rows(fit)
    for term, without in zip(tested, smaller, strict=True):
        chi, df, p = compare_fits(fit, without)
        rows.append(
            {"target": ":".join(term), "statistic": "likelihood ratio", "method": "chi-square", "estimate": chi,
             "p": p, "n": fit.n_trials, "df": df}
        )  # fmt: skip
    if any("did not settle" in warning for each in smaller for warning in each.warnings):
        notes.append("A smaller model of a likelihood-ratio test did not settle; its test is not to be used.")
    rows += _make_cells(fit, terms, data, outcome, slopes)
    rows.append({"statistic": "log likelihood", "method": "Laplace", "estimate": fit.log_likelihood, "n": fit.n_trials})
    rows = [row | {"model": ""} for row in rows]
    levels = find_levels({name: data[name] for name in [*predictors, *(name for name in slopes.values() if name)]})
    settings: dict[str, Any] = {  # groups in a list, since the keys of settings are sorted when they are saved
        "formula": formula, "groups": [[name, slope] for name, slope in slopes.items()],
        "columns": dict(parse_columns(columns)), "id_pattern": id_pattern,
        "include_excluded": include_excluded, "n_trials": fit.n_trials, "n_levels": fit.n_levels, "levels": levels,
        "terms": [list(term) for term in terms], "outcome": outcome, "n_parameters": fit.n_parameters,
        "content": hash_settings({name: identify_input(column) for name, column in data.items()}), "read": told,
    }  # fmt: skip
    return make_result(
        "mixed", rows, settings, warnings=[*notes, *(_close(warning) for warning in fit.warnings)],
        arrays={f"column {name}": column for name, column in data.items()},
    )  # fmt: skip


def _parse_groups(groups: Sequence[str] | Mapping[str, str | None]) -> dict[str, str | None]:
    """Group to the predictor whose slope differs between its levels."""
    if isinstance(groups, Mapping):
        return dict(groups)
    pairs = [each.partition("=") for each in groups]
    return {name: slope or None for name, _, slope in pairs}


def _find_single(fit: LogisticMixedFit) -> list[str]:
    """Groups that tell nothing, since hardly any level has a second answer."""
    return [
        f"{format_count(count, 'level')} of {name} have {format_count(fit.n_trials, 'answer')}: "
        f"with hardly a second answer to each, {name} cannot "
        "be told from chance. If ids carry prefixes, --id_pattern takes them off."
        for name, count in fit.n_levels.items()
        if count > _MOST_SINGLE * fit.n_trials
    ]


def _close(warning: str) -> str:
    return f"{warning[0].upper()}{warning[1:]}."


def _make_rows(fit: LogisticMixedFit) -> list[dict[str, Any]]:
    """Coefficients and how much levels of the groups differ."""
    rows: list[dict[str, Any]] = []
    for k, name in enumerate(fit.names):
        low, high = fit.interval(name)
        rows.append(
            {"target": name, "statistic": "coefficient", "method": "Wald", "estimate": float(fit.estimate[k]),
             "low": low, "high": high, "p": float(fit.p[k]), "n": fit.n_trials, "se": float(fit.se[k]),
             "z": float(fit.z[k])}
        )  # fmt: skip
    for name, sd in fit.sds.items():
        group = name.split(": ")[0]
        rows.append({"target": name, "statistic": "standard deviation", "estimate": sd, "n": fit.n_levels[group]})
    for name, r in fit.correlations.items():
        rows.append({"target": name, "statistic": "correlation", "estimate": r, "n": fit.n_levels[name]})
    return rows


def _make_cells(
    fit: LogisticMixedFit, terms: Sequence[tuple[str, ...]], data: Mapping[str, np.ndarray], outcome: str,
    slopes: Mapping[str, str | None],
) -> list[dict[str, Any]]:  # fmt: skip
    """Proportions correct in each combination of the predictors' levels: the model's, and each participant's own."""
    predictors = list(dict.fromkeys(name for term in terms for name in term))
    levels = find_levels({name: data[name] for name in predictors})
    values: dict[str, list[Any]] = {}
    for name in predictors:
        known = levels.get(name) or np.unique(data[name]).tolist()
        values[name] = known if name in levels or len(known) <= _MOST_VALUES else [float(np.mean(data[name]))]
    cells = list(itertools.product(*values.values()))
    if len(cells) > _MOST_CELLS:
        return []
    columns = {name: np.array([cell[k] for cell in cells]) for k, name in enumerate(predictors)}
    _, design = make_design(terms, columns | {"": np.zeros(len(cells))}, levels)
    spread = _find_spread(fit, slopes, columns, levels, len(cells))
    rows: list[dict[str, Any]] = []
    who = join_columns(next(iter(slopes)), data)
    right = data[outcome].astype(np.float64)
    for k, cell in enumerate(cells):
        at, se = float(design[k] @ fit.estimate), math.sqrt(max(0.0, float(design[k] @ fit.covariance @ design[k])))
        middle, low, high = (_average(at + step * se, float(spread[k])) for step in (0, -_Z, _Z))
        inside = np.ones(len(right), dtype=bool)
        for name, level in zip(predictors, cell, strict=True):
            if len(values[name]) > 1 or name in levels:
                inside &= data[name].astype(str) == str(level)
        named = ", ".join(f"{name} {_format(level)}" for name, level in zip(predictors, cell, strict=True))
        where = {"target": named or "all", "method": "Laplace"}
        rows.append(
            where | {"statistic": "proportion correct", "estimate": middle, "low": low, "high": high,
                     "n": int(inside.sum())}
        )  # fmt: skip
        for each in sorted(set(who[inside])):
            own = right[inside & (who == each)]
            rows.append(
                {"target": named or "all", "subject": each, "statistic": "observed proportion",
                 "estimate": float(own.mean()), "n": len(own)}
            )  # fmt: skip
    return rows


def _find_spread(
    fit: LogisticMixedFit, slopes: Mapping[str, str | None], columns: Mapping[str, np.ndarray],
    levels: Mapping[str, Sequence[str]], n_cells: int,
) -> np.ndarray:  # fmt: skip
    """Standard deviation between people and stimuli together in each cell, in logits."""
    variance = np.zeros(n_cells)
    for group, slope in slopes.items():
        own = fit.sds[group]
        variance += own**2
        wide = next((sd for name, sd in fit.sds.items() if name.startswith(f"{group}: ")), None)
        if slope is None or wide is None or slope not in columns:
            continue
        words = levels.get(slope)
        x = (columns[slope] == words[1]).astype(float) if words else columns[slope].astype(float)
        r = fit.correlations[group]
        variance += wide**2 * x**2 + (0 if math.isnan(r) else 2 * r * own * wide * x)
    return np.sqrt(np.maximum(variance, 0))


def _average(logit: float, sd: float) -> float:
    """The mean proportion over people and stimuli whose logits are spread normally."""
    from scipy.special import expit

    z, weight = np.polynomial.hermite_e.hermegauss(_NODES)
    return float(weight @ expit(logit + sd * z) / weight.sum())


def _format(level: Any) -> str:
    return f"{level:g}" if isinstance(level, float | int) else str(level)
