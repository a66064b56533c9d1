"""Networks' verdicts on metamers: the table, proportions by layer and by pair of networks, pictures."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError, suggest_keywords, suggest_method_keywords
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.tables import save_frame
from beholder._core.wording import format_count, format_number
from beholder.evaluation._judgement_table import JUDGEMENTS, NATURAL, read_judgement_table
from beholder.evaluation._metamer_sets import find_metamer_sets, refuse_twins
from beholder.evaluation._summaries import summarize_verdicts
from beholder.evaluation._verdicts import DECISIONS
from beholder.stimuli import MetamerSet, read_metamer_table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CHANCE = {"category": 1 / 16, "word": 1 / 793}
_DECISION_WORDS = {"category": "16 categories", "word": "words", "class": "own classes"}


@suggest_method_keywords
@final
@dataclass(frozen=True, repr=False, eq=False)
class Judgement:
    """What judging networks say of metamers, as :func:`judge_metamers` gives it.

    Attributes
    ----------
    table : DataFrame
        A row a verdict: ``model`` (whose metamer it is), ``judge``, ``decision`` (``category``, ``word`` or ``class``),
        ``layer`` (matched; empty for the original itself), ``stimulus_id``, ``seed``, ``verdict``, ``reference``,
        ``against`` (who says what is right: ``label``, ``maker``, ``judge``), ``correct``, ``sha256`` of the file,
        ``rule`` (of categories), ``main`` (whether the decision is the one that counts for the stimulus), and
        ``passed``: whether the metamer is one, empty where no null distribution has told.
    layers : dict of str to tuple of str
        Matched layers of each network, early to late.

    Examples
    --------
    >>> import beholder as bh
    >>> picture = bh.StimulusSet.from_folder("images")[:1]
    >>> few = {"iterations": 4, "measured": ["block2"]}
    >>> made = bh.make_metamers("beholder:shapes", picture, ["block2"], out_path="metamers", **few)
    >>> verdicts = bh.judge_metamers("metamers", "beholder:shapes")
    >>> verdicts.models == verdicts.judges, len(verdicts.table)
    (True, 2)
    """

    table: pd.DataFrame
    layers: dict[str, tuple[str, ...]]

    def __repr__(self) -> str:
        n = len(self.table[["model", "layer", "stimulus_id", "seed"]].drop_duplicates())
        networks, judges = format_count(len(self.models), "network"), format_count(len(self.judges), "judge")
        verdicts = format_count(len(self.table), "verdict")
        return f"Judgement({format_count(n, 'stimulus')} from {networks}, {judges}, {verdicts})"

    def _repr_html_(self) -> str:
        """Proportions by layer, for notebooks."""
        table = self.recognize_layers().to_html(index=False, float_format=format_number)
        return f"<p>{html.escape(repr(self))}</p>{table}"

    @property
    def models(self) -> tuple[str, ...]:
        """Networks whose metamers were judged."""
        return tuple(dict.fromkeys(self.table["model"]))

    @property
    def judges(self) -> tuple[str, ...]:
        """Networks that judged."""
        return tuple(dict.fromkeys(self.table["judge"]))

    @property
    def decision(self) -> str:
        """The decision of scatters: of those that count for stimuli, the one that people can make, too."""
        made = set(self.table.loc[self.table["main"], "decision"])
        return next(each for each in DECISIONS if each in made)

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        return self.table.copy()

    def save(self, path: Path | str) -> Path:
        """Write the table as ``.csv`` or ``.parquet``, by rename."""
        return save_frame(self.table, path)

    def select(self, decision: str | None = None, *, failed: bool = False) -> pd.DataFrame:
        """Verdicts of one decision a judge and stimulus; of metamers that did not pass only if asked.

        Parameters
        ----------
        decision : {"category", "word", "class"}, optional
            Default for each stimulus the one that counts: see :func:`judge_metamers`.
        failed : bool
            With the metamers whose match the null distribution does not tell from chance.
        """
        table: Any = self.table
        if decision is None:
            table = table[table["main"].astype(bool)]
        else:
            table = table[table["decision"] == decision]
            if not len(table):
                made = ", ".join(dict.fromkeys(self.table["decision"]))
                raise InputError(f"a decision that was made: {made}", got=repr(decision))
        return table if failed else table[table["passed"].fillna(True).astype(bool)]

    def select_metamers(self, decision: str | None = None, *, failed: bool = False) -> pd.DataFrame:
        """Verdicts as by :meth:`select`, without those on originals.

        Raises
        ------
        InputError
            No metamer passed, and ``failed`` is off.
        """
        table: Any = self.select(decision, failed=failed)
        table = table[table["layer"] != NATURAL]
        if not failed and not len(table):
            left_out = self.select_metamers(decision, failed=True)
            n = len(left_out[["model", "layer", "stimulus_id", "seed"]].drop_duplicates())
            raise InputError(
                "metamers that passed", got=f"{n} that did not: no match that null distributions tell from chance",
                hint="--failed, to count them all the same",
            )  # fmt: skip
        return table

    def recognize_layers(
        self,
        decision: str | None = None,
        *,
        interval: str = "wilson",
        failed: bool = False,
        seed: int = DEFAULT_SEED,
    ) -> pd.DataFrame:
        """Proportion of right verdicts by network, judge and layer, the originals (empty layer) first.

        Parameters
        ----------
        decision, failed
            As for :meth:`select`.
        interval, seed
            As for :func:`~beholder.evaluation.summarize_verdicts`.
        """
        found = summarize_verdicts(
            self.select(decision, failed=failed),
            ["model", "judge", "decision", "rule", "layer"],
            interval=interval,
            seed=seed,
        )
        place = {(model, layer): i for model in self.layers for i, layer in enumerate((NATURAL, *self.layers[model]))}
        found["place"] = [place.get(key, len(place)) for key in zip(found["model"], found["layer"], strict=True)]
        found = found.sort_values(["model", "judge", "decision", "place"], kind="stable")
        return found.drop(columns="place").reset_index(drop=True)

    def recognize_models(
        self,
        decision: str | None = None,
        *,
        interval: str = "wilson",
        failed: bool = False,
        seed: int = DEFAULT_SEED,
    ) -> pd.DataFrame:
        """Proportion of right verdicts on all layers' metamers by generating network and judge: the matrix, a table."""
        table = self.select_metamers(decision, failed=failed)
        return summarize_verdicts(table, ["model", "judge", "decision", "rule"], interval=interval, seed=seed)

    def to_matrix(self, decision: str | None = None, *, failed: bool = False) -> pd.DataFrame:
        """Generating network × judge, proportion of right verdicts over all layers; empty where a judge was not asked.

        Returns
        -------
        DataFrame
            Rows by ``model`` and ``decision``: what was decided otherwise has another chance, and a row of its own.
        """
        found = self.recognize_models(decision, failed=failed)
        rows = set(zip(found["model"], found["decision"], strict=True))
        wide: Any = found.pivot(index=["model", "decision"], columns="judge", values="accuracy")
        keys = [(name, each) for name in self.models for each in DECISIONS if (name, each) in rows]
        return wide.loc[keys, [name for name in self.judges if name in set(found["judge"])]]

    def recognize_by_others(self, *, decision: str | None = None, failed: bool = False) -> pd.DataFrame:
        """Mean proportion of right verdicts by other judges than the network itself, by network, layer and decision.

        Returns
        -------
        DataFrame
            ``model, layer, decision, n_judges, accuracy``; the originals have the empty layer.
        """
        found = self.recognize_layers(decision, failed=failed)
        others = found[found["model"] != found["judge"]]
        by = ["model", "layer", "decision"]
        means = others.groupby(by, sort=False)["accuracy"].agg(["count", "mean"]).reset_index()
        return means.rename(columns={"count": "n_judges", "mean": "accuracy"})

    def _name_rows(self, models: Sequence[str], decisions: Sequence[str]) -> list[str]:
        """Short names of networks, with the decision where there are several."""
        own = dict(zip(self.models, shorten_names(self.models), strict=True))
        several = len(set(decisions)) > 1
        return [
            f"{own[model]} ({_DECISION_WORDS[each]})" if several else own[model]
            for model, each in zip(models, decisions, strict=True)
        ]

    def plot(self, ax: Axes | None = None, *, decision: str | None = None, failed: bool = False) -> Axes:
        """Draw the matrix generating × judging network.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        decision, failed
            As for :meth:`select`.
        """
        from beholder.figures import plot_proportion_matrix

        matrix = self.to_matrix(decision, failed=failed)
        models, decisions = (list(matrix.index.get_level_values(name)) for name in ("model", "decision"))
        return plot_proportion_matrix(
            matrix.to_numpy(dtype=float), self._name_rows(models, decisions), shorten_names(matrix.columns), ax,
            row_name="Metamers of", column_name="Judged by", value_name="Recognised (%)",
        )  # fmt: skip

    def plot_layers(self, *, decision: str | None = None, failed: bool = False, interval: str = "wilson") -> Figure:
        """Draw proportions of right verdicts by layer, a panel a generating network, a line a judge."""
        from beholder.figures import plot_proportions_by_layer

        found: Any = self.recognize_layers(decision, failed=failed, interval=interval)
        names = dict(zip(self.judges, shorten_names(self.judges), strict=True))
        kinds = [(m, d) for m in dict.fromkeys(found["model"]) for d in DECISIONS]
        kinds = [key for key in kinds if key in set(zip(found["model"], found["decision"], strict=True))]
        chances = {CHANCE.get(decision) for _, decision in kinds}
        chance = next(iter(chances)) if len(chances) == 1 else None
        panels = {}
        for (model, kind), title in zip(kinds, self._name_rows(*zip(*kinds, strict=True)), strict=True):
            rows = found[(found["model"] == model) & (found["decision"] == kind)]
            panels[title] = {
                names[judge]: _read_line(rows[rows["judge"] == judge]) for judge in dict.fromkeys(rows["judge"])
            }
        counts = sorted(set(found["n"]))
        n = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        words = f"95 % interval ({interval.capitalize()}), n = {n}"
        return plot_proportions_by_layer(panels, chance=chance, interval=words)


