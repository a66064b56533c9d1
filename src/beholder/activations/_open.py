"""Opening what was written, by what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from beholder._core.errors import InputError
from beholder.activations._lazy import Activations
from beholder.models import UnitList
from beholder.stimuli import read_model_stimuli


def open(path: Path | str) -> Any:
    """Open a result: an activation store (``.zarr``), a panel file (``.h5``), units (``.json``) or their stimuli.

    Parameters
    ----------
    path : path
        What :func:`beholder.extract`, :func:`beholder.extract_panel` or ``beholder units`` wrote.

    Returns
    -------
    Activations, mapping, UnitList or ModelStimuli
        For a panel file ``[model][image][layer]``, read when indexed; for ``stimuli/{model}`` the stimuli of its units.

    Raises
    ------
    InputError
        When the path is none of them.
    """
    path = Path(path)
    if not path.exists():
        raise InputError("a result", got=f"nothing at {path}")
    if path.is_dir() and (path / "zarr.json").exists():
        return Activations(path)
    if path.suffix.lower() in (".h5", ".hdf5"):
        from beholder.activations._panel_readers import load_lazy_activations

        return load_lazy_activations(path)
    if path.suffix.lower() == ".json":
        return UnitList.read(path)
    if path.is_dir():
        return read_model_stimuli(path)
    raise InputError(
        "a .zarr store, an .h5 panel file, a .json file of units or a folder stimuli/{model}", got=str(path)
    )
