"""Numbers in what two runs of a command wrote, side by side."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

_UNSEEN = (".lock", ".pyc", ".html", ".pdf", ".svg")


def list_differences(one: Path, other: Path, tolerance: float) -> list[str]:
    """Files and arrays that differ by more than ``tolerance`` times their largest value, or that only one run wrote."""
    some, others = dict(_iter_arrays(one)), dict(_iter_arrays(other))
    found = [f"{name}: in one run alone" for name in sorted(some.keys() ^ others.keys())]
    for name in sorted(some.keys() & others.keys()):
        a, b = some[name], others[name]
        if a.shape != b.shape:
            found.append(f"{name}: {a.shape} and {b.shape}")
        elif a.dtype.kind in "fiub" and a.size:
            scale = max(1.0 if name.endswith(".png") else 0.0, float(np.nanmax(np.abs(a), initial=0)))
            slack = 1.0 if name.endswith(".png") else tolerance * scale
            if not np.allclose(a, b, rtol=0, atol=slack, equal_nan=True):
                found.append(f"{name}: {np.nanmax(np.abs(a - b)):.3g} of {scale:.3g}")
        elif a.dtype.kind not in "fiub" and not np.array_equal(a, b):
            found.append(f"{name}: other words")
    return found


def _iter_arrays(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() and (path / "zarr.json").exists() and path.suffix == ".zarr":
            yield from ((f"{name}/{key}", values) for key, values in _read_zarr(path))
        if not path.is_file() or path.suffix in _UNSEEN or ".zarr/" in name or ".jobs/" in name:
            continue
        read = _READERS.get(path.suffix)
        for key, values in read(path) if read else ():
            yield f"{name}{key}", values


def _read_zarr(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    import zarr

    group: Any = zarr.open_group(path, mode="r")
    for key, each in group.members(max_depth=None):
        if isinstance(each, zarr.Array) and each.dtype.kind in "fiub":
            yield key, np.asarray(each[...], dtype=np.float64)


def _read_csv(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for column in rows[0] if rows else ():
        if column in ("seconds", "stimuli_per_second", "settings"):
            continue
        cells = [row[column] for row in rows]
        try:
            yield f":{column}", np.array([float(cell or "nan") for cell in cells])
        except ValueError:
            yield f":{column}", np.array(cells)


def _read_npz(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    with np.load(path, allow_pickle=False) as file:
        yield from ((f":{key}", _widen(file[key])) for key in file.files)


def _read_npy(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    yield "", _widen(np.load(path))


def _read_h5(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    import h5py

    found: list[tuple[str, np.ndarray]] = []
    with h5py.File(path) as file:
        file.visititems(
            lambda key, each: found.append((f":{key}", _widen(each[...])))  # pyright: ignore[reportIndexIssue]
            if isinstance(each, h5py.Dataset) and each.dtype.kind in "fiub" else None
        )  # fmt: skip
    yield from found


def _read_tensors(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    from safetensors.numpy import load_file

    yield from ((f":{key}", _widen(values)) for key, values in load_file(path).items())


def _read_picture(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    from PIL import Image

    with Image.open(path) as picture:
        yield "", _widen(np.asarray(picture))


def _widen(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float64) if values.dtype.kind in "fiub" else values


_READERS = {
    ".csv": _read_csv, ".npz": _read_npz, ".npy": _read_npy, ".h5": _read_h5, ".hdf5": _read_h5,
    ".safetensors": _read_tensors, ".png": _read_picture,
}  # fmt: skip
