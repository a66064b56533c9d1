"""Rules for the names in a foreign checkpoint."""

import json
import re
from fnmatch import fnmatchcase

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from beholder._core.errors import InputError
from beholder.models import load_model, load_panel, read_key_rules, register_model, rename_keys


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, {"module.model.fc.weight", "module.model.0.bias", "module.attacker.model.fc.weight"}),
        ({"???????*": "*"}, {"model.fc.weight", "model.0.bias", "attacker.model.fc.weight"}),
        ({"*.attacker.*": "", "module.model.*": "*"}, {"fc.weight", "0.bias"}),
        ({"*.attacker.*": "", "*.model.fc.*": "head.*.*"}, {"head.module.weight", "module.model.0.bias"}),
        ({"*.attacker.*": "", "module.model.0.bias": "conv.bias"}, {"module.model.fc.weight", "conv.bias"}),
        (
            {"*": "net.*"},
            {"net.module.model.fc.weight", "net.module.model.0.bias", "net.module.attacker.model.fc.weight"},
        ),
    ],
)
def test_rules(rules, expected):
    state = {"module.model.fc.weight": 1, "module.model.0.bias": 2, "module.attacker.model.fc.weight": 3}
    assert set(rename_keys(state, rules)) == expected


def test_the_first_rule_that_fits_counts():
    state = {"a.b": 1, "a.c": 2}
    assert rename_keys(state, [("a.b", "first"), ("a.*", "second.*")]) == {"first": 1, "second.c": 2}
    with pytest.raises(InputError, match=r"'a\.b', which fits none"):
        rename_keys(state, [("a.*", "second.*"), ("a.b", "first")])


@given(st.text("ab.", min_size=1, max_size=8), st.text("ab.*?", min_size=1, max_size=6))
def test_patterns_fit_what_fnmatch_says(name, pattern):
    if fnmatchcase(name, pattern):
        assert rename_keys({name: 1}, [(pattern, "x")]) == {"x": 1}
    else:
        with pytest.raises(InputError, match="fits none"):
            rename_keys({name: 1}, [(pattern, "x")])


def test_bad_rules_are_one_line(tmp_path):
    with pytest.raises(InputError, match="keep names apart"):
        rename_keys({"a.w": 1, "b.w": 2}, {"*.w": "w"})
    with pytest.raises(InputError, match="as many stars"):
        read_key_rules({"a": "b.*"})
    with pytest.raises(InputError, match="old name = new name"):
        read_key_rules({"a": 3})  # type: ignore[dict-item]
    with pytest.raises(InputError, match="no file"):
        read_key_rules(tmp_path / "absent.toml")
    (tmp_path / "bad.toml").write_text("= 3")
    with pytest.raises(InputError, match="TOML"):
        read_key_rules(tmp_path / "bad.toml")


def test_files(tmp_path):
    rules = {"net.*": "*", "ema.*": ""}
    (tmp_path / "a.json").write_text(json.dumps(rules))
    (tmp_path / "b.toml").write_text('[keys]\n"net.*" = "*"\n"ema.*" = ""\n')
    assert read_key_rules(tmp_path / "a.json") == read_key_rules(str(tmp_path / "b.toml")) == tuple(rules.items())
    assert read_key_rules(None) == ()


@pytest.fixture
def foreign(tmp_path):
    """A checkpoint of SqueezeNet as another project would save it, with averaged weights beside."""
    own = load_model("torchvision:squeezenet1_1@random", device="cpu").module.state_dict()
    state = {f"net.backbone.{name}": value for name, value in own.items()}
    state |= {f"ema.backbone.{name}": value + 1 for name, value in own.items()}
    torch.save({"state_dict": state}, tmp_path / "theirs.pt")
    return tmp_path / "theirs.pt", own


def test_python_argument(foreign):
    file, own = foreign
    with pytest.raises(InputError, match="missing"):
        load_model("squeezenet1_1", model_path=file, device="cpu")
    plain = load_model("squeezenet1_1", model_path=file, keys={"net.backbone.*": "*", "ema.*": ""}, device="cpu")
    averaged = load_model("squeezenet1_1", model_path=file, keys={"ema.backbone.*": "*", "net.*": ""}, device="cpu")
    assert all(torch.equal(value, own[name]) for name, value in plain.module.state_dict().items())
    assert all(torch.equal(value, own[name] + 1) for name, value in averaged.module.state_dict().items())
    assert plain.weights.sha256 != averaged.weights.sha256  # two networks out of one file are told apart
    assert plain.spec is not None
    again = plain.spec.load()
    assert torch.equal(again.module.state_dict()["features.0.bias"], own["features.0.bias"])


def test_panel_file(foreign):
    file, own = foreign
    panel = file.parent / "panel.toml"
    panel.write_text(
        '[[models]]\nname = "theirs"\nsource = "torchvision:squeezenet1_1"\nweights = "theirs.pt"\n'
        'keys = { "net.backbone.*" = "*", "ema.*" = "" }\n'
        '[[models]]\nname = "file"\nsource = "torchvision:squeezenet1_1"\nweights = "theirs.pt"\nkeys = "rules.json"\n'
    )
    (file.parent / "rules.json").write_text(json.dumps({"ema.backbone.*": "*", "net.*": ""}))
    first, second = load_panel(panel)
    assert torch.equal(load_model(first, device="cpu").module.state_dict()["features.0.bias"], own["features.0.bias"])
    found = load_model(second, device="cpu").module.state_dict()["features.0.bias"]
    assert torch.equal(found, own["features.0.bias"] + 1)
    panel.write_text('[[models]]\nname = "x"\nsource = "torchvision:squeezenet1_1"\nkeys = 3\n')
    with pytest.raises(InputError, match=re.escape("'keys'")):
        load_panel(panel)


def test_registered_model(foreign):
    file, own = foreign
    register_model(
        "my-theirs", "torchvision:squeezenet1_1", weights=str(file), overwrite=True,
        keys={"net.backbone.*": "*", "ema.*": ""}, metamer_layers=["features.{3,7}"],
    )  # fmt: skip
    model = load_model("my-theirs", device="cpu")
    assert model.stages == ("features.3", "features.7")
    assert torch.equal(model.module.state_dict()["features.0.bias"], own["features.0.bias"])
