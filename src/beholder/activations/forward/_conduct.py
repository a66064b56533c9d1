"""How a network behaves in a pass: threads and arithmetic, whether its layout is free, whether chance plays a part."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from beholder._core.errors import suggest_keywords
from beholder._core.progress import logger
from beholder.activations.forward._hooks import Tap
from beholder.activations.forward._probe import ProbedLayer
from beholder.models import Model, copy_model, fork_random, has_convolutions, run_eagerly

Look = Callable[[Model, Tensor], tuple[list[Tensor], list[Tensor]]]
"""What a model, a copy, makes of a batch: of the layers, their stimuli first; and what else must be the same."""

_SAME = 1e-3


@suggest_keywords
@contextlib.contextmanager
def use_threads(n: int) -> Iterator[None]:
    """Run torch with ``n`` intra-op threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@suggest_keywords
@contextlib.contextmanager
def use_exact_math(precision: str) -> Iterator[None]:
    """Switch off what makes float32 results differ between runs: TF32 and algorithm search."""
    cudnn = torch.backends.cudnn
    before = (cudnn.deterministic, cudnn.benchmark, torch.get_float32_matmul_precision(), cudnn.allow_tf32)
    cudnn.deterministic, cudnn.benchmark = True, False
    if precision == "fp32":
        torch.set_float32_matmul_precision("highest")
        cudnn.allow_tf32 = False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before[:2]
        torch.set_float32_matmul_precision(before[2])
        cudnn.allow_tf32 = before[3]


@suggest_keywords
def watch_layers(layers: Mapping[str, ProbedLayer], *, gradients: bool = False) -> Look:
    """A look at layers, at what the network returns, and on request at gradients.

    Parameters
    ----------
    layers : mapping of str to ProbedLayer
    gradients : bool
        Also at the gradient of the layers' squares at the batch.
    """
    refs = {name: layer.ref for name, layer in layers.items()}

    def look(model: Model, batch: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        found: dict[str, Tensor] = {}
        leaf = batch.detach().clone().requires_grad_(gradients)
        with (
            torch.inference_mode(not gradients),
            torch.set_grad_enabled(gradients),
            Tap(model.module, refs, gives_output=True) as tap,
            tap.collect(lambda name, values: found.__setitem__(name, values.clone()), stop=False),
        ):
            output = model.run(leaf)
            tap.hand_over(output)
        made = [layer.put_batch_first(found[name].detach()) for name, layer in layers.items()]
        others = [output.detach()] if isinstance(output, Tensor) else []
        floating = [values.square().sum() for values in found.values() if values.requires_grad]
        if floating:
            (gradient,) = torch.autograd.grad(torch.stack(floating).sum(), leaf, allow_unused=True)
            others += [] if gradient is None else [gradient]
        return made, others

    return look


@suggest_keywords
def settle_conduct(model: Model, look: Look, example: Tensor, *, layouts: bool = True) -> bool:
    """Say where a stimulus gives other values each time, or in another batch; tell whether the layout is free.

    Dropout or noise that eval mode does not switch off, and normalisation by the batch's own statistics, show between
    two passes that share their first stimulus and draw other random numbers.

    Parameters
    ----------
    model : Model
    look : callable
        ``look(model, batch)`` gives the tensors to compare.
    example : Tensor, (1, *input_shape)
        A prepared stimulus.
    layouts : bool
        Whether the channels-last layout is wanted.

    Returns
    -------
    bool
        Whether that layout, which convolutions run faster in, changes nothing but the speed. False where a forward
        pass fails in it (``x.view(len(x), -1)`` after a map, an assertion about strides), or gives other values
        (``as_strided``), and for networks without two-dimensional convolutions.

    Raises
    ------
    Exception
        What the network raises in the layout that it has.
    """
    pair, other = torch.cat([example, example.flip(-1)]), torch.cat([example, _fade(example)])
    plain = copy_model(model)
    first = _run(model, plain, look, pair)
    _log_changes(model, plain, look, first[0], pair, other)
    return layouts and has_convolutions(model.module) and _is_layout_free(model, look, first, pair)


def _log_changes(model: Model, plain: Model, look: Look, first: Sequence[Tensor], pair: Tensor, other: Tensor) -> None:
    if _are_near(_take_first(first), _take_first(_run(model, plain, look, other, seed=1)[0])):
        return
    if not _are_near(first, _run(model, plain, look, pair, seed=2)[0]):
        logger.warning(
            "%s gives other values each time for the same stimulus: dropout or noise that eval mode does not switch "
            "off", model.name,
        )  # fmt: skip
        return
    logger.warning(
        "%s gives a stimulus other values in another batch, as normalisation by the batch's own statistics does "
        "(BatchNorm without running ones): values depend on the batch size and on the other stimuli", model.name,
    )  # fmt: skip


def _is_layout_free(model: Model, look: Look, first: tuple[list[Tensor], list[Tensor]], pair: Tensor) -> bool:
    laid_out = pair.contiguous(memory_format=torch.channels_last) if pair.ndim == 4 else pair
    try:
        other = _run(model, copy_model(model, channels_last=True), look, laid_out)
    except Exception as error:  # whatever a forward pass may raise
        reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
        logger.debug("%s runs in the contiguous layout: in channels-last its pass fails (%s)", model.name, reason[0])
        return False
    if _are_near([*first[0], *first[1]], [*other[0], *other[1]]):
        return True
    logger.debug("%s runs in the contiguous layout: in channels-last its values are others", model.name)
    return False


def _run(model: Model, copy: Model, look: Look, batch: Tensor, seed: int = 0) -> tuple[list[Tensor], list[Tensor]]:
    """A look at a copy of the model, random numbers from a seed; afterwards the program draws those it would have."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    with fork_random(model.device), run_eagerly():
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        try:
            return look(copy, batch)
        finally:
            np.random.set_state(numpy_state)
            random.setstate(python_state)


def _are_near(some: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    return all(_is_near(a, b) for a, b in zip(some, others, strict=True))


def _is_near(a: Tensor, b: Tensor) -> bool:
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if not (a.is_floating_point() or a.is_complex()):
        return torch.equal(a, b)
    scale = float(a.abs().nan_to_num(0, 0, 0).max()) if a.numel() else 0.0
    return torch.allclose(a, b, rtol=_SAME, atol=_SAME * scale, equal_nan=True)


def _fade(example: Tensor) -> Tensor:
    if not example.is_floating_point():
        return example.roll(1, -1)
    return example * 0.5 if bool(example.any()) else example + 0.5


def _take_first(values: Sequence[Tensor]) -> list[Tensor]:
    """The first of two stimuli; of parts that count no stimuli (a batch's codebook) nothing."""
    return [each[: each.shape[0] // 2] for each in values if each.ndim and each.shape[0] % 2 == 0]
