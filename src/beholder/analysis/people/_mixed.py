"""Logistic mixed models from tables of trials."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder.statistics import LogisticMixedFit, RandomTerm, fit_logistic_mixed


def fit_mixed_logistic(
    table: Any, formula: str, groups: Sequence[str] | Mapping[str, str | None] = ("participant", "stimulus")
) -> LogisticMixedFit:
    """A logistic mixed model of right and wrong answers, with people and stimuli as crossed random factors.

    Parameters
    ----------
    table : DataFrame, or mapping of str to column
        A row a trial.
    formula : str
        ``"correct ~ condition"``: the column of answers (True or False, 1 or 0), then predictors joined by ``+``;
        ``a:b`` is an interaction, ``a*b`` both and their interaction, ``1`` the intercept, which is always there.
        Numbers are taken as they are; of words, each level is compared with the first in alphabetical order, named
        ``condition[silhouette]``.
    groups : sequence of str, or mapping of str to str or None
        Columns whose levels have intercepts of their own; a mapping adds the one predictor whose slope differs too:
        ``{"participant": "condition", "stimulus": None}``. Levels of one name are one person or one stimulus, so people
        of different experiments need different names.

    Returns
    -------
    LogisticMixedFit
        ``names, estimate, se, z, p``, standard deviations and the log-likelihood (Laplace); ``to_pandas()``.

    Raises
    ------
    UnknownNameError
        A column that is not there.
    InputError
        A formula that cannot be read, missing values, a slope over a predictor of more than two levels, and what
        :func:`beholder.statistics.fit_logistic_mixed` refuses.

    Notes
    -----
    Source: Bates, Mächler, Bolker & Walker 2015, Journal of Statistical Software 67(1). The formula of lme4 for the
    default groups is ``correct ~ condition + (1 | participant) + (1 | stimulus)``.

    Examples
    --------
    >>> right = [1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0]
    >>> table = {"correct": right, "level": [1, 2, 3] * 4, "participant": [*"aaabbbcccddd"], "stimulus": [*"xyz"] * 4}
    >>> fit_mixed_logistic(table, "correct ~ level").names
    ('(Intercept)', 'level')
    """
    outcome, terms = _parse(formula)
    slopes = dict(groups) if isinstance(groups, Mapping) else dict.fromkeys(groups)
    used = [outcome, *(name for term in terms for name in term), *slopes, *(name for name in slopes.values() if name)]
    columns = {name: _read(table, name) for name in dict.fromkeys(used)}
    missing = {name: int(_is_missing(column).sum()) for name, column in columns.items()}
    if any(missing.values()):
        got = ", ".join(f"{count} missing in {name}" for name, count in missing.items() if count)
        raise InputError(
            "a value in every row", got=got, hint="leave those trials out first, so that it is known which"
        )
    coded = {name: _code(name, columns[name]) for name in {name for term in terms for name in term}}
    names, parts = ["(Intercept)"], [np.ones(len(columns[outcome]))]
    for term in terms:
        for label, values in _multiply([coded[name] for name in term]):
            names.append(label)
            parts.append(values)
    random = [_make_term(group, columns[group], slope, columns) for group, slope in slopes.items()]
    return fit_logistic_mixed(columns[outcome], np.stack(parts, axis=1), names, random)


def _parse(formula: str) -> tuple[str, list[tuple[str, ...]]]:
    """The outcome, and each term's variables, main effects first."""
    expected = "a formula such as 'correct ~ condition + size'"
    sides = formula.split("~")
    if len(sides) != 2 or not sides[0].strip() or not sides[1].strip():
        raise InputError(expected, got=repr(formula))
    terms: dict[tuple[str, ...], None] = {}
    for part in sides[1].split("+"):
        names = [name.strip() for name in re.split(r"[:*]", part)]
        if any(not re.fullmatch(r"[^\W\d]\w*(?:\.\w+)*|1", name) for name in names) or (
            "1" in names and len(names) > 1
        ):
            raise InputError(
                expected, got=repr(formula), hint="random factors go into groups" if "|" in formula else ""
            )
        if "*" in part:
            for size in range(1, len(names) + 1):
                from itertools import combinations

                terms.update(dict.fromkeys(combinations(names, size)))
        elif names != ["1"]:
            terms[tuple(names)] = None
    return sides[0].strip(), sorted(terms, key=len)


def _read(table: Any, name: str) -> np.ndarray:
    known = [str(column) for column in (table.columns if hasattr(table, "columns") else table)]
    if name not in known:
        raise UnknownNameError("column", name, known)
    return np.asarray(table[name])


def _is_missing(column: np.ndarray) -> np.ndarray:
    import pandas as pd  # pyright: ignore[reportMissingTypeStubs]

    return np.asarray(pd.isna(column))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def _code(name: str, column: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """A predictor's names and columns."""
    if column.dtype.kind in "iufb":
        return [(name, column.astype(np.float64))]
    words = column.astype(str)
    levels = sorted(set(words.tolist()))
    if len(levels) < 2:
        raise InputError(f"at least two levels of {name}", got=f"only {levels[0]}" if levels else "none")
    return [(f"{name}[{level}]", (words == level).astype(np.float64)) for level in levels[1:]]


def _multiply(parts: list[list[tuple[str, np.ndarray]]]) -> list[tuple[str, np.ndarray]]:
    found = parts[0]
    for part in parts[1:]:
        found = [(f"{a}:{b}", x * y) for a, x in found for b, y in part]
    return found


def _make_term(group: str, column: np.ndarray, slope: str | None, columns: dict[str, np.ndarray]) -> RandomTerm:
    _, codes = np.unique(column.astype(str), return_inverse=True)
    if slope is None:
        return RandomTerm(group, codes)
    coded = _code(slope, columns[slope])
    if len(coded) != 1:
        raise InputError(f"a number or two levels for the slope of {group}", got=f"{len(coded) + 1} levels of {slope}")
    return RandomTerm(group, codes, coded[0][1], coded[0][0])
