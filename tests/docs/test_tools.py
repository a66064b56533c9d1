"""The scripts that make the bundled networks, and the seed study on them."""

import importlib
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from beholder.evaluation import Judgement
from beholder.training import resolve_settings

from .conftest import ROOT

PRESETS = ROOT / "tools" / "networks"


@pytest.fixture(scope="module")
def study():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "tools")
        yield importlib.import_module("seed_study")
        for name in ("seed_study", "pages"):
            del sys.modules[name]


@pytest.mark.parametrize("name", ["shapes", "syllables"])
def test_twins_are_trained_alike_but_for_the_attack(name):
    modality = {"shapes": "image", "syllables": "sound"}[name]
    plain = resolve_settings(PRESETS / f"{name}.toml", modality).to_dict()
    robust = resolve_settings(PRESETS / f"{name}-robust.toml", modality).to_dict()
    different = {key for key in plain if plain[key] != robust[key]}
    assert different - {"preset", "attack", "norm", "eps", "attack_steps", "attack_step_size", "attack_keep",
                        "random_start", "eval_steps", "eval_stimuli"} == set()  # fmt: skip
    assert plain["attack"] == "none" and robust["attack"] == "pgd" and robust["eps"] > 0


def test_both_networks_of_a_seed_have_the_same_judges_those_of_other_seeds(study):
    own = study.Study("out", 3, 1, 48, 16, 1, 16, 1, 1, 1)
    names = [f"beholder:shapes@{side}-{seed}" for side in study.PRESETS for seed in (1, 2, 3)]
    rng = np.random.default_rng(0)
    rows = [
        {"model": maker, "judge": judge, "decision": "class", "layer": "classifier", "stimulus_id": f"s{i}",
         "correct": bool(rng.integers(2)), "main": True, "passed": True}
        for maker in names for judge in [*names, "beholder:shapes@v1"] for i in range(4)
    ]  # fmt: skip
    verdicts = pd.DataFrame(rows)
    table = study.count_recognised(Judgement(verdicts, {}), own)
    row = table[(table["side"] == "robust") & (table["seed"] == 2)].iloc[0]
    judges = [name for name in names if not name.endswith("-2")]
    own = verdicts[(verdicts["model"] == "beholder:shapes@robust-2") & verdicts["judge"].isin(judges)]
    assert row["n judgements"] == len(own) == 16
    assert row["recognised by all"] == own["correct"].mean()
    assert row["recognised by standard"] == own[own["judge"].str.contains("standard")]["correct"].mean()


def test_differences_are_taken_seed_by_seed(study):
    right = {"standard": [0.1, 0.2, 0.15], "robust": [0.4, 0.3, 0.5]}
    table = pd.DataFrame(
        [{"side": side, "seed": seed, "clean": value} for side, values in right.items()
         for seed, value in enumerate(values, start=1)]
    )  # fmt: skip
    found = study.compare_sides(table.sample(frac=1, random_state=0), "clean")
    ends = ttest_1samp(np.subtract(right["robust"], right["standard"]), 0).confidence_interval()
    assert (found["difference"], found["low"], found["high"]) == pytest.approx((0.25, ends.low, ends.high))
    text = study.format_tables(table, pd.DataFrame({"clean": found}).T)
    assert "| 1 | standard | 10 |" in text and "| clean | 15.0 | 40.0 | 25.0 | -7.9 to 57.9 |" in text


def test_the_finding_is_told_as_its_interval_says(study, tmp_path):
    found = {"standard": 0.2, "robust": 0.5, "difference": 0.3, "low": 0.1, "high": 0.5, "n above 0": 4}
    assert study.tell_finding(found, 5).startswith(
        "The finding shows: other networks recognise 50 % of the metamers of"
    )
    assert study.tell_finding(found, 5).endswith("10.0 to 50.0); it is above 0 in 4 of the 5 seeds.")
    assert study.tell_finding(found | {"low": -0.1}, 5).startswith("These networks do not show the finding")
    assert study.tell_finding(found | {"low": -0.5, "high": -0.1}, 5).startswith("The opposite")
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- seed study -->\nold\n<!-- end of seed study -->\nb\n")
    study.fill_page(page, "seed study", r"new \1")
    assert page.read_text() == "a\n<!-- seed study -->\n\nnew \\1\n\n<!-- end of seed study -->\nb\n"
    with pytest.raises(SystemExit, match="accuracies"):
        study.fill_page(page, "accuracies", "")
