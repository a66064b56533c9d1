"""Exemplars: the natural stimuli that drive units most and least, chosen from recorded activations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.progress import logger
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.tables import save_frame
from beholder.activations import Activations, LayerActivations, iter_unit_values
from beholder.models import Unit, UnitList
from beholder.units._buckets import SIGNS, assign_released, assign_unit, order_by_value
from beholder.units._distribution import count_activations
from beholder.units._exemplar_pictures import format_exemplars, plot_exemplars
from beholder.units._recorded import list_sources
from beholder.units._windows import N_POSITIONS, N_REFERENCES, Windows, plan_windows

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

EXEMPLAR_SCHEMES = ("document", "released")


@final
@dataclass(frozen=True, repr=False, eq=False)
class Exemplars:
    """The stimuli chosen for each unit; :meth:`to_pandas` is the whole table.

    Attributes
    ----------
    model : str
        Full name of the model.
    units : tuple of Unit
        The units that have exemplars.
    skipped : tuple of (Unit, str)
        Units that cannot have any, and why.
    windows : Windows
        Ranks that the queries were drawn from.
    scheme, seed
        How.
    ranks : (n_units, 2, n_batches, 10), int64
        Rank of each exemplar in ascending order of activation, 0 the weakest; for min and max; the last position
        is the query.
    positions : (n_units, 2, n_batches, 10), int64
        Its row in the activations.
    activations : (n_units, 2, n_batches, 10), float
        Its activation.
    percentiles : (n_units, 2, n_batches, 10), float
        Proportion of the stimuli with strictly lower (for min: strictly higher) activations, 0 to 100.
    edges : (n_units, n_bins + 1), float64
        Bins of equal width over each unit's activations, from the weakest stimulus to the strongest.
    counts : (n_units, n_bins), int64
        Stimuli in each bin.
    acts : Activations
        What they were chosen from.
    """

    model: str
    units: tuple[Unit, ...]
    skipped: tuple[tuple[Unit, str], ...]
    windows: Windows
    scheme: str
    seed: int
    ranks: np.ndarray
    positions: np.ndarray
    activations: np.ndarray
    percentiles: np.ndarray
    edges: np.ndarray
    counts: np.ndarray
    acts: Activations

    def __len__(self) -> int:
        return len(self.units)

    def __repr__(self) -> str:
        w = self.windows
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        return (
            f"Exemplars({len(self)} units of {self.model}{skipped}: {w.num_batches} batches x 2 signs x {N_POSITIONS}, "
            f"queries from ranks [{w.start_min}, {w.stop_min}) and [{w.start_max}, {w.stop_max}) of {w.n_stimuli})"
        )

    def to_pandas(self) -> pd.DataFrame:
        """One row an exemplar.

        Columns ``layer, channel, sign, batch, position, role, stimulus_id, source, rank, activation, percentile``.
        """
        import pandas as pd

        n_batches = self.windows.num_batches
        unit, sign, batch, place = (
            axis.ravel() for axis in np.indices((len(self), len(SIGNS), n_batches, N_POSITIONS))
        )
        rows = self.positions.ravel()
        sources = list_sources(self.acts)
        return pd.DataFrame(
            {
                "layer": [self.units[i].layer for i in unit],
                "channel": [self.units[i].channel for i in unit],
                "sign": [SIGNS[i] for i in sign],
                "batch": batch,
                "position": place,
                "role": ["query" if i == N_REFERENCES else "reference" for i in place],
                "stimulus_id": [self.acts.stimulus_ids[i] for i in rows],
                "source": [sources[i] for i in rows],
                "rank": self.ranks.ravel(),
                "activation": self.activations.ravel(),
                "percentile": self.percentiles.ravel(),
            }
        )

    def plot(self, ax: Axes | None = None, *, unit: int = 0, n: int = 9) -> Axes:
        """Draw the most extreme references of one unit: min and max in rows, the most extreme last.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        unit : int
            Which of :attr:`units`.
        n : int
            Pictures in a row.
        """
        return plot_exemplars(self, unit, n, ax)

    def _repr_html_(self) -> str:
        """The most extreme references of the first units, for notebooks."""
        return format_exemplars(self)

    def save(self, path: Path | str) -> Path:
        """Write the table as ``.csv`` or ``.parquet``, by rename."""
        return save_frame(self.to_pandas(), path)


@suggest_keywords
def find_exemplars(
    acts: Activations | Path | str,
    units: UnitList | Iterable[Unit] | Path | str,
    *,
    start_min: int | None = None,
    stop_min: int | None = None,
    start_max: int | None = None,
    stop_max: int | None = None,
    num_batches: int = 11,
    percentile: tuple[float, float] | None = None,
    scheme: str = "document",
    seed: int = DEFAULT_SEED,
) -> Exemplars:
    """Choose, for each unit, the stimuli that drive it most and least.

    The references are the 9B most extreme stimuli of each sign; the queries, one a batch, come from a window of
    less extreme ranks. See :func:`beholder.units.assign_unit`.

    Parameters
    ----------
    acts : Activations or path
        Recorded by :func:`beholder.record_units`, or any store that holds the layers; values with space or tokens
        are averaged.
    units : UnitList, iterable of Unit or path
        The units.
    start_min, stop_min, start_max, stop_max, num_batches, percentile
        As for :func:`beholder.units.plan_windows`.
    scheme : {"document", "released"}
        ``document``: each unit and sign draws its own numbers. ``released``: the released code's stream of numbers,
        in which the units before a unit decide its batches, and windows are exactly B wide.
    seed : int

    Returns
    -------
    Exemplars
        Units that are constant, or not finite for some stimulus, are in ``skipped``, with a warning each.

    Raises
    ------
    InputError
        Impossible windows, too few stimuli, a channel or layer that is not there, no unit left.

    Examples
    --------
    >>> best = find_exemplars(acts, units, start_min=100, stop_max=900)      # doctest: +SKIP
    """
    if scheme not in EXEMPLAR_SCHEMES:
        raise InputError(f"--scheme {'|'.join(EXEMPLAR_SCHEMES)}", got=repr(scheme))
    recorded = Activations(acts) if isinstance(acts, str | Path) else acts
    asked = _read_units(recorded, units)
    windows = plan_windows(
        len(recorded.stimulus_ids),
        num_batches=num_batches,
        start_min=start_min,
        stop_min=stop_min,
        start_max=start_max,
        stop_max=stop_max,
        percentile=percentile,
    )
    released = assign_released(windows, asked, seed) if scheme == "released" else None
    by_id = np.argsort(np.asarray(recorded.stimulus_ids, dtype=np.str_), kind="stable")
    found: dict[Unit, tuple[np.ndarray, ...]] = {}
    skipped: dict[Unit, str] = {}
    for unit, values in iter_unit_values(recorded, asked):
        reason = explain_unusable(values)
        if reason:
            skipped[unit] = reason
            continue
        ranks = released[unit] if released is not None else assign_unit(windows, unit, seed)
        positions = order_by_value(values, by_id)[ranks]
        percentiles = compute_percentiles(values, values[positions])
        found[unit] = (ranks, positions, values[positions], percentiles, *count_activations(values))
    for unit in asked:
        if unit in skipped:
            logger.warning("%s has no exemplars: %s", unit, skipped[unit])
    kept = tuple(unit for unit in asked if unit in found)
    if not kept:
        raise InputError("a unit with exemplars", got=f"none of {len(asked)}: {asked[0]}: {skipped[asked[0]]}")
    columns = ("ranks", "positions", "activations", "percentiles", "edges", "counts")
    arrays = {name: np.stack([found[unit][i] for unit in kept]) for i, name in enumerate(columns)}
    left_out = tuple((unit, skipped[unit]) for unit in asked if unit in skipped)
    return Exemplars(recorded.model, kept, left_out, windows, scheme, seed, acts=recorded, **arrays)


def _read_units(acts: Activations, units: UnitList | Iterable[Unit] | Path | str) -> UnitList:
    try:
        asked = UnitList.collect(units, acts.layers)
    except UnknownNameError as error:
        raise InputError(
            f"layers that {acts.path.name} holds", got=f"{error.name!r}, which is not recorded there",
            hint="`beholder units record` with these units",
        ) from error  # fmt: skip
    if not len(asked):
        raise InputError("at least one unit", got="an empty list")
    for unit in asked:
        layer = acts[unit.layer]
        width = layer.shape[_find_channel_axis(layer)]
        if unit.channel >= width:
            raise InputError(f"a channel of {unit.layer!r} from 0 to {width - 1}", got=str(unit.channel))
    return asked


def _find_channel_axis(layer: LayerActivations) -> int:
    if "channel" not in layer.dims[2:]:
        raise InputError("layers with channels", got=f"{layer.layer!r}, whose axes are {', '.join(layer.dims)}")
    return layer.dims.index("channel")


def explain_unusable(values: np.ndarray) -> str | None:
    """Why a unit cannot have exemplars; None when it can."""
    n_bad = int(np.isnan(values).sum())
    if n_bad:
        return f"its activation is not a number for {n_bad} of {len(values)} stimuli"
    n_bad = int(np.isinf(values).sum())
    if n_bad:
        return f"its activation is infinite for {n_bad} of {len(values)} stimuli"
    if values.min() == values.max():
        return f"it is dead: its activation is {values[0]:g} for all {len(values)} stimuli"
    return None


def compute_percentiles(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Proportion of ``values`` strictly below what was chosen for max, strictly above what was chosen for min.

    Parameters
    ----------
    values : (n_stimuli,), float
    chosen : (2, ...), float
        For min and for max.

    Returns
    -------
    float64, as ``chosen``
        0 to 100.
    """
    ascending = np.sort(values)
    above = len(values) - np.searchsorted(ascending, chosen[0], side="right")
    below = np.searchsorted(ascending, chosen[1], side="left")
    return 100.0 * np.stack([above, below]) / len(values)
