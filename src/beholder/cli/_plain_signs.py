"""Signs that a terminal cannot show, in signs that every terminal can."""

from __future__ import annotations

import codecs
from typing import Final

NAME: Final = "beholder.plain_signs"

_PLAIN: Final = {
    "×": "x", "…": "...", "−": "-", "–": "-", "·": "|", "→": "->", "←": "<-", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~",
    "±": "+-", "∞": "inf", "µ": "u", "°": " deg", "²": "^2", "³": "^3", "√": "sqrt", "“": '"', "”": '"', "‘": "'",
    "’": "'", "α": "alpha", "ε": "eps", "η": "eta", "θ": "theta", "κ": "kappa", "π": "pi", "ρ": "rho", "σ": "sigma",
    "φ": "phi", "χ": "chi", "Σ": "sum", "Δ": "delta",
}  # fmt: skip


def write_plainly(error: UnicodeError) -> tuple[str | bytes, int]:
    """Put plain signs for what an encoding lacks, as ``codecs.register_error`` wants it; else the code of the sign."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    sign = error.object[error.start]
    known = _PLAIN.get(sign)
    return known or sign.encode("ascii", "backslashreplace").decode("ascii"), error.start + 1


codecs.register_error(NAME, write_plainly)
