"""Published files on this machine: where they lie, whether they are here, whether they are as they should be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import read_json, write_json
from beholder._core.hashing import hash_file
from beholder._core.home import get_home_folder
from beholder.stimuli.assets._manifest import Asset, ByHand, FromListing, WithModel, get_asset, load_assets

RECEIPT = "receipt.json"
_NOT_CONTENT = (".part", ".etag", ".lock")

State = Literal["here", "absent", "with its model"]


def get_assets_folder() -> Path:
    """``assets`` in :func:`~beholder._core.home.get_home_folder`; each asset has a folder of its name there."""
    return get_home_folder() / "assets"


@suggest_keywords
def get_asset_folder(name: str) -> Path:
    """Where an asset lies, or would lie."""
    return get_assets_folder() / get_asset(name).name


@suggest_keywords
def find_asset(name: str) -> Path | None:
    """A published asset on this machine: its file, or its folder where it is several; None where it is not here.

    Nothing is fetched. Files that were put in the asset's folder by hand count.

    Parameters
    ----------
    name : str
        One of :func:`list_assets`.

    Raises
    ------
    UnknownNameError
        There is no such asset.

    Examples
    --------
    >>> find_asset("checkpoint-kell2018")  # doctest: +SKIP
    PosixPath('/home/me/.cache/beholder/assets/checkpoint-kell2018/kell2018_wsn_word.pt')
    """
    asset = get_asset(name)
    if find_asset_state(asset) != "here":
        return None
    folder = get_asset_folder(name)
    return folder / asset.files[0] if len(asset.files) == 1 else folder


@suggest_keywords
def find_asset_file(file_name: str) -> Path | None:
    """A file of any asset that is here, by the name it is published under; None where it is not here.

    >>> find_asset_file("no such file") is None
    True
    """
    for asset in load_assets().values():
        if file_name in asset.files:
            path = get_asset_folder(asset.name) / file_name
            if path.is_file():
                return path
    return None


@suggest_keywords
def name_asset_of(file_name: str) -> str | None:
    """The asset that a published file belongs to; None for files of none.

    >>> name_asset_of("kell2018_wsn_word.pt")
    'checkpoint-kell2018'
    """
    return next((asset.name for asset in load_assets().values() if file_name in asset.files), None)


@suggest_keywords
def require_asset(name: str) -> Path:
    """As :func:`find_asset`; an asset that is not here is an error that says how to get it.

    Raises
    ------
    InputError
        One line.
    """
    path = find_asset(name)
    if path is not None:
        return path
    asset = get_asset(name)
    got = f"nothing in {get_asset_folder(name)}"
    if isinstance(asset.way, WithModel):
        hint = f"{asset.how}; the weights are kept by their model source"
    elif isinstance(asset.way, ByHand):
        got += ", and no public address of its files"
        hint = f"getting it from {asset.way.get_from} and putting its files there"
    else:
        hint = f"beholder assets fetch {name}"
    raise InputError(f"the asset {name} on this machine", got=got, hint=hint)


@suggest_keywords
def find_asset_state(asset: Asset) -> State:
    """Whether an asset is here: every one of its files, whoever put them there."""
    if isinstance(asset.way, WithModel):
        return "with its model"
    folder = get_asset_folder(asset.name)
    if isinstance(asset.way, FromListing):
        return "here" if (folder / RECEIPT).is_file() else "absent"
    if isinstance(asset.way, ByHand):
        return "here" if next(iter_content(folder), None) is not None else "absent"
    return "here" if all(_has_content(folder / file) for file in asset.files) else "absent"


def _has_content(path: Path) -> bool:
    return path.is_file() or next(iter_content(path), None) is not None


def iter_content(folder: Path) -> Iterator[str]:
    """Files below an asset's folder as POSIX paths, sorted, without what downloads leave and without the receipt."""
    for place, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = (Path(place) / name).relative_to(folder).as_posix()
            if path != RECEIPT and not name.startswith(".") and not name.endswith(_NOT_CONTENT):
                yield path


def write_receipt(asset: Asset, folder: Path, fetched_from: str | None) -> None:
    """Note sizes and hashes of what lies in an asset's folder."""
    files = {path: _describe(folder / path) for path in iter_content(folder)}
    write_json(folder / RECEIPT, {"asset": asset.name, "fetched_from": fetched_from, "files": files})


def _describe(path: Path) -> dict[str, int | str]:
    return {"size": path.stat().st_size, "sha256": hash_file(path)}


@final
@dataclass(frozen=True)
class FileCheck:
    """What became of one file of an asset.

    Parameters
    ----------
    asset, file : str
    state : {"ok", "changed", "missing", "not known"}
        "not known": there is neither a published hash nor one noted when it came.
    against : {"published", "receipt", ""}
        Which hash it was held against.
    sha256 : str
        Its own; ``""`` for a missing one.
    """

    asset: str
    file: str
    state: Literal["ok", "changed", "missing", "not known"]
    against: Literal["published", "receipt", ""]
    sha256: str


@suggest_keywords
def verify_asset(name: str) -> list[FileCheck]:
    """Hash an asset's files and hold them against published hashes, else against those noted when they came.

    Raises
    ------
    InputError
        The asset is not here, or its weights are kept by a model source.
    """
    asset = get_asset(name)
    folder = get_asset_folder(name)
    receipt = folder / RECEIPT
    noted = {path: entry["sha256"] for path, entry in read_json(receipt)["files"].items()} if receipt.exists() else {}
    if not noted:
        require_asset(name)
    published = asset.published_hashes
    lacking = {path for path in asset.files if not (folder / path).exists()}
    return [
        _check(asset.name, folder, path, published.get(path), noted.get(path))
        for path in sorted({*iter_content(folder), *noted, *published, *lacking})
    ]


def _check(asset: str, folder: Path, path: str, published: str | None, noted: str | None) -> FileCheck:
    against: Literal["published", "receipt", ""] = "published" if published else "receipt" if noted else ""
    if not (folder / path).is_file():
        return FileCheck(asset, path, "missing", against, "")
    found = hash_file(folder / path)
    wanted = published or noted
    state = "not known" if wanted is None else "ok" if found == wanted else "changed"
    return FileCheck(asset, path, state, against, found)
