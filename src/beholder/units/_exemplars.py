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
from beholder._core.wording import format_count
from beholder.activations import Activations, LayerActivations, iter_unit_values
from beholder.models import Unit, UnitList
from beholder.units._buckets import SIGNS, assign_released, assign_top, assign_unit, order_by_value
from beholder.units._distribution import count_activations
from beholder.units._exemplar_pictures import format_exemplars, plot_exemplars, tell_ties
from beholder.units._recorded import list_sources
from beholder.units._windows import Windows, plan_top, plan_windows

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

EXEMPLAR_SCHEMES = ("document", "released")
N_BATCHES = 11
"""Where nothing else is asked for."""


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
        Ranks that the queries were drawn from; none of :func:`find_exemplars` with ``top``.
    scheme, seed
        How.
    ranks : (n_units, 2, n_batches, n_positions), int64
        Rank of each exemplar in ascending order of activation, 0 the weakest; for min and max. Nine references and, at
        the last of 10 positions, the query; with ``top`` that many references in one batch, the most extreme last.
    positions : (n_units, 2, n_batches, n_positions), int64
        Its row in the activations.
    activations : (n_units, 2, n_batches, n_positions), float
        Its activation.
    percentiles : (n_units, 2, n_batches, n_positions), float
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
        head = f"Exemplars({len(self)} unit{'s' * (len(self) != 1)} of {self.model}{skipped}: "
        if w.top is not None:
            several = f"the {w.top} least and the {w.top} most of {format_count(w.n_stimuli, 'stimulus')}"
            return f"{head}{several}{self._tell_ties()})"
        return (
            f"{head}{w.num_batches} batches x 2 signs x {w.n_positions}, "
            f"queries from ranks [{w.start_min}, {w.stop_min}) and [{w.start_max}, {w.stop_max}) of {w.n_stimuli}"
            f"{self._tell_ties()})"
        )

    def _tell_ties(self) -> str:
        """Where the order is not that of activations, since several stimuli drive a unit alike."""
        told = [words for i in range(len(self)) if (words := tell_ties(self, i))]
        if len(self) == 1:
            return f"; {told[0]}" if told else ""
        return f"; several stimuli tie for least or most in {format_count(len(told), 'unit')}" if told else ""

    def to_pandas(self) -> pd.DataFrame:
        """One row an exemplar.

        Columns ``layer, channel, sign, batch, position, role, stimulus_id, source, rank, activation, percentile``.
        ``rank`` is 0 for the weakest stimulus, whatever the sign; ``percentile`` is the share of stimuli, in %, that
        the exemplar goes beyond: for ``max`` those that drive the unit less, for ``min`` those that drive it more.
        Stimuli that tie have one percentile, and are in the order of their ids.
        """
        import pandas as pd

        w = self.windows
        unit, sign, batch, place = (
            axis.ravel() for axis in np.indices((len(self), len(SIGNS), w.num_batches, w.n_positions))
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
                "role": [w.name_role(int(i)) for i in place],
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

    def show(self) -> None:
        """Show what :meth:`plot` draws: below the cell of a notebook, in a window from a script."""
        from beholder.figures import show_figure

        show_figure(self.plot)

    def _repr_html_(self) -> str:
        """The most extreme references of the first units, for notebooks."""
        return format_exemplars(self)

    def save(self, path: Path | str) -> Path:
        """Write the table as ``.csv`` or ``.parquet``, by rename."""
        return save_frame(self.to_pandas(), path)


@suggest_keywords
def find_exemplars(
    acts: Activations | Path | str,
    units: UnitList | Unit | Iterable[Unit | str] | Path | str,
    *,
    start_min: int | None = None,
    stop_min: int | None = None,
    start_max: int | None = None,
    stop_max: int | None = None,
    num_batches: int | None = None,
    percentile: tuple[float, float] | None = None,
    scheme: str = "document",
    seed: int = DEFAULT_SEED,
    top: int | None = None,
) -> Exemplars:
    """Choose, for each unit, the stimuli that drive it most and least.

    For a look, ``top=9`` takes nine of each sign. For experiments the references are the 9B most extreme stimuli of a
    sign; the queries, one a batch, come from a window of less extreme ranks. See :func:`beholder.units.assign_unit`.

    Parameters
    ----------
    acts : Activations or path
        Recorded by :func:`beholder.record_units`, or any store that holds the layers; values with space or tokens
        are averaged.
    units : UnitList, Unit, str ``"layer:channel"``, several, or path
        The units.
    start_min, stop_min, start_max, stop_max, num_batches, percentile
        As for :func:`beholder.units.plan_windows`.
    scheme : {"document", "released"}
        ``document``: each unit and sign draws its own numbers. ``released``: the released code's stream of numbers,
        in which the units before a unit decide its batches, and windows are exactly B wide.
    seed : int
    top : int, optional
        Instead of batches and queries: so many stimuli of each sign, the most extreme.

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
    >>> import beholder as bh
    >>> acts = bh.record_units("beholder:shapes", "images", ["block3:5", "block3:7"], device="cpu")
    >>> best = bh.find_exemplars(acts, ["block3:5"], num_batches=1)
    >>> best.to_pandas().groupby(["sign", "role"]).size().tolist()
    [1, 9, 1, 9]
    >>> len(bh.find_exemplars(acts, "block3:5", top=3).to_pandas())
    6
    """
    if scheme not in EXEMPLAR_SCHEMES:
        raise InputError(f"--scheme {'|'.join(EXEMPLAR_SCHEMES)}", got=repr(scheme))
    recorded = Activations(acts) if isinstance(acts, str | Path) else acts
    asked = _read_units(recorded, units)
    ranks_asked = {"start_min": start_min, "stop_min": stop_min, "start_max": start_max, "stop_max": stop_max}
    windows = _plan(len(recorded.stimulus_ids), top, num_batches, percentile, scheme, ranks_asked)
    released = assign_released(windows, asked, seed) if scheme == "released" else None
    by_id = np.argsort(np.asarray(recorded.stimulus_ids, dtype=np.str_), kind="stable")
    found: dict[Unit, tuple[np.ndarray, ...]] = {}
    skipped: dict[Unit, str] = {}
    for unit, values in iter_unit_values(recorded, asked):
        reason = explain_unusable(values)
        if reason:
            skipped[unit] = reason
            continue
        ranks = _assign(windows, unit, seed, released)
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


def _plan(
    n_stimuli: int,
    top: int | None,
    num_batches: int | None,
    percentile: tuple[float, float] | None,
    scheme: str,
    ranks: dict[str, int | None],
) -> Windows:
    """The windows asked for; queries that drive a unit alike are told, since nobody can tell them apart."""
    if top is not None:
        asked = {**ranks, "num_batches": num_batches, "percentile": percentile}
        given = [name for name, value in asked.items() if value is not None]
        given += ["scheme"] if scheme != EXEMPLAR_SCHEMES[0] else []
        if given:
            raise InputError("--top, or batches and queries", got=f"--top with --{' --'.join(given)}")
        return plan_top(n_stimuli, top)
    windows = plan_windows(
        n_stimuli, num_batches=N_BATCHES if num_batches is None else num_batches, percentile=percentile, **ranks
    )
    if windows.are_alike:
        logger.warning(
            "queries of both signs drive a unit nearly alike (ranks %d to %d and %d to %d of %d): a choice between "
            "them is refused; fewer batches or more stimuli put them apart",
            windows.start_min, windows.stop_min - 1, windows.start_max, windows.stop_max - 1, n_stimuli,
        )  # fmt: skip
    return windows


def _assign(windows: Windows, unit: Unit, seed: int, released: dict[Unit, np.ndarray] | None) -> np.ndarray:
    """(2, n_batches, n_positions), int64: the ranks of a unit's exemplars."""
    if windows.top is not None:
        return assign_top(windows)
    return assign_unit(windows, unit, seed) if released is None else released[unit]


def _read_units(acts: Activations, units: UnitList | Unit | Iterable[Unit | str] | Path | str) -> UnitList:
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
        width = _count_channels(layer)
        if unit.channel >= width:
            raise InputError(f"a channel of {unit.layer!r} from 0 to {width - 1}", got=str(unit.channel))
    return asked


def _count_channels(layer: LayerActivations) -> int:
    if "channel" not in layer.feature_dims:
        raise InputError("layers with channels", got=f"{layer.layer!r}, whose axes are {', '.join(layer.feature_dims)}")
    return layer.feature_shape[layer.feature_dims.index("channel")]


def explain_unusable(values: np.ndarray) -> str | None:
    """Why a unit cannot have exemplars; None when it can."""
    n_bad = int(np.isnan(values).sum())
    if n_bad:
        return f"its activation is not a number for {n_bad} of {format_count(len(values), 'stimulus')}"
    n_bad = int(np.isinf(values).sum())
    if n_bad:
        return f"its activation is infinite for {n_bad} of {format_count(len(values), 'stimulus')}"
    if values.min() == values.max():
        return f"it is dead: its activation is {values[0]:g} for all {format_count(len(values), 'stimulus')}"
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
