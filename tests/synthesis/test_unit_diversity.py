"""The diversity term for units, against the engine's own, and what it does to sleeping ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from beholder.synthesis import Channel, Diversity, Objective
from beholder.synthesis.gradients._redirect import RedirectDeadRectifiers
from beholder.synthesis.gradients._view import Captured, View
from beholder.synthesis.objectives._diversity import UnitDiversity, compute_likenesses


def make_view(values: Tensor) -> View:
    axes = {"x": ("channel", "height", "width")}
    return Captured(values, [len(values)], {"x": values}, axes, {}, {}, {}).views()[0]


@pytest.mark.parametrize("shape", [(4, 6, 2, 2), (4, 3, 5, 4), (2, 8, 1, 1), (3, 40, 2, 3)])
def test_it_is_the_engines_own_where_images_are_awake(shape: tuple[int, ...]) -> None:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    mine = UnitDiversity("x", 1).score(make_view(values))
    (grad,) = torch.autograd.grad(mine.sum(), values)
    other = Diversity("x").score(make_view(values))
    (expected,) = torch.autograd.grad(other.sum(), values)
    torch.testing.assert_close(mine, other)
    torch.testing.assert_close(grad, expected)


def test_likenesses_written_out() -> None:
    values = np.random.default_rng(0).standard_normal((3, 7, 2))
    grams = np.einsum("icp,idp->icd", values, values)
    flat = (grams / np.linalg.norm(grams, axis=(1, 2), keepdims=True)).reshape(3, -1)
    np.testing.assert_allclose(compute_likenesses(torch.tensor(values)), flat @ flat.T)
    np.testing.assert_allclose(compute_likenesses(torch.tensor(values.transpose(0, 2, 1))).diagonal(), 1)


def test_silence_has_no_gradient() -> None:
    for shape in [(3, 16, 2, 2), (3, 3, 4, 4)]:
        values = torch.zeros(shape)
        values[1:] = torch.rand(2, *shape[1:])
        values[1, 2] = 0.0
        values.requires_grad_()
        (grad,) = torch.autograd.grad(UnitDiversity("x", 2).score(make_view(values)).sum(), values)
        assert bool(torch.isfinite(grad).all())
        assert not bool(grad[:2].any())
        assert bool(grad[2].any())


@pytest.mark.parametrize(("term", "wakes"), [(Diversity("x"), False), (UnitDiversity("x", 2), True)])
def test_a_sleeping_unit_is_woken_through_its_rectifier(term: Objective, wakes: bool) -> None:
    before = torch.randn(3, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    before[:, 2] = -before[:, 2].abs()
    before.requires_grad_()
    with RedirectDeadRectifiers(3):
        view = make_view(torch.relu(before))
    (grad,) = torch.autograd.grad(-(Channel("x", 2) - 0.1 * term).score(view).sum(), before)
    assert bool((grad[:, 2] < 0).all()) == wakes
    assert bool(grad[:, 2].any()) == wakes
