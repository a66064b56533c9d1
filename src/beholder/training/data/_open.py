"""Opening what a training run is given as its data: the part that is trained on, and the part that validates."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.progress import tell
from beholder.evaluation import find_labels, read_labels_of
from beholder.models import Model, check_modality, collect_stimuli
from beholder.stimuli import StimulusSet, list_name_fields, read_name_fields, sort_classes
from beholder.training.data._augmentations import AUGMENTATIONS, read_augmentations
from beholder.training.data._drawn import DRAWN_SETS, DrawnData
from beholder.training.data._protocol import TrainingData
from beholder.training.data._readers import PictureReader, PlainReader, StimulusReader
from beholder.training.data._settings import DataSettings
from beholder.training.data._sound_reader import Background, SoundReader
from beholder.training.data._split import choose_held_out, select_where
from beholder.training.data._stored import StoredData

logger = logging.getLogger("beholder")

_GB = 2**30
_DEFAULT_OF = {each.name: each.default for each in fields(DataSettings)}
OF_FILES = ("label_column", "label_pattern", "train_where", "validation", "validation_where", "background")
"""Settings of data that lie in files."""
_PARTS = frozenset({"train", "training", "val", "valid", "validation", "test"})
DEFAULTS = {"image": ("crop", "flip"), "sound": ("crop",), "array": ()}
"""Augmentations where none are asked for, by modality."""


@suggest_keywords
def open_training_data(
    data: Any,
    model: Model,
    settings: DataSettings | None = None,
    *,
    classes: Sequence[str] | None = None,
    held_out: float = 0.1,
) -> tuple[TrainingData, TrainingData | None]:
    """The part of the data that is trained on, and the part that validates.

    Parameters
    ----------
    data : str, path, StimulusSet, or whatever holds stimuli
        ``"shapes"`` and ``"syllables"`` are drawn, where no folder of that name lies here. Else a folder with one
        folder a class, a table with a column of labels, or what :func:`beholder.stimuli.as_stimulus_set` takes.
    model : Model
        Whose ``prepare`` the stimuli go through.
    settings : DataSettings, optional
    classes : sequence of str, optional
        The model's outputs, where it is trained on with the readout that it has: labels are found among them by name,
        WordNet id or number. By default classes are what the data's labels name.
    held_out : float
        In [0, 1): the proportion that validates where the settings name no part. The hash of a stimulus's id decides,
        so that it stays on its side whatever is added; at least one of each class with several.

    Returns
    -------
    training, validation
        None for the latter where nothing is held out.

    Raises
    ------
    InputError
        Labels that are not among the classes, fewer than two classes, a part without stimuli.
    """
    settings = DataSettings() if settings is None else settings
    if not 0 <= held_out < 1:
        raise InputError("a held-out part of at least 0, below 1", got=f"{held_out:g}")
    if is_drawn(data):
        return _open_drawn(str(data), model, settings, classes)
    refuse_given(settings, ("n_drawn", "n_drawn_validation"), f"a drawn set, {' or '.join(DRAWN_SETS)}", str(data))
    stimuli = _read(data, model, settings)
    labels = _read_labels(stimuli, settings)
    training, validation, held_labels = _split(stimuli, labels, model, settings, held_out)
    own = _name_classes([labels[int(i)] for i in training])
    asked = tuple(classes) if classes is not None else None
    names = asked or (tuple(sort_classes(labels)) if settings.validation is None else own)
    network = model if asked else None
    shown = stimuli[training]
    augment = choose_augmentations(data, model, settings)
    background = None if settings.background is None else collect_stimuli(model, settings.background)
    reader = _make_reader(model, augment, settings, background)
    room = _find_room(settings.cache_gb)
    chosen = [labels[int(i)] for i in training]
    numbered = _number(shown, chosen, names, network, settings, is_first=True)
    first = StoredData(
        shown, numbered, names, reader, augment=augment, background=background, cache_bytes=room * 3 // 4
    )
    _log_empty(names, first.labels)
    if not len(held_labels):
        return first, None
    second = StoredData(validation, _number(validation, held_labels, names, network, settings), names,
                        PlainReader(model.preprocessing), cache_bytes=room // 4)  # fmt: skip
    return first, second


def is_drawn(data: Any) -> bool:
    """Whether data are a set that is drawn, and no folder of its name."""
    return isinstance(data, str) and data in DRAWN_SETS and not Path(data).exists()


def choose_augmentations(data: Any, model: Model, settings: DataSettings) -> dict[str, float]:
    """The augmentations of the stimuli that are trained on, with their numbers, in their order."""
    if settings.augment is not None:
        return read_augmentations(settings.augment)
    return read_augmentations(DRAWN_SETS[data].augment if is_drawn(data) else DEFAULTS[model.modality])


def refuse_given(settings: DataSettings, names: Sequence[str], goes_with: str, got: str) -> None:
    """Refuse settings that were given and would change nothing.

    Raises
    ------
    InputError
        With all of them, and what they go with.
    """
    given = [f"--{each}" for each in names if getattr(settings, each) != _DEFAULT_OF[each]]
    if given:
        raise InputError(f"{', '.join(given)} with {goes_with}", got=got)


def _open_drawn(
    name: str, model: Model, settings: DataSettings, classes: Sequence[str] | None
) -> tuple[TrainingData, TrainingData | None]:
    drawn = DRAWN_SETS[name]
    if model.modality != drawn.kind:
        raise InputError(f"data of {model.modality}s, which {model.name} takes", got=f"{name}, which are {drawn.kind}s")
    if classes is not None and tuple(classes) != drawn.categories:
        raise InputError(f"the {len(drawn.categories)} classes of {name}", got=f"{len(classes)} of {model.name}",
                         hint="a new readout")  # fmt: skip
    given = [each for each in OF_FILES if getattr(settings, each) is not None]
    if given:
        raise InputError(f"the drawn set {name} without what is of files", got=", ".join(f"--{each}" for each in given),
                         hint="--n_drawn_validation for the part that validates")  # fmt: skip
    augment = choose_augmentations(name, model, settings)
    first = DrawnData(name, settings.n_drawn, _make_reader(model, augment, settings), augment=augment)
    if settings.n_drawn_validation == 0:
        return first, None
    return first, DrawnData(name, settings.n_drawn_validation, PlainReader(model.preprocessing), for_validation=True)


def _read(data: Any, model: Model, settings: DataSettings) -> StimulusSet:
    stimuli = collect_stimuli(model, data, any_size="crop" in (settings.augment or ()))
    check_modality(model, stimuli)
    return stimuli if settings.label_pattern is None else read_name_fields(stimuli, settings.label_pattern)


def _list_paths(stimuli: StimulusSet) -> set[str]:
    """Where the files of a set lie."""
    root = os.path.realpath(stimuli.root or ".")
    return {os.path.join(root, file) for file in stimuli.files if file}  # noqa: PTH118 (a million at a time)


def _read_labels(stimuli: StimulusSet, settings: DataSettings) -> list[str]:
    """The class of each stimulus, as the data call it."""
    labels, _ = read_labels_of(stimuli, _find_column(settings))
    if not labels:
        raise InputError("stimuli with classes: one folder a class, or a column of labels",
                         got=f"{len(stimuli)} {stimuli.kind}s without",
                         hint=_hint_at_labels(stimuli))  # fmt: skip
    found = {label.casefold() for label in labels}
    if (
        stimuli.layout == "classes"
        and settings.label_column is None
        and found <= _PARTS
        and found & {"train", "training"}
    ):
        given = sorted(set(labels))
        raise InputError("a folder with a folder for each class", got=f"one with parts, {', '.join(given)}",
                         hint=f"{stimuli.root}/{given[0]} with --validation {stimuli.root}/{given[-1]}")  # fmt: skip
    return labels


def _hint_at_labels(stimuli: StimulusSet) -> str:
    """Where classes may stand: in a column of the table, or in the files' names."""
    suffix = next((Path(file).suffix for file in stimuli.files if file), "")
    pattern = f"--label_pattern '{{label}}_{{take}}{suffix}' where the file names tell"
    columns = [str(name) for name in stimuli.conditions]
    return f"--label_column, one of {', '.join(columns[:4])}, or {pattern}" if columns else pattern


