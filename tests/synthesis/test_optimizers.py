"""Optimisers and projections against torch.optim, scipy and plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from beholder import InputError
from beholder.synthesis import LBFGS, Adam, Cosine, Halving, L2Ball, LinfBall, NormalizedSteps, Range


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
    return rule.settle(x, None, state), np.array(history)


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
    assert torch.equal(rule.settle(trial, losses + 1, state), STARTS)
    assert torch.equal(rule.settle(trial, losses - 1, state), trial)


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
