"""The examples in help are command lines that parse, and run one after the other in a folder that is empty."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from beholder.cli._main import app, split_globals

from .test_every_flag import APPS

Call = Callable[..., tuple[int, str, str]]


def list_examples(name: str) -> list[str]:
    """Of a command, each on one line."""
    command = APPS[name][1].default_command
    text = (command.__doc__ or "").partition("\n    Parameters\n")[0]
    return [" ".join(each.split()) for each in re.split(r"\n\s*Example: ", text)[1:]]


EXAMPLES = {example: name for name in APPS for example in list_examples(name)}

TAKES_MORE = {
    "beholder demo": "runs in the tests of the demo",
    "beholder models fetch": "a network connection",
    "beholder assets fetch": "a network connection",
    "beholder assets verify": "a published file",
    "beholder assets path": "a published file",
    "beholder tasks serve": "runs until it is stopped",
    "beholder tasks import": "what pages collected",
    "beholder tasks upgrade": "a file of an earlier version",
    "beholder tasks simulate --power": "seconds, in tests of its own",
    "beholder tasks plan --kind recognition": "metamers that passed",
    "beholder metamers make 0 -D": "a model directory of Model Metamers",
    "beholder metamers null -D": "a model directory of Model Metamers",
    "beholder analyze combine": "recordings",
    "beholder analyze searchlight": "recordings",
    "beholder analyze encode": "recordings",
    "beholder analyze tuning": "stimuli with orientations",
    "beholder analyze sounds": "a model directory of Model Metamers",
    "beholder analyze regressions": "a published file",
    "beholder analyze recognition human": "answers of people",
    "beholder analyze recognition responses": "answers of people",
    "beholder analyze agreement": "answers of people",
    "beholder analyze anova": "answers of people",
    "beholder analyze mixed": "answers of people",
    "beholder analyze psychometrics": "answers of people",
    "beholder analyze power": "answers of people",
    "beholder evaluate natural squeezenet1_1": "ImageNet",
    "beholder evaluate battery": "answers of people",
    "beholder evaluate adversarial resnet50": "ImageNet",
    "beholder replicate resnet50": "ImageNet",
    "beholder train beholder:shapes@random shapes": "minutes",
}
"""Beginnings of examples that need what this folder does not hold."""

ORDER = (
    "stimuli draw", "models", "assets", "layers",
    "extract", "panel", "stimuli grade", "units sample", "units split", "units record",
    "units exemplars", "units optimize", "units maps", "units occlude", "tasks plan", "tasks build", "tasks simulate",
    "tasks export", "tasks status", "tasks backup", "tasks forget", "analyze interpretability", "metamers make",
    "metamers null", "metamers judge", "metamers template", "analyze rsa", "analyze cka", "analyze decode",
    "analyze probe", "models export", "models import", "models card", "models join", "evaluate natural",
    "evaluate adversarial", "replicate", "train", "show", "verify", "report",
)  # fmt: skip
"""In which commands go on from what others made."""


PARSED_ONLY = (
    "analyze decode", "analyze probe", "models export", "models import", "models card", "models join",
    "evaluate natural", "evaluate adversarial", "replicate", "train",
)  # fmt: skip
"""Commands whose examples parse and are not run here: those like them on their pages are."""


def needs_more(example: str) -> bool:
    return any(example.startswith(each) for each in TAKES_MORE)


@pytest.mark.parametrize("name", APPS)
def test_every_command_has_an_example_of_its_own_that_parses(name: str) -> None:
    assert list_examples(name)
    for example in list_examples(name):
        assert example.startswith(f"beholder {name}")
        app.parse_args(split_globals(shlex.split(example)[1:])[0], print_error=False, exit_on_error=False)


def test_every_example_is_run_or_says_what_it_takes() -> None:
    run = [example for example, name in EXAMPLES.items() if not needs_more(example)]
    assert {EXAMPLES[example] for example in run} <= {*ORDER, "assets experiments"}
    assert not [each for each in TAKES_MORE if not any(example.startswith(each) for example in EXAMPLES)]
    assert len(run) > 35


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("help")


QUICK = (
    "stimuli draw",
    "layers",
    "extract",
    "units sample",
    "units split",
    "units record",
    "units exemplars",
    "show",
    "verify",
)


def run_examples(commands: tuple[str, ...], beholder: Call) -> None:
    for name in commands:
        for example in list_examples(name):
            if not needs_more(example):
                code, _, err = beholder(*shlex.split(example)[1:])
                assert code == 0, f"{example}\n{err}"


def test_examples_run(folder: Path, beholder: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    run_examples(QUICK, beholder)


@pytest.mark.slow
def test_all_examples_run(folder: Path, beholder: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    run_examples(tuple(name for name in ORDER if name not in PARSED_ONLY), beholder)
