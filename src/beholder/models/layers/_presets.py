"""Selecting layers: patterns, and the three presets that mean something for any network."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder.models.layers._layer_names import match_pattern
from beholder.models.layers._tree import LayerInfo, ProbedNetwork, probe_network
from beholder.models.network._model import Model

if TYPE_CHECKING:
    from torch import nn

LAYER_PRESETS = ("blocks", "stages", "penultimate")
"""Names of choices of layers: ``preset:blocks`` and others."""
_PREFIX = "preset:"
_STAGE_DEPTH = 3
_N_QUARTERS = 4


@suggest_keywords
def select_layers(
    layers: str | Model | Sequence[LayerInfo] | Sequence[str], patterns: str | Iterable[str]
) -> list[str]:
    """Layers that patterns or presets mean, in the network's order, each once.

    Parameters
    ----------
    layers : model, name of a model, or list of layers or paths
        A bare list knows patterns only, no presets.
    patterns : str or iterable of str
        A path; a pattern with ``* ? [...]``, where ``*`` also crosses dots (``layer3.*.conv?``), with ``:in``,
        ``@k`` or a part after it if wanted (see :func:`match_pattern`); or a preset, which where a module has that
        name is spelled ``preset:blocks``:

        ``blocks``
            the repeated units (residual blocks, fire modules, transformer blocks); in a network without any, its
            activation functions.
        ``stages``
            the last block before each change of resolution (its parent, where that ends with it); four blocks at
            equal distances where resolution never changes; pooling layers of a network without blocks.
        ``penultimate``
            what the last linear or convolutional read-out reads, as ``path:in``; of a network without read-out, its
            last layer.

    Returns
    -------
    list of str

    Raises
    ------
    UnknownNameError
        A path that is not there.
    InputError
        A pattern that nothing matches; a preset that means nothing here.

    Examples
    --------
    >>> select_layers(["conv1", "layer1.0.conv1", "layer1.0.conv2"], "layer1.*.conv?")
    ['layer1.0.conv1', 'layer1.0.conv2']
    """
    wanted = [patterns] if isinstance(patterns, str) else list(patterns)
    probed: ProbedNetwork | None = None
    if isinstance(layers, Model):
        paths = [path for path, _ in layers.module.named_modules(remove_duplicate=False) if path]
        paths = [*paths, *(tap for tap in layers.taps if tap not in paths)]
    elif isinstance(layers, str):
        probed = probe_network(layers)
        paths = list(dict.fromkeys(layer.path for layer in [*probed.layers, *probed.taps]))
    else:
        paths = [layer.path if isinstance(layer, LayerInfo) else layer for layer in layers]
    selected: dict[str, None] = {}
    for pattern in wanted:
        preset = _read_preset(pattern, paths)
        if preset is not None:
            if isinstance(layers, (str, Model)):
                probed = probed or probe_network(layers)
                selected.update(dict.fromkeys(find_preset(probed, preset)))
                continue
            raise InputError("a model for a preset", got=f"{pattern!r} of a list of layers", hint="a pattern")
        selected.update(dict.fromkeys(_match(pattern, paths)))
    return list(selected)


@suggest_keywords
def list_layers(
    model: str | Model, patterns: Sequence[str] = (), depth: int | None = None
) -> tuple[str, list[LayerInfo]]:
    """A network's name and its layers, or those that patterns and presets mean, in one look; taps come last.

    Parameters
    ----------
    model : str or Model
    patterns : sequence of str
        As for :func:`select_layers`; none means all.
    depth : int, optional
        Only paths with fewer dots.
    """
    network = probe_network(model)
    infos = {layer.path: layer for layer in network.layers}
    infos |= {tap.path: tap for tap in network.taps if tap.path not in infos}
    if patterns:
        selected: dict[str, LayerInfo] = {}
        for pattern in patterns:
            preset = _read_preset(pattern, list(infos))
            for path in find_preset(network, preset) if preset else _match(pattern, list(infos)):
                base = infos[min(path.partition(":")[0], path.partition("@")[0], key=len).partition("[")[0]]
                shape = base.input_shape if path.endswith(":in") else base.output_shape
                selected[path] = base if base.path == path else replace(base, path=path, output_shape=shape)
        infos = selected
    name = model.name if isinstance(model, Model) else model
    return name, [layer for layer in infos.values() if depth is None or layer.depth < depth]


def _read_preset(pattern: str, paths: Sequence[str]) -> str | None:
    name = pattern.removeprefix(_PREFIX)
    if pattern.startswith(_PREFIX) and name not in LAYER_PRESETS:
        raise UnknownNameError("preset", name, LAYER_PRESETS)
    return name if name in LAYER_PRESETS and (pattern.startswith(_PREFIX) or name not in paths) else None


def _match(pattern: str, paths: Sequence[str]) -> list[str]:
    if pattern in paths:
        return [pattern]
    found = match_pattern(pattern, paths)
    if found is None:
        if re.split(r"[@:\[]", pattern, maxsplit=1)[0] not in paths:
            raise UnknownNameError("layer", pattern, paths, hint="`beholder layers MODEL` for a list")
        return [pattern]
    if not found:
        raise InputError(
            "a pattern that some layer matches", got=repr(pattern), hint="`beholder layers MODEL` for a list"
        )
    return found


def find_preset(network: ProbedNetwork, preset: str) -> list[str]:
    """Layers of one of the three presets."""
    if preset == "penultimate":
        found = _find_penultimate(network)
    else:
        blocks = list(_find_blocks(network))
        infos = {layer.path: layer for layer in network.layers}
        if preset == "blocks":
            found = [layer.path for layer in blocks] or _find_activations(network)
        elif blocks:
            found = _find_stages(network, blocks, infos)
        else:
            found = _find_by_class(network, ("maxpool", "avgpool")) or _take_quarters(_find_activations(network))
    if not found:
        raise InputError(f"a network that has {preset}", got=type(network.module).__name__, hint="a pattern")
    return found


def _find_activations(network: ProbedNetwork) -> list[str]:
    return _find_by_class(network, ("relu", "gelu", "silu", "swish", "elu", "sigmoid"))


def _take_quarters(paths: Sequence[str]) -> list[str]:
    ends = [round(len(paths) * (k + 1) / _N_QUARTERS) - 1 for k in range(_N_QUARTERS)]
    return [paths[i] for i in ends if i >= 0]


def _find_by_class(network: ProbedNetwork, words: tuple[str, ...]) -> list[str]:
    def is_spatial(layer: LayerInfo) -> bool:
        return layer.output_shape is not None and len(layer.output_shape) > 1

    return [
        layer.path
        for layer in network.layers
        if layer.n_calls and not layer.n_weights and is_spatial(layer)
        and any(word in layer.type.lower() for word in words)
        and "adaptive" not in layer.type.lower()
        and not any(other.path.startswith(layer.path + ".") for other in network.layers)
    ]  # fmt: skip


def _find_blocks(network: ProbedNetwork) -> Iterator[LayerInfo]:
    infos = {layer.path: layer for layer in network.layers}
    alive = {part for path in network.calls for part in _list_parents(path)} | set(network.calls)
    yield from _walk(network.module, "", infos, alive)


def _list_parents(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts))]


def _walk(module: nn.Module, prefix: str, infos: dict[str, LayerInfo], alive: set[str]) -> Iterator[LayerInfo]:
    children = [(f"{prefix}{name}", child) for name, child in module.named_children()]
    children = [
        (path, child) for path, child in children if path in alive and path in infos and infos[path].n_weights > 1
    ]
    counts: dict[str, int] = {}
    for _, child in children:
        counts[type(child).__name__] = counts.get(type(child).__name__, 0) + 1
    for path, child in children:
        is_leaf = not any(True for _ in child.children())
        if _holds_blocks(child, _STAGE_DEPTH) or _is_container(child):
            inner = list(_walk(child, f"{path}.", infos, alive))
            yield from inner
            if not inner and infos[path].n_calls and _is_container(module):
                yield infos[path]
        elif not is_leaf and infos[path].n_calls and (_is_container(module) or counts[type(child).__name__] > 1):
            yield infos[path]


def _is_container(module: nn.Module) -> bool:
    from torch import nn

    return isinstance(module, (nn.Sequential, nn.ModuleList, nn.ModuleDict))


def _holds_blocks(module: nn.Module, depth: int) -> bool:
    """Whether a container of at least two alike composites is in here."""
    if _is_container(module):
        kinds = [type(child).__name__ for child in module.children() if _is_composite(child)]
        if len(kinds) > len(set(kinds)):
            return True
    return depth > 0 and any(_holds_blocks(child, depth - 1) for child in module.children())


def _is_composite(module: nn.Module) -> bool:
    has_children = any(True for _ in module.children())
    return has_children and sum(parameter.ndim >= 2 for parameter in module.parameters()) > 1


def _find_stages(network: ProbedNetwork, blocks: list[LayerInfo], infos: dict[str, LayerInfo]) -> list[str]:
    sizes = [_get_resolution(block) for block in blocks]
    ends = [i for i in range(len(blocks)) if i + 1 == len(blocks) or sizes[i] != sizes[i + 1]]
    if len(ends) == 1 and len(blocks) > _N_QUARTERS:
        return _take_quarters([block.path for block in blocks])
    before = ["", *(blocks[i].path for i in ends[:-1])]
    return [_climb(blocks[i], earlier, network, infos).path for i, earlier in zip(ends, before, strict=True)]


def _climb(block: LayerInfo, before: str, network: ProbedNetwork, infos: dict[str, LayerInfo]) -> LayerInfo:
    """The outermost module that gives out what the block gives out, and does not hold the stage before."""
    while True:
        parent = infos.get(block.path.rpartition(".")[0])
        if parent is None or parent.n_calls != 1 or parent.output_shape != block.output_shape:
            return block
        if before.startswith(parent.path + "."):
            return block
        if network.calls.index(parent.path) != network.calls.index(block.path) + 1:
            return block
        block = parent


def _get_resolution(layer: LayerInfo) -> tuple[int, ...]:
    shape = layer.output_shape or ()
    if len(shape) == 3:
        # (channels, height, width), or (height, width, channels) in networks that keep channels last
        return shape[1:] if shape[1] == shape[2] else shape[:2]
    return shape[:-1]


def _find_penultimate(network: ProbedNetwork) -> list[str]:
    infos = {layer.path: layer for layer in network.layers}
    inner = {parent for path in network.calls for parent in _list_parents(path)}
    leaves = set(network.calls) - inner
    weighted = [path for path in network.calls if path in leaves and infos[path].n_weights]
    n_outputs = network.output_shape[0] if network.output_shape else None
    if weighted:
        shape = infos[weighted[-1]].output_shape
        tail = network.calls[len(network.calls) - network.calls[::-1].index(weighted[-1]) :]
        is_tail_plain = all(not infos[path].n_weights for path in tail if path in leaves)
        if shape and is_tail_plain and n_outputs in (shape[0], shape[-1]) and infos[weighted[-1]].n_calls == 1:
            plain_head = not any("norm" in infos[path].type.lower() for path in tail if path in leaves)
            if plain_head:
                return [f"{weighted[-1]}:in"]
    last = next((path for path in reversed(network.calls) if path in leaves), None)
    return [] if last is None else [last]
