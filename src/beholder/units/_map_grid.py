r"""Where in a stimulus the positions of a layer lie.

The centre of position :math:`j` is :math:`x + j \cdot s`. Through a convolution or pooling of kernel :math:`k`
(dilated), stride :math:`t` and padding :math:`p`, :math:`x' = x + s \cdot ((k - 1) / 2 - p)` and
:math:`s' = s \cdot t`: so the places are followed from module to module. Layers that are reached by other operations
are taken to cover the stimulus evenly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from beholder._core.errors import suggest_keywords
from beholder._core.seeds import make_generator
from beholder.activations import Tap, parse_layer, probe_layers
from beholder.models import Model, copy_model

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)
_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d)
_MOST_PREFIX_TOKENS = 16

Places = tuple[tuple[float, float], ...]
"""Start and step of each axis."""


@final
@dataclass(frozen=True)
class MapGrid:
    """How a layer's values become a map over the stimulus.

    Attributes
    ----------
    axes : tuple of str
        Feature axes of the layer.
    n_before : int
        Tokens before the first that has a place, such as the class token.
    shape : (n_rows, n_columns)
        Of the map; sounds have one row, and time runs along the columns.
    averaged : int or None
        Axis that is averaged, 0 or 1: the frequencies of a sound.
    x, y, step_x, step_y : float
        Centre of the first position, and distance between positions, in pixels or samples.
    width, height : int
        Of the stimulus; samples and 1 for sounds.
    is_aligned : bool
        The places were followed through the network; else they cover the stimulus evenly.
    """

    axes: tuple[str, ...]
    n_before: int
    full_shape: tuple[int, int]
    averaged: int | None
    x: float
    y: float
    step_x: float
    step_y: float
    width: int
    height: int
    is_aligned: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the map."""
        if self.averaged is None:
            return self.full_shape
        return 1, self.full_shape[1 - self.averaged]

    def to_maps(self, values: Tensor, channel: int) -> Tensor:
        """Values of one channel, laid out over the stimulus.

        Parameters
        ----------
        values : Tensor, (n_stimuli, *features)
            Batch first.
        channel : int

        Returns
        -------
        Tensor, (n_stimuli, n_rows, n_columns)
        """
        maps = self.lay_out(values.select(1 + self.axes.index("channel"), channel))
        if self.averaged is None:
            return maps
        return maps.mean(1 + self.averaged)[:, None]

    def lay_out(self, values: Tensor) -> Tensor:
        """(n_stimuli, *positions) as (n_stimuli, *full_shape)."""
        if "token" in self.axes:
            values = values[:, self.n_before :]
        return values.reshape(len(values), *self.full_shape)


@suggest_keywords
def find_grids(model: Model, layers: Sequence[str], example: Tensor) -> dict[str, MapGrid | None]:
    """Where the positions of layers lie.

    Parameters
    ----------
    model : Model
    layers : sequence of str
        Exact names.
    example : Tensor, (1, *input_shape)
        One prepared stimulus.

    Returns
    -------
    dict of str to MapGrid or None
        None for layers without positions.
    """
    model = copy_model(model)
    module, run = model.module, model.run
    refs = {name: parse_layer(model.taps.get(name, name)) for name in layers}

    probed = probe_layers(module, refs, run, example, axes=model.axes, modality=model.modality)
    with torch.inference_mode():
        entry = tuple(model.normalize(example).shape)
    size = tuple(example.shape[-2:]) if example.ndim == 4 else tuple(example.shape[-1:])
    walk = _Walk(entry, size)
    seen: dict[str, tuple[dict[tuple[int, ...], Places], list[tuple[int, ...]]]] = {}
    parts = [part for part in module.modules() if isinstance(part, _CONVOLUTIONS + _POOLS)]
    handles = [part.register_forward_hook(walk.see) for part in parts]
    try:
        with (
            torch.inference_mode(),
            Tap(module, refs) as tap,
            tap.collect(lambda name, _: seen.__setitem__(name, walk.copy()), stop=True),
        ):
            run(example)
    finally:
        for handle in handles:
            handle.remove()
    grids = {name: _make_grid(probed[name].axes, probed[name].shape, *seen[name], size) for name in layers}
    flat = {name: grid for name, grid in grids.items() if grid and len(size) == 1 and min(grid.full_shape) > 1}
    for name, axis in _find_time_axes(run, module, refs, probed, flat, example).items() if flat else ():
        grids[name] = _keep_time(flat[name], axis)
    return grids


class _Walk:
    """The places of every size of map met so far in one pass."""

    def __init__(self, entry: tuple[int, ...], size: tuple[int, ...]) -> None:
        self.places: dict[tuple[int, ...], Places] = {}
        self.sizes: list[tuple[int, ...]] = []
        inside = entry[-len(size) :]
        self.places[inside] = tuple(_spread_evenly(full, part) for full, part in zip(size, inside, strict=True))

    def copy(self) -> tuple[dict[tuple[int, ...], Places], list[tuple[int, ...]]]:
        return dict(self.places), list(self.sizes)

    def see(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        """A forward hook: follow the places through one convolution or pooling."""
        n = 2 if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d) else 1
        if not args or not isinstance(output, Tensor):
            return
        before, after = tuple(args[0].shape[-n:]), tuple(output.shape[-n:])
        self.sizes.append(after)
        if before not in self.places:
            self.places.pop(after, None)
            return
        self.places[after] = tuple(
            follow_places(start, step, before[i], after[i], *_read_kernel(module, i, n))
            for i, (start, step) in enumerate(self.places[before])
        )


