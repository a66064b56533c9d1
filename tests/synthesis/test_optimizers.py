"""Optimisers and projections against torch.optim, scipy and plain numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from beholder import InputError
from beholder.synthesis import LBFGS, Adam, Cosine, Halving, L2Ball, LinfBall, NormalizedSteps, Range
from beholder.synthesis.engine._lbfgs import _SLOTS, _ZOOM


def rosenbrock(x: Tensor) -> Tensor:
    return (100 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1 - x[:, :-1]) ** 2).sum(1)


def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
    leaf = x.detach().requires_grad_(True)
    loss = rosenbrock(leaf)
    return loss.detach(), torch.autograd.grad(loss.sum(), leaf)[0]


STARTS = torch.tensor([[-1.2, 1.0], [0.3, -0.8], [2.0, 2.0]])


def test_adam_is_one_adam_a_problem() -> None:
    rule = Adam(0.05)
    x, state = STARTS.clone(), rule.start(STARTS)
    for step in range(50):
        losses, grads = evaluate(x)
        x = rule.step(x, grads, losses, state, step)
    for i, start in enumerate(STARTS):
        own = start[None].clone().requires_grad_(True)
        oracle = torch.optim.Adam([own], lr=0.05)
        for _ in range(50):
            oracle.zero_grad()
            rosenbrock(own).sum().backward()
            oracle.step()
        np.testing.assert_allclose(x[i].numpy(), own[0].detach().numpy(), rtol=1e-4)


def minimise(starts: Tensor, steps: int, rule: LBFGS) -> tuple[Tensor, np.ndarray]:
    x, state, history = starts.clone(), rule.start(starts), []
    for step in range(steps):
        losses, grads = evaluate(x)
        history.append(losses.numpy())
        x = rule.step(x, grads, losses, state, step)
    return rule.final_params(x, None, state), np.array(history)


def test_lbfgs_reaches_the_minimum_of_every_problem() -> None:
    starts = torch.cat([STARTS, torch.randn(2, 2, generator=torch.Generator().manual_seed(0))]).double()
    found, _ = minimise(starts, 80, LBFGS())
    np.testing.assert_allclose(found.numpy(), 1.0, atol=1e-4)


def test_lbfgs_needs_about_as_many_evaluations_as_scipy() -> None:
    from scipy.optimize import minimize

    start = torch.linspace(-1.5, 1.5, 10)[None].double()

    def both(x: np.ndarray) -> tuple[float, np.ndarray]:
        loss, grad = evaluate(torch.from_numpy(x)[None])
        return float(loss[0]), grad[0].numpy()

    oracle = minimize(
        both, start[0].numpy(), jac=True, method="L-BFGS-B", options={"maxcor": 10, "ftol": 0, "gtol": 1e-8}
    )
    _, history = minimise(start, 2 * oracle.nfev, LBFGS())
    assert history[:, 0].min() < 1e-10


def test_lbfgs_does_not_depend_on_its_neighbours() -> None:
    together, _ = minimise(STARTS, 40, LBFGS())
    for i in range(len(STARTS)):
        assert torch.equal(minimise(STARTS[i : i + 1], 40, LBFGS())[0][0], together[i])


def test_lbfgs_keeps_a_last_trial_only_if_it_is_better() -> None:
    rule = LBFGS()
    state = rule.start(STARTS)
    losses, grads = evaluate(STARTS)
    trial = rule.step(STARTS, grads, losses, state, 0)
    assert torch.equal(rule.final_params(trial, losses + 1, state), STARTS)
    assert torch.equal(rule.final_params(trial, losses - 1, state), trial)


def test_lbfgs_accepts_by_both_strong_wolfe_conditions() -> None:
    """Every accepted point, from the definitions (Nocedal and Wright 2006, 3.7) with numbers of its own."""
    rule = LBFGS(curvature=0.1)
    x = torch.linspace(-1.5, 1.5, 6)[None].double()
    state, point, n_accepted, slacks = rule.start(x), x.clone(), 0, []
    losses, grads = evaluate(point)
    for step in range(80):
        value, slope = evaluate(x)
        trial = rule.step(x, slope, value, state, step)
        if not torch.equal(state["point"], point):
            move = state["point"] - point
            new_loss, new_grads = evaluate(state["point"])
            before, after = float((grads * move).sum()), float((new_grads * move).sum())
            assert float(new_loss) <= float(losses) + rule.decrease * before
            assert abs(after) <= rule.curvature * abs(before) + 1e-15
            slacks.append(abs(after / before))
            point, losses, grads, n_accepted = state["point"].clone(), new_loss, new_grads, n_accepted + 1
        x = trial
        if float(losses) < 1e-12:
            break
    assert n_accepted > 15
    assert max(slacks) > 0.01  # conditions that had room to fail


def yanai(b1: float, b2: float) -> Callable[[Tensor], Tensor]:
    gamma = [float(np.sqrt(1 + b * b) - b) for b in (b1, b2)]
    return lambda a: gamma[0] * torch.sqrt((1 - a) ** 2 + b2**2) + gamma[1] * torch.sqrt(a**2 + b1**2)


LINES: dict[str, Callable[[Tensor], Tensor]] = {
    "more thuente 1": lambda a: -a / (a**2 + 2),
    "more thuente 4": yanai(0.001, 0.001),
    "more thuente 5": yanai(0.01, 0.001),
    "more thuente 6": yanai(0.001, 0.01),
    "waves": lambda a: -a + 0.9 * torch.sin(4 * a) / 4 + 0.02 * a**2,
    "hills": lambda a: -torch.sin(a) - 0.3 * torch.sin(7 * a) + 0.05 * a,
    "not a number from 2.5 on": lambda a: -a - torch.sqrt(2.5 - a),
}
"""Functions of a step for line searches; Moré and Thuente (1994), ACM TOMS 20, section 5."""


@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 10.0, 1e3])
@pytest.mark.parametrize("name", LINES)
def test_line_search_of_one_dimension(name: str, first: float) -> None:
    """The accepted step satisfies both conditions and is the lowest seen that falls enough; trials are safeguarded."""
    x = torch.zeros(1, 1, dtype=torch.float64)

    def look(at: Tensor) -> tuple[float, float]:
        leaf = at.detach().requires_grad_(True)
        value = LINES[name](leaf)
        return float(value.detach()), float(torch.autograd.grad(value.sum(), leaf)[0])

    value, slope = look(x)
    rule = LBFGS(first_step=first / min(abs(slope), 1.0), curvature=0.1, max_tries=60)
    state, seen, origin = rule.start(x), [], (value, slope)
    for step in range(61):
        (value, slope), at = look(x), float(x)
        x = rule.step(x, torch.tensor([[slope]]).double(), torch.tensor([value]), state, step)
        if step and value <= origin[0] + rule.decrease * at * origin[1]:
            seen.append(value)
        numbers = dict(zip(_SLOTS, state["numbers"][0].tolist(), strict=True))
        if float(state["point"]) != 0:
            break
        if numbers["phase"] == _ZOOM:
            low, high = sorted((numbers["low_t"], numbers["high_t"]))
            assert low + 0.1 * (high - low) * (1 - 1e-9) <= numbers["t"] <= high - 0.1 * (high - low) * (1 - 1e-9)
    step_size = float(state["point"])
    accepted, slope = look(state["point"])
    assert step_size > 0
    assert accepted <= origin[0] + rule.decrease * step_size * origin[1]
    assert abs(slope) <= rule.curvature * abs(origin[1])
    assert accepted == min(seen)


def test_a_line_search_ends_after_so_many_tries() -> None:
    """Where no step is flat enough (|x| has slope 1 everywhere), the lowest is taken, after ``max_tries``."""
    rule = LBFGS(max_tries=6, first_step=0.3)
    x = torch.tensor([[1.0]]).double()
    state, points, tries = rule.start(x), [], 0
    for step in range(40):
        x = rule.step(x, torch.sign(x), x.abs().sum(1), state, step)
        points.append(float(state["point"]))
        tries = max(tries, int(state["numbers"][0, _SLOTS.index("n_tries")]))
    assert tries == 6
    assert np.abs(points[-1]) < 0.3
    assert (np.diff(np.abs(points)) <= 0).all()


def test_a_search_that_finds_nothing_begins_anew_along_the_gradient_then_rests() -> None:
    rule = LBFGS(max_tries=4)
    x, state = STARTS[:1].double(), rule.start(STARTS[:1].double())
    for step in range(12):
        losses, grads = evaluate(x)
        x = rule.step(x, grads, losses, state, step)
    assert state["numbers"][0, _SLOTS.index("n_pairs")] > 0
    point, gradient = state["point"].clone(), state["kept"][0, -1].clone()
    lost, along = torch.tensor([torch.inf]).double(), 0
    for step in range(20):
        x = rule.step(x, torch.full_like(x, torch.nan), lost, state, step)
        along += int(torch.allclose(state["direction"][0], -gradient))
    assert along > 0
    assert torch.equal(state["point"], point)
    assert torch.equal(x, point)  # it rests there


def barrier(x: Tensor) -> Tensor:
    """Infinite or NaN outside the unit ball; its minimum is inside, and the first step goes too far."""
    return ((x - 0.3) ** 2).sum(1) - 1e-3 * torch.log(1 - (x**2).sum(1))


def test_lbfgs_backs_off_where_the_loss_is_not_finite() -> None:
    start = torch.tensor([[0.0, 0.0, 0.0], [-0.55, -0.55, -0.55]]).double()
    rule = LBFGS(first_step=60.0)
    x, state, n_lost = start.clone(), rule.start(start), 0
    for step in range(60):
        leaf = x.detach().requires_grad_(True)
        losses = barrier(leaf)
        grads = torch.autograd.grad(losses.sum(), leaf)[0]
        lost = ~torch.isfinite(losses.detach())
        n_lost += int(lost.sum())
        assert bool((rule.can_back_off(losses.detach(), state) | ~lost).all())
        x = rule.step(x, grads, losses.detach(), state, step)
    found = rule.final_params(x, None, state).numpy()
    from scipy.optimize import minimize

    best = minimize(
        lambda v: ((v - 0.3) ** 2).sum() - 1e-3 * np.log(1 - (v**2).sum()), np.full(3, 0.3), method="Nelder-Mead",
        options={"xatol": 1e-8, "fatol": 1e-14},
    ).x  # fmt: skip
    assert n_lost >= 2
    np.testing.assert_allclose(found, np.stack([best, best]), atol=1e-4)


def test_lbfgs_backs_off_where_only_the_gradient_is_not_finite() -> None:
    rule = LBFGS(first_step=1.6)
    x = torch.tensor([[3.0]]).double()
    state, asked = rule.start(x), []
    for step in range(12):
        grads = torch.where(x.abs() < 1.5, torch.nan, 2 * (x - 1.6))
        asked.append(float(x))
        x = rule.step(x, grads, ((x - 1.6) ** 2).sum(1), state, step)
    assert min(asked) < 1.5  # it was there
    assert float(rule.final_params(x, None, state)) == pytest.approx(1.6, abs=1e-6)


def test_others_never_back_off_and_lbfgs_not_from_its_start() -> None:
    losses = torch.tensor([torch.nan, 1.0, torch.inf])
    for rule in (Adam(0.1), NormalizedSteps(0.1), LBFGS()):
        assert not rule.can_back_off(losses, rule.start(STARTS)).any()


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_projected_steps_against_numpy(norm: str) -> None:
    rng = np.random.default_rng(0)
    x0, g = rng.random((4, 3, 5, 5)).astype(np.float32), rng.normal(size=(4, 3, 5, 5)).astype(np.float32)
    rule = NormalizedSteps(0.7, norm=norm, schedule=Halving(3))
    ball = (L2Ball if norm == "l2" else LinfBall)(0.4)
    moved = rule.step(torch.from_numpy(x0), torch.from_numpy(g), torch.zeros(4), {}, 3)
    got = Range(0, 1).project(ball.project(moved, torch.from_numpy(x0)), None).numpy()
    size = 0.35
    if norm == "l2":
        lengths = np.sqrt((g.reshape(4, -1) ** 2).sum(1))[:, None, None, None]
        expected = x0 - size * g / (lengths + 1e-10)
        difference = expected - x0
        far = np.sqrt((difference.reshape(4, -1) ** 2).sum(1))[:, None, None, None]
        expected = x0 + difference * np.minimum(0.4 / far, 1)
    else:
        expected = x0 + np.clip(-size * np.sign(g), -0.4, 0.4)
    np.testing.assert_allclose(got, np.clip(expected, 0, 1), atol=1e-6)


def test_balls_project_what_lies_outside() -> None:
    origin, far = torch.zeros(2, 4), torch.tensor([[3.0, 4.0, 0.0, 0.0], [0.1, 0.0, 0.0, 0.0]])
    projected = L2Ball(1.0).project(far, origin)
    np.testing.assert_allclose(projected.numpy(), [[0.6, 0.8, 0, 0], [0.1, 0, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(LinfBall(2.0).project(far, origin)[0].numpy(), [2, 2, 0, 0])
    with pytest.raises(InputError):
        L2Ball(-1.0)


def test_schedules() -> None:
    assert [Halving(2).factor(step) for step in range(6)] == [1, 1, 0.5, 0.5, 0.25, 0.25]
    assert [round(Cosine(4, 0.2).factor(step), 6) for step in (0, 2, 4, 9)] == [1, 0.6, 0.2, 0.2]
