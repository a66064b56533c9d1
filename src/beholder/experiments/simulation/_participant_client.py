"""A participant's side of the conversation with the server, over plain HTTP."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any, final
from urllib.parse import urlsplit

from beholder._core.errors import BeholderError

_TIMEOUT_S = 60.0


@final
class ParticipantClient:
    """Joins, goes through the steps and sends answers, as the page does.

    Parameters
    ----------
    url : str
        The server's address: ``http://127.0.0.1:8000``.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
        self._connection.connect()
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._token = ""

    def __enter__(self) -> ParticipantClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def join(self, parameters: Mapping[str, str], screen: Mapping[str, Any]) -> None:
        """Take a place in the experiment."""
        body = {"recruiter_params": dict(parameters), "screen": dict(screen)}
        self._token = str(self._ask("POST", "/api/join", body)["token"])

    def begin_next(self, parameters: Mapping[str, str], screen: Mapping[str, Any]) -> dict[str, Any]:
        """Begin the next session, once it is open; gives the new state."""
        return self._ask("POST", "/api/next", {"recruiter_params": dict(parameters), "screen": dict(screen)})

    def read_state(self) -> dict[str, Any]:
        """Where the participant stands."""
        return self._ask("GET", "/api/state")

    def send_step(self, step: str, data: Mapping[str, Any], at_ms: float) -> dict[str, Any]:
        """Finish a step; gives the new state."""
        return self._ask("POST", "/api/step", {"step": step, "data": dict(data), "at_ms": at_ms})

    def list_trials(self, start: int, count: int) -> list[dict[str, Any]]:
        """The coming trials of the phase, from the position ``start``."""
        answer: Any = self._ask("GET", f"/api/trials?from={start}&count={count}")
        return list(answer["trials"]) if isinstance(answer, dict) else list(answer)

    def announce(self, trial_id: str, key: int) -> bool:
        """Say that a trial is about to be shown; whether it may be."""
        return bool(self._ask("POST", "/api/presentations", {"trial": trial_id, "key": key})["show"])

    def send_answer(self, trial_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send an answer; returns once it is on disk."""
        return self._ask("PUT", f"/api/trials/{trial_id}", dict(body))

    def fetch(self, address: str) -> bytes:
        """The bytes of a picture or sound."""
        status, content = self._send("GET", f"/{address}")
        if status != 200:
            raise BeholderError(f"expected a stimulus at {address}; got status {status}")
        return content

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        status, content = self._send(method, path, body)
        try:
            answer = json.loads(content)
        except ValueError:
            answer = {"error": content[:200].decode("utf-8", "replace")}
        if status not in (200, 201):
            raise RequestRefused(status, str(answer.get("code", "")), str(answer.get("error", "")), f"{method} {path}")
        return answer

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, bytes]:
        headers = {"Origin": self._origin, "Sec-Fetch-Site": "same-origin"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        self._connection.request(method, path, data, headers)
        response = self._connection.getresponse()
        return response.status, response.read()


@final
class RequestRefused(BeholderError):
    """The server said no.

    Attributes
    ----------
    status : int
    code : str
        ``full``, ``repeat``, ….
    """

    def __init__(self, status: int, code: str, text: str, what: str) -> None:
        self.status = status
        self.code = code
        super().__init__(f"expected the server to accept {what}; got {status} {code}: {text}")
