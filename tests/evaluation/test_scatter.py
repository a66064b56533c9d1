"""People, attacks and brains against recognition by other networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.stats

from beholder._core.errors import InputError
from beholder.evaluation import (
    Judgement,
    compare_networks,
    read_attacked_accuracy,
    read_brain_prediction,
    read_human_recognition,
)

NETWORKS = ("source:one@v1", "source:two@v1", "source:three@v1", "source:four@v1", "source:five@v1")
LAYERS: Any = dict.fromkeys(NETWORKS, ("early", "late"))


@pytest.fixture(scope="module")
def judgement():
    """Every network judges the others' metamers; how many are recognised depends on network and layer."""
    rows = []
    for place, model in enumerate(NETWORKS):
        for judge in NETWORKS:
            for layer, share in (("", 1.0), ("early", 0.9 - 0.1 * place), ("late", 0.1 * place)):
                for i in range(10):
                    right = True if judge == model else i < round(10 * share)
                    rows.append((model, judge, "class", layer, f"s{i}", 0, right, None, "", True))
    columns = ["model", "judge", "decision", "layer", "stimulus_id", "seed", "correct", "passed", "rule", "main"]
    return Judgement(pd.DataFrame(rows, columns=columns), LAYERS)


def test_the_networks_own_verdicts_do_not_count(judgement):
    found = judgement.recognize_by_others().set_index(["model", "layer"])["accuracy"]
    assert found["source:two@v1", "early"] == pytest.approx(0.8)
    assert found["source:one@v1", "late"] == 0


def test_people_layer_by_layer_from_a_matrix_and_a_table(judgement, tmp_path):
    generator = np.random.default_rng(0)
    frames, points = [], []
    for place, model in enumerate(NETWORKS):
        matrix = np.stack([generator.uniform(0, 1, (12, 3)), np.ones((12, 3))], axis=2)
        scipy.io.savemat(tmp_path / f"{place}.mat", {"participant_data_matrix": matrix})
        name = model.partition(":")[2].partition("@")[0]
        found: Any = read_human_recognition(tmp_path / f"{place}.mat", LAYERS, name)
        assert found["layer"].tolist() == ["", "early", "late"]
        assert found["accuracy"].to_numpy() == pytest.approx(matrix[:, :, 0].mean(0))
        early = matrix[:, 1, 0]
        interval = scipy.stats.t.interval(0.95, 11, early.mean(), scipy.stats.sem(early))
        assert found.loc[1, ["low", "high"]].tolist() == pytest.approx(list(interval))
        frames.append(found)
        points += [(0.9 - 0.1 * place, early.mean()), (0.1 * place, matrix[:, 2, 0].mean())]
    scatter = compare_networks(judgement, pd.concat(frames), "Recognised by people (%)")
    assert scatter.correlation.n == 10
    assert scatter.correlation.r == pytest.approx(scipy.stats.pearsonr(*zip(*points, strict=True)).statistic)
    ax = scatter.plot()
    assert ax.get_ylabel() == "Recognised by people (%)"
    people = pd.concat(frames)
    people[["model", "layer", "accuracy"]].to_csv(tmp_path / "people.csv", index=False)
    again: Any = read_human_recognition(tmp_path / "people.csv", LAYERS)
    assert again["accuracy"].tolist() == pytest.approx(people["accuracy"].tolist())
    assert again["low"].isna().all()


def test_sessions_of_one_person_are_one_participant(judgement, tmp_path):
    """Rows of one participant are no sample of their own: the interval is that of the people."""
    rows = ["one,early,p1,0.2", "one,early,p1,0.4", "one,early,p2,0.5", "one,early,p2,0.7", "one,early,p3,0.9"]
    (tmp_path / "people.csv").write_text("\n".join(["network,layer,participant,accuracy", *rows]))
    found: Any = read_human_recognition(tmp_path / "people.csv", LAYERS)
    shares = np.array([0.3, 0.6, 0.9])
    interval = scipy.stats.t.interval(0.95, 2, shares.mean(), scipy.stats.sem(shares))
    assert found.loc[0, "n_participants"] == 3
    assert found.loc[0, ["accuracy", "low", "high"]].tolist() == pytest.approx([0.6, *interval])


