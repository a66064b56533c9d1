"""WebKitGTK's small browser on a display of its own, asked by WebDriver over HTTP."""

from __future__ import annotations

import contextlib
import http.client
import io
import itertools
import json
import math
import os
import select
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.browser.contexts import Context, Message, PageError
from tests.browser.gate import Gate, open_gate
from tests.browser.pages import Page
from tests.browser.processes import find_port, find_program, make_home, run_program, stop_for

BROWSERS = "*/webkit2gtk-4.*/MiniBrowser"
SCREEN = "2600x1700x24"
ZOOM_STEP = 1.2
"""What each press of the keys that zoom makes of the page; others cannot be had."""
DRAWING = {
    "GDK_BACKEND": "x11", "LIBGL_ALWAYS_SOFTWARE": "1", "WEBKIT_DISABLE_DMABUF_RENDERER": "1", "NO_AT_BRIDGE": "1",
}  # fmt: skip
"""WebKit draws in memory: there is no graphics card here, and nobody who has the screen read out."""
_CALL = """const done = arguments[arguments.length - 1];
window.whatTestsHeard ??= (() => {{
    const heard = [];
    addEventListener("error", (event) => heard.push(["pageerror", String(event.message)]));
    addEventListener("unhandledrejection", (event) => heard.push(["pageerror", String(event.reason)]));
    document.addEventListener("securitypolicyviolation", (event) =>
        heard.push(["console", `the policy forbids ${{event.effectiveDirective}} ${{event.blockedURI}}`]));
    return heard;
}})();
const heard = () => window.whatTestsHeard.splice(0);
({script}).then((value) => done({{value, heard: heard()}}), (error) => done({{error: String(error)}}));"""


class Display:
    """A screen in memory.

    Attributes
    ----------
    name : str
        What programs call it.
    """

    def __init__(self, name: str, memory: Path) -> None:
        self.name, self._memory = name, memory

    def act(self, *command: str) -> None:
        """Move the mouse or press keys of the machine itself; the window under the mouse has the keyboard."""
        environment = {**os.environ, "DISPLAY": self.name}
        subprocess.run([find_program("xdotool"), *command], env=environment, check=True, timeout=20)

    def read(self) -> Image.Image:
        """What it shows."""
        content = self._memory.read_bytes()
        header = np.frombuffer(content, ">u4", 25)  # as in XWDFile.h
        width, height, stride, n_colors = (int(header[k]) for k in (4, 5, 12, 19))
        start = int(header[0]) + 12 * n_colors
        rows = np.frombuffer(content, np.uint8, stride * height, start).reshape(height, stride)
        return Image.fromarray(rows[:, : 4 * width].reshape(height, width, 4)[:, :, 2::-1].copy())


