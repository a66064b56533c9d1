"""RDMs on disk: ``{name}.rdms.npz``, plain numpy arrays that load without pickle.

======================  =============================================  ==========================
array                   shape                                          what
======================  =============================================  ==========================
``rdms``                (n_layers, n_measures, n_stimuli, n_stimuli)   float32 dissimilarities
``layers``              (n_layers,)                                    layer names, network order
``measures``            (n_measures,)                                  ``correlation``, ...
``stimulus_ids``        (n_stimuli,)                                   ids
``categories``          (n_stimuli,)                                   category of each stimulus
``model``               ()                                             model name
======================  =============================================  ==========================
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import open_atomic
from beholder._core.wording import format_count

RDM_SUFFIX = ".rdms.npz"
_MOST_BYTES = 2**30
_NAMES = ("rdms", "layers", "measures", "stimulus_ids", "categories", "model")


@final
@dataclass(frozen=True)
class StoredRdms:
    """RDMs of one model's layers for the same stimuli, as read from a file.

    Attributes
    ----------
    rdms : array, (n_layers, n_measures, n_stimuli, n_stimuli), float32
    layers, measures, stimulus_ids, categories : tuple of str
    model : str
    """

    rdms: np.ndarray
    layers: tuple[str, ...]
    measures: tuple[str, ...]
    stimulus_ids: tuple[str, ...]
    categories: tuple[str, ...]
    model: str

    def get(self, layer: str, measure: str) -> np.ndarray:
        """The RDM of one layer by one measure, (n_stimuli, n_stimuli)."""
        return self.rdms[self.layers.index(layer), self.measures.index(measure)]


@suggest_keywords
def write_rdms(
    path: Path | str,
    rdms: Any,
    *,
    layers: Sequence[str],
    measures: Sequence[str],
    stimulus_ids: Sequence[str],
    categories: Sequence[str] = (),
    model: str = "",
) -> Path:
    """Write RDMs as ``{name}.rdms.npz``. The same RDMs give the same bytes.

    Parameters
    ----------
    path : path
        Must end in ``.rdms.npz``.
    rdms : array, (n_layers, n_measures, n_stimuli, n_stimuli)
    layers, measures, stimulus_ids : sequence of str
        Names along the axes.
    categories : sequence of str, (n_stimuli,), optional
    model : str
        Model name.
    """
    path = Path(path)
    if not path.name.endswith(RDM_SUFFIX):
        raise InputError(f"a file name ending in {RDM_SUFFIX}", got=path.name)
    values = np.asarray(rdms, dtype=np.float32)
    expected = (len(layers), len(measures), len(stimulus_ids), len(stimulus_ids))
    if values.shape != expected or len(categories) not in (0, len(stimulus_ids)):
        raise InputError(
            f"RDMs of shape {expected}", got=f"{values.shape} and {format_count(len(categories), 'category')}"
        )
    words = {"layers": layers, "measures": measures, "stimulus_ids": stimulus_ids, "categories": categories}
    arrays: dict[str, Any] = {name: np.asarray(list(column), dtype=np.str_) for name, column in words.items()}
    with open_atomic(path, "wb") as file:
        np.savez_compressed(file, rdms=values, model=np.asarray(model, dtype=np.str_), **arrays)
    return path


def _check_size(path: Path) -> None:
    """Refuse arrays that say they are larger than what is stored, or than a page's memory."""
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            with archive.open(info) as member:
                version = np.lib.format.read_magic(member)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(member)
            n_bytes = math.prod(shape) * dtype.itemsize
            if n_bytes > min(info.file_size, _MOST_BYTES):
                raise ValueError(f"{info.filename} of shape {shape}, {n_bytes:,} bytes")


@suggest_keywords
def read_rdms(path: Path | str) -> StoredRdms:
    """Read ``{name}.rdms.npz``; anything else, a pickle above all, is an :class:`InputError`."""
    try:
        _check_size(Path(path))
        with np.load(path, allow_pickle=False) as content:
            found = {name: content[name] for name in _NAMES}
    except FileNotFoundError as error:
        raise InputError("a file of RDMs", got=f"no file at {path}") from error
    except (KeyError, ValueError, OSError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"a file of RDMs, arrays {', '.join(_NAMES)}", got=f"{path} ({error})") from error
    words = {name: tuple(str(word) for word in found[name]) for name in _NAMES[1:5]}
    expected = (len(words["layers"]), len(words["measures"]), *[len(words["stimulus_ids"])] * 2)
    if found["rdms"].shape != expected:
        raise InputError(f"RDMs of shape {expected}", got=f"{found['rdms'].shape} in {path}")
    return StoredRdms(rdms=found["rdms"], model=str(found["model"]), **words)
