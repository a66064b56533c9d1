"""Pictures of representational dissimilarity matrices (RDMs)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import format_count
from beholder.figures._labels import cut_words, fit_labels, tell_step
from beholder.figures._style import INK, ONE_COLUMN_MM, RDM_COLORMAP, TWO_COLUMNS_MM, make_figure, use_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MM_PER_LETTER = 1.6
_MM_PER_LABEL_LETTER = 1.35
_MM_PER_POINT = 0.3528
_LINE, _GAP_PT = 1.2, 1.2
_HEIGHT_MM, _BAR_MM = 72.0, 20.0
RANK_NAME = "Dissimilarity (rank, % of pairs)"


@suggest_keywords
def rank_rdm(rdm: Any) -> np.ndarray:
    """Replace dissimilarities by the proportion of pairs that are as alike or more alike.

    Parameters
    ----------
    rdm : array, (n_stimuli, n_stimuli)
        Symmetric dissimilarities; the diagonal is not looked at.

    Returns
    -------
    array, (n_stimuli, n_stimuli), float64 in [0, 1]
        Average rank among the pairs divided by their number; 0 on the diagonal.
    """
    from scipy.stats import rankdata

    rdm = check_rdm(rdm)
    rows, columns = np.triu_indices(len(rdm), 1)
    ranked = np.zeros_like(rdm)
    if rows.size:
        ranked[rows, columns] = rankdata(rdm[rows, columns]) / rows.size
    return ranked + ranked.T


def check_rdm(rdm: Any) -> np.ndarray:
    """``rdm`` as float64, or an :class:`InputError` if it is not a square of finite numbers, equal both ways."""
    matrix = np.asarray(rdm, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
        raise InputError("an RDM, (n_stimuli, n_stimuli)", got=f"an array of shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise InputError("an RDM of finite numbers", got=f"{int((~np.isfinite(matrix)).sum())} that are not")
    if not np.allclose(matrix, matrix.T, rtol=1e-4, atol=1e-6 * (np.abs(matrix).max() or 1)):
        raise InputError("an RDM with the same value both ways", got="a matrix that is not symmetric")
    return matrix


@suggest_keywords
def plot_rdm(
    rdm: Any,
    ax: Axes | None = None,
    *,
    categories: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    rank: bool = True,
    title: str = "",
    name: str | None = None,
    limits: tuple[float, float] | None = None,
    colorbar: bool = True,
    sides: str = "xy",
) -> Axes:
    """Draw an RDM, stimuli grouped by category and the blocks marked on both axes.

    Parameters
    ----------
    rdm : array, (n_stimuli, n_stimuli)
        Symmetric dissimilarities.
    ax : matplotlib Axes, optional
        A figure of one-column width is made without it.
    categories : sequence of str, (n_stimuli,), optional
        Category of each stimulus. Stimuli are brought together by category, in order of first appearance.
        Where each stimulus is a category of its own, these are its ``labels``.
    labels : sequence of str, (n_stimuli,), optional
        Name of each stimulus, written on both axes; in place of those of the categories, whose blocks stay marked. A
        figure of its own grows with their number. Where there are too many, both axes leave out the same, and say so.
    rank : bool
        Show ranks, as percentages of pairs, instead of values.
    title, name : str, optional
        Above the picture; on the colour bar.
    limits : (float, float), optional
        Ends of the colour scale, to share one scale among several pictures; 0 to 100 for ranks, else the data's.
    colorbar : bool
        Whether to draw the colour bar.
    sides : {"xy", "x", "y", ""}
        Axes on which names are written; the blocks are marked on both.

    Returns
    -------
    matplotlib Axes

    Examples
    --------
    >>> import numpy as np
    >>> features = np.random.default_rng(0).normal(size=(6, 20))
    >>> ax = plot_rdm(1 - np.corrcoef(features), categories=["cat"] * 3 + ["dog"] * 3)
    >>> ax.figure.savefig("rdm.png")
    """
    matrix = check_rdm(rdm)
    categories, labels = _settle_names(categories, labels)
    order, blocks = group_by_category(categories, len(matrix))
    names = _order_labels(labels, order)
    shown = 100 * rank_rdm(matrix) if rank else matrix
    low, high = limits or ((0.0, 100.0) if rank else (float(shown.min()), float(shown.max())))
    own = ax is None
    with use_style():
        if ax is None:
            ax = make_figure(*_find_size(names)).subplots()
        image = ax.imshow(shown[np.ix_(order, order)], cmap=RDM_COLORMAP, vmin=low, vmax=high, interpolation="nearest")
        _mark_blocks(ax, blocks, len(matrix), sides=sides)
        if names:
            _write_labels(ax, names, sides)
        ax.set_title(title)
        if colorbar:
            fig = ax.get_figure()
            assert fig is not None
            add_colorbar(fig, image, [ax], name=name or (RANK_NAME if rank else "Dissimilarity"))
        if names or own:
            ax.set_anchor("SW")  # where the names are: a colour bar moves the picture away from them
    if own:
        fit_labels(ax)
    return ax


@suggest_keywords
def plot_rdms(
    rdms: Mapping[str, Any],
    *,
    categories: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    rank: bool = True,
    name: str | None = None,
    n_columns: int = 3,
    width_mm: float = TWO_COLUMNS_MM,
) -> Figure:
    """Draw several RDMs of the same stimuli side by side on one scale.

    Parameters
    ----------
    rdms : mapping of str to array, (n_stimuli, n_stimuli)
        Title, such as the layer, to RDM.
    categories, labels, rank, name
        As in :func:`plot_rdm`. Names stand at the left column and under the lowest picture of each column.
    n_columns : int
        Pictures in a row.
    width_mm : float
        Width of the figure.
    """
    if not rdms:
        raise InputError("at least one RDM", got="none")
    categories, labels = _settle_names(categories, labels)
    n_columns = min(n_columns, len(rdms))
    n_rows = math.ceil(len(rdms) / n_columns)
    matrices = {title: check_rdm(rdm) for title, rdm in rdms.items()}
    limits = None
    if not rank:
        limits = (min(float(m.min()) for m in matrices.values()), max(float(m.max()) for m in matrices.values()))
    side = (width_mm - 40) / n_columns
    fig = make_figure(width_mm, n_rows * (side + 5) + 20)
    with use_style():
        axes = fig.subplots(n_rows, n_columns, squeeze=False)
        for index, ax in enumerate(axes.flat):
            if index >= len(matrices):
                ax.remove()
        drawn = list(axes.flat)[: len(matrices)]
        titles = cut_words(list(matrices), int(side / _MM_PER_LETTER))
        for index, (ax, title, matrix) in enumerate(zip(drawn, titles, matrices.values(), strict=True)):
            sides = ("x" if index + n_columns >= len(matrices) else "") + ("y" if index % n_columns == 0 else "")
            plot_rdm(
                matrix, ax, categories=categories, labels=labels, rank=rank, limits=limits, colorbar=False,
                title=title, sides=sides,
            )  # fmt: skip
        add_colorbar(fig, drawn[0].images[0], drawn, name=name or (RANK_NAME if rank else "Dissimilarity"))
        for ax in drawn if labels is not None else ():
            ax.set_anchor("SW")
    fit_labels(fig)
    return fig


def _settle_names(
    categories: Sequence[str] | None, labels: Sequence[str] | None
) -> tuple[Sequence[str] | None, Sequence[str] | None]:
    """Categories and labels; where each stimulus is a category of its own, blocks say nothing, and names are labels."""
    if categories is None or len(categories) < 2 or len(set(map(str, categories))) < len(categories):
        return categories, labels
    return None, categories if labels is None else labels


def _order_labels(labels: Sequence[str] | None, order: np.ndarray) -> list[str]:
    if labels is None:
        return []
    if isinstance(labels, str) or len(labels) != len(order):
        raise InputError(f"{format_count(len(order), 'label')}, one a stimulus", got=str(len(labels)))
    return cut_words([str(labels[index]) for index in order])


def _find_size(names: Sequence[str]) -> tuple[float, float]:
    """Width and height in mm: one column, or as much as names of 7 pt need, at most two columns."""
    if not names:
        return ONE_COLUMN_MM, _HEIGHT_MM
    beside = _MM_PER_LABEL_LETTER * max(map(len, names)) + 4
    side = max(
        _HEIGHT_MM - 22, min(TWO_COLUMNS_MM - beside - _BAR_MM, _MM_PER_POINT * (_LINE * 7 + _GAP_PT) * len(names))
    )
    return min(TWO_COLUMNS_MM, side + beside + _BAR_MM), side + beside + 8


def _write_labels(ax: Axes, names: Sequence[str], sides: str) -> None:
    """Names on both axes, as large as there is room for, from 7 to 5 pt; at 5 pt every so many of them."""
    fig: Any = ax.get_figure(root=True)
    fig.draw_without_rendering()
    box = ax.get_window_extent()
    room = 72 / fig.dpi * min(box.width, box.height) / len(names)
    size = min(7.0, max(5.0, (room - _GAP_PT) / _LINE))
    step = max(1, math.ceil((size * _LINE + _GAP_PT) / room - 0.02))
    places = range(0, len(names), step)
    shown = [names[place] for place in places]
    ax.tick_params(length=1.5, pad=2, labelsize=size)
    if "x" in sides:
        ax.set_xticks(places, shown, rotation=90)
        ax.set_xlabel("", fontsize=7)
        if step > 1:
            tell_step(ax.xaxis, step, len(names))
    if "y" in sides:
        ax.set_yticks(places, shown)
        ax.set_ylabel("", fontsize=7)
        if step > 1 and "x" not in sides:
            tell_step(ax.yaxis, step, len(names))


@suggest_keywords
def add_colorbar(fig: Any, image: Any, axes: Sequence[Axes], *, name: str) -> None:
    """Draw a thin, named colour bar at the right of ``axes``."""
    with use_style():
        bar = fig.colorbar(image, ax=list(axes), fraction=0.05, shrink=0.8, aspect=22, pad=0.02)
        bar.set_label(name)
        bar.outline.set_visible(False)


def finish_matrix(
    ax: Axes, image: Any, rows: Sequence[str], columns: Sequence[str], row_name: str, column_name: str, value_name: str
) -> Figure:
    """Name the rows, columns and colours of a matrix that was drawn into ``ax``, without a frame; give its figure."""
    ax.set_xticks(range(len(columns)), list(columns))
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set_xlabel(column_name)
    ax.set_ylabel(row_name)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    fig = ax.get_figure(root=True)
    assert fig is not None
    add_colorbar(fig, image, [ax], name=value_name)
    return fig


def group_by_category(
    categories: Sequence[str] | None, n_stimuli: int
) -> tuple[np.ndarray, list[tuple[str, int, int]]]:
    """Order of stimuli that brings each category together, and its blocks (name, start, stop)."""
    if categories is None:
        return np.arange(n_stimuli), []
    if len(categories) != n_stimuli:
        raise InputError(f"{format_count(n_stimuli, 'category')}, one a stimulus", got=str(len(categories)))
    names = list(dict.fromkeys(str(category) for category in categories))
    place = {name: index for index, name in enumerate(names)}
    codes = np.array([place[str(category)] for category in categories])
    order = np.argsort(codes, kind="stable")
    edges = np.searchsorted(codes[order], np.arange(len(names) + 1))
    return order, [(name, int(edges[i]), int(edges[i + 1])) for i, name in enumerate(names)]


def _mark_blocks(ax: Axes, blocks: list[tuple[str, int, int]], n_stimuli: int, *, sides: str) -> None:
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.tick_params(which="both", length=0 if blocks else 2.5, pad=4 if blocks else 2)
    for side, axis, word in (("x", ax.xaxis, ax.set_xlabel), ("y", ax.yaxis, ax.set_ylabel)):
        if side not in sides:
            axis.set_ticks([])
        elif blocks:
            axis.set_ticks([(start + stop - 1) / 2 for _, start, stop in blocks], [name for name, _, _ in blocks])
        else:
            axis.set_major_locator(MaxNLocator(5, integer=True))
            word("Stimulus")
    if not blocks:
        return
    ends = np.array([0, *(stop for _, _, stop in blocks)]) - 0.5
    inner, low, high = ends[1:-1], -0.5, n_stimuli - 0.5
    lines = [[(low, e), (high, e)] for e in inner] + [[(e, low), (e, high)] for e in inner]
    ax.add_collection(LineCollection(lines, colors="white", linewidths=0.35), autolim=False)
    # Short marks outside the picture, at the ends of the blocks, along the left and the lower side.
    reach = 0.025 * n_stimuli
    marks = [[(low - reach, e), (low, e)] for e in ends] + [[(e, high), (e, high + reach)] for e in ends]
    ax.add_collection(LineCollection(marks, colors=INK, linewidths=0.5, clip_on=False), autolim=False)
