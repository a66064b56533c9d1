"""Which shape of stimuli a network takes: tried on it, since no attribute says."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from beholder._core.errors import BeholderError, InputError, suggest_keywords

_DEFAULT_IMAGE, _DEFAULT_SECONDS = (3, 224, 224), 2.0

if TYPE_CHECKING:
    from torch import nn

    from beholder.models.network._model import Model
    from beholder.models.preprocessing._read import Preprocessing

_SIDES = (224, 32, 28, 64, 96, 128, 112, 227, 256, 299, 384, 84, 48, 16, 8)
_N_TRIED = 2  # one stimulus would let a channel axis pass for the stimuli's
FORWARD_ERRORS = (RuntimeError, ValueError, TypeError, IndexError, AssertionError)
"""What forward passes raise at an input that they cannot take."""


def runs_on(model: Model, shape: tuple[int, ...]) -> bool:
    """Whether a network runs on two stimuli of a shape and gives an output for each. It is left as it is."""
    import torch

    from beholder.models.definitions._devices import fork_random
    from beholder.models.network._state import copy_model, run_eagerly
    from beholder.models.preprocessing._read import ArrayPreprocessing

    first = next((t for t in model.module.parameters() if t.is_floating_point()), torch.zeros((), device=model.device))
    stimuli = torch.full((_N_TRIED, *shape), 0.5, device=model.device, dtype=first.dtype)
    try:
        ready = copy_model(model)
        run = ready.run if isinstance(model.preprocessing, ArrayPreprocessing) else ready.run_input
        with torch.no_grad(), fork_random(model.device), run_eagerly():
            output = run(stimuli)
    except FORWARD_ERRORS:
        return False
    tensor = _pick_tensor(output)
    return tensor is None or (tensor.ndim > 0 and tensor.shape[0] == _N_TRIED)


def is_lazy(module: nn.Module) -> bool:
    """Whether a first pass would settle the sizes of parameters."""
    import torch

    return any(torch.nn.parameter.is_lazy(tensor) for tensor in [*module.parameters(), *module.buffers()])


def needs_channel(plain: Model, n_samples: int) -> bool:
    """Whether a network takes sounds as (n, 1, n_samples), as 1-D convolutions do, and not as (n, n_samples).

    Parameters
    ----------
    plain : Model
        Without preprocessing.
    n_samples : int
    """
    if is_lazy(plain.module):
        return False
    return not runs_on(plain, (n_samples,)) and runs_on(plain, (1, n_samples))


def find_input_shape(model: Model, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """A shape that a network runs on, near one that it does not: other channels first, then other sizes.

    Of stimuli that are no pictures: the numbers that its first linear layer takes, then the usual pictures.
    """
    if is_lazy(model.module):
        return None
    linear = (size for m in model.module.modules() if isinstance(size := getattr(m, "in_features", None), int))
    first = [(size,) for size in linear][:1]
    if len(shape) != 3:
        pictures = [(channels, side, side) for side in _SIDES for channels in (3, 1)]
        return next((each for each in [*first, *pictures] if each != shape and runs_on(model, each)), None)
    height, width = shape[1:]
    usual = [(side, side) for side in _SIDES if (side, side) != (height, width)]
    for channels, (high, wide) in [
        *((c, (height, width)) for c in (3, 1) if c != shape[0]),
        *((c, size) for size in usual for c in dict.fromkeys((shape[0], 3, 1))),
    ]:
        if runs_on(model, (channels, high, wide)):
            return channels, high, wide
    return next((each for each in first if runs_on(model, each)), None)


@suggest_keywords
@contextlib.contextmanager
def explain_shape_errors(model: Model, shape: tuple[int, ...]) -> Iterator[None]:
    """Say which shape a network takes, or runs on, where a first pass ends in an error at another one.

    Raises
    ------
    InputError
        Instead of the network's own error, if it runs on its own shape, or one was found. Otherwise that is raised.
    """
    try:
        yield
    except BeholderError:
        raise
    except FORWARD_ERRORS as error:
        reason, own = " ".join(str(error).split())[:120], model.input_shape
        if own is not None and tuple(shape) != tuple(own) and runs_on(model, tuple(own)):
            is_image = model.modality == "image"
            raise InputError(
                f"stimuli of shape {tuple(own)}, which {model.name} takes", got=f"{tuple(shape)} ({reason})",
                hint="files, PIL pictures or uint8 arrays, which are resized" if is_image else "model.prepare(file)",
            ) from error  # fmt: skip
        if model.modality == "sound" or model.spec is not None:
            raise
        found = find_input_shape(model, tuple(shape))
        if found is None:
            raise
        if len(shape) != 3 or len(found) != 3:
            raise InputError(
                f"stimuli of a shape that {model.name} runs on, such as {found}, along the first axis",
                got=f"stimuli of shape {tuple(shape)} ({reason})",
                hint=f"an array (n_stimuli, {', '.join(map(str, found))})",
            ) from error  # fmt: skip
        resized = found[1:] != tuple(shape)[1:]
        side, crop = found[1], f"({found[1]}, {found[2]})"
        if not resized:
            way = f"wrap(..., input_shape={found})"
        elif found[0] == 1:
            way = (
                f"wrap(..., preprocess=GreyPreprocessing(resize={side}, crop={crop}, white=WHITE)), with the "
                "value that white had in its training, 1 or 255"
            )
        else:
            way = (
                f"wrap(..., preprocess=ImagePreprocessing(resize={side}, crop={crop}, mean=MEAN, std=STD)), with the "
                "mean and std of its training: (0, 0, 0) and (1, 1, 1) if that was of pictures from 0 to 1"
            )
        raise InputError(
            f"stimuli of a shape that {model.name} runs on, such as {found}", got=f"{tuple(shape)} ({reason})", hint=way
        ) from error


def _pick_tensor(output: Any) -> Any:
    """The first tensor of an output, or None."""
    import torch

    if isinstance(output, torch.Tensor):
        return output
    values = output.values() if isinstance(output, dict) else output if isinstance(output, (tuple, list)) else ()
    return next((found for value in values if (found := _pick_tensor(value)) is not None), None)


def choose_shape(preprocessing: Preprocessing) -> tuple[int, ...]:
    """Shape of one stimulus: what the network takes, else a usual one."""
    if preprocessing.input_shape is not None:
        return preprocessing.input_shape
    if preprocessing.modality == "sound":
        return (round(_DEFAULT_SECONDS * (preprocessing.sample_rate or 16_000)),)
    return _DEFAULT_IMAGE
