"""The figures of a judgement, saved with their tables and words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from beholder._core.errors import suggest_keywords
from beholder._core.seeds import DEFAULT_SEED
from beholder.evaluation._judgement import Judgement
from beholder.evaluation._scatter import NetworkScatter
from beholder.evaluation._words import describe_layers_figure, describe_matrix_figure, describe_scatter_figure
from beholder.figures import draw_for_files, save_figure


@suggest_keywords
@draw_for_files()
def save_judgement_figures(
    found: Judgement,
    folder: Path | str,
    scatters: Mapping[str, NetworkScatter] | None = None,
    *,
    decision: str | None = None,
    interval: str = "wilson",
    failed: bool = False,
    seed: int = DEFAULT_SEED,
) -> None:
    """Save ``judged_matrix``, ``judged_layers`` and a ``judged_{name}`` for each scatter.

    Parameters
    ----------
    found : Judgement
    folder : path
    scatters : mapping of str to NetworkScatter, optional
        By the names of their files, as :func:`compare_networks` makes them.
    decision, interval, failed, seed
        As for :meth:`Judgement.recognize_layers`.
    """
    folder, shown = Path(folder), {"decision": decision, "interval": interval, "failed": failed, "seed": seed}
    table = found.recognize_models(**shown)
    fig: Any = found.plot(decision=decision, failed=failed).get_figure(root=True)
    save_figure(fig, folder / "judged_matrix", table=table, record=describe_matrix_figure(found, table))
    table = found.recognize_layers(**shown)
    fig = found.plot_layers(decision=decision, failed=failed, interval=interval)
    save_figure(fig, folder / "judged_layers", table=table, record=describe_layers_figure(found, table))
    for name, scatter in (scatters or {}).items():
        fig = scatter.plot().get_figure(root=True)
        save_figure(fig, folder / f"judged_{name}", table=scatter.table, record=describe_scatter_figure(scatter))
