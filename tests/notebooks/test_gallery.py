"""The tutorials run, and show what their pages say; the site takes its pages from the same run."""

from __future__ import annotations

import base64
import importlib.util
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.stem for path in (ROOT / "docs" / "gallery").glob("*.py"))
FIGURES = {
    "vision": 3, "hearing": 2, "interpretability": 2, "extract_2020": 2, "extract_clip": 1, "extraction_pipeline": 3,
    "model_metamers": 3, "stimuli_generation": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def gallery() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gallery_hook", ROOT / "docs" / "_gallery.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def notebooks(gallery: ModuleType) -> dict[str, Any]:
    return gallery.run_tutorials()


def iter_outputs(notebook: Any) -> Iterator[Any]:
    for cell in notebook.cells:
        if cell.cell_type == "code":
            yield from cell.outputs


@pytest.mark.parametrize("name", NAMES)
def test_every_output_is_something_to_look_at(notebooks: dict[str, Any], name: str) -> None:
    n_figures = 0
    for output in iter_outputs(notebooks[name]):
        data = output.get("data", {})
        told = "".join([output.get("text", ""), data.get("text/plain", ""), data.get("text/html", "")])
        assert not re.search(r"Traceback|Warning|warning:|error:|\bnan\b|object at 0x", told), told[:500]
        if "image/png" in data:
            n_figures += 1
            pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("L"), float)
            assert min(pixels.shape) > 150 and pixels.std() > 5, "a figure that is blank or tiny"
    assert n_figures == FIGURES[name]


@pytest.mark.parametrize("name", NAMES)
def test_commands_of_a_page_go_on_from_what_its_script_made(
    notebooks: dict[str, Any], gallery: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from beholder.cli._main import run

    monkeypatch.chdir(gallery.KEPT / name)
    text = "\n".join(cell.source for cell in notebooks[name].cells if cell.cell_type == "markdown")
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for command in re.findall(r"^\$ beholder (.+)$", block.replace("\\\n", " "), re.MULTILINE):
            assert run(shlex.split(command)) == 0, command


def test_the_first_days_are_short(notebooks: dict[str, Any], gallery: ModuleType) -> None:
    lines = {name: gallery.count_lines(notebooks[name]) for name in gallery.GROUPS["Three doors"]}
    assert lines["vision"] <= 30 and lines["hearing"] <= 25 and lines["interpretability"] <= 50, lines


def test_pages_show_what_their_scripts_made(notebooks: dict[str, Any], gallery: ModuleType) -> None:
    seconds = gallery.read_times()
    for name, notebook in notebooks.items():
        page, pictures = gallery.write_page(name, notebook, seconds)
        assert len(pictures) == FIGURES[name] and all(f"({name}/{file})" in page for file in pictures)
        assert page.startswith("# ") and f"]({name}.ipynb)" in page and f"]({name}.py)" in page
        took = seconds["seconds"].get(name)
        assert (f"**{took:.0f} s** on {seconds['machine']}" in page) if took else ("**" not in page.split("```")[0])
        assert str(gallery.KEPT) not in page, "paths begin in the tutorial's folder"
    cards = gallery.write_cards(notebooks, seconds)
    assert all(f"(gallery/{name}.md)" in cards for name in NAMES)


def test_the_verdicts_and_tables_that_the_doors_end_with(notebooks: dict[str, Any]) -> None:
    told = {
        name: " ".join(
            output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in iter_outputs(notebook)
        )
        for name, notebook in notebooks.items()
    }
    assert "2 participants, 2 done, 100.0 % right" in told["vision"]
    assert "2 of 2 pass" in told["hearing"]
    assert "subject" in told["interpretability"] and "3 participants, 3 done" in told["interpretability"]
