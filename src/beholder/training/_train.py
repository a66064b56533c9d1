"""``bh.train``: a network, data, settings; a folder with checkpoints and a log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from beholder._core.errors import InputError, OtherMachine, suggest_keywords
from beholder._core.files import check_output_folder, write_json
from beholder._core.hashing import hash_file, hash_settings
from beholder._core.machine import describe_kind
from beholder._core.progress import logger
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.wording import show_value
from beholder.jobs import JobFolder, long_work, open_output, place_output, read_conditions
from beholder.models import (
    Model,
    Weights,
    collect_stimuli,
    copy_trainee,
    describe_preprocessing,
    identify_model,
    open_model,
    read_weights,
)
from beholder.training._card import CHECKPOINTS, describe_training, save_checkpoint
from beholder.training._classes import open_fitting
from beholder.training._data import holds_arrays, open_data
from beholder.training._describe import FORMAT
from beholder.training._learner import Learner, repeatable
from beholder.training._order import count_batches
from beholder.training._presets import resolve_settings
from beholder.training._processes import Processes, find_device, join_processes
from beholder.training._result import TrainingResult
from beholder.training._run import STATE, Run, count_threads
from beholder.training._settings import TrainingSettings
from beholder.training._shape_bias import open_shape_bias
from beholder.training._skipping import SkippingData
from beholder.training._space import make_perturb, open_learning_space
from beholder.training.data._open import choose_augmentations
from beholder.training.data._settings import DataSettings

if TYPE_CHECKING:
    from torch import nn

    from beholder.training.data._protocol import TrainingData

_MADE = ("settings.json", "log.csv", "log.jsonl", CHECKPOINTS, STATE)


@suggest_keywords
@long_work
def train(
    model: Model | nn.Module | str,
    data: Any,
    *,
    preset: str | Path = "standard",
    out_path: Path | str = "training",
    new_head: bool = False,
    epochs: int | None = None,
    batch_size: int | None = None,
    accumulation: int | None = None,
    optimizer: Literal["sgd", "adamw"] | None = None,
    learning_rate: float | None = None,
    momentum: float | None = None,
    weight_decay: float | None = None,
    schedule: Literal["step", "cosine", "constant"] | None = None,
    step_epochs: float | None = None,
    step_factor: float | None = None,
    warmup_epochs: float | None = None,
    label_smoothing: float | None = None,
    clip_norm: float | None = None,
    ema: float | None = None,
    precision: Literal["fp32", "bf16", "fp16"] | None = None,
    attack: Literal["none", "pgd", "noise"] | None = None,
    norm: Literal["l2", "linf"] | None = None,
    eps: float | None = None,
    attack_steps: int | None = None,
    attack_step_size: float | None = None,
    attack_keep: Literal["best", "last"] | None = None,
    random_start: bool | None = None,
    space: Literal["prepared", "waveform", "cochleagram"] | None = None,
    eval_steps: int | None = None,
    eval_stimuli: int | None = None,
    held_out: float | None = None,
    seed: int | None = None,
    weights_seed: int = DEFAULT_SEED,
    device: str | None = None,
    threads: int | None = None,
    save_seconds: float = 60.0,
    save_steps: int | None = None,
    label_column: str | None = None,
    label_pattern: str | None = None,
    train_where: str | None = None,
    validation: Path | str | None = None,
    validation_where: str | None = None,
    augment: Sequence[str] | None = None,
    background: Path | str | None = None,
    snr: Sequence[float] = (-10.0, 10.0),
    n_drawn: int = 9_600,
    n_drawn_validation: int = 640,
    skip_bad: bool = False,
    cache_gb: float | None = None,
    battery: Path | str | None = None,
    overwrite: bool = False,
    mixed: bool = False,
    dry_run: bool = False,
) -> TrainingResult:
    """Train a network to name stimuli: plainly, on attacked stimuli, or in noise.

    Each epoch ends with an evaluation of a held-out part, under the attack that the network is trained with, too: the
    epoch of the highest accuracy under attack (without one: of the highest accuracy) is kept as ``best``. Attacks see
    the network in eval mode (batch norm with its running statistics), in training as in evaluation. The same call with
    the same folder goes on where it was interrupted, to the same weights.

    Parameters
    ----------
    model : Model, nn.Module or str
        Any network; ``NAME@random`` begins from random weights, everything else is continued. What is given stays as
        it is: a copy learns.
    data : str, path, StimulusSet, (stimuli, labels), or TrainingData
        A folder with a folder for each class, a table with a column of labels, a drawn set (``"shapes"``,
        ``"syllables"``), whatever :func:`beholder.stimuli.as_stimulus_set` takes with labels. Arrays: prepared stimuli
        (n, *input_shape), float32, and labels (n,), int64.
    preset : str or path
        ``standard``, ``adversarial``, ``random-noise``, or a TOML file of settings.
    out_path : path
        The run's folder.
    new_head : bool
        Put a new last layer for the classes of the data in the place of the network's.
    epochs, batch_size, …, seed
        Settings in place of the preset's; see :class:`TrainingSettings`.
    weights_seed : int
        Of a name that ends in ``@random``.
    device : str, optional
        Default where the model is; ``auto`` for a name.
    threads : int, optional
        Recorded, and part of what decides the weights; default those of torch.
    save_seconds : float
        Between states to go on from; at most so much is lost.
    save_steps : int, optional
        Updates between states, too.
    label_column, label_pattern, train_where, validation, validation_where, augment, background, snr, n_drawn, \
