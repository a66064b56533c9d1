"""Holding outputs against the hashes taken as they were written; dropping the receipts of what differs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beholder._core.addresses import is_address
from beholder._core.errors import InputError, OutputBusy, suggest_keywords
from beholder._core.files import TEMPORARY_PREFIX
from beholder._core.narrowing import is_json_object
from beholder._core.progress import Advance, logger, show_progress
from beholder._core.provenance import FILE_NAME, read_command
from beholder.jobs._content import find_job_folders, find_output
from beholder.jobs._folder import SEAL, JobFolder
from beholder.jobs._kind import MachineShare
from beholder.jobs._mirror import find_mirror, find_mirrored
from beholder.jobs._records import (
    COPY_SUFFIX,
    has_content,
    read_copy,
    read_json_record,
    read_receipt_file,
    read_signed,
    write_record,
)

STATES = ("damaged", "missing", "leftover", "unknown")
"""What can be wrong with a file: other bytes than were written; not there; of a killed run; nothing vouches for it."""


@dataclass(frozen=True)
class FileState:
    """A file that is not as it was written.

    Attributes
    ----------
    output, file : str
        The output, and the file's path.
    state : str
        ``damaged``, ``missing``, ``leftover`` (of a killed run) or ``unknown`` (nothing vouches for it).
    then : str
        What becomes of it.
    """

    output: str
    file: str
    state: str
    then: str


@dataclass(frozen=True)
class OutputCheck:
    """What was found of one output.

    Attributes
    ----------
    output : str
    n_files : int
        Files whose content was held against their hashes.
    n_unhashed : int
        Files of a format without hashes, of which only the sizes were compared.
    command : str
        The command that made it, as far as its provenance says.
    files : tuple of FileState
        Files that are not as they were written.
    machines : tuple of MachineShare
        Which shards came from which kind of machine, where there are several.
    """

    output: str
    n_files: int
    n_unhashed: int
    command: str
    files: tuple[FileState, ...]
    machines: tuple[MachineShare, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether nothing is damaged or missing."""
        return not any(file.state in ("damaged", "missing") for file in self.files)


@suggest_keywords
def verify_outputs(path: Path | str, *, repair: bool = True) -> list[OutputCheck]:
    """Hold outputs against the hashes that were taken when they were written.

    Parameters
    ----------
    path : path
        An output (a store, ``metamers/{model}``, a panel file, …) or a folder that holds some, at any depth; also the
        address of what was made from this machine, where all of it is read.
    repair : bool
        Drop the receipts of what is damaged or missing, so that the next run of the command that made it computes
        exactly that anew, to the same bytes; records with a whole copy are written from it.

    Returns
    -------
    list of OutputCheck

    Raises
    ------
    InputError
        There is nothing there, or nothing with receipts; at an address, nothing that was made from this machine.
    OutputBusy
        An output at an address was taken over by another machine.

    Examples
    --------
    >>> import beholder as bh
    >>> acts = bh.extract("beholder:shapes", "images", ["block5", "classifier"], device="cpu")
    >>> [check.is_whole for check in bh.verify_outputs("activations/shapes.zarr")]
    [True]
    """
    if is_address(path):
        return _verify_all(find_mirrored(path), repair)
    path = Path(path)
    if not path.exists():
        raise InputError("an output, or a folder of them", got=f"nothing at {path}")
    outputs = list(dict.fromkeys(_find_outputs(path)))
    if not outputs:
        raise InputError(
            "an output with its receipts, or a folder of them", got=f"{path}, in which nothing has any",
            hint="the folder that a command wrote into, with the hidden folders beside its output",
        )  # fmt: skip
    return _verify_all(outputs, repair)


def _verify_all(outputs: Iterable[Path], repair: bool) -> list[OutputCheck]:
    """One after the other; each receipt that is read, with the files that it vouches for, is a part."""
    listed = list(outputs)
    total = sum(len(_list_receipts(folder)) for output in listed for folder in find_job_folders(output))
    with show_progress("verify", total, "parts", tells_end=False) as advance:
        return [_verify_output(output, repair, advance) for output in listed]


