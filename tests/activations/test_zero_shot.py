"""Zero-shot logits in a store: the layer ``zero_shot`` of a two-tower network, and other class names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from beholder._core.errors import ConfigurationChanged
from beholder.activations import extract
from beholder.models import ImagePreprocessing, Model, Weights, make_zero_shot
from beholder.models.sources._open_clip import encode_image
from beholder.stimuli import StimulusSet


@pytest.fixture
def model() -> Model:
    import open_clip

    torch.manual_seed(0)
    vision: Any = {"image_size": 32, "head_width": 16, "layers": 1, "width": 32, "patch_size": 16}
    text: Any = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
    network = open_clip.CLIP(embed_dim=16, vision_cfg=vision, text_cfg=text).eval()
    return Model(
        "open_clip:tiny@random", "tiny", network, ImagePreprocessing(resize=32, crop=(32, 32)), Weights("random"),
        forward=encode_image,
    )  # fmt: skip


@pytest.fixture
def stimuli() -> StimulusSet:
    return StimulusSet.from_arrays(np.random.default_rng(0).integers(0, 255, (5, 32, 32, 3), dtype=np.uint8))


def name_classes(model: Model, *names: str) -> Model:
    classifier = make_zero_shot(model, names, ["a {}"])
    return replace(classifier, taps={"zero_shot": "output"})


@pytest.mark.parametrize("workers", [1, 2])
def test_logits_are_stored_beside_layers(model: Model, stimuli: StimulusSet, tmp_path: Path, workers: int) -> None:
    classifier = name_classes(model, "star", "spiral", "dog")
    options: Any = {"batch_size": 2, "workers": workers}
    acts = extract(classifier, stimuli, ["visual", "zero_shot"], out_path=tmp_path, **options)
    batch = torch.from_numpy(np.stack([model.prepare(stimuli.source(i)) for i in range(5)]))
    with torch.no_grad():
        expected = classifier(batch).numpy()
    np.testing.assert_allclose(acts["zero_shot"].to_numpy(), expected, atol=1e-4)
    assert acts["visual"].shape == (5, 16)


def test_other_class_names_are_another_configuration(model: Model, stimuli: StimulusSet, tmp_path: Path) -> None:
    extract(model, stimuli, ["visual"], out_path=tmp_path)
    first = extract(name_classes(model, "star", "dog"), stimuli, ["zero_shot"], out_path=tmp_path)
    assert first.layers == ["visual", "zero_shot"], "adding class names to a store is no change"
    extract(name_classes(model, "star", "dog"), stimuli, ["zero_shot"], out_path=tmp_path)
    with pytest.raises(ConfigurationChanged, match="the class names that 'zero_shot'"):
        extract(name_classes(model, "star", "cat"), stimuli, ["zero_shot"], out_path=tmp_path)
    with pytest.raises(ConfigurationChanged, match="without 'zero_shot'; try the same labels"):
        extract(model, stimuli, ["visual.conv1"], out_path=tmp_path)
