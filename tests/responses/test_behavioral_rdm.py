import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest

from beholder._core.errors import InputError
from beholder.responses import BehavioralRDM, compute_odd_one_out_rdm, compute_rating_rdm, make_behavioral_rdm


def test_odd_one_out_counts_as_by_hand():
    rng = np.random.default_rng(0)
    triplets = np.stack([rng.permutation(7)[:3] for _ in range(150)])
    odd = rng.integers(0, 3, 150)
    rdm, counts = compute_odd_one_out_rdm(triplets, odd, 8)
    for i, j in itertools.combinations(range(8), 2):
        both = [(set(t), t[o]) for t, o in zip(triplets.tolist(), odd, strict=True) if {i, j} <= set(t)]
        together = [third for _, third in both if third not in (i, j)]
        assert counts[i, j] == counts[j, i] == len(both)
        if both:
            assert rdm[i, j] == pytest.approx(1 - len(together) / len(both))
        else:
            assert np.isnan(rdm[i, j])
    assert np.isnan(rdm[7, :7]).all()
    assert (np.diag(rdm) == 0).all()
    assert np.array_equal(rdm, rdm.T, equal_nan=True)


def test_odd_one_out_recovers_what_the_choices_follow():
    points = np.random.default_rng(1).random((10, 2))
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    triplets = np.array(list(itertools.combinations(range(10), 3)))
    likeness = -np.stack([distances[triplets[:, a], triplets[:, b]] for a, b in ((1, 2), (0, 2), (0, 1))], axis=1)
    rdm, _ = compute_odd_one_out_rdm(triplets, likeness.argmax(axis=1))
    from scipy.stats import spearmanr

    above = np.triu_indices(10, 1)
    assert spearmanr(rdm[above], distances[above]).statistic > 0.9


def test_ratings_are_averaged_over_both_orders():
    pairs = np.array([[0, 1], [1, 0], [2, 1]])
    rdm, counts = compute_rating_rdm(pairs, np.array([7, 5, 1]), steps=(1, 7))
    assert rdm[0, 1] == rdm[1, 0] == pytest.approx(1 / 6)
    assert rdm[1, 2] == 1
    assert np.isnan(rdm[0, 2])
    assert counts[0, 1] == 2


def test_participants_who_use_less_of_the_scale_count_alike():
    pairs = np.array(list(itertools.combinations(range(5), 2)))
    true = np.random.default_rng(2).permutation(10) / 9
    wide, narrow = 1 + 6 * true, 3 + 0.5 * true[::-1]
    who = np.repeat(["wide", "narrow"], 10)
    ratings = np.concatenate([wide, narrow])
    rdm, _ = compute_rating_rdm(np.concatenate([pairs, pairs]), ratings, participants=who)
    own, _ = compute_rating_rdm(pairs, true)
    other, _ = compute_rating_rdm(pairs, true[::-1])
    above = np.triu_indices(5, 1)
    middle = own[above] + other[above]
    assert np.corrcoef(rdm[above], middle)[0, 1] == pytest.approx(1)
    flat = np.concatenate([wide, np.full(10, 4.0)])
    alone, counts = compute_rating_rdm(np.concatenate([pairs, pairs]), flat, participants=who)
    assert (counts[above] == 1).all()  # who gave one rating only has no say
    assert np.corrcoef(alone[above], own[above])[0, 1] == pytest.approx(1)


def test_result_is_a_table_a_file_and_a_picture(tmp_path):
    rdm, counts = compute_odd_one_out_rdm(np.array([[0, 1, 2], [1, 2, 3]]), np.array([0, 2]))
    made = BehavioralRDM(("a", "b", "c", "d"), rdm, counts, "odd_one_out", 2)
    assert repr(made) == "BehavioralRDM(odd_one_out, 4 stimuli, 5 of 6 pairs, 2 participants)"
    table = made.to_pandas()
    assert table["dissimilarity"].isna().tolist() == [False, False, True, False, False, False]
    made.save(tmp_path / "rdm.csv")
    lines = (tmp_path / "rdm.csv").read_text().splitlines()
    assert lines[0] == "stimulus_a,stimulus_b,dissimilarity,n_answers"
    assert lines[1:4] == ["a,b,1.0,1", "a,c,1.0,1", "a,d,,0"]
    whole = BehavioralRDM(("a", "b"), rdm[:2, :2], counts[:2, :2], "odd_one_out", 2)
    assert whole.plot() is not None


