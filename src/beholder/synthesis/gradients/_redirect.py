"""Gradient for dead rectifiers: an image that wakes no unit would otherwise never change."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, final

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from beholder._core.errors import suggest_keywords
from beholder.synthesis.gradients._rectifiers import read_rectifier_call

logger = logging.getLogger("beholder")


@suggest_keywords
def redirect_gradient(
    x: Tensor, gradient: Tensor, normal: Tensor, n_items: int, ceiling: float | None = None
) -> Tensor:
    """Gradient of a *minimised* loss at the input of a rectifier, by lucid's rule.

    Normally 0 where ``x < 0``; redirected: 0 only where ``x < 0`` and the incoming gradient is above 0 (it would
    push x further down). The redirected one is used for those items of the batch whose normal gradient at this
    rectifier is entirely zero.

    Parameters
    ----------
    x : Tensor
        Input of the rectifier, or where it is below 0 (bool) for a rectifier without a ceiling.
    gradient : Tensor
        Gradient at the rectifier's output.
    normal : Tensor
        What the rectifier passes on by itself.
    n_items : int
        Size of the batch, to be found among the first two axes; several rows an item count as one.
    ceiling : float, optional
        6 for ReLU6, whose upper end is treated likewise.

    Examples
    --------
    >>> x, g = torch.tensor([[-1.0, -2.0, -3.0]]), torch.tensor([[-1.0, 1.0, -2.0]])
    >>> redirect_gradient(x, g, torch.zeros_like(g), 1).tolist()
    [[-1.0, 0.0, -2.0]]

    Notes
    -----
    Source: lucid, ``misc/redirected_relu_grad.py``.
    """
    axis, count = _find_items(tuple(normal.shape), n_items)
    if count == 0:
        return normal
    dead = _find_dead(normal, axis, count)
    if not bool(dead.any()):
        return normal
    below = x if x.dtype == torch.bool else x < 0
    blocked, closed = below & (gradient > 0), below
    if ceiling is not None:
        above = x > ceiling
        blocked, closed = blocked | (above & (gradient < 0)), closed | above
    # an input of exactly 0 lets the gradient through in lucid's rule, not in torch's
    dead = dead & _find_dead(gradient.masked_fill(closed, 0.0), axis, count)
    size = normal.shape[axis]
    shape = [1] * normal.ndim
    shape[axis] = size
    dead = dead.repeat_interleave(size // count).view(shape)
    return torch.where(dead, gradient.masked_fill(blocked, 0.0), normal)


def _find_dead(gradient: Tensor, axis: int, count: int) -> Tensor:
    """Which of the batch's items have no gradient at all, (count,)."""
    axes = [i for i in range(gradient.ndim) if i != axis]
    if not axes:
        return (gradient.view(count, -1) == 0).all(1)
    silent = torch.linalg.vector_norm(gradient, dim=axes) == 0  # the fastest look; squares of small numbers may vanish
    if bool(silent.any()):
        silent = gradient.abs().amax(axes) == 0
    return silent.view(count, -1).all(1)


def _find_items(shape: tuple[int, ...], n_items: int) -> tuple[int, int]:
    if shape and shape[0] == n_items:
        return 0, n_items
    if len(shape) > 1 and shape[1] == n_items:
        return 1, n_items
    if shape and n_items and shape[0] % n_items == 0:
        return 0, n_items
    return 0, 0


@final
class RedirectDeadRectifiers(TorchFunctionMode):
    """Within the block, every ReLU and ReLU6 that this thread runs redirects its gradient where it is dead.

    Modules and functions, in place or not; the model is not touched, and nothing is left when the block ends.

    Parameters
    ----------
    n_items : int
        Size of the batch.
    """

    def __init__(self, n_items: int) -> None:
        super().__init__()
        self._n_items = n_items

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run a function; hook the rectifiers among them."""
        kwargs = kwargs or {}
        call = read_rectifier_call(func, args, kwargs)
        if call is None or not (torch.is_grad_enabled() and call[0].requires_grad):
            return func(*args, **kwargs)
        x, ceiling, in_place = call
        with torch.no_grad():
            before = x < 0 if ceiling is None else x.detach().clone()
        if in_place and x._is_view():
            output = torch.relu(x) if ceiling is None else F.hardtanh(x, 0.0, ceiling)
            self._hook(output, before, ceiling)
            return x.copy_(output)
        output = func(*args, **kwargs)
        self._hook(output, before, ceiling)
        return output

    def _hook(self, output: Tensor, before: Tensor, ceiling: float | None) -> None:
        n_items, node = self._n_items, output.grad_fn
        if node is None or not node.name().startswith(("ReluBackward", "HardtanhBackward")):
            logger.debug("a rectifier whose gradient node is %s is not redirected", node and node.name())
            return

        def redirect(grad_inputs: tuple[Tensor, ...], grad_outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
            if grad_inputs[0] is None or grad_outputs[0] is None:
                return None
            return (redirect_gradient(before, grad_outputs[0], grad_inputs[0], n_items, ceiling), *grad_inputs[1:])

        node.register_hook(redirect)
