"""Null distributions: the measures of random pairs, which pairs, files, merging, verdicts."""

from __future__ import annotations

import itertools
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from tests.models.own_networks import write_directory
from torch import Tensor, nn
from torch.nn import functional as F

import beholder as bh
from beholder._core.errors import ConfigurationChanged, InputError
from beholder.models import iter_training_batches
from beholder.stimuli import NullSet, read_metamer_table, read_null_histograms
from beholder.stimuli.made._null_set import NULL_COLUMNS
from beholder.synthesis import NullDistribution, make_metamers, null_distribution
from beholder.synthesis.null._distribution import settle_n_pairs
from beholder.synthesis.null._pairs import (
    PAIRS_PER_BLOCK,
    STIMULI_PER_BLOCK,
    Block,
    count_all_pairs,
    count_pairs_per_block,
    cut_blocks,
    draw_block_pairs,
    list_block_pairs,
)

from .nets import SoundNet, count_hooks

N_STIMULI = 20
PICTURES = np.random.default_rng(5).random((N_STIMULI, 3, 12, 12), dtype=np.float32)
MEASURES = ("spearman", "pearson", "db_snr")


class TestNet(nn.Module):
    """``zeros`` is silent for dark pictures, ``cancels`` sums to 0 without being so, ``flat`` is constant."""

    __test__ = False

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.conv = nn.Conv2d(3, 4, 3)
        self.relu = nn.ReLU()
        self.zeros, self.cancels, self.flat, self.late = (nn.Identity() for _ in range(4))
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        level = x.mean((1, 2, 3))[:, None]
        self.zeros(F.relu(x[:, 0].flatten(1) * (level > 0.5)))
        self.cancels(torch.cat([x.flatten(1), -x.flatten(1)], 1))
        self.flat(level.expand(-1, 7))
        x = self.relu(self.conv(x))
        return self.head(self.late(x).mean((2, 3)))


def make_net() -> bh.Model:
    return bh.wrap(TestNet().eval(), input_range=(0.0, 1.0), input_shape=(3, 12, 12), name="testnet")


def read_tree(folder: Path) -> dict[str, bytes]:
    skip = ("provenance.json", ".lock", "machine.json", "machine.json.copy")
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith(skip))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def list_drawn_pairs(n_pairs: int, seed: int, split: int) -> np.ndarray:
    blocks = cut_blocks(n_pairs, count_pairs_per_block(N_STIMULI, shuffle=True))
    return np.concatenate([draw_block_pairs(N_STIMULI, seed, split, block) for block in blocks])


# --- the numbers -----------------------------------------------------------------------------------------------------


def test_measures_against_scipy_and_plain_numpy() -> None:
    model = make_net()
    layers = ["conv", "relu", "cancels", "head"]
    null = null_distribution(model, PICTURES, layers, n_pairs=30, seed=3)
    assert null.layers == tuple(layers)
    assert len(null) == 30
    with torch.no_grad():
        _, found = bh.capture(model, PICTURES, layers)
    for layer in layers:
        values = found[layer].flatten(1).double().numpy()
        for row, (i, k) in enumerate(list_drawn_pairs(30, 3, 0)):
            x, y, got = values[i], values[k], {name: float(null[layer][name][row]) for name in NULL_COLUMNS}
            assert got["spearman"] == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-6)
            assert got["pearson"] == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-6)
            assert got["db_snr"] == pytest.approx(10 * np.log10((x**2).sum() / ((x - y) ** 2).sum()), abs=1e-3)
            assert got["db_snr_published"] == pytest.approx(
                10 * np.log10(np.linalg.norm(x) / np.linalg.norm(x - y)), abs=1e-3
            )
            assert got["norm_signal"] == pytest.approx(np.linalg.norm(x), rel=1e-6)
            assert got["norm_noise"] == pytest.approx(np.linalg.norm(x - y), rel=1e-4)
            assert (got["seed"], got["split"], got["pair"]) == (3, 0, row)
    assert len(np.unique(found["relu"].numpy()[0], return_counts=True)[1]) < found["relu"][0].numel() / 1.5  # ties
    assert count_hooks(model.module) == 0


