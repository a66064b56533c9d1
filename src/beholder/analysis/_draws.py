"""What chance draws in an analysis, computed in ranges of rows: here, or as shards on a cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from beholder._core.threads import hold_products
from beholder.analysis._parts import is_cut, read_part, run_parts, write_part
from beholder.jobs import Finish, Shard, Worker, cut_range, show_work


class DrawnRows(Protocol):
    """An array whose rows are the same in whichever ranges they are computed."""

    @property
    def n_rows(self) -> int:
        """Rows; of none, nothing is computed."""
        ...

    @property
    def rows_at_once(self) -> int:
        """Rows that take some seconds."""
        ...

    def prepare(self) -> Callable[[int, int], np.ndarray]:
        """Get ready; gives ``compute(start, stop)``."""
        ...


def compute_draws(
    kind: str,
    draws: Mapping[str, DrawnRows],
    settings: Mapping[str, Any],
    out_path: Path | str | None,
    *,
    overwrite: bool,
) -> dict[str, np.ndarray]:
    """All rows of several arrays by name; an array without rows is empty.

    Products are computed with one thread, so that no digit depends on how many cores there are.

    Parameters
    ----------
    kind : str
        Of the analysis.
    draws : mapping of str to DrawnRows
    settings, out_path, overwrite
        As for :func:`run_parts`.

    Raises
    ------
    InputError
        Work for a cluster without a folder that all workers see.
    """
    some = {name: each for name, each in draws.items() if each.n_rows}
    found: dict[str, list[np.ndarray]] = {name: [] for name in some}
    if is_cut(out_path):
        shards = [
            Shard(f"{name}--{start}", stop - start, {"draws": name, "start": start, "stop": stop}, part=name)
            for name, each in some.items()
            for start, stop in cut_range(0, each.n_rows, each.rows_at_once)
        ]
        make_worker = partial(DrawWorker, some)
        place = run_parts(kind, shards, make_worker, settings, out_path, overwrite=overwrite, unit="draws")
        for shard in shards:
            found[shard.part].append(read_part(place, shard)["rows"])
    else:
        total = sum(each.n_rows for each in some.values())
        with show_work(kind, total, "draws", n_bytes=0) as advance, hold_products():
            for name, each in some.items():
                compute = each.prepare()
                for start, stop in cut_range(0, each.n_rows, each.rows_at_once):
                    found[name].append(compute(start, stop))
                    advance(stop - start)
    return {name: np.concatenate(found[name]) if name in found else np.empty(0) for name in draws}


@dataclass
class DrawWorker(Worker):
    """Computes ranges of rows, each a file.

    Parameters
    ----------
    draws : mapping of str to DrawnRows
    place : path
        Folder of the files.
    """

    draws: Mapping[str, DrawnRows]
    place: Path

    @contextlib.contextmanager
    def open(self, n_workers: int) -> Generator[Callable[[Shard], Finish]]:
        """Hold one thread for products; what was prepared last is kept for the next shard."""
        del n_workers
        ready: dict[str, Callable[[int, int], np.ndarray]] = {}

        def compute(shard: Shard) -> tuple[dict[str, int], dict[str, Any]]:
            name = str(shard.payload["draws"])
            if name not in ready:
                ready.clear()
                ready[name] = self.draws[name].prepare()
            rows = ready[name](shard.payload["start"], shard.payload["stop"])
            return write_part(self.place, shard, {"rows": rows}), {}

        with hold_products():
            yield lambda shard: partial(compute, shard)
