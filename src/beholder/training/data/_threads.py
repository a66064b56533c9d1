"""Reading ahead of the network, in threads."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING

import numpy as np
import torch

from beholder._core.errors import suggest_keywords
from beholder._core.threads import open_threads

if TYPE_CHECKING:
    from torch import Tensor

    from beholder.training.data._protocol import TrainingData


@contextlib.contextmanager
def use_one_thread() -> Generator[None]:
    """Inside the block this thread's torch uses one thread: sums come out the same to the last bit everywhere."""
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@suggest_keywords
def read_ahead(
    data: TrainingData, batches: Iterable[np.ndarray], epoch: int, seed: int, *, n_threads: int | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches in their order, read while the network is at work.

    Parameters
    ----------
    data : TrainingData
    batches : iterable of (n,), int64
        Indices of each batch. A run that goes on in the middle of an epoch leaves the first ones out.
    epoch, seed : int
    n_threads : int, optional
        0 reads each batch when it is asked for; by default one a core, at most 16. Changes no value.

    Yields
    ------
    x, labels
        As :meth:`TrainingData.read_batch` gives them.
    """
    n_threads = min(16, os.cpu_count() or 1) if n_threads is None else n_threads
    if n_threads == 0:
        for indices in batches:
            yield data.read_batch(indices, epoch, seed)
        return
    before = torch.get_num_threads()
    with open_threads(n_threads, "beholder-data") as pool:
        started = threading.Barrier(n_threads + 1)

        def begin() -> None:
            torch.set_num_threads(1)
            started.wait()

        for _ in range(n_threads):
            pool.submit(begin)
        started.wait()
        torch.set_num_threads(before)  # what threads begun later take; this one's own never changed
        coming = iter(batches)
        waiting: deque[Future[tuple[Tensor, Tensor]]] = deque()
        while True:
            while len(waiting) <= n_threads:
                indices = next(coming, None)
                if indices is None:
                    break
                waiting.append(pool.submit(data.read_batch, indices, epoch, seed))
            if not waiting:
                return
            yield waiting.popleft().result()