def _find_outputs(path: Path) -> Iterator[Path]:
    if any(True for _ in find_job_folders(path)):
        yield path
    if path.is_dir():
        for hidden in sorted(path.rglob(".*jobs")):
            output = find_output(hidden)
            if output is not None:
                yield output


def _verify_output(output: Path, repair: bool, advance: Advance) -> OutputCheck:
    found: list[FileState] = []
    known: dict[str, bool] = {}
    n_unhashed, place = 0, show_output(output)
    if (mirror := find_mirror(output)) is not None:
        mirror.check()
    for folder in find_job_folders(output):
        check = _FolderCheck(folder)
        check.look(advance)
        for name, is_good in check.known.items():
            known[name] = known.get(name, False) or is_good
        n_unhashed += check.n_unhashed
        found += check.found
        if repair and (check.drops or check.records):
            try:
                with folder.hold():
                    check.repair()
            except OutputBusy:
                logger.warning("a run is writing to %s: nothing is dropped there; verify it again later", output)
    found += _find_strangers(output, known)
    found += _check_provenance(output)
    found = [each for each in found if not known.get(_name_below(place, each.file), False)]
    order = {state: i for i, state in enumerate(STATES)}
    found = sorted(dict.fromkeys(found), key=lambda each: (order[each.state], each.file))
    machines = tuple(share for folder in find_job_folders(output) for share in folder.list_machines())
    return OutputCheck(place, len(known), n_unhashed, read_command(output), tuple(found), machines)


def show_output(output: Path) -> str:
    """An output as people write it: the address of one whose files are kept there."""
    mirror = find_mirror(output)
    return str(output) if mirror is None else mirror.address


def _name_below(place: str, file: str) -> str:
    if is_address(place):
        return file.removeprefix(f"{place}/")
    path = Path(file)
    return path.relative_to(place).as_posix() if path.is_relative_to(place) else file


_THEN_SHARD = "the next run computes it anew"
_THEN_SEALED = "the next run puts it together anew"


