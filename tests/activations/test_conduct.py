"""Own networks in extraction: any layout, any number of threads, chance and company told, nothing left behind."""

from __future__ import annotations

import copy
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import beholder as bh
from beholder.activations import capture
from beholder.activations.store._arrays import job_folder
from beholder.models import read_preprocessing
from beholder.stimuli import StimulusSet
from student_networks import (
    KEEPERS,
    LAYOUTS,
    TEN,
    BatchStatistics,
    FirstInPlace,
    Noisy,
    Skip,
    WritesInput,
    make_network,
)


def run_alone(network: nn.Module, stimuli: np.ndarray, layer: str) -> tuple[np.ndarray, np.ndarray]:
    """A layer's values and the output, a fresh network for each stimulus."""
    rows = []
    for stimulus in stimuli:
        fresh, found = copy.deepcopy(network).eval().requires_grad_(False), []
        fresh.get_submodule(layer).register_forward_hook(lambda *args, found=found: found.append(args[2].clone()))
        with torch.no_grad():
            output = fresh(torch.from_numpy(stimulus.copy())[None])
        rows.append((found[-1][0].numpy(), output[0].numpy()))
    return np.stack([row[0] for row in rows]), np.stack([row[1] for row in rows])


def extract(network: nn.Module, stimuli, layer: str, folder: Path, **options) -> tuple[np.ndarray, np.ndarray]:
    acts = bh.extract(network, stimuli, [layer, "output"], out_path=folder, **options)
    return np.asarray(acts[layer]).reshape(len(stimuli), -1), np.asarray(acts["output"]).reshape(len(stimuli), -1)


