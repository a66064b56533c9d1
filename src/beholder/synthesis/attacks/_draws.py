"""Random perturbations of a given length: the baseline without gradients, and where attacks start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED
from beholder.synthesis.attacks._norms import (
    add_inwards,
    check_norm,
    find_range,
    keep_in_range,
    measure_norms,
    read_radius,
    spread,
)

Where = Literal["shell", "corners", "ball", "length"]
Generators = torch.Generator | Sequence[torch.Generator]

PLACES: tuple[str, ...] = get_args(Where)
PUBLISHED_STARTS: dict[str, Where] = {"l2": "shell", "linf": "ball", "l1": "ball"}
"""Where MadryLab's code starts at random (L1, which it lacks: foolbox's)."""

Draw = Callable[..., Tensor]


def start_generator(generator: Generators | None) -> Generators:
    """What was given, or a generator of the default seed."""
    return torch.Generator().manual_seed(DEFAULT_SEED) if generator is None else generator


def pick_generators(generators: Generators, rows: Tensor) -> Generators:
    """Those of some of the stimuli; one for the batch stays."""
    return generators if isinstance(generators, torch.Generator) else [generators[int(i)] for i in rows.cpu()]


def draw_rows(draw: Draw, shape: Sequence[int], generator: Generators) -> Tensor:
    """``draw`` of a whole batch from one generator, or of each stimulus from its own: on the CPU, float32."""
    if isinstance(generator, torch.Generator):
        return draw(tuple(shape), generator=generator)
    if len(generator) != shape[0]:
        raise InputError(f"one generator, or {shape[0]} (one a stimulus)", got=f"{len(generator)} of them")
    return torch.cat([draw((1, *shape[1:]), generator=each) for each in generator])


@suggest_keywords
def draw_noise(
    x: Tensor,
    *,
    norm: str,
    radius: float | Tensor,
    where: Where | None = None,
    low: float | None = None,
    high: float | None = None,
    generator: Generators | None = None,
) -> Tensor:
    """Stimuli with a random perturbation of a norm's ball, clamped to the valid range afterwards.

    ``shell``: on the sphere, every direction alike (L2: Gaussian noise scaled to the radius; L1: exponential sizes and
    random signs; Linf: uniform noise whose largest value is the radius). ``corners``: every value by ± the radius
    (Linf), one value by ± the radius (L1). ``ball``: uniform in the ball. ``length``: on a sphere whose radius is
    uniform between 0 and the radius.

    Parameters
    ----------
    x : (n, *shape)
    norm : {"l2", "linf", "l1"}
    radius : float, or Tensor (n,)
    where : {"shell", "corners", "ball", "length"}, optional
        None: the shell, or for Linf the corners, as the published networks were trained with noise.
    low, high : float, optional
        The valid range. Clamping to it makes perturbations shorter.
    generator : torch.Generator, or one a stimulus
        On the CPU, whatever the device of ``x``; one a stimulus makes each row independent of the others. None: a new
        one of seed 42.

    Returns
    -------
    Tensor, (n, *shape)

    Source: Feather et al. (2023), Nature Neuroscience 26, methods, "random perturbations"; ``ball`` as in Voelker et
    al. (2017), "Efficiently sampling vectors and coordinates from the n-sphere and n-ball".

    Examples
    --------
    >>> draw_noise(torch.zeros(1, 3), norm="linf", radius=0.5).abs()
    tensor([[0.5000, 0.5000, 0.5000]])
    """
    check_norm(norm)
    radii = read_radius(radius, x)
    place = where or ("corners" if norm == "linf" else "shell")
    unit = draw_unit(x.shape, norm, place, start_generator(generator)).to(x)
    return keep_in_range(add_inwards(x, unit * spread(radii, x)), *find_range(x, low, high))


def draw_unit(shape: Sequence[int], norm: str, where: str, generator: Generators) -> Tensor:
    """Perturbations for a radius of 1, (n, *shape), float32, on the CPU."""
    if where not in PLACES or (where == "corners" and norm == "l2"):
        known = [place for place in PLACES if place != "corners" or norm != "l2"]
        raise InputError(f"where noise of {norm} lies: {', '.join(known)}", got=repr(where))
    if where == "length":
        direction = _draw_shell(shape, norm, generator)
        return direction * draw_rows(torch.rand, (shape[0], *(1,) * (len(shape) - 1)), generator)
    if where == "corners":
        return _draw_corners(shape, norm, generator)
    return _draw_shell(shape, norm, generator) if where == "shell" else _draw_ball(shape, norm, generator)


def _draw_signs(shape: Sequence[int], generator: Generators) -> Tensor:
    return torch.where(draw_rows(torch.rand, shape, generator) < 0.5, -1.0, 1.0)


def _scale(noise: Tensor, norm: str) -> Tensor:
    return noise / spread(measure_norms(noise, norm).clamp_min(1e-30), noise).to(noise)


def _draw_sizes(shape: Sequence[int], generator: Generators) -> Tensor:
    """Exponential numbers, none of them infinite."""
    return -torch.log1p(-draw_rows(torch.rand, shape, generator))


def _draw_shell(shape: Sequence[int], norm: str, generator: Generators) -> Tensor:
    if norm == "l2":
        return _scale(draw_rows(torch.randn, shape, generator), norm)
    if norm == "linf":
        return _scale(2 * draw_rows(torch.rand, shape, generator) - 1, norm)
    return _scale(_draw_sizes(shape, generator) * _draw_signs(shape, generator), norm)


def _draw_corners(shape: Sequence[int], norm: str, generator: Generators) -> Tensor:
    if norm == "linf":
        return _draw_signs(shape, generator)
    highest = draw_rows(torch.rand, shape, generator).flatten(1).argmax(1, keepdim=True)
    chosen = torch.zeros(shape).flatten(1).scatter(1, highest, 1.0)
    return chosen.view(tuple(shape)) * _draw_signs((shape[0], *(1,) * (len(shape) - 1)), generator)


def _draw_ball(shape: Sequence[int], norm: str, generator: Generators) -> Tensor:
    if norm == "linf":
        return 2 * draw_rows(torch.rand, shape, generator) - 1
    n_values = shape[1:].numel() if isinstance(shape, torch.Size) else torch.Size(shape[1:]).numel()
    radius = draw_rows(torch.rand, (shape[0], *(1,) * (len(shape) - 1)), generator) ** (1 / n_values)
    return _draw_shell(shape, norm, generator) * radius
