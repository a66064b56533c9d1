"""Broken toys fail, each for its own reason, in one line."""

from __future__ import annotations

import dataclasses
import itertools
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from scipy.spatial.distance import pdist
from torch import Tensor, nn

from beholder.analysis import DISTANCES, RESULT_KINDS, Distance, Drawing, make_result
from beholder.experiments import METHODS, NetworkRule, make_settings
from beholder.experiments.adaptive._staircase import describe_adaptive
from beholder.jobs import EXECUTORS
from beholder.models import SOURCES, ArrayPreprocessing, ImagePreprocessing
from beholder.recordings import READERS, Recordings
from beholder.report import SECTIONS, Section, SectionKind, find_files
from beholder.responses import TASK_KINDS, AnswerForm
from beholder.stimuli import NAMED_SETS
from beholder.synthesis import FromFunction
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


def expect_failure(message: str, check: Callable[[], None]) -> None:
    with pytest.raises(AssertionError, match=message) as caught:
        check()
    said = str(caught.value)
    assert re.fullmatch(r"expected .+; got .+", said), said


class Noisy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.from_numpy(np.random.default_rng(time.time_ns()).random((2, 3072))).float())

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight.T


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"build": Noisy}, "to follow torch.device|meta"),
        ({"layers": ("0", "absent")}, "recorded layers"),
        ({"source": "other"}, "the source 'bad'"),
        ({"name": "other"}, "find"),
        ({"default_tag": "v1"}, "default_tag among the tags"),
        ({"preprocessing": ArrayPreprocessing(shape=(3, 32, 32), normalize_with=torch.round)}, "gradient"),
        ({"build": lambda: nn.Sequential(nn.Conv2d(1, 1, 3))}, "to run on two stimuli"),
    ],
)
def test_source(change: dict[str, Any], message: str, toy: ModuleType) -> None:
    class BadSource(SOURCES["toy"]):
        def find(self, name: str, tag: str | None) -> Any:
            return dataclasses.replace(super().find(name, tag), **{"source": "bad", **change})

    SOURCES.add("bad", BadSource)
    expect_failure(message, lambda: check_source("bad"))


def test_source_whose_names_or_errors_are_wrong(toy: ModuleType) -> None:
    class Unsorted(toy.ToySource):
        def list_names(self) -> list[str]:
            return ["line", "a"]

    class Raising(toy.ToySource):
        def find(self, name: str, tag: str | None) -> Any:
            return {"line": None}[name]

    SOURCES.add("bad", Unsorted)
    expect_failure("to be sorted", lambda: check_source("bad"))
    SOURCES.add("bad", Raising)
    expect_failure("to raise UnknownNameError .* got KeyError", lambda: check_source("bad"))
    expect_failure("a source called 'absent'", lambda: check_source("absent"))


def draw(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).random(shape).astype(np.float32)


def write_into(source: Any) -> Any:
    source[0] = 0.0
    return source


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"normalize_with": lambda x: x.detach()}, "to pass the gradient"),
        ({"normalize_with": torch.round}, "to pass a gradient to each stimulus"),
        ({"normalize_with": lambda x: x - x.mean()}, "each stimulus by itself"),
        ({"normalize_with": lambda x: x / 0}, "finite values"),
        ({"normalize_with": lambda x: x[0]}, "two stimuli"),
        ({"prepare_with": lambda x: np.random.default_rng(time.time_ns()).random(8)}, "same values twice"),
        ({"prepare_with": write_into}, "leave its stimulus"),
        ({"shape": (9,)}, "to take a stimulus"),
    ],
)
def test_preprocessing(fields: dict[str, Any], message: str) -> None:
    expect_failure(message, lambda: check_preprocessing(ArrayPreprocessing(**fields), example=draw((8,))))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"to_dict": lambda self: {"kind": "unknown"}}, "to read what .*to_dict gave"),
        ({"to_dict": lambda self: {"kind": "first-numbers", "n": 3}}, "to be equal after to_dict"),
        ({"to_dict": lambda self: {"kind": "first-numbers", "n": np.int64(6)}}, "JSON values"),
        ({"input_range": property(lambda self: (0.0, 0.5))}, r"to stay in \[0.0, 0.5\]"),
        ({"input_shape": property(lambda self: (7,))}, "input_shape"),
        ({"prepare": lambda self, source: np.ones(6)}, "a float32 array"),
        ({"supports_uint8": property(lambda self: True), "prepare_uint8": lambda self, x: np.ones(6)}, "uint8"),
    ],
)
def test_preprocessing_of_its_own(
    change: dict[str, Any], message: str, toy: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in change.items():
        monkeypatch.setattr(toy.FirstNumbers, name, value)
    expect_failure(message, lambda: check_preprocessing(toy.FirstNumbers(), example=np.linspace(0, 1, 9)))


NET = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh()).eval()


