"""The source ``metamers``: published key names, where files are found, CLIP as a classifier."""

import argparse
import logging

import numpy as np
import pytest
import torch
from torch.nn import functional
from torchvision.models import alexnet, resnet50

from beholder._core.errors import InputError, UnknownNameError, WeightsUnavailable
from beholder.models import load_model
from beholder.models import _clip_observer as clip_observer
from beholder.models._metamer_source import MetamersSource
from beholder.models._source import get_source

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
    with pytest.raises(WeightsUnavailable, match="beholder assets fetch checkpoint-resnet50_byol ") as caught:
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


@pytest.mark.parametrize("name", ["clip_resnet50", "clip_vit_b_32"])
def test_clip_observer_is_the_scaled_cosine_with_each_class(name):
    model = load_model(f"metamers:{name}@random", device="cpu")
    x = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = model(x)
        embedded = model.module.get_submodule("visual")(model.normalize(x))
    head = model.module.get_buffer("head")
    torch.testing.assert_close(logits, 100 * functional.cosine_similarity(embedded[:, None], head[None], dim=-1))
    assert logits.shape == (2, 1000)


def test_clip_readout_is_computed_once_and_kept(checkpoints, monkeypatch, caplog):
    """With a small network in CLIP's place, and two classes."""
    import open_clip

    tower = {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16}
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    torch.manual_seed(0)
    small = open_clip.CLIP(16, open_clip.CLIPVisionCfg(**tower), open_clip.CLIPTextCfg(**text)).eval()
    monkeypatch.setattr(clip_observer, "list_class_names", lambda: ["star"] * 999 + ["spiral"])
    calls = []

    def build(network, names):
        calls.append(len(names))
        return np.eye(1000, 16, dtype=np.float32) + 0.1

    monkeypatch.setattr(clip_observer, "build_zero_shot_head", build)
    with caplog.at_level(logging.INFO, "beholder"):
        first = clip_observer.read_head(small, "small-openai", "abc")
    assert "80,000 prompts" in caplog.text
    again = clip_observer.read_head(small, "small-openai", "abc")
    assert calls == [1000] and torch.equal(first, again)
    clip_observer.read_head(small, "small-openai", "other weights")
    assert calls == [1000, 1000]
    observer = clip_observer.ZeroShotClip(small.visual, 16).eval()
    x = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(observer._embed(x), small.visual(x))


def test_clip_observer_takes_openai_weights(tmp_path, monkeypatch):
    clip = get_source("open_clip").find("RN50", "openai")
    torch.manual_seed(0)
    network = clip.build()
    monkeypatch.setattr(clip_observer, "build_zero_shot_head", lambda network, names: np.ones((1000, 1024), np.float32))
    torch.save(network.state_dict(), tmp_path / "RN50.pt")
    model = load_model("CLIP_resnet50", model_path=tmp_path / "RN50.pt", device="cpu")
    own = network.visual.state_dict()
    assert all(
        torch.equal(value, own[name]) for name, value in model.module.get_submodule("visual").state_dict().items()
    )
    assert model.module.get_buffer("head").eq(1).all()
    torch.save(model.module.state_dict(), tmp_path / "own.pt")
    again = load_model("CLIP_resnet50", model_path=tmp_path / "own.pt", device="cpu")
    assert torch.equal(again.module.get_buffer("head"), model.module.get_buffer("head"))
    torch.save({name: value for name, value in own.items() if "visual" in name}, tmp_path / "half.pt")
    with pytest.raises(InputError):
        load_model("CLIP_resnet50", model_path=tmp_path / "half.pt", device="cpu")
