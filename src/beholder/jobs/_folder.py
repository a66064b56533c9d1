"""The folder beside an output that holds its settings, receipts and locks.

``settings.json`` is what the output was planned with, ``receipts/KEY.json`` one file a finished
shard, ``run.lock`` and ``claims/`` are locks of the operating system: a killed process holds none.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from beholder._core.errors import OutputBusy
from beholder._core.files import explain_write_errors, read_json, write_json
from beholder._core.settings import refuse_changes
from beholder.jobs._plan import Plan, Shard


class JobFolder:
    """Settings, receipts and locks of one output.

    Parameters
    ----------
    path : path
        The folder; made when first written to.
    output : path
        The output it belongs to, for messages and as the base of receipts' file names.
    """

    def __init__(self, path: Path | str, output: Path | str) -> None:
        self.path = Path(path)
        self.output = Path(output)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the output for this run.

        Raises
        ------
        OutputBusy
            Another live run holds it.
        """
        with explain_write_errors(self.output):
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / "run.lock")
            try:
                lock.acquire(blocking=False)
            except Timeout:
                raise OutputBusy(
                    f"expected {self.output} to be free; got another run that is writing to it; "
                    "try again when that run has ended, or another output folder"
                ) from None
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def claim(self, shard: Shard) -> Iterator[bool]:
        """Claim one shard among the workers of a plan; yields whether it is ours."""
        claims = self.path / "claims"
        with explain_write_errors(self.output):
            claims.mkdir(parents=True, exist_ok=True)
            lock = FileLock(claims / f"{shard.key}.lock", thread_local=False)
            try:
                lock.acquire(blocking=False)
            except Timeout:
                yield False
                return
        try:
            yield True
        finally:
            lock.release()

    def read_settings(self) -> dict[str, Any] | None:
        """What the output was planned with, or None for a new one."""
        path = self.path / "settings.json"
        return read_json(path) if path.exists() else None

    def write_settings(self, settings: Mapping[str, Any]) -> None:
        """Record what the output is planned with."""
        write_json(self.path / "settings.json", dict(settings))

    def check_settings(self, settings: Mapping[str, Any], hints: Mapping[str, str] | None = None) -> bool:
        """Whether the output exists; it must then have been planned with the same settings.

        Parameters
        ----------
        settings : mapping
            The settings of this run.
        hints : mapping, optional
            For single settings, a way out other than ``--overwrite``.

        Raises
        ------
        ConfigurationChanged
            With the first differences named.
        """
        old = self.read_settings()
        if old is None:
            return False
        refuse_changes(old, settings, str(self.output), hints)
        return True

    def read_receipt(self, plan_hash: str, shard: Shard) -> dict[str, Any] | None:
        """The receipt of a finished shard; None when it is unfinished, foreign, or its files are not whole."""
        receipt = self.peek_receipt(shard.key)
        if receipt is None or receipt["settings"] != plan_hash or receipt["payload"] != dict(shard.payload):
            return None
        for name, size in receipt["files"].items():
            with contextlib.suppress(OSError):
                if (self.output / name).stat().st_size == size:
                    continue
            return None
        return receipt

    def peek_receipt(self, key: str) -> dict[str, Any] | None:
        """The receipt under ``key`` whatever it was for, or None."""
        path = self.path / "receipts" / f"{key}.json"
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None

    def iter_receipts(self, prefix: str = "") -> Iterator[dict[str, Any]]:
        """Receipts whose keys begin with ``prefix``, sorted by key."""
        for path in sorted((self.path / "receipts").glob(f"{prefix}*.json")):
            receipt = self.peek_receipt(path.stem)
            if receipt is not None:
                yield receipt

    def drop_receipts(self, is_stale: Callable[[dict[str, Any]], bool]) -> None:
        """Forget the finished shards whose receipts are stale."""
        for path in sorted((self.path / "receipts").glob("*.json")):
            receipt = self.peek_receipt(path.stem)
            if receipt is not None and is_stale(receipt):
                path.unlink()

    def write_receipt(self, plan: Plan, shard: Shard, files: Mapping[str, int], facts: Mapping[str, Any]) -> None:
        """Record a finished shard: the files it made, with sizes, and what is worth keeping."""
        receipt = {"settings": plan.hash, "payload": dict(shard.payload), "files": dict(files), "facts": dict(facts)}
        write_json(self.path / "receipts" / f"{shard.key}.json", receipt)

    def clear(self) -> None:
        """Forget everything: settings, receipts, and what else was recorded beside them."""
        with explain_write_errors(self.output), contextlib.suppress(FileNotFoundError):
            for record in [path for path in self.path.iterdir() if path.is_file() and path.suffix != ".lock"]:
                record.unlink()
            shutil.rmtree(self.path / "receipts", ignore_errors=True)
            self.clear_claims()

    def clear_claims(self) -> None:
        """Delete the lock files of finished work."""
        shutil.rmtree(self.path / "claims", ignore_errors=True)
