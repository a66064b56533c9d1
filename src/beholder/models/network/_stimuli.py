"""Stimuli for one model: a set of whatever holds them, one of them prepared, and a batch of them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import SKIP_HINT, InputError, format_values, suggest_keywords
from beholder.models.network._sizes import check_sizes
from beholder.models.preprocessing._read import (
    ArrayPreprocessing,
    ExtendedPreprocessing,
    Preprocessing,
    SoundPreprocessing,
)
from beholder.stimuli import (
    Exposure,
    StimulusSet,
    as_stimulus_set,
    expose_image,
    load_wnids,
    looks_like_pictures,
    open_image,
)

if TYPE_CHECKING:
    from torch import Tensor

    from beholder.models.network._model import Model

logger = logging.getLogger("beholder")

_TOLERANCE = 1e-4  # of the range: what rounding does to values at its ends


@suggest_keywords
def collect_stimuli(
    model: Model | Preprocessing, source: Any, *, skip_bad: bool = False, any_size: bool = False
) -> StimulusSet:
    """The stimuli for a model, or for its preprocessing, from whatever :func:`beholder.stimuli.as_stimulus_set` takes.

    Floats of the shape that the network takes count as prepared: they must lie in ``input_range``. Everything else that
    looks like pictures (files, PIL pictures, ``uint8``, floats of other shapes in [0, 1]) is prepared as its file would
    be. ``any_size``: files need not be of the model's size, since something else cuts them to it.

    Raises
    ------
    InputError
        As :func:`~beholder.stimuli.as_stimulus_set`; and values outside the range, or in [0, 1] for a network of
        another range, which may be a picture or prepared.
    """
    if isinstance(source, StimulusSet):
        if not any_size:
            check_sizes(model, source)
        return source
    array = _read_array(source)
    shape = model.input_shape
    if array is None:
        found = as_stimulus_set(source, skip_bad=skip_bad, shape=shape)
        if isinstance(found.arrays, np.ndarray) and found.kind == "image" and found.arrays.shape[1:] == shape:
            _check_prepared(model, found.arrays)
        if not any_size:
            check_sizes(model, found)
        return found
    if shape is not None and array.shape == shape:
        array = array[None]
    is_prepared = array.shape[1:] == shape or (shape is None and model.modality == "array")
    if not is_prepared or array.dtype == np.uint8 or array.ndim == 0:
        return as_stimulus_set(array, shape=shape)
    _check_prepared(model, array)
    is_picture = model.modality == "image" and model.input_range in (None, (0.0, 1.0)) and _is_unit(array)
    return StimulusSet.from_arrays(array, kind="image" if is_picture else "array")


@suggest_keywords
def prepare_stimulus(preprocessing: Preprocessing, stimuli: StimulusSet, i: int, source: Any = None) -> np.ndarray:
    """Stimulus ``i`` of a set as the network is shown it, before ``normalize``.

    Parameters
    ----------
    preprocessing : Preprocessing
    stimuli : StimulusSet
    i : int
    source : optional
        The stimulus, where it was read already.

    Returns
    -------
    ndarray
        float32, of ``input_shape`` in ``input_range``.

    Raises
    ------
    StimulusError
        One that cannot be read; the line names its file.
    """
    source = stimuli.read(i)[0] if source is None else source
    with name_bad_stimulus(stimuli, i):
        return _prepare(preprocessing, stimuli, source)


def _prepare(preprocessing: Preprocessing, stimuli: StimulusSet, source: Any) -> np.ndarray:
    if stimuli.kind == "image" and isinstance(source, np.ndarray) and source.dtype.kind == "f":
        base = preprocessing.base if isinstance(preprocessing, ExtendedPreprocessing) else preprocessing
        if isinstance(base, ArrayPreprocessing):
            return base.prepare_picture(source)
        low, high = preprocessing.input_range or (0.0, 1.0)
        if (low, high) != (0.0, 1.0):
            source = source * np.float32(high - low) + np.float32(low)
    return preprocessing.prepare(source)


@suggest_keywords
def load_stimulus(
    stimuli: StimulusSet,
    index: int,
    preprocessing: Preprocessing,
    exposure: Exposure | None,
    *,
    replicate: int = 0,
    seed: int = 0,
    as_uint8: bool = False,
) -> tuple[np.ndarray, str, list[int] | None]:
    """One stimulus, read, exposed and prepared; the hash of its file or array, and the mark of the file."""
    source, digest, mark = stimuli.read(index)
    with name_bad_stimulus(stimuli, index):
        if exposure is not None:
            picture = open_image(source, keep_alpha=True)
            source = expose_image(picture, replicate, exposure=exposure, seed=seed, stimulus_id=stimuli.ids[index])
        if as_uint8:
            return preprocessing.prepare_uint8(source), digest, mark
        return prepare_stimulus(preprocessing, stimuli, index, source), digest, mark


@suggest_keywords
@contextlib.contextmanager
def name_bad_stimulus(stimuli: StimulusSet, index: int) -> Iterator[None]:
    """Say which file it was when a stimulus given as bytes cannot be read, or is none that the network takes."""
    try:
        yield
    except InputError as error:
        name = stimuli.files[index] or stimuli.ids[index]
        if name in str(error):
            raise
        reason = error.got or str(error)
        if not stimuli.files[index] or (error.hint is not None and not reason.startswith("bytes")):
            raise type(error)(error.expected, got=f"{name} with {reason}", hint=error.hint) from error
        reason = reason.removeprefix("bytes") if reason.startswith("bytes") else f" {reason}"
        raise type(error)("a stimulus that can be read", got=f"{name}{reason}", hint=SKIP_HINT) from error


@suggest_keywords
def make_batch(model: Model, stimuli: Any) -> Tensor:
    """What a model is called with: a prepared batch as it is, else the stimuli, prepared and stacked.

    Parameters
    ----------
    model : Model
    stimuli : Tensor or array (n, *input_shape), or whatever :func:`collect_stimuli` takes

    Returns
    -------
    Tensor
        (n, *input_shape), on the model's device; a tensor keeps its gradient.

    Raises
    ------
    InputError
        Values outside ``input_range``; stimuli of several shapes.
    """
    import torch

    if isinstance(stimuli, (torch.Tensor, np.ndarray)) and _is_batch(model, stimuli):
        batch = torch.as_tensor(stimuli)
        if batch.is_floating_point():
            _check_values(model, *_find_ends(batch))
        return batch.to(model.device)
    found = collect_stimuli(model, stimuli)
    prepared = [prepare_stimulus(model.preprocessing, found, i) for i in range(len(found))]
    shapes = sorted({each.shape for each in prepared})
    if len(shapes) > 1:
        raise InputError("stimuli of one shape after preprocessing", got=f"{shapes[0]} and {shapes[1]}",
                         hint="one stimulus at a time, or a preprocessing that resizes")  # fmt: skip
    return torch.as_tensor(np.stack(prepared), device=model.device)


def _is_batch(model: Model, stimuli: Any) -> bool:
    """Whether an array is a prepared batch, of the network's size or, for the same channels, of another."""
    shape, expected = tuple(stimuli.shape), model.input_shape
    if str(stimuli.dtype).removeprefix("torch.") in ("uint8", "int16", "int32") and model.modality != "array":
        return False
    if str(stimuli.dtype).removeprefix("torch.") == "uint8" and looks_like_pictures(shape):
        return False
    if model.modality == "image" and len(shape) == 4:
        return shape[1] == (expected[0] if expected else shape[1]) and shape[1] in (1, 3)
    if expected is None:
        return model.modality != "image"
    return len(shape) == len(expected) + 1


