"""Colours, sizes and fonts: the one place where the look of a figure is decided."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import format_count

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ONE_COLUMN_MM = 85.0
"""Width of a figure of one column, in millimetres."""
TWO_COLUMNS_MM = 180.0
"""Width of a figure of two columns, in millimetres."""
_MM_PER_INCH = 25.4

OKABE_ITO = {
    "orange": "#E69F00",
    "sky blue": "#56B4E9",
    "reddish purple": "#CC79A7",
    "bluish green": "#009E73",
    "blue": "#0072B2",
    "yellow": "#F0E442",
    "vermillion": "#D55E00",
}
"""Okabe and Ito's colours without black, which belongs to people."""

# Vermillion stays out: it would stand against bluish green. Yellow is last, it is faint on white.
_NETWORK_ORDER = ("orange", "sky blue", "reddish purple", "bluish green", "blue", "yellow")
MOST_NAMED = len(_NETWORK_ORDER)
"""Networks that get a colour and a name of their own."""

INK = "#1a1a1a"
"""Axes, ticks and words. The report page turns this very colour into the page's own text colour."""
PEOPLE_COLOR = "#000000"
"""Colour of people."""
NATURAL_COLOR = "#8c8c8c"
"""Colour of natural stimuli."""
SYNTHESIZED_COLOR = OKABE_ITO["blue"]
"""Colour of stimuli that were made."""
UNNAMED_COLOR = "#9a9da1"
"""Networks where there are more than colours."""
CHANCE_COLOR = "#767676"
"""Colour of chance."""
RDM_COLORMAP = "cividis"
"""Colour map of RDMs."""
LAYER_COLORMAP = "viridis"
_LAYER_COLORMAP_END = 0.9

_RC: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 8,
    "axes.titleweight": "normal",
    "axes.titlepad": 4,
    "axes.unicode_minus": True,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.use": True,
    "figure.dpi": 150,
    "figure.facecolor": "white",
    "figure.titlesize": 9,
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8,
    "image.interpolation": "nearest",
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.0,
    "lines.markersize": 4,
    "lines.solid_capstyle": "butt",
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "savefig.dpi": 300,
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "beholder",
    "text.color": INK,
    "xtick.color": INK,
    "xtick.labelsize": 7,
    "xtick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.color": INK,
    "ytick.labelsize": 7,
    "ytick.major.size": 2.5,
    "ytick.major.width": 0.6,
}


@contextlib.contextmanager
def use_style() -> Iterator[None]:
    """Draw in Beholder's style inside the block: fonts of 7 to 9 pt, embedded; no grid, two spines.

    Examples
    --------
    >>> from beholder.figures import make_figure, use_style
    >>> with use_style():
    ...     fig = make_figure(85, 60)
    ...     ax = fig.subplots()
    """
    import matplotlib as mpl

    with mpl.rc_context():
        # The backend is left alone, since to look it up would load pyplot; and whether notebooks show new figures.
        kept = ("backend", "interactive")
        defaults: Any = {name: value for name, value in mpl.rcParamsDefault.items() if name not in kept}
        mpl.rcParams.update(defaults | _RC)
        try:
            yield
        finally:
            is_interactive = mpl.is_interactive()
    mpl.interactive(is_interactive)  # A notebook settles it with its first figure, which may be in the block.


@suggest_keywords
def make_figure(width_mm: float = ONE_COLUMN_MM, height_mm: float | None = None) -> Figure:
    """An empty figure of print size, in the style.

    In a notebook it appears at the end of the cell; in a script that imports pyplot, ``plt.show()`` shows it. Otherwise
    it is tied to no window and forgotten with its last name.

    Parameters
    ----------
    width_mm : float
        Width in millimetres; :data:`ONE_COLUMN_MM` (85) or :data:`TWO_COLUMNS_MM` (180).
    height_mm : float, optional
        Height in millimetres; two thirds of the width unless given.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from beholder.figures._shown import is_shown

    if width_mm <= 0 or (height_mm is not None and height_mm <= 0):
        raise InputError("a figure size above 0 mm", got=f"{width_mm} x {height_mm}")
    size = (width_mm / _MM_PER_INCH, (width_mm * 2 / 3 if height_mm is None else height_mm) / _MM_PER_INCH)
    if is_shown():
        from matplotlib import pyplot

        from beholder.figures._shown_figure import ShownFigure

        with use_style():
            return pyplot.figure(figsize=size, FigureClass=ShownFigure)
    with use_style():
        fig = Figure(figsize=size)
        FigureCanvasAgg(fig)
    return fig


@suggest_keywords
def color_of_layer(index: int, n: int) -> str:
    """Colour of the ``index``-th of ``n`` layers, early dark to late light (viridis), as ``#rrggbb``.

    Count over the model's recorded layers, not over those in one picture, so that a layer keeps its
    colour through a report.
    """
    import matplotlib as mpl
    from matplotlib.colors import to_hex

    if not 0 <= index < n:
        raise InputError(f"a layer's index from 0 to {n - 1}", got=str(index))
    depth = index / (n - 1) if n > 1 else 0.5
    return to_hex(mpl.colormaps[LAYER_COLORMAP](_LAYER_COLORMAP_END * depth))


@suggest_keywords
def colors_of_layers(layers: Sequence[str]) -> dict[str, str]:
    """Colour of each layer, ``layers`` in network order. See :func:`color_of_layer`."""
    return {layer: color_of_layer(index, len(layers)) for index, layer in enumerate(layers)}


@suggest_keywords
def colors_of_models(names: Sequence[str]) -> dict[str, str]:
    """Okabe-Ito colour of each network, given out in the order of their names, so the order asked in does not matter.

    Raises
    ------
    InputError
        More than six networks: split the picture, or grey out those that it is not about.
    """
    unique = sorted(set(names))
    if len(unique) > len(_NETWORK_ORDER):
        raise InputError(
            f"at most {format_count(len(_NETWORK_ORDER), 'network')} in one picture",
            got=str(len(unique)),
            hint="several pictures",
        )
    return {name: OKABE_ITO[color] for name, color in zip(unique, _NETWORK_ORDER, strict=False)}


@suggest_keywords
def color_networks(names: Collection[str]) -> dict[str, str]:
    """Colour of each network: as :func:`colors_of_models` gives them out; all grey where more than six are shown."""
    unique = list(dict.fromkeys(names))
    return colors_of_models(unique) if len(unique) <= MOST_NAMED else dict.fromkeys(unique, UNNAMED_COLOR)
