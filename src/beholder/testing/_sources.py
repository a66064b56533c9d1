"""What a source of models has to do."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.testing._expect import expect, explain, fail
from beholder.testing._preprocessing import check_preprocessing

if TYPE_CHECKING:
    from torch import nn

    from beholder.models import Model, ModelDefinition, Source

_NO_NAME = "no-such-network-0"


@suggest_keywords
def check_source(source: str, names: Sequence[str] | None = None) -> None:
    """Check a source of models, as ``source:name`` in every command reaches it.

    Parameters
    ----------
    source : str
        Its name in :data:`beholder.models.SOURCES`: that of the entry point, or as it was added there.
    names : sequence of str, optional
        Networks to be built with random weights. Default: the first that it lists.

    Raises
    ------
    AssertionError
        Names are not listed in order, or one does not find its network; a network is not built without memory, its
        preprocessing is wrong (:func:`check_preprocessing`), random weights differ, a recorded layer is not there,
        the recipe does not pickle, or the identity is another when the network is loaded again.

    Examples
    --------
    >>> check_source("beholder", names=["shapes"])
    """
    from beholder.models import SOURCES, Source

    with explain(f"a source called {source!r} in beholder.models.SOURCES", hint="an entry point beholder.models"):
        found = SOURCES[source]
        opened = found() if isinstance(found, type) else found
    expect(isinstance(opened, Source), "a beholder.models.Source", got=type(opened).__name__)
    for name in _list_names(opened, source) if names is None else names:
        definition = _check_finding(opened, source, name)
        check_preprocessing(definition.preprocessing)
        _check_without_memory(definition, f"{source}:{definition.name}")
        _check_model(f"{source}:{definition.name}@random", definition)


def _list_names(source: Source, label: str) -> list[str]:
    names = source.list_names()
    strings = isinstance(names, list) and all(isinstance(name, str) for name in names)
    expect(strings, f"a list of str from list_names of {label}", got=type(names).__name__)
    expect(names == sorted(set(names)), f"list_names of {label} to be sorted, each name once", got=str(names[:5]))
    if not names:
        raise fail(f"a name to check in {label}", got="an empty list_names", hint="names=[...]")
    try:
        source.find(_NO_NAME, None)
    except InputError:
        return names[:1]
    except Exception as error:
        raise fail(
            f"find of {label} to raise UnknownNameError for a name that it does not have", got=type(error).__name__
        ) from error
    raise fail(f"find of {label} to raise UnknownNameError for a name that it does not have", got="a network")


def _check_finding(source: Source, label: str, name: str) -> ModelDefinition:
    from beholder.models import ModelDefinition

    with explain(f"find of {label} to find {name!r}"):
        found = source.find(name, None)
        expect(isinstance(found, ModelDefinition), f"a {ModelDefinition.__name__} from find", got=type(found).__name__)
        again = source.find(found.name, None)
    expect(found.source == label, f"the source {label!r} in what find gives", got=repr(found.source))
    expect(again.name == found.name, f"{found.name!r} to find itself", got=repr(again.name), hint="one canonical name")
    expect(
        found.default_tag is None or found.default_tag in found.tags, f"default_tag among the tags of {name}",
        got=repr(found.default_tag),
    )  # fmt: skip
    return found


def _check_without_memory(definition: ModelDefinition, label: str) -> None:
    """A network's skeleton takes no memory, so that layers are listed without weights."""
    import torch

    with explain(f"build of {label} to work under torch.device('meta')"), torch.device("meta"):
        skeleton = definition.build()
    expect(isinstance(skeleton, torch.nn.Module), f"an nn.Module from build of {label}", got=type(skeleton).__name__)
    real = [name for name, value in skeleton.named_parameters() if value.device.type != "meta"]
    expect(not real, f"build of {label} to follow torch.device('meta')", got=f"memory for {', '.join(real[:3])}")


def _check_model(name: str, definition: ModelDefinition) -> None:
    import torch

    from beholder.activations import capture
    from beholder.models import identify_model, load_model

    with explain(f"{name} to load"):
        model, again = load_model(name, device="cpu"), load_model(name, device="cpu")
    _check_same(model.module, again.module, f"{name} to have the same random weights each time", "torch's generator")
    shape = model.input_shape or (3, 64, 64)
    low, high = model.input_range or (0.0, 1.0)
    batch = torch.from_numpy(np.random.default_rng(0).uniform(low, high, (2, *shape)).astype(np.float32))
    with explain(f"{name} to run on two stimuli of shape {shape}, with its recorded layers"):
        output, layers = capture(model, batch, list(dict.fromkeys((*definition.layers, *definition.taps))))
    expect(len(output) == 2, f"an output of {name} for each of two stimuli", got=str(tuple(np.shape(output))))
    for layer, values in {**layers, "output": output}.items():
        finite = bool(torch.isfinite(torch.as_tensor(values).float()).all())
        expect(finite, f"finite values at {layer} of {name}", got="others")
    _check_recipe(model)
    with explain(f"an identity of {name}", hint="a version in what find gives"):
        identities = identify_model(model), identify_model(again)
    expect(identities[0] == identities[1], f"one identity of {name}", got=f"{identities[0]} and {identities[1]}")


def _check_recipe(model: Model) -> None:
    """Worker processes build the network from a recipe."""
    expect(model.spec is not None, f"a recipe of {model.name} for worker processes", got="none")
    with explain(f"the recipe of {model.name} to pickle and to load"):
        rebuilt = pickle.loads(pickle.dumps(model.spec)).load("cpu")
    _check_same(model.module, rebuilt.module, f"{model.name} to be the same in worker processes", "the model's seed")


def _check_same(one: nn.Module, other: nn.Module, expected: str, hint: str) -> None:
    import torch

    ours, theirs = one.state_dict(), other.state_dict()
    differing = [name for name in ours if name not in theirs or not torch.equal(ours[name], theirs[name])]
    expect(not differing, expected, got=f"others in {', '.join(differing[:3])}", hint=f"random numbers of {hint}")
