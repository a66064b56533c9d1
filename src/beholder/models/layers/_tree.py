"""A network's layers: what runs, how often, what shape comes out. Looked at without weights where possible."""

from __future__ import annotations

import fnmatch
import logging
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError, suggest_keywords
from beholder.models.layers._axis_names import StimulusAxis, find_stimulus_axis, name_axes
from beholder.models.network._input_shape import FORWARD_ERRORS, choose_shape, find_input_shape
from beholder.models.network._model import Model

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor, nn

    from beholder.models.layers._axis_atoms import Axes

_META_BATCH, _REAL_BATCH = 11, 2
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
    axes : tuple of str or None
        Names of the output's axes; ``axis1``, … where the operations do not tell.
    input_axes : tuple of str or None
        Names of the input's.
    """

    path: str
    type: str
    depth: int
    output_shape: tuple[int, ...] | None
    n_parameters: int
    n_calls: int
    n_weights: int
    input_shape: tuple[int, ...] | None = None
    axes: tuple[str, ...] | None = None
    input_axes: tuple[str, ...] | None = None


@final
class LayerTable(list[LayerInfo]):
    """A network's layers: a list that can be filtered, made a table, and seen in a notebook."""

    tried: tuple[int, ...] | None = None
    """Shape of the stimuli that the shapes hold for, of a network that does not say which it takes: one it runs on."""

    def filter(self, pattern: str = "*", *, type: str | None = None) -> LayerTable:
        """Those whose path fits a pattern with ``*`` and ``?``, or holds it; and whose class is ``type``.

        >>> describe_layers("torchvision:alexnet").filter("features*", type="Conv2d").paths
        ['features.0', 'features.3', 'features.6', 'features.8', 'features.10']
        """
        is_glob = any(sign in pattern for sign in "*?[")
        found = LayerTable(
            layer
            for layer in self
            if (fnmatch.fnmatchcase(layer.path, pattern) if is_glob else pattern in layer.path)
            and type in (None, layer.type)
        )
        found.tried = self.tried
        return found

    @property
    def paths(self) -> list[str]:
        """Their names, as every command takes them."""
        return [layer.path for layer in self]

    def to_pandas(self) -> pd.DataFrame:
        """A table: a row a layer, the fields of :class:`LayerInfo` as columns."""
        import pandas as pd

        names = [each.name for each in fields(LayerInfo)]
        return pd.DataFrame([[getattr(layer, name) for name in names] for layer in self], columns=names)

    def __repr__(self) -> str:
        return render_layer_tree(self, title=self._tell_input()) if self else "no layers"

    def _repr_html_(self) -> str:
        import html

        from beholder.stimuli import format_rows

        header = ("layer", "class", "output", "axes", "parameters", "calls")
        rows = [
            (layer.path, html.escape(layer.type), _format_shape(layer), html.escape(", ".join(layer.axes or ())),
             f"{layer.n_parameters:,}" if layer.n_parameters else "", _format_calls(layer))
            for layer in self
        ]  # fmt: skip
        return f"<div style='max-height:24em;overflow:auto'>{format_rows(self._tell_input(), header, rows)}</div>"

    def _tell_input(self) -> str:
        return f"shapes for an input of {'×'.join(map(str, self.tried))}, one that it runs on" if self.tried else ""


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
    tried : tuple of int or None
        Shape of the stimulus, of a network that does not say which it takes.
    """

    layers: list[LayerInfo]
    calls: list[str]
    output_shape: tuple[int, ...] | None
    module: nn.Module
    taps: list[LayerInfo] = field(default_factory=list)
    tried: tuple[int, ...] | None = None


@suggest_keywords
def describe_layers(model: str | Model) -> LayerTable:
    """List a network's layers with output shapes and parameter counts.

    A name is built without weights and memory where its architecture allows, else with random weights; a loaded
    model is shown two blank stimuli.

    Parameters
    ----------
    model : str or Model

    Returns
    -------
    LayerTable
        A list of :class:`LayerInfo`, in the order of ``named_modules()``, with ``filter``, ``paths`` and ``to_pandas``.

    Examples
    --------
    >>> layers = describe_layers("torchvision:squeezenet1_1")
    >>> next(layer.output_shape for layer in layers if layer.path == "features.11")
    (512, 13, 13)
    """
    probed = probe_network(model)
    found = LayerTable(probed.layers)
    found.tried = probed.tried
    return found


def probe_network(model: str | Model) -> ProbedNetwork:
    """:func:`describe_layers`, and the order of calls."""
    if isinstance(model, Model):
        return _probe_any(model)
    from beholder.models.network._load import load_model, load_unweighted

    try:
        loaded = load_model(model, meta=True)
        return _probe(loaded, _META_BATCH)
    except (RuntimeError, NotImplementedError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        logging.getLogger("beholder").debug("%s is looked at with random weights: %s", model, error)
    return _probe(load_unweighted(model), _REAL_BATCH)


def _probe_any(model: Model) -> ProbedNetwork:
    """A network on stimuli of its shape; one that does not tell it on a usual one that it runs on."""
    usual = choose_shape(model.preprocessing)
    try:
        return _probe(model, _REAL_BATCH)
    except FORWARD_ERRORS:
        found = None if model.input_shape is not None else find_input_shape(model, usual)
        if found is None:
            raise
    return _probe(model, _REAL_BATCH, found)


def _probe(loaded: Model, n_stimuli: int, shape: tuple[int, ...] | None = None) -> ProbedNetwork:
    import torch

    from beholder.models.network._latent import CHILD, is_driven
    from beholder.models.network._state import copy_model

    model = copy_model(loaded)
    module = model.module
    blank = torch.zeros((n_stimuli, *(shape or choose_shape(model.preprocessing))), device=model.device)
    parts = {
        name: child
        for name, child in module.named_modules()
        if name and not (is_driven(module) and f"{name}.".startswith(f"{CHILD}."))
    }
    outputs: dict[int, _Seen] = {}
    inputs: dict[int, _Seen] = {}
    counts: dict[int, int] = {}
    order: list[str] = []
    names = {id(child): name for name, child in reversed(list(module.named_modules())) if name}
    children = {id(child): child for child in parts.values()}

    def run(look: Callable[[Tensor], Axes | None]) -> Any:
        for kept in (outputs, inputs, counts, order):
            kept.clear()

        def note(child: nn.Module, args: Any, output: Any) -> None:
            counts[id(child)] = counts.get(id(child), 0) + 1
            inputs[id(child)] = _Seen.of(args, look)
            outputs[id(child)] = _Seen.of(output, look)
            order.append(names[id(child)])

        handles = [child.register_forward_hook(note) for child in children.values()]
        try:
            return _Seen.of(model.run(blank), look)
        finally:
            for handle in handles:
                handle.remove()

    result = _run_followed(module, blank, model.preprocessing.modality, run)
    layers = []
    for name, child in parts.items():
        (output_shape, axes), (input_shape, input_axes) = (
            seen.get(id(child), _NOT_SEEN).describe(n_stimuli) for seen in (outputs, inputs)
        )
        layers.append(
            LayerInfo(
                path=name,
                type=type(child).__name__,
                depth=name.count("."),
                output_shape=output_shape,
                n_parameters=sum(parameter.numel() for parameter in child.parameters()),
                n_calls=counts.get(id(child), 0),
                n_weights=sum(parameter.ndim >= 2 for parameter in child.parameters()),
                input_shape=input_shape,
                axes=axes,
                input_axes=input_axes,
            )
        )
    taps = _describe_outputs(model, blank) if is_driven(module) else _describe_taps(model.taps, layers)
    tried = tuple(blank.shape[1:]) if model.preprocessing.input_shape is None else None
    return ProbedNetwork(layers, order, result.describe(n_stimuli)[0], loaded.module, taps, tried)


@dataclass(frozen=True)
class _Seen:
    """A tensor that a module took or gave: its shape, and what its axes are made of."""

    shape: tuple[int, ...] | None
    made_of: Axes | None = None

    @classmethod
    def of(cls, value: Any, look: Callable[[Tensor], Axes | None]) -> _Seen:
        """The first tensor in a value."""
        tensor = next(_iter_tensors(value), None)
        return _NOT_SEEN if tensor is None else cls(tuple(tensor.shape), look(tensor))

    def describe(self, n_stimuli: int) -> tuple[tuple[int, ...] | None, tuple[str, ...] | None]:
        """Shape of one stimulus's share, and names of its axes."""
        if self.shape is None:
            return None, None
        place = None if self.made_of is None else find_stimulus_axis(self.made_of, n_stimuli)
        place = place or _guess_place(self.shape, n_stimuli)
        if place is None:
            return self.shape, None
        return place.strip(self.shape), name_axes(self.made_of, place, self.shape)


