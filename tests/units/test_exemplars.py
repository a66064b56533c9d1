"""Choosing exemplars from recorded activations."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import beholder as bh
from beholder.models import Unit, UnitList, read_preprocessing
from beholder.stimuli import save_picture
from beholder.units import find_exemplars, plan_windows

from .conftest import Record

UNITS = [Unit("second", 1), Unit("first", 0), Unit("first", 2)]


@pytest.fixture
def values() -> np.ndarray:
    """(60, 6) with many ties."""
    return np.random.default_rng(0).integers(-9, 9, (60, 6)).astype(np.float32)


def get_column(values: np.ndarray, unit: Unit) -> list[float]:
    return values[:, unit.channel + (0 if unit.layer == "first" else values.shape[1] // 2)].tolist()


def test_exemplars_are_what_a_sorted_list_says(record: Record, values: np.ndarray) -> None:
    ids = [f"picture_{i * 7 % 60:02d}" for i in range(60)]
    acts = record(values, ids)
    best = find_exemplars(acts, UNITS, num_batches=2, start_min=19, stop_min=25, start_max=30, stop_max=41)
    assert best.units == tuple(UNITS)
    table = best.to_pandas()
    assert len(table) == 3 * 2 * 2 * 10
    for unit in UNITS:
        column = get_column(values, unit)
        ascending = sorted(range(60), key=lambda i: (column[i], ids[i]))
        rows: Any = table[(table["layer"] == unit.layer) & (table["channel"] == unit.channel)]
        assert not rows["stimulus_id"].duplicated().any()
        row: Any
        for row in rows.itertuples():
            i = ascending[row.rank]
            assert (row.stimulus_id, row.source, row.activation) == (ids[i], ids[i], column[i])
            weaker = sum(v < column[i] for v in column) if row.sign == "max" else sum(v > column[i] for v in column)
            assert row.percentile == pytest.approx(100 * weaker / 60)
            assert row.role == ("query" if row.position == 9 else "reference")
            window = range(19, 25) if row.sign == "min" else range(30, 41)
            assert (row.rank in window) == (row.position == 9)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(UNITS), st.integers(1, 3))
def test_a_unit_does_not_depend_on_the_others(
    record: Record, values: np.ndarray, units: list[Unit], n_units: int
) -> None:
    acts = record(values)
    alone = find_exemplars(acts, [UNITS[0]], num_batches=2, percentile=(40, 60))
    asked = list(dict.fromkeys([*units[:n_units], UNITS[0]]))
    together = find_exemplars(acts, asked, num_batches=2, percentile=(40, 60))
    i = together.units.index(UNITS[0])
    np.testing.assert_array_equal(alone.positions[0], together.positions[i])


def test_order_of_stimuli_does_not_matter(record: Record, values: np.ndarray) -> None:
    ids = [f"picture_{i:02d}" for i in range(60)]
    order = np.random.default_rng(1).permutation(60)
    best = find_exemplars(record(values, ids, name="one"), UNITS, num_batches=2)
    again = find_exemplars(record(values[order], [ids[i] for i in order], name="two"), UNITS, num_batches=2)
    assert best.to_pandas().equals(again.to_pandas())


def test_released_scheme_needs_the_order_of_units(record: Record, values: np.ndarray) -> None:
    acts = record(values)
    best = find_exemplars(acts, UNITS, num_batches=3, scheme="released", start_min=27, stop_max=33)
    other = find_exemplars(acts, UNITS[::-1], num_batches=3, scheme="released", start_min=27, stop_max=33)
    assert (best.ranks[0] != other.ranks[2]).any()
    assert (np.sort(best.ranks[0], axis=1) == np.sort(other.ranks[2], axis=1)).all()


def test_values_with_space_and_replicates_are_averaged(tmp_path: Path) -> None:
    from .conftest import Verbatim

    values = np.random.default_rng(2).standard_normal((40, 4, 3, 5)).astype(np.float32)
    net = bh.wrap(Verbatim(4), input_shape=(4, 3, 5), name="space")
    axes = {"first": ("channel", "height", "width")}
    acts = bh.extract(net, bh.StimulusSet.from_arrays(values, kind="array"), ["first"], out_path=tmp_path, axes=axes)
    best = find_exemplars(acts, [Unit("first", 1)], num_batches=1)
    means = values[:, 1].mean((1, 2), dtype=np.float64)
    assert best.positions[0, 1, 0, :9].tolist() == np.argsort(means)[-9:].tolist()
    np.testing.assert_allclose(best.activations[0, 1, 0, :9], np.sort(means)[-9:], rtol=1e-6)


def test_units_without_exemplars_are_named(
    record: Record, values: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    values[:, 0] = 3
    values[5:7, 4] = np.nan
    acts = record(values)
    best = find_exemplars(acts, UNITS, num_batches=2)
    assert best.units == (Unit("first", 2),)
    assert [str(unit) for unit, _ in best.skipped] == ["second:1", "first:0"]
    assert "not a number for 2 of 60 stimuli" in caplog.text
    assert "dead: its activation is 3 for all 60 stimuli" in caplog.text
    assert len(caplog.records) == 2
    assert "2 skipped" in repr(best)
    with pytest.raises(bh.InputError, match=r"none of 1: first:0: it is dead"):
        find_exemplars(acts, UNITS[1:2], num_batches=2)
    values[:, 0] = 3
    values[4, 2] = np.inf
    with pytest.raises(bh.InputError, match="first:2: its activation is infinite for 1 of 60 stimuli"):
        find_exemplars(record(values, name="endless"), UNITS[2:], num_batches=2)


def test_the_distribution_counts_every_stimulus(record: Record, values: np.ndarray) -> None:
    best = find_exemplars(record(values), UNITS, num_batches=2)
    assert best.edges.shape == (3, 65)
    for unit, edges, counts in zip(UNITS, best.edges, best.counts, strict=True):
        column = get_column(values, unit)
        assert (edges[0], edges[-1]) == (min(column), max(column))
        np.testing.assert_allclose(np.diff(edges), (max(column) - min(column)) / 64)
        told = [sum(low <= v < high for v in column) for low, high in itertools.pairwise(edges)]
        told[-1] += sum(v == edges[-1] for v in column)
        assert counts.tolist() == told
        assert counts.sum() == 60


def test_pictures_of_exemplars(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    for i in range(20):
        save_picture(folder / f"grey_{i:02d}.png", np.full((8, 8, 3), 12 * i, np.uint8))
    preprocessing = read_preprocessing({"kind": "image", "resize": 8, "crop": 8})
    net = bh.wrap(nn.Sequential(nn.Conv2d(3, 2, 1)), preprocess=preprocessing, name="grey")
    net.module.requires_grad_(False)[0].weight.fill_(1.0)  # type: ignore[index]
    acts = bh.record_units(net, folder, layers=["0"], out_path=tmp_path)
    best = find_exemplars(acts, [Unit("0", 1)], num_batches=1)
    ax = best.plot(unit=0, n=3)
    assert ax.get_title() == "0:1"
    shown = [float(image.get_array().mean()) for image in ax.get_images()]  # type: ignore[union-attr]
    assert np.argsort(shown).tolist() == [2, 1, 0, 3, 4, 5], "the most extreme last, min above max"
    assert shown[2] == 0
    with pytest.raises(bh.InputError, match="a unit from 0 to 0"):
        best.plot(unit=1)
    with pytest.raises(bh.InputError, match="at least one stimulus"):
        best.plot(n=0)
    html = best._repr_html_()
    assert html.count("<img") == 10 and "least, 5 of 9 shown" in html and "tie" not in html
    assert "grey_19, activation" in html
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    assert "<img" not in best._repr_html_(), "stimuli that are gone are named"
    assert "grey_19, activation" in best._repr_html_()


def test_the_top_of_a_unit_without_batches_and_queries(record: Record, values: np.ndarray, tmp_path: Path) -> None:
    acts = record(values)
    best = bh.find_exemplars(acts, str(UNITS[0]), top=7)
    column = np.array(get_column(values, UNITS[0]))
    ascending = np.argsort(column, kind="stable")
    np.testing.assert_array_equal(best.positions[0, 0, 0], ascending[6::-1])
    np.testing.assert_array_equal(best.positions[0, 1, 0], ascending[-7:])
    table: Any = best.to_pandas()
    assert len(table) == 14 and set(table["role"]) == {"reference"} and set(table["batch"]) == {0}
    np.testing.assert_allclose(table["activation"], column[best.positions].ravel(), rtol=1e-6)
    assert "the 7 least and the 7 most of 60 stimuli" in repr(best) and "batch" not in repr(best)
    assert bh.find_exemplars(acts, str(UNITS[0]), top=60).ranks.shape == (1, 2, 1, 60)
    refused: list[tuple[dict[str, Any], str]] = [
        ({"top": 0}, "top from 1 to 60, the recorded stimuli; got 0"),
        ({"top": 61}, "top from 1 to 60, the recorded stimuli; got 61"),
        ({"top": 9, "num_batches": 2}, "top, or batches and queries; got top with num_batches"),
        ({"top": 9, "scheme": "released"}, "got top with scheme"),
    ]
    for asked, message in refused:
        with pytest.raises(bh.InputError, match=message):
            bh.find_exemplars(acts, str(UNITS[0]), **asked)


def test_stimuli_that_tie_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    for i in range(20):
        save_picture(folder / f"grey_{i:02d}.png", np.full((8, 8, 3), max(0, 12 * (i - 6)), np.uint8))
    preprocessing = read_preprocessing({"kind": "image", "resize": 8, "crop": 8})
    net = bh.wrap(nn.Sequential(nn.Conv2d(3, 2, 1)), preprocess=preprocessing, name="g")
    net.module.requires_grad_(False)[0].weight.fill_(1.0)  # type: ignore[index]
    acts = bh.record_units(net, folder, layers=["0"], out_path=tmp_path)
    best = find_exemplars(acts, "0:1", top=9)
    assert "; 7 of 20 tie for least, at " in repr(best) and "for most" not in repr(best)
    assert "7 of 20 tie for least" in best.plot(n=2).get_title()
    html = best._repr_html_()
    assert html.count("<img") == 18 and "shown" not in html and "0:1; 7 of 20 tie for least" in html
    assert "9 of 12 shown" in find_exemplars(acts, "0:1", top=12)._repr_html_()
    both: Any = ["0:0", "0:1"]
    assert "tie for least or most in 2 units" in repr(find_exemplars(acts, both, num_batches=1))


def test_queries_that_nobody_could_tell_apart_are_told(record: Record, caplog: pytest.LogCaptureFixture) -> None:
    acts = record(np.random.default_rng(0).standard_normal((40, 2)))
    bh.find_exemplars(acts, "first:0", num_batches=1)
    assert not caplog.records
    bh.find_exemplars(acts, "first:0", num_batches=2)
    assert "drive a unit nearly alike (ranks 18 to 19 and 20 to 21 of 40)" in caplog.text


def test_refusals(record: Record, values: np.ndarray) -> None:
    acts = record(values)
    with pytest.raises(bh.InputError, match="channel of 'first' from 0 to 2; got 3"):
        find_exemplars(acts, [Unit("first", 3)])
    with pytest.raises(bh.InputError, match="'third', which is not recorded there; try `beholder units record`"):
        find_exemplars(acts, [Unit("third", 0)])
    with pytest.raises(bh.InputError, match=r"at least 220 stimuli.*got 60; try num_batches=2"):
        find_exemplars(acts, UNITS)
    with pytest.raises(bh.InputError, match="an empty list"):
        find_exemplars(acts, [])
    with pytest.raises(bh.InputError, match=r"scheme document\|"):
        find_exemplars(acts, UNITS, scheme="mine")


def test_older_files_of_units_and_saving(record: Record, values: np.ndarray, tmp_path: Path) -> None:
    import pandas as pd

    acts = record(values)
    (tmp_path / "old.json").write_text('{"units": ["visual_second__1", "first__0"]}')
    best = find_exemplars(acts.path, tmp_path / "old.json", num_batches=2)
    assert best.units == tuple(UNITS[:2])
    pd.testing.assert_frame_equal(pd.read_parquet(best.save(tmp_path / "best.parquet")), best.to_pandas())
    assert len(pd.read_csv(best.save(tmp_path / "best.csv"))) == 80
    with pytest.raises(bh.InputError, match=r"\.csv or \.parquet"):
        best.save(tmp_path / "best.txt")


def test_published_windows_in_the_table(record: Record) -> None:
    acts = record(np.random.default_rng(3).standard_normal((1000, 2)))
    best = bh.find_exemplars(acts, UnitList((Unit("first", 0),)), start_min=100, stop_max=900)
    assert best.windows == plan_windows(1000, start_min=100, stop_min=111, start_max=889, stop_max=900)
    queries: Any = best.to_pandas().query("role == 'query'")
    assert sorted(queries[queries["sign"] == "min"]["rank"]) == list(range(100, 111))
    assert sorted(queries[queries["sign"] == "max"]["rank"]) == list(range(889, 900))
    assert (queries["percentile"] < 91).all()
