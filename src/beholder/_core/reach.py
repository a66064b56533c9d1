"""What a network's forward pass reads and writes, by name, from the code of its classes and hooks."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from beholder._core.bytecode import CodeFacts, read_code
from beholder._core.origins import find_owner, name_origin

UNCALLED = frozenset({
    "__init__", "__new__", "__init_subclass__", "__repr__", "__str__", "__format__", "__dir__", "__doc__",
    "__module__", "__qualname__", "__dict__", "__weakref__", "__annotations__", "__firstlineno__",
    "__static_attributes__", "__annotate__", "__annotate_func__", "__annotations_cache__", "__parameters__",
    "__orig_bases__", "__abstractmethods__", "_abc_impl", "__dataclass_fields__", "__dataclass_params__",
    "__match_args__", "__slots__", "__getstate__", "__setstate__", "__reduce__", "__reduce_ex__", "__deepcopy__",
    "__copy__", "__del__", "__constants__", "__jit_unused_properties__", "__classcell__", "__replace__",
    "__post_init__",
})  # fmt: skip
"""Entries of a class that no forward pass runs."""


@dataclass(frozen=True)
class Reach:
    """Names that a forward pass comes by.

    Parameters
    ----------
    names : frozenset of str
        Attributes that are read.
    words : frozenset of str
        Parts of names that code puts together as it runs (``getattr(self, f"layer{i}")``).
    everything : bool
        Code takes names that it does not spell out at all.
    written : frozenset of str
        Attributes of other objects than ``self`` that functions and hooks assign.
    """

    names: frozenset[str]
    words: frozenset[str] = frozenset()
    everything: bool = False
    written: frozenset[str] = frozenset()

    def join(self, other: Reach) -> Reach:
        """What either comes by."""
        return Reach(
            self.names | other.names,
            self.words | other.words,
            self.everything or other.everything,
            self.written | other.written,
        )

    def __contains__(self, name: str) -> bool:
        return self.everything or name in self.names or any(word in name for word in self.words)


def find_reach(classes: Iterable[type], functions: Iterable[Any]) -> Reach:
    """Follow names from the forward passes of classes, and from functions.

    Parameters
    ----------
    classes : iterable of type
        Of all modules of a network.
    functions : iterable of callable
        Hooks and functions that instances hold.
    """
    methods: dict[str, list[Any]] = {}
    for base in dict.fromkeys(base for kind in classes for base in list_bases(kind)):
        for name, value in base.__dict__.items():
            methods.setdefault(name, []).append(value)
    roots = [name for name in methods if name == "forward" or (is_dunder(name) and name not in UNCALLED)]
    queue = [value for name in roots for value in methods[name]] + list(functions)
    names, everything = set(roots), False
    words: set[str] = set()
    written: set[str] = set()
    seen: set[int] = set()
    while queue:
        for function in list(_open(queue.pop())):
            if id(function) in seen:
                continue
            seen.add(id(function))
            facts = read_code(function.__code__)
            written |= facts.other_written
            if find_owner(function.__globals__.get("__name__")) == "user":
                read = (value for _, value in resolve_reads(function, facts))
                queue += [value for value in read if callable(value) and not isinstance(value, type)]
                if facts.words is not None:
                    fresh = {word for word in facts.words if word} - words
                    everything = everything or not any(facts.words)
                    words |= fresh
                    queue += [v for name, vs in methods.items() if any(word in name for word in fresh) for v in vs]
            for name in facts.attributes - names:
                names.add(name)
                queue += methods.get(name, ())
    return Reach(frozenset(names), frozenset(words), everything, frozenset(written))


def find_own_writes(kind: type, *also: str) -> frozenset[str]:
    """Attributes that an object's own methods assign to it as it is called.

    Parameters
    ----------
    kind : type
    also : str
        Methods by which it is called, beside ``forward``, ``__call__`` and the like.
    """
    methods: dict[str, Any] = {}
    for base in reversed(list_bases(kind)):
        methods |= base.__dict__
    queue = [name for name in methods if name == "forward" or (is_dunder(name) and name not in UNCALLED)]
    queue += [name for name in also if name in methods]
    names = set(queue)
    written: set[str] = set()
    while queue:
        name = queue.pop()
        for base in list_bases(kind):
            for function in _open(base.__dict__.get(name)):
                facts = read_code(function.__code__)
                written |= facts.own_written
                fresh = facts.attributes - names
                names |= fresh
                queue += [other for other in fresh if other in methods]
    return frozenset(written)


def list_bases(kind: type) -> list[type]:
    """The classes that make up a class, without Python's own and torch's ``Module``."""
    return [
        base
        for base in kind.__mro__
        if find_owner(base.__module__) != "python" and base.__module__ != "torch.nn.modules.module"
    ]


def resolve_reads(function: types.FunctionType, facts: CodeFacts) -> Iterator[tuple[tuple[str, ...], Any]]:
    """What the globals and closure variables stand for that a function reads: names up to the value, and the value.

    Modules are gone through: ``helpers.scale`` gives the value of ``scale``. What is not there is :data:`MISSING`.
    """
    cells = dict(zip(function.__code__.co_freevars, read_closure(function), strict=True))
    for chain in facts.reads:
        yield _resolve(chain, cells.get(chain[0], function.__globals__.get(chain[0], MISSING)))
    for chain in facts.imports:
        name = chain[0] or function.__globals__.get("__package__") or ""
        yield _resolve(chain, _find_module(name))


def read_closure(function: types.FunctionType) -> list[Any]:
    """Contents of the closure; :data:`MISSING` for what is not set yet."""
    contents: list[Any] = []
    for cell in function.__closure__ or ():
        try:
            contents.append(cell.cell_contents)
        except ValueError:
            contents.append(MISSING)
    return contents


def is_dunder(name: str) -> bool:
    """Whether a name is like ``__call__``."""
    return name.startswith("__") and name.endswith("__")


@dataclass(frozen=True)
class LibraryName:
    """Stands for what a module of Python's or of an installed package holds: its full name and version.

    It is not looked up, since such modules may load their parts when they are first used.
    """

    name: str


class _Missing:
    pass


MISSING = _Missing()
"""Stands for a name without a value."""


def _resolve(chain: tuple[str, ...], value: Any) -> tuple[tuple[str, ...], Any]:
    used = 1
    while isinstance(value, types.ModuleType) and used < len(chain):
        if find_owner(value.__name__) in ("python", "package"):
            return chain, LibraryName(name_origin(value, value.__name__, ".".join(chain[used:])))
        value = getattr(value, chain[used], MISSING)
        used += 1
    return chain[:used], value


def _find_module(name: str) -> Any:
    import sys

    return sys.modules.get(name, MISSING)


def _open(value: Any) -> Iterator[types.FunctionType]:
    """Python functions inside whatever wraps them."""
    whole: Any = value
    if isinstance(value, types.FunctionType):
        yield value
    elif isinstance(value, types.MethodType | staticmethod | classmethod):
        yield from _open(whole.__func__)
    elif isinstance(value, functools.partial):
        yield from _open(value.func)
    elif isinstance(value, property):
        for part in (value.fget, value.fset):
            yield from _open(part)
    elif isinstance(value, functools.cached_property):
        yield from _open(value.func)
    elif not isinstance(value, type) and callable(value):
        call = inspect.getattr_static(type(value), "__call__", None)
        if isinstance(call, types.FunctionType):
            yield call
