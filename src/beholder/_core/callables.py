"""Digests of functions and classes: the user's by code and what it reads, others by name and version."""

from __future__ import annotations

import builtins
import functools
import sys
import types
from pathlib import Path
from typing import Any

from beholder._core.bytecode import CodeFacts, read_code
from beholder._core.content import Content, digest_object, digest_of_numpy, join
from beholder._core.errors import InputError
from beholder._core.hashing import PREFIX, hash_file_fast
from beholder._core.origins import find_owner, name_origin
from beholder._core.reach import (
    MISSING,
    UNCALLED,
    LibraryName,
    Reach,
    find_own_writes,
    is_dunder,
    list_bases,
    read_closure,
    resolve_reads,
)
from beholder._core.tensors import digest_of_torch, is_module, is_module_class

LOOKUPS = frozenset({
    "builtins.globals", "builtins.eval", "builtins.exec", "builtins.__import__", "importlib.import_module",
    "importlib.__import__", "sys.modules", "sys._getframe", "inspect.currentframe", "inspect.stack",
})  # fmt: skip
"""What gives code values by names that it does not spell out; ``locals()`` holds nothing but what the code does."""

_BUILTINS = (types.BuiltinFunctionType, types.MethodWrapperType)
_DESCRIPTORS = (
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
)


def identify_callable(function: Any, *, what: str = "a function", version: str | None = None) -> str:
    """What a callable is, as ``"xxh128:..."``, the same in every process and however often it is defined.

    A user's function is its code (without names, line numbers and files), its defaults, what its closure holds, and the
    globals it reads, followed through functions, classes, arrays, tensors and networks; methods, ``partial`` and
    instances are their class's code and their state. What the code itself assigns as it runs (a counter, a dictionary
    in which a hook keeps activations) is left out. Functions and classes of Beholder's are their name and declared
    version; those of installed packages their name and the package's version.

    Parameters
    ----------
    function : callable
    what : str
        What it is called in the message.
    version : str, optional
        Stands for the callable instead.

    Raises
    ------
    InputError
        It reads something that has no content to go by (an open file, a generator), or looks values up by names that
        it does not spell out (``globals()``, ``eval``, ``importlib.import_module``), and there is no version.

    Examples
    --------
    >>> identify_callable(lambda x: x - 1) == identify_callable(lambda x: x - 1)
    True
    >>> identify_callable(lambda x: x - 1) == identify_callable(lambda x: x - 2)
    False
    """
    if version is not None:
        return PREFIX + join(b"version", str(version).encode()).hex()
    return identify_value(function, what=what)


def identify_value(value: Any, *, what: str = "a value") -> str:
    """What any value is by content, as ``"xxh128:..."``; see :func:`identify_callable`."""
    content = Content(what, (digest_class, digest_of_numpy, digest_of_torch, digest_callable))
    try:
        return PREFIX + content.digest(value).hex()
    except RecursionError as error:
        raise content.refuse("objects nested too deep") from error


def digest_callable(content: Content, value: Any) -> bytes | None:
    """The digest of a function or what wraps one; None for any other value."""
    whole: Any = value
    if _name_lookup(value) in LOOKUPS:
        raise _refuse_name(content, _name_lookup(value))
    if isinstance(value, types.FunctionType):
        return _digest_function(content, value)
    if isinstance(value, types.MethodType):
        return join(b"method", content.digest(value.__func__), _digest_owner(content, value))
    if isinstance(value, functools.partial):
        return content.digest_items("partial", [whole.func, whole.args, whole.keywords])
    if isinstance(value, staticmethod | classmethod):
        return join(type(whole).__name__.encode(), content.digest(whole.__func__))
    if isinstance(value, property):
        return content.digest_items("property", [value.fget, value.fset])
    if isinstance(value, functools.cached_property):
        return content.digest_items("property", [value.func])
    if isinstance(value, types.ModuleType):
        return _digest_namespace(content, value)
    if isinstance(value, types.CodeType):
        return join(b"code", read_code(value).digest)
    if isinstance(value, _BUILTINS):
        return _digest_builtin(content, value)
    if isinstance(value, _DESCRIPTORS):
        return join(b"descriptor", content.digest(value.__objclass__), value.__name__.encode())
    if isinstance(value, LibraryName):
        return join(b"named", value.name.encode())
    if value is MISSING:
        return join(b"missing")
    return None


def digest_class(content: Content, value: Any) -> bytes | None:
    """The digest of a class: the user's parts by code, others by name; of its bases likewise. None for other values."""
    if not isinstance(value, type):
        return None
    if value.__module__ == "builtins":
        return join(b"class", value.__qualname__.encode())
    reach = content.reach if is_module_class(value) else None  # of other classes nothing tells what is called
    return join(b"class", *[_digest_own(content, base, reach) for base in list_bases(value)] or [name_of(value)])


