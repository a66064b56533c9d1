"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real pictures, sounds and weights; tests that need them skip where they are absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("BEHOLDER_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip("the folder of real test data is absent (set BEHOLDER_TEST_DATA)")
    return folder
