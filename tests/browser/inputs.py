"""The keyboard and the mouse of a page, as WebDriver describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.browser.pages import Page

KEYS = {
    "Tab": "\ue004", "Enter": "\ue007", "Shift": "\ue008", "Control": "\ue009", "Escape": "\ue00c", "Space": " ",
    "Backspace": "\ue003", "Home": "\ue011", "End": "\ue010", "Delete": "\ue017", "ArrowLeft": "\ue012",
    "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015", "F5": "\ue035", "F11": "\ue03b",
}  # fmt: skip
"""What WebDriver calls the keys that write nothing."""


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
