"""Outputs at an address, such as ``s3://bucket/acts/net.zarr``: worked on here, kept there.

Settings, receipts, claims and what is small lie in a folder of this machine, where runs of this machine (and of others
that share the folder) work as on any output. A finished shard's files are sent to the address, then deleted here, then
its receipt is written. Nothing at the address can be claimed by several machines at once, so that one folder owns it:
``.{name}.jobs/owner.json`` beside it says which. Work from another folder is refused.
"""

from __future__ import annotations

import json
import math
import platform
import time
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import final

from beholder._core.addresses import (
    create_remote,
    find_entry,
    hash_remote,
    list_tree,
    read_remote,
    remove_remote,
    show_place,
    to_address,
    write_remote,
)
from beholder._core.errors import ConfigurationChanged, InputError, OutputBusy, suggest_keywords
from beholder._core.files import write_json
from beholder._core.home import get_home_folder
from beholder._core.progress import logger

_AT_ONCE = 16
_OLD_SECONDS = 2.0


@final
class Mirror:
    """The address of an output, and who owns it.

    Parameters
    ----------
    address : str
    owner : str
        Of the folder of this machine.
    """

    def __init__(self, address: str, owner: str) -> None:
        self.address, self._owner = address, owner
        self._sizes: dict[str, int] = {}
        self._listed = -math.inf

    @property
    def _claim(self) -> str:
        folder, _, name = self.address.rpartition("/")
        return f"{folder}/.{name}.jobs/owner.json"

    def take(self, folder: Path, *, overwrite: bool) -> None:
        """Own the address, or find that this folder does.

        Raises
        ------
        OutputBusy
            Another folder does.
        ConfigurationChanged
            There is an output that none does.
        """
        told = {"owner": self._owner, "host": platform.node(), "folder": str(folder)}
        content = json.dumps(told, sort_keys=True).encode()
        known = read_remote(self._claim)
        if known is None and not overwrite and find_entry(f"{self.address}/zarr.json") is not None:
            raise ConfigurationChanged(
                "a new output, or one that was made from this machine", got=f"{self.address}, made elsewhere",
                hint="another output folder, or --overwrite to replace it",
            )  # fmt: skip
        if known is not None and overwrite and not self.is_owner(known):
            write_remote(self._claim, content)
        elif known is None and not create_remote(self._claim, content):
            known = read_remote(self._claim)
        self.check()

    def check(self) -> None:
        """Refuse to go on where another folder owns the address now.

        Raises
        ------
        OutputBusy
        """
        known = read_remote(self._claim)
        if self.is_owner(known):
            return
        where = "nobody any more" if known is None else _name_owner(known)
        raise OutputBusy(
            f"expected {self.address} to be filled from this machine; got one that belongs to {where}; "
            "try going on there, another output folder, or --overwrite to replace it: "
            "machines cannot see each other's claims at an address"
        )

    def is_owner(self, content: bytes | None) -> bool:
        """Whether what lies in ``owner.json`` names this folder."""
        return self._read_owner(content) == self._owner

    @staticmethod
    def _read_owner(content: bytes | None) -> str | None:
        try:
            return None if content is None else str(json.loads(content)["owner"])
        except (ValueError, KeyError, TypeError):
            return ""

    def has(self, name: str, size: int) -> bool:
        """Whether a file of the output lies at the address, of that size."""
        if self._sizes.get(name) != size and time.monotonic() - self._listed > _OLD_SECONDS:
            self._sizes = {entry.name: entry.size for entry in list_tree(self.address)}
            self._listed = time.monotonic()
        if self._sizes.get(name) != size:  # sent by another process since
            found = find_entry(f"{self.address}/{name}")
            self._sizes[name] = -1 if found is None else found.size
        return self._sizes[name] == size

    def hash_file(self, name: str) -> str | None:
        """The hash of a file of the output as it lies at the address; None where there is none."""
        return hash_remote(f"{self.address}/{name}")

    def list_files(self) -> list[str]:
        """Names of all files of the output that lie at the address."""
        return [entry.name for entry in list_tree(self.address)]

    def send(self, root: Path, names: Iterable[str]) -> None:
        """Put files of the output at the address, several at a time."""

        def put(name: str) -> None:
            write_remote(f"{self.address}/{name}", root / name)
            self._sizes[name] = (root / name).stat().st_size

        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="beholder-send") as pool:
            for _ in pool.map(put, names):
                pass

    def keep(self, root: Path, names: Iterable[str]) -> None:
        """Put files of finished shards at the address, and delete them here."""
        wanted = list(names)
        self.check()
        self.send(root, wanted)
        for name in wanted:
            (root / name).unlink()

    def note(self, name: str, content: bytes) -> None:
        """Put what is known of the output beside it, by the claim."""
        write_remote(f"{self._claim.rpartition('/')[0]}/{name}", content)

    def clear(self) -> None:
        """Delete the output at the address."""
        remove_remote(self.address)
        self.forget()

    def forget(self) -> None:
        """Look at the address again when it is next asked what lies there."""
        self._sizes, self._listed = {}, -math.inf


