"""Taking chosen members out of tar archives, on this machine or on a server, trusting nothing that they name."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple, final

from beholder._core.errors import InputError
from beholder._core.remote import RemoteFile

_LITTER = ("._", ".DS_Store")
_CHUNK = 1 << 20


@final
class Span(NamedTuple):
    """Where the bytes of a member lie in its archive."""

    offset: int
    length: int


def unpack_members(archive: Path | str, target: Path | str, members: Sequence[str]) -> list[str]:
    """Write the chosen files, and all files below the chosen folders, to ``target``.

    Only plain files are written, with the permissions of new files: a link or a device among the chosen members, and
    a name anywhere in the archive that leaves its folder, make the whole archive refused before anything is written.

    Parameters
    ----------
    archive : path
        A tar file, compressed or not.
    target : path
        A new or empty folder.
    members : sequence of str
        Files or folders, as POSIX paths; a leading folder of the archive that all of them lie in may be left out.

    Returns
    -------
    list of str
        What was written, as POSIX paths below ``target``, without that leading folder; sorted.

    Raises
    ------
    InputError
        The file is no whole tar archive, names something dangerous, or lacks a member.
    """
    target = Path(target)
    try:
        with tarfile.open(archive, "r:*") as content:
            chosen = _choose(content, members, str(archive))
            for name, info in chosen.items():
                file = target / name
                file.parent.mkdir(parents=True, exist_ok=True)
                reader = content.extractfile(info)
                assert reader is not None
                with reader, open(file, "xb") as writer:
                    shutil.copyfileobj(reader, writer, _CHUNK)
                if file.stat().st_size != info.size:
                    raise tarfile.ReadError(f"{name} ends early")
    except (tarfile.TarError, EOFError) as error:
        raise InputError(
            "a whole tar archive", got=f"{archive} ({error})", hint="removing it and fetching again"
        ) from error
    return sorted(chosen)


def locate_members(url: str, members: Sequence[str]) -> dict[str, Span]:
    """Find where chosen files lie in an uncompressed tar archive on a server, reading little but its headers.

    Parameters
    ----------
    url : str
        The archive.
    members : sequence of str
        As for :func:`unpack_members`.

    Returns
    -------
    dict of str to Span
        Every chosen file and its bytes.

    Raises
    ------
    InputError
        As for :func:`unpack_members`.
    DownloadFailed, RangesUnknown
        As for :class:`~beholder._core.remote.RemoteFile`.
    """
    with io.BufferedReader(RemoteFile(url)) as remote:
        try:
            with tarfile.open(fileobj=remote, mode="r:") as content:
                chosen = _choose(content, members, url)
        except (tarfile.TarError, EOFError) as error:
            raise InputError("a whole tar archive that is not compressed", got=f"{url} ({error})") from error
    sparse = next((name for name, info in chosen.items() if info.issparse()), None)
    if sparse is not None:
        raise InputError("plain files in the archive", got=f"{sparse} in {url}, which is sparse")
    return {name: Span(info.offset_data, info.size) for name, info in chosen.items()}


def _choose(content: tarfile.TarFile, members: Sequence[str], where: str) -> dict[str, tarfile.TarInfo]:
    """The plain files that ``members`` stand for, by the names to write them under."""
    by_name: dict[str, tarfile.TarInfo] = {}
    for info in content:
        name = _check_name(info.name, where)
        if not PurePosixPath(name).name.startswith(_LITTER):
            by_name[name] = info
    lead = _find_lead(by_name, members, where)
    chosen: dict[str, tarfile.TarInfo] = {}
    for name, info in by_name.items():
        short = name.removeprefix(lead)
        if not name.startswith(lead) or not any(short == each or short.startswith(f"{each}/") for each in members):
            continue
        if info.isdir():
            continue
        if not info.isfile():
            kind = "link" if info.issym() or info.islnk() else "device"
            raise InputError("an archive of plain files", got=f"the {kind} {info.name} in {where}")
        chosen[short] = info
    return chosen


def _check_name(name: str, where: str) -> str:
    path = PurePosixPath(name)
    leaves = path.is_absolute() or ".." in path.parts or PureWindowsPath(name).drive or "\\" in name or "\0" in name
    if leaves:
        raise InputError("an archive whose members stay in their folder", got=f"{name!r} in {where}")
    return path.as_posix()


def _find_lead(names: Iterable[str], members: Sequence[str], where: str) -> str:
    """The leading folder, with its slash, below which every member lies; none where they lie at the top."""
    known = {parent.as_posix() for name in names for parent in [PurePosixPath(name), *PurePosixPath(name).parents]}
    leads = ["", *sorted({f"{name.partition('/')[0]}/" for name in known if "/" in name})]
    for lead in leads:
        if all(lead + member in known for member in members):
            return lead
    missing = [member for member in members if not any(lead + member in known for lead in leads)]
    tops = sorted({name.partition("/")[0] for name in known if name != "."})
    shown = ", ".join(tops[:8]) + (", ..." if len(tops) > 8 else "")
    raise InputError(f"{', '.join(missing or members)} in {where}", got=shown or "nothing")
