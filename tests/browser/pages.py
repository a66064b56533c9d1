"""A page of Firefox or WebKit under the names that Playwright has for it, as far as these tests use them.

Playwright drives Chromium here. It drives other browsers only in builds of its own, so Debian's Firefox and WebKitGTK
are asked in the protocols that they speak: WebDriver BiDi (``firefox.py``) and WebDriver (``webkit.py``). The mouse
and the keys are the browser's own: its events are trusted. What they ask the network for goes through ``gate.py``.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.browser.gate import Gate, Route

SECONDS = 30
"""How long an element is waited for."""

KEYS = {
    "Tab": "\ue004", "Enter": "\ue007", "Shift": "\ue008", "Control": "\ue009", "Escape": "\ue00c", "Space": " ",
    "Backspace": "\ue003", "Home": "\ue011", "End": "\ue010", "Delete": "\ue017", "ArrowLeft": "\ue012",
    "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015", "F5": "\ue035", "F11": "\ue03b",
}  # fmt: skip
"""What WebDriver calls the keys that write nothing."""

_RUN = """(async (argument) => {{
    const found = ({script}
    );
    const value = await (typeof found === "function" ? found(argument) : found);
    return JSON.stringify(value instanceof Node ? value.nodeName : value ?? null);
}})({argument})"""

_AIM = """async ([selector, index]) => {
    const element = document.querySelectorAll(selector)[index];
    if (!element) return "is not there";
    const next = () => new Promise(requestAnimationFrame);
    const place = () => JSON.stringify(element.getBoundingClientRect());
    element.scrollIntoView({block: "nearest", inline: "nearest"});
    await next();
    const before = place();
    await next();
    if (place() !== before) return "moves";
    const {x, y, width, height} = element.getBoundingClientRect();
    if (!element.checkVisibility({visibilityProperty: true}) || !width || !height) return "is not visible";
    if (element.disabled) return "is disabled";
    const point = [Math.floor(x + width / 2), Math.floor(y + height / 2)];
    const hit = document.elementFromPoint(...point);
    return element.contains(hit) || hit?.closest("label")?.control === element ? point : "is behind something";
}"""


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

    def wait(self, folder: Path, before: set[Path]) -> None:
        """Until there is another file in this folder, and whole."""
        end = time.monotonic() + SECONDS
        sizes: tuple[int, int] = (0, 0)
        while not sizes[0] or sizes[0] != sizes[1]:
            if time.monotonic() > end:
                raise PageError(f"no file came within {SECONDS} s")
            time.sleep(0.1)
            found = [path for path in folder.glob("*.json") if path not in before]
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
        asked, self.gate.asked[:] = self.gate.asked[:], []
        for request in asked:
            for page in self.pages:
                page.tell("request", request)


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
        before = set(self.context.downloads.glob("*.json"))
        download = Download()
        yield download
        download.wait(self.context.downloads, before)

    def click(self, selector: str) -> None:
        """Click the one element of a selector."""
        self.locator(selector).click()

    def inner_text(self, selector: str) -> str:
        """The text that the first element of a selector shows."""
        return self.locator(selector).inner_text()

    def input_value(self, selector: str) -> str:
        """What a field holds."""
        return self.locator(selector).input_value()

    def get_attribute(self, selector: str, name: str) -> str | None:
        """An attribute of the first element of a selector."""
        return self.locator(selector).get_attribute(name)


@dataclass(frozen=True)
class Locator:
    """Elements of a page, looked up each time they are used; with an ``index``, one of them."""

    page: Page
    selector: str
    index: int | None = None

    def nth(self, index: int) -> Locator:
        """One of them."""
        return Locator(self.page, self.selector, index)

    @property
    def first(self) -> Locator:
        """The first."""
        return self.nth(0)

    @property
    def last(self) -> Locator:
        """The last of those that there are now."""
        return self.nth(self.count() - 1)

    def count(self) -> int:
        """How many there are."""
        return self.page.evaluate("(selector) => document.querySelectorAll(selector).length", self.selector)

    def all(self) -> list[Locator]:
        """Each of them."""
        return [self.nth(index) for index in range(self.count())]

    def wait_for(self, state: str = "visible", timeout: float = 1000 * SECONDS) -> None:
        """Wait until it is ``visible`` or ``hidden``."""
        self._poll(lambda: None if self.is_visible() is (state == "visible") else f"is not {state}", timeout)

    def is_visible(self) -> bool:
        """Whether it is there and seen."""
        script = """([selector, index]) => Boolean(
            document.querySelectorAll(selector)[index]?.checkVisibility({visibilityProperty: true}))"""
        return self.page.evaluate(script, [self.selector, self.index or 0])

    def is_hidden(self) -> bool:
        """Whether it is not there or not seen."""
        return not self.is_visible()

    def inner_text(self) -> str:
        """The text that it shows."""
        return self._ask("(element) => element.innerText")

    def evaluate_all(self, script: str) -> Any:
        """The value of a function of all of them."""
        return self.page.evaluate(f"(selector) => ({script})([...document.querySelectorAll(selector)])", self.selector)

    def all_inner_texts(self) -> list[str]:
        """The texts that they show."""
        return [each.inner_text() for each in self.all()]

    def get_attribute(self, name: str) -> str | None:
        """An attribute."""
        return self._ask(f"(element) => element.getAttribute({json.dumps(name)})")

    def input_value(self) -> str:
        """What a field holds."""
        return self._ask("(element) => element.value")

    def bounding_box(self) -> dict[str, float]:
        """Where it is, CSS pixels of the window."""
        return self._ask("(element) => element.getBoundingClientRect()")

    def click(self, count: int = 1) -> None:
        """Click it in its middle, once it is in view, at rest, enabled and before everything else."""
        aimed: list[list[int]] = []

        def aim() -> str | None:
            found = self.page.evaluate(_AIM, [self.selector, self.index or 0])
            return found if isinstance(found, str) else aimed.append(found)

        self._poll(aim, 1000 * SECONDS)
        if self.index is None and self.count() > 1:
            raise PageError(f"{self.selector} is {self.count()} elements")
        self.page.mouse.click(*aimed[-1], count=count)

    def dblclick(self) -> None:
        """Click it twice."""
        self.click(2)

    def fill(self, text: str) -> None:
        """Click a field and write over what it holds; a slider is set at once."""
        slide = """(element) => element.type === "range" && (element.value = %s,
            element.dispatchEvent(new Event("input", {bubbles: true})))"""
        if self._ask(slide % json.dumps(text)):
            return
        self.click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)

    def _ask(self, script: str) -> Any:
        """The value of a function of the element, once it is there."""
        wrapped = f"""([selector, index]) => {{
            const element = document.querySelectorAll(selector)[index];
            return element && [({script})(element)];
        }}"""
        found: list[Any] = []

        def ask() -> str | None:
            found[:] = self.page.evaluate(wrapped, [self.selector, self.index or 0]) or []
            return None if found else "is not there"

        self._poll(ask, 1000 * SECONDS)
        return found[0]

    def _poll(self, look: Callable[[], str | None], timeout: float) -> None:
        end = time.monotonic() + timeout / 1000
        while (fault := look()) is not None:
            if time.monotonic() > end:
                raise PageError(f"{self.selector} {fault} after {timeout / 1000:g} s")
            self.page.wait_for_timeout(15)


class Keyboard:
    """Keys that are pressed on a page."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def press(self, keys: str) -> None:
        """Press a key by its name, or several held together: ``Enter``, ``a``, ``Shift+Tab``."""
        names = keys.split("+") if len(keys) > 1 else [keys]
        values = [KEYS.get(name, name) for name in names]
        downs = [{"type": "keyDown", "value": value} for value in values]
        ups = [{"type": "keyUp", "value": value} for value in reversed(values)]
        self._page.perform([{"type": "key", "id": "keys", "actions": [*downs, *ups]}])

    def type(self, text: str) -> None:
        """Write a text."""
        for character in text:
            self.press(character)


class Mouse:
    """The mouse over a page."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._place = (0.0, 0.0)

    def move(self, x: float, y: float, steps: int = 1) -> None:
        """Move to a point of the window, CSS pixels, in so many steps."""
        left, top = self._place
        shares = [(k + 1) / steps for k in range(steps)]
        self._point([(left + share * (x - left), top + share * (y - top)) for share in shares], [])

    def click(self, x: float, y: float, count: int = 1) -> None:
        """Move there and press."""
        press = [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        self._point([(x, y)], press * count)

    def _point(self, places: list[tuple[float, float]], then: list[dict[str, Any]]) -> None:
        self._place = places[-1]
        moves = [{"type": "pointerMove", "x": int(x), "y": int(y), "duration": 0} for x, y in places]
        actions = [*moves, *then]
        parameters = {"pointerType": "mouse"}
        self._page.perform([{"type": "pointer", "id": "mouse", "parameters": parameters, "actions": actions}])
