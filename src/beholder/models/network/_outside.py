"""What a network's passes write outside of it: globals, class attributes, what its functions share in closures.

A copy of a network cannot have those of its own. Where a pass changes them, passes run one after the other.
"""

from __future__ import annotations

import contextlib
import dis
import threading
import types
from collections import deque
from collections.abc import Iterator
from typing import Any, final

from torch import nn

from beholder._core.origins import find_owner
from beholder._core.progress import logger
from beholder.models.network._copy_module import HOOKS, list_parts

_TURN = threading.RLock()
_CONTAINERS = (dict, list, set, deque)
_LONG = 10_000
_ENOUGH = 4


@final
class OutsideState:
    """The places outside of a network that its code reads, and whether its passes write to them.

    Parameters
    ----------
    module : nn.Module
        Of whose classes, hooks and functions those of the user are looked at, and what they call.
    """

    def __init__(self, module: nn.Module) -> None:
        self._name = type(module).__name__
        self._scopes, self._cells = _find_places(module)
        self._n_clean = 0
        self._is_written: bool | None = None if self._scopes or self._cells else False

    @contextlib.contextmanager
    def take_turn(self) -> Iterator[None]:
        """Around a pass: alone in this process where passes write outside, or while that is not known yet."""
        if self._is_written is False:
            yield
            return
        with _TURN:
            before = None if self._is_written else self._look()
            try:
                yield
            except BaseException:
                if before is not None:
                    self._note(before != self._look(), is_whole=False)
                raise
            if before is not None:
                self._note(before != self._look(), is_whole=True)

    def _note(self, is_written: bool, *, is_whole: bool) -> None:
        """What one pass showed; of those that end at a layer, several have to show nothing."""
        if not is_written and not is_whole:
            self._n_clean += 1
            if self._n_clean < _ENOUGH:
                return
        if is_written and not self._is_written:
            logger.info(
                "%s keeps something in a global, a class or a closure while it runs: its passes run one after the "
                "other", self._name,
            )  # fmt: skip
        self._is_written = is_written

    def _look(self) -> list[Any]:
        """Identities of everything there, to one level below the names."""
        seen: list[Any] = []
        for scope, names in self._scopes:
            for name in names if names is not None else [n for n in scope if not n.startswith("__")]:
                seen += [name, *_mark(scope.get(name))]
        for cell in self._cells:
            with contextlib.suppress(ValueError):
                seen += _mark(cell.cell_contents)
        return seen


def _mark(value: Any) -> list[Any]:
    marks: list[Any] = [id(value)]
    if isinstance(value, _CONTAINERS) and len(value) <= _LONG:
        marks.append(len(value))
        marks += [id(each) for each in (value.values() if isinstance(value, dict) else value)]
    elif _is_holder(value):
        for name, each in vars(value).items():
            marks += [name, id(each)]
            if isinstance(each, _CONTAINERS) and len(each) <= _LONG:
                marks += [len(each), *(id(e) for e in (each.values() if isinstance(each, dict) else each))]
    return marks


def _is_holder(value: Any) -> bool:
    """Whether a value is an object of a class of the user's, which may keep things."""
    kinds = (type, types.ModuleType, types.FunctionType, types.MethodType, nn.Module)
    return not isinstance(value, kinds) and hasattr(value, "__dict__") and find_owner(type(value).__module__) == "user"


def _find_places(module: nn.Module) -> tuple[list[tuple[Any, list[str] | None]], list[types.CellType]]:
    """Namespaces with the names that count in them (all of a class's), and cells of closures."""
    scopes: dict[int, tuple[Any, list[str] | None]] = {}
    cells: dict[int, types.CellType] = {}
    seen: set[int] = set()
    left: list[Any] = []
    for part in list_parts(module).values():
        for kind in type(part).__mro__:
            if find_owner(kind.__module__) == "user" and id(kind) not in seen:
                seen.add(id(kind))
                values = vars(kind)
                stored = {name for each in values.values() if callable(each) for name in _list_attributes(each)}
                if any(_can_hold(values[n]) or n in stored for n in values if not n.startswith("__")):
                    scopes[id(kind)] = (values, None)
                left += list(values.values())
        left += [hook for name in HOOKS for hook in vars(part).get(name, {}).values()]
        left += [each for each in vars(part).values() if isinstance(each, types.FunctionType | types.MethodType)]
    while left:
        value = left.pop()
        for name in ("__func__", "func", "fget"):  # of methods, partials and properties
            value = getattr(value, name, None) or value
        if not isinstance(value, types.FunctionType) or id(value) in seen:
            continue
        seen.add(id(value))
        if find_owner(value.__globals__.get("__name__")) != "user":
            continue
        names = [name for name in _list_names(value.__code__) if name in value.__globals__]
        kept = [name for name in names if _can_hold(value.__globals__[name]) or name in _list_stored(value.__code__)]
        if kept:
            scopes[id(value)] = (value.__globals__, kept)
        left += [value.__globals__[name] for name in names]
        for cell in value.__closure__ or ():
            with contextlib.suppress(ValueError):
                content = cell.cell_contents
                left.append(content)
                if _can_hold(content) or isinstance(content, int | float):
                    cells[id(cell)] = cell
    return list(scopes.values()), list(cells.values())


def _can_hold(value: Any) -> bool:
    return isinstance(value, _CONTAINERS) or _is_holder(value)


def _list_codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _list_codes(constant)


def _list_names(code: types.CodeType) -> set[str]:
    return {name for each in _list_codes(code) for name in each.co_names}


def _list_attributes(function: Any) -> set[str]:
    """Attributes that a function assigns, of whatever."""
    code = getattr(function, "__code__", None)
    return set() if code is None else _list_operands(code, "STORE_ATTR", "DELETE_ATTR")


def _list_stored(code: types.CodeType) -> set[str]:
    """Globals that a function assigns."""
    return _list_operands(code, "STORE_GLOBAL", "DELETE_GLOBAL")


def _list_operands(code: types.CodeType, *operations: str) -> set[str]:
    found = (each for part in _list_codes(code) for each in dis.get_instructions(part))
    return {str(each.argval) for each in found if each.opname in operations}
