"""Reads tensors out of checkpoint files without importing or running anything that they name.

A PyTorch checkpoint is a pickle, and a pickle can name any function. Here only the pieces that tensors are made of
are honoured, by code of this module: storages, the rebuilding of a tensor or parameter, and ordered dictionaries.
Every other name becomes a :class:`~beholder._core.plain_pickle.Foreign`.
"""

from __future__ import annotations

import io
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from beholder._core.errors import InputError
from beholder._core.plain_pickle import Foreign, StubUnpickler

STATE_KEYS = ("model", "state_dict", "model_state_dict", "network", "net")

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "UntypedStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


def _rebuild_tensor(storage: Any, offset: Any, size: Any, stride: Any, *_ignored: Any) -> Any:
    if not isinstance(storage, Tensor):
        return Foreign("a tensor without a storage")
    size, stride = tuple(map(int, size)), tuple(map(int, stride))
    last = int(offset) + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if all(size) else -1
    if int(offset) < 0 or any(n < 0 for n in (*size, *stride)) or last >= storage.numel():
        raise InputError("a tensor that lies inside its storage", got=f"size {size}, stride {stride}, offset {offset}")
    return storage.as_strided(size, stride, int(offset))


def _rebuild_parameter(data: Any, *_ignored: Any) -> Any:
    return data


_KNOWN: dict[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _rebuild_parameter,
    ("torch", "Size"): tuple,
    ("collections", "OrderedDict"): OrderedDict,
    **{(module, name): _DTYPES[name] for module in ("torch", "torch.cuda", "torch.storage") for name in _DTYPES},
}


def _load(file: IO[bytes], open_storage: Callable[[torch.dtype, str, int, Any], Tensor]) -> Any:
    """One pickle, with its storages through ``open_storage``."""

    def open_persistent(pid: Any) -> Any:
        if not isinstance(pid, tuple) or not pid or pid[0] != "storage" or len(pid) < 5:
            return Foreign("a persistent object")
        dtype = pid[1] if isinstance(pid[1], torch.dtype) else torch.uint8
        return open_storage(dtype, str(pid[2]), int(pid[4]), pid[5] if len(pid) > 5 else None)

    return StubUnpickler(file, _KNOWN, open_persistent).load()


