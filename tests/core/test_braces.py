"""Names that stand for several."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from beholder._core.braces import expand_braces, expand_path, has_braces, has_wildcard

SPELLED = {
    "plain.0": ["plain.0"],
    "a{8..10}": ["a8", "a9", "a10"],
    "s{,.x}": ["s", "s.x"],
    "{a,b}/x-{098..101}.tar": [f"{a}/x-{i}.tar" for a in "ab" for i in ("098", "099", "100", "101")],
    "{3..1}": [],
}


@pytest.mark.parametrize("text", SPELLED)
def test_braces(text: str) -> None:
    assert expand_braces(text) == SPELLED[text]


@pytest.mark.skipif(shutil.which("bash") is None, reason="takes bash, whose braces they are")
@pytest.mark.parametrize("text", ["part-{0000..0146}.tar", "{train,val}/x{0..2}-of-{2..3}.tar", "x{9..11}"])
def test_braces_are_those_of_the_shell(text: str) -> None:
    told = subprocess.run(["bash", "-c", f"printf '%s\\n' {text}"], capture_output=True, text=True, check=True)
    assert expand_braces(text) == told.stdout.split()


def test_braces_of_one_word_are_part_of_a_path() -> None:
    assert [each.as_posix() for each in expand_path("run{1}/x{0..1}.tar")] == ["run{1}/x0.tar", "run{1}/x1.tar"]


def test_what_stands_for_several() -> None:
    assert all(map(has_braces, ("d{0..1}/x.tar", "{train,val}-0.tar", "x{000..100}.tar")))
    assert not any(map(has_braces, ("x.tar", "run{1}.tar", "run{}.tar", "a..b,c")))
    assert all(map(has_wildcard, ("d/*.tar", "x?.tar", "x[01].tar")))
    assert not any(map(has_wildcard, ("*/x.tar", "x.tar")))
