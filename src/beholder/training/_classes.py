"""The classes of the data and those of a network: the same, some of them, or a new last layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from beholder._core.errors import InputError
from beholder._core.progress import tell
from beholder._core.seeds import derive_seed
from beholder.evaluation import count_outputs
from beholder.models import Model, find_head, set_head
from beholder.training.data._protocol import TrainingData

RANDOM = "random"
_torch: Any = torch
Parts = tuple[TrainingData, TrainingData | None]


def open_fitting(
    open_parts: Callable[[Sequence[str] | None], Parts], model: Model, *, new_head: bool, seed: int
) -> tuple[Parts, tuple[str, ...]]:
    """Data whose labels are outputs of a network, which may get a new last layer for them.

    Labels are found among the network's own classes where they name these, by name, WordNet id or number. A network
    whose outputs have no names, or whose weights are random, takes the data's classes, as many as it has outputs. Its
    last layer is replaced where that is asked for, or where its weights are random and it has another number of
    outputs.

    Parameters
    ----------
    open_parts : callable
        ``open_parts(classes)``: the training and the validation part, with labels among these classes, or with classes
        of their own.
    model : Model
        From :func:`~beholder.models.copy_trainee`; its last layer may be replaced.
    new_head : bool
    seed : int
        Of the new layer's weights.

    Returns
    -------
    parts : (TrainingData, TrainingData or None)
    classes : tuple of str
        Of the outputs.

    Raises
    ------
    InputError
        One class; other classes than the network's, with what to type.
    """
    n_outputs = count_outputs(model)
    own = model.classes if model.classes is not None and len(model.classes) == n_outputs else None
    first, second = open_parts(None)
    classes = first.classes
    if len(classes) < 2:
        got = f"one, {classes[0]!r}" if classes else "none"
        raise InputError("stimuli of two classes or more", got=got, hint="a folder with a sub-folder for each class")
    if not new_head:
        found = None if own is None else _find_among(own, open_parts, first, second)
        if found is not None and own is not None:
            if len(classes) < len(own):
                tell("the %d classes of the data are among the %d of %s", len(classes), len(own), model.name)
            return found, own
        is_random = model.weights.tag == RANDOM
        if n_outputs == len(classes) and (own is None or is_random):
            return (first, second), classes
        if not is_random:
            what = f"{n_outputs} outputs" + (f" ({own[0]!r}, {own[1]!r}, ...)" if own else "")
            raise InputError(
                f"a network whose classes are the {len(classes)} of the data ({classes[0]!r}, {classes[1]!r}, ...)",
                got=f"{model.name} with {what}", hint="--new_head, which puts a new last layer in its place",
            )  # fmt: skip
    path, _ = find_head(model)
    if not path:
        raise InputError("a network whose last layer can be replaced", got=model.name, hint="one with as many outputs")
    with _torch.random.fork_rng(devices=[]):
        _torch.manual_seed(derive_seed(seed, "new head", path))
        set_head(model.module, path, len(classes))
    tell("%s: a new last layer %s for %d classes, in place of %d", model.name, path, len(classes), n_outputs)
    return (first, second), classes


def _find_among(
    own: tuple[str, ...], open_parts: Callable[[Sequence[str] | None], Parts], first: TrainingData,
    second: TrainingData | None,
) -> Parts | None:  # fmt: skip
    """The data with the network's classes, where their labels name these; numbers only where there are as many."""
    classes = first.classes
    if classes == own:
        return first, second
    if set(classes) <= set(own):
        places = tuple(own.index(each) for each in classes)
        relabelled = None if second is None else RelabelledData(second, own, places)
        return RelabelledData(first, own, places), relabelled
    if all(each.isdecimal() for each in classes) and len(classes) != len(own):
        return None
    try:
        found = open_parts(own)
    except InputError:
        return None
    return found if found[0].classes == own else None


@final
@dataclass(frozen=True, eq=False)
class RelabelledData:
    """Data whose labels are the outputs of a network with more classes, or with these in another order.

    Parameters
    ----------
    data : TrainingData
    classes : tuple of str
        Of the network.
    places : tuple of int
        The output of each class of the data.
    """

    data: TrainingData
    classes: tuple[str, ...]
    places: tuple[int, ...]

    @property
    def n_stimuli(self) -> int:
        """Stimuli an epoch."""
        return self.data.n_stimuli

    @property
    def fingerprint(self) -> str:
        """Of the data."""
        return self.data.fingerprint

    def read_batch(self, indices: np.ndarray, epoch: int, seed: int) -> tuple[Tensor, Tensor]:
        """As the data's, with the network's labels."""
        x, labels = self.data.read_batch(indices, epoch, seed)
        places = torch.tensor(self.places)
        if labels.ndim == 1:
            return x, places[labels]
        return x, labels.new_zeros(len(labels), len(self.classes)).index_copy(1, places, labels)

    def name_stimulus(self, index: int) -> str:
        """As the data do."""
        return self.data.name_stimulus(index)
