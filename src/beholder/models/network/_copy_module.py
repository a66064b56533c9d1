"""Structural copies of networks: the tree of modules anew, its parameters and large tensors shared.

A pass through a copy writes nothing to the network that it was made from: what a forward pass keeps on ``self``, its
buffers, flags and hooks are the copy's own.
"""

from __future__ import annotations

import contextlib
import copy
import enum
import functools
import logging
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from beholder._core.errors import InputError

SMALL = 2**16
"""Tensors of at most so many values are copied with the tree; larger ones that are no parameters are shared."""
_LONG = 10_000

_ATOMS = (
    str, bytes, int, float, complex, bool, type(None), type, range, slice, enum.Enum, types.ModuleType,
    types.BuiltinFunctionType, torch.device, torch.dtype, torch.Size, torch.memory_format, torch.layout,
    torch.Generator, np.ndarray, np.generic, np.dtype, logging.Logger,
)  # fmt: skip
_TREE = ("_parameters", "_buffers", "_modules")
HOOKS = frozenset(name for name, value in vars(nn.Module()).items() if isinstance(value, dict) and name not in _TREE)


def list_parts(module: nn.Module) -> dict[int, nn.Module]:
    """Every module of a tree, by identity; of compiled code (TorchScript) only its root."""
    found: dict[int, nn.Module] = {}
    stack = [module]
    while stack:
        part = stack.pop()
        if id(part) not in found:
            found[id(part)] = part
            if not isinstance(part, torch.jit.ScriptModule):
                stack.extend(child for child in part._modules.values() if child is not None)
    return found


