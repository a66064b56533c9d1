"""Models that are sent to worker processes: as they are in memory, or refused."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook
from torch.utils.hooks import RemovableHandle

from beholder._core.errors import InputError
from beholder.models import Model, identify_model, load_model, wrap
from beholder.models.network._model_worker import read_tensors, write_tensors

READ = """
import sys
from pathlib import Path
import numpy as np, torch
from beholder.models.network._model_worker import read_tensors
model, batch = read_tensors(Path(sys.argv[1]))
np.save(sys.argv[2], model(batch).detach().numpy())
hooked = []
handle = next(model.module.modules()).register_forward_hook(lambda part, given, output: output)
np.save(sys.argv[3], model(batch).detach().numpy())
assert "torch._dynamo" not in sys.modules, "two seconds of every worker's start"
"""


@pytest.fixture
def batch() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).random((2, 3, 8, 8), dtype=np.float32))


@pytest.fixture
def default_dtype() -> Iterator[None]:
    yield
    torch.set_default_dtype(torch.float32)


def send(model: Model, batch: torch.Tensor, tmp_path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Outputs of a model in another process, before and after a hook was put on it there."""
    write_tensors((model, batch), tmp_path / "parcel")
    outputs = [tmp_path / "one.npy", tmp_path / "two.npy"]
    command = [sys.executable, "-c", READ, str(tmp_path / "parcel"), *map(str, outputs)]
    subprocess.run(command, check=True)
    one, two = map(np.load, outputs)
    return one, two


@pytest.mark.usefixtures("default_dtype")
def test_what_was_done_to_a_network_reaches_another_process(batch: torch.Tensor, tmp_path: Path) -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            zero = torch.zeros(1)
            return self.body(x).mean((2, 3)) * factor + zero.to(x.dtype) + float(zero.dtype == torch.float64)

    factor = 2.0
    module: Any = Own()
    module.body.bias.data.zero_()
    module.register_forward_hook(lambda part, given, output: output * 3 + 1)
    model = wrap(module, normalize=lambda x: x - 0.5, input_shape=(3, 8, 8))
    torch.set_default_dtype(torch.float64)
    expected = model(batch).detach().numpy()
    one, two = send(model, batch, tmp_path)
    np.testing.assert_array_equal(one, expected)
    np.testing.assert_array_equal(two, expected, err_msg="a hook of the other process replaced the network's own")


def test_a_loaded_model_that_was_changed_is_not_built_anew(tmp_path: Path) -> None:
    model = load_model("beholder:shapes", device="cpu")
    before = identify_model(model)
    with torch.no_grad():
        next(model.module.parameters())[:2] = 0
    assert model.spec is not None
    write_tensors(model, tmp_path / "parcel")
    sent = read_tensors(tmp_path / "parcel")
    assert identify_model(sent) == identify_model(model) != before


def test_weights_are_written_once_and_changed_apart(tmp_path: Path) -> None:
    shared = nn.Linear(256, 256, bias=False)
    twin = nn.Linear(256, 256, bias=False)
    twin.weight = nn.Parameter(shared.weight.detach().T)  # another parameter over the same memory
    model = wrap(nn.Sequential(shared, twin, shared))
    write_tensors(model, tmp_path / "parcel")
    assert (tmp_path / "parcel").stat().st_size < 1.5 * shared.weight.nbytes
    first, second = (read_tensors(tmp_path / "parcel").module for _ in range(2))
    assert first[0] is first[2]
    with torch.no_grad():
        first[0].weight.zero_()
    assert torch.equal(second[0].weight, shared.weight)


class Unpicklable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)

    def __getstate__(self) -> dict:
        raise RuntimeError("not to be pickled")


NETWORK = """
from torch import nn

class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.body(x)

    def __getstate__(self):
        raise RuntimeError("not to be pickled")

def build():
    return Own()
"""


def test_a_model_that_does_not_pickle_goes_as_its_recipe_or_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="not to be pickled"):
        write_tensors(wrap(Unpicklable()), tmp_path / "parcel")
    (tmp_path / "net.py").write_text(NETWORK, encoding="utf-8")
    model: Any = load_model(f"file:{tmp_path / 'net.py'}", device="cpu")
    write_tensors(model, tmp_path / "parcel")
    assert identify_model(read_tensors(tmp_path / "parcel")) == identify_model(model)
    model.module.body.weight.data[0] = 0
    write_tensors(model, tmp_path / "parcel")
    with pytest.raises(InputError, match="that was handed over in every worker process; got another one there"):
        read_tensors(tmp_path / "parcel")


class Forgetful(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gain = 1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.gain

    def __setstate__(self, state: dict) -> None:
        super().__setstate__({**state, "gain": 1.0})


def test_a_network_that_arrives_as_another_is_refused(tmp_path: Path) -> None:
    module = Forgetful()
    write_tensors(wrap(module), tmp_path / "parcel")
    read_tensors(tmp_path / "parcel")
    module.gain = 2.0
    write_tensors(wrap(module), tmp_path / "parcel")
    with pytest.raises(InputError, match="changed in a way that does not reach other processes; try workers=1"):
        read_tensors(tmp_path / "parcel")


def test_hooks_on_all_modules_are_refused(tmp_path: Path) -> None:
    handle = register_module_forward_hook(lambda part, given, output: output)
    try:
        with pytest.raises(InputError, match="hooks on all modules, which do not reach workers; try workers=1"):
            write_tensors(wrap(nn.Identity()), tmp_path / "parcel")
    finally:
        handle.remove()


def test_a_hook_of_beholders_does_not_replace_one_that_was_loaded() -> None:
    module = nn.Identity()
    handle = module.register_forward_hook(lambda part, given, output: output + 1)  # pyright: ignore[reportOperatorIssue]
    module._forward_hooks[RemovableHandle.next_id + 1] = module._forward_hooks.pop(handle.id)
    wrap(module)
    module.register_forward_hook(lambda part, given, output: None)
    module.register_forward_hook(lambda part, given, output: None)
    assert module(1) == 2


def test_what_holds_a_lock_raises_on_the_way(tmp_path: Path) -> None:
    module = nn.Identity()
    module.lock = threading.Lock()  # type: ignore[assignment]
    with pytest.raises(TypeError, match="lock"):
        write_tensors(wrap(module, version="1"), tmp_path / "parcel")
