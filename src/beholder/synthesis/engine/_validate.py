"""A look at the model before hours of work: whether a gradient reaches the input."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from beholder._core.errors import InputError, suggest_keywords
from beholder.activations import probe_layers, resolve_layers, settle_conduct, watch_layers
from beholder.models import Model, copy_model, run_eagerly
from beholder.synthesis.gradients._network import Network


def find_input_shape(model: Model, input_shape: tuple[int, ...] | None) -> tuple[int, ...]:
    """Shape of one stimulus, the user's or the model's."""
    shape = model.input_shape if input_shape is None else tuple(int(size) for size in input_shape)
    if shape is None:
        raise InputError(
            "the shape of one stimulus", got=f"{model.name}, which takes any", hint="input_shape=(3, 224, 224)"
        )
    return shape


def make_example(model: Model, shape: tuple[int, ...]) -> Tensor:
    """One stimulus of faint noise in the middle of the range."""
    low, high = model.input_range or (-1.0, 1.0)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, *shape, generator=generator)
    return ((low + high) / 2 + (high - low) * 0.05 * noise).clamp(low, high).to(model.device)


@suggest_keywords
def validate_model(
    model: Model, layers: Sequence[str] = (), *, input_shape: tuple[int, ...] | None = None, device: str | None = None
) -> None:
    """Check that stimuli can be made with a model.

    Parameters
    ----------
    model : Model
    layers : sequence of str
        Layers that objectives will read; ``"output"`` is what the model returns. Default: that.
    input_shape : tuple of int, optional
        For a model that takes any shape.
    device : str, optional
        Where the model should be.

    Raises
    ------
    InputError
        Parameters that are not float32 or lie on several devices; another device than asked for; a layer that does
        not exist, is not floating, or that no gradient connects with the input; NaN.
    """
    check_tensors(model, device)
    shape = find_input_shape(model, input_shape)
    example = make_example(model, shape)
    names = tuple(layers) or ("output",)
    with run_eagerly():
        check_gradient(Network(model, names, example), names, example)


def check_tensors(model: Model, device: str | None = None) -> None:
    """Refuse weights of another precision, on several devices, or elsewhere than asked for."""
    tensors = list(itertools.chain(model.module.parameters(), model.module.buffers()))
    odd = {str(t.dtype).removeprefix("torch.") for t in tensors if t.is_floating_point() and t.dtype != torch.float32}
    if odd:
        raise InputError(
            "float32 weights, in which gradients at a stimulus are exact enough for its small steps",
            got=", ".join(sorted(odd)), hint="model.module.float()",
        )  # fmt: skip
    places = {str(t.device) for t in tensors}
    if len(places) > 1:
        raise InputError("all weights on one device", got=", ".join(sorted(places)), hint="model.to('cpu')")
    if device is not None and places and torch.device(device).type != torch.device(next(iter(places))).type:
        raise InputError(f"a model on {device}", got=f"one on {places.pop()}", hint=f"model.to({device!r})")


def check_gradient(network: Network, layers: Sequence[str], example: Tensor) -> None:
    """Refuse layers that no gradient connects with the input."""
    if not layers:
        return
    with torch.enable_grad():
        images = example.detach().clone().requires_grad_(True)
        captured = network.run(images, [1], layers, {})
        for name in layers:
            values = captured.tensors[name]
            if not values.is_floating_point():
                raise InputError(f"floating-point activations at {name}", got=str(values.dtype).removeprefix("torch."))
            if not bool(torch.isfinite(values).all()):
                raise InputError(f"finite activations at {name}", got="NaN or infinity on a first grey stimulus")
            gradient = None
            if values.requires_grad:
                (gradient,) = torch.autograd.grad(values.square().sum(), images, allow_unused=True, retain_graph=True)
            if gradient is None:
                raise InputError(
                    f"a gradient from {name} to the input",
                    got="none: something on the way is detached, rounded or run under no_grad",
                    hint="an earlier layer, or a differentiable normalize",
                )


def settle_layout(
    model: Model,
    layers: Sequence[str],
    example: Tensor,
    old: Mapping[str, Any] | None,
    *,
    wanted: bool = True,
    gradients: bool = True,
) -> bool:
    """Whether convolutions run channels-last, which the CPU runs faster, where it changes nothing but the speed.

    Settled when an output is first planned, with a look at whether chance or the rest of a batch plays a part.

    Parameters
    ----------
    model : Model
    layers : sequence of str
    example : Tensor, (1, *input_shape)
        On the model's device.
    old : mapping or None
        Settings of the output that is continued.
    wanted : bool
    gradients : bool
        Whether gradients at the input matter too.
    """
    if old is not None:
        return bool(old.get("channels_last", True))
    with run_eagerly():
        copied = copy_model(model)
        refs = resolve_layers(copied.module, list(dict.fromkeys(layers)), model.taps)
        probed = probe_layers(copied.module, refs, copied.run, example)
    wanted = wanted and model.device.type == "cpu"
    return settle_conduct(model, watch_layers(probed, gradients=gradients and wanted), example, layouts=wanted)


_MOST = 10**9


def check_count(value: int, what: str) -> int:
    """A whole number above 0, of what can be counted out."""
    if value < 1:
        raise InputError(f"at least one {what}", got=str(value))
    if value > _MOST:
        raise InputError(f"at most {_MOST} {what}s", got=str(value))
    return int(value)
