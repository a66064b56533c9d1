"""What is typed is read as a shell reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Block
from .running import is_endless, iter_lines, run_command, split_commands

LINES = r"""
$ beholder show 'a b' \
    --json  # what is in it
# a remark
beholder tasks plan --set 'texts={"consent.text": "One.

Two."}' version=1 && beholder report .

cp other.md here
"""


def test_lines_are_those_that_a_shell_is_given() -> None:
    lines = list(iter_lines(Block("sh", LINES, 10)))
    assert [number for number, _ in lines] == [11, 14, 18]
    assert lines[0][1].startswith("beholder show") and lines[1][1].count("\n") == 2


def test_words_are_those_that_a_shell_gives(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "stimuli.csv").touch()
    texts = [text for _, text in iter_lines(Block("sh", LINES, 1))]
    assert split_commands(texts[0], tmp_path) == [["show", "a b", "--json"]]
    plan = ["tasks", "plan", "--set", 'texts={"consent.text": "One.\n\nTwo."}', "version=1"]
    assert split_commands(texts[1], tmp_path) == [plan, ["report", "."]]
    line = "beholder show */stimuli.csv 'c/*.csv' ~/x"
    assert split_commands(line, tmp_path) == [["show", "a/stimuli.csv", "b/stimuli.csv", "c/*.csv", f"{tmp_path}/x"]]


def test_other_programs_and_commands_that_fail_end_the_test(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="cp"):
        split_commands("cp other.md here", tmp_path)
    with pytest.raises(AssertionError, match=r"page.md:3: beholder show .*nowhere\nerror: expected"):
        run_command(["show", str(tmp_path / "nowhere")], "page.md:3")
    assert "nowhere" in run_command(["show", str(tmp_path / "nowhere")], "page.md:3", code=2)


def test_what_goes_on_until_ctrl_c() -> None:
    assert is_endless(["tasks", "serve", "x"]) and is_endless(["tasks", "status", "--watch", "5"])
    assert not is_endless(["tasks", "export"])
