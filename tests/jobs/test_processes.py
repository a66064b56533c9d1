"""What reaches worker processes, and what comes back from them."""

from __future__ import annotations

import errno
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beholder._core.errors import BeholderError, InputError, MissingExtra, OutputError, StimulusError, UnknownNameError
from beholder.jobs import JobFolder, run_plan
from beholder.jobs._parcel import is_importable, read_pickle, write_pickle
from beholder.jobs._serve import WorkerTraceback

sys.path.insert(0, str(Path(__file__).parent))

from sample_work import CallWorker, plan_squares


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    def run(call: Callable[[int], Any], n_workers: int = 2, **options: Any) -> list[dict[str, Any]]:
        (tmp_path / "out").mkdir(exist_ok=True)
        folder = JobFolder(tmp_path / "out.jobs", tmp_path / "out")
        with folder.hold():
            return run_plan(plan_squares(16, 4), CallWorker(call, **options), folder, n_workers=n_workers)

    return run


def list_values(receipts: list[dict[str, Any]]) -> list[Any]:
    return [receipt["facts"]["value"] for receipt in receipts]


def test_closures_lambdas_and_local_classes_reach_workers(run: Callable) -> None:
    offset = 3

    class Local:
        def __init__(self, factor: int) -> None:
            self.factor = factor

        def compute(self, start: int) -> int:
            return self.factor * start + offset

    local = Local(2)
    assert list_values(run(local.compute)) == [3, 11, 19, 27]
    assert list_values(run(lambda start: start - offset)) == [3, 11, 19, 27], "finished parts are kept"


def test_modules_that_no_worker_can_import_reach_them(run: Callable, tmp_path: Path) -> None:
    made = types.ModuleType("made_by_hand")
    sys.modules["made_by_hand"] = made
    exec("BASE = 5\ndef add(start): return start + BASE", made.__dict__)
    (tmp_path / "gone.py").write_text(
        "class Adder:\n    def __call__(self, start): return start + 7\n", encoding="utf-8"
    )
    sys.path.insert(0, str(tmp_path))
    import gone  # type: ignore[import-not-found]

    try:
        assert is_importable(gone)
        assert list_values(run(made.add)) == [5, 9, 13, 17]
        sys.path.remove(str(tmp_path))
        (tmp_path / "out.jobs" / "settings.json").unlink(missing_ok=True)
        assert not is_importable(gone) and not is_importable(made)
        path = tmp_path / "parcel"
        write_pickle(gone.Adder(), path)
        del sys.modules["gone"]
        assert read_pickle(path)(1) == 8
    finally:
        sys.modules.pop("made_by_hand")
        sys.modules.pop("gone", None)