def test_silent_layers_by_the_published_convention() -> None:
    """Zero everywhere: measures 0, norms kept; a sum of 0 is not silence; constant values give no NaN."""
    model = make_net()
    null = null_distribution(model, PICTURES, ["zeros", "cancels", "flat"], n_pairs=100)
    with torch.no_grad():
        _, found = bh.capture(model, PICTURES, ["zeros"])
    is_silent = ~found["zeros"].flatten(1).any(1).numpy()
    assert 0 < is_silent.sum() < N_STIMULI
    pairs = list_drawn_pairs(100, 0, 0)
    silent = is_silent[pairs].any(1)
    measures = np.column_stack([null["zeros"][name] for name in (*MEASURES, "db_snr_published")])
    assert (measures[silent] == 0).all()
    assert (measures[~silent] != 0).all()
    norms = np.linalg.norm(found["zeros"].flatten(1).double().numpy(), axis=1)
    np.testing.assert_allclose(null["zeros"]["norm_signal"], norms[pairs[:, 0]], rtol=1e-6)
    one = silent & ~is_silent[pairs[:, 0]]
    np.testing.assert_allclose(null["zeros"]["norm_noise"][one], norms[pairs[one, 0]], rtol=1e-6)
    assert (null["cancels"]["pearson"] != 0).all()
    assert not np.isnan(np.column_stack([null["flat"][name] for name in MEASURES])).any()
    assert (null["flat"]["spearman"] == 0).all()
    assert (null["flat"]["pearson"] == 0).all()


