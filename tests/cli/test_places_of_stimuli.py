"""Everything that names stimuli reaches the reader: shards by pattern, data sets within files; nothing else does."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    pictures = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), np.uint8)
    for shard in range(2):
        with tarfile.open(f"train-{shard}.tar", "w") as tar:
            for i in (2 * shard, 2 * shard + 1):
                Image.fromarray(pictures[i]).save(f"{i}.png")
                tar.add(f"{i}.png")
        Path(f"part{shard}").mkdir()
        Path(f"part{shard}/x.tar").write_bytes(Path(f"train-{shard}.tar").read_bytes())
    with h5py.File("pictures.h5", "w") as file:
        file["group/few"] = pictures[:3].transpose(0, 3, 1, 2)
        file["other"] = pictures[:2].transpose(0, 3, 1, 2)
    return tmp_path


@pytest.mark.parametrize(
    ("stimuli", "n"),
    [
        ("train-*.tar", 4),
        ("train-{0..1}.tar", 4),
        ("part{0..1}/x.tar", 4),
        ("{part1,part0}/x.tar", 4),
        ("train-0.tar", 2),
        ("pictures.h5/group/few", 3),
    ],
)
def test_stimuli_are_found_where_they_lie(stimuli: str, n: int, place: Path, beholder: Call) -> None:
    code, out, err = beholder("extract", "beholder:shapes", "--layers", "block5", "--in_path", stimuli, "--json")
    assert code == 0, err
    assert json.loads(out)["store"][0]["n_stimuli"] == n
    code, _, err = beholder("metamers", "null", "beholder:shapes", stimuli, "--layers", "block5", "-N", "1")
    assert code == 0, err


def test_metamers_are_made_of_shards(place: Path, beholder: Call) -> None:
    words = ("--layers", "block5", "-I", "1", "--out_path", "made")
    code, _, err = beholder("metamers", "make", "beholder:shapes", "train-0.tar", *words)
    assert code == 0, err
    assert len(list((place / "made").rglob("metamer.json"))) == 2
