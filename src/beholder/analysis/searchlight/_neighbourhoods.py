"""Units around each unit: within a radius in a volume, or along a surface mesh; one neighbourhood at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np

from beholder._core.errors import InputError, suggest_keywords

_CENTRES_AT_ONCE = 256
_SLACK = 1 + 1e-9


@suggest_keywords
def iter_ball_neighbours(coordinates: Any, radius: float) -> Iterator[np.ndarray]:
    """Units within a radius of each unit, itself among them; none outside of those given, so that a mask is never left.

    Parameters
    ----------
    coordinates : (n_units, n_axes), float
        In mm for a radius in mm; places in the volume for a radius in voxels.
    radius : float
        Above 0; a unit at exactly this distance is within.

    Yields
    ------
    ndarray of int, (n_neighbours,)
        Ascending, one a unit, in their order.

    Raises
    ------
    InputError
        For coordinates that are not finite, twice the same unit, or a radius that holds no second unit anywhere.

    Examples
    --------
    >>> [found.tolist() for found in iter_ball_neighbours([[0.0], [1.0], [3.0]], 1)]
    [[0, 1], [0, 1], [2]]
    """
    points = np.asarray(coordinates, dtype=np.float64)
    if points.ndim != 2 or not points.size or not np.isfinite(points).all():
        raise InputError("finite coordinates (n_units, n_axes)", got=f"shape {points.shape}")
    n_same = len(points) - len(np.unique(points, axis=0))
    if n_same:
        raise InputError("each unit at a place of its own", got=f"{n_same} of {len(points)} at another's")
    if not radius > 0:
        raise InputError("a radius above 0", got=f"{radius}")
    from scipy import spatial

    tree = cast(Any, spatial).cKDTree(points)
    nearest = tree.query(points, k=min(2, len(points)))[0].reshape(len(points), -1)[:, -1].min()
    if nearest > radius * _SLACK:
        raise InputError(
            "a radius that reaches other units", got=f"{radius}, where the nearest two are {nearest:.4g} apart",
            hint="a larger radius, or the other unit: mm or voxels",
        )  # fmt: skip
    return _iter_balls(tree, points, radius * _SLACK)


def _iter_balls(tree: Any, points: np.ndarray, radius: float) -> Iterator[np.ndarray]:
    for start in range(0, len(points), _CENTRES_AT_ONCE):
        for found in tree.query_ball_point(points[start : start + _CENTRES_AT_ONCE], radius, return_sorted=True):
            yield np.asarray(found, dtype=np.int64)


@suggest_keywords
def iter_mesh_neighbours(
    faces: Any, n_vertices: int, *, n_rings: int | None = None, coordinates: Any = None, radius: float | None = None
) -> Iterator[np.ndarray]:
    """Vertices near each vertex along the edges of a surface, itself among them.

    Parameters
    ----------
    faces : (n_faces, 3), int
        Vertices of the triangles.
    n_vertices : int
    n_rings : int, optional
        Vertices that so many edges reach.
    coordinates : (n_vertices, 3), float, optional
        In mm, with ``radius``.
    radius : float, optional
        Vertices within it along the edges, in mm: a little longer than across the surface.

    Yields
    ------
    ndarray of int, (n_neighbours,)
        Ascending, one a vertex, in their order.

    Raises
    ------
    InputError
        For faces of vertices that are not there, or both or neither of ``n_rings`` and ``radius``.

    Examples
    --------
    >>> strip = [[0, 1, 2], [1, 2, 3]]
    >>> [found.tolist() for found in iter_mesh_neighbours(strip, 4, n_rings=1)]
    [[0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3], [1, 2, 3]]
    """
    triangles = np.asarray(faces)
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype.kind not in "iu":
        raise InputError("faces (n_faces, 3) of whole numbers", got=f"{triangles.dtype} of shape {triangles.shape}")
    if triangles.min() < 0 or triangles.max() >= n_vertices:
        raise InputError(f"faces of vertices 0 to {n_vertices - 1}", got=f"{triangles.min()} to {triangles.max()}")
    by_radius = radius is not None and coordinates is not None
    if by_radius == (n_rings is not None) or (radius is None) != (coordinates is None):
        raise InputError("n_rings, or a radius with coordinates", got=f"n_rings={n_rings}, radius={radius}")
    reach = float(cast(float, radius)) * _SLACK if by_radius else float(cast(int, n_rings)) + 0.5
    if reach <= (0 if by_radius else 0.5):
        raise InputError("a radius above 0, or one ring or more", got=f"n_rings={n_rings}, radius={radius}")
    from scipy.sparse import csr_matrix

    ends = np.vstack([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    ends = np.unique(np.sort(ends, axis=1), axis=0)
    lengths = np.ones(len(ends))
    if by_radius:
        points = np.asarray(coordinates, dtype=np.float64)
        if points.shape != (n_vertices, 3) or not np.isfinite(points).all():
            raise InputError(f"finite coordinates ({n_vertices}, 3)", got=f"shape {points.shape}")
        lengths = np.maximum(np.linalg.norm(points[ends[:, 0]] - points[ends[:, 1]], axis=1), 1e-12)
    graph = cast(Any, csr_matrix)((lengths, (ends[:, 0], ends[:, 1])), shape=(n_vertices, n_vertices))
    return _iter_reached(graph, n_vertices, reach)


def _iter_reached(graph: Any, n_vertices: int, reach: float) -> Iterator[np.ndarray]:
    from scipy.sparse.csgraph import dijkstra

    for start in range(0, n_vertices, _CENTRES_AT_ONCE):
        centres: Any = range(start, min(start + _CENTRES_AT_ONCE, n_vertices))
        reached = cast(Any, dijkstra)(graph, directed=False, indices=list(centres), limit=reach)
        for row in reached:
            yield np.flatnonzero(np.isfinite(row))
