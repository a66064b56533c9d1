"""Logistic mixed models from tables of trials."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.wording import format_count
from beholder.statistics import LogisticMixedFit, RandomTerm, fit_logistic_mixed


@suggest_keywords
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
        of different experiments need different names; ``"condition:stimulus"`` takes stimuli of one name in unlike
        conditions for unlike stimuli.

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
    outcome, terms = parse_formula(formula)
    slopes = dict(groups) if isinstance(groups, Mapping) else dict.fromkeys(groups)
    used = list_columns(outcome, terms, slopes)
    columns = {name: read_column(table, name) for name in used}
    missing = {name: int(find_missing(column).sum()) for name, column in columns.items()}
    if any(missing.values()):
        got = ", ".join(f"{count} missing in {name}" for name, count in missing.items() if count)
        raise InputError(
            "a value in every row", got=got, hint="leave those trials out first, so that it is known which"
        )
    names, design = make_design(terms, columns, find_levels(columns))
    random = [_make_term(group, join_columns(group, columns), slope, columns) for group, slope in slopes.items()]
    return fit_logistic_mixed(columns[outcome], design, names, random)


def parse_formula(formula: str) -> tuple[str, list[tuple[str, ...]]]:
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


def list_columns(outcome: str, terms: Sequence[tuple[str, ...]], slopes: Mapping[str, str | None]) -> list[str]:
    """Columns that a model needs, each once."""
    grouped = [name for group in slopes for name in group.split(":")]
    predictors = [name for term in terms for name in term]
    return list(dict.fromkeys([outcome, *predictors, *grouped, *(name for name in slopes.values() if name)]))


def join_columns(group: str, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Levels of a group, (n_rows,): a column, or the combinations of several (``a:b``)."""
    parts = [columns[name].astype(str).tolist() for name in group.split(":")]
    return np.array([":".join(each) for each in zip(*parts, strict=True)])


def read_column(table: Any, name: str) -> np.ndarray:
    """A column of a table, by name."""
    known = [str(column) for column in (table.columns if hasattr(table, "columns") else table)]
    if name not in known:
        raise UnknownNameError("column", name, known)
    return np.asarray(table[name])


def find_missing(column: np.ndarray) -> np.ndarray:
    """Where a column has no value."""
    import pandas as pd

    return np.asarray(pd.isna(column))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def is_empty(column: np.ndarray) -> np.ndarray:
    """Where a column holds an empty word, as files have it for no value."""
    return np.array([isinstance(each, str) and not each.strip() for each in column.tolist()], dtype=bool)


def find_levels(columns: Mapping[str, np.ndarray]) -> dict[str, list[str]]:
    """Levels of the columns that hold words, in alphabetical order; numbers have none."""
    return {
        name: sorted(set(column.astype(str).tolist()))
        for name, column in columns.items()
        if column.dtype.kind not in "iufb"
    }


def make_design(
    terms: Sequence[tuple[str, ...]], columns: Mapping[str, np.ndarray], levels: Mapping[str, Sequence[str]]
) -> tuple[list[str], np.ndarray]:
    """Names of the fixed coefficients and the design, (n_rows, n_coefficients), the intercept first.

    Parameters
    ----------
    terms : sequence of tuple of str
        As :func:`parse_formula` gives them.
    columns : mapping of str to (n_rows,)
    levels : mapping of str to sequence of str
        Of the columns that hold words; each is compared with the first.
    """
    n = len(next(iter(columns.values())))
    names, parts = ["(Intercept)"], [np.ones(n)]
    for term in terms:
        for label, values in _multiply([_code(name, columns[name], levels.get(name)) for name in term]):
            names.append(label)
            parts.append(values)
    return names, np.stack(parts, axis=1)


def _code(name: str, column: np.ndarray, levels: Sequence[str] | None) -> list[tuple[str, np.ndarray]]:
    """A predictor's names and columns."""
    if levels is None:
        return [(name, column.astype(np.float64))]
    if len(levels) < 2:
        raise InputError(f"at least two levels of {name}", got=f"only {levels[0]}" if levels else "none")
    words = column.astype(str)
    return [(f"{name}[{level}]", (words == level).astype(np.float64)) for level in levels[1:]]


def _multiply(parts: list[list[tuple[str, np.ndarray]]]) -> list[tuple[str, np.ndarray]]:
    found = parts[0]
    for part in parts[1:]:
        found = [(f"{a}:{b}", x * y) for a, x in found for b, y in part]
    return found


def _make_term(group: str, column: np.ndarray, slope: str | None, columns: dict[str, np.ndarray]) -> RandomTerm:
    _, codes = np.unique(column, return_inverse=True)
    if slope is None:
        return RandomTerm(group, codes)
    coded = _code(slope, columns[slope], find_levels({slope: columns[slope]}).get(slope))
    if len(coded) != 1:
        raise InputError(
            f"a number or two levels for the slope of {group}",
            got=f"{format_count(len(coded) + 1, 'level')} of {slope}",
        )
    return RandomTerm(group, codes, coded[0][1], coded[0][0])
