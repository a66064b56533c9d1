"""The diversity term whose strength follows each image's activation, and the recipe that is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import beholder as bh
from beholder.activations import Activations
from beholder.models import Unit
from beholder.synthesis import Channel, Visualizations, optimize_units
from beholder.synthesis.gradients._view import Captured, View
from beholder.synthesis.objectives._diversity import UnitDiversity, compute_likenesses
from beholder.synthesis.objectives._steered import SteeredDiversity, compute_likeness_to_others
from beholder.synthesis.visualizations._group import count_most_steps
from beholder.synthesis.visualizations._plan import VisualizationOptions

from .nets import make_model
from .test_optimize_units import UNITS, record

OPTIONS: dict[str, Any] = {"n_images": 6, "steps": 24, "threads": 1}


def make_view(values: Tensor, step: int = 0) -> View:
    axes = {"x": ("channel", "height", "width")}
    return Captured(values, [len(values)], {"x": values}, axes, {}, {}, {}, step=step).views()[0]


@pytest.mark.parametrize("shape", [(4, 6, 2, 2), (3, 40, 2, 3)])
def test_likeness_to_others_moves_each_image_by_itself(shape: tuple[int, ...]) -> None:
    """Its values are those of the fixed term; the gradient of one image's is its own, half of what the sum gives."""
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    mine = compute_likeness_to_others(values.flatten(2))
    other = UnitDiversity("x", 1).score(make_view(values))
    torch.testing.assert_close(mine, other)
    (expected,) = torch.autograd.grad(other.sum(), values)
    (alone,) = torch.autograd.grad(mine[1], values, retain_graph=True)
    torch.testing.assert_close(alone[1], expected[1] / 2)
    assert not alone[[0, 2]].any()


def steer(gain: float = 3.0, sign: int = 1) -> SteeredDiversity:
    wanted = sign * Channel("x", 1)
    return SteeredDiversity(wanted, "x", 1, sign, needed=(0.0, 1.0), usual=(0.0, 3.0), gain=gain, ramp=0.5)


@pytest.mark.parametrize("sign", [1, -1])
def test_strength_follows_the_slack_of_each_image(sign: int) -> None:
    values = torch.randn((4, 6, 3, 3), generator=torch.Generator().manual_seed(1))
    levels = torch.tensor([0.5, 1.0, 1.5, 9.0])  # below what is needed, at it, a quarter up, beyond
    values[:, 1] += (sign * levels - values[:, 1].mean((1, 2)))[:, None, None]
    values.requires_grad_()
    objective, wanted = steer(sign=sign), sign * Channel("x", 1)
    (grad,) = torch.autograd.grad(objective.score(make_view(values, step=7)).sum(), values)
    (pull,) = torch.autograd.grad(wanted.score(make_view(values)).sum(), values)
    (push,) = torch.autograd.grad(compute_likeness_to_others(values.flatten(2)).sum(), values)
    slack, share = torch.tensor([0.0, 0.0, 0.25, 1.0]), torch.tensor([0.0, 0.0, 0.5, 1.0])
    lengths = [each.flatten(1).norm(dim=1).mean() for each in (pull, push)]
    strength = 3.0 * slack.mean() * share * lengths[0] / lengths[1]
    torch.testing.assert_close(pull - grad, strength[:, None, None, None] * push, atol=1e-6, rtol=1e-4)
    first = objective.score(make_view(values, step=0))  # nothing is needed and nothing usual yet
    torch.testing.assert_close(first, wanted.score(make_view(values)))


def test_all_alike_or_silent_is_finite() -> None:
    for values in (torch.zeros(3, 4, 2, 2), torch.ones(3, 4, 2, 2)):
        values.requires_grad_()
        (grad,) = torch.autograd.grad(steer().score(make_view(values, step=1)).sum(), values)
        assert bool(torch.isfinite(grad).all())


@pytest.fixture(scope="module")
def acts(tmp_path_factory: pytest.TempPathFactory) -> Activations:
    return record(make_model(), tmp_path_factory.mktemp("recorded"), ["conv1", "late", "relu"])


@pytest.fixture(scope="module")
def made(acts: Activations, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Visualizations]:
    out = tmp_path_factory.mktemp("made")
    given = {"steered": {}, "searched": {"recipe": "searched"}, "plain": {"diversity": 0.0}}
    return {
        name: optimize_units(make_model(), UNITS, activations=acts, out_path=out / name, **OPTIONS, **more)
        for name, more in given.items()
    }


