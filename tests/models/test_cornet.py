"""CORnet: names and shapes of the published checkpoints, and the dynamics against equations written out again."""

import argparse
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from beholder._core.errors import InputError, UnknownNameError
from beholder.models.nets._cornet import (
    RecurrentNet,
    SBlock,
    build_cornet_r,
    build_cornet_rt,
    build_cornet_s,
    build_cornet_z,
)
from beholder.models.network._load import load_model
from beholder.models.sources._cornet import CornetSource

AREAS = ("V1", "V2", "V4", "IT")


def list_expected_shapes_s() -> dict[str, tuple[int, ...]]:
    """Names and shapes of cornet_s-1d3f7974.pth, from the paper's table: areas, channels, steps, bottleneck of 4."""
    shapes: dict[str, tuple[int, ...]] = {}

    def add_norm(name: str, n: int) -> None:
        shapes.update({f"{name}.{key}": (n,) for key in ("weight", "bias", "running_mean", "running_var")})
        shapes[f"{name}.num_batches_tracked"] = ()

    shapes["V1.conv1.weight"], shapes["V1.conv2.weight"] = (64, 3, 7, 7), (64, 64, 3, 3)
    add_norm("V1.norm1", 64)
    add_norm("V1.norm2", 64)
    for area, below, n, steps in (("V2", 64, 128, 2), ("V4", 128, 256, 4), ("IT", 256, 512, 2)):
        shapes[f"{area}.conv_input.weight"] = (n, below, 1, 1)
        shapes[f"{area}.skip.weight"] = (n, n, 1, 1)
        add_norm(f"{area}.norm_skip", n)
        shapes[f"{area}.conv1.weight"] = (4 * n, n, 1, 1)
        shapes[f"{area}.conv2.weight"] = (4 * n, 4 * n, 3, 3)
        shapes[f"{area}.conv3.weight"] = (n, 4 * n, 1, 1)
        for step in range(steps):
            add_norm(f"{area}.norm1_{step}", 4 * n)
            add_norm(f"{area}.norm2_{step}", 4 * n)
            add_norm(f"{area}.norm3_{step}", n)
    shapes["decoder.linear.weight"], shapes["decoder.linear.bias"] = (1000, 512), (1000,)
    return shapes


def list_expected_shapes_recurrent() -> dict[str, tuple[int, ...]]:
    """Names and shapes of cornet_r-5930a990.pth and cornet_rt-933c001c.pth."""
    shapes: dict[str, tuple[int, ...]] = {"decoder.linear.weight": (1000, 512), "decoder.linear.bias": (1000,)}
    for area, below, n, kernel in (("V1", 3, 64, 7), ("V2", 64, 128, 3), ("V4", 128, 256, 3), ("IT", 256, 512, 3)):
        shapes[f"{area}.conv_input.weight"], shapes[f"{area}.conv_input.bias"] = (n, below, kernel, kernel), (n,)
        shapes[f"{area}.conv1.weight"] = (n, n, 3, 3)
        for norm in ("norm_input", "norm1"):
            shapes[f"{area}.{norm}.weight"] = shapes[f"{area}.{norm}.bias"] = (n,)
    return shapes


def list_expected_shapes_z() -> dict[str, tuple[int, ...]]:
    """Names and shapes of cornet_z-5c427c9c.pth."""
    shapes: dict[str, tuple[int, ...]] = {"decoder.linear.weight": (1000, 512), "decoder.linear.bias": (1000,)}
    for area, below, n, kernel in (("V1", 3, 64, 7), ("V2", 64, 128, 3), ("V4", 128, 256, 3), ("IT", 256, 512, 3)):
        shapes[f"{area}.conv.weight"], shapes[f"{area}.conv.bias"] = (n, below, kernel, kernel), (n,)
    return shapes


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (build_cornet_z, list_expected_shapes_z()),
        (build_cornet_r, list_expected_shapes_recurrent()),
        (build_cornet_rt, list_expected_shapes_recurrent()),
        (build_cornet_s, list_expected_shapes_s()),
    ],
)
def test_names_and_shapes_are_those_of_the_checkpoints(build, expected):
    with torch.device("meta"):
        state = build().state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == expected


def test_a_checkpoint_in_the_published_format_loads(tmp_path: Path):
    torch.manual_seed(0)
    net = build_cornet_z()
    file = tmp_path / "cornet_z-5c427c9c.pth"
    state = {f"module.{name}": value for name, value in net.state_dict().items()}
    torch.save({"epoch": 24, "state_dict": state, "args": argparse.Namespace(lr=0.1)}, file)
    model = load_model("CORnet-Z", model_path=tmp_path, device="cpu")
    assert (model.weights.tag, model.path_name) == ("cornet_z-5c427c9c", "CORnet-Z")
    loaded = model.module.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in net.state_dict().items())
    with pytest.raises(InputError, match="missing"):
        load_model("cornet:RT", model_path=file, device="cpu")


def test_areas_of_s_have_the_known_sizes_and_run_the_published_number_of_times():
    net = build_cornet_s().eval()
    sizes, calls = {}, {}
    for area in AREAS:
        net.get_submodule(area).register_forward_hook(
            lambda _m, _i, out, area=area: sizes.update({area: tuple(out.shape)})  # pyright: ignore[reportAttributeAccessIssue]
        )
        net.get_submodule(f"{area}.conv2").register_forward_hook(
            lambda _m, _i, _o, area=area: calls.update({area: calls.get(area, 0) + 1})
        )
    with torch.no_grad():
        logits = net(torch.rand(1, 3, 224, 224))
    assert sizes == {"V1": (1, 64, 56, 56), "V2": (1, 128, 28, 28), "V4": (1, 256, 14, 14), "IT": (1, 512, 7, 7)}
    assert calls == {"V1": 1, "V2": 2, "V4": 4, "IT": 2}
    assert logits.shape == (1, 1000)


