"""The same stimuli broken, with the same losses, as by the packages and programs that define these attacks.

Values of torchattacks 3.5.1, foolbox 3.3.4, MadryLab's robustness (a9541241) and AutoAttack (fra31/auto-attack,
a3922004), each on `net, x, y = make_problem()` of `networks.py`, torch 2.14 on a CPU:

    torchattacks.PGD(net, eps=.03, alpha=.0075, steps=10, random_start=False)(x, y)
    torchattacks.PGDL2(net, eps=.2, alpha=.05, steps=10, random_start=False)(x, y)
    foolbox.attacks.LinfProjectedGradientDescentAttack(rel_stepsize=.25, steps=10, random_start=False)
    foolbox.attacks.L2ProjectedGradientDescentAttack(rel_stepsize=.25, steps=10, random_start=False)
    foolbox.attacks.SparseL1DescentAttack(quantile=.9, rel_stepsize=.25, steps=10)
        ...(foolbox.PyTorchModel(net, bounds=(0, 1)), x, foolbox.criteria.Misclassification(y), epsilons=radius)[1]
    robustness.attacker.Attacker(net, dataset)(x, y, constraint="2", eps=.2, step_size=.2, iterations=10,
        use_best=True)                             # targeted: (y + 1) % 6, targeted=True; Linf: "inf", .03, .03
    APGDAttack(net, n_iter=40, norm="L2", eps=.2, seed=0, device="cpu", use_largereps=norm == "L1", loss="ce")
    APGDAttack_targeted(..., n_target_classes=5)   # .perturb(x, y); losses from attack_single_run and decr_eps_pgd

The losses are cross_entropy(net(adv), y) (targets: of the targets), or what the run itself returned (APGD).
"""

from __future__ import annotations

import pytest
import torch
from tests.synthesis.attacks.networks import make_problem, write_code

from beholder.synthesis import run_apgd, run_pgd

RADII = {"linf": 0.03, "l2": 0.2, "l1": 1.5}

STEEPEST = {  # torchattacks and foolbox agree on these
    "linf": ("1111011101110101", [1.2091, 1.1577, 1.2658, 1.2894]),
    "l2": ("1111011100000001", [1.1523, 1.1160, 1.2138, 1.2355]),
    "l1": ("1111111101110101", [1.2547, 1.2533, 1.3590, 1.3703]),  # foolbox alone, one stimulus a call
}


@pytest.mark.parametrize("norm", STEEPEST)
def test_pgd_is_that_of_torchattacks_and_foolbox(norm: str) -> None:
    network, x, labels = make_problem()
    radius = RADII[norm]
    found = run_pgd(
        network, x, labels, norm=norm, radius=radius, n_steps=10, step_size=radius / 4, keep="last", share=0.1,
        low=0.0, high=1.0,
    )  # fmt: skip
    code, losses = STEEPEST[norm]
    assert write_code(found.is_wrong) == code
    torch.testing.assert_close(found.loss[:4], torch.tensor(losses), atol=5e-4 if norm == "l1" else 1e-4, rtol=0)


BEST = {
    ("l2", False): ("1111011100000001", [1.1518, 1.1159, 1.2138, 1.2355]),
    ("l2", True): ("0111000100000001", [2.7514, 0.9515, 0.8462, 0.9701]),
    ("linf", False): ("1111011101110101", [1.2091, 1.1577, 1.2658, 1.2894]),
    ("linf", True): ("0111000100000001", [2.6854, 0.9022, 0.7996, 0.9183]),
}


@pytest.mark.parametrize(("norm", "is_targeted"), BEST)
def test_the_best_iterate_is_that_of_madrylab(norm: str, is_targeted: bool) -> None:
    network, x, labels = make_problem()
    targets = (labels + 1) % 6 if is_targeted else None
    radius = RADII[norm]
    found = run_pgd(
        network, x, labels, norm=norm, radius=radius, n_steps=10, step_size=radius, targets=targets, low=0.0, high=1.0
    )
    code, losses = BEST[norm, is_targeted]
    assert write_code(found.is_wrong) == code
    climbed = -found.loss if is_targeted else found.loss
    torch.testing.assert_close(climbed[:4], torch.tensor(losses), atol=1e-4, rtol=0)


AUTO = {  # broken; the highest losses of some that are not
    ("linf", "cross-entropy"): ("1111011101110101", {4: 1.1997, 8: 0.9741, 12: 0.9298, 14: 0.5190}),
    ("linf", "dlr"): ("1111111101110101", {8: -0.3650, 12: -0.2774, 14: -0.5767}),
    ("l2", "cross-entropy"): ("1111011100000001", {4: 1.1487, 8: 0.9312, 9: 1.2873, 13: 1.1843}),
    ("l2", "dlr"): ("1111011101000101", {4: -0.0976, 8: -0.4449, 10: -0.0333, 14: -0.5921}),
    ("l1", "cross-entropy"): ("1111111101110101", {8: 1.1976, 12: 1.0350, 14: 0.5873}),
    ("l1", "dlr"): ("1111111101110101", {8: -0.1066, 12: -0.0683, 14: -0.4606}),
}


@pytest.mark.parametrize(("norm", "loss"), AUTO)
def test_auto_pgd_is_that_of_autoattack(norm: str, loss: str) -> None:
    network, x, labels = make_problem()
    found = run_apgd(
        network, x, labels, norm=norm, radius=RADII[norm], n_steps=40, loss=loss, low=0.0, high=1.0,  # type: ignore[arg-type]
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    code, losses = AUTO[norm, loss]
    assert write_code(found.is_wrong) == code
    rows = list(losses)
    torch.testing.assert_close(found.loss[rows], torch.tensor(list(losses.values())), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("norm", "code"), [("linf", "1111111101110101"), ("l2", "1111011101000101"), ("l1", "1111111101110101")]
)
def test_targeted_auto_pgd_is_that_of_autoattack(norm: str, code: str) -> None:
    network, x, labels = make_problem()
    found = run_apgd(
        network, x, labels, norm=norm, radius=RADII[norm], n_steps=40, loss="dlr", n_targets=9, low=0.0, high=1.0,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    assert write_code(found.is_wrong) == code
