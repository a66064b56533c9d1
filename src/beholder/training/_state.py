"""What a run needs to go on where it was, apart from the checkpoints that others load."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from beholder._core.files import write_bytes
from beholder._core.progress import logger
from beholder.training._learner import Learner

SUFFIX = ".safetensors"
N_KEPT = 2
_KEY = "beholder"


def write_state(folder: Path, learner: Learner, facts: Mapping[str, Any]) -> Path:
    """Write weights, optimizer, average and position as ``{step}.safetensors``; the one before is kept, too.

    Random numbers need no state: those of an update follow from its number.

    Parameters
    ----------
    folder : path
    learner : Learner
    facts : mapping
        Plain JSON: where the loop is, and what is logged so far.
    """
    from safetensors.torch import save

    tensors, groups = _collect(learner)
    document = {
        "step": learner.step, "n_parts": learner.n_parts, "reduced": learner.reduced, "groups": groups,
        "scaler": learner.scaler.state_dict(), "facts": dict(facts),
    }  # fmt: skip
    path = folder / f"{learner.step:09d}{SUFFIX}"
    write_bytes(path, save(tensors, metadata={_KEY: json.dumps(document, sort_keys=True)}), durable=True)
    for old in sorted(folder.glob(f"*{SUFFIX}"))[:-N_KEPT]:
        old.unlink(missing_ok=True)
    return path


def read_state(folder: Path, learner: Learner, *, before: int | None = None) -> dict[str, Any] | None:
    """Put a learner where the newest state is that can be read; its facts, or None where there is none.

    Parameters
    ----------
    folder : path
    learner : Learner
        Changed.
    before : int, optional
        Only states of fewer updates.
    """
    for path in sorted(folder.glob(f"*{SUFFIX}"), reverse=True):
        if path.name.startswith(".") or (before is not None and int(path.stem) >= before):
            continue
        found = _read(path)
        if found is None:
            logger.warning("%s cannot be read; the state before it is taken", path)
            continue
        tensors, document = found
        _apply(learner, tensors, document)
        return document["facts"]
    return None


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    from safetensors import SafetensorError
    from safetensors import safe_open as open_safely

    safe_open: Any = open_safely

    with contextlib.suppress(OSError, SafetensorError, ValueError, KeyError), safe_open(path, "pt") as file:
        document = json.loads(file.metadata()[_KEY])
        return {name: file.get_tensor(name) for name in file.keys()}, document  # noqa: SIM118
    return None


def _collect(learner: Learner) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    tensors = {f"model.{name}": tensor for name, tensor in learner.model.module.state_dict().items()}
    state = learner.optimizer.state_dict()
    for index, values in state["state"].items():
        tensors |= {f"optimizer.{index}.{key}": value for key, value in values.items() if isinstance(value, Tensor)}
    for index, mean in enumerate(learner.average or ()):
        tensors[f"average.{index}"] = mean
    groups = [{key: value for key, value in group.items() if key != "params"} for group in state["param_groups"]]
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}, groups


def _apply(learner: Learner, tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> None:
    module = learner.model.module
    with torch.no_grad():
        own = module.state_dict(keep_vars=True)
        for name, tensor in own.items():
            tensor.copy_(tensors[f"model.{name}"])
        for index, mean in enumerate(learner.average or ()):
            mean.copy_(tensors[f"average.{index}"])
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "optimizer":
            index, _, key = rest.partition(".")
            state.setdefault(int(index), {})[key] = tensor
    full = learner.optimizer.state_dict()
    groups = [{**group, **kept} for group, kept in zip(full["param_groups"], document["groups"], strict=True)]
    learner.optimizer.load_state_dict({"state": state, "param_groups": groups})
    if document["scaler"]:
        learner.scaler.load_state_dict(document["scaler"])
    learner.step, learner.n_parts = int(document["step"]), int(document["n_parts"])
    learner.reduced = list(document["reduced"])
