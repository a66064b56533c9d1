"""Public lists that load nothing until a name is used (PEP 562), read from the stub beside a package (SPEC 1)."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any, cast

import lazy_loader  # pyright: ignore[reportMissingTypeStubs]

Lists = tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]


def attach(package: str, file: str, renamed: Mapping[str, str] | None = None) -> Lists:
    """Make ``__getattr__``, ``__dir__`` and ``__all__`` for a package from the names that its ``__init__.pyi`` imports.

    The stub is the one list: type checkers and editors read it, and so does this function at run time.
    An unknown name is answered with the near ones, which lazy_loader leaves to its callers.

    Parameters
    ----------
    package : str
        ``__name__`` of the package.
    file : str
        ``__file__`` of the package. ``__init__.pyi`` beside it holds a line
        ``from ._image import open_image as open_image`` for each public name.
    renamed : mapping of str to str, optional
        Old name to the one that took its place; of another room with that before it, ``beholder.models.open_model``.
        It still works, with a :class:`DeprecationWarning`.

    Examples
    --------
    In a package's ``__init__.py``::

        __getattr__, __dir__, __all__ = attach(__name__, __file__)
    """
    load, list_names, names = cast(Lists, lazy_loader.attach_stub(package, file))

    def get_public(name: str) -> Any:
        if name in names:
            return load(name)
        if renamed and name in renamed:
            new = renamed[name]
            warnings.warn(f"{package}.{name} is now called {new}", DeprecationWarning, stacklevel=2)
            room, _, plain = new.rpartition(".")
            return getattr(importlib.import_module(room), plain) if room else load(new)
        raise AttributeError(describe_missing(package, name, names))

    return get_public, list_names, names


def describe_missing(package: str, name: str, names: list[str]) -> str:
    """The message for a name that a package does not have, Python's own and the near names.

    >>> describe_missing("beholder", "extrac", ["extract", "load_model"])
    "module 'beholder' has no attribute 'extrac'; try 'extract'"
    """
    from beholder._core.errors import find_near_names

    near = [] if name.startswith("_") else find_near_names(name, names)
    return f"module {package!r} has no attribute {name!r}" + ("; try " + " or ".join(map(repr, near)) if near else "")
