"""Which layer a classifier's outputs come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from beholder._core.errors import InputError, suggest_keywords
from beholder.models.definitions._devices import fork_random
from beholder.models.network._input_shape import choose_shape, explain_shape_errors
from beholder.models.network._state import copy_model, run_eagerly

if TYPE_CHECKING:
    from beholder.models.network._model import Model

_HEADS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@suggest_keywords
def find_head(model: Model) -> tuple[str, int]:
    """The layer that a network's outputs come from, and their number.

    It is the last linear or convolutional layer of a pass that puts out as many values as the network.

    Returns
    -------
    path : str
        Of the module, ``"classifier.6"``.
    n_outputs : int

    Raises
    ------
    InputError
        The network puts out no vector of classes, or none of these layers makes it.

    Examples
    --------
    >>> from beholder.models import wrap
    >>> find_head(wrap(nn.Sequential(nn.Linear(3, 8), nn.Linear(8, 2)), input_shape=(3,)))
    ('1', 2)
    """
    ready = copy_model(model)
    shape = choose_shape(model.preprocessing)
    passed: list[tuple[str, int]] = []
    for name, part in ready.module.named_modules():
        if isinstance(part, _HEADS):
            part.register_forward_hook(_note(passed, name, count_outputs_of(part)))
    with torch.no_grad(), fork_random(model.device), run_eagerly(), explain_shape_errors(model, shape):
        output = ready.run(torch.full((2, *shape), 0.5, device=model.device))
    if not isinstance(output, Tensor) or output.ndim != 2:
        got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise InputError("a network that puts out a number a class", got=f"{model.name}, which puts out {got}")
    n_outputs = int(output.shape[1])
    fitting = [name for name, n in passed if n == n_outputs and name]
    if not fitting:
        raise InputError(
            "a network that ends in a linear or convolutional layer", got=f"{model.name}, which does not",
            hint="building it with as many outputs as there are classes",
        )  # fmt: skip
    return fitting[-1], n_outputs


def _note(passed: list[tuple[str, int]], name: str, n: int) -> Any:
    return lambda *_: passed.append((name, n))


def count_outputs_of(layer: nn.Module) -> int:
    """Values that a linear layer puts out, or channels of a convolution."""
    return layer.out_features if isinstance(layer, nn.Linear) else int(layer.out_channels)  # type: ignore[arg-type]
