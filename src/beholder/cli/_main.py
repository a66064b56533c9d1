"""The ``beholder`` command: its groups, and how errors reach the terminal."""

from __future__ import annotations

import io
import itertools
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from types import FrameType

from cyclopts import App, CycloptsError

from beholder import __version__
from beholder._core.answers import Answered
from beholder._core.files import check_output_folder, explain_places, explain_write_errors
from beholder._core.progress import set_quiet
from beholder._core.wording import at_command_line
from beholder.cli import _plain_signs as plain_signs
from beholder.cli._failures import describe_failure, describe_stop
from beholder.cli._flags import OutputFlags
from beholder.cli._help import HelpLook
from beholder.jobs import TaskEnded, listen_to_queue, read_array_task

logger = logging.getLogger("beholder")

INTERRUPTED, TERMINATED = 130, 143
"""Exit codes after Ctrl-C and SIGTERM, as shells give them."""

COMMANDS = {
    "demo": ("beholder.cli.demo:app", "Run the whole flow on a bundled network, offline."),
    "models": ("beholder.cli.models:app", "List networks, fetch weights, export and import checkpoints."),
    "assets": ("beholder.cli.assets:app", "Published stimuli, checkpoints and data: list, fetch, verify."),
    "layers": ("beholder.cli.layers:app", "Show a network's layers with their shapes, without weights."),
    "extract": ("beholder.cli.extract:app", "Activations of one network's layers over a folder of stimuli."),
    "panel": ("beholder.cli.panel:app", "Activations of many networks over many folders, as HDF5 files."),
    "stimuli": ("beholder.cli.stimuli:app", "Draw stimuli to begin with; grade contrast, noise or blur."),
    "units": ("beholder.cli.units:app", "Units of a network: sample, record, find what drives them."),
    "tasks": ("beholder.cli.tasks:app", "Experiments with people: plan, build, serve, simulate, export."),
    "metamers": ("beholder.cli.metamers:app", "Stimuli that a network cannot tell apart, judged by others."),
    "analyze": ("beholder.cli.analyze:app", "Compare networks, brains and people; analyse answers."),
    "evaluate": ("beholder.cli.evaluate:app", "Accuracy of networks, also under attack and beside people."),
    "replicate": ("beholder.cli.replicate:app", "The metamer study of Feather et al. (2023) for one network."),
    "train": ("beholder.cli.train:app", "Train a network: plainly, under attack or in noise."),
    "show": ("beholder.cli.show:app", "What a store or results file holds, without reading its data."),
    "verify": ("beholder.cli.verify:app", "Check that outputs still hold what was written."),
    "report": ("beholder.cli.report:app", "Write one HTML page of everything found in a folder."),
}
"""Command to where it lives and what it does; a command's module is imported when it is called."""

app = App(
    name="beholder",
    help="""Neural networks as observers in perception experiments.

    beholder COMMAND --help shows the flags of a command, and examples. Long flags are spelled with _ or -, alike.
    Every command takes --quiet (results only) and --verbose (details, and tracebacks of failures).

    Example: beholder stimuli draw shapes

    Example: beholder extract beholder:shapes --layers block3 block5""",
    version=__version__,
    exit_on_error=False,
    print_error=False,
    result_action="return_value",
    suppress_keyboard_interrupt=False,
    help_format="plaintext",
    help_formatter=HelpLook(),
)
for _name, (_target, _help) in COMMANDS.items():
    app.command(_target, name=_name, help=_help)
app.register_install_completion_command(help="Let the shell complete commands and flags: bash, zsh, fish, PowerShell.")


_as_typed: dict[str, str] = {}
_FLAG = re.compile(r"--?[A-Za-z][\w-]*")


class Terminated(KeyboardInterrupt):
    """SIGTERM came: the work ends as after Ctrl-C."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 it failed, 2 the input was wrong, 130 Ctrl-C, 143 SIGTERM."""
    tokens, quiet, verbose = split_globals(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=plain_signs.NAME)
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
    handler = _StderrHandler()
    handler.setFormatter(_LineFormatter())
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO)
    logger.propagate = False
    set_quiet(quiet)


class _StderrHandler(logging.Handler):
    """Writes to what ``sys.stderr`` is now: a bar of progress that stands there puts lines above itself."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{self.format(record)}\n")
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


class _LineFormatter(logging.Formatter):
    """One line a message; levels above info are named."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return f"{record.levelname.lower()}: {text}" if record.levelno > logging.INFO else text


def run(tokens: Sequence[str], verbose: bool = False) -> int:
    """Run one command; returns the exit code."""
    with at_command_line():
        return _run(tokens, verbose)


def _find_output_folders(tokens: Sequence[str]) -> Iterator[str]:
    """The folders that a command is told to write into, below none of its own; a dry run writes nothing."""
    given = [part for token in tokens for part in (token.split("=", 1) if token.startswith("--") else [token])]
    of_model = "--directory" if "evaluate" in tokens[:1] else "-D"  # of evaluate adversarial, -D is --divide
    if {"--dry-run", "--directory", of_model, "--help", "-h"} & {*given}:
        return
    for name, value in itertools.pairwise(given):
        if name in ("--out-path", "-op", "--output-dir") and not value.startswith("-"):
            yield value


def _write_scripts(tokens: Sequence[str]) -> bool:
    """Whether the command was written as a job array, which is not run."""
    if not any(token.startswith("--cluster") for token in tokens):
        return False
    from beholder.cli._scripts import write_asked_scripts

    return write_asked_scripts(app, tokens)


def _show_own_help(tokens: Sequence[str]) -> None:
    """Let the help of a command be what it says of itself, with its examples, rather than its line in the list."""
    if tokens and tokens[0] in COMMANDS and app[tokens[0]].default_command is not None:
        app[tokens[0]].help = None


def _run(tokens: Sequence[str], verbose: bool) -> int:
    try:
        if read_array_task() is not None:
            listen_to_queue()
        with explain_write_errors("the output"), explain_places():
            for place in _find_output_folders(tokens):
                check_output_folder(place)
            if not _write_scripts(tokens):
                _show_own_help(tokens)
                app(list(tokens))
    except SystemExit as stop:
        return int(stop.code or 0)
    except Answered as answered:
        OutputFlags(json="--json" in tokens).print(answered.lines, answered.tables)
        if answered.error is not None:
            print(f"error: {answered.error}", file=sys.stderr)
            return answered.error.exit_code
    except TaskEnded as end:
        logger.info("%s", end)
        return end.exit_code
    except KeyboardInterrupt as stop:
        print(describe_stop(stop), file=sys.stderr)
        return TERMINATED if isinstance(stop, Terminated) else INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if verbose and not isinstance(error, CycloptsError | MemoryError):
            logger.exception("traceback")
        text, code = describe_failure(error, _as_typed, app)
        print(f"error: {text}", file=sys.stderr)
        return code
    return 0
