"""Projected gradient descent."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from tests.synthesis.attacks.networks import make_network, make_problem
from torch import Tensor, nn
from torch.nn import functional

from beholder import InputError
from beholder.synthesis import ATTACK_PRESETS, AttackSettings, draw_noise, judge, measure_norms, run_attack, run_pgd

WEIGHTS = torch.randn(12, 3, generator=torch.Generator().manual_seed(0))


def predict(x: Tensor) -> Tensor:
    return x.flatten(1) @ WEIGHTS


def make_linear(n: int = 5) -> tuple[Tensor, Tensor]:
    x = torch.rand(n, 3, 4, generator=torch.Generator().manual_seed(1))
    return x, predict(x).argmax(1)


class Counting(nn.Module):
    """A network that notes what it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.network = make_network().requires_grad_(True)
        self.sizes: list[tuple[int, bool]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.sizes.append((len(x), torch.is_grad_enabled()))
        return self.network(x)


@pytest.mark.parametrize("norm", ["l2", "linf", "l1"])
@pytest.mark.parametrize("keep", ["best", "last", "success"])
@pytest.mark.parametrize("random_start", [False, True])
def test_results_lie_in_the_ball_and_in_the_range(norm: str, keep: str, random_start: bool) -> None:
    x, labels = make_linear()
    radii = torch.tensor([0.0, 1e-6, 0.1, 0.5, 3.0])
    found = run_pgd(
        predict, x, labels, norm=norm, radius=radii, n_steps=6, step_size=radii / 3, keep=keep,  # type: ignore[arg-type]
        random_start=random_start, low=0.0, high=1.0,
    )  # fmt: skip
    assert (measure_norms(found.x - x, norm) <= radii * (1 + 1e-5)).all()
    assert found.x.min() >= 0
    assert found.x.max() <= 1
    torch.testing.assert_close(found.logits, predict(found.x))
    torch.testing.assert_close(found.loss, functional.cross_entropy(predict(found.x), labels, reduction="none"))
    assert found.is_wrong.tolist() == (predict(found.x).argmax(1) != labels).tolist()
    assert found.is_wrong.any() or random_start


@pytest.mark.parametrize(("norm", "dual"), [("l2", 2), ("linf", 1), ("l1", math.inf)])
def test_a_linear_network_is_led_as_far_as_its_ball_reaches(norm: str, dual: float) -> None:
    """Without a range the margin between two classes changes by the radius times the weights' dual norm."""
    weights = WEIGHTS[:, :2]
    x, _ = make_linear()
    found = run_pgd(
        lambda x: x.flatten(1) @ weights, x, torch.zeros(5, dtype=torch.int64), norm=norm, radius=0.3, n_steps=8,
        step_size=0.1, share=0.0, loss="margin",
    )  # fmt: skip
    expected = (x.flatten(1) @ weights).diff()[:, 0] + 0.3 * torch.linalg.vector_norm(weights.diff(), ord=dual)
    torch.testing.assert_close(found.loss, expected)


@pytest.mark.parametrize("norm", ["l2", "linf", "l1"])
def test_more_steps_never_help_the_defender(norm: str) -> None:
    network, x, labels = make_problem(6)
    losses = [
        run_pgd(network, x, labels, norm=norm, radius=1.0, n_steps=n, step_size=0.7, low=0.0, high=1.0).loss
        for n in (0, 1, 2, 4, 8)
    ]
    assert all((later >= before - 1e-6).all() for before, later in itertools.pairwise(losses))
    assert (losses[-1] > losses[0] + 0.1).all()


def test_which_iterate_is_kept_by_hand() -> None:
    """Steps of 0.25 over a hill at 0.3: 0, 0.25, 0.5."""

    def hill(x: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(x), 10 * (x - 0.3) ** 2], 1)

    x, labels = torch.zeros(1, 1), torch.tensor([1])
    arguments = {"norm": "linf", "radius": 1.0, "n_steps": 2, "step_size": 0.25}
    assert run_pgd(hill, x, labels, **arguments).x.item() == 0.25  # type: ignore[arg-type]
    assert run_pgd(hill, x, labels, keep="last", **arguments).x.item() == 0.5  # type: ignore[arg-type]
    start = torch.full((1, 1), 0.3)
    assert run_pgd(hill, x, labels, start=start, **arguments).x.item() == pytest.approx(0.3)  # type: ignore[arg-type]
    outside = run_pgd(hill, x, labels, start=5 + start, norm="linf", radius=1.0, n_steps=0, step_size=0.25)
    assert outside.x.item() == 1


