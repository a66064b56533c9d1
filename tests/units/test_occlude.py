"""Occluded pictures: the places against a plain loop, files, interruptions, refusals."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import beholder as bh
from beholder.models import Unit
from beholder.stimuli import draw_shapes_set, open_image
from beholder.units import find_exemplars, occlude_units, place_patches, write_exemplars

UNITS = [Unit("block1.conv", 2), Unit("block3", 5)]


@pytest.fixture(scope="module")
def stimuli(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``stimuli/shapes`` with two units and two batches."""
    place = tmp_path_factory.mktemp("occlusion")
    draw_shapes_set(place / "images", n_per_category=3)
    net = bh.load_model("beholder:shapes", device="cpu")
    acts = bh.record_units(net, place / "images", layers=["block1.conv", "block3"], out_path=place / "activations")
    return write_exemplars(find_exemplars(acts, UNITS, num_batches=2), place / "stimuli")


@pytest.fixture
def folder(stimuli: Path, tmp_path: Path) -> Path:
    return copy(stimuli, tmp_path / "own")


def copy(stimuli: Path, place: Path) -> Path:
    return Path(shutil.copytree(stimuli, place / stimuli.name))


def cover(pixels: np.ndarray, top: int, left: int, side: int) -> np.ndarray:
    covered = pixels.copy()
    covered[top : top + side, left : left + side] = (124, 116, 104)
    return covered


def read_all(folder: Path) -> dict[str, bytes]:
    files = sorted(folder.glob("*/*/counterfactual_images/**/*"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.is_file()}


def test_places_reach_from_edge_to_edge() -> None:
    places = place_patches(50, 40, 16, 5)
    assert len(places) == 25
    assert places.min(axis=0).tolist() == [0, 0]
    assert places.max(axis=0).tolist() == [34, 24]
    assert len(place_patches(4, 4, 3, 9)) == 4, "each place once"


def test_against_a_plain_loop(folder: Path) -> None:
    net = bh.load_model("beholder:shapes", device="cpu")
    occlude_units(net, folder, proportion=0.3, steps=4)
    for unit in UNITS:
        own = folder / unit.layer / f"channel_{unit.channel}"
        with open(own / "counterfactual_images" / "manifest.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["batch"] for row in rows] == ["0", "1"]
        for row in rows:
            made = own / "counterfactual_images" / f"batch_{row['batch']}"
            base = own / "natural_images" / f"batch_{row['batch']}" / "max_9.png"
            assert (made / "base.png").read_bytes() == base.read_bytes()
            pixels = np.asarray(open_image(base))
            side = round(0.3 * min(pixels.shape[:2]))
            tops, lefts = (np.rint(np.linspace(0, n - side, 4)).astype(int).tolist() for n in pixels.shape[:2])
            places = [(y, x) for y in tops for x in lefts]
            covered = np.stack([cover(pixels, *place, side) for place in places])
            _, layers = bh.capture(net, torch.tensor(covered).permute(0, 3, 1, 2).float() / 255, [unit.layer])
            means = layers[unit.layer][:, unit.channel].flatten(1).mean(1)
            values = dict(zip(places, means.tolist(), strict=True))
            least, most = min(values, key=lambda k: values[k]), max(values, key=lambda k: values[k])
            assert int(row["side"]) == side
            assert (int(row["min_y"]), int(row["min_x"])) == least
            assert (int(row["max_y"]), int(row["max_x"])) == most
            assert float(row["activation_min"]) == pytest.approx(values[least], rel=1e-4)
            assert float(row["activation_max"]) == pytest.approx(values[most], rel=1e-4)
            for name, (y, x) in (("min", least), ("max", most)):
                with Image.open(made / f"{name}.png") as picture:
                    assert (np.asarray(picture) == cover(pixels, y, x, side)).all()


def test_the_same_bytes_in_any_company(stimuli: Path, tmp_path: Path) -> None:
    net = bh.load_model("beholder:shapes", device="cpu")
    whole = copy(stimuli, tmp_path / "whole")
    occlude_units(net, whole, steps=3)
    first = read_all(whole)
    assert len(first) == 14
    grown = copy(stimuli, tmp_path / "grown")
    for unit in UNITS[::-1]:
        occlude_units(net, grown, [unit], steps=3, threads=1)
    assert read_all(grown) == first
    os.unlink(grown / "block3" / "channel_5" / "counterfactual_images" / "batch_1" / "min.png")
    occlude_units(net, grown, steps=3)
    assert read_all(grown) == first


KILLED = """
import os, sys
import beholder as bh
from beholder.units import _occlude_worker as worker, occlude_units
left = int(sys.argv[2])
write = worker.write_bytes

def write_and_die(path, data):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
    write(path, data)

worker.write_bytes = write_and_die
occlude_units(bh.load_model("beholder:shapes", device="cpu"), sys.argv[1], steps=3, threads=1)
"""


def test_killed(stimuli: Path, tmp_path: Path) -> None:
    net = bh.load_model("beholder:shapes", device="cpu")
    whole = copy(stimuli, tmp_path / "whole")
    occlude_units(net, whole, steps=3)
    killed = copy(stimuli, tmp_path / "killed")
    run = subprocess.run([sys.executable, "-c", KILLED, killed, "9"], check=False)
    assert run.returncode == 9
    occlude_units(net, killed, steps=3)
    assert read_all(killed) == read_all(whole)


def test_other_settings_and_networks_are_refused(folder: Path) -> None:
    net = bh.load_model("beholder:shapes", device="cpu")
    occlude_units(net, folder, UNITS[:1], steps=2)
    with pytest.raises(bh.InputError, match="steps was 2, now 3"):
        occlude_units(net, folder, steps=3)
    occlude_units(net, folder, UNITS[:1], steps=3, overwrite=True)
    with pytest.raises(bh.InputError, match="proportion between 0 and 1"):
        occlude_units(net, folder, proportion=1.0)
    with pytest.raises(bh.InputError, match="2 steps or more"):
        occlude_units(net, folder, steps=1)
    other = bh.load_model("beholder:shapes@random", device="cpu")
    with pytest.raises(bh.InputError, match=r"the network that made .*natural_images"):
        occlude_units(other, folder, overwrite=True, steps=2)
