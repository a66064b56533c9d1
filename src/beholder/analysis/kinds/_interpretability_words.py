"""What was found about the interpretability of units, in words: sentences for people, and the paragraph for a paper."""

from __future__ import annotations

import math
from typing import Any

from beholder._core.wording import flow_text, format_count
from beholder.analysis._result import Result, format_p
from beholder.analysis.kinds._telling import format_value, pick_rows, shorten_model

CHANCE = 0.5
_MOST_TOLD = 6


def ask_units(result: Result) -> str:
    """The question."""
    models = result.settings["models"]
    whose = f"units of {shorten_model(models[0])}" if len(models) == 1 else "units"
    return f"How well do people know what drives {whose}?"


def name_group(row: dict[str, Any]) -> str:
    """Network and mode of a row."""
    return ", ".join(word for word in (shorten_model(str(row["model"])), str(row["target"])) if word) or "all units"


def tell_units(result: Result) -> list[str]:
    """Means, then confidence, depth, networks, modes, the machine, who is left out."""
    means = pick_rows(result, "mean of units")
    told = [
        f"{name_group(row)}: {format_value(row)} right (chance .50), mean of {format_count(row['n'], 'unit')}, "
        f"{format_count(int(row['n_people']), 'person')}, {format_count(int(row['n_answers']), 'answer')}."
        for row in means[:_MOST_TOLD]
    ]
    if len(means) > _MOST_TOLD:
        told.append(f"{len(means) - _MOST_TOLD} further networks and modes are in the table.")
    told += _tell_confidence(result)[:_MOST_TOLD]
    for row in pick_rows(result, "rank correlation with depth")[:_MOST_TOLD]:
        if math.isfinite(row["estimate"]):
            told.append(f"{name_group(row)}: with depth {format_value(row, 'rank r')}, {format_p(row['p'])}.")
    told += _tell_networks(result)
    for row in pick_rows(result, "difference of modes")[:_MOST_TOLD]:
        told.append(
            f"{shorten_model(row['model'])}: {row['target']} less {row['other']} "
            f"{format_value(row)}, {format_count(row['n'], 'unit')}."
        )
    told += _tell_machine(result)[:_MOST_TOLD]
    return told + _tell_left_out(result)


def _tell_confidence(result: Result) -> list[str]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in pick_rows(result, "mean of units at confidence"):
        groups.setdefault(name_group(row), []).append(row)
    told: list[str] = []
    for name, rows in groups.items():
        if len(rows) > 1:
            least, most = rows[0], rows[-1]
            told.append(
                f"{name}: {format_value(least)} right at confidence {least['confidence']:g} "
                f"({format_count(int(least['n_answers']), 'answer')}), {format_value(most)} at {most['confidence']:g} "
                f"({int(most['n_answers']):,})."
            )
    return told


def _tell_networks(result: Result) -> list[str]:
    told: list[str] = []
    pairs = pick_rows(result, "difference")
    for row in pick_rows(result, "Kruskal-Wallis"):
        mode = f"{row['target']}: " if row["target"] else ""
        own = [pair for pair in pairs if pair["target"] == row["target"]]
        n = sum(pair["p_corrected"] < 0.05 for pair in own)
        if math.isnan(row["estimate"]):
            told.append(f"{mode}networks cannot be compared: all units have the same proportion correct.")
            continue
        told.append(
            f"{mode}networks {'differ' if row['p'] < 0.05 else 'do not differ significantly'} (Kruskal-Wallis H = "
            f"{row['estimate']:.2f}, df = {int(row['df'])}, {format_p(row['p'])}); "
            f"{n} of {format_count(len(own), 'pair')} differ "
            "(Conover, corrected)."
        )
    return told


