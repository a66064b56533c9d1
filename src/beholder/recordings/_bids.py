"""Beta series in a BIDS derivative, as fMRIPrep's users name them, joined with their events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError
from beholder._core.wording import format_count
from beholder.recordings._arrays import ID_COLUMNS, NOT_GIVEN, ReadOptions
from beholder.recordings._combine import combine_runs, combine_subjects
from beholder.recordings._nifti import find_voxels, import_nibabel, is_nifti, place_voxels
from beholder.recordings._plain import read_table
from beholder.recordings._recordings import Recordings

_MATCHED = ("sub", "ses", "task", "run")


@final
@dataclass(frozen=True)
class BidsFile:
    """A file and the entities of its name: ``sub-01_task-view_run-1_desc-brain_mask.nii.gz``."""

    path: Path
    entities: Mapping[str, str]
    suffix: str

    def fits(self, other: BidsFile, keys: tuple[str, ...] = _MATCHED) -> bool:
        """Whether all entities agree that both names have, of those of ``keys``; a subject must be in both or none."""
        mine, yours = self.entities, other.entities
        shared = all(mine[key] == yours[key] for key in keys if key in mine and key in yours)
        return shared and ("sub" in mine) == ("sub" in yours)


def parse_name(path: Path) -> BidsFile:
    """Entities and suffix of a BIDS file name.

    >>> found = parse_name(Path("sub-01_task-view_run-1_betaseries.nii.gz"))
    >>> found.suffix, found.entities["run"]
    ('betaseries', '1')
    """
    *parts, last = path.name.split(".")[0].split("_")
    pairs = [part.partition("-") for part in parts]
    return BidsFile(path, {key: value for key, dash, value in pairs if dash}, last)


def read_bids(folder: Path, given: ReadOptions) -> Recordings:
    """Of every ``*_betaseries.nii[.gz]`` below a folder, else of every ``*_statmap.nii[.gz]`` of an effect.

    A beta series has a volume for each row of the run's ``*_events.tsv`` that names a stimulus (``stimulus_id``,
    ``stim_file`` or ``trial_type``); where the name has ``desc-`` a trial type, for the rows of that type. A map of an
    effect is the response to the stimulus that ``contrast-`` names. Runs become repeats, subjects are put beside each
    other. Voxels are those of ``given.mask``, else those in the brain masks of all runs of a subject.
    """
    files = [parse_name(path) for path in sorted(folder.rglob("*")) if is_nifti(path) and path.is_file()]
    series = [file for file in files if file.suffix == "betaseries"]
    maps = [file for file in files if file.suffix == "statmap" and file.entities.get("stat", "effect") == "effect"]
    if not series and not maps:
        raise InputError(
            "beta series, *_betaseries.nii.gz, or maps of effects, *_statmap.nii.gz", got=f"{folder} without"
        )
    spaces = {file.entities.get("space", "") for file in series or maps}
    if len(spaces) > 1:
        got = ", ".join(sorted(spaces))
        raise InputError("responses in one space", got=f"{got} in {folder}", hint="a folder with one of them")
    masks = [file for file in files if file.suffix == "mask" and file.entities.get("space", "") in spaces]
    events = _find_events(folder, given) if series else []
    subjects: list[Recordings] = []
    for subject in sorted({file.entities.get("sub", "") for file in series or maps}):
        own = [file for file in series or maps if file.entities.get("sub", "") == subject]
        mask = _join_masks([file.path for file in masks if file.fits(own[0], ("sub", "space"))], folder)
        runs: dict[str, list[tuple[np.ndarray, list[str]]]] = {}
        units: Any = None
        volume: tuple[tuple[int, ...], np.ndarray] | None = None
        for file in own:
            values, units, volume = _read_voxels(file.path, given, mask, volume)
            ids = _name_trials(file, events, len(values)) if series else [_name_map(file, len(values))]
            label = "_".join(f"{key}-{file.entities[key]}" for key in ("ses", "task", "run") if key in file.entities)
            runs.setdefault(label, []).append((values, ids))
        assert volume is not None
        units["subject"] = subject
        parts: list[Recordings] = []
        for label, pieces in runs.items():
            trials = np.concatenate([values for values, _ in pieces])
            ids = [each for _, names in pieces for each in names]
            kept = {"runs": [label] * len(ids), "volume_shape": volume[0], "affine": volume[1]}
            parts.append(Recordings.from_trials(trials, ids, units, **kept))
        subjects.append(combine_runs(parts))
    return combine_subjects(subjects, name=given.name or folder.name)


def _find_events(folder: Path, given: ReadOptions) -> list[BidsFile]:
    root = folder if given.events is None else Path(given.events)
    events = [parse_name(path) for path in sorted(root.rglob("*_events.tsv"))]
    if not events:
        hint = "events= with the folder of the raw data set"
        raise InputError("tables of events, *_events.tsv, that name the stimuli", got=f"{root} without", hint=hint)
    return events


def _join_masks(paths: list[Path], folder: Path) -> Any:
    """Voxels that are in the brain in every run; None without masks."""
    if not paths:
        return None
    import_nibabel()
    masks = [np.asarray(import_nibabel().load(path).dataobj) != 0 for path in paths]
    if len({mask.shape for mask in masks}) != 1:
        raise InputError("brain masks of one shape for each subject", got=f"several in {folder}")
    return np.logical_and.reduce(masks)


def _read_voxels(
    path: Path, given: ReadOptions, mask: Any, volume: tuple[tuple[int, ...], np.ndarray] | None
) -> tuple[np.ndarray, Any, tuple[tuple[int, ...], np.ndarray]]:
    """Values, (n_volumes, n_units), the table of units, and shape and affine, as those of the run before."""
    image = import_nibabel().load(path)
    shape, affine = tuple(int(n) for n in image.shape[:3]), np.asarray(image.affine)
    if volume is not None and (shape != volume[0] or not np.allclose(affine, volume[1], atol=1e-3)):
        raise InputError("runs of one subject in one volume", got=f"{path} of another shape or place")
    if given.mask is None and mask is not None:
        if mask.shape != shape:
            raise InputError(f"a brain mask of the shape of {path.name}, {shape}", got=f"{mask.shape}")
        places, columns = np.argwhere(mask), {}
    else:
        places, columns = find_voxels(given, shape, affine, path)
    data = np.asarray(image.dataobj, dtype=np.float32).reshape(*shape, -1)
    return data[tuple(places.T)].T.copy(), place_voxels(places, affine, columns), (shape, affine)


def _name_map(file: BidsFile, n_volumes: int) -> str:
    name = file.entities.get("contrast", "")
    if not name or n_volumes != 1:
        raise InputError("a map with contrast-STIMULUS in its name", got=f"{file.path} of {n_volumes} volumes")
    return name


def _name_trials(file: BidsFile, events: list[BidsFile], n_volumes: int) -> list[str]:
    """The stimulus of each volume of a beta series."""
    fitting = [each for each in events if each.fits(file)]
    if len(fitting) != 1:
        got = f"{len(fitting)} for {file.path.name}"
        raise InputError("one table of events for each beta series, by sub, ses, task and run", got=got)
    table = read_table(fitting[0].path, ID_COLUMNS)
    kind = file.entities.get("desc")
    types = [str(each) for each in table["trial_type"].tolist()] if "trial_type" in table.columns else []
    if kind in types:
        table = table[np.array([each == kind for each in types])]
    column = next((name for name in ID_COLUMNS if name in table.columns), None)
    if column is None:
        got = f"{fitting[0].path} with {', '.join(map(str, table.columns))}"
        raise InputError("events with a column stim_file, stimulus_id or trial_type", got=got)
    from beholder.recordings._arrays import name_files

    names = [str(each) for each in table[column].tolist() if str(each) not in NOT_GIVEN]
    if len(names) != n_volumes:
        got = f"{n_volumes} volumes in {file.path.name}, {format_count(len(names), 'event')} with a {column}"
        raise InputError("a volume for each event that names a stimulus", got=got)
    return name_files(names) if column == "stim_file" else names