def test_one_forward_and_backward_a_step_and_none_for_parameters() -> None:
    network, (_, x, labels) = Counting(), make_problem(3)
    found = run_pgd(network, x, labels, norm="l2", radius=0.1, n_steps=4, step_size=0.03)
    assert network.sizes == [(3, True)] * 4 + [(3, False)]
    assert found.n_passes.tolist() == [5, 5, 5]
    assert all(parameter.grad is None for parameter in network.parameters())
    network.sizes.clear()
    found = run_pgd(network, x, labels, norm="l2", radius=0.1, n_steps=4, step_size=0.03, keep="last", judge_last=False)
    assert network.sizes == [(3, True)] * 4
    judged = run_pgd(network, x, labels, norm="l2", radius=0.1, n_steps=4, step_size=0.03, keep="last")
    assert torch.equal(found.x, judged.x)
    assert found.loss.isnan().all()


def test_stimuli_that_are_broken_leave_where_success_counts() -> None:
    network, (_, x, labels) = Counting(), make_problem()
    labels = labels.clone()
    labels[2] = (labels[2] + 1) % 6  # wrong as it is
    arguments = {"norm": "l2", "radius": 0.2, "n_steps": 10, "step_size": 0.05, "low": 0.0, "high": 1.0}
    found = run_pgd(network, x, labels, keep="success", **arguments)  # type: ignore[arg-type]
    sizes = [n for n, _ in network.sizes]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 16
    assert sizes[-1] < 12
    assert sum(sizes) == found.n_passes.sum()
    assert torch.equal(found.x[2], x[2])
    assert found.n_passes[2] == 1
    best = run_pgd(network, x, labels, **arguments)  # type: ignore[arg-type]
    assert found.is_wrong.tolist() == best.is_wrong.tolist()
    right = ~found.is_wrong
    torch.testing.assert_close(found.loss[right], best.loss[right])


def test_restarts_keep_what_broke_a_stimulus_and_attack_the_rest() -> None:
    network, (_, x, labels) = Counting(), make_problem()
    arguments = {"norm": "linf", "radius": 0.02, "n_steps": 2, "step_size": 0.01, "random_start": True}
    one = run_pgd(network, x, labels, **arguments)  # type: ignore[arg-type]
    network.sizes.clear()
    three = run_pgd(network, x, labels, n_restarts=3, **arguments)  # type: ignore[arg-type]
    assert [n for n, _ in network.sizes[:3]] == [16] * 3
    assert network.sizes[3][0] == int((~one.is_wrong).sum())
    assert (three.is_wrong | ~one.is_wrong).all()
    assert torch.equal(three.x[one.is_wrong], one.x[one.is_wrong])
    right = ~three.is_wrong
    assert (three.loss[right] >= one.loss[right]).all()
    assert (three.loss[right] > one.loss[right]).any()
    assert three.n_passes.max() == 9


def test_targets_are_reached_or_approached() -> None:
    network, x, labels = make_problem(6)
    targets = (labels + 2) % 6
    found = run_pgd(
        network, x, labels, norm="l2", radius=2.0, n_steps=30, step_size=0.3, targets=targets, keep="success", low=0.0,
        high=1.0,
    )  # fmt: skip
    assert (found.logits.argmax(1) == targets).sum() >= 5
    torch.testing.assert_close(found.loss, -functional.cross_entropy(network(found.x), targets, reduction="none"))


def test_draws_of_a_noisy_network_are_averaged() -> None:
    """A gradient of noise alone would lead anywhere; the mean of many draws leads up."""
    generator = torch.Generator().manual_seed(5)

    def noisy(x: Tensor) -> Tensor:
        return (x + 2 * torch.randn(x.shape, generator=generator)).flatten(1).square() @ (0.02 * WEIGHTS)

    x, labels = make_linear()
    plain = [0.0, 0.0]
    for i, n_draws in enumerate((1, 300)):
        found = run_pgd(noisy, x, labels, norm="l2", radius=0.5, n_steps=1, step_size=0.5, keep="last", n_draws=n_draws)
        step, best = (found.x - x).flatten(1), x.flatten(1)
        logits = (best.square() + 4) @ (0.02 * WEIGHTS)
        onehot = functional.one_hot(labels, 3).float()
        ascent = 2 * best * ((logits.softmax(1) - onehot) @ WEIGHTS.T)
        plain[i] = functional.cosine_similarity(step, ascent).mean().item()
        assert found.n_passes.tolist() == [2 * n_draws] * 5
    assert plain[1] > plain[0] + 0.05


