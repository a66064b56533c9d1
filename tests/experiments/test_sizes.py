from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from tests.browser.built_folders import build_folder

from beholder._core.errors import ConfigurationChanged, InputError
from beholder._core.files import write_json
from beholder._core.hashing import hash_settings
from beholder.experiments import (
    build_tasks,
    list_size_notes,
    make_settings,
    open_store,
    plan_pairs,
    plan_similarity,
    read_experiment,
)
from beholder.experiments.server._server import check_answers
from beholder.experiments.settings._settings import Settings
from beholder.experiments.settings._sizes import parse_size


@pytest.mark.parametrize(
    ("size", "meaning"),
    [("fit", ("fit", 0.0)), ("pixels", ("pixels", 0.0)), ("points", ("points", 0.0)), ("300px", ("px", 300.0)),
     ("5deg", ("deg", 5.0)), ("2.5 deg", ("deg", 2.5))],
)  # fmt: skip
def test_sizes_are_words_or_lengths(size, meaning):
    assert parse_size(size) == meaning


@pytest.mark.parametrize("size", ["", "300", "5 degrees", "-5deg", "0px", "fill", "nanpx", "1e3px"])
def test_other_sizes_are_refused(size):
    with pytest.raises(InputError, match=r"size in pixels \(300px\), in degrees \(5deg\), or one of fit"):
        make_settings(kind="similarity", changes={"size": size, "calibration": "card"})


def test_degrees_need_a_calibration():
    with pytest.raises(InputError, match="calibration=card"):
        make_settings(kind="similarity", changes={"size": "5deg"})
    assert make_settings(kind="similarity", changes={"size": "5deg", "calibration": "card"}).size == "5deg"


@pytest.mark.parametrize(
    ("old", "size"),
    [({"pixels": "screen", "size_degrees": None}, "pixels"), ({"pixels": "point", "size_degrees": None}, "points"),
     ({"pixels": "screen", "size_degrees": 4.0, "calibration": "card"}, "4deg"), ({"pixels": "point"}, "points"),
     ({"pixels": "point", "size_degrees": 2.25, "calibration": "card"}, "2.25deg")],
)  # fmt: skip
def test_older_plans_keep_their_sizes(old, size):
    values = make_settings(kind="similarity").to_dict()
    del values["size"]
    assert Settings.from_dict({**values, **old}).size == size


def test_older_names_are_answered_with_the_new_one():
    for changes, now in (({"pixels": "point"}, "size=points"), ({"size_degrees": 4}, "size=4deg")):
        with pytest.raises(InputError, match=now):
            make_settings(kind="similarity", changes=changes)
    with pytest.raises(InputError, match="size=pixels or size=points"):
        make_settings(kind="similarity", changes={"pixels": "dots"})


def test_answers_of_an_older_version_are_gone_on_with(tmp_path: Path):
    """Its folder and its file of answers speak of `pixels`; the size is the same, so nothing has changed."""
    folder = build_folder(tmp_path / "built", "similarity", 1, {"size": "pixels"})
    top = json.loads((folder / "experiment.json").read_text(encoding="utf-8"))
    del top["settings"]["size"]
    top["settings"] |= {"pixels": "screen", "size_degrees": None}
    (folder / "experiment.json").write_text(json.dumps(top), encoding="utf-8")
    experiment = read_experiment(folder)
    assert experiment.settings.size == "pixels"
    db = tmp_path / "answers.sqlite"
    with contextlib.closing(open_store(experiment, db)) as store:
        older = json.loads(store.read_meta("experiment"))
        older["settings"] = top["settings"]
        store.write(lambda connection: connection.execute(
            "UPDATE meta SET value = ? WHERE key = 'experiment'", (json.dumps(older),)))  # fmt: skip
    check_answers(experiment, db)
    open_store(experiment, db).close()
    top["settings"]["pixels"] = "point"
    (folder / "experiment.json").write_text(json.dumps(top), encoding="utf-8")
    with pytest.raises(ConfigurationChanged, match="size"):
        check_answers(read_experiment(folder), db)


