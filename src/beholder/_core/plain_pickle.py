"""Reads plain data out of a pickle without importing or running anything that it names.

Some published data are pickles, and PyTorch's checkpoints hold one. A name in the file stands for a function of this
package where the reader has one for it; every other becomes a :class:`Foreign`, which holds what the file said of it
and does nothing. No name from the file is ever looked up, so that a hostile file has no effect beyond the memory it
takes.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, final

import numpy as np

from beholder._core.errors import InputError
from beholder._core.wording import format_count

_ARRAY_MODULES = ("numpy.core", "numpy._core", "numpy")
_PLAIN_KINDS = "biufcSU"
_MAX_DEPTH = 200


@final
class Foreign(type):
    """An object that is not read: the name it goes by, its arguments and its state.

    It is a class whatever it was, since a file may make objects of classes that it has made. Called, it is another one
    of its name; nothing that a file does with it has any other effect.

    Parameters
    ----------
    name : str
        Module and name, as in the file.
    arguments : tuple
        What it was called with.

    Attributes
    ----------
    state : object
        What it was filled with; None if nothing.
    items : list
        What was appended, or pairs of key and value.
    """

    name: str
    arguments: tuple[Any, ...]
    state: Any
    items: list[Any]

    def __new__(mcs, name: str, arguments: tuple[Any, ...] = ()) -> Foreign:
        content: dict[str, Any] = {"name": name, "arguments": arguments, "state": None, "items": []}
        return super().__new__(mcs, "Foreign", (), {"__new__": _make_another, **content})

    def __init__(cls, *_arguments: Any) -> None:  # pyright: ignore[reportInconsistentConstructor]
        """All is there already."""

    def __call__(cls, *arguments: Any, **_named: Any) -> Foreign:
        return Foreign(cls.name, arguments)

    def __setstate__(cls, state: Any) -> None:
        cls.state = state

    def __setitem__(cls, key: Any, value: Any) -> None:
        cls.items.append((key, value))

    def append(cls, value: Any) -> None:
        """Take an item."""
        cls.items.append(value)

    def extend(cls, values: Any) -> None:
        """Take items."""
        cls.items.extend(values)

    def add(cls, value: Any) -> None:
        """Take an item."""
        cls.items.append(value)

    def __repr__(cls) -> str:
        return f"<{cls.name}>"


def _make_another(cls: Foreign, *arguments: Any, **_named: Any) -> Foreign:
    return cls(*arguments)


def _encode(text: str, encoding: str = "latin1") -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"text in {encoding!r}")
    return str(text).encode("latin1")


def _make_bytes(value: Any = b"", encoding: str = "latin1") -> bytes:
    if not isinstance(value, (bytes, str)):
        raise pickle.UnpicklingError("bytes made of something else")
    return value if isinstance(value, bytes) else _encode(value, encoding)


_FUNCTIONS = {
    ("_codecs", "encode"): _encode,
    ("builtins", "bytes"): _make_bytes,
    ("__builtin__", "bytes"): _make_bytes,
    ("builtins", "bytearray"): _make_bytes,
    ("__builtin__", "bytearray"): _make_bytes,
    ("collections", "OrderedDict"): OrderedDict,
}


@final
class StubUnpickler(pickle.Unpickler):
    """Resolves the names in a file to stand-ins, but for those that it is given.

    Parameters
    ----------
    file : binary file
    known : mapping of (module, name) to object
        What these names stand for.
    open_persistent : callable or None
        Takes the id of an object that lies outside the pickle, gives the object; None refuses such files.
    """

    def __init__(
        self,
        file: IO[bytes],
        known: Mapping[tuple[str, str], Any],
        open_persistent: Callable[[Any], Any] | None = None,
    ) -> None:
        super().__init__(file, encoding="latin1")
        self._known, self._open_persistent = known, open_persistent

    def find_class(self, module: str, name: str) -> Any:
        return self._known.get((module, name)) or Foreign(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        if self._open_persistent is None:
            raise pickle.UnpicklingError("a persistent object")
        return self._open_persistent(pid)


def read_plain_pickle(path: Path | str) -> Any:
    """Read a pickle of built-in values and numpy arrays; nothing in it is run.

    Parameters
    ----------
    path : path
        Written by Python 2 or 3, of any protocol.

    Returns
    -------
    object
        Dictionaries, lists, tuples, texts, bytes, numbers, numpy arrays and scalars; :class:`Foreign` for the rest.
        Texts that Python 2 wrote as bytes are read as Latin-1.

    Raises
    ------
    InputError
        The file is missing, no pickle, cut short, or holds arrays that do not add up.
    """
    try:
        with open(path, "rb") as file:
            return _settle(StubUnpickler(file, _FUNCTIONS).load(), {}, 0)
    except FileNotFoundError as error:
        raise InputError("a data file", got=f"nothing at {path}") from error
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError, AttributeError) as error:
        text = " ".join(str(error).split())[:160]
        raise InputError("a pickle of plain data", got=f"{path} ({text or type(error).__name__})") from error


def _settle(value: Any, done: dict[int, Any], depth: int) -> Any:
    """Put arrays where stand-ins for them are; containers are changed in place."""
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deep")
    whole: Any = value
    place = id(value)
    if place in done:
        return done[place]
    if isinstance(value, dict):
        done[place] = whole
        pairs = [(_settle(key, done, depth + 1), each) for key, each in whole.items()]
        whole.clear()
        for key, each in pairs:
            whole[key] = _settle(each, done, depth + 1)
    elif isinstance(value, list):
        done[place] = whole
        whole[:] = [_settle(each, done, depth + 1) for each in whole]
    elif isinstance(value, tuple):
        return tuple(_settle(each, done, depth + 1) for each in whole)
    elif isinstance(value, Foreign):
        array = _make_array(value, done, depth)
        done[place] = value if array is None else array
        if array is not None:
            return array
        value.arguments = _settle(value.arguments, done, depth + 1)
        value.state = _settle(value.state, done, depth + 1)
        value.items = _settle(value.items, done, depth + 1)
    return whole


def _make_array(foreign: Foreign, done: dict[int, Any], depth: int) -> Any:
    """The array or number that numpy's own functions would have rebuilt; None for anything else."""
    module, _, name = foreign.name.rpartition(".")
    if not module.startswith(_ARRAY_MODULES):
        return None
    state: Any = foreign.state
    if name == "_reconstruct" and isinstance(foreign.state, tuple) and len(state) == 5:
        _, shape, dtype, by_column, data = state
        return _fill(shape, dtype, "F" if by_column else "C", data, done, depth)
    if name == "_frombuffer" and len(foreign.arguments) == 4:
        data, dtype, shape, order = foreign.arguments
        return _fill(shape, dtype, order, data, done, depth)
    if name == "scalar" and len(foreign.arguments) == 2:
        return _fill((), foreign.arguments[0], "C", foreign.arguments[1], done, depth)[()]
    return None