def _name_owner(content: bytes) -> str:
    try:
        told = json.loads(content)
        return f"{told['host']}, with its receipts in {told['folder']}"
    except (ValueError, KeyError, TypeError):
        return "another machine"


@suggest_keywords
def find_mirror(output: Path) -> Mirror | None:
    """Where the files of an output of this machine are kept, where that is an address."""
    try:
        content = _locate_note(output).read_bytes()
    except OSError:
        return None
    return _make_mirror(content)


@lru_cache(maxsize=64)
def _make_mirror(content: bytes) -> Mirror:
    told = json.loads(content)
    return Mirror(told["address"], told["owner"])


def _locate_note(output: Path) -> Path:
    return output.parent / f".{output.name}.address.json"


@suggest_keywords
def place_mirror(output: Path | str) -> Path:
    """The folder of this machine in which an output at an address is worked on."""
    scheme, _, rest = to_address(output).partition("://")
    return get_home_folder() / "remote" / scheme / rest.strip("/")


def find_mirrored(address: Path | str) -> list[Path]:
    """The folders of this machine that vouch for an output at an address, or for the outputs below it.

    Raises
    ------
    InputError
        None of this machine does.
    """
    place = to_address(address).rstrip("/")
    folder, _, name = place.rpartition("/")
    claims = {f"{folder}/.{name}.jobs/owner.json": place}
    for entry in list_tree(place):
        above, _, last = entry.name.rpartition("/")
        inner, _, jobs = above.rpartition("/")
        if last == "owner.json" and jobs.startswith(".") and jobs.endswith(".jobs"):
            claims[f"{place}/{entry.name}"] = "/".join(filter(None, (place, inner, jobs[1 : -len(".jobs")])))
    found: list[Path] = []
    others: list[str] = []
    for claim, output in claims.items():
        known, mirror = read_remote(claim), find_mirror(place_mirror(output))
        if known is None:
            continue
        if mirror is not None and mirror.is_owner(known):
            found.append(place_mirror(output))
        else:
            others.append(f"{output} belongs to {_name_owner(known)}")
    if not found:
        got = "; ".join(others) or f"nothing at {place} that says whose it is"
        raise InputError(
            f"an output at {place} that was made from this machine", got=got, hint="where its receipts lie"
        )
    for each in others:
        logger.warning("%s: it is not looked at", each)
    return found


@suggest_keywords
def mirror_output(output: Path | str, *, overwrite: bool) -> Path:
    """Own an output at an address; the folder of this machine in which it is worked on.

    Raises
    ------
    OutputBusy, ConfigurationChanged
        It was made, or is being made, from elsewhere.
    """
    local, address = place_mirror(output), to_address(output).rstrip("/")
    local.parent.mkdir(parents=True, exist_ok=True)
    if find_mirror(local) is None:
        write_json(_locate_note(local), {"address": address, "owner": uuid.uuid4().hex})
    mirror = find_mirror(local)
    assert mirror is not None
    mirror.take(local.parent, overwrite=overwrite)
    mirror.forget()
    logger.info("%s: settings, receipts and claims lie in %s", show_place(output), local.parent)
    return local
