"""How recognition is told in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from beholder._core.wording import flow_text, format_count, format_share
from beholder.analysis._result import Result, format_estimate
from beholder.analysis.kinds._telling import format_value
from beholder.analysis.recognition._cues import POOLED, SHAPE_BIAS
from beholder.analysis.recognition._generators import CORRELATION, MEASURES, RECOGNISED
from beholder.analysis.recognition._proportions import DIFFERENCE, NETWORK, OVER_PEOPLE, PEOPLE, PROPORTION

_MOST_NAMED = 4
RULE_WORDS = {
    "first": "the first class, from the most likely down, that belongs to a category",
    "mean": "the category with the highest mean probability of its classes",
    "max": "the category of the most likely class in any of them",
    "sum": "the category with the highest summed probability of its classes",
}


def pick(result: Result, statistic: str, observer: str | None = None) -> list[dict[str, Any]]:
    """Rows of a statistic that are about all stimuli, not those of one label."""
    table: Any = result.table
    rows = table[table["statistic"] == statistic]
    if observer is not None:
        rows = rows[rows["observer"] == observer]
    if "truth" in rows.columns:
        rows = rows[rows["truth"].fillna("") == ""]
    return rows.to_dict("records")


def ask_recognition(result: Result) -> str:
    """The question."""
    both = bool(result.settings["networks"]) and bool(result.settings["n_people"])
    who = "people and networks" if both else "people" if result.settings["n_people"] else "networks"
    if pick(result, SHAPE_BIAS):
        return f"What do {who} recognise, and by which cue?"
    return f"What do {who} recognise?"


def tell_recognition(result: Result) -> list[str]:
    """Proportions, differences on the same stimuli, shape bias, generators, correlations, what was read."""
    asked = result.settings
    if asked["form"] == "matrices":
        told = [_tell_matrix(result, each) for each in asked["matched"]]
    else:
        told = [_tell_overall(result), *_tell_cells(result), *_tell_differences(result), *_tell_cues(result)]
    told += [*_tell_generators(result), *_tell_measures(result)]
    return [*told, *asked["sentences"]]


def format_percent(row: dict[str, Any]) -> str:
    """A proportion in per cent with its interval.

    >>> format_percent({"estimate": 0.776, "low": 0.7212, "high": 0.83})
    '77.6 % [72.1, 83.0]'
    """
    if math.isnan(row["estimate"]):
        return "not defined"
    proportion = format_share(row["estimate"])
    if math.isnan(row["low"]):
        return proportion
    return f"{proportion} [{100 * row['low']:.1f}, {100 * row['high']:.1f}]"


def _tell_overall(result: Result) -> str:
    asked = result.settings
    rows = [row for row in pick(result, PROPORTION) if row["target"] == "all"]
    parts: list[str] = []
    for row in rows:
        if row["observer"] == PEOPLE:
            n = f"n = {asked['n_people']} {'person' if asked['n_people'] == 1 else 'people'}"
            parts.append(
                f"people are right in {format_percent(row)} of {format_count(row['n_answers'], 'answer')} ({n})"
            )
    networks = [row for row in rows if row["observer"] == NETWORK]
    for row in networks[:_MOST_NAMED]:
        rule = f", rule {row['rule']}" if row["rule"] else ""
        verb = "is right in " if not parts else "in " if any("people" in each for each in parts) else "is right in "
        parts.append(f"{row['model']} {verb}{format_percent(row)} ({_format_stimuli(row)}{rule})")
    if len(networks) > _MOST_NAMED:
        parts.append(f"and {format_count(len(networks) - _MOST_NAMED, 'more network')}")
    chance = asked["chance"]
    guess = f"; chance is {100 * chance:.3g} %" if chance else ""
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}{guess}."


def _format_stimuli(row: dict[str, Any]) -> str:
    return f"{row['n']:,} {'stimulus' if row['n'] == 1 else 'stimuli'}"


def _tell_cells(result: Result) -> list[str]:
    """From the first to the last condition, of people and networks."""
    asked = result.settings
    if len(asked["cells"]) < 2:
        return []
    generators = list(dict.fromkeys(cell["generator"] for cell in asked["cells"] if cell["generator"]))
    panels = [] if generators else list(dict.fromkeys(cell["panel"] for cell in asked["cells"]))
    told = [
        *(_tell_span(result, f"Made for {name}", "generator", ("", name)) for name in generators[:_MOST_NAMED]),
        *(_tell_span(result, name or f"By {' and '.join(asked['by'])}", "panel", (name,)) for name in panels),
    ]
    return [each for each in told[: 2 * _MOST_NAMED] if each]


def _tell_span(result: Result, what: str, column: str, values: Sequence[str]) -> str:
    """From the first to the last condition of a picture's panel."""
    asked = result.settings
    places = {_key(cell): cell["place"] for cell in asked["cells"] if cell[column] in values}
    parts: list[str] = []
    for observer, name in [(PEOPLE, ""), *((NETWORK, name) for name in asked["networks"][:_MOST_NAMED])]:
        rows = [
            row
            for row in pick(result, PROPORTION, observer)
            if row["model"] == name and _key(row) in places and not _is_all(row)
        ]
        if len(rows) > 1:
            first, last = rows[0], rows[-1]
            parts.append(
                f"{name or 'people'} from {format_percent(first)} at {places[_key(first)]} "
                f"to {format_percent(last)} at {places[_key(last)]}"
            )
    return f"{what}: {'; '.join(parts)}." if parts else ""


