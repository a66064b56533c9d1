"""Batches of the training set of a ``build_network.py``."""

from __future__ import annotations

import contextlib
import inspect
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.models.sources._dataset import get_attribute

if TYPE_CHECKING:
    from torch import Tensor

    from beholder.models.network._model import Model


@suggest_keywords
def iter_training_batches(
    file: Path | str | Model,
    *,
    batch_size: int = 2,
    n_stimuli: int | None = None,
    start: int = 0,
    shuffle: bool = True,
    seed: int = 0,
    workers: int = 0,
) -> Iterator[Tensor]:
    """Batches of the training set of a ``build_network.py``, with its augmentation.

    The dataset's ``make_loaders`` is called with those of ``batch_size, workers, subset, subset_start, subset_type,
    shuffle_train, shuffle_val, data_aug, seed`` that it takes by name. What it draws comes from generators of Python,
    numpy and torch that are seeded here and kept apart from everybody else's.

    Parameters
    ----------
    file : path or Model
        The file, its directory, or the model that it gave.
    batch_size : int
        Stimuli a batch; a pair of the null distribution is a batch of 2.
    n_stimuli : int, optional
        How many in all; default the whole set once.
    start : int
        Stimuli left out at the beginning of the set.
    shuffle : bool
        Draw stimuli at random, instead of in order; a set that ends is begun again in another order.
    seed : int
    workers : int
        Processes of the loader.

    Yields
    ------
    Tensor
        (batch_size, *input_shape), float32, as ``prepare`` gives stimuli. A shorter last batch is left out.

    Raises
    ------
    InputError
        The file gives no dataset with ``make_loaders``, or its training set cannot be read or is too small.
    """
    from beholder.models.network._model import Model
    from beholder.models.sources._network_file import find_network_file, open_dataset

    if isinstance(file, Model):
        if file.spec is None or file.spec.source != "file":
            raise InputError("a model from a build_network.py", got=file.name, hint="a folder of stimuli instead")
        file = file.spec.model
    path = find_network_file(file)
    dataset = open_dataset(str(path))
    make = get_attribute(dataset, "make_loaders")
    if not callable(make):
        raise InputError(
            f"a dataset with make_loaders(workers, batch_size) from main() in {path}",
            got="none" if dataset is None else type(dataset).__name__,
            hint="a folder of stimuli instead",
        )
    wanted: dict[str, Any] = {
        "workers": workers,
        "batch_size": batch_size,
        "subset": n_stimuli,
        "subset_start": start,
        "subset_type": "rand" if shuffle else "first",
        "shuffle_train": shuffle,
        "shuffle_val": shuffle,
        "data_aug": True,
        "seed": seed,
    }
    parameters = inspect.signature(make).parameters
    if shuffle and "subset_type" not in parameters:
        del wanted["subset"], wanted["subset_start"]  # such a loader would draw from the first stimuli only
    states = _seed_states(seed)
    try:
        with _use_states(states):
            loaders: Any = make(**{name: value for name, value in wanted.items() if name in parameters})
            loader = loaders[0] if isinstance(loaders, (tuple, list)) else loaders
        skip = 0 if "subset_start" in parameters and "subset_start" in wanted else start // batch_size
        yield from _take_batches(loader, states, skip, batch_size, n_stimuli, str(path), again=shuffle)
    except (OSError, IndexError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"a training set that can be read, from make_loaders in {path}", got=f"{type(error).__name__}: {error}"
        ) from error


def _take_batches(
    loader: Any,
    states: dict[str, Any],
    skip: int,
    batch_size: int,
    n_stimuli: int | None,
    path: str,
    *,
    again: bool,
) -> Iterator[Tensor]:
    import torch

    from beholder.models.sources._file import find_input_shape

    given, before, shape = 0, 0, find_input_shape(path)
    with _use_states(states):
        batches = iter(loader)
    while n_stimuli is None or given < n_stimuli:
        with _use_states(states):
            batch = next(batches, None)
        if batch is None:
            if n_stimuli is None:
                return
            if not again or given == before:
                raise InputError(f"a training set of {n_stimuli} stimuli in {path}", got=f"{given}")
            before = given
            with _use_states(states):
                batches = iter(loader)
            continue
        first = batch[0] if isinstance(batch, (tuple, list)) else batch
        stimuli = torch.as_tensor(first)
        if len(stimuli) < batch_size:
            continue
        if skip:
            skip -= 1
            continue
        given += len(stimuli)
        if shape is not None and stimuli[0].numel() != math.prod(shape):
            raise InputError(f"training stimuli of shape {shape} in {path}", got=str(tuple(stimuli.shape[1:])))
        yield (stimuli if shape is None else stimuli.reshape(len(stimuli), *shape)).float()


def _seed_states(seed: int) -> dict[str, Any]:
    import torch

    generator = torch.Generator().manual_seed(seed)
    return {
        "python": random.Random(seed).getstate(),
        "numpy": np.random.RandomState(seed).get_state(),
        "torch": generator.get_state(),
    }


@contextlib.contextmanager
def _use_states(states: dict[str, Any]) -> Iterator[None]:
    """Let global generators go on from ``states`` within the block, and keep where they got to."""
    import torch

    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])
    torch.set_rng_state(states["torch"])
    try:
        yield
    finally:
        states.update(python=random.getstate(), numpy=np.random.get_state(), torch=torch.get_rng_state())
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])
