"""A network is its content: what changes values changes its identity, what does not leaves it."""

import builtins
import functools
import importlib
import os
import subprocess
import sys
import textwrap
import types
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from beholder._core.callables import identify_callable
from beholder._core.errors import InputError
from beholder._core.origins import _is_installed
from beholder.models import identify_model, wrap


class Block(nn.Module):
    def __init__(self, gain: float = 1.0):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.gain = gain
        self.table = torch.arange(4.0)
        self.act = torch.relu
        self.history: list[float] = []
        self.register_buffer("hidden", torch.ones(4), persistent=False)

    def forward(self, x):
        x = self.norm(self.conv(x)) * self.table[:, None, None] * self.hidden[:, None, None]  # pyright: ignore[reportIndexIssue]
        self.skip = x
        return self.act(x * self.gain)

    def fit(self, loader):
        self.history.append(len(loader))


def make(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(Block(), nn.Sequential(nn.ReLU(), nn.Conv2d(4, 2, 1)))


def zero_a_filter(net):
    net[0].conv.weight.data[1] = 0


def shift(hooked, inputs, output):
    return output + 1


def set_attribute(name, value):
    return lambda net: setattr(net[0], name, value)


CHANGES = {
    "weights": zero_a_filter,
    "bias": lambda net: net[1][1].bias.data.add_(1e-6),
    "running mean": lambda net: net[0].norm.running_mean.add_(1),
    "buffer that is not saved": lambda net: net[0].hidden.mul_(2),
    "tensor that is no buffer": lambda net: net[0].table.mul_(2),
    "attribute": set_attribute("gain", 2.0),
    "function": set_attribute("act", torch.tanh),
    "stride": lambda net: setattr(net[1][1], "stride", (2, 2)),
    "eps": lambda net: setattr(net[0].norm, "eps", 1e-2),
    "module": lambda net: net.append(nn.Identity()),
    "other module": lambda net: net[1].__setitem__(0, nn.GELU()),
    "order": lambda net: setattr(net, "_modules", dict(reversed(net._modules.items()))),
    "hook": lambda net: net[0].register_forward_hook(shift),
    "pre-hook": lambda net: net[1].register_forward_pre_hook(lambda module, x: (x[0] * 2,)),
    "backward hook": lambda net: net[0].register_full_backward_hook(lambda module, a, b: None),
    "forward of one module": lambda net: setattr(net[1], "forward", lambda x: x),
    "parametrization": lambda net: parametrizations.weight_norm(net[1][1]),
    "pruning": lambda net: prune.l1_unstructured(net[1][1], "weight", 0.5),
    "dtype": lambda net: net.double(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_values_changes_the_identity(change):
    net = make()
    before = identify_model(wrap(net))
    CHANGES[change](net)
    assert identify_model(wrap(net)) != before


def use(net):
    wrap(net)(torch.rand(2, 3, 5, 5))


NO_CHANGES = {
    "nothing": lambda net: None,
    "a pass, which leaves a tensor on self": use,
    "memory layout": lambda net: net.to(memory_format=torch.channels_last),
    "gradients": lambda net: net.requires_grad_(True),
    "train mode": lambda net: net.train(),
    "what no pass reads": lambda net: net[0].history.append(1.0),
    "a hook taken off": lambda net: net[0].register_forward_hook(shift).remove(),
    "state dict of its own": lambda net: net.load_state_dict(net.state_dict()),
}


@pytest.mark.parametrize("change", NO_CHANGES)
def test_what_changes_nothing_leaves_it(change):
    net = make()
    before = identify_model(wrap(net))
    NO_CHANGES[change](net)
    assert identify_model(wrap(net)) == before == identify_model(wrap(make()))
    assert identify_model(wrap(make(1))) != before


def test_code_that_a_pass_calls_counts_and_other_code_does_not():
    def define(scale, epochs):
        class Net(nn.Module):
            def forward(self, x):
                return self.embed(x)

            def embed(self, x):
                return x * scale

            def fit(self):
                return open(f"never opened {epochs}")

        return identify_model(wrap(Net()))

    assert define(1, 5) == define(1, 6) != define(2, 5)


def test_a_method_that_only_the_parent_calls_counts():
    def define(power):
        class Child(nn.Module):
            def features(self, x):
                return x**power

        class Parent(nn.Module):
            def __init__(self):
                super().__init__()
                self.child = Child()

            def forward(self, x):
                return getattr(self.child, f"feat{'ures'}")(x)

        return identify_model(wrap(Parent()))

    assert define(2) != define(3)


def test_a_hook_that_keeps_activations_is_the_same_hook_after_a_pass():
    kept, listed = {}, []

    def keep(module, inputs, output):
        kept["out"] = output
        listed.append(output.mean())

    net = make()
    net[0].register_forward_hook(keep)
    before = identify_model(wrap(net))
    use(net)
    assert len(listed) == 1
    assert identify_model(wrap(net)) == before


@pytest.mark.parametrize(
    "after", [parametrizations.weight_norm, functools.partial(prune.l1_unstructured, name="weight", amount=0.5)]
)
def test_a_tensor_computed_anew_at_every_pass_is_not_looked_at(after):
    net: Any = make()
    after(net[1][1])
    lesion = next(p for name, p in net[1][1].named_parameters() if name.split(".")[-1] not in ("bias", "original0"))
    lesion.data.mul_(2)
    before = identify_model(wrap(net))
    use(net)
    assert identify_model(wrap(net)) == before


def test_global_hooks_count():
    net = wrap(make())
    before = identify_model(net)
    handle = nn.modules.module.register_module_forward_hook(shift)
    try:
        assert identify_model(net) != before
    finally:
        handle.remove()
    assert identify_model(net) == before


def test_hooks_of_beholders_own_do_not_count():
    from beholder.activations import capture

    net: Any = make()
    model = wrap(net)
    before, during = identify_model(model), []
    net[0].conv.register_forward_hook(probe := lambda *_: during.append(identify_model(model)))
    with_probe = identify_model(model)
    capture(model, torch.rand(1, 3, 5, 5), ["0.norm"])
    assert probe is not None and with_probe != before
    assert during and set(during) == {with_probe}


def test_two_normalizations_under_one_name_differ():
    net = make()
    names = [
        wrap(net, normalize=lambda x: (x - 0.5) / 0.25, name="net"),
        wrap(net, normalize=lambda x: (x - 0.5) / 0.5, name="net"),
        wrap(net, name="net"),
    ]
    assert len({identify_model(model) for model in names}) == 3
    assert identify_model(wrap(net, input_range=(0, 1), name="net")) == identify_model(names[2])
    again = wrap(net, normalize=lambda x: (x - 0.5) / 0.25, name="another")
    assert identify_model(again) == identify_model(names[0])


def test_what_cannot_be_identified_is_refused_and_a_version_stands_for_it(tmp_path):
    net = make()
    with open(tmp_path / "log", "w") as log:
        normalize = lambda x: print(x.shape, file=log) or x  # noqa: E731
        with pytest.raises(InputError, match=r"TextIOWrapper.* at log; try version='1'"):
            identify_model(wrap(net, normalize=normalize))
        one, two = (wrap(net, normalize=normalize, version=version) for version in ("1", "2"))
        assert identify_model(one) != identify_model(two)
        before = identify_model(one)
        zero_a_filter(net)
        assert identify_model(one) != before


GAIN = 2.0
helpers_of_mine = None
_look_up = globals


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda x: x * globals()["GAIN"], "globals"),
        (lambda x: x * _look_up()["GAIN"], "globals"),
        (lambda x, names=globals: x * names()["GAIN"], "globals"),
        (lambda x: [each * globals()["GAIN"] for each in x], "globals"),
        (lambda x: x * eval("GAIN"), "eval"),
        (lambda x: exec("x *= GAIN") or x, "exec"),
        (lambda x: x * __import__("helpers").GAIN, "__import__"),
        (lambda x: x * builtins.eval("GAIN"), "eval"),
        (lambda x: x * importlib.import_module("helpers").GAIN, r"importlib\.import_module"),
        (lambda x: x * sys.modules["helpers"].GAIN, r"sys\.modules"),
        (lambda x: x * (lambda: 0).__globals__["GAIN"], "__globals__"),
    ],
)
def test_code_that_looks_names_up_is_refused(function, name):
    with pytest.raises(InputError, match=rf"normalize.*code that looks names up with {name}.*; try version='1'"):
        identify_callable(function, what="normalize")
    one, two = (identify_callable(function, version=version) for version in ("1", "2"))
    assert one != two


