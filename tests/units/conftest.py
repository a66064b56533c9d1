"""Stores whose activations are what a test says they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import beholder as bh
from beholder.activations import Activations

Record = Callable[..., Activations]


class Verbatim(nn.Module):
    """Hands its input through: layer ``first`` and layer ``second`` are halves of the channels."""

    def __init__(self, width: Any) -> None:
        super().__init__()
        self.first = nn.Identity()
        self.second = nn.Identity()
        self.half = width // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.first(x[:, : self.half]), self.second(x[:, self.half :])], 1)


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """``record(values)``: a store with layers ``first`` and ``second`` that hold the columns of ``values``."""

    def make(values: np.ndarray, ids: list[str] | None = None, name: str = "verbatim", **options: Any) -> Activations:
        net = bh.wrap(Verbatim(values.shape[1]), input_shape=values.shape[1:], name=name)
        stimuli = bh.StimulusSet.from_arrays(values.astype(np.float32), ids, kind="array")
        return bh.extract(net, stimuli, ["first", "second"], out_path=tmp_path / "activations", pool="mean", **options)

    return make


def read_tree(folder: Path) -> Mapping[str, bytes]:
    """Every file below a folder that must be the same in two runs."""
    skip = ("provenance.json", ".lock")
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith(skip))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
