"""Attacked stimuli as files: written as people are shown them, and read to be shown to another network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from beholder._core.errors import InputError
from beholder._core.files import write_bytes
from beholder.evaluation._saved_stimuli import prepare_saved
from beholder.jobs import has_content
from beholder.models import Preprocessing
from beholder.synthesis import StimulusFormat

NATURAL = "natural"


def name_set(norm: str, attack: str, eps: float) -> str:
    """The folder of attacked stimuli.

    >>> name_set("linf", "pgd", 4 / 255)
    'linf_pgd_0.0156862745'
    """
    return f"{norm}_{attack}_{eps:.9g}"


def write_attacked_stimuli(
    folder: Path, ids: Sequence[str], values: np.ndarray, form: StimulusFormat, root: Path
) -> dict[str, int]:
    """Write stimuli, one file each; the files' sizes by name below ``root``.

    Parameters
    ----------
    folder : path
    ids : (n,) of str
    values : (n or more, *input_shape), float32
    form : StimulusFormat
    root : path
    """
    files: dict[str, int] = {}
    for stimulus_id, value in zip(ids, values, strict=False):
        path = folder / f"{stimulus_id}{form.suffix}"
        data = form.encode(value)
        write_bytes(path, data)
        files[path.relative_to(root).as_posix()] = len(data)
    return files


def read_attacked_stimuli(folder: Path, files: Sequence[Sequence[str]], preprocessing: Preprocessing) -> np.ndarray:
    """Attacked stimuli from files, as they are: (n, *input_shape), float32.

    Parameters
    ----------
    folder : path
    files : (n,) of (str, str)
        Names and hashes.
    preprocessing : Preprocessing
        Of the network that they are shown to.

    Raises
    ------
    InputError
        Another content than a file had.
    """
    made: list[np.ndarray] = []
    for name, digest in files:
        if not has_content(folder / name, digest):
            raise InputError("the saved stimuli that the work began with", got=f"another {folder / name}")
        made.append(prepare_saved(folder / name, preprocessing))
    return np.stack(made)
