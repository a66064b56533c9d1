"""Names of a layer's axes, and where its stimuli are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from beholder._core.errors import InputError, suggest_keywords
from beholder.models.layers._axis_atoms import (
    CHANNEL,
    FRAME,
    FREQUENCY,
    HEIGHT,
    LAYER,
    MIXED,
    PLACES,
    STIMULUS,
    TOKEN,
    WIDTH,
    Atom,
    Axes,
    Axis,
    find_kind,
    measure,
)

if TYPE_CHECKING:
    from torch import Tensor

UNTOLD_AXIS = "axis"
"""Axes that could not be told are called ``axis1``, ``axis2``, …"""


@final
@dataclass(frozen=True)
class StimulusAxis:
    """Which rows of a layer's tensor belong to which stimulus.

    The axis counts ``before × n_stimuli × after``: with both 1 the stimuli alone, with windows of attention usually
    (stimulus, window).

    Attributes
    ----------
    axis : int
    before, after : int
        How many rows of a stimulus there are outside and inside of it.
    """

    axis: int = 0
    before: int = 1
    after: int = 1

    @property
    def is_plain(self) -> bool:
        """Whether the axis counts the stimuli alone."""
        return self.before == self.after == 1

    def to_front(self, tensor: Tensor, n_stimuli: int | None = None) -> Tensor:
        """The tensor with the stimuli along its first axis: (n_stimuli, *features).

        Parameters
        ----------
        tensor : Tensor
            As the network computes it.
        n_stimuli : int, optional
            How many there should be; another number is an error.
        """
        if not self.is_plain:
            tensor = tensor.unflatten(self.axis, self._split(tensor.shape[self.axis]))
            place = self.axis + (self.before > 1)
        else:
            place = self.axis
        if n_stimuli is not None and tensor.shape[place] != n_stimuli:
            raise InputError(
                f"a layer with values of {n_stimuli} stimuli", got=f"{tensor.shape[place]}",
                hint="a preprocessing that gives all stimuli one size",
            )  # fmt: skip
        return tensor if place == 0 else tensor.movedim(place, 0)

    def find_rows(self, rows: slice, size: int) -> slice | list[int]:
        """Rows of the tensor's axis that belong to a range of stimuli."""
        if self.before == 1:
            return slice(rows.start * self.after, rows.stop * self.after)
        n = size // (self.before * self.after)
        wanted = range(*rows.indices(n))
        return [(b * n + i) * self.after + a for b in range(self.before) for i in wanted for a in range(self.after)]

    def strip(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Shape of one stimulus's share."""
        inner = tuple(part for part in (self.before, self.after) if part > 1)
        return (*shape[: self.axis], *inner, *shape[self.axis + 1 :])

    def _split(self, size: int) -> tuple[int, ...]:
        n, rest = divmod(size, self.before * self.after)
        if rest:
            raise InputError(
                f"{self.before * self.after} rows a stimulus", got=f"{size} rows",
                hint="a preprocessing that gives all stimuli one size",
            )  # fmt: skip
        outer = (self.before,) if self.before > 1 else ()
        return (*outer, n, *((self.after,) if self.after > 1 else ()))


@suggest_keywords
def find_stimulus_axis(axes: Axes, n_stimuli: int) -> StimulusAxis | None:
    """Where the operations have put the stimuli; None where they were lost."""
    places = [(i, k) for i, axis in enumerate(axes) for k, atom in enumerate(axis) if atom.kind == STIMULUS]
    if len(places) != 1:
        return None
    i, k = places[0]
    if axes[i][k].size != n_stimuli:
        return None
    sides = axes[i][:k], axes[i][k + 1 :]
    return StimulusAxis(i, *(math.prod(atom.size for atom in side) for side in sides))


@suggest_keywords
def name_axes(axes: Axes | None, place: StimulusAxis, shape: Sequence[int]) -> tuple[str, ...]:
    """Names of a layer's feature axes.

    Parameters
    ----------
    axes : tuple, or None
        What the axes of the whole tensor are made of, as far as it was followed.
    place : StimulusAxis
        Where the stimuli are.
    shape : sequence of int
        Of the whole tensor.

    Returns
    -------
    tuple of str
        One unique name an axis, of ``StimulusAxis.strip(shape)``. ``channel`` is among them where it can be told; axes
        that could not be told are called ``axis1``, ``axis2``, …
    """
    parts = _take_apart(axes, place, shape)
    if len(parts) == 1:
        kind = find_kind(parts[0])
        return (kind if kind in PLACES and kind != FREQUENCY else CHANNEL,)  # type: ignore[return-value]
    is_weights = _are_query_and_key(parts)
    channel = None if is_weights else _find_channel(parts)
    names = []
    for i, axis in enumerate(parts):
        kind = find_kind(axis)
        if is_weights and i >= len(parts) - 2:
            names.append("query" if i == len(parts) - 2 else "key")
        elif is_weights and (kind == CHANNEL or (kind is None and measure(axis) == 1)):
            names.append("head")
        elif i == channel:
            names.append(CHANNEL)
        elif kind in PLACES:
            names.append("window" if _is_window(i, parts, place) else str(kind))
        elif kind == CHANNEL and channel is not None:
            names.append("group")
        elif kind == LAYER:
            names.append(LAYER)
        elif kind is not None and channel is not None:
            names.append("feature")
        elif channel is None:
            names.append(str(kind) if kind in PLACES else f"{UNTOLD_AXIS}{i + 1}")
        else:
            names.append(
                TOKEN if len(parts) == 2 else "window" if _is_window(i, parts, place) else f"{UNTOLD_AXIS}{i + 1}"
            )
    return _make_unique(names)


def _take_apart(axes: Axes | None, place: StimulusAxis, shape: Sequence[int]) -> list[Axis]:
    """The feature axes: those of the tensor without the stimuli, and what they share an axis with."""
    if axes is None:
        return [(Atom(size),) for size in place.strip(shape)]
    own = axes[place.axis]
    k = next((k for k, atom in enumerate(own) if atom.kind == STIMULUS), None)
    if k is None:
        sides: list[Axis] = [(Atom(size),) for size in (place.before, place.after)]
    else:
        sides = [own[:k], own[k + 1 :]]
        if [measure(side) for side in sides] != [place.before, place.after]:
            sides = [(Atom(size),) for size in (place.before, place.after)]
    inner = [side for side in sides if measure(side) > 1]
    return [*axes[: place.axis], *inner, *axes[place.axis + 1 :]]


def _is_window(i: int, parts: Sequence[Axis], place: StimulusAxis) -> bool:
    """Whether a feature axis shares the stimuli's: windows or patches, but not the time of a recurrent network."""
    n_inner = (place.before > 1) + (place.after > 1)
    if not any(find_kind(axis) in PLACES for j, axis in enumerate(parts) if j != i):
        return False
    return place.axis <= i < place.axis + n_inner and find_kind(parts[i]) in (None, TOKEN, HEIGHT, WIDTH)


def _find_channel(parts: Sequence[Axis]) -> int | None:
    """The feature axis that counts channels, None where it cannot be told."""
    kinds = [find_kind(axis) for axis in parts]
    found = [i for i, kind in enumerate(kinds) if kind == CHANNEL]
    if len(found) > 1 and all(_are_pieces(parts[found[0]], parts[i]) for i in found[1:]):
        found = found[-1:]
    if len(found) > 1:
        large = [i for i in found if measure(parts[i]) > 1]
        found = large if len(large) == 1 else found
    for other in (MIXED, FREQUENCY):
        if not found:
            found = [i for i, kind in enumerate(kinds) if kind == other]
    if not found:  # all but one say where, so that one says what
        unknown = [i for i, kind in enumerate(kinds) if kind is None]
        found = unknown if len(unknown) == 1 else []
    return found[0] if len(found) == 1 else None


def _are_query_and_key(parts: Sequence[Axis]) -> bool:
    """Whether the last two axes count the same places, or channels, as weights of attention do."""
    if len(parts) < 2:
        return False
    kinds = [find_kind(axis) for axis in parts[-2:]]
    if kinds == [CHANNEL, CHANNEL]:
        return bool({id(atom) for atom in parts[-2]} & {id(atom) for atom in parts[-1]})
    return kinds[0] in PLACES and kinds[0] == kinds[1] and not _are_pieces(parts[-2], parts[-1])


def _are_pieces(a: Axis, b: Axis) -> bool:
    """Whether two axes were cut out of one, as heads are."""
    if {id(atom) for atom in a} & {id(atom) for atom in b}:
        return False
    wholes = [{id(atom.find_whole()) for atom in axis if atom.find_whole() is not None} for axis in (a, b)]
    return bool(wholes[0] & wholes[1])


def _make_unique(names: Sequence[str]) -> tuple[str, ...]:
    names = list(names)
    tokens = [i for i, name in enumerate(names) if name == TOKEN]
    plane = {2: (HEIGHT, WIDTH), 3: (FRAME, HEIGHT, WIDTH)}.get(len(tokens), ())
    if plane and tokens[-1] - tokens[0] == len(tokens) - 1 and not set(plane) & set(names):
        for i, name in zip(tokens, plane, strict=True):
            names[i] = name
    seen: dict[str, int] = {}
    made = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        made.append(name if seen[name] == 1 else f"{name}{seen[name]}")
    return tuple(made)


@suggest_keywords
def check_axes(layer: str, given: Sequence[str], shape: Sequence[int]) -> tuple[str, ...]:
    """Names of a layer's axes as the user gives them."""
    names = tuple(given)
    if len(names) != len(shape) or len(set(names)) != len(names) or not all(names):
        sizes = " × ".join(str(size) for size in shape)
        raise InputError(f"one name for each axis of {layer!r} ({sizes})", got=", ".join(names) or "none")
    return names


@suggest_keywords
def parse_axes(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read ``LAYER=channel,height,width``.

    >>> parse_axes(["blocks.0=height,width,channel"])
    {'blocks.0': ('height', 'width', 'channel')}
    """
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        layer, equals, names = text.rpartition("=")
        if not equals or not layer or not names:
            raise InputError("--axes LAYER=channel,height,width", got=repr(text))
        found[layer] = tuple(name.strip() for name in names.split(","))
    return found


@suggest_keywords
def explain_untold(layer: str, names: Sequence[str], shape: Sequence[int]) -> InputError:
    """The line that asks which axis of a layer counts what."""
    sizes = " × ".join(f"{name} {size}" for name, size in zip(names, shape, strict=True))
    others = [HEIGHT, WIDTH] if len(shape) == 3 else [TOKEN, "other", "rest"][: len(shape) - 1]
    return InputError(
        "a layer whose channel axis can be told", got=f"{layer!r}, {sizes}",
        hint=f"--axes {layer}={','.join([CHANNEL, *others])} in the right order (axes={{...}} in Python)",
    )  # fmt: skip


AxisNames = Mapping[str, Sequence[str]]
"""Names of layers' axes that a user gives, by layer."""
