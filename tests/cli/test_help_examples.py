"""Examples in help are command lines that parse; those of a command run one after the other in an empty folder."""

from __future__ import annotations

import re
import shlex
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from beholder.cli._main import app, split_globals

from .test_every_flag import APPS

Call = Callable[..., tuple[int, str, str]]

TAKES_MORE = {
    "beholder demo": "a minute, in the tests of the demo",
    "beholder models fetch": "a network connection",
    "beholder assets fetch": "a network connection",
    "beholder assets verify human-vision-1": "a published file",
    "beholder assets path": "a published file",
    "beholder tasks serve": "runs until it is stopped",
    "beholder tasks import": "what pages collected",
    "beholder tasks upgrade": "a file of an earlier version",
    "beholder analyze searchlight": "voxels with their places",
    "beholder analyze regressions": "a published file",
    "beholder analyze recognition human/": "a published experiment",
    "beholder analyze anova network_vs_humans.mat": "a published experiment",
    "beholder analyze mixed edge/": "a published experiment",
    "beholder analyze psychometrics contrast/": "a published experiment",
    "beholder analyze power network_vs_humans.mat": "a published experiment",
    "beholder evaluate natural squeezenet1_1": "ImageNet",
    "beholder evaluate adversarial resnet50": "ImageNet",
    "beholder train beholder:shapes@random shapes --preset": "minutes",
}
"""Beginnings of examples that take what an empty folder does not hold, or too long."""

QUICK = ("models card", "extract", "units exemplars", "show")
"""Commands whose examples run in every test run."""


def list_examples(name: str) -> list[str]:
    """Of a command, each on one line."""
    command = APPS[name][1].default_command
    text = (command.__doc__ or "").partition("\n    Parameters\n")[0]
    return [" ".join(each.split()) for each in re.split(r"\n\s*Example: ", text)[1:]]


def needs_more(example: str) -> bool:
    return any(example.startswith(each) for each in TAKES_MORE)


@pytest.mark.parametrize("name", APPS)
def test_every_command_has_an_example_of_its_own_that_parses(name: str) -> None:
    examples = list_examples(name)
    assert examples[-1].startswith(f"beholder {name}")
    for example in examples:
        app.parse_args(split_globals(shlex.split(example)[1:])[0], print_error=False, exit_on_error=False)


def test_examples_that_are_not_run_are_there() -> None:
    examples = [example for name in APPS for example in list_examples(name)]
    assert not [each for each in TAKES_MORE if not any(example.startswith(each) for example in examples)]


def list_run(name: str) -> list[str]:
    return [each for each in list_examples(name) if not needs_more(each)]


BEGINNINGS = Counter(tuple(list_run(name)[:i]) for name in APPS for i in range(1, len(list_run(name)) + 1))
"""What examples begin with, one after the other, and of how many commands."""


@pytest.fixture(scope="module")
def begun() -> dict[tuple[str, ...], Path]:
    """Folders in which several commands' first examples have been run."""
    return {}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in APPS]
)
def test_examples_run_in_an_empty_folder(
    name: str, tmp_path: Path, begun: dict[tuple[str, ...], Path], beholder: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples, folder = tuple(list_run(name)), tmp_path / "here"
    done = max((i for i in range(len(examples) + 1) if examples[:i] in begun), default=0)
    if done:
        shutil.copytree(begun[examples[:done]], folder)
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)
    for i in range(done, len(examples)):
        code, _, err = beholder(*shlex.split(examples[i])[1:])
        assert code == 0, f"{examples[i]}\n{err}"
        if BEGINNINGS[examples[: i + 1]] > 1:
            begun[examples[: i + 1]] = shutil.copytree(folder, tmp_path / str(i))
