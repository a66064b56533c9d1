"""Sizes of own pictures, for networks whose preprocessing keeps them, from the files' first bytes, before any work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beholder._core.errors import StimulusError, suggest_keywords
from beholder.models.preprocessing._read import ArrayPreprocessing, ExtendedPreprocessing, Preprocessing
from beholder.stimuli import StimulusSet, read_picture_size

if TYPE_CHECKING:
    from beholder.models.network._model import Model

_MOST_FILES = 20_000


def check_sizes(model: Model | Preprocessing, stimuli: StimulusSet) -> None:
    """Refuse pictures of other sizes than the one that a network takes, where nothing resizes them.

    Raises
    ------
    StimulusError
        The first file, how many there are, and which preprocessing would resize them.
    """
    keeper, shape = _find_keeper(model, stimuli), model.input_shape
    if keeper is None or shape is None or len(shape) != 3:
        return
    sizes = [read_picture_size(stimuli.path(i)) for i in range(min(len(stimuli), _MOST_FILES))]
    odd = [i for i, size in enumerate(sizes) if size is not None and size[::-1] != tuple(shape[1:])]
    if not odd:
        return
    width, height = sizes[odd[0]] or (0, 0)
    error = keeper.explain_shape((shape[0], height, width))
    more = f", and {len(odd) - 1} more of {len(stimuli)} of other sizes" if len(odd) > 1 else ""
    raise StimulusError(error.expected, got=f"{stimuli.files[odd[0]]} with {error.got}{more}", hint=error.hint)


@suggest_keywords
def find_odd_size(model: Model | Preprocessing, stimuli: StimulusSet) -> int | None:
    """The first picture of another size than the first one, where nothing resizes them; None where there is none."""
    if _find_keeper(model, stimuli) is None or model.input_shape is not None:
        return None
    first = read_picture_size(stimuli.path(0))
    others = range(1, min(len(stimuli), _MOST_FILES))
    return next((i for i in others if read_picture_size(stimuli.path(i)) not in (first, None)), None)


def _find_keeper(model: Model | Preprocessing, stimuli: StimulusSet) -> ArrayPreprocessing | None:
    """The preprocessing, where it leaves the size of pictures of files as it is."""
    base = model if isinstance(model, Preprocessing) else model.preprocessing
    base = base.base if isinstance(base, ExtendedPreprocessing) else base
    if not isinstance(base, ArrayPreprocessing) or base.prepare_with is not None or base.rate is not None:
        return None
    return base if stimuli.kind == "image" and stimuli.arrays is None and len(stimuli) else None
