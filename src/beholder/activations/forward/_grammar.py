"""The grammar of layer names: ``path[@call][:side][[part]…]``.

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

import re
from dataclasses import dataclass

from beholder._core.errors import InputError

_PATTERN = re.compile(r"(?P<path>[^@:\[\]]*)(@(?P<call>\d+))?(:(?P<side>[a-z]+))?(?P<parts>(\[[^\[\]]+\])*)")
_PART = re.compile(r"\[([^\[\]]+)\]")
SIDES = ("out", "in", "weights", "heads")
OUTPUT = "output"


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