class Copier:
    """Copies a tree of modules, and whatever refers to it.

    Parameters
    ----------
    memo : dict of int to object
        What is copied already, by the identity of the original.
    share_parameters : bool
        Let the copy hold the parameters themselves, so that gradients reach them; else views of them without.
    share_large : bool
        Share tensors of more than ``SMALL`` values that are no parameters.
    """

    def __init__(
        self, memo: dict[int, Any] | None = None, *, share_parameters: bool = False, share_large: bool = False
    ) -> None:
        self.memo: dict[int, Any] = {} if memo is None else memo
        self._share_parameters, self._share_large = share_parameters, share_large
        self._alive: list[Any] = []

    def copy_tree(self, root: nn.Module, *, training: bool | None = None) -> nn.Module:
        """A tree of modules; ``training`` sets all flags, None keeps them."""
        parts = [part for key, part in list_parts(root).items() if key not in self.memo]
        for part in parts:
            scripted = isinstance(part, torch.jit.ScriptModule)
            self._note(part, copy.deepcopy(part) if scripted else object.__new__(type(part)))
            if scripted:
                self.memo[id(part)].train(part.training if training is None else training)
        plain = [part for part in parts if not isinstance(part, torch.jit.ScriptModule)]
        for part in plain:
            for parameter in part._parameters.values():
                self._copy_parameter(parameter, part)
            for buffer in part._buffers.values():
                self._copy_tensor(buffer)
        for part in plain:
            made = self.memo[id(part)]
            for name, value in vars(part).items():
                made.__dict__[name] = value if name in HOOKS else self._copy_entry(name, value)
            if training is not None:
                made.__dict__["training"] = training
        for part in plain:  # after all attributes, since hooks may write to what one of them holds
            made = self.memo[id(part)]
            for name in HOOKS & vars(part).keys():
                made.__dict__[name] = self._copy_entry(name, vars(part)[name])
        for part in plain:
            made = self.memo[id(part)]
            if "_orig_mod" in part._modules and callable(getattr(made, "_initialize", None)):
                made._initialize()  # what torch.compile put around it calls its own copy
        return self.memo[id(root)]

    def _note(self, value: Any, made: Any) -> Any:
        self._alive.append(value)
        self.memo[id(value)] = made
        return made

    def _copy_entry(self, name: str, value: Any) -> Any:
        if name in _TREE:
            made = copy.copy(value)
            for key, each in value.items():
                made[key] = self.memo.get(id(each), each)
            return made
        if name in HOOKS:
            made = copy.copy(value)
            for key, each in value.items():
                made[key] = self.rebind(each)
            return made
        return self.copy(value)

    def _copy_parameter(self, parameter: nn.Parameter | None, part: nn.Module) -> None:
        if parameter is None or id(parameter) in self.memo:
            return
        if nn.parameter.is_lazy(parameter):
            raise InputError(
                "a network whose layers have their sizes",
                got=f"{type(part).__name__}, which gets its by its first pass",
                hint="run one batch through it before",
            )  # fmt: skip
        made = parameter
        if not self._share_parameters:
            made = nn.Parameter(parameter.detach(), requires_grad=False)
            vars(made).update(vars(parameter))
        self._note(parameter, made)

    def _copy_tensor(self, tensor: Tensor | None) -> Tensor | None:
        if tensor is None or id(tensor) in self.memo:
            return tensor if tensor is None else self.memo[id(tensor)]
        detached = tensor.detach()
        shared = self._share_large and tensor.numel() > SMALL
        return self._note(tensor, detached if shared else detached.clone(memory_format=torch.preserve_format))

    def copy(self, value: Any) -> Any:
        """What an attribute holds: containers and objects anew, tensors as in the tree, references to it rebound."""
        if isinstance(value, _ATOMS):
            return value
        if id(value) in self.memo:
            return self.memo[id(value)]
        if isinstance(value, Tensor):
            return self._copy_tensor(value)
        if isinstance(value, nn.Module):  # kept outside the tree: torch's eval() does not reach it either
            return self.copy_tree(value)
        if isinstance(value, types.FunctionType | functools.partial):
            return self.rebind(value)
        if isinstance(value, types.MethodType):
            return types.MethodType(value.__func__, self.copy(value.__self__))
        if isinstance(value, weakref.ref):
            target = self.memo.get(id(value()))
            return value if target is None else weakref.ref(target)
        return self._copy_object(value)

    def _copy_object(self, value: Any) -> Any:
        if isinstance(value, tuple):
            parts = [self.copy(each) for each in value]
            if all(a is b for a, b in zip(parts, value, strict=True)):
                return value
            made = type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
            return self._note(value, made)
        if isinstance(value, list | deque | dict | set):
            if len(value) > _LONG:  # data, such as the names of classes
                return value
            made = self._note(value, copy.copy(value))
            if isinstance(value, dict):
                for key, each in value.items():
                    made[key] = self.copy(each)
            elif isinstance(value, list | deque):
                for i, each in enumerate(value):
                    made[i] = self.copy(each)
            return made
        if not hasattr(value, "__dict__") or hasattr(type(value), "__del__"):
            return value
        try:
            made = copy.copy(value)
        except Exception:  # an object that does not want to be copied is shared
            return value
        if made is value or type(made) is not type(value):
            return value
        self._note(value, made)
        for name, each in list(vars(made).items()):
            with contextlib.suppress(AttributeError, TypeError):
                made.__dict__[name] = self.copy(each)
        return made

    def rebind(self, value: Any) -> Any:
        """A callable that refers to the tree (method, closure, partial), referring to the copy; any other as it is."""
        if id(value) in self.memo:
            return self.memo[id(value)]
        if isinstance(value, types.MethodType):
            owner = self.memo.get(id(value.__self__))
            return value if owner is None else types.MethodType(value.__func__, owner)
        if isinstance(value, functools.partial):
            args = [self._rebind_part(each) for each in value.args]
            keywords = {key: self._rebind_part(each) for key, each in value.keywords.items()}
            return self._note(value, type(value)(self._rebind_part(value.func), *args, **keywords))
        if isinstance(value, types.FunctionType):
            return self._rebind_function(value)
        return value

    def _rebind_part(self, value: Any) -> Any:
        kinds = (types.FunctionType, types.MethodType, functools.partial)
        return self.rebind(value) if isinstance(value, kinds) else self.memo.get(id(value), value)

    def _rebind_function(self, value: types.FunctionType) -> types.FunctionType:
        if not (value.__closure__ or value.__defaults__ or value.__kwdefaults__):
            return value
        self._note(value, value)  # where it refers to itself
        cells = tuple(_rebind_cell(cell, self._rebind_part) for cell in value.__closure__ or ())
        defaults = tuple(self._rebind_part(each) for each in value.__defaults__ or ())
        named = {key: self._rebind_part(each) for key, each in (value.__kwdefaults__ or {}).items()}
        old = [*(value.__closure__ or ()), *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        if all(a is b for a, b in zip([*cells, *defaults, *named.values()], old, strict=True)):
            return value
        made = types.FunctionType(value.__code__, value.__globals__, value.__name__, defaults or None, cells or None)
        made.__kwdefaults__ = named or None
        functools.update_wrapper(made, value)
        made.__dict__.pop("__wrapped__", None)
        made.__dict__.update(vars(value))
        return self._note(value, made)


def _rebind_cell(cell: types.CellType, rebind: Callable[[Any], Any]) -> types.CellType:
    try:
        content = cell.cell_contents
    except ValueError:  # still empty
        return cell
    made = rebind(content)
    return cell if made is content else types.CellType(made)


def iter_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Buffers of a tree, and tensors that are attributes, with their names."""
    for part in list_parts(module).values():
        if not isinstance(part, torch.jit.ScriptModule):
            for name, value in (*part._buffers.items(), *vars(part).items()):
                if isinstance(value, Tensor):
                    yield name, value
