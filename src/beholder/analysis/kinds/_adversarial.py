"""Kind of result: accuracy under attack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.wording import format_share
from beholder.analysis._result import RESULT_KINDS, Drawing, Result, ResultKind
from beholder.analysis.kinds._adversarial_words import (
    ask_adversarial,
    describe_adversarial,
    name_networks,
    tell_adversarial,
)
from beholder.figures import AttackCurve, plot_attack_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NORMS = {"l2": "L2", "linf": "Linf", "l1": "L1"}
_NOTE = "line: 95 % interval over {n:,} stimuli"
_MOST_NETWORKS = 6


def _list_panels(result: Result) -> dict[str, list[AttackCurve]]:
    """A panel a norm; where there are many networks their worst attack alone."""
    names = name_networks(result)
    table: Any = result.table
    panels: dict[str, list[AttackCurve]] = {}
    for norm in [each for each in _NORMS if (table["norm"] == each).any()]:
        own = table[table["norm"] == norm]
        for model, name in names.items():
            here = own[own["model"] == model]
            clean = here[here["eps"] == 0]
            attacks = [str(each) for each in dict.fromkeys(here["attack"]) if each != "none"]
            if len(names) > 2 and "worst" in attacks:
                attacks = ["worst"]
            for attack in attacks:
                rows = here[here["attack"] == attack].sort_values("eps")
                joined = [*clean.to_dict("records")[:1], *rows.to_dict("records")]
                panels.setdefault(_NORMS[norm], []).append(
                    AttackCurve(name, attack, *(_take(joined, key) for key in ("eps", "estimate", "low", "high")))
                )
    return panels


def _take(rows: list[dict[str, Any]], key: str) -> np.ndarray:
    return np.array([row[key] for row in rows], dtype=np.float64)


def _find_chance(result: Result) -> float | None:
    counts = {int(each) for each in result.to_pandas()["n_classes"]}
    return 1 / counts.pop() if len(counts) == 1 else None


def _plot(result: Result, ax: Axes | None) -> Axes:
    note = _NOTE.format(n=result.settings["n_stimuli"])
    fig = plot_attack_curves(_list_panels(result), ax, note=note, chance=_find_chance(result))
    return fig.axes[0] if ax is None else ax


def _draw(result: Result) -> Iterator[Drawing]:
    """Accuracy over the radius, a panel a norm."""
    panels = _list_panels(result)
    note = _NOTE.format(n=result.settings["n_stimuli"])
    figure = plot_attack_curves(panels, note=note, chance=_find_chance(result))
    told = "; ".join(
        f"{curve.network}, {curve.attack} in {norm}: "
        + ", ".join(f"{format_share(value)} at {eps:.3g}" for eps, value in zip(curve.radii, curve.values, strict=True))
        for norm, curves in panels.items() for curve in curves[:_MOST_NETWORKS]
    )  # fmt: skip
    yield Drawing(
        "radii", figure, f"Proportion of right answers over the radius of attacks. {told}",
        "On the left stimuli as they are; radii on a logarithmic axis. A curve that stays up at a radius where the "
        "change can be seen speaks of a robust network, or of an attack that was too weak.",
    )  # fmt: skip


RESULT_KINDS.add(
    "adversarial",
    ResultKind(ask_adversarial, tell_adversarial, describe_adversarial, _plot, _draw, lists=("radii",)),
)