def test_exported_answers_become_a_matrix(tmp_path):
    rows = [
        ("p1", "x", "y", "z", "c", False, False), ("p2", "z", "x", "y", "a", False, False),
        ("p1", "x", "y", "w", "a", True, False), ("p3", "x", "y", "z", "a", False, True),
    ]  # fmt: skip
    columns = ["participant", "a_id", "b_id", "c_id", "choice", "catch_trial", "excluded"]
    table: Any = pd.DataFrame(rows, columns=columns)
    made = make_behavioral_rdm(table)
    assert made.stimulus_ids == ("x", "y", "z")
    assert made.rdm.tolist() == [[0, 0, 1], [0, 0, 1], [1, 1, 0]]
    assert (made.kind, made.n_participants, made.counts[0, 1]) == ("odd_one_out", 2, 2)
    assert make_behavioral_rdm(table, include_excluded=True).rdm[0, 1] == pytest.approx(1 / 3)
    pairs = pd.DataFrame(
        [("p1", "x", "y", 7), ("p1", "y", "z", 1), ("p2", "x", "y", 4), ("p2", "z", "y", 3)],
        columns=["participant", "a_id", "b_id", "choice"],
    )
    pairs.to_csv(tmp_path / "responses.csv", index=False)
    made = make_behavioral_rdm(tmp_path / "responses.csv")
    assert made.kind == "similarity"
    assert made.rdm[0, 1] == pytest.approx(1 - (1 + 0.5) / 2)
    levelled = make_behavioral_rdm(pairs, standardize_within_participant=True)
    assert levelled.rdm[1, 2] - levelled.rdm[0, 1] > made.rdm[1, 2] - made.rdm[0, 1] - 1e-9
    for table, message in ((pairs.drop(columns="a_id"), "'a_id'"), (pairs[:0], "none"), (tmp_path, "responses")):
        with pytest.raises(InputError, match=message):
            make_behavioral_rdm(table)


NUMBERS = ("10", "9", "007", "7", "0010", "1000", "2")
NAMES = ("10", "9", "007", "7", "1e3", "1000", "NA", "null", "True", "0.50", "0.5", "-1", "1_0", " x", "nan", "Größe")
"""Stimuli whose names, all or some of them, a reader of tables may take for something else."""


@pytest.mark.parametrize("names", [NAMES, NUMBERS], ids=["names", "numbers"])
@pytest.mark.parametrize("kind", ["odd_one_out", "similarity"])
def test_a_csv_gives_what_parquet_gives_whatever_stimuli_are_called(kind, names, tmp_path):
    """The order of the ids, and each value at its pair: by numpy on the names as they are."""
    rng = np.random.default_rng(4)
    width = 3 if kind == "odd_one_out" else 2
    shown = np.array([rng.permutation(len(names))[:width] for _ in range(400)])
    table = pd.DataFrame({f"{side}_id": [names[i] for i in shown[:, k]] for k, side in enumerate("abc"[:width])})
    table["choice"] = rng.choice(list("abc") if width == 3 else np.arange(1, 8), len(table))
    table["participant"] = rng.choice(["01", "1", "NA"], len(table))
    table["catch_trial"] = False
    table.loc[7, "catch_trial"] = True
    table.to_csv(tmp_path / "responses.csv", index=False)
    table.to_parquet(tmp_path / "responses.parquet")
    from_csv, from_parquet = (make_behavioral_rdm(tmp_path / f"responses.{end}") for end in ("csv", "parquet"))
    assert from_csv.stimulus_ids == from_parquet.stimulus_ids == tuple(sorted(names))
    assert from_csv.n_participants == from_parquet.n_participants == 3
    assert np.array_equal(from_csv.rdm, from_parquet.rdm, equal_nan=True)
    used: Any = table[~table["catch_trial"]]
    ratings: Any = pd.to_numeric(used["choice"], errors="coerce").to_numpy()
    for (i, first), (j, second) in itertools.combinations(enumerate(sorted(names)), 2):
        sides = used[[name for name in used if name.endswith("_id")]].to_numpy()
        both = (sides == first).any(1) & (sides == second).any(1)
        assert from_csv.counts[i, j] == both.sum()
        if width == 2 and both.any():
            assert from_csv.rdm[i, j] == pytest.approx((7 - ratings[both].mean()) / 6)
        elif both.any():
            odd = np.array([row["abc".index(c)] for row, c in zip(sides, used["choice"], strict=True)])
            assert from_csv.rdm[i, j] == pytest.approx(np.isin(odd[both], (first, second)).mean())


