"""Opening what was written, results of analyses among it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from beholder._core.errors import suggest_keywords
from beholder.activations import open as open_activations
from beholder.analysis._result import RESULT_SUFFIX, open_result


@suggest_keywords
def open(path: Path | str) -> Any:
    """Open what Beholder wrote: activations, units, stimuli, metamers, or the result of an analysis.

    Parameters
    ----------
    path : path
        What :func:`beholder.extract`, :func:`beholder.extract_panel`, :func:`beholder.analyze_rsa` and its siblings,
        and the commands of ``beholder units``, ``metamers`` and ``analyze`` wrote.

    Returns
    -------
    Activations, mapping, UnitList, ModelStimuli, MetamerSet, NullSet or Result
        As :func:`beholder.activations.open`; a ``.parquet`` of an analysis, or the ``.result.json`` beside it, is a
        :class:`~beholder.analysis.Result`.

    Raises
    ------
    InputError
        When the path is none of them.

    Examples
    --------
    >>> import beholder as bh
    >>> acts = bh.extract("beholder:shapes", "images", ["block5", "classifier"], device="cpu")
    >>> bh.open("activations/shapes.zarr").layers
    ['block5', 'classifier']
    """
    path = Path(path)
    if path.suffix == ".parquet" or path.name.endswith(RESULT_SUFFIX):
        return open_result(path)
    return open_activations(path)
