"""Layers of a store in files that other programs open, with the provenance of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from beholder._core.errors import suggest_keywords
from beholder._core.files import to_path_name
from beholder._core.hashing import hash_settings
from beholder._core.provenance import check_provenance, record_provenance
from beholder.activations.formats._exports import export_layer
from beholder.activations.store._lazy import Activations


@suggest_keywords
def export_activations(
    acts: Activations,
    folder: Path | str,
    file_format: str,
    *,
    layers: Sequence[str] | None = None,
    flatten: bool = False,
    n_splits: int | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write ``{folder}/{layer}/activations.*``, with targets and names of files beside them.

    Parameters
    ----------
    acts : Activations
    folder : path
        One folder for one store, such as ``activations/alexnet``.
    file_format : str
        As for :func:`export_layer`.
    layers : sequence of str, optional
        Default all.
    flatten : bool
        Join the feature axes, row-major.
    n_splits : int, optional
        Files that ``npy`` and ``txt`` are split into.
    overwrite : bool
        Replace an export that was made from other values.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    ConfigurationChanged
        An export of other values is there.
    """
    folder, table = Path(folder), acts.stimuli
    file_names = [file or i for file, i in zip(table["file"], table["id"], strict=True)]
    settings = {"made_from": acts.path.name, "settings_hash": hash_settings(acts.attributes["settings"])}
    settings |= {"n_splits": n_splits, **({"flatten": True} if flatten else {})}
    written: list[Path] = []
    for name in acts.layers if layers is None else layers:
        output = f"{folder.name}/{to_path_name(name)}/activations.{file_format}"
        check_provenance(folder.parent, output, settings, replace=overwrite)
        written += export_layer(
            acts[name],
            folder / to_path_name(name),
            file_format,
            targets=table["target"].to_numpy(),
            file_names=file_names,
            stimulus_ids=acts.stimulus_ids,
            flatten=flatten,
            n_splits=n_splits,
        )
        record_provenance(folder.parent, output, settings)
    return written
