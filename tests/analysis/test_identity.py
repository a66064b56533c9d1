"""A result is of what was analysed: other content under the same names has other settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from beholder._core.errors import ConfigurationChanged
from beholder.analysis import analyze_cka, analyze_decode, analyze_encode, analyze_rsa, analyze_tuning, write_result
from beholder.recordings import Recordings, hash_recordings

IDS = [f"s{i}" for i in range(24)]
RNG = np.random.default_rng(0)
LAYERS = {"conv": RNG.normal(size=(24, 5))}
BRAIN = RNG.normal(size=(24, 4))


def record(values: np.ndarray) -> Recordings:
    return Recordings(values, IDS, name="brain")


ANALYSES: dict[str, Any] = {
    "rsa": lambda layers, brain: analyze_rsa(layers, record(brain), stimulus_ids=IDS, n_permutations=0, n_draws=20),
    "encode": lambda layers, brain: analyze_encode(layers, record(brain), stimulus_ids=IDS, n_permutations=0),
    "cka": lambda layers, brain: analyze_cka(layers, record(brain), stimulus_ids=IDS, n_permutations=0),
    "decode": lambda layers, brain: analyze_decode(layers, brain[:, 0] > 0, stimulus_ids=IDS, n_permutations=0),
    "tuning": lambda layers, brain: analyze_tuning(layers, brain[:, 0].round(), stimulus_ids=IDS, n_permutations=0),
}


@pytest.mark.parametrize("kind", ANALYSES)
def test_other_content_of_the_same_name_is_another_analysis(kind: str, tmp_path: Path) -> None:
    run = ANALYSES[kind]
    write_result(run(LAYERS, BRAIN), tmp_path, figures=False)
    write_result(run(LAYERS, BRAIN), tmp_path, figures=False)
    other = BRAIN.copy()
    other[3, 0] = -10 * other[3, 0]
    for layers, brain in ((LAYERS, other), ({"conv": LAYERS["conv"] + 1}, BRAIN)):
        with pytest.raises(ConfigurationChanged):
            write_result(run(layers, brain), tmp_path, figures=False)


def test_recordings_are_their_content() -> None:
    assert hash_recordings(record(BRAIN)) == hash_recordings(Recordings(BRAIN, IDS, name="other"))
    assert hash_recordings(record(BRAIN)) != hash_recordings(Recordings(BRAIN, IDS[::-1], name="brain"))
    assert hash_recordings(record(BRAIN)) != hash_recordings(record(BRAIN + 1e-9))
