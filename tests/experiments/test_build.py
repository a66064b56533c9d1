"""Building: the contract's folders, only what is asked for, complete after any interruption, the same bytes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.exemplar_folders import make_file, read_words, write_easy_units, write_units

from beholder._core.errors import ConfigurationChanged, InputError, OutputBusy
from beholder.experiments import build_tasks, make_settings, plan_choice, read_experiment
from beholder.jobs import JobFolder
from beholder.stimuli import open_image

NUMBERS: Any = {"n_trials": 3, "n_tasks": 4, "n_catch": 2}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """``net/`` with 6 units, 3 batches and 10 visualisations."""
    write_units(tmp_path / "net", 6, 3, optimized=10)
    return tmp_path


def read_all(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "provenance.json" and path.suffix != ".lock"
    }


@pytest.mark.parametrize("images", ["natural", "optimized"])
def test_the_folders_of_the_contract(place: Path, images: Any) -> None:
    plan = plan_choice(place / "net", place, images=images, **NUMBERS)
    made = build_tasks(plan.save(place / "plan.json"), place / "exp_data", n_references=9)
    assert repr(made) == "Experiment(2afc, 4 tasks of 5 trials, 5 for practice)"
    for task, planned in zip(made.tasks, plan.tasks, strict=True):
        folder = place / "exp_data" / f"task_{task.index}"
        index = json.loads((folder / "index.json").read_text())
        catch = [n for n, trial in enumerate(planned.trials, start=1) if trial["mode"] == "catch_trial"]
        assert index == {
            "task_name": f"task_{task.index}", "n_reference_images": 9, "n_trials": 5, "catch_trial_idxs": catch,
        }  # fmt: skip
        assert sorted(path.name for path in folder.iterdir()) == ["index.json", "key.json", "trials"]
        for n, trial in enumerate(planned.trials, start=1):
            own = folder / "trials" / f"trial_{n}"
            shown = {path.relative_to(own).as_posix(): read_words(path) for path in own.rglob("*.png")}
            expected = {f"queries/{sign}.png" for sign in ("min", "max")}
            expected |= {f"references/{sign}_{k}.png" for sign in ("min", "max") for k in range(9)}
            assert set(shown) == expected
            is_catch = trial["mode"] == "catch_trial"
            for sign in ("min", "max"):
                assert shown[f"queries/{sign}.png"].endswith(f"{sign}_{8 if is_catch else 9}.png")
                inside = shown[f"queries/{sign}.png"] in [shown[f"references/{sign}_{k}.png"] for k in range(9)]
                assert inside == is_catch
                assert ("optimized_images" in shown[f"references/{sign}_0.png"]) == (images == "optimized")
                assert ("optimized_images" in shown[f"queries/{sign}.png"]) == (images == "optimized" and is_catch)
            read = task.trials[n - 1]
            assert (read.n, read.role, read.mode) == (n, "catch" if is_catch else "main", trial["mode"])
            assert read.unit is not None
            assert read.unit.model == "net"
            assert f"channel_{read.unit.channel}" in trial["queries"]
            assert read.files["query_max"] == own / "queries" / "max.png"
            assert read.list_files("reference_min") == tuple(own / "references" / f"min_{k}.png" for k in range(9))
            assert read.correct == "query_max"
    assert (place / "exp_data" / "provenance.json").exists()
    settings = json.loads((place / "exp_data" / "experiment.json").read_text())["settings"]
    assert settings["disabled_ms"] == 1500


@pytest.mark.parametrize(("images", "n", "numbers"), [
    ("natural", 1, [8]), ("natural", 4, [5, 6, 7, 8]), ("optimized", 3, [6, 7, 8]), ("optimized", 10, list(range(10))),
])  # fmt: skip
def test_only_the_references_asked_for(place: Path, images: Any, n: int, numbers: list[int]) -> None:
    settings = make_settings("zimmermann-2afc", {"practice": {}})
    plan = plan_choice(place / "net", place, images=images, settings=settings, **NUMBERS | {"n_catch": 0})
    made = build_tasks(plan, place / "built", n_references=n)
    assert made.settings.n_references_shown == n
    for task in made.tasks:
        assert task.n_reference_images == n
        for trial in task.trials:
            names = sorted(path.stem for path in (trial.files["query_max"].parents[1] / "references").iterdir())
            assert names == sorted(f"{sign}_{k}" for sign in ("min", "max") for k in numbers)


def test_too_many_references(place: Path) -> None:
    plan = plan_choice(place / "net", place, **NUMBERS)
    with pytest.raises(InputError, match=r"10 references a side; got 9 in .*; try n_references=9"):
        build_tasks(plan, place / "built", n_references=10)
    assert not (place / "built").exists()


def test_few_visualisations_end_with_the_strongest(tmp_path: Path) -> None:
    write_units(tmp_path / "net", 6, 3, optimized=4)
    plan = plan_choice(tmp_path / "net", tmp_path, images="optimized", **NUMBERS)
    made = build_tasks(plan, tmp_path / "built", n_references=2)
    for trial in made.tasks[0].trials:
        assert {path.stem for path in trial.list_files("reference_max")} == {"max_2", "max_3"}
        assert read_words(trial.files["query_max"]).endswith("max_3.png") == trial.is_catch
    with pytest.raises(InputError, match="try n_references=4"):
        build_tasks(plan, tmp_path / "more")


def test_released_catch_trials_are_easy_units(place: Path) -> None:
    write_easy_units(place / "easy", 3)
    plan = plan_choice(place / "net", place, scheme="released", catch_source=place / "easy", **NUMBERS)
    made = build_tasks(plan, place / "built")
    for task in made.tasks:
        for trial in task.trials:
            text = read_words(trial.files["query_max"])
            assert text.endswith("max_9.png")
            assert ("easy" in text) == trial.is_catch
            assert text not in [read_words(path) for path in trial.list_files("reference_max")]
    write_units(place / "beholder_easy", 3, 2)
    plan = plan_choice(place / "net", place, scheme="released", catch_source=place / "beholder_easy", **NUMBERS)
    for trial in build_tasks(plan, place / "again").tasks[0].trials:
        assert read_words(trial.files["query_max"]).endswith("max_9.png")


def test_a_plan_of_the_documents(place: Path) -> None:
    """No kind and no settings; paths relative or of one machine."""
    unit = place / "net" / "features.0" / "channel_0"
    trials = [
        {"queries": str(unit / "natural_images/batch_1"), "references": str(unit / "optimized_images"),
         "mode": "optimized"},
        {"queries": "net/features.0/channel_0/natural_images/batch_0",
         "references": "net/features.0/channel_0/natural_images/batch_0", "mode": "catch_trial"},
    ]  # fmt: skip
    tasks = [{"index": 1, "raw_trials": trials[:1], "raw_catch_trials": trials[1:], "trials": trials}]
    (place / "old.json").write_text(json.dumps({"tasks": tasks}))
    made = build_tasks(place / "old.json", place / "built")
    assert made.kind == "2afc"
    first, second = made.tasks[0].trials
    assert (first.role, second.role) == ("main", "catch")
    assert read_words(second.files["query_min"]).endswith("min_8.png")
    for name in ("experiment.json",):
        (place / "built" / name).unlink()
    (place / "built" / "task_1" / "key.json").unlink()
    alone = read_experiment(place / "built")
    assert [trial.role for trial in alone.tasks[0].trials] == ["main", "catch"]
    assert alone.settings == make_settings("zimmermann-2afc")


def test_sounds_and_other_formats(tmp_path: Path) -> None:
    write_units(tmp_path / "net", 3, 2, suffix=".wav")
    plan = plan_choice(tmp_path / "net", tmp_path, n_trials=2, n_tasks=3, n_catch=1)
    made = build_tasks(plan, tmp_path / "built")
    assert {path.suffix for path in made.tasks[0].trials[0].files.values()} == {".wav"}
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    for path in list((tmp_path / "net").rglob("*.wav")):
        Image.fromarray(pixels).save(path.with_suffix(".bmp"))
        path.unlink()
    made = build_tasks(plan, tmp_path / "pictures")
    for path in made.tasks[0].trials[0].files.values():
        assert path.suffix == ".png", "browsers do not read bitmaps"
        assert (np.asarray(open_image(path)) == pixels).all()


def test_the_same_bytes_anywhere_and_again(place: Path) -> None:
    plan = plan_choice(place / "net", place, **NUMBERS)
    build_tasks(plan, place / "one")
    first = read_all(place / "one")
    build_tasks(plan, place / "other")
    assert read_all(place / "other") == first, "the folder's name stands nowhere in it"
    stamp = {name: (place / "one" / name).stat().st_mtime_ns for name in first if name.startswith("task_")}
    build_tasks(plan, place / "one")
    assert {name: (place / "one" / name).stat().st_mtime_ns for name in stamp} == stamp, "nothing is done twice"
    assert read_all(place / "one") == first


def test_disks_without_links_get_copies(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_choice(place / "net", place, **NUMBERS)
    build_tasks(plan, place / "linked")
    copies = [path.stat().st_nlink for path in (place / "linked").rglob("max_8.png")]
    assert max(copies) > 1, "the same picture is kept once"

    def refuse(old: Path, new: Path) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr("os.link", refuse)
    build_tasks(plan, place / "copied")
    assert read_all(place / "copied") == read_all(place / "linked")
    assert {path.stat().st_nlink for path in (place / "copied").rglob("max_8.png")} == {1}


KILLED = """
import os, sys
from beholder.experiments import build_tasks
from beholder.experiments.build import _build
left = int(sys.argv[3])
write = _build.write_copy