def test_each_stimulus_has_its_own_numbers_with_a_generator_of_its_own() -> None:
    network, x, labels = make_problem(4)

    def attack(rows: list[int]) -> Tensor:
        generators = [torch.Generator().manual_seed(i) for i in rows]
        return run_pgd(
            network, x[rows], labels[rows], norm="l2", radius=0.1, n_steps=2, step_size=0.05, random_start=True,
            generator=generators,
        ).x  # fmt: skip

    torch.testing.assert_close(attack([0, 1, 2, 3])[[3, 1]], attack([3, 1]))
    with pytest.raises(InputError, match="one generator, or 4"):
        draw_noise(x, norm="l2", radius=1.0, generator=[torch.Generator()])


def test_flat_gradients_are_counted() -> None:
    x, labels = make_linear(2)
    found = run_pgd(
        lambda x: predict(x * torch.tensor([0.0, 1.0])[:, None, None]), x, labels, norm="linf", radius=0.1, n_steps=3,
        step_size=0.1,
    )  # fmt: skip
    assert found.n_flat.tolist() == [3, 0]


def test_networks_that_cannot_be_attacked_are_refused() -> None:
    x, labels = make_linear(2)
    arguments = {"norm": "l2", "radius": 0.1, "n_steps": 2, "step_size": 0.1}
    with pytest.raises(InputError, match="lets no gradient pass"):
        run_pgd(lambda x: predict(x.detach()), x, labels, **arguments)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="NaN for 2 of 2"):
        run_pgd(lambda x: predict(x / 0 * 0), x, labels, **arguments)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="logits, \\(2, n_classes\\)"):
        run_pgd(lambda x: x, x, labels, **arguments)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="labels: 2 positions"):
        run_pgd(predict, x, labels.float(), **arguments)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="all be the same"):
        run_pgd(predict, x, labels, n_restarts=2, **arguments)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="best, last, success; got 'first'"):
        run_pgd(predict, x, labels, keep="first", **arguments)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="4 classes or more for the targeted loss dlr; got 3"):
        run_pgd(predict, x, labels, targets=labels, loss="dlr", **arguments)  # type: ignore[arg-type]


def test_nan_on_the_way_is_refused_though_the_start_is_sound() -> None:
    x, labels = make_linear(2)

    def spoil(z: Tensor) -> Tensor:
        return predict(z) * (torch.nan if (z != x).any() else 1.0)

    def spoil_gradient(z: Tensor) -> Tensor:
        return predict(z) + 0 * (z - x).flatten(1).square().sum(1, keepdim=True).sqrt()  # 0 / 0 at x

    for network, what in ((spoil, "answers"), (spoil_gradient, "gradients")):
        with pytest.raises(InputError, match=f"whose {what} are numbers wherever the attack leads; got NaN for 2 of 2"):
            run_pgd(network, x, labels, norm="linf", radius=0.1, n_steps=2, step_size=0.1)


def test_settings_are_the_attack_that_they_name() -> None:
    network, x, labels = make_problem(4)
    radius = torch.full((4,), 0.1)
    found = run_attack(ATTACK_PRESETS["published"], network, x, labels, norm="l2", radius=radius, low=0.0, high=1.0)
    own = run_pgd(network, x, labels, norm="l2", radius=0.1, n_steps=64, step_size=0.025, low=0.0, high=1.0)
    torch.testing.assert_close(found.x, own.x)
    noisy = run_attack(ATTACK_PRESETS["random"], network, x, labels, norm="linf", radius=0.1)
    torch.testing.assert_close((noisy.x - x).abs(), torch.full_like(x, 0.1))
    torch.testing.assert_close(noisy.logits, judge(network, noisy.x, labels).logits)
    assert noisy.n_passes.tolist() == [1] * 4
    auto = run_attack(AttackSettings("apgd-t", n_steps=5), network, x, labels, norm="l2", radius=0.1)
    assert auto.n_passes[~auto.is_wrong].tolist() == [1 + 5 * 6] * int((~auto.is_wrong).sum())
    assert AttackSettings("apgd-ce").count_restarts("l1") == 5
    assert AttackSettings("apgd-t").count_targets("l1") == 5
    with pytest.raises(InputError, match="an attack: pgd, apgd-ce, apgd-t, random; got 'fgsm'"):
        AttackSettings("fgsm")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no targets with APGD"):
        run_attack(AttackSettings("apgd-t"), network, x, labels, norm="l2", radius=0.1, targets=labels)
