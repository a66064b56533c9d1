"""Networks beside the people of an experiment: numbers against the definition, one result of two analyses, bad days."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

import beholder as bh
from beholder._core.errors import ConfigurationChanged, InputError
from beholder.analysis import RESULT_KINDS, evaluate_battery, guard_result, open_result, write_result
from beholder.analysis.battery._parts import take_part
from beholder.analysis.battery._published import PUBLISHED_COLUMNS
from beholder.models import ImagePreprocessing
from beholder.responses import read_trials

CATEGORIES = ("bear", "dog", "oven")
FORM = ImagePreprocessing(resize=16, crop=(16, 16), mean=(0,) * 3, std=(1,) * 3)  # pyright: ignore[reportArgumentType]
HEAD = "subj,session,trial,rt,object_response,category,condition,imagename"
N_PEOPLE = 4
Data = tuple[Path, Path]


class Mixed(nn.Module):
    """Outputs that are fixed mixtures of a few pixels."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn((3, 12), generator=torch.Generator().manual_seed(seed)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x[:, :, ::8, ::8].flatten(1) - 0.5) @ self.weights.T


def make_network(name: str = "mixed", seed: int = 0, classes: tuple[str, ...] = CATEGORIES) -> Any:
    return bh.wrap(Mixed(seed), preprocess=FORM, name=name, classes=classes)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """27 pictures of two cues, and four people who mostly go by the first; one was shown more."""
    folder = tmp_path_factory.mktemp("battery")
    rng = np.random.default_rng(4)
    names = [f"{one}{k}-{two}{k}" for one in CATEGORIES for two in CATEGORIES for k in (1, 2, 3)]
    for name in names:
        path = folder / "pictures" / name.rstrip("0123456789").partition("-")[0].rstrip("0123456789") / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path)
    (folder / "people").mkdir()
    for person in range(N_PEOPLE):
        rows = [HEAD]
        for k, place in enumerate(rng.permutation(len(names))):
            shape, texture = (word.rstrip("0123456789") for word in names[place].split("-"))
            said = shape if rng.random() < 0.7 else texture if rng.random() < 0.7 else "na"
            code = f"{k:04d}_x2x_s{person}_0_{shape}_00_{names[place]}.png"
            rows.append(f"s{person},1,{k},0.5,{said},{shape},0,{code}")
        rows += [f"s{person},1,99,0.5,dog,dog,0,0099_x2x_s{person}_0_dog_00_dog9-oven9.png"]
        (folder / "people" / f"set_s{person}_session_1.csv").write_text("\n".join(rows))
    return folder / "pictures", folder / "people"


@pytest.fixture(scope="module")
def found(data: Data, tmp_path_factory: pytest.TempPathFactory) -> bh.Result:
    networks = [make_network(), make_network("other", 3)]
    answers = tmp_path_factory.mktemp("answers")
    return evaluate_battery(networks, *data, out_path=answers, n_draws=200, n_permutations=99, device="cpu")


def count_by_hand(data: Data) -> tuple[pd.DataFrame, dict[str, dict[str, str]]]:
    """Published trials to pictures that are there, read by pandas, and what networks say, by torch."""
    trials = pd.concat([pd.read_csv(path) for path in sorted(data[1].glob("*.csv"))])
    trials["picture"] = trials["imagename"].str.extract(r"_00_(.*)\.png")[0]
    files = {path.stem: path for path in data[0].glob("*/*.png")}
    trials = trials[trials["picture"].isin(files)]
    said = {}
    for name, seed in (("mixed", 0), ("other", 3)):
        pixels = {key: np.asarray(Image.open(path), np.float32).transpose(2, 0, 1) / 255 for key, path in files.items()}
        batch = torch.from_numpy(np.stack(list(pixels.values())))
        with torch.inference_mode():
            answers = Mixed(seed)(batch).argmax(1).tolist()
        said[name] = {key: CATEGORIES[answer] for key, answer in zip(pixels, answers, strict=True)}
    return trials, said


def pick(result: bh.Result, **words: str) -> Any:
    table: Any = result.table
    for column, value in words.items():
        table = table[table[column] == value]
    assert len(table) == 1, (words, len(table))
    return table.iloc[0]


