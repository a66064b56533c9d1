"""A stimulus set at graded levels, as files with a table."""

from __future__ import annotations

import contextlib
import csv
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from PIL import Image, ImageOps

from beholder._core.errors import ConfigurationChanged, InputError, UnknownNameError, suggest_keywords
from beholder._core.files import check_output_folder, to_path_name, write_bytes
from beholder._core.hashing import hash_settings
from beholder._core.progress import logger
from beholder._core.seeds import DEFAULT_SEED, derive_seed
from beholder._core.tables import format_records
from beholder.jobs import (
    Finish,
    JobFolder,
    Plan,
    Shard,
    Worker,
    long_work,
    open_output,
    place_output,
    read_record,
    write_record,
)
from beholder.stimuli.images import _graded as graded
from beholder.stimuli.images._corruptions import COMMON_CORRUPTIONS, corrupt_picture
from beholder.stimuli.images._image import open_image, save_picture
from beholder.stimuli.sets._coerce import as_stimulus_set
from beholder.stimuli.sets._set import StimulusSet
from beholder.stimuli.sounds._sound import load_sound, save_sound
from beholder.stimuli.words._labels import sort_classes

FORMAT = "beholder-graded-2"
TABLE = "stimuli.csv"
GRADED_COLUMNS = ("grade", "level", "original")
_OWN_COLUMNS = ("file", "stimulus_id", "label", "target", *GRADED_COLUMNS)


def _corrupt(name: str) -> Callable[[np.ndarray, float, int, GradeOptions], np.ndarray]:
    return lambda x, level, seed, o: corrupt_picture(x, name, level, seed=seed)


PICTURE_GRADES: Mapping[str, Callable[[np.ndarray, float, int, GradeOptions], np.ndarray]] = {
    "contrast": lambda x, level, seed, o: graded.set_contrast(x, level),
    "uniform_noise": lambda x, level, seed, o: graded.add_uniform_noise(x, level, seed=seed),
    "pink_noise": lambda x, level, seed, o: graded.add_pink_noise(x, level, seed=seed),
    "blur": lambda x, level, seed, o: graded.blur_picture(x, level, pixels_per_degree=o.pixels_per_degree),
    "phase": lambda x, level, seed, o: graded.scramble_phase(x, level, seed=seed),
    **{f"common_{name}": _corrupt(name) for name in COMMON_CORRUPTIONS},
}
"""What can be graded of a picture, and how."""
SOUND_GRADES = ("snr",)
GRADES = (*PICTURE_GRADES, *SOUND_GRADES)
"""Ways to grade stimuli, by name."""
HARDER_GRADES = frozenset(
    {"uniform_noise", "pink_noise", "blur", "phase", *(f"common_{n}" for n in COMMON_CORRUPTIONS)}
)
"""Grades whose higher levels are harder; those of the others are easier."""
_SHARD_STIMULI = 32


