"""``--cluster script``: the command as a job array, written and not run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from cyclopts import App, CycloptsError

from beholder._core.files import to_path_name
from beholder.cli._flags import LongFlags, OutputFlags
from beholder.jobs import JobScripts, ScriptOptions, find_python, parse_cluster, refuse_overwrite, write_scripts

_FLAG = "--cluster"


def write_asked_scripts(app: App, tokens: Sequence[str]) -> bool:
    """Write the scripts of a command with ``--cluster script``; False for any other, which is to be run.

    No model is loaded and no stimulus read: the machine on which scripts are written need not have what they take.
    """
    if not any(token == _FLAG or token.startswith(f"{_FLAG}=") for token in tokens):
        return False
    command, bound, _ = app.parse_args(list(tokens))
    groups: list[Any] = list(bound.arguments.values())
    long = next((group for group in groups if isinstance(group, LongFlags)), None)
    if long is None or long.cluster is None or long.dry_run:
        return False
    cluster = parse_cluster(long.cluster)
    if cluster.kind != "script" or tokens[0] == "replicate":  # it writes those of several commands itself
        return False
    if any(getattr(group, "overwrite", False) for group in groups) or bound.arguments.get("overwrite"):
        raise refuse_overwrite()
    output = next((group for group in groups if isinstance(group, OutputFlags)), OutputFlags())
    name = to_path_name("-".join(dict.fromkeys([tokens[0], command.__name__.strip("_")])))
    options, rest = ScriptOptions.read(cluster.options), drop_flag(tokens)
    if options.gpus and not any(getattr(group, "device", "auto") != "auto" for group in groups):
        rest = _ask_for_gpu(app, rest)
    again = shlex.join(["beholder", *tokens])
    print_scripts(write_scripts([*find_python(), *rest], name, options, again=again), output)
    return True


def _ask_for_gpu(app: App, tokens: list[str]) -> list[str]:
    """The command with the GPU by name, so that on a node without one it fails rather than takes the CPU."""
    asked = [*tokens, "--device", "cuda"]
    try:
        app.parse_args(asked)
    except CycloptsError:
        return tokens
    return asked


def drop_flag(tokens: Sequence[str]) -> list[str]:
    """A command without its ``--cluster``.

    >>> drop_flag(["extract", "--cluster", "script", "--in-path", "images"])
    ['extract', '--in-path', 'images']
    """
    kept: list[str] = []
    skip = False
    for token in tokens:
        if skip or token.startswith(f"{_FLAG}="):
            skip = False
        elif token == _FLAG:
            skip = True
        else:
            kept.append(token)
    return kept


def print_scripts(scripts: JobScripts, output: OutputFlags) -> None:
    """What was written, and what to type."""
    output.print(scripts.describe(), {"scripts": [scripts.to_dict()]})
