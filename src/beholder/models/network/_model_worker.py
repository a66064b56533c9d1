"""Workers that compute with a model, and how it gets to other processes."""

from __future__ import annotations

import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn.modules import module as modules
from torch.nn.utils import parametrize

from beholder._core.error_sink import ErrorSink
from beholder._core.errors import BeholderError, InputError
from beholder.jobs import Parcel, ValuePickler, Worker
from beholder.models.network._hook_ids import reserve_hook_ids
from beholder.models.network._identity import identify_model
from beholder.models.network._model import Model, ModelSpec


class ModelPickler(ValuePickler):
    """Pickles models as they are in memory: what was done to their weights, modules and hooks goes along."""

    def reducer_override(self, obj: Any) -> Any:
        """As :class:`ValuePickler`'s; parametrized modules, which refuse to be pickled, by their parts."""
        if type(obj) is Model:
            _check_global_hooks()
            return _receive_model, (dict(obj.__dict__), identify_model(obj), [read() for read, _ in _SWITCHES])
        if isinstance(obj, nn.Module) and parametrize.is_parametrized(obj):
            return _make_module, (type(obj),), dict(obj.__dict__)
        return super().reducer_override(obj)


class RecipePickler(ModelPickler):
    """Pickles models as the recipes that they were built from, where they have one."""

    def reducer_override(self, obj: Any) -> Any:
        """As :class:`ModelPickler`'s, but for models that have a recipe."""
        if type(obj) is Model and obj.spec is not None:
            _check_global_hooks()
            sent = (obj.spec, str(obj.device), identify_model(obj), [read() for read, _ in _SWITCHES])
            return _rebuild_model, sent
        return super().reducer_override(obj)


_SWITCHES: tuple[tuple[Callable[[], Any], Callable[[Any], Any]], ...] = (
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    (torch.backends.mha.get_fastpath_enabled, torch.backends.mha.set_fastpath_enabled),
    (torch.backends.cuda.flash_sdp_enabled, torch.backends.cuda.enable_flash_sdp),
    (torch.backends.cuda.mem_efficient_sdp_enabled, torch.backends.cuda.enable_mem_efficient_sdp),
    (torch.backends.cuda.math_sdp_enabled, torch.backends.cuda.enable_math_sdp),
)
"""What a process can set that changes values; the same in the workers."""


_GLOBAL_HOOKS = (
    "_global_forward_pre_hooks", "_global_forward_hooks", "_global_backward_pre_hooks", "_global_backward_hooks",
)  # fmt: skip


def _check_global_hooks() -> None:
    if any(vars(modules).get(name) for name in _GLOBAL_HOOKS):
        raise InputError(
            "hooks on the network's own modules", got="hooks on all modules, which do not reach workers",
            hint="--workers 1",
        )  # fmt: skip


def _set_switches(values: list[Any]) -> None:
    """Those that are otherwise here: telling torch once more how it computes loads its compiler, for two seconds."""
    for (read, switch), value in zip(_SWITCHES, values, strict=True):
        if read() != value:
            switch(value)


def _receive_model(state: dict[str, Any], identity: str, switches: list[Any]) -> Model:
    _set_switches(switches)
    model = object.__new__(Model)
    model.__dict__.update(state)
    reserve_hook_ids(model.module)
    return _check_identity(model, identity)


def _rebuild_model(spec: ModelSpec, device: str, identity: str, switches: list[Any]) -> Model:
    _set_switches(switches)
    return _check_identity(spec.load(device), identity)


def _check_identity(model: Model, identity: str) -> Model:
    if identify_model(model) != identity:
        raise InputError(
            f"the {model.name} that was handed over in every worker process",
            got="another one there: it was changed in a way that does not reach other processes", hint="--workers 1",
        )  # fmt: skip
    return model


def _make_module(kind: type[nn.Module]) -> nn.Module:
    return kind.__new__(kind)  # pyright: ignore[reportCallIssue]


def write_tensors(value: Any, path: Path) -> None:
    """Write a value that holds tensors; their data lie apart in the file, each once.

    A model that cannot be pickled goes as its recipe, if it has one. Whatever way it came, a model that is read is
    compared with the one that was written, by :func:`~beholder.models.identify_model`.
    """
    try:
        _save(value, path, ModelPickler)
    except (OSError, BeholderError):
        raise
    except Exception as error:
        try:
            _save(value, path, RecipePickler)
        except OSError:
            raise
        except Exception:
            raise error from None


def _save(value: Any, path: Path, pickler: type[ValuePickler]) -> None:
    with path.open("wb", buffering=0) as file:
        sink: Any = ErrorSink(file)
        torch.save(value, sink, pickle_module=types.SimpleNamespace(__name__=__name__, Pickler=pickler))
        sink.raise_error()


def read_tensors(path: Path) -> Any:
    """Read what :func:`write_tensors` wrote in this run; tensors on the CPU share the file's pages until changed."""
    return torch.load(path, mmap=True, weights_only=False)


class ModelWorker(Worker):
    """A worker that computes with a model, which reaches worker processes as it is in memory.

    Attributes
    ----------
    model : Model
    device : str
    """

    parcel: ClassVar[Parcel] = Parcel(write_tensors, read_tensors)
    uses_torch: ClassVar[bool] = True

    model: Model
    device: str
