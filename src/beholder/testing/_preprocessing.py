"""What a preprocessing has to do."""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np

from beholder._core.errors import suggest_keywords
from beholder._core.seeds import make_generator
from beholder.models import ArrayPreprocessing, Preprocessing, read_preprocessing
from beholder.testing._expect import expect, explain

_SIDES = (72, 90)
_SECONDS = 0.5


@suggest_keywords
def check_preprocessing(preprocessing: Preprocessing, example: Any = None) -> None:
    """Check a preprocessing: its table, shapes and ranges, and the gradient through ``normalize``.

    Parameters
    ----------
    preprocessing : Preprocessing
    example : object, optional
        A stimulus for ``prepare``. Default: a random picture of 72 × 90 pixels, half a second of noise, or an array of
        the input's shape.

    Raises
    ------
    AssertionError
        It is not equal after pickling or after ``to_dict`` and :func:`~beholder.models.read_preprocessing`;
        ``prepare`` gives another shape, type or range than is said, or other values the second time; ``normalize``
        mixes stimuli, or stops the gradient; pictures of whole numbers come out otherwise.

    Examples
    --------
    >>> from beholder.models import ImagePreprocessing
    >>> check_preprocessing(ImagePreprocessing(resize=72, crop=(64, 64)))
    """
    name = type(preprocessing).__name__
    expect(isinstance(preprocessing, Preprocessing), "a beholder.models.Preprocessing", got=name)
    _check_table(preprocessing, name)
    source = make_example(preprocessing) if example is None else example
    _check_prepared(preprocessing, source, name)
    _check_normalized(preprocessing, source, name)
    if preprocessing.supports_uint8:
        _check_uint8(preprocessing, source, name)


def make_example(preprocessing: Preprocessing) -> Any:
    """A stimulus of the preprocessing's modality, the same each time."""
    generator = make_generator(0, "testing example")
    if preprocessing.modality == "image" and not isinstance(preprocessing, ArrayPreprocessing):
        from PIL import Image

        return Image.fromarray(generator.integers(0, 256, (*_SIDES, 3), dtype=np.uint8))
    if preprocessing.modality == "sound":
        rate = preprocessing.sample_rate or 16_000
        shape = preprocessing.input_shape or (int(_SECONDS * rate),)
        return (0.1 * generator.standard_normal(shape[-1])).astype(np.float32)
    low, high = preprocessing.input_range or (0.0, 1.0)
    return generator.uniform(low, high, preprocessing.input_shape or (3, 8, 8)).astype(np.float32)


def _check_table(preprocessing: Preprocessing, name: str) -> None:
    if preprocessing.list_functions():
        return  # a user's functions are named in the table and cannot be read back
    with explain(f"{name} to pickle, as it goes to worker processes", hint="a frozen dataclass of plain values"):
        again = pickle.loads(pickle.dumps(preprocessing))
    expect(again == preprocessing, f"{name} to be equal after pickling", got=repr(again), hint="a frozen dataclass")
    table = preprocessing.to_dict()
    with explain(f"a table of JSON values from {name}.to_dict", hint="lists for tuples, floats for numpy's numbers"):
        stored = json.loads(json.dumps(table, allow_nan=False))
    with explain(
        f"read_preprocessing to read what {name}.to_dict gave",
        hint="a from_dict, and its kind filed in beholder.models.PREPROCESSINGS",
    ):
        read = read_preprocessing(stored)
    expect(read == preprocessing, f"{name} to be equal after to_dict and read_preprocessing", got=repr(read))


def _check_prepared(preprocessing: Preprocessing, source: Any, name: str) -> None:
    kept = np.array(source, copy=True)
    with explain(f"{name}.prepare to take a stimulus"):
        prepared, again = preprocessing.prepare(source), preprocessing.prepare(source)
    expect(
        np.array_equal(kept, np.asarray(source)), f"{name}.prepare to leave its stimulus as it is", got="other values"
    )
    expect(
        isinstance(prepared, np.ndarray) and prepared.dtype == np.float32, f"a float32 array from {name}.prepare",
        got=str(getattr(prepared, "dtype", type(prepared).__name__)),
    )  # fmt: skip
    shape, bounds = preprocessing.input_shape, preprocessing.input_range
    expect(
        shape is None or prepared.shape == tuple(shape), f"{name}.prepare to give its input_shape {shape}",
        got=f"shape {prepared.shape}",
    )  # fmt: skip
    expect(bool(np.isfinite(prepared).all()), f"finite values from {name}.prepare", got="others")
    if bounds is not None:
        low, high = float(prepared.min()), float(prepared.max())
        slack = 1e-6 * (bounds[1] - bounds[0])
        expect(
            bounds[0] - slack <= low and high <= bounds[1] + slack, f"{name}.prepare to stay in {list(bounds)}",
            got=f"values from {low:g} to {high:g}",
        )  # fmt: skip
    expect(np.array_equal(prepared, again), f"{name}.prepare to give the same values twice", got="others")


def _check_normalized(preprocessing: Preprocessing, source: Any, name: str) -> None:
    import torch

    prepared = preprocessing.prepare(source)
    batch = torch.from_numpy(np.stack([prepared, (prepared[..., ::-1] + prepared.max()) / 2]))
    batch.requires_grad_(True)
    with explain(f"{name}.normalize to take a batch of two"):
        made = preprocessing.normalize(batch)
    expect(
        isinstance(made, torch.Tensor) and made.is_floating_point() and len(made) == 2,
        f"a tensor of two stimuli from {name}.normalize", got=str(getattr(made, "shape", type(made).__name__)),
    )  # fmt: skip
    expect(bool(torch.isfinite(made).all()), f"finite values from {name}.normalize", got="others")
    hint = "torch functions, no numpy, detach or rounding"
    expect(made.requires_grad, f"{name}.normalize to pass the gradient", got="a tensor without one", hint=hint)
    (gradient,) = torch.autograd.grad((made * torch.linspace(0.5, 1.5, made.numel()).view_as(made)).sum(), batch)
    alive = bool(torch.isfinite(gradient).all()) and all(bool(row.abs().sum() > 0) for row in gradient)
    expect(alive, f"{name}.normalize to pass a gradient to each stimulus", got="none", hint=hint)
    alone = preprocessing.normalize(batch[:1].detach())
    expect(
        torch.allclose(alone[0], made[0].detach(), rtol=1e-4, atol=1e-5 * float(made.detach().abs().max())),
        f"{name}.normalize to treat each stimulus by itself", got="other values in a batch than alone",
    )  # fmt: skip


def _check_uint8(preprocessing: Preprocessing, source: Any, name: str) -> None:
    import torch

    pixels = preprocessing.prepare_uint8(source)
    expect(
        pixels.dtype == np.uint8 and pixels.ndim == 3, f"uint8 (height, width, 3) from {name}.prepare_uint8",
        got=f"{pixels.dtype} {pixels.shape}", hint="supports_uint8 = False without this road",
    )  # fmt: skip
    short = preprocessing.normalize_uint8(pixels[None])
    whole = preprocessing.normalize(torch.from_numpy(preprocessing.prepare(source))[None])
    expect(
        short.shape == whole.shape and torch.allclose(short.float(), whole, rtol=1e-4, atol=1e-4),
        f"the same input by {name}'s two roads", got="another by prepare_uint8 and normalize_uint8",
    )  # fmt: skip
