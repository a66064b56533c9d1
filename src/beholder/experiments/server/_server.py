"""The server: one built folder, one file of answers, one address."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import logging
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from beholder._core.errors import InputError, OutputError, suggest_keywords
from beholder._core.hashing import hash_settings
from beholder.experiments.build._bundle import bundle_scripts
from beholder.experiments.build._content import hash_experiment
from beholder.experiments.flow._experiment import MEDIA_TYPES, Experiment, Trial
from beholder.experiments.flow._page_files import PAGE_TYPES, STATIC, list_page_files
from beholder.experiments.server._api import Api, refuse, refuse_http
from beholder.experiments.server._clock import SteadyClock, find_last_time
from beholder.experiments.server._participants import ParticipantBook
from beholder.experiments.server._security import Limits, Refusal, SecureHeaders, make_lan_path, make_policy
from beholder.experiments.settings._kinds import require_page
from beholder.experiments.settings._recruiters import get_recruiter
from beholder.experiments.settings._settings import complete_settings
from beholder.responses import (
    Description,
    ResponseStore,
    TrialKey,
    connect_for_reading,
    get_answer_form,
    open_responses,
    read_description,
    refuse_other,
)

if TYPE_CHECKING:
    import uvicorn

logger = logging.getLogger("beholder")

RELEASE_AFTER_S = 2 * 3600.0
"""Who does nothing for so long, and is not through, no longer counts as taking a task."""

_START_SECONDS = 20.0
_MAIN = "js/main.js"


@suggest_keywords
def open_store(
    experiment: Experiment, db: Path | str, *, entropy: Callable[[int], bytes] = secrets.token_bytes
) -> ResponseStore:
    """Open the file of answers of an experiment for writing, making it if it is not there.

    Parameters
    ----------
    experiment : Experiment
        A built folder. What it knows of its trials is kept in the file, so that export needs the file alone.
    db : path
    entropy : callable
        So many random bytes, for the file's keys. Anything but the default is for simulations on this machine alone.

    Raises
    ------
    ConfigurationChanged
        The file has answers to another experiment, or the built folder changed.
    InputError
        The folder cannot be served.
    """
    check_experiment(experiment)
    keys = [_make_key(0, trial) for trial in experiment.practice]
    keys += [_make_key(task.index, trial) for task in experiment.tasks for trial in task.trials]
    return open_responses(db, describe_experiment(experiment), keys, entropy=entropy, complete=complete_settings)


@suggest_keywords
def check_answers(experiment: Experiment, db: Path | str) -> None:
    """Refuse a file of answers to another experiment, naming the first differences.

    Raises
    ------
    ConfigurationChanged
        It is one.
    """
    with contextlib.closing(connect_for_reading(db)) as connection:
        refuse_other(read_description(connection), describe_experiment(experiment), str(db), complete_settings)


def describe_experiment(experiment: Experiment) -> Description:
    """What a file of answers keeps of its experiment, with a fingerprint of every task."""
    tasks = {f"task_{task.index}": _fingerprint(experiment.path, task.trials) for task in experiment.tasks}
    if experiment.practice:
        tasks["practice"] = _fingerprint(experiment.path, experiment.practice)
    settings = experiment.settings.to_dict()
    return Description(experiment.kind, settings, tasks, experiment.plan_hash, hash_experiment(experiment))


def check_experiment(experiment: Experiment) -> None:
    """Refuse what could not be served to its end."""
    settings = experiment.settings
    n, n_practice = len(experiment.practice), settings.practice.n_trials
    if 0 < n < n_practice:
        raise InputError(f"{n_practice} practice trials, as the settings say", got=f"{n} in {experiment.path}")
    if not n and n_practice:
        logger.warning("%s has no practice trials: nobody practises", experiment.path)
    if get_answer_form(settings.kind).needs_choices and not settings.choices:
        raise InputError("choices in the settings", got=f"none, for the kind {settings.kind}")
    for trial in (*experiment.practice, *(trial for task in experiment.tasks for trial in task.trials)):
        if trial.levels and settings.adaptive is None:
            raise InputError("adaptive settings for adaptive trials", got="none", hint='"adaptive" in the plan')
        for path in trial.files.values():
            if path.suffix.lower() not in MEDIA_TYPES:
                raise InputError(f"pictures or sounds ({', '.join(MEDIA_TYPES)})", got=str(path))


@suggest_keywords
def create_app(
    experiment: Experiment,
    store: ResponseStore,
    *,
    clock: Callable[[], float] | None = None,
    limits: Limits | None = Limits(),  # noqa: B008
    public: str | None = None,
    lan: bool = False,
    release_after_s: float = RELEASE_AFTER_S,
    per_task: int | None = None,
    fill: str = "finished",
    entropy: Callable[[int], bytes] = secrets.token_bytes,
) -> Starlette:
    """The application that serves an experiment.

    Parameters
    ----------
    experiment : Experiment
    store : ResponseStore
        Of :func:`open_store`; closed by whoever opened it.
    clock : callable
        Seconds since 1970; everything that the server times goes by it. By default the machine's, read once and
        counted on from there: setting it while people take part changes nothing.
    limits : Limits or None
        How much one participant may ask for; None: as much as they like.
    public : str, optional
        The address that people see, ``https://…``, with a path where it is not a host of its own; without it only names
        of this machine are answered to.
    lan : bool
        Answer to this machine's numbers and its name in its network too, below a path that follows from a secret of the
        file of answers, and to nothing else.
    release_after_s : float
        Who does nothing for so many seconds, and is not through, no longer counts as taking a task.
    per_task : int, optional
        How many may take a task; when all are taken so often, the next person is told that it is full.
    fill : {"finished", "included"}
        Whose places are taken: of everybody who is through, or only of those of them who break no rule of exclusion.
    entropy : callable
        So many random bytes, for names and tokens. Anything but the default is for simulations on this machine alone.
    """
    clock = clock or SteadyClock(find_last_time(store))
    book = ParticipantBook(experiment, store, clock, release_after_s, per_task, fill, entropy)
    api = Api(book, limits)
    recruiter = get_recruiter(experiment.settings.recruiter)
    path = make_lan_path(store.read_meta("addresses")) if lan else None
    policy, framed = make_policy(recruiter), bool(recruiter.sites)
    secure = Middleware(SecureHeaders, policy=policy, framed=framed, public=public, lan=path)
    handlers: dict[Any, Any] = {Refusal: refuse, HTTPException: refuse_http}
    files = list_page_files(experiment.kind)
    files[_MAIN] = bundle_scripts(_MAIN, files=files).encode()  # one request instead of one for each module
    return Starlette(
        routes=[
            Route("/", _shell, methods=["GET"]),
            *api.list_routes(),
            *(_make_file_route(path, content) for path, content in files.items()),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[secure],
        exception_handlers=handlers,
    )


@final
@dataclass(frozen=True)
class RunningServer:
    """A server that runs in a thread of this process.

    Attributes
    ----------
    url : str
        ``http://127.0.0.1:PORT``.
    """

    url: str


@suggest_keywords
@contextlib.contextmanager
def open_server(
    experiment: Experiment,
    store: ResponseStore,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    clock: Callable[[], float] | None = None,
    limits: Limits | None = Limits(),  # noqa: B008
    public: str | None = None,
    lan: bool = False,
    release_after_s: float = RELEASE_AFTER_S,
    per_task: int | None = None,
    fill: str = "finished",
    entropy: Callable[[int], bytes] = secrets.token_bytes,
) -> Iterator[RunningServer]:
    """Serve in a thread of this process while the block runs.

    Parameters
    ----------
    experiment, store
        As for :func:`create_app`.
    host, port
        Where; port 0 takes a free one.
    clock, limits, public, lan, release_after_s, per_task, fill, entropy
        As for :func:`create_app`.
    """
    app = create_app(
        experiment, store, clock=clock, limits=limits, public=public, lan=lan, release_after_s=release_after_s,
        per_task=per_task, fill=fill, entropy=entropy,
    )  # fmt: skip
    with contextlib.closing(_listen(host, port)) as listener:
        server = _make_server(app)
        with _run_apart(server, listener) as ended:
            deadline = time.monotonic() + _START_SECONDS
            while not server.started:
                if ended.is_set() or time.monotonic() > deadline:
                    raise OutputError(f"expected a server on {host}:{port}; got none within {_START_SECONDS:.0f} s")
                time.sleep(0.005)
            yield RunningServer(_make_url(listener, store if lan else None))


@suggest_keywords
def serve(
    experiment: Experiment,
    store: ResponseStore,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    on_start: Callable[[str], None] = lambda url: None,
    clock: Callable[[], float] | None = None,
    limits: Limits | None = Limits(),  # noqa: B008
    public: str | None = None,
    lan: bool = False,
    release_after_s: float = RELEASE_AFTER_S,
    per_task: int | None = None,
    fill: str = "finished",
    entropy: Callable[[int], bytes] = secrets.token_bytes,
) -> None:
    """Serve until interrupted (Ctrl-C, SIGTERM, a notebook's stop button): requests that run are finished first.

    Parameters
    ----------
    experiment, store
        As for :func:`create_app`.
    host, port
        Where; port 0 takes a free one.
    on_start : callable
        Called with the server's address once it listens.
    clock, limits, public, lan, release_after_s, per_task, fill, entropy
        As for :func:`create_app`.

    Raises
    ------
    InputError
        The kind of task has no page; the address is not free.
    """
    require_page(experiment.settings)
    app = create_app(
        experiment, store, clock=clock, limits=limits, public=public, lan=lan, release_after_s=release_after_s,
        per_task=per_task, fill=fill, entropy=entropy,
    )  # fmt: skip
    with contextlib.closing(_listen(host, port)) as listener:
        on_start(_make_url(listener, store if lan else None))
        with _spare_answers_from_garbage():
            _run_server(_make_server(app), listener)


@contextlib.contextmanager
def _spare_answers_from_garbage() -> Iterator[None]:
    """Have Python look for garbage among young objects, and hardly ever among all.

    That stops the server for as long as dozens of answers take, and finds next to nothing in what thousands of
    participants hold.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(20_000, 50, 1_000)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _make_server(app: Starlette) -> uvicorn.Server:
    import uvicorn

    from beholder.experiments.server._protocol import TimedProtocol

    return uvicorn.Server(
        uvicorn.Config(
            app, http=TimedProtocol, access_log=False, log_config=None, log_level="warning", server_header=False,
            date_header=False, proxy_headers=False, lifespan="off", timeout_keep_alive=75,
            timeout_graceful_shutdown=10, ws="none", h11_max_incomplete_event_size=16 * 1024,
        )
    )  # fmt: skip


def _run_server(server: uvicorn.Server, listener: socket.socket) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        if not _is_in_loop():
            asyncio.run(server.serve(sockets=[listener]))
            return
        with _run_apart(server, listener) as ended:
            while not ended.wait(0.2):  # in Windows no interrupt is heard of while it waits
                pass


def _is_in_loop() -> bool:
    """Whether an event loop runs in this thread, as a notebook's does: it has no room for another."""
    with contextlib.suppress(RuntimeError):
        asyncio.get_running_loop()
        return True
    return False


@contextlib.contextmanager
def _run_apart(server: uvicorn.Server, listener: socket.socket) -> Iterator[threading.Event]:
    """Serve in a thread; what is given is set when it ends."""
    ended = threading.Event()  # an interrupted ``Thread.join`` would take the thread for ended

    def run() -> None:
        try:
            _run_server(server, listener)
        finally:
            ended.set()

    thread = threading.Thread(target=run, name="beholder-server", daemon=True)
    thread.start()
    try:
        yield ended
    finally:
        server.should_exit = True
        thread.join()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # else answers wait for Nagle
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise InputError(
            "an address and port that are free", got=f"{host}:{port} ({error})", hint="another --port"
        ) from error
    listener.listen(2048)
    return listener


def _make_url(listener: socket.socket, lan: ResponseStore | None) -> str:
    """Where it is found; ``lan``: by others in the network, with the path of this file of answers."""
    host, port = listener.getsockname()[:2]
    if lan is not None and host in ("0.0.0.0", "::"):
        host = _find_address()
    path = "" if lan is None else f"{make_lan_path(lan.read_meta('addresses'))}/"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{path}"


def _find_address() -> str:
    """The number of this machine in its network; its own number for itself where it is in none."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect(("192.0.2.1", 9))  # nothing is sent: the system says from where it would be
        return str(asking.getsockname()[0])
    with contextlib.suppress(OSError):
        return socket.gethostbyname(socket.gethostname())
    return "127.0.0.1"


def _make_file_route(path: str, content: bytes) -> Route:
    """A file of the page that is made or that another package brings, as it was when the server began."""
    known = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
    answer = Response(content, media_type=PAGE_TYPES[PurePosixPath(path).suffix], headers=known)
    same = Response(status_code=304, headers=known)

    async def send(request: Request) -> Response:
        return same if request.headers.get("if-none-match") == known["ETag"] else answer

    return Route(f"/static/{path}", send, methods=["GET"])


async def _shell(request: Request) -> Response:
    return FileResponse(STATIC / "index.html", media_type="text/html", headers={"Cache-Control": "no-store"})


def _fingerprint(root: Path, trials: tuple[Trial, ...]) -> str:
    """What would change if a task's folder did: keys, names and sizes of files."""
    rows = [
        {
            "n": trial.n,
            "key": _list_key(trial),
            "files": {
                slot: [path.relative_to(root).as_posix(), path.stat().st_size] for slot, path in trial.files.items()
            },
        }
        for trial in trials
    ]
    return hash_settings(rows)[:16]


def _list_key(trial: Trial) -> list[Any]:
    unit = None if trial.unit is None else str(trial.unit)
    return [trial.role, trial.mode, unit, trial.correct, dict(trial.conditions), list(trial.levels)]


def _make_key(task: int, trial: Trial) -> TrialKey:
    unit = trial.unit
    facts = None if unit is None else {
        "model": unit.model, "layer": unit.layer, "channel": unit.channel, "batch": unit.batch,
    }  # fmt: skip
    return TrialKey(task, trial.n, trial.role, trial.mode, facts, trial.correct, dict(trial.conditions), trial.levels)
