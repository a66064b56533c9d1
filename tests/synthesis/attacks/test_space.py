"""Where attacks work."""

from __future__ import annotations

import pytest
import torch
from tests.synthesis.attacks.networks import make_network, make_problem
from torch import Tensor, nn

import beholder as bh
from beholder import InputError
from beholder.models import SoundPreprocessing
from beholder.synthesis import hold_still, list_attack_spaces, open_attack_space, run_pgd


def test_prepared_pictures() -> None:
    module = nn.Sequential(make_network(), nn.Dropout()).train().requires_grad_(True)
    net = bh.wrap(module, normalize=lambda x: (x - 0.5) / 0.2, input_range=(0, 1))
    space = open_attack_space(net)
    x = make_problem(2)[1]
    assert (space.name, space.low, space.high) == ("prepared", 0, 1)
    assert torch.equal(space.predict(space.enter(x)), net(x))
    found = run_pgd(space.predict, x, net(x).argmax(1), norm="l2", radius=0.1, n_steps=2, step_size=0.1)
    assert found.n_flat.tolist() == [0, 0]
    assert all(part.training for part in module.modules())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in module.parameters())
    assert list_attack_spaces(net) == ["prepared"]
    with pytest.raises(InputError, match="a space for attacks on Sequential: prepared; got 'cochleagram'"):
        open_attack_space(net, "cochleagram")


def test_the_cochleagram_of_a_network_that_makes_it_itself() -> None:
    net = bh.load_model("beholder:syllables")
    space = open_attack_space(net, "cochleagram")
    sounds = 0.1 * torch.randn(2, 16_000, generator=torch.Generator().manual_seed(0))
    cochleagrams = space.enter(sounds)
    assert cochleagrams.shape == (2, 65, 94)
    assert (space.low, space.high) == (None, None)
    torch.testing.assert_close(space.predict(cochleagrams), net(sounds))
    labels = net(sounds).argmax(1)
    found = run_pgd(space.predict, cochleagrams, labels, norm="l2", radius=1.0, n_steps=3, step_size=0.5)
    assert (found.loss > torch.nn.functional.cross_entropy(net(sounds), labels, reduction="none")).all()
    assert list_attack_spaces(net) == ["prepared", "waveform", "cochleagram"]
    assert open_attack_space(net, "waveform").low == -1


def test_the_cochleagram_of_the_preprocessing() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(211 * 390, 3))
    net = bh.wrap(module, SoundPreprocessing(rate=20_000, duration=2.0, front_end="cochleagram"))
    space = open_attack_space(net, "cochleagram")
    sounds = 0.1 * torch.randn(1, 40_000, generator=torch.Generator().manual_seed(0))
    assert space.enter(sounds).shape == (1, 211, 390)
    torch.testing.assert_close(space.predict(space.enter(sounds)), net(sounds))


def test_a_front_end_that_is_not_the_first_is_refused() -> None:
    class Louder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.front_end = bh.models.Cochleagram(2000, 20_000, n_filters=4, n_taps=101, envelope_rate=200)
            self.head = nn.LazyLinear(3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.front_end(2 * x).flatten(1))

    module = Louder()
    module(torch.zeros(1, 2000))
    net = bh.wrap(module, SoundPreprocessing(rate=20_000, duration=0.1))
    with pytest.raises(InputError, match="module front_end is the first"):
        open_attack_space(net, "cochleagram")


def test_a_module_holds_still_and_goes_on_as_it_was() -> None:
    module = nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), nn.Dropout()).train()
    module[2].eval()
    module[0].bias.requires_grad_(False)  # type: ignore[union-attr]
    means = module[1].running_mean.clone()  # type: ignore[union-attr, operator]
    with pytest.raises(RuntimeError, match="stop"), hold_still(module):
        assert not any(part.training for part in module.modules())
        assert not any(parameter.requires_grad for parameter in module.parameters())
        module(torch.rand(4, 3, 5, 5))
        raise RuntimeError("stop")
    assert [part.training for part in module.modules()] == [True, True, True, False]
    assert [parameter.requires_grad for parameter in module.parameters()] == [True, False, True, True]
    assert torch.equal(module[1].running_mean, means)  # type: ignore[arg-type]
