"""Robustness checkpoints, and the reader that runs nothing of what a file names."""

import argparse
import collections
import functools
import os
import pickle
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import resnet18
from torchvision.transforms.functional import normalize

from beholder._core.errors import InputError, UnknownNameError
from beholder.models.network._load import load_model
from beholder.models.preprocessing._read import IMAGENET_MEAN, IMAGENET_STD
from beholder.models.sources._robust import RobustSource, build_architecture, pick_network
from beholder.models.weights._robust_reader import read_checkpoint


class Foreign:
    """Stands for a training library's own class."""

    def __init__(self) -> None:
        self.values, self.nested = [1, 2], {"options": argparse.Namespace(lr=0.1)}


class RunsCommand:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


class RunsOnBuild(RunsCommand):
    def __reduce__(self):  # pyright: ignore[reportIncompatibleMethodOverride]
        return subprocess.Popen, (["touch", str(self.mark)],), {"state": 1}, iter([1, 2]), iter([("key", 1)])


class LoadsNestedBytes(RunsCommand):
    def __reduce__(self):  # pyright: ignore[reportIncompatibleMethodOverride]
        return torch.storage._load_from_bytes, (pickle.dumps(RunsCommand(self.mark)),)


class CallsNumpy(RunsCommand):
    def __reduce__(self):  # pyright: ignore[reportIncompatibleMethodOverride]
        return np.load, (str(self.mark),)


def make_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) and found[name].dtype == value.dtype for name, value in expected.items())


@pytest.fixture(params=["zip", "legacy"])
def save(request, tmp_path: Path):
    def write(content, name: str = "checkpoint.pt") -> Path:
        torch.save(content, tmp_path / name, _use_new_zipfile_serialization=request.param == "zip")
        return tmp_path / name

    return write


def test_foreign_objects_are_read_past(save):
    net = make_net()
    content = {
        "model": net.state_dict(),
        "optimizer": torch.optim.SGD(net.parameters(), lr=0.1).state_dict(),
        "epoch": np.float64(3),
        "accuracy": np.arange(3),
        "args": argparse.Namespace(arch="resnet50"),
        "foreign": Foreign(),
        "mixed": [
            collections.defaultdict(list, {1: [2]}),
            {1, 2},
            functools.partial(print, 1),
            torch.float16,
            Path("x"),
        ],
    }
    assert_same(read_checkpoint(save(content)), net.state_dict())


@pytest.mark.parametrize("hostile", [RunsCommand, RunsOnBuild, LoadsNestedBytes, CallsNumpy])
def test_hostile_objects_have_no_effect(save, tmp_path: Path, hostile):
    mark = tmp_path / "mark"
    file = save({"state_dict": make_net().state_dict(), "extra": hostile(mark)})
    assert_same(read_checkpoint(file), make_net().state_dict())
    file = save({"model": hostile(mark)})
    with pytest.raises(InputError, match="holds none"):
        read_checkpoint(file)
    assert not mark.exists()


def test_the_hostile_file_of_these_tests_is_truly_hostile(tmp_path: Path):
    mark = tmp_path / "mark"
    pickle.loads(pickle.dumps(RunsCommand(mark)))
    assert mark.exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_pickles_are_refused_without_effect(tmp_path: Path, protocol: int):
    mark, file = tmp_path / "mark", tmp_path / "posing.pt"
    file.write_bytes(pickle.dumps(RunsCommand(mark), protocol=protocol))
    with pytest.raises(InputError, match="plain pickle"):
        read_checkpoint(file)
    assert not mark.exists()


def test_tensors_of_every_kind(save):
    base = torch.arange(24.0).view(4, 6)
    content = {
        "transposed": base.t()[1:],
        "parameter": nn.Parameter(base),
        "half": base.half(),
        "bfloat16": base.bfloat16(),
        "long": base.long(),
        "flags": base > 3,
        "scalar": torch.tensor(3.5),
        "empty": torch.empty(0, 3),
        "expanded": torch.ones(1).expand(5),
    }
    expected = {name: value.detach() for name, value in content.items()}
    assert_same(read_checkpoint(save(content)), expected)


def test_pickled_and_scripted_modules(save, tmp_path: Path):
    net = make_net().eval()
    assert_same(read_checkpoint(save(net)), net.state_dict())
    assert_same(read_checkpoint(save({"model": net, "epoch": 3})), net.state_dict())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(net).save(tmp_path / "scripted.pt")
    assert_same(read_checkpoint(tmp_path / "scripted.pt"), net.state_dict())


