"""Own networks as judges, and in the maps and occlusions of their units, on any number of threads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import beholder as bh
from beholder.models import Unit, UnitList, read_preprocessing
from beholder.synthesis import make_metamers
from beholder.units import find_exemplars, map_units, occlude_units, write_exemplars
from student_networks import KEEPERS, TEN, make_network

NAMES = tuple("abcde")


@pytest.mark.parametrize("name", ["vgg", *KEEPERS])
def test_units_and_judges_leave_own_networks_as_they_are(name: str, tmp_path: Path) -> None:
    kind, _, layer = TEN.get(name) or (KEEPERS[name], (), "conv")
    network = make_network(kind).train()
    state = {key: value.clone() for key, value in network.state_dict().items()}
    preprocessing = read_preprocessing({"kind": "image", "resize": 32, "crop": 32})
    model = bh.wrap(network, preprocess=preprocessing, name=name, classes=NAMES[: 5 if name == "vgg" else 4])
    pictures = np.random.default_rng(0).integers(0, 256, (22, 40, 40, 3), dtype=np.uint8)
    (tmp_path / "pictures").mkdir()
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / "pictures" / f"{i:02d}.png")
    acts = bh.record_units(model, tmp_path / "pictures", layers=[layer], out_path=tmp_path / "acts")
    units = UnitList((Unit(layer, 1),))
    files = []
    for threads in (1, 2, 4):
        folder = write_exemplars(find_exemplars(acts, units, num_batches=1), tmp_path / str(threads), threads=1)
        map_units(model, folder, threads=threads)
        occlude_units(model, folder, steps=3, threads=threads)
        paths = [path for path in sorted(folder.rglob("*")) if path.suffix in (".png", ".csv")]
        files.append({path.relative_to(folder).as_posix(): path.read_bytes() for path in paths})
    assert any("activation_maps" in path for path in files[0]) and files[0] == files[1] == files[2]
    make_metamers(model, pictures[:2], [layer], recipe="published", iterations=2, repeats=1, out_path=tmp_path / "met")
    first = bh.judge_metamers(tmp_path / "met" / name, [model], batch_size=2).to_pandas()
    again = bh.judge_metamers(tmp_path / "met" / name, [model], batch_size=2, overwrite=True).to_pandas()
    assert len(first) and first.equals(again)
    assert network.training and all(p.requires_grad and p.grad is None for p in network.parameters())
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
