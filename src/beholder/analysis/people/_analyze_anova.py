"""Analyses of variance of people's and networks' answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED
from beholder.analysis._join import identify_input
from beholder.analysis._result import Result, make_result
from beholder.analysis.people._designs import (
    OBSERVERS,
    Design,
    design_from_file,
    design_from_matrix,
    design_from_table,
    sort_levels,
)
from beholder.analysis.people._values import list_columns_of, list_paths, read_value_table
from beholder.responses import MATRIX_SUFFIXES, Trials, read_trials
from beholder.statistics import (
    AnovaEffect,
    compute_eta_interval,
    compute_mean_interval,
    fit_anova,
    permute_mixed_anova,
    permute_paired_anova,
)

_TRIAL_VALUES = ("correct", "rt", "confidence")


@suggest_keywords
def analyze_anova(
    answers: Any,
    *,
    value: str = "correct",
    within: Sequence[str] | None = None,
    between: Sequence[str] | None = None,
    subject: str = "participant",
    paired: bool = False,
    variable: str | None = None,
    columns: Mapping[str, str] | Sequence[str] | None = None,
    id_pattern: str | None = None,
    include_excluded: bool = False,
    n_permutations: int = 10_000,
    seed: int = DEFAULT_SEED,
) -> Result:
    """Analysis of variance: one-way, two-way, repeated measures, mixed; sums of squares of type III.

    Parameters
    ----------
    answers : path, sequence of path, array, table, Trials
        Files ``.mat`` or ``.npy`` hold participants × stages × [human, network], each analysed alone; so does an array.
        Other files are tables of single answers, as :func:`beholder.responses.read_trials` reads them, or of values.
    value : str
        What is analysed: ``correct``, ``rt`` or ``confidence`` of single answers, averaged in each cell; another name
        is a column of tables of values.
    within, between : sequence of str, optional
        Columns of the factors within and between participants. Default, of single answers: ``condition`` within.
    subject : str
        Column of participants.
    paired : bool
        Of matrices: take human and network rows of one participant's stimuli as the pair that they are, both factors
        within. Default: the published design, rows as if independent.
    variable : str, optional
        Which array of a ``.mat`` file with several.
    columns, id_pattern, include_excluded
        As for :func:`beholder.responses.read_trials`; ``columns`` also renames those of tables of values.
    n_permutations : int
        For the mixed design of two factors and the paired one: labels dealt anew (observer), labels and stages within
        rows (interaction); 0 for none.
    seed : int

    Returns
    -------
    Result
        ``kind`` is ``anova``. Statistic ``F`` (a row an effect, ``(Intercept)`` among them): ``effect, df_1, df_2, p,
        p_gg, p_hf, p_lb, p_permutation, epsilon_gg, epsilon_hf, epsilon_lb, partial_eta_squared`` with its interval
        ``eta_low, eta_high``, ``generalized_eta_squared, sum_sq, error_sum_sq, mauchly_w, mauchly_p``. Statistic
        ``mean`` (a row a cell): ``cell``, with the 95 % interval of Student's t over rows.

    Raises
    ------
    InputError
        No matrix or factor, values that are no numbers, nobody with a value in every cell, an empty cell.

    Notes
    -----
    Source: Feather et al. 2023, Nature Neuroscience 26, Methods, "Statistical tests"; epsilons: Greenhouse & Geisser
    1959, Psychometrika 24; Lecoutre 1991, Journal of Educational Statistics 16.

    Examples
    --------
    >>> values = np.random.default_rng(0).uniform(0.4, 1, (12, 4, 2))
    >>> found = analyze_anova(values, n_permutations=99)
    >>> found.table.query("statistic == 'F'")["effect"].tolist()
    ['(Intercept)', 'observer', 'stage', 'observer:stage']
    """
    paths = list_paths(answers)
    told: list[str] = []
    if any(path.suffix in MATRIX_SUFFIXES for path in paths):
        if within or between or not all(path.suffix in MATRIX_SUFFIXES for path in paths):
            got = "factors for matrices" if within or between else "both"
            raise InputError("matrices alone, or tables with their factors", got=got)
        designs = [design_from_file(path, variable, paired=paired) for path in paths]
    elif paths or isinstance(answers, Trials | Mapping) or hasattr(answers, "columns"):
        if paired:
            raise InputError("matrices (.mat, .npy) with --paired", got="tables")
        if paths and value not in _TRIAL_VALUES:
            answers = read_value_table(paths, parse_any(columns))
        elif paths:
            answers = read_trials(
                *paths, columns=columns, id_pattern=id_pattern, include_excluded=include_excluded,
                further=[*(within or ()), *(between or ()), subject],
            )  # fmt: skip
        table, told = list_columns_of(answers)
        if not within and not between and "condition" in table:
            within = ["condition"]
        name = paths[0].stem if len(paths) == 1 else ""
        designs = [design_from_table(table, value, within or (), between or (), subject, name)]
    else:
        if within or between:
            raise InputError("a table for factors by name", got="an array, whose factors are observer and stage")
        designs = [_from_arrays(answers, paired)]
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    described: list[dict[str, Any]] = []
    for design in designs:
        effects = fit_anova(design.values, within=list(design.within), between=design.between, intercept=True)
        permuted = _permute(design, n_permutations, seed)
        rows += [_make_row(design, name, effect, permuted, seed) for name, effect in effects.items()]
        rows += _make_means(design)
        notes += [*(_name(design, note) for note in design.notes), *_warn(design)]
        described.append(_describe(design, bool(permuted)))
    settings: dict[str, Any] = {
        "value": value, "designs": described, "paired": paired, "columns": parse_any(columns),
        "id_pattern": id_pattern, "include_excluded": include_excluded,
        "n_permutations": n_permutations, "subject": subject, "variable": variable, "seed": seed, "read": told,
    }  # fmt: skip
    return make_result("anova", rows, settings, warnings=notes)


def parse_any(columns: Mapping[str, str] | Sequence[str] | None) -> dict[str, str]:
    """New name to column from a mapping or words ``name=column``, whatever the names."""
    pairs = (
        columns.items() if isinstance(columns, Mapping) else [str(each).partition("=")[::2] for each in columns or ()]
    )
    return {str(new): str(old) for new, old in pairs}


def _from_arrays(values: Any, paired: bool) -> Design:
    """An array in the published form, or two groups of rows, also of unequal numbers."""
    if isinstance(values, list | tuple):
        groups = [np.asarray(each, dtype=np.float64) for each in cast(Sequence[Any], values)]
        if len(groups) == 2 and all(each.ndim == 2 for each in groups) and not paired:
            first, second = groups
            if first.shape[1] != second.shape[1]:
                raise InputError("two groups with the same stages", got=f"{first.shape[1]} and {second.shape[1]}")
            levels = tuple(str(k + 1) for k in range(first.shape[1]))
            names = (OBSERVERS[0],) * len(first) + (OBSERVERS[1],) * len(second)
            rows = tuple(str(k + 1) for group in groups for k in range(len(group)))
            return Design("", np.concatenate(groups), rows, {"stage": levels}, {"observer": names})
    return design_from_matrix(values, paired=paired)


def _permute(design: Design, n_permutations: int, seed: int) -> dict[str, float]:
    """Permutation p of the effects that have one."""
    if not n_permutations:
        return {}
    if design.paired:
        first, second = permute_paired_anova(np.moveaxis(design.values, 1, 2), n_permutations=n_permutations, seed=seed)
        return {"observer": first, "observer:stage": second}
    if len(design.within) == len(design.between) == 1:
        (group, labels), (stage, _) = next(iter(design.between.items())), next(iter(design.within.items()))
        first, second = permute_mixed_anova(design.values, labels, n_permutations=n_permutations, seed=seed)
        return {group: first, f"{group}:{stage}": second}
    return {}


def _make_row(
    design: Design, name: str, effect: AnovaEffect, permuted: Mapping[str, float], seed: int
) -> dict[str, Any]:
    values = asdict(effect)
    low, high = compute_eta_interval(effect.F, effect.df_1, effect.df_2)
    return {
        "model": design.name, "statistic": "F", "method": design.kind, "estimate": values.pop("F"),
        "p": values.pop("p"), "n": len(design.rows), "seed": seed if name in permuted else 0, "effect": name,
        **{key: values[key] for key in ("df_1", "df_2", "p_gg", "p_hf", "p_lb")},
        "p_permutation": permuted.get(name), **{key: values[key] for key in values if key.startswith("epsilon")},
        "partial_eta_squared": effect.partial_eta_squared, "eta_low": low, "eta_high": high,
        **{key: values[key] for key in ("generalized_eta_squared", "sum_sq", "error_sum_sq", "mauchly_w", "mauchly_p")},
    }  # fmt: skip


def _make_means(design: Design) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for cell, values in design.list_cells():
        mean = compute_mean_interval(values)
        rows.append(
            {"model": design.name, "statistic": "mean", "method": design.kind, "estimate": mean.estimate,
             "low": mean.low, "high": mean.high, "n": mean.n, "effect": ":".join(cell),
             "cell": ", ".join(cell.values())}
        )  # fmt: skip
    return rows


def _warn(design: Design) -> list[str]:
    """What a reader should not conclude."""
    told: list[str] = []
    if "observer" in design.within or "observer" in design.between:
        levels = design.within.get("observer") or design.between["observer"]
        if "network" in {level.casefold() for level in levels}:
            told.append(
                "The network's rows are one network, scored on each participant's stimuli: the test speaks of these "
                "people and stimuli, not of networks at large."
            )
    flat = [", ".join(cell.values()) for cell, values in design.list_cells() if len(values) > 1 and np.ptp(values) == 0]
    if flat:
        told.append(
            _name(design, f"Nobody differs in {flat[0]}" + (f" and {len(flat) - 1} more cells" if flat[1:] else "")
            + ", so that variances are not alike; a mixed model of single answers is the better question there.")
        )  # fmt: skip
    return told


def _name(design: Design, note: str) -> str:
    return f"{design.name}: {note}" if design.name else note


def _describe(design: Design, permuted: bool) -> dict[str, Any]:
    """What pictures and words need to know of a design, plain JSON."""
    return {
        "name": design.name, "kind": design.kind, "paired": design.paired, "permuted": permuted,
        # lists, since the keys of settings are sorted when they are saved
        "between": [[name, sort_levels(levels)] for name, levels in design.between.items()],
        "within": [[name, list(levels)] for name, levels in design.within.items()],
        "n_rows": len(design.rows), "content": identify_input(design.values),
    }  # fmt: skip
