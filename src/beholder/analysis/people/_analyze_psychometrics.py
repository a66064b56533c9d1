"""Thresholds, sensitivity and response times of people and networks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.wording import format_count
from beholder.analysis._result import Result, make_result
from beholder.analysis.people._levels import Direction, LevelScale, Scale, choose_scale, count_levels
from beholder.analysis.people._logs import describe_logs, find_scale, list_log_trials, read_export_logs, read_logs
from beholder.analysis.people._sensitivity import (
    TASKS,
    Task,
    compute_sensitivity,
    count_choices,
    find_alternatives,
    summarize_times,
)
from beholder.analysis.people._thresholds import FitSettings, Lapse, fit_thresholds
from beholder.analysis.people._values import (
    identify_columns,
    is_trial_table,
    list_columns_of,
    list_paths,
    read_value_table,
)
from beholder.experiments import AdaptiveProcedure
from beholder.responses import parse_columns, read_trials

_FUNCTIONS = {"logit": "logit", "logistic": "logit", "probit": "probit", "normal": "probit", "weibull": "gumbel"}


@suggest_keywords
def analyze_psychometrics(
    answers: Any,
    networks: Any = None,
    *,
    by: Sequence[str] | None = None,
    function: Literal["logit", "probit", "weibull"] = "logit",
    scale: Scale | None = None,
    direction: Direction = "auto",
    guess: float | None = None,
    lapse: Lapse = 0.02,
    prior: Literal["none", "weak"] = "none",
    p_correct: float | None = None,
    task: Task = "mafc",
    n_alternatives: int | None = None,
    signal: str | None = None,
    columns: Mapping[str, str] | Sequence[str] | None = None,
    id_pattern: str | None = None,
    include_excluded: bool = False,
    n_draws: int = 1000,
    seed: int = DEFAULT_SEED,
) -> Result:
    r"""Psychometric functions, d' and criterion, response times, of each person and network in each condition.

    :math:`\psi(x) = \gamma + (1 - \gamma - \lambda) F(x)`, F the logistic, the normal or (``weibull``) the Gumbel of
    the logarithm.

    Parameters
    ----------
    answers : path, sequence of path, table, Trials, AdaptiveProcedure, or mapping of str to AdaptiveProcedure
        Single answers with ``level``, as :func:`beholder.responses.read_trials` reads them; a table with ``level``,
        ``n_right`` and ``n_shown``; logs of staircases and QUEST+ (``.json``), or the procedures. Exports of adaptive
        experiments tell the procedures' own estimates, too. Without levels, d' and response times alone.
    networks : the same, optional
        Answers of networks. Rows of ``answers`` with a decision rule are networks' too.
    by : sequence of str, optional
        Columns that tell conditions apart; default ``condition``, where there are several that do not merely name the
        levels.
    function : {"logit", "probit", "weibull"}
    scale : {"linear", "log"}, optional
        Whether functions are of levels or their logarithms (base 10); default that of the
        procedure, where answers are those of QUEST+; else linear, for ``weibull`` log.
    direction : {"auto", "rising", "falling"}
        Whether higher levels are easier; default by the trend of all answers.
    guess : float, optional
        By design; default 1 over the alternatives (mafc), 1/3 (odd-one-out), 0 (yes-no).
    lapse : float, "free" or "shared"
        Fixed, fitted in each condition, or fitted for all conditions of an observer together.
    prior : {"none", "weak"}
        Maximum likelihood, or the maximum a posteriori with the priors of :func:`fit_psychometric`.
    p_correct : float, optional
        The threshold is the level at this proportion correct; default midway between guessing and 1 - lapse.
    task : {"mafc", "yes-no", "odd-one-out"}
        For d' and for guessing. Of yes-no, levels are those of trials with the signal.
    n_alternatives : int, optional
        Of mafc; default the labels that are right or were answered.
    signal : str, optional
        Of yes-no: the label that says that there is one.
    columns, id_pattern, include_excluded
        As for :func:`beholder.responses.read_trials`.
    n_draws, seed : int
        Of the bootstrap; 0 draws for no intervals.

    Returns
    -------
    Result
        ``kind`` is ``psychometrics``. Statistics: ``threshold`` (of each person in ``subject``, of ``all people``
        pooled, of each network in ``model``, with ``width, guess, lapse, deviance, p_fit``), ``width``, ``lapse rate``,
        ``mean threshold`` over people, ``difference`` between conditions; ``estimate of the procedure``; ``d'``,
        ``criterion``, ``median response time``, and their means over people.

    Raises
    ------
    InputError
        No alternatives that could be counted, levels without logarithms, a yes-no task without its signal.

    Notes
    -----
    Source: Wichmann & Hill 2001, Perception & Psychophysics 63, 1293-1329; Macmillan & Creelman (2005), Detection
    theory.

    Examples
    --------
    >>> table = {"level": [1, 2, 3, 4, 5], "n_right": [21, 24, 33, 39, 40], "n_shown": [40] * 5}
    >>> found = analyze_psychometrics(table, guess=0.5, n_draws=100)
    >>> found.table.query("statistic == 'threshold'")["estimate"].round(1).tolist()
    [2.6]
    """
    _check_names(function, task, prior, lapse)
    options: dict[str, Any] = {
        "columns": columns, "id_pattern": id_pattern, "include_excluded": include_excluded, "further": by or ()
    }  # fmt: skip
    logs, files = _list_logs(answers)
    if files:
        answers = read_value_table(files, {}) if _is_counted(files) else read_trials(*files, **options)
    elif is_trial_table(answers):
        answers = read_trials(answers, **options)
    told: list[str] = []
    parts: list[dict[str, Any]] = [list_log_trials(logs)] if logs else []
    if files or not logs:
        table, told = list_columns_of(answers)
        parts.append(table)
    if networks is not None:
        own, more = _read_networks(networks, options)
        parts.append(own)
        told += more
    table = _join(parts)
    chosen = list(by) if by is not None else _choose_by(table)
    table, lacking = _leave_out_untold(table, chosen)
    m = n_alternatives or (0 if task != "mafc" else max(find_alternatives(table), count_choices(answers)))
    procedures = [*logs, *read_export_logs(files, include_excluded)]
    used_scale, words = find_scale(scale, function, procedures)
    rows: list[dict[str, Any]] = [row if chosen else row | {"target": ""} for row in describe_logs(procedures)]
    notes: list[str] = lacking
    settings: dict[str, Any] = {
        "by": chosen, "function": function, "guess": guess, "lapse": lapse, "prior": prior, "p_correct": p_correct,
        "direction": direction, "task": task, "n_alternatives": m, "signal": signal, "n_draws": n_draws, "seed": seed,
        "read": [*told, *words],
        "columns": parse_columns(columns), "id_pattern": id_pattern, "include_excluded": include_excluded,
        "networks": _list_networks(table),
        "scale": used_scale, "falling": False,
        "content": identify_columns(table),
    }  # fmt: skip
    arrays: dict[str, np.ndarray] = {}
    sensitivity: list[dict[str, Any]] = []
    if "correct" in table and "n_right" not in table and (m > 1 or task != "mafc") and not logs:
        sensitivity, more = compute_sensitivity(table, chosen, task, m, signal)
        notes += more
    if _has_values(table, "level"):
        guessing = _find_guess(guess, task, m)
        levelled = _keep_signals(table, signal) if task == "yes-no" else table
        without = sum(not math.isfinite(float(each)) for each in levelled["level"])
        if without:
            notes.append(f"{format_count(without, 'answer')} without a level: not in the functions.")
        counts = count_levels(levelled, chosen)
        moved = choose_scale(counts, settings["scale"], direction)
        how = FitSettings(_FUNCTIONS[function], guessing, lapse, prior, p_correct, n_draws, seed)
        found, more = fit_thresholds(counts, moved, how)
        rows += found
        notes += more
        settings |= {"guess": guessing, "falling": moved.falling}
        arrays = _keep_counts(counts, moved)
    rows += sensitivity
    if _has_values(table, "rt"):
        rows += summarize_times(table, chosen)
    if not rows:
        raise InputError("answers with levels, alternatives or response times", got=", ".join(table))
    return make_result("psychometrics", rows, settings, warnings=notes, arrays=arrays)


def _check_names(function: str, task: str, prior: str, lapse: Any) -> None:
    for name, value, known in (
        ("psychometric function", function, list(_FUNCTIONS)), ("task", task, list(TASKS)),
        ("prior", prior, ["none", "weak"]),
    ):  # fmt: skip
        if value not in known:
            raise UnknownNameError(name, value, known)
    if isinstance(lapse, str) and lapse not in ("free", "shared"):
        raise InputError("a lapse rate, free or shared", got=lapse)


def _list_logs(answers: Any) -> tuple[list[tuple[str, str, AdaptiveProcedure]], list[Path]]:
    """Logs of procedures among what was given, and the other files."""
    if isinstance(answers, AdaptiveProcedure):
        answers = {"one observer": answers}
    if isinstance(answers, Mapping):
        given = cast(Mapping[Any, Any], answers)
        if given and all(isinstance(each, AdaptiveProcedure) for each in given.values()):
            return [(str(name), "", each) for name, each in given.items()], []
    paths = list_paths(answers)
    logs = [log for path in paths if path.suffix == ".json" for log in read_logs(path)]
    return logs, [path for path in paths if path.suffix != ".json"]


def _read_networks(networks: Any, options: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Columns of networks' answers, marked as theirs, and sentences on them."""
    sources: list[Any] = [*list_paths(networks)] or ([networks] if is_trial_table(networks) else [])
    own, told = list_columns_of(read_trials(*sources, **options) if sources else networks)
    return own | {"network": [True] * len(next(iter(own.values())))}, told


