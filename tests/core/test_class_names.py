"""One class, one name: whoever reads it in a message or a traceback knows which is meant."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import beholder

SRC = Path(beholder.__file__).parent


def test_no_two_public_classes_have_one_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for file in sorted(SRC.rglob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(file.relative_to(SRC).as_posix())
    assert len(places) > 300
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


WORDS = ("_Network", "_Part", "_Place", "_Plan", "_Session", "_Summary", "_Task")
"""Names that say little, and were given twice."""


def test_names_that_say_little_are_given_once() -> None:
    places: dict[str, set[str]] = defaultdict(set)
    for file in sorted(SRC.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and node.name in WORDS:
                places[node.name].add(file.relative_to(SRC).as_posix())
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def test_what_has_a_table_shows_itself_in_a_notebook() -> None:
    silent = [
        f"{file.relative_to(SRC)}: {node.name}"
        for file in sorted(SRC.rglob("*.py"))
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        and "to_pandas" in (names := {each.name for each in node.body if isinstance(each, ast.FunctionDef)})
        and "_repr_html_" not in names
    ]  # fmt: skip
    assert silent == []
