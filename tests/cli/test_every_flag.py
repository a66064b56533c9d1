"""Every flag of every command: a value of another kind, a letter too few, a name too long: one line, exit code 2."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from cyclopts import App, Argument

from beholder.cli._main import COMMANDS

Call = Callable[..., tuple[int, str, str]]


def walk(words: list[str], app: App) -> Iterator[tuple[list[str], App]]:
    if app.default_command is not None:
        yield words, app
    for name in app:
        if not name.startswith("-"):
            yield from walk([*words, name], app[name])


def list_apps() -> list[tuple[list[str], App]]:
    found: list[tuple[list[str], App]] = []
    for name, (target, _) in COMMANDS.items():
        module, _, attribute = target.partition(":")
        found += walk([name], getattr(importlib.import_module(module), attribute))
    return found


def list_kinds(hint: Any) -> set[Any]:
    """The plain types in an annotation: those of a list or a union, one by one."""
    if get_origin(hint) is Literal or not get_args(hint):
        return {hint}
    return set().union(*map(list_kinds, get_args(hint)))


def spell(argument: Argument) -> str:
    """A flag in its longest form, with underscores; the name of an argument that is none."""
    flags = [name for name in argument.names if name.startswith("-") and not name.startswith("--empty")]
    name = max(flags, key=len, default=argument.names[0])
    return "--" + name[2:].replace("-", "_") if name.startswith("--") else name


def pick_value(hint: Any) -> str:
    """A value of the right kind."""
    kinds = list_kinds(hint)
    choices = [str(value) for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)]
    return (choices or ["1" if kinds & {int, float} else "x"])[0]


APPS = {" ".join(words): (words, app) for words, app in list_apps()}


@pytest.mark.parametrize("name", APPS)
def test_a_value_of_another_kind_and_a_mistyped_flag(name: str, beholder: Call) -> None:
    words, app = APPS[name]
    arguments = [argument for argument in app.assemble_argument_collection() if not argument.children]
    needed = {spell(argument): pick_value(argument.hint) for argument in arguments if argument.required}
    for argument in arguments:
        long = spell(argument)
        if not long.startswith("-"):
            continue
        given = [[flag, value] if flag.startswith("-") else [value] for flag, value in needed.items() if flag != long]
        line = [*words, *(word for each in given for word in each)]
        kinds = list_kinds(argument.hint)
        if not kinds & {str, Path, Ellipsis, Any}:
            wrong = [f"{long}=perhaps"] if kinds == {bool} else [long, "perhaps"]
            code, out, err = beholder(*line, *wrong)
            assert (code, out, err.count("\n")) == (2, "", 1) and err.startswith("error: "), (long, err)
        if long.startswith("--"):
            code, out, err = beholder(*line, f"{long[:-1]}~", "x")
            told = (f"got {long[:-1]}~; try ", f" instead of {long[:-1]}~?")
            assert (code, out, err.count("\n")) == (2, "", 1) and any(each in err for each in told), err
    assert arguments


ANY_NUMBER = {
    "stimuli grade --levels", "tasks simulate --difference", "metamers make --target_db", "train --snr",
    "evaluate adversarial --min_exponent", "evaluate adversarial --max_exponent",
}  # fmt: skip
SEEDS = ("--rnd_seed", "--RANDOMSEED", "--weights_seed")


@pytest.mark.parametrize("name", APPS)
def test_a_number_that_is_none_or_below_0(name: str, beholder: Call) -> None:
    """Of every flag that takes seconds, counts, sizes or shares; before anything else is looked at."""
    words, app = APPS[name]
    arguments = [argument for argument in app.assemble_argument_collection() if not argument.children]
    needed = {spell(argument): pick_value(argument.hint) for argument in arguments if argument.required}
    for argument in arguments:
        flag, kinds = spell(argument), list_kinds(argument.hint)
        if not kinds & {int, float} or flag in SEEDS:
            continue
        wrongs = ["nan", "inf"] * (float in kinds) + ["-1"]
        if f"{name} {flag}" in ANY_NUMBER:
            wrongs = ["nan"] * (float in kinds)
        given = [
            [other, value] if other.startswith("-") else [value] for other, value in needed.items() if other != flag
        ]
        for wrong in wrongs:
            line = [
                *words,
                *(word for each in given for word in each),
                *([flag] if flag.startswith("-") else []),
                wrong,
            ]
            code, out, err = beholder(*line)
            assert (code, out, err.count("\n")) == (2, "", 1), (line, err)
            assert err.startswith("error: expected a") and f" for {flag}; got {wrong}; try beholder" in err, err


@pytest.mark.parametrize(
    "line", ["show NAME", "extract -m beholder:shapes --module_name block5 --in_path NAME", "layers NAME"]
)
def test_a_name_longer_than_names_can_be(line: str, beholder: Call) -> None:
    code, out, err = beholder(*line.replace("NAME", "x" * 5000).split())
    assert (code, out, err.count("\n")) == (2, "", 1) and len(err) < 6000, err[:300]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("metamers make beholder:shapes images --layers block5 -Z nan", "above 0 for --step_size"),
        ("metamers make beholder:shapes images --layers block5 -E=-1/20", "above 0 for --noise_scale"),
        ("metamers make beholder:shapes images --layers block5 -E 0", "above 0 for --noise_scale"),
        ("metamers make beholder:shapes images --layers block5 -E 1e999", "above 0 for --noise_scale"),
        ("tasks simulate --power --alpha 2", "an alpha between 0 and 1; got 2"),
        ("tasks simulate --power --rnd_seed -4", "a seed of at least 0; got -4"),
    ],
)
def test_numbers_that_mean_nothing(line: str, told: str, place: Path, beholder: Call) -> None:
    code, out, err = beholder(*(str(place / word) if word == "images" else word for word in line.split()))
    assert (code, out) == (2, "") and told in err.splitlines()[-1], err


@pytest.mark.parametrize("flag", ["--batch_size", "--threads", "--workers", "--replicates"])
def test_numbers_that_nobody_counts_out(flag: str, place: Path, beholder: Call) -> None:
    images, network = str(place / "images"), ["beholder:shapes", "--layers", "block5"]
    line = ["extract", "-m", *network, "--in_path", images]
    if flag == "--replicates":
        line = ["panel", "--models", *network, "--stimuli_root", images, "--output_dir", "out"]
    code, out, err = beholder(*line, flag, "99999999999999999999")
    assert (code, out) == (2, "") and "of at most" in err.splitlines()[-1], err
