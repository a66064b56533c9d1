"""Which published files there are: names, groups, sizes, licences, and the addresses that their publishers state."""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, final
from urllib.parse import quote

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.sizes import format_bytes

_DATA = Path(__file__).parents[1] / "_data" / "assets.toml"


@final
@dataclass(frozen=True)
class Archive:
    """A tar file that holds several assets.

    Parameters
    ----------
    name : str
        File name.
    url : str
        Where it is published.
    size : int
        Bytes, about.
    stated_in : str
        The public text that states the address.
    singly : bool
        Its members are few and large: one is fetched without the rest, from servers that send parts of files.
    """

    name: str
    url: str
    size: int
    stated_in: str
    singly: bool = False


@final
@dataclass(frozen=True)
class FromArchive:
    """Files or folders of an archive."""

    archive: Archive
    members: tuple[str, ...]


@final
@dataclass(frozen=True)
class PublishedFile:
    """A file with an address of its own; size and sha256 where they are known."""

    path: str
    url: str
    size: int | None = None
    sha256: str | None = None


@final
@dataclass(frozen=True)
class FromFiles:
    """Files with addresses of their own."""

    files: tuple[PublishedFile, ...]


@final
@dataclass(frozen=True)
class FromListing:
    """Stimuli of an experiment, which a JSON file at ``listing`` names; they lie below ``base``.

    Parameters
    ----------
    listing, base : str
        Addresses.
    suffix : str
        Of the stimulus files.
    chosen : tuple of int
        Natural stimuli whose metamers are fetched unless others are asked for.
    """

    listing: str
    base: str
    suffix: str
    chosen: tuple[int, ...]


@final
@dataclass(frozen=True)
class WithModel:
    """Weights that a model source fetches and keeps: ``source:name@weights``."""

    model: str


@final
@dataclass(frozen=True)
class ByHand:
    """No address of a file is known; where to get it."""

    get_from: str


Way = FromArchive | FromFiles | FromListing | WithModel | ByHand


@final
@dataclass(frozen=True)
class Asset:
    """Something published that has a name here.

    Parameters
    ----------
    name, group : str
    what : str
        In a sentence.
    licence : str
        ``""`` where its publisher states none.
    stated_in : str
        The public text that states its address.
    way : FromArchive, FromFiles, FromListing, WithModel or ByHand
        How to get it.
    """

    name: str
    group: str
    what: str
    licence: str
    stated_in: str
    way: Way

    @property
    def files(self) -> tuple[str, ...]:
        """Files or folders that make the asset, as POSIX paths in its folder; none where they are not known."""
        if isinstance(self.way, FromArchive):
            return tuple(PurePosixPath(member).name for member in self.way.members)
        return tuple(file.path for file in self.way.files) if isinstance(self.way, FromFiles) else ()

    @property
    def size(self) -> int | None:
        """Bytes; None where its publisher states none."""
        if not isinstance(self.way, FromFiles) or any(file.size is None for file in self.way.files):
            return None
        return sum(file.size or 0 for file in self.way.files)

    @property
    def published_hashes(self) -> dict[str, str]:
        """sha256 of the files whose hash is known."""
        if not isinstance(self.way, FromFiles):
            return {}
        return {file.path: file.sha256 for file in self.way.files if file.sha256}

    @property
    def archive_size(self) -> int | None:
        """Bytes, about, of the archive that holds it; None for assets of none."""
        return self.way.archive.size if isinstance(self.way, FromArchive) else None

    @property
    def model(self) -> str | None:
        """``source:name@weights`` of weights that a model source keeps; None for other assets."""
        return self.way.model if isinstance(self.way, WithModel) else None

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it is fetched from; none where a model source fetches it, or no address is known."""
        if isinstance(self.way, FromArchive):
            return (self.way.archive.url,)
        if isinstance(self.way, FromListing):
            return (self.way.listing,)
        return tuple(file.url for file in self.way.files) if isinstance(self.way, FromFiles) else ()

    @property
    def how(self) -> str:
        """How to get it, in a few words."""
        way = self.way
        if isinstance(way, FromArchive):
            return f"from an archive of {format_bytes(way.archive.size)}"
        if isinstance(way, WithModel):
            return f"beholder models fetch {way.model}"
        if isinstance(way, ByHand):
            return f"address unknown: get it from {way.get_from}"
        return "download" if isinstance(way, FromFiles) else "download, file by file"


@lru_cache(maxsize=1)
def load_assets() -> dict[str, Asset]:
    """Every asset by name, in the manifest's order."""
    return read_manifest(_DATA)


