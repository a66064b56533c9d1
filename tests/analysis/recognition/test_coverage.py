"""Intervals hold what they are said to be over, with people and stimuli that both differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import beholder as bh

N_PEOPLE, N_STIMULI, N_RUNS = 8, 40, 300


@pytest.mark.slow
def test_intervals_cover_other_people_and_other_stimuli() -> None:
    """Over people: the mean of everybody on these stimuli. Of the network: its mean on all stimuli. The difference."""
    draw = np.random.default_rng(0)
    population, answered = draw.normal(0, 0.8, 4000), np.zeros(3)
    for _ in range(N_RUNS):
        ease, strength = draw.normal(0.7, 1.0, N_STIMULI), draw.choice(population, N_PEOPLE)
        right = draw.random((N_PEOPLE, N_STIMULI)) < expit(strength[:, None] + ease)
        network = draw.random(N_STIMULI) < expit(draw.normal(0.2, 1.5, N_STIMULI))
        rows: list[Any] = [(f"p{i}", f"s{k}", bool(right[i, k]), "") for i in range(N_PEOPLE) for k in range(N_STIMULI)]
        rows += [("net", f"s{k}", bool(network[k]), "first") for k in range(N_STIMULI)]
        table: Any = bh.analyze_recognition(
            pd.DataFrame(rows, columns=["participant", "stimulus", "correct", "rule"])
        ).table  # fmt: skip
        people = expit(population[:, None] + ease).mean()
        truths = (
            people,
            expit(0.2 + 1.5 * np.random.default_rng(1).normal(size=200_000)).mean(),
            people - network.mean(),
        )
        for place, (statistic, observer) in enumerate(
            (("proportion correct", "people"), ("proportion correct", "network"), ("difference", "people"))
        ):
            row = table[(table["statistic"] == statistic) & (table["observer"] == observer)].iloc[0]
            answered[place] += row["low"] <= truths[place] <= row["high"]
    assert (np.abs(answered / N_RUNS - 0.95) < 0.04).all(), answered / N_RUNS
