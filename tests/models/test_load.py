"""From names to models."""

from __future__ import annotations

import logging
import pickle
import re
import shutil
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from beholder._core.errors import InputError, UnknownNameError, WeightsUnavailable
from beholder._core.wording import at_command_line
from beholder.models import load_model, resolve_model, unwrap_module, wrap
from beholder.models.catalog._resolve import split_weights

TINY = "torchvision:squeezenet1_1"


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """An empty cache and no network."""
    from huggingface_hub import constants

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch_home"))
    monkeypatch.setenv("BEHOLDER_OFFLINE", "1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


@pytest.fixture
def real_weights(monkeypatch, shared_data):
    """The caches that hold two networks."""
    from huggingface_hub import constants

    monkeypatch.setenv("TORCH_HOME", str(shared_data / "torch_home"))
    monkeypatch.setenv("BEHOLDER_OFFLINE", "1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(shared_data / "hf_home" / "hub"))
    return shared_data


def count_right(model, shared_data, step: int) -> tuple[int, int]:
    folders = sorted((shared_data / "imagenet_sample").iterdir())[::step]
    targets = torch.arange(0, 1000, step)[: len(folders)]
    with torch.inference_mode():
        batch = np.stack([model.preprocessing.prepare_uint8(next(folder.iterdir())) for folder in folders])
        logits = model.forward(model.module, model.preprocessing.normalize_uint8(batch))
    return int((logits.argmax(1) == targets).sum()), len(folders)


def test_squeezenet_with_its_real_weights(real_weights):
    model = load_model("squeezenet1_1", device="cpu")
    assert model.name == "torchvision:squeezenet1_1@IMAGENET1K_V1" and model.path_name == "squeezenet1_1"
    assert model.weights.file and model.weights.file.endswith("squeezenet1_1-b8a52dc0.pth")
    assert model.weights.sha256 and len(model.weights.sha256) == 64
    assert not model.module.training and not any(p.requires_grad for p in model.module.parameters())
    assert model.classes is not None and len(model.classes) == 1000 and model.classes[0] == "tench"
    right, n = count_right(model, real_weights, 25)
    assert right / n > 0.5  # 0.641 of all


def test_timm_with_its_real_weights(real_weights):
    model = load_model("timm:tf_efficientnet_lite0.in1k", device="cpu")
    assert model.name == "timm:tf_efficientnet_lite0@in1k" and model.path_name == "tf_efficientnet_lite0"
    assert model.weights.file and model.weights.file.endswith("model.safetensors") and model.weights.sha256
    right, n = count_right(model, real_weights, 25)
    assert right / n > 0.75  # 0.872 of all


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "expected", "slack"), [("squeezenet1_1", 641, 2), ("timm:tf_efficientnet_lite0.in1k", 872, 3)]
)
def test_accuracy_on_the_whole_sample(name, expected, slack, real_weights):
    model = load_model(name, device="cpu")
    folders = sorted((real_weights / "imagenet_sample").iterdir())
    right = 0
    with torch.inference_mode():
        for start in range(0, 1000, 50):
            batch = np.stack(
                [model.preprocessing.prepare_uint8(next(f.iterdir())) for f in folders[start : start + 50]]
            )
            logits = model.forward(model.module, model.preprocessing.normalize_uint8(batch))
            right += int((logits.argmax(1) == torch.arange(start, start + 50)).sum())
    assert abs(right - expected) <= slack


@pytest.mark.parametrize(
    "name",
    [
        "tf_efficientnet_lite0",
        "timm:tf_efficientnet_lite0",
        "timm:tf_efficientnet_lite0@in1k",
        "timm:tf_efficientnet_lite0.in1k",
    ],
)
def test_every_spelling_is_one_model(name):
    resolved = resolve_model(name)
    assert (resolved.name, resolved.path_name) == ("timm:tf_efficientnet_lite0@in1k", "tf_efficientnet_lite0")


