"""How accuracy on natural stimuli is told in words."""

from __future__ import annotations

import math
from typing import Any

from beholder._core.wording import flow_text, format_count
from beholder.analysis._result import Result
from beholder.analysis.accuracy._cells import ALL
from beholder.analysis.accuracy._rows import (
    CONFUSION,
    DRAWN_CLASSES,
    OF_CLASS,
    OF_CLASSES,
    SIXTEEN,
    TOP1,
    TOP5,
    K,
)
from beholder.analysis.kinds._recognition_words import RULE_WORDS, format_percent
from beholder.analysis.kinds._telling import pick_rows
from beholder.statistics import DRAWN_STIMULI

_MOST_NAMED = 4
_MOST_CONFUSED = 3
STATISTICS = {TOP1: "top-1", TOP5: "top-5", SIXTEEN: "16-way"}
_WHAT = {"class": "class", "word": "word", "category": "category"}


def ask_natural(result: Result) -> str:
    """The question."""
    asked = result.settings
    where = f" about {asked['set']}" if asked["set"] else " about stimuli that it was not trained on"
    return f"How often is {asked['model']} right{where if asked['set'] or asked['is_drawn'] else ''}?"


def tell_natural(result: Result) -> list[str]:
    """Accuracies of all stimuli, then by condition and level, then classes and confusions."""
    return [_tell_all(result), *_tell_cells(result), *_tell_classes(result)]


def get_chance(result: Result, statistic: str) -> float:
    """Proportion right by guessing among all answers."""
    n = int(result.settings["n_answers"])
    return 1 / 16 if statistic == SIXTEEN else min(1.0, (K if statistic == TOP5 else 1) / n)


def pick_cells(result: Result, statistic: str) -> list[dict[str, Any]]:
    """Rows of single conditions and levels."""
    return [row for row in pick_rows(result, statistic) if row["target"] != ALL]


def list_records(result: Result) -> list[dict[str, Any]]:
    """A record of all stimuli, then of each condition: accuracies without an attack."""
    asked = result.settings
    records: list[dict[str, Any]] = []
    rows = {name: {row["target"]: row for row in pick_rows(result, name)} for name in STATISTICS}
    for cell in asked["cells"]:
        record: dict[str, Any] = {
            "model": asked["model"], "norm": "", "eps": 0, "attack": "none", "condition": cell["condition"],
            "level": cell["level"],
        }  # fmt: skip
        for name, found in rows.items():
            row = found.get(cell["name"])
            if row is not None:
                low, high = (None if math.isnan(row[end]) else float(row[end]) for end in ("low", "high"))
                record |= {name: float(row["estimate"]), f"{name}_low": low, f"{name}_high": high}
                record["n" if name != SIXTEEN or asked["decision"] == "category" else "n_sixteen"] = int(
                    row["n_answers"]
                )
        records.append(record)
    return records


def _tell_all(result: Result) -> str:
    asked = result.settings
    rows = {name: next((row for row in pick_rows(result, name) if row["target"] == ALL), None) for name in STATISTICS}
    parts: list[str] = []
    top1, top5, sixteen = (rows[name] for name in STATISTICS)
    if top1 is not None:
        stimuli = f"{top1['n_answers']:,} {'pictures' if asked['kind'] == 'image' else asked['kind'] + 's'}"
        parts.append(
            f"{asked['model']} names the {_WHAT[asked['decision']]} of {format_percent(top1)} of {stimuli} (top-1, "
            f"chance {_format_chance(result, TOP1)})"
        )
    if top5 is not None:
        parts.append(
            f"it is among its first five for {format_percent(top5)} (top-5, chance {_format_chance(result, TOP5)})"
        )
    if sixteen is not None:
        who = "it " if parts else f"{asked['model']} "
        parts.append(
            f"{who}names the right one of 16 categories for {format_percent(sixteen)} of {sixteen['n_answers']:,} "
            f"stimuli that are in one (rule {asked['rule']}, chance {_format_chance(result, SIXTEEN)})"
        )
    for row in pick_rows(result, OF_CLASSES):
        if row["target"] == ALL:
            parts.append(
                f"the mean of {format_count(row['n'], 'class')}, each counting the same, is {format_percent(row)}"
            )
    return f"{'; '.join(parts)}."


def _format_chance(result: Result, statistic: str) -> str:
    return f"{100 * get_chance(result, statistic):.3g} %"


def main_statistic(result: Result) -> str:
    """Top-1, or the 16-way answer where classes were not asked for."""
    return SIXTEEN if result.settings["decision"] == "category" else TOP1


