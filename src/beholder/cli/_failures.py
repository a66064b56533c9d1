"""Failures in one line, expected, got, try, with the exit code that goes with them."""

from __future__ import annotations

import contextlib
import importlib.metadata
import re
from collections.abc import Iterator, Mapping

from cyclopts import App, CycloptsError
from cyclopts.exceptions import UnknownCommandError, UnknownOptionError, ValidationError

from beholder._core.errors import BeholderError, find_near_names

FAILED, WRONG_INPUT = 1, 2

_LONG_FLAG = re.compile(r"(?<![\w-])--[a-z][^\s\"',.;?=]*")
_PACKAGES = {"PIL": "pillow", "open_clip": "open_clip_torch", "google_crc32c": "google-crc32c"}
"""Packages whose modules have another name."""


def describe_failure(error: Exception, typed: Mapping[str, str], app: App) -> tuple[str, int]:
    """One line and an exit code for whatever a command raised.

    Parameters
    ----------
    error : Exception
    typed : mapping of str to str
        Long flags, spelled with dashes, to what the user typed.
    app : App
        With all commands.
    """
    if isinstance(error, CycloptsError):
        return _describe_usage_error(error, typed, app), WRONG_INPUT
    if isinstance(error, BeholderError):
        return str(error), error.exit_code
    if isinstance(error, ModuleNotFoundError) and (missing := _describe_missing_package(error)):
        return missing, WRONG_INPUT
    if isinstance(error, MemoryError):
        return "expected enough memory; try fewer layers at a time, --pool mean or a smaller --batch_size", FAILED
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{text[:300]} (run with --verbose for the traceback)", FAILED


def describe_stop(stop: KeyboardInterrupt) -> str:
    """One line after Ctrl-C: whether anything is kept, so that the same command goes on from it.

    >>> describe_stop(KeyboardInterrupt())
    'stopped'
    """
    notes: list[str] = getattr(stop, "__notes__", [])
    is_kept = any("are kept" in note for note in notes)
    return "stopped; finished parts are kept: run again, the same command goes on from them" if is_kept else "stopped"


def _describe_missing_package(error: ModuleNotFoundError) -> str | None:
    """How to install what Beholder needs, where the environment has been kept small."""
    module = (error.name or "").partition(".")[0]
    package = _PACKAGES.get(module, module)
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for line in importlib.metadata.requires("beholder") or ():
            named = re.match(r"[\w.-]+", line)
            if "extra ==" not in line and named and named[0] == package:
                return f"expected the package {package!r}; got an environment without it; try pip install {package}"
    return None


def _describe_usage_error(error: CycloptsError, typed: Mapping[str, str], app: App) -> str:
    command = " ".join(["beholder", *(error.command_chain or ())])
    if isinstance(error, UnknownOptionError) and error.token is not None:
        return _describe_unknown_flag(error, error.token.keyword or error.token.value, typed, command)
    if isinstance(error, UnknownCommandError):
        got = error.unused_tokens[0] if error.unused_tokens else ""
        hint = suggest_command(got, error.app or app, app) or f"{command} --help"
        return f"expected a command of {command}; got {got!r}; try {hint}"
    if isinstance(error, ValidationError) and error.argument is not None and error.argument.tokens:
        token = error.argument.tokens[0]
        name = typed.get(token.keyword, _spell(token.keyword)) if token.keyword else error.argument.name
        given = " ".join(each.value for each in error.argument.tokens)
        return f"expected {error.exception_message} for {name}; got {given}; try {command} --help"
    text = _LONG_FLAG.sub(lambda flag: typed.get(flag[0], _spell(flag[0])), " ".join(str(error).split()))
    return f"{text.rstrip('.')}; try {command} --help"


def suggest_command(got: str, here: App, root: App) -> str:
    """The commands that a word comes near: those of the group it was typed in, else any other."""
    own = find_near_names(got, [name for name in here if not name.startswith("-")])
    if own:
        return " or ".join(own)
    others = {chain[-1]: "beholder " + " ".join(chain) for chain in _list_chains(root)}
    return " or ".join(others[name] for name in find_near_names(got, others))


def _list_chains(app: App, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command by its words."""
    for name in app:
        if not name.startswith("-"):
            yield (*words, name)
            yield from _list_chains(app[name], (*words, name))


def _describe_unknown_flag(error: UnknownOptionError, got: str, typed: Mapping[str, str], command: str) -> str:
    known = [name for argument in error.argument_collection or () for name in argument.names if name[0] == "-"]
    if got.startswith("--"):
        near = find_near_names(got, [name for name in known if name.startswith("--")])
    else:  # a short flag that is none: the long ones that begin like it
        near = [name for name in known if name.startswith(f"-{got}")][:3]
    hint = " or ".join(_spell(name) for name in near) or f"{command} --help"
    return f"expected a flag of {command}; got {typed.get(got, got)}; try {hint}"


def _spell(flag: str) -> str:
    """A flag as the documents write it: ``--batch_size``, ``-mn``."""
    return "--" + flag[2:].replace("-", "_") if flag.startswith("--") else flag
