"""Workers that are killed at random moments, processes and Dask's: the command ends with the bytes of a plain run."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import beholder

from .test_killed import make_command, place, read_tree

psutil = pytest.importorskip("psutil")
distributed = pytest.importorskip("distributed")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

__all__ = ["place"]

N_KILLS, MOST_RUNS, SEED = 20, 12, 7
_SOURCE = str(Path(beholder.__file__).parents[1])
_RUN = "import sys; from beholder.cli._main import run; sys.exit(run(sys.argv[1:]))"


@contextlib.contextmanager
def start_command(tokens: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    env = {**os.environ, "PYTHONPATH": _SOURCE, "OMP_NUM_THREADS": "1"}
    dashed = [token.replace("_", "-") if token.startswith("--") else token for token in tokens]
    process = subprocess.Popen([sys.executable, "-c", _RUN, *dashed], env=env, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def dask_word() -> Iterator[str]:
    options = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": logging.CRITICAL}
    with distributed.LocalCluster(n_workers=2, **options) as cluster:
        yield f"dask:{cluster.scheduler_address}"


@pytest.fixture(scope="module")
def pictures(place: Path) -> Path:
    """So many that recording them takes several parts."""
    folder = place / "many"
    folder.mkdir()
    generator = np.random.default_rng(1)
    for i in range(1100):
        pixels = generator.integers(0, 255, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"picture_{i:04d}.png")
    return folder


def list_workers(top: int) -> list[int]:
    """Processes below one that compute; ``tests/jobs/test_dask.py`` kills those of Dask that have started them."""
    found = []
    with contextlib.suppress(psutil.Error):
        for each in psutil.Process(top).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if "beholder.jobs._serve" in " ".join(each.cmdline()):
                    found.append(each.pid)
    return sorted(found)


@pytest.mark.parametrize("kind", ["record", "default"])
@pytest.mark.parametrize("way", ["processes", "dask"])
def test_twenty_kills(
    way: str, kind: str, place: Path, pictures: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    def make(out: Path) -> list[str]:
        return [str(pictures) if word == str(place / "images") else word for word in make_command(kind, place, out)]

    began = time.monotonic()
    with start_command(make(tmp_path / "plain")) as process:
        assert process.communicate()[1] is not None and process.returncode == 0
    seconds = time.monotonic() - began
    expected = read_tree(tmp_path / "plain")
    more = ["--workers", "2"] if way == "processes" else ["--cluster", request.getfixturevalue("dask_word")]
    generator = random.Random(SEED)
    n_kills = n_runs = n_whole = 0
    while n_kills < N_KILLS and n_runs < MOST_RUNS * 3:
        out = tmp_path / f"out{n_whole}"
        n_runs += 1
        with start_command([*make(out), *more]) as process:
            assert process.stderr is not None
            os.set_blocking(process.stderr.fileno(), False)
            said = b""
            while process.poll() is None:
                time.sleep(generator.random() * seconds / 1.5)
                said += process.stderr.read() or b""
                workers = list_workers(process.pid if way == "processes" else os.getpid())
                if workers and process.poll() is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(generator.choice(workers), 9)
                        n_kills += 1
            said += process.stderr.read() or b""
        if process.returncode == 0:
            assert read_tree(out) == expected
            n_whole += 1
        else:
            assert b"in a row that" in said and b"finished parts are kept" in said, said.decode()
    assert n_kills >= N_KILLS, f"{n_kills} kills in {n_runs} runs"
    with start_command([*make(tmp_path / f"out{n_whole}"), *more]) as process:
        said = process.communicate()[1]
    assert process.returncode == 0, said.decode()
    assert read_tree(tmp_path / f"out{n_whole}") == expected
    print(f"{n_kills} kills in {n_runs} runs, of which {n_whole} came to their end")