def _read_zip(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        records = {name.partition("/")[2]: name for name in archive.namelist()}
        if "data.pkl" not in records:
            raise InputError("a PyTorch checkpoint", got=f"{path}, a zip file without data.pkl")
        if "byteorder" in records and archive.read(records["byteorder"]) != b"little":
            raise InputError("a checkpoint in little-endian byte order", got=str(path))
        loaded: dict[str, Tensor] = {}

        def open_storage(dtype: torch.dtype, key: str, n_items: int, _view: Any) -> Tensor:
            if key not in loaded:
                data = bytearray(archive.read(records[f"data/{key}"]))
                whole = len(data) - len(data) % dtype.itemsize
                loaded[key] = (
                    torch.frombuffer(data, dtype=dtype, count=whole // dtype.itemsize)
                    if whole
                    else torch.empty(0, dtype=dtype)
                )
            return loaded[key][:n_items]

        with archive.open(records["data.pkl"]) as file:
            return _load(io.BytesIO(file.read()), open_storage)


def _read_legacy(path: Path) -> Any:
    loaded: dict[str, Tensor] = {}

    def open_storage(dtype: torch.dtype, key: str, n_items: int, view: Any) -> Tensor:
        if key not in loaded:
            loaded[key] = torch.zeros(n_items, dtype=dtype)
        if isinstance(view, tuple) and len(view) == 3:
            return loaded[key][int(view[1]) : int(view[1]) + int(view[2])]
        return loaded[key]

    with open(path, "rb") as file:
        first = _load(file, open_storage)
        if first != _LEGACY_MAGIC:
            raise InputError("a PyTorch checkpoint", got=f"{path}, a plain pickle")
        if _load(file, open_storage) != _LEGACY_PROTOCOL:
            raise InputError("a PyTorch checkpoint of protocol 1001", got=str(path))
        system = _load(file, open_storage)
        if isinstance(system, dict) and not system.get("little_endian", True):
            raise InputError("a checkpoint in little-endian byte order", got=str(path))
        content = _load(file, open_storage)
        for key in _load(file, open_storage):
            n_items = int.from_bytes(file.read(8), "little", signed=True)
            storage = loaded.get(str(key))
            if storage is None or n_items != storage.numel():
                raise InputError("a complete checkpoint", got=f"{path}, where storage {key!r} does not fit")
            data = bytearray(file.read(n_items * storage.dtype.itemsize))
            if len(data) != n_items * storage.dtype.itemsize:
                raise InputError("a complete checkpoint", got=f"{path}, which ends early")
            if data:
                storage.copy_(torch.frombuffer(data, dtype=storage.dtype))
        return content


def _flatten_object(state: Any, prefix: str = "") -> dict[str, Tensor]:
    """Tensors of a pickled module (``_parameters``, ``_buffers``, ``_modules``) or of a scripted one (attributes)."""
    if not isinstance(state, Mapping):
        return {}
    if isinstance(state.get("_modules"), Mapping):
        groups = [state.get("_parameters"), state.get("_buffers"), state["_modules"]]
    else:
        groups = [state]
    found: dict[str, Tensor] = {}
    for group in groups:
        for name, value in group.items() if isinstance(group, Mapping) else ():
            if isinstance(value, Tensor):
                found[f"{prefix}{name}"] = value
            elif isinstance(value, Foreign):
                found.update(_flatten_object(value.state, f"{prefix}{name}."))
    return found


def find_state_dict(content: Any) -> dict[str, Tensor]:
    """The tensors of what a checkpoint holds: a state dict, one under a usual key, or a pickled module's own.

    Parameters
    ----------
    content : object
        What was unpickled. A mapping is searched for ``model``, ``state_dict``, ``model_state_dict``, ``network`` and
        ``net``, in this order; else the mapping's own tensors are taken.

    Returns
    -------
    dict of str to Tensor
        Names as the file spells them; empty when there are no tensors.
    """
    if isinstance(content, Foreign):
        return _flatten_object(content.state)
    if not isinstance(content, Mapping):
        return {}
    for key in STATE_KEYS:
        inner = content.get(key)
        if isinstance(inner, Mapping | Foreign):
            found = find_state_dict(inner)
            if found:
                return found
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def read_checkpoint(path: Path | str) -> dict[str, Tensor]:
    """Tensors of a checkpoint file, on the CPU, by the names that the file gives them.

    Reads both PyTorch formats (zip since 1.6, and the older one), scripted archives and safetensors. Foreign classes
    in the file (training arguments, optimisers, loggers, whole modules) are read as stand-ins: never imported,
    never called.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    dict of str to Tensor
        The network's tensors; of a checkpoint with several parts, those under ``model`` or ``state_dict``.

    Raises
    ------
    InputError
        When the file is absent, is no checkpoint, is damaged, or holds no tensors.

    Examples
    --------
    >>> state = read_checkpoint("imagenet_l2_3_0.pt")          # doctest: +SKIP
    >>> sorted(state)[0]                                       # doctest: +SKIP
    'module.attacker.model.bn1.bias'
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("a checkpoint file", got=f"no file at {path}")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    try:
        content = _read_zip(path) if zipfile.is_zipfile(path) else _read_legacy(path)
        state = find_state_dict(content)
    except InputError:
        raise
    except Exception as error:  # damaged pickles raise anything at all
        raise InputError(
            "a PyTorch checkpoint", got=f"{path}, which cannot be read ({type(error).__name__}: {error})"
        ) from error
    if not state:
        raise InputError("a checkpoint that holds a network's tensors", got=f"{path}, which holds none")
    return state


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, ValueError) as error:
        raise InputError("a safetensors file", got=f"{path}, which cannot be read ({error})") from error
