"""A network's answers to stimuli, as a table of trials like those of people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.files import check_output_folder, to_path_name
from beholder._core.hashing import hash_settings
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.settings import keep_batch_size
from beholder._core.tables import write_parquet
from beholder._core.wording import format_count
from beholder.evaluation._answer_worker import AnswerWorker, join_answers, plan_answers
from beholder.evaluation._known_categories import find_categories
from beholder.evaluation._labels import read_labels_of
from beholder.evaluation._outputs import CPU_BATCH, DEVICE_BATCH, count_outputs
from beholder.evaluation._readouts import CategoryReadout
from beholder.experiments import name_versions
from beholder.jobs import JobFolder, long_work, open_output, place_output
from beholder.models import (
    Model,
    collect_stimuli,
    describe_preprocessing,
    identify_model,
    open_model,
)
from beholder.responses import Trials
from beholder.stimuli import CATEGORY_RULES, StimulusSet

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

FORMAT = "beholder-answers-1"
_CONDITIONS = {
    "condition": ("condition", "grade", "corruption"), "level": ("level", "severity"), "texture": ("texture",),
}  # fmt: skip
"""Columns of trials, and the conditions of a set that fill them."""
_KINDS = {"correct": "bool", "level": "float64", "rank": "int64"}


@suggest_keywords
@long_work
def answer_stimuli(
    model: Model | nn.Module | str,
    stimuli: StimulusSet | Path | str | Any,
    categories: Mapping[str, Sequence[int | str]] | None = None,
    *,
    rule: str = "first",
    out_path: Path | str = "answers",
    name: str | None = None,
    device: str = "auto",
    batch_size: int | None = None,
    workers: int = 1,
    overwrite: bool = False,
    weights_seed: int = DEFAULT_SEED,
    cluster: str | None = None,
    mixed: bool = False,
    dry_run: bool = False,
) -> Trials:
    """Ask a network what stimuli are, as people are asked: one category of several for each.

    Stimuli are shown as people see them: what has the network's size is neither resized nor cropped, a picture of the
    same proportions is resized as a whole, anything else is prepared like any file. The table is
    ``{out_path}/{model}.parquet``, which :func:`beholder.responses.read_trials` reads; interrupted work is continued.

    Parameters
    ----------
    model : Model, nn.Module or str
    stimuli : StimulusSet, or whatever holds stimuli
        Labels say what is right, where they are categories, class names or WordNet ids; the columns ``condition`` (or
        ``grade``), ``level`` and ``texture`` are kept; in a set of versions of stimuli (a column
        ``source`` or ``original``) stimuli and conditions are named as in answers of people to them.
    categories : mapping of str to sequence of int or str, optional
        The classes of each category: numbers of outputs, WordNet ids or names. Default the 16 of ImageNet's classes,
        the words of networks of words, or the network's own classes: the first of these that holds a label.
    rule : {"first", "mean", "max", "sum"}
        How a category follows from classes: :func:`beholder.evaluation.decide`.
    out_path : path
    name : str, optional
        What the network is called in the table and the file's name; default its own name.
    device : str
        Of a model given by name.
    batch_size : int, optional
        Stimuli in one pass; default 8 on the CPU, 64 elsewhere. Kept by what was begun.
    workers : int
        Processes.
    overwrite : bool
        Replace answers to other stimuli, by another rule or of a network that has changed.
    weights_seed : int
        Of a name that ends in ``@random``.
    cluster, mixed, dry_run
        As for :func:`beholder.extract`.

    Returns
    -------
    Trials
        Columns ``participant, stimulus, response, rule``; ``truth`` and ``correct`` where labels tell; what the set has
        of ``condition, level, texture``. Stimuli whose label is none of the categories are left out, with a sentence.

    Raises
    ------
    InputError
        A network whose outputs are not the categories, or of another sense.
    ConfigurationChanged
        Answers are there to other stimuli, by another rule, or of another network of this name.

    Examples
    --------
    >>> trials = answer_stimuli("squeezenet1_1", "cue_conflict/")  # doctest: +SKIP
    """
    check_output_folder(out_path)
    if rule not in CATEGORY_RULES:
        raise UnknownNameError("rule", rule, CATEGORY_RULES)
    asked = open_model(model, device if isinstance(model, str) else None, weights_seed)
    found = collect_stimuli(asked, stimuli)
    if not len(found):
        raise InputError("at least one stimulus", got="an empty stimulus set")
    labels, _ = read_labels_of(found)
    known = find_categories(asked, count_outputs(asked), labels, categories)
    meant = {label: known.look_up(label) for label in set(labels)}
    truths = [meant[label] for label in labels] or [""] * len(found)
    kept = [i for i, truth in enumerate(truths) if truth or not any(truths)]
    shown = found[kept].pin()
    who = name or asked.path_name
    out = place_output(Path(out_path), Path(out_path) / f"{to_path_name(who)}.parquet")
    file = f"{to_path_name(who)}.parquet"
    folder = JobFolder(out.parent / f".{out.name}.answers.jobs" / to_path_name(who), out)
    replace = partial(folder.clear, [out / file]) if overwrite else None
    with open_output(folder, leftovers=[out / file], replace=replace) as output:
        settings = _resolve_settings(asked, who, shown, known.outputs, rule, batch_size, folder.read_settings())
        output.settle(settings, vacant=[out / file])
        readout = CategoryReadout(known.outputs, rule)
        worker = AnswerWorker(shown, asked, str(asked.device), settings["batch_size"], readout)
        receipts = output.run(plan_answers(who, settings, len(shown)), worker, n_workers=workers)
        answers = join_answers(receipts)["answers"]
        table = make_answer_table(who, shown, [truths[i] for i in kept], answers, rule)
        with folder.seal(file):
            write_answer_table(out / file, table)
        facts = {"model": asked.name, "weights": asked.weights.sha256, "stimuli": shown.describe()}
        output.record(out, file, facts)
    told = [f"{who} answered to {format_count(len(shown), 'stimulus')} by the rule {rule}."]
    if len(kept) < len(found):
        other = found.labels[truths.index("")]
        told.append(
            f"{len(found) - len(kept):,} of {format_count(len(found), 'stimulus')} "
            f"are left out: their labels, such as {other!r}, are "
            "none of the categories."
        )
    if not any(truths):
        told.append("No labels tell what is right.")
    return Trials(table, tuple(told))


def _resolve_settings(
    model: Model,
    name: str,
    stimuli: StimulusSet,
    categories: dict[str, list[int]],
    rule: str,
    batch_size: int | None,
    old: dict[str, Any] | None,
) -> dict[str, Any]:
    """Everything that can change the table. The batch size is chosen when the network is first asked."""
    if batch_size is not None and batch_size < 1:
        raise InputError("--batch_size of 1 or more", got=str(batch_size))
    if old is not None and old["device"] == model.device.type:
        batch_size = keep_batch_size(batch_size, old, "answers")
    columns = {column: list(map(str, values)) for column, values in stimuli.conditions.items()}
    return {
        "format": FORMAT,
        "participant": name,
        "model": model.name,
        "network": identify_model(model),
        "preprocessing": describe_preprocessing(model),
        "device": model.device.type,
        "batch_size": batch_size or (CPU_BATCH if model.device.type == "cpu" else DEVICE_BATCH),
        "rule": rule,
        "categories": categories,
        "n_stimuli": len(stimuli),
        "stimuli": hash_settings([stimuli.ids, stimuli.hashes, read_labels_of(stimuli)[0], columns]),
    }


def make_answer_table(
    name: str, stimuli: StimulusSet, truths: Sequence[str], answers: Sequence[str], rule: str
) -> pd.DataFrame:
    """A row a stimulus, in the columns of trials; truths that are all empty stay away."""
    columns = list_shown(name, stimuli)
    if any(truths):
        columns["truth"] = list(truths)
    columns["response"] = list(answers)
    if any(truths):
        columns["correct"] = [answer == truth for answer, truth in zip(answers, truths, strict=True)]
    columns["rule"] = [rule] * len(stimuli)
    return make_typed_table(columns)


def list_shown(name: str, stimuli: StimulusSet, *, as_versions: bool = True) -> dict[str, list[Any]]:
    """Who answered what: participant, stimulus, and what the set has of condition, level and texture.

    Parameters
    ----------
    name : str
    stimuli : StimulusSet
    as_versions : bool
        Conditions of versions of stimuli are named as an experiment on them names them, level and all.
    """
    n = len(stimuli)
    own = {str(column).casefold(): values for column, values in stimuli.conditions.items()}
    versions = name_versions(stimuli)
    ids, shown = versions or (list(stimuli.ids), None)
    own = {**own, "condition": shown} if as_versions and shown is not None else own
    columns: dict[str, list[Any]] = {"participant": [name] * n, "stimulus": ids}
    for column, sources in _CONDITIONS.items():
        values = next((own[source] for source in sources if source in own), None)
        if values is not None:
            columns[column] = list(map(_to_level, values)) if column == "level" else list(map(str, values))
    return columns


def make_typed_table(columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """Columns of trials as a table: truths, numbers, counts, words."""
    import pandas as pd

    return pd.DataFrame({key: pd.Series(cells, dtype=_KINDS.get(key, "str")) for key, cells in columns.items()})  # type: ignore[call-overload]


def _to_level(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def write_answer_table(path: Path, table: pd.DataFrame) -> None:
    """Write the table as Parquet, by rename; equal tables give equal bytes."""
    write_parquet(path, table, {str(column): _KINDS.get(str(column), "string") for column in table.columns})
