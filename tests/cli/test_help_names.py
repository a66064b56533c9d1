"""What help cites is there: flags, their choices, commands, files, Python names; and every text is a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest

import beholder as bh
from beholder.cli._main import COMMANDS

from .test_every_flag import APPS, list_kinds
from .test_flags import list_arguments

SOURCE = Path(bh.__file__).parent
LONG, SHORT = re.compile(r"(?<![\w-])--[A-Za-z][\w-]*"), re.compile(r"(?<![\w-])-[A-Za-z]{1,4}(?![\w-])")
FILE = re.compile(r"[\w{}-]+\.(?:csv|tsv|py|html|h5|hdf5|json|npz|npy|safetensors|toml|pt|db|mat|zarr|sqlite)\b")
OF_USERS = {"FILE.toml", "FILE.mat", "PREFIX_FOLDER.h5", "{stem}_0.json", "{stem}_{N-1}.json"}
"""Files of which help says what they may be called."""


def spell(flag: str) -> str:
    return flag.replace("_", "-") if flag.startswith("--") else flag


def list_texts(name: str) -> Iterator[tuple[str, str]]:
    """What a command's help says: of itself, then of each word and flag."""
    document = APPS[name][1].default_command.__doc__ or ""
    yield name, " ".join(re.split(r"\n\s*(?:Example: |Parameters\n)", document)[0].split())
    for argument in list_arguments(name):
        if argument.show:
            yield argument.names[0], " ".join((argument.parameter.help or "").split())


def list_own(name: str) -> dict[str, list[str]]:
    """Flags of a command, each with its choices, which are none where it takes anything."""
    found = {}
    for argument in list_arguments(name):
        kinds = list_kinds(argument.hint)
        choices = [str(each) for kind in kinds if get_origin(kind) is Literal for each in get_args(kind)]
        found |= {spell(flag): choices for flag in argument.names}
    return found


FLAGS = {name: list_own(name) for name in APPS} | {"": {"--quiet": [], "--verbose": [], "--help": []}}


def find_commands(text: str, name: str) -> set[str]:
    """The commands that a text names, whole or as one of its own group."""
    group = name.partition(" ")[0]
    return {
        each for each in APPS
        if re.search(rf"\b{each}\b", text) or (" " in each and each.startswith(f"{group} ")
        and re.search(rf"\b{each.split()[1]}\b", text))
    }  # fmt: skip


@cache
def read_source() -> str:
    """What the package does, without its texts of help."""
    return "\n".join(
        path.read_text(encoding="utf-8")
        for path in SOURCE.rglob("*")
        if path.suffix in (".py", ".toml", ".pyi") and path.parent.name != "cli" and path.stat().st_size < 1_000_000
    )


@pytest.mark.parametrize("name", APPS)
def test_flags_and_choices_that_help_cites_are_there(name: str) -> None:
    for where, text in list_texts(name):
        known = {
            flag: choices for each in (name, "", *find_commands(text, name)) for flag, choices in FLAGS[each].items()
        }
        cited = [*LONG.findall(text), *SHORT.findall(text)]
        assert not [flag for flag in cited if spell(flag) not in known], (where, text)
        for flag, value in re.findall(r"(--[\w-]+)[ =]([a-z][\w-]*)", text):
            if choices := known[spell(flag)]:
                assert value in choices or value in ("and", "or", "of", "with", "alone"), (where, text)


@pytest.mark.parametrize("name", APPS)
def test_commands_files_and_names_that_help_cites_are_there(name: str) -> None:
    for where, text in list_texts(name):
        for first, second in re.findall(r"\bbeholder (\w+)(?: (\w+))?", text):
            assert first in COMMANDS and (first in APPS or f"{first} {second}" in APPS), (where, text)
        for file in FILE.findall(text):
            assert file in OF_USERS or file in read_source(), (where, file)
        assert not [each for each in re.findall(r"\bbh\.(\w+)", text) if not hasattr(bh, each)], (where, text)


@pytest.mark.parametrize("name", APPS)
def test_every_text_is_a_sentence_that_names_what_it_is_about(name: str) -> None:
    for where, text in list_texts(name):
        assert text.endswith((".", ".)", "…", "]")), (where, text)
        assert not re.match(r"(Of|And|Instead|Default|Decides which|Only these[;.])(\W|$)", text), (where, text)
        assert "Model Metamers" not in text, (where, "the metamer study (Feather et al. 2023)")


@pytest.mark.parametrize("name", APPS)
def test_letters_that_differ_between_commands_are_explained(name: str) -> None:
    """``-m`` is the network, but of ``tasks plan``; ``-N`` and ``-I`` count something else in each command."""
    for argument in list_arguments(name):
        text = " ".join((argument.parameter.help or "").split())
        for letter in {"-N", "-I"} & set(argument.names):
            assert f"({letter} of " in text, text
        if "-m" in argument.names:
            assert "network" in text, text
        if "-D" in argument.names:
            assert "model directory" in text, text
