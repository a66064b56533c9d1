"""The tests of this folder, in a process that has computed no gradients before the pretend accelerator is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.devices.conftest import OWN_PROCESS


@pytest.mark.parametrize("which", ["not slow", pytest.param("slow", marks=pytest.mark.slow)])
def test_devices_in_a_process_of_their_own(which: str) -> None:
    if OWN_PROCESS in os.environ:
        pytest.skip("this is that process")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", which, "-p", "no:cacheprovider", str(Path(__file__).parent)],
        cwd=Path(__file__).parents[2], env={**environment, OWN_PROCESS: "1"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert run.returncode in (0, 5), run.stdout[-4000:]  # 5: all are left out
