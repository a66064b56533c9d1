"""One kind of machine for one output, or a list of which parts came from which.

``machine.json`` says on what kind of machine an output is made: that of the worker that began its first shard, not of
whoever planned it, which may be a login node. A worker of another kind refuses to begin a shard, or with ``--mixed``
computes it, and its receipt says where. What is finished stays, and a run that computes nothing asks nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beholder._core.errors import InputError, OtherMachine
from beholder._core.files import explain_write_errors, read_json_object
from beholder._core.hashing import hash_settings
from beholder._core.locks import take_lock
from beholder._core.machine import Kind, format_differences, format_kind, list_differences
from beholder._core.progress import logger, tell
from beholder.jobs._records import read_json_record, write_json_record

MACHINE = "machine.json"
_LOCK = "machine.lock"
_OTHERS = "others"
MARK = "machine"
"""In receipts, the names of kinds that worked on the shard, where it was not the output's own alone."""


@dataclass(frozen=True)
class MachineShare:
    """What one kind of machine made of an output.

    Attributes
    ----------
    kind : str
        In words.
    n_shards : int
        0 where the work is not cut into shards.
    shards : tuple of str
        Keys of the shards that it worked on; empty for the output's own kind, which made all others.
    """

    kind: str
    n_shards: int
    shards: tuple[str, ...] = ()

    def to_text(self, most: int) -> str:
        """The same in a line that names no more than ``most`` shards.

        >>> MachineShare("AMD AVX2", 2, ("a", "b")).to_text(1)
        '2 parts made on AMD AVX2: a, …'
        """
        named = ", ".join([*self.shards[:most], *(["…"] if len(self.shards) > most else [])])
        if not self.n_shards:
            return f"made on {self.kind}"
        return f"{self.n_shards} part{'s' * (self.n_shards != 1)} made on {self.kind}" + (f": {named}" if named else "")


def admit_kind(path: Path, output: Path, kind: Kind, *, mixed: bool, is_begun: bool = False) -> str | None:
    """Hold this machine against the one that an output is made on; the first one is taken down.

    Parameters
    ----------
    path : path
        The job folder.
    output : path
        For messages.
    kind : dict
        Of this machine, for the work at hand.
    mixed : bool
        Go on with another kind, and list it.
    is_begun : bool
        There are parts already, which matters where nothing says on what machine they were made.

    Returns
    -------
    str or None
        The name under which a kind other than the output's own is listed.

    Raises
    ------
    OtherMachine
        It is of another kind, and parts of several are not to be mixed.
    """
    with explain_write_errors(output):
        path.mkdir(parents=True, exist_ok=True)
        with take_lock(path / _LOCK, wait=True):
            own = read_json_record(path / MACHINE)
            if own is None:
                if is_begun:
                    tell("nothing says on what kind of machine %s was begun; it goes on with this one", output)
                write_json_record(path / MACHINE, kind)
                return None
            if not any(list_differences(own, kind)):
                return None
            before, now = format_differences(own, kind)
            if not mixed:
                raise OtherMachine(
                    f"a machine of the kind that {output} is made on ({before})", got=f"one of another kind ({now})",
                    hint="one of that kind, or --mixed, which lists what came from which; finished parts are kept",
                )  # fmt: skip
            name, others = hash_settings(kind)[:12], own.get(_OTHERS, {})
            if name not in others:
                logger.warning("%s is begun on %s; parts are added on %s, and listed", output, before, now)
                write_json_record(path / MACHINE, {**own, _OTHERS: {**others, name: kind}})
            return name


def read_kinds(path: Path) -> tuple[str, dict[str, str]]:
    """In words, the kind of machine that an output is made on, and others by the name that receipts give them."""
    try:
        own = read_json_object(path / MACHINE)
    except InputError:
        return "", {}
    return format_kind(own), {name: format_kind(kind) for name, kind in own.get(_OTHERS, {}).items()}


def share_shards(path: Path, receipts: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[MachineShare, ...]:
    """Which shards came from which kind of machine: the output's own first; nothing where there is one kind.

    Parameters
    ----------
    path : path
        The job folder.
    receipts : iterable of (str, dict)
        Keys of shards, and their receipts; not looked at where there is one kind.
    """
    own, others = read_kinds(path)
    if not others:
        return ()
    found: dict[str, list[str]] = {name: [] for name in others}
    n_own = n_all = 0
    for key, receipt in receipts:
        marks = receipt.get(MARK, ())
        n_all, n_own = n_all + 1, n_own + (not marks)
        for name in marks:
            found.setdefault(name, []).append(key)
    listed = [MachineShare(others.get(name, name), len(keys), tuple(keys)) for name, keys in found.items()]
    return (MachineShare(own, n_own), *(share for share in listed if share.n_shards or not n_all))
