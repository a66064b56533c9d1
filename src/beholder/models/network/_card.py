"""A model's card, and a checkpoint's weights in a module of the user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.provenance import read_versions
from beholder._core.wording import format_count
from beholder.models.definitions._base import RANDOM, ModelDefinition, Weights, get_source
from beholder.models.definitions._layer_readout import READOUT, LayerReadout
from beholder.models.definitions._meta import build_on_meta
from beholder.models.network._model import Model, ModelSpec
from beholder.models.network._readout import ZeroShotForward
from beholder.models.weights._card import ModelCard, read_card
from beholder.models.weights._head import find_other_head
from beholder.models.weights._read import load_file_weights

if TYPE_CHECKING:
    from torch import Tensor, nn


@suggest_keywords
def make_card(
    model: Model,
    state: nn.Module | Mapping[str, Tensor] | None = None,
    *,
    classes: Sequence[str] | None = None,
    started_from: str | None = None,
    preset: str | None = None,
    settings: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    epoch: int | None = None,
    step: int | None = None,
    averaging: str | None = None,
    accuracies: Sequence[Mapping[str, Any]] = (),
    licence: str | None = None,
    notes: Sequence[str] = (),
) -> ModelCard:
    """The card of a model's weights: how they are loaded, read off the model, and the facts given.

    Parameters
    ----------
    model : Model
        The network that was trained, or that training began with.
    state : nn.Module or mapping of str to tensor, optional
        The weights where they are not the model's own. A last layer of another number of classes is noted.
    classes : sequence of str, optional
        Names of the outputs; default the model's.
    started_from : str, optional
        Default: the model's own weights.
    preset, settings, data, epoch, step, averaging, accuracies, licence, notes
        Of the training, as in :class:`ModelCard`.

    Raises
    ------
    InputError
        Weights that differ from the architecture in more than the number of classes; as many classes as the network
        has no outputs for; a network whose answers its weights do not give.

    Examples
    --------
    >>> from beholder.models import load_model
    >>> card = make_card(load_model("beholder:shapes", device="cpu"), licence="MIT")
    >>> card.model, card.layers[:2], len(card.classes)
    ('beholder:shapes', ('block1', 'block2'), 16)
    """
    if isinstance(model.forward, ZeroShotForward):
        raise InputError(
            "a network whose weights give its answers", got=f"{model.name}, whose read-out is made of texts",
            hint="the network without the texts",
        )  # fmt: skip
    spec, head = model.spec, None
    names = tuple(classes) if classes is not None else model.classes
    shapes = _list_shapes(model.module if state is None else state)
    readout = _describe_readout(model, shapes)
    if spec is not None:
        definition = get_source(spec.source).find(spec.model, spec.variant)
        own = {name: shape for name, shape in shapes.items() if readout is None or not name.startswith(f"{READOUT}.")}
        head = find_other_head(build_on_meta(definition.build), own)
        _check_classes(names, head if readout is None else readout, definition, model.name)
    return ModelCard(
        model=None if spec is None else _name_architecture(spec),
        classes=names,
        preprocessing=None if model.preprocessing.list_functions() else model.preprocessing.to_dict(),
        layers=model.layers,
        variant=None if spec is None else spec.variant,
        head=head,
        readout=readout,
        started_from=started_from or _tell_start(model.weights, spec),
        preset=preset,
        settings=dict(settings or {}),
        data=dict(data or {}),
        epoch=epoch,
        step=step,
        averaging=averaging,
        accuracies=tuple(accuracies),
        licence=licence,
        notes=tuple(notes),
        versions=read_versions(),
    )


def _describe_readout(model: Model, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any] | None:
    """Of a network that is read out at a layer: how, for the card."""
    found = model.forward
    if not isinstance(found, LayerReadout):
        return None
    n_classes, n_features = shapes[f"{READOUT}.weight"]
    return {
        "layer": found.path, "path": found.path, "call": found.call, "side": found.side, "pool": found.pool,
        "stimulus_axis": found.stimulus_axis, "axes": list(found.axes), "n_features": n_features,
        "n_classes": n_classes,
    }  # fmt: skip


def _name_architecture(spec: ModelSpec) -> str:
    """``source:name``; of a Python file no folder, which is another one elsewhere."""
    return f"{spec.source}:{Path(spec.model).name if spec.source == 'file' else spec.model}"


def _list_shapes(state: nn.Module | Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    tensors = state if isinstance(state, Mapping) else state.state_dict()
    return {name: tuple(value.shape) for name, value in tensors.items()}


def _check_classes(
    names: tuple[str, ...] | None, head: Mapping[str, Any] | None, definition: ModelDefinition, model: str
) -> None:
    known = None if definition.classes is None else len(definition.classes)
    n_outputs = known if head is None else int(head["n_classes"])
    if names is not None and n_outputs is not None and len(names) != n_outputs:
        raise InputError(f"{format_count(n_outputs, 'name')} of classes for {model}", got=str(len(names)))


def _tell_start(weights: Weights, spec: ModelSpec | None) -> str | None:
    if weights.tag == RANDOM and spec is not None:
        return f"random, seed {spec.seed}"
    if weights.tag == "wrapped":
        return None
    return weights.tag if weights.sha256 is None else f"{weights.tag}, sha256 {weights.sha256}"


@suggest_keywords
def load_checkpoint(model: Model | nn.Module, path: Path | str) -> Model:
    """Put a checkpoint's weights into a module of your own, in place; classes are those of its card.

    Parameters
    ----------
    model : Model or nn.Module
        As :func:`beholder.wrap` takes it; a model that has a name is loaded as ``NAME@path`` instead.
    path : path
        A ``.safetensors`` file with a card.

    Returns
    -------
    Model

    Raises
    ------
    InputError
        No card; names or shapes that do not match; a model that has a name.

    Examples
    --------
    >>> net = load_checkpoint(bh.wrap(MyNetwork()), "mine.safetensors")     # doctest: +SKIP
    """
    from beholder.models.network._wrap import as_model

    card, found = read_card(path), as_model(model)
    if found.spec is not None:
        name = f"{found.spec.source}:{found.spec.model}"
        raise InputError("a module of your own", got=f"{found.name}, which has a name", hint=f"{name}@{path}")
    preprocessing = card.read_preprocessing() if found is not model else None
    weights = load_file_weights(found.module, Path(path), tag=Path(path).stem)
    return replace(
        found,
        preprocessing=preprocessing or found.preprocessing,
        classes=card.classes or found.classes,
        layers=found.layers or card.layers,
        weights=replace(weights, tag=found.weights.tag),
    )