def test_attacks_and_brains(judgement, tmp_path):
    rows = [
        {"model": model, "norm": norm, "eps": eps, "accuracy_top1": 0.1 * place if eps else 0.9}
        for place, model in enumerate(("one", "two", "three", "four", "elsewhere"))
        for norm, eps in (("l2", 0), ("l2", 3), ("linf", 0.01))
    ]
    (tmp_path / "attacked.json").write_text(json.dumps({"evaluate": rows}))
    with pytest.raises(InputError, match=r"l2:3 or linf:0\.01"):
        read_attacked_accuracy(tmp_path / "attacked.json", NETWORKS)
    attacked = read_attacked_accuracy(tmp_path / "attacked.json", NETWORKS, "l2:3.0")
    assert attacked == pytest.approx({name: 0.1 * i for i, name in enumerate(NETWORKS[:4])})
    scatter = compare_networks(judgement, attacked, "Attacked")
    assert scatter.table["x"].tolist() == pytest.approx([45, 45, 45, 45])
    assert np.isnan(scatter.correlation.r)
    (tmp_path / "brain.csv").write_text(
        "network,layer,r2\none,early,0.2\none,late,0.5\ntwo,early,0.3\nothers,early,1\n"
    )
    assert read_brain_prediction(tmp_path / "brain.csv", NETWORKS) == {NETWORKS[0]: 0.5, NETWORKS[1]: 0.3}


def test_of_several_attacks_the_worst_counts(tmp_path):
    """Where it is there for all networks; else one is asked for, and numbers that contradict each other are refused."""

    def write(*rows: str) -> Path:
        path = tmp_path / "attacked.csv"
        path.write_text("\n".join(["model,norm,eps,attack,accuracy_top1", *rows]), encoding="utf-8")
        return path

    both = ["one,l2,3,pgd,0.5", "one,l2,3,random,0.9", "two,l2,3,pgd,0.4"]
    worst = ["one,l2,3,worst,0.3", "two,l2,3,worst,0.2"]
    assert read_attacked_accuracy(write(*both, *worst), NETWORKS) == {NETWORKS[0]: 0.3, NETWORKS[1]: 0.2}
    assert read_attacked_accuracy(write(*both, *worst), NETWORKS, "l2:6/2:pgd") == {NETWORKS[0]: 0.5, NETWORKS[1]: 0.4}
    for rows in (both, [*both, worst[0]]):
        with pytest.raises(InputError, match="l2:3:pgd or l2:3:random"):
            read_attacked_accuracy(write(*rows), NETWORKS)
    with pytest.raises(InputError, match=r"one accuracy of .* at l2:3; got two"):
        read_attacked_accuracy(write(both[0], "one,l2,3,pgd,0.6"), NETWORKS)


def test_bad_files_say_what_is_wrong(judgement, tmp_path):
    scipy.io.savemat(tmp_path / "short.mat", {"participant_data_matrix": np.ones((5, 2, 2))})
    with pytest.raises(InputError, match=r"participants × 3 × 2: natural stimuli, then early, late"):
        read_human_recognition(tmp_path / "short.mat", LAYERS, "one")
    with pytest.raises(InputError, match="NETWORK="):
        read_human_recognition(tmp_path / "short.mat", LAYERS)
    with pytest.raises(InputError, match="network with judged metamers"):
        read_human_recognition(tmp_path / "short.mat", LAYERS, "nobody")
    (tmp_path / "people.csv").write_text("model,layer,accuracy\none,middle,0.5\n")
    with pytest.raises(InputError, match="matched layer"):
        read_human_recognition(tmp_path / "people.csv", LAYERS)
    (tmp_path / "people.csv").write_text("model,layer,accuracy\none,early,50\n")
    with pytest.raises(InputError, match="from 0 to 1"):
        read_human_recognition(tmp_path / "people.csv", LAYERS)
    with pytest.raises(InputError, match="judges other than themselves"):
        compare_networks(judgement, {"nobody": 1.0}, "x")


def test_published_matrices(shared_data):
    """CORnet-S: five stages after the natural stimuli, with the means that the published file holds."""
    path = shared_data / "human_recognition" / "VisionExperiment1_network_vs_humans_datamatrix_cornet_s_public.mat"
    stages = {"cornet:cornet_s@x": ("V1", "V2", "V4", "IT", "final")}
    found = read_human_recognition(path, stages, "cornet_s")
    matrix = scipy.io.loadmat(path)["participant_data_matrix"]
    assert found["n_participants"].tolist() == [22] * 6
    assert found["accuracy"].to_numpy() == pytest.approx(matrix[:, :, 0].mean(0))