class Driver:
    """Commands to WebKitWebDriver."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._session = ""

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """A command's value."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        with contextlib.closing(connection):
            text = json.dumps(body) if method == "POST" else None
            connection.request(method, self._session + path, text, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            value = json.loads(answer.read())["value"]
        if answer.status != http.HTTPStatus.OK:
            raise PageError(f"{method} {path}: {value['error']}: {value['message']}")
        return value

    def begin(self, program: str, arguments: list[str], address: str) -> None:
        """Start the browser, behind the proxy of an address."""
        options = {"binary": program, "args": arguments}
        proxy = {"proxyType": "manual", "httpProxy": address, "sslProxy": address, "noProxy": []}
        wanted = {"alwaysMatch": {"webkitgtk:browserOptions": options, "proxy": proxy}}
        self._session = f"/session/{self.call('POST', '/session', {'capabilities': wanted})['sessionId']}"


class WebKitPage(Page):
    """A window of WebKit.

    It tells of errors since it was first asked something.
    """

    def __init__(self, context: WebKitContext, handle: str) -> None:
        super().__init__(context)
        self.handle = handle
        self._heard: list[list[str]] = []
        self._zoom = 1.0

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        self.context.turn_to(self)
        return self.context.driver.call(method, path, {} if body is None else body)

    def goto(self, url):
        self._call("POST", "/url", {"url": url})

    def reload(self):
        self._call("POST", "/refresh")

    def close(self):
        self.context.let_go(self)
        self.context.driver.call("DELETE", "/window")

    def bring_to_front(self):
        self.context.turn_to(self)

    def screenshot(self):
        ratio, width, height = self.evaluate("[devicePixelRatio, innerWidth, innerHeight]")
        outer = self._call("GET", "/window/rect")
        left, bottom = round(ratio * outer["x"]), round(ratio * (outer["y"] + outer["height"]))
        width, height = (round(ratio * self._zoom * side) for side in (width, height))
        box = (left, bottom - height, left + width, bottom)
        with io.BytesIO() as file:
            self.context.display.read().crop(box).save(file, "PNG")
            return file.getvalue()

    def set_viewport_size(self, size):
        outer = self._call("GET", "/window/rect")
        inner = self.evaluate("[innerWidth, innerHeight]")
        width, height = outer["width"] - inner[0] + size["width"], outer["height"] - inner[1] + size["height"]
        self._call("POST", "/window/rect", {"x": 0, "y": 0, "width": width, "height": height})

    def set_zoom(self, factor):
        steps = round(math.log(factor) / math.log(ZOOM_STEP))
        wanted = self.evaluate("outerWidth") / ZOOM_STEP**steps
        self.context.display.act("key", "ctrl+0", *["ctrl+equal" if steps > 0 else "ctrl+minus"] * abs(steps))
        self._zoom = ZOOM_STEP**steps
        end = time.monotonic() + 10
        while abs(self.evaluate("innerWidth") - wanted) > 2:
            assert time.monotonic() < end, f"no zoom of {factor}"
            self.wait_for_timeout(20)

    def perform(self, sources):
        """As said, but for points: WebKit takes those of a zoomed page for points of its window."""
        for action in (action for source in sources for action in source["actions"] if "x" in action):
            action |= {"x": round(action["x"] * self._zoom), "y": round(action["y"] * self._zoom)}
        self._call("POST", "/actions", {"actions": sources})

    def run(self, script):
        found = self._call("POST", "/execute/async", {"script": _CALL.format(script=script), "args": []})
        if "error" in found:
            raise PageError(found["error"])
        self._heard += found["heard"]
        return found["value"]

    def listen(self):
        heard, self._heard = self._heard, []
        for event, text in heard:
            self.tell(event, text if event == "pageerror" else Message("error", text))
        self.context.tell_requests()


class WebKitContext(Context):
    """A browser of its own, with nothing stored."""

    def __init__(
        self, driver: Driver, display: Display, home: Path, gate: Gate, process: subprocess.Popen[bytes],
        programs: contextlib.ExitStack, viewport: Mapping[str, int] | None,
    ) -> None:  # fmt: skip
        super().__init__(gate, home)
        self.driver, self.display, self._programs, self._viewport = driver, display, programs, viewport
        self._process = process
        self._current: WebKitPage | None = None
        self._spare: str | None = driver.call("GET", "/window")

    def new_page(self) -> WebKitPage:
        """Another window; the first is there already."""
        handle = self._spare or self.driver.call("POST", "/window/new", {"type": "window"})["handle"]
        self._spare = None
        page = WebKitPage(self, handle)
        if self._viewport is not None:
            page.set_viewport_size(dict(self._viewport))
        self.display.act("mousemove", "0", "0", "mousemove", "5", "200")
        return page

    def turn_to(self, page: WebKitPage) -> None:
        """What is asked next is asked of this page."""
        if self._current is not page:
            self.driver.call("POST", "/window", {"handle": page.handle})
            self._current = page

    def let_go(self, page: WebKitPage) -> None:
        """This page is going to be closed; a browser without a window would end."""
        self.turn_to(page)
        if self.driver.call("GET", "/window/handles") == [page.handle]:
            self._spare = self.driver.call("POST", "/window/new", {"type": "window"})["handle"]
        self._current = None

    def stop(self, seconds: float) -> None:
        """Nothing of the browser runs for a while, as when a computer sleeps."""
        stop_for(self._process, seconds)

    def close(self) -> None:
        """End the browser."""
        self._programs.close()


class WebKit:
    """Starts a browser for each context, all on one display."""

    name = "webkit"

    def __init__(self, program: str, driver: str, display: Display) -> None:
        self._program, self._driver, self._display = program, driver, display

    def new_context(
        self, *, viewport: Mapping[str, int] | None = None, device_scale_factor: int | None = None,
        screen: Mapping[str, int] | None = None, has_touch: bool = False, is_mobile: bool = False,
        accept_downloads: bool = True,
    ) -> WebKitContext:  # fmt: skip
        """A browser of its own, whose window has these CSS pixels and this density, a whole number."""
        with contextlib.ExitStack() as stack:
            environment = {**stack.enter_context(make_home()), **DRAWING, "DISPLAY": self._display.name}
            if device_scale_factor is not None:
                environment["GDK_SCALE"] = str(device_scale_factor)
            port = find_port()
            home = Path(environment["HOME"])
            log = home / "log.txt"
            process = stack.enter_context(run_program([self._driver, f"--port={port}"], environment, log))
            gate = stack.enter_context(open_gate())
            driver = Driver(port)
            end = time.monotonic() + 20
            for pause in itertools.repeat(0.02):
                with contextlib.suppress(ConnectionRefusedError):
                    driver.begin(self._program, ["--automation"], gate.address)
                    break
                assert process.poll() is None and time.monotonic() < end, log.read_text(errors="replace")
                time.sleep(pause)
            context = WebKitContext(driver, self._display, home, gate, process, stack.pop_all(), viewport)
        context.emulate(screen, has_touch)
        return context

    def close(self) -> None:
        """Nothing is left to do when its contexts are closed."""


@contextlib.contextmanager
def open_display() -> Iterator[Display]:
    """A screen in memory while the block runs."""
    program = find_program("Xvfb")
    with contextlib.ExitStack() as stack:
        environment = stack.enter_context(make_home())
        ready, written = os.pipe()
        stack.callback(os.close, ready)
        command = [program, "-displayfd", str(written), "-screen", "0", SCREEN, "-nolisten", "tcp",
                   "-fbdir", environment["HOME"]]  # fmt: skip
        log = Path(environment["HOME"]) / "log.txt"
        try:
            stack.enter_context(run_program(command, environment, log, pass_fds=[written]))
        finally:
            os.close(written)
        said = b""
        while not said.endswith(b"\n"):
            found = os.read(ready, 20) if select.select([ready], [], [], 20)[0] else b""
            assert found, log.read_text(errors="replace")
            said += found
        yield Display(f":{int(said)}", Path(environment["HOME"]) / "Xvfb_screen0")


@contextlib.contextmanager
def open_webkit() -> Iterator[WebKit]:
    """WebKitGTK while the block runs."""
    driver = find_program("WebKitWebDriver")
    programs = sorted(map(str, Path("/usr/lib").glob(BROWSERS)))
    if not programs:
        assert not os.environ.get("CI"), f"no /usr/lib/{BROWSERS}"
        pytest.skip(f"no /usr/lib/{BROWSERS}")
    with open_display() as display:
        yield WebKit(programs[-1], driver, display)
