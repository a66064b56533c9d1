"""``analyze searchlight``: where in the brain RDMs are like those of layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.progress import Advance, show_progress
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.wording import format_count
from beholder.analysis._inputs import identify_inputs
from beholder.analysis._join import iter_layers, join_stimuli, open_layers, open_recorded
from beholder.analysis._result import Result, make_result
from beholder.analysis.distances._registry import DISTANCES
from beholder.analysis.searchlight._neighbourhoods import iter_ball_neighbours, iter_mesh_neighbours
from beholder.analysis.searchlight._searchlight import compute_searchlight
from beholder.analysis.searchlight._surface import has_maps, read_surface
from beholder.recordings import Recordings

_FEWEST_STIMULI = 4
_ALPHA = 0.05


@suggest_keywords
def analyze_searchlight(
    activations: Any,
    recordings: Any,
    *,
    radius: float = 3.0,
    in_mm: bool = False,
    mesh: Path | str | None = None,
    rings: int | None = None,
    layers: Sequence[str] | None = None,
    method: str = "spearman",
    distance: str = "correlation",
    layer_distance: str = "correlation",
    min_units: int = 5,
    id_pattern: str | None = None,
    stimulus_ids: Sequence[str] | None = None,
    n_permutations: int = 100,
    seed: int = DEFAULT_SEED,
) -> Result:
    """Compare the RDM of the units around each unit with those of all layers, each person's map in one pass.

    Parameters
    ----------
    activations : Activations, path, or mapping of str to array
    recordings : Recordings or path
        Voxels with their places ``i, j, k`` (or ``x, y, z`` in mm), or vertices in the order of ``mesh`` or with its
        numbers in a column ``vertex``.
    radius : float
        Of the ball, in voxels. A voxel at exactly this distance is within; the mask is never left.
    in_mm : bool
        The radius is in mm.
    mesh : path, optional
        A surface (``.surf.gii``), along whose edges neighbours are sought: within ``radius`` mm, or ``rings`` edges.
    rings : int, optional
    layers : sequence of str, optional
    method, distance, min_units, n_permutations, seed
        As for :func:`compute_searchlight`; ``distance`` is that of neighbourhoods.
    layer_distance : str
        Of layers.
    id_pattern : str, optional
    stimulus_ids : sequence of str, optional
        Of arrays.

    Returns
    -------
    Result
        For every layer and person ``peak`` (the largest value, with its p and place), ``proportion of map`` (of centres
        whose p is below .05, corrected for all centres) and ``mean``. Maps are its arrays:
        :func:`write_searchlight_maps`.

    Raises
    ------
    InputError
        Units without places, a mesh that does not fit, too few stimuli.

    Notes
    -----
    Source: Kriegeskorte, Goebel and Bandettini (2006), Information-based functional brain mapping, PNAS 103.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> places = np.argwhere(np.ones((4, 3, 3)))
    >>> ids = [f"s{i}" for i in range(8)]
    >>> units = {"i": places[:, 0], "j": places[:, 1], "k": places[:, 2]}
    >>> brain = Recordings(rng.normal(size=(8, 36)), ids, units)
    >>> found = analyze_searchlight({"conv1": rng.normal(size=(8, 9))}, brain, radius=1.5, stimulus_ids=ids)
    >>> found.table["statistic"].tolist(), found.arrays["estimates_0"].shape
    (['peak', 'proportion of map', 'mean'], (1, 36))
    """
    ours = open_layers(activations, stimulus_ids)
    recorded = open_recorded(recordings)
    if not isinstance(recorded, Recordings) or recorded.values.ndim != 3:
        raise InputError("recordings of voxels or vertices, without time", got=repr(recorded)[:80])
    inputs = identify_inputs(activations=ours, recordings=recorded)
    joined = join_stimuli(ours.stimulus_ids, recorded.stimulus_ids, id_pattern)
    if len(joined) < _FEWEST_STIMULI:
        raise InputError(f"{_FEWEST_STIMULI} stimuli in common or more", got=joined.sentence)
    surface = None if mesh is None else read_surface(mesh)
    by_layer = {
        name: DISTANCES[layer_distance].compute(values)
        for name, values in iter_layers(ours, joined.rows_a, joined.ids, layers)
    }
    flat = [name for name, rdm in by_layer.items() if not np.isfinite(rdm).any() or np.nanmax(rdm) == np.nanmin(rdm)]
    if flat:
        raise InputError("layers that vary over the stimuli", got=f"{len(flat)} that do not, {flat[0]} first")
    rdms = np.stack(list(by_layer.values()))
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    arrays: dict[str, np.ndarray] = {}
    subjects: list[str] = []
    for number, (labels, part) in enumerate(recorded.split_by(["subject"])):
        subject = str(labels["subject"])
        who = subject or "the recordings"
        around = _iter_around(part, radius, in_mm, surface, rings)
        values, seen = _take_seen(part.values[joined.rows_b], who, notes)
        with show_progress("searchlight", part.values.shape[1], "centres", tells_end=False) as advance:
            found = compute_searchlight(
                values.transpose(0, 2, 1), _count_each(around, advance), _take_pairs(rdms, seen), distance, method,
                min_units, n_permutations, seed, None if part.runs is None else part.runs[joined.rows_b][seen],
            )  # fmt: skip
        subjects.append(subject)
        arrays[f"estimates_{number}"], arrays[f"p_{number}"] = found.estimates, found.p
        arrays[f"places_{number}"] = _list_known_places(part) if surface is None else _list_vertices(part, surface)
        if found.n_small:
            notes.append(
                f"{who}: {found.n_small} of {format_count(len(found.n_units), 'centre')} "
                f"have fewer than {format_count(min_units, 'unit')}."
            )
        if found.n_undefined:
            notes.append(
                f"{who}: {format_count(found.n_undefined, 'centre')} have a stimulus without direction, and no value."
            )
        for row, layer in enumerate(by_layer):
            rows += [
                {"model": ours.model, "layer": layer, "subject": subject, "method": method, "seed": seed, **each}
                for each in _sum_up(found.estimates[row], found.p[row], arrays[f"places_{number}"])
            ]
    if n_permutations and 1 / (1 + n_permutations) >= _ALPHA:
        notes.append(f"{format_count(n_permutations, 'permutation')} give no p below {1 / (1 + n_permutations):.2g}.")
    settings = {
        "model": ours.model, "layers": list(by_layer), "subjects": subjects, "radius": radius, "in_mm": in_mm,
        "mesh": None if mesh is None else Path(mesh).name, "rings": rings, "method": method, "distance": distance,
        "layer_distance": layer_distance, "min_units": min_units, "n_stimuli": len(joined), "joined": joined.sentence,
        "n_permutations": n_permutations, "seed": seed, "id_pattern": id_pattern,
        "volume_shape": None if recorded.volume_shape is None else list(recorded.volume_shape),
        "affine": None if recorded.affine is None else recorded.affine.tolist(),
        "n_vertices": None if surface is None else len(surface[0]),
        "inputs": inputs,
    }  # fmt: skip
    if not has_maps(settings):
        notes.append(
            "No maps are written: the recordings tell places of voxels, not the shape and the affine of their volume; "
            "those that are read from NIfTI do."
        )
    return make_result("searchlight", rows, settings, warnings=notes, arrays=arrays)


def _take_seen(values: np.ndarray, who: str, notes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Values of the stimuli that were measured in some unit, and which these are, with a word for those left out."""
    measured: Any = np.isfinite(values).any(axis=2)  # (n_stimuli, n_units)
    seen: Any = measured.any(axis=1)
    if not seen.all():
        notes.append(
            f"{who}: {int((~seen).sum())} of {format_count(len(seen), 'stimulus')} have no data and are left out."
        )
    if seen.sum() < _FEWEST_STIMULI:
        raise InputError(f"{_FEWEST_STIMULI} stimuli or more with data of {who}", got=f"{int(seen.sum())}")
    lacking = int((~measured[seen].all(axis=0)).sum())
    if lacking:
        notes.append(f"{who}: {lacking} of {measured.shape[1]} units lack some stimuli and are in no neighbourhood.")
    return values[seen], seen


