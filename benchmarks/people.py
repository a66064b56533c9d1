"""Statistics of people's answers: mixed models beside R's lme4, permutations, bootstraps.

Usage: python benchmarks/people.py [--trials FOLDER] [--rounds N]

``mixed``: right answers by condition, people and stimuli crossed, 3,200 trials x 10 people x 320 stimuli: with
``--trials`` the trials of a result of ``beholder analyze mixed`` (``mixed_trials.csv`` in FOLDER), else drawn ones. The
same model is fitted by lme4 in one R process, whose start and reading are not counted (``Rscript`` with lme4:
``apt install r-cran-lme4``).
``anova``: 10,000 permutations of the mixed design of 22 participants and 6 stages.
``bootstrap``: 1,000 draws of a psychometric fit of 7 levels: intervals and goodness of fit; and with a lapse rate that
four conditions share.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from peers import stop

from beholder.analysis import fit_mixed_logistic
from beholder.statistics import (
    bootstrap_psychometric,
    bootstrap_psychometrics,
    fit_psychometric,
    fit_psychometrics,
    permute_mixed_anova,
)

_LME4 = textwrap.dedent(
    """
    suppressMessages(library(lme4))
    asked <- commandArgs(trailingOnly = TRUE)
    d <- read.csv(asked[1], colClasses = c(condition = 'character', participant = 'character', stimulus = 'character'))
    for (k in seq_len(as.integer(asked[2]))) {
      took <- system.time(m <- glmer(correct ~ condition + (1 | participant) + (1 | condition:stimulus), data = d,
                                     family = binomial))
      cat(took[['elapsed']], fixef(m)[[2]], '\\n')
    }
    """
)


def clock(call: Callable[[], Any], rounds: int) -> float:
    """Median wall seconds."""
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def draw_trials() -> pd.DataFrame:
    """10 people x 320 stimuli, half of them in each of two conditions."""
    rng = np.random.default_rng(0)
    person, item = (each.ravel() for each in np.meshgrid(np.arange(10), np.arange(320), indexing="ij"))
    condition = item % 2
    logits = 3.0 - 1.2 * condition + 0.5 * rng.normal(size=10)[person] + 2.3 * rng.normal(size=320)[item]
    correct = (rng.random(len(person)) < 1 / (1 + np.exp(-logits))).astype(int)
    names = {"condition": np.array(["edge", "silhouette"])[condition], "participant": [f"p{each}" for each in person]}
    return pd.DataFrame({"correct": correct, **names, "stimulus": [f"s{each}" for each in item]})


def compare_mixed(folder: Path | None, rounds: int) -> None:
    """A fit, and lme4's."""
    trials = draw_trials() if folder is None else pd.read_csv(folder / "mixed_trials.csv")
    groups = ("participant", "condition:stimulus")
    found = fit_mixed_logistic(trials, "correct ~ condition", groups)
    ours = clock(lambda: fit_mixed_logistic(trials, "correct ~ condition", groups), rounds)
    if shutil.which("Rscript") is None:
        stop("Rscript with lme4", "an environment without it", "apt install r-cran-lme4")
    with tempfile.TemporaryDirectory() as place:
        table, script = Path(place) / "trials.csv", Path(place) / "fit.R"
        trials.to_csv(table, index=False)
        script.write_text(_LME4, encoding="utf-8")
        told = subprocess.run(
            ["Rscript", str(script), str(table), str(rounds)], capture_output=True, text=True, check=True
        ).stdout.split()
    theirs, effect = float(np.median([float(each) for each in told[::2]])), float(told[1])
    print(
        f"mixed model, {len(trials):,} trials: ours {ours:.2f} s, lme4 {theirs:.2f} s, ratio {ours / theirs:.2f}; "
        f"effects {found.estimate[1]:.4f} and {effect:.4f}"
    )


def measure_anova(rounds: int) -> None:
    """Permutations."""
    values = np.random.default_rng(0).uniform(size=(44, 6))
    labels = ["human"] * 22 + ["network"] * 22
    seconds = clock(lambda: permute_mixed_anova(values, labels, n_permutations=10_000), rounds)
    print(f"mixed ANOVA, 22 participants x 6 stages, 10,000 permutations: {seconds:.2f} s")


def measure_bootstraps(rounds: int) -> None:
    """Draws of a fit, and of four with one lapse rate."""
    levels, shown = np.arange(7.0), [40] * 7
    right = [[20, 22, 26, 33, 37, 39, 39], [21, 20, 24, 29, 35, 38, 39], [19, 21, 22, 26, 31, 36, 38],
             [20, 20, 21, 24, 28, 33, 37]]  # fmt: skip
    fit = fit_psychometric(levels, right[0], shown)
    seconds = clock(lambda: bootstrap_psychometric(fit, levels, right[0], shown), rounds)
    free = fit_psychometric(levels, right[0], shown, lapse="free")
    more = clock(lambda: bootstrap_psychometric(free, levels, right[0], shown, lapse="free"), rounds)
    print(f"psychometric fit, 1,000 bootstraps: {seconds:.2f} s; lapse rate free {more:.2f} s")
    fits = fit_psychometrics([levels] * 4, right, [shown] * 4)
    shared = clock(lambda: bootstrap_psychometrics(fits, [levels] * 4, right, [shown] * 4), 1)
    print(f"four conditions with one lapse rate, 1,000 bootstraps: {shared:.2f} s")


def main() -> None:
    """Parse and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=Path, help="a folder with mixed_trials.csv")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    measure_anova(asked.rounds)
    measure_bootstraps(asked.rounds)
    compare_mixed(asked.trials, asked.rounds)


if __name__ == "__main__":
    main()
