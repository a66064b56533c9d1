"""Finding the metamers of one or several networks."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder.stimuli import MetamerSet, is_metamer_set, list_metamer_sets


@suggest_keywords
def find_metamer_sets(folder: Path | str, sets: Sequence[str] | None = None) -> list[Path]:
    """Folders of metamers: ``folder`` itself, or those in it, sorted.

    Parameters
    ----------
    folder : path
    sets : sequence of str, optional
        Names of those wanted; default all.

    Raises
    ------
    InputError
        There is none.
    UnknownNameError
        One of ``sets`` is not there.
    """
    folder = Path(folder)
    found = [folder] if is_metamer_set(folder) else list_metamer_sets(folder)
    if not found:
        got = f"none in {folder}" if folder.is_dir() else f"no folder at {folder}"
        raise InputError("a folder of metamers", got=got, hint="`beholder metamers make` first")
    names = [path.resolve().name for path in found]
    wanted = names if sets is None else [sets] if isinstance(sets, str) else list(sets)
    for name in wanted:
        if name not in names:
            raise UnknownNameError(f"folder of metamers in {folder}", name, names)
    return [path for path, name in zip(found, names, strict=True) if name in wanted]


def refuse_twins(sets: Sequence[MetamerSet], folder: Path | str) -> None:
    """Refuse two sets of one network, such as runs in other numbers of steps: their shares are never put together.

    Parameters
    ----------
    sets : sequence of MetamerSet
        All that were found.
    folder : path
        Where.

    Raises
    ------
    InputError
        With what to type for each.
    """
    places: dict[str, MetamerSet] = {}
    for made in sets:
        other = places.setdefault(made.model, made)
        if other is not made:
            command = ["beholder", "metamers", "judge", str(folder), "--sets"]
            ways = [[one.path.name for one in sets if one.model != made.model or one is kept] for kept in (other, made)]
            raise InputError(
                "one set of metamers a network", got=f"{other.path} and {made.path}, both of {made.model}",
                hint=" or ".join(f"`{shlex.join([*command, *names])}`" for names in ways),
            )  # fmt: skip
