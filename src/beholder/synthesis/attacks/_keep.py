"""Which iterate of an attack counts, kept at no cost where nothing changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import torch
from torch import Tensor

from beholder.synthesis.attacks._allowed import Allowed
from beholder.synthesis.attacks._passes import Attacked, Look, Question, count_flat

Keep = Literal["best", "last", "success"]
KEEPS: tuple[str, ...] = get_args(Keep)
"""Which iterate of an attack counts, by name."""


def is_success(logits: Tensor, question: Question) -> Tensor:
    """Whether the network gives the answer that the attack wants: (n,), bool."""
    answers = logits.argmax(1)
    return answers != question.labels if question.targets is None else answers == question.targets


def keep_iterate(kept: Attacked | None, rows: Tensor, x: Tensor, look: Look, question: Question, keep: str) -> Attacked:
    """What is kept after one more iterate of some rows; ``kept`` is written to, or replaced as a whole."""
    passes = torch.full_like(rows, question.n_draws)
    flat = torch.zeros_like(rows) if look.gradient is None else count_flat(look.gradient)
    here = Attacked(x, look.loss, look.logits, look.logits.argmax(1) != question.labels, passes, flat)
    if kept is None:
        return here
    n_passes, n_flat = kept.n_passes.index_add(0, rows, passes), kept.n_flat.index_add(0, rows, flat)
    if keep == "last":
        return replace(here, n_passes=n_passes, n_flat=n_flat)
    is_better = look.loss > kept.loss[rows]
    if keep == "success":
        is_better = is_better | is_success(look.logits, question)
    better = is_better.nonzero()[:, 0]
    if len(better) == len(kept.x):
        kept = here
    elif len(better):
        kept.put(rows[better], here.take(better))
    return replace(kept, n_passes=n_passes, n_flat=n_flat)


def keep_better(found: Attacked, made: Attacked, rows: Tensor, question: Question) -> None:
    """Put what a further restart made of some rows where it succeeded, or climbed higher."""
    n_passes, n_flat = found.n_passes[rows] + made.n_passes, found.n_flat[rows] + made.n_flat
    better = (is_success(made.logits, question) | (made.loss > found.loss[rows])).nonzero()[:, 0]
    found.put(rows[better], made.take(better))
    found.n_passes[rows], found.n_flat[rows] = n_passes, n_flat


def keep_inside(found: Attacked, allowed: Allowed, question: Question) -> Attacked:
    """Bring rows that rounding led out of their ball back, and ask the network about them once more."""
    rows = allowed.find_outside(found.x)
    if len(rows):
        x, asked = allowed.take(rows).bring_inside(found.x[rows]), question.take(rows)
        look = asked.look(x, gradient=False)
        is_wrong, n_passes = look.logits.argmax(1) != asked.labels, found.n_passes[rows] + question.n_draws
        found.put(rows, Attacked(x, look.loss, look.logits, is_wrong, n_passes, found.n_flat[rows]))
    return found
