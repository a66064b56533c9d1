"""A layer's read-out on its network: a checkpoint that answers as the stored activations did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn

import beholder as bh
from beholder._core.errors import InputError
from beholder.activations import join_readout
from beholder.models import ModelCard, find_head, identify_model, make_card, read_card, set_head, write_checkpoint

NETWORK = """
import torch
from torch import nn

input_shape, input_range = (3, 12, 12), (0, 1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.relu = nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True)
        self.more, self.fc = nn.Conv2d(4, 4, 3), nn.Linear(4, 5)

    def forward(self, x):
        x = self.relu(self.more(self.relu(self.conv(x))))
        return self.fc(x.mean((2, 3)))


def build():
    torch.manual_seed(1)
    return Net()
"""


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> str:
    file = tmp_path_factory.mktemp("net") / "net.py"
    file.write_text(NETWORK)
    return f"file:{file}"


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    return torch.rand((18, 3, 12, 12), generator=torch.Generator().manual_seed(0))


def read_out(network: str, pictures: torch.Tensor, layer: str, pool: str, place: Path) -> tuple[Path, np.ndarray]:
    """A probe of a stored layer, and the logits that it gives for the stored activations."""
    store = bh.extract(bh.load_model(network, device="cpu"), pictures, [layer], out_path=place / "acts", pool=pool)
    kinds = np.resize(["a", "b", "c"], 18)
    bh.analyze_probe(store, kinds, penalties=[0.1], out_path=place / "out")
    (file,) = (place / "out" / "probes").iterdir()
    values = load_file(file)
    rows = store[layer].to_numpy().reshape(18, -1)
    return file, rows @ values["readout.weight"].T + values["readout.bias"]


# conv and more are followed by a ReLU that writes to what they gave
@pytest.mark.parametrize(
    ("layer", "pool"),
    [("conv", "none"), ("conv", "mean"), ("more:in", "max"), ("relu@2", "center"), ("fc", "none"), ("output", "none")],
)
def test_the_network_answers_as_the_stored_layer_did(network, pictures, layer, pool, tmp_path):
    file, expected = read_out(network, pictures, layer, pool, tmp_path)
    path = join_readout(network, file, tmp_path / "probe.safetensors")
    net = bh.load_model(f"{network}@{path}", device="cpu")
    assert net.classes == ("a", "b", "c")
    np.testing.assert_allclose(net(pictures).detach().numpy(), expected, atol=1e-5)
    logits, captured = bh.capture(net, pictures, ["conv", "readout", "output"])
    assert torch.equal(captured["output"], captured["readout"]) and torch.equal(captured["output"], logits)
    own = bh.load_model(network, device="cpu")
    assert torch.equal(captured["conv"], bh.capture(own, pictures, ["conv"])[1]["conv"])
    card = read_card(path)
    assert card.preset == "probe, logistic" and card.accuracies[0]["part"] == "test"
    assert net.spec is not None and identify_model(net.spec.load()) == identify_model(net)


def test_a_joined_network_is_one_like_others(network, pictures, tmp_path):
    file, _ = read_out(network, pictures, "conv", "mean", tmp_path)
    net = bh.load_model(f"{network}@{join_readout(network, file, tmp_path / 'a.safetensors')}", device="cpu")
    assert find_head(net) == ("readout", 3)
    again = write_checkpoint(tmp_path / "b.safetensors", net.module, make_card(net))
    assert torch.equal(bh.load_model(f"{network}@{again}", device="cpu")(pictures), net(pictures))
    batch = pictures.clone().requires_grad_()
    net(batch).sum().backward()
    assert batch.grad is not None and batch.grad.abs().sum() > 0
    first = (tmp_path / "a.safetensors").read_bytes()
    assert join_readout(network, file, tmp_path / "a.safetensors").read_bytes() == first
    assert not net.module.get_submodule("conv")._forward_hooks
    with pytest.raises(InputError, match="without a part called 'readout'"):
        join_readout(net, _forget_network(file, tmp_path), tmp_path / "c.safetensors")


def _forget_network(file: Path, folder: Path) -> Path:
    from dataclasses import replace

    card = read_card(file)
    readout = {**(card.readout or {}), "network": None}
    state = {name: torch.from_numpy(value) for name, value in load_file(file).items()}
    return write_checkpoint(folder / "free.safetensors", state, replace(card, readout=readout))


def test_what_cannot_be_joined_is_one_line(network, pictures, tmp_path, caplog):
    file, _ = read_out(network, pictures, "conv", "mean", tmp_path)
    with pytest.raises(InputError, match="the read-out of conv alone; try `beholder models join"):
        bh.load_model(f"{network}@{file}", device="cpu")
    other = bh.load_model(f"{network}@random", device="cpu")
    with torch.no_grad():
        other.module.get_submodule("fc").weight.add_(1)  # pyright: ignore[reportCallIssue]
    with pytest.raises(InputError, match="the network whose conv was read; got"):
        join_readout(other, file, tmp_path / "a.safetensors")
    free = _forget_network(file, tmp_path)
    join_readout(other, free, tmp_path / "a.safetensors")
    assert "does not say of which network it is" in caplog.text
    wide = bh.wrap(nn.Sequential(nn.Conv2d(3, 9, 3)), input_shape=(3, 12, 12), input_range=(0, 1))
    with pytest.raises(InputError, match="layer of this model"):
        join_readout(wide, free, tmp_path / "b.safetensors")
    plain = write_checkpoint(tmp_path / "plain.safetensors", wide.module, ModelCard())
    with pytest.raises(InputError, match="whose card names none"):
        join_readout(network, plain, tmp_path / "b.safetensors")
    last, _ = read_out(network, pictures, "fc", "none", tmp_path / "last")
    grown = bh.load_model(network, device="cpu")
    set_head(grown.module, "fc", 7)
    with pytest.raises(InputError, match="5 features at fc; got 7"):
        join_readout(grown, _forget_network(last, tmp_path), tmp_path / "b.safetensors")
    assert not (tmp_path / "b.safetensors").exists()


def test_stimuli_of_another_size_are_told_apart(pictures, tmp_path):
    (tmp_path / "any.py").write_text(NETWORK.replace("input_shape, input_range = (3, 12, 12), (0, 1)", ""))
    network = f"file:{tmp_path / 'any.py'}"
    file, expected = read_out(network, pictures, "conv", "none", tmp_path)
    path = join_readout(network, file, tmp_path / "a.safetensors")
    net = bh.load_model(f"{network}@{path}", device="cpu")
    np.testing.assert_allclose(net(pictures).detach().numpy(), expected, atol=1e-5)
    with pytest.raises(InputError, match="a size that gives 400 features at conv; got 256"):
        net(pictures[..., :10, :10])
