"""Sensitivity, criterion and response times of observers in conditions, as rows of a result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.wording import format_count
from beholder.analysis.people._levels import list_observers, sort_observers
from beholder.responses import Trials
from beholder.statistics import (
    compute_criterion,
    compute_dprime,
    compute_mafc_dprime,
    compute_mean_interval,
    compute_oddity_dprime,
    wilson_interval,
)

Task = Literal["mafc", "yes-no", "odd-one-out"]
TASKS = ("mafc", "yes-no", "odd-one-out")
NO_ANSWER = ("", "na", "nan", "none", "n/a")
_Z = 1.959963984540054


def find_alternatives(table: Mapping[str, Any]) -> int:
    """How many alternatives a choice had: labels that are right or were answered; 0 where no table tells.

    >>> find_alternatives({"truth": ["cat", "dog"], "response": ["cat", "na"]})
    2
    """
    labels = {str(each) for name in ("truth", "response") for each in table.get(name, ())}
    return len({label for label in labels if label.casefold() not in NO_ANSWER})


def count_choices(answers: Any) -> int:
    """How many alternatives an experiment says that there were; 0 where none says it."""
    return answers.n_choices if isinstance(answers, Trials) else 0


def compute_sensitivity(
    table: Mapping[str, Any], by: Sequence[str], task: Task, n_alternatives: int, signal: str | None
) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows of d' (and of the criterion, of yes-no), a row an observer and condition, means over people; and notes.

    Parameters
    ----------
    table : mapping of str to column
    by : sequence of str
    task : {"mafc", "yes-no", "odd-one-out"}
    n_alternatives : int
        Of mafc.
    signal : str or None
        Of yes-no: the label (truth and response) that means that there is a signal.

    Raises
    ------
    InputError
        yes-no without a signal, or one that no trial has.
    """
    who, conditions, networks = list_observers(table, by)
    correct = np.array([float(each) for each in table["correct"]])
    truth, response = (
        np.array([str(each) for each in table.get(name, [""] * len(who))]) for name in ("truth", "response")
    )
    if task == "yes-no":
        labels = sorted({label for label in truth.tolist() if label.casefold() not in NO_ANSWER})
        if signal is None:
            raise InputError("--signal LABEL with --task yes-no", got="none", hint=" or ".join(labels[:4]) or None)
        if signal not in labels:
            raise UnknownNameError("label of what is right", signal, labels)
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    for observer, condition in sort_observers(who, conditions, networks):
        own = (who == observer) & (conditions == condition)
        if not own.any():
            continue
        shared = _share(observer, condition, bool(networks[who == observer][0]), int(own.sum()))
        if task == "yes-no":
            found = _detect(truth[own] == signal, response[own] == signal)
            if found is None:
                kinds = (
                    "no trial with the signal" if not (truth[own] == signal).any() else "no trial without the signal"
                )
                notes.append(f"{observer}{f' in {condition}' if condition else ''}: {kinds}, so no d'.")
                continue
            rows += [shared | each for each in found]
            continue
        n_right = int(correct[own].sum())
        rows.append(shared | _choose(n_right, int(own.sum()), task, n_alternatives))
        if n_right in (0, int(own.sum())):
            where = f"{observer}{f' in {condition}' if condition else ''}"
            notes.append(
                f"{where}: all {format_count(own.sum(), 'answer')} are "
                f"{'right' if n_right else 'wrong'}, so d' has no end."
            )
    return rows + average_people(rows), notes


def summarize_times(table: Mapping[str, Any], by: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of response times: medians, quartiles, means; of right answers and of all; medians averaged over people."""
    who, conditions, networks = list_observers(table, by)
    rt = np.array([float(each) for each in table["rt"]])
    right = np.array([bool(each) for each in table["correct"]]) if "correct" in table else np.ones(len(rt), dtype=bool)
    rows: list[dict[str, Any]] = []
    for observer, condition in sort_observers(who, conditions, networks):
        own = (who == observer) & (conditions == condition) & np.isfinite(rt)
        for name, kept in (("right answers", own & right), ("all answers", own)):
            values = rt[kept]
            if not len(values):
                continue
            low, middle, high = np.percentile(values, (25, 50, 75))
            shared = _share(observer, condition, bool(networks[who == observer][0]), len(values))
            rows.append(
                shared | {"statistic": f"median response time, {name}", "method": "seconds", "estimate": float(middle),
                          "rt_q25": float(low), "rt_q75": float(high), "rt_mean": float(values.mean()),
                          "rt_sd": float(values.std(ddof=1)) if len(values) > 1 else None}
            )  # fmt: skip
    return rows + average_people(rows)


def average_people(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over people, with Student's t interval, of each statistic in each condition."""
    groups: dict[tuple[str, str, str], list[float]] = {}
    for row in rows:
        if row["subject"]:
            groups.setdefault((row["statistic"], row["target"], row["method"]), []).append(row["estimate"])
    made: list[dict[str, Any]] = []
    for (statistic, condition, method), values in groups.items():
        known = [value for value in values if math.isfinite(value)]
        if len(values) > 1 and known:
            mean = compute_mean_interval(known)
            made.append(
                {"target": condition, "statistic": f"mean {statistic}", "method": method, "estimate": mean.estimate,
                 "low": mean.low, "high": mean.high, "n": mean.n, "n_asked": len(values)}
            )  # fmt: skip
    return made


def _share(observer: str, condition: str, is_network: bool, n: int) -> dict[str, Any]:
    return {
        "model": observer if is_network else "", "subject": "" if is_network else observer, "target": condition, "n": n,
    }  # fmt: skip


def _detect(is_signal: np.ndarray, said: np.ndarray) -> list[dict[str, Any]] | None:
    """D' and criterion with the log-linear correction; intervals by the variance of normal deviates."""
    from scipy.stats import norm

    n, m = int(is_signal.sum()), int((~is_signal).sum())
    if not n or not m:
        return None
    hits, alarms = int((said & is_signal).sum()), int((said & ~is_signal).sum())
    rates = ((hits + 0.5) / (n + 1), (alarms + 0.5) / (m + 1))
    variance = sum(
        rate * (1 - rate) / (size * float(norm.pdf(norm.ppf(rate))) ** 2)
        for rate, size in zip(rates, (n, m), strict=True)
    )
    found: list[dict[str, Any]] = []
    for name, value, se in (
        ("d'", compute_dprime(hits, n, alarms, m), math.sqrt(variance)),
        ("criterion", compute_criterion(hits, n, alarms, m), math.sqrt(variance) / 2),
    ):
        found.append(
            {"statistic": name, "method": "yes-no, log-linear", "estimate": value, "low": value - _Z * se,
             "high": value + _Z * se, "hit_rate": rates[0], "false_alarm_rate": rates[1]}
        )  # fmt: skip
    return found


def _choose(n_right: int, n: int, task: Task, m: int) -> dict[str, Any]:
    """D' of a choice: that of the proportion correct, and of the ends of its interval (Wilson's)."""
    ends = [float(np.clip(end, 0, 1)) for end in wilson_interval(n_right, n)]
    shares = (n_right / n, *ends)
    if task == "mafc":
        values, method = [compute_mafc_dprime(share, m) for share in shares], f"{m}-alternative choice"
    else:
        values, method = [compute_oddity_dprime(share) for share in shares], "odd one out of three"
    return {"statistic": "d'", "method": method, "estimate": values[0], "low": values[1], "high": values[2]}
