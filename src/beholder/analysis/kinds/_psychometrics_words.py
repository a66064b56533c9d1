"""What psychometric analyses found, in words."""

from __future__ import annotations

import math
from typing import Any

from beholder._core.wording import flow_text, format_count
from beholder.analysis._result import Result, format_p
from beholder.analysis.kinds._telling import pick_rows
from beholder.analysis.people._thresholds import POOLED

_MOST_TOLD = 6
_NAMES = {"logit": "logistic", "logistic": "logistic", "probit": "cumulative normal", "normal": "cumulative normal",
          "weibull": "Weibull"}  # fmt: skip


def name_condition(condition: str) -> str:
    """A condition for people."""
    return condition


def ask_psychometrics(result: Result) -> str:
    """The question."""
    if pick_rows(result, "threshold") or pick_rows(result, "estimate of the procedure"):
        return (
            "At which level do people and networks see it?" if result.settings["networks"] else "Where are thresholds?"
        )
    return "How well are stimuli told apart, and how fast?"


def tell_psychometrics(result: Result) -> list[str]:
    """Thresholds first, then their differences, sensitivity and times."""
    told: list[str] = []
    means = {row["target"]: row for row in pick_rows(result, "mean threshold")}
    rows = pick_rows(result, "threshold")
    for condition in dict.fromkeys(row["target"] for row in rows):
        parts: list[str] = []
        here = [row for row in rows if row["target"] == condition]
        if condition in means:
            mean = means[condition]
            fewer = f" of {int(mean['n_asked'])}, whose thresholds lie within the levels" * (
                mean["n"] < mean["n_asked"]
            )
            told_of = f"people {_tell(mean)}, n = {mean['n']}{fewer}"
            parts.append(
                told_of
                if mean["n"]
                else f"none of {format_count(int(mean['n_asked']), 'person')} has one within the levels"
            )
        single = [row for row in here if row["model"] or (condition not in means and row["subject"] != POOLED)]
        parts += [
            f"{row['model'] or row['subject']} {_tell(row)}, n = {format_count(row['n'], 'answer')}"
            for row in single[:_MOST_TOLD]
        ]
        where = f" in {name_condition(condition)}" if condition else ""
        told.append(f"Threshold{where} ({_name_criterion(result)}): {'; '.join(parts)}.")
    for row in pick_rows(result, "difference")[:_MOST_TOLD]:
        told.append(
            f"{row['target']} less {row['other']}: {_format(row['estimate'])} [{_format(row['low'])}, "
            f"{_format(row['high'])}]{' decades' if result.settings['scale'] == 'log' else ''}, "
            f"{format_p(row['p_corrected'])} corrected, n = {format_count(row['n'], 'person')}."
        )
    if result.settings["falling"]:
        told.append("Higher levels are harder.")
    for row in pick_rows(result, "estimate of the procedure")[:_MOST_TOLD]:
        told.append(
            f"{row['subject']}{' in ' + row['target'] if row['target'] else ''}: the procedure ({row['method']}) puts "
            f"{100 * row['p_correct']:.3g} % right at {_tell(row)}, n = {format_count(row['n'], 'answer')}."
        )
    for name in ("d'", "criterion", "median response time, right answers"):
        told += _tell_measure(result, name)
    return [*told, *result.settings["read"]]


def _tell_measure(result: Result, name: str) -> list[str]:
    means = pick_rows(result, f"mean {name}")
    rows = means + [row for row in pick_rows(result, name) if row["model"] or not means]
    if not rows:
        return []
    parts: list[str] = []
    for row in rows[:_MOST_TOLD]:
        who = row["model"] or row["subject"] or "people"
        where = f" in {name_condition(row['target'])}" if row["target"] else ""
        parts.append(f"{who}{where} {_tell(row)}, n = {row['n']:,}")
    more = f"; {len(rows) - _MOST_TOLD} more in the table" if len(rows) > _MOST_TOLD else ""
    label = f"{name}, in seconds" if "time" in name else f"{name} ({rows[0]['method']})"
    start = label if name == "d'" else label[0].upper() + label[1:]
    return [f"{start}: {'; '.join(parts)}{more}."]


def _name_criterion(result: Result) -> str:
    p = result.settings["p_correct"]
    return f"at {100 * p:.3g} % right" if p is not None else "midway between guessing and lapsing"


