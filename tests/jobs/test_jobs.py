"""Plans, claims, receipts, and the two executors."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from beholder._core.errors import BeholderError, ConfigurationChanged, OutputBusy
from beholder._core.settings import compare_settings
from beholder.jobs import JobFolder, Plan, run_plan

sys.path.insert(0, str(Path(__file__).parent))

from sample_work import SquareWorker, plan_squares


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    (tmp_path / "out").mkdir()
    return JobFolder(tmp_path / "out.jobs", tmp_path / "out")


def read_tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize(("executor", "n_workers"), [("inline", 1), ("processes", 2)])
def test_every_shard_is_done_once(folder: JobFolder, executor: str, n_workers: int) -> None:
    plan = plan_squares(25, 4)
    receipts = run_plan(plan, SquareWorker(folder.output), folder, n_workers=n_workers, executor=executor)
    assert sum(receipt["facts"]["sum"] for receipt in receipts) == sum(i * i for i in range(25))
    assert [receipt["payload"]["start"] for receipt in receipts] == list(range(0, 25, 4))


def test_finished_shards_are_not_redone_unless_their_file_is_not_whole(folder: JobFolder) -> None:
    plan = plan_squares(8, 4)
    run_plan(plan, SquareWorker(folder.output), folder)
    (folder.output / "0.txt").write_text("kept", encoding="utf-8")
    (folder.output / "4.txt").unlink()
    size = len("0\n1\n4\n9")
    (folder.output / "0.txt").write_text("x" * size, encoding="utf-8")
    run_plan(plan, SquareWorker(folder.output), folder)
    assert (folder.output / "0.txt").read_text(encoding="utf-8") == "x" * size
    assert (folder.output / "4.txt").read_text(encoding="utf-8") == "16\n25\n36\n49"


def test_a_killed_worker_is_replaced(folder: JobFolder) -> None:
    plan = plan_squares(24, 4)
    worker = SquareWorker(folder.output, kill_at=8)
    receipts = run_plan(plan, worker, folder, n_workers=2, executor="processes")
    assert len(receipts) == 6
    assert (folder.output / "killed").exists()


def test_a_workers_refusal_reaches_the_caller_with_its_exit_code(folder: JobFolder) -> None:
    worker = SquareWorker(folder.output, refuse_at=8)
    with pytest.raises(BeholderError, match="a number that can be squared; got 8") as caught:
        run_plan(plan_squares(24, 4), worker, folder, n_workers=2, executor="processes")
    assert caught.value.exit_code == 2


def test_other_settings_are_named(folder: JobFolder) -> None:
    folder.write_settings({"pool": "none", "model": {"name": "a", "tag": "x"}})
    assert folder.check_settings({"pool": "none", "model": {"name": "a", "tag": "x"}})
    with pytest.raises(ConfigurationChanged, match=r"model.tag was 'x', now 'y'"):
        folder.check_settings({"pool": "none", "model": {"name": "a", "tag": "y"}})
    assert compare_settings({"a": 1}, {"a": 1, "b": 2}) == ["b was unset, now 2"]


def test_a_second_run_is_told_to_wait(folder: JobFolder) -> None:
    code = textwrap.dedent(
        f"""
        from beholder.jobs import JobFolder
        with JobFolder({str(folder.path)!r}, {str(folder.output)!r}).hold():
            print("held", flush=True)
            input()
        """
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(OutputBusy, match="another run"), folder.hold():
            pass
        other.kill()
    with folder.hold():
        pass


def test_a_claim_is_exclusive_and_free_after_a_kill(folder: JobFolder) -> None:
    shard = plan_squares(4, 4).shards[0]
    with folder.claim(shard) as first, folder.claim(shard) as second:
        assert (first, second) == (True, False)
    with folder.claim(shard) as again:
        assert again


def test_killed_runs_complete_to_the_same_bytes(tmp_path: Path) -> None:
    plan = plan_squares(40, 4)
    whole = JobFolder(tmp_path / "whole.jobs", tmp_path / "whole")
    run_plan(plan, SquareWorker(whole.output), whole)
    broken = JobFolder(tmp_path / "broken.jobs", tmp_path / "broken")
    code = textwrap.dedent(
        f"""
        import sys
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from sample_work import SquareWorker, plan_squares
        from beholder.jobs import JobFolder, run_plan
        out = Path({str(broken.output)!r})
        out.mkdir(exist_ok=True)
        run_plan(plan_squares(40, 4), SquareWorker(out, kill_at=int(sys.argv[1])), JobFolder({str(broken.path)!r}, out))
        """
    )
    for kill_at in (8, 24):
        result = subprocess.run([sys.executable, "-c", code, str(kill_at)], capture_output=True, check=False)
        assert result.returncode == -9
        (broken.output / "killed").unlink()
    with broken.hold():
        run_plan(plan, SquareWorker(broken.output), broken)
    assert read_tree(broken.output) == read_tree(whole.output)
    assert read_tree(broken.path / "receipts") == read_tree(whole.path / "receipts")


def test_the_hash_is_of_the_settings_alone() -> None:
    plan = plan_squares(8, 4)
    assert plan.hash == plan_squares(80, 2).hash != plan_squares(8, 4, power=3).hash
    assert isinstance(plan, Plan)


@pytest.mark.parametrize(("executor", "n_workers"), [("inline", 1), ("processes", 2)])
def test_progress_moves_within_a_shard_and_ends_at_the_total(
    folder: JobFolder, executor: str, n_workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []

    @contextlib.contextmanager
    def note(label: str, total: int, unit: str = "", done: int = 0, **_more: Any) -> Iterator[Callable[[int], None]]:
        assert (total, done) == (24, 0)
        yield told.append

    monkeypatch.setattr("beholder.jobs._executors.show_progress", note)
    run_plan(plan_squares(24, 8), SquareWorker(folder.output), folder, n_workers=n_workers, executor=executor)
    assert sum(told) == 24 and max(told) <= 5, "the sample worker reports its first three items one by one"
