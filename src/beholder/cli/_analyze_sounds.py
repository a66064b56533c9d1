"""``beholder analyze sounds``: a network's responses to sounds, as the metamer study's regressions read them."""

from __future__ import annotations

from beholder.cli._flags import (
    BatchSize,
    Layers,
    ModelWord,
    OptionalOut,
    OutputFlags,
    Seed,
    StimulusFlags,
    WorkFlags,
    flags,
)
from beholder.cli._model_flags import ModelFlags


@flags
class _PassFlags(WorkFlags):
    batch_size: BatchSize = None
    """Sounds in one forward pass; default chosen from the work's size."""
    overwrite: bool = False
    """Replace activations that were made with other settings."""


def sounds(
    word: ModelWord = None,
    /,
    *,
    model: ModelFlags = ModelFlags(),
    stimuli: StimulusFlags = StimulusFlags(),
    layers: Layers = None,
    out_path: OptionalOut = None,
    work: _PassFlags = _PassFlags(),
    rnd_seed: Seed = 42,
    output: OutputFlags = OutputFlags(),
) -> None:
    """Write natsound_activations.h5, averaged over time, and natsound_activations_full.h5 of a network's stages.

    Example: beholder stimuli draw syllables
    Example: beholder analyze sounds beholder:syllables --in_path sounds/

    Parameters
    ----------
    model.model_name
        The network, in place of the first word; default the build_network.py of -D.
    model.directory
        A model directory: its build_network.py is the network, and the files go under it.
    layers
        Layers; default the network's recorded stages.
    out_path
        Folder for the two files; default the model directory, else this one.
    rnd_seed
        Seed of the weights of a network whose name ends in @random.
    """
    model = model.take_word(word)
    model.name_model()
    stimuli.refuse_missing()
    from beholder.activations import extract
    from beholder.analysis import list_sound_layers, write_sound_files

    network, folder = model.load(seed=rnd_seed), model.join(out_path or ".")
    heard = stimuli.choose(stimuli.read(), rnd_seed)
    acts = extract(network, heard, list_sound_layers(network, layers), out_path=folder / "activations", **vars(work))
    files = write_sound_files(acts, folder)
    output.print(map(str, files), {"files": [{"file": str(path)} for path in files]})
