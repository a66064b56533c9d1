"""Radii from words, and the published ones."""

from __future__ import annotations

import pytest

from beholder._core.errors import InputError
from beholder.evaluation import list_radii, read_radii


def test_words_are_radii() -> None:
    assert read_radii("l2", ["0.5", 3, 3.0], "image") == {"l2": (0.5, 3.0)}
    assert read_radii("inf", "0,4/255", "image") == {"linf": (4 / 255,)}
    assert read_radii(None, ["l1:10,20", "linf:1/255", "l2:1"], "image") == {
        "l2": (1.0,), "linf": (1 / 255,), "l1": (10.0, 20.0),
    }  # fmt: skip
    assert read_radii("l2", ["l1:10", 2], "image") == {"l2": (2.0,), "l1": (10.0,)}
    assert read_radii(None, {"2": 1, "inf": [0.1, 0]}, "array") == {"l2": (1.0,), "linf": (0.1,)}


def test_published_radii_are_those_of_the_networks_sense() -> None:
    assert read_radii(None, None, "image") == {"l2": (3.0,), "linf": (4 / 255,)}
    sounds = read_radii(None, None, "sound")
    assert [len(sounds[norm]) for norm in ("l2", "linf", "l1")] == [11, 11, 9]
    assert (sounds["l2"][0], sounds["l2"][-1]) == (1e-3, 1e2)
    assert (sounds["l1"][0], sounds["l1"][-1]) == (1e-1, 1e3)
    assert read_radii("l1", None, "sound") == {"l1": sounds["l1"]}
    with pytest.raises(InputError, match="none are published for l1 of pictures"):
        read_radii("l1", None, "image")
    with pytest.raises(InputError, match="pictures and sounds alone"):
        read_radii(None, None, "array")


def test_powers_of_ten() -> None:
    assert list_radii(-2, 0, 1) == (0.01, 0.1, 1.0)
    for low, high, each in ((0, -1, 2), (0, 1, 0)):
        with pytest.raises(InputError, match="rising powers of ten"):
            list_radii(low, high, each)