def test_numbers_are_those_of_the_definitions(found: bh.Result, data: Data) -> None:
    trials, said = count_by_hand(data)
    shape = {key: key.partition("-")[0].rstrip("123") for key in said["mixed"]}
    texture = {key: key.partition("-")[2].rstrip("123") for key in said["mixed"]}
    everyone: Any = trials.groupby("subj").apply(lambda own: (own["object_response"] == own["category"]).mean())
    people = pick(found, statistic="proportion correct", observer="people", target="all")
    assert people["estimate"] == pytest.approx(everyone.mean()) and people["n"] == N_PEOPLE
    for name, answers in said.items():
        right = {key: answers[key] == shape[key] for key in answers}
        assert pick(found, statistic="proportion correct", observer="network", model=name, target="all")[
            "estimate"
        ] == pytest.approx(np.mean(list(right.values())))
        cues = [
            answers[key] == shape[key]
            for key in answers if shape[key] != texture[key] and answers[key] in (shape[key], texture[key])
        ]  # fmt: skip
        bias = pick(found, statistic="shape bias", observer="network", model=name, target="all", truth="")
        assert (bias["estimate"], bias["n"]) == (pytest.approx(np.mean(cues)), len(cues))
        assert 0 <= bias["low"] < bias["estimate"] < bias["high"] <= 1
        for person, own in trials.groupby("subj"):
            one = np.array([right[key] for key in own["picture"]])
            two = (own["object_response"] == own["category"]).to_numpy()
            expected = one.mean() * two.mean() + (1 - one.mean()) * (1 - two.mean())
            kappa = ((one == two).mean() - expected) / (1 - expected)
            row = pick(found, statistic="pair", model=name, subject=str(person))
            assert row["estimate"] == pytest.approx(kappa, abs=1e-12) and row["low"] < kappa < row["high"]


def test_what_is_there_is_joined_and_told(found: bh.Result) -> None:
    assert found.settings["n_stimuli"] == 27 and found.settings["set"] == "people"
    told = " ".join(found.sentences())
    assert "27 of 28 pictures" in told and "108 of 112 answers" in told and "rule first" in told
    assert told.index("are right in") < told.index("Shape bias") < told.index("κ")
    assert "shown 27 pictures that 4 people" in found.methods() and "error consistency" in found.methods()


def test_one_result_holds_both_analyses_and_comes_back_whole(found: bh.Result, tmp_path: Path) -> None:
    write_result(found, tmp_path, figures=False)
    again = open_result(tmp_path / "battery.parquet")
    assert again.sentences() == found.sentences() and again.methods() == found.methods()
    drawn = [
        [(each.name, each.alt, each.explanation) for each in RESULT_KINDS["battery"].draw(own)]
        for own in (found, again)
    ]
    assert drawn[0] == drawn[1] and again.to_json() == found.to_json() and again.warnings == found.warnings
    for name in ("recognition", "agreement"):
        one, two = take_part(found, name), take_part(again, name)
        pd.testing.assert_frame_equal(one.table, two.table)
        assert (one.kind, one.settings, one.warnings) == (two.kind, two.settings, two.warnings)
        assert all(np.array_equal(one.arrays[key], two.arrays[key]) for key in one.arrays)
        assert one.sentences() == two.sentences()
    assert take_part(found, "recognition").table["n_answers"].dtype == np.int64
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert {row["part"] for row in document["battery"]} == {"recognition", "agreement"}
    assert list(tmp_path.glob("battery_recognition_*.mat"))


def test_pictures_have_people_and_networks(found: bh.Result) -> None:
    drawn = {each.name: each for each in RESULT_KINDS["battery"].draw(found)}
    assert {"people_0", "people_1", "recognition_curves", "recognition_shape_bias", "agreement_kappas"} <= set(drawn)
    assert not any("matched" in name for name in drawn)
    (ax,) = drawn["people_1"].figure.axes
    assert {text.get_text() for text in ax.get_yticklabels()} == {f"s{k}" for k in range(N_PEOPLE)}
    assert next(iter(drawn)).startswith("recognition") and drawn["people_0"].explanation.startswith("Picture ")


def test_trials_in_memory_and_tables_of_other_names(found: bh.Result, data: Data, tmp_path: Path) -> None:
    people = read_trials(data[1], columns=PUBLISHED_COLUMNS)
    table: Any = people.table.rename(columns={"participant": "who", "response": "said"})
    table.to_csv(tmp_path / "mine.csv", index=False)
    again = evaluate_battery(
        make_network(), data[0], tmp_path / "mine.csv", columns=["participant=who", "response=said"],
        id_pattern=r"_00_(.*)\.png", out_path=tmp_path / "a", n_draws=50, n_permutations=0,
    )  # fmt: skip
    in_memory = evaluate_battery(make_network(), data[0], people, out_path=tmp_path / "a", n_draws=50, n_permutations=0)
    for other in (again, in_memory):
        words = {"statistic": "shape bias", "observer": "network", "model": "mixed", "target": "all", "truth": ""}
        assert pick(other, **words)["estimate"] == pick(found, **words)["estimate"]


