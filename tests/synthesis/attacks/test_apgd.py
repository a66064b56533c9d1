"""Auto-PGD; that it is AutoAttack's is told by test_peers.py."""

from __future__ import annotations

import pytest
import torch
from tests.synthesis.attacks.networks import make_problem
from torch import Tensor

from beholder import InputError
from beholder.synthesis import measure_norms, run_apgd, run_pgd
from beholder.synthesis.attacks._apgd import plan_stages
from beholder.synthesis.attacks._apgd_rules import HalvingRule, SparseRule


def test_checkpoints_by_hand() -> None:
    assert HalvingRule(100).list_checkpoints(100) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert SparseRule().list_checkpoints(40)[:4] == [1, 2, 3, 4]
    assert SparseRule().list_checkpoints(100)[:3] == [4, 8, 12]


def test_stages_by_hand() -> None:
    assert plan_stages(100, larger_first=False) == [(1.0, 100)]
    assert plan_stages(100, larger_first=True) == [(3.0, 30), (2.0, 30), (1.0, 40)]
    assert plan_stages(2, larger_first=True) == [(3.0, 1), (2.0, 1), (1.0, 0)]


@pytest.mark.parametrize("norm", ["l2", "linf", "l1"])
@pytest.mark.parametrize("n_targets", [0, 2])
def test_results_lie_in_the_ball_and_in_the_range(norm: str, n_targets: int) -> None:
    network, x, labels = make_problem(6)
    radii = torch.tensor([0.0, 1e-6, 1e-3, 0.02, 0.3, 5.0])
    loss = "dlr" if n_targets else "cross-entropy"
    found = run_apgd(
        network, x, labels, norm=norm, radius=radii, n_steps=12, loss=loss, n_targets=n_targets, low=0.0, high=1.0
    )
    assert (measure_norms(found.x - x, norm) <= radii * (1 + 1e-5)).all()
    assert found.x.min() >= 0
    assert found.x.max() <= 1
    torch.testing.assert_close(found.logits, network(found.x))
    assert found.is_wrong.tolist() == (network(found.x).argmax(1) != labels).tolist()
    assert found.is_wrong.tolist()[0] is False
    assert found.is_wrong.tolist()[5] is True


def test_auto_pgd_finds_what_pgd_finds() -> None:
    network, x, labels = make_problem()
    pgd = run_pgd(network, x, labels, norm="l2", radius=0.2, n_steps=40, step_size=0.05, low=0.0, high=1.0)
    auto = run_apgd(network, x, labels, norm="l2", radius=0.2, n_steps=40, low=0.0, high=1.0)
    assert (auto.is_wrong | ~pgd.is_wrong).all()


def test_wrong_answers_are_not_attacked_and_broken_stimuli_leave() -> None:
    network, x, labels = make_problem()
    labels = labels.clone()
    labels[3] = (labels[3] + 1) % 6
    seen: list[int] = []

    def predict(x: Tensor) -> Tensor:
        seen.append(len(x))
        return network(x)

    found = run_apgd(predict, x, labels, norm="l2", radius=0.2, n_steps=10, low=0.0, high=1.0)
    assert seen[:2] == [16, 15]
    assert seen[-1] == int((~found.is_wrong).sum())
    assert found.n_passes[3] == 1
    assert torch.equal(found.x[3], x[3])
    assert sum(seen) == found.n_passes.sum()
    assert found.n_passes[~found.is_wrong].tolist() == [12] * seen[-1]


def test_classes_are_counted() -> None:
    _, x, labels = make_problem(4)
    weights = torch.randn(108, 6, generator=torch.Generator().manual_seed(2))

    def answer(n_classes: int):
        return lambda x: x.flatten(1) @ weights[:, :n_classes]

    arguments = {"norm": "l2", "radius": 1e-4, "n_steps": 2, "loss": "dlr"}
    for n_classes, n_targets in ((3, 9), (2, 0)):
        with pytest.raises(InputError, match=f"got {n_classes} classes; try the loss cross-entropy"):
            run_apgd(answer(n_classes), x, labels % n_classes, n_targets=n_targets, **arguments)  # type: ignore[arg-type]
    labels = answer(4)(x).argmax(1)
    found = run_apgd(answer(4), x, labels, n_targets=9, **arguments)  # type: ignore[arg-type]
    assert set(found.n_passes.tolist()) <= {10, 11}  # three other classes; rounding may ask for one more look
    with pytest.raises(InputError, match="n_steps of 1 or more"):
        run_apgd(answer(4), x, labels, norm="l2", radius=1.0, n_steps=0)
