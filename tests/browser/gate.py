"""What stands between a browser and the network: an HTTP proxy that tests look into, hold up and shut.

Firefox and WebKitGTK send everything that they ask for through one of these, each context through its own. So both can
be refused a file, be cut off, and be watched by the same few lines, whatever their drivers can do.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

INITIAL = "/what-tests-run-first.js"
"""Where :attr:`Gate.scripts` are served, on every server."""
_OF_A_CONNECTION = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "content-length"}


@dataclass(frozen=True)
class Request:
    """What a page asked for."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Answer:
    """What the page gets."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def json(self) -> Any:
        """What the body says."""
        return json.loads(self.body)


class Route:
    """A request that waits until somebody says what shall become of it."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self._decided = threading.Event()
        self._answer: Answer | None = None

    def fetch(self) -> Answer:
        """Ask the server, and do not tell the page."""
        asked, parts = self.request, urlsplit(self.request.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        with contextlib.closing(connection):
            path = parts._replace(scheme="", netloc="").geturl() or "/"
            connection.request(asked.method, path, asked.body or None, asked.headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())

    def continue_(self) -> None:
        """Let it pass; a server that is not there is a connection that ends without an answer."""
        try:
            self._decide(self.fetch())
        except OSError:
            self.abort()

    def abort(self, reason: str = "failed") -> None:
        """End the connection without an answer."""
        self._decide(None)

    def fulfill(
        self, *, body: str | bytes = b"", content_type: str = "text/plain", response: Answer | None = None
    ) -> None:
        """Answer in the server's place, or with what was fetched of it."""
        content = body.encode() if isinstance(body, str) else body
        self._decide(response or Answer(200, [("Content-Type", content_type)], content))

    def _decide(self, answer: Answer | None) -> None:
        self._answer = answer
        self._decided.set()

    def wait(self) -> Answer | None:
        """What was decided; None to end the connection."""
        return self._answer if self._decided.wait(60) else None


class Gate:
    """The proxy of one context.

    Attributes
    ----------
    address : str
        Host and port.
    is_shut : bool
        Whether nothing passes.
    scripts : list of str
        Run in every page before its own.
    asked : deque of Request
        Since the last look.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.is_shut = False
        self.scripts: list[str] = []
        self.asked: deque[Request] = deque()
        self._routes: dict[str, Callable[[Route], object]] = {}

    def route(self, pattern: str, handler: Callable[[Route], object]) -> None:
        """Let a function decide on requests for such addresses, ``*`` being anything."""
        self._routes[pattern] = handler

    def unroute(self, pattern: str) -> None:
        """Let them pass again."""
        self._routes.pop(pattern, None)

    def answer(self, request: Request) -> Answer | None:
        """What the browser gets; None where the connection ends."""
        self.asked.append(request)
        if self.is_shut or request.method == "CONNECT":
            return None
        if urlsplit(request.url).path == INITIAL:
            return Answer(200, [("Content-Type", "text/javascript")], "\n".join(self.scripts).encode())
        route = Route(request)
        handlers = (
            handler
            for pattern, handler in self._routes.items()
            if fnmatchcase(request.url, pattern.replace("?", "[?]"))
        )
        next(handlers, Route.continue_)(route)
        answer = route.wait()
        if answer is not None and self.scripts:
            body = answer.body.replace(b"<head>", f'<head><script src="{INITIAL}"></script>'.encode(), 1)
            answer = Answer(answer.status, answer.headers, body)
        return None if self.is_shut else answer


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    gate: Gate

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        left = {*_OF_A_CONNECTION, *(["accept-encoding"] if self.gate.scripts else [])}
        headers = {name: value for name, value in self.headers.items() if name.lower() not in left}
        answer = self.gate.answer(Request(self.command, self.path, headers, body))
        if answer is None:
            self.close_connection = True
            return
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            if name.lower() not in _OF_A_CONNECTION:
                self.send_header(name, value)
        if answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_CONNECT = pass_on

    def log_message(self, *args: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        pass


@contextlib.contextmanager
def open_gate() -> Iterator[Gate]:
    """A gate on a free port of this machine while the block runs."""
    handler = type("Handler", (_Handler,), {})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    handler.gate = gate = Gate(f"127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield gate
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