def test_an_older_plan_is_built_into_its_own_folder(tmp_path: Path):
    """Both speak of `pixels`: what is there stays, byte by byte, what is missing is made, another size is refused."""
    write_pictures(tmp_path / "in", {"a": (40, 40), "b": (40, 40), "c": (40, 40)})
    plan = plan_similarity([tmp_path / "in"], tmp_path, n_tasks=2, settings=make_settings(kind="similarity", changes={
        "size": "pixels", "practice.n_with_feedback": 0, "presentations_max": None}))  # fmt: skip
    older = plan.to_dict()
    older["settings"] = {n: v for n, v in older["settings"].items() if n not in ("size", "presentations_max")}
    older["settings"] |= {"pixels": "screen", "size_degrees": None}
    write_json(tmp_path / "plan.json", older)
    folder = build_tasks(plan, tmp_path / "built").path
    top = json.loads((folder / "experiment.json").read_text(encoding="utf-8"))
    top |= {"settings": older["settings"], "plan_hash": hash_settings(older)}
    write_json(folder / "experiment.json", top)

    def read():
        return {p: p.read_bytes() for p in sorted(folder.rglob("[!.]*")) if p.is_file() and ".jobs" not in p.parts}

    before = read()
    assert build_tasks(tmp_path / "plan.json", folder).settings.size == "pixels"
    assert read() == before
    shutil.rmtree(folder / "task_2")
    build_tasks(tmp_path / "plan.json", folder)
    assert read() == before
    plan.save(tmp_path / "plan.json")  # planned again: the same plan, whose file stays
    assert json.loads((tmp_path / "plan.json").read_text(encoding="utf-8")) == older
    older["settings"]["pixels"] = "point"
    write_json(tmp_path / "plan.json", older)
    with pytest.raises(ConfigurationChanged, match=r"that \S+built was made with.*size was 'pixels', now 'points'"):
        build_tasks(tmp_path / "plan.json", folder)
    with pytest.raises(ConfigurationChanged, match=r"size was 'points', now 'pixels'"):
        plan.save(tmp_path / "plan.json")


def write_pictures(folder: Path, sizes: dict[str, tuple[int, int]]) -> Path:
    """Grey pictures of these widths and heights."""
    folder.mkdir()
    for name, size in sizes.items():
        Image.new("L", size, 120).save(folder / f"{name}.png")
    return folder


def list_notes(source: Path, kind: str = "similarity", **changes: object) -> list[str]:
    """What is said of the sizes of a plan."""
    settings = make_settings(kind=kind, changes=changes)
    plan = {"similarity": plan_similarity, "odd_one_out": plan_similarity, "same_different": plan_pairs}[kind]
    return list_size_notes(plan([source], source.parent, settings=settings))


def test_pictures_that_differ_are_told_of(tmp_path: Path):
    alike = write_pictures(tmp_path / "alike", dict.fromkeys("abcd", (224, 224)))
    assert list_notes(alike) == []
    mixed = write_pictures(tmp_path / "mixed", {"a": (224, 224), "b": (112, 112), "c": (200, 224), "d": (224, 150)})
    told = "pictures of 112 × 112 to 224 × 224 pixels: those of a trial are shown equally large"
    assert list_notes(mixed) == [f"{told}, size=112px shows those of all trials so"]
    assert list_notes(mixed, size="pixels") == [
        "pictures of 112 × 112 to 224 × 224 pixels: each is shown by its own, size=pixels"
    ]


def test_phones_that_are_let_in_and_have_no_room_are_told_of(tmp_path: Path):
    alike = write_pictures(tmp_path / "alike", dict.fromkeys("abcd", (224, 224)))
    (note,) = list_notes(alike, phones=True)
    assert note.startswith("phones=true, but no phone has a window of min_width=700; --set min_width=0")
    assert not any("phone" in note for note in list_notes(alike, phones=True, min_width=0, min_height=0))


def test_trials_that_differ_are_told_of(tmp_path: Path):
    pairs = write_pictures(tmp_path / "two", {"a": (100, 100), "b": (300, 300), "c": (100, 100)})
    (note,) = list_notes(pairs)
    assert note.startswith(
        "pictures of 100 × 100 to 300 × 300 pixels: those of a trial are shown equally large, "
        "size=100px shows those of all trials so"
    )
    assert list_notes(pairs, size="100px") == [
        "pictures of 100 × 100 to 300 × 300 pixels: those of a trial are shown equally large"
    ]


def test_pictures_without_room_are_told_of(tmp_path: Path):
    large = write_pictures(tmp_path / "large", dict.fromkeys("abc", (400, 500)))
    assert list_notes(large) == ["pictures of 400 × 500 pixels: at most about 493 CSS pixels in a window of 1280 × 720"]
    assert list_notes(large, size="300px") == [
        "pictures of 400 × 500 pixels: at most about 273 CSS pixels in a window of 700 × 500"
    ]
    assert list_notes(large, size="200px") == []
    assert list_notes(large, size="20deg", calibration="card") == list_notes(large)


def test_a_file_that_is_no_picture_is_left_to_the_build(tmp_path: Path):
    folder = write_pictures(tmp_path / "some", dict.fromkeys("abc", (64, 64)))
    (folder / "d.png").write_bytes(b"nothing")
    assert list_notes(folder) == []
