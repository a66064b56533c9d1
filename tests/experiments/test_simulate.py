"""Simulated participants over real HTTP on the loopback server."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.experiment_folders import make_png, write_folder

from beholder._core.errors import BeholderError, InputError, UnknownNameError
from beholder.experiments import (
    KINDS,
    GuessObserver,
    IdealObserver,
    LapseObserver,
    Observation,
    Observer,
    Shown,
    TrialFinder,
    build_tasks,
    make_settings,
    open_store,
    parse_observer,
    plan_similarity,
    read_experiment,
    simulate_participants,
)
from beholder.experiments.simulation import _participant_client as client_module
from beholder.responses import read_responses

ONE_BLOCK = {"practice.n_required": 0}


def dump(db: Path) -> str:
    with sqlite3.connect(db) as connection:
        return "\n".join(connection.iterdump())


@pytest.mark.parametrize("kind", KINDS)
def test_ideal_participants_are_right_in_every_kind(kind, tmp_path):
    experiment = write_folder(tmp_path / "built", kind)
    made = simulate_participants(experiment, tmp_path / "answers.sqlite", 3, "ideal")
    assert [outcome.end for outcome in made.outcomes] == ["done"] * 3
    assert [outcome.n_answers for outcome in made.outcomes] == [8] * 3
    assert made.n_correct == made.n_answers == (0 if kind == "similarity" else 24)
    frames: Any = read_responses(tmp_path / "answers.sqlite")
    assert frames.trials["task"].tolist() == [1] * 8 + [2] * 8 + [1] * 8  # the task taken least
    reasons = set(frames.trials["exclusion_reasons"].dropna()) - {""}
    assert reasons <= {"row_choices_min"}  # simulated time passes the rules about time; eight trials are few
    assert frames.participants["simulated"].all()


def test_same_seed_same_file_another_seed_another(tmp_path):
    experiment = write_folder(tmp_path / "built", changes=ONE_BLOCK)
    made = {}
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        simulate_participants(experiment, tmp_path / name, 3, "guess", seed=seed)
        made[name] = dump(tmp_path / name)
    assert made["one"] == made["two"]
    assert made["one"] != made["three"]


def test_done_again_it_goes_on_to_the_number_asked_for(tmp_path):
    experiment = write_folder(tmp_path / "built", changes=ONE_BLOCK)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    simulate_participants(experiment, whole, 4, "guess")
    assert len(simulate_participants(experiment, parts, 1, "guess").outcomes) == 1
    more = simulate_participants(experiment, parts, 4, "guess")
    assert (len(more.outcomes), more.n_before) == (3, 1)
    assert simulate_participants(experiment, parts, 4, "guess").outcomes == ()
    columns = ["participant", "task", "trial", "choice", "rt_ms"]
    assert read_responses(parts).trials[columns].equals(read_responses(whole).trials[columns])


def test_who_was_interrupted_stays_unfinished_and_others_take_the_place(tmp_path):
    class Interrupted(Observer):
        n_left = 3

        def answer(self, observation, rng):
            self.n_left -= 1
            if self.n_left < 0:
                raise KeyboardInterrupt
            return GuessObserver().answer(observation, rng)

    experiment = write_folder(tmp_path / "built", n_tasks=1, changes=ONE_BLOCK)
    with pytest.raises(KeyboardInterrupt):
        simulate_participants(experiment, tmp_path / "answers.sqlite", 2, Interrupted())
    made = simulate_participants(experiment, tmp_path / "answers.sqlite", 2, "ideal")
    assert (made.count("done"), made.n_before) == (2, 0)
    people = read_responses(tmp_path / "answers.sqlite").participants
    assert people["finished"].tolist() == [False, True, True]


def test_people_and_simulations_are_kept_apart(tmp_path):
    experiment = write_folder(tmp_path / "built")
    with open_store(experiment, tmp_path / "answers.sqlite") as store:
        from beholder.responses import Event, insert_event, insert_session

        session = store.write(lambda c: insert_session(c, "p1", b"t", 1, '{"main": [], "practice": []}', 1.0))
        store.write(lambda c: insert_event(c, session, Event(1.0, "join", "consent", {"screen": {"width": 1280}})))
    with pytest.raises(InputError, match="1 person's"):
        simulate_participants(experiment, tmp_path / "answers.sqlite", 3)


def test_guessing_is_at_chance_and_lapses_lie_between(tmp_path):
    experiment = write_folder(tmp_path / "built", n_tasks=1, n_trials=50, n_catch=0, changes=ONE_BLOCK)
    shares = {}
    for observer in ("guess", "lapse:0.4", "ideal"):
        made = simulate_participants(experiment, tmp_path / observer, 3, observer)
        shares[observer] = made.n_correct / made.n_answers
    assert shares["ideal"] == 1
    assert abs(shares["guess"] - 0.5) < 4 * np.sqrt(0.25 / 150)
    assert abs(shares["lapse:0.4"] - 0.8) < 4 * np.sqrt(0.16 / 150)


def test_who_fails_the_practice_is_sent_home(tmp_path):
    experiment = write_folder(tmp_path / "built")  # five of five right in at most five blocks
    made = simulate_participants(experiment, tmp_path / "answers.sqlite", 3, LapseObserver(1.0, GuessObserver()))
    assert "screened_out" in {outcome.end for outcome in made.outcomes}
    gone = next(outcome for outcome in made.outcomes if outcome.end == "screened_out")
    assert (gone.n_answers, gone.n_practice) == (0, 25)
    assert "Simulation(LapseObserver, 3 participants" in repr(made)
    assert list(made.to_pandas()) == ["participant", "end", "n_answers", "n_practice", "seconds", "n_sessions"]


def test_an_adaptive_staircase_goes_where_the_observer_goes(tmp_path):
    levels = (0.05, 0.1, 0.2, 0.4, 0.8)
    changes = {
        "adaptive": {"method": "up_down", "up": 1, "down": 1, "start": 1.0}, "practice.n_with_feedback": 0,
        "practice.n_without": 0, "practice.n_required": 0, "practice.n_obvious": 0,
    }  # fmt: skip
    experiment = write_folder(
        tmp_path / "built", "recognition", n_tasks=1, n_trials=12, n_catch=0, changes=changes, levels=levels
    )
    simulate_participants(experiment, tmp_path / "ideal", 1, "ideal")
    assert read_responses(tmp_path / "ideal").trials["level"].tolist() == [0.8, 0.4, 0.2, 0.1, *[0.05] * 8]
    simulate_participants(experiment, tmp_path / "guess", 1, "guess")
    assert read_responses(tmp_path / "guess").trials["level"].mean() > 0.5


def test_recruits_come_with_the_parameters_of_their_recruiter(tmp_path):
    for recruiter in ("prolific", "mturk"):
        changes = {"recruiter": recruiter, "completion_code": "C1", **ONE_BLOCK}
        experiment = write_folder(tmp_path / recruiter, changes=changes)
        made = simulate_participants(experiment, tmp_path / f"{recruiter}.sqlite", 2, "guess")
        assert made.count("done") == 2
    with sqlite3.connect(tmp_path / "prolific.sqlite") as connection:
        kept = [json.loads(row[0]) for row in connection.execute("SELECT parameters FROM recruits")]
    assert [each["PROLIFIC_PID"] for each in kept] == ["simulated-42-1", "simulated-42-2"]


def test_the_key_is_never_asked_for_over_http(tmp_path, monkeypatch):
    """All that is asked is what the page asks; ``ideal`` gets no answer that ``guess`` does not get."""
    paths = {}
    send = client_module.ParticipantClient._send

    def record(self, method, path, body=None):
        paths.setdefault(name, set()).add((method, path.split("?")[0].rsplit("/", 1)[0]))
        return send(self, method, path, body)

    monkeypatch.setattr(client_module.ParticipantClient, "_send", record)
    experiment = write_folder(tmp_path / "built", changes=ONE_BLOCK)
    for name in ("ideal", "guess"):
        simulate_participants(experiment, tmp_path / name, 1, name)
    assert paths["ideal"] - paths["guess"] == {("GET", "/s")}
    assert {path for _, path in paths["guess"]} == {"/api", "/api/trials"}


def show(content: bytes) -> Shown:
    return Shown(lambda: content)


def test_every_answer_of_every_kind_is_guessed():
    rng = np.random.default_rng(0)
    places = {"upper": (show(b"1"),), "lower": (show(b"2"),), "left": (), "right": ()}
    seen = Observation("2afc", "main", places, confidence_steps=3)
    answers = {json.dumps(GuessObserver().answer(seen, rng), sort_keys=True) for _ in range(300)}
    assert len(answers) == 6
    rating = Observation("similarity", "main", {"left": (show(b"1"),), "right": (show(b"2"),)}, rating_steps=5)
    assert {GuessObserver().answer(rating, rng)["rating"] for _ in range(200)} == {1, 2, 3, 4, 5}
    assert seen.respond("upper", 0.0)["confidence"] == 1
    assert seen.respond("upper", 0.99)["confidence"] == seen.respond("upper", 1.0)["confidence"] == 3


def test_the_same_queries_among_other_references_are_told_apart(tmp_path):
    """Two trials ask about the same pair with opposite keys: what stands beside it decides."""
    experiment = write_folder(tmp_path / "built", n_tasks=1, n_trials=2, n_catch=0, changes=ONE_BLOCK)
    one, two = (tmp_path / "built" / "task_1" / "trials" / f"trial_{n}" / "queries" for n in (1, 2))
    shutil.copy(one / "min.png", two / "max.png")
    shutil.copy(one / "max.png", two / "min.png")
    made = simulate_participants(experiment, tmp_path / "answers.sqlite", 2, "ideal")
    assert made.n_correct == made.n_answers == 4


def test_two_stimuli_of_which_either_is_shown_twice_are_told_apart(tmp_path):
    """Catch trials of odd-one-out: (a, a, b) and (b, b, a) hold the same two pictures."""
    pictures = {name: tmp_path / f"{name}.png" for name in "abcdef"}
    for number, path in enumerate(pictures.values()):
        path.write_bytes(make_png(number))
    settings = make_settings(kind="odd_one_out")
    plan = plan_similarity(tmp_path, tmp_path, n_trials=4, n_tasks=3, n_catch=6, settings=settings)
    experiment = build_tasks(plan, tmp_path / "built")
    finder = TrialFinder(experiment)
    for trial in (trial for task in experiment.tasks for trial in task.trials):
        items = tuple(show(trial.files[slot].read_bytes()) for slot in ("a", "b", "c"))
        found = finder.find(Observation("odd_one_out", "main", {"items": items}))
        assert {Counter(finder.hash(path) for path in each.files.values()) == Counter(item.digest for item in items)
                for each in found} == {True}  # fmt: skip


def test_what_is_in_no_trial_is_an_error(tmp_path):
    ideal = IdealObserver(write_folder(tmp_path / "built"))
    places = {"upper": (show(make_png(10**6)),), "lower": (show(make_png(10**6 + 1)),), "left": (), "right": ()}
    with pytest.raises(BeholderError, match="in none of its trials"):
        ideal.answer(Observation("2afc", "main", places), np.random.default_rng(0))


def test_words_name_observers(tmp_path):
    experiment = write_folder(tmp_path / "built")
    assert isinstance(parse_observer("guess", experiment), GuessObserver)
    half = parse_observer("lapse:0.5:guess", experiment)
    assert isinstance(half, LapseObserver) and half.rate == 0.5 and isinstance(half.of, GuessObserver)
    plain = parse_observer("lapse", experiment)
    assert isinstance(plain, LapseObserver) and plain.rate == 0.1 and isinstance(plain.of, IdealObserver)
    network = GuessObserver()
    assert parse_observer("lapse:0.2:model", experiment, lambda: network).of is network  # pyright: ignore[reportAttributeAccessIssue]
    for text, message in (("lapse:much", "lapse:RATE"), ("lapse:1.5", r"\[0, 1\]"), ("model", "model=NAME")):
        with pytest.raises(InputError, match=message):
            parse_observer(text, experiment)
    with pytest.raises(UnknownNameError, match="'guess'"):
        parse_observer("guesss", experiment)
    with pytest.raises(InputError, match="at least 1"):
        simulate_participants(experiment, tmp_path / "answers.sqlite", 0)


def test_an_observer_of_ones_own_takes_part(tmp_path):
    class AlwaysUpper(Observer):
        def answer(self, observation, rng):
            assert {len(shown) for shown in observation.places.values()} == {1, 9}
            assert observation.asked[0].content.startswith(b"\x89PNG")
            return observation.respond("upper", 0.5)

    experiment = write_folder(tmp_path / "built", changes=ONE_BLOCK)
    simulate_participants(experiment, tmp_path / "answers.sqlite", 1, AlwaysUpper())
    trials: Any = read_responses(tmp_path / "answers.sqlite").trials
    assert (trials["response"] == "upper").all()
    assert (trials["confidence"] == 2).all()
    assert read_experiment(tmp_path / "built").kind == "2afc"
