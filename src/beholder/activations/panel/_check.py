"""Is a panel file whole? Every stimulus and layer of every model, of one shape, finite."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import suggest_keywords
from beholder.activations.formats._hdf5 import list_names, open_hdf5
from beholder.activations.formats._panel import read_layer_names, to_dataset_name

if TYPE_CHECKING:
    import h5py

_SHOWN = 20


@dataclass(frozen=True)
class CheckedModel:
    """What a panel file holds of one model."""

    model: str
    n_stimuli: int
    n_layers: int
    n_replicates: int
    n_values: int


@dataclass(frozen=True)
class PanelProblem:
    """Something that a panel file should not have, or lacks."""

    place: str
    problem: str


@dataclass(frozen=True)
class PanelCheck:
    """The verdict on a panel file.

    Attributes
    ----------
    path : str
    models : tuple of CheckedModel
    problems : tuple of PanelProblem
        Empty when the file is whole.
    """

    path: str
    models: tuple[CheckedModel, ...]
    problems: tuple[PanelProblem, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing was found."""
        return not self.problems

    def to_dict(self) -> dict[str, list[dict[str, Any]]]:
        """Tables of records: ``models`` and ``problems``."""
        return {"models": [asdict(m) for m in self.models], "problems": [asdict(p) for p in self.problems]}

    def to_lines(self) -> list[str]:
        """The verdict as text."""
        lines = [
            f"{m.model}: {m.n_stimuli} stimuli x {m.n_layers} layers x {m.n_replicates} replicates, "
            f"{m.n_values:,} values"
            for m in self.models
        ]
        lines += [f"{p.place}: {p.problem}" for p in self.problems[:_SHOWN]]
        if len(self.problems) > _SHOWN:
            lines.append(f"... and {len(self.problems) - _SHOWN} more")
        verdict = f"{len(self.problems)} problems" if self.problems else "whole"
        return [*lines, f"{self.path}: {verdict}"]


@suggest_keywords
def check_panel_file(path: str | Path, *, n_replicates: int | None = None, read_values: bool = True) -> PanelCheck:
    """Look for what is missing, of another shape or type, or not a number.

    Parameters
    ----------
    path : path
        A panel file, from this program or from the published pipeline.
    n_replicates : int, optional
        How many rows each dataset should have; default: the most frequent number in the file.
    read_values : bool
        Read every number to see whether it is finite.

    Returns
    -------
    PanelCheck

    Raises
    ------
    InputError
        When the file is no HDF5 file.
    """
    with open_hdf5(path) as file:
        problems, groups = _check_root(file)
        stimuli = {name: list_names(group) for name, group in groups.items()}
        every = sorted({stimulus for names in stimuli.values() for stimulus in names})
        models = []
        for name, group in groups.items():
            missing = sorted(set(every) - set(stimuli[name]))
            problems += [PanelProblem(f"/{name}", f"lacks stimulus {stimulus}") for stimulus in missing]
            checked, found = _check_model(name, group, stimuli[name], n_replicates, read_values)
            models.append(checked)
            problems += found
        counts = {model.n_replicates for model in models if model.n_values}
        if n_replicates is None and len(counts) > 1:
            listed = ", ".join(f"{model.model} {model.n_replicates}" for model in models)
            problems.append(PanelProblem("/", f"models differ in the number of replicates: {listed}"))
    return PanelCheck(str(path), tuple(models), tuple(problems))


def _check_root(file: h5py.File) -> tuple[list[PanelProblem], dict[str, h5py.Group]]:
    import h5py

    problems, groups = [], {}
    for name in list_names(file):
        item = file[name]
        if isinstance(item, h5py.Group):
            groups[name] = item
        else:
            problems.append(PanelProblem(f"/{name}", "a dataset where only models' groups should be"))
    if not groups:
        problems.append(PanelProblem("/", "no models"))
    return problems, groups


def _check_model(
    name: str, group: h5py.Group, stimuli: list[str], n_replicates: int | None, read_values: bool
) -> tuple[CheckedModel, list[PanelProblem]]:
    problems = [] if stimuli else [PanelProblem(f"/{name}", "an empty group: no stimuli")]
    records, found = _collect_records(name, group, stimuli, read_values)
    problems += found
    layers = {layer for _, layer in records}
    if "layers" in group.attrs:
        layers |= {to_dataset_name(layer) for layer in read_layer_names(group)}
    for stimulus in stimuli:
        lacking = sorted(layer for layer in layers if (stimulus, layer) not in records)
        problems += [PanelProblem(f"/{name}/{stimulus}", f"lacks layer {layer}") for layer in lacking]
    rows: Counter[int] = Counter()
    widths: dict[str, Counter[int]] = {layer: Counter() for layer in layers}
    for (_, layer), record in records.items():
        if len(record.shape) == 2:
            rows[record.shape[0]] += 1
            widths[layer][record.shape[1]] += 1
    n_rows = n_replicates or (rows.most_common(1)[0][0] if rows else 0)
    for (stimulus, layer), record in records.items():
        width = widths[layer].most_common(1)[0][0] if widths[layer] else 0
        problems += [PanelProblem(f"/{name}/{stimulus}/{layer}", text) for text in _check_record(record, n_rows, width)]
    n_values = sum(math.prod(record.shape) for record in records.values())
    return CheckedModel(name, len(stimuli), len(layers), n_rows, n_values), problems


@dataclass(frozen=True)
class _Record:
    """A dataset's head, and how many of its values are no numbers."""

    shape: tuple[int, ...]
    dtype: np.dtype
    n_bad: int


def _collect_records(
    name: str, group: h5py.Group, stimuli: list[str], read_values: bool
) -> tuple[dict[tuple[str, str], _Record], list[PanelProblem]]:
    import h5py

    records: dict[tuple[str, str], _Record] = {}
    problems = []
    for stimulus in stimuli:
        below = group[stimulus]
        if not isinstance(below, h5py.Group):
            problems.append(PanelProblem(f"/{name}/{stimulus}", "a dataset where a stimulus's group should be"))
            continue
        for layer in list_names(below):
            item = below[layer]
            if not isinstance(item, h5py.Dataset):
                problems.append(PanelProblem(f"/{name}/{stimulus}/{layer}", "a group where a dataset should be"))
                continue
            n_bad = 0
            if read_values and item.dtype.kind == "f" and item.size:
                n_bad = int(np.count_nonzero(~np.isfinite(item[()])))
            records[stimulus, layer] = _Record(item.shape, item.dtype, n_bad)
    return records, problems


def _check_record(record: _Record, n_rows: int, width: int) -> Iterator[str]:
    if len(record.shape) != 2:
        yield f"shape {record.shape}, not (n_replicates, feature_dim)"
        return
    if record.dtype != np.float32:
        yield f"{record.dtype}, not float32"
    if record.shape[0] != n_rows:
        yield f"{record.shape[0]} replicates, not {n_rows}"
    if record.shape[1] != width:
        yield f"{record.shape[1]} features, not {width} as for other stimuli"
    if 0 in record.shape:
        yield "no values"
    if record.n_bad:
        yield f"{record.n_bad} of {math.prod(record.shape)} values are NaN or infinite"
