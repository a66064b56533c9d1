"""Copies that are run: what they share, what is their own, and that nothing is left in the network."""

from __future__ import annotations

import copy
import gc
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from beholder import InputError, wrap
from beholder import capture as bh_capture
from beholder.models import ThreadModels, copy_model
from beholder.models.network._copy_module import list_parts
from student_networks import KEEPERS, TEN, FirstInPlace, MakesLayers, Skip, WritesInput, make_network


def describe(module: nn.Module) -> dict:
    """Everything about a network that somebody could notice."""
    found: dict = {"training": {name: part.training for name, part in module.named_modules()}}
    for name, part in module.named_modules():
        own = {k: v for k, v in vars(part).items() if k not in ("_parameters", "_buffers", "_modules")}
        found[name] = {
            key: (id(value), copy.copy(value) if isinstance(value, dict) else None) for key, value in own.items()
        }
    found["state"] = {k: (v.clone(), v.stride(), v.data_ptr(), v._version) for k, v in module.state_dict().items()}
    found["asks"] = {name: (p.requires_grad, p.grad is None) for name, p in module.named_parameters()}
    return found


def assert_unchanged(module: nn.Module, before: dict) -> None:
    after = describe(module)
    for name, (values, *rest) in before.pop("state").items():
        now, *others = after["state"][name]
        assert torch.equal(values, now) and rest == others, name
    after.pop("state")
    assert after == before


@pytest.mark.parametrize("name", TEN)
def test_a_copy_computes_what_the_network_in_eval_mode_does(name: str) -> None:
    kind, shape, _ = TEN[name]
    network = make_network(kind).train()
    expected = copy.deepcopy(network).eval().requires_grad_(False)(x := torch.rand(3, *shape))
    before = describe(network)
    model = wrap(network)
    made = copy_model(model)
    assert torch.equal(made.run(x), expected) and torch.equal(model(x), expected)
    assert torch.equal(made.run(x), expected) and not model(x).requires_grad
    assert_unchanged(network, before)
    ours = {id(part) for part in list_parts(made.module).values()}
    assert ours.isdisjoint({id(part) for part in network.modules()})
    assert [p.data_ptr() for p in made.module.parameters()] == [p.data_ptr() for p in network.parameters()]


@pytest.mark.parametrize("name", KEEPERS)
def test_a_pass_leaves_nothing_to_the_next(name: str) -> None:
    network = make_network(KEEPERS[name])
    x, y = torch.rand(2, 3, 8, 8), torch.rand(3, 3, 8, 8)
    expected = [copy.deepcopy(network).eval().requires_grad_(False)(each) for each in (x, y)]
    before = describe(network)
    made = copy_model(wrap(network))
    other = copy_model(made)
    for _ in range(2):
        assert torch.equal(made.run(x), expected[0]) and torch.equal(other.run(y), expected[1])
        assert torch.equal(made.run(y), expected[1])
    assert_unchanged(network, before)


def test_nothing_of_the_network_runs_in_a_copy_that_reaches_its_parts_by_other_ways() -> None:
    network = make_network(KEEPERS["closure"])
    called = []
    originals = {id(part) for part in network.modules()}
    handle = nn.modules.module.register_module_forward_pre_hook(lambda part, _: called.append(id(part)))
    try:
        copy_model(wrap(network)).run(torch.rand(1, 3, 8, 8))
    finally:
        handle.remove()
    assert len(called) == 5 and originals.isdisjoint(called)


def test_threads_have_a_copy_each() -> None:
    models = ThreadModels(wrap(make_network(Skip)))
    seen: Any = []
    threads = [threading.Thread(target=lambda: seen.extend([models.get(), models.get()])) for _ in range(3)]
    for thread in threads:
        thread.start()
        thread.join()
    assert len({id(model.module) for model in seen}) == 3 and all(
        a is b for a, b in zip(seen[::2], seen[1::2], strict=True)
    )


def test_shared_parts_stay_shared_and_hooks_run_on_the_copy() -> None:
    layer = nn.Linear(4, 4)
    network = nn.Sequential(layer, nn.ReLU(), layer, nn.Linear(4, 4))
    network[3].weight = layer.weight
    seen = []
    network[0].register_forward_hook(lambda part, _args, output: (seen.append(part), output + 1)[1])
    made: Any = copy_model(wrap(network)).module
    assert made[0] is made[2] is not layer and made[3].weight is made[0].weight is not layer.weight
    x = torch.rand(2, 4)
    assert torch.equal(made(x), network(x)) and seen[0] is made[0]