def _fill(shape: Any, dtype: Any, order: str, data: Any, done: dict[int, Any], depth: int) -> np.ndarray:
    shape = tuple(int(n) for n in shape)
    if any(n < 0 for n in shape):
        raise ValueError(f"an array of shape {shape}")
    kind = _read_dtype(dtype)
    if kind == np.dtype(object):
        array = np.empty(shape, dtype=object)
        settled = _settle(list(data), done, depth + 1)
        if len(settled) != array.size:
            raise ValueError(f"{format_count(len(settled), 'value')} for an array of shape {shape}")
        flat: Any = np.empty(len(settled), dtype=object)
        for i, each in enumerate(settled):
            flat[i] = each
        return flat.reshape(shape, order="F" if order == "F" else "C")
    raw = data.encode("latin1") if isinstance(data, str) else bytes(data)
    return np.frombuffer(io.BytesIO(raw).getbuffer(), dtype=kind).reshape(shape, order="F" if order == "F" else "C")


def _read_dtype(foreign: Any) -> np.dtype[Any]:
    if not isinstance(foreign, Foreign) or not foreign.name.endswith("dtype") or not foreign.arguments:
        raise ValueError(f"numbers of kind {foreign!r}")
    code = str(foreign.arguments[0])
    state: Any = foreign.state
    whole: Any = state
    parts: list[Any] = list(whole) if isinstance(state, tuple) else []
    if code in ("O", "O8", "O4"):
        return np.dtype(object)
    if code[:1] == "V" and len(parts) > 5 and isinstance(parts[4], dict):
        return _read_fields(parts)
    if code[:1] not in _PLAIN_KINDS or not code[1:].isdigit():
        raise ValueError(f"numbers of kind {code!r}")
    order = str(parts[1]) if len(parts) > 1 else "|"
    return np.dtype(code).newbyteorder(order if order in ("<", ">") else "|")


def _read_fields(state: list[Any]) -> np.dtype[Any]:
    names, fields, width = [str(name) for name in state[3]], state[4], int(state[5])
    formats: list[np.dtype[Any]] = []
    offsets: list[int] = []
    for name in names:
        kind = _read_dtype(fields[name][0])
        offset = int(fields[name][1])
        if kind.hasobject or offset < 0 or offset + kind.itemsize > width:
            raise ValueError(f"a column {name!r} of kind {kind}")
        formats.append(kind)
        offsets.append(offset)
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": width})