def test_what_hides_behind_another_module_of_the_name_goes_by_value(tmp_path: Path) -> None:
    for folder, value in (("a", 1), ("b", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "twins.py").write_text(f"def get(): return {value}\n", encoding="utf-8")
    sys.path.insert(0, str(tmp_path / "a"))
    import twins  # type: ignore[import-not-found]

    sys.path.insert(0, str(tmp_path / "b"))
    try:
        assert not is_importable(twins)
    finally:
        sys.path.remove(str(tmp_path / "a"))
        sys.path.remove(str(tmp_path / "b"))
        del sys.modules["twins"]


@pytest.mark.parametrize(
    "module", ["collections.abc", "os.path", "numpy", "torch.nn.functional", "beholder.jobs._work"]
)
def test_what_is_installed_is_importable(module: str) -> None:
    __import__(module)
    assert is_importable(sys.modules[module])


class OwnError(Exception):
    def __init__(self, left: int, right: int) -> None:
        super().__init__(f"{left} and {right}")
        self.left = left


ERRORS = [
    lambda: StimulusError("a picture", got="half of one"),
    lambda: UnknownNameError("layer", "blok", ["block"]),
    lambda: MissingExtra("rich", "all", "colour"),
    lambda: InputError("this", got="that", hint="those"),
    lambda: OutputError("expected room"),
    lambda: FileNotFoundError(errno.ENOENT, "no such file", "/nowhere"),
    lambda: ZeroDivisionError("by zero"),
    lambda: KeyError("key"),
    lambda: OwnError(1, 2),
    MemoryError,
]


@pytest.mark.parametrize("make", ERRORS, ids=lambda make: type(make()).__name__)
def test_an_errors_class_does_not_depend_on_workers(run: Callable, make: Callable[[], Exception]) -> None:
    def fail(start: int) -> None:
        raise make()

    caught = []
    for n_workers in (1, 2):
        with pytest.raises(type(make())) as found:
            run(fail, n_workers=n_workers)
        caught.append(found.value)
    alone, beside = caught
    assert type(alone) is type(beside) and str(alone) == str(beside)
    assert {**vars(beside), "__notes__": None} == {**vars(alone), "__notes__": None}
    assert getattr(alone, "exit_code", None) == getattr(beside, "exit_code", None)
    assert isinstance(beside.__cause__, WorkerTraceback) and "in fail" in str(beside.__cause__)


def test_an_error_that_cannot_be_rebuilt_keeps_its_words(run: Callable) -> None:
    def fail(start: int) -> None:
        raise ValueError("of", threading.Lock())

    with pytest.raises(RuntimeError, match=r"ValueError: \('of', <unlocked"):
        run(fail)


class Ends:
    """Ends the process that unpickles it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (3,)


class Fails:
    """Cannot be unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return int, ("x",)


def test_a_worker_that_ends_before_it_is_ready_ends_the_call(run: Callable) -> None:
    start = time.monotonic()
    with pytest.raises(BeholderError, match="ended with exit code 3 before it was ready; try workers=1"):
        run(abs, extra=Ends())
    with pytest.raises(ValueError, match="invalid literal"):
        run(abs, extra=Fails())
    assert time.monotonic() - start < 30


def test_what_cannot_travel_is_refused_by_its_name_before_a_worker_starts(
    run: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    with pytest.raises(InputError, match=r"other processes; got extra that cannot be \(TypeError.*try workers=1"):
        run(abs, extra=threading.Lock())
    run(abs, extra=threading.Lock(), n_workers=1)


def test_messages_of_workers_go_through_the_callers_logger(run: Callable, caplog: pytest.LogCaptureFixture) -> None:
    def tell(start: int) -> None:
        logging.getLogger("beholder").warning("start %d", start)
        logging.getLogger("beholder").debug("not wanted")
        print("printed")

    with caplog.at_level(logging.INFO, logger="beholder"):
        run(tell)
    assert {record.getMessage() for record in caplog.records if record.levelno == logging.WARNING} == {
        f"start {start}" for start in (0, 4, 8, 12)
    }
    assert "not wanted" not in caplog.text


def test_nothing_is_left_of_what_was_sent(run: Callable, tmp_path: Path) -> None:
    (tmp_path / "out.jobs").mkdir()
    (tmp_path / "out.jobs" / ".tmp-workers-left").touch()
    run(abs)
    assert not list((tmp_path / "out.jobs").glob(".tmp-*"))


SLEEPERS = """
import signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from sample_work import CallWorker, plan_squares
from beholder.jobs import JobFolder, run_plan
import os
out = Path(sys.argv[1])
(out / "pids").mkdir(parents=True, exist_ok=True)

def sleep(start):
    (out / "pids" / str(os.getpid())).touch()
    time.sleep(60)

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run behind an &
try:
    run_plan(plan_squares(8, 4), CallWorker(sleep), JobFolder(out / "jobs", out), n_workers=2)
except KeyboardInterrupt as stop:
    print("stopped", *stop.__notes__)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_their_parent_and_without_a_word(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-c", SLEEPERS, str(tmp_path), str(Path(__file__).parent)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        while len(pids := list(tmp_path.glob("pids/*"))) < 2:
            assert process.poll() is None
            time.sleep(0.05)
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.kill()
        out, err = process.communicate(timeout=120)
    assert not [line for line in err.splitlines() if not line.startswith("squares: ")], err  # what a slow machine tells
    if number == signal.SIGINT:
        assert out == "stopped finished parts are kept; the same call goes on from them\n"
        assert not list(tmp_path.glob("jobs/.tmp-*"))
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{pid.name}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid.name}").exists() for pid in pids)


def test_an_interrupt_while_workers_start_leaves_no_traceback_of_theirs(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SLEEPERS, str(tmp_path), str(Path(__file__).parent)]
    code = textwrap.dedent(SLEEPERS).replace("n_workers=2)", "n_workers=2)", 1)
    command[2] = code.replace("try:\n", "import subprocess, signal\nkept = subprocess.Popen\ndef Popen(*a, **k):\n"
                              "    made = kept(*a, **k)\n    os.kill(made.pid, signal.SIGINT)\n    return made\n"
                              "subprocess.Popen = Popen\ntry:\n", 1).replace("sleep(60)", "sleep(0)")  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert len(list(tmp_path.glob("jobs/receipts/*"))) == 2
