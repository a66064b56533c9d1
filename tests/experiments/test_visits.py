"""Several sessions of one person: settings, what each shows, when each is open."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from tests.exemplar_folders import write_units
from tests.experiments.test_plan_kinds import CHOICES, write_pictures
from tests.metamer_folders import write_metamers

from beholder._core.errors import InputError
from beholder.cli._tasks_plan import _describe, build
from beholder.cli._tasks_simulate import _count_trials
from beholder.experiments import (
    ExperimentPlan,
    PlannedTask,
    Settings,
    build_tasks,
    make_settings,
    plan_choice,
    plan_pairs,
    plan_recognition,
    plan_similarity,
    read_experiment,
    read_plan,
    write_static_pages,
)
from beholder.experiments.settings._visits import DAY_S, Sessions, find_visit, find_window, name_task

SPLIT = {"sessions.n": 2}
REPEAT = {"sessions.n": 3, "sessions.deal": "repeat"}


def list_people(plan: ExperimentPlan) -> list[tuple[PlannedTask, ...]]:
    """Each participant's tasks."""
    n = plan.settings.sessions.n
    return [plan.tasks[first : first + n] for first in range(0, len(plan), n)]


def name_trial(trial: dict) -> str:
    return json.dumps(trial, sort_keys=True)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "pictures", 12)


