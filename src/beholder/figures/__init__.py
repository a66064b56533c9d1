"""The one style, and plots that take arrays and an ax.

Every plot draws into the ``ax`` it is given, or makes a figure of print size of its own, and returns
the axes. In a notebook the figure appears, and pyplot shows it where it is imported; pyplot is not imported for it
elsewhere.

>>> import beholder as bh
>>> ax = bh.figures.plot_rdm([[0.0, 1.0], [1.0, 0.0]])
"""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    __file__,
    {"plot_share_matrix": "plot_proportion_matrix", "plot_shares_by_layer": "plot_proportions_by_layer"},
)