def test_safetensors(tmp_path: Path):
    save_file(make_net().state_dict(), tmp_path / "net.safetensors")
    assert_same(read_checkpoint(tmp_path / "net.safetensors"), make_net().state_dict())
    (tmp_path / "bad.safetensors").write_bytes(b"12345678901234567890")
    with pytest.raises(InputError, match="safetensors"):
        read_checkpoint(tmp_path / "bad.safetensors")


def test_damaged_files_end_in_one_line(save, tmp_path: Path):
    file = save({"model": make_net().state_dict()})
    whole = file.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 40):
        (tmp_path / "cut.pt").write_bytes(whole[:length])
        with pytest.raises(InputError) as caught:
            read_checkpoint(tmp_path / "cut.pt")
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no file"):
        read_checkpoint(tmp_path / "absent.pt")


def test_a_tensor_outside_its_storage_is_refused(tmp_path: Path):
    class Outside:
        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, (torch.zeros(4).storage(), 2, (3,), (1,), False, {})  # pyright: ignore[reportAttributeAccessIssue]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save({"x": Outside()}, tmp_path / "x.pt")
    with pytest.raises(InputError, match="inside its storage"):
        read_checkpoint(tmp_path / "x.pt")


def make_robust_checkpoint(net: nn.Module, mean=IMAGENET_MEAN, *, wrapped: bool = False) -> dict:
    inner = "model.model." if wrapped else "model."
    state = {f"module.{inner}{name}": value for name, value in net.state_dict().items()}
    state |= {f"module.attacker.{inner}{name}": value for name, value in net.state_dict().items()}
    for place in ("normalizer", "attacker.normalize"):
        state[f"module.{place}.new_mean"] = torch.tensor(mean).view(-1, 1, 1)
        state[f"module.{place}.new_std"] = torch.tensor(IMAGENET_STD).view(-1, 1, 1)
    return {"model": state, "epoch": 99, "nat_prec1": np.float64(57.9), "args": Foreign()}


def test_a_robustness_checkpoint_loads_under_its_own_layer_names(save):
    torch.manual_seed(0)
    net = resnet18().eval()
    file = save(make_robust_checkpoint(net), "resnet18_l2_eps3.ckpt")
    model = load_model(f"robust:resnet18@{file}", device="cpu")
    assert (model.name, model.path_name) == ("robust:resnet18@resnet18_l2_eps3", "resnet18")
    assert model.input_range == (0.0, 1.0)
    assert "layer4.1.conv2" in dict(model.module.named_modules())
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(model(x), net(normalize(x, list(IMAGENET_MEAN), list(IMAGENET_STD))))


def test_networks_wrapped_for_the_library_load_too():
    net = build_architecture("mobilenet_v2")
    state = make_robust_checkpoint(net, wrapped=True)["model"]
    assert_same(pick_network(state, net), net.state_dict())
    assert_same(pick_network(dict(net.state_dict()), net), net.state_dict())


def test_another_normaliser_is_refused():
    net = build_architecture("squeezenet1_0")
    state = make_robust_checkpoint(net, mean=(0.4914, 0.4822, 0.4465))["model"]
    with pytest.raises(InputError, match=r"normaliser.*0\.4914"):
        pick_network(state, net)


def test_tags_are_the_published_files():
    source = RobustSource()
    definition = source.find("resnet50", None)
    assert {"imagenet_l2_3_0", "imagenet_linf_4", "imagenet_linf_8", "resnet50_l2_eps3", "resnet50_linf_eps4.0"} <= set(
        definition.tags
    )
    assert definition.published_file is not None
    assert definition.published_file("imagenet_linf_8") == "imagenet_linf_8.pt"
    assert definition.published_file("resnet50_linf_eps4.0") == "resnet50_linf_eps4.0.ckpt"
    assert source.find("densenet", None).tags == ("densenet_l2_eps3", "densenet_l2_eps0")
    assert source.find("alexnet", None).tags == ()
    with pytest.raises(UnknownNameError, match="architecture of robust"):
        source.find("resnet5", None)


def test_every_architecture_builds():
    with torch.device("meta"):
        networks = {name: build_architecture(name) for name in RobustSource().list_names()}
    assert networks["wide_resnet50_4"].get_submodule("layer1.0.conv2").out_channels == 256
