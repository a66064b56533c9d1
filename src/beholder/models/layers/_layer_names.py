"""Names of layers: their grammar, ``path[@call][:side][[part]…]``, and patterns of them.

===================== ==========================================================
``features.11``       output of the module at that path
``layer1.0.relu@3``   output of its third call in one forward pass (1-based)
``layer1.0.bn2:in``   its first input
``encoder.lstm[1]``   a part of the tuple (or named output) that it returns
``lstm[1][0]``        a part of a part: of a tuple, list, mapping or dataclass
``fft[abs]``          ``real``, ``imag`` or ``abs`` of complex numbers
``attn:weights``      attention weights, (head, query, key)
``attn:heads``        attended values of each head, (head, token, channel)
``output``            what the model returns
===================== ==========================================================

They combine: ``layer1.0.relu@3:in`` is the sum of a residual block.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass

from beholder._core.errors import InputError, suggest_keywords

_PATTERN = re.compile(r"(?P<path>[^@:\[\]]*)(@(?P<call>\d+))?(:(?P<side>[a-z]+))?(?P<parts>(\[[^\[\]]+\])*)")
_PART = re.compile(r"\[([^\[\]]+)\]")
_SUFFIX = re.compile(r"[@:]")
_LAST_PART = re.compile(r"(?P<path>.*)(?P<part>\[[^\[\]]+\])")
SIDES = ("out", "in", "weights", "heads")
OUTPUT = "output"
"""The name of a network's output, as a layer."""


@dataclass(frozen=True)
class LayerRef:
    """A parsed layer name.

    Attributes
    ----------
    name : str
        As it was written.
    path : str
        Module path as in ``model.named_modules()``; empty for the whole model.
    call : int or None
        Which call of the module in one forward pass, counted from 1; None for a module called once.
    side : {"out", "in", "weights", "heads"}
        What to take of the call.
    parts : tuple of int or str
        Position, key or field in a tuple, mapping or dataclass; several go on inside.
    """

    name: str
    path: str
    call: int | None = None
    side: str = "out"
    parts: tuple[int | str, ...] = ()


@suggest_keywords
def parse_layer(name: str) -> LayerRef:
    """Parse one layer name.

    >>> parse_layer("layer1.0.relu@3:in")
    LayerRef(name='layer1.0.relu@3:in', path='layer1.0.relu', call=3, side='in', parts=())

    Raises
    ------
    InputError
        When it does not follow the grammar.
    """
    match = _PATTERN.fullmatch(name.strip())
    side = (match["side"] or "out") if match else ""
    if not match or not name.strip() or side not in SIDES or match["call"] == "0":
        raise InputError(
            "a layer such as features.11, layer1.0.relu@3, layer1.0.bn2:in or encoder[1]",
            got=repr(name),
            hint="beholder layers MODEL to list the names",
        )
    return LayerRef(
        name=name.strip(),
        path=match["path"],
        call=int(match["call"]) if match["call"] else None,
        side=side,
        parts=tuple(int(part) if part.lstrip("-").isdigit() else part for part in _PART.findall(match["parts"])),
    )


@suggest_keywords
def match_pattern(pattern: str, paths: Sequence[str]) -> list[str] | None:
    """Layers that a pattern with ``* ? [...]`` stands for; None for a plain name.

    What stands behind the path (``@2``, ``:in``, ``[1]``) is kept behind each. A name is first read as it is: ``[...]``
    at the end are parts of what a layer gives where what stands before them fits a layer (or is ``output``); else they
    are a choice of characters.

    Parameters
    ----------
    pattern : str
    paths : sequence of str
        The layers that there are.

    Examples
    --------
    >>> match_pattern("layer?.relu@2:in", ["conv", "layer1.relu", "layer2.relu"])
    ['layer1.relu@2:in', 'layer2.relu@2:in']
    >>> match_pattern("layer[12].relu", ["conv", "layer1.relu", "layer2.relu"])
    ['layer1.relu', 'layer2.relu']
    >>> match_pattern("rnn.lstm[1][0]", ["rnn.lstm"]) is None
    True
    """
    path, suffix = _SUFFIX.split(pattern, maxsplit=1)[0], ""
    if len(path) < len(pattern):
        suffix = pattern[len(path) :]
    else:
        path, suffix = _take_parts_off(path, paths)
    if not any(sign in path for sign in "*?["):
        return None
    return [known + suffix for known in paths if fnmatch.fnmatchcase(known, path)]


def _take_parts_off(path: str, paths: Sequence[str]) -> tuple[str, str]:
    """A path and the ``[...]`` behind it that are parts: as many as leave the name or pattern of a layer."""
    base, parts = path, []
    while match := _LAST_PART.fullmatch(base):
        base, part = match["path"], match["part"]
        parts.insert(0, part)
    for k in range(len(parts) + 1):
        start = base + "".join(parts[:k])
        if k < len(parts) and (start == OUTPUT or any(fnmatch.fnmatchcase(known, start) for known in paths)):
            return start, "".join(parts[k:])
    return path, ""
