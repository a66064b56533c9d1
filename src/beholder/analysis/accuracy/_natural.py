"""``evaluate natural``: how often a network is right about stimuli as they are, or graded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.hashing import hash_settings
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.wording import format_count
from beholder.analysis._inputs import identify_inputs
from beholder.analysis._result import Result, make_result
from beholder.analysis.accuracy._cells import AccuracyCell, find_cells
from beholder.analysis.accuracy._confusions import count_confusions, list_confusion_rows
from beholder.analysis.accuracy._rows import OF_CLASS, OF_CLASSES, SIXTEEN, TOP1, TOP5, K, measure_accuracy
from beholder.analysis.accuracy._stimuli import open_stimuli
from beholder.evaluation import NaturalAnswers, classify_stimuli, draw_held_out
from beholder.jobs import long_work, place_output
from beholder.models import Model, open_model
from beholder.statistics import compute_mean_interval
from beholder.stimuli import StimulusSet, load_categories

if TYPE_CHECKING:
    from torch import nn

_OVER = ("stimuli", "classes")
_GRADED_TABLE = "stimuli"
"""What tables of graded stimuli are all called: their folder tells them apart."""
_MOST_NAMED = 3


@suggest_keywords
@long_work
def evaluate_natural(
    model: Model | nn.Module | str,
    stimuli: StimulusSet | Path | str | Any = None,
    *,
    column: str | None = None,
    pattern: str | None = None,
    by: Sequence[str] | None = None,
    rule: str = "first",
    as_shown: bool = False,
    over: Literal["stimuli", "classes"] = "stimuli",
    n_held_out: int = 25,
    out_path: Path | str = "natural",
    seed: int = DEFAULT_SEED,
    device: str = "auto",
    batch_size: int | None = None,
    workers: int = 1,
    overwrite: bool = False,
    weights_seed: int = DEFAULT_SEED,
    compile: bool = False,
    cluster: str | None = None,
    mixed: bool = False,
    dry_run: bool = False,
) -> Result:
    """Measure how often a network names the class of stimuli: top-1, top-5, one of 16 categories, words.

    Labels are joined with the network's classes by what they say, never by position. Of a set of graded stimuli each
    kind and level is measured apart.

    Parameters
    ----------
    model : Model, nn.Module or str
    stimuli : StimulusSet, or whatever holds stimuli, optional
        A folder with a folder a class, a table, a named set such as ``"imagenet-val"``, or several of these in a list;
        default the held-out set of a bundled network, which is drawn.
    column, pattern : str, optional
        Where labels stand, as for :func:`beholder.evaluation.find_labels`.
    by : sequence of str, optional
        Columns of the set that tell conditions apart; default ``condition`` (or ``grade``, ``corruption``) and
        ``level`` (or ``severity``).
    rule : {"first", "mean", "max", "sum"}
        How one of the 16 categories follows from classes: :func:`beholder.evaluation.decide`.
    as_shown : bool
        What has the network's size is neither resized nor cropped, as people are shown it; default the network's own
        preparation.
    over : {"stimuli", "classes"}
        Of what intervals speak: other stimuli of these classes, or other classes.
    n_held_out : int
        Stimuli a class of the drawn set.
    out_path : path
        Folder of the network's answers, which are kept and continued.
    seed : int
        Of the drawn set, and of bootstrap draws.
    device, batch_size, workers, overwrite, weights_seed, compile
        As for :func:`beholder.evaluation.classify_stimuli`.
    cluster, mixed, dry_run
        As for :func:`beholder.extract`.

    Returns
    -------
    Result
        ``kind`` is ``natural``. ``statistic`` is ``accuracy_top1``, ``accuracy_top5`` (of networks with six classes or
        more), ``accuracy_sixteen`` (of stimuli in one of the 16 categories), ``mean_of_classes`` (where classes differ
        in number), ``accuracy_of_class``, ``confusion`` (the most frequent ones).

    Raises
    ------
    InputError
        Labels that are no classes of the network; no stimuli for a network without a drawn set.

    Notes
    -----
    Source: Russakovsky et al. 2015, ImageNet Large Scale Visual Recognition Challenge, IJCV 115, for top-5; Geirhos et
    al. 2018, Generalisation in humans and deep neural networks, NeurIPS 31, for 16 categories and graded stimuli.

    Examples
    --------
    >>> import beholder as bh
    >>> found = bh.evaluate_natural("beholder:shapes", "images", device="cpu")
    >>> found.table.query("statistic == 'accuracy_top1'")["n"].tolist()
    [32]
    """
    if over not in _OVER:
        raise UnknownNameError("unit of intervals", over, _OVER)
    if n_held_out < 1:
        raise InputError("at least 1 stimulus a class", got=str(n_held_out))
    asked = open_model(model, device if isinstance(model, str) else None, weights_seed)
    is_drawn = stimuli is None
    shown: Any = open_stimuli(stimuli)
    if is_drawn:
        drawn = Path(out_path) / "held_out"
        shown = draw_held_out(asked, place_output(drawn, drawn), n_held_out, seed=seed)
    given = classify_stimuli(
        asked, shown, column=column, pattern=pattern, rule=rule, as_shown=as_shown, out_path=out_path,
        batch_size=batch_size, workers=workers, overwrite=overwrite, compile=compile,
    )  # fmt: skip
    inputs = identify_inputs(answers=given.table.astype(str).to_numpy(dtype=np.str_))
    table, cells = find_cells(given, by)
    sized = given.n_outputs > K and given.decision != "category"
    rows = [row for cell in cells for row in _measure_cell(given, table, cell, over, sized, seed)]
    confusions = count_confusions(table, given)
    rows += [*_measure_classes(given, table, seed), *list_confusion_rows(table)]
    n_answers = len(load_categories()) if given.decision == "category" else given.n_outputs
    settings: dict[str, Any] = {
        "model": given.name, "set": _name_set(stimuli), "is_drawn": is_drawn, "decision": given.decision,
        "how": given.how, "column": column, "pattern": pattern, "by": list(by) if by is not None else None,
        "rule": rule, "as_shown": as_shown, "over": over,
        "n_held_out": n_held_out, "n_stimuli": len(table), "n_answers": n_answers,
        "n_classes": int(table["truth"].nunique()), "cells": [cell.to_dict() for cell in cells],
        "kind": given.stimuli.kind, "seed": seed, "network": hash_settings(given.settings["network"]),
        "inputs": inputs,
    }  # fmt: skip
    rows = [{"model": given.name, **row} for row in rows]
    return make_result("natural", rows, settings, warnings=given.notes, arrays=confusions)


def _name_set(stimuli: Any) -> str:
    """How a set is called in words: its folder or table; nothing for what is in memory."""
    if isinstance(stimuli, list | tuple):
        names = list(dict.fromkeys(name for each in cast("list[Any]", stimuli) if (name := _name_set(each))))
        more = f" and {format_count(len(names) - _MOST_NAMED, 'more set')}" if len(names) > _MOST_NAMED else ""
        return ", ".join(names[:_MOST_NAMED]) + more
    if isinstance(stimuli, str | Path):
        path = Path(str(stimuli).partition("=")[0]).resolve()
        return path.parent.name if path.stem == _GRADED_TABLE else path.stem
    root = stimuli.root if isinstance(stimuli, StimulusSet) else None
    return root.resolve().stem if root is not None else ""


def _measure_cell(
    given: NaturalAnswers, table: Any, cell: AccuracyCell, over: str, sized: bool, seed: int
) -> list[dict[str, Any]]:
    """Accuracies of one condition, or of all stimuli."""
    own = cell.take(table)
    classes = list(own["truth"]) if over == "classes" else None
    stimuli = list(own["stimulus"])
    where = cell.to_row()
    rows: list[dict[str, Any]] = []
    if given.decision != "category":
        found = measure_accuracy(own["correct"], stimuli, classes, seed=seed)
        rows.append({**where, "statistic": TOP1, **found})
        if sized:
            found = measure_accuracy(own["rank"] < K, stimuli, classes, seed=seed)
            rows.append({**where, "statistic": TOP5, **found})
    if "category" in own.columns:
        known = own[own["category_truth"] != ""]
        if len(known):
            right = known["category"] == known["category_truth"]
            groups = list(known["category_truth"]) if over == "classes" else None
            found = measure_accuracy(right, list(known["stimulus"]), groups, seed=seed)
            rows.append({**where, "statistic": SIXTEEN, **found, "rule": given.settings["rule"]})
    counts: Any = own.groupby("truth", sort=False)["correct"].agg(["mean", "size"])
    if len(counts) > 1 and counts["size"].nunique() > 1:
        mean = compute_mean_interval(counts["mean"], (0.0, 1.0))
        rows.append({
            **where, "statistic": OF_CLASSES, "method": "Student's t over classes", "estimate": mean.estimate,
            "low": mean.low, "high": mean.high, "n": mean.n, "n_right": int(own["correct"].sum()),
            "n_answers": len(own),
        })  # fmt: skip
    return rows


def _measure_classes(given: NaturalAnswers, table: Any, seed: int) -> list[dict[str, Any]]:
    """Each class, all conditions together, in the order of the outputs."""
    names = given.classes if given.decision != "category" else tuple(load_categories())
    places = {name: i for i, name in enumerate(names)}
    groups: Any = table.groupby("truth", sort=False)
    ordered: list[tuple[str, Any]] = sorted(
        ((str(name), own) for name, own in groups), key=lambda each: (places.get(each[0], 0), _to_number(each[0]))
    )
    return [
        {
            "target": name, "statistic": OF_CLASS, "class_name": name,
            **measure_accuracy(own["correct"], list(own["stimulus"]), seed=seed),
        }
        for name, own in ordered
    ]  # fmt: skip


def _to_number(name: str) -> int:
    return int(name) if name.isdecimal() else 0
