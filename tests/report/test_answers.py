"""The section about answers: from what an export holds to words and tables of the page."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pandas as pd
import pytest
from tests.responses.conftest import make_description, make_trials
from tests.responses.test_export import fill

from beholder.report import write_report
from beholder.report._answer_view import describe_rule, name_condition
from beholder.responses import RULES, export_responses, open_responses


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    """Three participants: one passes, one fails the catch trial, one left."""
    with open_responses(tmp_path / "answers.db", make_description(), make_trials()) as store:
        fill(store)
        return export_responses(store.path, tmp_path / "study" / "answers").out


def read_text(page: Path) -> str:
    text = re.sub(r"<(style|script).*?</\1>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def test_the_page_says_who_took_part_who_is_left_out_and_how_often_they_were_right(answers: Path) -> None:
    text = read_text(write_report(answers.parent))
    assert "Do people see what drives units?" in text
    assert "3 participants took part, 2 finished, 1 is included. Of their 2 answers" in text
    assert "where guessing gives 50 %" in text
    assert "participants 3 2 1 Not all the way: 1 at trials." in text
    assert "proportion of right catch trials below 0.5 1" in text and "did not answer every trial 1" in text
    assert "No intervals: fewer than five participants" in text
    assert "HYPERLINK" not in text, "comments stay in participants.csv"


def test_what_could_not_be_shown_is_told(answers: Path) -> None:
    """Cells as an export of such a day has them."""
    people = pd.read_csv(answers / "participants.csv", dtype=str, keep_default_na=False)
    people.loc[0, ["n_skipped", "skipped_trials"]] = ["2", "1 3"]
    people.to_csv(answers / "participants.csv", index=False)
    trials = pd.read_parquet(answers / "responses.parquet")
    trials.loc[0, ["presentations_withheld", "stimulus_failures"]] = [1, 2]
    trials["asked_stimulus_ms"], trials["shown_stimulus_ms"] = 100.0, 100.25
    trials["asked_stimulus_frames"] = trials["stimulus_frames"] = 6.0
    trials.to_parquet(answers / "responses.parquet", index=False)
    text = read_text(write_report(answers.parent))
    assert "Note. 2 trials of 1 participant gone on without" in text
    assert "gone on without, since a stimulus could not be shown 2 9" in text
    assert "p-good 1 1 1, 3 2 trials" in text
    assert "answered from what had been seen before a reload 1 1" in text
    assert "stimulus shown at a later try only 1 7" in text
    assert "100 100.25 ± 0.00 7 7" in text


def test_an_export_of_another_version_costs_its_own_section_only(answers: Path) -> None:
    table = pd.read_parquet(answers / "responses.parquet")
    table.drop(columns="stimulus_failures").to_parquet(answers / "responses.parquet")
    text = read_text(write_report(answers.parent))
    assert "answers could not be read: expected the columns that an export of this version has" in text
    assert "Where do these results come from?" in text


def test_every_rule_has_words() -> None:
    for rule in ("unfinished", *RULES):
        assert describe_rule(rule, {rule: 3}) != rule
        assert "{" not in describe_rule(rule, {}) + describe_rule(rule, {rule: 3})


def test_long_names_of_conditions_lose_their_middle() -> None:
    assert name_condition(("features.denseblock4.denselayer24.conv2", 0.5)).startswith("features.densebloc")
    assert len(name_condition(("x" * 99,))) <= 36
