"""Job arrays: tasks that run one command side by side, and the job after them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from beholder._core.errors import InputError
from beholder.jobs import JobFolder, Plan, Shard, open_output, open_phases, run_plan
from beholder.jobs._array import (
    ENDS,
    FOLDER,
    LATE,
    MISSING,
    TASK,
    ArrayTask,
    Clock,
    PartsMissing,
    TaskEnded,
    TimeOver,
    read_array_task,
)
from beholder.jobs._array_work import take_part
from beholder.jobs._hold import Announcement
from beholder.jobs._scripts import count_left

sys.path.insert(0, str(Path(__file__).parent))

from sample_work import CallWorker, SquareWorker, plan_squares

WORK = textwrap.dedent(f"""
    import sys
    from pathlib import Path
    sys.path.insert(0, {str(Path(__file__).parent)!r})
    from sample_work import SquareWorker, plan_squares
    from beholder.jobs import JobFolder, open_output
    from beholder.jobs._array import TaskEnded, listen_to_queue

    class Worker(SquareWorker):
        is_begun = False

        def _start(self, shard):
            if not self.is_begun:
                print("begun", flush=True)
            self.is_begun = True
            return super()._start(shard)

    listen_to_queue()
    out, seconds = Path(sys.argv[1]), float(sys.argv[2])
    try:
        with open_output(JobFolder(out.parent / f".{{out.name}}.jobs", out)) as output:
            output.settle({{"power": 2}})
            receipts = output.run(plan_squares(24, 2), Worker(out, seconds=seconds))
            (out / "table").write_text(str([receipt["facts"]["sum"] for receipt in receipts]))
    except TaskEnded as end:
        print(end)
        sys.exit(end.exit_code)
