"""From the names a user asks for to the layers that are captured and the arrays that are stored.

A target is one array of the output. Most targets are one layer, pooled over its axes or whole; an ensemble joins the
global maxima of many (``conv_ensemble`` and its three sisters).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import to_path_name
from beholder.activations.forward._ensembles import ENSEMBLES, find_ensemble_parts
from beholder.activations.forward._hooks import Consumer, is_whole
from beholder.activations.forward._probe import ProbedLayer
from beholder.models import (
    LAYER_PRESETS,
    LayerRef,
    Model,
    ZeroShotForward,
    match_pattern,
    parse_layer,
    pool_activations,
    select_layers,
    unwrap_module,
)

POOLS = ("none", "mean", "max", "cls", "center")


def pooled_shape(shape: tuple[int, ...], axes: tuple[str, ...], pool: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Shape and axis names after :func:`pool_activations`."""
    if pool == "none" or "channel" not in axes or len(axes) == 1:
        return shape, axes
    return (shape[axes.index("channel")],), ("channel",)


Copy = tuple[Tensor, Tensor]
"""Rows of an output, and what is to stand there."""


@dataclass(frozen=True)
class TargetPart:
    """One layer's share of a target: which layer, how pooled, times what, into which columns."""

    layer: ProbedLayer
    pool: str
    scale: float = 1.0
    columns: slice | None = None


@dataclass(frozen=True)
class Target:
    """One array of the output.

    Attributes
    ----------
    name : str
        Exact name, as asked for.
    shape : tuple of int
        Feature axes.
    axes : tuple of str
        Their names.
    parts : tuple of TargetPart
        What it is made of.
    origin : str or None
        What the output of a zero-shot model was made from; the layer that a tap stands for.
    """

    name: str
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    parts: tuple[TargetPart, ...]
    origin: str | None = None

    @property
    def path_name(self) -> str:
        """Its folder or group name."""
        return to_path_name(self.name)


@suggest_keywords
def resolve_layers(module: nn.Module, names: Sequence[str], taps: Mapping[str, str]) -> dict[str, LayerRef]:
    """Turn layer names, patterns and taps into parsed layers, in the order asked for.

    Parameters
    ----------
    module : nn.Module
        The network, unwrapped.
    names : sequence of str
        Exact names, patterns (``layer3.*.conv?``, see :func:`beholder.models.match_pattern`), taps. Ensembles are
        left out.
    taps : mapping of str to str
        The model's named layer expressions.
    """
    refs: dict[str, LayerRef] = {}
    known = [name for name, _ in module.named_modules(remove_duplicate=False) if name]
    for name in names:
        found = None if name in taps or name in ENSEMBLES else match_pattern(name, [*known, *taps])
        if name in taps:
            refs[name] = parse_layer(taps[name])
        elif found is not None:
            found = [layer for layer in found if layer in taps or parse_layer(layer).path in known]
            if not found:
                raise InputError(
                    "a pattern that some layer matches", got=repr(name), hint="beholder layers MODEL to list the names"
                )
            refs |= {layer: parse_layer(taps.get(layer, layer)) for layer in found}
        elif name not in ENSEMBLES:
            refs[name] = parse_layer(name)
    return refs


def expand_presets(model: Model, layers: Sequence[str]) -> list[str]:
    """Replace ``recorded``, ``blocks``, ``stages`` and ``penultimate`` by the layers they stand for."""
    modules = dict(model.module.named_modules())
    names: list[str] = []
    for name in layers:
        if name == "recorded" and name not in modules:
            names += model.layers
        elif name.startswith("preset:") or (name in LAYER_PRESETS and name not in modules):
            names += select_layers(model, name)
        else:
            names.append(name)
    return names


@suggest_keywords
def list_asked_layers(model: Model, layers: Sequence[str]) -> list[str]:
    """Exact names that a list of names, patterns, presets and ensembles stands for."""
    refs = resolve_layers(unwrap_module(model.module), expand_presets(model, layers), model.taps)
    return [*refs, *(name for name in layers if name in ENSEMBLES)]


