"""Random perturbations."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from beholder import InputError
from beholder.synthesis import draw_noise, measure_norms

X = torch.full((400, 2, 3), 0.5)


@pytest.mark.parametrize("norm", ["l2", "linf", "l1"])
def test_the_shell_has_the_radius(norm: str) -> None:
    noise = draw_noise(X, norm=norm, radius=torch.linspace(0.1, 2, 400), where="shell") - X
    torch.testing.assert_close(measure_norms(noise, norm).float(), torch.linspace(0.1, 2, 400))
    assert (noise.mean((0, 1, 2)).abs() < 0.1).all()


@pytest.mark.parametrize("norm", ["l2", "linf", "l1"])
def test_the_ball_is_filled_evenly(norm: str) -> None:
    """The share of a ball within a part of its radius is that part to the power of the dimensions."""
    lengths = measure_norms(draw_noise(X, norm=norm, radius=2.0, where="ball") - X, norm) / 2
    assert stats.kstest(lengths.numpy() ** 6, "uniform").pvalue > 0.01
    even = measure_norms(draw_noise(X, norm="l2", radius=2.0, where="length") - X, "l2") / 2
    assert stats.kstest(even.numpy(), "uniform").pvalue > 0.01


def test_values_on_the_l1_sphere_are_spread_as_on_a_simplex() -> None:
    sizes = (draw_noise(X, norm="l1", radius=1.0) - X).abs().flatten()
    assert stats.kstest(sizes[::6].numpy(), stats.beta(1, 5).cdf).pvalue > 0.01


def test_corners() -> None:
    cube = draw_noise(X, norm="linf", radius=0.25) - X
    assert cube.abs().unique().tolist() == [0.25]
    assert abs(cube.mean().item()) < 0.02
    spike = draw_noise(X, norm="l1", radius=0.25, where="corners") - X
    assert ((spike != 0).flatten(1).sum(1) == 1).all()
    assert spike.abs().max() == 0.25
    with pytest.raises(InputError, match="where noise of l2 lies: shell, ball, length; got 'corners'"):
        draw_noise(X, norm="l2", radius=1.0, where="corners")


def test_noise_stays_in_range_and_is_the_same_again() -> None:
    noisy = draw_noise(X, norm="l2", radius=9.0, low=0.0, high=1.0)
    assert noisy.min() == 0
    assert noisy.max() == 1
    assert torch.equal(noisy, draw_noise(X, norm="l2", radius=9.0, low=0.0, high=1.0))
    other = draw_noise(X, norm="l2", radius=9.0, low=0.0, high=1.0, generator=torch.Generator().manual_seed(1))
    assert not torch.equal(noisy, other)
