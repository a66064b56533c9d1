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
    axes.set_title(str(exemplars.units[unit]))
    return axes


def format_exemplars(exemplars: Exemplars) -> str:
    """A table for notebooks: the most extreme references of the first units, as small pictures where there are any."""
    try:
        stimuli: StimulusSet | None = _find_files(exemplars)[0]
    except InputError:
        stimuli = None
    ids = exemplars.acts.stimulus_ids
    rows = []
    for i, unit in enumerate(exemplars.units[:_MOST_SHOWN]):
        cells = [str(unit)]
        for sign in range(len(SIGNS)):
            positions, activations = find_most_extreme(exemplars, i, sign, _MOST_PICTURES)
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
        repr(exemplars), ("unit", "least", "most"), rows, f"and {format_count(left, 'unit')} more" if left else ""
    )


def _find_files(exemplars: Exemplars) -> tuple[StimulusSet, Preprocessing]:
    preprocessing = read_recorded_preprocessing(exemplars.acts)
    return find_stimuli(exemplars.acts, preprocessing), preprocessing
