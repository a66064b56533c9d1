"""What a batch goes through in an evaluation under attack: answers, targets, attacks, lengths of what they changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from beholder._core.errors import BeholderError, InputError
from beholder._core.seeds import make_generator
from beholder.evaluation._attack_protocol import RANDOM, TARGET_RULES
from beholder.models import Model, explain_shape_errors, fork_random, prepare_stimulus, run_eagerly
from beholder.stimuli import StimulusSet
from beholder.synthesis import (
    Attacked,
    AttackSettings,
    AttackSpace,
    measure_norms,
    open_attack_space,
    run_attack,
)

TOP = 5
TOLERANCE = 1e-5
"""Of the radius: what rounding may add to a perturbation."""
_SAME = 1e-4
_UNBOUNDED = 1000.0


def rank_labels(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many answers stand before the right one: 0 where it is the first.

    Parameters
    ----------
    logits : (n, n_classes), finite
    labels : (n,), int64

    Returns
    -------
    (n,), int64
        Of equal logits the first class stands first.

    >>> rank_labels(np.array([[0.1, 0.7, 0.2], [0.5, 0.5, 0.0]]), np.array([2, 1]))
    array([1, 1])
    """
    own = logits[np.arange(len(labels)), labels][:, None]
    before = np.arange(logits.shape[1])[None, :] < np.asarray(labels)[:, None]
    return ((logits > own) | ((logits == own) & before)).sum(axis=1)


def judge_logits(logits: Tensor, labels: np.ndarray) -> dict[str, Any]:
    """Whether the label is the first answer, or among the first five; and the first answer."""
    ranks = rank_labels(logits.cpu().numpy(), labels)
    return {"top1": ranks == 0, "top5": ranks < TOP, "answer": logits.argmax(1).cpu().numpy()}


def compute_answers(space: AttackSpace, inside: Tensor, n_passes: int) -> Tensor:
    """Logits (n, n_classes) of a batch in the space; of several passes, their mean.

    Raises
    ------
    InputError
        Outputs that are no finite number for each class.
    """
    with torch.no_grad():
        logits = sum(space.predict(inside).float() for _ in range(n_passes)) / n_passes
    assert isinstance(logits, Tensor)
    if logits.ndim != 2 or not bool(torch.isfinite(logits).all()):
        raise InputError(
            "a number for each class from the network",
            got="NaN or infinite ones" if logits.ndim == 2 else f"outputs of shape {tuple(logits.shape[1:])}",
        )
    return logits


def choose_targets(asked: str, logits: Tensor, labels: Tensor, seed: int, ids: Sequence[str]) -> Tensor:
    """The answers to be brought about, (n,), int64: never the label where a rule chooses them.

    Parameters
    ----------
    asked : {"random", "least-likely"} or a class's number
    logits : (n, n_classes)
        Answers to the stimuli as they are.
    labels : (n,), int64
    seed : int
    ids : (n,) of str
        A stimulus's random target is decided by the seed and its id.
    """
    n_classes = logits.shape[1]
    if asked == TARGET_RULES[0]:
        shifts = [make_generator(seed, "target", each).integers(1, n_classes) for each in ids]
        return (labels + torch.tensor(shifts, device=labels.device)) % n_classes
    own = torch.nn.functional.one_hot(labels, n_classes).bool()
    if asked == TARGET_RULES[1]:
        return torch.where(own, torch.inf, logits).argmin(1)
    return torch.full_like(labels, int(asked))


def attack_batch(
    space: AttackSpace,
    settings: AttackSettings,
    inside: Tensor,
    labels: Tensor,
    *,
    norm: str,
    eps: float,
    generators: Sequence[torch.Generator],
    targets: Tensor | None = None,
) -> Attacked:
    """What an attack finds for a batch in the space; of random noise the worst of as many draws as there are restarts.

    Parameters
    ----------
    generators : (n,) of torch.Generator
        A stimulus's own random numbers, whatever batch it is in.
    """
    options: dict[str, Any] = {
        "norm": norm, "radius": eps, "targets": targets, "low": space.low, "high": space.high,
        "generator": list(generators),
    }  # fmt: skip
    found = run_attack(settings, space.predict, inside, labels, **options)
    if settings.attack == RANDOM:
        for _ in range((settings.n_restarts or 1) - 1):
            other = run_attack(settings, space.predict, inside, labels, **options)
            worse = ((found.loss < other.loss) & (found.is_wrong == other.is_wrong)) | (
                other.is_wrong & ~found.is_wrong
            )
            rows = worse.nonzero()[:, 0]
            found.put(rows, other.take(rows))
    return found


def find_end(space: AttackSpace, norm: str, eps: float, inside: Tensor) -> float:
    """A radius that bounds nothing: the whole range, or what is far beyond the radii asked for."""
    low, high = space.low, space.high
    if low is None or high is None:
        return _UNBOUNDED * eps
    n_values = inside[0].numel()
    return (high - low) * {"l1": float(n_values), "l2": float(n_values) ** 0.5, "linf": 1.0}[norm]


def measure_sizes(made: Tensor, inside: Tensor, norm: str, eps: float) -> np.ndarray:
    """Lengths of perturbations, which lie in their ball."""
    sizes = measure_norms(made - inside, norm).cpu().numpy()
    if not (sizes <= eps * (1 + TOLERANCE)).all():
        raise BeholderError(f"a perturbation of {np.max(sizes):.9g} left its {norm} ball of {eps:.9g}")
    return sizes


def look_at_network(model: Model, stimuli: StimulusSet, space: str = "prepared") -> tuple[int, bool]:
    """How many classes a network has, and whether a second pass gives the same stimulus another answer.

    Raises
    ------
    InputError
        A network whose output is no vector of classes.
    """
    opened = open_attack_space(model, space)
    x = torch.from_numpy(prepare_stimulus(model.preprocessing, stimuli, 0)[None]).to(model.device)
    with explain_shape_errors(model, tuple(x.shape[1:])), run_eagerly(), torch.no_grad(), fork_random(model.device):
        torch.manual_seed(0)
        one, other = (opened.predict(opened.enter(x)).float() for _ in range(2))
    if one.ndim != 2 or one.shape[1] < 2:
        raise InputError(
            "a network that puts out a number a class",
            got=f"{model.name}, which puts out {tuple(one.shape[1:])}",
            hint="a classifier",
        )
    return int(one.shape[1]), bool((one - other).abs().max() > _SAME * one.abs().max())
