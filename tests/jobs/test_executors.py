"""Executors: how plans are brought to their end, and how one more is added."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from beholder._core.errors import BeholderError, UnknownNameError
from beholder.jobs import EXECUTORS, JobFolder, Plan, Shard, Worker, run_plan, work_through

sys.path.insert(0, str(Path(__file__).parent))

from sample_work import SquareWorker, plan_squares

Advance = Callable[[float], None]


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    (tmp_path / "out").mkdir()
    return JobFolder(tmp_path / "out.jobs", tmp_path / "out")


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What a toy executor did, which takes the shards backwards, one after another."""
    done: list[str] = []

    def run_backwards(
        plan: Plan, shards: list[Shard], worker: Worker, folder: JobFolder, n_workers: int, advance: Advance
    ) -> None:
        for shard in reversed(shards):
            work_through(plan, [shard], worker, folder, 1, advance)
            done.append(shard.key)

    EXECUTORS.add("backwards", run_backwards)
    yield done
    del EXECUTORS._entries["backwards"]


def test_an_executor_is_added_by_its_name_and_leaves_the_same_bytes(folder: JobFolder, told: list[str]) -> None:
    plan = plan_squares(12, 4)
    receipts = run_plan(plan, SquareWorker(folder.output), folder, executor="backwards")
    assert told == ["s0008", "s0004", "s0000"]
    assert [receipt["payload"]["start"] for receipt in receipts] == [0, 4, 8]
    plain = JobFolder(folder.path.with_name("plain.jobs"), folder.path.with_name("plain"))
    assert run_plan(plan, SquareWorker(plain.output), plain) == receipts


def test_the_environment_names_one_for_every_command(
    folder: JobFolder, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEHOLDER_EXECUTOR", "backwards")
    run_plan(plan_squares(8, 4), SquareWorker(folder.output), folder, n_workers=2)
    assert told == ["s0004", "s0000"]
    monkeypatch.setenv("BEHOLDER_EXECUTOR", "backward")
    with pytest.raises(UnknownNameError, match="backwards"):
        run_plan(plan_squares(12, 4), SquareWorker(folder.output), folder)


def test_one_that_leaves_work_undone_is_found_out(folder: JobFolder) -> None:
    EXECUTORS.add("idle", lambda *_: None)
    try:
        with pytest.raises(BeholderError, match="2 of 2 without a receipt"):
            run_plan(plan_squares(8, 4), SquareWorker(folder.output), folder, executor="idle")
    finally:
        del EXECUTORS._entries["idle"]