def test_bad_days(data: Data, tmp_path: Path) -> None:
    pictures, people = data
    few: dict[str, Any] = {"out_path": tmp_path / "a", "n_draws": 20, "n_permutations": 0}
    with pytest.raises(InputError, match="none of 'bear', 'dog', 'oven'"):
        evaluate_battery(make_network(classes=("a", "b", "c")), pictures, people, **few)
    with pytest.raises(InputError, match="'mixed' twice"):
        evaluate_battery([make_network(), make_network()], pictures, people, **few)
    with pytest.raises(InputError, match="answers that are right or wrong"):
        trials = read_trials(people, columns=PUBLISHED_COLUMNS)
        table: Any = trials.table.drop(columns=["correct", "truth"])
        table.to_csv(tmp_path / "untold.csv", index=False)
        evaluate_battery(make_network(), pictures, tmp_path / "untold.csv", **few)
    with pytest.raises(InputError, match="rule"):
        evaluate_battery(make_network(), pictures, people, rule="median", **few)
    assert not (tmp_path / "a").exists()
    evaluate_battery(make_network(), pictures, people, **few)
    with pytest.raises(ConfigurationChanged, match="other weights"):
        evaluate_battery(make_network(seed=1), pictures, people, **few)


def test_another_network_for_a_result_that_is_there_is_refused_before_it_answers(data: Data, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"out_path": tmp_path / "answers", "n_draws": 20, "n_permutations": 0, "device": "cpu"}
    write_result(evaluate_battery(make_network(), *data, **asked), tmp_path, figures=False)
    with guard_result(asked, tmp_path, "battery"):
        again = evaluate_battery(make_network(), *data, **asked)
    write_result(again, tmp_path, figures=False)
    kept = {path: path.read_bytes() for path in (tmp_path / "answers").iterdir()}
    for other in (make_network("other"), make_network(seed=1)):
        with (
            guard_result(asked, tmp_path, "battery"),
            pytest.raises(ConfigurationChanged, match="other content in the networks"),
        ):
            evaluate_battery(other, *data, **asked)
    assert {path: path.read_bytes() for path in (tmp_path / "answers").iterdir()} == kept
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match="a folder, or nothing there"),
        guard_result(asked, tmp_path / "file", "battery"),
    ):
        pass


@pytest.mark.slow
def test_the_published_network_on_the_published_experiment(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SqueezeNet 1.1: accuracy and shape bias are those of its published choices."""
    folder = shared_data / "shape_texture"
    monkeypatch.setenv("TORCH_HOME", str(shared_data / "torch_home"))
    net = bh.load_model("torchvision:squeezenet1_1", pretrained=True, device="cpu")
    asked: dict[str, Any] = {"out_path": tmp_path, "n_draws": 20, "n_permutations": 0}
    found = evaluate_battery(net, folder / "cue_conflict_sample", folder / "human" / "cue-conflict", **asked)
    published: Any = pd.read_csv(next((folder / "networks").glob("*squeezenet1_1_session-1.csv")))
    published["id"] = published["imagename"].str.extract(r"_([^_]+)\.png$")[0]
    published["texture"] = published["id"].str.extract(r"-([a-z]+)")[0]
    here = {path.stem for path in (folder / "cue_conflict_sample").glob("*/*.png")}
    own = published[published["id"].isin(here)]
    right = (own["object_response"] == own["category"]).mean()
    both = own[(own["category"] != own["texture"]) & own["object_response"].isin(own["category"])]
    cues = both[(both["object_response"] == both["category"]) | (both["object_response"] == both["texture"])]
    row = pick(found, statistic="proportion correct", observer="network", target="all")
    assert row["estimate"] == pytest.approx(right) and row["n"] == 160
    bias = pick(found, statistic="shape bias", observer="network", target="all", truth="")
    assert bias["estimate"] == pytest.approx((cues["object_response"] == cues["category"]).mean())
    assert not found.warnings or "other files" not in " ".join(found.warnings)
