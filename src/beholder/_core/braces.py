"""Names that stand for several: ``{a,b}``, ``{0..3}``, ``{0000..0146}``, and files that match ``*``."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_SEVERAL = re.compile(r"(\{(?:\d+\.\.\d+|[^{}]*,[^{}]*)\})")
_WILD = re.compile(r"[*?\[]")


def expand_braces(text: str) -> list[str]:
    """Spell out ``{a,b}`` and ``{0..3}``, leftmost slowest; numbers are as wide as the first is written.

    >>> expand_braces("layer{1..2}.{conv1,bn1}"), expand_braces("train-{08..10}.tar")
    (['layer1.conv1', 'layer1.bn1', 'layer2.conv1', 'layer2.bn1'], ['train-08.tar', 'train-09.tar', 'train-10.tar'])
    """
    pieces = _BRACES.split(text)
    choices = [[piece] if index % 2 == 0 else _read_choices(piece) for index, piece in enumerate(pieces)]
    return ["".join(parts) for parts in itertools.product(*choices)]


def _read_choices(inside: str) -> list[str]:
    bounds = _RANGE.fullmatch(inside)
    if bounds:
        return [f"{number:0{len(bounds[1])}d}" for number in range(int(bounds[1]), int(bounds[2]) + 1)]
    return [part.strip() for part in inside.split(",")]


def expand_path(path: Path | str) -> list[Path]:
    """The files that a path stands for; braces of one word, which no shell spells out, are part of a name.

    >>> [each.as_posix() for each in expand_path("run{1}/x{0..1}.tar")]
    ['run{1}/x0.tar', 'run{1}/x1.tar']
    """
    pieces = _SEVERAL.split(str(path))
    choices = [expand_braces(piece) if index % 2 else [piece] for index, piece in enumerate(pieces)]
    return [Path("".join(parts)) for parts in itertools.product(*choices)]


def has_braces(path: Path | str) -> bool:
    """Whether a path says in braces which files it stands for.

    >>> has_braces("part{0..1}/x.tar"), has_braces("{train,val}.tar"), has_braces("run{1}.tar")
    (True, True, False)
    """
    return _SEVERAL.search(str(path)) is not None


def has_wildcard(path: Path | str) -> bool:
    """Whether a path's last name is a pattern of files.

    >>> has_wildcard("shards/*.tar"), has_wildcard("*/x.tar")
    (True, False)
    """
    return _WILD.search(Path(path).name) is not None
