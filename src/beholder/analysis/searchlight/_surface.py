"""Surfaces read, and maps written, as NIfTI and GIFTI."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import InputError, MissingExtra, suggest_keywords
from beholder._core.files import explain_read_errors, to_path_name, write_bytes
from beholder.analysis._result import Result


def _load_nibabel() -> Any:
    try:
        import nibabel
    except ImportError:
        raise MissingExtra("nibabel", "brain", "NIfTI and GIFTI files") from None
    return nibabel


def read_surface(path: Path | str) -> tuple[np.ndarray, np.ndarray]:
    """Points (n_vertices, 3) in mm and faces (n_faces, 3) of a GIFTI surface.

    Raises
    ------
    InputError
        For a file that is none.
    """
    nibabel, path = _load_nibabel(), Path(path)
    with explain_read_errors(path, "a surface (.surf.gii)"):
        image: Any = nibabel.load(path)
        points = image.agg_data("pointset") if hasattr(image, "agg_data") else ()
        faces = image.agg_data("triangle") if hasattr(image, "agg_data") else ()
    if not len(points) or not len(faces):
        raise InputError("a surface (.surf.gii) of points and triangles", got=str(path))
    return np.asarray(points, dtype=np.float64), np.asarray(faces, dtype=np.int64)


def has_maps(settings: Mapping[str, Any]) -> bool:
    """Whether maps can be written: of a surface, or of a volume whose shape and affine are known."""
    return settings["n_vertices"] is not None or None not in (settings["volume_shape"], settings["affine"])


@suggest_keywords
def write_searchlight_maps(result: Result, folder: Path | str) -> list[Path]:
    """Write the maps of a searchlight: NIfTI of a volume, a file a layer; GIFTI of a surface, all layers in one.

    Parameters
    ----------
    result : Result
        Of :func:`analyze_searchlight`.
    folder : path
        ``{subject}_{layer}.nii.gz`` and ``{subject}_{layer}_p.nii.gz``, or ``{subject}.func.gii``; NaN (0 outside of
        the mask) where there is no value.

    Raises
    ------
    InputError
        A result of another kind; voxels of a volume whose shape or affine is not known.
    """
    if result.kind != "searchlight":
        raise InputError("the result of a searchlight", got=result.kind)
    nibabel, folder = _load_nibabel(), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    for number, subject in enumerate(result.settings["subjects"]):
        maps = [("", result.arrays[f"estimates_{number}"]), ("_p", result.arrays[f"p_{number}"])]
        places = result.arrays[f"places_{number}"]
        name = to_path_name(subject or "map")
        for ending, values in maps:
            if np.isnan(values).all():
                continue
            if result.settings["n_vertices"] is not None:
                path = folder / f"{name}{ending}.func.gii"
                write_bytes(path, _make_gifti(nibabel, result, places, values))
                files.append(path)
                continue
            for layer, row in zip(result.settings["layers"], values, strict=True):
                path = folder / f"{name}_{to_path_name(layer)}{ending}.nii.gz"
                image = _make_nifti(nibabel, result, places, row)
                write_bytes(path, gzip.compress(image.to_bytes(), mtime=0))
                files.append(path)
    return files


def _make_nifti(nibabel: Any, result: Result, places: np.ndarray, values: np.ndarray) -> Any:
    shape, affine = result.settings["volume_shape"], result.settings["affine"]
    if shape is None or affine is None:
        raise InputError(
            "recordings that know the shape and the affine of their volume", got="places alone",
            hint="recordings read from NIfTI, or Recordings(volume_shape=..., affine=...)",
        )  # fmt: skip
    volume = np.zeros(shape, np.float32)
    volume[tuple(places.astype(np.int64).T)] = values
    return nibabel.Nifti1Image(volume, np.asarray(affine, dtype=np.float64))


def _make_gifti(nibabel: Any, result: Result, places: np.ndarray, values: np.ndarray) -> bytes:
    image = nibabel.gifti.GiftiImage()
    for layer, row in zip(result.settings["layers"], values, strict=True):
        whole = np.full(result.settings["n_vertices"], np.nan, np.float32)
        whole[places.astype(np.int64)] = row
        array = nibabel.gifti.GiftiDataArray(
            whole,
            intent="NIFTI_INTENT_NONE",
            datatype="NIFTI_TYPE_FLOAT32",
            meta=nibabel.gifti.GiftiMetaData(Name=layer),
        )
        image.add_gifti_data_array(array)
    return bytes(image.to_bytes())
