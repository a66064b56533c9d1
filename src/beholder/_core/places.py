"""Places on this machine, taken out of texts that are made to be passed on: paths, host names, addresses."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, cast

from beholder._core.narrowing import is_mapping

HIDDEN: Final = "…"
_ROOTS = frozenset(
    [
        "Applications",
        "Library",
        "Users",
        "Volumes",
        "Volume",
        "app",
        "beegfs",
        "ceph",
        "cifs",
        "cluster",
        "content",
        "data",
        "dev",
        "export",
        "fast",
        "fsx",
        "gpfs",
        "hdd",
        "home",
        "kaggle",
        "lab",
        "labs",
        "lustre",
        "media",
        "mnt",
        "net",
        "nfs",
        "opt",
        "private",
        "proc",
        "project",
        "projects",
        "root",
        "run",
        "scratch",
        "share",
        "shared",
        "srv",
        "ssd",
        "storage",
        "sw",
        "tmp",
        "usr",
        "usr1",
        "var",
        "vol",
        "work",
        "workspace",
    ]
)
_PLACE = re.compile(
    r"""(?<![\w+./~…}\]\\-])(?P<scheme>[A-Za-z][\w+-]*:)?(?P<path>(?:/{1,3}|\\{1,2})[\w@~+%.$-][^\s'"<>|,;()\[\]{}…]*)"""
)
_REMOTE = frozenset({"s3:", "s3a:", "gs:", "gcs:", "az:", "abfs:", "http:", "https:", "ftp:", "hf:", "memory:"})
_HOST = re.compile(r"\b(dask:|tcp://|tls://|ssh://)[\w.@:/\[\]-]+")


def hide_places(text: str, folder: Path | str | None = None) -> str:
    """Text without paths that only this machine has.

    A path in ``folder`` is told from there, of any other the last part. Addresses (``s3://…``) stay, but for those of
    machines that work (``dask:tcp://…``).

    Parameters
    ----------
    text : str
    folder : path, optional
        What travels with the text.

    Examples
    --------
    >>> hide_places("--in_path /home/me/pictures --out_path out")
    '--in_path …/pictures --out_path out'
    >>> hide_places("file:/home/me/net.py@main, /{model}/{stimulus}, s3://bucket/data/x, and/or 1/2")
    'file:…/net.py@main, /{model}/{stimulus}, s3://bucket/data/x, and/or 1/2'
    """
    if "/" not in text and "\\" not in text and "dask:" not in text:
        return text
    return _HOST.sub(lambda found: found[1] + HIDDEN, _PLACE.sub(_make_hider(folder), text))


def _make_hider(folder: Path | str | None) -> Callable[[re.Match[str]], str]:
    own = _list_names(folder)

    def hide(found: re.Match[str]) -> str:
        scheme, path = found["scheme"] or "", found["path"]
        if len(scheme) == 2 or (not scheme and path.startswith("\\\\")):  # a drive, a share
            return _shorten(found[0], own)
        if scheme == "file:":
            return scheme + _shorten(f"/{path.lstrip('/')}", own)
        if scheme in _REMOTE or path.startswith(("//", "\\")) or not _is_place(path):
            return found[0]
        return scheme + _shorten(path, own)

    return hide


def _is_place(path: str) -> bool:
    first = path.lstrip("/").split("/")[0]
    return first in _ROOTS or _is_root(first)


@functools.cache
def _is_root(first: str) -> bool:
    return bool(first) and Path(f"/{first}").is_dir()


def _list_names(folder: Path | str | None) -> tuple[str, ...]:
    """How a folder's own place is spelled."""
    if folder is None:
        return ()
    folder = Path(folder)
    return tuple(dict.fromkeys(str(path).rstrip(os.sep) for path in (folder.absolute(), folder.resolve())))


def _shorten(path: str, own: tuple[str, ...]) -> str:
    end = path[len(path.rstrip(".:!?")) :]
    path = path.removesuffix(end) if end else path
    for name in own:
        if path == name or path.startswith((f"{name}/", f"{name}{os.sep}")):
            return (path[len(name) + 1 :] or Path(name).name) + end
    parts = [part for part in re.split(r"[\\/]", path) if part]
    return f"{HIDDEN}/{parts[-1]}{end}" if parts else HIDDEN + end


def hide_places_in(value: Any, folder: Path | str | None = None, hosts: tuple[str, ...] = ()) -> Any:
    """A JSON value without places, at any depth: as :func:`hide_places`, paths with spaces too, and names of hosts.

    What stands under ``node`` is left out.

    Parameters
    ----------
    value : JSON value
    folder : path, optional
    hosts : tuple of str
        Names of machines.
    """
    if isinstance(value, str):
        return _hide_hosts(_hide_word(value, folder), hosts)
    if is_mapping(value):
        return {
            hide_places_in(name, folder, hosts): hide_places_in(each, folder, hosts)
            for name, each in value.items()
            if name != "node"
        }
    if isinstance(value, list | tuple):
        return [hide_places_in(each, folder, hosts) for each in cast("Sequence[Any]", value)]
    return value


def _hide_word(text: str, folder: Path | str | None) -> str:
    alone = text.startswith("/") or re.match(r"[A-Za-z]:[\\/]", text) is not None
    return _shorten(text, _list_names(folder)) if alone and "\n" not in text else hide_places(text, folder)


def _hide_hosts(text: str, hosts: tuple[str, ...]) -> str:
    for host in hosts:
        if host:
            text = re.sub(rf"(?<![\w.-]){re.escape(host)}(?![\w-])", HIDDEN, text)
    return text


def find_hosts(value: Any) -> tuple[str, ...]:
    """Names of machines that a provenance tells, those under ``node``, at any depth."""
    found: dict[str, None] = {}

    def look(part: Any) -> None:
        if is_mapping(part):
            for name, each in part.items():
                if name == "node" and isinstance(each, str):
                    found[each] = None
                look(each)
        elif isinstance(part, list | tuple):
            for each in cast("Sequence[Any]", part):
                look(each)

    look(value)
    return tuple(found)
