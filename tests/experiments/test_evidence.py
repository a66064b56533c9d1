"""Who answers: a page's counts are kept, a script that has none is known by that, simulations say what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.experiment_folders import NO_PRACTICE, write_folder

from beholder.experiments import PRESETS, get_preset, make_settings, read_experiment, simulate_participants
from beholder.responses import read_responses

from .person import Clock, Person, serving

LEFT = {"choice": 0}


def test_answers_straight_to_the_server_are_without_a_page_and_early(tmp_path: Path) -> None:
    """A script takes no time and makes up what the page would measure."""
    write_folder(tmp_path / "b", "odd_one_out", changes=NO_PRACTICE)
    clock = Clock()
    with serving(tmp_path / "b", tmp_path / "a.db", clock=clock) as (client, store):
        person = Person(client)
        person.begin()
        for trial in person.trials():
            clock.now += 0.02
            assert person.answer(trial, LEFT, rt_ms=1200.0).status_code == 200
        people = read_responses(store.path).participants.iloc[0]
    assert people["automation_signs"] == "no_page early"
    assert (people["n_without_page"], people["n_early"]) == (8, 7)  # before the first one nobody waited
    assert people["exclusion_reasons"].split()[-1] == "automation"


def test_what_a_page_counts_is_kept_with_answers_and_steps(tmp_path: Path) -> None:
    write_folder(tmp_path / "b", "odd_one_out", changes=NO_PRACTICE)
    clock = Clock()
    with serving(tmp_path / "b", tmp_path / "a.db", clock=clock) as (client, store):
        person = Person(client)
        counted = {"keys": 1, "pastes": 0, "webdriver": False}
        body = {"step": "consent", "data": {"version": "1", "agreed": True}, "evidence": counted | {"pastes": 2}}
        assert person.ask("POST", "/api/step", body).status_code == 200
        person.step("instructions", total_ms=1)
        person.step("checks")
        for k, trial in enumerate(person.trials()):
            clock.now += 2
            assert person.answer(trial, LEFT, rt_ms=700.0 + 90 * k, evidence=counted).status_code == 200
        for wrong in ({"keys": "many"}, [1], {"what": {"keys": 1}}, {f"n{k}": k for k in range(65)}):
            body = {"step": "comment", "data": {"text": ""}, "evidence": wrong}
            assert person.ask("POST", "/api/step", body).status_code == 422
        assert person.step("comment", text="").status_code == 200
        tables = read_responses(store.path)
    row = tables.participants.iloc[0]
    assert (row["automation_signs"], row["n_without_page"], row["key_presses"], row["pastes"]) == ("", 0, 9, 2)
    assert tables.trials["elapsed_ms"].tolist()[1:] == pytest.approx([2000.0] * 7)


def test_an_answer_sent_again_with_the_same_counts_is_the_same(tmp_path: Path) -> None:
    write_folder(tmp_path / "b", "odd_one_out", changes=NO_PRACTICE)
    with serving(tmp_path / "b", tmp_path / "a.db") as (client, _):
        person = Person(client)
        person.begin()
        trial = person.trials()[0]
        assert person.answer(trial, LEFT, evidence={"keys": 1}).status_code == 200
        assert person.answer(trial, LEFT, evidence={"keys": 1}).status_code == 200
        assert person.answer(trial, LEFT, evidence={"keys": 2}).status_code == 409


@pytest.mark.parametrize("kind", ["2afc", "words", "similarity"])
def test_simulated_observers_show_no_sign(kind: str, tmp_path: Path) -> None:
    write_folder(tmp_path / "b", kind, n_trials=24, changes={"exclusion.automation": True, "practice.n_required": 0})
    simulate_participants(read_experiment(tmp_path / "b"), tmp_path / "a.db", 4, "lapse:0.2")
    people: Any = read_responses(tmp_path / "a.db").participants
    assert (people["automation_signs"] == "").all() and people["simulated"].all()
    assert not any("automation" in reasons for reasons in people["exclusion_reasons"])


def test_rules_of_papers_have_none_about_automation() -> None:
    on = {name for name in PRESETS if get_preset(name).exclusion.automation}
    assert on == {"same-different", "odd-one-out", "similarity"}
    assert make_settings("feather-words", {"exclusion.automation": True}).exclusion.automation
    off = make_settings("odd-one-out", {"exclusion.automation": None})
    assert off.exclusion.automation is None


def test_without_the_rule_settings_are_what_they_were() -> None:
    assert "automation" not in get_preset("zimmermann-2afc").to_dict()["exclusion"]
    assert get_preset("odd-one-out").to_dict()["exclusion"]["automation"] is True
