"""NIfTI: single-trial responses of voxels, within masks or the regions of an atlas, and volumes back out."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import InputError, MissingExtra, suggest_keywords
from beholder._core.files import explain_read_errors, write_bytes
from beholder._core.narrowing import is_mapping
from beholder._core.wording import format_count
from beholder.recordings._arrays import ReadOptions, read_trials
from beholder.recordings._plain import read_table
from beholder.recordings._recordings import Recordings

if TYPE_CHECKING:
    import pandas as pd

_SAME_PLACE = 1e-3
NIFTI = (".nii", ".nii.gz")


def import_nibabel() -> Any:
    """nibabel, or a line that says how to get it."""
    try:
        import nibabel
    except ModuleNotFoundError as error:
        raise MissingExtra("nibabel", "brain", "NIfTI files") from error
    return nibabel


def is_nifti(path: Path) -> bool:
    """Whether a file is called as NIfTI is."""
    return path.name.lower().endswith(NIFTI)


def read_nifti(path: Path, given: ReadOptions) -> Recordings:
    """Of a volume a stimulus or trial (4-D), within a mask; the table of stimuli or events has a row for each volume.

    ``given.mask`` is an image, whose values other than 0 are in; with ``given.labels``, or where it has several whole
    values, it is an atlas whose values are regions. A mapping has an image for each region.
    """
    image = import_nibabel().load(path)
    shape = tuple(int(n) for n in image.shape)
    if len(shape) == 3:
        shape = (*shape, 1)
    if len(shape) != 4:
        raise InputError("a volume for each stimulus, 4-D", got=f"{path} of shape {image.shape}")
    places, columns = find_voxels(given, shape[:3], image.affine, path)
    values = _read_volumes(image, shape, places, compressed=path.name.lower().endswith(".gz"))
    units = place_voxels(places, image.affine, columns)
    kept = {"volume_shape": shape[:3], "affine": np.asarray(image.affine)}
    return read_trials(values, path, given, units, **kept)


def _read_volumes(image: Any, shape: tuple[int, ...], places: np.ndarray, *, compressed: bool) -> np.ndarray:
    """Values of some voxels in each volume, (n_volumes, n_units); one volume at a time where the file allows it."""
    chosen = tuple(places.T)
    if compressed or len(image.shape) == 3:
        whole = np.asarray(image.dataobj, dtype=np.float32).reshape(shape)
        return np.ascontiguousarray(whole[chosen].T)
    values = np.empty((shape[3], len(places)), dtype=np.float32)
    for number in range(shape[3]):
        values[number] = np.asarray(image.dataobj[..., number])[chosen]
    return values


def find_voxels(
    given: ReadOptions, shape: tuple[int, ...], affine: Any, path: Path
) -> tuple[np.ndarray, dict[str, list[str]]]:
    """Places of the voxels that are read, (n_units, 3), and columns that the mask gives them."""
    mask: Any = given.mask
    if mask is None:
        return np.argwhere(np.ones(shape, dtype=bool)), {}
    if is_mapping(mask):
        parts = {str(name): _load_mask(Path(each), shape, affine, path) != 0 for name, each in mask.items()}
        found = {name: np.argwhere(part) for name, part in parts.items()}
        empty = [name for name, each in found.items() if not len(each)]
        if empty:
            raise InputError("masks with voxels in them", got=f"none in {', '.join(empty)}")
        regions = [name for name, each in found.items() for _ in range(len(each))]
        return np.concatenate(list(found.values())), {"region": regions}
    values = _load_mask(Path(mask), shape, affine, path)
    places = np.argwhere(values != 0)
    if not len(places):
        raise InputError("a mask with voxels in it", got=f"{mask}, which is 0 everywhere")
    found_values = values[tuple(places.T)]
    whole = np.array_equal(found_values, np.round(found_values))
    if given.labels is None and (not whole or len(np.unique(found_values)) == 1):
        return places, {}
    names = _read_labels(given.labels)
    numbers = np.round(found_values).astype(int).tolist()
    unnamed = sorted({n for n in numbers if names and n not in names})
    if unnamed:
        raise InputError(f"a name for every region of {mask}", got=f"none for {', '.join(map(str, unnamed[:8]))}")
    return places, {"region": [names.get(n, str(n)) for n in numbers]}


def _load_mask(mask: Path, shape: tuple[int, ...], affine: Any, path: Path) -> np.ndarray:
    with explain_read_errors(mask, "a NIfTI image of a mask"):
        image = import_nibabel().load(mask)
        values = np.nan_to_num(np.asarray(image.dataobj, dtype=np.float64))
    values = values.reshape(values.shape[:3]) if values.ndim == 4 and values.shape[3] == 1 else values
    if values.shape != tuple(shape):
        raise InputError(f"a mask of the shape of {path.name}, {tuple(shape)}", got=f"{mask} of shape {values.shape}")
    apart = float(np.abs(np.asarray(image.affine) - np.asarray(affine)).max())
    if apart > _SAME_PLACE:
        got = f"{mask}, whose affine differs by up to {apart:.3g}"
        raise InputError(f"a mask in the space of {path.name}", got=got, hint="resampling it to the data")
    return values


def _read_labels(labels: Any) -> dict[int, str]:
    """Number to name of regions: a mapping, or a table with ``index`` and ``name``, as BIDS has them."""
    if labels is None:
        return {}
    if is_mapping(labels):
        return {int(number): str(name) for number, name in labels.items()}
    table = read_table(labels)
    if not {"index", "name"} <= set(table.columns):
        raise InputError(
            "a table of regions with the columns index and name", got=f"{labels} with {list(table.columns)}"
        )
    return {int(number): str(name) for number, name in zip(table["index"], table["name"], strict=True)}


def place_voxels(places: np.ndarray, affine: Any, columns: Mapping[str, Any]) -> pd.DataFrame:
    """A table of units with ``i, j, k`` and ``x, y, z`` in mm."""
    import pandas as pd

    matrix = np.asarray(affine, dtype=np.float64)
    mm = places @ matrix[:3, :3].T + matrix[:3, 3]
    table = {name: list(column) for name, column in columns.items()}
    table |= {name: places[:, axis] for axis, name in enumerate("ijk")}
    return pd.DataFrame(table | {name: mm[:, axis] for axis, name in enumerate("xyz")})


@suggest_keywords
def write_nifti(path: Path | str, values: Any, recordings: Recordings) -> Path:
    """Write values of units as a NIfTI volume, where the units lie; NaN elsewhere.

    Parameters
    ----------
    path : path
        ``.nii`` or ``.nii.gz``.
    values : (n_units,) or (n_units, n_volumes), float
    recordings : Recordings
        Whose units have places ``i, j, k`` in a volume of known shape and affine: what NIfTI was read from.

    Raises
    ------
    InputError
        The units have no places, or there are other numbers of values than of units.
    """
    path = Path(path)
    if not is_nifti(path):
        raise InputError("a file name ending in .nii or .nii.gz", got=path.name)
    if recordings.volume_shape is None or recordings.affine is None or not set("ijk") <= set(recordings.units.columns):
        raise InputError("units with places in a volume, as those of NIfTI files", got=repr(recordings))
    array = np.asarray(values, dtype=np.float32)
    if array.ndim not in (1, 2) or len(array) != len(recordings.units):
        raise InputError(
            f"a value for each of {format_count(len(recordings.units), 'unit')}", got=f"shape {array.shape}"
        )
    volume = np.full((*recordings.volume_shape, *array.shape[1:]), np.nan, dtype=np.float32)
    places = recordings.units[["i", "j", "k"]].to_numpy(dtype=np.intp)
    if len(np.unique(places, axis=0)) != len(places):
        raise InputError("one unit a voxel", got="several in one, as of several subjects", hint="select(subject=…)")
    volume[tuple(places.T)] = array
    image = import_nibabel().Nifti1Image(volume, recordings.affine)
    image.header.set_xyzt_units("mm")
    content = image.to_bytes()
    write_bytes(path, gzip.compress(content, mtime=0) if path.name.lower().endswith(".gz") else content)
    return path
