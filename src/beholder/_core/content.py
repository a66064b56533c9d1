"""Digests of Python values by content, the same in every process: no addresses, no order of sets, no hash seed."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
import io
import logging
import re
import struct
import sys
import types
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import xxhash

from beholder._core.errors import InputError
from beholder._core.narrowing import class_of
from beholder._core.origins import find_owner
from beholder._core.reach import Reach, find_own_writes

_STATELESS = frozenset({"lock", "RLock", "_thread.lock", "_thread.RLock", "Lock"})
_CYCLE, _TAGGED = b"cycle", struct.Struct("<Q")


class Content:
    """Walks through a value and gives its digest; one use, one state of the world.

    Parameters
    ----------
    what : str
        What is looked at, for the message: ``"normalize"``.
    readers : sequence of callable
        ``reader(content, value)`` gives the digest of a kind of values that this module knows nothing of, or None;
        asked in order. What none of them knows counts by class and state.

    Attributes
    ----------
    reach : Reach or None
        Inside a network: what its forward pass reads and writes.
    members : frozenset of int
        Ids of the network's modules.
    """

    def __init__(self, what: str, readers: Sequence[Callable[[Content, Any], bytes | None]] = ()) -> None:
        self.what = what
        self._readers = readers
        self.reach: Reach | None = None
        self.members: frozenset[int] = frozenset()
        self._done: dict[int, tuple[Any, bytes]] = {}
        self._open: dict[int, int] = {}
        self._path: list[str] = []

    def digest(self, value: Any, step: str = "") -> bytes:
        """128 bits; ``step`` is what leads to the value, for the message."""
        simple = _describe_simple(value)
        if simple is not None:
            return join(*simple)
        key = id(value)
        if key in self._done:
            return self._done[key][1]
        if key in self._open:
            return join(_CYCLE, str(len(self._open) - self._open[key]).encode())
        self._open[key] = len(self._open)
        self._path.append(step)
        try:
            found = self._digest(value)
        finally:
            del self._open[key]
            self._path.pop()
        self._done[key] = (value, found)  # kept alive, so that no other value gets its id
        return found

    def digest_items(self, kind: str, values: Iterable[Any]) -> bytes:
        """Of several values in order."""
        return join(kind.encode(), *(self.digest(value) for value in values))

    def digest_named(self, kind: str, values: Mapping[str, Any]) -> bytes:
        """Of values by name, whose order does not count."""
        parts: list[bytes] = []
        for name in sorted(values):
            parts += [name.encode("utf-8", "surrogatepass"), self.digest(values[name], name)]
        return join(kind.encode(), *parts)

    @contextlib.contextmanager
    def inside(self, reach: Reach, members: Iterable[int]) -> Generator[None]:
        """While the block runs, classes and attributes are looked at as ``reach`` says."""
        kept = self.reach, self.members, self._done
        self.reach, self.members, self._done = reach, frozenset(members), {}
        try:
            yield
        finally:
            self.reach, self.members, self._done = kept

    def refuse(self, got: str) -> InputError:
        """The one line about something that has no content to go by."""
        place = ".".join(step for step in self._path if step)
        return InputError(
            f"code and values by which {self.what} is known again, since stored results belong to what made them",
            got=f"{got}{f' at {place}' if place else ''}",
            hint="version='1' beside it (another version whenever it changes), or keeping that outside",
        )

    def _digest(self, value: Any) -> bytes:
        for kinds, read in _READERS:
            if isinstance(value, kinds):
                return read(self, value)
        for reader in self._readers:
            found = reader(self, value)
            if found is not None:
                return found
        return digest_object(self, value)


def join(*parts: bytes) -> bytes:
    """One digest of several parts, each with its length."""
    digest = xxhash.xxh3_128()
    for part in parts:
        digest.update(_TAGGED.pack(len(part)))
        digest.update(part)
    return digest.digest()


def _describe_simple(value: Any) -> tuple[bytes, bytes] | None:
    if value is None or value is Ellipsis or value is NotImplemented:
        return b"constant", repr(value).encode()
    kind = class_of(value)
    if kind is bool or kind is int:
        return kind.__name__.encode(), repr(value).encode()
    if kind is float:
        return b"float", struct.pack("<d", value)
    if kind is complex:
        return b"complex", struct.pack("<dd", value.real, value.imag)
    if kind is str:
        return b"str", value.encode("utf-8", "surrogatepass")
    if kind is bytes or kind is bytearray:
        return kind.__name__.encode(), bytes(value)
    return None


def _read_sequence(content: Content, value: Any) -> bytes:
    return join(_kind(content, value), content.digest_items("items", value), _extra(content, value))


def _read_set(content: Content, value: Any) -> bytes:
    return join(_kind(content, value), *sorted(content.digest(item) for item in value), _extra(content, value))


def _read_mapping(content: Content, value: Mapping[Any, Any]) -> bytes:
    items = [part for key, item in value.items() for part in (content.digest(key), content.digest(item, str(key)[:40]))]
    factory = content.digest(value.default_factory) if hasattr(value, "default_factory") else b""  # type: ignore[attr-defined]
    return join(_kind(content, value), *items, factory, _extra(content, value))


def _kind(content: Content, value: Any) -> bytes:
    kind = class_of(value)
    return kind.__name__.encode() if kind.__module__ in ("builtins", "collections") else content.digest(kind)


def _extra(content: Content, value: Any) -> bytes:
    """Attributes of a subclass of a container."""
    return content.digest_named("state", read_state(value)) if getattr(value, "__dict__", None) else b""


def _read_enum(content: Content, value: enum.Enum) -> bytes:
    return join(b"enum", content.digest(type(value)), value.name.encode())


def digest_of_numpy(content: Content, value: Any) -> bytes | None:
    """The digest of an array or something else of numpy's; None for any other value."""
    numpy: Any = sys.modules.get("numpy")
    if numpy is None:
        return None
    if isinstance(value, numpy.ndarray | numpy.generic):
        return _read_array(content, value)
    if isinstance(value, numpy.dtype):
        return join(b"dtype", repr(value.descr if value.names else value.str).encode())
    return join(b"ufunc", value.__name__.encode()) if isinstance(value, numpy.ufunc) else None