def _tell(row: dict[str, Any]) -> str:
    if math.isnan(row["estimate"]):
        return "not determined by the answers"
    ends = "" if math.isnan(row["low"]) else f" [{_format(row['low'])}, {_format(row['high'])}]"
    return f"{_format(row['estimate'])}{ends}"


def _format(value: float) -> str:
    if math.isinf(value):
        return "−∞" if value < 0 else "∞"
    return f"{value:.3g}".replace("-", "−")


def describe_psychometrics(result: Result) -> str:
    """The Methods paragraph."""
    asked = result.settings
    cited: list[str] = []
    parts: list[str] = []
    if pick_rows(result, "threshold"):
        lapse = asked["lapse"]
        lapsed = {
            "free": "a lapse rate fitted in each condition",
            "shared": "one fitted lapse rate for all conditions of an observer",
        }
        prior = (
            """the maximum a posteriori, with a normal prior of the threshold (mean the middle of the levels, standard
            deviation their range), a normal prior of the width's logarithm (mean that of half the range, standard
            deviation 1)"""
            + (" and a Beta(1, 10) prior of the lapse rate" if isinstance(lapse, str) else "")
            if asked["prior"] == "weak"
            else "maximum likelihood"
        )
        logs = " of the logarithm (base 10) of levels" if asked["scale"] == "log" else " of levels"
        negated = ", negated, since higher levels are harder" if asked["falling"] else ""
        drawn = (
            f"""Intervals are 95 %, percentiles of {format_count(asked["n_draws"], "draw")} of the answers
            (seed {asked["seed"]}); p
            of the fit is the proportion of draws from the fitted function with a deviance as large."""
            if asked["n_draws"]
            else ""
        )
        parts.append(
            f"""Psychometric functions, {_NAMES[asked["function"]]}{logs}{negated}, with a guess rate of
            {asked["guess"]:.3g} and {lapsed.get(str(lapse), f"a lapse rate of {lapse}")}, were fitted to each
            observer's answers by {prior} (Wichmann & Hill, 2001). The threshold lies {_name_criterion(result)}. {drawn}
            Means over people leave out thresholds outside the levels; conditions were compared by paired t-tests,
            corrected by Holm's method (1979)."""
        )
        cited += ["Holm, S. (1979). Scandinavian Journal of Statistics 6, 65-70.",
                  "Wichmann, F. A. & Hill, N. J. (2001). Perception & Psychophysics 63, 1293-1329."]  # fmt: skip
    methods = {row["method"] for row in pick_rows(result, "estimate of the procedure")}
    if "up_down" in methods:
        parts.append("Thresholds of staircases are the means of their last reversals (Levitt, 1971).")
        cited.append("Levitt, H. (1971). Journal of the Acoustical Society of America 49, 467-477.")
    if "quest+" in methods:
        parts.append("Thresholds of QUEST+ follow from the means of its posterior (Watson, 2017).")
        cited.append("Watson, A. B. (2017). Journal of Vision 17(3):10.")
    if pick_rows(result, "d'"):
        how = {
            "yes-no": """d' = z(H) - z(F) and c = -(z(H) + z(F)) / 2 from hit and false-alarm rates with the log-linear
            correction (Hautus, 1995)""",
            "mafc": f"d' of a choice among {asked['n_alternatives']} alternatives from the proportion correct",
            "odd-one-out": "d' of the odd one out of three from the proportion correct (Frijters et al., 1980)",
        }[asked["task"]]
        parts.append(f"Sensitivity is {how} (Macmillan & Creelman, 2005).")
        cited.append("Macmillan, N. A. & Creelman, C. D. (2005). Detection theory. Erlbaum.")
        if asked["task"] == "yes-no":
            cited.append("Hautus, M. J. (1995). Behavior Research Methods 27, 46-51.")
        if asked["task"] == "odd-one-out":
            cited.append("Frijters, J. E. R. et al. (1980). Perception & Psychophysics 27, 176-178.")
    if pick_rows(result, "median response time, all answers"):
        parts.append("Response times are medians, of right answers and of all.")
    parts.append("Means over people have Student's t intervals.")
    return flow_text(f"{' '.join(parts)} {'References: ' + ' '.join(sorted(cited)) if cited else ''}")
