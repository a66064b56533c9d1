"""Checkpoints written for the robustness library and read from it, and other files of weights given a card.

The published library (MadryLab/robustness at a954124) loads what is written here: ``make_and_restore_model`` gives the
logits of squeezenet1_1, resnet18, alexnet, densenet121 and vgg11_bn to the last bit, and those of ``beholder:shapes``
with ``add_custom_forward=True``; what it saves is read to the last bit. ``Attacked`` below names tensors as it does.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

import beholder as bh
from beholder._core.errors import InputError
from beholder.models import (
    ImagePreprocessing,
    export_robustness,
    import_checkpoint,
    make_card,
    read_card,
    write_checkpoint,
)
from beholder.models.weights._robustness import join_robustness, split_robustness

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)


class Normalizer(nn.Module):
    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("new_mean", torch.tensor(mean)[..., None, None])
        self.register_buffer("new_std", torch.tensor(std)[..., None, None])

    def forward(self, x: Tensor) -> Tensor:
        return (x.clamp(0, 1) - self.get_buffer("new_mean")) / self.get_buffer("new_std")


class Attacker(nn.Module):
    def __init__(self, model: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.normalize, self.model = Normalizer(mean, std), model


class Dummy(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class Attacked(nn.Module):
    """The library's ``AttackerModel``, as far as a state dict and the logits go."""

    def __init__(self, model: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.normalizer, self.model, self.attacker = Normalizer(mean, std), model, Attacker(model, mean, std)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(self.normalizer(x))


def fill(module: nn.Module, seed: int) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.2)
    return module.eval()


@pytest.fixture
def pictures() -> Tensor:
    return torch.rand((2, 3, 64, 64), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("name", "custom"),
    [("torchvision:squeezenet1_1", False), ("robust:squeezenet1_0", False), ("beholder:shapes", True)],
)
def test_what_is_exported_is_what_the_library_restores(name, custom, pictures, tmp_path):
    net = bh.load_model(f"{name}@random", device="cpu")
    path = export_robustness(net, tmp_path / "out.pt")
    content = torch.load(path, weights_only=True)
    assert set(content) == {"model", "epoch"}
    inner = bh.load_model(f"{name}@random", device="cpu", seed=1).module
    theirs = Attacked(Dummy(inner) if custom else inner, MEAN, STD)
    theirs.load_state_dict({key[len("module.") :]: value for key, value in content["model"].items()})
    with torch.no_grad():
        assert torch.equal(theirs.eval()(pictures), net(pictures))
    assert path.stat().st_size < 1.1 * sum(4 * value.numel() for value in net.module.state_dict().values()) + 50_000


def test_the_last_layer_of_alexnet_has_the_librarys_name():
    slim = {"classifier.1.weight": torch.ones(1), "classifier.6.weight": torch.zeros(1)}
    named = join_robustness(slim, MEAN, STD, architecture="alexnet")
    names = [f"{place}model.{name}.weight" for place in ("", "attacker.") for name in ("classifier.1", "last_layer")]
    assert [name for name in named if "normal" not in name] == [f"module.{name}" for name in names]
    assert split_robustness(named, slim).tensors == slim
    kept = join_robustness(slim, MEAN, STD, architecture="vgg16")
    assert "module.model.classifier.6.weight" in kept


def test_a_round_trip_keeps_every_bit_and_the_same_bytes(tmp_path, pictures):
    random = bh.load_model("beholder:shapes@random", device="cpu")
    assert isinstance(random.preprocessing, ImagePreprocessing)
    net = replace(random, preprocessing=replace(random.preprocessing, mean=MEAN, std=STD))
    checkpoint = write_checkpoint(tmp_path / "a.safetensors", net.module, make_card(net, epoch=9))
    loaded = bh.load_model(f"beholder:shapes@{checkpoint}", device="cpu")
    first = export_robustness(loaded, tmp_path / "a.pt")
    assert torch.load(first, weights_only=True)["epoch"] == 9
    assert export_robustness(loaded, tmp_path / "b.pt").read_bytes() == first.read_bytes()
    back = bh.load_model(
        f"beholder:shapes@{import_checkpoint(first, 'beholder:shapes', tmp_path / 'c.safetensors')}", device="cpu"
    )
    assert torch.equal(back(pictures), net(pictures))
    assert (back.preprocessing, back.classes) == (net.preprocessing, net.classes)


