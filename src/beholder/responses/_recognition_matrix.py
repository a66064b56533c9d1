"""Recognition in the published form: participants × stages × [human, network], in a MATLAB file."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.files import explain_read_errors, write_bytes

MATRIX_SUFFIXES = (".mat", ".npy")
"""What files of matrices of recognition end in."""
OBSERVERS = ("Human", "Network")
"""The last axis of a matrix of recognition: people, and the network."""
_MATRIX = "participant_data_matrix"
_NAMES = {"participants": 0, "model_layers": 1, "conditions": 2}
"""Variables that name the places of the matrix's axes, and which axis."""


@final
@dataclass(frozen=True, eq=False)
class RecognitionMatrix:
    """Proportions correct of people, and of a network on the very stimuli of each of them.

    Attributes
    ----------
    values : (n_participants, n_stages, 2), float in [0, 1]
        People, then the network; NaN where a participant has no trial.
    participants : tuple of str
    stages : tuple of str
        Early to late, natural stimuli first.
    observers : tuple of str
        What the two are called.
    name : str
        Of the file.
    """

    values: np.ndarray
    participants: tuple[str, ...]
    stages: tuple[str, ...]
    observers: tuple[str, str] = OBSERVERS
    name: str = ""


@suggest_keywords
def read_recognition_matrix(path: Path | str, variable: str | None = None) -> RecognitionMatrix:
    """Read a matrix participants × stages × [human, network].

    Parameters
    ----------
    path : path
        A ``.mat`` file of MATLAB's version 5 with ``participant_data_matrix``, ``participants``, ``model_layers`` and
        ``conditions``, of which only the matrix must be there; or ``.npy``.
    variable : str, optional
        Which array of a file; default ``participant_data_matrix``, or the only one with three axes.

    Raises
    ------
    InputError
        No such file or matrix; proportions outside [0, 1].
    """
    path = Path(path)
    expected = "a matrix participants × stages × [human, network]"
    content = _load(path, expected)
    arrays = [name for name, value in content.items() if value.dtype.kind in "biuf" and value.ndim == 3]
    if variable is None:
        variable = _MATRIX if _MATRIX in arrays else arrays[0] if len(arrays) == 1 else None
    if variable is None:
        got = f"{path} with {', '.join(arrays) or 'none'}"
        raise InputError(expected, got=got, hint="--variable NAME" if arrays else None)
    if variable not in content:
        raise UnknownNameError(f"variable of {path.name}", variable, content)
    values = np.asarray(content[variable], dtype=np.float64)
    if values.ndim != 3 or values.shape[2] != 2 or not values.size:
        raise InputError(expected, got=f"shape {values.shape} in {path}")
    if not (np.isnan(values) | ((values >= 0) & (values <= 1))).all():
        got = f"{np.nanmin(values):g} to {np.nanmax(values):g} in {path}"
        raise InputError("proportions from 0 to 1", got=got)
    told = {axis: _read_names(content.get(name), values.shape[axis]) for name, axis in _NAMES.items()}
    stages = told[1] or tuple(str(k + 1) for k in range(values.shape[1]))
    people = told[0] or tuple(str(k + 1) for k in range(len(values)))
    first, second = told[2] or OBSERVERS
    return RecognitionMatrix(values, people, stages, (first, second), path.stem)


@suggest_keywords
def write_recognition_matrix(path: Path | str, matrix: RecognitionMatrix) -> Path:
    """Write a matrix as a ``.mat`` file with the variables of the published ones; equal matrices give equal bytes.

    Parameters
    ----------
    path : path
        Ends in ``.mat``.
    matrix : RecognitionMatrix
    """
    import scipy.io

    path = Path(path)
    if path.suffix != ".mat":
        raise InputError("a file name ending in .mat", got=str(path))
    buffer: Any = io.BytesIO()
    content = {
        _MATRIX: matrix.values, "participants": np.array(matrix.participants),
        "model_layers": np.array(matrix.stages), "conditions": np.array(matrix.observers),
        "axis_order": np.array(["participants", "model_layers", "conditions"]),
    }  # fmt: skip
    write: Any = scipy.io.savemat  # whose types know no files in memory
    write(buffer, content)
    head = b"MATLAB 5.0 MAT-file, written by Beholder".ljust(116)  # the default names machine and time
    write_bytes(path, head + buffer.getvalue()[116:])
    return path


def _load(path: Path, expected: str) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise InputError(expected, got=f"no file at {path}")
    with explain_read_errors(path, f"{expected} in a .mat file of version 5, or .npy"):
        if path.suffix == ".npy":
            return {path.stem: np.load(path, allow_pickle=False)}
        import scipy.io

        read: Mapping[str, Any] = scipy.io.loadmat(path)
        return {name: np.asarray(value) for name, value in read.items() if not name.startswith("__")}


def _read_names(value: np.ndarray | None, n: int) -> tuple[str, ...]:
    """Names of an axis's places, where there is one for each."""
    if value is None:
        return ()
    names = tuple(_read_name(each) for each in value.ravel().tolist())
    return names if len(names) == n == len(set(names)) else ()


def _read_name(cell: Any) -> str:
    """A row of characters, or a cell that holds one."""
    plain: Any = np.asarray(cell)
    return str(plain.item() if plain.size == 1 else cell).strip()
