"""The network is named the same way everywhere; commands that nobody has are answered with the near ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from beholder.cli._flags import take_network

from .test_every_flag import APPS
from .test_flags import list_arguments

Call = Callable[..., tuple[int, str, str]]

OTHER_WORDS = {"units split": "N", "tasks simulate": "FOLDER", "tasks plan": None}
"""Commands whose network is an aside: the first word is another thing, or there is none."""


@pytest.mark.parametrize("name", APPS)
def test_a_command_about_one_network_takes_it_as_first_word_and_after_m(name: str) -> None:
    names = [argument.names for argument in list_arguments(name)]
    words = [each[0] for each in names if not each[0].startswith("-")]
    by_flag = any({"-m", "--model-name"} <= set(each) for each in names)
    first = next(iter(words), None)
    if name in OTHER_WORDS:
        assert by_flag and first == OTHER_WORDS[name]
    elif by_flag or first == "MODEL":
        assert by_flag and first in ("MODEL", "WORDS")


def test_both_ways_give_the_same_and_both_at_once_are_refused(place: Path, beholder: Call) -> None:
    assert beholder("layers", "beholder:shapes") == beholder("layers", "-m", "beholder:shapes")
    told = "expected one network; got beholder:shapes and -m alexnet; try leaving one of them out"
    images = ["--layers", "block5", "--in_path", str(place / "images")]
    both = ["beholder:shapes", "-m", "alexnet"]
    for command in (["layers"], ["extract"], ["units", "sample"], ["units", "maps"], ["replicate"]):
        code, out, err = beholder(*command, *both, *(images if command == ["extract"] else ()))
        assert (code, out) == (2, "") and told in err, err
    code, _, err = beholder("extract", *images)
    assert code == 2 and "expected MODEL, or -m MODEL; got neither" in err


@pytest.mark.parametrize(
    ("words", "flag", "usage", "found"),
    [
        (["net", "data"], None, "MODEL DATA", ("net", ["data"])),
        (["data", None], "net", "MODEL DATA", ("net", ["data"])),
        ([None, None], "net", "MODEL [FOLDER]", ("net", [None])),
        (["net", None], None, "MODEL [FOLDER]", ("net", [None])),
        (["weights", "file", None], "net", "MODEL READOUT FILE", ("net", ["weights", "file"])),
    ],
)
def test_words_move_up_where_the_flag_names_the_network(words, flag, usage, found) -> None:
    assert take_network(words, flag, usage) == found


@pytest.mark.parametrize("line", ["train", "train net", "train -m net", "train net data -m net", "models export net"])
def test_words_that_are_missing_or_too_many(line: str, beholder: Call) -> None:
    code, out, err = beholder(*line.split())
    assert (code, out, err.count("\n")) == (2, "", 1) and "MODEL as the first word or after -m; got " in err


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("extarct", "expected a command of beholder; got 'extarct'; try extract"),
        ("units smaple", "expected a command of beholder units; got 'smaple'; try sample"),
        ("smaple", "got 'smaple'; try beholder units sample"),
        ("units extract", "got 'extract'; try beholder extract"),
        ("tasks zzzz", "expected a command of beholder tasks; got 'zzzz'; try beholder tasks --help"),
        ("models ftech", "got 'ftech'; try beholder models fetch"),
        ("assets verfy", "got 'verfy'; try beholder assets verify"),
        ("units record --untis_file x", "got --untis_file; try --units_file"),
    ],
)
def test_what_nobody_has_is_answered_with_the_near_ones(line: str, told: str, beholder: Call) -> None:
    code, out, err = beholder(*line.split())
    assert (code, out, err.count("\n")) == (2, "", 1) and told in err, err