_NOT_SEEN = _Seen(None)


def _run_followed(
    module: nn.Module, batch: Tensor, modality: str, run: Callable[[Callable[[Tensor], Axes | None]], Any]
) -> Any:
    """``run(look)`` in a pass whose axes are followed; in a plain one where that cannot be."""
    import torch

    from beholder.models.layers._axis_follow import follow_axes

    try:
        with torch.inference_mode(), follow_axes(module, batch, modality) as mode:
            return run(mode.find)
    except (RuntimeError, NotImplementedError, TypeError) as error:
        logging.getLogger("beholder").debug("the axes are not followed: %s", error)
    with torch.no_grad():
        return run(lambda _: None)


def _describe_outputs(model: Model, blank: Tensor) -> list[LayerInfo]:
    """The stages that a network driven through ``with_latent`` hands over itself."""
    import torch

    from beholder.models.network._latent import CHILD, Latent, find_outputs

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


def _guess_place(shape: tuple[int, ...], n_stimuli: int) -> StimulusAxis | None:
    """Where the stimuli are by the shape alone."""
    if shape and shape[0] == n_stimuli:
        return StimulusAxis()
    if len(shape) > 1 and shape[1] == n_stimuli:
        return StimulusAxis(1)
    if shape and shape[0] and shape[0] % n_stimuli == 0:
        return StimulusAxis(0, 1, shape[0] // n_stimuli)
    return None


def _find_shape(output: Any, n_stimuli: int) -> tuple[int, ...] | None:
    return _Seen.of(output, lambda _: None).describe(n_stimuli)[0]


def _iter_tensors(value: Any) -> Iterator[Tensor]:
    import torch

    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _iter_tensors(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _iter_tensors(part)


@suggest_keywords
def render_layer_tree(layers: Sequence[LayerInfo], *, title: str = "", width: int = _WIDTH) -> str:
    """An aligned table of layers: path, class, output shape and axes, parameters, calls.

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
            ",".join(layer.axes or ()),
            f"{layer.n_parameters:,}" if layer.n_parameters else "",
            _format_calls(layer),
        )
        for layer in layers
    ]
    header = ("layer", "class", "output", "axes", "parameters", "calls")
    columns: list[Callable[[str, int], str]] = [str.ljust, str.ljust, str.rjust, str.ljust, str.rjust, str.rjust]
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(6)]
    if not any(row[5] for row in rows):
        header, widths[5] = (*header[:5], ""), 0
    for column, floor in ((1, 12), (0, 24), (1, 8), (0, 16)):
        excess = sum(widths) + 10 - width
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