def test_streamed_is_the_same_as_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files, processes, and groups of layers that do not fit together: the same numbers."""
    from beholder.synthesis.null import _worker as _null_worker

    layers = ["conv", "relu", "head"]
    whole = null_distribution(make_net(), PICTURES, layers, n_pairs=200, threads=2)
    streamed = null_distribution(make_net(), PICTURES, layers, n_pairs=200, threads=1, out_path=tmp_path / "null_dist")
    monkeypatch.setattr(_null_worker, "_BUDGET", 5000)  # less than one layer of one block
    small = null_distribution(make_net(), PICTURES, layers, n_pairs=200, threads=1)
    read = NullSet(tmp_path / "null_dist" / "testnet")
    assert tuple(read) == read.layers == streamed.layers == tuple(streamed)
    for layer in layers:
        for name in NULL_COLUMNS:
            np.testing.assert_array_equal(read[layer][name], streamed[layer][name])
            np.testing.assert_allclose(streamed[layer][name], whole[layer][name], rtol=1e-5, atol=1e-6)
            np.testing.assert_array_equal(small[layer][name], streamed[layer][name])


def test_what_it_says_of_itself(tmp_path: Path) -> None:
    null = null_distribution(make_net(), PICTURES, ["conv", "head"], n_pairs=50)
    assert repr(null) == "NullDistribution(50 pairs at 2 layers of testnet)"
    maxima = null.find_maxima()
    assert maxima["layer"].tolist() == ["conv", "head"]
    for row in maxima.to_dict("records"):
        assert {name: row[name] for name in MEASURES} == {name: null[row["layer"]][name].max() for name in MEASURES}
    assert len(null.to_pandas()) == 100
    assert null.save(tmp_path / "saved") == tmp_path / "saved"
    read = bh.open(tmp_path / "saved")
    pd.testing.assert_frame_equal(read.to_pandas(), null.to_pandas())
    assert null.plot(measure="pearson").get_xlabel() or null.plot().get_ylabel()
    with pytest.raises(bh.InputError, match="a new folder"):
        null.save(tmp_path / "saved")
    with pytest.raises(InputError, match="late"):
        null["late"]
    with pytest.raises(InputError, match="measure"):
        null.plot(measure="loudness")


# --- which pairs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_stimuli", [2, 3, 6, 16, 17, 20, 33, 100])
def test_every_pair_comes_once(n_stimuli: int) -> None:
    """Against all that there are, n (n − 1) / 2: none twice, either way round, and none of one stimulus."""
    total, per_block = count_all_pairs(n_stimuli), count_pairs_per_block(n_stimuli, shuffle=True)
    assert total == len(list(itertools.combinations(range(n_stimuli), 2)))
    for seed, split in ((0, 0), (3, 1)):
        blocks = [draw_block_pairs(n_stimuli, seed, split, block) for block in cut_blocks(total, per_block)]
        pairs = np.concatenate(blocks)
        assert {tuple(sorted(pair)) for pair in pairs.tolist()} == set(itertools.combinations(range(n_stimuli), 2))
        assert len(pairs) == total
        if len(blocks) > 4:
            assert all(len(np.unique(block)) <= STIMULI_PER_BLOCK for block in blocks[:3])
    few = Block(0, min(7, per_block))
    assert (draw_block_pairs(n_stimuli, 0, 0, few) == draw_block_pairs(n_stimuli, 0, 0, Block(0, per_block))[:7]).all()


def test_shuffled_pairs_are_uniform() -> None:
    """Over seeds every pair is drawn equally often, and either of the two is the signal."""
    counts = np.zeros((40, 40))
    for seed in range(600):
        pairs = draw_block_pairs(40, seed, 0, Block(0, 60))
        np.add.at(counts, (pairs[:, 0], pairs[:, 1]), 1)
    expected = 600 * 60 / (40 * 39)
    off = counts[~np.eye(40, dtype=bool)]
    assert 0.85 < off.var() / expected < 1.15
    assert abs(counts.sum(0) - counts.sum(1)).max() < 0.2 * counts.sum(0).mean()
    for other in ((2, 0), (1, 1)):
        assert (draw_block_pairs(40, *other, Block(0, 60)) != draw_block_pairs(40, 1, 0, Block(0, 60))).any()


def test_how_many_pairs_by_default() -> None:
    settle = settle_n_pairs
    assert [settle(None, n, 10**6, shuffle=True) for n in (2, 6, 100, 142, 5000)] == [1, 15, 4950, 10_000, 10_000]
    assert [settle(None, 5000, n, shuffle=True) for n in (10**6, 10**7, 10**9)] == [10_000, 5000, 1000]
    assert [settle(None, n, 10, shuffle=False) for n in (7, 50_000)] == [3, 10_000]
    assert settle(None, None, 10, shuffle=True) == 10_000
    assert [settle(n, 6, 10, shuffle=True) for n in (4, 15, 300)] == [4, 15, 15]
    assert settle(300, 6, 10, shuffle=False) == 300  # refused, with the number that is needed


def test_six_pictures_are_fifteen_pairs_whatever_is_asked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("beholder").propagate = True
    caplog.set_level(logging.INFO, "beholder")
    model, out = make_net(), tmp_path / "null_dist"
    null = null_distribution(model, PICTURES[:6], ["conv", "head"], n_pairs=300, out_path=out)
    assert "6 stimuli make 15 pairs, which are measured, not 300" in caplog.text
    for layer in null.layers:
        assert len(np.unique(null[layer]["pearson"])) == len(null[layer]["pearson"]) == 15
    again = null_distribution(model, PICTURES[:6], ["conv", "head"], seed=4, out_path=out)
    assert len(again) == 15
    assert "15 of 30 pairs are there twice" in caplog.text
    half = null_distribution(model, PICTURES[:6], ["conv"], n_pairs=7, seed=0, out_path=tmp_path / "other")
    both = null_distribution(model, PICTURES[:6], ["conv"], n_pairs=12, seed=5, out_path=tmp_path / "other")
    assert 12 <= len(both) <= 15
    assert len(np.unique(both["conv"]["pearson"])) == len(both)
    np.testing.assert_array_equal(both["conv"]["pearson"][:7], half["conv"]["pearson"])


def test_pairs_that_are_not_a_number_are_counted_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    class Breaks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(2)
            self.conv, self.end = nn.Conv2d(3, 4, 3), nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            x = self.conv(x)
            bad = (torch.arange(x[0].numel()).view_as(x[:1]) == 3) & (x[:, :1, :1, :1] > BREAK)
            return self.end(torch.where(bad, torch.nan, x))

    logging.getLogger("beholder").propagate = True
    first = nn.Conv2d(3, 4, 3)
    torch.manual_seed(2)
    first = nn.Conv2d(3, 4, 3)
    with torch.no_grad():
        levels = first(torch.from_numpy(PICTURES[:8]))[:, 0, 0, 0].sort().values
    BREAK = float((levels[5] + levels[6]) / 2)
    model = bh.wrap(Breaks().eval(), input_range=(0.0, 1.0), input_shape=(3, 12, 12), name="breaks")
    null = null_distribution(model, PICTURES[:8], ["conv", "end"])
    assert len(null["conv"]["pearson"]) == 28
    assert len(null["end"]["pearson"]) == 15  # of the six that are fine
    assert not np.isnan(null["end"]["pearson"]).any()
    assert "end: 13 of 28 pairs are not a number and left out" in caplog.text


def test_a_null_after_a_make_that_was_stopped_has_the_layers_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from beholder.synthesis.metamers._maker import MetamerMaker

    logging.getLogger("beholder").propagate = True
    caplog.set_level(logging.INFO, "beholder")
    model, out = make_net(), tmp_path / "metamers"

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MetamerMaker, "make", stop)
        with pytest.raises(KeyboardInterrupt):
            make_metamers(model, PICTURES[:2], ["head"], measured=["conv"], iterations=3, out_path=out)
    assert len(read_metamer_table(out / "testnet")) == 0
    caplog.clear()
    null = null_distribution(model, PICTURES, n_pairs=20, out_path=tmp_path / "null_dist")
    assert set(null.layers) == {"conv", "head"}
    assert len(null) == 20
    assert "filled in:" not in caplog.text
    assert f"no metamers of {model.name} at {out / 'testnet'} yet" in caplog.text


def test_metamers_elsewhere_are_asked_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "beholder")
    model = make_net()
    make_metamers(model, PICTURES[:1], ["conv"], measured=["conv"], iterations=2, out_path=tmp_path / "mine")
    null_distribution(model, PICTURES, ["conv"], n_pairs=5, out_path=tmp_path / "null_dist")
    assert f"at {tmp_path / 'metamers' / 'testnet'} yet" in caplog.text and "`metamers_path` names" in caplog.text
    caplog.clear()
    given: Any = {"out_path": tmp_path / "null_dist", "metamers_path": tmp_path / "mine"}
    null_distribution(model, PICTURES, ["conv"], n_pairs=5, **given)
    assert "no metamers" not in caplog.text
    assert read_metamer_table(tmp_path / "mine" / "testnet")["passed"].notna().all()


def test_pairs_in_order_start_where_the_split_says() -> None:
    pairs = [
        list_block_pairs(2000, 300, split, block) for split in (0, 1) for block in cut_blocks(300, PAIRS_PER_BLOCK)
    ]
    assert [part.tolist()[0] for part in pairs] == [[0, 1], [512, 513], [600, 601], [1112, 1113]]
    assert np.concatenate(pairs).ravel().tolist() == list(range(1200))
    with pytest.raises(InputError, match=r"1800 stimuli for 300 pairs in order, from the 1200th on; got 1799"):
        list_block_pairs(1799, 300, 2, Block(0, 256))


def test_without_shuffle_neighbours_are_measured() -> None:
    model = make_net()
    null = null_distribution(model, PICTURES, ["conv"], n_pairs=4, split=1, shuffle=False)
    with torch.no_grad():
        _, found = bh.capture(model, PICTURES, ["conv"])
    values = found["conv"].flatten(1).double().numpy()
    expected = [stats.pearsonr(values[i], values[i + 1]).statistic for i in range(8, 16, 2)]
    np.testing.assert_allclose(null["conv"]["pearson"], expected, atol=1e-6)
    with pytest.raises(bh.InputError, match="shuffle=True"):
        null_distribution(model, PICTURES, ["conv"], n_pairs=4, split=2, shuffle=False)


def test_neighbours_of_one_class_are_told(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("beholder").propagate = True
    caplog.set_level(logging.WARNING, "beholder")
    stimuli = bh.StimulusSet.from_arrays(PICTURES[:8], labels=list("aaaabbbb"))
    null_distribution(make_net(), stimuli, ["conv"], n_pairs=4, shuffle=False)
    assert "100 % of the pairs in order are of one class: shuffle=True draws them at random" in caplog.text


def test_stimuli_that_are_there_twice_are_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The same content under two names makes no pair, and its pairs count once; equal at a layer only is told."""
    logging.getLogger("beholder").propagate = True
    caplog.set_level(logging.INFO, "beholder")
    twice = np.concatenate([PICTURES[:3], PICTURES[:1]])
    null = null_distribution(make_net(), twice, ["conv", "head"], n_pairs=6, out_path=tmp_path / "null_dist")
    assert np.isfinite(null["conv"]["db_snr"]).all()
    assert len(null) == 3
    assert "conv: 3 of 6 pairs are there twice, or of one stimulus; each counts once" in caplog.text


