"""Finding the metamers of one or several networks."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from beholder._core.errors import InputError
from beholder.stimuli import MetamerSet, is_metamer_set


def find_metamer_sets(folder: Path | str) -> list[Path]:
    """Folders of metamers: ``folder`` itself, or those in it, sorted.

    Raises
    ------
    InputError
        There is none.
    """
    folder = Path(folder)
    if is_metamer_set(folder):
        return [folder]
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [path for path in inside if not path.name.startswith(".") and is_metamer_set(path)]
    if not found:
        got = f"none in {folder}" if folder.is_dir() else f"no folder at {folder}"
        raise InputError("a folder of metamers", got=got, hint="`beholder metamers make` first")
    return found


def refuse_twins(sets: Sequence[MetamerSet]) -> None:
    """Refuse two sets of one network, such as runs in other numbers of steps: their shares are never put together.

    Raises
    ------
    InputError
        With what to type for each.
    """
    places: dict[str, MetamerSet] = {}
    for made in sets:
        other = places.setdefault(made.model, made)
        if other is not made:
            each = " or ".join(f"`beholder metamers judge {shlex.quote(str(one.path))}`" for one in (other, made))
            raise InputError(
                "one set of metamers a network", got=f"{other.path} and {made.path}, both of {made.model}", hint=each
            )
