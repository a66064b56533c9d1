"""Pages made from the code: every public name and every command has one, and they say what the code says."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

import beholder as bh

from .conftest import ROOT

ROOMS = sorted(path.parent.name for path in (ROOT / "src" / "beholder").glob("*/__init__.pyi"))


@pytest.fixture(scope="module")
def hooks() -> Iterator[dict[str, ModuleType]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "docs")
        yield {name: importlib.import_module(name) for name in ("_reference", "_commands")}
        for name in ("_reference", "_reference_page", "_commands"):
            del sys.modules[name]


@pytest.fixture(scope="module")
def pages(hooks: dict[str, ModuleType]) -> dict[str, str]:
    return {path: text for hook in hooks.values() for path, text in hook.write_pages().items()}


def test_every_public_name_has_a_page_and_a_line_on_that_of_its_room(pages: dict[str, str]) -> None:
    for room in ROOMS:
        names = importlib.import_module(f"beholder.{room}").__all__
        index = pages[f"reference/{room}/index.md"]
        files = dict(re.findall(r"^\| \[`(\w+)`\]\(([\w-]+\.md)\) \| .", index, re.MULTILINE))
        assert sorted(files) == sorted(names)
        assert not [name for name in names if f"# {name}\n" not in pages[f"reference/{room}/{files[name]}"]]
    top = pages["reference/index.md"]
    assert not [name for name in bh.__all__ if f"`bh.{name}`" not in top and f"[`beholder.{name}`]" not in top]  # pyright: ignore[reportAttributeAccessIssue]


def test_every_line_says_something(pages: dict[str, str]) -> None:
    empty = [
        row for path, text in pages.items() if path.endswith("index.md") for row in text.splitlines() if "|  |" in row
    ]
    assert empty == []


def test_bars_are_read_as_bars_in_code_and_end_no_cell(pages: dict[str, str]) -> None:
    """Code shows its backslashes: norms are written by their sign, and a bar in code needs no escape in a table."""
    code = {
        path: re.findall(r"`[^`\n]*`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
        for path, text in pages.items()
    }
    assert not {path: bad for path, each in code.items() if (bad := [one for one in each if "\\|" in one])}
    assert "`‖f(x) - f(s)‖ / ‖f(s)‖`" in pages["reference/synthesis/make_metamers.md"]


def test_no_two_pages_are_one_where_case_does_not_count(pages: dict[str, str]) -> None:
    assert len({path.lower() for path in pages}) == len(pages)


def test_links_lead_to_pages_that_are_made_or_there(pages: dict[str, str]) -> None:
    import posixpath

    known = set(pages) | {path.name for path in (ROOT / "docs").glob("*.md")}
    broken = set()
    for path, text in pages.items():
        plain = re.sub(r"^```.*?^```$|`[^`\n]*`", "``", text, flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\(([^)\s#]+)(?:#[^)]*)?\)", plain):
            if posixpath.normpath(posixpath.join(posixpath.dirname(path), target)) not in known:
                broken.add((path, target))
    assert not broken


def test_defaults_are_those_of_the_functions(pages: dict[str, str], hooks: dict[str, ModuleType]) -> None:
    """Of every function of every room: each default in the table is what Python finds."""
    n = 0
    for room in ROOMS:
        module = importlib.import_module(f"beholder.{room}")
        for name in module.__all__:
            value = getattr(module, name)
            if not inspect.isfunction(value):
                continue
            rows = re.findall(
                r"^\| `(\w+)` \| (.*) \| (.*) \| .* \|$", pages[f"reference/{room}/{name}.md"], re.MULTILINE
            )
            parameters = inspect.signature(value).parameters
            for word, _, told in rows:
                if word not in parameters:
                    continue
                default = parameters[word].default
                if default is inspect.Parameter.empty:
                    assert told in ("needed", ""), (room, name, word, told)
                    continue
                with contextlib.suppress(ValueError):  # a name or a call
                    assert ast.literal_eval(told.strip("`").replace("\\|", "|")) == default, (room, name, word, told)
                    n += 1
    assert n > 1000


def test_every_command_and_flag_is_on_its_page(pages: dict[str, str], hooks: dict[str, ModuleType]) -> None:
    commands = hooks["_commands"]
    for name, app in commands.list_apps():
        page = pages[f"commands/{name.partition(' ')[0]}.md"]
        assert (f"## beholder {name} " if " " in name else f"# beholder {name}\n") in page
        for argument in commands.list_arguments(name, app):
            for flag in commands.list_flags(argument) if argument.show else ():
                assert f"`{flag}`" in page
    listed = set(re.findall(r"\(commands/(\w+)\.md[)#]", (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")))
    assert {f"commands/{group}.md" for group in listed} == {path for path in pages if path.startswith("commands/")}


def test_letters_that_mean_several_things_are_told(hooks: dict[str, ModuleType]) -> None:
    index = hooks["_commands"].on_page_markdown((ROOT / "docs" / "commands.md").read_text(encoding="utf-8"))
    assert re.search(r"\| `-m` \| `--mode` \| `tasks plan` \|", index)
    assert re.search(r"\| `-N` \| `--n_pairs` \| `metamers null` \|", index)
    assert re.search(r"\| `-I` \| `--iterations` \| `metamers make` \|", index)
