"""Recognition of metamers by other networks, held against that by people, attacked accuracy, prediction of brains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.notebooks import render_table
from beholder.evaluation._judgement import Judgement, describe_decisions, shorten_names
from beholder.evaluation._judgement_table import NATURAL
from beholder.statistics import Correlation, correlate

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

RECOGNITION = "Recognised by other networks (%)"


@final
@dataclass(frozen=True, repr=False, eq=False)
class NetworkScatter:
    """One measure of networks, or of their stages, on another.

    Attributes
    ----------
    table : DataFrame
        A row a dot: ``model``, ``layer`` (empty for whole networks), ``x``, ``y``.
    x_name, y_name : str
        What was measured, with the unit.
    correlation : Correlation
        Pearson's r over the dots.
    """

    table: pd.DataFrame
    x_name: str
    y_name: str
    correlation: Correlation

    def __repr__(self) -> str:
        return f"NetworkScatter({self.y_name} on {self.x_name}: {self.correlation})"

    def _repr_html_(self) -> str:
        """Its first rows, for notebooks."""
        return render_table(repr(self), self.to_pandas())

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        return self.table.copy()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the dots, coloured by network, with r and its interval above."""
        from beholder.figures import plot_network_scatter

        short = dict(zip(self.table["model"].unique(), shorten_names(self.table["model"].unique()), strict=True))
        names = [short[model] for model in self.table["model"]]
        staged = bool((self.table["layer"] != "").any())
        return plot_network_scatter(
            self.table["x"], self.table["y"], names, ax,
            x_name=self.x_name, y_name=self.y_name, words=str(self.correlation), groups=names if staged else None,
        )  # fmt: skip


@suggest_keywords
def compare_networks(
    judgement: Judgement,
    others: Mapping[str, float] | pd.DataFrame,
    name: str,
    *,
    failed: bool = False,
    decision: str | None = None,
) -> NetworkScatter:
    """Hold recognition of metamers by other networks against another measure.

    Parameters
    ----------
    judgement : Judgement
        Each network's metamers need a judge that is not the network itself.
    others : mapping of str to float, or DataFrame
        A value for each network: then recognition is averaged over its layers. Or people's recognition by network and
        layer (:func:`read_human_recognition`): then each layer is a dot; natural stimuli are left out.
    name : str
        What the values are, with the unit, for the axis; people's recognition is drawn in per cent.
    failed : bool
        With the metamers whose match is not told from chance.
    decision : {"category", "word", "class"}, optional
        Verdicts of this decision only, which the axis names; default that which people can make, where it counts for
        any stimulus. Verdicts of several are never put together.

    Raises
    ------
    InputError
        No network (or layer) is in both, or no metamer passed.

    Examples
    --------
    >>> compare_networks(verdicts, {"torchvision:alexnet@IMAGENET1K_V1": 2.0}, "Accuracy (%)")  # doctest: +SKIP
    """
    import pandas as pd

    judgement.select_metamers(decision, failed=failed)
    found: Any = judgement.recognize_by_others(failed=failed)
    chosen = judgement.decision if decision is None else decision
    if decision is not None:
        found = judgement.recognize_by_others(failed=failed, decision=decision)
    found = found[(found["layer"] != NATURAL) & (found["decision"] == chosen)]
    if isinstance(others, pd.DataFrame):
        people: Any = others[others["layer"] != NATURAL]
        values = people[["model", "layer"]].assign(y=100 * people["accuracy"])
        table = found.merge(values, on=["model", "layer"])
    else:
        table = found.groupby("model", sort=False)["accuracy"].mean().reset_index()
        table = table[table["model"].isin(list(others))].assign(
            layer="", y=lambda rows: [others[model] for model in rows["model"]]
        )
    if not len(table):
        raise InputError(
            f"networks with both {name} and judges other than themselves", got="none", hint="further --models"
        )
    table = table.assign(x=100 * table["accuracy"].astype(float), y=table["y"].astype(float))
    table = table[["model", "layer", "x", "y"]].reset_index(drop=True)
    axis = RECOGNITION.replace("(%)", f"({describe_decisions([chosen])}, %)")
    return NetworkScatter(table, axis, name, correlate(table["x"], table["y"]))