def _is_counted(paths: Sequence[Path]) -> bool:
    """Whether tables count right answers at levels, rather than hold single ones."""
    from beholder._core.tables import read_rows

    if not all(path.is_file() and path.suffix == ".csv" for path in paths):
        return False
    head = next(read_rows(paths[0]), list[str]())
    return {"level", "n_right", "n_shown"} <= set(head)


def _join(parts: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Columns of several tables, one below the other; networks by their decision rule, where they are not told."""
    names = list(dict.fromkeys(name for part in parts for name in part))
    joined: dict[str, list[Any]] = {name: [] for name in names}
    is_network: list[bool] = []
    for part in parts:
        n = len(next(iter(part.values())))
        for name in names:
            nothing: Any = float("nan") if name in ("level", "rt", "confidence") else ""
            joined[name] += list(part.get(name, [nothing] * n))
        rules = [str(each) for each in part.get("rule", [""] * n)]
        is_network += [
            bool(own) or bool(rule) for own, rule in zip(part.get("network", [False] * n), rules, strict=True)
        ]
    joined["network"] = is_network
    return joined


def _leave_out_untold(table: dict[str, list[Any]], by: Sequence[str]) -> tuple[dict[str, list[Any]], list[str]]:
    """Answers that tell their condition, and a note on the others."""
    columns = [table[name] for name in by if name in table and name not in ("model", "layer")]
    told = [all(str(each).strip() not in ("", "nan") for each in cells) for cells in zip(*columns, strict=True)]
    if all(told):
        return table, []
    kept = {name: [cell for cell, has in zip(cells, told, strict=True) if has] for name, cells in table.items()}
    return kept, [f"{format_count(told.count(False), 'answer')} without {' or '.join(by)} left out."]


def _choose_by(table: Mapping[str, Any]) -> list[str]:
    """Conditions, unless each is the name of one level."""
    conditions = [str(each) for each in table.get("condition", ())]
    if len(set(conditions)) < 2:
        return []
    pairs = {pair for pair in zip(conditions, table.get("level", conditions), strict=True) if pair[1] == pair[1]}
    is_level = _has_values(table, "level") and len(pairs) == len({condition for condition, _ in pairs})
    return [] if is_level else ["condition"]


def _list_networks(table: Mapping[str, Any]) -> list[str]:
    pairs = zip(table.get("participant", ()), table["network"], strict=False)
    return sorted({str(name) for name, is_network in pairs if is_network})


def _has_values(table: Mapping[str, Any], name: str) -> bool:
    return any(np.isfinite(float(each)) for each in table.get(name, ()))


def _find_guess(guess: float | None, task: Task, m: int) -> float:
    if guess is not None:
        return guess
    if task == "mafc" and m < 2:
        raise InputError(
            "the guess rate of the design", got="answers that do not tell how many alternatives there were",
            hint="--guess 0.5 or --n_alternatives 2",
        )  # fmt: skip
    return {"mafc": 1 / max(m, 1), "yes-no": 0.0, "odd-one-out": 1 / 3}[task]


def _keep_signals(table: Mapping[str, Any], signal: str | None) -> dict[str, list[Any]]:
    """Trials of a yes-no task in which there is a signal."""
    keep = [str(each) == signal for each in table.get("truth", ())]
    return {name: [cell for cell, kept in zip(column, keep, strict=True) if kept] for name, column in table.items()}


def _keep_counts(counts: Sequence[Any], scale: LevelScale) -> dict[str, np.ndarray]:
    """What pictures need: right answers by observer, condition and level."""
    rows = [
        (each.observer, each.condition, each.is_network, float(level), int(right), int(shown))
        for each in counts
        for level, right, shown in zip(each.levels, each.n_right, each.n_shown, strict=True)
    ]
    names = ("observer", "condition", "network", "level", "n_right", "n_shown")
    return {f"counts {name}": np.array([row[place] for row in rows]) for place, name in enumerate(names)}
