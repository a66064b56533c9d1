"""A small network, a folder of pictures, and the command line in-process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from beholder.cli._main import run, set_up_logging, split_globals

NETWORK = """
import torch
from torch import nn


def build():
    torch.manual_seed(0)
    convolutions = [nn.Conv2d(3, 8, 5, 2), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3)]
    return nn.Sequential(*convolutions, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
"""


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds ``net.py`` and ``images/`` with two classes of three pictures."""
    place = tmp_path_factory.mktemp("place")
    generator = np.random.default_rng(0)
    for i in range(6):
        folder = place / "images" / ("cat", "dog")[i % 2]
        folder.mkdir(exist_ok=True, parents=True)
        Image.fromarray(generator.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(folder / f"picture_{i}.png")
    (place / "net.py").write_text(NETWORK, encoding="utf-8")
    return place


@pytest.fixture
def beholder(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Call the command line; gives exit code, stdout, stderr."""

    def call(*argv: str | Path) -> tuple[int, str, str]:
        tokens, quiet, verbose = split_globals([str(token) for token in argv])
        capsys.readouterr()
        set_up_logging(quiet, verbose)
        code = run(tokens, verbose)
        out, err = capsys.readouterr()
        return code, out, err

    return call
