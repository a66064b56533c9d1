"""Capture against the networks' own arithmetic, step by step."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from beholder._core.errors import InputError, UnknownNameError
from beholder.activations import capture
from beholder.activations.forward._hooks import Tap
from beholder.activations.forward._probe import probe_layers
from beholder.models import LayerRef, parse_layer, pool_activations

sys.path.insert(0, str(Path(__file__).parent))

from toy_nets import InPlaceNet, LoopNet, TokenNet


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("text", "path", "call", "side", "parts"),
    [
        ("features.11", "features.11", None, "out", ()),
        ("layer1.0.relu@3:in", "layer1.0.relu", 3, "in", ()),
        ("lstm[1]", "lstm", None, "out", (1,)),
        ("lstm[1][-1]", "lstm", None, "out", (1, -1)),
        ("enc[last_hidden_state]", "enc", None, "out", ("last_hidden_state",)),
        ("enc@2:in[0][x]", "enc", 2, "in", (0, "x")),
        ("attn:weights", "attn", None, "weights", ()),
    ],
)
def test_grammar(text: str, path: str, call: int | None, side: str, parts: tuple) -> None:
    assert parse_layer(text) == LayerRef(text, path, call, side, parts)


@pytest.mark.parametrize("text", ["", "a@", "a@0", "a:sideways", "a[1", "a[1]:in"])
def test_bad_grammar_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected a layer such as"):
        parse_layer(text)


def test_values_are_those_before_any_later_inplace_operation(images: torch.Tensor) -> None:
    net = InPlaceNet()
    names = ["conv1", "conv2", "relu@1", "relu@2", "relu@3:in", "pool", "output"]
    logits, layers = capture(net, images, names)
    with torch.no_grad():
        a = net.conv1(images)
        b = net.conv2(a.relu())
        total = b.relu() + a.relu()
        expected = {
            "conv1": a,
            "conv2": b,
            "relu@1": a.relu(),
            "relu@2": b.relu(),
            "relu@3:in": total,
            "pool": nn.functional.max_pool2d(total, 2),
            "output": net(images),
        }
    for name, values in expected.items():
        torch.testing.assert_close(layers[name], values, rtol=0, atol=0)
    torch.testing.assert_close(logits, expected["output"], rtol=0, atol=0)
    assert (layers["conv1"] < 0).any()


def test_a_repeated_module_must_say_which_call(images: torch.Tensor) -> None:
    with pytest.raises(InputError, match="relu@1, relu@2, relu@3"):
        capture(InPlaceNet(), images, ["relu"])
    with pytest.raises(InputError, match="from 1 to 3"):
        capture(InPlaceNet(), images, ["relu@4", "conv1"])


def test_wrong_names_suggest_the_nearest(images: torch.Tensor) -> None:
    with pytest.raises(UnknownNameError, match="try 'conv1'"):
        capture(InPlaceNet(), images, ["conv11"])


def test_a_layer_that_does_not_run_is_named() -> None:
    with pytest.raises(InputError, match="'unused', which does not run"):
        capture(LoopNet(), torch.rand(2, 6, 4), ["unused"])


def test_parts_of_tuples() -> None:
    net, x = LoopNet(), torch.rand(2, 6, 4)
    _, layers = capture(net, x, ["lstm", "lstm[0]"])
    with torch.no_grad():
        expected = net.lstm(x)[0]
    torch.testing.assert_close(layers["lstm"], expected)
    torch.testing.assert_close(layers["lstm[0]"], expected)
    with pytest.raises(InputError, match="2 parts"):
        capture(net, x, ["lstm[2]"])
    with pytest.raises(InputError, match=r"one tensor \(2, 2\)"):
        capture(net, x, ["head[0]"])


def test_the_pass_stops_after_the_deepest_layer(images: torch.Tensor) -> None:
    net = InPlaceNet()
    ran = []
    net.head.register_forward_hook(lambda *_: ran.append("head"))
    seen = {}
    with Tap(net, {"conv2": parse_layer("conv2")}) as tap, torch.no_grad():
        with tap.collect(lambda name, t: seen.__setitem__(name, t.clone()), stop=True):
            net(images)
        assert list(seen) == ["conv2"] and not ran
        net(images)
    assert ran == ["head"]


def test_threads_do_not_see_each_others_batches(images: torch.Tensor) -> None:
    net = InPlaceNet().eval()
    ref = {"conv2": parse_layer("conv2")}
    with Tap(net, ref) as tap:

        def run(batch: torch.Tensor) -> torch.Tensor:
            seen = {}
            with torch.no_grad(), tap.collect(lambda name, t: seen.__setitem__(name, t.clone()), stop=True):
                net(batch)
            return seen["conv2"]

        batches = [images + i for i in range(20)]
        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(run, batches))
    with torch.no_grad():
        for batch, result in zip(batches, results, strict=True):
            torch.testing.assert_close(result, net.conv2(net.conv1(batch).relu()))


def test_hooks_are_gone_afterwards(images: torch.Tensor) -> None:
    net = InPlaceNet()
    capture(net, images, ["conv1", "relu@2:in"])
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def test_gradients_flow_to_the_input_when_asked(images: torch.Tensor) -> None:
    images.requires_grad_(True)
    _, layers = capture(InPlaceNet(), images, ["conv2"], grad=True)
    layers["conv2"].square().sum().backward()
    assert images.grad is not None and images.grad.abs().sum() > 0
    _, plain = capture(InPlaceNet(), images, ["conv2"])
    assert not plain["conv2"].requires_grad


def test_the_users_module_is_left_as_it_was(images: torch.Tensor) -> None:
    net = InPlaceNet().train()
    capture(net, images, ["conv1"])
    assert net.training and all(p.requires_grad for p in net.parameters())


def test_compiled_and_data_parallel_models(images: torch.Tensor) -> None:
    net = InPlaceNet().eval()
    expected = capture(net, images, ["conv2"])[1]["conv2"]
    wrapped: Any
    for wrapped in (torch.compile(net), nn.DataParallel(net)):
        found = capture(wrapped, images, ["conv2"])[1]["conv2"]
        torch.testing.assert_close(found, expected)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_scripted_models_are_refused(images: torch.Tensor) -> None:
    with pytest.raises(InputError, match="scripted"):
        capture(torch.jit.trace(InPlaceNet().eval(), images), images, ["conv1"])  # pyright: ignore[reportArgumentType]


def test_batch_axis_is_found_and_put_first(images: torch.Tensor) -> None:
    net = TokenNet().eval()
    refs = {name: parse_layer(name) for name in ("embed", "attn", "norm", "attn:weights", "output")}
    probed = probe_layers(net, refs, net, images[:1])
    assert {name: layer.place.axis for name, layer in probed.items()} == {
        "embed": 0, "attn": 1, "norm": 1, "attn:weights": 0, "output": 0,
    }  # fmt: skip
    assert probed["attn"].shape == (4, 8) and probed["attn"].axes == ("token", "channel")
    assert probed["attn:weights"].axes == ("head", "query", "key")


def test_attention_weights_sum_to_one_and_match_the_formula(images: torch.Tensor) -> None:
    net = TokenNet().eval()
    _, layers = capture(net, images, ["attn:weights"])
    weights = layers["attn:weights"]
    assert weights.shape == (5, 2, 4, 4)
    torch.testing.assert_close(weights.sum(-1), torch.ones(5, 2, 4))
    with torch.no_grad():
        tokens = net.embed(images).flatten(2).permute(2, 0, 1)
        _, expected = net.attn(tokens, tokens, tokens, average_attn_weights=False)
    torch.testing.assert_close(weights, expected)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("widths", [{}, {"kdim": 6, "vdim": 5}])
def test_heads_of_multihead_attention_project_to_its_output(batch_first: bool, widths: dict) -> None:
    torch.manual_seed(0)

    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attn = nn.MultiheadAttention(8, 2, batch_first=batch_first, **widths)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x if batch_first else x.transpose(0, 1)
            key, value = x[..., : widths.get("kdim", 8)], x[..., : widths.get("vdim", 8)]
            out, _ = self.attn(x, key, value, need_weights=False)
            return out if batch_first else out.transpose(0, 1)

    net = Attending().eval()
    logits, layers = capture(net, torch.rand(3, 7, 8), ["attn:heads", "attn:weights"])
    assert layers["attn:heads"].shape == (3, 2, 7, 4)
    with torch.no_grad():
        joined = net.attn.out_proj(layers["attn:heads"].transpose(1, 2).flatten(2))
    torch.testing.assert_close(joined, logits)
    torch.testing.assert_close(layers["attn:weights"].sum(-1), torch.ones(3, 2, 7))


def test_timm_attention_weights_and_heads() -> None:
    timm = pytest.importorskip("timm")
    net = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=2, num_classes=3).eval()
    x = torch.rand(2, 3, 32, 32)
    fused = net.blocks[1].attn.fused_attn
    _, layers = capture(net, x, ["blocks.1.attn:weights", "blocks.1.attn:heads", "blocks.1.attn"])
    assert layers["blocks.1.attn:weights"].shape == (2, 3, 5, 5)
    torch.testing.assert_close(layers["blocks.1.attn:weights"].sum(-1), torch.ones(2, 3, 5))
    joined = layers["blocks.1.attn:heads"].transpose(1, 2).flatten(2)
    with torch.no_grad():
        torch.testing.assert_close(net.blocks[1].attn.proj(joined), layers["blocks.1.attn"], rtol=1e-5, atol=1e-6)
    assert net.blocks[1].attn.fused_attn == fused


def test_pooling() -> None:
    maps = torch.rand(3, 5, 4, 7)
    axes = ("channel", "height", "width")
    torch.testing.assert_close(pool_activations(maps, axes, "mean"), maps.mean((2, 3)))
    torch.testing.assert_close(pool_activations(maps, axes, "max"), maps.amax((2, 3)))
    torch.testing.assert_close(pool_activations(maps, axes, "center"), maps[:, :, 2, 3])
    last = maps.permute(0, 2, 3, 1)
    torch.testing.assert_close(pool_activations(last, ("height", "width", "channel"), "mean"), maps.mean((2, 3)))
    tokens = torch.rand(3, 6, 5)
    torch.testing.assert_close(pool_activations(tokens, ("token", "channel"), "cls"), tokens[:, 0])
    torch.testing.assert_close(pool_activations(tokens, ("token", "channel"), "mean"), tokens.mean(1))
    with pytest.raises(InputError, match="a layer with tokens"):
        pool_activations(maps, axes, "cls")


def test_presets_and_taps_of_a_model(images: torch.Tensor) -> None:
    from dataclasses import replace

    from beholder.models import wrap

    net = replace(wrap(InPlaceNet(), input_shape=(3, 8, 8)), taps={"sum": "relu@3:in"})
    _, layers = capture(net, images, ["penultimate", "sum", "conv?"])
    assert list(layers) == ["head:in", "sum", "conv1", "conv2"]
    with pytest.raises(InputError, match=r"single layers; got 'conv_ensemble'; try extract"):
        capture(net, images, ["conv_ensemble"])


@pytest.mark.parametrize(
    ("name", "layers", "penultimate"),
    [
        ("alexnet", 5, ("classifier.3", "none", 1.0)),
        ("vgg11_bn", 8, ("classifier.3", "none", 1.0)),
        ("squeezenet1_1", 26, ("classifier.1:in", "max", 1.0)),
        ("mobilenet_v3_small", 52, ("classifier.3:in", "none", 1.0)),
        ("resnet18", 20, ("fc:in", "none", 1.0)),
    ],
)
def test_members_of_ensembles(name: str, layers: int, penultimate: tuple) -> None:
    from torchvision.models import get_model

    from beholder.activations.forward._ensembles import find_ensemble_parts

    with torch.device("meta"):
        parts = find_ensemble_parts(get_model(name, weights=None), "convpen_ensemble")
    assert len(parts) == layers + 1 and parts[-1] == penultimate
    assert [scale for _, _, scale in parts[-4:-1]] == [1, 5, 10]


class Towers(nn.Module):
    """Two towers, of which the forward pass of a model calls one, not the module itself."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = InPlaceNet()
        self.textual = nn.Linear(2, 2)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return self.visual(x)


