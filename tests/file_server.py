"""A server on this machine for files, with the manners of real ones: ranges or none, breaks, refusals, slowness."""

from __future__ import annotations

import contextlib
import http.server
import threading
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class FileServer:
    """What it serves, what it does next, and what it was asked for."""

    files: dict[str, bytes] = field(default_factory=dict)
    knows_ranges: bool = True
    break_after: list[int] = field(default_factory=list)
    status: int | None = None
    seconds_a_kilobyte: float = 0.0
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    address: str = ""

    @property
    def sent_paths(self) -> list[str]:
        return [path for path, _ in self.requests]


@contextlib.contextmanager
def serve_files() -> Iterator[FileServer]:
    """Start it on a free port of the loopback device."""
    state = FileServer()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
            wanted = self.headers.get("Range")
            state.requests.append((path, wanted))
            if state.status or path not in state.files:
                self.send_error(state.status or 404)
                return
            content = state.files[path]
            start, stop = 0, len(content)
            if wanted and state.knows_ranges:
                first, _, last = wanted.removeprefix("bytes=").partition("-")
                start, stop = int(first), min(int(last) + 1 if last else stop, stop)
                if start >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(content)}")
            else:
                self.send_response(200)
            body = content[start:stop]
            self.send_header("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                if state.break_after:
                    self.wfile.write(body[: state.break_after.pop(0)])
                    self.wfile.flush()
                    self.connection.shutdown(2)
                    return
                for i in range(0, len(body), 1000) if state.seconds_a_kilobyte else ():
                    self.wfile.write(body[i : i + 1000])
                    self.wfile.flush()
                    time.sleep(state.seconds_a_kilobyte)
                if not state.seconds_a_kilobyte:
                    self.wfile.write(body)

        def log_message(self, *args: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
