"""The stimuli of a recording are found again where they lay, packed or not."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from beholder.activations import extract
from beholder.models import ImagePreprocessing, wrap
from beholder.units._recorded import find_stimuli


def test_packed_stimuli_are_found_again(tmp_path: Path) -> None:
    contents: dict[str, bytes] = {}
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for i in range(4):
            buffer = io.BytesIO()
            pixels = np.random.default_rng(i).integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(buffer, "PNG")
            contents[f"{i}"] = buffer.getvalue()
            info = tarfile.TarInfo(f"{i}.png")
            info.size = len(contents[f"{i}"])
            archive.addfile(info, io.BytesIO(contents[f"{i}"]))
    torch.manual_seed(0)
    preprocessing = ImagePreprocessing(resize=8, crop=(8, 8))
    net = wrap(nn.Sequential(nn.Conv2d(3, 4, 3)), preprocessing, name="small")
    acts = extract(net, tmp_path / "x.tar", ["0"], out_path=tmp_path / "acts", pool="mean")
    assert acts.stimuli["file"].tolist() == [f"x.tar/{i}.png" for i in range(4)]
    found = find_stimuli(acts, preprocessing)
    assert found.ids == acts.stimulus_ids and [found.read_bytes(i) for i in range(4)] == list(contents.values())
    assert [found.hash_stimulus(i) for i in range(4)] == list(acts.stimulus_hashes)
