"""Writing one layer (against one .npy) and reading it (against one HDF5 dataset a stimulus).

Usage: python benchmarks/storage.py
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np

from beholder._core.files import sync_files
from beholder.activations import Activations
from beholder.activations.store._arrays import StoredLayer, create_layer, open_group, write_stimuli
from beholder.activations.store._shard_file import plan_layout, shard_path, write_shard

_WAYS = (("", None, False), (", to the disk", os.sync, False), (", durable", None, True))


def time_npy(path: Path, values: np.ndarray, *, durable: bool = False) -> float:
    """Seconds to save one .npy."""
    start = time.perf_counter()
    np.save(path, values)
    if durable:
        sync_files([path], path)
    return time.perf_counter() - start


def time_store(path: Path, values: np.ndarray, rows: int, *, durable: bool = False) -> float:
    """Seconds to add a layer to a store: its array and its shards (the table of stimuli is there once a store).

    With ``durable`` as commands do: the disk holds each shard before its receipt would be written, in a thread beside.
    """
    ids = [f"s{i:06d}" for i in range(len(values))]
    root = open_group(path, "a")
    root.attrs.put({"layers": ["layer"], "complete": True, "model": "m", "stimulus_columns": ["id"]})
    write_stimuli(root, {"id": ids}, {})
    start = time.perf_counter()
    layer = StoredLayer(
        "layer", tuple(f"a{i}" for i in range(values.ndim - 1)), plan_layout(rows, values.shape[1:], "float32")
    )
    create_layer(root, layer, len(values), 1)
    with ThreadPoolExecutor(1) as beside:
        for i in range(0, len(values), rows):
            shard = shard_path(path / "layer/values", i // rows, 0, values.ndim - 1)
            write_shard(shard, values[i : i + rows], layer.layout)
            if durable:
                beside.submit(sync_files, [shard], path)
    return time.perf_counter() - start


def compare_writing(
    folder: Path,
    values: np.ndarray,
    rows: int,
    finish: Callable[[], None] | None,
    rounds: int = 9,
    *,
    durable: bool = False,
) -> tuple[float, float]:
    """Least seconds of either over several rounds, in turn, each into memory that the other has just given back."""
    ours, theirs = [], []
    for k in range(rounds):
        for kind in ("npy", "store")[:: 1 if k % 2 else -1]:
            os.sync()
            if kind == "npy":
                seconds = time_npy(folder / "w.npy", values, durable=durable)
            else:
                seconds = time_store(folder / "w.zarr", values, rows, durable=durable)
            if finish is not None:
                left = time.perf_counter()
                finish()
                seconds += time.perf_counter() - left
            (theirs if kind == "npy" else ours).append(seconds)
            (folder / "w.npy").unlink(missing_ok=True)
            shutil.rmtree(folder / "w.zarr", ignore_errors=True)
    return min(ours), min(theirs)


def main() -> None:
    """Print both tables."""
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp)
        print(f"{'writing':<36}{'store s':>10}{'npy s':>10}{'ratio':>8}")
        for shape in ((1000, 512, 13, 13), (1000, 64, 111, 111), (100_000, 512)):
            values = generator.standard_normal(shape, dtype=np.float32)
            rows = max(1, min(2**26 // values[0].nbytes, max(256, 2 ** math.ceil(math.log2(len(values) / 64)))))
            for label, finish, durable in _WAYS:
                ours, theirs = compare_writing(folder, values, rows, finish, durable=durable)
                print(f"{f'{shape}{label}':<36}{ours:>10.3f}{theirs:>10.3f}{ours / theirs:>8.2f}", flush=True)
        values = generator.standard_normal((10_000, 2048), dtype=np.float32)
        time_store(folder / "r.zarr", values, 256)
        with h5py.File(folder / "r.h5", "w") as file:
            for i, row in enumerate(values):
                file[f"model/s{i:06d}/layer"] = row[None]
        print(f"{'reading 10,000 x 2,048':<36}{'store s':>10}{'HDF5 s':>10}{'ratio':>8}")
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
        print(f"{'':<36}{ours_s:>10.3f}{theirs_s:>10.3f}{theirs_s / ours_s:>8.1f}")


if __name__ == "__main__":
    main()
