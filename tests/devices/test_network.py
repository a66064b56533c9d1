"""A network on an accelerator, called from Python."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

import beholder as bh
from beholder._core.errors import InputError
from beholder.models import fork_random, free_memory, pick_device

MODEL = "torchvision:squeezenet1_1@random"


def test_what_a_network_is_called_with_goes_where_the_network_is(pretend: str) -> None:
    here, there = bh.load_model(MODEL, device="cpu"), bh.load_model(MODEL, device=pretend)
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    for given in (x, x.to(pretend), x.numpy(), [x[0], x[1]], [each.numpy() for each in x]):
        expected, found = here(given), there(given)
        assert (expected.device.type, found.device.type) == ("cpu", pretend)
        assert torch.equal(found.cpu(), expected)
        logits, layers = bh.capture(there, given, ["features.3"])
        assert logits.device.type == layers["features.3"].device.type == pretend


def test_gradients_come_back_to_where_the_batch_was(pretend: str) -> None:
    here, there = bh.load_model(MODEL, device="cpu"), bh.load_model(MODEL, device=pretend)
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    some, others = (x.clone().requires_grad_() for _ in range(2))
    here(some)[0, 3].backward()
    there(others)[0, 3].backward()
    assert some.grad is not None and others.grad is not None
    assert others.grad.device.type == "cpu" and torch.allclose(some.grad, others.grad, atol=1e-6)


def test_batch_normalisation_by_stored_statistics_is_that_of_the_cpu(pretend: str) -> None:
    """Only these: those of training are lost on the pretend device, by torch's fall-back to the CPU's kernel."""
    from torch import nn

    torch.manual_seed(0)
    norm = nn.BatchNorm2d(6)
    norm.running_mean, norm.running_var = torch.rand(6), 0.5 + torch.rand(6)
    net = nn.Sequential(nn.Conv2d(3, 6, 4, 4), norm, nn.ReLU(), nn.Flatten(), nn.Linear(96, 4)).eval()
    pictures = np.random.default_rng(0).random((2, 3, 16, 16), dtype=np.float32)
    made = []
    for device in ("cpu", pretend):
        own = bh.wrap(copy.deepcopy(net).to(device), input_shape=(3, 16, 16), input_range=(0, 1), name="norm")
        made.append(bh.make_metamers(own, pictures, layers=["2"], recipe="published", iterations=3, threads=1).stimuli)
    assert np.abs(made[0] - made[1]).max() < 1e-5


def test_a_device_of_another_package_is_asked_for_by_name(pretend: str) -> None:
    assert pick_device(pretend) == pretend and pick_device("auto") != pretend
    with pytest.raises(InputError, match=f"cpu, .*{pretend}; got a machine with 1 of them"):
        pick_device(f"{pretend}:1")
    assert bh.load_model(MODEL, device="privateuseone").device.type == pretend


def test_random_numbers_are_put_back_and_memory_is_let_go(pretend: str) -> None:
    before = torch.get_rng_state()
    with fork_random(pretend):
        torch.manual_seed(5)
        torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
    free_memory(pretend)
    free_memory("cpu")


def test_processes_add_up_numbers_on_their_device(pretend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from beholder.training._processes import Processes

    def reduce(values: torch.Tensor) -> None:
        assert values.device.type == pretend  # NCCL takes no tensor of the CPU
        values.mul_(2)

    monkeypatch.setattr("torch.distributed.all_reduce", reduce)
    assert Processes(0, 2, pretend).sum_numbers(1.5, 2) == (3.0, 4.0)


def test_each_process_takes_the_accelerator_of_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    from beholder.training._processes import find_device

    monkeypatch.setenv("LOCAL_RANK", "1")
    assert find_device("cpu") == "cpu"
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert find_device("auto") == find_device("cuda") == "cuda:1" and find_device("cuda:0") == "cuda:0"


SOURCES = {
    "torchvision:resnet18@random": ["layer2", "output"],
    "timm:test_vit.r160_in1k@random": ["blocks.1", "output"],
    "open_clip:RN50@random": ["visual.layer2"],
    "cornet:cornet_s@random": ["V2", "output"],
    "slip:slip_small@random": ["blocks.1"],
    "robust:resnet18@random": ["layer2"],
    "beholder:shapes@random": ["block2", "output"],
    "beholder:syllables@random": ["output"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SOURCES)
def test_every_source_runs_on_an_accelerator_with_the_values_of_the_cpu(name: str, pretend: str) -> None:
    """Within 1e-5 of the largest value of a layer."""
    here, there = bh.load_model(name, device="cpu"), bh.load_model(name, device=pretend)
    shape = here.input_shape
    assert shape is not None
    x = np.random.default_rng(2).random((1, *shape), dtype=np.float32)
    if here.modality == "sound":
        x = here.prepare(0.1 * (x[0] - 0.5))[None]
    expected, layers = bh.capture(here, x, SOURCES[name])
    found, others = bh.capture(there, x, SOURCES[name])
    for one, other in ((expected, found), *((layers[each], others[each]) for each in layers)):
        assert float((one - other.cpu()).abs().max()) <= 1e-5 * max(float(one.abs().max()), 1e-6)
