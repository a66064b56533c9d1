"""The metamer study's measurement of a network's responses to sounds, as its regressions read it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.activations import Activations, read_layer_list_file, write_layer_list_file
from beholder.analysis._join import ArrayLayers
from beholder.models import Model

SOUND_FILE = "natsound_activations.h5"
_FAKE = "_fake"


@suggest_keywords
def list_sound_layers(model: Model, layers: Sequence[str] | None = None) -> list[str]:
    """Layers that are measured: those asked for, else the network's recorded stages; real rectifiers alone, each once.

    Raises
    ------
    InputError
        A network of pictures, or one without recorded stages where no layers are named.
    """
    if model.sample_rate is None:
        raise InputError("a network of sounds", got=f"{model.name}, which takes pictures")
    names = list(dict.fromkeys(name.split(_FAKE)[0] for name in layers or model.stages))
    if not names:
        raise InputError("--layers NAME…", got=f"none, and {model.name} records none")
    return names


@suggest_keywords
def write_sound_files(acts: Activations, folder: Path | str) -> tuple[Path, Path]:
    """Write ``natsound_activations.h5``, averaged over time, and ``natsound_activations_full.h5``, of activations.

    Parameters
    ----------
    acts : Activations
        Of a network of sounds.
    folder : path

    Source: Feather et al. (2023), measure_layer_activations_165_natural_sounds_pytorch.py.
    """
    own = {name: acts[name] for name in acts.layers}
    path = Path(folder) / SOUND_FILE
    return (
        write_layer_list_file(path, own, average_time=True),
        write_layer_list_file(path.with_stem(path.stem + "_full"), own, average_time=False),
    )


def open_sound_layers(path: Path, recorded_ids: Sequence[str], layers: Sequence[str] | None) -> tuple[ArrayLayers, str]:
    """Layers of such a file, and a sentence on what was taken for granted.

    Parameters
    ----------
    path : path
    recorded_ids : sequence of str
        Of the recordings: files of the study's own script name no stimuli, and lie in the recordings' order.
    layers : sequence of str, optional
        Names, or places in ``layer_list``.
    """
    found, ids = read_layer_list_file(path)
    note = ""
    names = list(found)
    if not ids:
        n = len(next(iter(found.values())))
        if n != len(recorded_ids):
            raise InputError(
                f"as many rows as there are recorded stimuli, {len(recorded_ids)}, in a file that names none",
                got=f"{n} in {path}", hint="beholder analyze sounds, whose file names them",
            )  # fmt: skip
        ids = tuple(recorded_ids)
        note = f"{path.name} names no stimuli: its rows were taken to lie in the order of the recordings."
    if layers is not None:
        asked = [names[int(name)] if name.isdecimal() and int(name) < len(names) else name for name in layers]
        found = {name: found[name] for name in asked if name in found} if set(asked) & set(names) else found
    arrays: dict[str, np.ndarray] = dict(found)
    return ArrayLayers(arrays, ids, Path(path).parent.name), note
