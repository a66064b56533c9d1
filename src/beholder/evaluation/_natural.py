"""A network's answers to stimuli whose truth is known: first class, place of the true one, category."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.files import check_output_folder, to_path_name
from beholder._core.hashing import hash_settings
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.settings import keep_batch_size
from beholder._core.wording import format_count
from beholder.evaluation._answer_worker import AnswerWorker, join_answers, plan_answers
from beholder.evaluation._answers import list_shown, make_typed_table, write_answer_table
from beholder.evaluation._class_names import list_classes
from beholder.evaluation._known_categories import list_category_outputs
from beholder.evaluation._labels import Labels, find_category_labels, find_labels, read_labels_of
from beholder.evaluation._outputs import CPU_BATCH, DEVICE_BATCH, count_outputs
from beholder.evaluation._readouts import RankReadout
from beholder.jobs import JobFolder, long_work, open_output, place_output
from beholder.models import (
    Model,
    check_modality,
    collect_stimuli,
    describe_preprocessing,
    identify_model,
    number_twins,
    open_model,
)
from beholder.stimuli import CATEGORY_RULES, StimulusSet, load_categories, load_words

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

FORMAT = "beholder-natural-1"


@final
@dataclass(frozen=True, eq=False)
class NaturalAnswers:
    """What a network answered to stimuli whose truth is known.

    Attributes
    ----------
    name : str
        The network's.
    table : DataFrame
        A row a stimulus: ``participant, stimulus``, what the set has of ``condition, level``; ``truth, response,
        correct`` of classes with ``rank``, the number of classes before the true one; ``category_truth, category`` of
        the 16 categories, empty where the stimulus is in none.
    classes : tuple of str
        Names of the outputs, no two the same; empty where they have none.
    n_outputs : int
    decision : {"class", "word", "category"}
        What ``truth`` and ``response`` are.
    how : str
        What the labels were; see :class:`beholder.evaluation.Labels`.
    stimuli : StimulusSet
    notes : tuple of str
        What a reader must know.
    settings : dict
        That made the table, JSON-able.
    """

    name: str
    table: pd.DataFrame
    classes: tuple[str, ...]
    n_outputs: int
    decision: str
    how: str
    stimuli: StimulusSet
    notes: tuple[str, ...]
    settings: dict[str, Any]


@suggest_keywords
@long_work
def classify_stimuli(
    model: Model | nn.Module | str,
    stimuli: StimulusSet | Path | str | Any,
    *,
    column: str | None = None,
    pattern: str | None = None,
    rule: str = "first",
    as_shown: bool = False,
    name: str | None = None,
    out_path: Path | str = "natural",
    device: str = "auto",
    batch_size: int | None = None,
    workers: int = 1,
    overwrite: bool = False,
    weights_seed: int = DEFAULT_SEED,
    compile: bool = False,
    cluster: str | None = None,
    mixed: bool = False,
    dry_run: bool = False,
) -> NaturalAnswers:
    """Ask a network what stimuli are whose classes are known, and note where the true class stands.

    The table is ``{out_path}/{model}.parquet``; interrupted at any moment, the same call completes it to the same
    bytes. Of equal outputs the class of the lower number comes first.

    Parameters
    ----------
    model : Model, nn.Module or str
    stimuli : StimulusSet, or whatever holds stimuli
        Labels are classes of the network, as :func:`beholder.evaluation.find_labels` reads them; or names of the 16
        categories, for networks of ImageNet's classes.
    column, pattern : str, optional
        Where labels stand, as for :func:`beholder.evaluation.find_labels`.
    rule : {"first", "mean", "max", "sum"}
        How one of the 16 categories follows from classes: :func:`beholder.evaluation.decide`.
    as_shown : bool
        What has the network's size is neither resized nor cropped, a picture of the same proportions is resized as a
        whole; default the network's own preparation of every file.
    name : str, optional
        What the network is called; default its own name.
    out_path : path
    device : str
        Of a model given by name.
    batch_size : int, optional
        Stimuli in one pass; default 8 on the CPU, 64 elsewhere. Kept by what was begun.
    workers : int
        Processes.
    overwrite : bool
        Replace answers to other stimuli, with other labels, by another rule or of a network that has changed.
    weights_seed : int
        Of a name that ends in ``@random``.
    compile : bool
        Let ``torch.compile`` make one graph of the network, whose outputs differ in the last digits; belongs to the
        answers.
    cluster, mixed, dry_run
        As for :func:`beholder.extract`.

    Raises
    ------
    InputError
        Labels that are no classes of the network, outputs that are no vector of classes, or NaN.
    ConfigurationChanged
        Answers are there to other stimuli, or of another network of this name.

    Examples
    --------
    >>> found = classify_stimuli("squeezenet1_1", "imagenet/val")  # doctest: +SKIP
    """
    check_output_folder(out_path)
    if rule not in CATEGORY_RULES:
        raise UnknownNameError("rule", rule, CATEGORY_RULES)
    asked = open_model(model, device if isinstance(model, str) else None, weights_seed)
    found = collect_stimuli(asked, stimuli)
    if not len(found):
        raise InputError("at least one stimulus", got="an empty stimulus set")
    check_modality(asked, found)
    who = name or asked.path_name
    n_outputs = count_outputs(asked)
    truths = find_truths(asked, n_outputs, found, column, pattern)
    shown = found.pin()
    out = place_output(Path(out_path), Path(out_path) / f"{to_path_name(who)}.parquet")
    file = f"{to_path_name(who)}.parquet"
    folder = JobFolder(out.parent / f".{out.name}.natural.jobs" / to_path_name(who), out)
    replace = partial(folder.clear, [out / file]) if overwrite else None
    with open_output(folder, leftovers=[out / file], replace=replace) as output:
        settings = _resolve_settings(asked, who, shown, truths, rule, as_shown, batch_size, folder.read_settings())
        settings |= {"compile": True} if compile else {}
        output.settle(settings, vacant=[out / file])
        readout = RankReadout(truths.list_indices(), truths.outputs, rule)
        worker = AnswerWorker(shown, asked, str(asked.device), settings["batch_size"], readout, as_shown, compile)
        facts = join_answers(output.run(plan_answers(who, settings, len(shown)), worker, n_workers=workers))
        table = _make_table(who, shown, truths, facts)
        with folder.seal(file):
            write_answer_table(out / file, table)
        known = {"model": asked.name, "weights": asked.weights.sha256, "stimuli": shown.describe()}
        output.record(out, file, known)
    notes = (*(truths.classes or truths.categories or _NOTHING).notes, *_check_numbers(truths, facts))
    return NaturalAnswers(
        who, table, truths.names, n_outputs, truths.decision, (truths.classes or truths.categories or _NOTHING).how,
        shown, notes, settings,
    )  # fmt: skip


_NOTHING = Labels(np.zeros(0, np.int64), (), (), "", "")


@final
@dataclass(frozen=True, eq=False)
class Truths:
    """What is right, by all decisions that a network can make of these stimuli.

    Attributes
    ----------
    classes : Labels or None
        Of the network's own classes, or words.
    categories : Labels or None
        Of the 16 categories.
    outputs : dict of str to list of int
        Outputs of each category that is asked for.
    names : tuple of str
        Of the outputs, no two the same.
    decision : {"class", "word", "category"}
    """

    classes: Labels | None
    categories: Labels | None
    outputs: dict[str, list[int]]
    names: tuple[str, ...]
    decision: str

    def list_indices(self) -> tuple[int, ...]:
        """True classes of all stimuli; empty where classes are not asked for."""
        return tuple(self.classes.indices.tolist()) if self.classes is not None else ()


def find_truths(
    model: Model, n_outputs: int, stimuli: StimulusSet, column: str | None = None, pattern: str | None = None
) -> Truths:
    """What is right for stimuli: a class or word of the network, one of 16 categories, or both.

    Labels that all are names of the 16 categories ask for categories alone; of other labels of ImageNet's classes, the
    stimuli that are in a category are asked for this, too.

    Parameters
    ----------
    model : Model
    n_outputs : int
    stimuli, column, pattern
        As for :func:`beholder.evaluation.find_labels`.
    """
    classes = list_classes(model, n_outputs)
    outputs = list_category_outputs(model, n_outputs)
    given, _ = read_labels_of(stimuli, column, pattern)
    decision = "word" if model.modality == "sound" and n_outputs == len(load_words()) else "class"
    names = number_twins(classes)
    if outputs and given and set(given) <= set(load_categories()):
        return Truths(None, find_category_labels(stimuli, column, pattern=pattern), outputs, names, "category")
    found = find_labels(stimuli, classes or n_outputs, column, pattern=pattern, who=model.path_name)
    categories = _categorise(found, outputs) if outputs else None
    return Truths(found, categories, outputs if categories is not None else {}, names, decision)


def _categorise(found: Labels, outputs: dict[str, list[int]]) -> Labels | None:
    """The category of each true class; None where none is in any."""
    names = tuple(outputs)
    places = {number: place for place, numbers in enumerate(outputs.values()) for number in numbers}
    indices = np.array([places.get(number, -1) for number in found.indices.tolist()], dtype=np.int64)
    if (indices < 0).all():
        return None
    return Labels(indices, tuple(names[i] if i >= 0 else "" for i in indices), names, found.how, found.source)


def _check_numbers(truths: Truths, facts: dict[str, list[Any]]) -> tuple[str, ...]:
    """A note where numbers as labels seem to count from another one than the network's outputs."""
    if truths.classes is None or truths.classes.how != "numbers":
        return ()
    labels, answers = truths.classes.indices, np.array(facts["answers"])
    n_right = int((labels == answers).sum())
    for shift, words in ((-1, "less 1"), (1, "plus 1")):
        n_shifted = int((labels + shift == answers).sum())
        if n_shifted >= 5 and n_shifted > 2 * n_right + 3 * len(labels) ** 0.5 / max(2, len(set(labels.tolist()))):
            return (
                f"The network answers with the label's number {words} for "
                f"{n_shifted:,} of {format_count(len(labels), 'stimulus')}, "
                f"and with the number itself for {n_right:,}: the labels seem to count from another number.",
            )
    return ()


