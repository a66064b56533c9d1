"""A page of Firefox or WebKit under the names that Playwright has for it, as far as these tests use them.

Playwright drives Chromium here. It drives other browsers only in builds of its own, so Debian's Firefox and WebKitGTK
are asked in the protocols that they speak: WebDriver BiDi (``firefox.py``) and WebDriver (``webkit.py``). The mouse
and the keys are the browser's own: its events are trusted. What they ask the network for goes through ``gate.py``.
"""

from __future__ import annotations

import contextlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

from tests.browser.contexts import SECONDS, Download, PageError
from tests.browser.gate import Route
from tests.browser.inputs import Keyboard, Mouse
from tests.browser.locators import Locator

_RUN = """(async (argument) => {{
    const found = ({script}
    );
    const value = await (typeof found === "function" ? found(argument) : found);
    return JSON.stringify(value instanceof Node ? value.nodeName : value ?? null);
}})({argument})"""


class Page(ABC):
    """A page. What a browser must be able to do is abstract here; the rest follows from it.

    Attributes
    ----------
    context : Context
        The browser's separate world in which the page is.
    """

    def __init__(self, context: Any) -> None:
        self.context = context
        context.pages.append(self)
        self.keyboard = Keyboard(self)
        self.mouse = Mouse(self)
        self._listeners: dict[str, list[Callable[[Any], Any]]] = {}

    @abstractmethod
    def goto(self, url: str) -> None:
        """Go to an address, and wait until it is loaded."""

    @abstractmethod
    def reload(self) -> None:
        """Load the page again, and wait until it is there."""

    @abstractmethod
    def close(self) -> None:
        """Close the tab."""

    @abstractmethod
    def bring_to_front(self) -> None:
        """Show this tab rather than another of the window."""

    @abstractmethod
    def screenshot(self) -> bytes:
        """The window's contents, a PNG in pixels of the screen."""

    @abstractmethod
    def set_viewport_size(self, size: dict[str, int]) -> None:
        """Make the window's contents ``width`` × ``height`` CSS pixels (at no zoom)."""

    @abstractmethod
    def set_zoom(self, factor: float) -> None:
        """Zoom the page as a person does in the browser; 1.5 is 150 %."""

    @abstractmethod
    def perform(self, sources: list[dict[str, Any]]) -> None:
        """Move the mouse and press keys: input sources as WebDriver describes them."""

    @abstractmethod
    def listen(self) -> None:
        """Tell :meth:`on`'s functions what happened since the last time."""

    @abstractmethod
    def run(self, script: str) -> str:
        """The text that an expression of the page comes to, once its promise is kept."""

    @property
    def url(self) -> str:
        """The address that the browser shows."""
        return self.evaluate("location.href")

    def on(self, event: str, listener: Callable[[Any], Any]) -> None:
        """Call a function on each ``console`` message, ``pageerror`` or ``request``."""
        self._listeners.setdefault(event, []).append(listener)

    def tell(self, event: str, value: Any) -> None:
        """Call the functions of an event."""
        for listener in self._listeners.get(event, ()):
            listener(value)

    def evaluate(self, script: str, argument: Any = None) -> Any:
        """The value of an expression of the page, or of a function called with ``argument``."""
        value = json.loads(self.run(_RUN.format(script=script.rstrip().rstrip(";"), argument=json.dumps(argument))))
        self.listen()
        return value

    def wait_for_timeout(self, milliseconds: float) -> None:
        """Let time pass."""
        time.sleep(milliseconds / 1000)
        self.listen()

    def locator(self, selector: str) -> Locator:
        """The elements of a CSS selector."""
        return Locator(self, selector)

    def wait_for_selector(self, selector: str) -> None:
        """Wait until it is seen."""
        self.locator(selector).wait_for()

    def route(self, pattern: str, handler: Callable[[Route], object]) -> None:
        """See :meth:`Context.route`."""
        self.context.route(pattern, handler)

    def unroute(self, pattern: str) -> None:
        """See :meth:`Context.unroute`."""
        self.context.unroute(pattern)

    def add_init_script(self, script: str) -> None:
        """See :meth:`Context.add_init_script`."""
        self.context.add_init_script(script)

    def content(self) -> str:
        """All that the page holds."""
        return self.evaluate("document.documentElement.outerHTML")

    @contextlib.contextmanager
    def expect_event(self, event: str) -> Iterator[None]:
        """What the block does ends in this event, of which there is one: ``load`` of another page than this one."""
        assert event == "load", event
        self.evaluate("window.isLeftByTests = true")
        yield
        end = time.monotonic() + SECONDS
        while True:
            with contextlib.suppress(PageError):  # while there is no page
                if self.evaluate("!window.isLeftByTests && document.readyState === 'complete'"):
                    return
            if time.monotonic() > end:
                raise PageError(f"nothing was loaded within {SECONDS} s")
            self.wait_for_timeout(15)

    @contextlib.contextmanager
    def expect_download(self) -> Iterator[Download]:
        """What the block does gives a file."""
        download = Download()
        before = download.list_files(self.context.downloads)
        yield download
        download.wait(self.context.downloads, before)

    def click(self, selector: str) -> None:
        """Click the first element of a selector."""
        self.locator(selector).first.click()

    def inner_text(self, selector: str) -> str:
        """The text that the first element of a selector shows."""
        return self.locator(selector).inner_text()

    def input_value(self, selector: str) -> str:
        """What a field holds."""
        return self.locator(selector).input_value()

    def get_attribute(self, selector: str, name: str) -> str | None:
        """An attribute of the first element of a selector."""
        return self.locator(selector).get_attribute(name)
