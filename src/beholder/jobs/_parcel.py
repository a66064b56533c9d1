"""How work gets to other processes: by value, code included where they could not import it."""

# cloudpickle has no types
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import pickle
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, final

import cloudpickle

PROTOCOL = 5


@final
@dataclass(frozen=True)
class Parcel:
    """How an object is written to a file that other processes read.

    Attributes
    ----------
    write : callable
        ``write(value, path)``; raises whatever the value does on the way.
    read : callable
        ``read(path)``, importable by its name.
    """

    write: Callable[[Any, Path], None]
    read: Callable[[Path], Any]


class ValuePickler(cloudpickle.Pickler):
    """Pickles classes and functions by value where another process could not import them as they are here.

    So are those of ``__main__``, of a notebook or prompt, of functions' bodies, of modules that were made by hand or
    run from a file that is not on the path, or that another module now hides.
    """

    def __init__(self, file: IO[bytes], protocol: int | None = None) -> None:
        super().__init__(file, protocol=PROTOCOL if protocol is None else protocol)
        self._importable: dict[types.ModuleType, bool] = {}

    def reducer_override(self, obj: Any) -> Any:
        """As cloudpickle's, with modules that cannot be imported marked as such first."""
        if isinstance(obj, (type, types.FunctionType)):
            module = sys.modules.get(getattr(obj, "__module__", None) or "")
            if module is not None and module not in self._importable:
                self._importable[module] = is_importable(module)
                if not self._importable[module]:
                    cloudpickle.register_pickle_by_value(module)
        return super().reducer_override(obj)


def write_pickle(value: Any, path: Path) -> None:
    """Write a value by value."""
    with path.open("wb") as file:
        ValuePickler(file).dump(value)


def read_pickle(path: Path) -> Any:
    """Read what :func:`write_pickle` wrote in this run."""
    with path.open("rb") as file:
        return pickle.load(file)


PICKLED = Parcel(write_pickle, read_pickle)
"""The parcel of what holds no tensors."""


def is_importable(module: types.ModuleType) -> bool:
    """Whether a process with this one's path, which has not run its main module, would import the same module.

    >>> is_importable(types), is_importable(types.ModuleType("made_by_hand"))
    (True, False)
    """
    name = module.__name__
    if name == "__main__":
        return False
    if name.partition(".")[0] in sys.stdlib_module_names:
        return True
    parent, _, _ = name.rpartition(".")
    path = None
    if parent:
        package = sys.modules.get(parent)
        if package is None or not is_importable(package):
            return False
        path = getattr(package, "__path__", None)
        if path is None:
            return True  # made by the module that holds it, as extensions do
    file, origin = getattr(module, "__file__", None), _find_origin(name, path)
    if file is None or not Path(file).exists():
        return origin is not None or bool(parent)
    return origin is not None and Path(origin).resolve() == Path(file).resolve()


def _find_origin(name: str, path: Any) -> str | None:
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        spec = None if find is None else find(name, path)
        if spec is not None:
            return spec.origin or ""
    return None
