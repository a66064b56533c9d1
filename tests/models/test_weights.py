"""Reading weight files without running them, and putting them into modules."""

from __future__ import annotations

import argparse
import pickle
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from beholder._core.errors import InputError
from beholder.models import read_weights
from beholder.models.weights._look import describe_damage
from beholder.models.weights._read import (
    find_weights_file,
    get_checkpoint_folder,
    load_file_weights,
    load_state,
    strip_prefixes,
)


def make_net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return make_net().state_dict()


WRAPPERS = {
    "plain": lambda s: s,
    "state_dict": lambda s: {"state_dict": s, "epoch": 3, "optimizer": {"lr": 0.1}},
    "model": lambda s: {"model": s, "arch": "net"},
    "module": lambda s: {f"module.{k}": v for k, v in s.items()},
    "compiled": lambda s: {f"_orig_mod.{k}": v for k, v in s.items()},
    "nested": lambda s: {"state_dict": {f"module.model.{k}": v for k, v in s.items()}},
    "beside": lambda s: {**s, "epoch": 3},
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin"])
def test_wrappers(wrapper, suffix, state, tmp_path):
    file = tmp_path / f"net{suffix}"
    torch.save(WRAPPERS[wrapper](state), file)
    net = make_net()
    weights = load_file_weights(net, file, tag="net")
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert weights.file == str(file) and len(weights.sha256 or "") == 64


def test_legacy_format_and_safetensors(state, tmp_path):
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    save_file(state, tmp_path / "new.safetensors")
    for name in ("old.pth", "new.safetensors"):
        assert torch.equal(read_weights(tmp_path / name)["0.weight"], state["0.weight"])


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("the pickle was run",))


@pytest.mark.parametrize("protocol", ["torch", "pickle"])
def test_pickle_posing_as_weights_is_refused(protocol, tmp_path):
    file = tmp_path / "net.pth"
    if protocol == "torch":
        torch.save({"state_dict": Bomb()}, file)
    else:
        file.write_bytes(pickle.dumps({"weight": Bomb()}))
    with pytest.raises(InputError) as caught:
        read_weights(file)
    assert str(file) in str(caught.value) and "\n" not in str(caught.value)


def test_foreign_objects_beside_tensors_are_inert(state, tmp_path):
    torch.save(
        {"model": {f"module.model.{k}": v for k, v in state.items()}, "args": argparse.Namespace(eps=3)},
        tmp_path / "r.pt",
    )
    net: Any = make_net()
    load_file_weights(net, tmp_path / "r.pt", tag="r")
    assert torch.equal(net[2].weight, state["2.weight"])


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        (b"", "a.pth", "an empty file"),
        (b"", "a.safetensors", "an empty file"),
        (b"hello", "a.pth", "cannot"),
        (b"hello", "a.safetensors", "does not begin"),
        (b"PK\x03\x04broken", "a.pt", "truncated"),
        (b"\n<!DOCTYPE html><html><body>Sign in</body>", "a.pth", r"a web page \(HTML\)"),
        (b"<html>404</html>", "a.safetensors", r"a web page \(HTML\)"),
        (b'{"error": "gone"}', "a.bin", "JSON"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a.pth", "Git LFS"),
        (bytes(4096), "a.pth", "zeros"),
    ],
)
def test_damaged_files(content, name, told, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=told) as caught:
        read_weights(tmp_path / name)
    assert name in str(caught.value) and "\n" not in str(caught.value)
    assert "pickle" not in str(caught.value) or name == "a.pth"


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors", "old.pth"])
def test_truncated_files(name, state, tmp_path):
    file = tmp_path / name
    if name.endswith(".safetensors"):
        save_file(state, file)
    else:
        torch.save(state, file, _use_new_zipfile_serialization=name == "a.pth")
    assert describe_damage(file) is None
    content = file.read_bytes()
    for share in (0.02, 0.5, 0.999):
        file.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(InputError, match=r"fetching it again|pickle"):
            read_weights(file)
        assert name == "old.pth" or "truncated" in str(describe_damage(file))


def test_no_state_inside(tmp_path):
    torch.save({"epoch": 3, "loss": [1.0]}, tmp_path / "a.pth")
    with pytest.raises(InputError, match="state dict"):
        read_weights(tmp_path / "a.pth")


def test_mismatch_names_a_few(state):
    del state["0.weight"], state["2.bias"]
    state["head.weight"] = torch.zeros(1)
    state["2.weight"] = torch.zeros(7, 4)
    with pytest.raises(InputError) as caught:
        load_state(make_net(), state, origin="x.pth")
    text = str(caught.value)
    for part in ("2 missing (0.weight, 2.bias)", "1 unexpected (head.weight)", "2.weight (7, 4) for (2, 4)", "x.pth"):
        assert part in text
    assert "\n" not in text


def test_prefix_that_the_module_has_itself_stays():
    state = {"model.fc": 1}
    assert strip_prefixes(state, ["model.fc"]) == state
    assert strip_prefixes(state, ["fc"]) == {"fc": 1}


def test_folder(tmp_path, state):
    with pytest.raises(InputError, match="none"):
        find_weights_file(tmp_path, "net-1.pth", model="x:net")
    torch.save(state, tmp_path / "mine.pth")
    assert find_weights_file(tmp_path, "net-1.pth", model="x:net").name == "mine.pth"
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"net-1.pth.*mine.pth, other.pth"):
        find_weights_file(tmp_path, "net-1.pth", model="x:net")
    torch.save(state, tmp_path / "net-1.pth")
    assert find_weights_file(tmp_path, "net-1.pth", model="x:net").name == "net-1.pth"
    with pytest.raises(InputError, match="nothing at"):
        find_weights_file(tmp_path / "absent", None, model="x:net")


def test_checkpoint_folder_is_torchs_own(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert str(get_checkpoint_folder()) == f"{torch.hub.get_dir()}/checkpoints"
    monkeypatch.delenv("TORCH_HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert str(get_checkpoint_folder()) == f"{torch.hub.get_dir()}/checkpoints"
