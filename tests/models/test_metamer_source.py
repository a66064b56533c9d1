"""The source ``metamers``: published key names, where files are found, CLIP as a classifier."""

import argparse
import logging
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision.models import alexnet, resnet50

from beholder._core.errors import InputError, UnknownNameError, WeightsUnavailable
from beholder.models import load_model
from beholder.models.definitions._base import get_source
from beholder.models.sources import _clip_observer as clip_observer
from beholder.models.sources._metamers import MetamersSource
from beholder.models.weights._read import load_state

from .test_metamer_nets import assert_loaded, make_constants, wrap_published


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    """The folder of downloaded weights, empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("BEHOLDER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BEHOLDER_OFFLINE", "1")
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def make_state(build) -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        own = build().state_dict()
    return make_constants({name: tuple(each.shape) for name, each in own.items() if "num_batches" not in name})


@pytest.mark.parametrize("container", ["model", "state_dict", "bare"])
def test_resnet_checkpoint(checkpoints, container):
    state = make_state(resnet50)
    content = wrap_published(state)
    if container != "bare":
        content = {container: content, "epoch": 99, "args": argparse.Namespace(arch="resnet50")}
    torch.save(content, checkpoints / "resnet50_simclr.pt")
    model = load_model("resnet50_simclr", device="cpu")
    assert (model.name, model.path_name) == ("metamers:resnet50@resnet50_simclr", "resnet50_simclr")
    assert_loaded(model.module, state)
    assert model.weights.sha256 is not None and model.classes is not None and len(model.classes) == 1000


def test_alexnet_trained_on_stylised_pictures_has_its_features_spread(checkpoints, tmp_path):
    state = make_state(alexnet)
    spread = {name.replace("features.", "features.module."): value for name, value in state.items()}
    torch.save({"state_dict": spread, "arch": "alexnet"}, tmp_path / "alexnet_train_60_epochs_lr0.001-b4aa5238.pth.tar")
    model = load_model("texture_shape_alexnet_trained_on_SIN", model_path=tmp_path, device="cpu")
    assert_loaded(model.module, state)
    assert model.weights.tag == "alexnet_trained_on_SIN"


def test_another_normaliser_is_refused(tmp_path):
    torch.save({"model": wrap_published(make_state(resnet50), mean=(0.4, 0.4, 0.4))}, tmp_path / "x.pt")
    with pytest.raises(InputError, match="normaliser"):
        load_model(f"resnet50_byol@{tmp_path}/x.pt", device="cpu")


def test_missing_weights_are_one_line_that_says_where_they_are(checkpoints):
    with pytest.raises(WeightsUnavailable, match="beholder assets fetch checkpoint-resnet50_byol`") as caught:
        load_model("resnet50_byol", device="cpu")
    assert "\n" not in str(caught.value) and str(checkpoints) in str(caught.value)
    with pytest.raises(WeightsUnavailable, match=r"only|inside") as caught:
        load_model("metamers:alexnet@alexnet_linf_4_robust_training", device="cpu")
    with pytest.raises(WeightsUnavailable, match="bitbucket"):
        load_model("texture_shape_resnet50_trained_on_SIN", device="cpu")


def test_files_that_assets_fetched_are_found(checkpoints, tmp_path):
    state = make_state(resnet50)
    folder = tmp_path / "home" / "assets" / "checkpoint-resnet50_moco_v2"
    folder.mkdir(parents=True)
    torch.save({"model": wrap_published(state)}, folder / "resnet50_moco_v2.pt")
    assert_loaded(load_model("resnet50_moco_v2", device="cpu").module, state)


def test_names_and_tags():
    source = MetamersSource()
    assert {"hmax", "vonealexnet", "alexnet_reduced_aliasing", "clip_resnet50"} <= set(source.list_names())
    assert source.find("hmax", None).default_tag == "seeded"
    assert source.find("hmax", "hmax_linear_classification").classes is not None
    assert "gvonealexnet_std4" in source.find("vonealexnet", None).tags
    with pytest.raises(UnknownNameError, match="hmax"):
        source.find("hmaxx", None)


def build_small_clip(kind: str) -> nn.Module:
    """CLIP of either kind, for pictures of 32 pixels."""
    import open_clip

    towers: dict[str, dict[str, Any]] = {
        "resnet": {"image_size": 32, "layers": (1, 1, 1, 1), "width": 8, "head_width": 16},
        "transformer": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16},
    }
    text = open_clip.CLIPTextCfg(context_length=77, vocab_size=49408, width=32, heads=2, layers=1)
    torch.manual_seed(0)
    return open_clip.CLIP(16, open_clip.CLIPVisionCfg(**towers[kind]), text).eval()


@pytest.mark.parametrize("kind", ["resnet", "transformer"])
def test_clip_observer_is_the_scaled_cosine_with_each_class(kind):
    clip = build_small_clip(kind)
    observer = clip_observer.ZeroShotClip(clip.get_submodule("visual"), 16).eval()
    x = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits, embedded = observer(x), clip.get_submodule("visual")(x)
    torch.testing.assert_close(
        logits, 100 * functional.cosine_similarity(embedded[:, None], observer.head[None], dim=-1)
    )
    assert logits.shape == (2, 1000)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["CLIP_resnet50", "CLIP_ViT-B_32"])
def test_clip_observers_of_full_size(name):
    model = load_model(f"{name}@random", device="cpu")
    x = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        embedded = model.module.get_submodule("visual")(model.normalize(x))
        expected = 100 * functional.normalize(embedded, dim=-1) @ model.module.get_buffer("head").t()
        torch.testing.assert_close(model(x), expected)


def test_clip_readout_is_computed_once_and_kept(checkpoints, monkeypatch, caplog):
    calls = []

    def build(_network, names):
        calls.append(len(names))
        return np.eye(1000, 16, dtype=np.float32) + 0.1

    monkeypatch.setattr(clip_observer, "build_zero_shot_head", build)
    network = build_small_clip("resnet")
    with caplog.at_level(logging.INFO, "beholder"):
        first = clip_observer.read_head(network, "small-openai", "abc")
    assert "80,000 prompts" in caplog.text
    again = clip_observer.read_head(network, "small-openai", "abc")
    assert calls == [1000] and torch.equal(first, again)
    clip_observer.read_head(network, "small-openai", "other weights")
    assert calls == [1000, 1000]


def test_clip_readout_prompts_with_the_names_of_the_classes(monkeypatch):
    """Two names instead of a thousand, against the mean embedding of their prompts."""
    from beholder.models import build_zero_shot_head, embed_texts
    from beholder.models.words._prompts import IMAGENET_TEMPLATES

    assert len(clip_observer.list_class_names()) == 1000 and clip_observer.list_class_names()[0] == "tench"
    network = build_small_clip("resnet")
    head = build_zero_shot_head(network, ["tench", "goldfish"])
    texts = [template.replace("{}", "goldfish") for template in IMAGENET_TEMPLATES]
    mean = embed_texts(network, texts, normalize=True).mean(0)
    np.testing.assert_allclose(head[1], mean / np.linalg.norm(mean), atol=1e-6)


def test_clip_observer_takes_files_of_both_towers_and_its_own(tmp_path, monkeypatch):
    clip = replace(
        get_source("open_clip").find("RN50", "openai"),
        build=lambda: build_small_clip("resnet"), adapt_state_dict=None,
    )  # fmt: skip
    monkeypatch.setattr(clip_observer, "build_zero_shot_head", lambda network, names: np.ones((1000, 16), np.float32))
    state = {name: value + 1 for name, value in build_small_clip("resnet").state_dict().items()}
    observer = clip_observer.build_clip_observer(clip)
    adapted = clip_observer.adapt_clip_state(clip, state, observer)
    load_state(observer, adapted, origin="a file")
    assert torch.equal(observer.visual.state_dict()["conv1.weight"], state["visual.conv1.weight"])
    assert observer.head.eq(1).all()
    own = observer.state_dict()
    assert clip_observer.adapt_clip_state(clip, own, observer) == own
    half = {name: value for name, value in state.items() if name.startswith("visual.")}
    with pytest.raises(InputError, match="both towers"):
        clip_observer.adapt_clip_state(clip, half, observer)
