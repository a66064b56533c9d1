"""How many participants or stimuli an experiment needs, by simulation from pilot data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.progress import Advance, show_progress
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.wording import format_count, format_share
from beholder.analysis._join import identify_input
from beholder.analysis._result import Result, make_result
from beholder.analysis.people._designs import Design, design_from_file, design_from_matrix, design_from_table
from beholder.analysis.people._logs import find_scale, read_export_logs
from beholder.analysis.people._pilots import (
    draw_thresholds,
    estimate_accuracy_effect,
    join_answers,
    simulate_anova_power,
)
from beholder.analysis.people._sensitivity import count_choices, find_alternatives
from beholder.analysis.people._values import identify_columns, list_columns_of, list_paths
from beholder.responses import MATRIX_SUFFIXES, parse_columns, read_trials
from beholder.statistics import simulate_kappa_power, simulate_power, simulate_t_power, wilson_interval

PowerDesign = Literal["accuracy", "anova", "kappa", "threshold"]
DESIGNS = ("accuracy", "anova", "kappa", "threshold")
_PEOPLE = (5, 10, 15, 20, 30, 40, 60)
_STIMULI = (50, 100, 200, 400, 800, 1600)
_N_DRAWN = 2000
_MOST_WITHOUT = 0.05


@final
@dataclass(frozen=True)
class _Plan:
    """Power of so many participants or stimuli with so many trials, and what was found in the pilot."""

    simulate: Callable[[int, int], float]
    trials: Sequence[int]
    told: dict[str, Any]
    notes: Sequence[str] = ()


@suggest_keywords
def analyze_power(
    pilot: Any,
    *,
    design: PowerDesign,
    n: Sequence[int] | None = None,
    trials: Sequence[int] | None = None,
    condition: str = "condition",
    effect: str | None = None,
    within: Sequence[str] | None = None,
    between: Sequence[str] | None = None,
    compared: Sequence[str] | None = None,
    function: Literal["logit", "probit", "weibull"] = "logit",
    scale: Literal["linear", "log"] | None = None,
    guess: float | None = None,
    lapse: float = 0.02,
    effect_scale: float = 1.0,
    alpha: float = 0.05,
    target_power: float = 0.8,
    columns: Mapping[str, str] | Sequence[str] | None = None,
    id_pattern: str | None = None,
    include_excluded: bool = False,
    n_simulations: int = 500,
    seed: int = DEFAULT_SEED,
) -> Result:
    """Power over numbers of participants or stimuli, by drawing experiments from pilot data and testing each.

    Parameters
    ----------
    pilot : path, sequence of path, table, Trials; of design anova also a matrix or (n_participants, n_stages, 2)
        Single answers as :func:`beholder.responses.read_trials` reads them.
    design : {"accuracy", "anova", "kappa", "threshold"}
        A difference of right answers between two conditions (t-test, or min F'); an effect of an analysis of variance;
        which of two networks fails more like people; a difference of thresholds between two conditions (paired t-test).
    n : sequence of int, optional
        Participants (kappa: stimuli) to try; of conditions or groups between participants, in each.
    trials : sequence of int, optional
        Of a participant in each condition (threshold: at each level, too); default as in the pilot.
    condition : str
        Column of the two conditions.
    effect : str, optional
        Of anova: ``observer:stage``; default the interaction of all factors.
    within, between : sequence of str, optional
        Of anova, of tables: columns of factors.
    compared : sequence of str, optional
        Of kappa: two networks among the participants; default those with a decision rule.
    function, scale, guess, lapse
        Of threshold: as for :func:`analyze_psychometrics`.
    effect_scale : float
        What the pilot's effect is multiplied by: pilots that led to an experiment overestimate effects.
    alpha, target_power : float in (0, 1)
    columns, id_pattern, include_excluded
        As for :func:`beholder.responses.read_trials`.
    n_simulations, seed : int

    Returns
    -------
    Result
        ``kind`` is ``power``. Statistics: ``power`` (``n`` participants or stimuli, ``n_trials``; Wilson's interval
        over the drawn experiments) and ``needed``, the least of those tried that reaches ``target_power``; NaN where
        none does.

    Raises
    ------
    InputError
        Pilot data without two conditions, two networks, levels; numbers out of their range.

    Examples
    --------
    >>> values = np.random.default_rng(0).normal([[0.9, 0.9], [0.6, 0.9]], 0.1, (8, 2, 2))
    >>> found = analyze_power(values, design="anova", n=[4, 12], n_simulations=50)
    >>> [float(each) for each in found.table.query("statistic == 'power'")["n"]]
    [4.0, 12.0]
    """
    if design not in DESIGNS:
        raise UnknownNameError("design", design, list(DESIGNS))
    if not 0 < alpha < 1 or not alpha < target_power < 1 or n_simulations < 1:
        raise InputError(
            "0 < alpha < target_power < 1 and a simulation or more", got=f"{alpha:g}, {target_power:g}, {n_simulations}"
        )
    paths = list_paths(pilot)
    table: dict[str, Any] = {}
    told: list[str] = []
    is_matrix = any(path.suffix in MATRIX_SUFFIXES for path in paths) or not (paths or _is_table(pilot))
    if design != "anova" or not is_matrix:
        if paths:
            factors = [*(within or ()), *(between or ())] if design == "anova" and (within or between) else [condition]
            pilot = read_trials(
                *paths, columns=columns, id_pattern=id_pattern, include_excluded=include_excluded,
                further=[] if design == "kappa" else factors,
            )  # fmt: skip
        table, told = list_columns_of(pilot)
    drawn = {"alpha": alpha, "n_simulations": n_simulations, "seed": seed}
    if design == "anova":
        factors = (within, between) if within or between else ([condition], None)
        cells = _open_matrix(paths, pilot) if not table else design_from_table(
            table, "correct", factors[0] or (), factors[1] or (), "participant"
        )  # fmt: skip
        plan = _plan_anova(cells, effect, effect_scale, drawn)
    elif design == "accuracy":
        _check_columns(table, "correct", "participant", "stimulus", condition)
        plan = _plan_accuracy(table, condition, trials, effect_scale, drawn)
    elif design == "kappa":
        _check_columns(table, "correct", "participant", "stimulus")
        plan = _plan_kappa(table, compared, effect_scale, drawn)
    else:
        _check_columns(table, "correct", "participant", "level", condition)
        scale, words = find_scale(scale, function, read_export_logs(paths, include_excluded))
        log, told = scale == "log", [*told, *words]
        guessing = guess if guess is not None else 1 / max(find_alternatives(table), count_choices(pilot), 1)
        if guessing >= 1:
            raise InputError("the guess rate of the design", got="none told", hint="--guess 0.5")
        form = {"function": "gumbel" if function == "weibull" else function, "log": log, "guess": guessing}
        plan = _plan_threshold(table, condition, trials, form | {"lapse": lapse, "scale": effect_scale}, drawn)
    counts = sorted(set(n or (_STIMULI if design == "kappa" else _PEOPLE)))
    rows = _make_rows(plan, counts, design, target_power, n_simulations, seed)
    settings: dict[str, Any] = {
        "design": design, "effect": effect, "effect_scale": effect_scale, "alpha": alpha, "target_power": target_power,
        "n_simulations": n_simulations, "seed": seed, "columns": parse_columns(columns), "id_pattern": id_pattern,
        "include_excluded": include_excluded, "condition": condition, "within": list(within or ()),
        "between": list(between or ()), "function": function, "scale": scale, "guess": guess, "lapse": lapse,
        "read": told, "n": counts, "trials": list(plan.trials), "each": False,
        "content": identify_columns(table),
    }  # fmt: skip
    return make_result("power", rows, settings | plan.told, warnings=plan.notes)


def _plan_anova(cells: Design, effect: str | None, scale: float, drawn: dict[str, Any]) -> _Plan:
    name = effect or ":".join([*cells.between, *cells.within])
    told = {"effect": name, "kind": cells.kind, "n_pilot": len(cells.rows), "each": bool(cells.between),
            "matrix": identify_input(cells.values)}  # fmt: skip

    def simulate(n: int, _: int) -> float:
        return simulate_anova_power(cells, name, n, scale=scale, **drawn)

    return _Plan(simulate, [0], told, cells.notes)


def _plan_accuracy(
    table: Mapping[str, Any], condition: str, trials: Sequence[int] | None, scale: float, drawn: dict[str, Any]
) -> _Plan:
    effect, told = estimate_accuracy_effect(table, condition, scale)
    notes = [f"{warning[0].upper()}{warning[1:]}." for warning in told.pop("warnings")]
    told |= {"proportions": [effect.proportion_1, effect.proportion_2], "kind": effect.design, "items": effect.items,
             "each": effect.design == "between"}  # fmt: skip

    def simulate(n: int, m: int) -> float:
        return simulate_power(effect, n, m, **drawn)

    return _Plan(simulate, sorted(trials or [told.pop("n_trials")]), told, notes)


def _plan_kappa(table: Mapping[str, Any], compared: Sequence[str] | None, scale: float, drawn: dict[str, Any]) -> _Plan:
    names = list(compared or _list_networks(table))
    first, second, people = join_answers(table, names)
    told = {"compared": names, "n_pilot": len(first), "n_people": len(people)}

    def simulate(n: int, _: int) -> float:
        return simulate_kappa_power(first, second, people, n, scale=scale, **drawn)

    return _Plan(simulate, [0], told)


def _plan_threshold(
    table: Mapping[str, Any], condition: str, trials: Sequence[int] | None, form: dict[str, Any], drawn: dict[str, Any]
) -> _Plan:
    draws: dict[int, np.ndarray] = {}
    told: dict[str, Any] = {}
    notes: list[str] = []
    for m in sorted(trials or [0]):
        found, told = draw_thresholds(table, [condition], m or None, n_people=_N_DRAWN, seed=drawn["seed"], **form)
        draws[told.pop("n_trials")] = found
        without = told.pop("share_without")
        if not told["effect_sd"]:
            notes.append(
                f"The {format_count(told['n_pilot'], 'person')} of the pilot do not "
                "differ in their effect beyond noise; where others do"
                " differ, power is less."
            )
        if without > _MOST_WITHOUT:
            notes.append(f"{format_share(without)} of the drawn people have no threshold within the levels.")

    def simulate(n: int, m: int) -> float:
        return simulate_t_power(draws[m], n, **drawn)

    return _Plan(simulate, list(draws), told | {"log": form["log"]}, notes)


def _check_columns(table: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if name not in table:
            raise UnknownNameError("column", name, list(table))


def _make_rows(
    plan: _Plan, counts: Sequence[int], design: str, target: float, n_simulations: int, seed: int
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    total = n_simulations * len(plan.trials) * len(counts)
    with show_progress("power", total, "experiments", tells_end=False) as advance:
        powers_of = {m: [_count(plan.simulate(k, m), n_simulations, advance) for k in counts] for m in plan.trials}
    for m, powers in powers_of.items():
        shared = {"target": str(plan.told.get("effect") or design), "method": design, "seed": seed, "n_trials": m}
        for k, power in zip(counts, powers, strict=True):
            low, high = (float(end) for end in wilson_interval(round(power * n_simulations), n_simulations))
            rows.append(shared | {"statistic": "power", "estimate": power, "low": low, "high": high, "n": k})
        # the least number from which on power stays, so that one lucky simulation does not decide
        reached = [k for place, k in enumerate(counts) if all(power >= target for power in powers[place:])]
        rows.append(shared | {"statistic": "needed", "estimate": reached[0] if reached else None})
    return rows


def _count(power: float, n_simulations: int, advance: Advance) -> float:
    """The same power, of experiments that are drawn."""
    if math.isnan(power):
        raise InputError("observers who are neither always right nor always wrong", got="some who are")
    advance(n_simulations)
    return power


def _is_table(pilot: Any) -> bool:
    return hasattr(pilot, "columns") or hasattr(pilot, "keys") or hasattr(pilot, "table")


def _open_matrix(paths: Sequence[Any], pilot: Any) -> Design:
    if not paths:
        return design_from_matrix(pilot)
    if len(paths) > 1:
        raise InputError("one matrix", got=str(len(paths)))
    return design_from_file(paths[0])


def _list_networks(table: Mapping[str, Any]) -> list[str]:
    pairs = zip(table["participant"], table.get("rule", [""] * len(table["participant"])), strict=True)
    return sorted({str(name) for name, rule in pairs if str(rule)})
