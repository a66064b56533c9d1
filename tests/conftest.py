"""Fixtures that every room's tests share."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from beholder._core.progress import set_quiet


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """What a command run in-process sets for the whole process ends with its test."""
    logger = logging.getLogger("beholder")
    handlers, level, propagate = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers[:], logger.propagate = handlers, propagate
    logger.setLevel(level)
    set_quiet(False)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real pictures, sounds and weights; tests that need them skip where they are absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("BEHOLDER_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip("the folder of real test data is absent (set BEHOLDER_TEST_DATA)")
    return folder
