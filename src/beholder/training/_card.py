"""The checkpoints of a run: the network of an epoch, with what was measured of it on its card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from beholder.models import Model, ModelCard, make_card, write_checkpoint
from beholder.training._presets import PRESETS
from beholder.training._settings import TrainingSettings

CHECKPOINTS = "checkpoints"


def describe_training(model: Model, trainee: Model, settings: TrainingSettings, described: dict[str, Any]) -> ModelCard:
    """The card of a run's networks, but for the epoch.

    Parameters
    ----------
    model, trainee : Model
        What training began with, and what learns.
    settings : TrainingSettings
    described : dict
        Everything that can change the weights.
    """
    held = described["validation"]
    data = {**described["data"], "n_validation": held and held["n_stimuli"]}
    average = None if settings.ema is None else f"exponential moving average, decay {settings.ema:g}"
    return make_card(
        model, trainee.module, classes=trainee.classes, preset=settings.preset, settings=settings.to_dict(),
        data=data, averaging=average, notes=tuple(_note(settings)),
    )  # fmt: skip


def _note(settings: TrainingSettings) -> list[str]:
    """Where the settings are from, and how attacks see the network."""
    base = PRESETS.get(settings.preset)
    notes = [] if base is None else [f"Preset {settings.preset}: {base.source}."]
    if settings.attack == "pgd":
        notes.append(
            f"Trained on stimuli attacked by {settings.attack_steps} steps of PGD of {settings.attack_step_size:.4g} "
            f"in a ball of {settings.norm}, radius {settings.eps:.4g}, validated under {settings.eval_steps} steps; "
            "attacks see the network in eval mode (batch norm with its running statistics)."
        )
    if settings.attack == "noise":
        where = "at the corners of the L-infinity ball" if settings.norm == "linf" else "on the L2 sphere"
        notes.append(f"Trained in noise {where} of radius {settings.eps:.4g}, without gradients.")
    return notes


def save_checkpoint(
    out: Path, trainee: Model, card: ModelCard, settings: TrainingSettings, name: str, row: dict[str, Any]
) -> None:
    """Write a checkpoint of the network as it is."""
    found: list[dict[str, Any]] = []
    if row.get("accuracy") is not None:
        found.append(_describe_accuracy(row, "accuracy", "n", "none"))
    if row.get("attacked_accuracy") is not None:
        kind = "random" if settings.attack == "noise" else "pgd"
        hit = _describe_accuracy(row, "attacked_accuracy", "n_attacked", kind)
        found.append({**hit, "norm": settings.norm, "eps": settings.eps})
    made = replace(card, epoch=row["epoch"] + 1, step=row["step"], accuracies=tuple(found))
    write_checkpoint(out / CHECKPOINTS / f"{name}.safetensors", trainee.module, made)


def _describe_accuracy(row: dict[str, Any], key: str, n: str, attack: str) -> dict[str, Any]:
    return {"part": "validation", "attack": attack, "accuracy_top1": row[key], "n": row[n]}
