"""Plans over units: the published numbers, batches, catch trials, order, refusals, the same bytes anywhere."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from tests.exemplar_folders import write_easy_units, write_units

from beholder._core.errors import ConfigurationChanged, InputError
from beholder.experiments import ExperimentPlan, make_settings, plan_choice, read_plan

N_FOLDERS = 90


@pytest.fixture(scope="module")
def stimuli(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Empty folders of 90 units with batches 0 to 11, and visualisations."""
    place = tmp_path_factory.mktemp("stimuli")
    folder = write_units(place / "net", N_FOLDERS, 12, files=False)
    for unit in folder.glob("*/channel_*"):
        (unit / "optimized_images").mkdir()
    return folder


def find_unit(path: str) -> str:
    parts = Path(path).parts
    return "/".join(parts[parts.index("net") + 1 :][:2])


def find_batch(path: str) -> int:
    return int(Path(path).name.removeprefix("batch_"))


def count_units(plan: ExperimentPlan) -> Counter[str]:
    return Counter(find_unit(trial["queries"]) for task in plan.tasks for trial in task.raw_trials)


def check_invariants(plan: ExperimentPlan, n_trials: int, n_catch: int) -> None:
    counts: Counter[str] = Counter()
    n_units = len(count_units(plan))
    for k, task in enumerate(plan.tasks, start=1):
        assert task.index == k
        own = [find_unit(trial["queries"]) for trial in task.raw_trials]
        assert len(own) == len(set(own)) == n_trials, "no unit twice in a task"
        assert len(task.raw_catch_trials) == n_catch
        assert sorted(map(json.dumps, task.trials)) == sorted(map(json.dumps, task.raw_trials + task.raw_catch_trials))
        counts.update(own)
        missing = len(counts) < n_units
        assert max(counts.values()) - (0 if missing else min(counts.values())) <= 1, "at every boundary"
    assert len(set(counts.values())) == 1, "every unit equally often"


@pytest.mark.parametrize("scheme", ["document", "released"])
def test_the_published_numbers(stimuli: Path, tmp_path: Path, scheme: str) -> None:
    easy = write_easy_units(tmp_path / "easy", 7) if scheme == "released" else None
    plan = plan_choice(
        stimuli, tmp_path, n_trials=40, n_tasks=63, n_catch=5, n_units=84, max_batch=10, scheme=scheme,
        catch_source=easy,
    )  # fmt: skip
    check_invariants(plan, 40, 5)
    assert set(count_units(plan).values()) == {30}
    assert len(count_units(plan)) == 84
    batches: dict[str, list[int]] = {}
    for task in plan.tasks:
        for trial in task.raw_trials:
            assert trial["references"] == trial["queries"]
            assert trial["mode"] == "natural"
            batches.setdefault(find_unit(trial["queries"]), []).append(find_batch(trial["queries"]))
    catch = [[trial["queries"] for trial in task.raw_catch_trials] for task in plan.tasks]
    assert all(trial["mode"] == "catch_trial" for task in plan.tasks for trial in task.raw_catch_trials)
    if scheme == "released":
        for shown in batches.values():
            assert shown == [i % 11 for i in range(30)], "0-7 three times, 8-10 twice"
        assert len({tuple(row) for row in catch}) == 1
        assert len(set(catch[0])) == 5
        assert {Path(path).name for path in catch[0]} == {"natural_images"}
    else:
        for task in plan.tasks:
            assert {find_batch(trial["queries"]) for trial in task.raw_trials} == {(task.index - 1) % 10 + 1}
            own = {find_unit(trial["queries"]) for trial in task.raw_trials}
            assert not own & {find_unit(trial["queries"]) for trial in task.raw_catch_trials}
        assert len({tuple(sorted(row)) for row in catch}) > 60, "catch trials differ between tasks"
        assert {find_batch(path) for row in catch for path in row} == {0}
        shown = Counter(path for row in catch for path in row)
        assert max(shown.values()) - min(shown.values()) <= 2


