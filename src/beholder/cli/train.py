"""``beholder train``: a network learns to name stimuli."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from beholder.cli._flags import (
    LookFlags,
    ModelName,
    ModelWord,
    OutputFlags,
    Seed,
    WeightFlags,
    WeightsSeed,
    list_files,
    make_app,
    refuse_missing,
    take_network,
)
from beholder.cli._train_flags import AttackFlags, DataFlags, LearningFlags

app = make_app("train")


@app.default
def train(
    word: ModelWord = None,
    data: str | None = None,
    /,
    *,
    model_name: ModelName = None,
    preset: str = "standard",
    out_path: Annotated[str, Parameter(name=["--out-path", "-op"])] = "training",
    new_head: bool = False,
    attacks: AttackFlags = AttackFlags(),
    learning: LearningFlags = LearningFlags(),
    stimuli: DataFlags = DataFlags(),
    weights: WeightFlags = WeightFlags(),
    rnd_seed: Seed = 42,
    weights_seed: WeightsSeed = 42,
    threads: int | None = None,
    save_seconds: float = 60.0,
    save_steps: int | None = None,
    overwrite: bool = False,
    look: LookFlags = LookFlags(),
    output: OutputFlags = OutputFlags(),
) -> None:
    """Train a network to name stimuli: plainly, under attack, or in noise.

    Example: beholder stimuli draw shapes
    Example: beholder train beholder:shapes@random images/ --epochs 1 --held_out 0.25
    Example: beholder train beholder:shapes@random shapes --preset adversarial --eps 3 --epochs 6

    Parameters
    ----------
    data
        Folder with a folder for each class, table with a column of labels, or a drawn set: shapes, syllables.
    model_name
        The network, in place of the first word; NAME@random begins from random weights.
    preset
        standard, adversarial, random-noise, or a TOML file of settings.
    out_path
        The run's folder: checkpoints, log, state.
    new_head
        Put a new last layer for the data's classes in the place of the network's.
    rnd_seed
        Seed of the order of stimuli, augmentation, dropout, attacks and a new head.
    weights_seed
        Seed of the weights of a network whose name ends in @random.
    threads
        Threads of torch, which are recorded, since the weights' last digits depend on them; default torch's own.
    save_seconds
        Seconds between states from which an interrupted run goes on.
    save_steps
        Updates between such states, too.
    overwrite
        Replace a run of other settings.
    """
    model, (data,) = take_network([word, data], model_name, "MODEL DATA")
    stimuli.refuse_missing(data or "")
    _check_preset(preset)
    from beholder.models import load_model
    from beholder.training import train as train_network

    network = load_model(model, seed=weights_seed, **vars(weights))
    result = train_network(
        network, data, preset=preset, out_path=out_path, new_head=new_head, seed=rnd_seed, threads=threads,
        save_seconds=save_seconds, save_steps=save_steps, overwrite=overwrite, **vars(attacks), **vars(learning),
        **vars(stimuli), **vars(look),
    )  # fmt: skip
    output.print(result.sentences(), {"epochs": result.history, "files": list_files(result.list_files())})


def _check_preset(preset: str) -> None:
    """Raise where there is no preset of a name, or no file; before anything that takes seconds."""
    from beholder.training import resolve_settings

    if preset.endswith(".toml"):
        refuse_missing([preset], "a preset's TOML file")
    else:
        resolve_settings(preset)
