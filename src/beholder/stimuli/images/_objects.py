"""The 92 objects of Kriegeskorte et al. (2008): out of the published MATLAB file, into pictures and a table."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import InputError
from beholder._core.files import explain_read_errors, write_text
from beholder.stimuli.images._image import save_picture

PICTURES_FOLDER = "pictures"
_TABLE_FILE = "pictures.csv"
_FLAGS = ("human", "face", "animal", "natural")
_N_OBJECTS = 92


def unpack_objects(path: Path | str, folder: Path | str) -> list[Path]:
    """Write the pictures as ``pictures/image_01.png``, … in the order of the RDMs, and ``pictures.csv``.

    Parameters
    ----------
    path : path
        ``Kriegeskorte_Neuron2008_supplementalData.mat``: structs ``stimuli_92objs`` with ``image`` (175, 175, 3) uint8,
        ``category``, and the flags ``human``, ``face``, ``animal`` and ``natural``.
    folder : path

    Raises
    ------
    InputError
        A file of another form.
    """
    import scipy.io

    path, folder = Path(path), Path(folder)
    with explain_read_errors(path, "the published file of the 92 objects"):
        found: Any = scipy.io.loadmat(path, variable_names=["stimuli_92objs"])["stimuli_92objs"].reshape(-1)
        pictures = [np.asarray(each) for each in found["image"]]
        categories = [str(np.asarray(each).reshape(-1)[0]) for each in found["category"]]
        flags = [[int(np.asarray(found[name][row]).reshape(-1)[0]) for name in _FLAGS] for row in range(len(found))]
    if len(pictures) != _N_OBJECTS or any(each.ndim != 3 or each.dtype != np.uint8 for each in pictures):
        raise InputError(f"{_N_OBJECTS} pictures in colour", got=f"{len(pictures)} in {path}")
    written: list[Path] = []
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["file", "category", *_FLAGS])
    for number, picture in enumerate(pictures):
        name = f"image_{number + 1:02d}.png"
        written.append(folder / PICTURES_FOLDER / name)
        written[-1].parent.mkdir(parents=True, exist_ok=True)
        save_picture(written[-1], picture)
        writer.writerow([f"{PICTURES_FOLDER}/{name}", categories[number], *flags[number]])
    write_text(folder / _TABLE_FILE, table.getvalue())
    return written