def _read_array(source: Any) -> np.ndarray | None:
    """An array or tensor of numbers, or a list of equal ones, in memory; None for everything else."""
    import sys

    if isinstance(source, (list, tuple)):
        parts = [_read_array(each) if not isinstance(each, (list, tuple)) else None for each in source]
        whole = [part for part in parts if part is not None and part.ndim]
        same = {(part.shape, part.dtype) for part in whole}
        return np.stack(whole) if len(whole) == len(parts) and len(same) == 1 else None

    torch = sys.modules.get("torch")
    if torch is not None and isinstance(source, torch.Tensor):
        source = source.detach().cpu()
        return (source.float() if source.dtype in (torch.bfloat16, torch.float16) else source).numpy()
    return source if isinstance(source, np.ndarray) and source.dtype.kind in "uifb" else None


def _is_unit(array: np.ndarray) -> bool:
    return array.dtype.kind == "f" and array.size > 0 and float(array.min()) >= 0 and float(array.max()) <= 1


def _check_prepared(model: Model | Preprocessing, array: np.ndarray) -> None:
    """Refuse prepared floats outside the range, and those that may be pictures in [0, 1] of a network that has not."""
    if not array.size:
        return
    if array.dtype.kind in "iub":
        _check_integers(model, array)
        return
    _check_values(model, float(array.min()), float(array.max()))
    shape, limits = model.input_shape, model.input_range
    looks_like_picture = shape is not None and len(shape) == 3 and shape[0] in (1, 3)
    if limits not in (None, (0.0, 1.0)) and looks_like_picture and _is_unit(array):
        got = f"values from {array.min():.4g} to {array.max():.4g}, which may be pictures in [0, 1]"
        hint = "StimulusSet.from_arrays(x) if they are, StimulusSet.from_arrays(x, kind='array') if not"
        raise InputError(f"prepared stimuli in {_tell(limits)}", got=got, hint=hint)


