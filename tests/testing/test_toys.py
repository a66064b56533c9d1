"""A package adds one thing of each kind by entry points, passes the checks, and is met wherever ours are."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import beholder as bh
from beholder._core.errors import UnknownNameError
from beholder.analysis import DISTANCES, RESULT_KINDS, make_result
from beholder.experiments import (
    METHODS,
    Adaptive,
    get_task_kind,
    list_task_kinds,
    make_settings,
    pick_level,
    read_texts,
)
from beholder.jobs import EXECUTORS
from beholder.models import PREPROCESSINGS, SOURCES, read_preprocessing
from beholder.recordings import READERS
from beholder.report import SECTIONS, write_report
from beholder.responses import TASK_KINDS, get_answer_form
from beholder.stimuli import list_named_sets
from beholder.synthesis import OBJECTIVES, synthesize
from beholder.testing import (
    check_adaptive_method,
    check_distance,
    check_executor,
    check_objective,
    check_preprocessing,
    check_recordings_reader,
    check_result_kind,
    check_section,
    check_source,
    check_stimulus_set,
    check_task_kind,
)


def test_source(toy: ModuleType) -> None:
    assert "toy" in SOURCES
    check_source("toy")
    assert bh.load_model("toy:line@random", device="cpu").layers == ("0", "2")


def test_preprocessing(toy: ModuleType) -> None:
    assert "first-numbers" in PREPROCESSINGS
    check_preprocessing(toy.FirstNumbers(4), example=np.arange(9.0))
    assert read_preprocessing({"kind": "first-numbers", "n": 3}) == toy.FirstNumbers(3)


def test_objective(toy: ModuleType) -> None:
    objective = OBJECTIVES["Peak"]("2")  # type: ignore[call-arg]
    assert isinstance(objective, toy.Peak)
    model = bh.load_model("toy:line@random", device="cpu")
    check_objective(objective, model)
    made = synthesize(model, objective, steps=2)
    assert made.images.shape == (1, 3, 32, 32)


def test_section_with_its_own_template_and_style(toy: ModuleType, note: Path) -> None:
    assert "notes" in SECTIONS
    check_section("notes", note)
    html = write_report(note).read_text(encoding="utf-8")
    assert '<ul class="note" id="section-1-note">' in html
    assert "<li>&lt;b&gt;Nothing&lt;/b&gt;</li>" in html, "values are escaped in the templates of others too"
    assert html.count(".note { columns: 2; }") == 1


def test_executor(toy: ModuleType) -> None:
    assert "backwards" in EXECUTORS
    check_executor("backwards")


def test_stimulus_set(toy: ModuleType, dots: Path) -> None:
    assert "dots" in list_named_sets()
    check_stimulus_set("dots", dots)
    assert bh.StimulusSet.from_named("dots", dots).ids == ("dot_0", "dot_1", "dot_2")


def test_task_kind(toy: ModuleType, pairs: Path) -> None:
    assert list_task_kinds()[-1] == "brighter" and get_task_kind("brighter") is toy.BRIGHTER
    check_task_kind("brighter", [pairs])
    assert make_settings(kind="brighter").preset == "brightness"
    assert read_texts(kind="brighter")["brighter.left"] == "left picture"


def test_adaptive_method(toy: ModuleType) -> None:
    assert "weighted" in METHODS
    check_adaptive_method("weighted")
    settings = make_settings("feather-pictures").replace({"adaptive.method": "weighted"})
    assert settings.adaptive is not None and settings.adaptive.method == "weighted"
    assert pick_level(settings.adaptive, (1.0, 2.0, 3.0, 4.0, 5.0), [(5.0, True), (4.0, True), (3.0, False)]) == 4
    with pytest.raises(UnknownNameError, match="weighted"):
        Adaptive(method="weigthed")


def test_distance(toy: ModuleType) -> None:
    assert "city-block" in DISTANCES
    check_distance("city-block")
    values, ids = np.random.default_rng(0).random((8, 3)), [f"s{k}" for k in range(8)]
    found = bh.analyze_rsa(
        {"conv": values}, bh.Recordings(values, ids), stimulus_ids=ids, distance="city-block", n_draws=0,
        n_permutations=0,
    )  # fmt: skip
    assert "city-block distance" in found.methods() and found.to_pandas()["estimate"].iloc[0] == pytest.approx(1)


def test_result_kind(toy: ModuleType, tmp_path: Path) -> None:
    assert "means" in RESULT_KINDS
    rows = [{"layer": layer, "estimate": value} for layer, value in (("conv1", 0.5), ("conv2", 0.75))]
    result = make_result("means", rows, {"seed": 1})
    check_result_kind(result)
    result.save(tmp_path / "means.parquet")
    html = write_report(tmp_path).read_text(encoding="utf-8")
    assert "Which layer is most active?" in html and "conv2 is." in html


def test_recordings_reader(toy: ModuleType, tmp_path: Path) -> None:
    assert ".rates" in READERS
    path = tmp_path / "cell.rates"
    path.write_text("face 3.5 0\nhouse 1 12\nhand 7 4\n")
    check_recordings_reader(path)
    assert bh.open_recordings(path).stimulus_ids == ("face", "house", "hand")


def test_a_file_of_answers_to_a_kind_from_elsewhere_is_read_before_anything_asked_for_its_record(
    toy: ModuleType, pairs: Path
) -> None:
    assert "brighter" not in TASK_KINDS._entries
    assert get_answer_form("brighter").by_place


def test_a_package_that_cannot_be_imported_costs_its_own_section(
    tmp_path: Path, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "site" / "broken-1.0.dist-info"
    told.mkdir(parents=True)
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text("[beholder.report_sections]\nbroken = no_such_module:Kind\n")
    monkeypatch.syspath_prepend(str(told.parent))
    from beholder.report import write_rdms

    write_rdms(note / "a.rdms.npz", np.zeros((1, 1, 3, 3)), layers=["c"], measures=["m"], stimulus_ids=["a", "b", "c"])
    html = write_report(note).read_text(encoding="utf-8")
    assert "no_such_module" in html and "Which stimuli are alike" in html
