"""Auto-PGD: projected gradient ascent that sets its step sizes itself."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from beholder._core.errors import InputError, suggest_keywords
from beholder.synthesis.attacks._allowed import Allowed, allow
from beholder.synthesis.attacks._apgd_rules import (
    HalvingRule,
    SparseRule,
    StepRule,
    Trail,
    start_trail,
)
from beholder.synthesis.attacks._draws import Generators, draw_rows, draw_unit, pick_generators, start_generator
from beholder.synthesis.attacks._keep import keep_inside
from beholder.synthesis.attacks._losses import LossName
from beholder.synthesis.attacks._norms import check_norm, read_radius, spread
from beholder.synthesis.attacks._passes import (
    Attacked,
    Predict,
    Question,
    count_flat,
    read_classes,
)

MOST_TARGETS = {"l2": 9, "linf": 9, "l1": 5}
"""Target classes of AutoAttack's standard version."""


@suggest_keywords
def run_apgd(
    predict: Predict,
    x: Tensor,
    labels: Tensor,
    *,
    norm: str,
    radius: float | Tensor,
    n_steps: int = 100,
    loss: LossName = "cross-entropy",
    n_targets: int = 0,
    n_restarts: int = 1,
    n_draws: int = 1,
    rise: float = 0.75,
    larger_first: bool | None = None,
    low: float | None = None,
    high: float | None = None,
    generator: Generators | None = None,
) -> Attacked:
    r"""Auto-PGD (APGD): steps with momentum from a random start, halved where the loss stops rising.

    .. math:: z = \Pi(x_k + \eta_k\,u(\nabla \ell(x_k))),\qquad
       x_{k+1} = \Pi(x_k + 0.75\,(z - x_k) + 0.25\,(x_k - x_{k-1}))

    The first step size is twice the radius. At checkpoints (after 22 % of the steps, then ever more often, 6 % apart
    at least) it is halved, and the climb goes back to its best iterate, where at most ``rise`` of the steps since the
    last checkpoint raised the loss, or where the step was kept there and the best loss is still the same. In L1 steps
    move a few values only, and the projection is onto the ball and the range at once.

    Only success counts: stimuli that are answered wrongly as they are, are not attacked; one that is broken leaves.

    Parameters
    ----------
    predict, x, labels, norm, radius, n_draws, low, high
        As for :func:`run_pgd`.
    n_steps : int
        At least 1; AutoAttack takes 100.
    loss : {"cross-entropy", "margin", "dlr"}
        ``"cross-entropy"`` is AutoAttack's APGD-CE; ``"dlr"`` with ``n_targets=9`` its APGD-T.
    n_targets : int
        Runs towards the classes with the next highest logits, one after the other, each from starts of its own; at
        most n_classes − 1 of them. 0: away from the label. Any wrong answer is a success.
    n_restarts : int
        Random starts, each for every target.
    rise : float
    larger_first : bool, optional
        Three tenths of the steps in a ball of three times the radius, three in one of twice, the rest in the ball
        itself. None: for L1, as AutoAttack has it.
    generator : torch.Generator, or one a stimulus
        For the starts; see :func:`draw_noise`.

    Returns
    -------
    Attacked
        Of stimuli that are not broken, the iterate of the highest loss; with several targets, of all of them.

    Raises
    ------
    InputError
        The difference-of-logits ratio of a network of fewer than 3 classes, with targets fewer than 4.

    Source: Croce and Hein (2020), "Reliable evaluation of adversarial robustness with an ensemble of diverse
    parameter-free attacks", ICML; L1: Croce and Hein (2021), "Mind the box", ICML. As in the published code, and
    other than in the paper, the first loss counts as a rise where it is above 0, and the first one after going back
    where it is above that of the iterate that was left.

    Examples
    --------
    >>> weights = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    >>> run_apgd(lambda x: x @ weights, torch.tensor([[0.6, 0.4]]), torch.tensor([0]), norm="linf", radius=0.2,
    ...          low=0.0, high=1.0)
    Attacked(1 stimuli, 1 answered wrongly)
    """
    check_norm(norm)
    for name, value, least in (("n_steps", n_steps, 1), ("n_restarts", n_restarts, 1), ("n_targets", n_targets, 0)):
        if value < least:
            raise InputError(f"{name} of {least} or more", got=str(value))
    x = x.detach()
    targeted = torch.zeros(len(x), dtype=torch.int64, device=x.device) if n_targets else None
    question = Question(predict, read_classes(labels, x, "labels"), targeted, loss, n_draws)
    look = question.look(x, gradient=False)
    passes = torch.full_like(question.labels, n_draws)
    found = Attacked(
        x.clone(),
        torch.full_like(look.loss, -math.inf),
        look.logits.clone(),
        look.logits.argmax(1) != question.labels,
        passes,
        torch.zeros_like(passes),
    )
    ranked = look.logits.argsort(dim=1, descending=True)
    ball = allow(norm, x, read_radius(radius, x), low, high)
    stages = plan_stages(n_steps, larger_first=norm == "l1" if larger_first is None else larger_first)
    rule = SparseRule() if norm == "l1" else HalvingRule(n_steps, rise)
    generators = start_generator(generator)
    for place in range(1, min(n_targets, look.logits.shape[1] - 1) + 1) if n_targets else (0,):
        asked = replace(question, targets=ranked[:, place]) if place else question
        for _ in range(n_restarts):
            rows = (~found.is_wrong).nonzero()[:, 0]
            if not len(rows):
                break
            drawn = pick_generators(generators, rows)
            balls = [allow(norm, x[rows], factor * ball.radii[rows], low, high) for factor, _ in stages]
            made = _run_stages(asked.take(rows), balls, rule, [n for _, n in stages], drawn)
            n_passes, n_flat = found.n_passes[rows] + made.n_passes, found.n_flat[rows] + made.n_flat
            is_better = made.is_wrong | (made.loss > found.loss[rows])
            found.put(rows[is_better], made.take(is_better.nonzero()[:, 0]))
            found.n_passes[rows], found.n_flat[rows] = n_passes, n_flat
    untouched = (found.loss == -math.inf).nonzero()[:, 0]
    found.loss[untouched] = look.loss[untouched]
    return keep_inside(found, ball, question)