def read_manifest(path: Path | str) -> dict[str, Asset]:
    """Read a manifest: TOML tables ``[[archives]]`` and ``[[assets]]``.

    Raises
    ------
    InputError
        A name that stands twice, or a table without, or with two, ways of getting the asset.
    """
    with open(path, "rb") as file:
        document = tomllib.load(file)
    archives = {table["name"]: Archive(**table) for table in document.get("archives", [])}
    assets: dict[str, Asset] = {}
    for table in document["assets"]:
        asset = _read_asset(table, archives)
        if asset.name in assets:
            raise InputError("assets of different names", got=f"{asset.name!r} twice in {path}")
        assets[asset.name] = asset
    return assets


def _read_asset(table: Mapping[str, Any], archives: Mapping[str, Archive]) -> Asset:
    ways: list[Way] = []
    if "archive" in table:
        ways.append(FromArchive(archives[table["archive"]], tuple(table["members"])))
    if "files" in table:
        base = table.get("base", "")
        files = [{"url": base + each["path"], **each} for each in table["files"]]
        ways.append(FromFiles(tuple(PublishedFile(**each) for each in files)))
    if "listed_in" in table:
        ways.append(FromFiles(_read_checksums(_DATA.with_name(table["listed_in"]), table["base"])))
    if "listing" in table:
        ways.append(FromListing(table["listing"], table["base"], table["suffix"], tuple(table["chosen"])))
    if "model" in table:
        ways.append(WithModel(table["model"]))
    if "get_from" in table:
        ways.append(ByHand(table["get_from"]))
    if len(ways) != 1:
        raise InputError("one way of getting an asset", got=f"{len(ways)} for {table['name']!r}")
    way = ways[0]
    stated_in = table.get("stated_in") or (way.archive.stated_in if isinstance(way, FromArchive) else "")
    return Asset(table["name"], table["group"], table["what"], table.get("licence", ""), stated_in, way)


def _read_checksums(path: Path, base: str) -> tuple[PublishedFile, ...]:
    """Files of a list, a line each: sha256, size, path."""
    rows = [line.split("  ", 2) for line in path.read_text(encoding="utf-8").splitlines()]
    return tuple(PublishedFile(name, base + quote(name, safe="/'"), int(size), sha256) for sha256, size, name in rows)


@suggest_keywords
def get_asset(name: str) -> Asset:
    """The asset of a name; an unknown one suggests the nearest."""
    assets = load_assets()
    if name not in assets:
        raise UnknownNameError("published asset", name, assets, hint="beholder assets, for a list")
    return assets[name]


@suggest_keywords
def list_assets(pattern: str | None = None, *, groups: Iterable[str] = ()) -> list[Asset]:
    """Published assets, by pattern and group.

    Parameters
    ----------
    pattern : str, optional
        With ``* ? [...]``: a pattern for the whole name. Without them: a part of the name or group, in any case.
    groups : iterable of str
        Only these groups; a name that ends in ``*`` stands for all that begin so.

    Raises
    ------
    UnknownNameError
        There is no such group.

    Examples
    --------
    >>> [asset.name for asset in list_assets("*-400-*")]
    ['metamers-400-pictures', 'metamers-400-sentences']
    """
    groups = tuple(groups)
    known = list_asset_groups()
    for group in groups:
        if not fnmatch.filter(known, group):
            raise UnknownNameError("group of assets", group, known)
    found = [a for a in load_assets().values() if not groups or any(fnmatch.fnmatchcase(a.group, g) for g in groups)]
    return [asset for asset in found if not pattern or _matches(asset, pattern)]


def _matches(asset: Asset, pattern: str) -> bool:
    if any(sign in pattern for sign in "*?["):
        return fnmatch.fnmatchcase(asset.name, pattern)
    return pattern.lower() in asset.name.lower() or pattern.lower() in asset.group.lower()


def list_asset_groups() -> list[str]:
    """The groups, in the manifest's order."""
    return list(dict.fromkeys(asset.group for asset in load_assets().values()))