def _resolve_settings(
    model: Model, name: str, stimuli: StimulusSet, truths: Truths, rule: str, as_shown: bool, batch_size: int | None,
    old: dict[str, Any] | None,
) -> dict[str, Any]:  # fmt: skip
    """Everything that can change the table. The batch size is chosen when the network is first asked."""
    if batch_size is not None and batch_size < 1:
        raise InputError("--batch_size of 1 or more", got=str(batch_size))
    if old is not None and old["device"] == model.device.type:
        batch_size = keep_batch_size(batch_size, old, "answers")
    columns = {column: list(map(str, values)) for column, values in stimuli.conditions.items()}
    labels = [list(each.names) for each in (truths.classes, truths.categories) if each is not None]
    return {
        "format": FORMAT,
        "participant": name,
        "model": model.name,
        "network": identify_model(model),
        "preprocessing": describe_preprocessing(model),
        "device": model.device.type,
        "batch_size": batch_size or (CPU_BATCH if model.device.type == "cpu" else DEVICE_BATCH),
        "as_shown": as_shown,
        "rule": rule if truths.outputs else "",
        "categories": truths.outputs,
        "n_stimuli": len(stimuli),
        "stimuli": hash_settings([stimuli.ids, stimuli.hashes, columns]),
        "labels": hash_settings([labels, truths.list_indices()]),
    }


def _make_table(name: str, stimuli: StimulusSet, truths: Truths, facts: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """A row a stimulus."""
    columns = list_shown(name, stimuli, as_versions=False)
    if truths.classes is not None:
        answers = [truths.names[i] if truths.names else str(i) for i in facts["answers"]]
        right = [truths.names[i] if truths.names else str(i) for i in truths.classes.indices.tolist()]
        columns |= {"truth": right, "response": answers}
        columns["correct"] = [rank == 0 for rank in facts["ranks"]]
        columns["rank"] = list(facts["ranks"])
    if truths.categories is not None:
        right = list(truths.categories.names)
        answers = [answer if truth else "" for answer, truth in zip(facts["categories"], right, strict=True)]
        if truths.classes is None:
            columns |= {"truth": right, "response": answers}
            columns["correct"] = [answer == truth for answer, truth in zip(answers, right, strict=True)]
        columns |= {"category_truth": right, "category": answers}
    return make_typed_table(columns)
