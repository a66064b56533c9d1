"""State of the work on disk: a description of the settings, and one file of plain tensors a batch."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from beholder._core.callables import identify_callable, identify_value
from beholder._core.error_sink import ErrorSink
from beholder._core.errors import ConfigurationChanged, InputError
from beholder._core.files import open_atomic, read_json, write_json
from beholder._core.hashing import hash_array
from beholder._core.origins import find_owner
from beholder._core.wording import show_value
from beholder.models import Model, describe_preprocessing, identify_model

SETTINGS = "synthesis.json"


def describe_part(value: Any) -> Any:
    """JSON-able description of settings; arrays by shape and hash, functions and other objects by identity."""
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        return {"shape": list(value.shape), "dtype": str(value.dtype), "content": hash_array(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kind = type(value)
        code = {"code": identify_callable(kind, what=kind.__name__)} if find_owner(kind.__module__) == "user" else {}
        fields = {field.name: describe_part(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"kind": kind.__name__, **code, **fields}
    if isinstance(value, dict):
        return {str(key): describe_part(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [describe_part(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    name = getattr(value, "__qualname__", type(value).__qualname__)
    return {"object": name, "identity": identify_value(value, what=name)}


def describe_model(model: Model, *, identify: bool = True) -> dict[str, Any]:
    """Name, identity and preprocessing; without identity for what is not stored."""
    if not identify:
        return {"name": model.name, "network": None, "preprocessing": model.preprocessing.to_dict()}
    return {
        "name": model.name, "network": identify_model(model), "preprocessing": describe_preprocessing(model)
    }  # fmt: skip


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
            if difference.startswith("model.network"):
                name = settings["model"]["name"]
                difference = f"{name} has other weights, code or hooks than the network that made it"
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
    return "" if before == now else f"{path}: {show_value(now)} instead of {show_value(before)}"
