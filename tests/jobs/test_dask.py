"""Long work on Dask's workers: the bytes of an inline run, whatever happens to them."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import beholder
from beholder._core.errors import BeholderError, InputError, OtherMachine, StimulusError
from beholder.jobs import JobFolder, Plan, Worker, long_work, run_plan

sys.path.insert(0, str(Path(__file__).parent))

from sample_work import CallWorker, SquareWorker, plan_squares

distributed = pytest.importorskip("distributed")
from beholder.jobs import _dask, _dask_session

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    options = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": logging.CRITICAL}
    with distributed.LocalCluster(n_workers=2, **options) as cluster:
        yield cluster


@long_work
def finish(
    worker: Worker, plan: Plan, out: Path, *, workers: int = 1, cluster: str | None = None
) -> list[dict[str, Any]]:
    out.mkdir(exist_ok=True)
    folder = JobFolder(out.with_name(f".{out.name}.jobs"), out)
    with folder.hold():
        return run_plan(plan, worker, folder, n_workers=workers)


@pytest.fixture
def run(cluster: Any, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    def run(worker: Worker, plan: Plan | None = None, **options: Any) -> list[dict[str, Any]]:
        return finish(
            worker,
            plan or plan_squares(16, 4),
            tmp_path / "out",
            cluster=f"dask:{cluster.scheduler_address}",
            **options,
        )

    return run


def read_files(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.glob("*.txt"))}


def test_files_and_receipts_are_those_of_an_inline_run(run: Callable, tmp_path: Path, caplog: Any) -> None:
    (tmp_path / "plain").mkdir()
    plan = plan_squares(40, 4)
    plain = finish(SquareWorker(tmp_path / "plain"), plan, tmp_path / "plain")
    with caplog.at_level("INFO", "beholder"):
        assert run(SquareWorker(tmp_path / "out"), plan) == plain
    assert read_files(tmp_path / "out") == read_files(tmp_path / "plain")
    assert len(read_files(tmp_path / "out")) == 10
    assert "2 workers on 1 machines" in caplog.text and "dashboard" in caplog.text


def test_a_worker_opens_once_and_both_take_part(run: Callable, tmp_path: Path) -> None:
    def call(start: int) -> int:
        time.sleep(0.2)
        return os.getpid()

    pids = [receipt["facts"]["value"] for receipt in run(CallWorker(call), plan_squares(32, 2))]
    assert len(set(pids)) == 2 and os.getpid() not in pids


def test_so_many_workers_as_are_asked_for(run: Callable) -> None:
    pids = [receipt["facts"]["value"] for receipt in run(CallWorker(lambda start: os.getpid()), workers=2)]
    assert 1 <= len(set(pids)) <= 2


def test_an_error_has_its_class_and_says_where_and_finished_parts_stay(
    run: Callable, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InputError, match="a number that can be squared; got 8") as caught:
        run(SquareWorker(tmp_path / "out", refuse_at=8))
    assert any(note.startswith("on ") for note in caught.value.__notes__)
    n_missing = 4 - len(read_files(tmp_path / "out"))  # whichever were begun first
    assert f"{n_missing} of 4 parts are missing (" in caplog.text
    assert "the same command makes just these" in caplog.text
    assert len(run(SquareWorker(tmp_path / "out"))) == 4


def test_a_worker_that_cannot_open_takes_no_part(run: Callable, tmp_path: Path, caplog: Any) -> None:
    flag = tmp_path / "flag"

    def call(start: int) -> int:
        time.sleep(0.1)
        with contextlib.suppress(FileExistsError):
            flag.touch(exist_ok=False)
            raise StimulusError("a GPU", got="none here")
        return start

    with caplog.at_level("WARNING", "beholder"):
        assert [each["facts"]["value"] for each in run(CallWorker(call), plan_squares(24, 2))] == list(range(0, 24, 2))
    assert "takes no part any more: StimulusError: expected a GPU; got none here" in caplog.text


def test_a_process_that_is_killed_is_started_anew(run: Callable, tmp_path: Path, caplog: Any) -> None:
    assert len(run(SquareWorker(tmp_path / "out", kill_at=4))) == 4
    assert "lost its process, by signal SIGKILL; its part is free for others" in caplog.text


@pytest.mark.slow
def test_processes_that_always_die_end_the_run(run: Callable, tmp_path: Path) -> None:
    with pytest.raises(BeholderError, match="expected workers to live; got 4 in a row that were lost"):
        run(CallWorker(lambda start: os.kill(os.getpid(), signal.SIGKILL)))


@pytest.mark.slow
def test_dask_workers_that_are_killed_come_back(run: Callable, cluster: Any, tmp_path: Path, caplog: Any) -> None:
    def kill_all() -> None:
        while not read_files(tmp_path / "out"):
            time.sleep(0.05)
        for nanny in cluster.workers.values():
            os.kill(nanny.pid, signal.SIGKILL)

    thread = threading.Thread(target=kill_all)
    thread.start()
    assert len(run(SquareWorker(tmp_path / "out", seconds=0.3), plan_squares(40, 2))) == 20
    thread.join()
    assert "its Dask worker; its part is free for others" in caplog.text
    assert len(read_files(tmp_path / "out")) == 20


def test_an_interruption_ends_the_workers_processes(run: Callable, tmp_path: Path) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background lacks

    def call(start: int) -> None:
        (tmp_path / f"pid{os.getpid()}").touch()
        time.sleep(60)

    def interrupt() -> None:
        while not list(tmp_path.glob("pid*")):  # the other may come late on a busy machine
            time.sleep(0.05)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt) as caught:
        run(CallWorker(call))
    assert "finished parts are kept" in caught.value.__notes__[0]
    for path in tmp_path.glob("pid*"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(path.name[3:]), 0)


@contextlib.contextmanager
def start_process(line: list[str], folder: Path) -> Iterator[subprocess.Popen[Any]]:
    env = {**os.environ, "PYTHONPATH": str(Path(beholder.__file__).parents[1])}
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(line, cwd=folder, env=env, start_new_session=True, **quiet)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def start_scheduler(place: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    file = place / "scheduler.json"
    line = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard"]
    with start_process([*line, "--scheduler-file", str(file)], place) as process:
        while not file.exists():
            time.sleep(0.1)
        yield process, json.loads(file.read_text(encoding="utf-8"))["address"]


@contextlib.contextmanager
def start_worker(address: str, *, folder: Path) -> Iterator[None]:
    """A worker that somebody started in another folder."""
    line = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
    with start_process([*line, "--name", "theirs", "--no-nanny"], folder):
        yield


@pytest.mark.slow
def test_schedulers_without_workers_and_none_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, plan, out = SquareWorker(tmp_path / "out"), plan_squares(4, 2), tmp_path / "out"
    monkeypatch.setattr(_dask_session, "_CONNECT_SECONDS", 0.5)
    with pytest.raises(InputError, match=r"expected a Dask scheduler at tcp://127\.0\.0\.1:1; got"):
        finish(worker, plan, out, cluster="dask:127.0.0.1:1")
    with start_scheduler(tmp_path) as (_, address), pytest.raises(BeholderError, match="within 1 s; got none"):
        finish(worker, plan, out, cluster=f"dask:{address},wait=1")


@pytest.mark.slow
def test_workers_that_cannot_take_part_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    worker, plan, out = SquareWorker(tmp_path / "out"), plan_squares(4, 2), tmp_path / "out"
    with start_scheduler(tmp_path) as (_, address), start_worker(address, folder=tmp_path / "elsewhere"):
        with monkeypatch.context() as patch:
            patch.setattr(_dask, "_read_own_version", lambda: "0.0.1 0")
            with pytest.raises(InputError, match=r"takes no part: it has Beholder .*, the command 0\.0\.1"):
                finish(worker, plan, out, cluster=f"dask:{address}")
        with monkeypatch.context() as patch:
            patch.setattr(_dask, "write_parcel", lambda *_: contextlib.nullcontext(tmp_path / "not_there" / "parcel"))
            with pytest.raises(InputError, match=r"takes no part: it does not see .*not_there, the folder beside"):
                finish(worker, plan, out, cluster=f"dask:{address}")
        assert len(finish(worker, plan, out, cluster=f"dask:{address}")) == 2


@pytest.mark.slow
def test_a_scheduler_that_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_dask, "_LOST_SECONDS", 1)
    out = tmp_path / "out"
    with start_scheduler(tmp_path) as (process, address), start_worker(address, folder=tmp_path):

        def kill() -> None:
            while not read_files(out):
                time.sleep(0.05)
            process.kill()

        threading.Thread(target=kill).start()
        with pytest.raises(BeholderError, match=r"to answer; got nothing for .* finished parts are kept"):
            finish(SquareWorker(out, seconds=0.5), plan_squares(40, 2), out, cluster=f"dask:{address}")
    n = len(read_files(out))
    assert 0 < n < 20
    assert len(finish(SquareWorker(out), plan_squares(40, 2), out)) == 20


@pytest.mark.parametrize(("error", "n_refusing"), [(OtherMachine("one kind"), 3), (InputError("a number"), 2)])
def test_machines_of_another_kind_step_aside_while_one_of_the_own_is_left(error: InputError, n_refusing: int) -> None:
    members = {f"tcp://{i}": SimpleNamespace(host=f"node{i}", name="a worker") for i in range(4)}
    crew = SimpleNamespace(_errors=[], _unfit=set(), _members=members)
    for n, (address, member) in enumerate(list(members.items())[:n_refusing], 1):
        if n == n_refusing and isinstance(error, OtherMachine):
            members.pop("tcp://3")
        with contextlib.nullcontext() if n < n_refusing else pytest.raises(type(error)):
            _dask._Crew._set_aside(crew, address, member, error)  # type: ignore[arg-type]
