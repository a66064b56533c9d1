"""Copies of what outputs say of themselves, in a scratch folder: where a dry run plans and works.

A shadow has the job folders of an output, and the files that these vouch for: small ones as copies, large ones as
links. So it tells what is finished and what is left, and whatever is written there reaches no output.
"""

from __future__ import annotations

import contextlib
import glob
import logging
import os
import shutil
import tempfile
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import final

from beholder._core.errors import BeholderError
from beholder._core.files import TEMPORARY_PREFIX
from beholder._core.progress import logger
from beholder.jobs._content import read_digests

STATES = "state"
"""Folders of half-finished work, from which a dry run does not go on: what is measured is the work."""

_SMALL_BYTES = 64 * 1024


@final
class Shadows:
    """The scratch folder of one dry run; use :func:`open_shadows`.

    Attributes
    ----------
    outputs : list of Path
        Those that were placed, as they were named.
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._parents: dict[Path, Path] = {}
        self._known: set[str] = set()
        self.outputs: list[Path] = []

    def place(self, output: Path, also: Iterable[Path] = ()) -> Path:
        """Where to work in place of an output; ``also`` are files and folders of it that no receipt names."""
        if output.is_relative_to(self._scratch):
            return output
        real = _locate(output)
        parent = self._parents.setdefault(real.parent, self._scratch / str(len(self._parents)))
        shadow = parent / real.name
        if output not in self.outputs:
            self.outputs.append(output)
            parent.mkdir(parents=True, exist_ok=True)
            for folder in [*real.parent.glob(f".{glob.escape(real.name)}.*jobs"), real / ".jobs"]:
                _copy_folder(folder, parent / folder.relative_to(real.parent))
            for path in [*(real / name for name in read_digests(real)), *map(_locate, also)]:
                if path.is_dir():
                    _copy_folder(path, parent / path.relative_to(real.parent))
                elif path.is_file():
                    _copy_file(path, parent / path.relative_to(real.parent))
            self._known.update(map(str, _walk(parent)))
        return shadow

    def count_new(self) -> int:
        """Bytes of the files that were written here since the last call, but for copies; folders of states left out."""
        n_bytes = 0
        for path in _walk(self._scratch):
            if str(path) not in self._known:
                self._known.add(str(path))
                n_bytes += path.stat().st_size
        return n_bytes

    def find_real(self, path: Path) -> Path:
        """What a path in the scratch folder stands for; any other as it is."""
        for real, shadow in self._parents.items():
            if path.is_relative_to(shadow):
                return real / path.relative_to(shadow)
        return path

    def name_real(self, text: str) -> str:
        """A text with the names of outputs for those of their shadows."""
        for real, shadow in self._parents.items():
            text = text.replace(str(shadow), _shorten(real))
        return text


def _locate(path: Path) -> Path:
    """An absolute path; a link stays the link that it is, since job folders lie beside it."""
    return path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name


def _shorten(path: Path) -> str:
    """As the user would type it: below the working folder by the rest."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _walk(folder: Path) -> Iterator[Path]:
    for place, below, names in os.walk(folder):
        below[:] = [name for name in below if name != STATES]
        yield from (Path(place) / name for name in names if not _is_passing(name))


def _is_passing(name: str) -> bool:
    """A lock, or a file that is being written."""
    return name.endswith(".lock") or name.startswith(TEMPORARY_PREFIX) or name == "run.lock.held"


def _copy_folder(folder: Path, target: Path) -> None:
    if folder.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        for path in _walk(folder):
            _copy_file(path, target / path.relative_to(folder))


def _copy_file(path: Path, target: Path) -> None:
    """A copy; of a large file a link. Files that another run takes away meanwhile are passed over."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(target):
        return
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > _SMALL_BYTES:
            for link in (os.symlink, os.link):
                with contextlib.suppress(OSError, NotImplementedError):
                    link(path, target)
                    return
        shutil.copyfile(path, target)


@contextlib.contextmanager
def open_shadows() -> Generator[Shadows]:
    """A scratch folder, deleted at the end; errors and messages name outputs, not their shadows."""
    with tempfile.TemporaryDirectory(prefix="beholder-dry-run-", ignore_cleanup_errors=True) as scratch:
        shadows = Shadows(Path(os.path.realpath(scratch)))

        def name_real(record: logging.LogRecord) -> bool:
            record.msg, record.args = shadows.name_real(record.getMessage()), ()
            return True

        logger.addFilter(name_real)
        try:
            yield shadows
        except BeholderError as error:
            error.args = tuple(shadows.name_real(each) if isinstance(each, str) else each for each in error.args)
            raise
        finally:
            logger.removeFilter(name_real)


def find_free(path: Path) -> int | None:
    """Bytes that are free where a file is or would be; None where the system does not say."""
    place = _locate(path)
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        return shutil.disk_usage(place).free
    except OSError:
        return None
