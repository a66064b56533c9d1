"""How a network behaves in a pass: whether its layout is free, whether chance or the rest of a batch plays a part."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from beholder._core.progress import logger
from beholder.activations._hooks import Tap
from beholder.activations._probe import ProbedLayer
from beholder.models import Model, copy_model, has_convolutions

Look = Callable[[Model, Tensor], Sequence[Tensor]]
"""What a model, a copy, makes of a batch: the tensors that matter."""

_SAME = 1e-3


def watch_layers(layers: Mapping[str, ProbedLayer], *, whole: bool = False, gradients: bool = False) -> Look:
    """A look at layers, as far as the deepest of them; their stimuli are on the first axis.

    Parameters
    ----------
    layers : mapping of str to ProbedLayer
    whole : bool
        Run the whole pass, and look at what the network returns too.
    gradients : bool
        Also at the gradient of the layers' squares at the batch.
    """
    refs = {name: layer.ref for name, layer in layers.items()}

    def look(model: Model, batch: Tensor) -> list[Tensor]:
        found: dict[str, Tensor] = {}
        returned: list[Tensor] = []
        leaf = batch.detach().clone().requires_grad_(gradients)
        with (
            torch.inference_mode(not gradients),
            torch.set_grad_enabled(gradients),
            Tap(model.module, refs, gives_output=True) as tap,
            tap.collect(lambda name, values: found.__setitem__(name, values.clone()), stop=not whole),
        ):
            output = model.run(leaf)
            tap.hand_over(output)
            returned += [output.detach()] if isinstance(output, Tensor) else []
        floating = [values.square().sum() for values in found.values() if values.requires_grad]
        made = [layer.put_batch_first(found[name].detach()) for name, layer in layers.items()]
        if floating:
            (gradient,) = torch.autograd.grad(torch.stack(floating).sum(), leaf, allow_unused=True)
            made += [] if gradient is None else [gradient]
        return made + returned

    return look


def choose_layout(model: Model, look: Look, batch: Tensor) -> bool:
    """Whether the channels-last layout, which convolutions run faster in, changes nothing but the speed.

    False where a forward pass fails in it (``x.view(len(x), -1)`` after a map, an assertion about strides), or gives
    other values (``as_strided``), and for networks without two-dimensional convolutions.

    Parameters
    ----------
    model : Model
    look : callable
        ``look(model, batch)`` gives the tensors to compare.
    batch : Tensor, (n, *input_shape)
        Prepared stimuli.

    Raises
    ------
    Exception
        What the network raises in the layout that it has.
    """
    if not has_convolutions(model.module):
        return False
    with _same_draws(model):
        plain = look(copy_model(model), batch)
    try:
        with _same_draws(model):
            laid_out = batch.contiguous(memory_format=torch.channels_last) if batch.ndim == 4 else batch
            other = look(copy_model(model, channels_last=True), laid_out)
    except Exception as error:  # whatever a forward pass may raise
        reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
        logger.debug("%s runs in the contiguous layout: in channels-last its pass fails (%s)", model.name, reason[0])
        return False
    if all(_is_near(a, b) for a, b in zip(plain, other, strict=True)):
        return True
    logger.debug("%s runs in the contiguous layout: in channels-last its values are others", model.name)
    return False


def _is_near(a: Tensor, b: Tensor) -> bool:
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if not (a.is_floating_point() or a.is_complex()):
        return torch.equal(a, b)
    scale = float(a.abs().nan_to_num(0, 0, 0).max()) if a.numel() else 0.0
    return torch.allclose(a, b, rtol=_SAME, atol=_SAME * scale, equal_nan=True)


def tell_conduct(model: Model, look: Look, example: Tensor) -> None:
    """Say, in one line each, where the same stimulus gives other values each time, or in another batch.

    Three passes of two stimuli each: dropout or noise that eval mode does not switch off shows between two passes of
    the same batch; normalisation by the batch's own statistics between two batches that share their first stimulus.

    Parameters
    ----------
    model : Model
    look : callable
        As for :func:`choose_layout`.
    example : Tensor, (1, *input_shape)
        A prepared stimulus.
    """
    flipped, faint = example.flip(-1), _fade(example)
    with _same_draws(model):
        torch.manual_seed(0)
        first = look(copy_model(model), torch.cat([example, flipped]))
        again = look(copy_model(model), torch.cat([example, flipped]))
        other = look(copy_model(model), torch.cat([example, faint]))
    if not all(_is_near(a, b) for a, b in zip(first, again, strict=True)):
        logger.warning(
            "%s gives other values each time for the same stimulus: dropout or noise that eval mode does not switch "
            "off", model.name,
        )  # fmt: skip
    elif not all(_is_near(a, b) for a, b in zip(_take_first(first), _take_first(other), strict=True)):
        logger.warning(
            "%s gives a stimulus other values in another batch, as normalisation by the batch's own statistics does "
            "(BatchNorm without running ones): values depend on the batch size and on the other stimuli", model.name,
        )  # fmt: skip


def _fade(example: Tensor) -> Tensor:
    if not example.is_floating_point():
        return example.roll(1, -1)
    return example * 0.5 if bool(example.any()) else example + 0.5


def _take_first(values: Sequence[Tensor]) -> list[Tensor]:
    """The first of two stimuli; of parts that count no stimuli (a batch's codebook) nothing."""
    return [each[: each.shape[0] // 2] for each in values if each.ndim and each.shape[0] % 2 == 0]


@contextlib.contextmanager
def _same_draws(model: Model) -> Iterator[None]:
    """Let passes draw the same random numbers each time, and the program afterwards those it would have."""
    devices = [model.device] if model.device.type == "cuda" else []
    numpy_state, python_state = np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices=devices), torch.compiler.set_stance("force_eager"):
        torch.manual_seed(0)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)
            random.setstate(python_state)
