"""Own networks in everything that makes stimuli: any architecture, any habit, any number of threads."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import beholder as bh
from beholder.activations.similarity._match import compute_match
from beholder.models import Unit
from beholder.synthesis import (
    Channel,
    Raw,
    make_metamers,
    null_distribution,
    optimize_units,
    score_images,
    synthesize,
)
from student_networks import KEEPERS, LAYOUTS, TEN, FirstInPlace, WritesInput, make_network

Rows = dict[str, np.ndarray]


def run_alone(network: nn.Module, image: np.ndarray, layer: str) -> torch.Tensor:
    """A layer's values in a fresh network."""
    fresh, found = copy.deepcopy(network).eval(), []
    part = fresh if layer == "output" else fresh.get_submodule(layer)
    part.register_forward_hook(lambda *args: found.append(args[2].clone()))
    with torch.no_grad():
        fresh(torch.from_numpy(image.copy())[None])
    return found[-1][0]


@pytest.mark.parametrize("name", [*TEN, *LAYOUTS])
def test_every_command_takes_own_architectures(name: str, tmp_path: Path) -> None:
    kind, shape, layer = (TEN | LAYOUTS)[name]
    network = make_network(kind).train()
    state = {key: value.clone() for key, value in network.state_dict().items()}
    model = bh.wrap(network, input_shape=shape, input_range=(0.0, 1.0), name=name)
    stimuli = bh.StimulusSet.from_arrays(np.random.default_rng(0).random((3, *shape), dtype=np.float32), kind="array")
    made = synthesize(model, Channel(layer, 1), steps=2, parameterization=Raw(), redirect_steps=0)
    expected = run_alone(network, made.images[0], layer)
    axis = -1 if name == "vit" else 0
    np.testing.assert_allclose(made.scores[0], float(expected.select(axis, 1).mean()), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(score_images(model, Channel(layer, 1), made.images), made.scores, rtol=1e-3, atol=1e-5)
    metamers = make_metamers(model, stimuli, [layer], iterations=2, repeats=1, recipe="published", measured=[layer])
    assert len(metamers.to_pandas()) == 3
    null = null_distribution(model, stimuli, [layer], n_pairs=3)
    assert np.isfinite(null[layer]["db_snr"]).all()
    units = optimize_units(
        model, [Unit(layer, 1)], 1, steps=2, max_loops=0, activations=None, out_path=tmp_path / "units"
    )
    assert len(units.images[0, 0]) == 1
    assert network.training and all(p.requires_grad and p.grad is None for p in network.parameters())
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("name", KEEPERS)
def test_networks_that_keep_something_are_the_same_on_any_number_of_threads(name: str, tmp_path: Path) -> None:
    network = make_network(KEEPERS[name])
    model = bh.wrap(network, input_shape=(3, 16, 16), input_range=(0.0, 1.0), name=name)
    images = np.random.default_rng(1).random((8, 3, 16, 16), dtype=np.float32)

    def work(threads: int) -> Rows:
        found: Rows = {}
        settings: dict[str, Any] = {"threads": threads, "batch_size": 1}
        made = synthesize(model, [Channel("fc", i % 4) for i in range(8)], steps=4, **settings)
        found["synthesize"] = made.images
        metamers: Any = make_metamers(
            model, images, ["conv"], recipe="published", iterations=3, repeats=1, measured=["fc"], **settings
        )
        found["metamers"] = np.stack(metamers.stimuli)
        found["measures"] = metamers.to_pandas()["db_snr"].to_numpy()
        null = null_distribution(model, images, ["fc"], n_pairs=8, threads=threads)
        found["null"] = np.asarray(null["fc"]["db_snr"])
        vis = optimize_units(
            model, [Unit("fc", i) for i in range(4)], 1, steps=3, max_loops=0, activations=None, threads=threads,
            out_path=tmp_path / str(threads),
        )  # fmt: skip
        found["units"] = np.asarray(vis.images)
        return found

    one = work(1)
    for image, match in zip(one["metamers"], one["measures"][::2], strict=False):
        assert np.isfinite(match) and image.shape == (3, 16, 16)
    for threads in (2, 4):
        other = work(threads)
        for key, values in one.items():
            assert values.tobytes() == other[key].tobytes(), (key, threads)


def test_a_kept_state_does_not_reach_the_measures() -> None:
    network = make_network(KEEPERS["counter"])
    model = bh.wrap(network, input_shape=(3, 16, 16), input_range=(0.0, 1.0))
    images = np.random.default_rng(2).random((2, 3, 16, 16), dtype=np.float32)
    values = [run_alone(network, image, "fc").numpy() for image in images]
    found = np.asarray(null_distribution(model, images, ["fc"], n_pairs=1, shuffle=False)["fc"]["db_snr"])
    np.testing.assert_allclose(found, [compute_match(*values).db_snr], rtol=1e-5)


@pytest.mark.parametrize("kind", [WritesInput, FirstInPlace])
def test_networks_that_write_to_their_input(kind: type[nn.Module]) -> None:
    shape, layer = ((3, 2, 2) if kind is FirstInPlace else (3, 8, 8)), "fc"
    network = make_network(kind)
    model = bh.wrap(network, input_shape=shape, input_range=(-1.0, 1.0))
    start = np.random.default_rng(3).uniform(-1, 1, shape).astype(np.float32)
    before = start.copy()
    made = synthesize(model, Channel(layer, 0), steps=2, parameterization=Raw(), transforms=())
    score = score_images(model, Channel(layer, 0), start[None])
    assert score[0] == pytest.approx(float(run_alone(network, start, layer)[0]), rel=1e-5)
    assert np.array_equal(start, before) and np.isfinite(made.images).all()
