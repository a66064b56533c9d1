"""From outputs to categories, by each rule; and a published network's choices."""

import numpy as np
import pytest
import torch

from beholder._core.errors import InputError
from beholder.evaluation import decide
from beholder.stimuli import load_categories, load_wnids

PETS = {"cat": [0, 4], "dog": [1, 2, 3]}


def test_rules_word_by_word():
    rng = np.random.default_rng(5)
    logits = 2 * rng.normal(size=(300, 7))  # outputs 5 and 6 are in no category
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    found = {rule: decide(logits, PETS, rule).tolist() for rule in ("first", "max", "mean", "sum")}
    names = list(PETS)
    for rule, total in {"mean": np.mean, "sum": np.sum, "max": np.max}.items():
        assert found[rule] == [max(names, key=lambda name: total(row[PETS[name]])) for row in p]
    assert found["first"] == found["max"]
    assert found["first"] == [
        next(name for i in np.argsort(-row) for name in names if i in PETS[name]) for row in logits
    ]
    assert len({tuple(each) for each in found.values()}) == 3
    for rule, said in found.items():
        assert decide(p, PETS, rule).tolist() == said
        assert decide(torch.tensor(logits, requires_grad=True), PETS, rule).tolist() == said
        assert decide(logits.astype(np.float32) - 1000, PETS, rule).tolist() == said


def test_the_sixteen_are_the_default_and_may_be_given():
    logits = np.random.default_rng(0).normal(size=(50, 1000))
    numbers = {name: [load_wnids().index(each) for each in members] for name, members in load_categories().items()}
    for rule in ("first", "mean"):
        said = decide(logits, rule=rule).tolist()
        assert decide(logits, load_categories(), rule).tolist() == said
        assert decide(logits, numbers, rule).tolist() == said


def test_far_apart_outputs_tell_still():
    """A class outside all categories that is 2,000 above the others leaves them no probability; their order stays."""
    logits = np.zeros((1, 6))
    logits[0, [5, 1]] = 2000, 1
    assert [str(decide(logits, PETS, rule)[0]) for rule in ("first", "max", "mean", "sum")] == ["dog"] * 4


@pytest.mark.parametrize(
    ("logits", "categories", "rule", "said"),
    [
        (np.zeros(7), PETS, "first", "shape"),
        (np.zeros((2, 3)), PETS, "first", "numbers from 0 to 2"),
        (np.zeros((2, 7)), PETS, "median", "rule"),
        (np.full((2, 7), np.nan), PETS, "mean", "stimulus 0"),
        (np.full((2, 7), np.inf), PETS, "first", "stimulus 0"),
        (np.full((2, 7), -np.inf), PETS, "sum", "stimulus 0"),
        (np.eye(7)[[0, 6]], PETS, "mean", "stimulus 1"),
        (np.array([["a", "b"]]), PETS, "first", "shape"),
        (np.zeros((2, 7)), {}, "first", "at least one category"),
        (np.zeros((2, 7)), {"cat": [], "dog": [1]}, "first", "'cat'"),
        (np.zeros((2, 7)), {"cat": [1, 2], "dog": [2]}, "first", "2 in 'cat' and 'dog'"),
        (np.zeros((2, 7)), {"cat": [1, 1]}, "first", "once"),
        (np.zeros((2, 7)), {"cat": [1.5]}, "first", "1.5"),
        (np.zeros((2, 7)), {"cat": [None]}, "first", "None"),
        (np.zeros((2, 7)), ["cat", "dog"], "first", "mapping"),
        (np.zeros((2, 7)), {"cat": [-1]}, "first", "-1"),
        (np.zeros((2, 7)), {"cat": "n02690373"}, "first", "list"),
        (np.zeros((2, 1000)), {"cat": ["n00000001"]}, "first", "n00000001"),
        (np.zeros((2, 7)), {"cat": ["n02690373"]}, "first", "1000"),
        (np.zeros((2, 999)), None, "first", "1000"),
    ],
)
def test_what_tells_no_category_is_refused(logits, categories, rule, said):
    with pytest.raises(InputError, match=said) as caught:
        decide(logits, categories, rule)
    assert "\n" not in str(caught.value)


def test_choices_of_a_published_network(shared_data, monkeypatch):
    """SqueezeNet 1.1 on cue-conflict pictures of 224 px as they are: every choice of the published file."""
    import pandas as pd
    from PIL import Image

    import beholder as bh

    folder = shared_data / "shape_texture"
    file = folder / "networks" / "style-transfer-512-nomask-experiment_squeezenet1_1_session-1.csv"
    if not file.exists():
        pytest.skip("the published trials are absent")
    monkeypatch.setenv("TORCH_HOME", str(shared_data / "torch_home"))
    net = bh.load_model("torchvision:squeezenet1_1", pretrained=True, device="cpu")
    shown = sorted((folder / "cue_conflict_sample").glob("*/*.png"))
    logits = []
    for start in range(0, len(shown), 32):
        pixels = [np.asarray(Image.open(path).convert("RGB"), np.float32) / 255 for path in shown[start : start + 32]]
        with torch.inference_mode():
            logits.append(bh.capture(net, torch.tensor(np.stack(pixels).transpose(0, 3, 1, 2)), [])[0])
    table = pd.read_csv(file)
    published = dict(zip(table["imagename"].str.extract(r"_([^_]+)\.png$")[0], table["object_response"], strict=True))
    expected = np.array([published[path.stem] for path in shown])
    assert len(shown) == 160
    assert np.array_equal(decide(torch.cat(logits), load_categories(), "first"), expected)
    others = decide(torch.cat(logits), load_categories(), "mean") != expected
    assert 0.15 < others.mean() < 0.25
