"""Objectives against their definitions in numpy, and the operators that compose them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import beholder as bh
from beholder import InputError
from beholder.synthesis import (
    Channel,
    Difference,
    Direction,
    Diversity,
    FromFunction,
    Layer,
    Logit,
    MatchTarget,
    Neuron,
    Objective,
    Problem,
    TotalVariation,
    score_images,
    synthesize,
)

from .nets import make_model

MODEL = make_model()
IMAGES = np.random.default_rng(0).random((3, 3, 16, 16)).astype(np.float32)
LOGITS, _LAYERS = bh.capture(MODEL, IMAGES, ["conv1", "conv2", "relu"])
ACTS = {name: values.numpy().astype(np.float64) for name, values in _LAYERS.items()}
VECTOR = np.arange(6) - 2.0


def cosine(values: np.ndarray, vector: np.ndarray) -> np.ndarray:
    dot = np.einsum("nchw,c->nhw", values, vector)
    return dot / np.linalg.norm(values, axis=1) / np.linalg.norm(vector)


def stretched(values: np.ndarray, vector: np.ndarray) -> np.ndarray:
    dot = np.einsum("nchw,c->nhw", values, vector) / np.linalg.norm(vector)
    return dot * np.maximum(cosine(values, vector), 0.1) ** 2


def difference(values: np.ndarray) -> np.ndarray:
    d = (values[1] - values[2]).ravel()
    change = (values - values[2]).reshape(3, -1)
    dot = change @ d / np.linalg.norm(d)
    cos = dot / np.maximum(np.linalg.norm(change, axis=1), 1e-12)
    return dot * np.maximum(cos, 0.1)


def match(values: np.ndarray) -> np.ndarray:
    return -np.linalg.norm((values - values[1]).reshape(3, -1), axis=1) / np.linalg.norm(values[1])


CASES: dict[str, tuple[Objective, Callable[[], np.ndarray]]] = {
    "channel": (Channel("conv1", 2), lambda: ACTS["conv1"][:, 2].mean((1, 2))),
    "channel before an in-place ReLU": (
        Channel("conv1", 2) + Channel("relu", 2),
        lambda: (ACTS["conv1"][:, 2] + ACTS["relu"][:, 2]).mean((1, 2)),
    ),
    "neuron in the middle": (Neuron("conv2", 1), lambda: ACTS["conv2"][:, 1, 8, 8]),
    "neuron": (Neuron("conv2", 1, (3, 15)), lambda: ACTS["conv2"][:, 1, 3, 15]),
    "direction": (Direction("conv2", VECTOR), lambda: cosine(ACTS["conv2"], VECTOR).mean((1, 2))),
    "direction with length": (
        Direction("conv2", VECTOR, power=2),
        lambda: stretched(ACTS["conv2"], VECTOR).mean((1, 2)),
    ),
    "layer": (Layer("conv2"), lambda: (ACTS["conv2"] ** 2).mean((1, 2, 3))),
    "layer mean": (Layer("conv2", "mean"), lambda: ACTS["conv2"].mean((1, 2, 3))),
    "logit": (Logit(3), lambda: LOGITS.numpy()[:, 3]),
    "difference": (Difference("conv2", ACTS["conv2"][1], ACTS["conv2"][2]), lambda: difference(ACTS["conv2"])),
    "match": (MatchTarget("conv2", ACTS["conv2"][1]), lambda: match(ACTS["conv2"])),
    "match squared": (MatchTarget("conv2", ACTS["conv2"][1], squared=True), lambda: -(match(ACTS["conv2"]) ** 2)),
    "variation": (TotalVariation(), lambda: sum((np.diff(IMAGES, axis=a) ** 2).mean((1, 2, 3)) for a in (2, 3))),  # pyright: ignore[reportAssignmentType]
    "function": (
        FromFunction(lambda view: view.layer("conv1").amax((1, 2, 3)), ("conv1",)),
        lambda: ACTS["conv1"].max((1, 2, 3)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_scores(name: str) -> None:
    objective, expected = CASES[name]
    np.testing.assert_allclose(score_images(MODEL, objective, IMAGES), expected(), rtol=2e-5, atol=1e-6)


def test_diversity_is_the_published_term() -> None:
    values = ACTS["conv2"].reshape(3, 6, -1)
    grams = [v @ v.T / np.linalg.norm(v @ v.T) for v in values]
    pairs = sum((grams[i] * grams[j]).sum() for i in range(3) for j in range(3) if i != j)
    found = synthesize(MODEL, Problem(Diversity("conv2"), n_images=3, start=IMAGES), steps=1, transforms=())
    assert float(-found.losses[:, 0].mean()) == pytest.approx(pairs / 3, rel=1e-3)


def test_diversity_makes_images_differ() -> None:
    alike = synthesize(MODEL, Problem(Channel("conv2", 1), n_images=3), steps=30)
    apart = synthesize(MODEL, Problem(Channel("conv2", 1) - 10 * Diversity("conv2"), n_images=3), steps=30)

    def measure(images: np.ndarray) -> float:
        term = synthesize(MODEL, Problem(Diversity("conv2"), n_images=3, start=images), steps=1, transforms=())
        return float(term.losses.mean())

    assert measure(apart.images) > measure(alike.images)


def test_operators_compose_and_change_nothing() -> None:
    a, b = Channel("conv1", 0), Neuron("conv2", 3)
    total = a + b
    before = total.terms
    combined = 2 * (total - a / 4) * 3 - b + 1
    assert total.terms == before
    scores = {key: score_images(MODEL, value, IMAGES) for key, value in {"a": a, "b": b}.items()}
    expected = 6 * (scores["a"] + scores["b"] - scores["a"] / 4) - scores["b"] + 1
    np.testing.assert_allclose(score_images(MODEL, combined, IMAGES), expected, rtol=1e-5)
    np.testing.assert_allclose(score_images(MODEL, 1 - (-a), IMAGES), 1 + scores["a"], rtol=1e-5)
    np.testing.assert_allclose(score_images(MODEL, 2 * a + 3 * b, IMAGES), 2 * scores["a"] + 3 * scores["b"], rtol=1e-5)
    assert combined.layers == ("conv1", "conv2")
    with pytest.raises(InputError, match="number"):
        _ = a * "b"  # type: ignore[operator]


def test_one_objective_each() -> None:
    scores = score_images(MODEL, [Channel("conv1", i) for i in range(3)], IMAGES)
    np.testing.assert_allclose(scores, [ACTS["conv1"][i, i].mean() for i in range(3)], rtol=1e-5)


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        (Channel("conv1", 6), "from 0 to 5"),
        (Channel("conv9", 0), "conv1"),
        (Neuron("conv1", 0, (99, 0)), "position"),
        (Direction("conv1", np.ones(4)), "6 numbers"),
        (MatchTarget("conv1", np.ones((6, 2, 2))), "shape"),
        (FromFunction(lambda view: view.layer("conv1").mean(), ("conv1",)), "1 scores"),
        (FromFunction(lambda view: view.layer("conv1"), ()), "conv1"),
        (FromFunction(lambda view: view.images.new_zeros(1), ()), "depend"),
    ],
)
def test_wrong_objectives(objective: Objective, words: str) -> None:
    with pytest.raises(InputError, match=words):
        synthesize(MODEL, objective, steps=2)


def test_targets_that_cannot_be_matched() -> None:
    with pytest.raises(InputError, match="all zero"):
        MatchTarget("conv1", np.zeros((6, 16, 16)))
    with pytest.raises(InputError, match="NaN"):
        MatchTarget("conv1", torch.full((6,), torch.nan))
    with pytest.raises(InputError, match="differs"):
        Difference("conv1", np.ones(3), np.ones(3))
