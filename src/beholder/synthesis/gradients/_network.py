"""The model as the loop runs it: as far as needed, a copy a thread, layers handed over batch first."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor

from beholder._core.errors import InputError
from beholder.activations import (
    OUTPUT,
    LayerRef,
    ProbedLayer,
    Tap,
    ThreadTaps,
    pick_tensor,
    probe_layers,
    resolve_layers,
)
from beholder.models import Model
from beholder.synthesis.gradients._rectifiers import EndRectifiers, RecordRectifiers, match_rectifiers
from beholder.synthesis.gradients._view import Captured, Constants

WHOLE = LayerRef(OUTPUT, "")


@final
class Network:
    """Hooks on the layers that objectives read, and passes that stop after the deepest of them.

    Parameters
    ----------
    model : Model
    layers : sequence of str
        Names, taps, ``"output"``.
    example : Tensor, (1, *input_shape)
        One prepared stimulus, for a first look.
    channels_last : bool
        Lay convolution weights out channels-last.
    """

    def __init__(self, model: Model, layers: Sequence[str], example: Tensor, *, channels_last: bool = False) -> None:
        self._taps = ThreadTaps(model, channels_last=channels_last)
        self.device = model.device
        first = self._taps.models.copy()
        names = list(dict.fromkeys(layers))
        self._wants_output = OUTPUT in names and OUTPUT not in dict(first.module.named_modules())
        inner = [name for name in names if not (self._wants_output and name == OUTPUT)]
        refs = resolve_layers(first.module, inner, model.taps)
        if list(refs) != inner:
            raise InputError("names of single layers", got=", ".join(inner), hint="no patterns, presets or ensembles")
        if self._wants_output:
            refs[OUTPUT] = WHOLE
        self._probed: dict[str, ProbedLayer] = {}
        if refs:
            given = {"axes": model.axes, "modality": model.modality}
            self._probed = probe_layers(first.module, refs, first.run, example, **given)
        self._output = self._probed.pop(OUTPUT) if self._wants_output else None
        self._rectifiers: dict[str, EndRectifiers] = {}

    def copy_model(self) -> Model:
        """A copy of the model, laid out as this network is."""
        return self._taps.models.copy()

    def _find_tap(self, key: tuple[str, ...]) -> Tap:
        """Hooks for a set of layers, on the copy of the thread that asks."""
        return self._taps.get(key, {name: self._probed[name].ref for name in key})[1]

    def find_end_rectifiers(self, name: str, images: Tensor) -> EndRectifiers | None:
        """The ReLUs that a layer consists of, found by one pass; from now on every pass records what goes into them.

        Parameters
        ----------
        name : str
            A layer.
        images : Tensor, (n, *input_shape)

        Returns
        -------
        EndRectifiers or None
            None where the layer does not end with rectifiers, or only a part of it does.
        """
        if name not in self._probed:
            return None
        with torch.enable_grad(), RecordRectifiers() as record:
            leaf = images.detach().clone().requires_grad_(True)
            made: list[Tensor] = []
            with self._find_tap(self._key((name,))).collect(lambda _, tensor: made.append(tensor), stop=True):
                self._forward(leaf)
        found = match_rectifiers(record, made[0]) if made else None
        if found is not None:
            self._rectifiers[name] = found
        return found

    def run(self, images: Tensor, sizes: Sequence[int], layers: Sequence[str], constants: Constants) -> Captured:
        """One pass.

        Parameters
        ----------
        images : Tensor, (n, *input_shape)
            As ``prepare`` gives them.
        sizes : sequence of int
            How many of them belong to each problem, in order.
        layers : sequence of str
            What the problems read.
        constants : dict
            Where objectives keep their tensors on the device.
        """
        key, wants_output = self._key(layers), self._wants_output and OUTPUT in layers
        captured = Captured(images, sizes, {}, {}, {}, {}, constants)
        if wants_output or key:
            output = self._run_with(captured, key, images, stop=not wants_output)
            if wants_output and self._output is not None:
                self._put(captured, OUTPUT, pick_tensor(output, WHOLE), self._output)
        return captured

    def _run_with(self, captured: Captured, key: tuple[str, ...], images: Tensor, *, stop: bool) -> Any:
        if not key:
            return self._forward(images)

        def consume(name: str, tensor: Tensor) -> None:
            layer: ProbedLayer = self._probed[name]
            is_last = stop and len(captured.tensors) == len(key) - 1  # nothing runs that could overwrite it
            self._put(captured, name, tensor, layer, copy=not is_last)

        outputs = []
        with self._record(key) as record, self._find_tap(key).collect(consume, stop=stop):
            outputs.append(self._forward(images))
        if record is not None:
            for name, ends in self._list_rectifiers(key).items():
                layer = self._probed[name]
                before = [record.inputs[place] for place in ends.calls]
                captured.before[name] = tuple(layer.put_batch_first(each, len(images)) for each in before)
        return outputs[0] if outputs else None

    def _list_rectifiers(self, key: tuple[str, ...]) -> Mapping[str, EndRectifiers]:
        return {name: self._rectifiers[name] for name in key if name in self._rectifiers}

    def _record(self, key: tuple[str, ...]) -> contextlib.AbstractContextManager[RecordRectifiers | None]:
        places = {place for ends in self._list_rectifiers(key).values() for place in ends.calls}
        return RecordRectifiers(places) if places else contextlib.nullcontext()

    def _put(self, captured: Captured, name: str, made: Tensor, layer: ProbedLayer, *, copy: bool = False) -> None:
        kept = layer.put_batch_first(made.clone() if copy else made, len(captured.images))
        if kept.is_floating_point():
            kept = kept.float()
        single = not layer.shape
        captured.tensors[name] = kept[:, None] if single else kept
        captured.axes[name] = ("channel",) if single else layer.axes
        captured.nodes[name], captured.places[name] = made.grad_fn, layer.place

    def _key(self, layers: Sequence[str]) -> tuple[str, ...]:
        return tuple(sorted({name for name in layers if name in self._probed}))

    def _forward(self, images: Tensor) -> Any:
        return self._taps.models.get().run(images)
