"""The drawn sets by name, for the command line: into a folder of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED
from beholder.stimuli.drawn._shapes import SHAPE_CATEGORIES, draw_shapes_set
from beholder.stimuli.drawn._syllables import SYLLABLE_CATEGORIES, draw_syllables_set

if TYPE_CHECKING:
    from beholder.stimuli.sets._set import StimulusSet

_SETS = {
    "shapes": (draw_shapes_set, SHAPE_CATEGORIES, "png"),
    "syllables": (draw_syllables_set, SYLLABLE_CATEGORIES, "wav"),
}


@suggest_keywords
def draw_set(name: str, folder: Path | str, n_per_category: int = 10, seed: int = DEFAULT_SEED) -> StimulusSet:
    """Draw the pictures, or speak the syllables, that come with the package into a folder which holds nothing else.

    Parameters
    ----------
    name : str
        ``shapes``: pictures of :data:`SHAPE_CATEGORIES`; ``syllables``: sounds of :data:`SYLLABLE_CATEGORIES`.
    folder : path
        Made if absent. Files are ``{category}/{category}_{i:04d}.png`` (``.wav``), i from 0.
    n_per_category : int
        Stimuli a category, at least 1.
    seed : int
        Another seed gives other stimuli.

    Returns
    -------
    StimulusSet
        A class folder a category.

    Raises
    ------
    UnknownNameError
        There is no such set.
    InputError
        The folder holds files that are not of this set, ``n_per_category`` is below 1, or the folder cannot be written.

    Examples
    --------
    >>> len(draw_set("shapes", "few", 1))
    16
    """
    if name not in _SETS:
        raise UnknownNameError("drawn set", name, _SETS)
    draw, categories, suffix = _SETS[name]
    folder = Path(folder)
    own = {f"{each}/{each}_{i:04d}.{suffix}" for each in categories for i in range(n_per_category)}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("[!.]*") if path.is_file()}
    if others := sorted(found - own):
        raise InputError(
            f"an empty folder, or one with these {name} and nothing else", got=f"{others[0]} in {folder}",
            hint="another folder",
        )  # fmt: skip
    return draw(folder, n_per_category, seed)