@pytest.mark.parametrize(
    ("name", "full", "path_name"),
    [
        ("torchvision:resnet18@random", "torchvision:resnet18@random", "resnet18--random"),
        ("convnext_tiny", "torchvision:convnext_tiny@IMAGENET1K_V1", "convnext_tiny"),
        ("timm:resnet18.tv_in1k", "timm:resnet18@tv_in1k", "resnet18--tv_in1k"),
        ("open_clip:ViT-L/14", "open_clip:ViT-L-14@openai", "ViT-L-14"),
        ("open_clip:vit-l-14@laion2b_s32b_b82k", "open_clip:ViT-L-14@laion2b_s32b_b82k", "ViT-L-14--laion2b_s32b_b82k"),
    ],
)
def test_path_names(name, full, path_name):
    resolved = resolve_model(name)
    assert (resolved.name, resolved.path_name) == (full, path_name)


def test_alias_and_its_long_spelling_agree():
    for short, long in (
        ("RN50", "open_clip:RN50@openai"),
        ("ViT-32", "open_clip:ViT-B-32@openai"),
        ("alexnet", "torchvision:alexnet"),
    ):
        first, second = resolve_model(short), resolve_model(long)
        assert first.name == second.name and first.path_name == second.path_name
    assert resolve_model("RN50@yfcc15m").path_name == "RN50--yfcc15m"


def test_default_weights_are_named_in_one_line(real_weights, caplog):
    with caplog.at_level(logging.INFO, logger="beholder"):
        load_model("squeezenet1_1", device="cpu")
    lines = [record.getMessage() for record in caplog.records if record.name == "beholder"]
    assert len(lines) == 1 and "torchvision:squeezenet1_1@IMAGENET1K_V1" in lines[0]
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="beholder"):
        load_model("squeezenet1_1", pretrained=True, device="cpu")
        load_model(f"{TINY}@random", device="cpu")
    assert not [record for record in caplog.records if record.name == "beholder"]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        (
            "squeezenet1_1",
            ["torch_home/hub/checkpoints/squeezenet1_1-b8a52dc0.pth", "https://download.pytorch.org/models/"],
        ),
        (
            "timm:resnet18",
            ["https://huggingface.co/timm/resnet18.a1_in1k", "model.safetensors", "hub/models--timm--resnet18.a1_in1k"],
        ),
        (
            "open_clip:RN50",
            ["https://huggingface.co/timm/resnet50_clip.openai", "hub/models--timm--resnet50_clip.openai"],
        ),
    ],
)
def test_weights_that_cannot_be_had(name, parts, offline):
    with pytest.raises(WeightsUnavailable) as caught:
        load_model(name, device="cpu")
    text = str(caught.value)
    for part in [*parts, "model_path=FILE", "@random", "beholder models fetch"]:
        assert part in text
    assert "\n" not in text and not re.search(r"(?<!\S)--", text)
    with at_command_line():
        assert "--model_path FILE" in str(caught.value)


def test_model_path(tmp_path, offline):
    source: Any = load_model(f"{TINY}@random", device="cpu", seed=7)
    file = tmp_path / "mine v2.pth"
    torch.save({"state_dict": source.module.state_dict()}, file)
    model: Any
    for model in (
        load_model(TINY, model_path=file, device="cpu"), load_model(f"{TINY}@{file}", device="cpu"),
        load_model("squeezenet1_1", weights=str(file), device="cpu"),
        load_model("squeezenet1_1", pretrained=True, model_path=file, device="cpu"),
    ):  # fmt: skip
        assert torch.equal(model.module.features[0].weight, source.module.features[0].weight)
        assert model.path_name == "squeezenet1_1--mine_v2" and model.weights.file == str(file)
    with pytest.raises(InputError, match="nothing at"):
        load_model(TINY, model_path=tmp_path / "absent.pth", device="cpu")
    torch.save(nn.Linear(2, 2).state_dict(), file)
    with pytest.raises(InputError, match=r"missing.*unexpected"):
        load_model(TINY, model_path=file, device="cpu")


