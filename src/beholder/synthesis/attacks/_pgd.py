"""Projected gradient descent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, final, get_args

import torch
from torch import Tensor

from beholder._core.errors import InputError
from beholder.synthesis.attacks._draws import (
    PUBLISHED_STARTS,
    Generators,
    Where,
    draw_noise,
    pick_generators,
    start_generator,
)
from beholder.synthesis.attacks._losses import LossName
from beholder.synthesis.attacks._norms import (
    add_inwards,
    check_norm,
    find_ascent,
    find_range,
    keep_in_range,
    project_difference,
    read_radius,
    spread,
)
from beholder.synthesis.attacks._passes import (
    Attacked,
    Look,
    Predict,
    Question,
    count_flat,
    read_classes,
    refuse_nan,
)

Keep = Literal["best", "last", "success"]
KEEPS: tuple[str, ...] = get_args(Keep)


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
    x = x.detach()
    question = Question(
        predict,
        read_classes(labels, x, "labels"),
        None if targets is None else read_classes(targets, x, "targets"),
        loss,
        n_draws,
    )
    climb = Climb(norm, n_steps, keep, share, low, high)
    radii, sizes = read_radius(radius, x), read_radius(step_size, x)
    generators = start_generator(generator)
    rows = torch.arange(len(x), device=x.device)
    found: Attacked | None = None
    for _ in range(n_restarts):
        first = x[rows] if start is None else start.detach()[rows]
        if random_start:
            drawn = pick_generators(generators, rows)
            place = where or PUBLISHED_STARTS[norm]
            first = draw_noise(first, norm=norm, radius=radii[rows], where=place, generator=drawn)
        made = climb.run(question.take(rows), x[rows], first, radii[rows], sizes[rows])
        if found is None:
            found = made
        else:
            _keep_better(found, made, rows, question)
        rows = (~is_success(found.logits, question)).nonzero()[:, 0]
        if not len(rows):
            break
    assert found is not None
    return refuse_nan(found)


def _check_options(keep: str, n_steps: int, n_restarts: int, n_draws: int, *, is_random: bool) -> None:
    if keep not in KEEPS:
        raise InputError(f"the iterate to keep: {', '.join(KEEPS)}", got=repr(keep))
    for name, value, least in (("n_steps", n_steps, 0), ("n_restarts", n_restarts, 1), ("n_draws", n_draws, 1)):
        if value < least:
            raise InputError(f"{name} of {least} or more", got=str(value))
    if n_restarts > 1 and not is_random:
        raise InputError("random_start=True with several restarts", got="restarts that would all be the same")


def is_success(logits: Tensor, question: Question) -> Tensor:
    """Whether the network gives the answer that the attack wants: (n,), bool."""
    answers = logits.argmax(1)
    return answers != question.labels if question.targets is None else answers == question.targets


def _keep_better(found: Attacked, made: Attacked, rows: Tensor, question: Question) -> None:
    """Put what a further restart made where it succeeded, or climbed higher."""
    n_passes = found.n_passes[rows] + made.n_passes
    n_flat = found.n_flat[rows] + made.n_flat
    is_better = is_success(made.logits, question.take(rows)) | (made.loss > found.loss[rows])
    found.put(rows[is_better], made.take(is_better.nonzero()[:, 0]))
    found.n_passes[rows], found.n_flat[rows] = n_passes, n_flat


@final
@dataclass(frozen=True)
class Climb:
    """The way up from one start.

    Parameters
    ----------
    norm, n_steps, keep, share, low, high
        As for :func:`run_pgd`.
    """

    norm: str
    n_steps: int
    keep: str
    share: float
    low: float | None
    high: float | None

    def run(self, question: Question, origin: Tensor, first: Tensor, radii: Tensor, sizes: Tensor) -> Attacked:
        """Steps for a batch; rows that are done leave it."""
        lows, highs = find_range(origin, self.low, self.high)
        x = keep_in_range(add_inwards(origin, project_difference(first - origin, self.norm, radii)), lows, highs)
        rows = torch.arange(len(x), device=x.device)
        best: Attacked | None = None
        n_flat = torch.zeros_like(rows)
        for step in range(self.n_steps + 1):
            is_last = step == self.n_steps
            look = question.look(x, gradient=not is_last)
            best = self._record(best, rows, x, look, question)
            if is_last:
                break
            assert look.gradient is not None
            n_flat[rows] += count_flat(look.gradient)
            gradient = look.gradient
            if self.keep == "success":
                left = (~is_success(look.logits, question)).nonzero()[:, 0]
                if not len(left):
                    break
                if len(left) < len(rows):
                    rows, x, origin, gradient = rows[left], x[left], origin[left], gradient[left]
                    radii, sizes, question = radii[left], sizes[left], question.take(left)
                    lows, highs = find_range(origin, self.low, self.high)
            x = self._step(x, origin, gradient, radii, sizes, lows, highs)
        assert best is not None
        return replace(best, n_flat=n_flat)

    def _record(self, best: Attacked | None, rows: Tensor, x: Tensor, look: Look, question: Question) -> Attacked:
        is_wrong = look.logits.argmax(1) != question.labels
        passes = torch.full_like(rows, question.n_draws)
        here = Attacked(x, look.loss, look.logits, is_wrong, passes, torch.zeros_like(rows))
        if best is None:
            return here
        passes = best.n_passes.index_add(0, rows, passes)
        if self.keep == "last":
            return replace(here, n_passes=passes)
        is_better = look.loss > best.loss[rows]
        if self.keep == "success":
            is_better |= is_success(look.logits, question)
        if len(rows) == len(best.x):
            mask = is_better
            return Attacked(
                torch.where(spread(mask, x), x, best.x),
                torch.where(mask, look.loss, best.loss),
                torch.where(mask[:, None], look.logits, best.logits),
                torch.where(mask, is_wrong, best.is_wrong),
                passes,
                best.n_flat,
            )
        best.put(rows[is_better], here.take(is_better.nonzero()[:, 0]))
        return replace(best, n_passes=passes)

    def _step(
        self,
        x: Tensor,
        origin: Tensor,
        gradient: Tensor,
        radii: Tensor,
        sizes: Tensor,
        lows: Tensor | None,
        highs: Tensor | None,
    ) -> Tensor:
        if self.norm == "l1":
            gradient = _drop_blocked(gradient, x, lows, highs)
        moved = x + find_ascent(gradient, self.norm, share=self.share) * spread(sizes, x)
        inside = project_difference(moved - origin, self.norm, radii)
        return keep_in_range(add_inwards(origin, inside), lows, highs)


def _drop_blocked(gradient: Tensor, x: Tensor, lows: Tensor | None, highs: Tensor | None) -> Tensor:
    """The gradient without values that stand at an end of the range and would go beyond it."""
    if highs is not None:
        gradient = gradient.masked_fill((x >= highs) & (gradient > 0), 0.0)
    return gradient if lows is None else gradient.masked_fill((x <= lows) & (gradient < 0), 0.0)