def test_layout_and_device_are_the_copys_own() -> None:
    network: Any = make_network(Skip)
    strides = network.conv.weight.stride()
    laid_out: Any = copy_model(wrap(network), channels_last=True)
    assert laid_out.module.conv.weight.is_contiguous(memory_format=torch.channels_last)
    assert copy_model(laid_out).module.conv.weight.data_ptr() == laid_out.module.conv.weight.data_ptr()  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]
    assert copy_model(wrap(network), "meta").module.conv.weight.is_meta  # pyright: ignore[reportAttributeAccessIssue]
    assert network.conv.weight.stride() == strides and not network.conv.weight.is_meta


def test_gradients_reach_the_parameters_where_they_are_asked_for() -> None:
    network: Any = make_network(Skip)
    x = torch.rand(2, 3, 8, 8, requires_grad=True)
    copy_model(wrap(network)).run(x).sum().backward()
    assert x.grad is not None and network.conv.weight.grad is None
    copy_model(wrap(network), gradients=True).run(x).sum().backward()
    assert network.conv.weight.grad is not None


@pytest.mark.parametrize("kind", [WritesInput, FirstInPlace])
def test_the_input_is_left_as_it_is(kind: type[nn.Module]) -> None:
    shape = (3, 2, 2)
    network = make_network(kind)
    array = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    before = array.copy()
    x = torch.from_numpy(array)
    first, again = wrap(network)(x), wrap(network)(x)
    assert torch.equal(first, again) and np.array_equal(array, before)


class Merges(nn.Module):
    """Folds a correction into its weights in eval mode, as LoRA does, in place."""

    def __init__(self):
        super().__init__()
        self.weight, self.extra, self.merged = nn.Parameter(torch.ones(3, 3)), nn.Parameter(torch.eye(3)), False

    def train(self, mode: bool = True):
        super().train(mode)
        if self.merged == mode:
            self.weight.data += self.extra.data * (-1 if mode else 1)
            self.merged = not mode
        return self

    def forward(self, x):
        return x @ self.weight if self.merged else x @ (self.weight + self.extra) * 100


def test_a_network_that_does_more_than_set_a_flag_is_not_touched() -> None:
    network = Merges().train()
    before = describe(network)
    assert torch.equal(wrap(network)(torch.ones(1, 3)), torch.full((1, 3), 4.0))
    assert_unchanged(network, before)
    network.eval()
    assert torch.equal(wrap(network)(torch.ones(1, 3)), torch.full((1, 3), 4.0))


