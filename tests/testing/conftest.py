"""A package with a toy of each kind, as if it were installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from beholder.analysis import DISTANCES, RESULT_KINDS
from beholder.experiments import METHODS
from beholder.jobs import EXECUTORS
from beholder.models import PREPROCESSINGS, SOURCES
from beholder.recordings import READERS
from beholder.report import SECTIONS
from beholder.responses import TASK_KINDS
from beholder.stimuli import NAMED_SETS
from beholder.synthesis import OBJECTIVES

TOY = Path(__file__).parent / "toy"
REGISTRIES = (
    EXECUTORS,
    PREPROCESSINGS,
    SOURCES,
    SECTIONS,
    NAMED_SETS,
    OBJECTIVES,
    TASK_KINDS,
    DISTANCES,
    RESULT_KINDS,
    READERS,
    METHODS,
)
ENTRY_POINTS = """
[beholder.models]
toy = toy_lab:ToySource
[beholder.preprocessing]
first-numbers = toy_lab:FirstNumbers
[beholder.objectives]
Peak = toy_lab:Peak
[beholder.report_sections]
notes = toy_lab:NoteKind
[beholder.executors]
backwards = toy_lab:run_backwards
[beholder.stimulus_sets]
dots = toy_lab:build_dots
[beholder.task_kinds]
brighter = toy_lab:BRIGHTER
[beholder.distances]
city-block = toy_lab:CITY_BLOCK
[beholder.result_kinds]
means = toy_lab:MEANS
[beholder.adaptive_methods]
weighted = toy_lab:Weighted
[beholder.recordings]
.rates = toy_lab:read_rates
"""


@pytest.fixture(autouse=True)
def kept_registries() -> Iterator[None]:
    """What a test adds is gone after it."""
    for registry in REGISTRIES:
        registry._import_modules()  # names() would ask every package for its own, too
    before = [(registry, dict(registry._entries)) for registry in REGISTRIES]
    yield
    for registry, entries in before:
        registry._entries.clear()
        registry._entries.update(entries)  # type: ignore[arg-type]


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The package's module; its entry points are found where an installer would have put them."""
    import importlib

    told = tmp_path / "site" / "toy_lab-1.0.dist-info"
    told.mkdir(parents=True)
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: toy_lab\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(told.parent))
    monkeypatch.syspath_prepend(str(TOY))
    return importlib.import_module("toy_lab")


@pytest.fixture
def note(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "first.note").write_text("What did we note?\n<b>Nothing</b>\nElse\n")
    return folder


@pytest.fixture
def dots(tmp_path: Path) -> Path:
    folder = tmp_path / "dots"
    folder.mkdir()
    for i in range(3):
        Image.new("RGB", (8, 8), (60 * i, 0, 0)).save(folder / f"dot_{i}.png")
    return folder


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Pictures of the toy kind of task: each dim one has a brighter one."""
    folder = tmp_path / "pairs"
    folder.mkdir()
    for k in range(3):
        for j, slot in enumerate(("dim", "bright")):
            Image.new("L", (8, 8), 20 + 20 * k + 100 * j).save(folder / f"{slot}_{k}.png")
    return folder