class Options:
    """An object of the library's own, such as its arguments."""


def test_a_checkpoint_of_the_library_becomes_one_with_a_card(tmp_path, pictures):
    from torchvision.models import squeezenet1_1

    theirs = fill(Attacked(squeezenet1_1(num_classes=3), MEAN, STD), 4)
    for part in ("normalizer", "attacker.normalize"):
        normalizer = theirs.get_submodule(part)
        normalizer.get_buffer("new_mean").copy_(torch.tensor(MEAN)[:, None, None])
        normalizer.get_buffer("new_std").copy_(torch.tensor(STD)[:, None, None])
    state = {f"module.{name}": value for name, value in theirs.state_dict().items()}
    torch.save({"model": state, "epoch": 3, "args": Options()}, tmp_path / "theirs.pt")
    path = import_checkpoint(
        tmp_path / "theirs.pt", "torchvision:squeezenet1_1", tmp_path / "ours.safetensors", classes=["a", "b", "c"],
        licence="MIT",
    )  # fmt: skip
    net = bh.load_model(f"squeezenet1_1@{path}", device="cpu")
    with torch.no_grad():
        assert torch.equal(net(pictures), theirs(pictures))
    assert net.classes == ("a", "b", "c") and isinstance(net.preprocessing, ImagePreprocessing)
    assert (net.preprocessing.mean, net.preprocessing.std) == (MEAN, STD)
    card = read_card(path)
    assert (card.started_from or "").startswith("theirs.pt, sha256 ") and card.licence == "MIT" and len(card.notes) == 1
    with pytest.raises(InputError, match=r"3 names of classes for .*; got 2"):
        import_checkpoint(
            tmp_path / "theirs.pt", "torchvision:squeezenet1_1", tmp_path / "b.safetensors", classes=["a", "b"]
        )
    with pytest.raises(InputError, match=r"30 missing|missing \("):
        import_checkpoint(tmp_path / "theirs.pt", "torchvision:resnet18", tmp_path / "b.safetensors")
    assert not (tmp_path / "b.safetensors").exists()
    with pytest.raises(InputError, match="beholder models import"):
        bh.load_model(f"robust:squeezenet1_0@{tmp_path / 'theirs.pt'}", device="cpu")


def test_any_file_of_weights_gets_a_card(tmp_path, pictures):
    net = bh.load_model("beholder:shapes@random", device="cpu", seed=8)
    torch.save({"state_dict": {f"module.{k}": v for k, v in net.module.state_dict().items()}}, tmp_path / "mine.pth")
    path = import_checkpoint(tmp_path / "mine.pth", "beholder:shapes", tmp_path / "mine.safetensors")
    assert torch.equal(bh.load_model(f"beholder:shapes@{path}", device="cpu")(pictures), net(pictures))
    assert read_card(path).notes == () and read_card(path).classes == net.classes
    with pytest.raises(InputError, match="no file at"):
        import_checkpoint(tmp_path / "absent.pth", "beholder:shapes", tmp_path / "b.safetensors")


def test_networks_that_the_format_cannot_hold(tmp_path):
    with pytest.raises(InputError, match=r"pictures in \[0, 1\] .* prepared by SoundPreprocessing"):
        export_robustness("beholder:syllables@random", tmp_path / "a.pt")
    with pytest.raises(InputError, match="that ends in"):
        export_robustness("beholder:shapes@random", tmp_path / "a.safetensors")
    own = bh.wrap(nn.Conv2d(3, 2, 3), "imagenet", call=lambda net, x: net(x).mean((2, 3)))
    with pytest.raises(InputError, match="own forward pass"):
        export_robustness(own, tmp_path / "a.pt")
    assert not list(tmp_path.iterdir())