def measure_likeness(vis: Visualizations, i: int, k: int) -> float:
    values = bh.capture(make_model(), vis.images[i, k], [vis.units[i].layer])[1][vis.units[i].layer]
    found = compute_likenesses(values.flatten(2)).numpy()
    return float(found[~np.eye(len(found), dtype=bool)].mean())


def test_every_image_beats_the_natural_ones_and_they_differ(made: dict[str, Visualizations]) -> None:
    likeness: dict[str, list[float]] = {name: [] for name in made}
    for place, row in enumerate(made["steered"].table):
        i, k = divmod(place, 2)
        if row["weakest_beats"] != "yes":
            assert row["diversity"] == 0
            continue
        assert row["diversity"] is None and "diversity" not in row["note"]
        turn = 1 if row["sign"] == "max" else -1
        assert (turn * made["steered"].activations[i, k] > turn * row["natural_best"]).all()
        strongest = made["steered"].activations[i, k].tolist()
        assert made["plain"].activations[i, k, -1] in strongest
        for name, vis in made.items():
            likeness[name].append(measure_likeness(vis, i, k))
    assert len(likeness["steered"]) >= 5
    assert np.mean(likeness["steered"]) < np.mean(likeness["plain"]) - 0.1
    assert np.mean(likeness["steered"]) < np.mean(likeness["searched"]) + 0.02


def test_at_most_twice_the_steps_of_the_pictures_alone() -> None:
    for n_images in (1, 2, 3, 10):
        plain = count_most_steps(3, VisualizationOptions(n_images=n_images, diversity=0.0))
        assert plain == 3 * 2 * n_images * 64
        assert count_most_steps(3, VisualizationOptions(n_images=n_images, recipe="steered")) <= 2 * plain
        searched = count_most_steps(3, VisualizationOptions(n_images=n_images, recipe="searched", max_loops=2))
        assert searched >= (6 * plain if n_images > 1 else plain)


def test_images_that_fall_short_give_way_to_plain_ones(
    acts: Activations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However strong the term is: the weakest image beats the natural ones wherever it does without the term."""
    from beholder.synthesis.objectives import _steered

    monkeypatch.setattr(
        _steered.SteeredDiversity, "_find_slack", lambda _self, view: 1e3 * torch.ones(len(view.images))
    )
    vis = optimize_units(make_model(), UNITS, activations=acts, out_path=tmp_path, **OPTIONS)
    rows = [row for row in vis.table if row["weakest_beats"] == "yes"]
    assert rows
    for row in rows:
        turn = 1 if row["sign"] == "max" else -1
        assert turn * row["activation_weakest"] > turn * row["natural_best"]


def test_folders_keep_the_recipe_that_they_were_begun_with(
    acts: Activations, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def make(out: str, units: list[Unit], **more: Any) -> Visualizations:
        options = {"n_images": 2, "steps": 2, "threads": 1, "activations": acts, "out_path": tmp_path / out}
        return optimize_units(make_model(), units, **options, **more)

    make("old", UNITS[:1], max_loops=1)
    make("named", UNITS[:1], recipe="searched", max_loops=1)
    with caplog.at_level("INFO", logger="beholder"):
        make("old", UNITS[:2])
    assert "was begun with the recipe searched, which it keeps" in caplog.text
    make("named", UNITS[:2], recipe="searched", max_loops=1)
    for name in ("optimized_units.csv", "late/channel_3/optimized_images/manifest.csv"):
        assert (tmp_path / "old/SmallNet" / name).read_bytes() == (tmp_path / "named/SmallNet" / name).read_bytes()
    with pytest.raises(bh.InputError, match="diversity was 'search', now 'steered'"):
        make("old", UNITS[:1], recipe="steered")
    make("new", UNITS[:1])
    with pytest.raises(bh.InputError, match="diversity was 'steered', now 'search'"):
        make("new", UNITS[:1], max_loops=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recipe": "steer"}, "'steer'; try 'steered'"),
        ({"recipe": "steered", "max_loops": 3}, "expected max_loops with recipe"),
        ({"recipe": "searched", "diversity": 1.0}, "got both"),
    ],
)
def test_recipes_that_do_not_go_together_are_refused(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(bh.InputError, match=message):
        optimize_units(make_model(), UNITS[:1], activations=None, out_path=tmp_path, **options)
    assert not list(tmp_path.iterdir())
