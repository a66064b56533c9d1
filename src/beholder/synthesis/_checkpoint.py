"""State of the work on disk: a description of the settings, and one file of plain tensors a batch."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from beholder._core.error_sink import ErrorSink
from beholder._core.errors import ConfigurationChanged, InputError
from beholder._core.files import open_atomic, read_json, write_json
from beholder.models import Model

SETTINGS = "synthesis.json"


def describe_part(value: Any) -> Any:
    """JSON-able description of settings; arrays by shape and hash, functions by name."""
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return {"shape": list(value.shape), "dtype": str(value.dtype), "sha256": digest}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: describe_part(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"kind": type(value).__name__, **fields}
    if isinstance(value, dict):
        return {str(key): describe_part(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [describe_part(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if callable(value) and not isinstance(value, type):
        kind = getattr(value, "__qualname__", type(value).__qualname__)
        return {"function": f"{getattr(value, '__module__', type(value).__module__)}.{kind}"}
    return {"kind": f"{type(value).__module__}.{type(value).__qualname__}"}


def describe_model(model: Model, *, hash_weights: bool) -> dict[str, Any]:
    """Name, weights and preprocessing; the weights by their file's hash, else, if asked, by their values."""
    digest = model.weights.sha256
    if digest is None and hash_weights:
        total = hashlib.sha256()
        for name, tensor in sorted(model.module.state_dict().items()):
            total.update(name.encode())
            total.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        digest = total.hexdigest()
    return {"name": model.name, "weights": digest, "preprocessing": model.preprocessing.to_dict()}


@final
class Checkpoint:
    """A folder in which batches leave their state.

    Parameters
    ----------
    folder : path
    settings : dict
        What must not change between runs.
    every : int
        Steps between two writings.
    """

    def __init__(self, folder: Path | str, settings: dict[str, Any], every: int) -> None:
        self.folder, self.every = Path(folder), every
        file = self.folder / SETTINGS
        if file.exists():
            before = read_json(file)
            difference = find_difference(before, settings)
            if difference:
                raise ConfigurationChanged(
                    f"the settings that {self.folder} was begun with",
                    got=difference,
                    hint="another checkpoint folder, or deleting this one",
                )
        else:
            write_json(file, settings)

    def save(self, name: str, state: dict[str, Any]) -> None:
        """Write one batch's state, by rename.

        Raises
        ------
        OutputError
            There is no room; the state written before is kept.
        """
        with open_atomic(self.folder / f"{name}.pt", "w+b", buffering=0) as file:
            sink: Any = ErrorSink(file)
            torch.save(state, sink)
            sink.raise_error()

    def load(self, name: str, device: torch.device) -> dict[str, Any] | None:
        """One batch's state, or None if there is none yet."""
        path = self.folder / f"{name}.pt"
        if not path.exists():
            return None
        try:
            return torch.load(path, map_location=device, weights_only=True)
        except Exception as error:
            raise InputError(
                "a checkpoint of plain tensors", got=f"{path}, which does not read ({type(error).__name__})",
                hint="deleting it; that batch starts anew",
            ) from error  # fmt: skip


def find_difference(before: Any, now: Any, path: str = "") -> str:
    """The first difference of two descriptions, in words; empty if they are equal."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(set(before) | set(now)):
            found = find_difference(before.get(key), now.get(key), f"{path}.{key}" if path else str(key))
            if found:
                return found
        return ""
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for i, (a, b) in enumerate(zip(before, now, strict=True)):
            found = find_difference(a, b, f"{path}[{i}]")
            if found:
                return found
        return ""
    return "" if before == now else f"{path}: {_shorten(now)} instead of {_shorten(before)}"


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
