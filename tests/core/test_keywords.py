"""Public functions list every keyword: what a carrier of options holds, its functions take, with the same defaults."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from torch import nn
from torch.utils.data import DataLoader

import beholder as bh
from beholder.activations import default_options, extract, extract_panel, run_panel
from beholder.activations.extraction._plan import ExtractOptions
from beholder.experiments import create_app, open_server, serve
from beholder.figures import plot_rdm
from beholder.jobs import Conditions
from beholder.models import Cochleagram, LogMel, compute_cochleagram, compute_log_mel, load_model
from beholder.responses import BehavioralRDM
from beholder.synthesis.visualizations._plan import VisualizationOptions

EXPERIMENT = SimpleNamespace(settings=SimpleNamespace(kind="2afc"))
ROOMS = sorted(path.parent.name for path in Path(bh.__file__).parent.glob("*/__init__.pyi"))
PANEL = default_options()
NET = "beholder:shapes"
MODEL = bh.wrap(nn.Flatten())
NONE = np.zeros((0, 0))
PLACES = (
    "folders", "models", "panel_file", "output_prefix", "layers", "average_replicates", "device", "skip_bad",
    "run_code",
)  # fmt: skip

CONDITIONS = tuple(vars(Conditions()))
"""Keywords that a function of long work has, and need not hand on."""

Parameters = dict[str, inspect.Parameter]
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)
CLASSES = [
    name
    for name in bh.__all__  # pyright: ignore[reportAttributeAccessIssue]
    if inspect.isclass(getattr(bh, name)) and not issubclass(getattr(bh, name), bh.BeholderError)
]


def read_parameters(function: Callable[..., Any]) -> Parameters:
    return dict(inspect.signature(function).parameters)


def describe(parameters: Parameters) -> dict[str, tuple[Any, Any]]:
    """Type and default of each keyword that has one."""
    return {
        name: (each.annotation, each.default)
        for name, each in parameters.items()
        if each.default is not each.empty and name != "self"
    }


def list_public_functions() -> dict[str, Callable[..., Any]]:
    """Functions, classes and their public methods in the public lists of all rooms."""
    found: dict[str, Callable[..., Any]] = {}
    for room in ("", *ROOMS):
        module = importlib.import_module(f"beholder.{room}".rstrip("."))
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value):
                methods = {key: each for key, each in vars(value).items() if not key.startswith("_")}
                found |= {f"{room}.{name}.{key}": each for key, each in methods.items() if inspect.isfunction(each)}
                if "__init__" in vars(value) and not getattr(value, "_is_protocol", False):
                    found[f"{room}.{name}"] = value.__init__
            elif inspect.isfunction(value):
                found[f"{room}.{name}"] = value
    return found


def test_no_public_function_swallows_keywords() -> None:
    functions = list_public_functions()
    assert len(functions) > 500
    swallow = {
        name for name, each in functions.items() if any(p.kind is p.VAR_KEYWORD for p in read_parameters(each).values())
    }
    assert not swallow


@pytest.mark.parametrize(
    ("function", "carrier", "other"),
    [
        (extract, ExtractOptions, {}),
        (bh.record_units, ExtractOptions, {"pool": "mean"}),
        (default_options, ExtractOptions, vars(PANEL)),
        (extract_panel, ExtractOptions, vars(PANEL)),
        (bh.optimize_units, VisualizationOptions, {}),
        (open_server, create_app, {}),
        (serve, create_app, {}),
        (compute_cochleagram, Cochleagram, {}),
        (compute_log_mel, LogMel, {}),
        (BehavioralRDM.plot, plot_rdm, {}),
        (run_panel, load_model, {}),
    ],
)
def test_a_function_and_the_carrier_of_its_options_agree(
    function: Callable[..., Any], carrier: Callable[..., Any], other: dict[str, Any]
) -> None:
    own, carried = read_parameters(function), describe(read_parameters(carrier))
    partly = {Cochleagram: {"n_samples", "dtype"}, LogMel: {"dtype"}, load_model: {"weights", "meta", "seed", "keys"}}
    for name, (kind, default) in carried.items():
        if name in partly.get(carrier, ()):
            assert name not in own
            continue
        assert name in own, f"{function.__name__}() does not take {name}"
        assert own[name].default == other.get(name, default), name
        if (function, name) != (bh.record_units, "pool"):  # of which there is one
            assert own[name].annotation == kind, name


class Arrived(Exception):
    """Raised in place of what would have done the work, with the keywords that came."""


def raise_arrived(*_args: Any, **given: Any) -> Any:
    raise Arrived(given)


@functools.wraps(open_server)
def enter_server(*args: Any, **options: Any) -> Any:
    return open_server(*args, **options).__enter__()


@pytest.mark.parametrize(
    ("function", "place", "arguments", "but"),
    [
        (extract, "ExtractOptions", (NET, [], []), ("out_path", "device", "name")),
        (
            partial(bh.record_units, layers=[]), "extract", (MODEL, []),
            ("units", "layers", "output", "pool", "seed", "axes"),
        ),
        (default_options, "ExtractOptions", (), ()),
        (extract_panel, "default_options", ("images", "out"), PLACES),
        (extract_panel, "plan_panel", ("images", "out"), (*vars(PANEL), "device")),
        (
            bh.optimize_units, "VisualizationOptions", (NET, []),
            ("activations", "out_path", "device", "input_shape"),
        ),
        (serve, "create_app", (EXPERIMENT, None), ("host", "port", "on_start")),
        (enter_server, "create_app", (None, None), ("host", "port")),
        (BehavioralRDM.plot, "beholder.figures.plot_rdm", (BehavioralRDM((), NONE, NONE, "similarity", 0),), ("ax",)),
        (bh.dataloader, "DataLoader", ([np.zeros((3, 8, 8))], MODEL), ()),
    ],
)  # fmt: skip
def test_every_keyword_arrives(
    function: Callable[..., Any], place: str, arguments: tuple[Any, ...], but: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    module, _, name = place.rpartition(".")
    module = module or (function.func if isinstance(function, partial) else function).__module__
    monkeypatch.setattr(importlib.import_module(module), name, raise_arrived)
    options = list(describe(read_parameters(function)))
    marks: dict[str, object] = {name: object() for name in options if name not in (*but, *CONDITIONS)}
    marks |= {name: Path(name) for name in marks if name == "out_path"}  # which is looked at first
    with pytest.raises(Arrived) as caught:
        function(*arguments, **marks)
    given = caught.value.args[0]
    assert {name: given.get(name) for name in marks} == marks


def test_a_loader_takes_the_keywords_of_torch() -> None:
    own, torchs = describe(read_parameters(bh.dataloader)), describe(read_parameters(DataLoader.__init__))
    assert own.pop("batch_size")[1] == 32
    assert {name: default for name, (_, default) in own.items()} == {name: torchs[name][1] for name in own}


FUNCTIONS = list_public_functions()
SUGGESTING = {
    name: each
    for name, each in FUNCTIONS.items()
    if name.count(".") == 1 and not each.__qualname__.endswith(".__init__")
} | {
    f".{name}.{key}": each
    for name in CLASSES
    for key, each in vars(getattr(bh, name)).items()
    if inspect.isfunction(each) and (key == "__init__" or not key.startswith("_"))
}  # fmt: skip
"""Functions of all public lists, and methods of the classes of the top level, that take anything by a keyword."""


def test_a_mistyped_keyword_is_answered_with_the_near_ones() -> None:
    assert len(SUGGESTING) > 450
    silent: list[str] = []
    for name, function in SUGGESTING.items():
        parameters = read_parameters(function)
        given = [each for each, p in parameters.items() if p.kind not in POSITIONAL and each not in ("self", "cls")]
        if not given:
            continue
        word = f"{given[-1]}_"
        try:
            function(**{word: 1})
        except bh.UnknownKeyword as error:
            called = function.__qualname__.removesuffix(".__init__")
            assert error.suggestions and f"of {called}(); got {word!r}; try " in str(error), name
        except TypeError:
            silent.append(name)
    assert silent == []


def test_a_keyword_that_nothing_is_near_is_answered_with_all() -> None:
    with pytest.raises(bh.InputError, match=r"^expected the name of a keyword of extract\(\); got 'zzzzz'; try one of"):
        bh.extract(zzzzz=1)  # type: ignore[call-arg]


def test_keywords_that_a_function_hands_on_are_its_own() -> None:
    """``from_trials(…, **kept)`` hands what else comes to the class."""
    made = bh.Recordings.from_trials([[1.0], [2.0]], ["a", "b"], name="mine")
    assert made.name == "mine"
    with pytest.raises(bh.UnknownKeyword, match=r"keyword of Recordings\(\); got 'nam'; try 'name'"):
        bh.Recordings.from_trials([[1.0], [2.0]], ["a", "b"], nam="mine")