class _FolderCheck:
    """What one job folder vouches for."""

    def __init__(self, folder: JobFolder) -> None:
        self.folder, self.mirror = folder, folder.mirror
        self.place = show_output(folder.output)
        self.known: dict[str, bool] = {}
        self.n_unhashed = 0
        self.found: list[FileState] = []
        self.drops: list[Path] = []
        self.records: dict[Path, bytes] = {}

    def look(self, advance: Advance) -> None:
        """Read everything that is vouched for."""
        for path in _list_receipts(self.folder):
            self._look_at_receipt(path)
            advance(1)
        for name, digest in self.folder.read_seal().items():
            self._note(name, digest, _THEN_SEALED)
        seal = self.folder.path / SEAL
        if seal.exists() and read_signed(seal) is None:
            self._add(seal, "damaged", _THEN_SEALED)
            self.drops.append(seal)
        for path in sorted(self.folder.path.glob(f"*{COPY_SUFFIX}")):
            self._look_at_record(path.with_name(path.name.removesuffix(COPY_SUFFIX)))
        settings = self.folder.path / "settings.json"
        if settings.exists() and not settings.with_name(settings.name + COPY_SUFFIX).exists():
            self._try_record(settings)

    def repair(self) -> None:
        """Drop the receipts of what is not as it was written, unless a run has made it anew since."""
        for path, data in self.records.items():
            write_record(path, data)
        for path in self.drops:
            receipt = read_receipt_file(path) if path.parent.name == "receipts" else None
            if receipt is None or not self._is_whole(receipt):
                path.unlink(missing_ok=True)

    def _is_whole(self, receipt: dict[str, Any]) -> bool:
        return all(self._find_state(name, digest) is None for name, digest in receipt["digests"].items())

    def _find_state(self, name: str, digest: str) -> str | None:
        """``damaged`` or ``missing``, where a file does not hold what was hashed when it was written."""
        if self.mirror is not None:
            found = self.mirror.hash_file(name)
            return None if found == digest else "missing" if found is None else "damaged"
        file = self.folder.output / name
        return None if has_content(file, digest) else "damaged" if file.exists() else "missing"

    def _look_at_receipt(self, path: Path) -> None:
        receipt = read_receipt_file(path)
        if receipt is None and (sizes := _read_unsigned(path)) is not None:
            self._look_at_sizes(sizes)
            return
        if receipt is None:
            self._add(path, "damaged", "dropped: the next run computes what it was for anew")
            self.drops.append(path)
            return
        good = [self._note(name, digest, _THEN_SHARD) for name, digest in receipt["digests"].items()]
        if not all(good):
            self.drops.append(path)

    def _look_at_sizes(self, sizes: dict[str, int]) -> None:
        for name, size in sizes.items():
            file = self.folder.output / name
            self.n_unhashed += 1
            if not file.exists():
                self._add(file, "missing", "make the output anew, with --overwrite")
            elif file.stat().st_size != size:
                self._add(file, "damaged", "make the output anew, with --overwrite")

    def _look_at_record(self, path: Path) -> None:
        copied = read_copy(path)
        if copied is None:
            self._add(path.with_name(path.name + COPY_SUFFIX), "damaged", "written anew from what it is a copy of")
            if self._try_record(path):
                self.records[path] = path.read_bytes()
        elif not path.exists() or path.read_bytes() != copied:
            self._add(path, "damaged" if path.exists() else "missing", "written anew from its copy")
            self.records[path] = copied

    def _try_record(self, path: Path) -> bool:
        """Whether a record without a whole copy can be read."""
        try:
            if path.suffix == ".json" and read_json_record(path) is not None:
                return True
            if path.exists() and path.suffix != ".json":
                return True
        except InputError:
            pass
        self._add(path, "damaged" if path.exists() else "missing", "make the output anew, with --overwrite")
        return False

    def _note(self, name: str, digest: str, then: str) -> bool:
        state = self._find_state(name, digest)
        self.known[name] = self.known.get(name, False) or state is None
        if state is not None:
            self._add(self.folder.output / name if self.mirror is None else f"{self.place}/{name}", state, then)
        return state is None

    def _add(self, file: Path | str, state: str, then: str) -> None:
        self.found.append(FileState(self.place, str(file), state, then))


def _list_receipts(folder: JobFolder) -> list[Path]:
    return sorted((folder.path / "receipts").glob("*.json"))


def _read_unsigned(path: Path) -> dict[str, int] | None:
    """Sizes of the files of a receipt of a format without hashes; None for what is no such receipt."""
    try:
        record = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    if not is_json_object(record) or "digest" in record:
        return None
    files = record.get("files")
    return files if is_json_object(files) else None


def _find_strangers(output: Path, known: dict[str, bool]) -> Iterator[FileState]:
    """Files that nothing vouches for, in an output of which the rest is vouched for."""
    if (mirror := find_mirror(output)) is not None:
        names = mirror.list_files() if known else []
        unknown = (f"{mirror.address}/{name}" for name in names if name not in known)
        yield from (FileState(mirror.address, file, "unknown", "left alone") for file in unknown)
        return
    if not output.is_dir() or not known:
        return
    for path in sorted(output.rglob("*")):
        if not path.is_file() or path.name in (FILE_NAME, f".{Path(FILE_NAME).stem}.lock") or path.suffix == ".lock":
            continue
        hidden = any(part.startswith(".") and part.endswith("jobs") for part in path.relative_to(output).parts)
        if path.name.startswith(TEMPORARY_PREFIX):
            yield FileState(str(output), str(path), "leftover", "the next run deletes it")
        elif not hidden and path.relative_to(output).as_posix() not in known:
            yield FileState(str(output), str(path), "unknown", "left alone")


def _check_provenance(output: Path) -> Iterator[FileState]:
    for folder in (output, output.parent):
        path = folder / FILE_NAME
        if path.is_file():
            try:
                whole = isinstance(json.loads(path.read_bytes())["outputs"], dict)
            except (ValueError, RecursionError, KeyError, TypeError):
                whole = False
            if not whole:
                yield FileState(str(output), str(path), "damaged", "the next run begins a new one beside it")
