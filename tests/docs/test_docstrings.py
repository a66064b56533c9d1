"""The examples of the docstrings run, and give what they say; those marked ``doctest: +SKIP`` apart."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

from .conftest import ROOT

SOURCE = ROOT / "src"
MODULES = [
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(SOURCE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    examples = [test for test in doctest.DocTestFinder().find(module, name) if test.examples]
    assert examples
    runner = doctest.DocTestRunner(verbose=False)
    told: list[str] = []
    for test in examples:
        test.globs["__name__"] = "__main__"  # as a user runs them
        runner.run(test, out=told.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(told)