# --- files -----------------------------------------------------------------------------------------------------------


def test_seeds_and_splits_side_by_side(tmp_path: Path) -> None:
    """Jobs of other seeds and splits merge into one distribution, in any order, to the same bytes."""
    model, jobs = make_net(), [(0, 0), (0, 1), (4, 0)]
    for name, order in (("a", jobs), ("b", jobs[::-1])):
        for seed, split in order:
            null_distribution(
                model,
                PICTURES,
                ["conv", "head"],
                n_pairs=15,
                seed=seed,
                split=split,
                out_path=tmp_path / name / "null_dist",
            )
    assert read_tree(tmp_path / "a") == read_tree(tmp_path / "b")
    merged = NullSet(tmp_path / "a" / "null_dist" / "testnet")["head"]
    seen: set[tuple[int, ...]] = set()
    for seed, split in jobs:
        alone = null_distribution(model, PICTURES, ["head"], n_pairs=15, seed=seed, split=split)["head"]
        drawn = [tuple(sorted(pair)) for pair in list_drawn_pairs(15, seed, split).tolist()]
        fresh = np.array([pair not in seen for pair in drawn])  # each pair counts once, with the first that drew it
        seen.update(drawn)
        rows = (merged["seed"] == seed) & (merged["split"] == split)
        for name in NULL_COLUMNS:
            np.testing.assert_allclose(merged[name][rows], alone[name][fresh], rtol=1e-5, atol=1e-6)
    assert len(merged["pearson"]) == len(seen) == len(np.unique(merged["pearson"]))


