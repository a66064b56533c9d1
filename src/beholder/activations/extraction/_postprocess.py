"""What is done to activations after extraction: centre, normalise, compress; and random projection.

The order is the published script's: the column mean over the extracted rows goes to zero, then each
row is divided by its l2 norm, then a PCA. Each is fitted by passes over blocks of rows; the matrix is
never held.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, derive_seed, make_generator
from beholder.activations.extraction._pca import Components, fit_components
from beholder.activations.formats._rows import Rows, count_block_rows, count_features, iter_row_blocks, with_replicates

_BLOCK_BYTES = 32 * 2**20
_REDUCE = re.compile(r"(srp|pca):(\d+)")


@final
@dataclass(frozen=True)
class CenterActs:
    """Take the column mean over the extracted rows from every row."""


@final
@dataclass(frozen=True)
class NormalizeReps:
    """Divide each row by its l2 norm; rows of zeros stay zero."""


@final
@dataclass(frozen=True)
class CompressActs:
    """PCA: the fewest components that hold ``variance`` of the variance, or ``n_components``."""

    variance: float = 0.9
    n_components: int | None = None


Step = CenterActs | NormalizeReps | CompressActs
"""What is done with activations: they are centred, normalised or compressed."""


@final
@dataclass(frozen=True)
class Reduce:
    """A fixed width: ``srp`` (sparse random projection, needs no fit) or ``pca``."""

    method: str
    width: int


@suggest_keywords
def parse_reduce(text: str) -> Reduce:
    """Read ``srp:K`` or ``pca:K``.

    >>> parse_reduce("srp:256")
    Reduce(method='srp', width=256)
    """
    match = _REDUCE.fullmatch(text.strip().lower())
    if match is None or int(match[2]) < 1:
        raise InputError("srp:K or pca:K with K of at least 1", got=repr(text), hint="--reduce srp:1024")
    return Reduce(match[1], int(match[2]))


@suggest_keywords
def plan_steps(
    *,
    center_acts: bool = False,
    normalize_reps: bool = False,
    compress_acts: bool = False,
    n_components: int | None = None,
    reduce: Reduce | None = None,
) -> tuple[Step, ...]:
    """The steps that the flags ask for, in their order; ``srp`` is none, it is applied during extraction."""
    to_pca = reduce is not None and reduce.method == "pca"
    if to_pca and (compress_acts or n_components is not None):
        raise InputError("one PCA", got="--reduce pca:K with --compress_acts or --n_components")
    steps: list[Step] = []
    if center_acts:
        steps.append(CenterActs())
    if normalize_reps:
        steps.append(NormalizeReps())
    if reduce is not None and to_pca:
        steps.append(CompressActs(n_components=reduce.width))
    elif compress_acts or n_components is not None:
        steps.append(CompressActs(n_components=n_components))
    return tuple(steps)


@final
@dataclass(frozen=True)
class Postprocess:
    """Fitted steps.

    Attributes
    ----------
    n_inputs, n_features : int
        Width of a row before and after.
    center : ndarray, (n_inputs,), or None
        Column means.
    normalize : bool
    components : Components or None
        The PCA.
    """

    n_inputs: int
    center: np.ndarray | None
    normalize: bool
    components: Components | None

    @property
    def n_features(self) -> int:
        """Width of a row after the steps."""
        return self.n_inputs if self.components is None else self.components.n_components

    def transform(self, block: np.ndarray) -> np.ndarray:
        """Apply the steps.

        Parameters
        ----------
        block : ndarray, (n, *features) or (n, n_replicates, *features)
            Feature axes, of ``n_inputs`` numbers in all, are joined, row-major.

        Returns
        -------
        ndarray of float32, (n, n_features) or (n, n_replicates, n_features)
        """
        block = np.asarray(block)
        replicated = block.ndim > 2 and math.prod(block.shape[2:]) == self.n_inputs
        leading = block.shape[:2] if replicated else block.shape[:1]
        rows = self._prepare(block.reshape(math.prod(leading), self.n_inputs))
        if self.components is not None:
            if self.components.axes is None:
                raise InputError(
                    "a PCA whose directions fit in memory",
                    got=f"{self.n_features} directions of {self.n_inputs} numbers",
                    hint="iter_transformed on the fitted rows, or --reduce srp:K first",
                )
            rows = (rows - self.components.mean) @ self.components.axes
        return rows.astype(np.float32).reshape(*leading, self.n_features)

    def iter_transformed(self, values: Rows, max_bytes: int = _BLOCK_BYTES) -> Iterator[tuple[int, np.ndarray]]:
        """Yield ``(start, block)`` over the array that the steps were fitted to."""
        for start, block in iter_row_blocks(with_replicates(values), max_bytes):
            if self.components is None or self.components.scores is None:
                yield start, self.transform(block)
            else:
                n_replicates = 1 if block.ndim == 2 else block.shape[1]
                rows = slice(start * n_replicates, (start + len(block)) * n_replicates)
                scores = self.components.scores[rows].astype(np.float32)
                yield start, scores if block.ndim == 2 else scores.reshape(len(block), n_replicates, -1)

    def to_dict(self) -> dict[str, Any]:
        """What was done, for the provenance."""
        record: dict[str, Any] = {
            "center_acts": self.center is not None,
            "normalize_reps": self.normalize,
            "n_inputs": self.n_inputs,
            "n_features": self.n_features,
        }
        if self.components is not None:
            kept = float(self.components.variances.sum())
            total = self.components.total
            record["pca"] = {
                "method": self.components.method,
                "n_components": self.n_features,
                "share_of_variance": kept / total if total > 0 else 1.0,
            }
        return record

    def _prepare(self, rows: np.ndarray) -> np.ndarray:
        rows = rows.astype(np.float64)
        if self.center is not None:
            rows -= self.center
        if self.normalize:
            norms = np.linalg.norm(rows, axis=1, keepdims=True)
            rows /= np.where(norms > 0, norms, 1)
        return rows


@suggest_keywords
def fit_postprocess(values: Rows, steps: Sequence[Step], seed: int = DEFAULT_SEED) -> Postprocess:
    """Fit the steps to a layer's activations, reading them block by block.

    Parameters
    ----------
    values : Rows, (n, n_features) or (n, n_replicates, *features), or a store's layer
        Replicates count as rows.
    steps : sequence of Step
        At most one of each; applied in the order centre, normalise, compress.
    seed : int
        Used only by a PCA with more than 9,600 rows and columns.

    Returns
    -------
    Postprocess
        With ``transform(block)``, ``iter_transformed(values)``, ``n_features``, ``to_dict()``.

    Examples
    --------
    >>> values = np.random.default_rng(0).standard_normal((20, 5))
    >>> done = fit_postprocess(values, [CenterActs(), CompressActs(n_components=2)])
    >>> done.transform(values).shape
    (20, 2)
    """
    kinds = [type(step) for step in steps]
    if len(set(kinds)) < len(kinds):
        raise InputError("each step once", got=", ".join(kind.__name__ for kind in kinds))
    shape = tuple(int(size) for size in values.shape)
    if len(shape) < 2 or shape[0] == 0:
        raise InputError("activations of at least one row and two axes", got=f"shape {shape}")
    n_inputs = shape[1] if len(shape) == 2 else math.prod(shape[2:])
    n_rows = shape[0] * (count_features(values) // max(1, n_inputs))
    center = _average_columns(values, n_rows, n_inputs) if CenterActs in kinds else None
    fitted = Postprocess(n_inputs, center, NormalizeReps in kinds, None)
    for step in steps:
        if isinstance(step, CompressActs):
            components = fit_components(
                lambda times: _iter_prepared(fitted, values, times),
                (n_rows, n_inputs),
                variance=None if step.n_components is not None else step.variance,
                n_components=step.n_components,
                seed=seed,
            )
            return Postprocess(n_inputs, center, fitted.normalize, components)
    return fitted


def _iter_prepared(fitted: Postprocess, values: Rows, times: int) -> Iterator[np.ndarray]:
    step = times * count_block_rows(values, _BLOCK_BYTES)
    n_rows = int(values.shape[0])
    for start in range(0, n_rows, step):
        block = np.asarray(values[start : min(start + step, n_rows)])
        yield fitted._prepare(block.reshape(-1, fitted.n_inputs))


def _average_columns(values: Rows, n_rows: int, n_inputs: int) -> np.ndarray:
    total = np.zeros(n_inputs)
    for _, block in iter_row_blocks(values, _BLOCK_BYTES):
        total += block.reshape(-1, n_inputs).sum(axis=0, dtype=np.float64)
    return total / n_rows


@suggest_keywords
def project_rows(block: np.ndarray, width: int, seed: int, layer: str) -> np.ndarray:
    """Project rows onto ``width`` sparse random directions; distances are kept approximately.

    Each direction has about ``sqrt(n_features)`` entries of ``+-n_features^(1/4) / sqrt(width)`` and zeros
    elsewhere. A row's result does not depend on the other rows.

    Parameters
    ----------
    block : ndarray, (n, n_features), or (n, ...), flattened row-major
    width : int
        Columns of the result.
    seed : int
        The run's seed; the directions differ from layer to layer.
    layer : str
        Exact layer name.

    Returns
    -------
    ndarray of float32, (n, width)

    Notes
    -----
    Source: Li, Hastie and Church, Very sparse random projections, KDD 2006; the density and scale are
    those of scikit-learn's ``SparseRandomProjection``.

    Examples
    --------
    >>> project_rows(np.ones((3, 100)), 8, seed=42, layer="features.3").shape
    (3, 8)
    """
    rows = np.asarray(block, dtype=np.float32).reshape(len(block), -1)
    directions = make_directions(rows.shape[1], width, derive_seed(seed, "srp", layer))
    return np.ascontiguousarray((directions @ rows.T).T)


@functools.lru_cache(maxsize=64)
def make_directions(n_features: int, width: int, seed: int) -> Any:
    """Sparse matrix of the random directions, (width, n_features), float32."""
    from scipy.sparse import csr_array

    density = 1 / math.sqrt(n_features)
    generator = make_generator(seed, n_features, width)
    counts = generator.binomial(n_features, density, size=width)
    columns = [np.sort(generator.choice(n_features, count, replace=False, shuffle=False)) for count in counts]
    signs = generator.integers(0, 2, size=int(counts.sum())) * 2 - 1
    values = (signs * math.sqrt(1 / density / width)).astype(np.float32)
    starts = np.concatenate([[0], np.cumsum(counts)])
    return csr_array((values, np.concatenate(columns), starts), shape=(width, n_features))
