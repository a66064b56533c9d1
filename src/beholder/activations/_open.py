"""Opening what was written, by what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from beholder._core.addresses import is_address
from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import explain_read_errors
from beholder.activations.store._lazy import Activations
from beholder.models import UnitList
from beholder.stimuli import (
    MetamerSet,
    NullSet,
    is_metamer_examples,
    is_metamer_set,
    is_null_set,
    list_metamer_sets,
    read_metamer_grid,
    read_model_stimuli,
)


@suggest_keywords
def open(path: Path | str) -> Any:
    """Open a result: a store (``.zarr``), a panel file (``.h5``), units (``.json``), recordings, stimuli or metamers.

    Parameters
    ----------
    path : path
        A store may lie at an address, such as ``s3://bucket/acts/net.zarr``. What
        :func:`beholder.extract`, :func:`beholder.extract_panel` and the commands of ``beholder units`` and
        ``beholder metamers`` wrote.

    Returns
    -------
    Activations, mapping, UnitList, Recordings, RecordedRDMs, ModelStimuli, MetamerSet, MetamerGrid or NullSet
        A folder that holds stores: the store, or, of several, a mapping of model to store. For
        ``{name}.recordings.npz`` recordings, or RDMs as data; for a panel file ``[model][image][layer]``, read when
        indexed; for ``stimuli/{model}`` the stimuli of its units; for ``metamers/{model}`` and ``null_dist/{model}``
        metamers and the null distribution; for ``metamers/`` itself, and for published examples of metamers, the
        stimuli by network and stage.

    Raises
    ------
    InputError
        When the path is none of them.

    Examples
    --------
    >>> import beholder as bh
    >>> acts = bh.extract("beholder:shapes", "images", ["block5", "classifier"], device="cpu")
    >>> open("activations/shapes.zarr").layers
    ['block5', 'classifier']
    """
    path = Path(path)
    if is_address(path):
        return Activations(path)
    if not path.exists():
        raise InputError("a result", got=f"nothing at {path}")
    with explain_read_errors(path, "a result"):
        return _open(path)


def _open(path: Path) -> Any:
    if path.is_dir() and (path / "zarr.json").exists():
        return Activations(path)
    if path.suffix.lower() in (".h5", ".hdf5"):
        from beholder.activations.panel._readers import load_lazy_activations

        return load_lazy_activations(path)
    if path.suffix.lower() == ".json":
        return UnitList.read(path)
    if path.name.endswith(".recordings.npz"):
        from beholder.recordings import open_recordings

        return open_recordings(path)
    if is_metamer_set(path):
        return MetamerSet(path)
    if is_null_set(path):
        return NullSet(path)
    stores = [Activations(store) for store in sorted(path.glob("*.zarr"))] if path.is_dir() else []
    if stores:
        return stores[0] if len(stores) == 1 else {store.model: store for store in stores}
    if path.is_dir() and (list_metamer_sets(path) or is_metamer_examples(path)):
        return read_metamer_grid(path)
    if path.is_dir():
        return read_model_stimuli(path)
    raise InputError(
        "a .zarr store, an .h5 panel file, a .json file of units, .recordings.npz or a folder stimuli/{model}",
        got=str(path),
    )
