"""Outputs of a network for stimuli that are shown as they are, in batches of one size."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from beholder._core.errors import InputError, suggest_keywords
from beholder.activations import capture
from beholder.models import Model, copy_model, make_blank_input

CPU_BATCH, DEVICE_BATCH = 8, 64
"""Stimuli in one pass."""


@contextlib.contextmanager
def open_network(model: Model, n_workers: int) -> Iterator[Model]:
    """A copy of the network, which has its part of this machine's cores."""
    copied = copy_model(model)
    threads = torch.get_num_threads()
    if n_workers > 1:
        torch.set_num_threads(max(1, threads // n_workers))
    try:
        yield copied
    finally:
        torch.set_num_threads(threads)


def compute_outputs(
    model: Model, prepared: Sequence[np.ndarray], batch_size: int, run: Callable[[Tensor], Tensor] | None = None
) -> np.ndarray:
    """Outputs of the network for prepared stimuli.

    Parameters
    ----------
    model : Model
    prepared : sequence of (channels, height, width) or (n_samples,), float32
        At least one.
    batch_size : int
        Stimuli in one pass; the last is padded, so that no output depends on what else is shown.
    run : callable, optional
        What stands for the network's pass: :func:`beholder.activations.compile_whole`.

    Returns
    -------
    (n_stimuli, ...), float32

    Raises
    ------
    InputError
        Stimuli of several shapes in one batch.
    """
    found: list[np.ndarray] = []
    for start in range(0, len(prepared), batch_size):
        part = list(prepared[start : start + batch_size])
        shapes = {array.shape for array in part}
        if len(shapes) > 1:
            raise InputError(f"stimuli of one shape for {model.name}", got=", ".join(map(str, sorted(shapes))))
        padded = part + part[:1] * (batch_size - len(part))
        batch = torch.from_numpy(np.stack(padded)).to(model.device)
        with torch.inference_mode():
            logits = capture(model, batch, [])[0] if run is None else run(batch)
        found.append(logits.float().cpu().numpy()[: len(part)])
    return np.concatenate(found)


@suggest_keywords
def count_outputs(model: Model) -> int:
    """Width of a classifier's output.

    Raises
    ------
    InputError
        A network whose output is no vector of classes.
    """
    with torch.inference_mode():
        logits, _ = capture(model, make_blank_input(model), [])
    if logits.ndim != 2:
        raise InputError(
            "a network that puts out a number a class", got=f"{model.name}, which puts out {tuple(logits.shape[1:])}",
            hint="a classifier",
        )  # fmt: skip
    return int(logits.shape[1])