def test_more_pairs_and_layers_continue(tmp_path: Path) -> None:
    model, out = make_net(), tmp_path / "a" / "null_dist"
    null_distribution(model, PICTURES, ["conv"], n_pairs=100, out_path=out, threads=2)
    null_distribution(model, PICTURES, ["head", "conv"], n_pairs=300, out_path=out, threads=2)
    null_distribution(model, PICTURES, ["conv"], n_pairs=50, out_path=out, threads=2)
    whole = null_distribution(
        model, PICTURES, ["conv", "head"], n_pairs=300, out_path=tmp_path / "b" / "null_dist", threads=2
    )
    grown = NullSet(out / "testnet")
    assert grown.layers == ("conv", "head")
    for layer in grown.layers:
        for name in NULL_COLUMNS:
            np.testing.assert_array_equal(grown[layer][name], whole[layer][name])
    histograms = read_null_histograms(out / "testnet")
    assert histograms["head"]["db_snr"].maximum == grown["head"]["db_snr"].max()


def test_interrupted_it_continues_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from beholder.synthesis.null import _worker as _null_worker

    many = np.random.default_rng(6).random((50, 3, 12, 12), dtype=np.float32)
    settings: dict[str, Any] = {"layers": ["conv"], "n_pairs": 900, "threads": 1}
    null_distribution(make_net(), many, out_path=tmp_path / "whole" / "null_dist", **settings)
    measured, compute = [], _null_worker.NullWorker.measure

    def stop_there(self: Any, session: Any, *rest: Any) -> np.ndarray:
        block: Block = next(each for each in rest if isinstance(each, Block))
        measured.append(block.index)
        if len(measured) == 3:
            raise KeyboardInterrupt
        return compute(self, session, *rest)

    monkeypatch.setattr(_null_worker.NullWorker, "measure", stop_there)
    with pytest.raises(KeyboardInterrupt):
        null_distribution(make_net(), many, out_path=tmp_path / "part" / "null_dist", **settings)
    null_distribution(make_net(), many, out_path=tmp_path / "part" / "null_dist", **settings)
    assert sorted(measured[3:] + measured[:2]) == sorted({*measured})  # what was finished is not done again
    assert read_tree(tmp_path / "part") == read_tree(tmp_path / "whole")
    before = len(measured)
    null_distribution(make_net(), many, out_path=tmp_path / "part" / "null_dist", **settings)
    assert len(measured) == before