def count_calls(view: Any, calls: list[int] = []) -> Tensor:  # noqa: B006
    calls.append(1)
    return view.layer("0").flatten(1).mean(1) + len(calls)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda view: view.layer("0").flatten(1).mean(1).detach(), "to pass its gradient"),
        (lambda view: view.layer("0").mean(), "a tensor of 2 scores"),
        (lambda view: view.layer("0").flatten(1).mean(1) / 0, "finite scores"),
        (lambda view: (s := view.layer("0").flatten(1).mean(1)) - s.mean() / 2, "from image i alone"),
        (lambda view: view.layer("1").flatten(1).mean(1), "asked for in its `layers`"),
        (count_calls, "whatever other problems"),
    ],
)
def test_objective(function: Callable[[Any], Tensor], message: str) -> None:
    expect_failure(message, lambda: check_objective(FromFunction(function, ("0",)), NET, input_shape=(3, 8, 8)))


def make_kind(**change: Any) -> type[SectionKind]:
    def find(self: SectionKind, folder: Path) -> list[Path]:
        return find_files(folder, "*.note")

    def render(self: SectionKind, item: Path, page: Any) -> Section:
        return Section(title=item.read_text(encoding="utf-8").splitlines()[0])

    return type("BadKind", (SectionKind,), {"find": find, "render": render, **change})


def touch(self: SectionKind, item: Path, page: Any) -> Section:
    (item.parent / "made.txt").touch()
    return Section(title="A note")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"find": lambda self, folder: []}, "to find its files"),
        ({"find": lambda self, folder: [folder.parent]}, "below the folder"),
        ({"render": lambda self, item, page: None}, "a section from render"),
        ({"render": lambda self, item, page: {}}, "a Section from render"),
        ({"render": lambda self, item, page: 1 / 0}, "ZeroDivisionError"),
        ({"render": lambda self, item, page: Section(title=" ")}, "a title"),
        ({"render": touch}, "leave the folder as it is"),
        ({"render": lambda self, item, page: Section(title="Where?", answer=str(item))}, "no path of this machine"),
        ({"render": lambda self, item, page: Section(title="A note", view=item)}, "to draw all sections"),
    ],
)
def test_section(change: dict[str, Any], message: str, note: Path) -> None:
    SECTIONS.add("bad", make_kind(**change))
    expect_failure(message, lambda: check_section("bad", note))


def test_section_whose_template_asks_a_server(toy: ModuleType, note: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    far = note.parent / "far.html.jinja"
    far.write_text('<img src="https://example.org/x.png">')
    monkeypatch.setattr(toy.NoteView, "template", far)
    expect_failure("asks a server; got src=.https://example", lambda: check_section("notes", note))
    far.write_text("{{ section.absent }}")
    expect_failure("to draw all sections .* no attribute .absent.", lambda: check_section("notes", note))


def stop(self: SectionKind, item: Path, page: Any) -> Section:
    text = item.read_text(encoding="utf-8", errors="replace")
    if not text.startswith("What did we note?\n<b>Nothing</b>\nElse"):
        raise KeyboardInterrupt
    return Section(title="What did we note?")


def test_section_that_takes_the_page_along(note: Path) -> None:
    SECTIONS.add("bad", make_kind(render=stop))
    with pytest.raises(KeyboardInterrupt):
        check_section("bad", note)

    def claim(self: SectionKind, item: Path, page: Any) -> Section:
        page.claim(page.folder)
        return Section(title="All of it")

    SECTIONS.add("bad", make_kind(render=claim, turn=0))
    expect_failure("to cost no other section", lambda: check_section("bad", note))


def run_twice(plan: Any, shards: Any, worker: Any, folder: Any, n_workers: int, advance: Any) -> None:
    for path in (*folder.output.glob("*.txt"), *folder.path.rglob("s0*")):
        path.unlink()
    EXECUTORS["inline"](plan, list(plan.shards), worker, folder, n_workers, advance)


def swallow(*call: Any) -> None:
    try:
        EXECUTORS["inline"](*call)
    except ValueError:
        raise RuntimeError("a worker failed") from None


def scribble(plan: Any, shards: Any, worker: Any, folder: Any, n_workers: int, advance: Any) -> None:
    EXECUTORS["inline"](plan, shards, worker, folder, n_workers, advance)
    (folder.output / "log.txt").write_text("done")


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda *_: None, "to finish a plan; got .*without a receipt"),
        (swallow, "the worker's own error; got RuntimeError"),
        (scribble, "other files: log.txt"),
        (run_twice, "to keep finished shards"),
    ],
)
def test_executor(run: Callable[..., None], message: str) -> None:
    EXECUTORS.add("bad", run)
    expect_failure(message, lambda: check_executor("bad"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": ("a", "a", "b")}, "stimulus ids that differ"),
        ({"targets": np.zeros(3, np.int64)}, "one target for each label"),
        ({"files": ("dot_0.png", "dot_1.png", "absent.png")}, "the files of bad; got none at"),
        ({"conditions": {"size": [1, 2]}}, "bad"),
        ({"root": None}, "files"),
    ],
)
def test_stimulus_set(change: dict[str, Any], message: str, toy: ModuleType, dots: Path) -> None:
    NAMED_SETS.add("bad", lambda *where: dataclasses.replace(toy.build_dots(*where), **change))
    expect_failure(message, lambda: check_stimulus_set("bad", dots))


