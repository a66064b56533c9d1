"""Who wrote a function or class: Python, an installed package, Beholder, or the user."""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

OWN = "beholder"

_FRAMEWORKS = frozenset({"torch", "numpy"})
"""What their operations are is documented; which version computed them belongs to the machine, not to the network."""

_INSTALLED = frozenset({"site-packages", "dist-packages"})
_VERSION = "__identity_version__"


def declare_version(number: int) -> Any:
    """Decorator for a function or class of Beholder's own: raise the number where its values change.

    Stored results belong to a function of Beholder's by its name and this number (1 if none is declared), so that
    moving or rewriting it expires nothing.
    """

    def declare(function: T) -> T:
        setattr(function, _VERSION, number)
        return function

    return declare


def find_owner(module: str | None) -> str:
    """``"python"``, ``"beholder"``, ``"package"`` or ``"user"``, by the name of the module that holds the code."""
    if not module or module == "__main__":  # whatever program runs it: a notebook's kernel lies among the packages
        return "user"
    top = module.partition(".")[0]
    if top == OWN:
        return "beholder"
    if top in sys.stdlib_module_names or top in sys.builtin_module_names:
        return "python"
    if top in _FRAMEWORKS:
        return "package"
    return "package" if _is_installed(top) else "user"


def name_origin(value: Any, module: str, name: str) -> str:
    """What stands for code that the user did not write: its name and version.

    Parameters
    ----------
    value : object
        A function or class.
    module, name : str
        Its module and qualified name.
    """
    top = module.partition(".")[0]
    if top == OWN:
        room = module.split(".")[1:2]  # and no more of the module, so that a function may move within its room
        place = ".".join([OWN, *(part for part in room if not part.startswith("_"))])
        return f"{place}.{name} {getattr(value, '__dict__', {}).get(_VERSION, 1)}"
    if top in _FRAMEWORKS or top in sys.stdlib_module_names:
        return f"{module}.{name}"
    return f"{module}.{name} {find_version(top)}"


@lru_cache
def find_version(top: str) -> str:
    """Version of the installed package that a top-level module belongs to; empty if none says so."""
    try:
        return version(top)
    except PackageNotFoundError:
        pass
    stated = getattr(sys.modules.get(top), "__version__", None)
    if isinstance(stated, str):
        return stated
    names = packages_distributions().get(top)
    return version(names[0]) if names else ""


@lru_cache
def _is_installed(top: str) -> bool:
    module = sys.modules.get(top)
    places = [getattr(module, "__file__", None), *(getattr(module, "__path__", None) or ())]
    return any(_INSTALLED & set(Path(place).parts) for place in places if place)
