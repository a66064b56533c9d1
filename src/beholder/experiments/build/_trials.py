"""What one trial of a built task consists of: which file goes where, and what its key says."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from PIL import Image

from beholder._core.errors import InputError
from beholder._core.files import explain_write_errors
from beholder._core.wording import format_count
from beholder.experiments.build._browser_files import encode_png, look_at_file, read_for_browser
from beholder.experiments.design._plan import CATCH, PlannedTrial
from beholder.experiments.design._plan_recognition import ICON, ICONS
from beholder.experiments.design._unit_folders import NATURAL, OPTIMIZED, QUERY, describe_unit, list_unit_files
from beholder.experiments.settings._kinds import get_task_kind
from beholder.stimuli import list_image_extensions, open_image

_STRONGEST = QUERY - 1
_WHITE = (255, 255, 255)


@final
@dataclass(frozen=True)
class TrialFiles:
    """A trial to be built.

    Attributes
    ----------
    files : mapping of str to Path
        Name below the trial's folder to the file that is copied there.
    key : dict
        Its row of ``key.json``, without ``n``.
    n_references : int
    """

    files: Mapping[str, Path]
    key: dict[str, Any]
    n_references: int = field(default=0)


@final
class TrialReader:
    """Finds the files of planned trials; a folder is listed once.

    Parameters
    ----------
    kind : str
    scheme : str
    folder : Path
        Where the plan lies.
    n_references : int
        References asked for, on each side.
    """

    def __init__(self, kind: str, scheme: str, folder: Path, n_references: int) -> None:
        self.kind = get_task_kind(kind)
        self.scheme = scheme
        self.folder = folder
        self.n_references = n_references
        self._listed: dict[Path, dict[str, dict[int, Path]]] = {}
        self._described: dict[Path, Any] = {}
        self._suffixes: dict[Path, str] = {}

    def read(self, trial: PlannedTrial, role: str) -> TrialFiles:
        """Find a trial's files.

        Parameters
        ----------
        trial : dict
            As the plan has it.
        role : {"main", "catch", "practice"}

        Raises
        ------
        InputError
            One of them is not there.
        """
        return self._read_pair(trial, role) if self.kind.unit_folders else self._read_slots(trial, role)

    def _read_pair(self, trial: PlannedTrial, role: str) -> TrialFiles:
        queries, references = (self._resolve(trial[name]) for name in ("queries", "references"))
        mode = str(trial.get("mode", ""))
        own = self._list(queries)
        number = QUERY
        released = role == "catch" and self.scheme == "released"
        if mode == CATCH and not released and queries.name != NATURAL:
            number = pick_numbers(own, 1, queries)[0]
        files = {f"queries/{sign}": _get(own[sign], number, queries, sign) for sign in ("min", "max")}
        shown = self._list(references)
        numbers = pick_numbers(shown, self.n_references, references)
        for sign in ("min", "max"):
            files.update({f"references/{sign}_{k}": _get(shown[sign], k, references, sign) for k in numbers})
        images = "optimized" if references.name == OPTIMIZED else "natural"
        key = {
            "role": role,
            "mode": mode,
            "unit": self._describe(queries),
            "correct": "query_max",
            "conditions": {"images": images, "query": number},
        }
        return TrialFiles(self._add_suffixes(files), key, len(numbers))

    def _describe(self, queries: Path) -> dict[str, Any] | None:
        if queries not in self._described:
            self._described[queries] = describe_unit(queries)
        found = self._described[queries]
        return None if found is None else dict(zip(("model", "layer", "channel", "batch"), found, strict=True))

    def _list(self, folder: Path) -> dict[str, dict[int, Path]]:
        if folder not in self._listed:
            self._listed[folder] = list_unit_files(folder)
        return self._listed[folder]

    def _read_slots(self, trial: PlannedTrial, role: str) -> TrialFiles:
        slots = self.kind.slots
        given = trial["stimuli"]
        if set(given) != set(slots):
            raise InputError(f"the slots {', '.join(slots)} of {self.kind.name}", got=", ".join(given) or "none")
        files: dict[str, Path] = {}
        for slot in slots:
            value = given[slot]
            if isinstance(value, list):
                if len(value) < self.n_references:
                    raise InputError(
                        format_count(self.n_references, "reference"), got=str(len(value)), hint=f"-nr {len(value)}"
                    )
                first = len(value) - self.n_references
                files.update({f"reference_{k}": self._resolve(value[k]) for k in range(first, len(value))})
            elif isinstance(value, dict):
                paths = value.get("levels", [])
                files.update({f"{slot}_level_{k}": self._resolve(each) for k, each in enumerate(paths)})
            else:
                files[slot] = self._resolve(value)
        key = {
            "role": role,
            "mode": str(trial.get("mode", "")),
            "unit": trial.get("unit"),
            "correct": trial.get("correct"),
            "conditions": trial.get("conditions", {}),
        }
        if "levels" in trial:
            key["levels"] = trial["levels"]
        return TrialFiles(self._add_suffixes(files), key, self.n_references if "references" in given else 0)

    def _add_suffixes(self, files: Mapping[str, Path]) -> dict[str, Path]:
        """Names with the suffixes of the copies; a file is looked into once."""
        for path in files.values():
            if path not in self._suffixes:
                self._suffixes[path] = look_at_file(path).suffix
        return {name + self._suffixes[path]: path for name, path in files.items()}

    def _resolve(self, name: str) -> Path:
        if name.startswith(ICON):
            return ICONS / name.removeprefix(ICON)
        return Path(os.path.normpath(self.folder / name))  # the plan's own folder need not be there yet


def pick_numbers(files: Mapping[str, Mapping[int, Path]], n: int, folder: Path) -> list[int]:
    """The ``n`` strongest references among ``{min,max}_{k}``, weakest first: up to ``_8``, never the query ``_9``.

    Raises
    ------
    InputError
        There are fewer.

    Examples
    --------
    >>> from pathlib import Path
    >>> pick_numbers({sign: dict.fromkeys(range(10)) for sign in ("min", "max")}, 3, Path("batch_1"))
    [6, 7, 8]
    """
    both = sorted(set(files["min"]) & set(files["max"]))
    natural = folder.name != OPTIMIZED
    numbers = [k for k in both if k <= (_STRONGEST if natural else max(_STRONGEST, n - 1))]
    if len(numbers) < n:
        raise InputError(
            f"{format_count(n, 'reference')} a side", got=f"{len(numbers)} in {folder}", hint=f"-nr {len(numbers)}"
        )
    return numbers[-n:]


def _get(files: Mapping[int, Path], number: int, folder: Path, sign: str) -> Path:
    if number not in files:
        raise InputError(f"{sign}_{number} in {folder}", got=f"only {', '.join(f'{sign}_{k}' for k in sorted(files))}")
    return files[number]


def read_copy(path: Path, suffix: str, icon_size: tuple[int, int] | None = None) -> bytes:
    """The bytes of a copy: as :func:`read_for_browser` gives them, or PNG of an icon.

    Parameters
    ----------
    path : Path
    suffix : str
    icon_size : (width, height), optional
        What icons are brought to, so that they look like the other stimuli.
    """
    if path.parent == ICONS and icon_size is not None:
        return encode_png(open_image(path, background=_WHITE).resize(icon_size, Image.Resampling.LANCZOS))
    return read_for_browser(path, suffix)


def find_size(trials: Iterable[TrialFiles]) -> tuple[int, int] | None:
    """Width and height of the first picture that is no icon."""
    for trial in trials:
        for path in trial.files.values():
            if path.parent != ICONS and path.suffix.lower() in list_image_extensions():
                return open_image(path).size
    return None


def write_copy(path: Path, content: bytes) -> None:
    """Write one file of a folder that is not yet in its place."""
    with explain_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
