"""What a network's outputs mean, and which decision counts for a stimulus."""

from __future__ import annotations

import numpy as np
import pytest

from beholder._core.errors import InputError
from beholder.models import list_imagenet_classes
from beholder.models.words._vocabulary import (
    Vocabulary,
    find_output_wnids,
    list_vocabularies,
    number_twins,
    pick_decision,
)
from beholder.stimuli import load_categories, load_wnids, load_words

WNIDS, NAMES = load_wnids(), list_imagenet_classes()
BARN, AIRLINER, LABRADOR = "n02793495", "n02690373", "n02099712"
ORDER = np.random.default_rng(1).permutation(1000)


@pytest.mark.parametrize(
    ("n_outputs", "classes", "expected"),
    [
        (1000, (), WNIDS),
        (1000, NAMES, WNIDS),
        (1000, tuple(f"{name}, also {i}" for i, name in enumerate(NAMES)), WNIDS),
        (1000, tuple(f"{wnid}_{name}" for wnid, name in zip(WNIDS, NAMES, strict=True)), WNIDS),
        (1001, ("background", *NAMES), ("", *WNIDS)),
        (1000, tuple(np.array(WNIDS)[ORDER]), tuple(np.array(WNIDS)[ORDER])),
        (100, WNIDS[:100], WNIDS[:100]),
        (1000, tuple(f"thing {i}" for i in range(1000)), ()),
        (1001, (), ()),
        (10, tuple("abcdefghij"), ()),
        (1000, (WNIDS[0],) * 1000, ()),
    ],
)
def test_outputs_by_their_names(n_outputs: int, classes: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert find_output_wnids(n_outputs, classes) == expected


def test_english_names_in_another_order() -> None:
    shuffled = tuple(np.array(NAMES)[ORDER])
    found = find_output_wnids(1000, shuffled)
    own = dict(zip(NAMES, WNIDS, strict=True))
    assert sum(a == own[b] for a, b in zip(found, shuffled, strict=True)) >= 998
    assert all(a in ("", own[b]) for a, b in zip(found, shuffled, strict=True))


def test_decisions_that_a_network_can_make() -> None:
    def list_decisions(*given: object) -> list[str]:
        return [each.decision for each in list_vocabularies(*given)]  # type: ignore[arg-type]

    assert list_decisions(1000, None, "image") == ["category", "class"]
    assert list_decisions(1000, tuple(f"thing {i}" for i in range(1000)), "image") == ["class"]
    assert list_decisions(100, WNIDS[:100], "image") == ["class"]  # not all 16 categories are among them
    assert list_decisions(794, None, "sound") == ["word"]
    assert list_decisions(1000, None, "sound") == []
    assert list_decisions(1000, NAMES, "sound") == ["class"]
    assert list_decisions(3, ("a", "b", "c"), "image") == ["class"]
    assert list_decisions(3, None, "image") == []
    with pytest.raises(InputError, match="rule"):
        list_vocabularies(1000, None, "image", "median")


@pytest.mark.parametrize(
    ("label", "top", "says", "decision"),
    [
        (LABRADOR, "", "", "category"),
        (f"{LABRADOR}_labrador", "", "", "category"),
        ("Labrador retriever", "", "", "category"),
        ("dog", "", "", "category"),
        (BARN, "", "", "class"),
        (BARN, LABRADOR, "", "class"),  # the label comes first
        (LABRADOR, BARN, "", "category"),
        ("star", LABRADOR, "", "class"),
        ("", LABRADOR, "", "category"),
        ("", BARN, "", "class"),
        ("", "", "", "class"),
        (BARN, "", "category", "category"),
        (LABRADOR, "", "class", "class"),
        (LABRADOR, "", "word", "category"),  # which the network cannot make
    ],
)
def test_the_decision_that_counts(label: str, top: str, says: str, decision: str) -> None:
    picked = pick_decision(list_vocabularies(1000, NAMES, "image"), label, top, says)
    assert picked is not None
    assert picked.decision == decision
    assert picked.rule == ("first" if decision == "category" else "")


def test_other_networks_decide_by_their_own_answers() -> None:
    own = list_vocabularies(2, ("cat", "dog"), "image")
    assert [pick_decision(own, "dog", "dog", says).decision for says in ("", "category")] == ["class"] * 2  # type: ignore[union-attr]
    word = pick_decision(list_vocabularies(794, None, "sound"), "dog")
    assert word is not None
    assert word.decision == "word"
    assert pick_decision((), "dog") is None


def test_answers_by_numpy_in_any_order() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(40, 1000))
    category = {wnid: name for name, members in load_categories().items() for wnid in members}
    shuffled = values[:, ORDER]
    for vocabulary, outputs in (
        *((each, values) for each in list_vocabularies(1000, NAMES, "image")),
        *((each, shuffled) for each in list_vocabularies(1000, tuple(np.array(WNIDS)[ORDER]), "image")),
    ):
        for row, original, said in zip(outputs, values, vocabulary.decide(outputs), strict=True):
            down = [WNIDS[i] for i in np.argsort(-original)]
            assert said == (
                down[0] if vocabulary.decision == "class" else next(category[w] for w in down if w in category)
            )
            assert len(row) == 1000
    words = list_vocabularies(794, None, "sound")[0]
    assert words.decide(np.eye(794)[[5]]).tolist() == [load_words()[5]]
    with pytest.raises(InputError, match=r"outputs of shape \(n_stimuli, 3\)"):
        Vocabulary("class", 3, ("a", "b", "c")).decide(np.zeros((2, 4)))
    with pytest.raises(InputError, match="without NaN"):
        Vocabulary("class", 3, ("a", "b", "c")).decide(np.full((2, 3), np.nan))


def test_names_that_several_classes_share_mean_none_of_them() -> None:
    twins = list_vocabularies(3, ("crane", "barn", "crane"), "image")[0]
    assert twins.answers == ("crane [0]", "barn", "crane [2]") == number_twins(("crane", "barn", "crane"))
    assert [twins.look_up(name) for name in ("crane", "barn", "crane [2]")] == ["", "barn", "crane [2]"]
    assert twins.decide(np.eye(3)).tolist() == ["crane [0]", "barn", "crane [2]"]
