"""What a recording says of its stimuli and of what was recorded."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.hashing import hash_settings
from beholder._core.provenance import find_network
from beholder._core.wording import pick_words
from beholder.activations import Activations
from beholder.models import Preprocessing, read_preprocessing
from beholder.stimuli import StimulusSet, open_packed


@suggest_keywords
def find_recording(folder: Path, layers: Sequence[str]) -> Path:
    """The only store of a folder that holds some layers; of several of one network, the one with pooled values.

    Parameters
    ----------
    folder : path
        ``activations``.
    layers : sequence of str

    Raises
    ------
    InputError
        There is none, or there are several networks'.
    """
    stores = [Activations(path, partial=True) for path in sorted(folder.glob("*.zarr"))]
    fitting = [acts for acts in stores if acts.attributes.get("complete") and set(layers) <= set(acts.layers)]
    models = dict.fromkeys(acts.model for acts in fitting)
    if len(models) == 1:
        pooled = [acts for acts in fitting if acts.path.name.endswith(".mean.zarr")]
        return (pooled or fitting)[0].path
    if fitting:
        got = f"{len(fitting)}: {', '.join(acts.path.name for acts in fitting)}"
        raise InputError(f"one network's recording of {layers[0]} in {folder}", got=got, hint="--model_name NAME")
    raise InputError(
        f"a recording of {layers[0]}", got=f"none in {folder}",
        hint=f"`beholder units record --model_name NAME --layers {shlex.quote(layers[0])} --in_path FOLDER` first",
    )  # fmt: skip


def read_recorded_preprocessing(acts: Activations) -> Preprocessing:
    """How the recorded model prepares stimuli."""
    try:
        return read_preprocessing(acts.attributes["settings"]["preprocessing"])
    except (InputError, KeyError) as error:
        raise InputError(
            "a recording that says how the model prepares stimuli",
            got=f"{acts.path}",
            hint=pick_words("recording it anew with `beholder units record`", "write_exemplars(..., model=net)"),
        ) from error


def find_stimuli(acts: Activations, preprocessing: Preprocessing, folder: Path | None = None) -> StimulusSet:
    """The stimuli of a recording, from the root that it noted or the folder where they lie now."""
    table = acts.stimuli
    root = folder if folder is not None else acts.attributes.get("stimulus_root")
    packed = open_packed(root)
    if packed is not None:
        return packed if set(acts.stimulus_ids) - set(packed.ids) else packed[list(acts.stimulus_ids)]
    files = tuple(str(name) for name in table["file"])
    if not all(files):
        raise InputError(
            "stimuli that are files, or the arrays that were recorded", got=f"{acts.path}, recorded from arrays",
            hint=pick_words("--in_path FILE", "--in_path FILE, or stimuli=ARRAYS"),
        )  # fmt: skip
    if root is not None and not Path(root).is_dir():
        raise InputError("the folder of the recorded stimuli", got=f"no folder {root}", hint="--in_path FOLDER")
    kind = "sound" if preprocessing.modality == "sound" or preprocessing.sample_rate else "image"
    return StimulusSet(
        kind=kind,
        ids=acts.stimulus_ids,
        files=files,
        root=None if root is None else Path(root),
        labels=tuple(str(label) for label in table["label"]),
        targets=table["target"].to_numpy(),
    )


def list_sources(acts: Activations) -> list[str]:
    """What each stimulus is called in a manifest: its file as the store names it, else its id."""
    table = acts.stimuli
    files = [str(name) for name in table["file"]] if "file" in table else [""] * len(acts.stimulus_ids)
    return [name or i for name, i in zip(files, acts.stimulus_ids, strict=True)]


def hash_source(acts: Activations) -> dict[str, Any]:
    """What a set of exemplars rests on, for the settings of its output: JSON-able."""
    attributes = acts.attributes
    return {
        "model": acts.model,
        "network": find_network(attributes),
        "recording": hash_settings(attributes.get("settings")),
        "stimuli": hash_settings([list(acts.stimulus_ids), list(acts.stimulus_hashes)]),
    }
