"""Threads of one process that run a network for pictures, a copy of its taps each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

from beholder.activations import ThreadTaps, use_exact_math, use_threads
from beholder.models import Model

T = TypeVar("T")


@contextlib.contextmanager
def open_threads(
    model: Model, device: str, n_threads: int, name: str
) -> Iterator[tuple[ThreadPoolExecutor, ThreadTaps]]:
    """A pool and the network's taps; one thread on an accelerator, one of torch's in each on the CPU."""
    on_cpu = torch.device(device).type == "cpu"
    with (
        use_threads(1 if on_cpu else torch.get_num_threads()),
        use_exact_math("fp32"),
        ThreadPoolExecutor(max(1, n_threads) if on_cpu else 1, name) as pool,
    ):
        try:
            yield pool, ThreadTaps(model)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def iter_results(futures: Sequence[Future[T]]) -> Iterator[T]:
    """What they give, in order; after an error none of them begins any more."""
    try:
        for future in futures:
            yield future.result()
    except BaseException:
        for future in futures:
            future.cancel()
        raise
