"""Deaths of workers count since a shard was last finished."""

from __future__ import annotations

from pathlib import Path

from beholder.jobs import JobFolder, Plan, Shard
from beholder.jobs._deaths import DeathCount
from beholder.jobs._rates import WorkerRates


def test_deaths_in_a_row_are_too_many_those_between_finished_shards_are_not(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path / ".out.jobs", tmp_path / "out")
    plan = Plan("squares", {}, tuple(Shard(f"s{i}", 1) for i in range(20)))
    deaths = DeathCount(folder)
    for shard in plan.shards[:10]:
        folder.write_receipt(plan, shard, {}, {})
        assert not deaths.add() and deaths.n == 1
    assert [deaths.add() for _ in range(3)] == [False, False, True]
    folder.write_receipt(plan, plan.shards[10], {}, {})
    assert not deaths.add()


def test_rates_of_many_workers_name_the_slowest_and_the_fastest() -> None:
    rates = WorkerRates("stimuli")
    for i in range(20):
        rates.add(f"w{i:02d}", i + 1.0)
        rates._begun[f"w{i:02d}"] = 0.0
    assert rates.describe(10.0) == "stimuli by 20 workers: 0.1/s (w00) to 2/s (w19), middle 1.05/s"