def _is_all(row: dict[str, Any]) -> bool:
    return row["target"] == "all" and not row["layer"]


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["generator"], row["layer"], row["target"]


def _tell_differences(result: Result) -> list[str]:
    """People less each network on the very stimuli."""
    networks = set(result.settings["networks"])
    rows = [row for row in pick(result, DIFFERENCE, PEOPLE) if row["minus"] in networks and _is_all(row)]
    if not rows:
        return []
    parts = [
        f"{abs(100 * row['estimate']):.1f} points {_format_points(row)} {'above' if row['estimate'] >= 0 else 'below'} "
        f"{row['minus']}"
        for row in rows[:_MOST_NAMED]
    ]
    over = "people" if rows[0]["method"] == OVER_PEOPLE else "stimuli"
    return [f"On the very same stimuli people are {'; '.join(parts)} (n = {rows[0]['n']} {over})."]


def _format_points(row: dict[str, Any]) -> str:
    ends = sorted((100 * row["low"], 100 * row["high"]), key=abs)
    if any(math.isnan(end) for end in ends):
        return ""
    sign = 1 if row["estimate"] >= 0 else -1
    low, high = sorted(sign * end for end in ends)
    return f"[{low:.1f}, {high:.1f}]".replace("-", "−")


def _tell_cues(result: Result) -> list[str]:
    rows = [row for row in pick(result, SHAPE_BIAS) if row["target"] == "all" and row["observer"] != "person"]
    if not rows:
        return []
    pooled = next((row for row in rows if row["method"] == POOLED), None)
    parts: list[str] = []
    for row in rows:
        if row["method"] == POOLED:
            continue
        value = format_value(row, digits=3)
        if row["observer"] == PEOPLE:
            more = f"; {format_estimate(pooled['estimate'], digits=3)} of all answers together" if pooled else ""
            over = "people" if row["method"] == OVER_PEOPLE else "stimuli"
            parts.append(
                f"people {value} (n = {row['n']} {over}, "
                f"{format_count(row['n_answers'], 'answer')} by either cue{more})"
            )
        else:
            parts.append(f"{row['model']} {value} (n = {format_count(row['n'], 'stimulus')} by either cue)")
    more = f"; and {len(parts) - 6} more" if len(parts) > 6 else ""
    return [f"Shape bias, the proportion of shape among answers by shape or texture: {'; '.join(parts[:6])}{more}."]


def _tell_matrix(result: Result, told: dict[str, Any]) -> str:
    rows = [row for row in pick(result, PROPORTION) if row["generator"] == told["name"]]
    people, network = ([row for row in rows if row["observer"] == who] for who in (PEOPLE, NETWORK))
    differences = [row for row in pick(result, DIFFERENCE) if row["generator"] == told["name"]]
    if not people or not network or not differences:
        return f"{told['name']}: people or the network have no values."
    worst = max(differences, key=lambda row: abs(row["estimate"]))
    return (
        f"{told['name']}: people are right in {format_percent(people[0])} at {people[0]['layer']} and "
        f"{format_percent(people[-1])} at {people[-1]['layer']}, the network in {format_percent(network[0])} and "
        f"{format_percent(network[-1])} on the same stimuli; they differ most at {worst['layer']}, by "
        f"{abs(100 * worst['estimate']):.1f} points {_format_points(worst)} "
        f"(n = {format_count(told['n_people'], 'person')})."
    )