def write_and_die(path, content):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
    write(path, content)

_build.write_copy = write_and_die
build_tasks(sys.argv[1], sys.argv[2])
"""


@pytest.mark.parametrize("n_files", [0, 7, 60, 150])
def test_killed_at_any_file(place: Path, n_files: int) -> None:
    plan = plan_choice(place / "net", place, **NUMBERS)
    path = plan.save(place / "plan.json")
    killed = subprocess.run([sys.executable, "-c", KILLED, path, place / "built", str(n_files)], check=False)
    assert killed.returncode == 9
    with pytest.raises(InputError, match="a whole folder of 4 tasks"):
        read_experiment(place / "built")
    build_tasks(path, place / "built")
    build_tasks(path, place / "whole")
    assert read_all(place / "built") == read_all(place / "whole")


def test_another_plan_is_refused(place: Path) -> None:
    build_tasks(plan_choice(place / "net", place, **NUMBERS), place / "built")
    before = read_all(place / "built")
    other = plan_choice(place / "net", place, seed=7, **NUMBERS | {"n_tasks": 2})
    with pytest.raises(ConfigurationChanged, match=r"n_tasks was 4, now 2"):
        build_tasks(other, place / "built")
    with pytest.raises(ConfigurationChanged, match="n_references_shown was 9, now 3"):
        build_tasks(plan_choice(place / "net", place, **NUMBERS), place / "built", n_references=3)
    assert read_all(place / "built") == before
    build_tasks(other, place / "built", overwrite=True)
    build_tasks(other, place / "fresh")
    assert read_all(place / "built") == read_all(place / "fresh"), "nothing of the old plan is left"


def test_what_a_killed_replacement_left_is_not_taken_for_new(place: Path) -> None:
    build_tasks(plan_choice(place / "net", place, **NUMBERS), place / "built")
    (place / "built" / "experiment.json").unlink()
    shutil.rmtree(place / "built" / "task_1")
    other = plan_choice(place / "net", place, seed=7, **NUMBERS)
    with pytest.raises(ConfigurationChanged, match="an empty folder, or tasks of this plan"):
        build_tasks(other, place / "built")
    build_tasks(other, place / "built", overwrite=True)
    build_tasks(other, place / "fresh")
    assert read_all(place / "built") == read_all(place / "fresh")


def test_changed_stimuli_are_noticed(place: Path) -> None:
    plan = plan_choice(place / "net", place, **NUMBERS)
    build_tasks(plan, place / "built")
    for path in (place / "net").rglob("max_9.png"):
        path.write_bytes(make_file("another.png"))
    with pytest.raises(ConfigurationChanged, match="stimuli_hash"):
        build_tasks(plan, place / "built")


def test_folders_of_something_else_are_kept(place: Path) -> None:
    plan = plan_choice(place / "net", place, **NUMBERS)
    (place / "full").mkdir()
    (place / "full" / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(InputError, match=r"thesis.txt"):
            build_tasks(plan, place / "full", overwrite=overwrite)
    assert (place / "full" / "thesis.txt").read_text() == "mine"
    (place / "file").write_text("mine")
    with pytest.raises(InputError, match="folder"):
        build_tasks(plan, place / "file")


def test_missing_stimuli(place: Path) -> None:
    plan = plan_choice(place / "net", place, **NUMBERS)
    for path in (place / "net").rglob("batch_1/max_9.png"):
        path.unlink()
    with pytest.raises(InputError, match=r"max_9 in .*batch_1; got only max_0"):
        build_tasks(plan, place / "built")
    shutil.rmtree(place / "net")
    with pytest.raises(InputError, match="the stimuli that the plan names; got no folder"):
        build_tasks(plan, place / "built")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "a plan"),
        ('{"tasks": []}', "a plan"),
        ('{"tasks": [{"index": 2, "trials": []}]}', "index 1"),
        ('{"tasks": [{"index": 1, "trials": []}]}', "a task with trials"),
        ('{"tasks": [{"index": 1, "trials": [{"queries": 1}]}]}', "trials"),
        ('{"tasks": [{"index": 1, "trials": [{"stimuli": {}}]}], "kind": "sorting"}', "kind of task"),
        ('{"tasks": [{"index": 1, "trials": [{"stimuli": {}}]}], "kind": "words"}', "slots stimulus"),
        ('{"tasks": [{"index": 1, "trials": [{"stimuli": {}}]}], "settings": {"knd": "words"}}', "knd"),
        ("[", "does not parse"),
    ],
)
def test_plans_that_are_none(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(InputError) as caught:
        build_tasks(tmp_path / "plan.json", tmp_path / "built")
    assert message in str(caught.value)
    assert not (tmp_path / "built").exists()


def test_reading_what_is_no_experiment(tmp_path: Path, place: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        read_experiment(tmp_path / "nowhere")
    with pytest.raises(InputError, match="a folder of tasks, task_1"):
        read_experiment(place / "net")
    plan = plan_choice(place / "net", place, **NUMBERS)
    made = build_tasks(plan, place / "built")
    with pytest.raises(InputError, match="a task from 1 to 4; got 9"):
        made.get_task(9)
    assert made.get_task(2).index == 2
    (place / "built" / "task_2" / "trials" / "trial_1" / "queries" / "max.png").unlink()
    with pytest.raises(InputError, match="queries/max"):
        read_experiment(place / "built")
    shutil.rmtree(place / "built" / "task_2")
    with pytest.raises(InputError, match="without task_2"):
        read_experiment(place / "built")


def test_killed_while_a_damaged_task_is_taken_away(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_choice(place / "net", place, **NUMBERS)
    build_tasks(plan, place / "built")
    whole = read_all(place / "built")
    next((place / "built" / "task_2").rglob("*.png")).write_bytes(b"damaged")
    remove = shutil.rmtree

    def remove_some(path: Path) -> None:
        remove(path / "trials")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", remove_some)
        with pytest.raises(KeyboardInterrupt):
            build_tasks(plan, place / "built")
    build_tasks(plan, place / "built")
    assert read_all(place / "built") == whole


def test_another_plan_is_refused_and_replacing_waits_for_nobody(place: Path) -> None:
    plan = plan_choice(place / "net", place, **NUMBERS)
    built = build_tasks(plan, place / "built").path
    with JobFolder(built / ".jobs", built).hold(shared=True) as hold, hold.pause():
        build_tasks(plan, built)
        with pytest.raises(ConfigurationChanged, match="seed was"):
            build_tasks(plan_choice(place / "net", place, seed=9, **NUMBERS), built)
        with pytest.raises(OutputBusy, match="another run that is writing to it"):
            build_tasks(plan, built, overwrite=True)
