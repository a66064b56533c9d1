"""SLIP: the published towers, loaded strictly out of whole checkpoints."""

import argparse
from pathlib import Path

import pytest
import torch

from beholder._core.errors import InputError, UnknownNameError
from beholder.models.network._load import load_model
from beholder.models.preprocessing._read import ImagePreprocessing
from beholder.models.sources._slip import SlipSource, build_tower, pick_image_tower
from beholder.models.weights._read import load_file_weights

TINY = {"depth": 2, "embed_dim": 24, "num_heads": 12}


def list_expected_shapes(width: int, depth: int, patches: int = 196) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, patches + 1, width),
        "patch_embed.proj.weight": (width, 3, 16, 16),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }
    for i in range(depth):
        for name, out, into in (
            ("attn.qkv", 3 * width, width),
            ("attn.proj", width, width),
            ("mlp.fc1", 4 * width, width),
            ("mlp.fc2", width, 4 * width),
        ):
            shapes[f"blocks.{i}.{name}.weight"], shapes[f"blocks.{i}.{name}.bias"] = (out, into), (out,)
        for norm in ("norm1", "norm2"):
            shapes[f"blocks.{i}.{norm}.weight"] = shapes[f"blocks.{i}.{norm}.bias"] = (width,)
    return shapes


@pytest.mark.parametrize(
    ("name", "width", "depth", "heads"),
    [("vit_small", 384, 12, 12), ("vit_base", 768, 12, 12), ("vit_large", 1024, 24, 16)],
)
def test_towers_have_the_published_names_and_shapes(name: str, width: int, depth: int, heads: int):
    model = load_model(f"slip:{name}", meta=True)
    state = {key: tuple(value.shape) for key, value in model.module.state_dict().items()}
    assert state == list_expected_shapes(width, depth)
    assert model.module.get_submodule("blocks.0.attn").num_heads == heads
    assert model.preprocessing == ImagePreprocessing(resize=224)


def make_checkpoint(tower: torch.nn.Module) -> dict:
    state = {f"module.visual.{name}": value for name, value in tower.state_dict().items()}
    state["module.logit_scale"] = torch.tensor(2.0)
    state["module.token_embedding.weight"] = torch.zeros(4, 2)
    state["module.transformer.resblocks.0.mlp.c_fc.weight"] = torch.zeros(2, 2)
    state["module.image_mlp.bn1.running_mean"] = torch.zeros(2)
    for name in ("image_projection", "text_projection", "positional_embedding", "ln_final.weight"):
        state[f"module.{name}"] = torch.zeros(2)
    return {"epoch": 100, "state_dict": state, "args": argparse.Namespace(model="SLIP_VITS16")}


def test_a_whole_checkpoint_loads_strictly(tmp_path: Path):
    torch.manual_seed(0)
    saved, fresh = build_tower("vit_small", **TINY), build_tower("vit_small", **TINY)
    file = tmp_path / "slip_small_100ep.pt"
    torch.save(make_checkpoint(saved), file)
    load_file_weights(fresh, file, tag="slip_small_100ep", adapt=pick_image_tower)
    assert all(torch.equal(fresh.state_dict()[name], value) for name, value in saved.state_dict().items())
    x = torch.rand(2, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(fresh.eval()(x), saved.eval()(x))
        assert fresh(x).shape == (2, 24)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("module.visual.blocks.1.mlp.fc1.weight"), "missing.*blocks.1.mlp.fc1.weight"),
        (lambda state: state.update({"module.visual.blocks.9.norm1.weight": torch.zeros(1)}), "unexpected.*blocks.9"),
        (lambda state: state.update({"module.surprise": torch.zeros(1)}), "unexpected.*surprise"),
        (lambda state: [state.pop(name) for name in list(state) if ".visual." in name], "image tower"),
    ],
)
def test_nothing_is_left_random_in_silence(tmp_path: Path, change, message: str):
    checkpoint = make_checkpoint(build_tower("vit_small", **TINY))
    change(checkpoint["state_dict"])
    torch.save(checkpoint, tmp_path / "x.pt")
    with pytest.raises(InputError, match=message):
        load_file_weights(build_tower("vit_small", **TINY), tmp_path / "x.pt", tag="x", adapt=pick_image_tower)


def test_tags_and_files():
    definition = SlipSource().find("ViT-Small", None)
    assert (definition.name, definition.default_tag) == ("vit_small", "slip_small_100ep")
    assert definition.published_file is not None
    assert definition.published_file("clip_small_25ep") == "clip_small_25ep.pt"
    with pytest.raises(UnknownNameError):
        SlipSource().find("vit_huge", None)
