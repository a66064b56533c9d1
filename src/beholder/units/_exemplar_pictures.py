"""Pictures of exemplars, from the stimuli that were recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from beholder._core.errors import InputError
from beholder._core.wording import format_count, format_number
from beholder.models import Preprocessing, prepare_stimulus
from beholder.stimuli import StimulusSet, embed_stimulus, format_rows
from beholder.units._buckets import SIGNS
from beholder.units._recorded import find_stimuli, read_recorded_preprocessing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from beholder.units._exemplars import Exemplars

_MOST_SHOWN = 8
_MOST_PICTURES = 5
_MOST_OF_TOP = 9
_WORDS = {"min": "least", "max": "most"}


def find_most_extreme(exemplars: Exemplars, unit: int, sign: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the recording, and activations, of one unit's most extreme references, the most extreme last.

    Parameters
    ----------
    exemplars : Exemplars
    unit : int
        Which of its units.
    sign : int
        0 for min, 1 for max.
    n : int
        How many at most.
    """
    n = min(n, exemplars.windows.n_references)
    size = exemplars.windows.n_positions - (exemplars.windows.top is None)
    ranks = exemplars.ranks[unit, sign, :, :size].ravel()
    order = np.argsort(-ranks if SIGNS[sign] == "min" else ranks)[-n:]
    positions = exemplars.positions[unit, sign, :, :size].ravel()[order]
    return positions, exemplars.activations[unit, sign, :, :size].ravel()[order]


def tell_ties(exemplars: Exemplars, unit: int) -> str:
    """Which stimuli cannot be put in an order: those that drive a unit exactly as much as its least, or most.

    Returns
    -------
    str
        Such as ``9 of 40 tie for least, at 0``; empty where there are none.
    """
    n = exemplars.windows.n_stimuli
    told = []
    for i, sign in enumerate(SIGNS):
        positions, activations = find_most_extreme(exemplars, unit, i, 1)
        same = exemplars.positions[unit, i] == positions[0]
        n_same = round(n * (1 - float(exemplars.percentiles[unit, i][same][0]) / 100))
        if n_same > 1:
            told.append(f"{n_same:,} of {n:,} tie for {_WORDS[sign]}, at {format_number(activations[0])}")
    return "; ".join(told)


def plot_exemplars(exemplars: Exemplars, unit: int = 0, n: int = 9, ax: Axes | None = None) -> Axes:
    """The most extreme references of one unit: min and max in rows, the most extreme last, with their activations.

    Parameters
    ----------
    exemplars : Exemplars
    unit : int
        Which of its units.
    n : int
        Stimuli in a row.
    ax : matplotlib Axes, optional

    Raises
    ------
    InputError
        There is no such unit; the recorded stimuli are not files that are still there.
    """
    from beholder.figures import plot_stimulus_rows

    if not 0 <= unit < len(exemplars):
        raise InputError(f"a unit from 0 to {len(exemplars) - 1}", got=str(unit))
    if n < 1:
        raise InputError("at least one stimulus in a row", got=str(n))
    stimuli, preprocessing = _find_files(exemplars)
    rows, captions = {}, {}
    for i, sign in enumerate(SIGNS):
        positions, activations = find_most_extreme(exemplars, unit, i, n)
        ids = [exemplars.acts.stimulus_ids[row] for row in positions]
        rows[sign] = [prepare_stimulus(preprocessing, stimuli, stimuli.index_of(one)) for one in ids]
        captions[sign] = [format_number(value) for value in activations]
    axes = plot_stimulus_rows(rows, ax, captions=captions, value_range=preprocessing.input_range)
    axes.set_title("\n".join(filter(None, (str(exemplars.units[unit]), tell_ties(exemplars, unit)))))
    return axes


def format_exemplars(exemplars: Exemplars) -> str:
    """A table for notebooks: the most extreme references of the first units, as small pictures where there are any."""
    try:
        stimuli: StimulusSet | None = _find_files(exemplars)[0]
    except InputError:
        stimuli = None
    ids = exemplars.acts.stimulus_ids
    n_references, is_top = exemplars.windows.n_references, exemplars.windows.top is not None
    n = min(n_references, _MOST_OF_TOP if is_top else _MOST_PICTURES)
    part = f", {n} of {n_references} shown" if n < n_references else ""
    rows = []
    for i, unit in enumerate(exemplars.units[:_MOST_SHOWN]):
        cells = ["; ".join(filter(None, (str(unit), tell_ties(exemplars, i))))]  # plain text, unlike the other cells
        for sign in range(len(SIGNS)):
            positions, activations = find_most_extreme(exemplars, i, sign, n)
            told = [
                f"{ids[row]}, activation {format_number(value)}"
                for row, value in zip(positions, activations, strict=True)
            ]
            if stimuli is None or stimuli.kind == "array":
                cells.append("<br>".join(told))
            else:
                sources = [stimuli.source(stimuli.index_of(ids[row])) for row in positions]
                pairs = zip(sources, told, strict=True)
                cells.append("".join(embed_stimulus(*pair, kind=stimuli.kind) for pair in pairs))
        rows.append(cells)
    left = len(exemplars) - len(rows)
    return format_rows(
        repr(exemplars),
        ("unit", *(f"{word}{part}" for word in _WORDS.values())),
        rows,
        f"and {format_count(left, 'unit')} more" if left else "",
    )


def _find_files(exemplars: Exemplars) -> tuple[StimulusSet, Preprocessing]:
    preprocessing = read_recorded_preprocessing(exemplars.acts)
    return find_stimuli(exemplars.acts, preprocessing), preprocessing