def test_other_settings_are_refused_or_replace(tmp_path: Path) -> None:
    model, out = make_net(), tmp_path / "null_dist"
    null_distribution(model, PICTURES, ["conv"], n_pairs=10, out_path=out)
    with pytest.raises(ConfigurationChanged, match="stimuli"):
        null_distribution(model, PICTURES[:10], ["conv"], n_pairs=10, out_path=out)
    with pytest.raises(ConfigurationChanged, match="shuffle"):
        null_distribution(model, PICTURES, ["conv"], n_pairs=10, shuffle=False, out_path=out)
    null_distribution(model, PICTURES[:10], ["head"], n_pairs=5, out_path=out, overwrite=True)
    assert NullSet(out / "testnet").layers == ("head",)
    assert not (out / "testnet" / "conv.parquet").exists()


def test_verdicts_are_filled_in_in_place(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("beholder").propagate = True
    caplog.set_level(logging.INFO, "beholder")
    model, out = make_net(), tmp_path / "metamers"
    make_metamers(model, PICTURES[:3], ["conv", "head"], iterations=60, out_path=out, null_path=tmp_path / "null_dist")
    table: Any = read_metamer_table(out / "testnet")
    assert table["passed"].isna().all()
    assert table["percentile"].isna().all()
    assert "`null_distribution(model, stimuli, ['conv', 'head'], out_path=" in caplog.text
    null = null_distribution(model, PICTURES, n_pairs=60, out_path=tmp_path / "null_dist")
    assert set(null.layers) == set(table["measured_layer"])  # by default those that the metamers were measured at
    judged: Any = read_metamer_table(out / "testnet")
    kept = [name for name in table.columns if name not in ("passed", "percentile")]
    pd.testing.assert_frame_equal(judged[kept], table[kept])
    assert not judged["percentile"].isna().any()
    for row in judged.to_dict("records"):
        pairs = null[row["measured_layer"]]
        shares = [100 * np.mean(pairs[name] < row[f"{name}_saved"]) for name in MEASURES]
        assert row["percentile"] == pytest.approx(min(shares))
        above = all(row[f"{name}_saved"] > pairs[name].max() for name in MEASURES)
        same = row["prediction_original"] == row["prediction_metamer"]
        if row["layer"] == row["measured_layer"]:
            assert row["passed"] == (above and same)
        else:
            assert pd.isna(row["passed"])
    assert judged["passed"].sum() > 0
    others = bh.StimulusSet.from_arrays(PICTURES[3:5], ["other_1", "other_2"])
    more: Any = make_metamers(model, others, ["conv"], iterations=60, out_path=out, null_path=tmp_path / "null_dist")
    assert not more.to_pandas()["percentile"].isna().any()  # judged as they are made
    before = read_metamer_table(out / "testnet")["percentile"].to_numpy()
    null_distribution(model, PICTURES, n_pairs=60, seed=1, out_path=tmp_path / "null_dist")
    after = read_metamer_table(out / "testnet")["percentile"].to_numpy()
    assert len(after) == len(before)
    assert (after != before).any() or (after == 100).all()


# --- training sets ---------------------------------------------------------------------------------------------------


def test_the_training_set_of_a_model_directory(tmp_path: Path) -> None:
    folder = write_directory(tmp_path / "mine")
    model = bh.load_model(f"file:{folder}", device="cpu")
    null = null_distribution(model, n_pairs=5, shuffle=False, split=1, out_path=tmp_path / "null_dist")
    assert null.layers == model.stages
    assert null.path == tmp_path / "null_dist" / "mine"
    batches = list(iter_training_batches(model, n_stimuli=10, start=10, shuffle=False))
    with torch.no_grad():
        first, second = (
            bh.capture(model, torch.stack([batch[i] for batch in batches]), ["final"])[1]["final"].double().numpy()
            for i in (0, 1)
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        expected = [stats.pearsonr(x, y).statistic for x, y in zip(first, second, strict=True)]
    np.testing.assert_allclose(null["final"]["pearson"], expected, atol=1e-5)
    shuffled = [null_distribution(model, n_pairs=8, seed=seed)["final"]["norm_signal"].tolist() for seed in (0, 0, 1)]
    assert shuffled[0] == shuffled[1] != shuffled[2]
    with pytest.raises(bh.InputError, match="a training set of 16 stimuli"):
        null_distribution(model, n_pairs=8, split=1, shuffle=False)


def test_shuffled_pairs_come_from_the_whole_training_set(tmp_path: Path) -> None:
    """Of a ``make_loaders`` that would take a part from the beginning, too; small sets are gone through again."""
    from beholder.models import write_template

    seen = []
    folder = write_template(tmp_path / "mine", "picture")
    text = (folder / "build_network.py").read_text().replace("1000 if subset", "250 if subset")
    start, end = text.index("        category = number %"), text.index("\n\ndef main")
    grey = "        return torch.tensor(number / 1000).expand(3, 112, 112), 0\n"
    (folder / "build_network.py").write_text(text[:start] + grey + text[end:])
    for seed in range(3):
        for batch in iter_training_batches(folder, n_stimuli=30, seed=seed):
            seen += (1000 * batch[:, 0, 0, 0]).round().int().tolist()
    assert len(seen) == 90
    assert max(seen) > 200
    assert len(set(seen[:30])) == 30
    assert sum(len(batch) for batch in iter_training_batches(folder, n_stimuli=300, seed=0)) == 300


def test_other_models_have_no_training_set() -> None:
    with pytest.raises(bh.InputError, match="a folder of stimuli instead"):
        null_distribution(make_net(), None, ["conv"], n_pairs=3)


# --- bad days --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stimuli": PICTURES[:1]}, "at least two stimuli"),
        ({"layers": ["nowhere"]}, "the name of a layer"),
        ({"layers": "conv"}, r"try .*\['conv'\]"),
        ({"n_pairs": 0}, "at least one pair"),
        ({"seed": -1}, "a seed and a split of 0 or more; got -1, 0"),
        ({"split": -2}, "a seed and a split of 0 or more; got 0, -2"),
        ({"shuffle": False, "n_pairs": 11}, "22 stimuli for 11 pairs in order"),
        ({"stimuli": PICTURES[:, :, :7]}, "shape"),
        ({"stimuli": np.full((2, 3, 12, 12), np.nan, np.float32)}, "NaN among"),
    ],
)
def test_wrong_input_is_one_line(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    given = {"stimuli": PICTURES, "layers": ["conv"], "n_pairs": 3, "out_path": tmp_path / "null_dist", **options}
    with pytest.raises(bh.InputError, match=message) as error:
        null_distribution(make_net(), **given)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "null_dist").exists()


def test_wrong_models() -> None:
    class Whole(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x > 0.5).long()

    model = bh.wrap(nn.Sequential(nn.Conv2d(3, 2, 3), Whole()).eval(), input_range=(0.0, 1.0), input_shape=(3, 12, 12))
    with pytest.raises(bh.InputError, match="floating-point activations at 1; got int64"):
        null_distribution(model, PICTURES, ["1"], n_pairs=3)


def test_sounds() -> None:
    model = bh.wrap(SoundNet().eval(), sample_rate=8000, input_shape=(400,), input_range=(-1.0, 1.0), name="ears")
    sounds = 0.1 * np.random.default_rng(0).standard_normal((6, 400)).astype(np.float32)
    null = null_distribution(model, bh.StimulusSet.from_arrays(sounds, kind="sound"), ["conv1", "conv2"], n_pairs=10)
    assert isinstance(null, NullDistribution)
    assert (null["conv1"]["db_snr"] < 10).all()
    with pytest.raises(bh.InputError):
        null_distribution(model, bh.StimulusSet.from_arrays(PICTURES), ["conv1"], n_pairs=10)