def test_stimulus_set_that_refuses_nothing(toy: ModuleType, dots: Path) -> None:
    NAMED_SETS.add("bad", lambda folder, truth: toy.build_dots(dots))
    expect_failure(
        "to raise InputError for a folder that is not there; got a set", lambda: check_stimulus_set("bad", dots)
    )


def test_image_preprocessing_is_checked_with_a_picture() -> None:
    """So that what fails above fails for its own reason."""
    check_preprocessing(ImagePreprocessing(resize=72, crop=(64, 64)))


TURNS = itertools.cycle([("dim", "bright"), ("bright", "dim")])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"make_preset": lambda: make_settings(kind="words")}, "settings of brighter from its make_preset; got words"),
        ({"preset": "similarity"}, "a preset of its own for brighter; got similarity"),
        ({"asked_slots": ("dim", "dark")}, "asked_slots of brighter among its slots; got dark"),
        ({"asked_places": ("left", "top")}, "the places .* got none called top"),
        ({"draw_places": lambda *_: {"left": "dim", "right": "dim"}}, "in its asked_places, each once"),
        ({"draw_places": lambda *_: dict(zip(("left", "right"), next(TURNS), strict=True))}, "from rng alone"),
        ({"find_room": lambda *_: float("nan")}, "find_room of brighter within 1280"),
        ({"network": NetworkRule("distances")}, "decide in the network rule"),
        ({"form": AnswerForm("choice", ("left",), by_place=True)}, "a place to answer for each slot"),
    ],
)
def test_task_kind(change: dict[str, Any], message: str, toy: ModuleType) -> None:
    TASK_KINDS.add("brighter", dataclasses.replace(toy.BRIGHTER, **change))
    expect_failure(message, lambda: check_task_kind("brighter"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("page.js", "export const Brighter = 1;", "to export the class Brighter"),
        ("page.js", 'import { h } from "./absent.js";\nexport class Brighter {}', "an import of kinds/brighter/absent"),
        ("page.js", "export class Brighter {}\neval('1');", r"made or fetched while the page runs; got eval\("),
        ("page.js", "export class Brighter {}\nfetch('//far.example.org/x');", "an address of another server"),
        ("page.js", "export class Brighter {}\nstage.innerHTML = text;", "markup in texts"),
        ("page.js", "export default class {}", "imports and exports on one line"),
        ("texts.en.json", '{"brighter": 3}', "texts, or lists of paragraphs"),
        ("texts.en.json", "{", "which does not parse"),
    ],
)
def test_page_of_a_task_kind(name: str, text: str, message: str, toy: ModuleType, tmp_path: Path) -> None:
    folder = shutil.copytree(toy.BRIGHTER.page.folder, tmp_path / "page")
    (folder / name).write_text(text)
    page = dataclasses.replace(toy.BRIGHTER.page, folder=folder)
    TASK_KINDS.add("brighter", dataclasses.replace(toy.BRIGHTER, page=page))
    expect_failure(message, lambda: check_task_kind("brighter"))