def test_one_session_leaves_no_trace() -> None:
    settings = make_settings("similarity")
    assert "sessions" not in settings.to_dict(), "plans, folders and files of answers without are as they were"
    several = settings.replace({"sessions.n": 2, "sessions.days_max": 3})
    assert several.to_dict()["sessions"] == {
        "n": 2, "deal": "split", "days_min": 1.0, "days_max": 3.0, "completion_codes": [],
    }  # fmt: skip
    assert Settings.from_dict(several.to_dict()) == several
    assert several.replace({"sessions.n": 1, "sessions.days_max": None}) == settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sessions.n": 0}, "sessions.n of at least 1; got 0"),
        ({"sessions.days_min": 2}, "sessions.n of at least 2 with sessions.days_min; got 1"),
        ({"sessions.n": 2, "sessions.days_min": -1}, "sessions.days_min of at least 0"),
        ({"sessions.n": 2, "sessions.days_max": 1}, "sessions.days_max above sessions.days_min, 1; got 1"),
        (
            {"sessions.n": 2, "sessions.completion_codes": ["A"]},
            "2 sessions.completion_codes, one for each",
        ),
        ({"sessions.n": 2, "sessions.completion_codes": ["A", "B"], "completion_code": "C"}, "got both"),
        (
            {"sessions.n": 2, "sessions.deal": "repeated"},
            "one of split, repeat for the setting 'sessions.deal'; got 'repeated'",
        ),
        ({"sessions.m": 2}, "the name of a setting; got 'sessions.m'; try one of sessions.n, sessions.deal"),
        ({"session.n": 2}, "try 'sessions'"),
    ],
)
def test_settings_that_cannot_be(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_settings("similarity", changes)


def test_when_the_next_session_opens() -> None:
    window = find_window(Sessions(2, days_min=0.75, days_max=2), 1000.0)
    first, last = 1000 + 0.75 * DAY_S, 1000 + 2 * DAY_S
    assert (window.opens, window.closes) == (first, last)
    moments = [first - 1, first, last, last + 1]
    assert [window.find_state(now) for now in moments] == ["early", "open", "open", "closed"]
    assert find_window(Sessions(2), 0.0).find_state(1e12) == "open", "without days_max it stays open"


def test_tasks_of_a_participant_follow_each_other() -> None:
    sessions = Sessions(3)
    places = [(who, visit) for who in (1, 2) for visit in (1, 2, 3)]
    assert [name_task(sessions, *place) for place in places] == [1, 2, 3, 4, 5, 6]
    assert [find_visit(sessions, task) for task in range(1, 7)] == places


def make_plans(tmp_path: Path, pictures: Path, changes: dict) -> dict[str, ExperimentPlan]:
    """A plan of each planner."""
    units = write_units(tmp_path / "net", 8, 2)
    metamers = write_metamers(tmp_path / "metamers" / "net")
    easy = write_pictures(tmp_path / "easy", 4)
    pairs = make_settings("same-different", changes)
    return {
        "choice": plan_choice(
            units, tmp_path, n_trials=2, n_tasks=4, n_catch=1, settings=make_settings("zimmermann-2afc", changes)
        ),
        "recognition": plan_recognition(
            [pictures], tmp_path, n_trials=6, n_catch=2, catch_source=easy,
            settings=make_settings("feather-pictures", {**CHOICES, **changes}),
        ),
        "metamers": plan_pairs([metamers], tmp_path, settings=pairs),
        "pairs": plan_pairs([pictures], tmp_path, n_trials=6, n_tasks=2, settings=pairs),
        "ratings": plan_similarity([pictures], tmp_path, n_trials=11, settings=make_settings("similarity", changes)),
        "triplets": plan_similarity(
            [pictures], tmp_path, n_trials=10, n_tasks=3, settings=make_settings("odd-one-out", changes)
        ),
    }  # fmt: skip


def test_split_shows_nothing_twice_to_a_person(tmp_path: Path, pictures: Path) -> None:
    for name, plan in make_plans(tmp_path, pictures, SPLIT).items():
        for tasks in list_people(plan):
            assert len(tasks) == 2
            shown = [name_trial(trial) for task in tasks for trial in task.raw_trials]
            assert len(set(shown)) == len(shown), name
            sizes = [len(task.raw_trials) for task in tasks]
            assert max(sizes) - min(sizes) <= 1, name
            assert len({len(task.raw_catch_trials) for task in tasks}) == 1, name
        assert [task.index for task in plan.tasks] == list(range(1, len(plan) + 1))


def test_split_units(tmp_path: Path, pictures: Path) -> None:
    plan = make_plans(tmp_path, pictures, SPLIT)["choice"]
    assert len(plan) == 8, "-nh 4 participants of two sessions"
    counts = Counter(trial["queries"] for task in plan.tasks for trial in task.raw_trials)
    assert set(counts.values()) == {2}, "every unit equally often"
    for tasks in list_people(plan):
        main = {trial["queries"].split("/")[2] for task in tasks for trial in task.raw_trials}
        catch = {trial["queries"].split("/")[2] for task in tasks for trial in task.raw_catch_trials}
        assert len(main) == 4
        assert not main & catch, "a unit of catch trials is shown in none of a participant's sessions"


def test_split_of_more_units_than_keep_catch_trials_apart(tmp_path: Path) -> None:
    units = write_units(tmp_path / "net", 8, 2)
    settings = make_settings("zimmermann-2afc", SPLIT)
    plan = plan_choice(units, tmp_path, n_trials=4, n_tasks=2, n_catch=1, settings=settings)
    assert any("of other sessions of the same participant: 8 units for 8 + 1 trials" in each for each in plan.notes)
    for task in plan.tasks:
        both = (task.raw_trials, task.raw_catch_trials)
        own, catch = ({trial["queries"].split("/")[2] for trial in each} for each in both)
        assert not own & catch


def test_split_recognition_goes_through_all_stimuli(tmp_path: Path, pictures: Path) -> None:
    plan = make_plans(tmp_path, pictures, SPLIT)["recognition"]
    for tasks in list_people(plan):
        ids = {trial["conditions"]["stimulus_id"] for task in tasks for trial in task.raw_trials}
        assert len(ids) == 12
    settings = make_settings("feather-pictures", {**CHOICES, "sessions.n": 5})
    uneven = plan_recognition([pictures], tmp_path, n_catch=0, settings=settings)
    assert [len(task.raw_trials) for task in uneven.tasks] == [3, 3, 2, 2, 2], "all stimuli, without -nt"


def test_split_conditions_are_even_within_a_session(tmp_path: Path) -> None:
    """What is dealt is balanced in every run, so each session holds same and different pairs alike."""
    pictures = write_pictures(tmp_path / "pictures", 24)
    settings = make_settings("same-different", {"sessions.n": 3})
    plan = plan_pairs([pictures], tmp_path, n_catch=0, settings=settings)
    for task in plan.tasks:
        kinds = Counter(trial["correct"] for trial in task.raw_trials)
        assert kinds["same"] == kinds["different"] == 4


def test_repeat_shows_the_same_in_another_order(tmp_path: Path, pictures: Path) -> None:
    plans, alone = make_plans(tmp_path, pictures, REPEAT), make_plans(tmp_path, pictures, {})
    for name, plan in plans.items():
        once = alone[name]
        assert len(plan) == 3 * len(once)
        for tasks, first in zip(list_people(plan), once.tasks, strict=True):
            assert tasks[0].trials == first.trials, "the first session is that of an experiment with one"
            orders = [[name_trial(trial) for trial in task.trials] for task in tasks]
            assert all(Counter(order) == Counter(orders[0]) for order in orders), name
            assert len({tuple(order) for order in orders}) > 1, name


@pytest.mark.parametrize(
    ("changes", "numbers", "message"),
    [
        ({"sessions.n": 3}, {"n_trials": 5}, "n_trials from 1 to 4 in each of 3 sessions.*got n_trials=5"),
        ({"sessions.n": 13}, {}, "n_trials from 1 to 0 in each of 13 sessions.*got 12 stimuli"),
        ({"sessions.n": 2}, {"n_trials": 5, "n_tasks": 3}, r"got 3 x 5 x 2 sessions = 30; try n_trials=4 or n_tasks=6"),
        ({"sessions.n": 2}, {"n_trials": 5, "n_tasks": 4}, r"got 4 x 5 x 2 sessions = 40; try n_trials=6 or n_tasks=6"),
    ],
)
def test_numbers_that_do_not_fit(tmp_path: Path, pictures: Path, changes: dict, numbers: dict, message: str) -> None:
    settings = make_settings("feather-pictures", {**CHOICES, **changes})
    with pytest.raises(InputError, match=message):
        plan_recognition([pictures], tmp_path, n_catch=0, settings=settings, **numbers)


def plan_ratings(tmp_path: Path) -> ExperimentPlan:
    """Three participants, two sessions of a pair each."""
    pictures = write_pictures(tmp_path / "pictures", 4)
    settings = make_settings("similarity", {**SPLIT, "practice.n_without": 0})
    return plan_similarity([pictures], tmp_path, n_trials=1, n_catch=1, settings=settings)


def test_built_and_read_back(tmp_path: Path) -> None:
    plan = plan_ratings(tmp_path)
    path = plan.save(tmp_path / "plan.json")
    assert read_plan(path) == plan
    assert repr(plan) == "ExperimentPlan(similarity, 6 tasks of 1 trial and 1 catch trial, 2 a participant)"
    assert "; 2 tasks a participant, one a session; about 1 minute each" in _describe(plan)
    made = build_tasks(path, tmp_path / "built")
    assert made.settings.sessions.n == 2
    assert [len(task) for task in made.tasks] == [len(task.trials) for task in plan.tasks]
    assert _count_trials(str(tmp_path / "built"), "between") == (2,), "power counts both sessions"
    content = json.loads(path.read_text())
    content["tasks"].pop()
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="a multiple of 2 tasks, one for each session; got 5"):
        read_plan(path)
    about = json.loads((tmp_path / "built" / "experiment.json").read_text())
    about["settings"]["sessions"]["n"] = 4
    (tmp_path / "built" / "experiment.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match="a multiple of 4 tasks"):
        read_experiment(tmp_path / "built")


def test_pages_without_a_server_are_refused_before_anything_is_built(tmp_path: Path) -> None:
    plan = plan_ratings(tmp_path)
    path = plan.save(tmp_path / "plan.json")
    message = "an experiment of one session, since pages without a server know nobody again; got sessions.n 2"
    with pytest.raises(InputError, match=message):
        build(target=str(tmp_path / "built"), plan_file=str(path), static=True)
    assert not (tmp_path / "built").exists()
    with pytest.raises(InputError, match=message):
        write_static_pages(build_tasks(path, tmp_path / "built"))
