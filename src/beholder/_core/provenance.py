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
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock

from beholder._core.files import explain_write_errors, read_json, write_json
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
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


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
    entry = read_json(path)["outputs"].get(output) if path.exists() and not replace else None
    if entry is not None:
        refuse_changes(entry["settings"], json.loads(json.dumps(settings)), str(Path(folder) / output))


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
        with FileLock(folder / ".provenance.lock"):
            document = read_json(path) if path.exists() else {"outputs": {}}
            document["outputs"][output] = entry
            write_json(path, document)
    return path
