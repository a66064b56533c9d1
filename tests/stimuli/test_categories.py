import json

import numpy as np
import pytest

from beholder._core.errors import InputError
from beholder.stimuli import decide_category, load_categories, load_class_categories, load_wnids
from beholder.stimuli.sets._categories import list_asked_decisions


def test_there_are_sixteen_categories_of_known_classes():
    categories = load_categories()
    wnids = load_wnids()
    assert len(categories) == 16
    assert len(wnids) == 1000
    assert list(wnids) == sorted(set(wnids))
    members = [wnid for each in categories.values() for wnid in each]
    assert len(members) == len(set(members))
    assert set(members) <= set(wnids)
    assert sum(name != "" for name in load_class_categories()) == len(members)


def test_the_lists_are_the_published_ones(shared_data):
    published = json.loads((shared_data / "sixteen_categories.json").read_text())["categories"]
    assert {name: list(wnids) for name, wnids in load_categories().items()} == published
    words = (shared_data / "imagenet_synset_words.txt").read_text().splitlines()
    assert list(load_wnids()) == [line.split()[0] for line in words]


def test_the_first_class_in_any_list_decides():
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((200, 1000))
    categories = load_categories()
    wnids = load_wnids()
    for row, decided in zip(logits, decide_category(logits), strict=True):
        for index in np.argsort(-row, kind="stable"):  # the rule, word by word
            found = [name for name, members in categories.items() if wnids[index] in members]
            if found:
                assert decided == found[0]
                break
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.array_equal(decide_category(softmax), decide_category(logits))


def test_classes_outside_all_lists_are_passed_over():
    logits = np.zeros((1, 1000))
    names = load_class_categories()
    logits[0, [names.index(""), names.index("clock"), names.index("dog")]] = 9, 7, 6
    assert decide_category(logits).tolist() == ["clock"]


@pytest.mark.parametrize("shape", [(1000,), (2, 999), (2, 3, 1000)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(InputError, match="1000"):
        decide_category(np.zeros(shape))


def test_nan_is_refused_by_stimulus():
    logits = np.zeros((3, 1000))
    logits[2, 5] = np.nan
    with pytest.raises(InputError, match="stimulus 2"):
        decide_category(logits)


@pytest.mark.parametrize("given", ["logits", "probabilities"])
@pytest.mark.parametrize("rule", ["first", "mean", "max", "sum"])
def test_rules_by_numpy(rule, given):
    """Each from its definition, class by class, on probabilities; logits give the same answers."""
    rng = np.random.default_rng(11)
    logits = 3 * rng.normal(size=(200, 1000))
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    wnids, said = load_wnids(), []
    for row in probabilities:
        if rule == "first":
            down = (wnids[i] for i in np.argsort(-row))
            said.append(next(n for w in down for n, members in load_categories().items() if w in members))
            continue
        totals = {}
        for name, members in load_categories().items():
            own = np.array([row[wnids.index(wnid)] for wnid in members])
            totals[name] = {"mean": own.mean, "max": own.max, "sum": own.sum}[rule]()
        said.append(max(totals, key=lambda name: totals[name]))
    assert decide_category(logits if given == "logits" else probabilities, rule).tolist() == said
    assert decide_category(logits + 3000, rule).tolist() == said  # logits tell no more than their differences
    assert len(set(said)) > (3 if rule == "sum" else 8)


def test_rules_differ_where_they_should():
    """Many dogs of little probability each, one cat of more: sum says dog, mean knife or cat, first cat."""
    values = np.zeros((1, 1000))
    wnids, categories = load_wnids(), load_categories()
    for wnid in categories["dog"]:
        values[0, wnids.index(wnid)] = 0.7 / len(categories["dog"])
    values[0, wnids.index(categories["cat"][0])] = 0.2
    values[0, wnids.index(categories["knife"][0])] = 0.1
    assert [str(decide_category(values, rule)[0]) for rule in ("first", "max", "mean", "sum")] == [
        "cat", "cat", "knife", "dog",
    ]  # fmt: skip
    with pytest.raises(InputError, match="rule"):
        decide_category(values, "median")


def test_what_a_set_asks_for():
    import beholder as bh

    def ask(**columns):
        return list_asked_decisions(bh.StimulusSet.from_arrays(np.zeros((3, 3, 4, 4), np.float32), conditions=columns))

    assert ask() == ("",) * 3
    assert ask(decision=["category", "", "class"]) == ("category", "", "class")
    assert ask(decision=["yes", "no", "yes"]) == ("",) * 3  # a column of their own
    assert ask(category=["dog", "star", ""]) == ("category", "", "")
    assert ask(decision=["", "class", ""], category=["dog"] * 3) == ("", "class", "")
