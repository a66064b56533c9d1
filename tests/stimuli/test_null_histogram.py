import numpy as np
import pytest
from tests.metamer_folders import write_null

from beholder._core.errors import InputError
from beholder.stimuli import NullSet, read_null_histograms, write_null_histograms
from beholder.stimuli.made._null_histogram import NULL_HISTOGRAMS, count_null
from beholder.stimuli.made._null_set import write_null_layer


def test_counts_agree_with_numpy_and_the_last_edge_is_the_maximum():
    values = np.random.default_rng(0).standard_normal(5000)
    found = count_null(values, n_bins=40)
    counts, edges = np.histogram(values, bins=40)
    assert found.counts == tuple(counts)
    assert found.edges == pytest.approx(edges)
    assert found.maximum == values.max()
    assert sum(found.counts) == found.n_pairs == 5000


def test_equal_and_infinite_values():
    assert count_null([2.0, 2.0]).counts == (2,)
    found = count_null([0.0, 1.0, np.inf, np.nan])
    assert (sum(found.counts), found.n_pairs, found.n_left_out) == (2, 4, 2)
    assert count_null([np.nan]).counts == ()


def test_written_beside_the_null_and_read_again(tmp_path):
    folder = write_null(tmp_path / "null_dist" / "shapes")
    found = read_null_histograms(folder)
    null = NullSet(folder)
    for layer in null.layers:
        for measure, histogram in found[layer].items():
            assert histogram.maximum == null[layer][measure].max()
    before = (folder / NULL_HISTOGRAMS).read_bytes()
    write_null_histograms(folder)
    assert (folder / NULL_HISTOGRAMS).read_bytes() == before
    columns = null["block1"]
    write_null_layer(folder, "block1", columns | {"pearson": columns["pearson"] + 5})
    write_null_histograms(folder)
    assert read_null_histograms(folder)["block1"]["pearson"].maximum == pytest.approx(columns["pearson"].max() + 5)
    (folder / NULL_HISTOGRAMS).write_text('{"layers": {"block1": {"pearson": {}}}}')
    with pytest.raises(InputError, match="counts of a null"):
        read_null_histograms(folder)
    (folder / NULL_HISTOGRAMS).unlink()
    assert read_null_histograms(folder) == {}