def test_model_path_folder_with_the_published_file(tmp_path, offline):
    source: Any = load_model(f"{TINY}@random", device="cpu", seed=7)
    torch.save(source.module.state_dict(), tmp_path / "squeezenet1_1-b8a52dc0.pth")
    (tmp_path / "other.pth").write_bytes(b"")
    model: Any = load_model(TINY, model_path=tmp_path, device="cpu")
    assert model.name == "torchvision:squeezenet1_1@IMAGENET1K_V1" and model.path_name == "squeezenet1_1"
    assert torch.equal(model.module.features[0].weight, source.module.features[0].weight)


def test_random_weights_are_seeded_and_leave_the_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    other: Any
    again: Any
    first: Any
    first, again, other = (load_model(f"{TINY}@random", device="cpu", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(first.module.features[0].weight, again.module.features[0].weight)
    assert not torch.equal(first.module.features[0].weight, other.module.features[0].weight)


def test_spec_rebuilds_the_model():
    model = load_model(f"{TINY}@random", device="cpu", seed=3)
    again = pickle.loads(pickle.dumps(model.spec)).load("cpu")
    x = torch.rand(1, 3, 224, 224)
    assert torch.equal(again(x), model(x))
    assert (again.name, again.path_name, again.weights) == (model.name, model.path_name, model.weights)


def test_spec_keeps_the_architecture_of_the_weights_that_were_named():
    spec: Any = load_model("timm:vit_tiny_patch16_224.augreg_in21k@random", meta=True).spec
    assert pickle.loads(pickle.dumps(spec)).load("cpu").module.head.out_features == 21_843
    spec = load_model("torchvision:squeezenet1_1@IMAGENET1K_V1", meta=True).spec
    assert spec.variant == "IMAGENET1K_V1" and spec.name == "torchvision:squeezenet1_1@IMAGENET1K_V1"


def test_meta_needs_no_weights(offline):
    model = load_model("torchvision:vit_h_14", meta=True)
    assert model.device.type == "meta" and "633" in repr(model)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("resnet51", "resnet50"),
        ("torchvision:resnet51", "resnet50"),
        ("timm:resnet50.a9_in1k", "_in1k"),
        ("torchvision:resnet50@IMAGENET1K_V3", "IMAGENET1K_V1"),
        ("torchvison:resnet50", "torchvision"),
    ],
)
def test_unknown_names_suggest(name, text):
    with pytest.raises(UnknownNameError, match=text):
        resolve_model(name)


def test_contradicting_flags():
    with pytest.raises(InputError, match="one way"):
        resolve_model(f"{TINY}@random", pretrained=True)
    with pytest.raises(InputError, match="one way"):
        resolve_model(f"{TINY}@random", model_path="x.pth")
    assert resolve_model(f"{TINY}@IMAGENET1K_V1", pretrained=True).tag == "IMAGENET1K_V1"


def test_devices():
    from beholder.models import pick_device

    assert pick_device("cpu") == "cpu"
    for name in ("gpu", "meta", "cuda:x"):
        with pytest.raises(InputError, match=r"a device that torch knows \(here: cpu") as caught:
            pick_device(name)
        assert "\n" not in str(caught.value)
    for kind, is_here in (
        ("cuda", torch.cuda.is_available()),
        ("mps", torch.backends.mps.is_available()),
        ("xpu", torch.xpu.is_available()),
        ("hpu", False),  # torch knows the name; another package brings the device
    ):
        if not is_here:
            with pytest.raises(InputError, match=f"here for device=.{kind}.: cpu"):
                load_model(f"{TINY}@random", device=kind)


