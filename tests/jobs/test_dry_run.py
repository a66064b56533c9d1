"""Dry runs: the arithmetic on a clock that tests move, and what they leave, which is nothing."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from beholder._core.errors import ConfigurationChanged, OutputError
from beholder._core.hashing import hash_file_fast
from beholder.jobs import DryRun, Finish, JobFolder, PhaseEstimate, Sampled, Shard, Worker, estimate_phase, open_output
from beholder.jobs import _dry_run as dry
from beholder.jobs._measure import measure_shards, spread

sys.path.insert(0, str(Path(__file__).parent))

from sample_work import SquareWorker, plan_squares


@dataclass
class ClockWorker(Worker):
    """Takes seconds of a clock of its own, ``slow`` more for the first shard; counts in parts of a shard."""

    seconds: float
    slow: float = 0.0
    n_parts: int = 1
    lookahead: int = 0
    now: float = 0.0
    n_done: int = 0

    def clock(self) -> float:
        return self.now

    @contextlib.contextmanager
    def open(self, n_workers: int) -> Iterator[Callable[[Shard], Finish]]:
        self.now += 3.0
        yield self._start

    def _start(self, shard: Shard) -> Finish:
        def finish() -> tuple[dict[str, int], dict[str, Any]]:
            self.now += self.slow if not self.n_done else 0.0
            for _ in range(self.n_parts):
                self.now += self.seconds / self.n_parts
                self.report(shard.size / self.n_parts, shard)
            self.n_done += 1
            return {shard.key: 100 * shard.size}, {}

        return finish


SHARDS = tuple(Shard(f"s{i:03d}", 4, {}) for i in range(50))


def measure(worker: ClockWorker, **limits: float) -> Sampled:
    return measure_shards(SHARDS, worker, 1, clock=worker.clock, **limits)


def test_the_rate_is_that_of_the_shards_after_the_first() -> None:
    worker = ClockWorker(seconds=1.0, slow=1.0)
    seen = measure(worker, soft=10.0, hard=40.0)
    assert (seen.opening, seen.n_items, seen.seconds) == (3.0, 16, 4.0)  # 2 s for the first, then 8 s hold four like it
    assert seen.n_bytes is not None and worker.n_done == 5


def test_a_shard_that_takes_long_is_the_only_one() -> None:
    seen = measure(ClockWorker(seconds=20.0), soft=10.0, hard=40.0)
    assert (seen.n_items, seen.seconds, seen.n_whole) == (4, 20.0, 4)


def test_one_that_takes_longer_is_given_up_and_its_parts_count() -> None:
    worker = ClockWorker(seconds=1000.0, n_parts=1000)
    seen = measure(worker, soft=10.0, hard=40.0)
    assert (seen.n_items, seen.seconds, seen.n_bytes) == (pytest.approx(0.16), pytest.approx(40.0), None)
    phase = estimate_phase("make", "metamers", (200, 200), (50, 50), seen, may_end_early=True)
    assert phase.work == pytest.approx(50_000) and phase.is_at_most


def test_as_many_shards_as_a_worker_does_side_by_side_are_a_round() -> None:
    worker = ClockWorker(seconds=7.0, lookahead=3)  # one after the other here: the count is what matters
    seen = measure(worker, soft=10.0, hard=40.0)
    assert worker.n_done == 3 and seen.n_items == 12


def test_samples_are_spread_over_the_plan() -> None:
    assert spread(list(range(5))) == [0, 4, 2, 1, 3]
    assert sorted(spread(list(range(37)))) == list(range(37)) and spread([]) == []


def make_phase(**changes: Any) -> PhaseEstimate:
    seen = Sampled(n_items=10, seconds=5.0, n_whole=10, n_bytes=1000, opening=2.0, memory=10**9)
    facts: dict[str, Any] = {"sizes": (100, 80), "n_shards": (10, 8), "setup": 1.0, **changes}
    return estimate_phase("extract", "stimuli", facts.pop("sizes"), facts.pop("n_shards"), seen, **facts)


@pytest.mark.parametrize(("n", "seconds"), [(1, 43.0), (2, 23.0), (3, 18.0), (4, 13.0), (8, 8.0), (64, 8.0)])
def test_more_machines_share_shards_as_a_whole(n: int, seconds: float) -> None:
    """3 s until a worker begins, 8 shards of 5 s: of three workers one does three of them."""
    assert make_phase().find_seconds(n) == seconds


def test_only_what_is_missing_is_counted() -> None:
    assert (make_phase().n_bytes, make_phase().work) == (8000, 40.0)
    nothing = make_phase(sizes=(100, 0), n_shards=(10, 0))
    assert (nothing.n_bytes, nothing.find_seconds()) == (0, 3.0)


def test_workers_of_this_machine_take_their_memory_each() -> None:
    found = DryRun((make_phase(n_local=4),), n_workers=4, output="out", n_free=10**6)
    assert found.memory == 4 * 10**9 and found.seconds == 13.0
    assert found.find_seconds(2) == 8.0


def test_the_table_says_left_shards_bytes_memory_and_time() -> None:
    found = DryRun((make_phase(), make_phase(n_bytes=10**9)), output="out", n_free=5 * 10**9, memory_here=5 * 10**8)
    text = "\n".join(found.to_lines())
    for told in ("80 of 100 stimuli", "8.0 kB", "1.0 GB", "43 s", "in all", "about 86 s", "4 machines", "5.0 GB free"):
        assert told in text
    assert "500 MB are free here" in text
    assert repr(found) == "DryRun(16 shards, 1.0 GB, about 86 s)"
    assert found.to_dict()["work"][0]["n_bytes"] == 10**9 + 8000


def test_what_finds_no_room_is_refused_with_both_numbers() -> None:
    full = DryRun((make_phase(n_bytes=2 * 10**9),), output="out", n_free=10**9)
    assert not full.fits
    with pytest.raises(OutputError, match=r"room for 2\.0 GB at out; got 1\.0 GB free; try another output folder"):
        full.check()


def list_files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): "" if path.is_dir() else hash_file_fast(path)
        for path in sorted(folder.rglob("*"))
        if path.suffix != ".lock"
    }


def square(out: Path, n: int = 40, power: int = 2, *, stop_at: int | None = None) -> list[Any]:
    """What commands do: place the output, open it, settle, run."""
    out = dry.place_output(out)
    folder = JobFolder(out.parent / f".{out.name}.jobs", out)
    out.mkdir(parents=True, exist_ok=True)
    with open_output(folder) as work:
        work.settle({"power": power}, vacant=[out / "0.txt"])
        return work.run(plan_squares(n, 4, power), SquareWorker(out, refuse_at=stop_at))


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    found = dry.run_dry(lambda: square(tmp_path / "here" / "out"))
    (phase,) = found.phases
    assert (phase.n_items, phase.n_left, phase.n_shards_left) == (40, 40, 10)
    assert found.output == str(tmp_path / "here" / "out") and found.n_free
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["scratch"]


def test_an_output_that_is_there_stays_as_it_is_and_counts_as_done(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a number that can be squared"):
        square(tmp_path / "out", stop_at=16)
    before = list_files(tmp_path)
    (phase,) = dry.run_dry(lambda: square(tmp_path / "out")).phases
    assert 0 < phase.n_left < 40 and list_files(tmp_path) == before
    square(tmp_path / "out")
    (phase,) = dry.run_dry(lambda: square(tmp_path / "out")).phases
    assert (phase.n_left, phase.n_shards_left, phase.n_bytes, phase.n_shards) == (0, 0, 0, 10)


def test_bytes_are_those_that_a_run_writes(tmp_path: Path) -> None:
    (phase,) = dry.run_dry(lambda: square(tmp_path / "out", n=400)).phases
    square(tmp_path / "out", n=400)
    written = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.suffix in (".txt", ".json"))
    assert phase.n_bytes == pytest.approx(written, rel=0.1)


def test_refusals_name_the_output_and_not_its_shadow(tmp_path: Path) -> None:
    square(tmp_path / "out")
    with pytest.raises(ConfigurationChanged) as refused:
        dry.run_dry(lambda: square(tmp_path / "out", power=3))
    assert str(tmp_path / "out") in str(refused.value) and "beholder-dry-run" not in str(refused.value)


def test_what_lies_where_an_output_would_is_refused_as_ever(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "0.txt").touch()
    with pytest.raises(ConfigurationChanged, match=r"0\.txt without"):
        dry.run_dry(lambda: square(tmp_path / "out"))


def test_phases_are_measured_one_after_the_other(tmp_path: Path) -> None:
    def work() -> None:
        for name in ("a", "b"):
            with dry.phase(2):
                square(tmp_path / name)
                raise AssertionError("a phase ends where its work would begin")

    found = dry.run_dry(work)
    assert len(found.phases) == 2 and found.n_shards == 20
    assert found.output == str(tmp_path)


def test_work_without_shards_is_left_after_some_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dry, "SOFT_SECONDS", 0.01)
    monkeypatch.setattr(dry, "_LEAST_SECONDS", 0.01)

    def work() -> None:
        with dry.show_work("train", 10**9, "updates", 10) as advance:
            while True:
                advance(1)

    (phase,) = dry.run_dry(work).phases
    assert phase.n_measured < 10**8 and phase.n_left == 10**9 - 10 and phase.work > 0.01


def test_a_run_that_cannot_fit_is_refused_before_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SquareWorker, "count_bytes", lambda _self, _shard: 10**6)
    monkeypatch.setattr(dry, "find_free", lambda _path: 9 * 10**6)
    with pytest.raises(OutputError, match=r"room for 10 MB.*got 9\.0 MB free"):
        square(tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.txt"))
    monkeypatch.setattr(dry, "find_free", lambda _path: 11 * 10**6)
    square(tmp_path / "out")
