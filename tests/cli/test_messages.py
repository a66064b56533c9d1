"""Every message of the package: its flags are keywords in Python, its commands can be pasted into a shell."""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import inspect
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts.exceptions import MissingArgumentError

import beholder
from beholder._core.wording import use_keywords
from beholder.activations.extraction._plan import ExtractOptions
from beholder.cli._main import app, split_globals
from beholder.synthesis.visualizations._plan import VisualizationOptions

from .test_every_flag import APPS

SOURCE = Path(beholder.__file__).parent
ROOMS = (
    "activations",
    "demo",
    "evaluation",
    "experiments",
    "models",
    "report",
    "responses",
    "stimuli",
    "synthesis",
    "units",
)
AWKWARD = "my Größe/a'b $HOME"
"""What is filled into a message through ``shlex``; all else stands as UNQUOTED."""

COMMAND = re.compile(r"`[^`]*`|\bbeholder [a-z].*?(?=;|$)")
PRINTED = re.compile(r"`(beholder [a-z][^`]*)`|^(beholder [a-z][^;`]*?)(?:, | to |$)")
FLAG = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*(?!\w)")
OTHERS = {
    "--UNQUOTED",
    "-UNQUOTED",
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "-P",
    "-c",
    "-m",
    "-journal",
    "-wal",
    "-shm",
    "-inf",
    "-d²",
}
"""What looks like a flag of Beholder's and is none: filled in, of Chromium and Python, in names and numbers."""
SCRIPTS = ("jobs/_queues", "jobs/_scripts", "jobs/_steps")
"""Files that write scripts for other programs, with these programs' flags."""
ONLY_THERE = {"--browser", "--no_shuffle", "-D"}
"""Of commands whose functions have no such keyword; parts of commands that are printed whole."""


def list_texts(path: Path) -> Iterator[tuple[str, str]]:
    """Where each string of a file stands that is no docstring, and the string."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    skipped = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    skipped |= {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    file = path.relative_to(SOURCE)
    for node in nodes:
        if id(node) in skipped:
            continue
        if isinstance(node, ast.JoinedStr):
            yield f"{file}:{node.lineno}", "".join(_fill(part) for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield f"{file}:{node.lineno}", node.value


def _fill(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    assert isinstance(part, ast.FormattedValue)
    if part.format_spec is not None and ast.unparse(part.format_spec) == "f'd'":
        return "1"  # a whole number, which needs no quotes
    return shlex.quote(AWKWARD) if ast.unparse(part.value).startswith("shlex.") else "UNQUOTED"


@functools.cache
def read_texts() -> list[tuple[str, str]]:
    """Those of all files."""
    return [text for path in sorted(SOURCE.rglob("*.py")) if path.name != "wording.py" for text in list_texts(path)]


def list_keywords() -> set[str]:
    """Parameters of all public functions, fields and methods of public classes."""
    things: list[object] = [ExtractOptions, VisualizationOptions]
    for room in (beholder, *(importlib.import_module(f"beholder.{name}") for name in ROOMS)):
        for name in getattr(room, "__all__", dir(room)):
            thing = getattr(room, name, None)
            things += [thing, *(vars(thing).values() if inspect.isclass(thing) else ())]
    found: set[str] = set()
    for thing in things:
        if inspect.isfunction(thing) or inspect.isclass(thing):
            with contextlib.suppress(ValueError):  # an exception of Python's own has no signature
                found |= set(inspect.signature(thing).parameters)
    return found


def test_flags_in_messages_are_keywords_in_python() -> None:
    known, n_flags = list_keywords(), 0
    for where, text in read_texts():
        if where.startswith(("cli/", *SCRIPTS)):
            continue
        flags = set(FLAG.findall(COMMAND.sub("", text))) - OTHERS - ONLY_THERE
        n_flags += len(flags)
        for flag in flags:
            assert use_keywords(flag).partition("=")[0] in known, (where, text)
        left = set(FLAG.findall(COMMAND.sub("", use_keywords(text)))) - OTHERS - {"--no_shuffle", "-D"}
        assert not left, (where, text)
    assert n_flags > 100


def test_switches_in_messages_are_true_in_python() -> None:
    switches = {
        each.names[0].lstrip("-").replace("-", "_")
        for words, command in APPS.values()
        for each in command.assemble_argument_collection()
        if each.hint is bool
    }
    known, told = list_keywords(), set()
    for where, text in read_texts():
        if not where.startswith(("cli/", *SCRIPTS)):
            told |= {flag.lstrip("-") for flag in FLAG.findall(COMMAND.sub("", text))} & switches & known
    assert len(told) > 5
    assert not [name for name in told if use_keywords(f"try --{name}") != f"try {name}=True"]


def test_printed_commands_are_commands() -> None:
    """What is filled in is quoted; a command that is only named may lack arguments."""
    n_commands = 0
    for where, text in read_texts():
        for quoted, bare in PRINTED.findall(text):
            words = shlex.split(quoted or bare)
            n_commands += 1
            assert words[0] == "beholder"
            with contextlib.suppress(MissingArgumentError):
                try:
                    app.parse_args(split_globals(words[1:])[0], exit_on_error=False, print_error=False)
                except MissingArgumentError:
                    raise
                except Exception as error:
                    pytest.fail(f"{where}: {text}: {error}")
            if "UNQUOTED" in (quoted or bare):
                assert where.partition(":")[0] in SAFE, f"{where}: {text}: shlex.quote what is filled in"
    assert n_commands > 50


SAFE = {
    "stimuli/assets/_files.py", "stimuli/assets/_manifest.py", "models/sources/_audio.py",
    "models/sources/_metamers.py", "experiments/design/_unit_checks.py", "analysis/encoding/_published.py",
}  # fmt: skip
"""Files whose commands are filled with names of published files and numbers, which need no quotes."""


@pytest.mark.parametrize(
    ("module", "told"),
    [
        ("pandas", "expected the package 'pandas'; got an environment without it; try pip install pandas"),
        ("PIL", "expected the package 'pillow'; got an environment without it; try pip install pillow"),
        ("of_somebody", "ModuleNotFoundError: import of of_somebody halted"),
    ],
)
def test_a_package_that_is_missing_is_named_as_pip_knows_it(monkeypatch, beholder, module: str, told: str) -> None:
    def fail(*_: object, **__: object) -> None:
        importlib.import_module(module)

    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr("beholder.responses.read_status", fail)
    code, _, err = beholder("tasks", "status", "--db", "a.sqlite")
    assert told in err and err.count("\n") == 1 and code == (1 if module == "of_somebody" else 2)
