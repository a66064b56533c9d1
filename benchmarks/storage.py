"""Writing one layer (against one .npy) and reading it (against one HDF5 dataset a stimulus).

Usage: python benchmarks/storage.py
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

from beholder.activations import Activations
from beholder.activations._shard_file import plan_layout, shard_path, write_shard
from beholder.activations._store import StoredLayer, create_layer, open_group, write_stimuli


def time_npy(path: Path, values: np.ndarray) -> float:
    """Seconds to save one .npy."""
    start = time.perf_counter()
    np.save(path, values)
    return time.perf_counter() - start


def time_store(path: Path, values: np.ndarray, rows: int) -> float:
    """Seconds to add a layer to a store: its array and its shards (the table of stimuli is there once a store)."""
    ids = [f"s{i:06d}" for i in range(len(values))]
    root = open_group(path, "a")
    root.attrs.put({"layers": ["layer"], "complete": True, "model": "m", "stimulus_columns": ["id"]})
    write_stimuli(root, {"id": ids})
    start = time.perf_counter()
    layer = StoredLayer(
        "layer", tuple(f"a{i}" for i in range(values.ndim - 1)), plan_layout(rows, values.shape[1:], "float32")
    )
    create_layer(root, layer, len(values), 1)
    for i in range(0, len(values), rows):
        write_shard(
            shard_path(path / "layer/values", i // rows, 0, values.ndim - 1), values[i : i + rows], layer.layout
        )
    return time.perf_counter() - start


def main() -> None:
    """Print both tables."""
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp)
        print(f"{'writing':<28}{'store s':>10}{'npy s':>10}{'ratio':>8}")
        for shape in ((1000, 512, 13, 13), (1000, 64, 111, 111), (100_000, 512)):
            values = generator.standard_normal(shape, dtype=np.float32)
            rows = max(1, min(2**25 // values[0].nbytes, max(256, 2 ** math.ceil(math.log2(len(values) / 100)))))
            pairs = []
            for k in range(5):
                os.sync()
                npy = time_npy(folder / f"{k}.npy", values)
                os.sync()
                pairs.append((time_store(folder / f"{k}.zarr", values, rows), npy))
                (folder / f"{k}.npy").unlink()
                shutil.rmtree(folder / f"{k}.zarr")
            ours, theirs = sorted(pairs, key=lambda p: p[0] / p[1])[2]
            print(f"{shape!s:<28}{ours:>10.3f}{theirs:>10.3f}{ours / theirs:>8.2f}", flush=True)
        values = generator.standard_normal((10_000, 2048), dtype=np.float32)
        time_store(folder / "r.zarr", values, 256)
        with h5py.File(folder / "r.h5", "w") as file:
            for i, row in enumerate(values):
                file[f"model/s{i:06d}/layer"] = row[None]
        print(f"{'reading 10,000 x 2,048':<28}{'store s':>10}{'HDF5 s':>10}{'ratio':>8}")
        pairs = []
        for _ in range(5):
            start = time.perf_counter()
            ours = Activations(folder / "r.zarr")["layer"].to_numpy()
            middle = time.perf_counter()
            with h5py.File(folder / "r.h5") as file:
                model = file["model"]
                theirs = np.concatenate([model[name]["layer"][:] for name in model])
            end = time.perf_counter()
            assert np.array_equal(ours, theirs)
            pairs.append((middle - start, end - middle))
        ours_s, theirs_s = sorted(pairs, key=lambda p: p[1] / p[0])[2]
        print(f"{'':<28}{ours_s:>10.3f}{theirs_s:>10.3f}{theirs_s / ours_s:>8.1f}")


if __name__ == "__main__":
    main()