def test_flags_in_a_csv_mean_what_they_say(tmp_path):
    lines = ["participant,a_id,b_id,choice,catch_trial,excluded", "p,x,y,7,False,", "p,x,y,7,,False", "p,y,z,1,0,False"]
    bad = ["p,x,y,1,True,False", "p,x,y,1,,true", "p,x,y,1,False,1"]
    (tmp_path / "some.csv").write_text("\n".join(lines + bad) + "\n")
    made = make_behavioral_rdm(tmp_path / "some.csv")
    assert made.counts[0].tolist() == [0, 2, 0]
    assert made.rdm[0, 1] == 0
    (tmp_path / "some.csv").write_text("\n".join([*lines, "p,x,y,1,perhaps,False"]) + "\n")
    with pytest.raises(InputError, match="true or false in the column 'catch_trial'; got 'perhaps'"):
        make_behavioral_rdm(tmp_path / "some.csv")


def test_levelled_ratings_have_one_mean_and_spread():
    """One rater's mean counts nothing: ratings that differ by a constant and a factor give the same matrix."""
    pairs = np.array(list(itertools.combinations(range(5), 2)))
    first = np.random.default_rng(5).permutation(10) / 3 + 1
    who = np.repeat(["a", "b"], 10)
    half = np.arange(10) % 2 == 0
    shown = np.concatenate([pairs, pairs[half]])
    ratings = np.concatenate([first, 3 + 0.2 * first[half]])
    rdm, _ = compute_rating_rdm(shown, ratings, participants=np.concatenate([who[:10], who[10:15]]))
    levelled = np.full(len(ratings), np.nan)
    for rows in (slice(0, 10), slice(10, 15)):
        z = (ratings[rows] - ratings[rows].mean()) / ratings[rows].std()
        levelled[rows] = z * ratings.std() + ratings.mean()
    low, high = ratings.min(), ratings.max()
    for k, (i, j) in enumerate(pairs):
        own = levelled[(shown == (i, j)).all(1)]
        assert rdm[i, j] == pytest.approx(1 - ((own - low) / (high - low)).mean()), k


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: compute_odd_one_out_rdm(np.array([[0, 1, 1]]), np.array([0])), "three different"),
        (lambda: compute_odd_one_out_rdm(np.array([[0, 1, 2]]), np.array([3])), "0, 1 or 2"),
        (lambda: compute_odd_one_out_rdm(np.array([[0, 1, 2]]), np.array([0]), 2), "from 0 to 1"),
        (lambda: compute_odd_one_out_rdm(np.array([[0.0, 1, 2]]), np.array([0])), "integers"),
        (lambda: compute_rating_rdm(np.array([[0, 0]]), np.array([1])), "two different"),
        (lambda: compute_rating_rdm(np.array([[0, 1], [1, 2]]), np.array([1, 8]), steps=(1, 7)), "from 1 to 7"),
        (lambda: compute_rating_rdm(np.array([[0, 1]]), np.array([4])), "differ"),
    ],
)
def test_what_is_no_answer_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_keywords_under_their_old_names_work_and_say_the_new_ones() -> None:
    rows = [("p1", "x", "y", "z", "c", False), ("p2", "x", "y", "z", "a", True)]
    table: Any = pd.DataFrame(rows, columns=["participant", "a_id", "b_id", "c_id", "choice", "excluded"])
    with pytest.warns(
        DeprecationWarning, match="'everybody' of make_behavioral_rdm.. is now called 'include_excluded'"
    ):
        old = make_behavioral_rdm(table, everybody=True)  # pyright: ignore[reportCallIssue]
    assert old.counts[0, 1] == 2 and make_behavioral_rdm(table).counts[0, 1] == 1
