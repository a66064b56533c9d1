"""Whether files still hold what was written: by the hashes in the receipts of the output that they belong to."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from beholder._core.addresses import is_address
from beholder._core.errors import DamagedOutput, suggest_keywords
from beholder.jobs._folder import SEAL, JobFolder
from beholder.jobs._records import has_content

_JOBS = ".jobs"
_MOST_LEVELS = 6


@suggest_keywords
def find_output(path: Path) -> Path | None:
    """The output that a hidden job folder stands beside: ``.shapes.metamers.jobs`` is of ``shapes``."""
    name = path.name
    if not (name.startswith(".") and name.endswith(_JOBS) and path.is_dir()):
        return None
    if name == _JOBS:
        return path.parent
    whole = name[1 : -len(_JOBS)]
    short = whole.rpartition(".")[0]
    found = [path.parent / each for each in (whole, short) if each and (path.parent / each).exists()]
    return found[0] if found else path.parent / (short or whole)


@suggest_keywords
def find_job_folders(output: Path) -> Iterator[JobFolder]:
    """The job folders of one output: of each command that wrote to it, and of each judge."""
    output = output.parent / output.name
    beside = output.parent.glob(f".{_escape(output.name)}.*jobs")
    for path in sorted([*beside, output / _JOBS]):
        if find_output(path) == output:
            yield from (JobFolder(each, output) for each in [path, *sorted(path.iterdir())] if _is_job_folder(each))


def _is_job_folder(path: Path) -> bool:
    return path.is_dir() and any((path / name).exists() for name in ("receipts", SEAL, "settings.json"))


def _escape(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


@suggest_keywords
def read_digests(output: Path | str) -> dict[str, str]:
    """Hashes of an output's files, by name below it; none for an output without checksums."""
    found: dict[str, str] = {}
    for folder in find_job_folders(Path(output)):
        for receipt in folder.iter_receipts():
            found |= receipt["digests"]
        found |= folder.read_seal()
    return found


@suggest_keywords
def check_content(output: Path | str, *paths: Path | str) -> None:
    """Refuse files of an output that do not hold what was written to them; those without a hash pass.

    Raises
    ------
    DamagedOutput
        Names the first.
    """
    output = Path(output)
    if is_address(output):
        return
    digests = _read_digests_once(output, _stamp(output))
    for path in map(Path, paths):
        name = path.relative_to(output).as_posix()
        if _is_damaged(output, name, digests.get(name)):
            raise refuse_damaged(path, output)


def _is_damaged(output: Path, name: str, digest: str | None) -> bool:
    """Whether a file holds something else than was written; one that a run has put together anew meanwhile does not."""
    while digest is not None and (output / name).exists() and not has_content(output / name, digest):
        now = read_digests(output).get(name)
        if now == digest:
            return True
        digest = now
    return False


@suggest_keywords
def check_source(path: Path | str) -> None:
    """Refuse a file that does not hold what was written to it, whichever output above it it belongs to.

    Raises
    ------
    DamagedOutput
        Names it.
    """
    path = Path(path)
    if is_address(path):
        return
    for output in path.parents[:_MOST_LEVELS]:
        if any(True for _ in find_job_folders(output)):
            check_content(output, path)


@lru_cache(maxsize=16)
def _read_digests_once(output: Path, stamp: tuple[tuple[str, int], ...]) -> dict[str, str]:
    return read_digests(output)


def _stamp(output: Path) -> tuple[tuple[str, int], ...]:
    """Changes whenever a receipt or a seal is written."""
    places = [place for folder in find_job_folders(output) for place in (folder.path / "receipts", folder.path)]
    return tuple((str(place), place.stat().st_mtime_ns) for place in places if place.exists())


@suggest_keywords
def refuse_damaged(path: Path, output: Path) -> DamagedOutput:
    """The error for a damaged file, with what to type."""
    return DamagedOutput(
        f"{path} as it was written", got="other bytes",
        hint=f"`beholder verify {shlex.quote(str(output))}`, then the command that made it, which makes it anew",
    )  # fmt: skip