n_drawn_validation, cache_gb
        Of the data: see :class:`DataSettings`.
    skip_bad : bool
        Leave out stimuli that cannot be read; they are listed.
    battery : path, optional
        Folder of cue-conflict pictures (``bird3-knife2.png``): shape bias is measured at the end of each epoch.
    overwrite : bool
        Replace a run of other settings.
    mixed, dry_run
        As for :func:`beholder.extract`.

    Returns
    -------
    TrainingResult

    Raises
    ------
    InputError
        Settings, classes or data that cannot be used.
    ConfigurationChanged
        The folder holds a run of other settings.
    BeholderError
        The loss diverges: what is kept, and what to lower.

    Source: Feather et al. (2023), "Model metamers reveal divergent invariances between biological and artificial neural
    networks", Nature Neuroscience 26; Madry et al. (2018), "Towards deep learning models resistant to adversarial
    attacks", ICLR.

    Examples
    --------
    >>> import beholder as bh
    >>> result = bh.train("beholder:shapes@random", "images", epochs=1, batch_size=8, held_out=0.25, device="cpu")
    >>> len(result.history), result.checkpoint.as_posix()
    (1, 'training/checkpoints/best.safetensors')
    """
    changes = {
        "epochs": epochs, "batch_size": batch_size, "accumulation": accumulation, "optimizer": optimizer,
        "learning_rate": learning_rate, "momentum": momentum, "weight_decay": weight_decay, "schedule": schedule,
        "step_epochs": step_epochs, "step_factor": step_factor, "warmup_epochs": warmup_epochs,
        "label_smoothing": label_smoothing, "clip_norm": clip_norm, "ema": ema, "precision": precision,
        "attack": attack, "norm": norm, "eps": eps, "attack_steps": attack_steps,
        "attack_step_size": attack_step_size, "attack_keep": attack_keep, "random_start": random_start,
        "space": space, "eval_steps": eval_steps, "eval_stimuli": eval_stimuli, "held_out": held_out, "seed": seed,
    }  # fmt: skip
    about = DataSettings(
        label_column=label_column, label_pattern=label_pattern, train_where=train_where, validation=validation,
        validation_where=validation_where, augment=_list_augmentations(augment), background=background,
        snr=_pair(snr), n_drawn=n_drawn, n_drawn_validation=n_drawn_validation, cache_gb=cache_gb,
    )  # fmt: skip
    check_output_folder(out_path)
    found = open_model(model, None if device is None else find_device(device), weights_seed)
    settings = resolve_settings(preset, found.modality, changes)
    place = str(found.device)
    with join_processes(place) as processes, _speaking(processes), repeatable(count_threads(threads), place):
        trainee = copy_trainee(found)
        open_parts = partial(open_data, data, found, about, settings.held_out, settings.seed)
        (training, held), classes = open_fitting(open_parts, trainee, new_head=new_head, seed=settings.seed)
        trainee = replace(trainee, classes=classes)
        where = open_learning_space(trainee, settings.space)
        described = _describe(found, settings, data, training, held, classes, new_head, processes, about)
        out = place_output(Path(out_path), *(Path(out_path) / name for name in _MADE))
        with _open(out, described, processes, overwrite=overwrite, skip_bad=skip_bad, as_usual=augment is None) as (
            begin,
            record,
        ):
            learner = Learner(
                trainee, settings, count_batches(training.n_stimuli, settings.batch_size), processes,
                make_perturb(where, settings, settings.attack_steps), where,
            )  # fmt: skip
            run = Run(
                learner,
                SkippingData(training) if skip_bad else training,
                SkippingData(held) if skip_bad and held is not None else held,
                out,
                partial(
                    save_checkpoint, out, trainee, describe_training(found, trainee, settings, described), settings
                ),
                attack=make_perturb(where, settings, settings.eval_steps or 0),
                measure_bias=None if battery is None else open_shape_bias(battery, trainee),
                save_seconds=save_seconds,
                save_steps=save_steps,
                begin=partial(begin, place),
            )
            run.go()
            record(run)
    return _collect(out, trainee, settings, run)


def _list_augmentations(augment: Sequence[str] | None) -> tuple[str, ...] | None:
    """As asked for; ``none`` for none."""
    if augment is None:
        return None
    names: list[Any] = [augment] if isinstance(augment, str) else list(augment)
    other = [each for each in names if not isinstance(each, str)]
    if other:
        raise InputError(
            "augmentations by their names, such as 'crop' or 'jitter=0.1'", got=f"an object ({show_value(other[0])})",
            hint="data of your own, a TrainingData, whose stimuli you vary as you like",
        )  # fmt: skip
    return tuple(each for each in names if each != "none")


def _pair(snr: Sequence[float]) -> tuple[float, float]:
    if len(snr) != 2:
        raise InputError("a lowest and a highest dB after --snr", got=f"{len(snr)} numbers")
    return snr[0], snr[1]


@contextmanager
def _speaking(processes: Processes) -> Generator[None]:
    """Only the first process tells what it does; warnings come from all."""
    level = logger.level
    if not processes.is_first:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _describe(
    model: Model, settings: TrainingSettings, data: Any, training: TrainingData, held: TrainingData | None,
    classes: Sequence[str], new_head: bool, processes: Processes, about: DataSettings,
) -> dict[str, Any]:  # fmt: skip
    """Everything that can change the weights."""
    return {
        "format": FORMAT,
        "model": model.name,
        "network": identify_model(model),
        "preprocessing": describe_preprocessing(model),
        "classes": list(classes),
        "new_head": new_head,
        "data": {
            "fingerprint": training.fingerprint,
            "n_stimuli": training.n_stimuli,
            **_describe_data(data, about, model),
        },
        "validation": None if held is None else {"fingerprint": held.fingerprint, "n_stimuli": held.n_stimuli},
        "settings": settings.to_dict(),
        "device": model.device.type,
        "threads": torch.get_num_threads(),
        "processes": processes.n,
    }


def _describe_data(data: Any, about: DataSettings, model: Model) -> dict[str, Any]:
    """What else decides what is learnt from: the files' bytes are in the fingerprint, whatever their place."""
    augment = {} if holds_arrays(data) else choose_augmentations(data, model, about)
    found: dict[str, Any] = {"augment": [f"{name}={number:g}" for name, number in augment.items()]}
    if about.background is not None:
        sounds = collect_stimuli(model, about.background)
        sizes = [(sounds.mark(i) or [0])[0] for i in range(len(sounds))]
        found |= {"snr": list(about.snr), "background": hash_settings([list(sounds.ids), sizes])}
    return found


