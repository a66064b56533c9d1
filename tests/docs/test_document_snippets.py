"""The Python snippets of the documents that Beholder follows, with its own imports and a small panel file.

Changed are the import lines (``beholder.activations`` for ``src.data.lazy_activations``) and nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

_RESNET = {"layer1.0.conv1": 200_704 // 64, "layer2.0.conv1": 96, "layer4.2.conv3": 48}
_VIT = {"blocks.5.attn": 32, "blocks.6.attn": 32}
_REPLICATES = 4

LAYOUT = """
import h5py
with h5py.File("model_activations_rotatedsemantic.h5") as f:
    print(f["ResNet50"].keys())                # image ids
    acts = f["ResNet50"]["object_01"]["layer1.0.conv1"][:]
    assert acts.shape[0] == 4
"""

BASIC = """
from beholder.activations import load_lazy_activations

# Load activations with lazy loading
acts = load_lazy_activations("model_activations_semantic.h5")

# Access like a regular nested dictionary - data loads only when accessed
resnet_layer1 = acts["ResNet50"]["object_01"]["layer1.0.conv1"]  # (n_replicates, features)
vit_layer = acts["ViT-B-16"]["object_02"]["blocks.5.attn"]

# Works with loops - memory efficient for large datasets
for img_id in acts["ResNet50"].keys():
    for layer_name in acts["ResNet50"][img_id].keys():
        activation = acts["ResNet50"][img_id][layer_name]  # Loaded on demand
        # ... process activation
"""

INSPECTION = """
from beholder.activations import (
    get_available_models,
    get_available_images,
    get_available_layers,
    get_activation_shape
)

# Inspect HDF5 structure without loading data
models = get_available_models("activations.h5")
# ['ResNet50', 'CORNet-S', 'ViT-B-16']

images = get_available_images("activations.h5", "ResNet50")
# ['object_01', 'object_02', ...]

layers = get_available_layers("activations.h5", "ResNet50")
# ['layer1.0.conv1', 'layer2.0.conv1', ...]

shape = get_activation_shape("activations.h5", "ResNet50")
# (4, 64)  -> (n_replicates, feature_dim)
"""

MEMORY = """
# Lazy loading automatically caches small activations (< 10MB)
# Clear cache to free memory when needed
acts["ResNet50"]["object_01"].clear_cache()  # Clear single image
acts["ResNet50"].clear_cache()               # Clear entire model
acts.close()                                 # Clear all caches
"""

SINGLE_MODEL = """
from beholder.activations import load_model_activations_lazy

# Load only specific model
resnet_acts = load_model_activations_lazy("activations.h5", "ResNet50")
layer_data = resnet_acts["ResNet50"]["object_01"]["layer4.2.conv3"]
"""


@pytest.fixture
def panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str, str], np.ndarray]:
    """A panel file under each name that the snippets use; gives what is in it."""
    generator = np.random.default_rng(3)
    content = {
        (model, stimulus, layer): generator.standard_normal((_REPLICATES, width)).astype(np.float32)
        for model, layers in (("ResNet50", _RESNET), ("CORNet-S", {"V1": 8}), ("ViT-B-16", _VIT))
        for stimulus in ("object_01", "object_02", "object_03")
        for layer, width in layers.items()
    }
    for name in ("model_activations_rotatedsemantic.h5", "model_activations_semantic.h5", "activations.h5"):
        with h5py.File(tmp_path / name, "w") as file:
            for (model, stimulus, layer), values in content.items():
                file[f"{model}/{stimulus}/{layer}"] = values
    monkeypatch.chdir(tmp_path)
    return content


def run_snippet(source: str, names: dict[str, Any] | None = None) -> dict[str, Any]:
    names = {} if names is None else names
    exec(source, names)
    return names


def test_layout_of_a_panel_file(panel: dict, capsys: pytest.CaptureFixture[str]) -> None:
    names = run_snippet(LAYOUT)
    assert "object_01" in capsys.readouterr().out
    np.testing.assert_array_equal(names["acts"], panel["ResNet50", "object_01", "layer1.0.conv1"])


def test_basic_usage_and_memory_management(panel: dict) -> None:
    names = run_snippet(BASIC)
    np.testing.assert_array_equal(names["resnet_layer1"], panel["ResNet50", "object_01", "layer1.0.conv1"])
    np.testing.assert_array_equal(names["vit_layer"], panel["ViT-B-16", "object_02", "blocks.5.attn"])
    last = panel["ResNet50", "object_03", "layer4.2.conv3"]
    assert (names["img_id"], names["layer_name"]) == ("object_03", "layer4.2.conv3")
    np.testing.assert_array_equal(names["activation"], last)
    acts = names["acts"]
    image = acts["ResNet50"]["object_01"]
    assert image["layer1.0.conv1"] is image["layer1.0.conv1"]
    kept = image["layer1.0.conv1"]
    run_snippet(MEMORY, names)
    assert image["layer1.0.conv1"] is not kept
    np.testing.assert_array_equal(image["layer1.0.conv1"], kept)
    acts.close()


def test_inspection_utilities(panel: dict) -> None:
    names = run_snippet(INSPECTION)
    assert names["models"] == ["CORNet-S", "ResNet50", "ViT-B-16"]
    assert names["images"] == ["object_01", "object_02", "object_03"]
    assert names["layers"] == list(_RESNET)
    assert names["shape"] == (_REPLICATES, _RESNET["layer1.0.conv1"])


def test_single_model_loading(panel: dict) -> None:
    names = run_snippet(SINGLE_MODEL)
    assert list(names["resnet_acts"]) == ["ResNet50"]
    np.testing.assert_array_equal(names["layer_data"], panel["ResNet50", "object_01", "layer4.2.conv3"])


def test_slices_and_splits_of_the_extraction_documents(tmp_path: Path) -> None:
    """``tensor = slices2tensor(PATH, file)`` and ``activations = merge_activations(PATH)``."""
    from beholder.activations import merge_activations, slices2tensor, split_activations, tensor2slices

    PATH, file = str(tmp_path / "activations"), "activations.txt"
    maps = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    tensor2slices(PATH, file, maps)
    tensor = slices2tensor(PATH, file)
    np.testing.assert_allclose(tensor, maps, atol=5e-6, rtol=0)

    PATH = str(tmp_path / "parts")
    rows = np.random.default_rng(1).standard_normal((25, 6))
    split_activations(PATH, rows, ".txt")
    assert len(list(Path(PATH).iterdir())) == 10
    activations = merge_activations(PATH)
    np.testing.assert_array_equal(activations, rows)


def test_get_image_set_lists_stems(tmp_path: Path) -> None:
    from PIL import Image

    from beholder.stimuli import get_image_set

    for name in ("b.png", "a.PNG", "c.jpg"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    assert get_image_set(tmp_path) == ["a", "b", "c"]


def test_clip_module_has_the_documented_interface() -> None:
    """Signatures and tokens; the networks themselves have tests of their own."""
    import inspect

    import torch

    from beholder.models import clip

    assert {"RN50", "ViT-B/32"} <= set(clip.available_models())
    assert list(inspect.signature(clip.load).parameters)[:3] == ["name", "device", "jit"]
    assert inspect.signature(clip.load).parameters["jit"].default is False  # as in OpenAI's package since
    assert inspect.signature(clip.tokenize).parameters["context_length"].default == 77
    tokens = clip.tokenize(["a diagram", "a dog"])
    assert tokens.dtype == torch.int64
    assert tokens.shape == (2, 77)