@st.composite
def sizes(draw: st.DrawFn) -> tuple[int, int, int, int, int]:
    n_units = draw(st.integers(1, N_FOLDERS))
    n_trials = draw(st.integers(1, n_units))
    step = n_units // np.gcd(n_units, n_trials)
    n_tasks = int(step) * draw(st.integers(1, max(1, 80 // int(step))))
    return n_units, n_trials, n_tasks, draw(st.integers(0, 6)), draw(st.integers(1, 11))


@given(sizes(), st.sampled_from(["natural", "optimized"]), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_invariants_of_many_sizes(stimuli: Path, size: tuple[int, int, int, int, int], images: Any, seed: int) -> None:
    n_units, n_trials, n_tasks, n_catch, n_batches = size
    plan = plan_choice(
        stimuli, stimuli.parent, n_trials=n_trials, n_tasks=n_tasks, n_catch=n_catch, n_units=n_units,
        n_batches=n_batches, images=images, seed=seed,
    )  # fmt: skip
    check_invariants(plan, n_trials, n_catch)
    for task in plan.tasks:
        assert {find_batch(trial["queries"]) for trial in task.raw_trials} == {(task.index - 1) % n_batches + 1}
        for trial in task.raw_trials + task.raw_catch_trials:
            assert (Path(trial["references"]).name == "optimized_images") == (images == "optimized")
        assert len({trial["queries"] for trial in task.raw_catch_trials}) == n_catch
        for trial in task.raw_catch_trials:
            assert trial["queries"] == trial["references"], "the query lies among the references"
    if N_FOLDERS - n_trials >= n_catch > 0 and n_tasks > 1:
        rows = [{trial["queries"] for trial in task.raw_catch_trials} for task in plan.tasks]
        assert any(row != rows[0] for row in rows[1:]) or n_catch == N_FOLDERS - n_trials


@pytest.mark.parametrize("scheme", ["document", "released"])
def test_order_has_no_trend(stimuli: Path, tmp_path: Path, scheme: str) -> None:
    """Over seeds, a unit stands as often early as late in its tasks, whatever its name, task and count."""
    easy = write_easy_units(tmp_path / "easy", 2) if scheme == "released" else None
    names = [f"{p.parent.name}/{p.name}" for p in sorted(stimuli.glob("*/channel_*"))]
    place = {name: i for i, name in enumerate(names)}
    rows, catch = [], []
    for seed in range(15):
        plan = plan_choice(
            stimuli, tmp_path, n_trials=12, n_tasks=45, n_catch=2, n_units=90, n_batches=3, seed=seed, scheme=scheme,
            catch_source=easy, practice_source=stimuli,
        )  # fmt: skip
        for task in plan.tasks:
            for position, trial in enumerate(task.trials):
                if trial["mode"] == "catch_trial":
                    catch.append(position)
                else:
                    rows.append((place[find_unit(trial["queries"])], position, task.index))
    assert stats.chisquare(np.bincount(catch, minlength=14)).pvalue > 1e-3, "catch trials anywhere"
    unit, position, task = np.array(rows).T
    means = [position[unit == i] for i in range(90)]
    assert stats.kruskal(*means).pvalue > 1e-3
    for one, other in ((unit, position), (task, position), (unit, task)):
        assert stats.spearmanr(one, other).pvalue > 1e-3
    late = [np.mean(own) for own in means]
    assert abs(stats.spearmanr(range(90), late).statistic) < 0.35


def test_same_seed_same_bytes_on_any_file_system(
    stimuli: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    easy = write_easy_units(tmp_path / "easy", 5)
    numbers = {"n_trials": 30, "n_tasks": 9, "n_catch": 3}

    def make(seed: int) -> list[dict]:
        released = {"scheme": "released", "catch_source": easy}
        return [
            plan_choice(stimuli, tmp_path, seed=seed, **numbers, **more).to_dict() for more in ({}, released)
        ]  # fmt: skip

    first = make(1)
    iterdir, glob, rglob = Path.iterdir, Path.glob, Path.rglob

    def reverse(method):
        def call(self: Path, *args: str) -> Iterator[Path]:
            return iter(sorted(method(self, *args), reverse=True))

        return call

    monkeypatch.setattr(Path, "iterdir", reverse(iterdir))
    monkeypatch.setattr(Path, "glob", reverse(glob))
    monkeypatch.setattr(Path, "rglob", reverse(rglob))
    assert make(1) == first
    assert make(2) != first


def test_a_plan_is_a_file_of_relative_paths(stimuli: Path, tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    plan = plan_choice(stimuli, tmp_path / "plans", n_trials=9, n_tasks=10, n_catch=1)
    path = plan.save(tmp_path / "plans" / "plan.json")
    text = path.read_text()
    assert str(tmp_path) not in text
    content = json.loads(text)
    assert set(content) == {"kind", "settings", "scheme", "seed", "practice", "tasks"}
    assert set(content["tasks"][0]) == {"index", "raw_trials", "raw_catch_trials", "trials"}
    assert set(content["tasks"][0]["trials"][0]) == {"queries", "references", "mode"}
    assert (path.parent / content["tasks"][0]["trials"][0]["queries"]).is_dir()
    again = read_plan(path)
    assert again == plan
    assert again.hash == plan.hash
    assert plan.save(path) == path, "the same plan again"
    other = plan_choice(stimuli, tmp_path / "plans", n_trials=9, n_tasks=10, n_catch=1, seed=1)
    with pytest.raises(ConfigurationChanged, match="seed was 42, now 1"):
        other.save(path)
    narrower = plan_choice(stimuli, tmp_path / "plans", n_trials=9, n_tasks=10, n_catch=1, n_batches=2)
    with pytest.raises(ConfigurationChanged, match="other trials"):
        narrower.save(path)
    assert read_plan(path) == plan
    other.save(path, overwrite=True)
    assert read_plan(path) == other
    with pytest.raises(InputError, match="where the plan's paths lead from"):
        other.save(tmp_path / "plan.json")


def test_practice(stimuli: Path, tmp_path: Path) -> None:
    plan = plan_choice(stimuli, tmp_path, n_trials=40, n_tasks=63, n_units=84)
    assert [trial["mode"] for trial in plan.practice] == ["catch_trial"] * 4 + ["natural"]
    shown = count_units(plan)
    assert not {find_unit(trial["queries"]) for trial in plan.practice} & set(shown), "units that are not in the plan"
    assert plan.notes == ()
    own = plan_choice(stimuli, tmp_path, n_trials=45, n_tasks=2)
    assert len({find_unit(trial["queries"]) for trial in own.practice}) == 5
    assert {find_batch(trial["queries"]) for trial in own.practice} == {0}
    assert "practice shows units of the plan" in own.notes[0]
    nothing = make_settings("zimmermann-2afc", {"practice": {}})
    assert plan_choice(stimuli, tmp_path, n_trials=45, n_tasks=2, settings=nothing).practice == ()
    blocks = make_settings("zimmermann-2afc", {"practice.repeat_block": False, "practice.max_blocks": 3})
    assert len(plan_choice(stimuli, tmp_path, n_trials=45, n_tasks=2, settings=blocks).practice) == 15


def test_a_model_below_the_folder_and_other_difficulties(tmp_path: Path) -> None:
    write_units(tmp_path / "stimuli" / "net", 4, 2, optimized=9)
    write_units(tmp_path / "stimuli" / "net_hard", 4, 2)
    numbers = {"n_trials": 2, "n_tasks": 2, "n_catch": 1, "images": "optimized", "extra_name": "hard"}
    for source, model in ((tmp_path / "stimuli", "net"), (tmp_path / "stimuli" / "net_hard", None)):
        plan = plan_choice(source, tmp_path, model=model, **numbers)
        trial = plan.tasks[0].raw_trials[0]
        assert trial["queries"].startswith("stimuli/net_hard/")
        assert trial["references"].startswith("stimuli/net/")
    with pytest.raises(InputError, match=r"no folder at .*nett; try one of net, net_hard"):
        plan_choice(tmp_path / "stimuli", tmp_path, model="nett")


def test_defaults_fit_the_units(stimuli: Path, tmp_path: Path) -> None:
    for n_units, n_trials, n_tasks in ((84, 40, 63), (50, 40, 65), (7, 7, 63), (90, 40, 63), (41, 40, 82)):
        plan = plan_choice(stimuli, tmp_path, n_units=n_units)
        assert (len(plan.tasks[0].raw_trials), len(plan)) == (n_trials, n_tasks)
        check_invariants(plan, n_trials, 5)


def test_rules_that_nobody_can_meet_are_told(stimuli: Path, tmp_path: Path) -> None:
    plan = plan_choice(stimuli, tmp_path, n_trials=5, n_tasks=18, n_catch=4)
    assert any("row_choices_min 5 excludes everybody" in note for note in plan.notes)
    assert plan_choice(stimuli, tmp_path, n_trials=6, n_tasks=14, n_catch=4, n_units=84).notes == ()


def test_few_units_are_shown_in_catch_trials_too(tmp_path: Path) -> None:
    write_units(tmp_path / "net", 4, 3, files=False)
    plan = plan_choice(tmp_path / "net", tmp_path, n_trials=4, n_tasks=2, n_catch=2)
    check_invariants(plan, 4, 2)
    assert any("6 units keep them apart" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"n_trials": 91}, "at least as many units as trials a task (n_trials=91); got 90 units; try n_trials=90"),
        ({"n_trials": 40, "n_units": 30}, "got 30 units; try n_trials=30 or n_units=40"),
        ({"n_trials": 40, "n_tasks": 62, "n_units": 84}, "2480; try n_trials=42 or n_tasks=63 or n_units=80"),
        ({"n_units": 100}, "at most 90 units, as many as there are folders; got n_units=100; try n_units=90"),
        ({"n_trials": 30, "n_batches": 12}, "try n_batches=11 or `beholder units exemplars --num_batches 13`"),
        ({"n_trials": 30, "n_batches": 2, "max_batch": 5}, "max_batch=2 with n_batches=2; got max_batch=5"),
        ({"n_trials": 30, "min_batch": 0}, "min_batch of at least 1"),
        ({"n_trials": 30, "min_batch": 20}, "batches from 20 on"),
        ({"n_trials": 30, "n_batches": 0}, "n_batches of at least 1"),
        ({"n_trials": 0}, "n_trials of at least 1"),
        ({"n_trials": 30, "n_catch": -1}, "n_catch of at least 0"),
        ({"n_trials": 30, "n_catch": 91}, "at most 90 catch trials"),
        ({"n_trials": 30, "scheme": "released"}, "catch_source=FOLDER"),
        ({"n_trials": 30, "scheme": "relased"}, "expected scheme document|released"),
        ({"n_trials": 30, "catch_source": "x"}, 'catch_source with scheme="released"'),
        ({"n_trials": 30, "scheme": "released", "catch_source": "nowhere"}, "no folder at nowhere"),
    ],
)
def test_impossible_numbers_are_refused_with_the_nearest(
    stimuli: Path, tmp_path: Path, numbers: dict, message: str
) -> None:
    asked = {"n_tasks": 90, **numbers}
    if "n_units" in numbers and numbers["n_units"] == 100:
        asked |= {"n_trials": 30, "n_tasks": 6}
    with pytest.raises(InputError) as caught:
        plan_choice(stimuli, tmp_path, **asked)
    assert message in str(caught.value)


def test_missing_batches_and_folders(tmp_path: Path) -> None:
    write_units(tmp_path / "net", 4, 3, files=False)
    (tmp_path / "net" / "features.3" / "channel_1" / "natural_images" / "batch_0").rmdir()
    with pytest.raises(InputError, match="channel_1/natural_images without batch_0"):
        plan_choice(tmp_path / "net", tmp_path, n_trials=4, n_tasks=1, n_catch=1)
    plan = plan_choice(tmp_path / "net", tmp_path, n_trials=4, n_tasks=1, n_catch=0)
    assert {find_batch(trial["queries"]) for trial in plan.tasks[0].trials} == {1}
    with pytest.raises(InputError, match="units with optimized_images; got none"):
        plan_choice(tmp_path / "net", tmp_path, images="optimized")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="units exemplars"):
        plan_choice(tmp_path / "empty", tmp_path)


def test_counterfactual(tmp_path: Path) -> None:
    write_units(tmp_path / "net", 6, 3, counterfactual=True)
    plan = plan_choice(
        tmp_path / "net", tmp_path, n_trials=3, n_tasks=4, n_catch=1, settings=make_settings(kind="counterfactual")
    )
    assert plan.kind == "counterfactual"
    for task in plan.tasks:
        for trial in task.raw_trials:
            batch = (task.index - 1) % 2 + 1
            assert trial["unit"]["batch"] == batch
            assert trial["unit"]["model"] == "net"
            assert trial["stimuli"]["min"].endswith(f"counterfactual_images/batch_{batch}/min.png")
            assert [Path(path).stem for path in trial["stimuli"]["references"]] == [f"max_{k}" for k in range(9)]
            assert trial["correct"] == "max"
        for trial in task.raw_catch_trials:
            assert trial["stimuli"]["max"] == trial["stimuli"]["base"] != trial["stimuli"]["min"]


def write_queries(folder: Path, ranks: tuple[int, int], n_stimuli: int, activations: tuple[float, float]) -> None:
    """The manifest of a unit, as far as the two queries of batches 0 and 1 go."""
    rows = ["file,role,rank,activation,settings"]
    for batch in (0, 1):
        rows.append(f"batch_{batch}/max_0.png,reference,{n_stimuli - 1},9.5,{{}}")
        for sign, rank, value in zip(("min", "max"), ranks, activations, strict=True):
            told = f'"{{""n_stimuli"":{n_stimuli}}}"'
            rows.append(f"batch_{batch}/{sign}_9.png,query,{rank},{value},{told}")
    (folder / "natural_images").mkdir(parents=True, exist_ok=True)
    (folder / "natural_images" / "manifest.csv").write_text("\n".join(rows) + "\n")


def test_queries_that_nobody_could_tell_apart_are_refused_where_the_tasks_are_planned(tmp_path: Path) -> None:
    net = write_units(tmp_path / "net", 4, 2, files=False)
    units = sorted(net.glob("*/channel_*"))
    how: dict[str, Any] = {"n_trials": 2, "n_tasks": 4, "n_catch": 1}
    assert len(count_units(plan_choice(net, tmp_path, **how))) == 4, "folders of others, without manifests"
    for unit in units:
        write_queries(unit, (18, 22), 40, (0.1, 0.3))
    plan = plan_choice(net, tmp_path, **how)
    assert len(count_units(plan)) == 4 and not any("left out" in note for note in plan.notes)
    write_queries(units[2], (18, 21), 40, (0.1, 0.3))
    with pytest.raises(InputError, match=r"ranks 18 and 21 of 40 stimuli in batch 1 .*try `beholder units exempl"):
        plan_choice(net, tmp_path, **how)
    with pytest.raises(InputError, match="ranks 18 and 21 of 40"):
        plan_choice(net, tmp_path, scheme="released", n_trials=2, n_tasks=4, n_catch=0)
    write_queries(units[2], (10, 30), 40, (0.0, 0.0))
    plan = plan_choice(net, tmp_path, n_trials=3, n_tasks=4, n_catch=1)
    assert f"{units[2].parent.name}/{units[2].name}" not in count_units(plan) and len(count_units(plan)) == 3
    assert any("1 of 4 units are left out, whose two queries have one activation" in note for note in plan.notes)
    for unit in units:
        write_queries(unit, (10, 30), 40, (0.0, 0.0))
    with pytest.raises(InputError, match="units whose two queries differ in activation; got none of 4"):
        plan_choice(net, tmp_path, **how)
