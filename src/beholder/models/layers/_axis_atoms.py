"""What the axes of a tensor are made of, and what a reshape makes of them.

An axis is a tuple of atoms, outermost first: after ``(n, c, h, w) → (n, c, h·w)`` the last axis has the two atoms
height and width, and a later reshape can take them apart again. So windows of attention, heads and tokens are followed
through any chain of views.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

STIMULUS, CHANNEL, MIXED = "stimulus", "channel", "mixed"
HEIGHT, WIDTH, TIME, FRAME, TOKEN, FREQUENCY = "height", "width", "time", "frame", "token", "frequency"
LAYER = "layer"
PLACES = frozenset({HEIGHT, WIDTH, TIME, FRAME, TOKEN, FREQUENCY})
"""Kinds that say where in a stimulus something is."""


class Atom:
    """A factor of an axis.

    Parameters
    ----------
    size : int
    kind : str, optional
        None until an operation tells it.
    same : Atom, optional
        What it was before its size changed: its kind is this one's.
    piece_of : Atom, optional
        What it was cut out of by a reshape.
    """

    __slots__ = ("_kind", "piece_of", "pieces", "same", "size")

    def __init__(
        self, size: int, kind: str | None = None, *, same: Atom | None = None, piece_of: Atom | None = None
    ) -> None:
        self.size, self._kind, self.same, self.piece_of = size, kind, same, piece_of
        self.pieces: tuple[Atom, ...] = ()

    @property
    def kind(self) -> str | None:
        """What it counts; known as soon as any operation told it of this atom or what it came from."""
        if self._kind is not None:
            return self._kind
        before = self.same or self.piece_of
        return None if before is None else before.kind

    def tell(self, kind: str) -> None:
        """Say what it counts, if nothing has so far."""
        if self.kind is None:
            self._kind = kind
            if self.same is not None:
                self.same.tell(kind)

    def find_whole(self) -> Atom | None:
        """What it, or an earlier form of it, was cut out of."""
        atom: Atom | None = self
        while atom is not None:
            if atom.piece_of is not None:
                return atom.piece_of
            atom = atom.same
        return None


Axis = tuple[Atom, ...]
Axes = tuple[Axis, ...]
"""Names of a layer's axes, without that of the stimuli."""


def make_unknown(shape: Sequence[int]) -> Axes:
    """Axes of which nothing is known."""
    return tuple((Atom(size),) for size in shape)


def measure(axis: Axis) -> int:
    """Size of an axis."""
    return math.prod(atom.size for atom in axis)


def find_kind(axis: Axis) -> str | None:
    """What an axis counts: a kind, ``token`` for several places, ``mixed`` for others; None with an unknown atom."""
    kinds = {atom.kind for atom in axis if atom.size != 1} or {atom.kind for atom in axis}
    if len(kinds) == 1:
        return next(iter(kinds))
    if None in kinds:
        return None
    return TOKEN if kinds <= PLACES else MIXED


def has_stimulus(axis: Axis) -> bool:
    """Whether the stimuli are counted along an axis, alone or with others."""
    return any(atom.kind == STIMULUS for atom in axis)


def resize(axis: Axis, size: int) -> Axis:
    """The axis once an operation has changed its size, as pooling, padding and slicing do."""
    if measure(axis) == size:
        return axis
    if len(axis) == 1:
        return (Atom(size, same=axis[0]),)
    if len(axis) > 1 and axis[0].kind != STIMULUS and measure(axis[1:]) == size:
        return axis[1:]
    return (Atom(size, find_kind(axis)),)


def reshape(axes: Axes, shape: Sequence[int]) -> Axes:
    """Axes of a tensor that is viewed in another shape, row-major.

    Where the two shapes do not fit, nothing is known of the axes between those that stay.
    """
    old = [measure(axis) for axis in axes]
    new = list(shape)
    most = min(len(old), len(new))
    front = next((i for i in range(most) if old[i] != new[i]), most)
    back = next((i for i in range(most - front) if old[-1 - i] != new[-1 - i]), most - front)
    inner = _cut(axes[front : len(old) - back], new[front : len(new) - back])
    return (*axes[:front], *inner, *axes[len(old) - back :])


def _cut(axes: Axes, shape: Sequence[int]) -> Axes:
    wholes = [atom for axis in axes for atom in _fuse(axis) if atom.size != 1]
    wholes = list(_fuse(tuple(wholes)))
    cuts: list[list[int]] = [[] for _ in wholes]  # sizes of the pieces of each
    takes: list[list[tuple[int, int]]] = []  # for each new axis, which piece of which atom
    k, left = 0, wholes[0].size if wholes else 1
    for size in shape:
        take: list[tuple[int, int]] = []
        need = size
        while need > 1 and k < len(wholes):
            part = left if need % left == 0 else need
            if part == need and left % need:
                return _keep_kind(axes, shape)
            take.append((k, len(cuts[k])))
            cuts[k].append(part)
            need, left = need // part, left // part
            if left == 1:
                k += 1
                left = wholes[k].size if k < len(wholes) else 1
        if need != 1:
            return _keep_kind(axes, shape)
        takes.append(take)
    pieces = [_make_pieces(whole, sizes) for whole, sizes in zip(wholes, cuts, strict=True)]
    return tuple(_fuse(tuple(pieces[k][i] for k, i in take)) or (Atom(1),) for take in takes)


def _make_pieces(whole: Atom, sizes: Sequence[int]) -> tuple[Atom, ...]:
    if len(sizes) < 2:
        return (whole,)
    whole.pieces = tuple(Atom(size, piece_of=whole) for size in sizes)
    return whole.pieces


def _fuse(axis: Axis) -> Axis:
    """Put pieces together that follow each other as they were cut."""
    made: list[Atom] = []
    for atom in axis:
        made.append(atom)
        whole = atom.piece_of
        if whole is not None and len(whole.pieces) > 1 and tuple(made[-len(whole.pieces) :]) == whole.pieces:
            made[-len(whole.pieces) :] = [whole]
    return tuple(made)


def _keep_kind(axes: Axes, shape: Sequence[int]) -> Axes:
    """Axes that cannot be taken apart: they are still of the one kind that all were of, if they were."""
    kinds = {find_kind(axis) for axis in axes if measure(axis) != 1}
    if len(kinds) == 1 and None not in kinds and STIMULUS not in kinds:
        return tuple((Atom(size, next(iter(kinds))),) for size in shape)
    return make_unknown(shape)
