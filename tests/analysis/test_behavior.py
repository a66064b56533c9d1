"""People's odd-one-out answers as RDMs that layers are compared with."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from beholder import InputError
from beholder.analysis import analyze_agreement, analyze_rsa, read_behavior
from beholder.analysis.kinds._rsa_pictures import tell_counts
from beholder.responses import make_behavioral_rdm

IDS = [f"s{k}" for k in range(8)]
FEATURES = np.random.default_rng(5).normal(size=(8, 6))


def answer(n_people: int, *, seed: int = 0, n_triplets: int | None = None) -> pd.DataFrame:
    """Everybody leaves the two nearest together, with noise; all triplets, or some of them."""
    rng = np.random.default_rng(seed)
    near: Any = np.corrcoef(FEATURES)
    rows: list[Any] = []
    for person in range(n_people):
        triplets = list(itertools.combinations(range(8), 3))
        if n_triplets is not None:
            triplets = [triplets[k] for k in rng.choice(len(triplets), n_triplets, replace=False)]
        for a, b, c in triplets:
            likeness = np.array([near[b, c], near[a, c], near[a, b]]) + rng.normal(0, 0.3, 3)
            rows.append((f"p{person}", IDS[a], IDS[b], IDS[c], "abc"[int(likeness.argmax())], False, person == 0))
    names = ["participant", "a_id", "b_id", "c_id", "choice", "catch_trial", "excluded"]
    return pd.DataFrame(rows, columns=names)


def test_each_person_where_all_compared_everything(tmp_path: Path) -> None:
    table = answer(5)
    table.to_csv(tmp_path / "responses.csv", index=False)
    found = read_behavior(tmp_path / "responses.csv")
    assert list(found.table["subject"]) == ["p1", "p2", "p3", "p4"]  # p0 broke a rule
    own = make_behavioral_rdm(table[table["participant"] == "p2"])
    assert found.to_square()[1] == pytest.approx(own.rdm)
    layers = {"noise": np.random.default_rng(1).normal(size=(8, 6)), "same": FEATURES}
    result = analyze_rsa(layers, tmp_path / "responses.csv", stimulus_ids=IDS, n_draws=50, n_permutations=50)
    nearest = result.table.query("statistic == 'nearest layer'").iloc[0]
    assert (nearest["layer"], nearest["target"], nearest["n"]) == ("same", "people", 4)
    assert nearest["estimate"] > 0.6
    assert "ceiling lower" in set(result.table["statistic"])


def test_one_of_all_answers_where_nobody_compared_everything() -> None:
    table = answer(30, n_triplets=12)
    found = read_behavior(table)
    assert list(found.table["subject"]) == [""]
    assert list(found.table["region"]) == ["29 people together"]
    assert found.to_square()[0] == pytest.approx(make_behavioral_rdm(table).rdm)
    result = analyze_rsa({"same": FEATURES}, found, stimulus_ids=IDS, n_draws=50, n_permutations=50)
    told = result.sentences()[0]
    assert "29 people together" in told and "one RDM of all their answers, no noise ceiling with one RDM" in told
    assert "1 person" not in told
    assert tell_counts(result) == "dot and line: mean and 95 % interval, one RDM of all answers, 8 stimuli"


def test_saved_rdm_is_read_back(tmp_path: Path) -> None:
    table = answer(30, n_triplets=12)
    with pytest.raises(InputError, match=r"make_behavioral_rdm\(…, include_excluded=True\) in Python, whose \.save"):
        read_behavior(table.assign(excluded=True))
    made = make_behavioral_rdm(table.assign(excluded=True), include_excluded=True)
    made.save(tmp_path / "behaviour.csv")
    found = read_behavior(tmp_path / "behaviour.csv")
    assert found.stimulus_ids == made.stimulus_ids and found.name == "behaviour"
    assert found.to_square()[0] == pytest.approx(made.rdm)
    assert (list(found.table["subject"]), list(found.table["region"])) == ([""], ["people together"])
    made.to_pandas().iloc[1:].to_csv(tmp_path / "part.csv", index=False)
    with pytest.raises(InputError, match="1 of 28 pairs that nobody compared"):
        read_behavior(tmp_path / "part.csv")


def test_a_table_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "voxels.csv").write_text("stimulus,v1,v2\ns0,1,2\n")
    with pytest.raises(
        InputError, match=r"got a table of other columns \(stimulus, v1, v2\); try recordings of brains"
    ):
        read_behavior(tmp_path / "voxels.csv")


def test_pairs_that_nobody_compared() -> None:
    with pytest.raises(InputError, match=r"got \d+ of \d+ pairs that nobody compared; try more participants"):
        read_behavior(answer(2, n_triplets=4))


def test_such_answers_are_no_right_and_wrong_ones(tmp_path: Path) -> None:
    table = answer(2).rename(columns={"choice": "response"})
    table.assign(stimulus="s", truth="").to_csv(tmp_path / "odd.csv", index=False)
    with pytest.raises(InputError, match=r"answers that are right or wrong.*analyze rsa STORE --recordings EXPORT"):
        analyze_agreement(tmp_path / "odd.csv")