def make_targets(
    model: Model, names: Sequence[str], probed: Mapping[str, ProbedLayer], pool: str, *, flatten: bool, token_pool: bool
) -> list[Target]:
    """The arrays to store.

    Parameters
    ----------
    names : sequence of str
        Names of single layers (already resolved) and of ensembles, in order.
    probed : mapping of str to ProbedLayer
        All layers, those of the ensembles too.
    pool : str
        See :func:`pool_activations`.
    flatten : bool
        Store one axis of features, row-major.
    token_pool : bool
        Average tokens even where ``pool`` is ``none``, as panels do.
    """
    targets = []
    for name in names:
        if name in ENSEMBLES:
            targets.append(_make_ensemble(model, name, probed))
            continue
        layer = probed[name]
        how = "mean" if token_pool and pool == "none" and "token" in layer.axes else pool
        if how != "none" and len(layer.shape) > 1:
            layer.check_told()
        shape, axes = pooled_shape(layer.shape, layer.axes, how)
        if flatten and len(shape) > 1:
            shape, axes = (int(torch.Size(shape).numel()),), ("feature",)
        readout: Any = model.forward if is_whole(unwrap_module(model.module), layer.ref) else None
        origin = readout.origin if isinstance(readout, ZeroShotForward) else model.taps.get(name)
        targets.append(Target(name, shape, axes, (TargetPart(layer, how),), origin))
    check_path_names([target.name for target in targets])
    return targets


def _make_ensemble(model: Model, name: str, probed: Mapping[str, ProbedLayer]) -> Target:
    parts, start = [], 0
    for layer_name, pool, scale in find_ensemble_parts(model.module, name):
        layer = probed[layer_name]
        shape, _ = pooled_shape(layer.shape, layer.axes, pool)
        width = int(torch.Size(shape).numel())
        parts.append(TargetPart(layer, pool, scale, slice(start, start + width)))
        start += width
    return Target(name, (start,), ("channel",), tuple(parts))


@suggest_keywords
def check_path_names(names: Sequence[str]) -> None:
    """Refuse two layers that would share a folder."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(to_path_name(name), name)
        if other != name:
            raise InputError(
                "layers with different folder names", got=f"{other!r} and {name!r}, both {to_path_name(name)!r}",
                hint="two runs with different output folders",
            )  # fmt: skip


def route_parts(targets: Sequence[Target]) -> dict[str, list[tuple[Target, TargetPart]]]:
    """For each captured layer, which targets it feeds."""
    routes: dict[str, list[tuple[Target, TargetPart]]] = {}
    for target in targets:
        for part in target.parts:
            routes.setdefault(part.layer.name, []).append((target, part))
    return routes


def make_consumer(
    routes: Mapping[str, Sequence[tuple[Target, TargetPart]]],
    outputs: Mapping[str, Tensor],
    rows: slice,
    keep: slice,
    n_stimuli: int,
    later: list[Copy] | None = None,
) -> Consumer:
    """A consumer that pools what a layer gives and copies it into rows of the output arrays.

    Parameters
    ----------
    routes : mapping
        As :func:`route_parts` gives it.
    outputs : mapping of str to Tensor
        Per target, (n_rows, *features) on the CPU.
    rows : slice
        Rows of the outputs to fill.
    keep : slice
        Items of the batch that go there; the others are padding.
    n_stimuli : int
        Items of the batch.
    later : list, optional
        Values are put here with their places, to be copied when the pass is over: a copy from an accelerator waits for
        it, and until then it would be told nothing more to do.
    """

    def consume(name: str, tensor: Tensor) -> None:
        for target, part in routes[name]:
            values = part.layer.put_batch_first(tensor, n_stimuli)[keep]
            values = pool_activations(values.float(), part.layer.axes, part.pool)
            out = outputs[target.name][rows]
            if values.numel() != (out if part.columns is None else out[:, part.columns]).numel():
                raise refuse_shape(name, target.shape, tuple(values.shape[1:]))
            if part.columns is None:
                place, values = out, values.reshape(out.shape)
            else:
                place, values = out[:, part.columns], values.flatten(1) * part.scale
            if later is None:
                place.copy_(values)
            else:
                later.append((place, values.clone()))

    return consume


def refuse_shape(layer: str, shape: tuple[int, ...], other: tuple[int, ...], file: str = "") -> InputError:
    """What to say of a layer whose shape is not that of the first stimulus."""
    return InputError(
        f"the same shape of {layer} for every stimulus", got=f"{other} instead of {shape}{file and f' for {file}'}",
        hint="a preprocessing that gives all stimuli one size, or --pool mean",
    )  # fmt: skip


@suggest_keywords
def sort_layers(model: Model, layers: Iterable[str]) -> list[str]:
    """Layers in the order in which the network defines its modules, the calls of a module in turn; others by name."""
    places = {name: i for i, (name, _) in enumerate(unwrap_module(model.module).named_modules(remove_duplicate=False))}

    def find_place(layer: str) -> tuple[int, int, str]:
        if layer in ENSEMBLES:
            return len(places), 0, layer
        ref = parse_layer(model.taps.get(layer, layer))
        return places.get(ref.path, len(places)), ref.call or 0, layer

    return sorted(layers, key=find_place)
