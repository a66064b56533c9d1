"""The classes of the data and those of a network: the same, some of them, or a new last layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from beholder._core.errors import InputError
from beholder._core.progress import logger
from beholder._core.seeds import derive_seed
from beholder.evaluation import count_outputs
from beholder.models import Model, find_head, set_head
from beholder.training.data._protocol import TrainingData

RANDOM = "random"


def fit_classes(
    model: Model, classes: Sequence[str], *, new_head: bool, seed: int, name: str
) -> tuple[tuple[str, ...], list[int] | None]:
    """Make a network of one's own answer with the classes of the data.

    A network whose classes hold all those of the data keeps its own; one of as many unnamed outputs, or of random
    weights, takes the data's. Its last layer is replaced where that is asked for, or where its weights are random and
    it has another number of outputs.

    Parameters
    ----------
    model : Model
        From :func:`~beholder.models.copy_trainee`; its last layer may be replaced.
    classes : sequence of str
        Of the data.
    new_head : bool
    seed : int
        Of the new layer's weights.
    name : str
        Of the network, for messages.

    Returns
    -------
    classes : tuple of str
        Of the outputs.
    places : list of int or None
        The output of each class of the data, where these are not in the same order.

    Raises
    ------
    InputError
        One class; other classes than the network's, with what to type.
    """
    classes = tuple(classes)
    if len(classes) < 2:
        got = f"one, {classes[0]!r}" if classes else "none"
        raise InputError("stimuli of two classes or more", got=got, hint="a folder with a sub-folder for each class")
    is_random = model.weights.tag == RANDOM
    n_outputs = count_outputs(model)
    if not new_head:
        own = model.classes
        if own is not None and len(own) == n_outputs and set(classes) <= set(own):
            return own, None if classes == own else [own.index(each) for each in classes]
        if n_outputs == len(classes) and (own is None or is_random):
            return classes, None
        if not is_random:
            what = f"{n_outputs} outputs" + (f" ({own[0]!r}, {own[1]!r}, ...)" if own else "")
            raise InputError(
                f"a network whose classes are the {len(classes)} of the data ({classes[0]!r}, {classes[1]!r}, ...)",
                got=f"{name} with {what}", hint="--new_head, which puts a new last layer in its place",
            )  # fmt: skip
    path, _ = find_head(model)
    if not path:
        raise InputError("a network whose last layer can be replaced", got=name, hint="one with as many outputs")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "new head", path))
        set_head(model.module, path, len(classes))
    model.module.train()
    logger.info("%s: a new last layer %s for %d classes, in place of %d", name, path, len(classes), n_outputs)
    return classes, None


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

    @property
    def bad_stimuli(self) -> Mapping[str, str]:
        """As the data's."""
        return self.data.bad_stimuli


def relabel(data: TrainingData, classes: tuple[str, ...], places: list[int] | None) -> TrainingData:
    """Data with a network's labels; as they are where these are the same."""
    return data if places is None else RelabelledData(data, classes, tuple(places))