def _find_column(settings: DataSettings) -> str | None:
    if settings.label_column is None and settings.label_pattern is not None:
        return list_name_fields(settings.label_pattern)[0]
    return settings.label_column


def _split(
    stimuli: StimulusSet, labels: list[str], model: Model, settings: DataSettings, held_out: float
) -> tuple[np.ndarray, StimulusSet, list[str]]:
    """Positions that are trained on, the stimuli that validate, and their labels."""
    columns = {**stimuli.conditions, "label": stimuli.labels, "stimulus_id": stimuli.ids}
    training = np.ones(len(stimuli), bool)
    if settings.train_where is not None:
        training = select_where(columns, settings.train_where)
    if settings.validation is not None:
        others = _read(settings.validation, model, settings)
        twice = sorted(_list_paths(others) & _list_paths(stimuli))
        if twice:
            raise InputError("validation stimuli that are not trained on", got=f"{len(twice):,} that are: {twice[0]}")
        held, held_labels = others, _read_labels(others, settings)
    else:
        if settings.validation_where is not None:
            chosen = select_where(columns, settings.validation_where)
            if settings.train_where is not None and (chosen & training).any():
                raise InputError("parts without stimuli in common", got=f"{int((chosen & training).sum())} in both")
            training &= ~chosen
        else:
            number = np.unique(np.array(labels), return_inverse=True)[1]
            chosen = choose_held_out(stimuli.ids, number, held_out) & training
            training &= ~chosen
        places = np.flatnonzero(chosen)
        held, held_labels = stimuli[places], [labels[i] for i in places]
        left = len(stimuli) - int(training.sum()) - len(places)
        if left:
            tell("%d of %d stimuli are in neither part", left, len(stimuli))
    if not training.any():
        raise InputError("stimuli to train on", got=f"none of {len(stimuli)}")
    return np.flatnonzero(training), held, held_labels