def _check_integers(model: Model | Preprocessing, array: np.ndarray) -> None:
    """Refuse integers of the network's shape outside its range: of pictures only ``uint8`` says what white is."""
    limits, low, high = model.input_range, int(array.min()), int(array.max())
    if limits is None or model.modality != "image" or (low >= limits[0] and high <= limits[1]):
        return
    hint = 'x.astype("uint8")' if low >= 0 and high <= 255 else None
    got = f"{array.dtype}, {format_values(low, high)}"
    raise InputError(f"pictures of uint8 or prepared floats in {_tell(limits)}", got=got, hint=hint)


def _find_ends(batch: Tensor) -> tuple[float, float]:
    import torch

    if batch.numel() == 0 or batch.is_meta or torch.compiler.is_compiling():
        return 0.0, 0.0
    try:
        low, high = torch.aminmax(batch.detach())
        return float(low), float(high)
    except RuntimeError:  # inside a transform of torch.func, whose values are not known
        return 0.0, 0.0


def _check_values(model: Model | Preprocessing, low: float, high: float) -> None:
    limits = model.input_range
    base = model if isinstance(model, Preprocessing) else model.preprocessing
    base = base.base if isinstance(base, ExtendedPreprocessing) else base
    is_levelled = isinstance(base, SoundPreprocessing) and base.rms is not None
    if limits is None or is_levelled:
        return
    slack = _TOLERANCE * (limits[1] - limits[0])
    if not (low >= limits[0] - slack and high <= limits[1] + slack):  # NaN fails too
        hint = "model.prepare(file), or uint8 pictures" if model.modality == "image" else "model.prepare(file)"
        got = format_values(low, high)
        raise InputError(f"prepared stimuli in {_tell(limits)}", got=got, hint=hint)


def _tell(limits: tuple[float, float] | None) -> str:
    return "any range" if limits is None else f"[{limits[0]:g}, {limits[1]:g}]"


@suggest_keywords
def check_modality(model: Model, stimuli: StimulusSet) -> None:
    """Refuse sounds for a model of pictures, and the reverse."""
    if "array" not in (stimuli.kind, model.modality) and stimuli.kind != model.modality:
        raise InputError(f"{model.modality}s, which {model.name} takes", got=f"{len(stimuli)} {stimuli.kind}s")


@suggest_keywords
def log_class_order(model: Model, stimuli: StimulusSet) -> bool:
    """Say so where the stimuli's class indices are not those of the network's outputs; returns whether they differ.

    Labels are compared by name with the network's classes, by WordNet id with ImageNet's, by number where they are
    integers. Nothing is said of labels that are none of these, and of flat folders, which have no classes.
    """
    labels = dict(zip(stimuli.labels, stimuli.targets.tolist(), strict=True))
    if stimuli.layout == "flat" or stimuli.labels == stimuli.ids:
        return False
    places = {_fold(name): i for i, name in enumerate(model.classes or ())}
    if len(model.classes or ()) == len(load_wnids()):
        places |= {wnid: i for i, wnid in enumerate(load_wnids())}
    own = {name: places.get(_fold(name), places.get(name[:9])) for name in labels}
    if all(name.isdecimal() for name in labels):
        own = {name: int(name) for name in labels}
    if any(place is None for place in own.values()):
        return False
    wrong = next((name for name, place in own.items() if place != labels[name]), None)
    if wrong is not None:
        logger.warning(
            "class indices count the stimuli's own %d classes: %s is %d here, and %d among the outputs of %s",
            len(labels), wrong, labels[wrong], own[wrong], model.name,
        )  # fmt: skip
    return wrong is not None


def _fold(name: str) -> str:
    return name.casefold().replace("_", " ").replace("-", " ").strip()
