"""The ``beholder`` command: its groups, and how errors reach the terminal."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType

from cyclopts import App, CycloptsError
from cyclopts.exceptions import UnknownCommandError, UnknownOptionError, ValidationError

from beholder import __version__
from beholder._core.errors import BeholderError, find_near_names
from beholder._core.files import explain_write_errors
from beholder._core.progress import set_quiet
from beholder._core.wording import at_command_line

logger = logging.getLogger("beholder")

INTERRUPTED, TERMINATED = 130, 143
"""Exit codes after Ctrl-C and SIGTERM, as shells give them."""

COMMANDS = {
    "demo": ("beholder.cli.demo:app", "The whole flow on a bundled network and drawn pictures, offline."),
    "models": ("beholder.cli.models:app", "List the networks that can be loaded; fetch weights ahead of time."),
    "assets": ("beholder.cli.assets:app", "Published stimuli, checkpoints and data: list, fetch, verify."),
    "layers": ("beholder.cli.layers:app", "Show a network's layers with output shapes, without its weights."),
    "extract": ("beholder.cli.extract:app", "Activations of one network's layers over a folder of stimuli."),
    "panel": ("beholder.cli.panel:app", "Many networks x folders x replicates, one HDF5 file a folder."),
    "stimuli": ("beholder.cli.stimuli:app", "Stimuli made from stimuli: the same ones at graded levels."),
    "units": ("beholder.cli.units:app", "Units of a network: sample, record, find exemplars, optimize stimuli."),
    "tasks": ("beholder.cli.tasks:app", "Experiments with people: plan, build, serve, simulate, export."),
    "metamers": ("beholder.cli.metamers:app", "Metamers: what a network cannot tell apart, and how others judge it."),
    "analyze": ("beholder.cli.analyze:app", "Networks compared with brains, people and other networks."),
    "show": ("beholder.cli.show:app", "What a store, HDF5 or results file holds, without reading its data."),
    "verify": ("beholder.cli.verify:app", "Whether outputs hold what was written; what does not is made anew."),
    "report": ("beholder.cli.report:app", "One self-contained HTML page of everything found in a folder."),
}
"""Command to where it lives and what it does; a command's module is imported when it is called."""

