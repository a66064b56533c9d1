"""The study's two AlexNets: blur pools against scipy, names and shapes of the published checkpoints."""

import logging

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from scipy.signal.windows import hann
from torch import nn

from beholder._core.errors import InputError, WeightsUnavailable
from beholder.models import load_model
from beholder.models.nets._metamers import GroupNormAlexNet, HannPool2d, ReducedAliasingAlexNet
from beholder.models.sources._metamers import READOUT_FILE

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
ALEXNET_SHAPES = {  # the study's AlexNet without its first convolution
    "features.3.weight": (192, 64, 5, 5),
    "features.6.weight": (384, 192, 3, 3),
    "features.8.weight": (256, 384, 3, 3),
    "features.10.weight": (256, 256, 3, 3),
    "classifier.1.weight": (4096, 9216),
    "classifier.4.weight": (4096, 4096),
    "classifier.6.weight": (1000, 4096),
}


def make_constants(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """A tensor of one value each, which takes no room in a file; biases for all weights but normalisation's own."""
    return {name: torch.tensor((i + 1) / 64).expand(shape) for i, (name, shape) in enumerate(shapes.items())}


def add_biases(shapes: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return shapes | {name.replace("weight", "bias"): shape[:1] for name, shape in shapes.items()}


def wrap_published(state: dict[str, torch.Tensor], mean=MEAN, std=STD) -> dict[str, torch.Tensor]:
    """Names as the study's training saves them: the network, the attacker's copy, two normalisers."""
    wrapped = {f"module.model.{name}": value for name, value in state.items()}
    wrapped |= {f"module.attacker.model.{name}": value for name, value in state.items()}
    for place in ("preproc", "attacker.preproc"):
        wrapped[f"module.{place}.normalize.new_mean"] = torch.tensor(mean)[:, None, None]
        wrapped[f"module.{place}.normalize.new_std"] = torch.tensor(std)[:, None, None]
    return wrapped


def assert_loaded(module: nn.Module, state: dict[str, torch.Tensor]) -> None:
    own = module.state_dict()
    for name, value in state.items():
        assert torch.equal(own[name], value.float()), name


@pytest.mark.parametrize(("width", "stride", "padding"), [(9, 2, 2), (17, 4, 5), (3, 1, 0)])
def test_hann_pooling_is_a_weighted_average(width, stride, padding):
    rng = np.random.default_rng(width)
    x = rng.standard_normal((2, 3, 31, 40))
    side = hann(width, sym=True)[1:-1]
    window = np.outer(side, side) / side.sum() ** 2
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    expected = [[correlate2d(plane, window, mode="valid")[::stride, ::stride] for plane in each] for each in padded]
    pooled = HannPool2d(width, stride, padding)(torch.tensor(x, dtype=torch.float32))
    np.testing.assert_allclose(pooled.numpy(), np.array(expected), atol=1e-6)


def test_blurring_removes_what_subsampling_would_alias():
    t = torch.arange(112.0)
    fine = torch.cos(torch.pi * t).expand(1, 1, 112, 112)  # as fine as pixels allow
    assert HannPool2d(9, 2, 0)(fine).abs().max() < 2e-3
    assert fine[..., ::2, ::2].abs().max() == 1


def test_reduced_aliasing_checkpoint(tmp_path):
    shapes = add_biases({"features.0.0.weight": (64, 3, 11, 11), **ALEXNET_SHAPES})
    state = make_constants(shapes)
    windows = {f"features.{place}.hann_window2d": torch.ones(1, 1, 7, 7) for place in ("0.2", "2", "5", "12")}
    file = tmp_path / "alexnet_reduced_aliasing_early_checkpoint.pt"
    torch.save({"model": wrap_published(state | windows), "epoch": 38}, file)
    model = load_model("alexnet_reduced_aliasing_early_checkpoint", model_path=tmp_path, device="cpu")
    assert_loaded(model.module, state)
    assert set(model.module.state_dict()) == set(state)
    assert isinstance(model.module, ReducedAliasingAlexNet) and model.weights.tag == file.stem
    assert model.path_name == "alexnet_reduced_aliasing_early_checkpoint"


def list_group_norm_shapes(n_outputs: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the checkpoints that the IPCL project publishes."""
    shapes: dict[str, tuple[int, ...]] = {}
    convolutions = ((96, 3, 11), (256, 96, 5), (384, 256, 3), (384, 384, 3), (256, 384, 3))
    for i, (n_out, n_in, size) in enumerate(convolutions, start=1):
        shapes[f"conv_block_{i}.0.weight"] = (n_out, n_in, size, size)
        shapes[f"conv_block_{i}.1.weight"] = shapes[f"conv_block_{i}.1.bias"] = (n_out,)
    for name, n_in in (("fc6", 9216), ("fc7", 4096)):
        shapes[f"{name}.0.weight"], shapes[f"{name}.0.bias"] = (4096, n_in), (4096,)
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.1.{part}"] = (4096,)
    return shapes | {"fc8.0.weight": (n_outputs, 4096), "fc8.0.bias": (n_outputs,)}


def write_ipcl(folder, n_outputs: int, name: str):
    state = make_constants(list_group_norm_shapes(n_outputs))
    torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, folder / name)
    return state


def test_supervised_group_norm_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    state = write_ipcl(folder, 1000, "alexnet_gn_s1000_imagenet_wus_aug_final_weights_only.pth.tar")
    model = load_model("konkle_alexnetgn_ipcl_ref12_supervised_ipcl_aug", device="cpu")
    assert_loaded(model.module, state)
    assert model.classes is not None and len(model.classes) == 1000
    assert {layer for layer in model.taps.values() if layer.startswith("fc8")} == {"fc8"}


def test_self_supervised_network_and_its_readout_are_two_files(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("BEHOLDER_HOME", str(tmp_path / "home"))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    name = "06_instance_imagenet_AlexNet_n5_lr03_pct40_t07_div1000_e100_bs128_bm20_gn_stack_final_weights_only.pth.tar"
    state = write_ipcl(folder, 128, name)
    observer = "konkle_alexnetgn_ipcl_ref01_primary_model"
    with pytest.raises(WeightsUnavailable, match=r"assets fetch checkpoint-konkle.*-readout"):
        load_model(observer, device="cpu")
    readout = make_constants({"classifier.weight": (1000, 4096), "classifier.bias": (1000,)})
    torch.save({"state_dict": readout}, folder / READOUT_FILE)
    model = load_model(observer, device="cpu")
    assert_loaded(model.module, state | readout)
    with caplog.at_level(logging.WARNING, "beholder"):
        alone = load_model(observer, model_path=folder / name, device="cpu")
    assert "no readout" in caplog.text
    assert isinstance(alone.module.get_submodule("classifier"), nn.Identity)


def test_group_norm_network_computes_what_its_parts_do():
    torch.manual_seed(0)
    net = GroupNormAlexNet(7).eval()
    x = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        y = x
        for block, pool in ((1, True), (2, True), (3, False), (4, False), (5, True)):
            conv, norm, _ = net.get_submodule(f"conv_block_{block}").children()
            y = norm(conv(y)).clamp(min=0)
            y = nn.functional.max_pool2d(y, 3, 2) if pool else y
        for name in ("fc6", "fc7"):
            linear, norm, _ = net.get_submodule(name).children()
            y = norm(linear(y.flatten(1))).clamp(min=0)
        torch.testing.assert_close(net(x), net.fc8(y))


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    torch.save({"model": wrap_published(make_constants({"conv1.weight": (64, 3, 7, 7)}))}, tmp_path / "x.pt")
    with pytest.raises(InputError, match="missing"):
        load_model(f"alexnet_l2_3_robust@{tmp_path / 'x.pt'}", device="cpu")
