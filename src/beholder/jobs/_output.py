"""Long work on one output: the one way in which every command opens, fills and leaves it.

::

    with open_output(folder, leftovers=..., replace=...) as output:  # the lock; what dead runs and --overwrite leave
        settings = resolve(..., folder.read_settings())              # what an output was begun with, it keeps
        output.settle(settings, vacant=[...])                        # other settings are refused, with the difference
        receipts = output.run(plan, worker, n_workers=...)           # shards: claimed, computed, committed, vouched for
        ...                                                          # tables and heads are put together from receipts
        output.record(folder, name, facts)                           # provenance; at the end claims are cleared

Runs that add to one output (``shared=True``) work side by side. What a run does in the block it does in its turn,
alone: it reads what is there, notes in the layout what it adds, and puts together common tables and attributes.
Inside :meth:`Output.run`, which takes the hours, it gives its turn away. Parts are shards: a run claims each that it
makes; one that another run is making is waited for, and its receipt counts for both. Locks and claims are the
operating system's, so that those of a dead process lapse with it. What dead runs left half-written is tidied up by
the next run that comes alone. Common tables are ordered by what they hold, so that runs side by side leave the bytes
of runs in turn. A run that replaces, and one with other settings, is refused.

What an output is begun with (batch size, threads, the layout of weights) is chosen by the run whose turn is first,
and kept by all others.

Tasks of a job array open every output shared, also one that is otherwise opened alone: they put nothing together.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, final

from beholder._core.errors import ConfigurationChanged, OutputBusy, suggest_keywords
from beholder._core.files import explain_write_errors, remove_temporaries
from beholder._core.progress import logger
from beholder._core.provenance import record_provenance
from beholder.jobs._array import TaskEnded, read_array_task, refuse_overwrite
from beholder.jobs._dry_run import find_placed, note_interruption
from beholder.jobs._executors import run_plan
from beholder.jobs._folder import JobFolder
from beholder.jobs._hold import Announcement, Hold
from beholder.jobs._phases import is_needed
from beholder.jobs._plan import Plan
from beholder.jobs._work import Worker

_MOMENT_SECONDS = 1.0


@final
class Output:
    """An output that a run works on; use :func:`open_output`.

    Attributes
    ----------
    folder : JobFolder
        Its settings, receipts and locks.
    is_alone : bool
        No other run was at work in it when this one came.
    announcement : Announcement
        Which parts it makes, where shards do not tell.
    settings : dict
        As :meth:`settle` took them.
    """

    def __init__(self, folder: JobFolder, hold: Hold, *, is_new: bool = False) -> None:
        self.folder, self._hold = folder, hold
        self.announcement = Announcement(folder.path)
        self._told: set[str] = set()
        self.is_alone, self._is_new = hold.is_alone, is_new
        self.settings: dict[str, Any] = {}

    def settle(
        self, settings: Mapping[str, Any], *, hints: Mapping[str, str] | None = None, vacant: Iterable[Path] = ()
    ) -> bool:
        """Take the settings of this run; whether the output was there.

        Parameters
        ----------
        settings : mapping
            Everything that can change a byte.
        hints : mapping, optional
            For single settings, a way out other than ``--overwrite``.
        vacant : iterable of path
            What a new output does not have yet: what is there without its settings is left alone.

        Raises
        ------
        ConfigurationChanged
            The output was made with other settings, or nothing says with which.
        """
        self.settings = dict(settings)
        if self.folder.check_settings(settings, hints):
            return True
        for path in map(find_placed, vacant) if self._is_new else vacant:
            if path.exists():
                raise ConfigurationChanged(
                    "a new output, or one with its settings beside it",
                    got=f"{path} without {self.folder.path.name}",
                    hint="another output folder, or --overwrite to replace it",
                )
        self.folder.write_settings(settings)
        return False

    def run(self, plan: Plan, worker: Worker, *, n_workers: int = 1, is_last: bool = True) -> list[dict[str, Any]]:
        """Finish a plan's shards while others have their turn; their receipts, in the plan's order.

        ``is_last`` says that no other plan depends on them: there a task of a job array ends, see :func:`run_plan`.
        """
        with self.pause():
            return run_plan(plan, worker, self.folder, n_workers=n_workers, is_last=is_last and not is_needed())

    def end_task(self) -> None:
        """End a task of a job array here, after plans that others depended on; the job after it goes on."""
        task = read_array_task()
        if task is not None and not task.is_merge and not is_needed():
            raise TaskEnded(0, 0)

    def pause(self) -> contextlib.AbstractContextManager[None]:
        """Let others have their turn inside the block."""
        return self._hold.pause()

    def resume(self) -> contextlib.AbstractContextManager[None]:
        """Have the turn for a block inside a :meth:`pause`."""
        return self._hold.resume()

    def wait(self, why: str) -> None:
        """Let other runs work for a moment; ``why`` is told, the first time."""
        if why not in self._told:
            self._told.add(why)
            logger.info("waiting: %s", why)
        with self.pause():
            time.sleep(_MOMENT_SECONDS)

    def refuse_others(self, what: str) -> None:
        """Refuse what cannot be done beside other runs.

        Raises
        ------
        OutputBusy
            Another run was at work when this one came.
        """
        if not self.is_alone:
            raise OutputBusy(
                f"expected {self.folder.output} to be free for {what}; got another run that is writing to it; "
                "try again when that run has ended, or another output folder"
            )

    def record(self, folder: Path, name: str, facts: Mapping[str, Any]) -> None:
        """Note in ``provenance.json`` of a folder where its output ``name`` came from: the settings, and ``facts``.

        Where it was made on machines of several kinds, which shards came from which is noted, too.
        """
        machines = [asdict(share) for share in self.folder.list_machines()]
        record_provenance(folder, name, self.settings, **facts, **({"machines": machines} if machines else {}))


@suggest_keywords
@contextlib.contextmanager
def open_output(
    folder: JobFolder,
    *,
    leftovers: Iterable[Path] = (),
    replace: Callable[[], None] | None = None,
    shared: bool = False,
    wait: bool = False,
) -> Generator[Output]:
    """Open an output for long work: see the module's text for what happens in the block.

    Parameters
    ----------
    folder : JobFolder
        Of the output.
    leftovers : iterable of path
        Files and folders beside and in which killed runs leave files half-written; the job folder is always looked at.
    replace : callable, optional
        Deletes what is there first; then the run is alone in the output.
    shared : bool
        Runs that do not replace may add other parts at the same time.
    wait : bool
        Wait for a run that holds the output.

    Raises
    ------
    OutputBusy
        A live run holds the output alone, or is at work in one that this run is to hold alone.

    Examples
    --------
    >>> with open_output(JobFolder(".out.jobs", "out")) as output:      # doctest: +SKIP
    ...     output.settle({"power": 2})
    ...     receipts = output.run(plan, worker)
    """
    task = read_array_task()
    if task is not None:
        if replace is not None:
            raise refuse_overwrite()
        shared, wait = shared or not task.is_merge, wait or task.is_merge
    with folder.hold(shared=shared and replace is None, wait=wait) as hold:
        is_new = replace is None and folder.read_settings() is None
        if replace is not None:
            with explain_write_errors(folder.output):
                replace()
        if hold.is_alone:
            for place in leftovers:
                remove_temporaries(place)
        output = Output(folder, hold, is_new=is_new)
        try:
            with note_interruption():
                yield output
        finally:
            output.announcement.close()
        folder.note_machine()
        if hold.leave():
            folder.clear_claims()
