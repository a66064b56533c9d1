"""Firefox without a window, asked by WebDriver BiDi: its own websocket, no program between."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import websocket
from tests.browser.contexts import Context, Message, PageError
from tests.browser.gate import Gate, open_gate
from tests.browser.pages import Page
from tests.browser.processes import find_program, make_home, run_program, stop_for
from tests.browser.sound import open_sound_device

PREFERENCES = {
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "browser.startup.page": 0,
    "network.proxy.allow_hijacking_localhost": True,
}
EVENTS = ["log.entryAdded"]
BROKEN_OFF = re.compile("NetworkError when attempting to fetch|AbortError: The operation was aborted")
"""What a page that is left says of its requests."""
SECONDS = 60
"""How long Firefox may take over a command."""
_REPORT = """() => document.addEventListener("securitypolicyviolation", (event) =>
    console.error(`the policy forbids ${event.effectiveDirective} ${event.blockedURI}`))"""


class Connection:
    """Commands to Firefox, one after the other, and the events that came meanwhile."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, timeout=SECONDS, suppress_origin=True)
        self._n = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command's result."""
        self._n += 1
        self._socket.send(json.dumps({"id": self._n, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv())
            if answer["type"] == "event":
                self.events.append(answer)
            elif answer["type"] == "error":
                raise PageError(f"{method}: {answer['error']}: {answer['message']}")
            elif answer["id"] == self._n:
                return answer["result"]

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class FirefoxPage(Page):
    """A tab of Firefox."""

    def __init__(self, context: FirefoxContext) -> None:
        super().__init__(context)
        self._call = context.browser.connection.call
        made = self._call("browsingContext.create", type="tab", userContext=context.name)
        self.name = made["context"]
        context.browser.pages[self.name] = context.browser.front = self
        context.apply(self)

    def goto(self, url):
        self._call("browsingContext.navigate", context=self.name, url=url, wait="complete")

    def reload(self):
        self.listen()
        self._call("browsingContext.reload", context=self.name, wait="complete")
        events = self.context.browser.connection.events
        events[:] = [event for event in events if not BROKEN_OFF.search(event["params"].get("text") or "")]

    def close(self):
        self._call("browsingContext.close", context=self.name)

    def bring_to_front(self):
        self._call("browsingContext.activate", context=self.name)
        self.context.browser.front = self

    def screenshot(self):
        return base64.b64decode(self._call("browsingContext.captureScreenshot", context=self.name)["data"])

    def set_viewport_size(self, size, density: float | None = None):
        more = {} if density is None else {"devicePixelRatio": density}
        self._call("browsingContext.setViewport", context=self.name, viewport=size, **more)

    def set_zoom(self, factor):
        self.bring_to_front()
        self.context.browser.command(f"gBrowser.selectedBrowser.fullZoom = {factor}")

    def perform(self, sources):
        if self.context.browser.front is not self:
            self.bring_to_front()
        self._call("input.performActions", context=self.name, actions=sources)

    def run(self, script):
        target = {"context": self.name}
        found = self._call("script.evaluate", expression=script, target=target, awaitPromise=True)
        if found["type"] == "exception":
            raise PageError(found["exceptionDetails"]["text"])
        return found["result"]["value"]

    def listen(self):
        self.context.browser.hand_out_events()
        self.context.tell_requests()


class FirefoxContext(Context):
    """See :class:`Context`."""

    def __init__(
        self, browser: Firefox, gate: Gate, closing: contextlib.ExitStack, viewport: Mapping[str, int] | None,
        density: float | None,
    ) -> None:  # fmt: skip
        super().__init__(gate, browser.downloads)
        self.browser, self._closing, self._viewport, self._density = browser, closing, viewport, density
        proxy = {"proxyType": "manual", "httpProxy": gate.address, "sslProxy": gate.address}
        self.name = browser.connection.call("browser.createUserContext", proxy=proxy)["userContext"]

    def new_page(self) -> FirefoxPage:
        """Another tab."""
        return FirefoxPage(self)

    def apply(self, page: FirefoxPage) -> None:
        """Give a new page the window of this context."""
        if self._viewport is not None:
            page.set_viewport_size(dict(self._viewport), self._density)

    def set_offline(self, offline):
        conditions = {"type": "offline"} if offline else None
        self.browser.connection.call(
            "emulation.setNetworkConditions", networkConditions=conditions, userContexts=[self.name]
        )

    def add_init_script(self, script):
        function = f"() => {{ {script} }}"
        self.browser.connection.call("script.addPreloadScript", functionDeclaration=function, userContexts=[self.name])

    def stop(self, seconds: float) -> None:
        """Nothing of the browser runs for a while, as when a computer sleeps."""
        stop_for(self.browser.process, seconds)

    def close(self) -> None:
        """Close every tab; what they stored is gone."""
        self.browser.connection.call("browser.removeUserContext", userContext=self.name)
        self._closing.close()


class Firefox:
    """A running Firefox."""

    name = "firefox"

    def __init__(self, address: str, downloads: Path, process: subprocess.Popen[bytes]) -> None:
        self.connection = Connection(f"{address}/session")
        self.downloads, self.process = downloads, process
        self.pages: dict[str, FirefoxPage] = {}
        self.front: FirefoxPage | None = None
        call = self.connection.call
        call("session.new", capabilities={})
        call("session.subscribe", events=EVENTS)
        call("script.addPreloadScript", functionDeclaration=_REPORT)
        allowed = {"type": "allowed", "destinationFolder": str(downloads)}
        call("browser.setDownloadBehavior", downloadBehavior=allowed)

    def new_context(
        self, *, viewport: Mapping[str, int] | None = None, device_scale_factor: float | None = None,
        screen: Mapping[str, int] | None = None, has_touch: bool = False, is_mobile: bool = False,
        accept_downloads: bool = True,
    ) -> FirefoxContext:  # fmt: skip
        """A world of its own, whose windows have these CSS pixels and this density."""
        with contextlib.ExitStack() as stack:
            gate = stack.enter_context(open_gate())
            context = FirefoxContext(self, gate, stack.pop_all(), viewport, device_scale_factor)
        context.emulate(screen, has_touch)
        return context

    def command(self, script: str) -> None:
        """Do something in the browser's own window."""
        (window, *_) = self.connection.call("browsingContext.getTree", **{"moz:scope": "chrome"})["contexts"]
        target = {"context": window["context"]}
        found = self.connection.call("script.evaluate", expression=script, target=target, awaitPromise=True)
        if found["type"] == "exception":
            raise PageError(found["exceptionDetails"]["text"])

    def hand_out_events(self) -> None:
        """Tell each page what happened to it."""
        events, self.connection.events[:] = self.connection.events[:], []
        for event in events:
            self._hand_out(event["method"], event["params"])

    def _hand_out(self, method: str, details: dict[str, Any]) -> None:
        if method == "log.entryAdded":
            page = self.pages.get(details["source"].get("context", ""))
            if page is not None and details["type"] == "console":
                page.tell("console", Message(details["level"], details["text"]))
            elif page is not None and details["level"] == "error":
                page.tell("pageerror", details["text"])

    def close(self) -> None:
        """Hang up; the program is ended by whoever started it."""
        self.connection.close()


@contextlib.contextmanager
def open_firefox(preferences: Mapping[str, Any] | None = None, *, sound: bool = True) -> Iterator[Firefox]:
    """A Firefox of its own while the block runs, with further preferences (as in ``about:config``).

    Without ``sound`` it has no device to play on.
    """
    program = find_program("firefox-esr", "firefox")
    with contextlib.ExitStack() as stack:
        environment = stack.enter_context(make_home())
        environment |= stack.enter_context(open_sound_device()) if sound else {"PULSE_SERVER": "none"}
        home = Path(environment["HOME"])
        wanted = {**PREFERENCES, **(preferences or {})}
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in wanted.items()]
        profile = home / "profile"
        profile.mkdir()
        (profile / "user.js").write_text("".join(lines), encoding="utf-8")
        (home / "downloads").mkdir()
        command = [program, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0",
                   "--remote-allow-system-access", "about:blank"]  # fmt: skip
        log = home / "log.txt"
        process = stack.enter_context(run_program(command, environment, log))
        end = time.monotonic() + 60
        while not (found := re.search(r"WebDriver BiDi listening on (ws://\S+)", log.read_text(errors="replace"))):
            assert process.poll() is None and time.monotonic() < end, log.read_text(errors="replace")
            time.sleep(0.02)
        yield stack.enter_context(contextlib.closing(Firefox(found[1], home / "downloads", process)))
