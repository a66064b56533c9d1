"""Runs what a page tells to type: its commands as a shell reads them, in this process, and its Python."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from beholder.cli._main import INTERRUPTED, run, set_up_logging, split_globals

from .conftest import Block


def iter_lines(block: Block) -> Iterator[tuple[int, str]]:
    """Lines that a shell is given, each with its number in the page: prompts taken off, broken ones joined."""
    begun, number = "", block.line
    for i, line in enumerate(block.body.splitlines()):
        if not begun:
            number = block.line + i
            line = line.removeprefix("$ ")
        begun += line
        if begun.endswith("\\") or begun.count("'") % 2:
            begun += "\n"
            continue
        if begun.strip() and not begun.startswith("#"):
            yield number, begun
        begun = ""


def split_commands(line: str, folder: Path) -> list[list[str]]:
    """The words of each call of ``beholder``, as bash has them there: quotes, patterns of names, variables.

    Any other program ends the test: none is found.
    """
    script = f"beholder() {{ printf '%s\\0' beholder \"$@\"; }}\nset -e\n{line}"
    shell = {"PATH": "", "HOME": str(folder)}
    done = subprocess.run(["/bin/bash", "-c", script], cwd=folder, env=shell, capture_output=True, check=False)
    assert done.returncode == 0, f"{line}\n{done.stderr.decode()}"
    commands: list[list[str]] = []
    for word in done.stdout.decode().split("\0")[:-1]:
        if word == "beholder":
            commands.append([])
        else:
            commands[-1].append(word)
    return commands


@contextlib.contextmanager
def kept_logger() -> Iterator[None]:
    """Put the logger back as it was."""
    logger = logging.getLogger("beholder")
    before = logger.handlers[:], logger.level, logger.propagate
    try:
        yield
    finally:
        logger.handlers[:], logger.propagate = before[0], before[2]
        logger.setLevel(before[1])


def run_command(words: Sequence[str], where: str, code: int = 0) -> str:
    """Run a command to its end, or press Ctrl-C once it stands and would go on for ever; what it wrote."""
    given, endless = list(words), is_endless(words)
    if endless and words[1] == "serve":
        port = find_port()
        given += ["--port", str(port)]
    else:
        port = None
    tokens, quiet, verbose = split_globals(given)
    out, err = io.StringIO(), io.StringIO()
    with (
        kept_logger(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", ["beholder", *given]),
        press_ctrl_c(out, port) if endless else contextlib.nullcontext(),
    ):
        set_up_logging(quiet, verbose)
        ended = run(tokens)
    said = out.getvalue() + err.getvalue()
    assert ended == code or (endless and ended == INTERRUPTED), f"{where}: beholder {' '.join(words)}\n{said}"
    return said


def is_endless(words: Sequence[str]) -> bool:
    """Whether a command runs until Ctrl-C."""
    return list(words[:2]) == ["tasks", "serve"] or "--watch" in words


def find_port() -> int:
    """One that is free."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def press_ctrl_c(out: io.StringIO, port: int | None) -> Iterator[None]:
    """Press Ctrl-C as soon as a server answers at ``port``, or, without one, something has been said."""
    over = threading.Event()

    def press() -> None:
        for _ in range(1000):
            said = out.getvalue()
            host = re.search(r"^open http://([^:/]+):", said, re.MULTILINE)
            if (said if port is None else answers(host[1] if host else "127.0.0.1", port)) or over.wait(0.02):
                break
        if not over.is_set():
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # of a process in the background it is ignored
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        signal.signal(signal.SIGINT, before)


def answers(host: str, port: int) -> bool:
    """Whether a server is there that speaks HTTP, whatever it says."""
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/", timeout=10):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def run_python(block: Block, page: Path, names: dict[str, Any]) -> None:
    """Run a snippet, with the page's own line numbers in what it raises."""
    source = "\n" * (block.line - 1) + block.body
    exec(compile(source, str(page), "exec", dont_inherit=True), names)
