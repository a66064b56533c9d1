"""``analyze interpretability``: how often people tell what drives a unit, for units, layers and networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.progress import tell
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.wording import format_count
from beholder.analysis._inputs import identify_inputs
from beholder.analysis._result import Result, make_result
from beholder.analysis.interpretability._rows import (
    UnitSettings,
    average_units,
    iter_machine_rows,
    iter_mean_rows,
    iter_mode_rows,
    iter_network_rows,
    iter_unit_rows,
)
from beholder.analysis.interpretability._units import UnitAnswers, find_orders, read_orders, read_unit_answers

_FEWEST_UNITS = 5
_FEWEST_PEOPLE = 10


@suggest_keywords
def analyze_interpretability(
    trials: Any,
    machine: Any = None,
    *,
    columns: Mapping[str, str] | Sequence[str] | None = None,
    include_excluded: bool = False,
    layers: Sequence[str] | None = None,
    n_draws: int = 10_000,
    seed: int = DEFAULT_SEED,
) -> Result:
    """Tell how interpretable units are: how often people know which stimulus drives them more.

    Parameters
    ----------
    trials : UnitAnswers, Trials, DataFrame, path or sequence of paths
        Answers to two-alternative trials about units, as :func:`beholder.responses.read_trials` reads them; ``mode``
        tells natural from synthesised references.
    machine : UnitAnswers, Trials, DataFrame, path or sequence of paths, optional
        A machine's answers to the same trials, such as an export of ``beholder tasks simulate --observer model``; rules
        of exclusion are for people.
    columns, include_excluded
        As for :func:`beholder.responses.read_trials`, where paths are given.
    layers : sequence of str, optional
        All layers that depth is counted over, in network order; or activation stores or tables (``.csv``) that list
        them so, one for each network. Default those of the answers, by their names.
    n_draws, seed : int
        Of the bootstrap over units (BCa).

    Returns
    -------
    Result
        ``kind`` is ``interpretability``; ``target`` is the mode. Statistics: ``unit`` (proportion correct, Wilson's
        interval), ``mean of units``, ``mean of participants``, ``mean of units at confidence``, ``mean of units of
        layer``, ``rank correlation with depth``, ``Kruskal-Wallis`` and ``difference`` of networks (Conover with Holm,
        Brunner-Munzel), ``difference of modes``, ``rank correlation of modes``, and of a machine its mean, the
        correlations with people over units and the error consistency on single trials; ``participants``, ``left out``.

    Raises
    ------
    InputError
        No answer about a unit.

    Notes
    -----
    Source: Zimmermann, Klein & Brendel 2023, NeurIPS 36; machine scores: Zimmermann, Klindt & Brendel 2024, NeurIPS 37.

    Examples
    --------
    >>> from pathlib import Path
    >>> rows = [f"p{k % 4},net,conv1,{k % 6},natural,{int(k % 5 > 0)}" for k in range(48)]
    >>> _ = Path("answers.csv").write_text(chr(10).join(["participant,model,layer,unit,mode,correct", *rows]))
    >>> found = analyze_interpretability("answers.csv", n_draws=200)
    >>> [round(each, 2) for each in found.table.query("statistic == 'mean of units'").estimate]
    [0.79]
    """
    answers = read_unit_answers(trials, columns=columns, include_excluded=include_excluded)
    of_machine = None if machine is None else read_unit_answers(machine, columns=columns, include_excluded=True)
    for sentence in answers.sentences:
        tell("%s", sentence)
    inputs = identify_inputs(
        answers=np.array([answers.content]), machine=None if of_machine is None else np.array([of_machine.content])
    )
    asked = UnitSettings(n_draws, seed)
    units = average_units(answers.table)
    pairs = [(str(model), str(layer)) for model, layer in zip(units["model"], units["layer"], strict=True)]
    names = find_orders(pairs, read_orders(layers))
    rows = [*iter_unit_rows(units), *iter_mean_rows(answers.table, units, names, asked), *iter_network_rows(units)]
    rows += iter_mode_rows(units, asked)
    if of_machine is not None:
        found = list(iter_machine_rows(answers.table, units, of_machine.table, asked))
        if not found:
            one, two = (str(each.table["unit"].iloc[0]) for each in (answers, of_machine))
            raise InputError("units that people and the machine answered, in the same mode", got=f"{one} and {two}")
        rows += found
    rows += [{"statistic": "participants", "target": name, "estimate": n, "n": n} for name, n in answers.left_out]
    settings: dict[str, Any] = {
        "models": sorted({str(each) for each in units["model"]}),
        "modes": sorted({str(each) for each in units["mode"]}),
        "layers": list(dict.fromkeys(layer for own in names.values() for layer in own)),
        "n_units": int(units["unit"].nunique()), "n_answers": len(answers.table),
        "n_people": int(answers.table["participant"].nunique()), "has_machine": of_machine is not None,
        "n_machine_answers": 0 if of_machine is None else len(of_machine.table),
        "temperatures": [] if of_machine is None else list(of_machine.temperatures),
        "machines": [] if of_machine is None else list(of_machine.networks),
        "n_draws": n_draws, "seed": seed,
        "sentences": list(answers.sentences),
        "inputs": inputs,
    }  # fmt: skip
    return make_result("interpretability", rows, settings, warnings=_note(answers, units, layers is not None))


def _note(answers: UnitAnswers, units: Any, has_order: bool) -> list[str]:
    """What a reader should not conclude."""
    notes: list[str] = []
    for (model, mode), own in units.groupby(["model", "mode"], sort=True):
        where = " ".join(word for word in (model, mode) if word)
        if len(own) < _FEWEST_UNITS:
            notes.append(f"{where}: {format_count(len(own), 'unit')} are too few for an interval over units.")
        if own["share"].min() == own["share"].max():
            notes.append(f"{where}: all units reach {own['share'].iloc[0]:.2f}; ranks cannot tell them apart.")
    n_people = int(answers.table["participant"].nunique())
    if n_people < _FEWEST_PEOPLE:
        notes.append(
            f"Intervals are over units; {format_count(n_people, 'participant')} say little about other people."
        )
    fewest, most = int(units["n_answers"].min()), int(units["n_answers"].max())
    if most > 2 * fewest:
        notes.append(
            f"Units have {fewest:,} to {format_count(most, 'answer')}; each counts the same in means of units."
        )
    if units["layer"].nunique() > 1 and not has_order:
        notes.append("Layers are in the order of their names; --layers gives the network's.")
    return notes
