import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from beholder.demo._experiment import N_PARTICIPANTS, make_demo_experiment
from beholder.experiments import read_experiment
from beholder.models import load_model
from beholder.stimuli import save_picture


@pytest.fixture(scope="module")
def net():
    return load_model("beholder:shapes", device="cpu")


def write_units(folder, n_units, n_batches, seed=0):
    """Exemplars of small drawn noise."""
    rng = np.random.default_rng(seed)
    for unit in range(n_units):
        for batch in range(n_batches):
            place = folder / "block3.norm" / f"channel_{unit}" / "natural_images" / f"batch_{batch}"
            for sign in ("min", "max"):
                for k in range(10):
                    save_picture(place / f"{sign}_{k}.png", rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    return folder


def test_an_experiment_is_ready_and_taken(net, tmp_path):
    stimuli = write_units(tmp_path / "stimuli" / "shapes", 2, 2)
    out = tmp_path / "experiment"
    assert make_demo_experiment(net, stimuli, out, tmp_path / "figures", 42) == 3
    experiment = read_experiment(out / "tasks")
    assert len(experiment.tasks) == N_PARTICIPANTS
    people: Any = pd.read_csv(out / "answers" / "participants.csv")
    assert people["simulated"].all()
    words = json.loads((tmp_path / "figures" / "participants.figure.json").read_text())
    assert words["title"].startswith("What would people be asked")
    assert "No person took part." in words["warnings"]
    table = pd.read_csv(tmp_path / "figures" / "participants.csv")
    assert table["unit"].tolist() == ["block3.norm/0", "block3.norm/1"]

    before = (out / "simulated.sqlite").read_bytes()
    make_demo_experiment(net, stimuli, out, tmp_path / "figures", 42)
    assert (out / "simulated.sqlite").read_bytes() == before  # what is done is kept
    write_units(tmp_path / "stimuli" / "shapes", 2, 2, seed=1)
    assert make_demo_experiment(net, stimuli, out, tmp_path / "figures", 42) == 3  # other exemplars: made anew
    shown = read_experiment(out / "tasks").tasks[0].trials[0].files["query_max"].read_bytes()
    assert shown in {path.read_bytes() for path in stimuli.rglob("max_*.png")}


def test_too_few_exemplars_make_none(net, tmp_path):
    for n_units, n_batches in ((1, 3), (3, 1)):
        stimuli = write_units(tmp_path / f"{n_units}" / "shapes", n_units, n_batches)
        assert make_demo_experiment(net, stimuli, tmp_path / "experiment", tmp_path / "figures", 42) == 0
    assert not (tmp_path / "experiment").exists()
