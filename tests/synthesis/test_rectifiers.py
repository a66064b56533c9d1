"""Finding the rectifiers that end a layer, matching before them, and the straight gradient through them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import beholder as bh
from beholder.synthesis.engine._loop import Problem
from beholder.synthesis.gradients._network import Network
from beholder.synthesis.gradients._rectifiers import EndRectifiers, make_rectified_target, sum_one_sided, sum_straight
from beholder.synthesis.objectives._match import CoarseToFine, MatchByParts, MatchRectified, SingleUnitFirst
from beholder.synthesis.objectives._units import MatchTarget


class Block(nn.Module):
    """One stage whose ending is given; two convolutions inside."""

    def __init__(self, end: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.conv2 = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.end = end

    def forward(self, x: Tensor) -> Tensor:
        first = F.relu(self.conv1(x))
        return self.end(first, self.conv2(first))


class Whole(nn.Module):
    def __init__(self, end: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.block = Block(end)
        self.head = nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block(x)
        return self.head(x if x.shape[1] == 8 else torch.cat([x, x], 1))


RELU, IN_PLACE = nn.ReLU(), nn.ReLU(inplace=True)
ENDS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], int | None]] = {
    "functional": (lambda a, b: F.relu(b), 1),
    "method": (lambda a, b: b.relu(), 1),
    "module": (lambda a, b: RELU(b), 1),
    "in place": (lambda a, b: IN_PLACE(b), 1),
    "in place, overwritten name": (lambda a, b: b.relu_(), 1),
    "ReLU6": (lambda a, b: F.relu6(40 * b), 1),
    "hardtanh": (lambda a, b: F.hardtanh(b, 0.0, 0.2), 1),
    "residual": (lambda a, b: F.relu(a + b), 1),
    "joined": (lambda a, b: torch.cat([F.relu(b), F.relu(-b)], 1), 2),
    "reshaped": (lambda a, b: F.relu(b).flatten(1).view(len(b), 4, 8, 8).contiguous(), 1),
    "shared with the inside": (lambda a, b: torch.cat([a, F.relu(b)], 1), 2),
    "partly": (lambda a, b: torch.cat([b, F.relu(b)], 1), None),
    "twice": (lambda a, b: torch.cat([F.relu(b)] * 2, 1) * 1.0, None),
    "the same one twice": (lambda a, b: torch.cat([F.relu_(b), b], 1), None),
    "pooled": (lambda a, b: F.max_pool2d(F.relu(b), 1), None),
    "sigmoid": (lambda a, b: torch.sigmoid(b), None),
    "none": (lambda a, b: b, None),
}


def open_network(end: Callable[[Tensor, Tensor], Tensor]) -> tuple[Network, Tensor]:
    model = bh.wrap(Whole(end).eval(), input_range=(0.0, 1.0), input_shape=(3, 8, 8))
    example = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    return Network(model, ["block"], example[:1]), example


@pytest.mark.parametrize("name", ENDS)
def test_the_rectifiers_that_make_up_a_layer_are_found(name: str) -> None:
    end, expected = ENDS[name]
    network, images = open_network(end)
    found = network.find_end_rectifiers("block", images[:1])
    assert (None if found is None else len(found)) == expected
    with torch.no_grad():
        (view,) = network.run(images, [2], ("block",), {}).views()
        values = view.layer("block")
        if found is not None:
            before = view.before_rectifiers("block")
            assert [each.shape[0] for each in before] == [2] * len(found)
            assert sum(each.numel() for each in before) == values.numel()
            assert any(bool((each < 0).any()) for each in before)
            after = torch.cat([each.clamp(0, c) for each, c in zip(before, found.ceilings, strict=True)], 1)
            torch.testing.assert_close(after.flatten(), values.flatten(), rtol=0, atol=0)


def test_straight_gradient_goes_through_the_returned_branch_only() -> None:
    network, images = open_network(ENDS["shared with the inside"][0])
    target = torch.rand(8, 8, 8, generator=torch.Generator().manual_seed(2))
    block = Whole(ENDS["shared with the inside"][0]).block

    class Fake(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: Tensor) -> Tensor:
            return x.clamp_min(0)

        @staticmethod
        def backward(ctx: object, grad: Tensor) -> Tensor:  # type: ignore[override]
            return grad

    leaf = images[:1].clone().requires_grad_(True)
    inner = block.conv1(leaf)
    expected_values = torch.cat([Fake.apply(inner), Fake.apply(block.conv2(F.relu(inner)))], 1)
    loss = (expected_values - target).norm() / target.norm()
    (expected,) = torch.autograd.grad(loss, leaf)
    ends = network.find_end_rectifiers("block", images[:1])
    assert ends is not None
    objective = MatchRectified("block", (target[None, :4], target[None, 4:]), ends, "straight")
    leaf = images[:1].clone().requires_grad_(True)
    score = objective.score(network.run(leaf, [1], ("block",), {}).views()[0])
    (gradient,) = torch.autograd.grad(-score.sum(), leaf)
    assert -float(score.detach()) == pytest.approx(float(loss.detach()), rel=1e-6)
    torch.testing.assert_close(gradient, expected)


def test_one_sided_distance() -> None:
    before = torch.tensor([[1.0, -1.0, -2.0, 3.0]], requires_grad=True)
    target = make_rectified_target(torch.tensor([[0.5, 2.0, -9.0, -1.0]]), None)
    loss = sum_one_sided(before, target)
    assert loss.tolist() == pytest.approx([0.25 + 9.0 + 0.0 + 9.0])
    (gradient,) = torch.autograd.grad(loss.sum(), before)
    assert gradient.tolist() == [[1.0, -6.0, 0.0, 6.0]]
    capped = make_rectified_target(torch.tensor([[7.0, 7.0, 1.0]]), 6.0)
    values = torch.tensor([[9.0, 5.0, 8.0]])
    assert sum_one_sided(values, capped).tolist() == pytest.approx([1.0 + 49.0])
    assert sum_straight(values, capped, 6.0).tolist() == pytest.approx([1.0 + 25.0])


def test_one_sided_gradient_against_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    before = torch.randn(2, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    for ceiling in (None, 1.0):
        target = make_rectified_target(torch.randn(2, 5, dtype=torch.float64, generator=generator), ceiling)
        assert torch.autograd.gradcheck(lambda x, t=target: sum_one_sided(x, t), before)


def test_zero_targets_are_refused() -> None:
    with pytest.raises(bh.InputError, match="all zero"):
        MatchRectified("block", (-torch.ones(1, 4),), EndRectifiers((0,), (None,)))


def test_nothing_is_left_on_the_model() -> None:
    end = ENDS["in place"][0]
    _, images = open_network(end)
    module = Whole(end).eval()
    with torch.no_grad():
        expected = module(images)
    model = bh.wrap(module, input_range=(0.0, 1.0), input_shape=(3, 8, 8))
    opened = Network(model, ["block"], images[:1])
    opened.find_end_rectifiers("block", images[:1])
    opened.run(images, [2], ("block",), {})
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
    leaf = images.clone().requires_grad_(True)
    torch.testing.assert_close(module(leaf).detach(), expected)


def test_coarse_to_fine_admits_filters() -> None:
    rates, scales = (0.0, 0.5, -4.0, 64.0, 64.0), (1.0, 2.0, 1.0, 2.0, 0.0)
    curriculum = CoarseToFine(rates, scales)
    admitted = [curriculum.choose(step, 5, 0, 0).tolist() for step in (0, 399, 400, 1600, 2400, 9999)]
    assert admitted == [[0, 4], [0, 4], [0, 1, 4], [0, 1, 2, 4], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]
    with pytest.raises(bh.InputError):
        curriculum.choose(0, 6, 0, 0)


def test_single_unit_is_redrawn_and_then_all() -> None:
    curriculum = SingleUnitFirst()
    drawn = [curriculum.choose(step, 100, 1, 0).tolist() for step in range(0, 400)]
    assert all(len(each) == 1 for each in drawn)
    assert len({tuple(each) for each in drawn}) > 4
    assert all(drawn[i] == drawn[i - i % 50] for i in range(400))
    assert curriculum.choose(400, 100, 1, 0).tolist() == list(range(100))
    assert curriculum.choose(0, 100, 1, 1).tolist() != drawn[0] or curriculum.choose(0, 100, 1, 2).tolist() != drawn[0]


def test_matching_by_parts() -> None:
    module = nn.Sequential(nn.Identity())
    model = bh.wrap(module, input_shape=(3, 2, 2))
    images = torch.rand(1, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    target = torch.rand(3, 2, 2, generator=torch.Generator().manual_seed(1))
    curriculum = CoarseToFine((0.0, 4.0, 99.0), (9.0, 9.0, 9.0), every=2)
    objective = MatchByParts("0", target[None], curriculum, steps_per_repeat=20, n_repeats=2)
    network = Network(model, ["0"], images)
    for step, channels in ((0, [0]), (8, [0, 1]), (25, [0, 1, 2])):
        captured = network.run(images, [1], ("0",), {})
        captured.step = step
        score = float(objective.score(captured.views()[0]))
        a, b = images[0, channels], target[channels]
        assert score == pytest.approx(-float((a - b).norm() / b.norm()), rel=1e-6)
    whole = float(MatchTarget("0", target[None]).score(captured.views()[0]))
    assert score == pytest.approx(whole)
    assert isinstance(Problem(objective), Problem)
    assert np.isfinite(score)
