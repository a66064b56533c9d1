"""Flags: each declared in one place, each with its help; commands that are one screen."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from cyclopts import Argument

import beholder.cli
from beholder.cli._main import app

from .test_every_flag import APPS

Call = Callable[..., tuple[int, str, str]]
SOURCE = Path(beholder.cli.__file__).parent
HIDDEN = {
    "layers": {"--pretrained", "--model-path", "--device"},
    "units sample": {"--device"},
    "units split": {"--pretrained", "--model-path", "--device"},
    "units exemplars": {"--device"},
    "metamers make": {"-S", "-V", "--STRICT", "--resume"},
}
"""Flags that the documents' scripts have and that do nothing here."""


@cache
def list_arguments(name: str) -> list[Argument]:
    words, command = APPS[name]
    with app.app_stack(words):
        found = command.assemble_argument_collection(parse_docstring=True)
    return [argument for argument in found if not argument.children]


def list_groups() -> Iterator[tuple[str, set[str]]]:
    """The names of the fields that each group of flags declares itself."""
    for path in sorted(SOURCE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and any(ast.unparse(each) == "flags" for each in node.decorator_list):
                fields = [each.target.id for each in node.body if isinstance(each, ast.AnnAssign)]  # type: ignore[union-attr]
                yield f"{path.name}:{node.name}", set(fields)


@pytest.mark.parametrize("name", APPS)
def test_every_flag_says_what_it_does_and_no_two_are_called_alike(name: str) -> None:
    arguments = list_arguments(name)
    assert not [argument.names for argument in arguments if not (argument.parameter.help or "").strip()]
    names = [flag for argument in arguments for flag in argument.names]
    assert len(names) == len(set(names))


def test_flags_that_do_nothing_are_accepted_and_not_in_help(beholder: Call) -> None:
    hidden = {name: {each.names[0] for each in list_arguments(name) if not each.show} for name in APPS}
    assert {name: flags for name, flags in hidden.items() if flags} == HIDDEN
    code, out, _ = beholder("layers", "--help")
    assert code == 0 and "--depth" in out and "--device" not in out
    line = ["layers", "beholder:shapes", "--depth", "1", "--json"]
    with_flags = beholder(*line, "--pretrained", "--device", "cpu", "--model_path", "x")
    assert with_flags == beholder(*line) and with_flags[0] == 0


def test_a_group_that_another_takes_over_is_not_written_again() -> None:
    """Two groups with the same four fields or more are one."""
    groups = list(list_groups())
    assert len(groups) > 20
    for i, (name, fields) in enumerate(groups):
        for other, others in groups[:i]:
            assert len(fields & others) < 4, f"{name} and {other} both declare {sorted(fields & others)}"


def test_a_command_is_one_screen() -> None:
    for name, (_, command) in APPS.items():
        assert command.default_command is not None
        function = ast.parse(inspect.getsource(command.default_command).lstrip()).body[0]
        assert isinstance(function, ast.FunctionDef)
        first, last = function.body[1], function.body[-1]
        assert (last.end_lineno or 0) - first.lineno < 22, f"{name}: what it does belongs into a room"
