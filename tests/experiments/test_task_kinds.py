"""A kind of task is one record: those of the package hold together, and one from outside goes the whole way."""

from __future__ import annotations

import ast
import random
import re
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from tests.experiment_folders import make_png
from tests.testing.toy.toy_kind import BRIGHTER

from beholder._core.errors import InputError, UnknownNameError
from beholder.experiments import (
    KINDS,
    build_tasks,
    get_preset,
    get_task_kind,
    list_task_kinds,
    make_settings,
    name_preset,
    open_store,
    read_plan,
    register_task_kind,
    serve,
    simulate_participants,
    write_static_pages,
)
from beholder.experiments.build._bundle import STATIC
from beholder.responses import TASK_KINDS, export_responses, get_answer_form, read_responses

from .person import Person, serving

UNSEEN = replace(BRIGHTER, page="")

PAIRS = 3
TOY = Path(__file__).parents[1] / "testing/toy"


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy kind without its page, until the test is over."""
    monkeypatch.setattr(TASK_KINDS, "_entries", dict(TASK_KINDS._entries))
    register_task_kind(UNSEEN)


def write_pictures(folder: Path) -> Path:
    folder.mkdir()
    for k in range(PAIRS):
        for j, slot in enumerate(("dim", "bright")):
            (folder / f"{slot}_{k}.png").write_bytes(make_png(2 * k + j + 1))
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_holds_together(kind: str) -> None:
    record = get_task_kind(kind)
    assert record.name == kind and record.form is get_answer_form(kind)
    assert record.make_preset().kind == kind and name_preset(kind) == record.preset
    assert set(record.asked_slots) <= set(record.slots)
    files = {slot: Path(slot) for slot in record.slots}
    shown = record.draw_places(files, 0, random.Random(1))
    assert set(record.asked_places) <= set(shown)
    asked = [
        slot
        for place in record.asked_places
        for slot in ([shown[place]] if isinstance(shown[place], str) else shown[place])
    ]
    assert sorted(asked) == sorted(record.asked_slots)
    if record.form.by_place:
        assert len(record.form.values) == len(record.asked_slots)
    assert (record.network.by == "distances") == (record.network.decide is not None)


def test_every_kind_has_its_page_and_no_page_is_without_a_kind() -> None:
    script = (STATIC / "js/trials/kinds.js").read_text(encoding="utf-8")
    table = dict(re.findall(r'^  "?(\w+)"?: (\w+),$', script.partition("KINDS = {")[2], re.MULTILINE))
    assert tuple(table) == KINDS == list_task_kinds()
    modules = dict(re.findall(r'^import \{ (\w+) \} from "\./(\w+\.js)";$', script, re.MULTILINE))
    assert {kind: modules[table[kind]] for kind in KINDS} == {kind: get_task_kind(kind).page for kind in KINDS}
    assert len(set(modules.values())) == len(KINDS)


def test_only_records_and_pages_know_the_names_of_kinds() -> None:
    """What depends on the kind of a task asks its record, or its page: neither serving nor a command compares names."""
    package = STATIC.parents[1]
    rooms = [
        package / "cli",
        *(package / "experiments" / name for name in ("design", "flow", "build", "server", "simulation")),
    ]
    files = [package / "evaluation/_participant.py", *(path for room in rooms for path in room.rglob("*.py"))]
    assert len(files) > 60
    trees = {path: ast.walk(ast.parse(path.read_text(encoding="utf-8"))) for path in files}
    found = {
        path.name for path, tree in trees.items() for n in tree if isinstance(n, ast.Constant) and n.value in KINDS
    } - {"_plan_similarity.py", "_analyze_recognition.py"}  # a preset, and an analysis, that are called as a kind
    scripts = [path for path in (STATIC / "js").rglob("*.js") if path.parent.name != "trials"]
    names = re.compile(rf"""(?:[!=]==? *|[\[,] *)["'](?:{"|".join(KINDS)})["']""")
    found |= {path.name for path in scripts if names.search(path.read_text(encoding="utf-8"))}
    assert found == set()


def test_a_kind_from_outside_is_planned_built_served_simulated_and_exported(toy: None, tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures")
    code = (
        f"import sys; sys.path.insert(0, {str(TOY)!r}); from toy_kind import BRIGHTER; "
        "from beholder.experiments import register_task_kind; register_task_kind(BRIGHTER); "
        "from beholder.cli._main import main; main()"
    )
    words = ["tasks", "plan", "--kind", "brighter", "-s", "pictures", "-nh", "2", "-o", "plan.json"]
    run = partial(subprocess.run, check=False, cwd=tmp_path, capture_output=True, text=True)
    done = run([sys.executable, "-c", code, *words])
    assert done.returncode == 0, done.stderr
    assert "brighter: 2 tasks of 3 trials" in done.stdout
    refused = run([sys.executable, "-c", code, *words, "--keep_failed", "--overwrite"])
    assert refused.returncode == 2 and "flags of brighter" in refused.stderr

    experiment = build_tasks(read_plan(tmp_path / "plan.json"), tmp_path / "built")
    assert experiment.kind == "brighter" and set(experiment.tasks[0].trials[0].files) == {"dim", "bright"}

    with serving(tmp_path / "built", tmp_path / "answers.db") as (client, _):
        person = Person(client)
        assert person.begin()["step"] == "trials"
        trial = person.trials()[0]
        assert trial["kind"] == "brighter" and set(trial["stimuli"]) == {"left", "right"}
        assert person.answer(trial, {"choice": "upper"}).status_code == 422
        assert person.answer(trial, {"choice": "left"}).status_code == 200
        left = client.get(trial["stimuli"]["left"]).content
    row = read_responses(tmp_path / "answers.db").trials.iloc[0]
    shown = {
        slot: path.read_bytes() for slot, path in experiment.get_task(row["task"]).trials[row["n"] - 1].files.items()
    }
    assert row["choice"] == next(slot for slot, content in shown.items() if content == left)
    assert row["correct"] == (row["choice"] == "bright")

    with pytest.raises(InputError, match="a kind of task with a page; got brighter"):
        write_static_pages(experiment)
    with open_store(experiment, tmp_path / "served.db") as store, pytest.raises(InputError, match="with a page"):
        serve(experiment, store, port=0, on_start=lambda url: pytest.fail(f"people are let in at {url}"))

    made = simulate_participants(experiment, tmp_path / "simulated.db", 2, "ideal")
    assert made.n_correct == made.n_answers == 2 * PAIRS
    out = export_responses(tmp_path / "simulated.db", tmp_path / "out").out
    table = (out / "responses.csv").read_text(encoding="utf-8")
    assert table.count("bright") >= 2 * PAIRS


def test_a_kind_that_is_not_registered_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="kind of task"):
        get_task_kind("brighter")
    with pytest.raises(InputError, match=r"one of 2afc, counterfactual, .* for the setting 'kind'"):
        make_settings("similarity").replace({"kind": "brighter"})
    with pytest.raises(UnknownNameError, match="preset"):
        get_preset("brightness")


def test_a_kind_never_takes_the_name_preset_or_form_of_another(toy: None) -> None:
    register_task_kind(UNSEEN)  # again is nothing new
    for taken in ({"name": "words"}, {"preset": "similarity"}, {"preset": "of its own"}):
        with pytest.raises(InputError, match="a kind of task with a name and a preset of its own"):
            register_task_kind(replace(UNSEEN, **taken))
    with pytest.raises(InputError, match="a name of small letters, digits and _"):
        register_task_kind(replace(UNSEEN, name="Far/..", preset="far"))
    assert get_answer_form("words").name == "word"
