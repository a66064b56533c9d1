"""A store that one kind of machine began, and another is to go on with: its processor's limits are an environment's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import beholder as bh
from beholder._core.machine import describe_kind


def extract(place: Path, *more: str, limit: str) -> subprocess.CompletedProcess[str]:
    arguments = ["-m", "beholder:shapes", "--module_name", "block3", "-ip", "images", "-op", "out", "--device", "cpu"]
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": limit}
    code = "from beholder.cli import main; main()"
    command = [sys.executable, "-c", code, "extract", *arguments, *more]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)


def draw(place: Path, n: int) -> None:
    (place / "images").mkdir(exist_ok=True)
    draws = np.random.default_rng(0)
    for i in range(n):
        Image.fromarray(draws.integers(0, 256, (64, 64, 3), np.uint8)).save(place / "images" / f"{i:03}.png")


@pytest.mark.slow
def test_another_kind_refuses_or_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    import torch  # noqa: F401

    if not describe_kind("cpu")["instructions"]["oneDNN"].startswith("AVX512"):
        pytest.skip("this processor has no more than AVX2")
    draw(tmp_path, 8)
    first = extract(tmp_path, "--batch_size", "8", limit="")
    assert first.returncode == 0, first.stderr
    assert extract(tmp_path, limit="AVX2").returncode == 0, "nothing is computed"
    draw(tmp_path, 16)
    refused = extract(tmp_path, "--append", limit="AVX2")
    assert refused.returncode == 2
    (line,) = [line for line in refused.stderr.splitlines() if "expected" in line]
    assert "is made on (oneDNN AVX512" in line and "got one of another kind (oneDNN AVX2)" in line and "--mixed" in line
    mixed = extract(tmp_path, "--append", "--mixed", limit="AVX2")
    assert mixed.returncode == 0, mixed.stderr
    store = next((tmp_path / "out").glob("*.zarr"))
    (check,) = [each for each in bh.verify_outputs(store) if each.machines]
    assert check.is_whole and [share.n_shards for share in check.machines] == [0, 1]
    assert "oneDNN AVX2" in check.machines[1].kind
    provenance = json.loads((tmp_path / "out" / "provenance.json").read_text(encoding="utf-8"))
    assert provenance["outputs"][store.name]["machines"][1]["shards"] == list(check.machines[1].shards)
    values = bh.open(store)["block3"].to_numpy()
    bh.extract(
        "beholder:shapes", tmp_path / "images", ["block3"], out_path=tmp_path / "plain", batch_size=8, device="cpu"
    )
    plain = bh.open(next((tmp_path / "plain").glob("*.zarr")))["block3"].to_numpy()
    assert np.array_equal(values[:8], plain[:8]), "what was finished stays"
    # the others may differ in their last digits, and on some processors they do not
    np.testing.assert_allclose(values, plain, atol=1e-4 * np.abs(plain).max())