app = App(
    name="beholder",
    help="""Neural networks as observers in perception experiments.

    Every command takes --quiet (results only) and --verbose (details, and tracebacks of failures).

    Example: beholder extract --model_name squeezenet1_1 --module_name features.12 --pretrained --in_path images/""",
    version=__version__,
    exit_on_error=False,
    print_error=False,
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
for _name, (_target, _help) in COMMANDS.items():
    app.command(_target, name=_name, help=_help)


_as_typed: dict[str, str] = {}
_FLAG = re.compile(r"--?[A-Za-z][\w-]*")
_LONG_FLAG = re.compile(r"(?<![\w-])--[a-z][^\s\"',.;?=]*")


class Terminated(KeyboardInterrupt):
    """SIGTERM came: the work ends as after Ctrl-C."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 it failed, 2 the input was wrong, 130 Ctrl-C, 143 SIGTERM."""
    tokens, quiet, verbose = split_globals(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a path may hold what the terminal cannot show
    set_up_logging(quiet, verbose)
    signal.signal(signal.SIGTERM, _terminate)
    code = run(tokens, verbose)
    if code in (INTERRUPTED, TERMINATED) and threading.active_count() > 1:
        sys.stdout.flush()
        os._exit(code)  # a thread that has not come to its end would hold the process up
    sys.exit(code)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def split_globals(argv: Sequence[str]) -> tuple[list[str], bool, bool]:
    """Take out ``--quiet`` and ``--verbose``; spell long flags with dashes, whatever the user typed.

    A flag may be followed by the word true or false, as ``--flatten_acts True``.

    >>> split_globals(["extract", "--model_name", "a_b", "--quiet", "--things", "False"])
    (['extract', '--model-name', 'a_b', '--things=false'], True, False)
    """
    tokens, flags = [], {"--quiet": False, "--verbose": False}
    literal = False
    for token in argv:
        literal = literal or token == "--"
        name, mark, value = token.partition("=")
        if not literal and token in flags:
            flags[token] = True
        elif not literal and token.startswith("--"):
            dashed = name.replace("_", "-")
            _as_typed[dashed] = name
            tokens.append(dashed + mark + value)
        elif not literal and token.lower() in ("true", "false") and tokens and _FLAG.fullmatch(tokens[-1]):
            tokens[-1] += f"={token.lower()}"
        else:
            tokens.append(token)
    return tokens, flags["--quiet"], flags["--verbose"]


def set_up_logging(quiet: bool, verbose: bool) -> None:
    """Log to stderr: stage lines by default, warnings when quiet, everything when verbose."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_LineFormatter())
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO)
    logger.propagate = False
    set_quiet(quiet)


class _LineFormatter(logging.Formatter):
    """One line a message; levels above info are named."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return f"{record.levelname.lower()}: {text}" if record.levelno > logging.INFO else text


def run(tokens: Sequence[str], verbose: bool = False) -> int:
    """Run one command; returns the exit code."""
    with at_command_line():
        return _run(tokens, verbose)


def _run(tokens: Sequence[str], verbose: bool) -> int:
    try:
        with explain_write_errors("the output"):
            app(list(tokens))
    except SystemExit as stop:
        return int(stop.code or 0)
    except KeyboardInterrupt as stop:
        print("stopped; finished parts are kept; run the same command again", file=sys.stderr)
        return TERMINATED if isinstance(stop, Terminated) else INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except CycloptsError as error:
        return complain(describe_usage_error(error), 2)
    except BeholderError as error:
        if verbose:
            logger.exception("traceback")
        return complain(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        if verbose:
            logger.exception("traceback")
        return complain(*describe_missing_package(error))
    except MemoryError:
        return complain("expected enough memory; try fewer layers at a time, --pool mean or a smaller --batch_size", 1)
    except Exception as error:
        if verbose:
            logger.exception("traceback")
        return complain(describe_surprise(error), 1)
    return 0


def describe_surprise(error: Exception) -> str:
    """An error that nobody expected, in one line."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{text[:300]} (run with --verbose for the traceback)"


def describe_missing_package(error: ModuleNotFoundError) -> tuple[str, int]:
    """One line and an exit code: how to install what Beholder needs, where the environment has been kept small."""
    module = (error.name or "").partition(".")[0]
    package = {"PIL": "pillow", "open_clip": "open_clip_torch", "google_crc32c": "google-crc32c"}.get(module, module)
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for line in importlib.metadata.requires("beholder") or ():
            if "extra ==" not in line and re.match(r"[\w.-]+", line)[0] == package:  # type: ignore[index]
                return f"expected the package {package!r}; got an environment without it; try pip install {package}", 2
    return describe_surprise(error), 1


def complain(text: str, code: int) -> int:
    """Print one line to stderr and return the exit code."""
    print(f"error: {text}", file=sys.stderr)
    return code


def _spell(flag: str) -> str:
    """A flag as the documents write it: ``--batch_size``, ``-mn``."""
    return "--" + flag[2:].replace("-", "_") if flag.startswith("--") else flag


def describe_usage_error(error: CycloptsError) -> str:
    """A usage error in one line: expected, got, try."""
    command = " ".join(["beholder", *(error.command_chain or ())])
    if isinstance(error, UnknownOptionError) and error.token is not None:
        got = error.token.keyword or error.token.value
        known = [name for argument in error.argument_collection or () for name in argument.names if name[0] == "-"]
        if got.startswith("--"):
            near = find_near_names(got, [name for name in known if name.startswith("--")])
        else:  # a short flag that is none: the long ones that begin like it
            near = [name for name in known if name.startswith(f"-{got}")][:3]
        hint = " or ".join(_spell(name) for name in near) or f"{command} --help"
        return f"expected a flag of {command}; got {_as_typed.get(got, got)}; try {hint}"
    if isinstance(error, UnknownCommandError):
        got = error.unused_tokens[0] if error.unused_tokens else ""
        near = find_near_names(got, list(COMMANDS))
        return f"expected a command of {command}; got {got!r}; try {' or '.join(near) or 'beholder --help'}"
    if isinstance(error, ValidationError) and error.argument is not None and error.argument.tokens:
        token = error.argument.tokens[0]
        name = _as_typed.get(token.keyword, _spell(token.keyword)) if token.keyword else error.argument.name
        given = " ".join(each.value for each in error.argument.tokens)
        return f"expected {error.exception_message} for {name}; got {given}; try {command} --help"
    text = _LONG_FLAG.sub(lambda flag: _as_typed.get(flag[0], _spell(flag[0])), " ".join(str(error).split()))
    return f"{text.rstrip('.')}; try {command} --help"
