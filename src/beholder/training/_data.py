"""The two parts of the data that a run learns from and is held to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeGuard, cast

import numpy as np
import torch
from torch import Tensor

from beholder._core.errors import SKIP_HINT, InputError, StimulusError
from beholder.models import Model
from beholder.training.data._arrays import ArrayData
from beholder.training.data._open import OF_FILES, open_training_data, refuse_given
from beholder.training.data._protocol import TrainingData
from beholder.training.data._settings import DataSettings
from beholder.training.data._threads import read_ahead


def open_data(
    data: Any, model: Model, settings: DataSettings, held_out: float, seed: int, classes: Sequence[str] | None = None
) -> tuple[TrainingData, TrainingData | None]:
    """Training and validation part of whatever holds labelled stimuli.

    Parameters
    ----------
    data : TrainingData or two of them, (stimuli, labels), or what :func:`open_training_data` takes
        Two: for training and for validation.
    model : Model
    settings : DataSettings
    held_out : float
        Share that validates, where the data name no part.
    seed : int
        Draws the held-out part of arrays.
    classes : sequence of str, optional
        Of the network's outputs, among which labels of files are found.
    """
    if holds_arrays(data):
        names = (*OF_FILES, "augment", "n_drawn", "n_drawn_validation")
        refuse_given(settings, names, "data of files, or a drawn set", "arrays or data of your own")
    if _is_data(data):
        return data, None
    if isinstance(data, (tuple, list)) and len(cast(Sequence[Any], data)) == 2:
        first, second = cast(tuple[Any, Any], data)
        if _is_data(first) and _is_data(second):
            if first.classes != second.classes:
                raise InputError("a validation part of the same classes", got=f"{len(second.classes)} other ones")
            return first, second
        if hasattr(first, "shape"):
            arrays = make_array_data(first, second, model)
            return arrays.split(held_out, seed) if held_out > 0 else (arrays, None)
    return open_training_data(data, model, settings, classes=classes, held_out=held_out)


def holds_arrays(data: Any) -> bool:
    """Whether data are prepared stimuli with labels, or read by an object of the caller's."""
    pair = cast(Sequence[Any], data) if isinstance(data, (tuple, list)) else ()
    return _is_data(data) or (len(pair) == 2 and (_is_data(pair[0]) or hasattr(pair[0], "shape")))


def make_array_data(stimuli: Any, labels: Any, model: Model) -> ArrayData:
    """Arrays of prepared stimuli and their labels, whose classes are the model's, or numbers."""
    x, numbers = torch.as_tensor(np.asarray(stimuli)), torch.as_tensor(np.asarray(labels)).long()
    shape = model.input_shape
    if shape is not None and tuple(x.shape[1:]) != tuple(shape):
        raise InputError(f"prepared stimuli of shape {tuple(shape)}", got=str(tuple(x.shape[1:])))
    n_classes = int(numbers.max()) + 1 if len(numbers) else 0
    names = model.classes if model.classes is not None and len(model.classes) >= n_classes else None
    return ArrayData(x.float(), numbers, tuple(names or map(str, range(n_classes))))


def iter_batches(
    data: TrainingData, batches: Sequence[np.ndarray], *, epoch: int, seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches in their order, read ahead of the network; those in memory when they are asked for.

    Raises
    ------
    StimulusError
        A stimulus cannot be read: which one, and how to go on without it.
    """
    try:
        yield from read_ahead(data, batches, epoch, seed, n_threads=0 if isinstance(data, ArrayData) else None)
    except StimulusError as error:
        hint = "--skip_bad, which leaves it out and goes on" if error.hint in (None, SKIP_HINT) else error.hint
        raise StimulusError(error.expected, got=error.got, hint=hint) from error


def _is_data(value: Any) -> TypeGuard[TrainingData]:
    return callable(getattr(value, "read_batch", None))
