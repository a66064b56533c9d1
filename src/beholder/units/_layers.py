"""The layers that units are drawn from, with their widths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.progress import tell
from beholder.activations import list_asked_layers, parse_layer, probe_layers
from beholder.models import Model, copy_model, find_unit_layers, load_skeleton, make_blank_input

_BATCHES = (5, 7)


@suggest_keywords
def list_unit_layers(model: Model | str, layers: Sequence[str] | None = None) -> dict[str, int]:
    """Layers of interest and their number of channels, in the network's order.

    Parameters
    ----------
    model : Model or str
        A name is looked at without weights.
    layers : sequence of str, optional
        Names, patterns, presets and taps instead of the family's own layers (:func:`beholder.models.find_unit_layers`).

    Returns
    -------
    dict of str to int
        Layer name to number of channels.

    Raises
    ------
    InputError
        A layer that does not run, has no channels, or is none of the model's.

    Examples
    --------
    >>> list_unit_layers("beholder:shapes", ["block?.conv"])
    {'block1.conv': 24, 'block2.conv': 48, 'block3.conv': 96, 'block4.conv': 160, 'block5.conv': 256}
    """
    skeleton = load_skeleton(model)
    if layers is None:
        return _measure_widths(skeleton, _leave_out_mixed(skeleton, find_unit_layers(skeleton)))
    if isinstance(layers, str):
        raise InputError("a list of layer names", got=f"the string {layers!r}", hint=f"[{layers!r}]")
    return _measure_widths(skeleton, list(dict.fromkeys(list_asked_layers(skeleton, layers))))


def _leave_out_mixed(model: Model, names: Sequence[str]) -> list[str]:
    """Leave out layers whose rows cannot be told apart by stimulus."""
    few, more = (_find_output_shapes(model, names, n) for n in _BATCHES)
    plain = [name for name in names if name not in few or _BATCHES in zip(few[name], more[name], strict=False)]
    told = {*plain, *_find_told(model, [name for name in names if name not in plain])}
    kept = [name for name in names if name in told]
    if not kept:
        raise InputError("a layer with one value a stimulus and channel", got=f"none in {model.name}")
    dropped = [name for name in names if name not in kept]
    if dropped:
        shown = ", ".join(dropped[:3]) + (", ..." if len(dropped) > 3 else "")
        tell("layers left out, since they mix stimuli and places: %d (%s)", len(dropped), shown)
    return kept


def _find_told(model: Model, names: Sequence[str]) -> list[str]:
    """Those whose rows can be told apart by stimulus: all are looked at together, and in halves where some cannot."""
    if not names:
        return []
    try:
        return list(_measure_widths(model, names))
    except InputError:
        half = len(names) // 2
        return [*_find_told(model, names[:half]), *_find_told(model, names[half:])] if half else []


def _find_output_shapes(model: Model, names: Sequence[str], n_stimuli: int) -> dict[str, tuple[int, ...]]:
    model = copy_model(model)
    modules = dict(model.module.named_modules(remove_duplicate=False))
    shapes: dict[str, tuple[int, ...]] = {}
    handles = []
    for name in names:
        ref = parse_layer(name)

        def note(_module: Any, _args: Any, output: Any, name: str = name) -> None:
            if isinstance(output, torch.Tensor):
                shapes[name] = tuple(output.shape)

        if ref.side == "out" and ref.path in modules:
            handles.append(modules[ref.path].register_forward_hook(note))
    blank = make_blank_input(model)
    try:
        with torch.inference_mode():
            model.run(blank.expand(n_stimuli, *blank.shape[1:]))
    finally:
        for handle in handles:
            handle.remove()
    return shapes


def _measure_widths(model: Model, names: Sequence[str]) -> dict[str, int]:
    model = copy_model(model)
    refs = {name: parse_layer(model.taps.get(name, name)) for name in names}
    probed = probe_layers(
        model.module, refs, model.run, make_blank_input(model), axes=model.axes, modality=model.modality
    )
    return {name: layer.shape[layer.channel_axis] for name, layer in probed.items()}


def count_units(widths: Mapping[str, int]) -> int:
    """Number of units that there are."""
    return sum(widths.values())