def _tell_generators(result: Result) -> list[str]:
    rows = pick(result, RECOGNISED, PEOPLE)
    if not rows:
        return []
    parts = [f"{row['generator']} {format_percent(row)}" for row in rows[:6]]
    more = f"; and {len(rows) - 6} more" if len(rows) > 6 else ""
    return [f"Stimuli made for a network, all layers, recognised by people: {'; '.join(parts)}{more}."]


def _tell_measures(result: Result) -> list[str]:
    told: list[str] = []
    for key, statistic in CORRELATION.items():
        for row in pick(result, statistic):
            r = "r is not defined" if math.isnan(row["estimate"]) else format_value(row, "r")
            told.append(
                f"People's recognition of networks' stimuli and {MEASURES[key]}: "
                f"{r}, n = {format_count(row['n'], 'network')}."
            )
    return told


def describe_recognition(result: Result) -> str:
    """A paragraph for a paper's Methods."""
    asked = result.settings
    cited: list[str] = ["Student (1908). Biometrika 6, 1-25."]
    people = (
        f"""Proportions correct of {say_people(asked)} are means over people with the 95 % interval of Student's t,
        which speaks of other people and these stimuli."""
        if asked["n_people"] > 1
        else ""
    )
    rules = sorted({rule for rule in asked["rules"].values() if rule})
    ruled = (
        "The answer of a network was "
        + "; ".join(f"{RULE_WORDS[rule]} (rule {rule}: {_list_ruled(asked, rule)})" for rule in rules)
        + "."
        if rules
        else ""
    )
    networks = ""
    if asked["form"] == "matrices":
        networks = """The network was scored on the very stimuli of each person (Feather et al., 2023); its interval is
            over the stimuli of different people. Differences are paired by person."""
    elif asked["networks"]:
        networks = """A network is one observer: its interval is Wilson's over stimuli (1927), where stimuli were
            answered several times or in several versions a bootstrap over stimuli."""
        cited.append("Wilson, E. B. (1927). Journal of the American Statistical Association 22, 209-212.")
    if asked["form"] == "answers" and asked.get("is_joined"):
        networks += """ Networks were scored on the very stimuli that each person was shown (Feather et al., 2023), and
            differences are paired by person."""
    if asked["form"] == "matrices" or asked.get("is_joined"):
        cited.append("Feather, J. et al. (2023). Nature Neuroscience 26, 2017-2034.")
    cues = ""
    if pick(result, SHAPE_BIAS):
        cues = """Shape bias is the number of answers by shape over that of answers by shape or texture, among stimuli
            whose two labels differ (Geirhos et al., 2019)."""
        cited.append("Geirhos, R. et al. (2019). ImageNet-trained CNNs are biased towards texture. ICLR.")
    measures = (
        "Recognition by people, averaged over layers, was correlated over networks with their measures (Pearson's r, "
        "interval of Fisher's z)."
        if any(pick(result, statistic) for statistic in CORRELATION.values())
        else ""
    )
    chance = f"Chance is {100 * asked['chance']:.3g} %." if asked["chance"] else ""
    return flow_text(f"{people} {ruled} {networks} {cues} {measures} {chance} References: {' '.join(sorted(cited))}")


def say_people(asked: dict[str, Any]) -> str:
    """How many people; of several matrices from the fewest to the most.

    >>> say_people({"n_people": 10, "form": "answers"})
    '10 people'
    """
    counts = sorted({each["n_people"] for each in asked["matched"]}) if asked["form"] == "matrices" else []
    return (
        f"{counts[0]} to {format_count(counts[-1], 'person')}"
        if len(counts) > 1
        else f"{format_count(asked['n_people'], 'person')}"
    )


def _list_ruled(asked: dict[str, Any], rule: str) -> str:
    names: Sequence[str] = [name for name, own in asked["rules"].items() if own == rule]
    return ", ".join(names[:_MOST_NAMED]) + (f" and {len(names) - _MOST_NAMED} more" if names[_MOST_NAMED:] else "")