def _tell_cells(result: Result) -> list[str]:
    """From the first to the last level of each condition."""
    statistic = main_statistic(result)
    by_condition: dict[str, list[dict[str, Any]]] = {}
    for row in pick_cells(result, statistic):
        by_condition.setdefault(str(row["condition"]), []).append(row)
    told: list[str] = []
    for name, rows in by_condition.items():
        first, last = rows[0], rows[-1]
        what = f"{name or 'Without a condition'} ({STATISTICS[statistic]})"
        if len(rows) == 1:
            told.append(f"{what}: {format_percent(first)}, n = {first['n']:,}.")
        else:
            told.append(
                f"{what}: from {format_percent(first)} at {first['level']:g} to {format_percent(last)} at "
                f"{last['level']:g}, n = {first['n']:,} each."
            )
    if len(told) > 3 * _MOST_NAMED:
        told = [*told[: 3 * _MOST_NAMED], f"And {format_count(len(told) - 3 * _MOST_NAMED, 'more condition')}."]
    return told


def _tell_classes(result: Result) -> list[str]:
    """The classes that are named least and most often, and what is taken for what."""
    told: list[str] = []
    rows = pick_rows(result, OF_CLASS)
    if len(rows) > 2 and min(row["n"] for row in rows) >= 5:
        ordered = sorted(rows, key=lambda row: row["estimate"])
        least, most = ordered[0], ordered[-1]
        if least["estimate"] < most["estimate"]:
            told.append(
                f"By class: from {format_percent(least)} of {least['class_name']} (n = {least['n']:,}) to "
                f"{format_percent(most)} of {most['class_name']} (n = {most['n']:,})."
            )
    confused = [row for row in pick_rows(result, CONFUSION) if row["n_answers"] > 1][:_MOST_CONFUSED]
    if confused:
        parts = [f"{row['class_name']} for {row['response']} ({row['n_answers']} of {row['n']})" for row in confused]
        told.append(f"Taken for one another most often: {'; '.join(parts)}.")
    return told


def describe_natural(result: Result) -> str:
    """A paragraph for a paper's Methods."""
    asked = result.settings
    cited: list[str] = []
    stimuli = f"{asked['n_stimuli']:,} {'pictures' if asked['kind'] == 'image' else 'sounds'}"
    source = (
        f"""drawn for this purpose with a seed apart from that of training ({asked["n_held_out"]} a class)"""
        if asked["is_drawn"]
        else f"of {asked['set']}"
        if asked["set"]
        else ""
    )
    shown = (
        "as people are shown them, without crop"
        if asked["as_shown"]
        else "after the network's own preparation of files"
    )
    own = f"{asked['model']} was shown {stimuli} {source} of {format_count(asked['n_classes'], 'class')}, {shown}."
    answers = ""
    statistics = {row["statistic"] for row in result.table.to_dict("records")}
    if TOP1 in statistics:
        what = _WHAT[asked["decision"]]
        answers = f"""Its answer was the {what} with the highest output of {asked["n_answers"]:,} (top-1; of equal ones
            the first)"""
        if TOP5 in statistics:
            answers += "; top-5 counts as right where the true one was among the five highest"
            cited.append("Russakovsky, O. et al. (2015). International Journal of Computer Vision 115, 211-252.")
        answers += "."
    if SIXTEEN in statistics:
        answers += f""" Stimuli of one of 16 entry-level categories were answered by {RULE_WORDS[asked["rule"]]} (rule
            {asked["rule"]})."""
        cited.append("Geirhos, R. et al. (2018). Generalisation in humans and deep neural networks. NeurIPS 31.")
    methods = {str(row["method"]) for row in result.table.to_dict("records")}
    interval = "Intervals (95 %) are Wilson's (1927)"
    if DRAWN_CLASSES in methods:
        interval += ", of accuracies the percentiles of a bootstrap over classes, which speak of other classes"
        cited.append("Efron, B. & Tibshirani, R. (1993). An introduction to the bootstrap. Chapman & Hall.")
    elif DRAWN_STIMULI in methods:
        interval += ", where a stimulus is there in several versions the percentiles of a bootstrap that draws stimuli"
        interval += " with all their versions"
        cited.append("Efron, B. & Tibshirani, R. (1993). An introduction to the bootstrap. Chapman & Hall.")
    cited.append("Wilson, E. B. (1927). Journal of the American Statistical Association 22, 209-212.")
    return flow_text(f"{own} {answers} {interval}. References: {' '.join(sorted(cited))}")