""")


def start(out: Path, told: str | None = None, seconds: float = 0.05, **variables: str) -> subprocess.Popen[str]:
    """A run of the same command, as a task where it is told so."""
    out.mkdir(parents=True, exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BEHOLDER_ARRAY")}
    environment |= {} if told is None else {TASK: told, FOLDER: str(out.parent / "scripts")}
    command = [sys.executable, "-c", WORK, str(out), str(seconds)]
    return subprocess.Popen(command, env={**environment, **variables}, stdout=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = process.communicate(timeout=60)
    return process.returncode, said


def count_made(said: str) -> int:
    return int(said.splitlines()[-1].split()[0])


def read_files(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.fixture
def as_task(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    def set_task(told: str) -> None:
        monkeypatch.setenv(TASK, told)
        monkeypatch.setenv(FOLDER, str(tmp_path / "scripts"))

    (tmp_path / "scripts").mkdir()
    yield set_task


def test_tasks_share_the_parts_of_an_output_and_the_job_after_them_puts_it_together(tmp_path: Path) -> None:
    assert end(start(tmp_path / "plain" / "out"))[0] == 0
    out = tmp_path / "array" / "out"
    ended = [end(each) for each in [start(out, f"{i}/3") for i in range(3)]]
    assert [code for code, _ in ended] == [0, 0, 0]
    made = [count_made(said) for _, said in ended]
    assert sum(made) == 24, "each part once"
    assert not (out / "table").exists(), "tasks put nothing together"
    assert end(start(out, "merge")) == (0, "")
    assert read_files(out) == read_files(tmp_path / "plain" / "out")


def test_a_task_stops_before_its_time_is_over_and_goes_on_when_it_is_started_again(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, said = end(start(out, "0/1", 0.2, **{ENDS: str(time.time() + 10)}))
    n_made = count_made(said)
    assert code == LATE and 0 < n_made < 24 and "its time is over" in said
    assert count_left(tmp_path / "scripts") == (12 - n_made // 2, 12)
    assert end(start(out, "0/1"))[0] == 0
    assert count_left(tmp_path / "scripts") == (0, 12)


@pytest.mark.parametrize(("told", "expected"), [(signal.SIGUSR1, LATE), (signal.SIGTERM, 143)])
def test_a_task_that_the_queue_stops_begins_no_other_part(tmp_path: Path, told: signal.Signals, expected: int) -> None:
    process = start(tmp_path / "out", "0/1", 0.7)
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    process.send_signal(told)
    code, said = end(process)
    assert code == expected, "a job that is stopped for another one is started again by the queue itself"
    assert re.fullmatch(r"[24] numbers made by this task; 1[01] parts left, and its time is over\n", said)


def test_a_task_with_too_little_time_for_a_part_is_not_started_again(tmp_path: Path) -> None:
    code, said = end(start(tmp_path / "out", "0/1", 0.05, **{ENDS: str(time.time() - 1)}))
    assert code == 1
    assert said.endswith("0 numbers made by this task; 12 parts left, and its time is over; one part needs more time\n")


@pytest.mark.parametrize(
    ("steps", "told"), [([0.6], "0 numbers made"), ([0.1] * 10, "1 number made"), ([0.4, 1, 0.3], "1 number made")]
)
def test_what_was_only_begun_is_not_told_as_made(steps: list[float], told: str, tmp_path: Path) -> None:
    def run(_: list[Shard], advance: Callable[[float], None]) -> None:
        for step in steps:
            advance(step)
        raise TimeOver

    folder = JobFolder(tmp_path / "jobs", tmp_path)
    with folder.hold(), pytest.raises(TaskEnded, match=told):
        take_part(ArrayTask(0, 1), plan_squares(4, 2), SquareWorker(tmp_path), folder, run)


def test_the_job_after_the_array_names_what_is_missing(as_task: Callable[[str], None], tmp_path: Path) -> None:
    folder, plan = JobFolder(tmp_path / "jobs", tmp_path), plan_squares(24, 2)
    part = Plan(plan.name, plan.settings, plan.shards[:7], plan.unit)
    (tmp_path / "scripts" / "command.txt").write_text("beholder squares --cluster script\n", encoding="utf-8")
    with folder.hold():
        run_plan(part, SquareWorker(tmp_path), folder)
        as_task("merge")
        with pytest.raises(PartsMissing) as caught:
            run_plan(plan, SquareWorker(tmp_path), folder)
    line = str(caught.value)
    assert "expected every one of 12 parts; got 5 that no task has made: s0014 of" in line
    assert "try `beholder squares --cluster script` again" in line
    listed = (tmp_path / "scripts" / MISSING).read_text(encoding="utf-8").splitlines()
    assert [each.split("\t")[1] for each in listed] == ["s0014", "s0016", "s0018", "s0020", "s0022"]


def test_a_part_that_others_depend_on_is_waited_for(as_task: Callable[[str], None], tmp_path: Path) -> None:
    folder, plan = JobFolder(tmp_path / "jobs", tmp_path), plan_squares(8, 2)
    as_task("0/2")
    with folder.hold():
        receipts = run_plan(plan, CallWorker(lambda start: start), folder, is_last=False)
        assert [receipt["facts"]["value"] for receipt in receipts] == [0, 2, 4, 6]
        with pytest.raises(TaskEnded, match="no part is left"):
            run_plan(plan, CallWorker(lambda start: start), folder)


def test_work_of_several_outputs_is_done_in_phases(as_task: Callable[[str], None], tmp_path: Path) -> None:
    made: list[int] = []

    def work() -> str:
        with open_phases() as phase:
            for i in range(3):
                with phase():
                    folder = JobFolder(tmp_path / f"{i}.jobs", tmp_path / str(i))
                    with open_output(folder) as output:
                        output.settle({})
                        plan = Plan("calls", {}, (Shard("a", 1, {"start": i}), Shard("b", 1, {"start": i})))
                        output.run(plan, CallWorker(made.append))
        return "together"

    as_task("0/1")
    with pytest.raises(TaskEnded) as ended:
        work()
    assert (ended.value.n_made, ended.value.n_left, made) == (6, 0, [0, 0, 1, 1, 2, 2])
    as_task("merge")
    assert work() == "together" and len(made) == 6
    for i in (0, 2):
        (tmp_path / f"{i}.jobs" / "receipts" / "b.json").unlink()
    with pytest.raises(PartsMissing, match="expected every one of 4 parts; got 2") as caught:
        work()
    assert [Path(each).name for each in caught.value.missing] == ["0", "2"]


def test_no_task_replaces_what_the_others_make(as_task: Callable[[str], None], tmp_path: Path) -> None:
    folder = JobFolder(tmp_path / "jobs", tmp_path)
    as_task("0/2")
    with pytest.raises(InputError, match="overwrite"), open_output(folder, replace=folder.clear):
        pass


def test_tasks_of_one_array_announce_nothing_to_each_other(as_task: Callable[[str], None], tmp_path: Path) -> None:
    plain = Announcement(tmp_path)
    as_task("0/2")
    first, second = Announcement(tmp_path), Announcement(tmp_path)
    assert first.make(["a", "b"]) == set() and second.make(["a", "b"]) == set()
    assert plain.make(["a", "c"]) == {"a"}
    assert second.make(["a", "c"]) == {"c"}, "a plain run beside them is left its part"
    for each in (plain, first, second):
        each.close()


def test_a_part_is_begun_where_the_longest_so_far_fits() -> None:
    short, long = Shard("short", 1), Shard("long", 1000)
    assert Clock(None).has_time(long)
    clock = Clock(time.time() + 60)
    assert clock.has_time(long), "nothing is known yet"
    clock.begin(short)
    time.sleep(0.1)
    clock.end(short)
    assert clock.has_time(short) and not clock.has_time(long), "a thousand times as long"
    assert not Clock(time.time() - 1).has_time(short)


@pytest.mark.parametrize("told", ["", "3", "3/3", "-1/2", "a/b", "0/0"])
def test_what_tells_a_task_is_checked(told: str, as_task: Callable[[str], None]) -> None:
    as_task(told)
    if told:
        with pytest.raises(InputError, match=TASK):
            read_array_task()
    else:
        assert read_array_task() is None


def test_tasks_begin_at_places_of_their_own(as_task: Callable[[str], None]) -> None:
    as_task("1/4")
    task = read_array_task()
    assert isinstance(task, ArrayTask) and (task.index, task.count, task.name) == (1, 4, "scripts")


def test_a_signal_at_the_very_end_of_a_task_leaves_its_exit_code() -> None:
    """Python gives signals back to the system before it is through; USR1 would then end the process as it ends."""
    code = """
import os, signal, sys
from beholder.jobs import listen_to_queue
listen_to_queue()
class Late:
    def __del__(self, kill=os.kill, own=os.getpid(), number=signal.SIGUSR1):
        kill(own, number)
late = Late()
sys.exit(75)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 75
