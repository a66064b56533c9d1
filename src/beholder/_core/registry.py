"""Named things that users and third parties can add to."""

from __future__ import annotations

import fnmatch
import importlib
import pkgutil
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from beholder._core.errors import UnknownNameError

T = TypeVar("T")
Filed = TypeVar("Filed")


class Registry(Generic[T]):
    """A mapping from name to thing, filled by decorators and by entry points.

    Parameters
    ----------
    kind : str
        What one entry is, used in messages: ``"model source"``.
    entry_point_group : str, optional
        Installed packages may add entries through this entry-point group.
    modules : str, optional
        Modules whose decorators file our own entries, ``"beholder.report._kind_*"``: imported at the first look, so
        that a new one is a file and no line elsewhere.
    """

    def __init__(self, kind: str, entry_point_group: str | None = None, modules: str | None = None) -> None:
        self.kind = kind
        self._group = entry_point_group
        self._modules = modules
        self._entries: dict[str, T] = {}
        self._lock = threading.RLock()

    def register(self, name: str) -> Callable[[Filed], Filed]:
        """Decorator that files a thing under ``name``."""

        def file_entry(thing: Filed) -> Filed:
            self._entries[name] = thing  # type: ignore[assignment]
            return thing

        return file_entry

    def add(self, name: str, thing: T) -> None:
        """File ``thing`` under ``name``, replacing an older one."""
        self._import_modules()
        self._entries[name] = thing

    def names(self) -> list[str]:
        """Every name, built-in first, then those of entry points that are not yet loaded."""
        self._import_modules()
        names = list(self._entries)
        if self._group:
            names += [entry.name for entry in entry_points(group=self._group) if entry.name not in self._entries]
        return names

    def __contains__(self, name: object) -> bool:
        # Reading what every installed package offers takes some 10 ms: only for names that are not ours.
        return isinstance(name, str) and (name in self._entries or name in self.names())

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __getitem__(self, name: str) -> T:
        if name not in self._entries:
            self._import_modules()
        if name not in self._entries and self._group:
            for entry in entry_points(group=self._group, name=name):
                self._entries[name] = entry.load()
        if name not in self._entries:
            raise UnknownNameError(self.kind, name, self.names())
        return self._entries[name]

    def _import_modules(self) -> None:
        with self._lock:
            pattern, self._modules = self._modules, None
            if pattern is None:
                return
            own = dict(self._entries)
            package = importlib.import_module(pattern.rpartition(".")[0])
            for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
                if fnmatch.fnmatch(module.name, pattern):
                    importlib.import_module(module.name)
            self._entries.update(own)  # what was added before the first look stands
