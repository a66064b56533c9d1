"""Committing shards: the disk holds their files, then their receipts, while the next shards are computed."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Generator, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple, final

from beholder._core.files import sync_files
from beholder.jobs._folder import JobFolder
from beholder.jobs._plan import Plan, Shard
from beholder.jobs._receipts import Files

_MOST_WAITING = 8
"""Shards whose receipts may be late: what a kill costs at most, beside the shard in work."""


class _Done(NamedTuple):
    shard: Shard
    claim: ExitStack
    files: Files
    facts: Mapping[str, Any]


@final
class Committer:
    """Vouches for finished shards in a thread of its own, as many at a time as there are.

    A disk writes slower than a core computes small shards, and waiting for it costs the same for one file as for many.
    """

    def __init__(self, plan: Plan, folder: JobFolder) -> None:
        self._plan, self._folder = plan, folder
        self._waiting: queue.Queue[_Done | None] = queue.Queue(_MOST_WAITING)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="beholder-commit", daemon=True)
        self._thread.start()

    def add(self, shard: Shard, claim: ExitStack, files: Files, facts: Mapping[str, Any]) -> None:
        """Hand over a shard whose files are written, with its claim; raises what went wrong with an earlier one."""
        self._waiting.put(_Done(shard, claim, files, facts))
        self._raise()

    def close(self) -> None:
        """Wait until every receipt is written."""
        self._waiting.put(None)
        self._thread.join()
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        going = True
        while going:
            batch = [self._waiting.get()]
            with contextlib.suppress(queue.Empty):
                while True:
                    batch.append(self._waiting.get_nowait())
            going = None not in batch
            done = [each for each in batch if each is not None]
            try:
                if self._error is None and done:
                    self._commit(done)
            except BaseException as error:
                self._error = error
            finally:
                for each in done:
                    each.claim.close()

    def _commit(self, done: list[_Done]) -> None:
        output = self._folder.output
        sync_files([output / name for each in done for name in each.files], output)
        for each in done:
            self._folder.vouch(self._plan, each.shard, each.files, each.facts)


@contextlib.contextmanager
def open_committer(plan: Plan, folder: JobFolder) -> Generator[Committer]:
    """A committer that has written every receipt when the block ends, whatever ends it."""
    committer = Committer(plan, folder)
    try:
        yield committer
    except BaseException:
        with contextlib.suppress(Exception):
            committer.close()
        raise
    committer.close()
