"""The folder beside an output that holds its settings, receipts and locks.

``settings.json`` is what the output was planned with, ``receipts/KEY.json`` one file a finished shard,
``sealed.json`` has the hashes of what was put together from them, ``run.lock``, ``merge.lock`` and ``claims/`` are
locks of the operating system: a killed process holds none. Where a file system has no locks, files with a heartbeat
stand for them (``run.lock.lease``).
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from beholder._core.files import explain_write_errors, remove_temporaries, sync_files, write_text
from beholder._core.hashing import hash_file_fast
from beholder._core.leases import PATIENCE_SECONDS
from beholder._core.locks import LockTaken, take_lock
from beholder._core.machine import Kind, describe_kind
from beholder._core.progress import logger
from beholder._core.settings import refuse_changes
from beholder.jobs._hold import Hold, take_turn, wait_for_hold
from beholder.jobs._kind import MACHINE, MARK, MachineShare, admit_kind, share_shards
from beholder.jobs._mirror import Mirror, find_mirror
from beholder.jobs._plan import Plan, Shard
from beholder.jobs._records import (
    COPY_SUFFIX,
    Files,
    has_content,
    mark_files,
    read_json_record,
    read_receipt_file,
    read_signed,
    write_json_record,
    write_signed,
)

SEAL = "sealed.json"


class JobFolder:
    """Settings, receipts and locks of one output.

    Parameters
    ----------
    path : path
        The folder; made when first written to.
    output : path
        The output it belongs to, for messages and as the base of receipts' file names.

    Attributes
    ----------
    has_locks : bool
        False once :meth:`hold` has found that the file system has none, so that files with a heartbeat stand for them.
    mixed : bool
        Machines of several kinds may work in it; see :meth:`admit`.
    """

    def __init__(self, path: Path | str, output: Path | str) -> None:
        self.path = Path(path)
        self.output = Path(output)
        self.has_locks = True
        self.mixed = False

    @contextlib.contextmanager
    def hold(self, *, shared: bool = False, wait: bool = False) -> Generator[Hold]:
        """Hold the output for this run: alone, or shared with runs that add other parts, in turns.

        Raises
        ------
        OutputBusy
            A live run holds it alone; or any, where this one is to be alone.
        InputError
            The output is at an address, where only `extract` writes.
        """
        with explain_write_errors(self.output):
            self.path.mkdir(parents=True, exist_ok=True)
            hold = wait_for_hold(self.path, self.output, shared) if wait else Hold(self.path, self.output, shared)
        try:
            self.has_locks = hold.has_locks
            if not self.has_locks:
                logger.warning(
                    "%s lies on a file system without locks: files with a heartbeat stand for them, "
                    "and what a dead process held is free after %g s", self.output, PATIENCE_SECONDS,
                )  # fmt: skip
            if hold.is_alone:
                remove_temporaries(self.path)
            yield hold
        finally:
            hold.close()

    @property
    def mirror(self) -> Mirror | None:
        """Where the output's files are kept, where that is an address."""
        return find_mirror(self.output)

    def keep_files(self, names: Iterable[str]) -> None:
        """Let the disk, or the address of the output, hold files of finished shards."""
        mirror = self.mirror
        if mirror is not None:
            mirror.keep(self.output, names)
        else:
            sync_files([self.output / name for name in names], self.output)

    @contextlib.contextmanager
    def take_turn(self) -> Generator[None]:
        """Read what runs put together while none of them is at it; in a folder that cannot be written none is."""
        if not os.access(self.path, os.W_OK | os.X_OK):
            yield
            return
        with explain_write_errors(self.output), take_turn(self.path, self.output):
            yield

    @contextlib.contextmanager
    def claim(self, shard: Shard) -> Generator[bool]:
        """Claim one shard among the workers of a plan; yields whether it is ours."""
        claims = self.path / "claims"
        with explain_write_errors(self.output):
            claims.mkdir(parents=True, exist_ok=True)
            try:
                lock = take_lock(claims / f"{shard.key}.lock")
            except LockTaken:
                yield False
                return
        with lock:
            yield True

    def read_settings(self) -> dict[str, Any] | None:
        """What the output was planned with, or None for a new one."""
        return self.read_record("settings.json")

    def write_settings(self, settings: Mapping[str, Any]) -> None:
        """Record what the output is planned with."""
        self.write_record("settings.json", dict(settings))

    def read_record(self, name: str) -> dict[str, Any] | None:
        """A JSON object that was recorded beside the receipts, or None; a damaged one is read from its copy."""
        return read_json_record(self.path / name)

    def write_record(self, name: str, value: Any) -> None:
        """Record a JSON object beside the receipts, twice, so that it outlives a power cut and damage."""
        with explain_write_errors(self.output):
            write_json_record(self.path / name, value)

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
        self.drop_damaged()
        return True

    def admit(self, kind: Kind) -> str | None:
        """Hold this machine, for the work at hand, against the one that the output is made on; see ``_kind``.

        Returns
        -------
        str or None
            What :meth:`vouch` notes in receipts of another kind.

        Raises
        ------
        OtherMachine
            It is of another kind, and ``mixed`` is False.
        """
        is_begun = any(True for _ in (self.path / "receipts").glob("*.json"))
        return admit_kind(self.path, self.output, kind, mixed=self.mixed, is_begun=is_begun)

    def list_machines(self) -> tuple[MachineShare, ...]:
        """Which shards came from which kind of machine; nothing where there is one."""
        receipts = sorted((self.path / "receipts").glob("*.json"))
        found = ((path.stem, self.peek_receipt(path.stem) or {}) for path in receipts)
        return share_shards(self.path, found)

    def note_machine(self) -> None:
        """Record the kind of this machine in an output whose work is not cut into shards."""
        if self.read_settings() is not None and not (self.path / MACHINE).exists():
            self.write_record(MACHINE, describe_kind())

    def read_receipt(self, plan_hash: str, shard: Shard) -> dict[str, Any] | None:
        """The receipt of a finished shard; None when it is unfinished, foreign, or its files are not whole."""
        receipt = self.peek_receipt(shard.key)
        if receipt is None or receipt["settings"] != plan_hash or receipt["payload"] != dict(shard.payload):
            return None
        mirror = self.mirror
        if mirror is not None:
            return receipt if all(mirror.has(name, size) for name, size in receipt["files"].items()) else None
        for name, size in receipt["files"].items():
            with contextlib.suppress(OSError):
                if (self.output / name).stat().st_size == size:
                    continue
            return None
        return receipt

    def list_unfinished(self, plan: Plan) -> list[Shard]:
        """Shards of a plan without a receipt."""
        return [shard for shard in plan.shards if self.read_receipt(plan.hash, shard) is None]

    def peek_receipt(self, key: str) -> dict[str, Any] | None:
        """The receipt under ``key`` whatever it was for, or None; a damaged one is none."""
        return read_receipt_file(self.path / "receipts" / f"{key}.json")

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

    def write_receipt(
        self, plan: Plan, shard: Shard, files: Files, facts: Mapping[str, Any], machines: Iterable[str] = ()
    ) -> None:
        """Record a finished shard: the files it made, with sizes and hashes, and what is worth keeping.

        The disk holds the files before it holds the receipt.
        """
        with explain_write_errors(self.output):
            sync_files([self.output / name for name in files], self.output)
            self.vouch(plan, shard, files, facts, machines)

    def vouch(
        self, plan: Plan, shard: Shard, files: Files, facts: Mapping[str, Any], machines: Iterable[str] = ()
    ) -> None:
        """Write the receipt of files that the disk holds; ``machines`` are names as :meth:`admit` gives them."""
        sizes, digests = mark_files(files, self.output)
        record = {"settings": plan.hash, "payload": dict(shard.payload), "files": sizes, "digests": digests}
        known = {*machines, *self._read_marks(shard.key)}
        mark = {MARK: sorted(known)} if known else {}
        self.replace_receipt(shard.key, {**record, **mark, "facts": dict(facts)})
        if known:
            (self.path / MARK / shard.key).unlink(missing_ok=True)

    def begin_elsewhere(self, shard: Shard, machine: str) -> None:
        """Note that a machine of another kind begins a shard, which another one may continue from its checkpoint."""
        write_text(self.path / MARK / shard.key, "\n".join({*self._read_marks(shard.key), machine}))

    def _read_marks(self, key: str) -> set[str]:
        """Other kinds that worked on a shard before: on a checkpoint, or on rows that are kept."""
        if not (self.path / MARK).exists():  # no other kind has ever worked here
            return set()
        begun: set[str] = set()
        with contextlib.suppress(FileNotFoundError):
            begun = set((self.path / MARK / key).read_text(encoding="utf-8").split())
        return begun.union((self.peek_receipt(key) or {}).get(MARK, ()))

    def replace_receipt(self, key: str, receipt: Mapping[str, Any]) -> None:
        """Write a receipt as it is."""
        with explain_write_errors(self.output):
            write_signed(self.path / "receipts" / f"{key}.json", receipt)

    def read_seal(self) -> dict[str, str]:
        """Hashes of the files that were put together from the shards, by name below the output."""
        return (read_signed(self.path / SEAL) or {}).get("digests", {})

    @contextlib.contextmanager
    def seal(self, *names: str) -> Generator[list[str]]:
        """Vouch for files of the output that are put together from its shards, once the block has written them.

        ``names`` are known before; the block may add to the list that it gets.
        """
        wanted = list(names)
        self._write_seal(dict.fromkeys(names))
        yield wanted
        paths = [self.output / name for name in wanted]
        sync_files(paths, self.output)
        self._write_seal({name: hash_file_fast(path) for name, path in zip(wanted, paths, strict=True)})

    def unseal(self) -> None:
        """Vouch no longer for what was put together: it is about to change."""
        self._write_seal(dict.fromkeys(self.read_seal()))

    def _write_seal(self, changes: Mapping[str, str | None]) -> None:
        old = self.read_seal()
        new = {name: digest for name, digest in {**old, **changes}.items() if digest is not None}
        if new != old:
            with explain_write_errors(self.output):
                write_signed(self.path / SEAL, {"digests": new})

    def drop_damaged(self) -> None:
        """Delete sealed files whose content is not what was written: this run puts them together again."""
        for name, digest in self.read_seal().items():
            path = self.output / name
            if not has_content(path, digest):
                if path.exists():
                    logger.warning("%s is damaged; it is made anew", path)
                path.unlink(missing_ok=True)

    def clear(self, made: Iterable[Path] = ()) -> None:
        """Forget everything: settings, receipts, and what else was recorded beside them; delete what was made, too."""
        with explain_write_errors(self.output), contextlib.suppress(FileNotFoundError):
            records = [path for path in self.path.iterdir() if path.is_file() and ".lock" not in path.suffixes]
            for record in sorted(records, key=lambda path: path.suffix != COPY_SUFFIX):
                record.unlink()
            for name in ("receipts", MARK):
                shutil.rmtree(self.path / name, ignore_errors=True)
            self.clear_claims()
        with explain_write_errors(self.output):
            for path in list(made):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)

    def clear_claims(self) -> None:
        """Delete the lock files of finished work."""
        shutil.rmtree(self.path / "claims", ignore_errors=True)
