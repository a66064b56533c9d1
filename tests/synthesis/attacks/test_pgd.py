"""Projected gradient descent."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from beholder.synthesis import measure_norms, run_pgd

WEIGHTS = torch.randn(12, 3, generator=torch.Generator().manual_seed(0))


def predict(x: Tensor) -> Tensor:
    return x.flatten(1) @ WEIGHTS


def make_problem(n: int = 5) -> tuple[Tensor, Tensor]:
    x = torch.rand(n, 3, 4, generator=torch.Generator().manual_seed(1))
    return x, predict(x).argmax(1)


@pytest.mark.parametrize("norm", ["l2", "linf", "l1"])
@pytest.mark.parametrize("keep", ["best", "last", "success"])
@pytest.mark.parametrize("random_start", [False, True])
def test_results_lie_in_the_ball_and_in_the_range(norm: str, keep: str, random_start: bool) -> None:
    x, labels = make_problem()
    radii = torch.tensor([0.0, 1e-4, 0.1, 0.5, 3.0])
    found = run_pgd(
        predict, x, labels, norm=norm, radius=radii, n_steps=6, step_size=radii / 3, keep=keep,  # type: ignore[arg-type]
        random_start=random_start, low=0.0, high=1.0,
    )  # fmt: skip
    assert (measure_norms(found.x - x, norm) <= radii * (1 + 1e-5)).all()
    assert found.x.min() >= 0
    assert found.x.max() <= 1
    torch.testing.assert_close(found.logits, predict(found.x))
    assert found.is_wrong.tolist() == (predict(found.x).argmax(1) != labels).tolist()
    assert found.is_wrong.any() or random_start