@final
@dataclass(frozen=True)
class GradeOptions:
    """What is the same at all levels.

    Parameters
    ----------
    size : int, optional
        Pictures are first cut to a square around their centre and resized to so many pixels (bicubic).
    grey : bool
        Pictures are first made grey (ITU-R 601 luma).
    base_contrast : float
        Pictures are first brought to this contrast, in [0, 1], so that noise clips less; 0.3 in the published
        experiment on uniform noise.
    pixels_per_degree : float, optional
        Levels of blur are in degrees of visual angle, and one degree takes so many pixels.
    spectrum : {"white", "pink", "matched"}
        Of noise under sounds.
    """

    size: int | None = None
    grey: bool = False
    base_contrast: float = 1.0
    pixels_per_degree: float | None = None
    spectrum: str = "white"

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise InputError("a size of 1 pixel or more", got=str(self.size))
        if not 0 <= self.base_contrast <= 1:
            raise InputError("a base contrast in [0, 1]", got=str(self.base_contrast))
        if self.spectrum not in graded.NOISE_SPECTRA:
            raise UnknownNameError("spectrum of noise", self.spectrum, graded.NOISE_SPECTRA)

    def to_dict(self) -> dict[str, Any]:
        """The options, JSON-able."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@suggest_keywords
def grade_stimulus(
    source: Any, grade: str, level: float, *, seed: int = DEFAULT_SEED, options: GradeOptions | None = None
) -> np.ndarray:
    """One picture or sound at one level.

    Parameters
    ----------
    source : numpy.ndarray
        A picture, (height, width, 3), uint8 or float in [0, 1]; or a sound, (n_samples,), float.
    grade : str
        One of :data:`GRADES`.
    level : float
        Contrast, half the range (``uniform_noise``) or RMS (``pink_noise``) of noise, sigma of blur, width of the
        phase noise in degrees, signal-to-noise ratio in dB; severity, 1 to 5, of common corruptions.
    seed : int
        Decides noise and phases.
    options : GradeOptions, optional

    Returns
    -------
    numpy.ndarray
        A picture as float32 in [0, 1], or a sound as float32.

    Raises
    ------
    UnknownNameError
        There is no such grade.
    InputError
        A level outside its range, or a picture where a sound is wanted.
    """
    options = options or GradeOptions()
    if grade in SOUND_GRADES:
        return graded.add_noise_at_snr(source, level, spectrum=options.spectrum, seed=seed)  # type: ignore[arg-type]
    if grade not in PICTURE_GRADES:
        raise UnknownNameError("grade", grade, GRADES)
    picture = open_image(source)
    if options.size is not None:
        picture = ImageOps.fit(picture, (options.size, options.size), Image.Resampling.BICUBIC)
    if options.grey:
        picture = picture.convert("L").convert("RGB")
    values = np.asarray(picture, dtype=np.float64) / 255
    if options.base_contrast != 1:
        values = graded.set_contrast(values, options.base_contrast)
    return PICTURE_GRADES[grade](values, level, seed, options)


@suggest_keywords
@long_work
def grade_stimuli(
    stimuli: StimulusSet | Path | str | Any,
    grade: str,
    levels: Sequence[float],
    out_path: Path | str = "stimuli/graded",
    *,
    options: GradeOptions | None = None,
    seed: int = DEFAULT_SEED,
    workers: int = 1,
    overwrite: bool = False,
    cluster: str | None = None,
    mixed: bool = False,
    dry_run: bool = False,
) -> StimulusSet:
    """Write every stimulus at every level, with a table that networks and experiments read alike.

    Files are ``{grade}_{level}/{stimulus_id}.png`` (or ``.wav``); ``stimuli.csv`` lists them with the columns
    ``file, stimulus_id, label, target, grade, level, original`` and the conditions of the set. The noise of a file
    depends on ``seed``, the stimulus and the level alone. Interrupted at any moment, the same call completes the
    folder to the same bytes; levels and stimuli may be added later, by several runs at the same time. The table is
    ordered by level, class and stimulus, whichever came first.

    Parameters
    ----------
    stimuli : StimulusSet, path or array
        Pictures or sounds.
    grade : str
        What is graded: ``"contrast"``, ``"uniform_noise"``, ``"pink_noise"``, ``"blur"``, ``"phase"`` of pictures, or
        one of the fifteen common corruptions (``"common_fog"``, ...); ``"snr"`` of sounds.
    levels : sequence of float
        As for :func:`grade_stimulus`, all different.
    out_path : path
        The folder.
    options : GradeOptions, optional
    seed : int
    workers : int
        Processes; does not change a byte.
    overwrite : bool
        Replace what was made with other settings.
    cluster, mixed, dry_run
        As for :func:`beholder.extract`.

    Returns
    -------
    StimulusSet
        All that the table lists.

    Raises
    ------
    UnknownNameError
        There is no such grade.
    InputError
        Levels that repeat or lie outside their range; pictures for ``snr``, sounds for the others.
    ConfigurationChanged
        The folder was made with other settings.

    Notes
    -----
    Source: Geirhos et al. (2018), Generalisation in humans and deep neural networks, for the pictures' grades.

    Examples
    --------
    >>> shown = grade_stimuli("images/", "contrast", [0.05, 0.1, 0.3, 1])  # doctest: +SKIP
    """
    check_output_folder(out_path)
    options = options or GradeOptions()
    found = as_stimulus_set(stimuli)
    _check_grade(found, grade)
    names = _name_levels(grade, levels)
    _try_levels(grade, levels, options)
    output = place_output(Path(out_path), Path(out_path) / TABLE)
    settings = {"format": FORMAT, "grade": grade, "options": options.to_dict(), "seed": int(seed)}
    folder = JobFolder(output.parent / f".{output.name}.graded.jobs", output)
    replace = folder.clear if overwrite else None
    with open_output(folder, leftovers=[output], replace=replace, shared=True) as work:
        if folder.read_settings() is None and (output / TABLE).exists() and not overwrite:
            raise ConfigurationChanged(
                "a new folder", got=f"{output}, which holds a table", hint="another --out_path, or --overwrite"
            )
        work.settle(settings)
        rows = _list_rows(found, grade, names, levels)
        _merge_rows(folder, rows)
        shards = _plan_shards(folder, found, names)
        worker = GradeWorker(output, found, grade, dict(zip(names, levels, strict=True)), options, int(seed))
        work.run(Plan(f"grade {output.name}", settings, shards, unit="files"), worker, n_workers=workers)
        _check_unchanged(folder, found, names)
        _write_table(folder, rows)
        facts = {"stimuli": found.describe(), "levels": [_format(level) for level in levels]}
        work.record(output, ".", facts)
    return StimulusSet.from_table(output / TABLE)


@final
@dataclass
class GradeWorker(Worker):
    """Writes the stimuli of one shard at one level."""

    output: Path
    stimuli: StimulusSet
    grade: str
    levels: dict[str, float]
    options: GradeOptions
    seed: int

    @contextlib.contextmanager
    def open(self, n_workers: int) -> Iterator[Callable[[Shard], Finish]]:
        """Nothing to get ready."""
        yield lambda shard: lambda: (self._write(shard), {})

    def _write(self, shard: Shard) -> dict[str, int]:
        name = shard.payload["level"]
        sizes = {}
        for stimulus_id, _ in shard.payload["stimuli"]:
            path = self.output / name / f"{stimulus_id}{_suffix(self.grade)}"
            seed = derive_seed(self.seed, "graded", name, stimulus_id)
            i = self.stimuli.index_of(stimulus_id)
            if self.grade in SOUND_GRADES:
                sound, rate = load_sound(self.stimuli.source(i))
                made = grade_stimulus(sound, self.grade, self.levels[name], seed=seed, options=self.options)
                save_sound(path, made, rate)
            else:
                picture = self.stimuli.source(i)
                made = grade_stimulus(picture, self.grade, self.levels[name], seed=seed, options=self.options)
                save_picture(path, made)
            sizes[path.relative_to(self.output).as_posix()] = path.stat().st_size
            self.report(1)
        return sizes


def _check_grade(stimuli: StimulusSet, grade: str) -> None:
    if grade not in GRADES:
        raise UnknownNameError("grade", grade, GRADES)
    wanted = "sound" if grade in SOUND_GRADES else "image"
    if stimuli.kind != wanted or (wanted == "sound" and stimuli.arrays is not None and stimuli.packed is None):
        raise InputError(f"{wanted} files for {grade}", got=f"a set of {stimuli.kind}s")
    if taken := [name for name in GRADED_COLUMNS if name in stimuli.conditions]:
        raise InputError(
            "stimuli that are not graded yet", got=f"a set with the condition {taken[0]!r}",
            hint="the originals; --base_contrast where noise on low contrast is meant",
        )  # fmt: skip
    unsafe = [each for each in stimuli.ids if to_path_name(each).lower() != each.lower()]
    folded = {each.lower() for each in stimuli.ids}
    if unsafe or len(folded) < len(stimuli):
        got = repr(unsafe[0]) if unsafe else "ids that differ in case only"
        raise InputError("stimulus ids of letters, digits, '.', '_' and '-' that can be file names", got=got)


def _name_levels(grade: str, levels: Sequence[float]) -> list[str]:
    if not levels:
        raise InputError("at least one level", got="none")
    if any(math.isnan(level) for level in levels):
        raise InputError("levels that are numbers", got="nan")
    names = [f"{grade}_{_format(level)}" for level in levels]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError("levels that differ", got=f"{twice} twice")
    return names


def _try_levels(grade: str, levels: Sequence[float], options: GradeOptions) -> None:
    """Refuse a level outside its range before anything is written."""
    tiny = np.sin(np.arange(64.0)) if grade in SOUND_GRADES else np.tile(np.linspace(0, 1, 32), (32, 1))
    for level in levels:
        if grade in SOUND_GRADES:
            graded.add_noise_at_snr(tiny, level, spectrum=options.spectrum)  # type: ignore[arg-type]
        else:
            PICTURE_GRADES[grade](tiny, level, 0, options)


def _plan_shards(folder: JobFolder, stimuli: StimulusSet, names: Sequence[str]) -> tuple[Shard, ...]:
    """Shards of up to 32 stimuli at one level; those that were cut before stay as they were."""
    recorded: list[list[str]] = (folder.read_record("layout.json") or {"shards": []})["shards"]
    known = {each for ids in recorded for each in ids}
    fresh = [each for each in stimuli.ids if each not in known]
    cut = [fresh[start : start + _SHARD_STIMULI] for start in range(0, len(fresh), _SHARD_STIMULI)]
    if cut:
        recorded = recorded + cut
        folder.write_record("layout.json", {"shards": recorded})
    hashes = _check_unchanged(folder, stimuli, names)
    shards = []
    for name in names:
        for index, ids in enumerate(recorded):
            here = [[each, hashes[each]] for each in ids if each in hashes]
            if here:
                some = "" if len(here) == len(ids) else f"-{hash_settings([each for each, _ in here])[:12]}"
                shards.append(Shard(f"{name}--{index:05d}{some}", len(here), {"level": name, "stimuli": here}))
    return tuple(shards)


def _check_unchanged(folder: JobFolder, stimuli: StimulusSet, names: Sequence[str]) -> dict[str, str]:
    """Hashes of the stimuli; refuses some that have changed since levels were made that are not asked for now."""
    hashes = {each: stimuli.hash_stimulus(i) for i, each in enumerate(stimuli.ids)}
    for receipt in folder.iter_receipts():
        if receipt["payload"]["level"] not in names:
            for stimulus_id, digest in receipt["payload"]["stimuli"]:
                if hashes.get(stimulus_id, digest) != digest:
                    raise ConfigurationChanged(
                        f"the {stimulus_id!r} that {receipt['payload']['level']} was made of", got="another file",
                        hint="another --out_path, or all levels together",
                    )  # fmt: skip
    return hashes


def _list_rows(stimuli: StimulusSet, grade: str, names: Sequence[str], levels: Sequence[float]) -> list[dict[str, Any]]:
    rows = []
    for name, level in zip(names, levels, strict=True):
        for i, original in enumerate(stimuli.ids):
            row = {
                "file": f"{name}/{original}{_suffix(grade)}",
                "stimulus_id": f"{name}__{original}",
                "label": stimuli.labels[i],
                "target": int(stimuli.targets[i]),
                "grade": grade,
                "level": _format(level),
                "original": original,
            }
            row |= {key: _show(column[i]) for key, column in stimuli.conditions.items()}
            rows.append(row)
    return rows


def _write_table(folder: JobFolder, rows: list[dict[str, Any]]) -> None:
    columns, merged = _merge_rows(folder, rows)
    data = format_records(merged, columns)
    write_record(folder.path / TABLE, data)
    with folder.seal(TABLE):
        write_bytes(folder.output / TABLE, data)
    logger.info("%d stimuli in %s", len(merged), folder.output / TABLE)


def _merge_rows(folder: JobFolder, rows: list[dict[str, Any]]) -> tuple[list[str], Sequence[Mapping[str, Any]]]:
    """Columns and rows of what was listed before, by the record of it, with what is new; ordered by what they hold."""
    before = read_record(folder.path / TABLE, lambda data: data.decode("utf-8"))
    old = list(csv.DictReader(io.StringIO(before, newline=""))) if before is not None else []
    new = {row["file"]: row for row in rows}
    kept = [row for row in old if row["file"] not in new]
    _check_classes(kept, rows, folder.output / TABLE)
    places = {label: i for i, label in enumerate(sort_classes(str(row["label"]) for row in (*kept, *rows)))}
    merged = sorted(
        (*kept, *new.values()),
        key=lambda row: (float(row["level"]), places[str(row["label"])], row["original"], row["file"]),
    )
    return _merge_columns(old, rows), merged


def _check_classes(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], table: Path) -> None:
    """Refuse classes that have other numbers than in the rows that stay."""
    known = {(str(row["label"]), str(row["target"])) for row in old if row["label"]}
    numbers = dict(sorted(known))
    for row in new:
        label, target = str(row["label"]), str(row["target"])
        if label in numbers and (label, target) not in known:
            raise ConfigurationChanged(
                f"the class {label!r} to be number {numbers[label]}, as {table} has it", got=target,
                hint="stimuli of all classes, and all levels, together; or another --out_path",
            )  # fmt: skip


def _merge_columns(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> list[str]:
    """The table's own columns, then conditions: as they were where all agree, else sorted."""
    before, now = list(old[0] if old else new[0]), list(new[0])
    own = [name for name in now if name in _OWN_COLUMNS]
    return before if before == now else [*own, *sorted({*before, *now} - set(own))]


def _suffix(grade: str) -> str:
    return ".wav" if grade in SOUND_GRADES else ".png"


def _format(level: float) -> str:
    return f"{level:g}"


def _show(value: Any) -> Any:
    return "" if value is None else value
