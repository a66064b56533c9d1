"""The examples of the docstrings run, and give what they say; those marked ``doctest: +SKIP`` apart."""

from __future__ import annotations

import doctest
import importlib
import inspect
from pathlib import Path
from types import ModuleType

import pytest

import beholder as bh

from .conftest import ROOT

SOURCE = ROOT / "src"
MODULES = [
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(SOURCE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that examples share, with 32 drawn pictures in ``images``: what one has made, the next finds."""
    folder = tmp_path_factory.mktemp("examples")
    bh.stimuli.draw_shapes_set(folder / "images", n_per_category=2)
    return folder


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("MPLBACKEND", "agg")
    module = importlib.import_module(name)
    examples = [test for test in doctest.DocTestFinder().find(module, name) if test.examples]
    assert examples
    runner = doctest.DocTestRunner(verbose=False)
    told: list[str] = []
    for test in examples:
        test.globs["__name__"] = "__main__"  # as a user runs them
        runner.run(test, out=told.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(told)


def list_examples(text: str | None) -> list[doctest.Example]:
    """Those that are run."""
    found = doctest.DocTestParser().get_examples(inspect.cleandoc(text or ""))
    return [each for each in found if doctest.SKIP not in each.options]


TAKES_MORE = {"analyze_regressions": "files that the study published"}
"""Names whose example is not run."""


@pytest.mark.parametrize("name", bh.__all__)  # pyright: ignore[reportAttributeAccessIssue]
def test_every_name_of_the_top_level_has_an_example_that_runs(name: str) -> None:
    """Those of errors are raised in ``test_errors``."""
    value = getattr(bh, name)
    if isinstance(value, str) or (isinstance(value, type) and issubclass(value, bh.BeholderError)):
        return
    module = value.__name__ if isinstance(value, ModuleType) else value.__module__
    assert module in MODULES
    found = list_examples(value.__doc__)
    assert bool(found) == (name not in TAKES_MORE)
    assert isinstance(value, type) or not found or any(name in each.source for each in found)