def test_s_block_against_the_equations():
    torch.manual_seed(1)
    block = SBlock(8, 16, n_steps=3).eval()
    for name, value in block.named_parameters():
        if "norm" in name:
            torch.nn.init.normal_(value)
    p = dict(block.named_parameters())

    def norm(name, x):
        scale = p[f"{name}.weight"] / torch.sqrt(torch.tensor(1 + 1e-5))
        return x * scale.view(1, -1, 1, 1) + p[f"{name}.bias"].view(1, -1, 1, 1)

    x = torch.randn(2, 8, 10, 10)
    state = F.conv2d(x, p["conv_input.weight"])
    for t in range(3):
        skip = norm("norm_skip", F.conv2d(state, p["skip.weight"], stride=2)) if t == 0 else state
        h = F.relu(norm(f"norm1_{t}", F.conv2d(state, p["conv1.weight"])))
        h = F.relu(norm(f"norm2_{t}", F.conv2d(h, p["conv2.weight"], stride=2 if t == 0 else 1, padding=1)))
        state = F.relu(norm(f"norm3_{t}", F.conv2d(h, p["conv3.weight"])) + skip)
    with torch.no_grad():
        for _ in range(2):
            torch.testing.assert_close(block(x), state.detach(), atol=1e-4, rtol=1e-4)


def simulate(net: RecurrentNet, x: torch.Tensor, *, simultaneous: bool, n_steps: int) -> torch.Tensor:
    """A table of states over time, filled in the order that the paper's figure gives."""
    p = dict(net.named_parameters())
    strides = {"V1": 4, "V2": 2, "V4": 2, "IT": 2}

    def drive(area, below):
        y = F.conv2d(
            below, p[f"{area}.conv_input.weight"], p[f"{area}.conv_input.bias"], stride=strides[area], padding="valid"
        )
        return F.relu(F.group_norm(y, 32, p[f"{area}.norm_input.weight"], p[f"{area}.norm_input.bias"]))

    def pad(area, below):
        return F.pad(below, [3 if area == "V1" else 1] * 4)

    def settle(area, total):
        y = F.conv2d(total, p[f"{area}.conv1.weight"], padding=1)
        return F.relu(F.group_norm(y, 32, p[f"{area}.norm1.weight"], p[f"{area}.norm1.bias"]))

    side, table = x.shape[-1], {}
    for area, n in zip(AREAS, (64, 128, 256, 512), strict=True):
        side = -(-side // strides[area])
        table[area, -1] = torch.zeros(len(x), n, side, side)
    for t in range(n_steps):
        for i, area in enumerate(AREAS):
            if i == 0:
                total = drive(area, pad(area, x)) + table[area, t - 1]
            elif t == 0:
                total = table[area, -1]
            else:
                below = table[AREAS[i - 1], t - 1 if simultaneous else t]
                total = drive(area, pad(area, below)) + table[area, t - 1]
            table[area, t] = settle(area, total)
    pooled = table["IT", n_steps - 1].mean((2, 3))
    return pooled @ p["decoder.linear.weight"].T + p["decoder.linear.bias"]


@pytest.mark.parametrize("simultaneous", [False, True])
@pytest.mark.parametrize("size", [64, 50])
def test_recurrent_networks_against_a_table_of_states(simultaneous: bool, size: int):
    torch.manual_seed(2)
    net = RecurrentNet(simultaneous=simultaneous, n_steps=5).eval()
    for name, value in net.named_parameters():
        if "norm" in name:
            torch.nn.init.normal_(value)
    x = torch.rand(2, 3, size, size)
    with torch.no_grad():
        expected = simulate(net, x, simultaneous=simultaneous, n_steps=5)
        torch.testing.assert_close(net(x), expected, atol=1e-4, rtol=1e-4)
        other = simulate(net, x, simultaneous=not simultaneous, n_steps=5)
        assert not torch.allclose(expected, other, atol=1e-2)


def test_every_area_of_a_recurrent_network_runs_five_times():
    net: Any
    net, calls = build_cornet_rt().eval(), []
    net.V4.output.register_forward_hook(lambda _m, _i, out: calls.append(out.shape))
    with torch.no_grad():
        net(torch.rand(1, 3, 64, 64))
    assert len(calls) == 5
    assert CornetSource().find("RT", None).layers == ("V1@5", "V2@5", "V4@5", "IT@5")


def test_spellings():
    source = CornetSource()
    for spelling in ("cornet_s", "CORnet-S", "CORNet-S", "S", "s"):
        assert source.find(spelling, None).name == "cornet_s"
    assert source.list_names() == ["cornet_r", "cornet_rt", "cornet_s", "cornet_z"]
    with pytest.raises(UnknownNameError, match="cornet"):
        source.find("cornet_q", None)


def test_published_file_names():
    files: Any = {name: CornetSource().find(name, None) for name in CornetSource().list_names()}
    published = [definition.published_file(definition.default_tag) for definition in files.values()]
    assert published == [
        "cornet_r-5930a990.pth",
        "cornet_rt-933c001c.pth",
        "cornet_s-1d3f7974.pth",
        "cornet_z-5c427c9c.pth",
    ]
