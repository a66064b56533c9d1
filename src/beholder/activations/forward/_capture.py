"""One batch through a model: logits and the activations of any layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from beholder._core.errors import InputError, suggest_keywords
from beholder.activations.forward._ensembles import ENSEMBLES
from beholder.activations.forward._hooks import Tap, pick_tensor
from beholder.activations.forward._probe import check_calls, count_calls
from beholder.activations.forward._targets import expand_presets, resolve_layers
from beholder.models import (
    ArrayPreprocessing,
    LayerRef,
    Model,
    Weights,
    copy_model,
    explain_shape_errors,
    make_batch,
    run_eagerly,
    unwrap_module,
)

_WHOLE = LayerRef("output", "")


@suggest_keywords
def capture(
    model: Model | nn.Module, batch: Any, layers: Sequence[str], *, grad: bool = False
) -> tuple[Tensor, dict[str, Tensor]]:
    """Run one batch and return the logits and the activations of the layers asked for.

    The captured tensors are copies: no later in-place operation of the network changes them.

    Parameters
    ----------
    model : Model or nn.Module
        The observer. A copy of it is run in eval mode; a plain module gets the batch as it is.
    batch : array or Tensor (n, *input_shape), or stimuli
        What the model's ``prepare`` gives, stacked: for pictures (n, 3, height, width) in [0, 1]. Of a :class:`Model`
        also whatever :func:`~beholder.extract` takes (files, pictures, ...), which is prepared here.
        The model's normalisation is applied here, inside the graph. Never written to.
    layers : sequence of str
        Layer names and patterns; of a :class:`Model` presets and taps too.
    grad : bool
        Let gradients flow from the results to ``batch`` (which then must be a tensor that
        requires them) and to the parameters that do.

    Returns
    -------
    logits : Tensor
        What the model returns (its first tensor, if it returns several).
    layers : dict of str to Tensor
        As the network computes them, batch axis where the network has it.

    Raises
    ------
    InputError
        For a layer that does not exist, does not run, or runs several times (``@k`` picks a call).

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(inplace=True))
    >>> logits, layers = capture(net, torch.ones(2, 4), ["0"])
    >>> bool((layers["0"].relu() == logits).all())
    True
    """
    if isinstance(layers, str):
        raise InputError("a list of layer names", got=f"the string {layers!r}", hint=f"[{layers!r}]")
    for name in layers:
        if name in ENSEMBLES:
            raise InputError("single layers", got=repr(name), hint="extract, which joins the layers of an ensemble")
    if isinstance(model, Model):
        layers = expand_presets(model, layers)
        images = make_batch(model, batch)
        ready = model if model.state is not None and not grad else copy_model(model, gradients=grad)
        with explain_shape_errors(model, tuple(images.shape[1:])):
            return _capture(ready, images, layers, grad)
    module = unwrap_module(model)
    plain = Model(type(module).__name__, "", module, ArrayPreprocessing(), Weights(tag=""))
    shown = batch if isinstance(batch, (Tensor, np.ndarray)) else make_batch(plain, batch)
    with explain_shape_errors(plain, tuple(shown.shape[1:])):
        return _capture(copy_model(plain, gradients=grad), shown, layers, grad)


def _capture(
    model: Model, batch: Tensor | np.ndarray, layers: Sequence[str], grad: bool
) -> tuple[Tensor, dict[str, Tensor]]:
    module = model.module
    refs = resolve_layers(module, layers, model.taps)
    images = torch.as_tensor(batch, device=model.device)
    if images.is_floating_point():
        images = images.to(next((p.dtype for p in module.parameters() if p.is_floating_point()), images.dtype))
    captured: dict[str, Tensor] = {}
    with run_eagerly():
        with torch.no_grad():
            check_calls(refs, count_calls(module, refs, lambda: model.run(images[:1])))
        with (
            torch.set_grad_enabled(grad),
            Tap(module, refs, gives_output=True) as tap,
            tap.collect(lambda name, tensor: captured.__setitem__(name, tensor.clone()), stop=False),
        ):
            output = model.run(images)
            tap.hand_over(output)
    return pick_tensor(output, _WHOLE), {name: captured[name] for name in refs}
