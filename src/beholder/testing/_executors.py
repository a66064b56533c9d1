"""What an executor of long work has to do."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import write_text
from beholder.jobs import EXECUTORS, Finish, JobFolder, Plan, Shard, Worker, run_plan
from beholder.testing._expect import expect, explain, fail

_N_NUMBERS, _N_SHARDS = 20, 5
_MIDDLE = 8


@suggest_keywords
def check_executor(name: str, *, n_workers: int = 2, folder: Path | str | None = None) -> None:
    """Check an executor: the bytes of an inline run, the worker's own error, and going on after it.

    Parameters
    ----------
    name : str
        Its name in :data:`beholder.jobs.EXECUTORS`: that of the entry point, or as it was added there.
    n_workers : int
        How many workers it is asked for.
    folder : path, optional
        An empty folder to work in, which every machine of the executor sees. Default: a temporary one.

    Raises
    ------
    AssertionError
        Files or receipts differ from an inline run's; a shard is left without a receipt; a worker's error is
        swallowed, or another comes out; after it, finished shards are computed anew or others left undone.

    Examples
    --------
    >>> check_executor("inline")
    """
    with explain(f"an executor called {name!r} in beholder.jobs.EXECUTORS", hint="an entry point beholder.executors"):
        EXECUTORS[name]
    with contextlib.ExitStack() as held:
        top = Path(held.enter_context(tempfile.TemporaryDirectory()) if folder is None else folder)
        plain, one, broken = (_make_folder(top / each) for each in ("inline", "whole", "broken"))
        receipts = run_plan(_PLAN, _SquareWorker(plain.output), plain, executor="inline")
        with explain(f"{name} to finish a plan"):
            done = run_plan(_PLAN, _SquareWorker(one.output), one, n_workers=n_workers, executor=name)
        _check_alike(done, receipts, one, plain, f"{name} to leave what an inline run does")
        _check_error(name, n_workers, broken)
        finished = [shard for shard in _PLAN.shards if broken.read_receipt(_PLAN.hash, shard) is not None]
        paths = [broken.output / f"{shard.payload['start']}.txt" for shard in finished]
        before = {path.name: path.stat().st_mtime_ns for path in paths}
        with explain(f"{name} to go on after an error"):
            done = run_plan(_PLAN, _SquareWorker(broken.output), broken, n_workers=n_workers, executor=name)
        _check_alike(done, receipts, broken, plain, f"{name} to leave what an inline run does, after an error")
        again = [each for each, at in before.items() if (broken.output / each).stat().st_mtime_ns != at]
        expect(not again, f"{name} to keep finished shards", got=f"{', '.join(again)} made anew")


def _check_error(name: str, n_workers: int, folder: JobFolder) -> None:
    expected = f"{name} to raise the worker's own error"
    try:
        run_plan(_PLAN, _SquareWorker(folder.output, _MIDDLE), folder, n_workers=n_workers, executor=name)
    except InputError as error:
        expect("a number that can be squared" in str(error), expected, got=str(error))
    except Exception as error:
        raise fail(expected, got=f"{type(error).__name__}: {error}") from error
    else:
        raise fail(expected, got="none", hint="an executor that lets errors out")


def _make_folder(path: Path) -> JobFolder:
    path.mkdir(parents=True)
    return JobFolder(path.with_name(path.name + ".jobs"), path)


def _check_alike(
    receipts: list[dict[str, Any]], others: list[dict[str, Any]], folder: JobFolder, other: JobFolder, expected: str
) -> None:
    ours, theirs = ({path.name: path.read_bytes() for path in each.output.glob("*")} for each in (folder, other))
    differing = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    expect(not differing, expected, got=f"other files: {', '.join(differing)}")
    expect(receipts == others, expected, got="other receipts")


@final
@dataclass
class _SquareWorker(Worker):
    """Writes the squares of a shard's numbers into a file; refuses the shard that begins with ``refused``."""

    folder: Path
    refused: int | None = None

    @contextlib.contextmanager
    def open(self, n_workers: int) -> Iterator[Callable[[Shard], Finish]]:
        """Nothing to get ready."""
        yield self._start

    def _start(self, shard: Shard) -> Finish:
        start, stop = shard.payload["start"], shard.payload["stop"]

        def finish() -> tuple[dict[str, int], dict[str, Any]]:
            if start == self.refused:
                raise InputError("a number that can be squared", got=str(start))
            self.report(1)
            text = "".join(f"{i * i}\n" for i in range(start, stop))
            write_text(self.folder / f"{start}.txt", text)
            return {f"{start}.txt": len(text)}, {"sum": sum(i * i for i in range(start, stop))}

        return finish


_STEP = _N_NUMBERS // _N_SHARDS
_PLAN = Plan(
    "squares",
    {"power": 2},
    tuple(Shard(f"s{i:04d}", _STEP, {"start": i, "stop": i + _STEP}) for i in range(0, _N_NUMBERS, _STEP)),
    "numbers",
)