def name_of(value: Any) -> bytes:
    """The name and version that stand for code which the user did not write."""
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", type(value).__qualname__)
    return name_origin(value, getattr(value, "__module__", None) or "builtins", name).encode()


def _digest_function(content: Content, function: types.FunctionType) -> bytes:
    module = function.__globals__.get("__name__")
    defaults = content.digest_items("defaults", [function.__defaults__, function.__kwdefaults__])
    facts = read_code(function.__code__)
    if find_owner(module) != "user":
        name = name_origin(function, module or "", function.__code__.co_qualname)
        return join(b"named", name.encode(), defaults, content.digest_items("closure", read_closure(function)))
    if "__globals__" in facts.attributes:
        raise _refuse_name(content, "__globals__")
    parts = [b"function", facts.digest, defaults]
    for chain, value in resolve_reads(function, facts):
        _refuse_lookup(content, chain, value, facts)
        parts.append(".".join(chain).encode())
        if chain[0] in facts.written_variables:
            parts.append(b"written")
        elif value is MISSING and hasattr(builtins, chain[0]):
            parts.append(b"builtin")
        else:
            parts.append(content.digest(value, ".".join(chain)))
    state = {name: value for name, value in vars(function).items() if not is_dunder(name)}
    written = facts.other_written
    return join(*parts, content.digest_named("state", {k: v for k, v in state.items() if k not in written}))


def _refuse_lookup(content: Content, chain: tuple[str, ...], value: Any, facts: CodeFacts) -> None:
    """Refuse code whose values hang on names that only its run tells: a change there would go unseen."""
    name = f"builtins.{chain[0]}" if value is MISSING and hasattr(builtins, chain[0]) else _name_lookup(value)
    if name in LOOKUPS:
        raise _refuse_name(content, name)
    if facts.words is not None and isinstance(value, types.ModuleType) and find_owner(value.__name__) == "user":
        raise content.refuse(f"code that looks names up (getattr, vars) in the module {value.__name__!r}")


def _refuse_name(content: Content, name: str) -> InputError:
    return content.refuse(f"code that looks names up with {name.removeprefix('builtins.')}")


def _name_lookup(value: Any) -> str:
    """The full name of a function of Python's."""
    if isinstance(value, LibraryName):
        return value.name
    if value is sys.modules:
        return "sys.modules"
    is_function = isinstance(value, types.FunctionType | types.BuiltinFunctionType)
    return f"{value.__module__}.{value.__name__}" if is_function else ""


def _digest_owner(content: Content, method: types.MethodType) -> bytes:
    """What a method belongs to, without what it writes there itself."""
    owner = method.__self__
    if isinstance(owner, type) or is_module(owner):
        return content.digest(owner, "self")
    return digest_object(content, owner, method.__func__.__name__)


def _digest_own(content: Content, kind: type, reach: Reach | None) -> bytes:
    """A class without its bases."""
    made_up = "<locals>" in kind.__qualname__  # by a function, so that its name says little
    if find_owner(kind.__module__) != "user" and not made_up:
        return join(b"named", name_of(kind), content.digest_named("patched", _find_patches(kind)))
    own: dict[str, Any] = {}
    written = find_own_writes(kind) | (frozenset[str]() if reach is None else reach.written)
    for name, value in kind.__dict__.items():
        if name in written and not callable(value):  # what its methods keep there as they run
            continue
        counts = reach is None or name in reach or is_dunder(name) or name == "forward"
        if name in UNCALLED or not counts or isinstance(value, types.GetSetDescriptorType | types.MemberDescriptorType):
            continue
        own[name] = value
    return content.digest_named("class", own)


def _find_patches(kind: type) -> dict[str, Any]:
    """Functions of the user's that stand in a class of somebody else's."""
    return {
        name: value
        for name, value in kind.__dict__.items()
        if isinstance(value, types.FunctionType)
        and find_owner(value.__globals__.get("__name__")) == "user"
        and not is_generated(value)
    }


def is_generated(function: types.FunctionType) -> bool:
    """Whether a function was made from text as the program ran, as ``dataclass`` and ``namedtuple`` make them."""
    return function.__code__.co_filename.startswith("<string>")


def _digest_builtin(content: Content, value: Any) -> bytes:
    owner = getattr(value, "__self__", None)
    if owner is None or isinstance(owner, types.ModuleType):
        return join(b"builtin", name_of(value))
    if isinstance(owner, type):
        return join(b"builtin", content.digest(owner), value.__name__.encode())
    return join(b"builtin", content.digest(owner, "self"), value.__name__.encode())


def _digest_namespace(content: Content, module: types.ModuleType) -> bytes:
    """A module that is handed on as a value: its name, or what its file says."""
    if find_owner(module.__name__) != "user":
        return join(b"module", name_origin(module, module.__name__, "").encode())
    file = getattr(module, "__file__", None)
    if not file or not Path(file).is_file():
        raise content.refuse(f"the module {module.__name__!r} as a whole, which has no file")
    return join(b"module", hash_file_fast(file).encode())
