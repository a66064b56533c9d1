"""Several RDMs together, from activations and recordings to a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import nnls
from scipy.spatial.distance import pdist

import beholder as bh
from beholder._core.errors import InputError
from beholder.analysis import RESULT_KINDS, Result, combine_rdms, partition_variance
from beholder.analysis.combinations._fits import Fits
from beholder.figures import find_overlaps
from beholder.recordings import RecordedRDMs, Recordings

IDS = [f"s{i}" for i in range(16)]
RNG = np.random.default_rng(0)
EARLY, LATE, OTHER = RNG.normal(size=(3, 16, 6))
LAYERS = {"early": EARLY, "late": LATE}
QUICK: dict[str, Any] = {"stimulus_ids": IDS, "n_permutations": 19, "n_repeats": 3}


def record(n_people: int = 3) -> Recordings:
    rng = np.random.default_rng(1)
    values = np.hstack([np.hstack([EARLY, LATE]) + 0.3 * rng.normal(size=(16, 12)) for _ in range(n_people)])
    subjects = np.repeat([f"p{i}" for i in range(n_people)], 12)
    return Recordings(values, IDS, {"subject": subjects, "region": ["IT"] * len(subjects)})


def pick(result: Result, statistic: str, **columns: str) -> Any:
    table: Any = result.table[result.table["statistic"] == statistic]
    for name, value in columns.items():
        table = table[table[name] == value]
    return table


@pytest.fixture(scope="module")
def found() -> Result:
    return bh.analyze_combine(LAYERS, record(), **QUICK)


def test_scores_weights_and_shares_are_those_of_the_functions(found: Result) -> None:
    rdms = np.stack([pdist(each, "correlation") for each in LAYERS.values()])
    target = pdist(record().select(subject="p1").average(), "correlation")
    expected = combine_rdms(target, rdms, n_folds=2, n_repeats=3)
    own = found.table[found.table["subject"] == "p1"].set_index(["statistic", "layer"])["estimate"]
    assert own["weighted sum", "early + late"] == pytest.approx(expected.score, abs=1e-6)
    assert own["unweighted sum", "early + late"] == pytest.approx(expected.fixed_score, abs=1e-6)
    np.testing.assert_allclose(own["single model"].to_numpy(), expected.single_scores, atol=1e-6)
    np.testing.assert_allclose(own["weight"].to_numpy(), expected.weights, atol=1e-6)
    shares = partition_variance(target, dict(zip(LAYERS, rdms, strict=True)))
    assert own["variance shared", "early & late"] == pytest.approx(shares.parts["early", "late"], abs=1e-6)
    assert own["variance total", "early + late"] == pytest.approx(shares.total, abs=1e-6)
    assert own["gain", "early + late"] == pytest.approx(
        own["weighted sum", "early + late"] - own["best single model", ""]
    )


def test_over_people_there_is_an_interval_and_a_p(found: Result) -> None:
    (row,) = pick(found, "weighted sum", subject="").to_dict("records")
    people = found.table[(found.table["statistic"] == "weighted sum") & (found.table["subject"] != "")]["estimate"]
    assert row["estimate"] == pytest.approx(people.mean()) and row["p"] == 1 / 20 and row["n"] == 3
    assert row["low"] < row["estimate"] < row["high"]
    assert pick(found, "weight", subject="")[["low", "high"]].isna().all(axis=None)  # they end at 0
    assert any("no gain can have a p below 0.125" in note for note in found.warnings)
    assert "on stimuli left out" in found.sentences()[0] and "Groen" in found.methods()
    for drawing in RESULT_KINDS["combine"].draw(found):
        assert find_overlaps(drawing.figure) == []


def test_weights_and_best_model_are_chosen_on_the_training_stimuli_alone() -> None:
    rng = np.random.default_rng(2)
    models = {name: rng.random((1, 66)) for name in "abc"}
    fits = Fits(models, 12, "pearson", 2, 1, 3)
    target = rng.random(66) + models["a"][0] + 0.5 * models["b"][0]
    scores, rdms = [], np.vstack(list(models.values()))
    scaled = rdms / rdms.std(axis=1, keepdims=True)
    for train, test in fits._splits:
        design = np.column_stack([scaled[:, train].T, np.ones(len(train)), -np.ones(len(train))])
        weights = nnls(design, target[train])[0][:3]
        best = max(range(3), key=lambda i, train=train: np.corrcoef(target[train], scaled[i, train])[0, 1])
        both = (weights @ scaled[:, test], scaled[best, test])
        scores.append([np.corrcoef(target[test], each)[0, 1] for each in both])
    held = fits.run(target)
    np.testing.assert_allclose([held.weighted, held.best_single], np.mean(scores, axis=0), atol=1e-9)
    assert fits.score(target) == pytest.approx(held.weighted)


def test_stores_are_models_with_all_their_layers_and_rdms_are_models_too() -> None:
    order = np.random.default_rng(3).permutation(16)
    rdm = RecordedRDMs(pdist(OTHER[order], "cosine")[None], [IDS[i] for i in order], name="pixels")
    result = bh.analyze_combine([LAYERS, {"x": OTHER}], record(1), models=rdm, **QUICK)
    assert result.settings["n_rdms"] == {"network": 2, "network (2)": 1, "pixels": 1}
    (row,) = pick(result, "single model", layer="pixels").to_dict("records")
    target = pdist(record(1).average(), "correlation")
    expected = combine_rdms(target, np.stack([pdist(OTHER, "cosine")] * 2), n_folds=2, n_repeats=3).single_scores[0]
    assert row["estimate"] == pytest.approx(expected, abs=1e-6)
    parts = pick(result, "variance shared")["layer"].tolist()
    assert len(parts) == 7 and "network & network (2) & pixels" in parts


@pytest.mark.parametrize(
    ("layers", "options", "words"),
    [
        ({"a": EARLY}, {}, "two models or more"),
        ({"a": EARLY, "b": np.ones((16, 3))}, {}, "layers whose RDMs vary"),
        (LAYERS, {"n_folds": 5}, "folds"),
        (LAYERS, {"method": "spearmen"}, "'spearman'"),
        (LAYERS, {"models": LAYERS, "stimulus_ids": IDS}, "RDMs as models|stimulus_ids"),
    ],
)
def test_what_cannot_be_combined_is_refused(layers: Any, options: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        bh.analyze_combine(layers, record(1), **{**QUICK, **options})


@pytest.mark.slow
def test_noise_has_a_small_p_and_a_gain_as_often_as_p_says() -> None:
    rng, hits = np.random.default_rng(4), np.zeros(2)
    for study in range(120):
        layers = {name: rng.normal(size=(16, 6)) for name in "abc"}
        rdms = [pdist(rng.normal(size=(16, 6))) for _ in range(6)]
        people = RecordedRDMs(np.stack(rdms), IDS, {"subject": list("abcdef"), "region": ["IT"] * 6})
        result = bh.analyze_combine(layers, people, **{**QUICK, "n_permutations": 39, "n_repeats": 2, "seed": study})
        for place, statistic in enumerate(("weighted sum", "gain")):
            hits[place] += float(pick(result, statistic, subject="")["p"].iloc[0]) < 0.05
    assert (hits <= 12).all() and hits[0] >= 1, hits
