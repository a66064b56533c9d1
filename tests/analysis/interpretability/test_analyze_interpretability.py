"""Interpretability of units: tables of answers to results, and bad days."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kruskal, spearmanr

import beholder as bh
from beholder import InputError
from beholder.activations import write_activations
from beholder.analysis import RESULT_KINDS, analyze_interpretability, compute_bca_interval
from beholder.analysis.interpretability._units import order_layers

HEAD = "participant,model,layer,unit,mode,stimulus,correct,confidence"


def answer(seed: int, *, n_people: int = 12, networks: tuple[float, ...] = (0.8, 0.0), n_units: int = 8,
           modes: tuple[str, ...] = ("natural", "optimized"), who: str = "p") -> list[str]:  # fmt: skip
    """Every person answers every unit; deep units and natural references are easier, the sure are right more often."""
    rng = np.random.default_rng(seed)
    rows: list[str] = []
    for k, level in enumerate(networks):
        easy = level + np.random.default_rng(k).normal(0, 0.7, n_units) + np.linspace(-0.7, 0.7, n_units)
        for person in range(n_people):
            able = rng.normal(0, 0.3)
            for unit in range(n_units):
                for m, mode in enumerate(modes):
                    sure = int(rng.integers(1, 4))
                    share = 0.5 + 0.5 / (1 + np.exp(-(easy[unit] + able + 0.8 * (sure - 2) - m)))
                    rows.append(f"{who}{person},net{k},layer{unit // 2 + 9},{unit},{mode},{person % 3},"
                                f"{int(rng.random() < share)},{sure}")  # fmt: skip
    return rows


def write(path: Path, rows: list[str], head: str = HEAD) -> Path:
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def pick(result: bh.Result, statistic: str) -> Any:
    table: Any = result.table
    return table[table.statistic == statistic]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> bh.Result:
    folder = tmp_path_factory.mktemp("answers")
    people, machine = write(folder / "people.csv", answer(0)), write(folder / "machine.csv", answer(9, who="m"))
    return analyze_interpretability(people, machine, n_draws=300)


def read(rows: list[str]) -> Any:
    import pandas as pd

    table = pd.DataFrame([row.split(",") for row in rows], columns=HEAD.split(","))
    return table.assign(correct=table.correct.astype(int))


def test_units_and_their_means(found: bh.Result) -> None:
    table = read(answer(0))
    shares = table.groupby(["model", "mode", "unit"]).correct.mean()
    units = pick(found, "unit")
    assert len(units) == len(shares) == 32
    for row in units.to_dict("records"):
        model, layer, unit = row["unit"].split("/")
        assert row["estimate"] == pytest.approx(shares[model, row["target"], unit])
        assert layer == row["layer"] == f"layer{int(unit) // 2 + 9}"
        assert row["low"] < row["estimate"] <= row["high"] + 1e-9
    for row in pick(found, "mean of units").to_dict("records"):
        own = units[(units.model == row["model"]) & (units.target == row["target"])].estimate.to_numpy()
        expected = compute_bca_interval(own, n_draws=300)
        assert (row["estimate"], row["low"], row["high"]) == pytest.approx((own.mean(), expected.low, expected.high))
        assert (row["n"], row["n_people"], row["n_answers"]) == (8, 12, 96)
    people = table.groupby(["model", "mode", "participant"]).correct.mean()
    assert sorted(pick(found, "mean of participants").estimate) == pytest.approx(
        sorted(people.groupby(level=[0, 1]).mean())
    )
    sure = table.groupby(["model", "mode", "confidence", "unit"]).correct.mean().groupby(level=[0, 1, 2]).mean()
    for row in pick(found, "mean of units at confidence").to_dict("records"):
        assert row["estimate"] == pytest.approx(sure[row["model"], row["target"], f"{row['confidence']:g}"])


def test_depth_networks_and_modes(found: bh.Result) -> None:
    table = read(answer(0))
    shares = table.groupby(["model", "mode", "unit"]).correct.mean()
    depth = pick(found, "rank correlation with depth").set_index(["model", "target"])
    expected = spearmanr(np.arange(8) // 2, shares["net0", "natural"])
    assert depth.estimate["net0", "natural"] == pytest.approx(expected.statistic)
    assert depth.p["net0", "natural"] == pytest.approx(expected.pvalue)
    layers = pick(found, "mean of units of layer")
    assert list(dict.fromkeys(layers.layer)) == ["layer9", "layer10", "layer11", "layer12"]
    assert set(layers.depth.round(3)) == {0, 0.333, 0.667, 1}
    for mode in ("natural", "optimized"):
        row = pick(found, "Kruskal-Wallis").set_index("target").loc[mode]
        test = kruskal(shares["net0", mode], shares["net1", mode])
        assert (row.estimate, row.p, row.df) == pytest.approx((test.statistic, test.pvalue, 1))
    pairs = pick(found, "difference").set_index("target")
    assert pairs.estimate["natural"] == pytest.approx(
        shares["net0", "natural"].mean() - shares["net1", "natural"].mean()
    )
    modes = pick(found, "difference of modes").set_index("model")
    assert modes.estimate["net1"] == pytest.approx((shares["net1", "natural"] - shares["net1", "optimized"]).mean())


def test_the_machine(found: bh.Result) -> None:
    people, machine = (
        read(rows).groupby(["model", "mode", "unit"]).correct.mean() for rows in (answer(0), answer(9, who="m"))
    )
    row = pick(found, "rank correlation with machine").set_index(["model", "target"]).loc["net1", "natural"]
    assert row.estimate == pytest.approx(spearmanr(machine["net1", "natural"], people["net1", "natural"]).statistic)
    assert row.low < row.estimate < row.high
    kappas = pick(found, "error consistency with machine")
    assert len(kappas) == 4
    assert (kappas.n_people <= 12).all()
    assert len(pick(found, "unit of machine")) == 32


def test_it_is_told_and_drawn(found: bh.Result, tmp_path: Path) -> None:
    told = found.sentences()
    assert told[0].startswith("net0, natural: .")
    assert any("networks" in line and "Kruskal-Wallis H = " in line for line in told)
    assert any("right at confidence 1 (" in line for line in told)
    assert any("the machine is right on" in line for line in told)
    assert "Zimmermann" in found.methods()
    assert "Conover" in found.methods()
    names = [drawing.name for drawing in RESULT_KINDS["interpretability"].draw(found)]
    assert names == ["units", "confidence", "layers", "machine"]
    assert found.warnings == ("Layers are in the order of their names; layers gives the network's.",)
    found.save(tmp_path / "interpretability.parquet")
    assert bh.open(tmp_path / "interpretability.parquet").sentences() == told


def test_who_saw_a_trial_twice_has_one_error_consistency(tmp_path: Path) -> None:
    rows = answer(0, networks=(0.5,))
    machine = write(tmp_path / "machine.csv", answer(9, networks=(0.5,), who="m"))
    once = analyze_interpretability(write(tmp_path / "once.csv", rows), machine, n_draws=50)
    twice = analyze_interpretability(write(tmp_path / "twice.csv", [*rows, rows[0]]), machine, n_draws=50)
    name = "error consistency with machine"
    assert pick(twice, name).estimate.tolist() == pick(once, name).estimate.tolist()


def test_layers_in_the_networks_order(tmp_path: Path) -> None:
    people = write(tmp_path / "people.csv", answer(1, networks=(0.5,), modes=("natural",)))
    layers = ["layer12", "pool", "layer11", "layer10", "layer9"]
    found = analyze_interpretability(people, layers=layers, n_draws=50)
    assert dict(zip(*[pick(found, "mean of units of layer")[name] for name in ("layer", "depth")], strict=True)) == {
        "layer12": 0, "layer11": 0.5, "layer10": 0.75, "layer9": 1,
    }  # fmt: skip
    with pytest.raises(InputError, match="all layers of the answers"):
        analyze_interpretability(people, layers=layers[:3])
    assert order_layers(["b10", "b9", "a"], None) == ["a", "b9", "b10"]


def test_layers_in_the_order_of_a_store_or_a_table(tmp_path: Path) -> None:
    people = write(tmp_path / "people.csv", answer(1, networks=(0.5,), modes=("natural",)))
    layers = ["layer12", "pool", "layer11", "layer10", "layer9"]
    asked = analyze_interpretability(people, layers=layers, n_draws=50)
    table, store = tmp_path / "layers.csv", tmp_path / "net.zarr"
    table.write_text("layer,n\n" + "".join(f"{name},1\n" for name in layers for _ in (0, 1)))
    write_activations(
        store, {name: np.zeros((2, 3), np.float32) for name in layers}, ["a", "b"], model="net", settings={}
    )
    for path in (table, store):
        found = analyze_interpretability(people, layers=[str(path)], n_draws=50)
        pd.testing.assert_frame_equal(found.table, asked.table)
        assert not any("order of their names" in note for note in found.warnings)
    with pytest.raises(InputError, match="names of layers, or paths"):
        analyze_interpretability(people, layers=[str(table), "layer9"])
    table.write_text("name\nlayer9\n")
    with pytest.raises(InputError, match="a column 'layer'"):
        analyze_interpretability(people, layers=[str(table)])


def test_depth_is_counted_over_the_network_s_own_layers(tmp_path: Path) -> None:
    rows = answer(1, networks=(0.5, 0.5), modes=("natural",))
    rows = [row.replace("net1,layer", "net1,block") for row in rows]
    found = analyze_interpretability(write(tmp_path / "people.csv", rows), n_draws=50)
    layers = pick(found, "mean of units of layer")
    for model, name in (("net0", "layer"), ("net1", "block")):
        own = layers[layers.model == model]
        assert dict(zip(own.layer, own.depth, strict=True)) == {
            f"{name}{9 + k}": pytest.approx(k / 3) for k in range(4)
        }  # fmt: skip


def test_few_units_and_all_right(tmp_path: Path) -> None:
    rows = [f"p{k % 3},net,conv,{k % 2},natural,0,1,1" for k in range(12)]
    found = analyze_interpretability(write(tmp_path / "a.csv", rows))
    row = pick(found, "mean of units").iloc[0]
    assert row.estimate == 1 and math.isnan(row.low)
    told = " ".join(found.warnings)
    assert "2 units are too few for an interval" in told
    assert "all units reach 1.00" in told
    assert "3 participants say little about other people" in told
    for _ in RESULT_KINDS["interpretability"].draw(found):
        pass
    assert found.sentences()
    twin = [row.replace(",net,", ",other,") for row in rows]
    both = analyze_interpretability(write(tmp_path / "b.csv", rows + twin))
    assert math.isnan(pick(both, "Kruskal-Wallis").estimate.iloc[0])
    assert any("networks cannot be compared" in line for line in both.sentences())


def test_bad_input(tmp_path: Path) -> None:
    plain = write(tmp_path / "plain.csv", ["p,cat,cat"], "participant,truth,response")
    with pytest.raises(InputError, match="trials about units"):
        analyze_interpretability(plain)
    people = write(tmp_path / "people.csv", answer(1, n_people=2, n_units=2))
    other = write(tmp_path / "other.csv", [row.replace(",net", ",another") for row in answer(1, n_people=2, n_units=2)])
    with pytest.raises(InputError, match="that people and the machine answered"):
        analyze_interpretability(people, other)


@pytest.mark.slow
def test_intervals_cover_other_units() -> None:
    """New units and new people each time, 60 of each; all people answer all units."""
    inside, n, n_each = 0, 300, 60
    rng = np.random.default_rng(0)

    def share(units: np.ndarray, people: np.ndarray) -> np.ndarray:
        return 0.5 + 0.5 / (1 + np.exp(-(units + people[:, None])))

    truth = share(rng.normal(1, 1, 4000), rng.normal(0, 0.5, 1000)).mean()
    for seed in range(n):
        right = rng.random((n_each, n_each)) < share(rng.normal(1, 1, n_each), rng.normal(0, 0.5, n_each))
        found = compute_bca_interval(right.mean(axis=0), n_draws=500, seed=seed)
        inside += found.low <= truth <= found.high
    assert 0.9 <= inside / n <= 0.98
