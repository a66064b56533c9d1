"""Every snippet of the documents runs, in order, page by page."""

from __future__ import annotations

import contextlib
import gc
import importlib
import logging
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from beholder._core.registry import Registry
from beholder.cli._main import app, run, set_up_logging, split_globals
from beholder.models.catalog import _entries

from .conftest import PAGES, Block, iter_commands, read_blocks

_RUNS_WITHOUT_A_MODEL = ("models", "show", "report", "assets", "tasks", "stimuli")


def is_runnable(tokens: list[str]) -> bool:
    """Whether a command needs no weights but the bundled ones."""
    return (
        tokens[0] in _RUNS_WITHOUT_A_MODEL or any("beholder:shapes" in token for token in tokens) or "--check" in tokens
    )


@contextlib.contextmanager
def keep_logger() -> Any:
    """Put the logger back as it was."""
    logger = logging.getLogger("beholder")
    before = logger.handlers[:], logger.level, logger.propagate
    try:
        yield
    finally:
        logger.handlers[:], logger.propagate = before[0], before[2]
        logger.setLevel(before[1])


def run_command(command: str, where: str, capsys: pytest.CaptureFixture[str]) -> None:
    tokens, quiet, verbose = split_globals(shlex.split(command)[1:])
    assert is_runnable(tokens), f"{where}: `console` is for what runs here; use `sh` for: {command}"
    with keep_logger():
        set_up_logging(quiet, verbose)
        code = run(tokens)
    output = capsys.readouterr()
    assert code == 0, f"{where}: {command}\n{output.err}"


def run_python(block: Block, page: Path, names: dict[str, Any]) -> None:
    source = "\n" * (block.line - 1) + block.body
    exec(compile(source, str(page), "exec", dont_inherit=True), names)


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
def registries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a page registers is gone after it."""
    for name, module in REGISTRIES.items():
        list(getattr(importlib.import_module(f"beholder.{module}"), name))  # the package's own, found at the first look
    monkeypatch.setattr(_entries, "_REGISTERED", list(_entries._REGISTERED))
    kept = [(each, dict(each._entries)) for each in gc.get_objects() if type(each) is Registry]
    yield
    for registry, entries in kept:
        registry._entries.clear()
        registry._entries.update(entries)


@pytest.mark.usefixtures("registries")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_snippets_run(page: Path, workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"__name__": "snippet"}
    for block in read_blocks(page):
        if block.kind == "python":
            run_python(block, page, names)
        elif block.kind == "console":
            for command in iter_commands(block):
                run_command(command, f"{page.name}:{block.line}", capsys)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_command_lines_parse(page: Path) -> None:
    """Those that are not run have flags that exist, and values of the right type."""
    for block in read_blocks(page):
        if block.kind in ("console", "sh"):
            for command in iter_commands(block):
                tokens, _, _ = split_globals(shlex.split(command)[1:])
                app.parse_args(tokens, print_error=False, exit_on_error=False)


def test_blocks_are_of_known_kinds() -> None:
    """A misspelt kind would be a block that nobody tests."""
    known = {"python", "python notest", "console", "sh", "text", "toml", "r"}
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
