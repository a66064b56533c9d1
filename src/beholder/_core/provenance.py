"""Where an output came from: ``provenance.json`` in every output folder.

The only file, beside logs and report pages, in which times, hosts and command lines may stand.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import shlex
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from beholder._core.errors import ConfigurationChanged, InputError
from beholder._core.files import explain_write_errors, read_json, remove_temporaries, write_json
from beholder._core.locks import take_lock
from beholder._core.machine import read_version
from beholder._core.narrowing import is_json_object, is_mapping
from beholder._core.progress import logger
from beholder._core.settings import refuse_changes

FILE_NAME = "provenance.json"
_PACKAGES = (
    "beholder",
    "torch",
    "torchvision",
    "timm",
    "open_clip_torch",
    "transformers",
    "numpy",
    "scipy",
    "pillow",
    "zarr",
    "h5py",
)


def read_versions(packages: tuple[str, ...] = _PACKAGES) -> dict[str, str]:
    """Versions of Python and of the installed packages that can change an output's bytes."""
    versions = {"python": platform.python_version()}
    found = {package: read_version(package) for package in packages}
    return versions | {package: each for package, each in found.items() if each is not None}


def find_network(settings: Mapping[str, Any] | None) -> str | None:
    """The identity of the network that an output was made by, or with which what it rests on was; None if unknown."""
    settings = settings or {}
    for place in (settings, settings.get("model"), settings.get("source")):
        found = place.get("network") if is_mapping(place) else None
        if isinstance(found, str):
            return found
    return None


def read_network(folder: Path | str, output: str) -> str | None:
    """As :func:`find_network`, of an output as ``provenance.json`` in ``folder`` knows it."""
    try:
        entry = read_json(Path(folder) / FILE_NAME)["outputs"][output]
        return find_network(entry["settings"])
    except (InputError, OSError, KeyError, TypeError, AttributeError, ValueError):
        return None


def refuse_other_network(
    folder: Path | str, outputs: Sequence[str], networks: Collection[str], name: str, *, overwrite: bool = False
) -> None:
    """Refuse to work in a folder beside what another network made.

    Parameters
    ----------
    folder : path
        With its ``provenance.json``.
    outputs : sequence of str
        What to look at; what is not there, or has no provenance, is no other network's.
    networks : collection of str
        Identities that will do.
    name : str
        The network, for the message.
    overwrite : bool
        Go ahead with a warning: the other parts are to be made anew, too.

    Raises
    ------
    ConfigurationChanged
        An output was made with another network, or by a version that did not note which.
    """
    entries = _read_outputs(Path(folder) / FILE_NAME)
    for output in outputs:
        known = read_network(folder, output)
        if output not in entries or known in networks:
            continue
        place = Path(folder) / output
        got = f"{name} as it is now, with other weights, code or hooks"
        if known is None:
            got = "a folder of an earlier version, which did not note by content what made it"
        if overwrite:
            logger.warning("%s was not made with %s as it is now; it is to be made anew, too", place, name)
            continue
        raise ConfigurationChanged(
            f"the network that made {place}", got=got,
            hint="another output folder, or making each part of this one anew with --overwrite",
        )  # fmt: skip


def check_provenance(folder: Path | str, output: str, settings: dict[str, Any], *, replace: bool = False) -> None:
    """Refuse to write an output again that was made with other settings.

    Parameters
    ----------
    folder, output, settings
        As for :func:`record_provenance`.
    replace : bool
        Go ahead all the same.

    Raises
    ------
    ConfigurationChanged
        With the first differences named.
    """
    path = Path(folder) / FILE_NAME
    entry = None if replace else _read_outputs(path).get(output)
    if entry is not None and isinstance(entry.get("settings"), dict):
        refuse_changes(entry["settings"], json.loads(json.dumps(settings)), str(Path(folder) / output))


def _read_outputs(path: Path) -> dict[str, Any]:
    """The entries of a ``provenance.json``; a damaged one is set aside with a word, so that a new one is begun."""
    if not path.exists():
        return {}
    try:
        document = read_json(path)
        outputs = document["outputs"]
        if is_json_object(outputs) and all(isinstance(entry, dict) for entry in outputs.values()):
            return outputs
    except (InputError, TypeError, KeyError):
        pass
    aside = path.with_name(f"{path.name}.damaged")
    logger.warning("%s is damaged; it is kept as %s, and a new one is begun", path, aside.name)
    with explain_write_errors(path):
        os.replace(path, aside)
    return {}


def read_command(output: Path) -> str:
    """The command line that made an output, as far as its provenance says."""
    for path, name in ((output / FILE_NAME, "."), (output.parent / FILE_NAME, output.name)):
        try:
            return str(read_json(path)["outputs"][name]["command"])
        except (InputError, TypeError, KeyError):
            continue
    return ""


def record_provenance(folder: Path | str, output: str, settings: dict[str, Any], **facts: Any) -> Path:
    """Add or replace the entry of one output in the folder's ``provenance.json``.

    Parameters
    ----------
    folder : path
        The output folder.
    output : str
        Which output of the folder this is: a file or sub-folder name, or ``"."``.
    settings : dict
        Resolved settings, JSON-able.
    **facts
        Anything else worth knowing: input hashes, seeds, warnings.
    """
    folder = Path(folder)
    entry = {
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": {"node": platform.node(), "system": platform.platform(), "cores": os.cpu_count()},
        "settings": settings,
        "versions": read_versions(),
        **facts,
    }
    path = folder / FILE_NAME
    with explain_write_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
        with take_lock(folder / ".provenance.lock", wait=True):
            remove_temporaries(path)  # of processes that were killed while they held this lock
            write_json(path, {"outputs": {**_read_outputs(path), output: entry}})
    return path
