"""Accuracy under attack: rows, intervals, worst of attacks, signs of masked gradients, sentences, pictures, record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import beholder as bh
from beholder._core.errors import ConfigurationChanged, InputError
from beholder.analysis import RESULT_KINDS, open_result, write_result
from beholder.analysis.accuracy._masking import find_signs
from beholder.evaluation import read_attacked_accuracy
from beholder.report import write_report
from beholder.statistics import wilson_interval
from beholder.stimuli import StimulusSet

N, N_CLASSES = 24, 6
QUICK: dict[str, Any] = {"steps": 4, "apgd_steps": 4, "batch_size": 8, "n_checked": 8}


class Mixed(nn.Module):
    """Outputs that mix squashed values of a picture, of which gradients may be hidden."""

    def __init__(self, seed: int = 0, hides: str = "") -> None:
        super().__init__()
        weights = torch.randn((12, N_CLASSES), generator=torch.Generator().manual_seed(seed))
        self.weights, self.hides = nn.Parameter(weights), hides

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.hides == "rounding":
            x = x + (torch.round(4 * x) / 4 - x).detach() - x + x.detach()
        if self.hides == "noise":
            x = x + 0.3 * torch.randn_like(x)
        return torch.tanh(3 * x.flatten(1) - 1.5) @ self.weights


def make_network(seed: int = 0, hides: str = "", name: str = "mixed") -> Any:
    return bh.wrap(Mixed(seed, hides), input_range=(0, 1), name=name)


def make_stimuli(net: Any) -> StimulusSet:
    x = np.random.default_rng(0).uniform(0.2, 0.8, (N, 3, 2, 2)).astype(np.float32)
    with torch.inference_mode():
        labels = net.module(torch.from_numpy(x)).argmax(1).numpy()
    labels[0] = (labels[0] + 1) % N_CLASSES
    return StimulusSet.from_arrays(x, labels=[str(label) for label in labels], kind="array")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    net = make_network()
    return bh.evaluate_adversarial(
        [net, make_network(4, name="other")], make_stimuli(net), eps={"l2": [0.1, 0.3], "linf": [0.05]},
        attacks=["pgd", "random"], out_path=tmp_path_factory.mktemp("found") / "attacked", **QUICK,
    )  # fmt: skip


def test_rows_are_records_of_attack_settings(found: Any) -> None:
    table = found.to_pandas()
    own = table[table["model"] == table["model"].iloc[0]]
    assert list(zip(own["norm"], own["attack"], own["eps"], strict=True)) == [
        ("l2", "none", 0), ("l2", "pgd", 0.1), ("l2", "random", 0.1), ("l2", "worst", 0.1),
        ("l2", "pgd", 0.3), ("l2", "random", 0.3), ("l2", "worst", 0.3),
        ("linf", "none", 0), ("linf", "pgd", 0.05), ("linf", "random", 0.05), ("linf", "worst", 0.05),
    ]  # fmt: skip
    assert table["model"].nunique() == 2 and (table["n"] == N).all()
    for row in table.to_dict("records"):
        low, high = wilson_interval(round(N * row["accuracy_top1"]), N)
        assert (row["low"], row["high"]) == (pytest.approx(float(low)), pytest.approx(float(high)))
        assert row["estimate"] == row["accuracy_top1"] <= row["accuracy_top5"]
        assert not row["largest_size"] > row["eps"] * (1 + 1e-5)
    assert set(table.loc[table["attack"] == "pgd", "radii"]) == {"[0.1, 0.3]", "[0.05]"}
    assert own["accuracy_top1"].iloc[0] == pytest.approx((N - 1) / N)
    for eps in (0.1, 0.3):
        here = own[(own["norm"] == "l2") & (own["eps"] == eps)].set_index("attack")["accuracy_top1"]
        assert here["worst"] <= min(here["pgd"], here["random"])


def test_what_is_printed_is_the_contracts_record(found: Any, tmp_path: Path) -> None:
    """And both it and the saved table are what other commands take for --attacked."""
    document = found.to_json()
    (first, *_) = document["adversarial"]
    assert {"norm", "eps", "accuracy_top1", "accuracy_top5", "n", "attack", "radii"} <= set(first)
    assert first["eps"] == 0 and first["attack"] == "none" and first["radii"] == []
    assert [row["radii"] for row in document["adversarial"] if row["attack"] == "pgd"][:3] == [[0.1, 0.3]] * 2 + [
        [0.05]
    ]
    (tmp_path / "attacked.json").write_text(json.dumps(document), encoding="utf-8")
    path = found.save(tmp_path / "adversarial.parquet")
    names = list(dict.fromkeys(found.table["model"]))
    table = found.to_pandas()
    for attack, kind in (("l2:0.3", "worst"), ("l2:0.3:pgd", "pgd"), ("linf:0.05:random", "random")):
        norm, eps = attack.split(":")[:2]
        expected = table[(table["norm"] == norm) & (table["eps"] == float(eps)) & (table["attack"] == kind)]
        for file in (tmp_path / "attacked.json", path):
            assert read_attacked_accuracy(file, names, attack) == dict(
                zip(expected["model"], expected["accuracy_top1"], strict=True)
            )


def test_sentences_methods_and_pictures_are_of_the_table_alone(found: Any, tmp_path: Path) -> None:
    again = open_result(found.save(tmp_path / "adversarial.parquet"))
    told = " ".join(again.sentences())
    clean = found.table.iloc[0]["estimate"]
    assert f"mixed is right about {100 * clean:.1f} %" in told and "Random noise" in told
    assert "worst of all attacks" in told and "Linf 0.05" in told
    method = again.methods()
    for words in ("Madry", "4 steps of the radius over 5", "Feather", "L2 0.1, 0.3; Linf 0.05", "Wilson"):
        assert words in method
    (drawing,) = RESULT_KINDS["adversarial"].draw(again)
    panels = [ax for ax in drawing.figure.axes if ax.get_visible()]
    assert [ax.get_title(loc="left") for ax in panels] == ["L2", "Linf"]
    assert "mixed, pgd in L2" in drawing.alt
    assert again.plot() is not None
    write_result(found, tmp_path)
    assert "under attack?" in write_report(tmp_path).read_text(encoding="utf-8")


def test_networks_are_added_to_a_result(tmp_path: Path) -> None:
    net = make_network()
    stimuli = make_stimuli(net)
    options: dict[str, Any] = {"norm": "l2", **QUICK, "n_checked": 0, "out_path": tmp_path / "attacked"}
    write_result(bh.evaluate_adversarial(net, stimuli, eps=0.1, **options), tmp_path)
    both = bh.evaluate_adversarial(make_network(4, name="other"), stimuli, eps=[0.1, 0.3], **options)
    write_result(both, tmp_path)
    table = both.to_pandas()
    assert table.groupby("model")["eps"].apply(list).tolist() == [[0, 0.1], [0, 0.1, 0.3]]
    with pytest.raises(ConfigurationChanged, match="steps was 4, now 5"):
        changed = bh.evaluate_adversarial(
            net, stimuli, eps=0.1, **{**options, "steps": 5, "out_path": tmp_path / "elsewhere"}
        )
        write_result(changed, tmp_path)


@pytest.mark.parametrize(("hides", "flag"), [("rounding", "zero gradients"), ("noise", "noise")])
def test_masked_gradients_are_told(tmp_path: Path, hides: str, flag: str) -> None:
    net = make_network(hides=hides)
    plain = make_network()
    found = bh.evaluate_adversarial(
        net, make_stimuli(plain), norm="l2", eps=[0.3], attacks=["pgd", "random"], out_path=tmp_path / "a", **QUICK
    )
    row = found.table[found.table["attack"] == "pgd"].iloc[0]
    assert flag in row["flags"].split("; ")
    assert any(("gradient is 0" in text) if hides == "rounding" else ("eot 20" in text.replace("=", " "))
               for text in found.warnings)  # fmt: skip
    if hides == "rounding":
        assert row["checked_zero_gradient"] == 1
        assert "unbounded" in row["flags"]


def make_level(eps: float, n_attacked: int, n_fooled: int, attack: str = "pgd") -> dict[str, Any]:
    chain = {"norm": "l2", "attack": attack, "radii": [0.1, 0.2, 0.4], "source": "", "base": "", "identity": ""}
    return {**chain, "eps": eps, "n_attacked": n_attacked, "n_fooled": n_fooled, "n_flat": 0}


def find_flags(**facts: Any) -> list[str]:
    given = {"checks": [], "levels": [], "is_noisy": False, "protocol": {"eot": 1}, **facts}
    right = given.pop("right", {})
    return [sign.flag for sign in find_signs("net", given, right)]


def test_each_sign_speaks_of_what_it_saw() -> None:
    check = {"norm": "l2", "attack": "pgd", "eps": 1.0, "n": 20, "attacked": 10, "one_step": 12, "more_steps": 9,
             "unbounded": 0, "zero_gradient": 0}  # fmt: skip
    assert find_flags(checks=[check]) == []
    assert find_flags(checks=[{**check, "one_step": 8}]) == ["one step"]
    assert find_flags(checks=[{**check, "more_steps": 8}]) == ["not converged"]
    assert find_flags(checks=[{**check, "unbounded": 1}]) == ["unbounded"]
    assert find_flags(checks=[{**check, "zero_gradient": 1}]) == ["zero gradients"]
    levels = [make_level(0.1, 50, 5), make_level(0.2, 45, 4), make_level(0.4, 41, 3)]
    assert find_flags(levels=levels) == []
    assert find_flags(levels=[*levels[:2], make_level(0.4, 41, 0)]) == ["larger radius"]
    assert find_flags(levels=[make_level(0.1, 50, 0), make_level(0.2, 50, 0)]) == []
    assert find_flags(levels=[make_level(0.1, 50, 45), make_level(0.4, 5, 0)]) == []
    assert find_flags(levels=[{**make_level(0.1, 50, 5), "n_flat": 20}]) == ["flat loss"]
    strong, weak = np.array([True, False, False]), np.array([True, True, False])
    assert find_flags(right={("l2", "pgd", 1.0): weak, ("l2", "random", 1.0): strong}) == ["random"]
    assert find_flags(right={("l2", "pgd", 1.0): weak, ("l2", "transfer", 1.0): strong}) == ["transfer"]
    assert find_flags(right={("l2", "pgd", 1.0): strong, ("l2", "random", 1.0): weak}) == []
    assert find_flags(is_noisy=True, right={("l2", "pgd", 1.0): strong}) == ["noise"]
    assert find_flags(is_noisy=True, protocol={"eot": 20}, right={("l2", "pgd", 1.0): strong}) == []


def test_the_published_preset_is_the_published_protocol(tmp_path: Path) -> None:
    net = make_network()
    with pytest.raises(InputError, match="preset"):
        bh.evaluate_adversarial(net, make_stimuli(net), out_path=tmp_path / "a")
    found = bh.evaluate_adversarial(
        net, make_stimuli(net), preset="published", norm="linf", eps=0.01, n_checked=0, out_path=tmp_path / "a"
    )
    assert (found.settings["steps"], found.settings["divide"], found.settings["keep"]) == (64, 4, "best")
    assert any(f"{N} stimuli, all there are, in place of 1,024" in note for note in found.warnings)
    row = found.table[found.table["attack"] == "pgd"].iloc[0]
    assert (row["steps"], row["step"], row["norm"], row["eps"]) == (64, "eps/4", "linf", 0.01)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"attacks": "apgd-ce", "steps": 200}, "steps with pgd among attacks; got attacks apgd-ce; try apgd_steps"),
        ({"attacks": ["random"], "keep": "last"}, "keep with pgd among attacks; got attacks random"),
        ({"attacks": ["apgd-t", "random"], "random_start": True}, "random_start=True with pgd"),
        ({"apgd_steps": 200}, "apgd_steps with apgd-ce or apgd-t among attacks; got attacks pgd; try steps"),
    ],
)
def test_settings_of_an_attack_that_is_not_run_are_refused(tmp_path: Path, asked: Any, message: str) -> None:
    net = make_network()
    with pytest.raises(InputError, match=message):
        bh.evaluate_adversarial(net, make_stimuli(net), eps="l2:0.1", out_path=tmp_path, **asked)
