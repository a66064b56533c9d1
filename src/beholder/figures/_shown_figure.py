"""A figure of pyplot's that appears once."""

from __future__ import annotations

from typing import final

import matplotlib as mpl
from matplotlib.figure import Figure


@final
class ShownFigure(Figure):
    """Shown as its cell's last value, it is forgotten by pyplot, which would show it again at the end of the cell."""

    def _ipython_display_(self) -> None:
        from matplotlib import pyplot

        if "inline" in mpl.get_backend():
            pyplot.close(self)
        raise NotImplementedError  # and now as any other figure
