"""Lengths, projections and steps, against values by hand and oracles in numpy and scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import LinearConstraint, minimize
from torch import Tensor

from beholder import InputError
from beholder.synthesis import measure_norms, project_to_ball
from beholder.synthesis.attacks._allowed import allow
from beholder.synthesis.attacks._norms import climb_by, count_steepest

NORMS = ("l2", "linf", "l1")


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_lengths_by_hand() -> None:
    rows = torch.tensor([[[3.0, -4.0]], [[0.0, 0.0]]])
    assert measure_norms(rows, "l1").tolist() == [7, 0]
    assert measure_norms(rows, "l2").tolist() == [5, 0]
    assert measure_norms(rows, "linf").tolist() == [4, 0]


@pytest.mark.parametrize(
    ("norm", "expected"), [("l2", [0.3, -0.4, 0.0]), ("linf", [0.5, -0.5, 0.0]), ("l1", [0.0, -0.5, 0.0])]
)
def test_projections_by_hand(norm: str, expected: list[float]) -> None:
    x, origin = torch.tensor([[1.5, -2.0, 0.0]]), torch.zeros(1, 3)
    torch.testing.assert_close(project_to_ball(x, origin, norm=norm, radius=0.5), torch.tensor([expected]))


def project_l1_by_sorting(v: np.ndarray, radius: float) -> np.ndarray:
    """Figure 1 of Duchi et al. (2008), for one vector."""
    if np.abs(v).sum() <= radius:
        return v
    u = np.sort(np.abs(v))[::-1]
    sums = np.cumsum(u) - radius
    rho = np.nonzero(u > sums / np.arange(1, len(u) + 1))[0][-1]
    return np.sign(v) * np.maximum(np.abs(v) - sums[rho] / (rho + 1), 0)


def test_l1_projection_is_that_by_sorting() -> None:
    x = draw(6, 40) * torch.tensor([0.001, 0.1, 1.0, 1.0, 10.0, 1e4])[:, None]
    x[2, 5:] = 0
    x[3] = 1.0  # ties
    radii = torch.tensor([1.0, 1.0, 1.0, 2.0, 0.01, 5.0])
    found = project_to_ball(x, torch.zeros_like(x), norm="l1", radius=radii)
    for row, radius, made in zip(x.double().numpy(), radii.tolist(), found.numpy(), strict=True):
        np.testing.assert_allclose(made, project_l1_by_sorting(row, radius), atol=2e-6 * max(1, abs(row).max()))


def test_l1_projection_in_a_box_is_the_nearest_point() -> None:
    origin, x = torch.rand(3, 7, generator=torch.Generator().manual_seed(3)), draw(3, 7, seed=4) * 2
    found = allow("l1", origin, torch.full((3,), 0.8), 0.0, 1.0).place_at_once(x.clone())
    for start, aim, made in zip(origin.double().numpy(), x.double().numpy(), found.numpy(), strict=True):
        # the difference as two parts of one sign each, within the box
        bounds = [(0, 1 - s) for s in start] + [(0, s) for s in start]

        def distance(parts: np.ndarray, start: np.ndarray = start, aim: np.ndarray = aim) -> float:
            return float(np.square(start + parts[:7] - parts[7:] - aim).sum())

        ball = LinearConstraint(np.ones(14), -np.inf, 0.8)
        best = minimize(distance, np.full(14, 0.02), bounds=bounds, constraints=[ball], method="SLSQP", tol=1e-12)
        np.testing.assert_allclose(made, start + best.x[:7] - best.x[7:], atol=1e-4)
        assert np.abs(made - start).sum() <= 0.8 * (1 + 1e-6)


@pytest.mark.parametrize("norm", NORMS)
def test_points_inside_stay(norm: str) -> None:
    origin = torch.rand(2, 3, 4)
    x = origin + 0.01 * draw(2, 3, 4)
    torch.testing.assert_close(project_to_ball(x, origin, norm=norm, radius=10.0), x)
    assert torch.equal(project_to_ball(x, origin, norm=norm, radius=0.0), origin)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("radius", [1e-6, 1e-4, 3e-2, 5.0])
def test_rounding_leads_no_further_than_a_hundred_thousandth(norm: str, radius: float) -> None:
    origin = torch.full((2, 3, 50, 50), 0.77)
    x = origin + 100 * draw(2, 3, 50, 50)
    found = project_to_ball(x, origin, norm=norm, radius=radius, low=0.0, high=1.0)
    assert (measure_norms(found - origin, norm) <= radius * (1 + 1e-5)).all()
    assert found.min() >= 0
    assert found.max() <= 1


@pytest.mark.parametrize("value", [0.01, 0.0031])
@pytest.mark.parametrize("n_values", [150_528, 40_009])
def test_many_equal_values_do_not_leave_the_ball_by_the_rounding_of_their_sum(value: float, n_values: int) -> None:
    """Squares added up one by one in float32 are wrong by 5e-5 here."""
    origin = torch.full((1, n_values), 0.5)
    radius = value * n_values**0.5 / 2
    made = project_to_ball(origin + value, origin, norm="l2", radius=radius, low=0.0, high=1.0)
    assert -1e-4 < float(measure_norms(made - origin, "l2")) / radius - 1 < 1e-5


@pytest.mark.parametrize("norm", NORMS)
def test_values_of_a_stimulus_beyond_the_range_may_stay(norm: str) -> None:
    origin = torch.tensor([[1.5, 0.5, -0.2]])
    found = project_to_ball(torch.tensor([[3.0, 3.0, -3.0]]), origin, norm=norm, radius=0.1, low=0.0, high=1.0)
    assert measure_norms(found - origin, norm) <= 0.1 * (1 + 1e-5)
    assert found[0, 0] == 1.5
    assert found[0, 2] == pytest.approx(-0.2)


@pytest.mark.parametrize("norm", NORMS)
def test_no_direction_climbs_a_linear_function_more(norm: str) -> None:
    gradient, x = draw(1, 30), torch.zeros(1, 30)
    step = climb_by(x, gradient, norm, torch.tensor([0.5]))
    assert measure_norms(step, norm).item() == pytest.approx(0.5)
    others = project_to_ball(draw(500, 30, seed=1) * 100, torch.zeros(500, 30), norm=norm, radius=0.5)
    assert (step @ gradient[0]).item() >= (others @ gradient[0]).max().item()


def test_a_step_in_l1_moves_a_share() -> None:
    gradient = torch.tensor([[1.0, -4.0, 3.0, 0.5, 0.0]])
    zero, length = torch.zeros(1, 5), torch.tensor([1.0])
    assert climb_by(zero, gradient, "l1", length).tolist() == [[0, -1, 0, 0, 0]]
    assert climb_by(zero, gradient, "l1", length, share=0.4).tolist() == [[0, -0.5, 0.5, 0, 0]]
    assert climb_by(zero, gradient, "l1", length, share=1.0).tolist() == [[0.25, -0.25, 0.25, 0.25, 0]]
    assert [count_steepest(108, share) for share in (0.0, 0.01, 0.1, 1.0)] == [1, 2, 11, 108]


@pytest.mark.parametrize("norm", NORMS)
def test_no_gradient_is_no_step(norm: str) -> None:
    x = torch.rand(2, 5)
    assert torch.equal(climb_by(x, torch.zeros(2, 5), norm, torch.ones(2)), x)


def test_gradients_of_any_size_are_steps_of_full_length() -> None:
    """A network that is very sure of itself leaves tiny gradients."""
    step = climb_by(torch.zeros(1, 4), torch.full((1, 4), 1e-15), "l2", torch.ones(1))
    assert measure_norms(step, "l2").item() == pytest.approx(1)


def test_radii_are_refused() -> None:
    x = torch.rand(2, 3)
    with pytest.raises(InputError, match="radius of 0 or more; got -1"):
        project_to_ball(x, x, norm="l2", radius=-1.0)
    with pytest.raises(InputError, match="got nan"):
        project_to_ball(x, x, norm="l2", radius=float("nan"))
    with pytest.raises(InputError, match="2 \\(one a stimulus\\)"):
        project_to_ball(x, x, norm="l2", radius=torch.ones(3))
    with pytest.raises(InputError, match="a norm: l2, linf, l1; got 'L2'"):
        project_to_ball(x, x, norm="L2", radius=1.0)
