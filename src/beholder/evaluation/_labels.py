"""What stimuli truly are, as outputs of a network: read from labels, columns or ids, never from positions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, find_near_names, suggest_keywords
from beholder._core.wording import format_count
from beholder.evaluation._class_names import ClassNames
from beholder.models import list_imagenet_classes
from beholder.stimuli import (
    StimulusSet,
    list_name_fields,
    load_categories,
    load_class_categories,
    read_name_fields,
)

_NUMBER = re.compile(r"([+-]?\d+)(?:\.0*)?")
_LABEL_COLUMNS, _TARGET_COLUMNS = ("label", "class"), ("target",)


@final
@dataclass(frozen=True, eq=False)
class Labels:
    """What each stimulus truly is.

    Attributes
    ----------
    indices : (n_stimuli,), int64
        Numbers of outputs, or of categories; -1 for a stimulus that is in no category.
    names : tuple of str
        (n_stimuli,), what is meant, in the classes' own words; ``""`` for -1.
    classes : tuple of str
        All classes by their number; empty where the outputs have no names.
    how : {"names", "numbers", "categories"}
        What the labels were: names or WordNet ids, numbers of outputs, categories.
    source : str
        Where they stood, such as ``"labels"``, ``"column species"``, ``"ids"``.
    notes : tuple of str
        What a reader must know, such as that only one class is there.
    """

    indices: np.ndarray
    names: tuple[str, ...]
    classes: tuple[str, ...]
    how: str
    source: str
    notes: tuple[str, ...] = ()


@suggest_keywords
def find_labels(
    stimuli: StimulusSet,
    classes: Sequence[str] | int,
    column: str | None = None,
    *,
    pattern: str | None = None,
    who: str = "the network",
) -> Labels:
    """Find which class each stimulus is of.

    Labels are names of folders, or a table's column ``label``, ``class`` or ``target``, or what ``column`` or
    ``pattern`` say; of stimuli without labels their ids, where these begin with a class's name or WordNet id. A label
    is a class's name (in any case, ``_`` for a space), a WordNet id (``n01440764``, ``n01440764_tench``), for
    ImageNet's classes any of their synonyms, or a class's number, from 0. Positions of folders count for nothing.

    Parameters
    ----------
    stimuli : StimulusSet
    classes : sequence of str, or int
        Names of the outputs by their number; how many there are, where they have no names.
    column : str, optional
        The column of the set, or the field of ``pattern``, that holds the labels; default the first field.
    pattern : str, optional
        What names of files are made by, such as ``"{digit}_{speaker}_{take}.wav"``, or a regular expression with a
        group, sought in ids: :func:`beholder.stimuli.read_name_fields`.
    who : str
        Whose classes they are, for messages.

    Returns
    -------
    Labels

    Raises
    ------
    InputError
        No labels; labels that are no class, or name several; numbers that are none of an output, or count from 1.

    Examples
    --------
    >>> stimuli = StimulusSet.from_arrays(np.zeros((2, 8, 8, 3)), labels=["n01443537_goldfish", "Carassius auratus"])
    >>> find_labels(stimuli, list_imagenet_classes()).indices.tolist()
    [1, 1]
    """
    names = ClassNames(() if isinstance(classes, int) else tuple(classes))
    n_classes = classes if isinstance(classes, int) else len(classes)
    given, source = read_labels_of(stimuli, column, pattern)
    find: Callable[[str], frozenset[int]] = names.find
    if not given:
        given, source, find = list(stimuli.ids), "ids", names.find_start
        if not any(find(each) for each in given):
            raise _explain_none(stimuli, who)
    meant = {label: find(label) for label in dict.fromkeys(given)}
    if not any(meant.values()) and all(_NUMBER.fullmatch(label.strip()) for label in meant):
        return _take_numbers(given, names.classes, n_classes, source, who)
    if not names.classes:
        raise InputError(
            f"labels that are numbers from 0 to {n_classes - 1}, since {who} has no names for its outputs",
            got=_name_some(list(meant)), hint="names of the classes for the network, or numbers as labels",
        )  # fmt: skip
    meant = _tell_twins_apart(meant, names)
    _refuse_others(meant, given, names, source, who)
    indices = np.array([next(iter(meant[label])) for label in given], dtype=np.int64)
    return _make(indices, names.classes, "names", source)


@suggest_keywords
def find_category_labels(stimuli: StimulusSet, column: str | None = None, *, pattern: str | None = None) -> Labels:
    """Find which of the 16 categories each stimulus is of; -1 where it is an ImageNet class of none.

    Parameters
    ----------
    stimuli, column, pattern
        As for :func:`find_labels`; labels are names of the categories, or classes of ImageNet.

    Returns
    -------
    Labels
        Their classes are the 16 categories, alphabetical.

    Raises
    ------
    InputError
        As for :func:`find_labels`; no stimulus of any category.
    """
    categories = tuple(load_categories())
    places = {name: i for i, name in enumerate(categories)}
    given, source = read_labels_of(stimuli, column, pattern)
    if given and set(given) <= set(categories):
        return _make(np.array([places[label] for label in given], dtype=np.int64), categories, "categories", source)
    found = find_labels(stimuli, list_imagenet_classes(), column, pattern=pattern, who="ImageNet")
    of_class = np.array([places.get(name, -1) for name in load_class_categories()])
    indices = of_class[found.indices]
    if (indices < 0).all():
        raise InputError(
            "stimuli of the 16 categories", got=f"{len(given):,} of {_name_some(list(found.names))}, which are in none"
        )
    return _make(indices, categories, found.how, source)


@suggest_keywords
def read_labels_of(
    stimuli: StimulusSet, column: str | None = None, pattern: str | None = None
) -> tuple[list[str], str]:
    """Labels as they stand, and where: of a column, of names of files, of the set; none of a set without any.

    Parameters
    ----------
    stimuli, column, pattern
        As for :func:`find_labels`.
    """
    if pattern is not None:
        return _read_column(
            read_name_fields(stimuli, pattern), column or list_name_fields(pattern)[0]
        ), "names of files"
    if column is not None:
        return _read_column(stimuli, column), f"column {column}"
    return (list(stimuli.labels), "labels") if has_labels(stimuli) else ([], "")


def has_labels(stimuli: StimulusSet) -> bool:
    """Whether labels were given; files of a flat folder are each called by their own name."""
    if stimuli.layout == "classes":
        return True
    if stimuli.labels == stimuli.ids:
        return False
    own = stimuli.targets.tolist() == list(range(len(stimuli)))
    return not own or stimuli.labels != tuple(PurePosixPath(file).stem for file in stimuli.files)


def _read_column(stimuli: StimulusSet, column: str) -> list[str]:
    known: Mapping[str, Sequence[object]] = {str(name).casefold(): held for name, held in stimuli.conditions.items()}
    if column.casefold() in known:
        held = known[column.casefold()]
        empty = sum(value is None or str(value) == "" for value in held)
        if empty:
            raise InputError(
                f"a label for every stimulus in the column {column}", got=f"{empty:,} of {len(held):,} empty"
            )
        return [str(value) for value in held]
    if column.casefold() in _LABEL_COLUMNS and has_labels(stimuli):
        return list(stimuli.labels)
    if column.casefold() in _TARGET_COLUMNS:
        return [str(number) for number in stimuli.targets.tolist()]
    raise UnknownNameError("column of the stimuli", column, ["label", *map(str, stimuli.conditions)])


def _take_numbers(given: Sequence[str], classes: tuple[str, ...], n_classes: int, source: str, who: str) -> Labels:
    """Numbers of outputs; those that count from 1 where that shows."""
    numbers = np.array([int(_NUMBER.fullmatch(label.strip())[1]) for label in given], dtype=np.int64)  # type: ignore[index]
    wrong = (numbers < 0) | (numbers >= n_classes)
    if wrong.any():
        low, high = int(numbers.min()), int(numbers.max())
        counts_from_one = low >= 1 and high == n_classes
        raise InputError(
            f"numbers of the classes of {who}, from 0 to {n_classes - 1}",
            got=f"{low} to {high} as {source}" + (", which seem to count from 1" if counts_from_one else "")
            + f"; {int(wrong.sum()):,} of {format_count(len(numbers), 'stimulus')} are outside",
            hint="names of the classes as labels" + (", or the numbers less 1" if counts_from_one else ""),
        )  # fmt: skip
    return _make(numbers, classes, "numbers", source)


def _tell_twins_apart(meant: dict[str, frozenset[int]], names: ClassNames) -> dict[str, frozenset[int]]:
    """Of outputs that share a name, those that are there under a name of their own are not meant by it."""
    taken = {next(iter(outputs)): label for label, outputs in meant.items() if len(outputs) == 1}
    return {
        label: frozenset(each for each in outputs if each not in taken) or outputs if len(outputs) > 1 else outputs
        for label, outputs in meant.items()
    }


def _refuse_others(
    meant: Mapping[str, frozenset[int]], given: Sequence[str], names: ClassNames, source: str, who: str
) -> None:
    counts = Counter(given)
    unknown = [label for label, outputs in meant.items() if not outputs]
    if unknown:
        near = find_near_names(unknown[0], list(names.classes))
        raise InputError(
            f"{source} that are classes of {who}",
            got=f"{len(unknown):,} of {len(meant):,} that are none ({sum(counts[each] for each in unknown):,} of "
            f"{format_count(len(given), 'stimulus')}): {_name_some(unknown)}",
            hint=" or ".join(map(repr, near)) if near else f"names such as {_name_some(names.classes)}",
        )  # fmt: skip
    shared = next((label for label, outputs in meant.items() if len(outputs) > 1), None)
    if shared is not None:
        ids = names.wnids or tuple(f"number {i}" for i in range(len(names.classes)))
        several = ", ".join(ids[i] for i in sorted(meant[shared]))
        raise InputError(
            f"{source} that name one class of {who}", got=f"{shared!r}, a name of {several}",
            hint="WordNet ids" if names.wnids else "numbers of the classes",
        )  # fmt: skip


def _make(indices: np.ndarray, classes: tuple[str, ...], how: str, source: str) -> Labels:
    named = tuple(("" if i < 0 else classes[i]) if classes else str(i) for i in indices.tolist())
    there = {name for name in named if name}
    notes = ()
    if len(there) == 1 and len(named) > 1:
        notes = (
            f"All {format_count(len(named), 'stimulus')} are of one class, "
            f"{next(iter(there))!r}: the accuracy is that of one class.",
        )
    return Labels(indices, named, classes, how, source, notes)


def _explain_none(stimuli: StimulusSet, who: str) -> InputError:
    columns = ", ".join(map(str, stimuli.conditions))
    hint = f"column=… with one of {columns}" if columns else "a folder a class, or a table with a column label"
    return InputError(
        f"stimuli that say which class of {who} they are of, by folders, a column label, or their ids",
        got=f"{len(stimuli):,} without labels, whose ids, such as {stimuli.ids[0]!r}, begin with no class's name",
        hint=hint,
    )


def _name_some(names: Sequence[str]) -> str:
    different = list(dict.fromkeys(names))
    return ", ".join(map(repr, different[:3])) + (", …" if len(different) > 3 else "")