def describe_decisions(decisions: Iterable[str]) -> str:
    """Decisions in words: ``16 categories, own classes``."""
    return ", ".join(_DECISION_WORDS[each] for each in DECISIONS if each in set(decisions))


@suggest_keywords
def read_judgements(folder: Path | str, sets: Sequence[str] | None = None) -> Judgement:
    """Read what :func:`judge_metamers` has written.

    Parameters
    ----------
    folder : path
        ``metamers/{model}``, or a folder of several of these.
    sets : sequence of str, optional
        Names of the folders in it that are wanted; default all.

    Raises
    ------
    InputError
        Nothing was judged there; two sets of one network.
    """
    import pandas as pd

    tables, layers = [], {}
    judged = [path for path in find_metamer_sets(folder, sets) if (path / JUDGEMENTS).exists()]
    refuse_twins([MetamerSet(path) for path in judged], folder)
    for path in judged:
        results: Any = read_metamer_table(path)
        own = results[results["layer"] == results["measured_layer"]]
        passed = own[["layer", "stimulus_id", "seed", "passed"]].drop_duplicates(["layer", "stimulus_id", "seed"])
        tables.append(read_judgement_table(path).merge(passed, on=["layer", "stimulus_id", "seed"], how="left"))
        for model in dict.fromkeys(results["model"]):
            layers[str(model)] = tuple(dict.fromkeys(results.loc[results["model"] == model, "layer"]))
    if not tables:
        raise InputError("metamers that were judged", got=f"none in {folder}", hint="`beholder metamers judge` first")
    return Judgement(pd.concat(tables, ignore_index=True), layers)


@suggest_keywords
def shorten_names(names: object) -> list[str]:
    """Names without source and weights, as far as they stay different.

    >>> shorten_names(["torchvision:alexnet@IMAGENET1K_V1", "beholder:shapes@v1"])
    ['alexnet', 'shapes']
    """
    names = [str(name) for name in names]  # type: ignore[attr-defined]
    for shorten in (lambda n: n.partition(":")[2].partition("@")[0] or n, lambda n: n.partition(":")[2] or n):
        short = [shorten(name) for name in names]
        if len(set(short)) == len(set(names)):
            return short
    return names


def _read_line(rows: pd.DataFrame) -> dict[str, tuple[float, float, float]]:
    values = zip(rows["layer"], rows["accuracy"], rows["low"], rows["high"], strict=True)
    return {layer or "original": (float(rate), float(low), float(high)) for layer, rate, low, high in values}
