"""The separate worlds of a browser, and what comes out of them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.browser.gate import Gate, Route

SECONDS = 30
"""How long an element or a file is waited for."""
FINGER = """
const {matchMedia} = window;
window.matchMedia = (query) => query === "(pointer: coarse)" ? {matches: true} : matchMedia.call(window, query);
"""
SCREEN = """
const ours = {width: %d, height: %d, availLeft: 0, availTop: 0};
for (const name of Object.keys(ours)) Object.defineProperty(screen, name, {get: () => ours[name]});
"""
"""These drivers cannot make a telephone of their browsers, or another screen: their pages are told so."""


class PageError(Exception):
    """The page or its browser refused."""


@dataclass(frozen=True)
class Message:
    """A line of the page's console."""

    type: str
    text: str


class Download:
    """A file that a page gave."""

    def __init__(self) -> None:
        self._path = Path()

    @property
    def value(self) -> Download:
        """This one, once it is there."""
        return self

    def path(self) -> Path:
        """Where it is."""
        return self._path

    def save_as(self, path: Path) -> None:
        """Copy it."""
        shutil.copyfile(self._path, path)

    @staticmethod
    def list_files(folder: Path) -> dict[Path, int]:
        """Files of a folder and when they were written: WebKit writes over the one before."""
        return {path: path.stat().st_mtime_ns for path in folder.glob("*.json")}

    def wait(self, folder: Path, before: dict[Path, int]) -> None:
        """Until there is another file in this folder, and whole."""
        end = time.monotonic() + SECONDS
        sizes: tuple[int, int] = (0, 0)
        while not sizes[0] or sizes[0] != sizes[1]:
            if time.monotonic() > end:
                raise PageError(f"no file came within {SECONDS} s")
            time.sleep(0.1)
            found = [path for path, written in self.list_files(folder).items() if before.get(path) != written]
            self._path = found[0] if found else Path()
            sizes = (sizes[1], self._path.stat().st_size if found else 0)


class Context:
    """A world of its own: storage and cookies that no other has.

    Attributes
    ----------
    gate : Gate
        What its pages ask the network for passes here.
    downloads : Path
        Where files that people take from a page arrive.
    """

    def __init__(self, gate: Gate, downloads: Path) -> None:
        self.gate, self.downloads = gate, downloads
        self.pages: list[Any] = []

    def route(self, pattern: str, handler: Callable[[Route], object]) -> None:
        """Let a function decide on what is asked for under such addresses; ``*`` is anything."""
        self.gate.route(pattern, handler)

    def unroute(self, pattern: str) -> None:
        """Let them pass again."""
        self.gate.unroute(pattern)

    def set_offline(self, offline: bool) -> None:
        """Cut every page off, or connect it again."""
        self.gate.is_shut = offline

    def add_init_script(self, script: str) -> None:
        """Run this in every page that is loaded from now on, before its own scripts."""
        self.gate.scripts.append(f"{{ {script} }}")

    def emulate(self, screen: Mapping[str, int] | None, has_touch: bool) -> None:
        """Tell pages of another screen than there is, and of a finger."""
        if screen is not None:
            self.add_init_script(SCREEN % (screen["width"], screen["height"]))
        if has_touch:
            self.add_init_script(FINGER)

    def tell_requests(self) -> None:
        """Tell every page what was asked for since the last time."""
        while self.gate.asked:
            request = self.gate.asked.popleft()
            for page in self.pages:
                page.tell("request", request)