@contextmanager
def _open(
    out: Path, described: dict[str, Any], processes: Processes, *, overwrite: bool, skip_bad: bool, as_usual: bool
) -> Generator[tuple[Callable[[str], object], Callable[[Run], None]]]:
    """The run's folder: held by the first process, its settings checked.

    ``begin(device)`` refuses machines of another kind, whichever process is on one, ``record(run)`` vouches for what
    is done.
    """
    if not processes.is_first:
        processes.wait()
        yield partial(_admit_all, processes, None), _keep_nothing
        return
    folder = JobFolder(out.parent / f".{out.name}.training.jobs", out)
    made = [out / name for name in _MADE]
    with open_output(folder, leftovers=[out], replace=partial(folder.clear, made) if overwrite else None) as output:
        old = folder.read_settings()
        if as_usual and old is not None and old["data"].get("augment") is None:  # begun when defaults were not noted
            described["data"]["augment"] = None
        if skip_bad:
            _take_changed_files(described, old)
        output.settle(described, vacant=made)
        write_json(out / "settings.json", described)
        folder.unseal()
        processes.wait()

        def record(run: Run) -> None:
            names = [f"{CHECKPOINTS}/{name}.{kind}" for name in ("best", "last") for kind in ("safetensors", "md")]
            with folder.seal("settings.json", *names):
                pass
            output.record(out, ".", {"epochs": len(run.history), "skipped": run.skipped})

        folder.mixed = read_conditions().mixed
        yield partial(_admit_all, processes, folder), record


