"""Networks on versions of stimuli, beside people whose trials name a stimulus and its condition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

import beholder as bh
from beholder.analysis import RESULT_KINDS, evaluate_battery, guard_result, write_result
from beholder.analysis.battery._pictures import join_pictures
from beholder.models import ImagePreprocessing
from beholder.responses import Trials
from beholder.stimuli import StimulusSet, read_stimuli

LEVELS = (0.05, 0.5, 1.0)
ORIGINALS = tuple((f"{label}_{k}", label) for label in ("bear", "dog") for k in range(3))
FORM = ImagePreprocessing(resize=16, crop=(16, 16), mean=(0,) * 3, std=(1,) * 3)  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `beholder stimuli grade` writes it, one of several grades."""
    folder = tmp_path_factory.mktemp("graded")
    rows = ["file,stimulus_id,label,target,grade,level,original"]
    for level in LEVELS:
        for k, (name, label) in enumerate(ORIGINALS):
            file = f"contrast_{level}/{name}.png"
            (folder / file).parent.mkdir(exist_ok=True)
            pixels = np.full((16, 16, 3), int(40 * k * level) + 10, np.uint8)
            Image.fromarray(pixels).save(folder / file)
            rows.append(f"{file},contrast_{level}__{name},{label},{int(label == 'dog')},contrast,{level},{name}")
    (folder / "stimuli.csv").write_text("\n".join(rows))
    return folder / "stimuli.csv"


def answer(stimuli: StimulusSet, name: str = "level={level:g}", n_people: int = 3) -> Trials:
    """Person p sees stimulus k at level k + p, nobody what another one sees. Above the lowest level all is right."""
    rows = [
        {
            "participant": f"p{person}", "stimulus": own, "level": level, "truth": label,
            "condition": name.format(level=level), "response": label if level > LEVELS[0] else "bear",
        }
        for person in range(n_people) for k, (own, label) in enumerate(ORIGINALS)
        for level in [LEVELS[(k + person) % len(LEVELS)]]
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    return Trials(table.assign(correct=table["response"] == table["truth"]), ())


@pytest.mark.parametrize("name", ["level={level:g}", "grade=contrast, level={level:g}", ""])
def test_answers_join_the_version_that_was_shown(graded: Path, name: str) -> None:
    """Whichever columns the experiment's conditions name; without any (levels of a staircase), by the level."""
    stimuli = read_stimuli(graded)
    found = join_pictures(stimuli, answer(stimuli, name))
    table: Any = found.people.table
    assert len(table) == 18 and "18 of 18 answers" in found.sentences[0]
    assert all(row.stimulus.startswith(f"contrast_{row.level}__") for row in table.itertuples())
    assert found.stimuli.conditions["level"] == [each for each in LEVELS for _ in ORIGINALS]
    assert found.stimuli.labels == tuple(label for _ in LEVELS for _, label in ORIGINALS)


def test_a_part_of_the_versions_joins_these_alone(graded: Path) -> None:
    """In which the level does not vary; and other grades are no versions of these."""
    stimuli = read_stimuli(graded)
    people = answer(stimuli, "grade=contrast, level={level:g}")
    found = join_pictures(stimuli[range(6)], people)
    assert found.people.table["level"].unique().tolist() == [0.05]
    assert found.sentences[0].startswith("6 of 18 pictures") and "6 of 18 answers" in found.sentences[0]
    people.table.loc[people.table["participant"] == "p1", "condition"] = "grade=blur, level=1"
    table: Any = join_pictures(stimuli, people).people.table
    assert set(table["participant"]) == {"p0", "p2"}


class Brightness(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([-1.0, 1.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x.mean((1, 2, 3)) - 0.2)[:, None] * self.scale


def test_the_battery_of_an_own_graded_experiment_can_be_repeated(graded: Path, tmp_path: Path) -> None:
    """Also where no two people saw the same version; the same analysis again is no other one."""
    network = bh.wrap(Brightness(), preprocess=FORM, name="brightness", classes=("bear", "dog"))
    stimuli = read_stimuli(graded)

    def run() -> bh.Result:
        with guard_result({"rule": "first"}, tmp_path, "battery", overwrite=False):
            found = evaluate_battery(
                network, stimuli, answer(stimuli), out_path=tmp_path / "answers", n_draws=20, n_permutations=9,
                device="cpu",
            )  # fmt: skip
        write_result(found, tmp_path, figures=False)
        return found

    run()
    found = run()
    table: Any = found.table
    of_people = table[(table["observer"] == "people") & (table["statistic"] == "proportion correct")]
    shares = dict(zip(of_people["target"], of_people["estimate"], strict=True))
    assert shares["0.05"] == pytest.approx(0.5) and shares["1"] == 1
    assert {"agreement_kappas", "recognition_curves"} <= {each.name for each in RESULT_KINDS["battery"].draw(found)}


def test_kappa_of_every_person_has_a_panel_a_condition(graded: Path, tmp_path: Path) -> None:
    """Everybody sees everything at every level here; who is always right has an empty row."""
    network = bh.wrap(Brightness(), preprocess=FORM, name="brightness", classes=("bear", "dog"))
    stimuli = read_stimuli(graded)
    rows = [
        {
            "participant": f"p{person}", "stimulus": own, "level": level, "condition": f"level={level:g}",
            "truth": label, "response": label if (k + person) % 3 or level == LEVELS[-1] else "none of both",
        }
        for person in range(2) for k, (own, label) in enumerate(ORIGINALS) for level in LEVELS
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    people = Trials(table.assign(correct=table["response"] == table["truth"]), ())
    found = evaluate_battery(
        network, stimuli, people, out_path=tmp_path / "answers", n_draws=20, n_permutations=9, device="cpu"
    )
    drawn = {each.name: each for each in RESULT_KINDS["battery"].draw(found)}
    panels = drawn["people_0"].figure.axes
    conditions = found.settings["parts"]["agreement"]["settings"]["conditions"]
    assert [ax.get_title(loc="left") or ax.get_title() for ax in panels] == conditions and len(conditions) == 3
    pairs: Any = found.table[(found.table["statistic"] == "pair") & (found.table["subject"] != "")]
    for ax, condition in zip(panels, conditions, strict=True):
        lines: list[Any] = [line for line in ax.lines if line.get_marker() == "o"]
        shown = [float(line.get_xdata()[0]) for line in lines]
        own = pairs[(pairs["target"] == condition) & (pairs["model"] == "brightness")]
        assert sorted(x for x in shown if x == x) == pytest.approx(sorted(own["estimate"].dropna()))
