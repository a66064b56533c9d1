"""What an agreement of observers found, in words: sentences for people, and the paragraph for a paper."""

from __future__ import annotations

import math
from typing import Any

from beholder._core.wording import flow_text, format_count
from beholder.analysis._result import Result, format_estimate, format_p
from beholder.analysis.kinds._telling import format_value

KAPPA, CONFUSIONS = "error consistency", "confusion correlation"
MEAN, CEILING, FROM_PEOPLE, DIFFERENCE, PAIR = (
    "mean over people", "people with one another", "less people with one another", "difference", "pair",
)  # fmt: skip
ALL = "all conditions"
_MOST_TOLD = 6


def ask_agreement(result: Result) -> str:
    """The question: do networks and people fail on the same stimuli."""
    people, networks = result.settings["people"], result.settings["networks"]
    if not networks:
        return "Do people fail on the same stimuli?"
    who = networks[0] if len(networks) == 1 else "networks"
    return f"Do {who} and people fail on the same stimuli?" if people else "Do networks fail on the same stimuli?"


def pick_rows(result: Result, statistic: str, method: str = KAPPA, target: str | None = None) -> Any:
    """Rows of one statistic, by default over all conditions."""
    table: Any = result.table
    whole = find_target(result) if target is None else target
    return table[(table["statistic"] == statistic) & (table["method"] == method) & (table["target"] == whole)]


def find_target(result: Result) -> str:
    """What stands for all conditions: the only one, or all."""
    conditions = result.settings["conditions"]
    return str(conditions[0]) if len(conditions) == 1 else ALL


def tell_agreement(result: Result) -> list[str]:
    """Networks from the most to the least consistent, people with one another, differences, confusions."""
    means = pick_rows(result, MEAN).sort_values("estimate", ascending=False, kind="stable").to_dict("records")
    told = [_tell_network(result, row) for row in means[:_MOST_TOLD]]
    if len(means) > _MOST_TOLD:
        told.append(f"{len(means) - _MOST_TOLD} further networks are in the table.")
    told += [_tell_people(result, row) for row in pick_rows(result, CEILING).to_dict("records")]
    if not means and not told:
        told += _tell_pairs(result)
    told += _tell_differences(result)
    told += _tell_confusions(result)
    return told + [str(each) for each in result.settings["sentences"]]


def _value(row: dict[str, Any], symbol: str) -> str:
    return f"{symbol} is not defined" if math.isnan(row["estimate"]) else format_value(row, symbol)


def _tell_network(result: Result, row: dict[str, Any]) -> str:
    people = _count_people(row)
    if math.isnan(row["estimate"]):
        return (
            f"{row['model']} and people: error consistency is not defined, all are right (or wrong) on every stimulus."
        )
    p = format_p(row["p_corrected"]) + (" corrected" if len(result.settings["networks"]) > 1 else "")
    if not row["p_corrected"] < 0.05:
        how = "does not fail on the same stimuli as people significantly more or less often than by chance"
        how = how if math.isfinite(row["p_corrected"]) else "and people failing on the same stimuli"
    else:
        often = "more" if row["estimate"] > 0 else "less"
        how = f"fails on the same stimuli as people {often} often than by chance"
    bounds = f"{format_estimate(row['low_bound'])} to {format_estimate(row['high_bound'])}"
    needed = ""
    if math.isfinite(row["n_for_width"]):
        needed = (
            f"; with one person, an interval {format_estimate(result.settings['width'])} wide takes "
            f"{row['n_for_width']:,.0f} stimuli"
        )
    return (
        f"{row['model']} {how}: {_value(row, 'κ')}, {p}, n = {people}, {row['n']:,} stimuli; accuracies "
        f"{format_estimate(row['accuracy'])} and {format_estimate(row['accuracy_other'])} allow {bounds}{needed}."
    )


def _count_people(row: dict[str, Any]) -> str:
    n = int(row["n_people"])
    return "1 person" if n == 1 else f"{n} people"


def _tell_people(result: Result, row: dict[str, Any]) -> str:
    if math.isnan(row["estimate"]):
        return f"People with one another: κ is not defined, n = {_count_people(row)}."
    told = f"People with one another: {_value(row, 'κ')}, {format_p(row['p'])}, n = {_count_people(row)}"
    less = pick_rows(result, FROM_PEOPLE).to_dict("records")
    if not less:
        return f"{told}."
    if len(less) == 1:
        return f"{told}; {less[0]['model']} less that: {_value(less[0], 'κ')[4:]}, {format_p(less[0]['p'])}."
    below, above = (
        sum(each["p_corrected"] < 0.05 and sign * each["estimate"] > 0 for each in less) for sign in (-1, 1)
    )
    return f"{told}; {below} of {len(less)} networks are below that and {above} above (corrected)."


