"""Labelled stimuli and the conditions that each is there in: networks and layers of metamers, levels, as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.wording import format_count
from beholder.stimuli import (
    HARDER_GRADES,
    MetamerSet,
    StimulusSet,
    as_stimulus_set,
    is_metamer_set,
    list_image_extensions,
    list_sound_extensions,
    load_categories,
    read_stimulus_manifest,
    tells_decisions,
    unpack_stimuli,
)

ORIGINAL = "original"
TABLE = "stimuli.csv"
UNPACKED = "unpacked"
_LEVEL = "level"
_BASES = ("source_id", "source", "original", "base", "stimulus")
_NO_CONDITION = frozenset({"shard", "sha256", "seed", "rank", "width", "height", "size", "duration"})
_WNID = re.compile(r"(n\d{8})(?![0-9])")


@final
@dataclass(frozen=True)
class Condition:
    """One way in which stimuli are shown.

    Attributes
    ----------
    name : str
    mode : str
        ``original``, ``metamer``, ``graded``, ``natural``.
    about : mapping
        What stands with each trial: model, layer, level, ….
    """

    name: str
    mode: str
    about: Mapping[str, Any]


@final
@dataclass(frozen=True)
class Version:
    """What is shown of one stimulus in one condition.

    Attributes
    ----------
    path : Path
    replaced : bool
        Whether the original stands in for what is missing or did not pass.
    levels : tuple of (float, Path)
        Of adaptive trials: all levels, from the hardest to the easiest (rising, but for noise, blur and phase);
        ``path`` is the first of them.
    """

    path: Path
    replaced: bool = False
    levels: tuple[tuple[float, Path], ...] = ()


@final
@dataclass(frozen=True, repr=False)
class StimulusTable:
    """Stimuli × conditions.

    Attributes
    ----------
    ids : tuple of str
        Sorted.
    labels : tuple of str
        One a stimulus.
    originals : tuple of (Path or None)
        The unchanged stimuli, where there are any.
    conditions : tuple of Condition
    versions : mapping of (int, int) to Version
        By positions of stimulus and condition; complete.
    decisions : tuple of str
        Of metamers, by what a network's answers were held to be the same, one a stimulus: ``category``, ``word``,
        ``class``, or empty. Else empty.
    """

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    originals: tuple[Path | None, ...]
    conditions: tuple[Condition, ...]
    versions: Mapping[tuple[int, int], Version]
    decisions: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, rows: Sequence[int]) -> StimulusTable:
        """Some of the stimuli, by position."""
        versions = {(k, c): self.versions[i, c] for k, i in enumerate(rows) for c in range(len(self.conditions))}
        return StimulusTable(
            tuple(self.ids[i] for i in rows), tuple(self.labels[i] for i in rows),
            tuple(self.originals[i] for i in rows), self.conditions, versions,
            tuple(self.decisions[i] for i in rows) if self.decisions else (),
        )  # fmt: skip

    def __repr__(self) -> str:
        return (
            f"StimulusTable({format_count(len(self), 'stimulus')} x {format_count(len(self.conditions), 'condition')})"
        )


def read_stimulus_table(
    sources: StimulusSet | Path | str | Any,
    *,
    layers: Sequence[str] | None = None,
    keep_failed: bool = False,
    adaptive: bool = False,
    folder: Path | None = None,
) -> StimulusTable:
    """Read folders of metamers, or labelled stimuli.

    Parameters
    ----------
    sources : path, sequence of path, or whatever holds stimuli
        ``metamers/{model}``, one or more; or a folder, files, a table, pictures. A table's columns are conditions; rows
        with one ``source`` are versions of one stimulus; ``level`` is a number.
    layers : sequence of str, optional
        Of metamers: only those.
    keep_failed : bool
        Show metamers that did not pass.
    adaptive : bool
        Levels are no conditions but what an adaptive method chooses from.
    folder : path, optional
        Where stimuli that lie packed, or at an address, are written as files: beside the plan.
    """
    if isinstance(sources, str | Path):
        sources = [sources]
    if not (isinstance(sources, list | tuple) and all(isinstance(each, str | Path) for each in sources)):
        return read_labelled(sources, adaptive, folder=folder)
    if not sources:
        raise InputError("-s FOLDER, stimuli or metamers", got="none")
    if is_metamer_set(sources[0]):
        if adaptive:
            raise InputError("--levels adaptive with graded stimuli", got=f"metamers in {sources[0]}")
        return read_metamers([Path(source) for source in sources], layers, keep_failed)
    if layers:
        raise InputError("--layers with metamers", got=f"{sources[0]}, which holds none")
    if len(sources) > 1 and (other := [each for each in sources if not _is_one(Path(each))]):
        expected = "one folder or table, files, or several metamers/{model}"
        raise InputError(expected, got=f"{len(sources)} of them, {other[0]} among them")
    return read_labelled(sources[0] if len(sources) == 1 else sources, adaptive, folder=folder)


def read_metamers(folders: Sequence[Path], layers: Sequence[str] | None, keep_failed: bool) -> StimulusTable:
    """Originals and, for each network and layer, metamers; what is missing or did not pass is the original.

    Raises
    ------
    InputError
        Two folders have different originals under one id, or lack a layer that was asked for; verdicts of an older
        version, which do not tell the decision, unless ``keep_failed``.
    """
    sets = [MetamerSet(folder) for folder in folders]
    decisions: dict[str, str] = {}
    for made in sets:
        table = made.to_pandas()
        if not keep_failed and not tells_decisions(table):
            raise InputError(
                "verdicts that tell by which decision they are", got=f"{made.path} of an older version",
                hint="--keep_failed, which uses none, or metamers made anew",
            )  # fmt: skip
        for stimulus_id, decision in table[["stimulus_id", "decision"]].drop_duplicates().itertuples(index=False):
            decisions[stimulus_id] = min(decisions.get(stimulus_id, decision or ""), decision or "")
    conditions = [Condition(ORIGINAL, ORIGINAL, {"model": "", "layer": ORIGINAL})]
    rows: dict[str, Mapping[str, str]] = {}
    originals: dict[str, Path] = {}
    for made in sets:
        for stimulus_id, row in read_stimulus_manifest(made.path).items():
            if rows.setdefault(stimulus_id, row)["label"] != row["label"]:
                raise InputError(
                    "networks' metamers of the same stimuli",
                    got=f"{stimulus_id!r} labelled {rows[stimulus_id]['label']!r} and {row['label']!r}",
                )
            originals.setdefault(stimulus_id, made.path / row["original"])
    ids = tuple(sorted({stimulus_id for made in sets for stimulus_id in made.stimulus_ids}))
    versions = {(i, 0): Version(originals[stimulus_id]) for i, stimulus_id in enumerate(ids)}
    known = list(dict.fromkeys(layer for made in sets for layer in made.layers))
    for name in layers or ():
        if name not in known:
            raise UnknownNameError("layer with metamers", name, known)
    for made in sets:
        passed = _find_passed(made)
        files = {(one.layer, one.stimulus_id): one.path for one in sorted(made, key=lambda one: -one.seed)}
        for layer in made.layers:
            if layers and layer not in layers:
                continue
            c = len(conditions)
            conditions.append(Condition(f"{made.path.name}/{layer}", "metamer", {"model": made.model, "layer": layer}))
            for i, stimulus_id in enumerate(ids):
                path = files.get((layer, stimulus_id))
                good = path is not None and path.is_file() and (keep_failed or passed.get((layer, stimulus_id), True))
                versions[i, c] = Version(path) if good and path is not None else Version(originals[stimulus_id], True)
    _check_files(versions)
    labels = tuple(rows[stimulus_id]["label"] for stimulus_id in ids)
    kinds = tuple(decisions[stimulus_id] for stimulus_id in ids)
    return StimulusTable(ids, labels, tuple(originals[i] for i in ids), tuple(conditions), versions, kinds)


def take_askable(table: StimulusTable, choices: Sequence[str]) -> tuple[StimulusTable, list[str]]:
    """Of metamers, the stimuli whose class is among the choices, where the others were decided by ``class``.

    People cannot be asked for one of 16 categories where the network's answers were held against each other by class.

    Parameters
    ----------
    table : StimulusTable
    choices : sequence of str

    Returns
    -------
    table : StimulusTable
    notes : list of str
        How many were left out.
    """
    out = [
        i for i, (label, kind) in enumerate(zip(table.labels, table.decisions or [""] * len(table), strict=True))
        if kind == "class" and match_choice(label, choices) is None
    ]  # fmt: skip
    if not out or len(out) == len(table):
        return table, []
    kept = [i for i in range(len(table)) if i not in set(out)]
    few = ", ".join(table.ids[i] for i in out[:3]) + (", …" if len(out) > 3 else "")
    return table.select(kept), [
        f"{len(out)} of {format_count(len(table), 'stimulus')} decided by class are no choices, left out: {few}"
    ]


def _find_passed(made: MetamerSet) -> dict[tuple[str, str], bool]:
    """Verdicts by layer and stimulus, of the lowest seed; those that are not yet judged are left out."""
    table: Any = made.to_pandas()
    own = table[(table["layer"] == table["measured_layer"]) & table["passed"].notna()].sort_values("seed")
    verdicts: dict[tuple[str, str], bool] = {}
    for layer, stimulus_id, passed in own[["layer", "stimulus_id", "passed"]].itertuples(index=False):
        verdicts.setdefault((layer, stimulus_id), bool(passed))
    return verdicts


def read_labelled(given: Any, adaptive: bool = False, *, folder: Path | None = None) -> StimulusTable:
    """Labelled stimuli, whose columns are conditions; a folder may hold a table of its own, ``stimuli.csv``."""
    stimuli = as_stimulus_set(Path(given) / TABLE if _has_table(given) else given)
    source = _tell(given)
    if folder is not None:
        stimuli = unpack_stimuli(stimuli, folder / UNPACKED)
    if stimuli.arrays is not None:
        raise InputError("stimuli that are files", got=f"arrays in {source}")
    columns = {name: list(values) for name, values in stimuli.conditions.items()}
    base = find_bases(stimuli) or list(stimuli.ids)
    levels = [_to_level(value, source) for value in columns.get(_LEVEL, [])]
    if adaptive and not levels:
        raise InputError("a column 'level' for --levels adaptive", got=f"{source} without")
    falls = bool(columns.get("grade")) and set(columns["grade"]) <= HARDER_GRADES
    names = list_varied(stimuli, adaptive)
    keys = [tuple(str(columns[name][i]) for name in names) for i in range(len(stimuli))]
    order = sorted(range(len(stimuli)), key=lambda i: (_sort_key(columns, names, i), levels[i] if levels else 0.0))
    kinds = list(dict.fromkeys(keys[i] for i in order))
    mode = "graded" if levels else "natural"
    conditions = []
    for kind in kinds:
        about = {name: _to_plain(columns[name][keys.index(kind)]) for name in names}
        conditions.append(Condition(name_condition(about) or mode, mode, about))
    ids = tuple(sorted({str(name) for name in base}))
    place = {name: i for i, name in enumerate(ids)}
    found: dict[tuple[int, int], list[tuple[float, Path]]] = {}
    labels: dict[int, str] = {}
    for i in order:
        own = place[str(base[i])]
        if labels.setdefault(own, stimuli.labels[i]) != stimuli.labels[i]:
            raise InputError(f"one label for {ids[own]!r}", got=f"{labels[own]!r} and {stimuli.labels[i]!r}")
        found.setdefault((own, kinds.index(keys[i])), []).append((levels[i] if levels else 0.0, stimuli.path(i)))
    if adaptive and falls:
        found = {key: files[::-1] for key, files in found.items()}
    versions = {key: _make_version(files, adaptive, source) for key, files in found.items()}
    _require_all(ids, conditions, versions, source)
    told = tuple(labels[i] for i in range(len(ids)))
    return StimulusTable(ids, told, (None,) * len(ids), tuple(conditions), versions)


def _has_table(given: Any) -> bool:
    return isinstance(given, str | Path) and (Path(given) / TABLE).is_file()


def _is_one(path: Path) -> bool:
    """Whether a path names a picture or a sound."""
    return path.suffix.lower() in (*list_image_extensions(), *list_sound_extensions()) and not path.is_dir()


def _tell(given: Any) -> str:
    """What messages call the stimuli."""
    if _has_table(given):
        return str(Path(given) / TABLE)
    return str(given) if isinstance(given, str | Path) else "the stimuli"


def find_bases(stimuli: StimulusSet) -> list[str] | None:
    """The stimulus of which each is a version, by a column ``source``, ``original``, …; None without one."""
    return next((list(map(str, stimuli.conditions[name])) for name in _BASES if name in stimuli.conditions), None)


def list_varied(stimuli: StimulusSet, adaptive: bool = False) -> list[str]:
    """Columns that tell conditions apart: those that vary and say how a stimulus is shown."""
    base = next((name for name in _BASES if name in stimuli.conditions), None)
    left_out = {base, *_NO_CONDITION, *([_LEVEL] if adaptive else [])}
    return [
        name
        for name, values in stimuli.conditions.items()
        if name not in left_out and len(set(map(str, values))) > 1 and tuple(map(str, values)) != stimuli.labels
    ]


def name_condition(about: Mapping[str, Any]) -> str:
    """A condition by its columns, as trials and exports name it.

    >>> name_condition({"grade": "blur", "level": 4})
    'grade=blur, level=4'
    """
    return ", ".join(f"{name}={value}" for name, value in about.items())


@suggest_keywords
def name_versions(stimuli: StimulusSet, names: Sequence[str] | None = None) -> tuple[list[str], list[str]] | None:
    """What an experiment on versions of stimuli calls each: its stimulus, and its condition; None of other sets.

    Parameters
    ----------
    stimuli : StimulusSet
        With a column that names the stimulus of which each is a version.
    names : sequence of str, optional
        Columns that tell the experiment's conditions apart; default those that vary in the set.

    Returns
    -------
    tuple of list of str
        Stimuli and conditions; None where the set has not all of these columns, either.
    """
    bases = find_bases(stimuli)
    names = list_varied(stimuli) if names is None else names
    if bases is None or not set(names) <= set(stimuli.conditions):
        return None
    rows = range(len(stimuli))
    return bases, [name_condition({name: _to_plain(stimuli.conditions[name][i]) for name in names}) for i in rows]


def _make_version(files: list[tuple[float, Path]], adaptive: bool, source: str) -> Version:
    if not adaptive and len(files) > 1:
        raise InputError(
            "one file a stimulus and condition", got=f"{files[0][1].name} and {files[1][1].name} in {source}",
            hint="a column that tells them apart",
        )  # fmt: skip
    if adaptive and len(files) < 2:
        raise InputError("two or more levels of every stimulus", got=f"one of {files[0][1].name}")
    return Version(files[0][1], levels=tuple(files) if adaptive else ())


def _require_all(
    ids: Sequence[str], conditions: Sequence[Condition], versions: Mapping[tuple[int, int], Version], source: str
) -> None:
    for i, stimulus_id in enumerate(ids):
        for c, condition in enumerate(conditions):
            if (i, c) not in versions:
                raise InputError(
                    "every stimulus in every condition", got=f"{stimulus_id!r} without {condition.name} in {source}"
                )
    n_levels = {len(version.levels) for version in versions.values()}
    if len(n_levels) > 1:
        raise InputError("the same levels of every stimulus", got=f"{min(n_levels)} and {max(n_levels)} in {source}")
    _check_files(versions)


def _check_files(versions: Mapping[tuple[int, int], Version]) -> None:
    for version in versions.values():
        if not version.path.is_file():
            raise InputError("the stimuli's files", got=f"no file at {version.path}")


def _sort_key(columns: Mapping[str, list[Any]], names: Sequence[str], i: int) -> tuple[Any, ...]:
    return tuple((0, float(v), "") if _is_number(v := columns[n][i]) else (1, 0.0, str(v)) for n in names)


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _to_level(value: Any, source: str) -> float:
    if not _is_number(value):
        raise InputError("numbers in the column 'level'", got=f"{value!r} in {source}")
    return float(value)


def _to_plain(value: Any) -> Any:
    if isinstance(value, bool | str) or value is None:
        return value
    return (int(value) if float(value).is_integer() else float(value)) if _is_number(value) else str(value)


def match_choice(label: str, choices: Sequence[str]) -> str | None:
    """The choice that a label means: itself, or the category that its WordNet id belongs to.

    >>> match_choice("n02690373_airliner", ["airplane", "dog"])
    'airplane'
    """
    if label in choices:
        return label
    match = _WNID.match(label)
    if match:
        for name, wnids in load_categories().items():
            if match[1] in wnids and name in choices:
                return name
    return None


def match_choices(table: StimulusTable, choices: Sequence[str]) -> list[str]:
    """The right answer of every stimulus.

    Raises
    ------
    InputError
        A label is no choice.
    """
    found = [match_choice(label, choices) for label in table.labels]
    if None in found:
        bad = found.index(None)
        raise InputError(
            f"labels among the {len(choices)} choices", got=f"{table.labels[bad]!r} of {table.ids[bad]!r}",
            hint="--set 'choices=[]' for the labels themselves",
        )  # fmt: skip
    return [str(name) for name in found]


def is_picture(path: Path) -> bool:
    """Whether a file is a picture by its name."""
    return path.suffix.lower() in list_image_extensions()