@pytest.mark.parametrize(
    "look_up", [lambda x, name: x * getattr(helpers_of_mine, name), lambda x: vars(helpers_of_mine)]
)
def test_a_look_up_in_a_module_of_the_users_is_refused(look_up, tmp_path, monkeypatch):
    (tmp_path / "helpers_of_mine.py").write_text("GAIN = 2.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys.modules[__name__], "helpers_of_mine", importlib.import_module("helpers_of_mine"))
    with pytest.raises(InputError, match=r"looks names up \(getattr, vars\) in the module 'helpers_of_mine'.*version="):
        identify_callable(look_up)


class ByName(nn.Module):
    def __init__(self, act="relu"):
        super().__init__()
        self.conv, self.act = nn.Conv2d(3, 2, 1), act

    def forward(self, x):
        x = getattr(self, "conv")(x.to(vars(self)["_parameters"].get("none", x)))  # noqa: B009
        return getattr(nn.functional, self.act)(x) * locals()["x"]


class ByGlobals(ByName):
    def forward(self, x):
        return super().forward(x) * globals()["GAIN"]


def test_networks_may_look_up_their_own_parts_and_what_packages_offer():
    torch.manual_seed(0)
    relu = ByName()
    elu = ByName("elu")
    elu.load_state_dict(relu.state_dict())
    assert identify_model(wrap(relu)) == identify_model(wrap(relu)) != identify_model(wrap(elu))
    net = ByGlobals()
    with pytest.raises(InputError, match=r"looks names up with globals at forward; try version="):
        identify_model(wrap(net))
    assert identify_model(wrap(net, version="1")) != identify_model(wrap(net, version="2"))


def _factor():
    return 2.0


TABLE = np.arange(3)
TENSOR = torch.ones(2)


def test_functions_are_code_defaults_closure_and_globals(monkeypatch):
    def scale(x, by=2):
        return x * by

    def scale_otherwise(x, by=3):
        return x * by

    def add(offset):
        return lambda x: x + offset

    def read(x):
        return x * TABLE.sum() + TENSOR + _factor()

    assert identify_callable(scale) != identify_callable(scale_otherwise)
    assert identify_callable(add(1)) == identify_callable(add(1)) != identify_callable(add(2))
    assert identify_callable(add(np.zeros(2))) != identify_callable(add(np.zeros(2, np.float32)))
    assert identify_callable(functools.partial(scale, by=1)) != identify_callable(functools.partial(scale, by=4))
    seen = {identify_callable(read)}
    module = sys.modules[__name__]
    for name, value in {"TABLE": np.arange(4), "TENSOR": torch.zeros(2), "_factor": lambda: 3.0}.items():
        monkeypatch.setattr(module, name, value)
        seen.add(identify_callable(read))
    assert len(seen) == 4


def test_instances_and_methods_are_code_and_state():
    class Scale:
        def __init__(self, by):
            self.by, self.n_calls, self.names = by, 0, {"a", "b", "c"}
            self.counts = {"all": 0}

        def __call__(self, x):
            self.n_calls += 1
            self.counts["all"] += 1
            return x * self.by

        def apply(self, x):
            self.last = x
            return self(x)

    one = Scale(2)
    before = identify_callable(one), identify_callable(one.apply)
    one(3)
    assert (identify_callable(one), identify_callable(one.apply)) == before
    one.apply(3)
    assert identify_callable(one.apply) == before[1]
    del one.last
    assert identify_callable(Scale(2)) == before[0] != identify_callable(Scale(3))
    one.by = 4
    assert identify_callable(one) != before[0] and identify_callable(one.apply) != before[1]


def test_functions_that_call_one_another_end():
    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    assert identify_callable(even) != identify_callable(odd)


def test_library_functions_go_by_name_and_own_ones_by_declared_version(monkeypatch):
    from torchvision import transforms

    from beholder._core import origins
    from beholder.models import ImagePreprocessing

    small, large = transforms.Resize(10), transforms.Resize(20)
    assert identify_callable(small) != identify_callable(large)
    before = identify_callable(small), identify_callable(ImagePreprocessing)
    monkeypatch.setattr(origins, "find_version", lambda top: "another")
    assert identify_callable(small) != before[0]
    monkeypatch.setattr(ImagePreprocessing, "prepare", ImagePreprocessing.normalize)  # rewritten: nothing expires
    assert identify_callable(ImagePreprocessing) == before[1]
    monkeypatch.setattr(ImagePreprocessing, "__identity_version__", 2, raising=False)
    assert identify_callable(ImagePreprocessing) != before[1]


def test_own_functions_belong_to_their_room_wherever_they_stand_in_it(monkeypatch):
    """Stored results outlive a move of Beholder's own code into another module, or a room within the room."""
    from beholder.models import ImagePreprocessing

    before = identify_callable(ImagePreprocessing)
    for module in (
        "beholder.models.catalog._elsewhere",
        "beholder.models.inner._elsewhere",
        "beholder.models.inner.outer",
    ):
        monkeypatch.setattr(ImagePreprocessing, "__module__", module)
        assert identify_callable(ImagePreprocessing) == before, module
    monkeypatch.setattr(ImagePreprocessing, "__module__", "beholder.stimuli._elsewhere")
    assert identify_callable(ImagePreprocessing) != before


def test_docstrings_names_and_places_do_not_count():
    def one(x):
        """Half."""
        half = x / 2
        return half + 1

    def two(x):
        """Another text."""
        result = x / 2
        return result + 1

    assert identify_callable(one) == identify_callable(two)


SCRIPT = """
import torch, functools, random, re, enum
from torch import nn
import beholder as bh
from beholder.models import identify_model
class Mode(enum.Enum):
    a = 1
words = {"tall", "wide", "red", "blue", "green"}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.words, self.mode = nn.Linear(3, 3), frozenset(words), Mode.a
        self.pattern, self.part = re.compile("a+"), functools.partial(torch.clamp, min=0)
    def forward(self, x):
        if self.mode is Mode.a and self.words and self.pattern:
            return self.part(self.layer(x)) * (len(words) in {3, 5, "x"})
net = Net()
net.layer.register_forward_hook(lambda m, i, o: o * len(words))
print(identify_model(bh.wrap(net, normalize=lambda x: x - 0.5)))
"""


def test_the_identity_is_the_same_in_every_process(tmp_path):
    file = tmp_path / "script.py"
    file.write_text(SCRIPT)
    runs = [([str(file)], "1"), (["-c", SCRIPT], "2")]
    found = {
        subprocess.run(
            [sys.executable, *arguments], env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout
        for arguments, seed in runs
    }  # fmt: skip
    assert len(found) == 1 and found.pop().startswith("xxh128:")


def test_a_helper_modules_functions_and_values_count(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_helpers.py").write_text("GAIN = 2\ndef scale(x):\n    return x * GAIN\n")
    import own_helpers  # pyright: ignore[reportMissingImports]

    def forward(x):
        return own_helpers.scale(x)

    before = identify_callable(forward)
    own_helpers.GAIN = 3
    assert identify_callable(forward) != before
    own_helpers.GAIN = 2
    assert identify_callable(forward) == before
    own_helpers.scale = lambda x: x
    assert identify_callable(forward) != before


@pytest.mark.parametrize(
    "name", ["torchvision:squeezenet1_1", "timm:vit_tiny_patch16_224", "timm:swin_tiny_patch4_window7_224"]
)
def test_published_architectures_are_the_same_after_a_pass_and_when_built_again(name):
    import timm
    import torchvision

    source, architecture = name.split(":")

    def build():
        torch.manual_seed(0)
        if source == "torchvision":
            return torchvision.models.get_model(architecture)
        small: Any = {"depths": (1, 1, 2, 1)} if "swin" in architecture else {"depth": 2}
        return timm.create_model(architecture, **small)

    net = build()
    before = identify_model(wrap(net))
    with torch.inference_mode():
        net.eval()(torch.rand(1, 3, 224, 224))
    assert identify_model(wrap(net)) == before == identify_model(wrap(build()))


def test_a_graph_of_torch_fx_is_its_code():
    def trace(net):
        return identify_model(wrap(torch.fx.symbolic_trace(net)))

    class Twice(nn.Module):
        def forward(self, x):
            return x * 2

    class Thrice(nn.Module):
        def forward(self, x):
            return x * 3

    assert trace(Twice()) == trace(Twice()) != trace(Thrice())


def test_code_is_dedented_or_not_alike():
    source = "def f(x):\n    return x + 1\n"
    spaces = {}, {}
    exec(source, spaces[0])
    exec("\n\n\n" + textwrap.indent(source, "    ").replace("    def", "if True:\n    def", 1), spaces[1])
    assert identify_callable(spaces[0]["f"]) == identify_callable(spaces[1]["f"])


def test_modules_that_no_parent_registers_count():
    def define(gain, inner):
        class Scale:
            def __call__(self, x):
                return self.apply(x)

            def apply(self, x):
                return self.inner(x)

            def inner(self, x):
                return x * inner

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.blocks = [Block(gain)]
                self.scale = Scale()

            def forward(self, x):
                for block in self.blocks:
                    x = self.scale(block(x))
                return x

        torch.manual_seed(0)
        return wrap(Net())

    first: Any = define(1.0, 1)
    assert identify_model(first) == identify_model(define(1.0, 1))
    assert len({identify_model(net) for net in (first, define(2.0, 1), define(1.0, 2))}) == 3
    before = identify_model(first)
    first.module.blocks[0].norm.running_mean.add_(1)
    assert identify_model(first) != before


def test_a_library_that_loads_its_parts_when_they_are_used_is_the_same_before_and_after():
    source = "import scipy\ndef f(x):\n    return scipy.ndimage.zoom(x, 2)\n"
    code = f"""
from beholder._core.callables import identify_callable
space = {{}}
exec({source!r}, space)
before = identify_callable(space["f"])
import numpy
space["f"](numpy.ones((2, 2)))
print(before == identify_callable(space["f"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


class KeepsInClass(nn.Module):
    cache: dict[str, torch.Tensor] = {}  # noqa: RUF012
    last: torch.Tensor | None = None
    gain = 2.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.cache["x"] = x
        type(self).last = x
        return self.cache["x"] * self.gain


def test_what_a_pass_keeps_in_the_class_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    model = wrap(KeepsInClass())
    before = identify_model(model)
    model(torch.rand(2, 3))
    assert identify_model(model) == before
    monkeypatch.setattr(KeepsInClass, "gain", 3.0)
    assert identify_model(model) != before


def test_what_an_installed_tool_runs_as_main_is_the_users(monkeypatch):
    """Profilers and pytest stay ``__main__``, whose file is an installed package's, while they run the user's code."""
    tool = types.ModuleType("__main__")
    tool.__file__ = "/venv/lib/python3.11/site-packages/profiler/__main__.py"
    monkeypatch.setitem(sys.modules, "__main__", tool)
    _is_installed.cache_clear()
    users = [eval(f"lambda x: x - {k}", {"__name__": "__main__"}) for k in (1, 1, 2)]
    one, again, two = map(identify_callable, users)
    assert one == again != two
    kinds = []
    for gain in (1, 2):
        names = {"__name__": "__main__", "nn": nn}
        exec(f"class Net(nn.Module):\n    def forward(self, x):\n        return x * {gain}", names)
        kinds.append(identify_model(wrap(names["Net"](), input_shape=(3, 8, 8))))
    assert kinds[0] != kinds[1]
