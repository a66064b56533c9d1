"""Opening what was written, by what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from beholder._core.errors import InputError
from beholder.activations._lazy import Activations


def open(path: Path | str) -> Any:
    """Open a result: an activation store (``.zarr``) or a panel file (``.h5``).

    Parameters
    ----------
    path : path
        What :func:`beholder.extract` or :func:`beholder.extract_panel` wrote.

    Returns
    -------
    Activations or mapping
        For a panel file ``[model][image][layer]``, read when indexed.

    Raises
    ------
    InputError
        When the path is neither.
    """
    path = Path(path)
    if not path.exists():
        raise InputError("a store or a panel file", got=f"nothing at {path}")
    if path.is_dir() and (path / "zarr.json").exists():
        return Activations(path)
    if path.suffix.lower() in (".h5", ".hdf5"):
        from beholder.activations._panel_readers import load_lazy_activations

        return load_lazy_activations(path)
    raise InputError("a .zarr store or an .h5 panel file", got=str(path))
