"""A result is saved, opened and told alike; what is not one is refused in a line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import beholder as bh
from beholder._core.errors import ConfigurationChanged, InputError
from beholder.analysis import RESULT_KINDS, Drawing, ResultKind, make_result, open_result, write_result
from beholder.analysis._result import COLUMNS, format_estimate, format_interval, format_p
from beholder.figures import make_figure


@pytest.fixture
def toy_kind(monkeypatch: pytest.MonkeyPatch) -> str:
    def draw(result: Any) -> Iterator[Drawing]:
        fig = make_figure()
        result.plot(fig.subplots())
        yield Drawing("line", fig, "A line")

    def plot(result: Any, ax: Any) -> Any:
        ax.plot(result.table["estimate"])
        return ax

    monkeypatch.setitem(
        RESULT_KINDS._entries,
        "toy",
        ResultKind(lambda result: "What?", lambda result: ["It is so."], lambda result: "By toys.", plot, draw),
    )
    return "toy"


ROWS: list[dict[str, Any]] = [
    {"layer": "conv1", "statistic": "r", "estimate": np.float32(0.5), "p": None, "n": 4, "ceiling": 0.25, "best": True},
    {"layer": "conv2", "statistic": "r", "estimate": float("nan"), "n": 4, "ceiling": None, "best": False, "fold": "a"},
]


def test_rows_become_the_columns_that_every_result_has_then_their_own(toy_kind: str) -> None:
    result = make_result(toy_kind, ROWS, {"method": "spearman"}, warnings=["a", "a"])
    assert tuple(result.table.columns) == (*COLUMNS, "ceiling", "best", "fold")
    assert result.warnings == ("a",)
    assert result.table["best"].dtype == bool and result.table["fold"].tolist() == ["", "a"]
    assert result.to_json()["toy"][1]["estimate"] is None and result.to_json()["toy"][0]["p"] is None
    json.dumps(result.to_json(), allow_nan=False)
    assert "It is so." in repr(result) and "Note: a" in result._repr_html_()


def test_a_saved_result_opens_the_same_and_its_bytes_are_the_same(toy_kind: str, tmp_path: Path) -> None:
    arrays = {"rdm": np.arange(6.0), "ids": np.array(["a", "b"])}
    result = make_result(toy_kind, ROWS, {"method": "spearman", "seed": 42}, warnings=["Few."], arrays=arrays)
    path = result.save(tmp_path / "toy.parquet")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert set(before) == {"toy.parquet", "toy.npz", "toy.result.json"}
    for opened in (bh.open(path), bh.open(tmp_path / "toy.result.json"), open_result(path)):
        pd.testing.assert_frame_equal(opened.to_pandas(), result.to_pandas(), check_dtype=False)
        assert (opened.kind, opened.settings, opened.warnings) == ("toy", result.settings, ("Few.",))
        assert opened.arrays["ids"].tolist() == ["a", "b"] and opened.arrays["rdm"].tolist() == list(range(6))
    bh.open(path).save(path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_what_is_no_result_is_refused(toy_kind: str, tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "other.parquet")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1")
    for name in ("other.parquet", "cut.parquet", "none.parquet"):
        with pytest.raises(InputError, match="the result of an analysis"):
            bh.open(tmp_path / name)
    with pytest.raises(InputError, match=r"\.parquet"):
        make_result(toy_kind, ROWS, {}).save(tmp_path / "toy.csv")


def test_other_settings_into_the_same_folder_are_refused_unless_asked_for(toy_kind: str, tmp_path: Path) -> None:
    files = write_result(make_result(toy_kind, ROWS, {"method": "spearman"}), tmp_path)
    assert (tmp_path / "figures" / "toy_line.svg") in files and (tmp_path / "provenance.json").is_file()
    other = make_result(toy_kind, ROWS, {"method": "rho-a"})
    with pytest.raises(ConfigurationChanged, match="method was 'spearman', now 'rho-a'"):
        write_result(other, tmp_path)
    write_result(other, tmp_path, overwrite=True)
    assert open_result(tmp_path / "toy.parquet").settings == {"method": "rho-a"}


@pytest.mark.parametrize(
    ("value", "told"), [(-0.004, ".00"), (-0.006, "−.01"), (-1.0, "−1.00"), (1.25, "1.25"), (math.nan, "not defined")]
)
def test_numbers_are_told_as_papers_do(value: float, told: str) -> None:
    assert format_estimate(value) == told


def test_intervals_and_p_values_are_told_as_papers_do() -> None:
    assert format_interval(-0.1, 0.3) == "[−.10, .30]"
    assert (format_p(0.0009), format_p(0.001), format_p(1.0)) == ("p < .001", "p = .001", "p = 1.000")
