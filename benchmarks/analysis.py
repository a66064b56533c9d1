"""Analyses against rsatoolbox, scikit-learn and himalaya, each with the same numbers in one run.

Usage: python benchmarks/analysis.py [--rows rdm large blocks searchlight ridge orders wide bootstrap] [--small]

``rdm``: correlation dissimilarities of 5,000 x 5,000 float32, beside rsatoolbox's and the bare product X @ X.T.
``large``: 26,000 x 5,000 in a process of its own, whose peak memory is told.
``blocks``: RDMs of all 16 blocks of ResNet-50 (means over space) x 50,000 stimuli, layers read as they are asked for.
``searchlight``: 30,000 centres x 92 stimuli x 8 layers, with 100 permutations.
``ridge``: 7,694 targets x 80 penalties x 10 splits of 83 stimuli, leave-one-out, beside a loop of scikit-learn's
RidgeCV, which is timed on 40 targets of one split and multiplied up, and himalaya's kernel ridge, timed on one split.
``orders``: p of the same targets from 200 orders of 165 stimuli, all fitted anew, beside the fit that it belongs to.
``wide``: 3,000 samples x 1,000 features x 30,000 targets x 20 penalties x 3 folds, beside himalaya.
``bootstrap``: draws of 1,000 stimuli x 4 subjects, beside rsatoolbox's on fewer draws, multiplied up.
``--small``: a tenth of each side, to see that all rows run.
"""

from __future__ import annotations

import argparse
import importlib
import platform
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from peers import INSTALL, stop

from beholder.activations import compute_condensed_rdm

_ROWS = ("rdm", "large", "blocks", "searchlight", "ridge", "orders", "wide", "bootstrap")
_WIDTHS = [256] * 3 + [512] * 4 + [1024] * 6 + [2048] * 3

_LARGE = textwrap.dedent(
    """
    import resource, sys, time
    import numpy as np
    from beholder.activations import compute_condensed_rdm

    values = np.random.default_rng(0).standard_normal((int(sys.argv[1]), int(sys.argv[2])), dtype=np.float32)
    start = time.perf_counter()
    rdm = compute_condensed_rdm(values)
    seconds = time.perf_counter() - start
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, rdm.nbytes / 2**30, rdm.dtype)
    """
)

_BLOCKS = textwrap.dedent(
    """
    import resource, sys, time
    import numpy as np
    from beholder.activations import compute_condensed_rdm

    class Layer:
        def __init__(self, n, width):
            self.shape, self.dtype, self.stimulus_ids = (n, 1, width), np.dtype("float32"), range(n)

        def __getitem__(self, rows):
            size = len(range(*rows.indices(self.shape[0])))
            generator = np.random.default_rng([rows.start, self.shape[2]])
            return generator.standard_normal((size, *self.shape[1:]), dtype=np.float32)

    n = int(sys.argv[1])
    start = time.perf_counter()
    for width in map(int, sys.argv[2:]):
        rdm = compute_condensed_rdm(Layer(n, width))
        del rdm
    print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
    """
)