def plan_stages(n_steps: int, *, larger_first: bool) -> list[tuple[float, int]]:
    """Balls that are climbed in, one after the other: (radii, steps)."""
    if not larger_first:
        return [(1.0, n_steps)]
    first = min(math.ceil(0.3 * n_steps), n_steps)
    second = min(first, n_steps - first)
    stages = [(3.0, first), (2.0, second), (1.0, n_steps - first - second)]
    return [stage for stage in stages if stage[1] or stage[0] == 1.0]


def _run_stages(
    question: Question, balls: list[Allowed], rule: StepRule, n_steps: list[int], generators: Generators
) -> Attacked:
    x = _draw_start(balls[0], generators)
    for ball, n in zip(balls[:-1], n_steps[:-1], strict=True):
        x = climb(question, ball, rule, ball.place_at_once(x), n, is_fresh=False, may_leave=False).x
    first, is_fresh = balls[-1].place_at_once(x), len(balls) == 1
    return climb(question, balls[-1], rule, first, n_steps[-1], is_fresh=is_fresh, may_leave=True)


def _draw_start(allowed: Allowed, generators: Generators) -> Tensor:
    """On the sphere for L2; for Linf on the surface of the cube; for L1 Gaussian noise, brought into the ball."""
    origin = allowed.origin
    if allowed.norm == "l1":
        return allowed.place_at_once(origin + draw_rows(torch.randn, origin.shape, generators).to(origin))
    unit = draw_unit(origin.shape, allowed.norm, "shell", generators).to(origin)
    return allowed.place(origin + unit * spread(allowed.radii, origin))


def climb(
    question: Question,
    allowed: Allowed,
    rule: StepRule,
    first: Tensor,
    n_steps: int,
    *,
    is_fresh: bool,
    may_leave: bool,
) -> Attacked:
    """Steps from one start; with ``may_leave``, a stimulus that is answered wrongly leaves with what broke it."""
    look = question.look(first, gradient=n_steps > 0)
    rows = torch.arange(len(first), device=first.device)
    passes = torch.full_like(rows, question.n_draws)
    found = Attacked(
        first.clone(), look.loss.clone(), look.logits.clone(), look.logits.argmax(1) != question.labels, passes,
        torch.zeros_like(rows),
    )  # fmt: skip
    gradient = torch.zeros_like(first) if look.gradient is None else look.gradient
    trail = start_trail(first, gradient, look.loss, look.logits, allowed, is_fresh=is_fresh)
    checkpoints, before = rule.list_checkpoints(n_steps), 0
    for step in range(n_steps):
        found.n_flat[rows] += count_flat(trail.gradient)
        if may_leave:
            left = (~found.is_wrong[rows]).nonzero()[:, 0]
            if len(left) < len(rows):
                rows, trail, question, allowed = rows[left], trail.take(left), question.take(left), allowed.take(left)
            if not len(rows):
                break
        x = rule.move(trail, allowed, is_first=step == 0)
        look = question.look(x, gradient=step < n_steps - 1)
        trail.arrive(x, trail.gradient if look.gradient is None else look.gradient, look.loss, look.logits)
        found.n_passes[rows] += question.n_draws
        if may_leave:
            _let_go(found, rows, x, look.loss, look.logits, question)
        if step + 1 in checkpoints:
            rule.check(trail, allowed, step + 1 - before)
            before = step + 1
    _keep_best(found, rows, trail, question, may_leave=may_leave)
    return found


def _let_go(found: Attacked, rows: Tensor, x: Tensor, loss: Tensor, logits: Tensor, question: Question) -> None:
    """Note what broke stimuli."""
    done = (logits.argmax(1) != question.labels).nonzero()[:, 0]
    at = rows[done]
    found.x[at], found.loss[at], found.logits[at], found.is_wrong[at] = x[done], loss[done], logits[done], True


def _keep_best(found: Attacked, rows: Tensor, trail: Trail, question: Question, *, may_leave: bool) -> None:
    """The iterate of the highest loss of those that are still there."""
    rest = (~found.is_wrong[rows]).nonzero()[:, 0] if may_leave else torch.arange(len(rows), device=rows.device)
    at, best = rows[rest], trail.take(rest)
    found.x[at], found.loss[at], found.logits[at] = best.best_x, best.best_loss, best.best_logits
    found.is_wrong[at] = best.best_logits.argmax(1) != question.labels[rest]