def _tell_pairs(result: Result) -> list[str]:
    """Of observers without people: the most and the least consistent two."""
    table: Any = result.table
    rows = table[(table["statistic"] == PAIR) & table["estimate"].notna()]
    if not len(rows):
        return ["No error consistency is defined."]
    ordered = rows.sort_values("estimate", kind="stable").to_dict("records")
    told: list[str] = []
    for row in (ordered[-1], *([ordered[0]] if len(ordered) > 1 else [])):
        told.append(f"{row['model'] or row['subject']} and {row['other']}: {_value(row, 'κ')}, {format_p(row['p'])}.")
    return told


def _tell_differences(result: Result) -> list[str]:
    rows = pick_rows(result, DIFFERENCE).to_dict("records")
    if not rows:
        return []
    if len(rows) == 1:
        row = rows[0]
        return [f"{row['model']} less {row['other']}: {_value(row, 'κ').replace('κ = ', '')}, {format_p(row['p'])}."]
    differ = sum(row["p_corrected"] < 0.05 for row in rows)
    return [f"{differ} of {len(rows)} pairs of networks differ in their error consistency with people (corrected)."]


def _tell_confusions(result: Result) -> list[str]:
    ceiling = pick_rows(result, CEILING, CONFUSIONS).to_dict("records")
    means = pick_rows(result, MEAN, CONFUSIONS).sort_values("estimate", ascending=False, kind="stable")
    if not ceiling:
        return []
    told = [f"{row['model']} {_value(row, 'r')}" for row in means.head(_MOST_TOLD).to_dict("records")]
    networks = f"of {'; '.join(told)}; " if told else ""
    return [
        f"Wrong answers correlate with those of people: {networks}of one person with the others "
        f"{_value(ceiling[0], 'r')}."
    ]


_OVER = {
    "both": """stimuli and people, each drawn anew and both together; the variance is corrected for the noise that
    drawing both counts twice (Schütt et al., 2023), and taken by the t distribution""",
    "stimuli": "stimuli alone, by the t distribution",
    "people": "people alone, by the t distribution",
}


def describe_agreement(result: Result) -> str:
    """The Methods paragraph."""
    asked = result.settings
    n_people, n_nets, conditions = len(asked["people"]), len(asked["networks"]), asked["conditions"]
    who = [format_count(n_nets, "network")] if n_nets else []
    who += ["1 person" if n_people == 1 else f"{n_people} people"] if n_people else []
    averaged = "" if len(conditions) < 2 else f" in each of {len(conditions)} conditions, then over conditions and"
    test = (
        f"""p values against 0 are two-sided, from {asked["n_permutations"]:,} shuffles of a network's right and wrong
        answers over stimuli within conditions (Phipson & Smyth, 2010), corrected for the number of networks by the
        largest in each shuffle (Nichols & Holmes, 2002)."""
        if asked["n_permutations"]
        else ""
    )
    means = (
        f"""Error consistency with people was averaged{averaged or " over people"}{" over people" if averaged else ""};
        the ceiling is that of every person with every other. Intervals (95 %) are from {asked["n_draws"]:,} bootstrap
        draws of {_OVER[asked["over"]]}. {test}
        p values of differences are two-sided, by the t distribution, corrected for their number by Holm's method."""
        if n_people
        else ""
    )
    has_confusions = bool(len(pick_rows(result, CEILING, CONFUSIONS)))
    confusions = (
        """Confusion matrices were compared by Pearson's correlation of the proportions of wrong answers to each class,
        each network's and each person's with the pooled matrix of all people but one, averaged over who was left
        out."""
        if has_confusions
        else ""
    )
    cited = [
        "Geirhos, R., Meding, K. & Wichmann, F. A. (2020). Beyond accuracy: quantifying trial-by-trial behaviour of "
        "CNNs and humans by measuring error consistency. NeurIPS 33.",
        "Cohen, J. (1960). A coefficient of agreement for nominal scales. Educ. Psychol. Meas. 20, 37-46.",
    ]
    if n_people:
        cited += [
            "Phipson, B. & Smyth, G. K. (2010). Permutation p-values should never be zero. Stat. Appl. Genet. Mol. "
            "Biol. 9:39.",
            "Nichols, T. E. & Holmes, A. P. (2002). Nonparametric permutation tests for functional neuroimaging. Hum. "
            "Brain Mapp. 15, 1-25.",
            "Schütt, H. H. et al. (2023). Statistical inference on representational geometries. eLife 12:e82566.",
        ]
    return flow_text(
        f"""Whether observers fail on the same stimuli was measured for {" and ".join(who)} on
        {asked["n_stimuli"]:,} stimuli by error consistency, Cohen's kappa of right and wrong answers (Geirhos et al.,
        2020; Cohen, 1960), signed; pairs that are right, or wrong, on every stimulus have none. Intervals of pairs are
        over stimuli, their p values exact (Fisher). {means} {confusions} Seed {asked["seed"]}. References:
        {" ".join(cited)}"""
    )
