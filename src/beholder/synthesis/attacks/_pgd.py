"""Projected gradient descent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from beholder._core.errors import InputError, suggest_keywords
from beholder.synthesis.attacks._allowed import Allowed, allow
from beholder.synthesis.attacks._draws import (
    PUBLISHED_STARTS,
    Generators,
    Where,
    draw_noise,
    pick_generators,
    start_generator,
)
from beholder.synthesis.attacks._keep import KEEPS, Keep, is_success, keep_better, keep_inside, keep_iterate
from beholder.synthesis.attacks._losses import LossName
from beholder.synthesis.attacks._norms import check_norm, climb_by, read_radius
from beholder.synthesis.attacks._passes import (
    Attacked,
    Predict,
    Question,
    read_classes,
)


@suggest_keywords
def run_pgd(
    predict: Predict,
    x: Tensor,
    labels: Tensor,
    *,
    norm: str,
    radius: float | Tensor,
    n_steps: int,
    step_size: float | Tensor,
    keep: Keep = "best",
    targets: Tensor | None = None,
    loss: LossName = "cross-entropy",
    random_start: bool = False,
    where: Where | None = None,
    n_restarts: int = 1,
    n_draws: int = 1,
    share: float = 0.01,
    low: float | None = None,
    high: float | None = None,
    start: Tensor | None = None,
    judge_last: bool = True,
    generator: Generators | None = None,
) -> Attacked:
    r"""Climb the loss in steps of a set length, and after each go back into the ball, then into the valid range.

    .. math:: x_{k+1} = \mathrm{clamp}\bigl(\Pi_{\lVert x - x_0 \rVert \le r}(x_k + s\,u(\nabla_x \ell(x_k)))\bigr)

    with the unit step u of steepest ascent under the norm: the gradient's sign (Linf), the gradient over its length
    (L2), the signs of its largest values over their number (L1).

    Parameters
    ----------
    predict : callable
        A batch in the space of ``x``, (n, *shape), to logits, (n, n_classes), differentiably; its parameters should
        need no gradients. :func:`open_attack_space` makes one of a model.
    x : (n, *shape), float32
    labels : (n,), int64
        Right answers.
    norm : {"l2", "linf", "l1"}
    radius, step_size : float, or Tensor (n,)
        In the units of ``x``.
    n_steps : int
        At least 1 (0 answers about the start).
    keep : {"best", "last", "success"}
        Which iterate is handed back: that of the highest loss, the start and the end included; the last; or the first
        that is answered wrongly (with targets: as the target), where the work on the stimulus ends, else the best.
    targets : (n,), int64, optional
        Answers to be brought about; None: any but the label.
    loss : {"cross-entropy", "margin", "dlr"}
    random_start : bool
        Start at random in the ball, else at ``x``.
    where : {"shell", "ball", "length", "corners"}, optional
        Where a random start lies; see :func:`draw_noise`. None: as MadryLab's code has it, for L2 on the sphere, for
        Linf uniform in the ball; for L1 as foolbox's, uniform in the ball. foolbox's L2 start is ``"ball"``,
        torchattacks' ``"length"``.
    n_restarts : int
        Random starts; of each stimulus the first one that succeeds counts, else that of the highest loss. Restarts
        after a success are not run for the stimulus.
    n_draws : int
        Passes averaged in each step, for networks that draw noise (expectation over transformation).
    share : float in [0, 1]
        Of the values, those that a step in L1 moves; 0 moves one. Values at the end of the range stay.
    low, high : float, optional
        The valid range.
    start : (n, *shape), optional
        Where to start instead of ``x``; brought into the ball.
    judge_last : bool
        With ``keep="last"``, show the network where the last step led. Training, which does so itself, does without:
        ``loss`` and ``logits`` are NaN then, ``is_wrong`` is False.
    generator : torch.Generator, or one a stimulus
        For random starts; see :func:`draw_noise`.

    Returns
    -------
    Attacked

    Raises
    ------
    InputError
        A network that lets no gradient pass or answers NaN; sizes that do not fit; several restarts of one start.

    Source: Madry et al. (2018), "Towards deep learning models resistant to adversarial attacks", ICLR; Engstrom et al.
    (2019), Robustness (Python library); L1 steps: Tramèr and Boneh (2019), "Adversarial training and robustness for
    multiple perturbations", NeurIPS, section 3; n_draws: Athalye et al. (2018), "Synthesizing robust adversarial
    examples", ICML.

    Examples
    --------
    >>> weights = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    >>> found = run_pgd(lambda x: x @ weights, torch.tensor([[0.6, 0.4]]), torch.tensor([0]), norm="linf",
    ...                 radius=0.2, n_steps=3, step_size=0.1, low=0.0, high=1.0)
    >>> found.x, found.is_wrong
    (tensor([[0.4000, 0.6000]]), tensor([True]))
    """
    check_norm(norm)
    _check_options(keep, n_steps, n_restarts, n_draws, is_random=random_start)
    if not judge_last and (keep != "last" or n_restarts > 1):
        raise InputError(
            'judge_last=True but for keep="last" and one start', got=f"keep={keep!r}, n_restarts={n_restarts}"
        )
    x = x.detach()
    question = Question(
        predict,
        read_classes(labels, x, "labels"),
        None if targets is None else read_classes(targets, x, "targets"),
        loss,
        n_draws,
    )
    climb = Climb(n_steps, keep, share, judge_last=judge_last)
    ball, sizes = allow(norm, x, read_radius(radius, x), low, high), read_radius(step_size, x)
    generators = start_generator(generator)
    rows = torch.arange(len(x), device=x.device)
    found: Attacked | None = None
    for _ in range(n_restarts):
        first = x[rows] if start is None else start.detach()[rows]
        if random_start:
            drawn = pick_generators(generators, rows)
            place = where or PUBLISHED_STARTS[norm]
            first = draw_noise(first, norm=norm, radius=ball.radii[rows], where=place, generator=drawn)
        made = climb.run(question.take(rows), ball.take(rows), first, sizes[rows])
        if found is None:
            found = made
        else:
            keep_better(found, made, rows, question.take(rows))
        rows = (~is_success(found.logits, question)).nonzero()[:, 0]
        if not len(rows):
            break
    assert found is not None
    return keep_inside(found, ball, question) if judge_last else found


def _check_options(keep: str, n_steps: int, n_restarts: int, n_draws: int, *, is_random: bool) -> None:
    if keep not in KEEPS:
        raise InputError(f"the iterate to keep: {', '.join(KEEPS)}", got=repr(keep))
    for name, value, least in (("n_steps", n_steps, 0), ("n_restarts", n_restarts, 1), ("n_draws", n_draws, 1)):
        if value < least:
            raise InputError(f"{name} of {least} or more", got=str(value))
    if n_restarts > 1 and not is_random:
        raise InputError("random_start=True with several restarts", got="restarts that would all be the same")


@final
@dataclass(frozen=True)
class Climb:
    """The way up from one start.

    Parameters
    ----------
    n_steps, keep, share, judge_last
        As for :func:`run_pgd`.
    """

    n_steps: int
    keep: str
    share: float
    judge_last: bool = True

    def run(self, question: Question, allowed: Allowed, first: Tensor, sizes: Tensor) -> Attacked:
        """Steps for a batch from ``first``, which is written to; rows that are done leave it."""
        x = allowed.place(first)
        rows = torch.arange(len(x), device=x.device)
        kept: Attacked | None = None
        for _ in range(self.n_steps):
            look = question.look(x)
            assert look.gradient is not None
            kept, gradient = keep_iterate(kept, rows, x, look, question, self.keep), look.gradient
            if self.keep == "success":
                left = (~is_success(look.logits, question)).nonzero()[:, 0]
                if not len(left):
                    return kept
                if len(left) < len(rows):
                    rows, x, gradient, sizes = rows[left], x[left], gradient[left], sizes[left]
                    allowed, question = allowed.take(left), question.take(left)
            if allowed.norm == "l1":
                gradient = _drop_blocked(gradient, x, allowed)
            x = allowed.place(climb_by(x, gradient, allowed.norm, sizes, share=self.share))
        if self.judge_last or kept is None:
            return keep_iterate(kept, rows, x, question.look(x, gradient=False), question, self.keep)
        unknown = torch.full_like(kept.loss, torch.nan)
        return replace(kept, x=x, loss=unknown, logits=unknown[:, None], is_wrong=torch.zeros_like(kept.is_wrong))


def _drop_blocked(gradient: Tensor, x: Tensor, allowed: Allowed) -> Tensor:
    """The gradient without values that stand at an end of the range and would go beyond it."""
    if allowed.highs is not None:
        gradient = gradient.masked_fill((x >= allowed.highs) & (gradient > 0), 0.0)
    return gradient if allowed.lows is None else gradient.masked_fill((x <= allowed.lows) & (gradient < 0), 0.0)
