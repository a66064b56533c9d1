"""A map of stimuli from their dissimilarities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import ImageOps

from beholder._core.errors import InputError, suggest_keywords
from beholder.figures._rdm import check_rdm
from beholder.figures._stimulus_map import plot_stimulus_map
from beholder.statistics import map_stimuli
from beholder.stimuli import StimulusSet, as_stimulus_set, open_image

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIDE = 96


@suggest_keywords
def plot_similarity_map(rdm: Any, stimuli: Any = None, ax: Axes | None = None, *, title: str = "") -> Axes:
    """Draw a map of stimuli on which those that are alike lie near one another.

    Places come from classical multidimensional scaling: their distances are as like the dissimilarities as a
    plane allows.

    Parameters
    ----------
    rdm : array, (n_stimuli, n_stimuli)
        Symmetric dissimilarities, as :func:`beholder.compute_rdm` gives them.
    stimuli : StimulusSet, or whatever holds stimuli, optional
        The same stimuli in the same order: pictures are drawn at their places, of others their categories or names are
        written. Without them, dots.
    ax : matplotlib Axes, optional
        A figure two columns wide is made without it.
    title : str

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InputError
        Not an RDM of finite numbers; another number of stimuli.

    Notes
    -----
    Source: Torgerson, Psychometrika 17, 1952.

    Examples
    --------
    >>> ax = plot_similarity_map([[0, 1, 2], [1, 0, 1], [2, 1, 0]])
    """
    matrix = check_rdm(rdm)
    places, _ = map_stimuli(matrix)
    if stimuli is None:
        return plot_stimulus_map(places, ax, title=title)
    shown = as_stimulus_set(stimuli)
    if len(shown) != len(matrix):
        raise InputError(f"{len(matrix)} stimuli, as the RDM has", got=str(len(shown)))
    if shown.kind == "image":
        return plot_stimulus_map(places, ax, pictures=_read_pictures(shown), title=title)
    return plot_stimulus_map(places, ax, names=shown.ids, categories=shown.labels, title=title)


def _read_pictures(stimuli: StimulusSet) -> np.ndarray:
    """Their middle squares, (n_stimuli, side, side, 3), uint8."""
    pictures = (open_image(stimuli.source(i)) for i in range(len(stimuli)))
    return np.stack([np.asarray(ImageOps.fit(picture, (_SIDE, _SIDE))) for picture in pictures])
