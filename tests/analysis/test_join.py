"""Stimuli are joined by id, and the message says how many; layers come one at a time, in the order of the join."""

from __future__ import annotations

import numpy as np
import pytest

from beholder._core.errors import InputError, UnknownNameError
from beholder.analysis import iter_layers, join_stimuli, open_layers


def test_the_order_of_the_first_side_is_kept_and_counts_are_told() -> None:
    joined = join_stimuli(["c", "a", "x", "b"], ["a", "b", "c"])
    assert joined.ids == ("c", "a", "b") and len(joined) == 3
    assert joined.rows_a.tolist() == [0, 1, 3] and joined.rows_b.tolist() == [2, 0, 1]
    assert joined.sentence == "3 stimuli in common: 3 of 4 of the activations, 3 of 3 of the recordings."


def test_ids_that_differ_by_extension_or_prefix_get_a_pattern_that_joins_them() -> None:
    with pytest.raises(InputError, match=r"none: ids such as 'dog' and 's1/dog.png'; try id_pattern") as caught:
        join_stimuli(["dog", "cat"], ["s1/dog.png", "s1/cat.png"])
    pattern = str(caught.value).split("'")[-2]
    assert len(join_stimuli(["dog", "cat"], ["s1/dog.png", "s1/cat.png"], pattern)) == 2
    assert join_stimuli(["stim_01", "stim_02"], ["img-02"], r"(\d+)").ids == ("02",)


@pytest.mark.parametrize(
    ("ids_a", "ids_b", "pattern", "words"),
    [
        (["a", "a"], ["a"], None, "'a' first"),
        (["a1", "b1"], ["a1"], r"(\d)", "another id_pattern"),
        (["a"], ["b"], None, "try id_pattern, a regular"),
        (["a"], ["a"], "(", "a regular expression"),
        ([], ["a"], None, "none at all"),
    ],
)
def test_what_cannot_be_joined_is_refused(ids_a: list[str], ids_b: list[str], pattern: str | None, words: str) -> None:
    with pytest.raises(InputError) as caught:
        join_stimuli(ids_a, ids_b, pattern)
    assert words in str(caught.value)


def test_layers_hold_the_joined_stimuli_alone() -> None:
    values = np.arange(12.0).reshape(4, 3)
    layers = open_layers({"conv1": values, "conv2": values[:, :2]}, ["a", "b", "c", "d"])
    joined = join_stimuli(layers.stimulus_ids, ["d", "b"])
    found = dict(iter_layers(layers, joined.rows_a, joined.ids))
    assert found["conv1"].shape == (2, 1, 3) and found["conv1"].stimulus_ids == ("b", "d")
    np.testing.assert_array_equal(found["conv1"][0:2][:, 0], values[[1, 3]])
    np.testing.assert_array_equal(found["conv2"][1:2][:, 0], values[[3], :2])
    with pytest.raises(UnknownNameError, match="conv1"):
        iter_layers(layers, joined.rows_a, joined.ids, ["conv"])


def test_arrays_need_ids_and_as_many_stimuli() -> None:
    with pytest.raises(InputError, match="stimulus_ids"):
        open_layers({"conv1": np.zeros((2, 3))})
    with pytest.raises(InputError, match="shape"):
        open_layers({"conv1": np.zeros((2, 3))}, ["a"])
