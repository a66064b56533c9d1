"""Networks of unlike depth compared by what can be told from their layers."""

from typing import Any

import numpy as np
import pytest

import beholder as bh
from beholder import InputError
from beholder.analysis import ArrayLayers
from beholder.analysis.decoding._sources import open_sources

IDS = [f"s{i}" for i in range(40)]
KINDS = np.repeat(["cat", "dog"], 20)


def make_network(name: str, strengths: list[float], seed: int, ids: list[str] = IDS) -> ArrayLayers:
    generator = np.random.default_rng(seed)
    labels = np.array([KINDS[int(each[1:])] == "cat" for each in ids])
    means = np.random.default_rng(1).normal(size=5)
    layers = {
        f"conv{i}": generator.normal(size=(len(ids), 5)) + strength * labels[:, None] * means
        for i, strength in enumerate(strengths)
    }
    return ArrayLayers(layers, ids, name)


def decode(networks: Any, **asked: Any) -> Any:
    given: dict[str, Any] = {"classifier": "centroid", "n_permutations": 0}
    return bh.analyze_decode(networks, KINDS, **(given | asked))


def test_bins_of_depth_are_means_over_layers_and_differences_are_of_them() -> None:
    weak, strong = make_network("weak", [0, 0, 0, 0.5], 2), make_network("strong", [2, 3], 3)
    result = decode([weak, strong], depth_bins=2)
    table = result.table
    layers = table[(table.statistic == "balanced-accuracy") & (table.source == "weak")].estimate.to_numpy()
    bins = table[(table.statistic == "mean of depth bin") & (table.source == "weak")]
    np.testing.assert_allclose(bins.estimate, [layers[:2].mean(), layers[2:].mean()])
    assert bins.layer.tolist() == ["depth 1 of 2", "depth 2 of 2"]
    assert ((bins.low < bins.estimate) & (bins.estimate < bins.high)).all()
    other = table[(table.statistic == "mean of depth bin") & (table.source == "strong")].estimate.to_numpy()
    differences = table[table.statistic == "difference"]
    assert differences.layer.tolist() == ["conv0", "conv1", "depth 1 of 2", "depth 2 of 2"]
    np.testing.assert_allclose(differences.estimate[-2:], bins.estimate.to_numpy() - other)
    assert (differences.high[-2:] < 0).all()
    assert "weak less strong at depth 1 of 2" in result.sentences()[-1]
    assert "2 bins of relative depth" in result.methods()
    assert result.plot().get_xlabel() == ""


def test_what_both_networks_have_in_common_does_not_widen_their_difference() -> None:
    one = make_network("one", [0.5, 0.5], 2)
    same = ArrayLayers({name: one[name][:, 0] for name in one.layers}, IDS, "same")
    table = decode([one, same]).table
    differences = table[table.statistic == "difference"]
    assert (differences.estimate == 0).all()
    alone = table[table.statistic == "balanced-accuracy"]
    assert (differences.high.max() - differences.low.min()) < (alone.high - alone.low).min() / 2


def test_only_the_stimuli_that_all_have_are_told_apart_whatever_their_order() -> None:
    one = make_network("one", [1, 1], 2)
    turned = ArrayLayers({name: one[name][::-1, 0] for name in one.layers}, IDS[::-1], "turned")
    result = decode([one, turned])
    accuracies = result.table[result.table.statistic == "balanced-accuracy"].estimate.to_numpy()
    np.testing.assert_array_equal(accuracies[:2], accuracies[2:])
    few = make_network("few", [1], 3, IDS[:35])
    assert decode([one, few]).warnings == ("35 stimuli are in all activations; the others were left out.",)


def test_networks_of_one_name_are_numbered_and_layers_that_none_has_refused() -> None:
    one, other = make_network("net", [1, 1], 2), make_network("net", [1, 1], 3)
    sources, _ = open_sources([one, other], None, None)
    assert [source.name for source in sources] == ["net (1)", "net (2)"]
    with pytest.raises(InputError, match="a layer of net among those named; got fc"):
        decode([one, other], layers=["fc"])
    with pytest.raises(InputError, match="1 bin of depth or more"):
        decode(one, depth_bins=0)
    with pytest.raises(InputError, match="an empty list"):
        decode([])


@pytest.mark.slow
def test_intervals_of_bins_and_differences_cover() -> None:
    rows = []
    for seed in range(150):
        one, two = make_network("one", [0.3, 0.6, 0.9], seed), make_network("two", [0.9, 0.9, 0.9], 10_000 + seed)
        table = decode([one, two], depth_bins=1, seed=seed).table
        rows.append(table[table.layer == "depth 1 of 1"][["estimate", "low", "high"]].to_numpy())
    estimate, low, high = np.array(rows).transpose(2, 1, 0)
    for place in range(3):
        truth = estimate[place].mean()
        assert 0.88 <= ((low[place] <= truth) & (truth <= high[place])).mean() <= 0.99
