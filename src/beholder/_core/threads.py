"""Threads that end when the user wants them to."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor


@contextlib.contextmanager
def open_threads(n: int, name: str = "") -> Generator[ThreadPoolExecutor]:
    """``n`` threads; what is still queued when the block ends, as by an error or Ctrl-C, is never begun.

    Leaving the executor's own ``with`` block waits until all that is queued is done.

    Examples
    --------
    >>> with open_threads(2) as pool:
    ...     pool.submit(sum, [1, 2]).result()
    3
    """
    pool = ThreadPoolExecutor(n, thread_name_prefix=name)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def hold_products() -> Generator[None]:
    """One thread for numpy's products inside the block: how many cores there are changes no last digit."""
    from threadpoolctl import threadpool_limits  # pyright: ignore[reportMissingTypeStubs]

    with threadpool_limits(1, user_api="blas"):
        yield