def test_what_copies_could_not_have_in_common_is_refused() -> None:
    x = torch.rand(2, 3, 6, 6)
    network = MakesLayers()
    with pytest.raises(InputError, match=r"makes 'fc' in its forward pass; try run one batch"):
        wrap(network)(x)
    assert network.fc is None
    network(x)
    assert torch.equal(wrap(network)(x), network(x))
    with pytest.raises(InputError, match="layers have their sizes"):
        wrap(nn.Sequential(nn.Flatten(), nn.LazyLinear(3)))(x)

    class Bank(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("bank", torch.zeros(2**17))

        def forward(self, x):
            self.bank[0] += 1  # pyright: ignore[reportIndexIssue]
            return x

    with pytest.raises(InputError, match="'bank'"):
        wrap(Bank())(x)


def test_copies_are_freed_with_their_hooks() -> None:
    made = copy_model(wrap(make_network(KEEPERS["closure"])))
    made.run(torch.rand(1, 3, 8, 8))
    watcher = weakref.ref(made.module)
    del made
    gc.collect()
    assert watcher() is None


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")
def test_recurrent_and_scripted_parts() -> None:
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.scripted = torch.jit.script(nn.Sequential(nn.Linear(4, 4), nn.Dropout()))
            self.lstm = nn.LSTM(4, 5, batch_first=True)

        def forward(self, x):
            return self.lstm(self.scripted(x))[0]

    network = Mixed().train()
    x = torch.rand(2, 3, 4)
    model = wrap(network)
    assert torch.equal(model(x), model(x)) and network.scripted.training
    network.eval().requires_grad_(False)
    assert torch.equal(model(x), network(x))


def test_a_compiled_part_runs_the_copys_layers() -> None:
    network = nn.Sequential(
        torch.compile(nn.Sequential(nn.Linear(4, 4), nn.Dropout()), backend="eager"),  # pyright: ignore[reportArgumentType]
        nn.Linear(4, 2),
    )
    made: Any = copy_model(wrap(network)).module
    seen = []
    made[0]._orig_mod[0].register_forward_hook(lambda *_: seen.append(1))
    with torch.compiler.set_stance("force_eager"):
        made(torch.rand(2, 4))
    assert seen == [1] and network.training


class Collector:
    """What feature extractors of the field do: a hook of its own keeps what a layer gives."""

    def __init__(self, part: nn.Module) -> None:
        self.stored: torch.Tensor | None = None
        part.register_forward_hook(self.keep)

    def keep(self, module: nn.Module, args: object, output: torch.Tensor) -> None:
        self.stored = output


class ReadsHook(nn.Module):
    """``forward`` reads what a hook of an object kept, which the network holds."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
        self.hook = Collector(self.first)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        deep = self.second(self.first(x))
        assert self.hook.stored is not None
        return torch.cat([deep.mean((2, 3)), self.hook.stored.mean((2, 3))], 1)


class ReadsDict(nn.Module):
    """A hook's closure and the network hold the same dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        found = self.found = {}
        self.first.register_forward_hook(lambda module, args, output: found.__setitem__("first", output))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.first(x)
        return self.found["first"].mean((2, 3))


@pytest.mark.parametrize("kind", [ReadsHook, ReadsDict])
def test_what_a_hook_keeps_for_the_pass_is_of_that_pass(kind: type[nn.Module]) -> None:
    network = kind().eval()
    batches = [torch.rand(2, 3, 12, 12) for _ in range(4)]
    expected = [network(x).detach() for x in batches]
    network(torch.zeros(2, 3, 12, 12))
    model = wrap(network)
    made = copy_model(model)
    for other in (made, copy_model(made)):
        for x, values in zip(batches, expected, strict=True):
            assert torch.equal(other.run(x), values)
    for x, values in zip(batches, expected, strict=True):
        assert torch.equal(bh_capture(model, x, ["first"])[0], values)


SHARED: dict[str, torch.Tensor] = {}


class KeepsInGlobal(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        SHARED["first"] = self.first(x)
        wait()
        return SHARED["first"].mean((2, 3))


class KeepsInClass(nn.Module):
    cache: dict[str, torch.Tensor] = {}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.cache["first"] = self.first(x)
        wait()
        return self.cache["first"].mean((2, 3))


class KeepsOnClass(nn.Module):
    last: torch.Tensor | None = None

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        type(self).last = self.first(x)
        wait()
        assert self.last is not None
        return self.last.mean((2, 3))


def make_closure() -> nn.Module:
    found: dict[str, torch.Tensor] = {}

    class KeepsInClosure(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 4, 3)
            self.first.register_forward_hook(lambda module, args, output: found.__setitem__("first", output))  # pyright: ignore[reportArgumentType]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.first(x)
            wait()
            return found["first"].mean((2, 3))

    return KeepsInClosure()


def wait() -> None:
    """Let other threads have their turn in the middle of a pass."""
    time.sleep(0.004)


@pytest.mark.parametrize("make", [KeepsInGlobal, KeepsInClass, KeepsOnClass, make_closure])
def test_passes_that_write_outside_the_network_run_one_after_the_other(make: Callable[[], nn.Module]) -> None:
    network = make().eval()
    batches = [torch.rand(2, 3, 12, 12) for _ in range(16)]
    expected = [network(x).detach() for x in batches]
    models = ThreadModels(wrap(network))
    with ThreadPoolExecutor(4) as pool:
        for values, found in zip(expected, pool.map(lambda x: models.get().run(x), batches), strict=True):
            assert torch.equal(found, values)


SETTINGS = {"gain": 2.0}


class OnlyReads(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * SETTINGS["gain"]


def test_only_what_is_written_counts() -> None:
    """Whether passes have to run one after the other is known after the first whole one."""
    for network, is_written in ((OnlyReads(), False), (nn.Linear(3, 3), False), (KeepsInGlobal(), True)):
        made = copy_model(wrap(network))
        made.run(torch.rand(2, 3, 12, 12) if is_written else torch.rand(2, 3))
        assert made.state is not None and made.state.outside._is_written is is_written
        assert copy_model(made).state.outside is made.state.outside  # pyright: ignore[reportOptionalMemberAccess]