def test_the_output_is_what_the_forward_pass_gives(images: torch.Tensor, tmp_path: Path) -> None:
    from dataclasses import replace

    from beholder.activations import extract
    from beholder.models import wrap

    net = replace(
        wrap(Towers(), name="towers"), forward=lambda module, x: 100 * module.encode(x), taps={"answers": "output"}
    )
    logits, layers = capture(net, images, ["output", "answers", "visual.conv1"])
    torch.testing.assert_close(layers["output"], logits, rtol=0, atol=0)
    torch.testing.assert_close(layers["answers"], logits, rtol=0, atol=0)
    acts = extract(net, images.numpy(), ["answers", "output", "visual.head"], out_path=tmp_path)
    torch.testing.assert_close(torch.from_numpy(acts["answers"].to_numpy()), logits)
    torch.testing.assert_close(torch.from_numpy(acts["visual.head"].to_numpy()) * 100, logits)


def test_batches_of_a_model_are_checked() -> None:
    import numpy as np

    from beholder.models import ImagePreprocessing, wrap

    net = wrap(InPlaceNet(), ImagePreprocessing(resize=8, crop=(8, 8)))
    pictures = np.random.default_rng(0).random((2, 3, 8, 8))
    logits, _ = capture(net, pictures, ["conv1"])
    torch.testing.assert_close(logits, capture(net, torch.from_numpy(pictures).float(), ["conv1"])[0])
    torch.testing.assert_close(capture(net, pictures[0], ["conv1"])[0], logits[:1])
    pixels = (pictures * 255).astype(np.uint8)
    as_pixels, _ = capture(net, torch.from_numpy(pixels), ["conv1"])
    torch.testing.assert_close(as_pixels, capture(net, pixels / np.float32(255), ["conv1"])[0])
    with pytest.raises(InputError, match=r"in \[0, 1\]; got values from .* to 2\d\d"):
        capture(net, pictures * 255, ["conv1"])
