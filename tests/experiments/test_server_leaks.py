"""Nothing that a browser gets before an answer is saved tells it, and nothing after it but practice feedback."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.experiment_folders import write_folder

from beholder.experiments import KINDS, read_experiment

from .person import RESPONSES, Person, find_by_bytes, serving

# words of the key, of file names and of the plan, whole or as parts of names
_FORBIDDEN = re.compile(
    r"query|reference_|_min\b|_max\b|\bmax\b|\bmin\b|catch|natural|optimi[sz]ed|net/|layer\d|\.conv|channel|batch|unit\b|"
    r"contrast|correct_|is_correct|\bmain/|task_|trial_|\.png|\.wav|key|plan|seed|exclusion|condition|/tmp|\.db",
    re.IGNORECASE,
)
_N_SESSIONS = 24


def list_addresses(trial: dict[str, Any]) -> list[str]:
    return [a for value in trial["stimuli"].values() for a in (value if isinstance(value, list) else [value])]


@pytest.mark.parametrize("kind", KINDS)
def test_no_word_of_the_key_is_sent(kind: str, tmp_path: Path) -> None:
    """Every body, header and address from joining to the end, apart from the texts that the lab writes itself."""
    write_folder(tmp_path / "b", kind, changes={"practice.n_required": 0, "feedback": "practice"})
    with serving(tmp_path / "b", tmp_path / "a.db") as (client, _):
        person = Person(client)
        person.begin()
        options = RESPONSES[kind]
        feedback: list[tuple[str, bool]] = []
        for step in ("practice", "trials"):
            while person.state()["step"] == step:
                for trial in person.trials():
                    for address in list_addresses(trial):
                        person.seen.append(client.get(address))
                    told = "feedback" in person.answer(trial, options[trial["n"] % len(options)]).json()
                    feedback.append((trial["phase"], told))
        person.step("comment"), person.step("debrief")  # pyright: ignore[reportUnusedExpression]
        settings = read_experiment(tmp_path / "b").settings
    assert not any(told for phase, told in feedback if phase == "main")
    assert any(told for phase, told in feedback) == (settings.practice.n_with_feedback > 0)
    for reply in person.seen:
        headers = {k: v for k, v in reply.headers.items() if k != "content-security-policy"}
        assert set(headers) <= {
            "content-type", "content-length", "referrer-policy", "x-content-type-options", "cache-control",
            "cross-origin-opener-policy", "cross-origin-resource-policy", "permissions-policy", "x-frame-options",
        }  # fmt: skip
        text = json.dumps(headers) + str(reply.request.url)
        if reply.headers["content-type"].startswith("application/json"):
            body = reply.json()
            public = body.pop("settings", None) if isinstance(body, dict) else None
            assert public is None or not set(public) & {"exclusion", "seed", "adaptive", "preset", "completion_code"}
            text += json.dumps(body)
        for known in ('"feedback": {"correct"', "n_correct", "max-age", "http://127.0.0.1:8000"):
            text = text.replace(known, "")
        text = re.sub(r"[A-Za-z0-9_-]{36}", "", text)  # sealed names, which another test looks at
        assert not _FORBIDDEN.search(text), (_FORBIDDEN.findall(text), text)


def test_what_comes_before_an_answer_does_not_go_with_it(tmp_path: Path) -> None:
    """Numbers made of all that is seen (names, their order, sizes, headers, places) against the key, over sessions."""
    changes = {"practice.n_with_feedback": 0, "practice.n_obvious": 0, "practice.n_required": 0, "feedback": "never"}
    experiment = write_folder(
        tmp_path / "b", n_tasks=3, n_trials=12, n_catch=4, changes={**changes, "shuffle_trials": True}
    )
    known = find_by_bytes(experiment)
    features: list[list[float]] = []
    right: list[float] = []
    catch: list[float] = []
    names: list[str] = []
    sides: dict[tuple[int, int], set[bool]] = {}
    constant: set[str] = set()
    with serving(tmp_path / "b", tmp_path / "a.db") as (client, _):
        for _ in range(_N_SESSIONS):
            person = Person(client)
            person.begin()
            trials = person.trials()
            assert len(trials) == 16
            for trial in trials:
                upper, lower = (client.get(trial["stimuli"][place]) for place in ("upper", "lower"))
                task, n, slot = known[upper.content]
                right.append(float(slot == "query_max"))
                sides.setdefault((task, n), set()).add(slot == "query_max")
                catch.append(float(experiment.get_task(task).trials[n - 1].is_catch))
                names += [*list_addresses(trial), trial["id"]]
                one, two = trial["stimuli"]["upper"][2:], trial["stimuli"]["lower"][2:]
                sizes = [len(client.get(address).content) for address in trial["stimuli"]["left"][:2]]
                features.append([
                    trial["n"], one < two, ord(one[0]), ord(one[-1]), ord(two[0]), ord(trial["id"][0]),
                    ord(trial["id"][-1]), len(upper.content) - len(lower.content), len(upper.content), *sizes,
                ])  # fmt: skip
                plain = {k: v for k, v in trial.items() if k not in ("id", "n", "stimuli")}
                plain["places"] = [[place, len(value)] for place, value in trial["stimuli"].items()]
                plain["headers"] = sorted(f"{k}: {v}" for k, v in upper.headers.items() if k != "content-length")
                constant.add(json.dumps(plain, sort_keys=False))
    assert len(constant) == 1  # everything else is the same for every trial of every session
    assert len(set(names)) == len(names)  # no name comes twice, in no two sessions
    assert {len(name.removeprefix("s/")) for name in names} == {36}
    # who did a task cannot tell the next one where the answers are: each trial has been on both sides
    assert np.mean([len(seen) == 2 for seen in sides.values()]) > 0.9
    values = np.asarray(features, dtype=float)
    bound = 4.5 / np.sqrt(len(values))
    for column in values.T:
        if column.std():
            assert abs(np.corrcoef(column, right)[0, 1]) < bound
            assert abs(np.corrcoef(column, catch)[0, 1]) < bound
    assert abs(np.mean(right) - 0.5) < bound / 2
    assert abs(np.mean(np.asarray(right)[1:] * np.asarray(right)[:-1]) - np.mean(right) ** 2) < bound


def test_acknowledgements_of_main_trials_are_all_the_same(tmp_path: Path) -> None:
    changes = {"practice.n_with_feedback": 0, "practice.n_obvious": 0, "practice.n_required": 0, "feedback": "practice"}
    write_folder(tmp_path / "b", changes=changes)
    with serving(tmp_path / "b", tmp_path / "a.db") as (client, _):
        person = Person(client)
        person.begin()
        replies = {person.answer(trial, {"choice": "upper", "confidence": 1}).content for trial in person.trials()}
        assert replies == {b'{"saved":true}'}
        assert "n_correct" not in person.state()


def test_feedback_on_main_trials_only_where_the_settings_say_so(tmp_path: Path) -> None:
    """As published: two-alternative choice tells after every trial, and counts."""
    changes = {"practice.n_with_feedback": 0, "practice.n_obvious": 0, "practice.n_required": 0}
    write_folder(tmp_path / "b", changes=changes)
    with serving(tmp_path / "b", tmp_path / "a.db") as (client, _):
        person = Person(client)
        person.begin()
        assert person.state()["n_correct"] == 0
        told = [
            person.answer(trial, {"choice": "upper", "confidence": 1}).json()["feedback"]["correct"]
            for trial in person.trials()
        ]
        assert person.state()["n_correct"] == sum(told)
