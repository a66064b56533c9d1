"""Which rows of a layer belong to which stimulus, found by exchanging one stimulus after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from beholder.models import StimulusAxis

N_STIMULI = 3
Run = Callable[[Tensor], Mapping[str, Tensor]]
"""``run(batch)``: the tensors of some layers for a batch."""


def find_rows(run: Run, example: Tensor, axes: Mapping[str, int]) -> dict[str, StimulusAxis | None]:
    """Where each layer keeps the rows of a stimulus.

    Three stimuli are shown together, then each is exchanged for another: the rows that change are its own.

    Parameters
    ----------
    run : callable
    example : Tensor, (1, *input_shape)
        One prepared stimulus; the others are drawn in its range (of whole numbers: its own, in another order).
    axes : mapping of str to int
        For each layer, the axis whose size is a multiple of the number of stimuli.

    Returns
    -------
    dict of str to StimulusAxis or None
        None where rows change with several stimuli, in number too, or lie in no regular order.
    """
    stimuli = draw_stimuli(example, 2 * N_STIMULI)
    base = dict(run(stimuli[:N_STIMULI]))
    owners = {name: np.full(base[name].shape[axis], -1) for name, axis in axes.items()}
    for i in range(N_STIMULI):
        batch = stimuli[:N_STIMULI].clone()
        batch[i] = stimuli[N_STIMULI + i]
        for name, tensor in run(batch).items():
            rows = find_changed(base[name], tensor, axes[name])
            owners[name][rows] = np.where(owners[name][rows] == -1, i, -2)
    return {name: find_order(owner, axes[name]) for name, owner in owners.items()}


def find_changed(before: Tensor, after: Tensor, axis: int) -> np.ndarray:
    """Which rows along an axis differ between two tensors, (n_rows,), bool; all where their number does."""
    if before.shape != after.shape:
        return np.ones(before.shape[axis], bool)
    differs = (before != after).movedim(axis, 0).flatten(1)
    return differs.any(1).cpu().numpy()


def find_order(owners: np.ndarray, axis: int) -> StimulusAxis | None:
    """The regular order that rows are in, from the stimulus that each belongs to.

    Parameters
    ----------
    owners : (n_rows,), int
        0, 1, 2; -1 where a row did not change with any stimulus, -2 where it did with several.
    axis : int

    Examples
    --------
    >>> find_order(np.array([0, 0, 1, 1, 2, 2]), 0)
    StimulusAxis(axis=0, before=1, after=2)
    """
    n_rows, rest = divmod(len(owners), N_STIMULI)
    if rest or (owners == -2).any() or set(owners.tolist()) - {-1} != set(range(N_STIMULI)):
        return None
    found = []
    for after in (k for k in range(1, n_rows + 1) if n_rows % k == 0):
        expected = np.arange(len(owners)) // after % N_STIMULI
        if ((owners == expected) | (owners == -1)).all():
            found.append(StimulusAxis(axis, n_rows // after, after))
    return found[0] if len(found) == 1 else None


def draw_stimuli(example: Tensor, n: int) -> Tensor:
    """``n`` different stimuli of an example's shape, kind and range."""
    generator = torch.Generator().manual_seed(0)
    if not example.is_floating_point():
        flat = example.flatten().cpu()
        rows = [flat[torch.randperm(len(flat), generator=generator)] for _ in range(n)]
        return torch.stack(rows).reshape(n, *example.shape[1:]).to(example.device)
    low, high = float(example.min()), float(example.max())
    if not low < high:
        low, high = 0.0, 1.0
    drawn = torch.rand((n, *example.shape[1:]), generator=generator) * (high - low) + low
    return drawn.to(example)
