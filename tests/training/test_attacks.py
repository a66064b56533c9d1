"""Training under attack and in noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import beholder as bh
from beholder._core.errors import InputError
from beholder.models import Cochleagram, Model, SoundPreprocessing, copy_trainee, read_card
from beholder.synthesis import measure_norms, open_attack_space, run_pgd
from beholder.training import ArrayData, resolve_settings, train
from beholder.training._learner import Learner
from beholder.training._space import LearningSpace, make_perturb, open_learning_space

X = torch.rand(64, 3, 8, 8, generator=torch.Generator().manual_seed(1))
Y = torch.arange(64) % 2
X[Y == 1, 0] *= 0.5
PARTS = ArrayData(X, Y, ("a", "b")).split(0.25, seed=1)


def make_model() -> Model:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(3, 6, 3, 2), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1),
            nn.Flatten(), nn.Linear(6, 2),
        )  # fmt: skip
    return bh.wrap(net, input_shape=(3, 8, 8), input_range=(0.0, 1.0), normalize=lambda x: 2 * x - 1)


@pytest.mark.parametrize(("norm", "eps"), [("l2", 0.5), ("linf", 8 / 255)])
def test_the_attack_is_that_of_the_evaluation(norm: str, eps: float) -> None:
    """The same stimuli to the last bit as those of :func:`run_pgd` on a copy, in the middle of training."""
    learning = copy_trainee(make_model())
    learning.module(X[:16])  # running statistics that are no longer those of the start
    settings = resolve_settings("adversarial", changes={"norm": norm, "eps": eps})
    perturb = make_perturb(LearningSpace(learning), settings, 4)
    assert perturb is not None
    before = {name: value.clone() for name, value in learning.module.state_dict().items()}
    found = perturb(X[:16], Y[:16], 3)
    space = open_attack_space(learning)
    expected = run_pgd(
        space.predict, space.enter(X[:16]), Y[:16], norm=norm, radius=eps, n_steps=4, step_size=eps * 2 / 3,
        low=space.low, high=space.high,
    )  # fmt: skip
    assert torch.equal(found, expected.x)
    assert not torch.equal(found, X[:16])
    assert all(torch.equal(value, before[name]) for name, value in learning.module.state_dict().items())
    assert all(part.training for part in learning.module.modules())
    assert all(p.requires_grad and p.grad is None for p in learning.module.parameters())


def test_mixed_stimuli_are_attacked_by_their_larger_class_and_learnt_by_both() -> None:
    """As MixUp and CutMix give them: labels are shares."""
    shares = torch.tensor([[0.7, 0.3], [0.2, 0.8], [0.9, 0.1], [0.4, 0.6]])
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    learning = copy_trainee(bh.wrap(net, input_shape=(3, 8, 8), input_range=(0.0, 1.0)))
    settings = resolve_settings("adversarial", changes={"eps": 0.5, "label_smoothing": 0.1, "seed": 1})
    perturb = make_perturb(LearningSpace(learning), settings, 3)
    assert perturb is not None
    seen: list[Tensor] = []

    def keep(x: Tensor, labels: Tensor, seed: int) -> Tensor:
        seen.append(perturb(x, labels, seed))
        return seen[-1]

    attacked = perturb(X[:4], shares.argmax(1), 3)
    assert torch.equal(perturb(X[:4], shares, 3), attacked)
    assert not torch.equal(perturb(X[:4], 1 - shares, 3), attacked)
    tally = Learner(learning, settings, 1, perturb=keep).learn(X[:4], shares)
    with torch.no_grad():
        logits = net(seen[0])
    expected = -((0.9 * shares + 0.1 / 2) * logits.log_softmax(1)).sum()
    assert tally.read().loss == pytest.approx(float(expected), rel=1e-5)
    assert tally.read().n_right == int((logits.argmax(1) == shares.argmax(1)).sum())


@pytest.mark.parametrize(("norm", "eps"), [("l2", 0.3), ("linf", 0.02)])
def test_noise_lies_on_the_sphere_or_at_the_corners(norm: str, eps: float) -> None:
    settings = resolve_settings("random-noise", changes={"norm": norm, "eps": eps})
    perturb = make_perturb(LearningSpace(make_model()), settings, 0)
    assert perturb is not None
    grey = torch.full((4, 3, 8, 8), 0.5)
    first, again, other = (perturb(grey, Y[:4], seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    torch.testing.assert_close(
        measure_norms(first - grey, norm), torch.full((4,), eps, dtype=torch.float64), rtol=1e-5, atol=0
    )
    if norm == "linf":
        torch.testing.assert_close((first - grey).abs(), torch.full_like(grey, eps))


@pytest.mark.parametrize("preset", ["adversarial", "random-noise"])
def test_best_is_chosen_by_accuracy_under_attack(tmp_path: Path, preset: str) -> None:
    settings: dict[str, Any] = {
        "eps": 1.0, "epochs": 3, "batch_size": 16, "learning_rate": 0.05, "eval_stimuli": 12,
        **({"eval_steps": 3} if preset == "adversarial" else {}),
    }  # fmt: skip
    result = train(make_model(), PARTS, preset=preset, out_path=tmp_path / "run", **settings)
    attacked = [row["attacked_accuracy"] for row in result.history]
    assert result.best["attacked_accuracy"] == max(attacked)
    assert result.history[0]["n_attacked"] == 12
    assert result.history[0]["n"] == 16
    card = read_card(result.checkpoint)
    kind = "pgd" if preset == "adversarial" else "random"
    (hit,) = [each for each in card.accuracies if each["attack"] == kind]
    assert (hit["norm"], hit["eps"], hit["n"]) == ("l2", 1.0, 12)
    assert any("eval mode" in note for note in card.notes) == (preset == "adversarial")
    again = train(make_model(), PARTS, preset=preset, out_path=tmp_path / "again", **settings)
    assert (tmp_path / "run/checkpoints/last.safetensors").read_bytes() == (
        tmp_path / "again/checkpoints/last.safetensors"
    ).read_bytes()
    assert again.history[-1]["attacked_accuracy"] == result.history[-1]["attacked_accuracy"]


def test_training_under_attack_withstands_attacks_better(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"epochs": 15, "batch_size": 16, "learning_rate": 0.05}
    accuracies = {}
    for preset, eps in (("standard", None), ("adversarial", 1.5)):
        result = train(make_model(), PARTS, preset=preset, eps=eps, out_path=tmp_path / preset, **settings)
        space = open_attack_space(result.model)
        hit = run_pgd(space.predict, X, Y, norm="l2", radius=1.5, n_steps=10, step_size=0.4, low=0.0, high=1.0)
        accuracies[preset] = 1 - float(hit.is_wrong.float().mean())
    assert accuracies["adversarial"] > accuracies["standard"] + 0.1, accuracies


class Listener(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cochleagram = Cochleagram(800, 8000, n_filters=6, low=100.0, high=3000.0, envelope_rate=100, n_taps=65)
        self.net = nn.Sequential(nn.Flatten(), nn.LazyLinear(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(self.cochleagram(x))


def test_cochleagrams_are_perturbed_behind_the_front_end(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = Listener()
    sounds = 0.1 * torch.randn(24, 800)
    net(sounds)
    model = bh.wrap(net, SoundPreprocessing(rate=8000, duration=0.1))
    learning = copy_trainee(model)
    space = open_learning_space(learning, "cochleagram")
    y = space.enter(sounds[:4])
    assert y.shape[1:] == net.cochleagram(sounds[:1]).shape[1:]
    torch.testing.assert_close(space.compute_logits(y), learning.run(sounds[:4]))
    assert isinstance(learning.module.cochleagram, Cochleagram)
    settings = resolve_settings("adversarial", "sound", {"eps": 0.5, "space": "cochleagram"})
    assert (settings.attack_steps, settings.attack_step_size, settings.random_start) == (5, 0.25, True)
    perturb = make_perturb(space, settings, 5)
    assert perturb is not None
    hit = perturb(y, Y[:4], 1)
    assert float(measure_norms(hit - y, "l2").max()) == pytest.approx(0.5, rel=1e-4)
    labels = torch.arange(24) % 2
    result = train(
        model, ArrayData(sounds, labels, ("a", "b")), preset="adversarial", space="cochleagram", eps=0.5, epochs=1,
        batch_size=8, out_path=tmp_path / "run",
    )  # fmt: skip
    assert result.model(sounds[:3]).shape == (3, 2)
    with pytest.raises(InputError, match="a space of"):
        open_learning_space(copy_trainee(make_model()), "cochleagram")