def _name_classes(labels: Sequence[str]) -> tuple[str, ...]:
    """The classes that are trained on."""
    own = sort_classes(labels)
    if len(own) < 2:
        raise InputError("at least two classes to train on", got=f"one, {own[0]}")
    return tuple(own)


def _number(
    stimuli: StimulusSet,
    labels: Sequence[str],
    names: tuple[str, ...],
    model: Model | None,
    settings: DataSettings,
    *,
    is_first: bool = False,
) -> np.ndarray:
    """The number of each stimulus's class; with a model its output."""
    if model is None:
        places = {name: i for i, name in enumerate(names)}
        strange = sorted({label for label in labels if label not in places})
        if strange:
            got = f"{len(strange)} others, such as {', '.join(strange[:3])}"
            raise InputError(f"validation labels among the {len(names)} classes trained on", got=got)
        return np.array([places[label] for label in labels], dtype=np.int64)
    found = find_labels(stimuli, names, _find_column(settings), who=model.name)
    if found.how == "numbers" and is_first:
        first = int(found.indices[0])
        logger.warning("labels count the outputs of %s: %d is %s; a new readout for classes of their own", model.name,
                       first, names[first])  # fmt: skip
    return found.indices


def _log_empty(classes: tuple[str, ...], labels: np.ndarray) -> None:
    counts = np.bincount(labels, minlength=len(classes))
    empty = [classes[i] for i in np.flatnonzero(counts == 0)]
    if empty:
        logger.warning("%d of %d classes have nothing to train on: %s", len(empty), len(classes), ", ".join(empty[:8]))


def _make_reader(
    model: Model, augment: Mapping[str, float], settings: DataSettings, background: StimulusSet | None = None
) -> StimulusReader:
    stages = {name: AUGMENTATIONS[name].stage for name in augment}
    fitting = {"image": {"geometry", "picture", "values", "batch"}, "sound": {"sound", "batch"}, "array": {"batch"}}
    for name, stage in stages.items():
        if stage not in fitting[model.modality] and not (model.modality == "sound" and name == "crop"):
            raise InputError(f"augmentations of {model.modality}s", got=name)
    if background is not None and model.modality != "sound":
        raise InputError("a background with sounds", got=f"one with {model.modality}s")
    if model.modality == "image":
        return PictureReader(model.preprocessing, augment)
    if model.modality == "sound":
        rate = model.sample_rate or 0
        behind = None if background is None else Background(background, rate, settings.snr)
        return SoundReader(model.preprocessing, augment, behind)
    return PlainReader(model.preprocessing)


def _find_room(cache_gb: float | None) -> int:
    """Bytes for decoded stimuli."""
    if cache_gb is not None:
        return int(cache_gb * _GB)
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4
    except (ValueError, OSError, AttributeError):  # not on this system
        return 2 * _GB