def _read_kernel(module: Any, axis: int, n: int) -> tuple[int, int, int | None, bool]:
    """Dilated kernel, stride, padding in front (None: as much as is needed), whether sizes round up."""

    def pick(value: Any) -> int:
        return int(value[axis]) if isinstance(value, tuple | list) else int(value)

    kernel = (pick(module.kernel_size) - 1) * pick(getattr(module, "dilation", 1)) + 1
    padding = module.padding
    before = (None if padding == "same" else 0) if isinstance(padding, str) else pick(padding)
    return kernel, pick(module.stride), before, bool(getattr(module, "ceil_mode", False))


def follow_places(
    start: float, step: float, n_before: int, n_after: int, kernel: int, stride: int, padding: int | None, ceil: bool
) -> tuple[float, float]:
    """Start and step of the positions after one convolution or pooling.

    Parameters
    ----------
    start, step : float
        Of the positions before it.
    n_before, n_after : int
        Positions before and after.
    kernel, stride : int
        The kernel's extent, with dilation.
    padding : int or None
        Positions added in front; None, or a number that does not explain ``n_after``: half of what is needed.
    ceil : bool
        Sizes are rounded up.

    Examples
    --------
    >>> follow_places(0.0, 1.0, 224, 112, kernel=7, stride=2, padding=3, ceil=False)
    (0.0, 2.0)
    """
    if padding is None or (not ceil and (n_before + 2 * padding - kernel) // stride + 1 != n_after):
        padding = max(0, (n_after - 1) * stride + kernel - n_before) // 2
    return start + step * ((kernel - 1) / 2 - padding), step * stride


def _spread_evenly(size: int, n: int) -> tuple[float, float]:
    """Start and step of ``n`` positions that share ``size`` pixels."""
    step = size / n
    return (step - 1) / 2, step


def _make_grid(
    axes: tuple[str, ...],
    shape: tuple[int, ...],
    places: Mapping[tuple[int, ...], Places],
    sizes: Sequence[tuple[int, ...]],
    size: tuple[int, ...],
) -> MapGrid | None:
    """The grid of one layer, before it is known which axis of a sound's is time; None without positions."""
    positions = tuple(n for axis, n in zip(axes, shape, strict=True) if axis != "channel")
    n_before = 0
    if "token" in axes and len(positions) == 1:
        found = _find_token_grid(positions[0], sizes, is_sound=len(size) == 1)
        if found is None:
            return None
        n_before, positions = positions[0] - math.prod(found), found
    is_sound = len(size) == 1
    if "channel" not in axes or len(positions) not in ((1, 2) if is_sound else (2,)):
        return None
    known = places.get(positions)
    height, width = (1, *size) if is_sound else size
    rows, columns = 1 if len(positions) == 1 else positions[0], positions[-1]
    if known is not None and len(known) == len(positions):
        (y, step_y), (x, step_x) = ((0.0, 1.0), *known) if is_sound else known
    else:
        (y, step_y), (x, step_x) = _spread_evenly(height, rows), _spread_evenly(width, columns)
    return MapGrid(axes, n_before, (rows, columns), None, x, y, step_x, step_y, width, height, known is not None)


def _keep_time(grid: MapGrid, time_axis: int) -> MapGrid:
    """The grid of a sound with frequencies, which are averaged."""
    x, step_x = _spread_evenly(grid.width, grid.full_shape[time_axis])
    return replace(grid, averaged=1 - time_axis, x=x, step_x=step_x, y=0.0, step_y=1.0, is_aligned=False)


def _find_token_grid(n: int, sizes: Sequence[tuple[int, ...]], *, is_sound: bool) -> tuple[int, ...] | None:
    """The map that tokens were cut from: the last convolution's that they can hold, up to a few tokens in front."""
    for size in reversed(sizes):
        if math.prod(size) > 1 and 0 <= n - math.prod(size) <= _MOST_PREFIX_TOKENS:
            return size
    side = math.isqrt(n)
    if is_sound:
        return (n,)
    return (side, side) if side * side == n > 1 else None


def _find_time_axes(
    run: Callable[[Tensor], Any],
    module: nn.Module,
    refs: Mapping[str, Any],
    probed: Mapping[str, Any],
    grids: Mapping[str, MapGrid],
    example: Tensor,
) -> dict[str, int]:
    """Which of two axes is a sound's time: the one whose beginning changes less when the sound's end is changed."""
    noise = make_generator(0, "time axis").standard_normal(example.shape[-1]).astype(np.float32) * 0.1
    pair = np.stack([noise, noise])
    half = len(noise) // 2
    pair[1, half:] = noise[half:][::-1] * 0.3
    found: dict[str, int] = {}

    def note(name: str, values: Tensor) -> None:
        if name not in grids:
            return
        values = probed[name].put_batch_first(values)
        change = (values[1] - values[0]).abs().double().sum(grids[name].axes.index("channel"))
        change = grids[name].lay_out(change[None])[0]
        early = [float(change.narrow(axis, 0, max(1, 2 * n // 5)).sum()) for axis, n in enumerate(change.shape)]
        found[name] = 0 if early[0] < early[1] else 1

    with torch.inference_mode(), Tap(module, refs) as tap, tap.collect(note, stop=True):
        run(torch.as_tensor(pair, device=example.device))
    return found
