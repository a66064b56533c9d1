"""Labels that never overlap: measured as drawn, then turned, and thinned only when nothing else helps."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from beholder._core.errors import suggest_keywords
from beholder._core.wording import format_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.text import Text

_GAP_PT = 1.0
MOST_LETTERS = 32
_TITLE_PART = 0.8
_ROTATIONS = (45.0, 90.0)
_FITTED: WeakKeyDictionary[Figure, list[tuple[Any, ...]]] = WeakKeyDictionary()
"""Tick labels of figures as they were left: a figure that has not changed since is fitted."""


@suggest_keywords
def fit_labels(fig: Figure | Axes) -> None:
    """Turn, then thin, the tick labels of every axes of a figure until none overlaps its neighbour.

    Labels along x are first turned by 45, then by 90 degrees, all axes with the same labels alike. Only if
    they are still too many is every second (third, ...) label left out; its tick stays, axes with the same
    names are thinned alike, and the axis says which names are written. An axis name that would leave the
    figure is moved to the end of its axis, along y broken into two lines. Names of more than 32 letters lose
    their middle first, and so do titles wider than their panel's part of the figure.

    Parameters
    ----------
    fig : matplotlib Figure or Axes
        Axes stand for their figure.
    """
    fig = _root(fig)
    axes = [axis for ax in fig.axes for axis in (ax.xaxis, ax.yaxis)]
    if not fig.stale and _FITTED.get(fig) == _read_ticks(axes):
        return
    for axis in axes:
        _cut(axis)
    _cut_titles(fig)
    fig.draw_without_rendering()
    changed = bool(sum(_keep_inside(axis) for axis in axes))
    for angle in _ROTATIONS:
        crowded = {_words(axis) for axis in axes if _direction(axis) == "x" and _is_crowded(axis)}
        turned = [axis for axis in axes if _direction(axis) == "x" and _words(axis) in crowded]
        turned = [axis for axis in turned if _shown_tick_labels(axis)[0].get_rotation() < angle]
        if turned:
            for axis in turned:
                _turn(axis, angle)
            fig.draw_without_rendering()
            changed = False
    if sum(_keep_inside(axis) for axis in axes if _direction(axis) == "y"):  # turned labels take height
        fig.draw_without_rendering()
        changed = False
    if _thin_all(axes):
        fig.draw_without_rendering()
        changed = True
        for axis in axes:
            _keep_inside(axis)
    if changed:
        fig.draw_without_rendering()
    for ax in fig.axes:
        _keep_titles_inside(ax)
    _FITTED[fig] = _read_ticks(axes)


def _read_ticks(axes: Sequence[Axis]) -> list[tuple[Any, ...]]:
    """What may change of tick labels without their figure hearing of it."""
    labels = (label for axis in axes for label in _shown_tick_labels(axis))
    return [(label.get_text(), label.get_rotation(), label.get_fontproperties()) for label in labels]


def cut_words(words: Sequence[str], most: int = MOST_LETTERS) -> list[str]:
    """Long names without their middle: the cut after which most of them still differ; the others as they are.

    >>> cut_words(["stage1.block1.conv_norm_relu", "stage1.block2.conv_norm_relu", "fc"], 16)
    ['stage1.block1.c…', 'stage1.block2.c…', 'fc']
    >>> cut_words(["stage1.block1.conv_norm_relu", "stage1.block2.conv_norm_relu", "fc"], 18)
    ['stage1.block1…relu', 'stage1.block2…relu', 'fc']
    """

    def cut(word: str, tail: int) -> str:
        return word if len(word) <= most else f"{word[: most - 1 - tail]}…{word[len(word) - tail :]}"

    tails = [most // 4, most // 2, most - 5, 4, 0]
    return max(([cut(word, tail) for word in words] for tail in tails), key=lambda found: len(set(found)))


def _cut(axis: Axis) -> None:
    from matplotlib.ticker import FixedLocator

    words = [label.get_text() for label in axis.get_majorticklabels()]
    places = axis.get_majorticklocs()
    if isinstance(axis.get_major_locator(), FixedLocator) and max(map(len, words), default=0) > MOST_LETTERS:
        axis.set_ticks(places, labels=cut_words(words))


def _keep_titles_inside(ax: Axes) -> None:
    """Let a title that would leave the figure at its right end where its axes do."""
    for title in (ax.title, ax._left_title, ax._right_title):  # pyright: ignore[reportAttributeAccessIssue]
        fig = _root(title)
        if title.get_text().strip() and title.get_window_extent(_get_renderer(fig)).x1 > fig.bbox.x1:
            title.set(x=1.0, horizontalalignment="right")


def _cut_titles(fig: Figure) -> None:
    """Titles of panels beside each other, all to one number of letters, so that they differ where they did."""
    renderer = _get_renderer(fig)
    titles: list[Text] = []
    most = math.inf
    for ax in fig.axes:
        place = ax.get_subplotspec()
        n_columns = 1 if place is None else place.get_gridspec().ncols
        for title in (ax.title, ax._left_title, ax._right_title):  # pyright: ignore[reportAttributeAccessIssue]
            if title.get_text().strip() and "\n" not in title.get_text():
                titles.append(title)
                letters = len(title.get_text())
                width = title.get_window_extent(renderer).width
                room = _TITLE_PART * fig.bbox.width / n_columns
                most = most if width <= room else min(most, max(8, int(letters * room / width)))
    if math.isfinite(most):
        for title, words in zip(titles, cut_words([title.get_text() for title in titles], int(most)), strict=True):
            title.set_text(words)


@suggest_keywords
def find_overlaps(fig: Figure) -> list[tuple[str, str]]:
    """Pairs of words in ``fig`` that touch as drawn, and words that leave the figure; empty when all is well."""
    fig.draw_without_rendering()
    renderer = _get_renderer(fig)
    found: list[tuple[str, str]] = []
    texts: list[Text] = []
    for ax in fig.axes:
        for axis in (ax.xaxis, ax.yaxis):
            ticks = _shown_tick_labels(axis)
            found += _crowded_pairs(ticks, renderer, _direction(axis))
            texts += ticks
            texts.append(axis.label)
        texts += [ax.title, ax._left_title, ax._right_title, *ax.texts]  # pyright: ignore[reportAttributeAccessIssue]
        legend = ax.get_legend()
        texts += list(legend.get_texts()) if legend else []
    texts += list(fig.texts)
    texts = [text for text in texts if text.get_visible() and text.get_text().strip()]
    boxes = [text.get_window_extent(renderer) for text in texts]
    edge = fig.bbox
    for i, first in enumerate(texts):
        if min(boxes[i].x0, boxes[i].y0) < -1 or boxes[i].x1 > edge.x1 + 1 or boxes[i].y1 > edge.y1 + 1:
            found.append((first.get_text(), "edge of the figure"))
        for j in range(i + 1, len(texts)):
            slanted = any(text.get_rotation() % 90 for text in (first, texts[j]))
            if not slanted and _touch(boxes[i], boxes[j]):
                found.append((first.get_text(), texts[j].get_text()))
    return found


def _touch(a: Any, b: Any) -> bool:
    slack = 0.5
    return min(a.x1, b.x1) - max(a.x0, b.x0) > slack and min(a.y1, b.y1) - max(a.y0, b.y0) > slack


def _direction(axis: Axis) -> str:
    return axis.axis_name  # pyright: ignore[reportAttributeAccessIssue]


def _root(artist: Any) -> Figure:
    return artist.get_figure(root=True)


def _get_renderer(fig: Figure) -> Any:
    return fig.canvas.get_renderer()  # pyright: ignore[reportAttributeAccessIssue]


def _shown_tick_labels(axis: Axis) -> list[Text]:
    axes = axis.axes
    if not axis.get_visible() or not axes.axison:
        return []
    low, high = sorted(axis.get_view_interval())
    margin = 1e-6 * (high - low)
    shown = []
    for tick in axis.get_major_ticks():
        if not low - margin <= tick.get_loc() <= high + margin:
            continue
        shown += [label for label in (tick.label1, tick.label2) if label.get_visible() and label.get_text().strip()]
    return shown


def _centre(text: Text, renderer: Any, along: str) -> float:
    box = text.get_window_extent(renderer)
    if along == "y":
        return (box.y0 + box.y1) / 2
    # A slanted label hangs from its anchor, the tick, which is where distances are counted.
    return text.get_transform().transform(text.get_position())[0]


def _needed(text: Text, renderer: Any, along: str) -> float:
    """Room in pixels that a label takes along its axis."""
    gap = _GAP_PT * _root(text).dpi / 72
    angle = math.radians(text.get_rotation())
    box = text.get_window_extent(renderer)
    if along == "y":
        return box.height
    if math.isclose(math.sin(angle), 0, abs_tol=1e-9):
        return box.width + 3 * gap
    line = float(text.get_fontsize()) * 1.2 * gap / _GAP_PT
    return line / abs(math.sin(angle)) if not math.isclose(math.cos(angle), 0, abs_tol=1e-9) else box.width + gap


def _crowded_pairs(labels: list[Text], renderer: Any, along: str) -> list[tuple[str, str]]:
    placed = sorted((_centre(label, renderer, along), index) for index, label in enumerate(labels))
    crowded = []
    for (low, a), (high, b) in pairwise(placed):
        need = (_needed(labels[a], renderer, along) + _needed(labels[b], renderer, along)) / 2
        if high - low < need - 1:
            crowded.append((labels[a].get_text(), labels[b].get_text()))
    return crowded


def _is_crowded(axis: Axis) -> bool:
    labels = _shown_tick_labels(axis)
    return len(labels) > 1 and bool(_crowded_pairs(labels, _get_renderer(_root(axis)), _direction(axis)))


def _words(axis: Axis) -> tuple[str, ...]:
    return tuple(label.get_text() for label in _shown_tick_labels(axis))


def _turn(axis: Axis, angle: float) -> None:
    for label in _shown_tick_labels(axis):
        label.set_rotation(angle)
        label.set_rotation_mode("anchor")
        label.set_horizontalalignment("right")
        label.set_verticalalignment("center" if angle > 60 else "top")


def _thin_all(axes: Sequence[Axis]) -> bool:
    """Leave out labels of crowded axes; names that stand on several axes alike on all. Whether any was."""
    steps: dict[Any, int] = {}
    for axis in axes:
        if _is_crowded(axis):
            key = _name_words(axis)
            steps[key] = max(steps.get(key, 1), _find_step(axis))
    told: set[Any] = set()
    for axis in axes:
        key = _name_words(axis)
        if key not in steps:
            continue
        labels = _shown_tick_labels(axis)
        for index, label in enumerate(labels):
            label.set_visible(index % steps[key] == 0)
        if _is_named(axis) and key not in told:
            told.add(key)
            tell_step(axis, steps[key], len(labels))
    for axis in axes if told else ():
        if axis.axes.get_aspect() != "auto":
            axis.axes.set_anchor("SW")  # the layout keeps room for words beside the picture itself
    return bool(steps)


def tell_step(axis: Axis, step: int, n: int) -> None:
    """Say below an axis that only every so many of its names is written."""
    ordinal = {1: "st", 2: "nd", 3: "rd"}.get(step % 10 if step % 100 not in (11, 12, 13) else 0, "th")
    text = axis.label.get_text()
    axis.set_label_text(f"{text}{chr(10) if text else ''}(every {step}{ordinal} of {format_count(n, 'name')})")


def _name_words(axis: Axis) -> Any:
    """What axes that are thinned alike have in common: the names of a square picture; others are thinned alone."""
    return _words(axis) if axis.axes.get_aspect() != "auto" and _is_named(axis) else id(axis)


def _is_named(axis: Axis) -> bool:
    from matplotlib.ticker import FixedLocator

    numbers = set("0123456789.,+-−e%×10^{}$\\mathdef ")
    return isinstance(axis.get_major_locator(), FixedLocator) and any(set(word) - numbers for word in _words(axis))


def _find_step(axis: Axis) -> int:
    """The smallest step at which no two labels of an axis touch."""
    labels = _shown_tick_labels(axis)
    renderer, along = _get_renderer(_root(axis)), _direction(axis)
    steps = (step for step in range(2, len(labels)) if not _crowded_pairs(labels[::step], renderer, along))
    return next(steps, len(labels))


def _break_name(axis: Axis) -> bool:
    """Put the name of an axis in one line more, up to three, broken between the words nearest to its middle."""
    lines = axis.label.get_text().split("\n")
    longest = max(range(len(lines)), key=lambda place: len(lines[place]))
    text = lines[longest]
    gaps = [place for place, letter in enumerate(text) if letter == " "]
    if len(lines) > 2 or not gaps:
        return False
    middle = min(gaps, key=lambda place: abs(place - len(text) / 2))
    lines[longest : longest + 1] = [text[:middle], text[middle + 1 :]]
    axis.set_label_text("\n".join(lines))
    return True


def _keep_inside(axis: Axis) -> bool:
    fig = _root(axis)
    box = axis.label.get_window_extent(_get_renderer(fig))
    if _direction(axis) == "y" and (box.y0 < 0 or box.y1 > fig.bbox.y1):
        return _break_name(axis)
    if _direction(axis) != "x" or not axis.label.get_text() or box.x1 <= fig.bbox.x1:
        return False
    axis.set_label_text(axis.label.get_text(), horizontalalignment="right", x=1.0)
    return True
