"""Every command and snippet of the documents runs, page by page from top to bottom, in an empty folder."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from beholder._core.registry import Registry
from beholder.cli._main import app, split_globals

from .conftest import PAGES, ROOT, read_blocks
from .not_run import NOT_RUN
from .running import iter_lines, run_command, run_python, split_commands

REGISTRIES = {
    "EXECUTORS": "jobs._executors",
    "NAMED_SETS": "stimuli.sets._named",
    "SECTIONS": "report._section",
    "SOURCES": "models.definitions._base",
    "PREPROCESSINGS": "models.preprocessing._base",
    "METHODS": "experiments.adaptive._procedure",
    "OBJECTIVES": "synthesis.objectives._base",
    "TASK_KINDS": "responses",
    "DISTANCES": "analysis.distances._registry",
    "RESULT_KINDS": "analysis._result",
    "READERS": "recordings",
}
"""Where each registry of the package lies."""


@pytest.fixture
def registries() -> Iterator[None]:
    """What a page registers is gone after it."""
    every: list[Registry[Any]] = [
        getattr(importlib.import_module(f"beholder.{module}"), name) for name, module in REGISTRIES.items()
    ]
    for registry in every:
        registry._import_modules()  # the package's own, found at the first look
    kept = [(registry, dict(registry._entries)) for registry in every]
    yield
    for registry, entries in kept:
        registry._entries.clear()
        registry._entries.update(entries)


def test_no_registry_is_forgotten() -> None:
    texts = [file.read_text("utf-8") for file in (ROOT / "src").rglob("*.py")]
    found = [name for text in texts for name in re.findall(r"^(\w+): Registry\[", text, re.MULTILINE)]
    assert sorted(found) == sorted(REGISTRIES)


def name_page(page: Path) -> str:
    return page.relative_to(ROOT).with_suffix("").as_posix().removeprefix("docs/")


@pytest.mark.usefixtures("registries")
@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_everything_on_a_page_runs(page: Path, empty_folder: Path) -> None:
    names: dict[str, Any] = {"__name__": "snippet"}
    for block in read_blocks(page):
        if block.kind == "python":
            run_python(block, page, names)
        elif block.kind in ("console", "sh"):
            for line, text in iter_lines(block):
                for words in split_commands(text, empty_folder):
                    run_command(words, f"{page.name}:{line}")
        elif block.kind == "text" and block.body.startswith("$ "):
            typed, _, told = block.body.removeprefix("$ ").partition("\n")
            (words,) = split_commands(typed, empty_folder)
            assert run_command(words, f"{page.name}:{block.line}", code=2).split() == told.split()


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_commands_that_are_not_run_parse(page: Path, empty_folder: Path) -> None:
    """They have flags that exist, and values of the right type."""
    for block in read_blocks(page):
        if block.kind == "sh notest":
            for _, text in iter_lines(block):
                if text.startswith("beholder "):
                    for words in split_commands(text, empty_folder):
                        app.parse_args(split_globals(words)[0], print_error=False, exit_on_error=False)


def test_what_is_not_run_is_listed_with_a_reason() -> None:
    all_blocks = [(name_page(page), block) for page in PAGES for block in read_blocks(page)]
    blocks = [(page, block) for page, block in all_blocks if block.kind == "r" or block.kind.endswith(" notest")]
    told = [key for page, block in blocks for key in NOT_RUN if page == key[0] and block.body.startswith(key[1])]
    assert len(told) == len(blocks), [(page, block.body[:60]) for page, block in blocks]
    assert sorted(told) == sorted(NOT_RUN)


def test_blocks_are_of_known_kinds() -> None:
    """A misspelt kind would be a block that nobody runs."""
    known = {"python", "python notest", "console", "sh", "sh notest", "text", "toml", "r"}
    for page in PAGES:
        for block in read_blocks(page):
            assert block.kind in known, f"{page.name}:{block.line}: {block.kind!r}"


def test_panel_file_of_the_models_page_reads(tmp_path: Path) -> None:
    """The TOML on the page is a panel file (its own network's file apart)."""
    from beholder.models import load_panel

    page = next(page for page in PAGES if page.name == "models.md")
    (block,) = [block for block in read_blocks(page) if block.kind == "toml" and "[[models]]" in block.body]
    file = tmp_path / "my_panel.toml"
    file.write_text(block.body)
    first, second, third = load_panel(file, run_code=True)
    assert (first.path_name, first.source, first.model, first.pool) == (
        "ConvNeXt-Tiny",
        "timm",
        "convnext_tiny",
        "mean",
    )
    assert first.preprocessing is not None
    assert first.preprocessing.input_shape == (3, 224, 224)
    assert second.layers == tuple(f"maxpool{i}" for i in range(1, 6))
    assert third.taps == {"pool1": "features.4", "pool2": "features.9"}
