"""What runs inside a Dask worker: a look at its machine, and a fresh process that works through a plan.

This file reaches workers by value and imports the standard library only, so that a worker without Beholder, or with
another version, can say so.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

START = (
    "import pickle, sys; own = list(sys.path); given = pickle.load(sys.stdin.buffer); "
    "sys.path += [each for each in given if each not in own]; "
    "from beholder.jobs._serve import serve; serve()"
)
"""The caller's modules come after those of the worker's own environment."""

_SECONDS, _PATIENCE_SECONDS = 0.25, 5.0
_LOOKS = 3
_LOOK = """
import hashlib, pathlib, sys
sys.path += {paths!r}
import beholder
found = hashlib.sha256()
for path in sorted(pathlib.Path(beholder.__file__).parent.rglob("*.py")):
    found.update(path.read_bytes())
print(beholder.__version__, found.hexdigest())
"""
"""Version and content of the Beholder that a process there would import."""


def read_version(folder: str, paths: list[str]) -> tuple[str, str]:
    """What a fresh process imports as Beholder, or nothing and why it cannot.

    Returns
    -------
    tuple of str
        Version and hash of its source; the error.
    """
    line = [sys.executable, "-P", "-c", _LOOK.format(paths=paths)]
    found = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
    return found.stdout.strip(), "" if not found.returncode else (found.stderr.strip().splitlines() or ["no word"])[-1]


def look_at(parcel: str, folder: str, paths: list[str], version: str, dask_worker: Any = None) -> dict[str, Any]:
    """What a worker's machine is, and why it cannot take part, if it cannot.

    Parameters
    ----------
    parcel : str
        The file that holds the work, in the output's job folder.
    folder : str
        Where the caller works.
    paths : list of str
        The caller's ``sys.path``.
    version : str
        Of the caller's Beholder, as :func:`read_version` gives it.
    dask_worker : distributed.Worker
        Where this runs; Dask gives it.
    """
    own = {
        "name": f"worker {dask_worker.name}",
        "host": socket.gethostname(),
        "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "n_gpus": _count_gpus(),
    }
    problem = ""
    if not os.path.isdir(folder):  # noqa: PTH112
        problem = f"it does not see {folder}, where the command was started"
    elif not _wait_for(parcel):
        problem = f"it does not see {os.path.dirname(parcel)}, the folder beside the output"  # noqa: PTH120
    elif not os.access(os.path.dirname(parcel), os.W_OK):  # noqa: PTH120
        problem = f"it must not write to {os.path.dirname(parcel)}, the folder beside the output"  # noqa: PTH120
    else:
        other, error = read_version(folder, paths)
        if error:
            problem = f"{sys.executable} there cannot import beholder: {error}"
        elif other != version:
            is_newer = other.split()[0] != version.split(maxsplit=1)[0]
            problem = f"it has Beholder {other.split()[0]}, the command " + (
                version.split(maxsplit=1)[0] if is_newer else "the same version with other code"
            )
    return {**own, "problem": problem}


def _wait_for(path: str) -> bool:
    """Whether a file that was just written elsewhere is seen here, which network file systems take their time for."""
    for _ in range(_LOOKS):
        with contextlib.suppress(OSError):
            if os.path.basename(path) in os.listdir(os.path.dirname(path)):  # noqa: PTH119, PTH120, PTH208
                return True
        time.sleep(1)
    return False


def _count_gpus() -> int:
    with contextlib.suppress(OSError):
        return sum(name.removeprefix("nvidia").isdecimal() for name in os.listdir("/dev"))  # noqa: PTH208
    return 0


def serve_plan(orders: bytes, folder: str, topic: str, name: str, settings: Mapping[str, str]) -> tuple[str, Any]:
    """Work through a plan in a fresh process; what it says goes to the caller as events, how it ended is returned.

    Parameters
    ----------
    orders : bytes
        What the process reads first.
    folder : str
        Where it works.
    topic : str
        Of the events: ``[name, kind, value]``.
    name : str
        Of the worker, in the events.
    settings : mapping
        Environment variables.

    Returns
    -------
    tuple
        ``("end", None)``; ``("error", (data, line, text))``; ``("died", (how, was_ready, last words))``; or
        ``("left", None)``, where the caller has cancelled or gone.
    """
    from distributed import get_worker  # type: ignore[import-not-found]
    from distributed.worker import thread_state  # type: ignore[import-not-found]

    worker, key = get_worker(), thread_state.key

    def is_wanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state not in ("cancelled", "resumed")

    child = subprocess.Popen(
        [sys.executable, "-P", "-c", START], cwd=folder, env={**os.environ, **settings},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        with contextlib.suppress(OSError):
            child.stdin.write(orders)  # type: ignore[union-attr]
            child.stdin.flush()  # type: ignore[union-attr]
        return _listen(child, is_wanted, lambda kind, value: worker.log_event(topic, [name, kind, value]))
    finally:
        _end(child)
        worker.log_event(topic, [name, "gone", None])


def _listen(
    child: subprocess.Popen[bytes], is_wanted: Callable[[], bool], tell: Callable[[str, Any], None]
) -> tuple[str, Any]:
    said: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    words: deque[str] = deque(maxlen=1)
    threads = [threading.Thread(target=read, args=args, daemon=True) for read, args in (
        (_read_messages, (child, said)), (_read_words, (child, words)))]  # fmt: skip
    for thread in threads:
        thread.start()
    was_ready, done, told = False, 0.0, time.monotonic()
    while True:
        if time.monotonic() - told >= _SECONDS:
            told = time.monotonic()
            if not is_wanted():
                return "left", None
            if done:
                tell("done", done)
                done = 0.0
            if child.poll() is not None and not threads[0].is_alive():
                said.put(("", None))
        try:
            kind, value = said.get(timeout=_SECONDS)
        except queue.Empty:
            continue
        if kind == "done":
            done += value
            continue
        if done:
            tell("done", done)
            done = 0.0
        if kind in ("end", "error"):
            return kind, value
        if not kind:
            child.wait()
            threads[1].join(_SECONDS)
            return "died", (_describe_exit(child.returncode), was_ready, words[0] if words else "")
        was_ready = was_ready or kind == "ready"
        tell(kind, value)


def _read_messages(child: subprocess.Popen[bytes], said: queue.SimpleQueue[tuple[str, Any]]) -> None:
    assert child.stdout is not None
    with contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
        while True:
            said.put(pickle.load(child.stdout))
    said.put(("", None))


def _read_words(child: subprocess.Popen[bytes], words: deque[str]) -> None:
    assert child.stderr is not None
    for line in child.stderr:
        text = line.decode(errors="replace").rstrip()
        if text:
            words.append(text)
            sys.stderr.write(text + "\n")


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    for stream in (child.stdin, child.stdout, child.stderr):
        with contextlib.suppress(OSError):
            stream.close()  # type: ignore[union-attr]


def _describe_exit(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