def _tell_machine(result: Result) -> list[str]:
    told: list[str] = []
    words = "; ".join(each for each in (_name_machines(result), _name_temperature(result)) if each)
    how = f" ({words})" if words else ""
    scores = {name_group(row): row for row in pick_rows(result, "machine mean of units")}
    kappas = {name_group(row): row for row in pick_rows(result, "error consistency with machine")}
    for row in pick_rows(result, "rank correlation with machine"):
        name = name_group(row)
        like = (
            f"{format_value(row, 'rank r')}, {format_p(row['p'])}" if math.isfinite(row["estimate"]) else "not defined"
        )
        single = f"; single trials {format_value(kappas[name], 'κ')}" if name in kappas else ""
        told.append(
            f"{name}: the machine{how} is right on {format_value(scores[name])}, "
            f"over {format_count(row['n'], 'unit')} with people "
            f"{like}{single}."
        )
    return told


def _name_temperature(result: Result) -> str:
    """By which the machine chose, where its export tells it."""
    told = ", ".join(f"{each:g}" for each in result.settings.get("temperatures", []))
    return f"temperature {told}" if told else ""


def _name_machines(result: Result) -> str:
    """Which networks the machine was, and by which layer it decided, where its export tells it."""
    return " and ".join(result.settings.get("machines", []))


def _tell_left_out(result: Result) -> list[str]:
    counts = {str(row["target"]): int(row["n"]) for row in pick_rows(result, "participants")}
    if not counts:
        return []
    rules = [f"{name.removeprefix('left out by ')} {n}" for name, n in counts.items() if name.startswith("left out")]
    why = f" (sessions that break one: {', '.join(rules)})" if rules else ""
    return [
        f"Of {format_count(counts['participants'], 'participant')} "
        f"{counts['finished']} finished and {counts['included']} break no "
        f"rule{why}."
    ]


def describe_units(result: Result) -> str:
    """The Methods paragraph."""
    asked = result.settings
    modes = " and ".join(mode for mode in asked["modes"] if mode)
    compared = (
        """Networks were compared by Kruskal and Wallis' test of unit proportions in each mode, pairs by Conover and
        Iman's test and by Brunner and Munzel's (t distribution up to 50 units), both corrected by Holm's method."""
        if pick_rows(result, "Kruskal-Wallis")
        else ""
    )
    temperature, machines = _name_temperature(result), _name_machines(result)
    graded = f", each by the softmax of what spoke for either alternative ({temperature})" if temperature else ""
    which = f" ({machines})" if machines else ""
    machine = (
        f"""A similarity observer{which} answered the same trials
        ({format_count(asked["n_machine_answers"], "answer")}){graded}; it was compared with people by
        correlations over units and by
        error consistency on single trials (Zimmermann, Klindt & Brendel, 2024)."""
        if asked["has_machine"]
        else ""
    )
    cited = [
        "Zimmermann, R. S., Klein, T. & Brendel, W. (2023). Scale alone does not improve mechanistic interpretability "
        "in vision models. NeurIPS 36.",
        "Borowski, J. et al. (2021). Exemplary natural images explain CNN activations better than state-of-the-art "
        "feature visualization. ICLR.",
        "Efron, B. (1987). Better bootstrap confidence intervals. JASA 82, 171-185.",
    ]
    if compared:
        cited += [
            "Kruskal, W. H. & Wallis, W. A. (1952). JASA 47, 583-621.",
            "Conover, W. J. & Iman, R. L. (1979). LA-7677-MS, Los Alamos.",
            "Brunner, E. & Munzel, U. (2000). Biom. J. 42, 17-25.",
        ]
    if machine:
        cited.append("Zimmermann, R. S., Klindt, D. & Brendel, W. (2024). NeurIPS 37.")
    return flow_text(
        f"""Interpretability of {format_count(asked["n_units"], "unit")} was measured by two-alternative trials
        {f"with {modes} references" if modes else ""} (Borowski et al., 2021; Zimmermann et al., 2023):
        {format_count(asked["n_people"], "participant")} gave {format_count(asked["n_answers"], "answer")}.
        The score of a unit is its proportion
        correct, that of a network the mean over units; intervals (95 %) are over units, bias-corrected and accelerated
        (Efron, 1987; {format_count(asked["n_draws"], "draw")}, seed {asked["seed"]}). {compared} {machine} References:
        {" ".join(cited)}"""
    )
