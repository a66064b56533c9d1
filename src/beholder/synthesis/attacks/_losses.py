"""What an attack climbs: losses of single stimuli, higher the nearer the network is to the answer that is wanted."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

from beholder._core.errors import InputError

LossName = Literal["cross-entropy", "margin", "dlr"]
LOSSES: tuple[str, ...] = get_args(LossName)

FEWEST_CLASSES = {"cross-entropy": 2, "margin": 2, "dlr": 3}
FEWEST_TARGETED = {"cross-entropy": 2, "margin": 2, "dlr": 4}


def check_loss(loss: str, n_classes: int, *, is_targeted: bool) -> None:
    """Refuse an unknown loss, and one that a network of few classes does not have."""
    if loss not in LOSSES:
        raise InputError(f"a loss: {', '.join(LOSSES)}", got=repr(loss))
    fewest = (FEWEST_TARGETED if is_targeted else FEWEST_CLASSES)[loss]
    if n_classes < fewest:
        kind = "targeted " if is_targeted else ""
        raise InputError(
            f"a network of {fewest} classes or more for the {kind}loss {loss}",
            got=f"{n_classes} classes",
            hint="the loss cross-entropy",
        )


def measure_loss(logits: Tensor, labels: Tensor, targets: Tensor | None, loss: str) -> Tensor:
    r"""The loss that an attack maximises, one number a stimulus.

    With :math:`z` the logits, :math:`y` the label, :math:`t` a target and :math:`z_{(1)} \ge z_{(2)} \ge \dots`:

    .. math::
       \text{cross-entropy: } & -\log p_y \qquad\text{(targeted: } \log p_t)\\
       \text{margin: } & \max_{i \ne y} z_i - z_y \qquad (z_t - \max_{i \ne t} z_i)\\
       \text{dlr: } & \frac{\max_{i \ne y} z_i - z_y}{z_{(1)} - z_{(3)}}
       \qquad \Bigl(\frac{z_t - z_y}{z_{(1)} - (z_{(3)} + z_{(4)}) / 2}\Bigr)

    Parameters
    ----------
    logits : (n, n_classes)
    labels : (n,), int64
    targets : (n,), int64, optional
        The answers that are wanted; None: any but the label.
    loss : {"cross-entropy", "margin", "dlr"}

    Returns
    -------
    Tensor, (n,)

    Source: Croce and Hein (2020), "Reliable evaluation of adversarial robustness with an ensemble of diverse
    parameter-free attacks", ICML, equations 6 and 9; margin: Carlini and Wagner (2017).
    """
    if loss == "cross-entropy":
        if targets is None:
            return functional.cross_entropy(logits, labels, reduction="none")
        return -functional.cross_entropy(logits, targets, reduction="none")
    if loss == "margin":
        if targets is None:
            return _find_best_other(logits, labels) - _pick(logits, labels)
        return _pick(logits, targets) - _find_best_other(logits, targets)
    ranked = logits.topk(3 if targets is None else 4, dim=1).values
    if targets is None:
        return (_find_best_other(logits, labels) - _pick(logits, labels)) / (ranked[:, 0] - ranked[:, 2] + 1e-12)
    scale = ranked[:, 0] - (ranked[:, 2] + ranked[:, 3]) / 2
    return (_pick(logits, targets) - _pick(logits, labels)) / (scale + 1e-12)


def _pick(logits: Tensor, classes: Tensor) -> Tensor:
    return logits.gather(1, classes[:, None])[:, 0]


def _find_best_other(logits: Tensor, classes: Tensor) -> Tensor:
    own = functional.one_hot(classes, logits.shape[1]).bool()
    return torch.where(own, -torch.inf, logits).amax(1)
