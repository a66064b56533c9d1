"""Held-out stimuli of the bundled networks, drawn when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, derive_seed
from beholder.models import Model
from beholder.stimuli import (
    SHAPE_CATEGORIES,
    SYLLABLE_CATEGORIES,
    StimulusSet,
    draw_shapes_set,
    draw_syllables_set,
)

_SETS: dict[tuple[str, ...], tuple[str, Callable[[Path, int, int], StimulusSet]]] = {
    SHAPE_CATEGORIES: ("shapes", draw_shapes_set),
    SYLLABLE_CATEGORIES: ("syllables", draw_syllables_set),
}


@suggest_keywords
def draw_held_out(model: Model, folder: Path | str, n_per_class: int = 25, *, seed: int = DEFAULT_SEED) -> StimulusSet:
    """Draw stimuli that a bundled network was not trained on, into ``{folder}/shapes`` or ``{folder}/syllables``.

    Parameters
    ----------
    model : Model
        One that tells the classes of a drawn set apart.
    folder : path
    n_per_class : int
    seed : int
        No seed draws what training saw: the streams are apart.

    Raises
    ------
    InputError
        A network of other classes.
    """
    known = _SETS.get(tuple(model.classes or ()))
    if known is None:
        raise InputError(
            "a folder, table or named set of stimuli", got=f"none, and {model.name} has no set that can be drawn",
            hint="the path of a folder with a folder a class",
        )  # fmt: skip
    name, draw = known
    return draw(Path(folder) / name, n_per_class, derive_seed(seed, "held out"))
