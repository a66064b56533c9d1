"""Which networks and stages the published metamer experiments showed to people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, final

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.notebooks import render_table
from beholder._core.tables import read_records

if TYPE_CHECKING:
    import pandas as pd

_DATA = Path(__file__).parents[1] / "_data" / "metamer_experiments.csv"

Modality = Literal["vision", "audio"]


@final
@dataclass(frozen=True)
class MetamerExperiment:
    """One experiment.

    Parameters
    ----------
    modality : {"vision", "audio"}
    number : int
        In the published files; the paper counts otherwise.
    paper_number : int
        In the paper.
    title : str
    stages : mapping of str to tuple of str
        Each network, in the order of the published files, with its stages from early to late. In the published tables
        of answers a column for natural stimuli stands before them.
    """

    modality: Modality
    number: int
    paper_number: int
    title: str
    stages: Mapping[str, tuple[str, ...]]

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks, in the order of the published files."""
        return tuple(self.stages)

    @property
    def human_asset(self) -> str:
        """The asset that holds what people answered."""
        return f"human-{self.modality}-{self.number}"

    @property
    def examples_asset(self) -> str:
        """The asset that holds the stimuli."""
        return f"examples-{self.modality}-{self.number}"

    def _repr_html_(self) -> str:
        """Its first rows, for notebooks."""
        return render_table(self.title, self.to_pandas())

    def to_pandas(self) -> pd.DataFrame:
        """A row a stage: ``modality, experiment, paper_experiment, title, network, position, stage``."""
        import pandas as pd

        rows = [
            (self.modality, self.number, self.paper_number, self.title, network, position, stage)
            for network, stages in self.stages.items()
            for position, stage in enumerate(stages)
        ]
        columns = ["modality", "experiment", "paper_experiment", "title", "network", "position", "stage"]
        return pd.DataFrame(rows, columns=columns)


@lru_cache(maxsize=1)
def load_metamer_experiments() -> tuple[MetamerExperiment, ...]:
    """All published experiments, those with pictures first.

    Source: Feather et al. (2023), model_analysis_folders/all_model_info.py.

    >>> [experiment.number for experiment in load_metamer_experiments() if experiment.modality == "audio"]
    [1, 3, 4, 6, 7, 8]
    """
    rows = read_records(_DATA)
    keys = dict.fromkeys((row["modality"], int(row["experiment"])) for row in rows)
    made = []
    for modality, number in keys:
        own = [row for row in rows if (row["modality"], int(row["experiment"])) == (modality, number)]
        stages = MappingProxyType({row["network"]: tuple(row["stages"].split()) for row in own})
        made.append(MetamerExperiment(modality, number, int(own[0]["paper_experiment"]), own[0]["title"], stages))  # type: ignore[arg-type]
    return tuple(made)


@suggest_keywords
def get_metamer_experiment(modality: Modality, number: int) -> MetamerExperiment:
    """One experiment by its number in the published files.

    Raises
    ------
    InputError
        There is no such experiment.

    >>> get_metamer_experiment("vision", 9).networks[-1]
    'vonealexnet_gaussian_noise_std4_fixed'
    """
    known = {(each.modality, each.number): each for each in load_metamer_experiments()}
    if (modality, number) not in known:
        numbers = ", ".join(f"{kind} {n}" for kind, n in known)
        raise InputError("a published experiment", got=f"{modality} {number}", hint=f"one of {numbers}")
    return known[modality, number]
