"""What keeps an experiment's server safe: headers, origins, sizes, rates, tokens."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import html
import ipaddress
import json
import logging
import re
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from beholder._core.errors import InputError, suggest_keywords
from beholder.experiments.settings._recruiters import Recruiter

logger = logging.getLogger("beholder")

TOKEN_BYTES = 32
_BODY_SECONDS = 30.0
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")
NO_PAGE = "There is nothing here. Please open the whole link that you were given, or ask for it once more."
_AS_GIVEN = "Please open the link as you were given it."
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>This did not work</title>
<link rel="icon" href="data:,">
</head>
<body style="margin: 0; padding: 12vh 1rem; background: #747474; font: 1.0625rem/1.55 system-ui, sans-serif">
<main style="max-width: 32rem; margin: auto; padding: 1.5rem 1.75rem; border-radius: 10px; background: #f4f4f2;
color: #1a1a1a"><h1 style="margin: 0 0 .5rem; font-size: 1.3rem">This did not work</h1>
<p style="margin: 0">{text}</p></main>
</body>
</html>
"""
"""Of a refusal: it has no files, since none may be reached there."""
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@final
class Refusal(Exception):
    """A request that is not granted.

    Parameters
    ----------
    status : int
        HTTP status.
    code : str
        A word for programs.
    text : str
        A sentence for people.
    retry_after : float, optional
        Seconds to wait.
    """

    def __init__(self, status: int, code: str, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.status, self.code, self.text, self.retry_after = status, code, text, retry_after

    def to_response(self, asked: Headers) -> Response:
        """As JSON: ``code`` and ``error``; as a page where somebody opened the address in a browser.

        Parameters
        ----------
        asked : Headers
            Of the request.
        """
        headers = {} if self.retry_after is None else {"Retry-After": str(max(1, round(self.retry_after)))}
        if "text/html" in asked.get("accept", ""):
            return HTMLResponse(_PAGE.format(text=html.escape(self.text)), self.status, headers)
        return JSONResponse({"code": self.code, "error": self.text}, self.status, headers)


@final
@dataclass(frozen=True)
class Limits:
    """How much one participant may ask for.

    Attributes
    ----------
    requests_per_s, request_burst : float
        Requests of one token; the burst is what may come at once.
    stimuli_per_s, stimulus_burst : float
        Pictures and sounds of one session.
    joins_per_s, join_burst : float
        New participants, of all together.
    """

    requests_per_s: float = 10.0
    request_burst: float = 60.0
    stimuli_per_s: float = 500.0
    stimulus_burst: float = 5000.0
    joins_per_s: float = 5.0
    join_burst: float = 500.0


@final
class RateLimiter:
    """A bucket of tokens for each name, filled at a steady rate.

    Parameters
    ----------
    rate, burst : float
        Tokens a second, and the most that a bucket holds.
    clock : callable
        Seconds.

    Examples
    --------
    >>> now = [0.0]
    >>> limiter = RateLimiter(1, 2, lambda: now[0])
    >>> [limiter.find_wait("me") for _ in range(3)]
    [0.0, 0.0, 1.0]
    """

    _MOST = 20_000

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._buckets: dict[Any, tuple[float, float]] = {}

    def find_wait(self, name: Any) -> float:
        """Take a token: 0 if there was one, else the seconds until there is."""
        now = self._clock()
        tokens, then = self._buckets.get(name, (self._burst, now))
        tokens = min(self._burst, tokens + max(0.0, now - then) * self._rate)
        if tokens < 1:
            self._buckets[name] = (tokens, now)
            return (1 - tokens) / self._rate
        if len(self._buckets) >= self._MOST:
            self._drop_full(now)
        self._buckets[name] = (tokens - 1, now)
        return 0.0

    def _drop_full(self, now: float) -> None:
        full = [k for k, (tokens, then) in self._buckets.items() if tokens + (now - then) * self._rate >= self._burst]
        for name in full:
            del self._buckets[name]


def make_token(entropy: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """256 random bits, safe in an address."""
    return base64.urlsafe_b64encode(entropy(TOKEN_BYTES)).rstrip(b"=").decode("ascii")


def hash_token(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def make_policy(recruiter: Recruiter) -> str:
    """The Content-Security-Policy: everything from here and nothing from elsewhere.

    Only a recruiter that shows the page in a frame may do so, and take the form at the end.
    """
    return "; ".join(
        [
            "default-src 'none'", "script-src 'self'", "style-src 'self'", "style-src-attr 'unsafe-inline'",
            "img-src 'self' data: blob:", "media-src 'self' blob:", "connect-src 'self'", "font-src data:",
            "base-uri 'none'", " ".join(["form-action", "'self'", *recruiter.sites]),
            " ".join(["frame-ancestors", *(recruiter.sites or ("'none'",))]),
        ]
    )  # fmt: skip


@final
class SecureHeaders:
    """ASGI middleware: checks where a request comes from, and puts the safe headers on every answer.

    Parameters
    ----------
    app : ASGI application
    policy : str
        Content-Security-Policy.
    framed : bool
        Whether a recruiter shows the page in a frame.
    public : str, optional
        The address that people see (``https://lab.example.org``, ``https://www.example.edu/lab/study1/``); without it
        only names of this machine are answered to, so that no other site's name can be pointed here. What lies under
        its path is served from there and from the root, since some proxies take the path off and others do not.
    lan : str, optional
        The path, of :func:`make_lan_path`, without which nothing is answered: for people in one network, whose link
        has it. This machine may then be named by any of its numbers, since no other site can be pointed at it by a
        number, and by its own name.
    """

    def __init__(self, app: ASGIApp, policy: str, framed: bool, public: str | None, lan: str | None = None) -> None:
        self._app = app
        self._public = None if public is None else PublicAddress.parse(public)
        self._lan = lan
        self._path = lan or ("" if self._public is None else self._public.path)
        headers = {
            "Content-Security-Policy": policy,
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        }
        if lan is not None:  # over plain http browsers say that they do not heed it
            del headers["Cross-Origin-Opener-Policy"]
        if not framed:
            headers["X-Frame-Options"] = "DENY"
        if self._public is not None and not self._public.path:  # a shared host decides that for itself
            headers["Strict-Transport-Security"] = "max-age=31536000"
        plain = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        self._static = [*plain, (b"cache-control", b"no-cache")]
        self._dynamic = [*plain, (b"cache-control", b"no-store")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        is_asked, scope = self._lan is None or self._is_below(scope["path"]), self._take_off_path(scope)
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                there = {name for name, _ in message["headers"]}
                fixed = self._static if scope["path"].startswith("/static/") else self._dynamic
                message["headers"] = [*message["headers"], *(each for each in fixed if each[0] not in there)]
            await send(message)

        try:
            if not is_asked:
                raise Refusal(404, "not_found", NO_PAGE)
            self._check(scope)
        except Refusal as refusal:
            await refusal.to_response(Headers(scope=scope))(scope, receive, send_with_headers)
            return
        if not scope["path"]:  # without a slash at its end, the page's own addresses would lead elsewhere
            query = scope["query_string"].decode("latin-1")
            slashed = RedirectResponse(f"{self._path}/{query and '?' + query}")
            await slashed(scope, receive, send_with_headers)
            return
        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            logger.exception("%s failed", scope["method"])  # the address may hold a participant's own names
            if not started:
                refusal = Refusal(500, "failed", "Something went wrong here. Please try again.", 2.0)
                await refusal.to_response(Headers(scope=scope))(scope, receive, send_with_headers)

    def _take_off_path(self, scope: Scope) -> Scope:
        """The request as it would be at the root of a host."""
        if not self._path or not self._is_below(scope["path"]):
            return scope
        rest = scope["path"].removeprefix(self._path)
        return {**scope, "path": rest, "raw_path": rest.encode()}

    def _is_below(self, path: str) -> bool:
        return hmac.compare_digest(f"{path}/"[: len(self._path) + 1].encode(), f"{self._path}/".encode())

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._public is None:
            if _strip_port(host) not in _LOOPBACK and not (self._lan is not None and _is_own(_strip_port(host))):
                raise Refusal(421, "host", f"This server answers to names of its own machine only. {_AS_GIVEN}")
            origins = (f"http://{host}",)
        else:
            own = self._public.origin
            if host.lower() != urlsplit(own).netloc and _strip_port(host) not in _LOOPBACK:
                raise Refusal(421, "host", f"This server does not answer to that name. {_AS_GIVEN}")
            origins = (own, f"http://{host}") if _strip_port(host) in _LOOPBACK else (own,)
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if (site is not None and site != "same-origin") or (origin is not None and origin not in origins):
            raise Refusal(403, "origin", "This was sent from another site.")


@final
@dataclass(frozen=True)
class PublicAddress:
    """Where people find a study.

    Attributes
    ----------
    origin : str
        ``https://www.example.edu``.
    path : str
        ``/lab/study1``, without a slash at its end; empty at the root of a host.
    """

    origin: str
    path: str

    @property
    def url(self) -> str:
        """What people open."""
        return f"{self.origin}{self.path}/" if self.path else self.origin

    @classmethod
    def parse(cls, address: str) -> PublicAddress:
        """``https://``, a name, and perhaps a path; anything else is refused.

        Raises
        ------
        InputError
            Another scheme, a user, a query, or a path of other characters than ``A-Z a-z 0-9 . _ ~ -``.

        Examples
        --------
        >>> PublicAddress.parse("https://www.example.edu/lab/study1")
        PublicAddress(origin='https://www.example.edu', path='/lab/study1')
        """
        parts = urlsplit(address)
        path = parts.path.rstrip("/")
        odd = parts.query or parts.fragment or parts.username or not _PATH.fullmatch(path) or "/../" in f"{path}/"
        if parts.scheme != "https" or not parts.hostname or odd or "/./" in f"{path}/":
            raise InputError(
                "the https address that people will open, such as https://lab.example.org or "
                "https://www.example.edu/lab/study1/", got=repr(address),
                hint="a reverse proxy with a certificate",
            )  # fmt: skip
        return cls(f"https://{parts.netloc.lower()}", path)


@suggest_keywords
def check_public(address: str) -> str:
    """The address that people open, in its one spelling; see :class:`PublicAddress`."""
    return PublicAddress.parse(address).url


def make_lan_path(secret: str) -> str:
    """The path that a link has in one network: 128 bits that follow from a secret, in hexadecimal digits, of a file."""
    return f"/{hmac.digest(bytes.fromhex(secret), b'lan', 'sha256').hex()[:32]}"


def _is_own(host: str) -> bool:
    """Whether a host is a number, or the name of this machine in its network."""
    own = socket.gethostname().lower().partition(".")[0]
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host.lower() in (own, f"{own}.local")
    return True


def _strip_port(host: str) -> str:
    name, mark, port = host.rpartition(":")
    return name if mark and port.isdigit() else host


async def read_json_body(request: Request, most: int) -> dict[str, Any]:
    """The body of a request: a JSON object of at most so many bytes, without NaN and without a name twice."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(415, "type", "Only application/json is read here.")
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > most:
        raise Refusal(413, "too_large", f"That is more than {most} bytes.")
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            body = bytearray()
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise Refusal(413, "too_large", f"That is more than {most} bytes.")
    except TimeoutError:
        raise Refusal(408, "slow", "That took too long to arrive.") from None
    except ClientDisconnect:
        raise Refusal(400, "invalid", "The connection ended before the request did.") from None
    try:
        value = json.loads(body, parse_constant=_refuse_constant, object_pairs_hook=_make_object)
    except (ValueError, RecursionError):
        raise Refusal(422, "invalid", "That is not JSON.") from None
    if not isinstance(value, dict):
        raise Refusal(422, "invalid", "Expected a JSON object.")
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: Mapping[str, Any] = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name twice")
    return dict(made)
