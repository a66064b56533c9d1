"""Radii of attacks by norm, from numbers, words such as ``l2:3`` and ``4/255``, or the published ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder.synthesis import NORMS

_SPELLINGS = {"2": "l2", "inf": "linf", "l_2": "l2", "l_inf": "linf", "1": "l1", "l_1": "l1"}


@suggest_keywords
def list_radii(low: int, high: int, per_decade: int = 2) -> tuple[float, ...]:
    """Radii from ``10 ** low`` to ``10 ** high``, so many for each power of ten.

    >>> list_radii(-1, 0)
    (0.1, 0.316227766016838, 1.0)
    """
    if per_decade < 1 or high < low:
        raise InputError("rising powers of ten with at least 1 radius each", got=f"{low} to {high}, {per_decade} each")
    return tuple(float(f"{10 ** (low + i / per_decade):.15g}") for i in range((high - low) * per_decade + 1))


PUBLISHED_RADII: Mapping[str, Mapping[str, tuple[float, ...]]] = {
    "image": {"l2": (3.0,), "linf": (4 / 255,)},
    "sound": {"l2": list_radii(-3, 2), "linf": list_radii(-5, 0), "l1": list_radii(-1, 3)},
}
"""Radii of Feather et al. (2023) for pictures and sounds; the largest for Linf of sounds, the whole range, is ours."""


def read_norm(norm: str) -> str:
    """The norm that a word means.

    >>> read_norm("inf"), read_norm("L2")
    ('linf', 'l2')
    """
    name = _SPELLINGS.get(str(norm).strip().lower(), str(norm).strip().lower())
    if name not in NORMS:
        raise UnknownNameError("norm", norm, NORMS)
    return name


@suggest_keywords
def read_radii(
    norm: str | None,
    eps: float | str | Sequence[float | str] | Mapping[str, float | Sequence[float]] | None,
    modality: str,
) -> dict[str, tuple[float, ...]]:
    """Radii of each norm, rising; without ``eps`` the published ones for pictures or sounds.

    Parameters
    ----------
    norm : str, optional
        ``l2``, ``linf`` or ``l1``; of the radii that do not name theirs. Without ``eps``, which of the published.
    eps : float, str, sequence of these, or mapping of str to float or sequence, optional
        Above 0, fractions as words: ``"4/255"``, ``"l2:3"``, several with commas. A 0 among others stands for the
        clean stimuli, which every run looks at.
    modality : {"image", "sound", "array"}

    Raises
    ------
    InputError
        No radius above 0, a negative one, one whose norm is not said, no published ones.

    Examples
    --------
    >>> read_radii("linf", "0,4/255", "image"), read_radii(None, ["l2:3,.5", "linf:.1"], "image")
    ({'linf': (0.01568627450980392,)}, {'l2': (0.5, 3.0), 'linf': (0.1,)})
    """
    own = None if norm is None else read_norm(norm)
    if eps is None:
        return _pick_published(own, modality)
    if isinstance(eps, Mapping):
        given = [(read_norm(key), word) for key, words in eps.items() for word in _list(words)]
    else:
        given = [_split(word, own) for word in _list(eps)]
    found: dict[str, list[float]] = {}
    for name, word in given:
        found.setdefault(name, []).append(_read_number(word))
    radii = {name: tuple(sorted({each for each in found[name] if each > 0})) for name in NORMS if name in found}
    if not all(radii.values()) or not radii:
        raise InputError(
            "at least one radius above 0 of every norm", got="0 alone" if given else "none",
            hint="`beholder evaluate natural` for the clean accuracy",
        )  # fmt: skip
    return radii


def _list(words: Any) -> list[float | str]:
    """Single radii; a norm before the first of several with commas is that of all of them."""
    parts: Iterable[Any] = words if isinstance(words, list | tuple | set) else cast("list[Any]", [words])
    found: list[float | str] = []
    for part in parts:
        if not isinstance(part, str):
            found.append(part)
            continue
        for group in part.split():
            norm = ""
            for piece in filter(None, group.split(",")):
                name, colon, _ = piece.partition(":")
                norm = name if colon else norm
                found.append(piece if colon or not norm else f"{norm}:{piece}")
    return found


def _split(word: float | str, norm: str | None) -> tuple[str, float | str]:
    if isinstance(word, str) and ":" in word:
        name, _, word = word.partition(":")
        return read_norm(name), word
    if norm is None:
        raise InputError("the norm of every radius", got=f"{word} alone", hint=f"--norm l2, or --eps l2:{word}")
    return norm, word


def _read_number(word: float | str) -> float:
    over, slash, under = str(word).partition("/")
    try:
        value = float(over) / (float(under) if slash else 1.0)
    except (ValueError, ZeroDivisionError):
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise InputError("radii above 0, such as 3 or 4/255", got=str(word))
    return value


def _pick_published(norm: str | None, modality: str) -> dict[str, tuple[float, ...]]:
    if modality not in PUBLISHED_RADII:
        raise InputError("--norm and --eps", got="none, and there are published ones for pictures and sounds alone")
    published = PUBLISHED_RADII[modality]
    if norm is None:
        return dict(published)
    if norm not in published:
        raise InputError(
            "--eps, the radii", got=f"none, and none are published for {norm} of pictures",
            hint=f"--norm {' or '.join(published)}",
        )  # fmt: skip
    return {norm: published[norm]}
