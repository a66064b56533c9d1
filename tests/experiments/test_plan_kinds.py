"""Plans of recognition, words, pairs, triplets, ratings; metamers, tables, graded levels."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.metamer_folders import write_metamers, write_sound_metamers

from beholder._core.errors import InputError
from beholder.experiments import (
    ExperimentPlan,
    build_tasks,
    make_settings,
    plan_pairs,
    plan_recognition,
    plan_similarity,
    read_plan,
    simulate_participants,
)
from beholder.experiments.design._stimulus_table import match_choice
from beholder.responses import read_responses
from beholder.stimuli import StimulusSet, load_categories, open_image

CATEGORIES = ("circle", "star", "spiral", "cross")
CHOICES = {"choices": list(CATEGORIES)}


@pytest.fixture
def metamers(tmp_path: Path) -> Path:
    """Two layers of four pictures; those of the second did not pass, one of the first is not there."""
    folder = write_metamers(tmp_path / "metamers" / "net", categories=CATEGORIES, passed=(True, False))
    (folder / "block1" / "star_1" / "metamer.png").unlink()
    return folder


def write_pictures(folder: Path, n: int, *, labels=CATEGORIES, suffix=".png") -> Path:
    for i in range(n):
        path = folder / labels[i % len(labels)] / f"{labels[i % len(labels)]}_{i}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4, 3), i, dtype=np.uint8)).save(path)
    return folder


def write_graded(folder: Path, n: int, levels=(0.1, 0.5, 1.0), manipulations=("contrast", "blur")) -> Path:
    rows = []
    for i in range(n):
        for manipulation in manipulations:
            for level in levels:
                name = f"{CATEGORIES[i % 4]}_{i}_{manipulation}_{level}.png"
                folder.mkdir(exist_ok=True)
                Image.fromarray(np.full((4, 4, 3), int(99 * level), dtype=np.uint8)).save(folder / name)
                rows.append([name, CATEGORIES[i % 4], f"{CATEGORIES[i % 4]}_{i}", manipulation, level])
    with open(folder / "graded.csv", "w", newline="") as file:
        csv.writer(file).writerows([["file", "label", "source", "manipulation", "level"], *rows[::-1]])
    return folder / "graded.csv"


def list_main(plan: ExperimentPlan) -> list[dict]:
    return [trial for task in plan.tasks for trial in task.raw_trials]


def test_metamers_once_a_participant_in_all_conditions(metamers: Path, tmp_path: Path) -> None:
    settings = make_settings("feather-pictures", CHOICES)
    plan = plan_recognition([metamers], tmp_path, settings=settings)
    assert len(plan) == 3, "originals and two layers"
    shown = Counter()
    for task in plan.tasks:
        ids = [trial["conditions"]["stimulus_id"] for trial in task.raw_trials]
        assert sorted(ids) == sorted(f"{name}_{i}" for i, name in enumerate(CATEGORIES))
        shown.update(
            (trial["conditions"]["stimulus_id"], trial["conditions"]["condition"]) for trial in task.raw_trials
        )
    assert set(shown.values()) == {1}
    assert len(shown) == 12
    for trial in list_main(plan):
        about, file = trial["conditions"], trial["stimuli"]["stimulus"]
        assert trial["correct"] == about["stimulus_id"].partition("_")[0]
        original = f"metamers/net/originals/{about['stimulus_id']}.png"
        if about["condition"] == "original":
            assert (trial["mode"], file) == ("original", original)
            continue
        missing = about["layer"] == "classifier" or about["stimulus_id"] == "star_1"
        assert about["replaced"] == missing
        assert file == (original if missing else f"metamers/net/block1/{about['stimulus_id']}/metamer.png")
    assert any("5 of 12" in note for note in plan.notes)
    kept = plan_recognition([metamers], tmp_path, keep_failed=True, settings=settings)
    assert sum(trial["conditions"].get("replaced", False) for trial in list_main(kept)) == 1
    one = plan_recognition([metamers], tmp_path, layers=["block1"], settings=settings)
    assert len(one) == 2
    with pytest.raises(InputError, match="'block1'"):
        plan_recognition([metamers], tmp_path, layers=["block11"], settings=settings)


def test_forty_pictures_take_a_participant_a_quarter_of_an_hour_at_most(tmp_path: Path) -> None:
    write_pictures(tmp_path / "own", 40)
    settings = make_settings(kind="odd_one_out")
    plan = plan_similarity([tmp_path / "own"], tmp_path, settings=settings)
    assert (len(plan), len(plan.tasks[0].trials), len(plan.practice)) == (7, 124, 3)
    assert plan.minutes == 127 * 4 / 60
    timed = plan_similarity(
        [tmp_path / "own"], tmp_path, settings=settings.replace({"stimulus_ms": 1000, "gap_ms": 500})
    )
    assert timed.minutes == 127 * 5.5 / 60


def test_two_networks(metamers: Path, tmp_path: Path) -> None:
    other = write_metamers(tmp_path / "metamers" / "other", categories=CATEGORIES, layers=("late",))
    settings = make_settings("feather-pictures", CHOICES)
    plan = plan_recognition([metamers, other], tmp_path, settings=settings)
    assert len(plan) == 4
    assert {trial["conditions"]["condition"] for trial in list_main(plan)} == {
        "original", "net/block1", "net/classifier", "other/late",
    }  # fmt: skip
    write_metamers(tmp_path / "wrong", categories=("star", "circle"))
    for path in (tmp_path / "wrong").glob("stimuli.csv"):
        path.write_text(path.read_text().replace("star_0", "circle_0"))
    with pytest.raises(InputError, match="labelled 'circle' and 'star'"):
        plan_recognition([metamers, tmp_path / "wrong"], tmp_path, settings=settings)


def test_catch_and_practice(metamers: Path, tmp_path: Path) -> None:
    easy = write_pictures(tmp_path / "easy", 4)
    practice = write_pictures(tmp_path / "practice", 40)
    settings = make_settings("feather-pictures", CHOICES)
    plan = plan_recognition(
        [metamers], tmp_path, n_tasks=6, n_catch=3, catch_source=easy, practice_source=practice, settings=settings
    )
    shown = Counter()
    for task in plan.tasks:
        catch = [trial["stimuli"]["stimulus"] for trial in task.raw_catch_trials]
        assert len(set(catch)) == 3
        shown.update(catch)
        assert [trial["mode"] for trial in task.raw_catch_trials] == ["catch_trial"] * 3
    assert max(shown.values()) - min(shown.values()) <= 1
    assert len(plan.practice) == 28
    files = [trial["stimuli"]["stimulus"] for trial in plan.practice]
    assert len(set(files)) == 28
    assert set(Counter(trial["correct"] for trial in plan.practice).values()) == {7}
    made = build_tasks(plan.save(tmp_path / "plan.json"), tmp_path / "built")
    assert [len(task) for task in made.tasks] == [7] * 6
    for task, planned in zip(made.tasks, plan.tasks, strict=True):
        for trial, asked in zip(task.trials, planned.trials, strict=True):
            assert trial.files["stimulus"].read_bytes() == (tmp_path / asked["stimuli"]["stimulus"]).read_bytes()
            assert trial.correct == asked["correct"]
            assert trial.is_catch == (asked["mode"] == "catch_trial")
            assert dict(trial.conditions) == asked["conditions"]
    assert [trial.role for trial in made.practice] == ["practice"] * 28
    without = plan_recognition([metamers], tmp_path, settings=settings)
    assert without.settings.practice.n_trials == 0
    assert {note.partition(";")[0] for note in without.notes} >= {"no catch trials", "no practice"}
    with pytest.raises(InputError, match="28 stimuli for practice; got 4"):
        plan_recognition([metamers], tmp_path, practice_source=easy, settings=settings)
    with pytest.raises(InputError, match="catch_source=FOLDER"):
        plan_recognition([metamers], tmp_path, n_catch=4, settings=settings)


def test_icons_are_the_catch_trials_of_the_categories(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "pictures", 12, labels=("n02690373_airliner", "n02835271_bicycle"))
    plan = plan_recognition([pictures], tmp_path, n_tasks=2)
    assert {trial["correct"] for trial in list_main(plan)} == {"airplane", "bicycle"}
    for task in plan.tasks:
        assert len(task.raw_catch_trials) == 16
        for trial in task.raw_catch_trials:
            assert trial["stimuli"]["stimulus"] == f"beholder:icons/{trial['correct']}.png"
    made = build_tasks(plan.save(tmp_path / "plan.json"), tmp_path / "built")
    catch = [trial for trial in made.tasks[0].trials if trial.is_catch]
    assert len(catch) == 16
    for trial in catch:
        with Image.open(trial.files["stimulus"]) as picture:
            assert picture.size == (4, 4), "as large as the other stimuli"


def test_words(tmp_path: Path) -> None:
    sounds = write_sound_metamers(tmp_path / "metamers" / "net", categories=("ba", "be", "bi"))
    settings = make_settings(kind="words", changes={"choices": ["ba", "be", "bi", "bu"]})
    plan = plan_recognition([sounds], tmp_path, settings=settings)
    made = build_tasks(plan, tmp_path / "built")
    assert made.kind == "words"
    assert {trial.files["stimulus"].suffix for task in made.tasks for trial in task.trials} == {".wav"}
    with pytest.raises(InputError, match="pictures for recognition"):
        plan_recognition([sounds], tmp_path)
    with pytest.raises(InputError, match=r"among the 793 choices; got 'ba' of 'ba_0'; try settings 'choices=\[\]'"):
        plan_recognition([sounds], tmp_path, settings=make_settings(kind="words"))
    own = make_settings(kind="words", changes={"choices": []})
    assert plan_recognition([sounds], tmp_path, settings=own).settings.choices == ("ba", "be", "bi")


def test_fewer_stimuli_a_participant(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "pictures", 12)
    settings = make_settings("feather-pictures", CHOICES)
    plan = plan_recognition([pictures], tmp_path, n_trials=8, n_tasks=3, settings=settings)
    shown = Counter(trial["conditions"]["stimulus_id"] for trial in list_main(plan))
    assert set(shown.values()) == {2}
    with pytest.raises(InputError, match="2 x 8 = 16; try n_trials=6 or n_tasks=3"):
        plan_recognition([pictures], tmp_path, n_trials=8, n_tasks=2, settings=settings)
    with pytest.raises(InputError, match="n_trials from 1 to 12"):
        plan_recognition([pictures], tmp_path, n_trials=13, settings=settings)


def test_levels_as_conditions(tmp_path: Path) -> None:
    table = write_graded(tmp_path / "graded", 8)
    settings = make_settings("feather-pictures", CHOICES)
    plan = plan_recognition([table], tmp_path, settings=settings)
    assert len(plan) == 6
    shown = Counter()
    for task in plan.tasks:
        assert len({trial["conditions"]["stimulus_id"] for trial in task.raw_trials}) == 8
        for trial in task.raw_trials:
            about = trial["conditions"]
            assert (
                f"{about['stimulus_id']}_{about['manipulation']}_{about['level']:.1f}" in trial["stimuli"]["stimulus"]
            )
            shown[about["stimulus_id"], about["manipulation"], about["level"]] += 1
    assert "manipulation=blur, level=1" in {trial["conditions"]["condition"] for trial in list_main(plan)}
    assert len(shown) == 48
    assert set(shown.values()) == {1}
    assert plan.settings.adaptive is None


def test_levels_that_are_chosen(tmp_path: Path) -> None:
    table = write_graded(tmp_path / "graded", 8)
    settings = make_settings("feather-pictures", CHOICES)
    plan = plan_recognition([table], tmp_path, adaptive=True, settings=settings)
    assert len(plan) == 2, "two manipulations"
    assert plan.settings.adaptive is not None
    assert plan.settings.adaptive.guess == 0.25
    for trial in list_main(plan):
        assert trial["levels"] == [0.1, 0.5, 1.0]
        assert trial["conditions"]["condition"] in ("manipulation=blur", "manipulation=contrast")
    made = build_tasks(plan.save(tmp_path / "plan.json"), tmp_path / "built")
    for trial in made.tasks[0].trials:
        assert trial.levels == (0.1, 0.5, 1.0)
        values: Any = [open_image(path).getpixel((0, 0)) for path in trial.list_files("stimulus_level")]
        assert [value[0] for value in values] == [9, 49, 99], "rising"
    other = make_settings("feather-pictures", {**CHOICES, "adaptive.target": 0.6})
    adaptive = plan_recognition([table], tmp_path, adaptive=True, settings=other).settings.adaptive
    assert adaptive is not None
    assert (adaptive.target, adaptive.guess) == (0.6, 0.25)
    with pytest.raises(InputError, match="a column 'level'"):
        plan_recognition([write_pictures(tmp_path / "p", 4)], tmp_path, adaptive=True, settings=settings)


def test_tables_that_do_not_fit(tmp_path: Path) -> None:
    settings = make_settings("feather-pictures", CHOICES)
    table = write_graded(tmp_path / "graded", 4)
    lines = table.read_text().splitlines()
    for text, message in [
        (lines[:-1], "every stimulus in every condition"),
        ([*lines, lines[1]], "the id"),
        ([line.replace(",0.5", ",half") for line in lines], "numbers in the column 'level'"),
        ([line.replace(",star,star_1,blur", ",circle,star_1,blur") for line in lines], "one label for 'star_1'"),
    ]:
        table.write_text("\n".join(text))
        with pytest.raises(InputError) as caught:
            plan_recognition([table], tmp_path, settings=settings)
        assert message in str(caught.value)


def test_pairs_of_metamers(metamers: Path, tmp_path: Path) -> None:
    practice = write_pictures(tmp_path / "practice", 8)
    plan = plan_pairs([metamers], tmp_path, layers=["block1"], practice_source=practice)
    assert len(plan) == 4
    for task in plan.tasks:
        assert len({trial["conditions"]["stimulus_id"] for trial in task.raw_trials}) == 4, "once a participant"
    rows = Counter()
    for trial in list_main(plan):
        first, second = (Path(trial["stimuli"][slot]).parent.name for slot in ("first", "second"))
        same = trial["stimuli"]["first"] == trial["stimuli"]["second"]
        assert trial["correct"] == ("same" if same else "different")
        if trial["conditions"]["stimulus_id"] != "star_1":
            rows[first == "originals", second == "originals"] += 1
        else:
            assert same
            assert trial["conditions"]["replaced"]
    assert set(rows.values()) == {3}
    assert len(rows) == 4, "both orders, and either of them twice"
    assert Counter(trial["correct"] for trial in plan.practice) == {"same": 4, "different": 4}
    made = build_tasks(plan, tmp_path / "built")
    assert set(made.tasks[0].trials[0].files) == {"first", "second"}


def test_pairs_of_pictures(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "pictures", 9)
    plan = plan_pairs([pictures], tmp_path, n_catch=4)
    assert len(plan) == 2
    kinds: dict[str, set[str]] = {}
    for task in plan.tasks:
        counts = Counter(trial["correct"] for trial in task.raw_trials)
        assert abs(counts["same"] - counts["different"]) == 1
        seconds = [trial["stimuli"]["second"] for trial in task.raw_trials if trial["correct"] == "different"]
        assert len(set(seconds)) == len(seconds)
        for trial in task.raw_trials:
            assert (trial["stimuli"]["first"] == trial["stimuli"]["second"]) == (trial["correct"] == "same")
            kinds.setdefault(trial["conditions"]["stimulus_id"], set()).add(trial["correct"])
        catch = Counter(trial["correct"] for trial in task.raw_catch_trials)
        assert catch == {"same": 2, "different": 2}
    assert set(map(frozenset, kinds.values())) == {frozenset({"same", "different"})}
    with pytest.raises(InputError, match="two stimuli or more"):
        plan_pairs([write_pictures(tmp_path / "one", 1)], tmp_path)


def test_ratings_of_all_pairs(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "pictures", 10)
    plan = plan_similarity([pictures], tmp_path, n_trials=15, n_tasks=6, n_catch=2)
    shown, sides = Counter(), Counter()
    for task in plan.tasks:
        own = [tuple(sorted(trial["stimuli"].values())) for trial in task.raw_trials]
        assert len(set(own)) == 15, "no pair twice in a task"
        stimuli = Counter(name for pair in own for name in pair)
        assert max(stimuli.values()) - min(stimuli.values()) <= 2, "stimuli spread over a task"
        shown.update(own)
        sides.update((trial["stimuli"]["a"], trial["stimuli"]["b"]) for trial in task.raw_trials)
        for trial in task.raw_catch_trials:
            assert trial["stimuli"]["a"] == trial["stimuli"]["b"]
            assert trial["correct"] == "7"
    assert len(shown) == math.comb(10, 2)
    assert set(shown.values()) == {2}
    assert set(sides.values()) == {1}, "once either way round"
    assert all(trial["correct"] is None for trial in list_main(plan))
    with pytest.raises(
        InputError, match="a multiple of the 45 pairs of 10 stimuli; got 7 x 15 = 105; try n_trials=45 or n_tasks=6"
    ):
        plan_similarity([pictures], tmp_path, n_trials=15, n_tasks=7)
    assert len(plan_similarity([pictures], tmp_path)) == 1
    assert len(plan.practice) == 5


@pytest.mark.parametrize("kind", ["similarity", "odd_one_out"])
def test_who_knows_the_key_passes_the_catch_trials(tmp_path: Path, kind: str) -> None:
    pictures = write_pictures(tmp_path / "pictures", 5)
    plan = plan_similarity([pictures], tmp_path, n_trials=10, n_tasks=1, n_catch=2, settings=make_settings(kind=kind))
    made = simulate_participants(build_tasks(plan, tmp_path / "built"), tmp_path / "answers.sqlite", 1, "ideal")
    assert [outcome.end for outcome in made.outcomes] == ["done"]
    catch = read_responses(tmp_path / "answers.sqlite").trials.query("catch_trial")
    assert len(catch) == 2 and catch["correct"].all()


def test_odd_one_out(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "pictures", 9)
    settings = make_settings(kind="odd_one_out")
    plan = plan_similarity([pictures], tmp_path, n_trials=12, n_tasks=6, settings=settings)
    met: Counter[tuple[str, ...]] = Counter()
    for task in plan.tasks:
        own = [tuple(sorted(trial["stimuli"].values())) for trial in task.raw_trials]
        assert len(set(own)) == 12
        assert all(len(set(triplet)) == 3 for triplet in own)
        met.update(pair for triplet in own for pair in combinations(triplet, 2))
        for trial in task.raw_catch_trials:
            files = trial["stimuli"]
            others = [files[side] for side in "abc" if side != trial["correct"]]
            assert others[0] == others[1] != files[trial["correct"]]
    assert len(met) == 36
    assert max(met.values()) - min(met.values()) <= 3
    whole = plan_similarity([pictures], tmp_path, n_trials=84, n_tasks=2, settings=settings)
    for task in whole.tasks:
        assert len({tuple(sorted(trial["stimuli"].values())) for trial in task.raw_trials}) == 84
    made = build_tasks(plan, tmp_path / "built")
    assert set(made.tasks[0].trials[0].files) == {"a", "b", "c"}
    few = plan_similarity([pictures], tmp_path, n_trials=3, n_tasks=1, settings=settings)
    assert "never meet" in few.notes[0]


@pytest.mark.parametrize("kind", ["recognition", "same_different", "odd_one_out", "similarity"])
def test_the_same_bytes_with_the_same_seed(tmp_path: Path, kind: str) -> None:
    pictures = write_pictures(tmp_path / "pictures", 12)
    changes = CHOICES if kind == "recognition" else {}
    settings = make_settings(kind=kind, changes=changes)
    make = {"recognition": plan_recognition, "same_different": plan_pairs}.get(kind, plan_similarity)
    plans = [make([pictures], tmp_path, seed=seed, settings=settings) for seed in (1, 1, 2)]
    texts = [json.dumps(plan.to_dict()) for plan in plans]
    assert texts[0] == texts[1] != texts[2]
    path = plans[0].save(tmp_path / "plan.json")
    assert read_plan(path) == plans[0]
    assert str(tmp_path) not in path.read_text()


def test_choices_of_labels() -> None:
    assert match_choice("dog", ["cat", "dog"]) == "dog"
    wnid = load_categories()["dog"][0]
    assert match_choice(wnid, ["cat", "dog"]) == "dog"
    assert match_choice(f"{wnid}_some_dog", ["cat", "dog"]) == "dog"
    assert match_choice(wnid, ["cat"]) is None
    assert match_choice(f"{wnid}99", ["dog"]) is None


@pytest.mark.parametrize("kind", ["feather-pictures", "same-different", "similarity"])
def test_one_path_is_a_list_of_one(kind: str, metamers: Path, tmp_path: Path) -> None:
    plan = {"feather-pictures": plan_recognition, "same-different": plan_pairs, "similarity": plan_similarity}
    settings = make_settings(kind, CHOICES if kind == "feather-pictures" else {})
    made = [plan[kind](given, tmp_path, settings=settings) for given in (str(metamers), metamers, [metamers])]
    assert made[0].to_dict() == made[1].to_dict() == made[2].to_dict()


def test_stimuli_in_memory_and_lists_of_files_are_planned_as_a_folder_is(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 255, (4, 9, 9, 3), dtype=np.uint8)
    (tmp_path / "own").mkdir()
    files = [tmp_path / "own" / f"{i:06d}.png" for i in range(4)]
    for file, picture in zip(files, pixels, strict=True):
        Image.fromarray(picture).save(file)
    plans = [
        plan_similarity(given, tmp_path / "plan")
        for given in (
            tmp_path / "own",
            files,
            pixels,
            [Image.open(file) for file in files],
            StimulusSet.from_arrays(pixels),
        )
    ]
    shown = [[trial["conditions"] for task in plan.tasks for trial in task.trials] for plan in plans]
    assert all(each == shown[0] for each in shown)
    built = [build_tasks(plan, tmp_path / f"built_{i}") for i, plan in enumerate(plans)]
    for one in built:
        trial = one.get_task(1).trials[0]
        first = built[0].get_task(1).trials[0]
        for name, path in trial.files.items():
            assert np.array_equal(np.asarray(open_image(path)), np.asarray(open_image(first.files[name])))
    with pytest.raises(InputError, match=r"several metamers/\{model\}; got 2 of them, .*own among them"):
        plan_similarity([tmp_path / "own", files[0]], tmp_path / "plan")
