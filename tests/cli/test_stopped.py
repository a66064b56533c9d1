"""Ctrl-C and SIGTERM: one line that says what is kept, no traceback, and the next run completes the output."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.forking import FORKING

SLOW = """
import time
from torch import nn

PLACE = "place"

class Slow(nn.Module):
    def forward(self, x):
        with open(PLACE) as file:
            time.sleep(float(file.read()))
        return x.mean((2, 3))

def build():
    return nn.Sequential(nn.Conv2d(3, 4, 3), Slow())

input_range = (0.0, 1.0)
preprocessing = {"kind": "image", "resize": 8, "crop": 8}
"""


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("slow")
    (place / "net.py").write_text(SLOW.replace("place", str(place / "seconds")), encoding="utf-8")
    (place / "images").mkdir()
    for i, values in enumerate(np.random.default_rng(0).integers(0, 255, (160, 8, 8, 3), dtype=np.uint8)):
        Image.fromarray(values).save(place / "images" / f"{i:03d}.png")
    return place


def make_command(slow: Path, out: Path, workers: int) -> list[str]:
    tokens = ["extract", "-m", f"file:{slow / 'net.py'}", "--module_name", "0", "1", "--in_path", str(slow / "images")]
    return [*tokens, "--out_path", str(out), "--workers", str(workers), "--threads", "2", "--batch_size", "16"]


def run_command(tokens: list[str], said: Path) -> None:
    """What a shell does: a group of its own that Ctrl-C reaches, and all that it and its workers say in two files."""
    from beholder.cli import main

    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run behind an &
    for number, end in ((1, "out"), (2, "err")):
        with open(f"{said}.{end}", "wb") as file:
            os.dup2(file.fileno(), number)
    sys.argv[:] = ["beholder", *tokens]
    main()


@pytest.mark.parametrize(
    ("workers", "number", "code"),
    [(1, signal.SIGINT, 130), (2, signal.SIGINT, 130), (2, signal.SIGTERM, 143)],
    ids=["inline", "workers", "SIGTERM"],
)
def test_a_stopped_command_says_what_is_kept(
    slow: Path, tmp_path: Path, beholder: Callable, workers: int, number: signal.Signals, code: int
) -> None:
    tokens = make_command(slow, tmp_path / "out", workers)
    (slow / "seconds").write_text("0.0", encoding="utf-8")
    assert beholder(*make_command(slow, tmp_path / "whole", 1))[0] == 0
    (slow / "seconds").write_text("1.0", encoding="utf-8")
    process = FORKING.Process(target=run_command, args=(tokens, tmp_path / "said"))
    process.start()
    try:
        while not list(tmp_path.glob("out/.*.jobs/claims/*")):
            assert process.is_alive(), (tmp_path / "said.err").read_text(encoding="utf-8")
            time.sleep(0.05)
        assert process.pid
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            os.kill(process.pid, number)
        process.join(120)
        assert not process.is_alive(), "still runs two minutes after the signal"
    finally:
        process.kill()
        process.join()
    out, err = ((tmp_path / f"said.{end}").read_text(encoding="utf-8") for end in ("out", "err"))
    lines = [line for line in err.splitlines() if "stimuli," not in line]
    assert (process.exitcode, out) == (code, "")
    assert lines[-1] == "stopped; finished parts are kept: run again, the same command goes on from them"
    assert "Traceback" not in err and "Error" not in err, err
    assert not list(tmp_path.rglob(".tmp-workers-*"))
    (slow / "seconds").write_text("0.0", encoding="utf-8")
    assert beholder(*tokens)[0] == 0
    for layer in ("0", "1"):
        values = [sorted((tmp_path / name / f"net.zarr/{layer}/values").rglob("c*")) for name in ("out", "whole")]
        assert [p.read_bytes() for p in values[0] if p.is_file()] == [p.read_bytes() for p in values[1] if p.is_file()]