def load(module: str) -> Any:
    """A module of a package that is compared with."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        stop(module.partition(".")[0], f"an environment without it ({error})", INSTALL.format("-analysis"))


def clock(call: Callable[[], Any], rounds: int = 3) -> float:
    """Median wall seconds."""
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def tell(row: str, ours: float, **others: float) -> None:
    """Print one row: our seconds, theirs, and the ratios."""
    words = "".join(f"{name:>16} {seconds:9.3f} s = {seconds / ours:7.2f} x" for name, seconds in others.items())
    print(f"{row:<44}{'ours':>6} {ours:9.3f} s{words}", flush=True)


def compare_rdms(shrink: int) -> None:
    """Correlation dissimilarities."""
    data, rdm = load("rsatoolbox.data"), load("rsatoolbox.rdm")
    n = 5000 // shrink
    values = np.random.default_rng(0).standard_normal((n, n), dtype=np.float32)
    dataset = data.Dataset(values)
    compute_condensed_rdm(values[:500])
    ours = clock(lambda: compute_condensed_rdm(values), 5)
    bare = clock(lambda: values @ values.T, 5)
    theirs = clock(lambda: rdm.calc_rdm(dataset, method="correlation"), 1)
    tell(f"RDM, {n} x {n}", ours, product=bare, rsatoolbox=theirs)


def measure_large(shrink: int) -> None:
    """Seconds and peak memory of a process."""
    n, p = 26_000 // shrink, 5_000 // shrink
    command = [sys.executable, "-c", _LARGE, str(n), str(p)]
    seconds, peak, size, dtype = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    print(f"RDM, {n} x {p}: {float(seconds):.1f} s, peak {float(peak):.2f} GiB, the RDM {float(size):.2f} GiB {dtype}")


def measure_blocks(shrink: int) -> None:
    """Seconds and peak memory over all blocks of a network."""
    n = 50_000 // shrink
    command = [sys.executable, "-c", _BLOCKS, str(n), *map(str, _WIDTHS)]
    seconds, peak = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    print(f"RDMs of {len(_WIDTHS)} blocks, {n} stimuli: {float(seconds):.1f} s, peak {float(peak):.2f} GiB")


def measure_searchlight(shrink: int) -> None:
    """Seconds of a searchlight."""
    from beholder.analysis import compute_searchlight, iter_ball_neighbours

    n = 30_000 // shrink
    places = np.argwhere(np.ones((40, 40, 40)))[:n]
    generator = np.random.default_rng(0)
    values = generator.standard_normal((92, 1, n), dtype=np.float32)
    rdms = generator.random((8, 92 * 91 // 2))
    seconds = clock(lambda: compute_searchlight(values, iter_ball_neighbours(places, 3), rdms, n_permutations=100), 1)
    print(f"searchlight, {n} centres x 92 stimuli x 8 layers: {seconds:.1f} s")


def compare_ridge(shrink: int) -> None:
    """The published shape: a penalty a target, chosen by leave-one-out, ten splits."""
    from beholder.analysis import fit_ridge

    linear, ridge = load("sklearn.linear_model"), load("himalaya.kernel_ridge")
    generator = np.random.default_rng(0)
    n_targets, n_splits = 7694 // shrink, max(1, 10 // shrink)
    features, voxels = generator.standard_normal((83, 512)), generator.standard_normal((83, n_targets))
    alphas = np.logspace(-3, 7, 80)
    ours = clock(lambda: [fit_ridge(features, voxels, alphas) for _ in range(n_splits)], 1)

    def loop() -> None:
        for target in voxels.T[:40]:
            linear.RidgeCV(alphas=alphas).fit(features, target)

    sklearn = clock(loop, 1) * n_targets / 40 * n_splits
    model = ridge.KernelRidgeCV(alphas=alphas, kernel="linear", cv=83)
    himalaya = clock(lambda: model.fit(features, voxels), 1) * n_splits
    tell(f"ridge, {n_targets} targets x 80 x {n_splits}", ours, sklearn=sklearn, himalaya=himalaya)
    print(f"{'':<44}sklearn: 40 targets of one split, himalaya: one split, multiplied up; all leave-one-out")


def compare_orders(shrink: int) -> None:
    """A test of all targets: what it costs beyond the fit."""
    from beholder.analysis import analyze_encode
    from beholder.recordings import Recordings

    generator = np.random.default_rng(0)
    ids, n_targets = [f"s{i}" for i in range(165)], 7694 // shrink
    layer, recorded = (
        generator.standard_normal((165, 512)),
        Recordings(generator.standard_normal((165, n_targets)), ids),
    )

    def run(n_permutations: int) -> float:
        return clock(lambda: analyze_encode({"a": layer}, recorded, stimulus_ids=ids, n_permutations=n_permutations), 1)

    run(0)
    fit, tested = run(0), run(200)
    tell(f"200 orders, {n_targets} targets, 165 stimuli", fit, with_test=tested)


def compare_wide(shrink: int) -> None:
    """The shape of himalaya's own benchmark."""
    from beholder.analysis import fit_ridge

    ridge = load("himalaya.ridge")
    generator = np.random.default_rng(0)
    n, p, t = 3000 // shrink, 1000 // shrink, 30_000 // shrink
    x, y = generator.standard_normal((n, p), dtype=np.float32), generator.standard_normal((n, t), dtype=np.float32)
    alphas = np.logspace(-2, 5, 20)
    ours = clock(lambda: fit_ridge(x, y, alphas, 3), 1)
    model = ridge.RidgeCV(alphas=alphas, cv=3)
    tell(f"ridge, {n} x {p} x {t} x 20 x 3", ours, himalaya=clock(lambda: model.fit(x, y), 1))


def compare_bootstrap(shrink: int) -> None:
    """Draws of stimuli and subjects."""
    from beholder.analysis import bootstrap_rsa

    inference, model, rdm = load("rsatoolbox.inference"), load("rsatoolbox.model"), load("rsatoolbox.rdm")
    n, n_draws, n_theirs = 1000 // shrink, 1000 // shrink, 5
    generator = np.random.default_rng(0)
    people = generator.random((4, n * (n - 1) // 2))
    models = generator.random((2, n * (n - 1) // 2))
    ours = clock(lambda: bootstrap_rsa(models, people, n_draws=n_draws), 1)
    fixed = [model.ModelFixed(f"m{i}", each) for i, each in enumerate(models)]
    measured = rdm.RDMs(people)
    theirs = clock(lambda: inference.eval_bootstrap(fixed, measured, method="spearman", N=n_theirs), 1)
    tell(f"{n_draws} draws, {n} stimuli x 4 people", ours, rsatoolbox=theirs / n_theirs * n_draws)


_COMPARE: dict[str, Callable[[int], None]] = {
    "rdm": compare_rdms,
    "large": measure_large,
    "blocks": measure_blocks,
    "searchlight": measure_searchlight,
    "ridge": compare_ridge,
    "orders": compare_orders,
    "wide": compare_wide,
    "bootstrap": compare_bootstrap,
}


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", nargs="+", default=list(_ROWS), choices=_ROWS)
    parser.add_argument("--small", action="store_true")
    args = parser.parse_args()
    for module in ("rsatoolbox", "himalaya", "sklearn"):
        load(module)
    print(f"{platform.processor() or platform.machine()}, numpy {np.__version__}")
    for row in args.rows:
        _COMPARE[row](10 if args.small else 1)


if __name__ == "__main__":
    main()
