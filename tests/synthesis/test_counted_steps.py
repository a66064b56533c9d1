"""What is made without a folder tells its steps, too."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import pytest

from beholder._core.progress import Advance
from beholder.synthesis import make_metamers

from .nets import make_model

PICTURES = np.random.default_rng(0).random((1, 3, 16, 16), dtype=np.float32)


def test_each_step_of_a_metamer_in_memory_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []

    @contextlib.contextmanager
    def show(label: str, total: int, unit: str, done: int, *, steps: int) -> Iterator[Advance]:
        assert (total, unit, steps) == (1, "metamers", 8)
        yield told.append

    monkeypatch.setattr("beholder.jobs._dry_run.show_progress", show)
    make_metamers(make_model(), PICTURES, ["relu"], iterations=8)
    assert told[:3] == [1 / 8] * 3
    assert sum(told) == pytest.approx(1)
