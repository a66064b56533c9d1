"""Fetching published files: resumed, checked, unpacked with distrust, and in place only when they are whole."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, final

from beholder._core.archives import locate_members, unpack_members
from beholder._core.downloads import DownloadFailed, RangesUnknown, download_file
from beholder._core.errors import BeholderError, InputError, OutputError, suggest_keywords
from beholder._core.files import TEMPORARY_PREFIX, explain_write_errors
from beholder._core.home import HOME_VARIABLE
from beholder._core.locks import take_lock
from beholder._core.progress import show_progress
from beholder._core.sizes import format_bytes
from beholder._core.wording import format_count
from beholder.stimuli.assets._files import (
    RECEIPT,
    find_asset_state,
    get_asset_folder,
    get_assets_folder,
    require_asset,
    write_receipt,
)
from beholder.stimuli.assets._listing import fetch_listed
from beholder.stimuli.assets._manifest import (
    Asset,
    ByHand,
    FromArchive,
    FromFiles,
    FromListing,
    PublishedFile,
    WithModel,
    get_asset,
)
from beholder.stimuli.assets._prepare import prepare_asset

logger = logging.getLogger("beholder")

_MARGIN = 1.05
_AT_ONCE = 4


@final
@dataclass(frozen=True)
class FetchedAsset:
    """What came of fetching one asset.

    Parameters
    ----------
    name : str
    path : Path
        Its folder; the file of weights that a source of models keeps.
    outcome : {"fetched", "kept", "with its model"}
        "kept": it was here already.
    """

    name: str
    path: Path
    outcome: Literal["fetched", "kept", "with its model"]


def get_archives_folder() -> Path:
    """Where whole archives lie, fetched or put there by hand."""
    return get_assets_folder() / "archives"


@suggest_keywords
def fetch_assets(names: Iterable[str], *, stimuli: Sequence[int] | None = None) -> list[FetchedAsset]:
    """Fetch published assets; what is here is kept, what broke off is taken up again.

    An asset's folder gets its name when everything in it is there. Of an archive of few large files, only the asked
    ones are fetched, where the server sends parts of files; another archive is fetched whole, and kept for the other
    assets that it holds.

    Parameters
    ----------
    names : iterable of str
        Some of :func:`list_assets`.
    stimuli : sequence of int, optional
        For examples of an experiment: numbers of natural stimuli, in [0, 400); their metamers are fetched, besides
        those here. By default one picture of each category, or the first 16 sounds.

    Returns
    -------
    list of FetchedAsset
        In the order asked for.

    Raises
    ------
    InputError
        After all others were fetched; of several that failed, names them.
    """
    assets = [get_asset(name) for name in dict.fromkeys(names)]
    done: dict[str, FetchedAsset] = {}
    failed: dict[str, BeholderError] = {}
    for asset in assets:
        try:
            done[asset.name] = _fetch_one(asset, stimuli)
        except BeholderError as error:
            failed[asset.name] = error
    for archive in dict.fromkeys(asset.way.archive for asset in assets if isinstance(asset.way, FromArchive)):
        path = get_archives_folder() / archive.name
        if path.exists():
            logger.info("%s is kept (%s): it may be removed", path, format_bytes(path.stat().st_size))
    if len(failed) == 1:
        raise next(iter(failed.values()))
    if failed:
        for error in failed.values():
            logger.warning("%s", error)
        raise InputError(
            format_count(len(assets), "asset"), got=f"{len(done)}, without {', '.join(failed)}", hint="again"
        )
    return [done[asset.name] for asset in assets]


def _fetch_one(asset: Asset, stimuli: Sequence[int] | None) -> FetchedAsset:
    folder = get_asset_folder(asset.name)
    if isinstance(asset.way, WithModel | ByHand) and find_asset_state(asset) != "here":
        require_asset(asset.name)
    if not isinstance(asset.way, FromListing) and find_asset_state(asset) == "here" and (folder / RECEIPT).exists():
        return FetchedAsset(asset.name, folder, "kept")
    with explain_write_errors(folder), _hold(asset):
        changed = False
        if isinstance(asset.way, FromListing):
            changed = fetch_listed(asset.name, asset.way, folder, stimuli)
        elif find_asset_state(asset) != "here":
            changed = True
            if isinstance(asset.way, FromFiles):
                _fetch_files(asset, asset.way, folder)
            elif isinstance(asset.way, FromArchive):
                _fetch_from_archive(asset, asset.way, folder)
        if changed or not (folder / RECEIPT).exists():
            prepare_asset(asset.name, folder)
            write_receipt(asset, folder, _name_origin(asset) if changed else None)
    return FetchedAsset(asset.name, folder, "fetched" if changed else "kept")


@contextlib.contextmanager
def _hold(asset: Asset) -> Iterator[None]:
    """One process at a time fetches an asset; what a killed one left is cleared away first."""
    folder = get_assets_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with take_lock(folder / f".{asset.name}.lock", wait=True):
        for left in folder.glob(f"{TEMPORARY_PREFIX}{asset.name}-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def _name_origin(asset: Asset) -> str:
    way = asset.way
    if isinstance(way, FromArchive):
        return way.archive.url
    if isinstance(way, FromListing):
        return way.listing
    return " ".join(file.url for file in way.files) if isinstance(way, FromFiles) else ""


def _fetch_files(asset: Asset, way: FromFiles, folder: Path) -> None:
    _check_room(folder, asset.size or 0, asset.name)
    if len(way.files) == 1:
        download_file(way.files[0].url, folder / way.files[0].path, sha256=way.files[0].sha256)
        return

    def fetch(file: PublishedFile) -> None:
        try:
            download_file(file.url, folder / file.path, sha256=file.sha256, show=False)
        except DownloadFailed as error:
            hint = f"putting its {format_count(len(way.files), 'file')} into {folder}"
            raise DownloadFailed(f"{file.path} of {asset.name} from {file.url}", got=error.got, hint=hint) from error

    wanted = [file for file in way.files if not (folder / file.path).exists()]
    with show_progress(asset.name, len(way.files), "files", len(way.files) - len(wanted)) as advance:
        pool = ThreadPoolExecutor(_AT_ONCE)
        try:
            for _ in pool.map(fetch, wanted):
                advance(1)
        finally:
            pool.shutdown(cancel_futures=True)


def _fetch_from_archive(asset: Asset, way: FromArchive, folder: Path) -> None:
    archive = get_archives_folder() / way.archive.name
    if way.archive.singly and not archive.exists():
        try:
            _fetch_singly(way, folder)
            return
        except RangesUnknown:
            logger.info("%s: its server sends whole files only, so all of it is fetched", way.archive.name)
    if not archive.exists():
        _check_room(get_archives_folder(), 2 * way.archive.size, way.archive.name)
        try:
            download_file(way.archive.url, archive)
        except DownloadFailed as error:
            raise _explain(asset, way, error) from error
    temporary = get_assets_folder() / f"{TEMPORARY_PREFIX}{asset.name}-{os.getpid()}"
    temporary.mkdir()
    try:
        for name in unpack_members(archive, temporary, way.members):
            _shorten(temporary, name, way.members)
        _put_in_place(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _fetch_singly(way: FromArchive, folder: Path) -> None:
    try:
        spans = locate_members(way.archive.url, way.members)
    except RangesUnknown:
        raise
    except DownloadFailed as error:
        names = " and ".join(PurePosixPath(member).name for member in way.members)
        raise DownloadFailed(
            f"{names} from {way.archive.url}",
            got=error.got,
            hint=f"putting it into {folder}, or the archive ({format_bytes(way.archive.size)}) into "
            f"{get_archives_folder()}",
        ) from error
    _check_room(folder, sum(span.length for span in spans.values()), way.archive.name)
    for name, span in spans.items():
        download_file(way.archive.url, folder / PurePosixPath(name).name, span=span)


def _shorten(folder: Path, name: str, members: Iterable[str]) -> None:
    """Move a member from its path in the archive to its own name: ``a/b.pt`` to ``b.pt``, ``x/y/`` to ``y/``."""
    member = next(each for each in members if name == each or name.startswith(f"{each}/"))
    lead = PurePosixPath(member).parent.as_posix()
    if lead != ".":
        short = folder / name.removeprefix(f"{lead}/")
        short.parent.mkdir(parents=True, exist_ok=True)
        os.replace(folder / name, short)


def _put_in_place(temporary: Path, folder: Path) -> None:
    """Rename; into a folder that is there already, entry by entry."""
    if not folder.exists():
        os.replace(temporary, folder)
        return
    for entry in sorted(temporary.iterdir()):
        target = folder / entry.name
        if target.is_dir():
            shutil.rmtree(target)
        os.replace(entry, target)


def _check_room(folder: Path, n_bytes: int, what: str) -> None:
    place = next(parent for parent in [folder, *folder.parents] if parent.exists())
    free = shutil.disk_usage(place).free
    if free < n_bytes * _MARGIN:
        raise OutputError(
            f"expected {format_bytes(n_bytes)} of room for {what} and what is taken out of it; "
            f"got {format_bytes(free)} at {place}; try freeing space, or {HOME_VARIABLE} on another disk"
        )


def _explain(asset: Asset, way: FromArchive, error: DownloadFailed) -> DownloadFailed:
    place = get_archives_folder() / way.archive.name
    return DownloadFailed(
        f"{way.archive.name} ({format_bytes(way.archive.size)}, holds {asset.name}) from {way.archive.url}",
        got=error.got,
        hint=f"putting it at {place}, or {' and '.join(asset.files)} into {get_asset_folder(asset.name)}",
    )
