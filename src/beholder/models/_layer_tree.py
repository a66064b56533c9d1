"""A network's layers: what runs, how often, what shape comes out. Looked at without weights where possible."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError
from beholder.models._model import Model

if TYPE_CHECKING:
    from torch import Tensor, nn

    from beholder.models._preprocessing import Preprocessing

_META_BATCH, _REAL_BATCH = 11, 2
_DEFAULT_IMAGE, _DEFAULT_SECONDS = (3, 224, 224), 2.0
_WIDTH = 100


@final
@dataclass(frozen=True)
class LayerInfo:
    """One module of a network.

    Parameters
    ----------
    path : str
        As in ``named_modules()``.
    type : str
        Class name.
    depth : int
        Number of dots in ``path``.
    output_shape : tuple of int or None
        Of its last call, without the batch axis (the first tensor of a tuple); None if it does not run.
    n_parameters : int
        Of the module and all below it.
    n_calls : int
        How often one forward pass calls it; more than once means that ``path@k`` must say which.
    n_weights : int
        Number of its matrices and kernels, all below it included.
    input_shape : tuple of int or None
        Of the first tensor that its last call was given, without the batch axis.
    """

    path: str
    type: str
    depth: int
    output_shape: tuple[int, ...] | None
    n_parameters: int
    n_calls: int
    n_weights: int
    input_shape: tuple[int, ...] | None = None


@final
@dataclass(frozen=True)
class ProbedNetwork:
    """What one pass through a network showed.

    Parameters
    ----------
    layers : list of LayerInfo
        In the order of ``named_modules()``, the whole network left out.
    calls : list of str
        Paths in the order in which their calls ended.
    output_shape : tuple of int or None
        Of the network.
    module : nn.Module
        The network that was looked at.
    taps : list of LayerInfo
        Layers that the model offers under names of their own; ``type`` is what such a name stands for.
    """

    layers: list[LayerInfo]
    calls: list[str]
    output_shape: tuple[int, ...] | None
    module: nn.Module
    taps: list[LayerInfo] = field(default_factory=list)


def describe_layers(model: str | Model) -> list[LayerInfo]:
    """List a network's layers with output shapes and parameter counts.

    A name is built without weights and memory where its architecture allows, else with random weights; a loaded
    model is shown two blank stimuli.

    Parameters
    ----------
    model : str or Model

    Returns
    -------
    list of LayerInfo
        In the order of ``named_modules()``.

    Examples
    --------
    >>> layers = describe_layers("torchvision:squeezenet1_1")
    >>> next(layer.output_shape for layer in layers if layer.path == "features.11")
    (512, 13, 13)
    """
    return probe_network(model).layers


def probe_network(model: str | Model) -> ProbedNetwork:
    """:func:`describe_layers`, and the order of calls."""
    if isinstance(model, Model):
        return _probe(model, _REAL_BATCH)
    import logging

    from beholder.models._load import load_model

    try:
        loaded = load_model(model, meta=True)
        return _probe(loaded, _META_BATCH)
    except (RuntimeError, NotImplementedError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        logging.getLogger("beholder").debug("%s is looked at with random weights: %s", model, error)
    from beholder.models._load import resolve_model

    blueprint = resolve_model(model, check_file=False).blueprint
    loaded = load_model(f"{blueprint.source}:{blueprint.name}@random", device="cpu")
    return _probe(loaded, _REAL_BATCH)


def _probe(loaded: Model, n_stimuli: int) -> ProbedNetwork:
    import torch

    from beholder.models._latent import CHILD, is_driven
    from beholder.models._state import copy_model

    model = copy_model(loaded)
    module = model.module
    blank = torch.zeros((n_stimuli, *_choose_shape(model)), device=model.device)
    parts = {
        name: child
        for name, child in module.named_modules()
        if name and not (is_driven(module) and f"{name}.".startswith(f"{CHILD}."))
    }
    outputs: dict[int, tuple[int, ...] | None] = {}
    counts: dict[int, int] = {}
    order: list[str] = []
    names = {id(child): name for name, child in reversed(list(module.named_modules())) if name}

    inputs: dict[int, tuple[int, ...] | None] = {}

    def note(child: nn.Module, args: Any, output: Any) -> None:
        counts[id(child)] = counts.get(id(child), 0) + 1
        inputs[id(child)] = _find_shape(args, n_stimuli)
        outputs[id(child)] = _find_shape(output, n_stimuli)
        order.append(names[id(child)])

    children = {id(child): child for child in parts.values()}
    handles = [child.register_forward_hook(note) for child in children.values()]
    try:
        with torch.no_grad():
            result = model.run(blank)
    finally:
        for handle in handles:
            handle.remove()
    layers = [
        LayerInfo(
            path=name,
            type=type(child).__name__,
            depth=name.count("."),
            output_shape=outputs.get(id(child)),
            n_parameters=sum(parameter.numel() for parameter in child.parameters()),
            n_calls=counts.get(id(child), 0),
            n_weights=sum(parameter.ndim >= 2 for parameter in child.parameters()),
            input_shape=inputs.get(id(child)),
        )
        for name, child in parts.items()
    ]
    taps = _describe_outputs(model, blank) if is_driven(module) else _describe_taps(model.taps, layers)
    return ProbedNetwork(layers, order, _find_shape(result, n_stimuli), loaded.module, taps)


def _describe_outputs(model: Model, blank: Tensor) -> list[LayerInfo]:
    """The stages that a network driven through ``with_latent`` hands over itself."""
    import torch

    from beholder.models._latent import CHILD, Latent, find_outputs

    names = find_outputs(model.module).children_of
    latent = Latent(model)
    with torch.no_grad():
        outputs = latent.run(blank, fake_relu=True)[1] | latent.run(blank)[1]
    return [LayerInfo(name, CHILD, 0, _find_shape(outputs.get(name), len(blank)), 0, 1, 0) for name in names]


def _describe_taps(taps: Mapping[str, str], layers: Sequence[LayerInfo]) -> list[LayerInfo]:
    """Named layer expressions, but for second names of the same layer (``layer1_fake_relu``)."""
    infos = {layer.path: layer for layer in layers}
    described = []
    for name, expression in taps.items():
        base = infos.get(re.split(r"[@:\[]", expression, maxsplit=1)[0])
        if base is not None and not name.endswith("_fake_relu"):
            shape = base.input_shape if expression.endswith(":in") else base.output_shape
            described.append(
                replace(base, path=name, type=f"= {expression}", depth=0, n_parameters=0, n_calls=1, n_weights=0,
                        output_shape=shape)
            )  # fmt: skip
    return described


def _choose_shape(model: Model) -> tuple[int, ...]:
    return choose_shape(model.preprocessing)


def choose_shape(preprocessing: Preprocessing) -> tuple[int, ...]:
    """Shape of one stimulus: what the network takes, else a usual one."""
    if preprocessing.input_shape is not None:
        return preprocessing.input_shape
    if preprocessing.modality == "sound":
        return (round(_DEFAULT_SECONDS * (preprocessing.sample_rate or 16_000)),)
    return _DEFAULT_IMAGE


def _find_shape(output: Any, n_stimuli: int) -> tuple[int, ...] | None:
    tensor = next(_iterate_tensors(output), None)
    if tensor is None:
        return None
    shape = tuple(tensor.shape)
    if shape and shape[0] == n_stimuli:
        return shape[1:]
    if len(shape) > 1 and shape[1] == n_stimuli:
        return (shape[0], *shape[2:])
    if shape and shape[0] and shape[0] % n_stimuli == 0:
        return (shape[0] // n_stimuli, *shape[1:])
    return shape


def _iterate_tensors(value: Any) -> Iterator[Tensor]:
    import torch

    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _iterate_tensors(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _iterate_tensors(part)


def render_layer_tree(layers: Sequence[LayerInfo], *, title: str = "", width: int = _WIDTH) -> str:
    """An aligned table of layers: path, class, output shape, parameters, calls.

    Parameters
    ----------
    layers : sequence of LayerInfo
    title : str
        First line.
    width : int
        Characters; long paths are shortened in the middle.

    Returns
    -------
    str
        Without a last line break. ``x3`` marks a module that is called three times, ``-`` one that is not called.
    """
    if not layers:
        return title
    rows = [
        (
            layer.path,
            layer.type,
            _format_shape(layer),
            f"{layer.n_parameters:,}" if layer.n_parameters else "",
            _format_calls(layer),
        )
        for layer in layers
    ]
    header = ("layer", "class", "output", "parameters", "calls")
    columns: list[Callable[[str, int], str]] = [str.ljust, str.ljust, str.rjust, str.rjust, str.rjust]
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(5)]
    if not any(row[4] for row in rows):
        header, widths[4] = (*header[:4], ""), 0
    for column, floor in ((1, 12), (0, 24)):
        excess = sum(widths) + 8 - width
        if excess > 0:
            widths[column] = max(widths[column] - excess, floor)
    lines = []
    for row in [header, *rows]:
        cells = [align(_shorten(cell, size), size) for cell, size, align in zip(row, widths, columns, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join([*([title] if title else []), *lines])


def _format_shape(layer: LayerInfo) -> str:
    if layer.output_shape is None:
        return "-"
    return "×".join(str(side) for side in layer.output_shape) or "scalar"


def _format_calls(layer: LayerInfo) -> str:
    return "" if layer.n_calls == 1 else f"x{layer.n_calls}" if layer.n_calls else "-"


def _shorten(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    tail = math.ceil((width - 1) * 0.6)
    return f"{text[: width - 1 - tail]}…{text[-tail:]}"