def test_auto_prefers_mps_then_cuda_then_xpu(monkeypatch):
    from beholder.models import pick_device

    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.xpu, "is_available", lambda: True)
    monkeypatch.setattr(torch.xpu, "device_count", lambda: 2)
    assert pick_device("auto") == "xpu" and pick_device("xpu:1") == "xpu:1"
    with pytest.raises(InputError, match="cpu, xpu:0, xpu:1; got a machine with 2 of them"):
        pick_device("xpu:2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert pick_device("auto") == "cuda" and pick_device("cuda:0") == "cuda:0"
    with pytest.raises(InputError, match="1 of them"):
        pick_device("cuda:1")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_device("auto") == "mps"


def test_split_weights(tmp_path, monkeypatch):
    assert split_weights("a:b@c") == ("a:b", "c") and split_weights("a:b") == ("a:b", None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net@2.py").write_text("")
    assert split_weights("file:net@2.py") == ("file:net@2.py", None)
    for bad in ("", "@x", "a:b@"):
        with pytest.raises(InputError):
            split_weights(bad)


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.drop = nn.Dropout()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.drop(self.conv(x)).mean((2, 3))


def test_wrap():
    model: Any = wrap(
        Own(), name="my net", layers=["conv"], input_shape=(3, 8, 8), input_range=(0, 1), normalize=lambda x: 2 * x
    )
    assert (model.name, model.path_name, model.layers, model.modality) == ("my net", "my_net", ("conv",), "image")
    assert model.module.training and model.module.conv.weight.requires_grad and model.spec is None
    x = torch.rand(2, 3, 8, 8, requires_grad=True)
    assert torch.allclose(model(x), model.module.conv(2 * x).mean((2, 3))) and model(x).requires_grad
    assert model.module.training and not model(x.detach()).requires_grad
    plain = wrap(Own())
    assert plain.input_range is None and plain.input_shape is None and torch.equal(plain.normalize(x), x)
    assert "Own" in repr(plain)
    with pytest.raises(InputError, match=r"nn\.Module"):
        wrap(lambda x: x)  # pyright: ignore[reportArgumentType]


def test_wrap_with_ready_preprocessing():
    from beholder.models import read_preprocessing

    model = wrap(Own(), preprocess=read_preprocessing("imagenet"))
    assert model.input_shape == (3, 224, 224)
    with pytest.raises(InputError, match="alone"):
        wrap(Own(), preprocess=read_preprocessing("imagenet"), input_range=(0, 1))


def test_wrap_takes_off_what_is_around():
    own = Own()
    assert unwrap_module(torch.compile(own)) is own  # pyright: ignore[reportArgumentType]
    assert unwrap_module(nn.DataParallel(torch.compile(own))) is own  # pyright: ignore[reportArgumentType]


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace:FutureWarning", "ignore:.*torch.jit:DeprecationWarning")
def test_scripted_module_says_why_not():
    with pytest.raises(InputError, match="scripted or traced"):
        wrap(torch.jit.trace(Own().eval(), torch.rand(1, 3, 8, 8)))  # pyright: ignore[reportArgumentType]


def test_panel_entry_as_a_name(tmp_path):
    from beholder.models import Alias, read_preprocessing

    alias = Alias(
        "Mine",
        "torchvision",
        "squeezenet1_1",
        "random",
        ("features.3",),
        {"t": "features.3"},
        read_preprocessing("clip"),
        "mean",
    )
    model: Any = load_model(alias, device="cpu")
    assert (model.path_name, model.layers, model.taps, model.pool) == (
        "Mine",
        ("features.3",),
        {"t": "features.3"},
        "mean",
    )
    assert model.preprocessing == read_preprocessing("clip") == model.spec.preprocessing
    assert load_model(model) is model


def test_read_only_cache_is_enough(real_weights, tmp_path, monkeypatch):
    home = tmp_path / "home"
    shutil.copytree(real_weights / "torch_home", home)
    for path in sorted(home.rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    monkeypatch.setenv("TORCH_HOME", str(home))
    try:
        assert load_model("squeezenet1_1", device="cpu").weights.file.startswith(str(home))  # pyright: ignore[reportOptionalMemberAccess]
    finally:
        for path in home.rglob("*"):
            path.chmod(0o755)
