"""Systems without POSIX, and terminals that cannot show every sign."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import beholder as bh
from beholder.cli._plain_signs import NAME

PLACE = Path(__file__).parent / "other_system.py"


def run_elsewhere(code: str, place: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-X", "warn_default_encoding", str(PLACE), code]
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)


def test_a_store_is_made_by_commands_on_a_system_without_posix(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    draws = np.random.default_rng(0)
    for i in range(3):
        Image.fromarray(draws.integers(0, 256, (40, 40, 3), np.uint8)).save(tmp_path / "pictures" / f"{i}.png")
    code = """
import importlib, pkgutil, warnings
warnings.simplefilter("ignore", EncodingWarning)
warnings.filterwarnings("error", category=EncodingWarning, module=r"beholder\\b")
import beholder
from beholder._core import leases
from beholder.cli import main
for module in pkgutil.walk_packages(beholder.__path__, "beholder."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
assert leases.is_alive(2**30), "nobody is asked by os.kill"
for command in (
    "extract -m beholder:shapes --module_name block5 -ip pictures -op out --device cpu --workers 2",
        "verify out",
    "report .",
):
    try:
        main(command.split())
    except SystemExit as stop:
        assert not stop.code, (command, stop.code)
"""
    ended = run_elsewhere(code, tmp_path)
    assert ended.returncode == 0, ended.stderr[-3000:]
    store = bh.open(tmp_path / "out" / "shapes.zarr")
    assert store["block5"].shape[0] == 3
    assert (tmp_path / "report.html").is_file()


@pytest.mark.parametrize(
    ("encoding", "expected"), [("ascii", "3x4 -> \\u014d"), ("cp1252", "3×4 -> \\u014d"), ("utf-8", "3×4 → ō")]
)
def test_signs_that_a_terminal_lacks_become_plain(encoding: str, expected: str) -> None:
    assert "3×4 → ō".encode(encoding, NAME).decode(encoding) == expected
