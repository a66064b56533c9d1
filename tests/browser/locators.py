"""Elements of a page, waited for as Playwright does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.browser.contexts import SECONDS, PageError

if TYPE_CHECKING:
    from tests.browser.pages import Page

_AIM = """async ([selector, index]) => {
    const element = document.querySelectorAll(selector)[index];
    if (!element) return "is not there";
    const next = () => new Promise((go) => [requestAnimationFrame(go), setTimeout(go, 100)]);
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
