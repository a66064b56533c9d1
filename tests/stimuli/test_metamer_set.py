"""The folders of metamers and of null distributions: tables, verdicts, readers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from beholder import InputError
from beholder.stimuli import (
    METAMER_COLUMNS,
    MetamerSet,
    NullSet,
    collect_files,
    fill_verdicts,
    make_metamer_table,
    name_metamer,
    read_metamer_table,
    save_sound,
    write_metamer_table,
    write_null_layer,
    write_stimulus_manifest,
)
from beholder.stimuli.made._metamer_table import format_passed, tells_decisions

CONTRACT = (
    "model, stimulus_id, layer, measured_layer, seed, db_snr, db_snr_published, db_snr_saved, spearman, pearson, "
    "spearman_saved, pearson_saved, percentile, loss, prediction_original, prediction_metamer, passed, steps, recipe, "
    "decision, rule"
)


def make_row(**own: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "model": "net", "stimulus_id": "a", "layer": "l1", "measured_layer": "l1", "seed": 0, "db_snr": 20.0,
        "db_snr_published": 10.0, "db_snr_saved": 19.0, "spearman": 0.9, "pearson": 0.8, "spearman_saved": 0.89,
        "pearson_saved": 0.79, "percentile": None, "loss": 0.1, "prediction_original": "cat",
        "prediction_metamer": "cat", "passed": None, "steps": 7, "recipe": "default", "decision": "class",
        "rule": None,
    }  # fmt: skip
    return row | own


def make_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return make_metamer_table({name: [row[name] for row in rows] for name in METAMER_COLUMNS})


def test_columns_are_the_contract() -> None:
    assert ", ".join(METAMER_COLUMNS) == CONTRACT


def test_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    table = make_table([make_row(), make_row(seed=3, db_snr=float("inf"), passed=True, prediction_metamer=None)])
    write_metamer_table(tmp_path / "results.parquet", table)
    again = read_metamer_table(tmp_path)
    pd.testing.assert_frame_equal(again, table)
    assert again["passed"].dtype == "boolean"
    assert again["passed"].isna().tolist() == [True, False]
    first = (tmp_path / "results.parquet").read_bytes()
    write_metamer_table(tmp_path / "results.parquet", again)
    assert (tmp_path / "results.parquet").read_bytes() == first
    plain = pd.read_parquet(tmp_path / "results.parquet")
    assert tuple(plain.columns) == METAMER_COLUMNS


def test_verdicts_against_counting() -> None:
    generator = np.random.default_rng(0)
    null = {layer: {name: generator.normal(size=200) for name in ("spearman", "pearson", "db_snr")} for layer in "pq"}
    rows = []
    for i in range(60):
        values = dict(zip(("spearman_saved", "pearson_saved", "db_snr_saved"), generator.normal(2, 1, 3), strict=True))
        said = "cat" if i % 3 else "dog"
        rows.append(
            make_row(stimulus_id=str(i), layer="p", measured_layer="pq"[i % 2], prediction_metamer=said, **values)
        )
    judged: Any = fill_verdicts(make_table(rows), null)
    for row, verdict in zip(rows, judged.to_dict("records"), strict=True):
        pairs = null[row["measured_layer"]]
        shares, above = [], []
        for name in ("spearman", "pearson", "db_snr"):
            shares.append(100 * np.mean(pairs[name] < row[f"{name}_saved"]))
            above.append(row[f"{name}_saved"] > max(pairs[name]))
        assert verdict["percentile"] == pytest.approx(min(shares))
        if row["measured_layer"] == "p":
            assert verdict["passed"] == (all(above) and row["prediction_metamer"] == "cat")
        else:
            assert pd.isna(verdict["passed"])
    assert judged["passed"].sum() > 0


def test_what_was_not_saved_or_has_no_null_stays_empty() -> None:
    pairs = {name: np.zeros(3) for name in ("spearman", "pearson", "db_snr")}
    rows = [make_row(db_snr_saved=None, spearman_saved=None, pearson_saved=None), make_row(measured_layer="l2")]
    judged: Any = fill_verdicts(make_table(rows), {"l1": pairs})
    assert judged["percentile"].isna().all()
    assert judged["passed"].isna().all()
    perfect = fill_verdicts(make_table([make_row(db_snr_saved=float("inf"))]), {"l1": pairs})
    assert perfect["passed"].tolist() == [True]
    assert perfect["percentile"].tolist() == [100.0]


def test_networks_without_answers_are_judged_by_the_measures() -> None:
    pairs = {name: np.zeros(3) for name in ("spearman", "pearson", "db_snr")}
    rows = [make_row(prediction_original=None, prediction_metamer=None, decision=None)]
    assert fill_verdicts(make_table(rows), {"l1": pairs})["passed"].tolist() == [True]


def test_the_same_answer_is_part_of_the_verdict() -> None:
    """However good the match: another answer fails, and so does none where the network gives answers."""
    pairs = {name: np.zeros(3) for name in ("spearman", "pearson", "db_snr")}
    said = [("cat", "cat"), ("cat", "dog"), ("cat", None), (None, "cat"), (None, None)]
    rows = [make_row(prediction_original=a, prediction_metamer=b) for a, b in said]
    assert fill_verdicts(make_table(rows), {"l1": pairs})["passed"].tolist() == [True, False, False, False, False]


def test_pairs_that_are_not_a_number_are_left_out() -> None:
    """One NaN pair changes no verdict and no percentile; nothing but NaN gives none."""
    generator = np.random.default_rng(2)
    pairs = {name: generator.normal(size=40) for name in ("spearman", "pearson", "db_snr")}
    whole = {name: values.copy() for name, values in pairs.items()}
    pairs["pearson"][[3, 17]] = np.nan
    kept = ~np.isnan(pairs["pearson"])
    rows = [make_row(stimulus_id=str(i), **dict(zip(("spearman_saved", "pearson_saved", "db_snr_saved"),
                                                    generator.normal(i / 10, 1, 3), strict=True)))
            for i in range(40)]  # fmt: skip
    judged = fill_verdicts(make_table(rows), {"l1": pairs})
    for row, verdict in zip(rows, judged.to_dict("records"), strict=True):
        shares = [100 * np.mean(whole[n][kept] < row[f"{n}_saved"]) for n in whole]
        assert verdict["percentile"] == pytest.approx(min(shares))
        assert verdict["passed"] == all(row[f"{n}_saved"] > whole[n][kept].max() for n in whole)
    assert 0 < judged["passed"].sum() < 40
    nothing = {name: np.full(3, np.nan) for name in pairs}
    assert fill_verdicts(make_table(rows), {"l1": nothing})["passed"].isna().all()


def test_tables_of_the_first_format_are_read_and_not_judged(tmp_path: Path) -> None:
    pairs = {name: np.zeros(3) for name in ("spearman", "pearson", "db_snr")}
    old = make_table([make_row(), make_row(stimulus_id="b")]).drop(columns=["decision", "rule"])
    old.to_parquet(tmp_path / "results.parquet")
    read: Any = read_metamer_table(tmp_path)
    assert tuple(read.columns) == METAMER_COLUMNS
    assert read["decision"].isna().all()
    assert not tells_decisions(read)
    judged: Any = fill_verdicts(read, {"l1": pairs})
    assert judged["passed"].isna().all()
    assert judged["percentile"].isna().all()
    assert tells_decisions(make_table([make_row(), make_row(decision=None, prediction_original=None)]))


def test_how_many_pass_is_told_by_decision() -> None:
    rows = [make_row(decision=name, passed=passed) for name, passed in
            (("class", True), ("class", False), ("category", True), ("category", True), (None, False))]  # fmt: skip
    assert format_passed(make_table(rows[:2])) == "1 of 2"
    assert format_passed(make_table(rows[:4])) == "2 of 2 by category and 1 of 2 by class"
    assert format_passed(make_table(rows)) == "0 of 1 without answers, 2 of 2 by category and 1 of 2 by class"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two metamers of one picture at ``block/1``."""
    place = tmp_path / "metamers" / "net"
    rows = [
        make_row(layer="block:in", measured_layer=layer, seed=seed) for seed in (0, 2) for layer in ("block:in", "x")
    ]
    made = place / "block_in" / "a"
    made.mkdir(parents=True)
    (place / "originals").mkdir()
    for path in (place / "originals" / "a.png", made / "metamer.png", made / "metamer_seed2.png"):
        Image.new("RGB", (4, 4)).save(path)
    np.save(made / "metamer_seed2.losses.npy", np.array([1.0, 0.5], np.float32))
    (made / "metamer_seed2.json").write_text(json.dumps({"steps": 2}))
    described = {"original": "originals/a.png", "file": "a.jpg", "label": "n01", "target": 3, "sha256": "00"}
    write_stimulus_manifest(place, [{"stimulus_id": "a", **described}])
    write_metamer_table(place / "results.parquet", make_table(rows))
    return place


