"""Notebooks that run: cell after cell in a real kernel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

RunCells = Callable[..., list[list[dict[str, Any]]]]


@pytest.fixture
def run_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunCells:
    """Run cells in one kernel, in an empty folder; the outputs of each. One that begins with ``# fails`` may."""
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))

    def run(*cells: str) -> list[list[dict[str, Any]]]:
        tags = {True: {"tags": ["raises-exception"]}, False: {}}
        made = [nbformat.v4.new_code_cell(cell, metadata=tags[cell.startswith("# fails")]) for cell in cells]
        notebook = nbformat.v4.new_notebook(cells=made)
        resources = {"metadata": {"path": str(tmp_path)}}
        NotebookClient(notebook, timeout=300, startup_timeout=120, kernel_name="python3", resources=resources).execute()
        return [list(cell.outputs) for cell in notebook.cells]

    return run
