"""What a checkpoint, or the folder of a training run, holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from beholder._core.errors import InputError
from beholder._core.files import explain_read_errors, read_json
from beholder.models import read_card

Facts = dict[str, Any]
Rows = list[dict[str, Any]]
_OF_CARD = ("model", "started_from", "preset", "epoch", "step", "averaging", "licence")


def describe_checkpoint(path: Path) -> tuple[Facts, dict[str, Rows]]:
    """The model card of a ``.safetensors`` file and what was measured of its network; then its tensors, from its head.

    Raises
    ------
    InputError
        A file that is none, or cut off.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            tensors: Rows = [
                {"tensor": name, "shape": file.get_slice(name).get_shape(), "dtype": file.get_slice(name).get_dtype()}
                for name in file.keys()  # noqa: SIM118 (the file is no mapping)
            ]
            has_card = "card" in (file.metadata() or {})
    except SafetensorError as error:
        raise InputError("a .safetensors file", got=f"{path}, which is none or cut off ({error})") from error
    if not has_card:
        return {"card": "none", "tensors": len(tensors)}, {"tensors": tensors}
    card = read_card(path)
    facts: Facts = {name: getattr(card, name) for name in _OF_CARD}
    facts |= {"classes": _name_classes(card.classes or ()), **_describe_data(card.data), "tensors": len(tensors)}
    told = [dict(each) for each in card.accuracies]
    columns = list(dict.fromkeys(key for each in told for key in each))
    accuracies: Rows = [{column: each.get(column, "") for column in columns} for each in told]
    return facts, {"accuracies": accuracies, "tensors": tensors}


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a training run."""
    try:
        document = read_json(folder / "settings.json")
    except (InputError, OSError):
        return False
    return isinstance(document, dict) and str(document.get("format", "")).startswith("beholder-training-")


def describe_run(folder: Path) -> tuple[Facts, dict[str, Rows]]:
    """Network, data and settings of a training run; a record an epoch, of the columns that have values."""
    document = read_json(folder / "settings.json")
    settings, log = document["settings"], folder / "log.jsonl"
    with explain_read_errors(log, "a log of a training run"):
        rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
    best = next((row["epoch"] + 1 for row in reversed(rows) if row.get("is_best")), None)
    shown = [name for name in (rows[0] if rows else ()) if any(row.get(name) is not None for row in rows)]
    facts: Facts = {
        "model": document["model"], "preset": settings["preset"], "attack": settings["attack"],
        "epochs": f"{len(rows)} of {settings['epochs']}", "best_epoch": best,
        "classes": _name_classes(document["classes"]), **_describe_data(document["data"]),
    }  # fmt: skip
    epochs: Rows = [{name: "" if row.get(name) is None else row[name] for name in shown} for row in rows]
    files: Rows = [
        {"file": path.relative_to(folder).as_posix(), "bytes": path.stat().st_size}
        for path in sorted(folder.glob("checkpoints/*.safetensors"))
    ]
    return facts, {"epochs": epochs, "files": files}


def _name_classes(classes: tuple[str, ...] | list[str]) -> str | None:
    """How many, and the first ones."""
    if not classes:
        return None
    return f"{len(classes)}: {', '.join(classes[:4])}{', ...' if len(classes) > 4 else ''}"


def _describe_data(data: Mapping[str, Any]) -> Facts:
    return {name: data[name] for name in ("n_stimuli", "n_validation", "augment") if data.get(name) is not None}