def test_task_kind_whose_instructions_or_planner_are_wrong(toy: ModuleType, pairs: Path) -> None:
    settings = toy.BRIGHTER.make_preset().replace({"instructions": ["lights"]})
    TASK_KINDS.add("brighter", dataclasses.replace(toy.BRIGHTER, make_preset=lambda: settings))
    expect_failure("texts of the instructions of brighter; got none of lights", lambda: check_task_kind("brighter"))
    TASK_KINDS.add("brighter", dataclasses.replace(toy.BRIGHTER, load_planner=lambda: 1 / 0))
    expect_failure("ZeroDivisionError", lambda: check_task_kind("brighter", [pairs]))
    TASK_KINDS.add("brighter", toy.BRIGHTER.form)
    expect_failure("a beholder.experiments.TaskKind as brighter; got AnswerForm", lambda: check_task_kind("brighter"))
    expect_failure("a kind of task called 'absent'", lambda: check_task_kind("absent"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"next_level": lambda self: 7.0}, "one of the levels from weighted"),
        ({"next_level": lambda self: None if len(self.log) > 9 else self.levels[0]}, "to the end of the plan"),
        ({"to_dict": lambda self: {"method": "other"}}, "method weighted in its settings"),
        ({"to_dict": lambda self: {"method": "weighted", "levels": {1, 2}}}, "as JSON, and back"),
        ({"plan": staticmethod(lambda adaptive, levels: {"method": "weighted", "steps": 3})}, "to be planned"),
        ({"plan": staticmethod(lambda adaptive, levels: {"method": "weighted", "levels": (1.0, 2.0)})}, "in the order"),
        ({"estimate": lambda self: 0.5}, "an Estimate from weighted"),
        ({"Parameters": None}, "a dataclass Parameters"),
    ],
)
def test_adaptive_method(
    change: dict[str, Any], message: str, toy: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in change.items():
        monkeypatch.setattr(toy.Weighted, name, value)
    describe_adaptive.cache_clear()
    expect_failure(message, lambda: check_adaptive_method("weighted"))
    METHODS.add("function", print)
    expect_failure("a class derived from AdaptiveProcedure", lambda: check_adaptive_method("function"))
    describe_adaptive.cache_clear()


def count_pairs(values: Any, folds: Any = None, precision: Any = None) -> np.ndarray:
    return np.arange(1.0, len(values) * (len(values) - 1) // 2 + 1)


@pytest.mark.parametrize(
    ("compute", "words", "message"),
    [
        (count_pairs, "", "words of broken"),
        (lambda values, **_: np.zeros(len(values)), "b", "a condensed RDM of 15 pairs"),
        (lambda values, **_: -count_pairs(values), "b", "can_be_negative"),
        (count_pairs, "b", "whatever order"),
        (lambda values, **_: pdist(values.mean(axis=1)), "b", "leave out a repeat that is missing"),
        (lambda values, **_: pdist(np.nan_to_num(values).mean(axis=1)), "b", "a stimulus without values"),
    ],
)
def test_distance(compute: Callable[..., np.ndarray], words: str, message: str) -> None:
    DISTANCES.add("broken", Distance(words, compute))
    expect_failure(message, lambda: check_distance("broken"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"title": lambda result: "Means"}, "a question as the title"),
        ({"sentences": lambda result: []}, "a sentence from means"),
        ({"methods": lambda result: f"By {id(result)}."}, "told alike after it was saved"),
        ({"plot": lambda result, ax: None}, "the axes from plot"),
        ({"draw": lambda result: iter(())}, "a picture from draw"),
        ({"draw": lambda result: iter([Drawing("a", Figure(), " ")])}, "words for who cannot see"),
    ],
)
def test_result_kind(toy: ModuleType, change: dict[str, Any], message: str) -> None:
    RESULT_KINDS.add("means", dataclasses.replace(toy.MEANS, **change))
    result = make_result("means", [{"layer": "conv1", "estimate": 0.5}], {})
    expect_failure(message, lambda: check_result_kind(result))


def test_recordings_reader(tmp_path: Path) -> None:
    path, draws = tmp_path / "cells.broken", itertools.count()
    path.write_text("anything")
    expect_failure(r"a reader of \.broken", lambda: check_recordings_reader(path))
    READERS.add(".broken", lambda path, given: Recordings([[next(draws)], [1.0]], ["a", "b"]))
    expect_failure("the same each time", lambda: check_recordings_reader(path))
    READERS.add(".broken", lambda path, given: Recordings([[0.0], [1.0]], ["a", "b"]))
    expect_failure("cut in half to be refused", lambda: check_recordings_reader(path))
