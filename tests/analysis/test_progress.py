"""Analyses that may take minutes tell how far they are, and count all of it."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from beholder.analysis import (
    analyze_agreement,
    analyze_cka,
    analyze_combine,
    analyze_decode,
    analyze_mixed,
    analyze_power,
)
from beholder.recordings import Recordings

IDS = [f"s{i}" for i in range(16)]


def draw_layers() -> dict[str, np.ndarray]:
    return dict(zip("ab", np.random.default_rng(0).normal(size=(2, 16, 8)), strict=True))


def draw_brain() -> Recordings:
    """Two regions of two people."""
    table = {"region": ["IT", "V4"] * 8, "subject": ["one"] * 8 + ["two"] * 8}
    return Recordings(np.random.default_rng(1).normal(size=(16, 16)), IDS, table)


def draw_answers() -> pd.DataFrame:
    """Three people and four stimuli of three classes in two conditions."""
    rows = [
        {"participant": who, "stimulus": f"s{k}", "condition": condition, "truth": "xyz"[k % 3]}
        for who in "abc"
        for condition in ("easy", "hard")
        for k in range(12)
    ]
    drawn = np.random.default_rng(2).choice([*"xyz"], len(rows))
    return pd.DataFrame(rows).assign(response=drawn, correct=lambda each: each["truth"] == each["response"])


CALLS: dict[str, Callable[[], Any]] = {
    "decoding._analyze": lambda: analyze_decode(
        draw_layers(), [*"xxxyyyxy"] * 2, across=[*"ab"] * 8, n_folds=2, n_permutations=3, stimulus_ids=IDS
    ),
    "decoding._analyze of a circle": lambda: analyze_decode(
        draw_layers(), np.arange(16) * 10, period=180, n_folds=4, n_permutations=3, stimulus_ids=IDS
    ),
    "cka._compare": lambda: analyze_cka(draw_layers(), draw_brain(), stimulus_ids=IDS, n_permutations=3),
    "combinations._analyze": lambda: analyze_combine(
        draw_layers(), draw_brain(), stimulus_ids=IDS, n_permutations=3, n_repeats=2
    ),
    "people._analyze_mixed": lambda: analyze_mixed(draw_answers(), "correct ~ condition"),
    "people._analyze_power": lambda: analyze_power(
        np.random.default_rng(0).normal(size=(8, 2, 2)), design="anova", n=[4, 6], n_simulations=5
    ),
    "agreement._analyze": lambda: analyze_agreement(draw_answers(), n_draws=19, n_permutations=19),
}


@pytest.mark.parametrize("name", CALLS)
def test_all_of_the_work_is_counted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, float]] = []
    counted: list[float] = []

    @contextlib.contextmanager
    def show(label: str, total: int, *_: Any, **__: Any) -> Iterator[Callable[[float], None]]:
        told.append((label, total))
        yield counted.append

    monkeypatch.setattr(importlib.import_module(f"beholder.analysis.{name.partition(' ')[0]}"), "show_progress", show)
    CALLS[name]()
    ((label, total),) = told
    assert label and total > 1 and sum(counted) == pytest.approx(total)