def _take_pairs(rdms: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """RDMs, (n_rdms, n_pairs), of some stimuli alone."""
    first, second = np.triu_indices(len(seen), 1)
    return rdms[:, seen[first] & seen[second]]


def list_places(recorded: Recordings, *, in_mm: bool) -> np.ndarray:
    """Places of units, (n_units, 3), in the volume or in mm.

    Raises
    ------
    InputError
        No columns ``i, j, k``; in mm neither ``x, y, z`` nor an affine.
    """
    voxels, millimetres = _read_columns(recorded, "ijk"), _read_columns(recorded, "xyz")
    if not in_mm and voxels is not None:
        return voxels
    if in_mm and millimetres is not None:
        return millimetres
    if in_mm and voxels is not None and recorded.affine is not None:
        return voxels @ recorded.affine[:3, :3].T + recorded.affine[:3, 3]
    table: Any = recorded.units
    raise InputError(
        "the place of each unit in mm: columns x, y, z, or i, j, k with an affine" if in_mm
        else "the place of each unit: columns i, j, k",
        got=f"columns {', '.join(map(str, table.columns))}",
        hint="--in_mm" if millimetres is not None else "recordings read from NIfTI with a mask, which have them",
    )  # fmt: skip


def _read_columns(recorded: Recordings, names: str) -> np.ndarray | None:
    table: Any = recorded.units
    if not all(name in table.columns for name in names):
        return None
    return np.asarray(table[list(names)], dtype=np.float64)


def _list_known_places(recorded: Recordings) -> np.ndarray:
    """In the volume where they are known, else in mm."""
    voxels = _read_columns(recorded, "ijk")
    return list_places(recorded, in_mm=True) if voxels is None else voxels


def _count_each(around: Iterator[np.ndarray], advance: Advance) -> Iterator[np.ndarray]:
    for units in around:
        yield units
        advance(1)


def _iter_around(
    part: Recordings, radius: float, in_mm: bool, surface: tuple[np.ndarray, np.ndarray] | None, rings: int | None
) -> Iterator[np.ndarray]:
    if surface is None:
        if rings is not None:
            raise InputError("--rings of a surface", got="no --mesh")
        return iter_ball_neighbours(list_places(part, in_mm=in_mm), radius)
    vertices, (points, faces) = _list_vertices(part, surface), surface
    unit_of = np.full(len(points), -1)
    unit_of[vertices] = np.arange(len(vertices))
    near = (
        iter_mesh_neighbours(faces, len(points), coordinates=points, radius=radius)
        if rings is None
        else iter_mesh_neighbours(faces, len(points), n_rings=rings)
    )
    by_vertex = (unit_of[found] for vertex, found in enumerate(near) if unit_of[vertex] >= 0)
    if (np.diff(vertices) > 0).all():
        return (units[units >= 0] for units in by_vertex)
    raise InputError("vertices in ascending order", got="units of the surface in another order")


def _list_vertices(part: Recordings, surface: Any) -> np.ndarray:
    """Number of each unit's vertex."""
    table: Any = part.units
    n_vertices = len(surface[0])
    if "vertex" in table.columns:
        vertices = np.asarray(table["vertex"], dtype=np.int64)
        if len(vertices) and (vertices.min() < 0 or vertices.max() >= n_vertices):
            raise InputError(f"vertices 0 to {n_vertices - 1}", got=f"{vertices.min()} to {vertices.max()}")
        return vertices
    if len(table) != n_vertices:
        raise InputError(
            f"a unit for each of {format_count(n_vertices, 'vertex')}, or a column vertex",
            got=format_count(len(table), "unit"),
        )
    return np.arange(n_vertices)


def _sum_up(estimates: np.ndarray, p: np.ndarray, places: np.ndarray) -> list[dict[str, Any]]:
    known = np.isfinite(estimates)
    n = int(known.sum())
    if not n:
        return [{"statistic": "peak", "estimate": None, "n": 0}]
    peak = int(np.nanargmax(estimates))
    place = np.atleast_1d(places[peak])
    told = " ".join(f"{float(each):g}" for each in place)
    found: list[dict[str, Any]] = [
        {"statistic": "peak", "estimate": float(estimates[peak]), "p": float(p[peak]), "n": n, "place": told}
    ]
    if np.isfinite(p[known]).all():
        found.append(
            {"statistic": "proportion of map", "estimate": float((p[known] < _ALPHA).mean()), "n": n, "place": ""}
        )
    return [*found, {"statistic": "mean", "estimate": float(estimates[known].mean()), "n": n, "place": ""}]
