"""Threads whose queue ends with their block."""

from __future__ import annotations

import threading

import pytest

from beholder._core.threads import open_threads


def test_what_is_queued_is_not_begun_after_an_interrupt() -> None:
    begun: list[int] = []
    go = threading.Event()

    def work(i: int) -> None:
        begun.append(i)
        go.wait(10)

    with pytest.raises(KeyboardInterrupt), open_threads(2) as pool:
        for i in range(50):
            pool.submit(work, i)
        while len(begun) < 2:
            pass
        threading.Timer(0.2, go.set).start()
        raise KeyboardInterrupt
    assert begun == [0, 1]


def test_results_are_all_there() -> None:
    with open_threads(2, "beholder-test") as pool:
        assert list(pool.map(abs, [-1, -2])) == [1, 2]
        assert pool.submit(threading.current_thread).result().name.startswith("beholder-test")