def _admit_all(processes: Processes, folder: JobFolder | None, device: str) -> None:
    """Hold the machines of all processes against the run's; the first process, which has the folder, looks at them.

    Raises
    ------
    OtherMachine
        In every process, where one is on a machine of another kind.
    """
    kinds, refusal = processes.gather(describe_kind(device)), None
    if folder is not None:
        try:
            for kind in kinds:
                folder.admit(kind)
        except OtherMachine as error:
            refusal = error
    for each in processes.gather(refusal):
        if each is not None:
            raise each


def _take_changed_files(described: dict[str, Any], old: dict[str, Any] | None) -> None:
    """Where bad files may be left out, a run goes on with files that have changed since it began, with a word."""
    for part in ("data", "validation"):
        before, now = (old or {}).get(part), described[part]
        if before and now and before["fingerprint"] != now["fingerprint"]:
            logger.warning("files of the %s part have changed since the run began; it goes on with them", part)
            now["fingerprint"] = before["fingerprint"]


def _keep_nothing(run: object) -> None:
    """What processes other than the first one keep of a run."""


def _collect(out: Path, trainee: Model, settings: TrainingSettings, run: Run) -> TrainingResult:
    """The best network, as it was written."""
    path = out / CHECKPOINTS / "best.safetensors"
    trainee.module.to(memory_format=torch.contiguous_format)
    trainee.module.load_state_dict(read_weights(path))
    digest = hash_file(path)
    spec = trainee.spec
    if spec is not None:
        spec = replace(spec, tag=path.stem, file=str(path), sha256=digest)
    base = trainee.name.partition("@")[0]
    model = replace(
        trainee, module=trainee.module.eval().requires_grad_(False), spec=spec,
        weights=Weights(path.stem, str(path), digest), name=trainee.name if spec is None else f"{base}@{path.stem}",
    )  # fmt: skip
    told = [f"{name} could not be read and was left out" for name in run.skipped]
    told += [
        f"from update {each['step'] + 1} on memory sufficed for micro-batches of {each['micro_batch']} only: "
        "with batch norm, another run may end at other weights"
        for each in run.learner.reduced
    ]
    return TrainingResult(model, out, settings, tuple(run.history), tuple(told))