def test_reading_a_folder(folder: Path) -> None:
    made = MetamerSet(folder)
    assert (len(made), made.model, made.layers, made.measured_layers) == (2, "net", ("block:in",), ("block:in", "x"))
    assert [one.seed for one in made] == [0, 2]
    one = made.files[1]
    assert one.path == folder / "block_in" / "a" / "metamer_seed2.png"
    assert one.path.exists()
    assert one.original.exists()
    assert (one.label, one.target) == ("n01", 3)
    assert one.describe() == {"steps": 2}
    assert one.read_losses().tolist() == [1.0, 0.5]
    assert "2 metamers of net" in repr(made)
    import beholder as bh

    assert isinstance(bh.open(folder), MetamerSet)


def test_other_folders_are_refused(tmp_path: Path) -> None:
    for kind in (MetamerSet, NullSet):
        with pytest.raises(InputError, match="beholder metamers"):
            kind(tmp_path)
    (tmp_path / "results.parquet").write_text("no table")
    with pytest.raises(InputError, match="Parquet"):
        read_metamer_table(tmp_path)


def test_names() -> None:
    assert (name_metamer(0), name_metamer(5)) == ("metamer", "metamer_seed5")


def test_null_comes_back(tmp_path: Path) -> None:
    columns = {name: np.arange(3) for name in ("seed", "split", "pair")}
    columns |= {
        name: np.linspace(0, 1, 3)
        for name in ("spearman", "pearson", "db_snr", "db_snr_published", "norm_signal", "norm_noise")
    }
    write_null_layer(tmp_path, "block:in", columns)
    (tmp_path / "layers.json").write_text('{"layers": ["block:in"]}')
    null = NullSet(tmp_path)
    assert null.layers == ("block:in",)
    for name, values in columns.items():
        np.testing.assert_array_equal(null["block:in"][name], values)
    assert len(null.to_pandas()) == 3
    with pytest.raises(InputError, match="block:in"):
        null["block"]
    import beholder as bh

    assert isinstance(bh.open(tmp_path), NullSet)


def test_files_one_by_one(tmp_path: Path) -> None:
    for name in ("b/x.png", "a/x.png", "a/y.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    stimuli = collect_files([tmp_path / "b" / "x.png", tmp_path / "a" / "y.png", tmp_path / "a" / "x.png"])
    assert stimuli.ids == ("b__x", "a__y", "a__x")
    assert [stimuli.path(i).exists() for i in range(3)] == [True] * 3
    assert collect_files([tmp_path / "a" / "y.png"]).ids == ("y",)
    save_sound(tmp_path / "z.wav", np.zeros(4), 8000)
    for wrong in (["none.png"], [tmp_path / "z.wav", tmp_path / "a" / "x.png"], []):
        with pytest.raises(InputError):
            collect_files(wrong)