def _read_array(content: Content, value: Any) -> bytes:
    import numpy as np

    head = f"{value.dtype.descr if value.dtype.names else value.dtype.str}{value.shape}".encode()
    if value.dtype.hasobject:
        return join(b"array", head, content.digest_items("items", value.ravel().tolist()))
    data = np.ascontiguousarray(value).reshape(-1)
    return join(b"array", head, xxhash.xxh3_128_digest(data.view(np.uint8).data))


def _read_plain(content: Content, value: Any) -> bytes:
    """An instance of a subclass of a plain type."""
    plain: Any = next(kind for kind in (int, float, str, bytes) if isinstance(value, kind))
    return join(content.digest(type(value)), *(_describe_simple(plain(value)) or ()), _extra(content, value))


def _read_slots(kind: str, *names: str) -> Callable[[Content, Any], bytes]:
    def read(content: Content, value: Any) -> bytes:
        return content.digest_items(kind, (getattr(value, name) for name in names))

    return read


def _read_logger(_content: Content, value: logging.Logger) -> bytes:
    return join(b"logger", value.name.encode())


def _read_path(_content: Content, value: PurePath) -> bytes:
    return join(b"path", str(value).encode("utf-8", "surrogateescape"))


def _read_reference(content: Content, value: weakref.ref[Any]) -> bytes:
    return content.digest(value())


def _read_wrapped(content: Content, value: Any) -> bytes:
    return content.digest(value.__wrapped__, value.__wrapped__.__qualname__)


def digest_object(content: Content, value: Any, *methods: str) -> bytes:
    """An object by its class and state, without what its methods write there; ``methods`` are called from outside."""
    kind = class_of(value)
    if kind.__name__ in _STATELESS and kind.__module__ in ("_thread", "threading"):
        return join(b"lock")
    if hasattr(value, "__identity__") and find_owner(kind.__module__) == "beholder":
        return join(b"object", content.digest(kind), content.digest(value.__identity__()))
    if find_owner(kind.__module__) in ("user", "beholder") and not isinstance(value, io.IOBase):
        written = find_own_writes(kind, *methods)
        state = {name: item for name, item in read_state(value).items() if name not in written}
        return join(b"object", content.digest(kind), content.digest_named("state", state))
    try:
        parts: Any = value.__reduce_ex__(4)  # as pickle and copy take it apart, or say that they cannot
    except Exception as error:
        raise content.refuse(f"{kind.__module__}.{kind.__qualname__}, which has no content to read,") from error
    if isinstance(parts, str):
        return join(b"reduced", content.digest(kind), parts.encode())
    plain = [_unroll(part) for part in parts]
    return join(b"reduced", content.digest(kind), content.digest_items("parts", plain))


def _unroll(part: Any) -> Any:
    """A list for an iterator."""
    whole: Any = part
    return list(whole) if isinstance(part, Iterator) else whole


def read_state(value: Any) -> dict[str, Any]:
    """Attributes of an object, in ``__dict__`` and slots; not what a ``cached_property`` keeps."""
    kind = class_of(value)
    state: dict[str, Any] = dict(getattr(value, "__dict__", ()))
    for base in kind.__mro__:
        slots: str | Iterable[str] = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__"):
                name = f"_{base.__name__.lstrip('_')}{name}" if name.startswith("__") and name[-2:] != "__" else name
                if hasattr(value, name):
                    state[name] = getattr(value, name)
    kept = {name for name in state if isinstance(getattr(kind, name, None), functools.cached_property)}
    if dataclasses.is_dataclass(kind) and find_owner(kind.__module__) == "beholder":
        # a field that Beholder adds one day, with a default under which nothing changes, makes no other object
        kept |= {field.name for field in dataclasses.fields(kind) if _is_default(field, state)}
    return {name: item for name, item in state.items() if name not in kept}


def _is_default(field: dataclasses.Field[Any], state: Mapping[str, Any]) -> bool:
    value = state.get(field.name)
    return type(value) is type(field.default) and _describe_simple(value) is not None and value == field.default


_READERS: list[tuple[Any, Callable[[Content, Any], bytes]]] = [
    (enum.Enum, _read_enum),
    ((list, tuple, deque), _read_sequence),
    ((set, frozenset), _read_set),
    ((dict, types.MappingProxyType), _read_mapping),
    ((int, float, str, bytes), _read_plain),
    (range, _read_slots("range", "start", "stop", "step")),
    (slice, _read_slots("slice", "start", "stop", "step")),
    (re.Pattern, _read_slots("pattern", "pattern", "flags")),
    (logging.Logger, _read_logger),
    (PurePath, _read_path),
    (weakref.ref, _read_reference),
    (type(functools.lru_cache(lambda: None)), _read_wrapped),
]  # fmt: skip
