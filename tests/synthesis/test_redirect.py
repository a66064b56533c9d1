"""Gradient through dead rectifiers, by lucid's rule, and nothing left behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from beholder.models.layers._axis_names import StimulusAxis
from beholder.synthesis import redirect_gradient
from beholder.synthesis.gradients._rectifiers import find_rectifiers, pass_straight
from beholder.synthesis.gradients._redirect import RedirectDeadRectifiers

X, G = [[-1.0, -2.0, -3.0]], [[-1.0, 1.0, -2.0]]


def rectify_view(x: Tensor) -> Tensor:
    x[:, :].relu_()
    return x


RECTIFIERS: dict[str, Callable[[Tensor], Tensor]] = {
    "module": nn.ReLU(),
    "module in place": nn.ReLU(inplace=True),
    "relu6": nn.ReLU6(),
    "relu6 in place": nn.ReLU6(inplace=True),
    "functional": F.relu,
    "functional relu6": F.relu6,
    "functional in place": lambda x: F.relu(x, inplace=True),
    "torch": torch.relu,
    "torch in place": torch.relu_,
    "method": lambda x: x.relu(),
    "method in place": lambda x: x.relu_(),
    "in place on a view": rectify_view,
}


def differentiate(
    function: Callable[[Tensor], Tensor], x: list[list[float]], g: list[list[float]]
) -> list[list[float]]:
    leaf = torch.tensor(x, requires_grad=True)
    with RedirectDeadRectifiers(len(x)):
        output = function(leaf.clone())
    return torch.autograd.grad(output, leaf, torch.tensor(g))[0].tolist()


@pytest.mark.parametrize("name", RECTIFIERS)
def test_lucid_example(name: str) -> None:
    assert differentiate(RECTIFIERS[name], X, G) == [[-1.0, 0.0, -2.0]]


@pytest.mark.parametrize("name", RECTIFIERS)
def test_only_items_whose_gradient_is_entirely_zero(name: str) -> None:
    x, g = [[-1.0, 2.0, -3.0], *X, [-1.0, 2.0, -3.0]], [[-1.0, 1.0, -2.0], *G, [-1.0, 0.0, -2.0]]
    assert differentiate(RECTIFIERS[name], x, g) == [[0.0, 1.0, 0.0], [-1.0, 0.0, -2.0], [-1.0, 0.0, -2.0]]


def test_upper_end_of_relu6() -> None:
    assert differentiate(nn.ReLU6(), [[7.0, 8.0, -1.0]], [[1.0, -1.0, -2.0]]) == [[1.0, 0.0, -2.0]]


@pytest.mark.parametrize("name", RECTIFIERS)
def test_forward_is_unchanged_and_nothing_is_left(name: str) -> None:
    function = RECTIFIERS[name]
    x = torch.tensor([[-1.0, 0.5, 7.0]], requires_grad=True)
    plain = function(x.clone())
    with pytest.raises(RuntimeError, match="boom"), RedirectDeadRectifiers(1):
        assert function(x.clone()).tolist() == plain.tolist()
        raise RuntimeError("boom")
    leaf = torch.tensor(X, requires_grad=True)
    assert torch.autograd.grad(function(leaf.clone()), leaf, torch.tensor(G))[0].tolist() == [[0.0, 0.0, 0.0]]


def test_batch_behind_tokens() -> None:
    """Three tokens of two items, tokens first: the second item is dead, the first is not."""
    x = torch.tensor([[1.0, -1.0], [-1.0, -2.0], [-2.0, -3.0]])[:, :, None]
    g = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [1.0, -2.0]])[:, :, None]
    got = redirect_gradient(x, g, g * (x > 0), 2)
    assert got[:, :, 0].T.tolist() == [[1.0, 0.0, 0.0], [-1.0, 0.0, -2.0]]


def test_windows_folded_into_the_batch() -> None:
    """Two items of two windows each: an item is dead if all of its windows are."""
    x = torch.tensor([[1.0], [-1.0], [-1.0], [-1.0]])
    g = torch.tensor([[1.0], [-1.0], [-1.0], [1.0]])
    assert redirect_gradient(x, g, g * (x > 0), 2).flatten().tolist() == [1.0, 0.0, -1.0, 0.0]


def test_gradient_straight_through_the_last_rectifier_only() -> None:
    leaf = torch.tensor([[-1.0, 2.0], [-3.0, 1.0]], requires_grad=True)
    layer = torch.cat([F.relu(leaf), F.relu(leaf * 2)], 1).view(2, 2, 2)
    assert len(find_rectifiers(layer.grad_fn)) == 2
    assert pass_straight(layer.grad_fn, slice(1, 2), StimulusAxis()) == 2
    (gradient,) = torch.autograd.grad(layer, leaf, torch.ones(2, 2, 2))
    assert gradient.tolist() == [[0.0, 3.0], [3.0, 3.0]]
    assert pass_straight((F.relu(leaf) * 2).grad_fn, slice(0, 2), StimulusAxis()) == 0