@pytest.mark.parametrize("name", [*TEN, *LAYOUTS])
def test_own_architectures_give_what_they_give_alone(name: str, tmp_path: Path) -> None:
    kind, shape, layer = (TEN | LAYOUTS)[name]
    layer = f"{layer}@1" if name == "siamese" and layer.startswith("tower") else layer
    network = make_network(kind).train()
    stimuli = np.random.default_rng(1).random((6, *shape), dtype=np.float32)
    values, outputs = run_alone(network, stimuli, layer)
    got, said = extract(network, stimuli, layer, tmp_path, batch_size=2)
    np.testing.assert_allclose(got, values.reshape(6, -1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(said, outputs.reshape(6, -1), rtol=1e-4, atol=1e-5)
    logits, captured = capture(network, stimuli, [layer])
    np.testing.assert_allclose(captured[layer].numpy(), values, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(logits.numpy(), outputs, rtol=1e-4, atol=1e-5)
    assert network.training and all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("name", KEEPERS)
def test_networks_that_keep_something_give_the_same_on_any_number_of_threads(
    name: str, threads: int, tmp_path: Path
) -> None:
    network = make_network(KEEPERS[name])
    stimuli = np.random.default_rng(2).random((48, 3, 24, 24), dtype=np.float32)
    values, _ = run_alone(network, stimuli, "fc")
    got, _ = extract(network, stimuli, "fc", tmp_path, batch_size=2, threads=threads)
    np.testing.assert_allclose(got, values, rtol=1e-4, atol=1e-5)


def test_the_layout_is_settled_once_and_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stimuli = np.random.default_rng(3).random((4, 3, 16, 16), dtype=np.float32)
    acts = bh.extract(make_network(Skip), stimuli, ["conv"], out_path=tmp_path / "free")
    assert job_folder(acts.path).read_settings()["channels_last"] is True  # pyright: ignore[reportOptionalSubscript]
    with caplog.at_level(logging.DEBUG, "beholder"):
        acts = bh.extract(make_network(LAYOUTS["asserted"][0]), stimuli, ["fc"], out_path=tmp_path / "bound")
    assert job_folder(acts.path).read_settings()["channels_last"] is False  # pyright: ignore[reportOptionalSubscript]
    assert "contiguous layout: in channels-last its pass fails (a contiguous map)" in caplog.text
    first = np.asarray(acts["fc"])
    more = bh.extract(
        make_network(LAYOUTS["asserted"][0]), np.concatenate([stimuli, stimuli[:1] * 0.5]), ["fc"],
        out_path=tmp_path / "bound", append=True,
    )  # fmt: skip
    assert np.array_equal(np.asarray(more["fc"])[:4], first)
    acts = bh.extract(make_network(LAYOUTS["as_strided"][0]), stimuli, ["fc"], out_path=tmp_path / "strided")
    assert job_folder(acts.path).read_settings()["channels_last"] is False  # pyright: ignore[reportOptionalSubscript]


def test_pictures_reach_a_network_that_wants_them_contiguous_so(tmp_path: Path) -> None:
    kind = LAYOUTS["input"][0]
    network = bh.wrap(make_network(kind), preprocess=read_preprocessing("imagenet"))
    pictures = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)
    acts = bh.extract(network, pictures, ["conv"], out_path=tmp_path)
    assert job_folder(acts.path).read_settings()["channels_last"] is False  # pyright: ignore[reportOptionalSubscript]


@pytest.mark.parametrize(
    ("kind", "said"), [(Noisy, "other values each time"), (BatchStatistics, "in another batch"), (Skip, None)]
)
def test_chance_and_company_are_told_once(
    kind: type[nn.Module], said: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stimuli = np.random.default_rng(4).random((4, 3, 12, 12), dtype=np.float32)
    state = torch.get_rng_state()
    with caplog.at_level(logging.WARNING, "beholder"):
        bh.extract(make_network(kind), stimuli, ["conv", "fc"], out_path=tmp_path)
    told = [record.getMessage() for record in caplog.records]
    assert [said in line for line in told] == ([True] if said else [])
    if kind is not Noisy:
        assert torch.equal(torch.get_rng_state(), state)
    caplog.clear()
    bh.extract(make_network(kind), stimuli, ["conv"], out_path=tmp_path / "before")  # ends before chance plays a part
    assert not caplog.records


@pytest.mark.parametrize("kind", [WritesInput, FirstInPlace])
def test_networks_that_write_to_their_input_leave_the_callers_arrays(kind: type[nn.Module], tmp_path: Path) -> None:
    shape = (3, 2, 2) if kind is FirstInPlace else (3, 8, 8)
    network = make_network(kind)
    stimuli = np.random.default_rng(5).normal(size=(5, *shape)).astype(np.float32)
    before = stimuli.copy()
    _, outputs = run_alone(network, stimuli, "fc")
    logits, layers = capture(network, stimuli, ["fc"])
    np.testing.assert_allclose(logits.numpy(), outputs, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layers["fc"].numpy(), outputs, rtol=1e-5, atol=1e-6)
    got, _ = extract(network, StimulusSet.from_arrays(stimuli, kind="array"), "fc", tmp_path, batch_size=2)
    np.testing.assert_allclose(got, outputs, rtol=1e-4, atol=1e-5)
    assert np.array_equal(stimuli, before)
    batch = torch.from_numpy(stimuli).requires_grad_()
    capture(network, batch, ["fc"], grad=True)[0].sum().backward()
    assert batch.grad is not None and np.array_equal(stimuli, before)


def test_activations_that_find_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    network = make_network(Skip)
    stimuli = np.random.default_rng(6).random((48, 3, 8, 8), dtype=np.float32)
    monkeypatch.setattr("beholder.activations.extraction._plan._SHARD_BYTES", 2**15)
    whole, _ = extract(network, stimuli, "conv", tmp_path / "whole", batch_size=4)
    reserve, asked = torch.empty, []
    failing = range(3, 5)  # the buffers of the second shard, beside those of the first

    def refuse(*args, **options):
        asked.append(args)
        if len(asked) in failing:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: 12 bytes")
        return reserve(*args, **options)

    monkeypatch.setattr("beholder.activations.extraction._worker.torch.empty", refuse)
    with caplog.at_level(logging.WARNING, "beholder"):
        again, _ = extract(network, stimuli, "conv", tmp_path / "short", batch_size=4)
    assert np.array_equal(again, whole) and "no room for the activations of two shards at once" in caplog.text
    failing = range(1, 10**6)
    with pytest.raises(bh.BeholderError, match=r"expected room for the activations of \d+ stimuli, .*B; got .*alloc"):
        extract(network, stimuli, "conv", tmp_path / "none", batch_size=4)


LOOKS = """
import sys
import numpy as np, torch
before = "torch._dynamo" in sys.modules
import beholder as bh
network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())
model = bh.wrap(network, input_shape=(3, 16, 16), input_range=(0, 1))
bh.extract(model, np.random.default_rng(0).random((3, 3, 16, 16), dtype=np.float32), ["0"], out_path=sys.argv[1])
assert before or "torch._dynamo" not in sys.modules
"""


def test_compiler_is_not_loaded_for_a_network_that_is_not_compiled(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LOOKS, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
