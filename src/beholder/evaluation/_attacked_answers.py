"""A network's answers to attacked stimuli as a table, a row a stimulus and radius, and what is known of the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import read_json_object, write_json
from beholder._core.notebooks import render_table
from beholder._core.tables import write_parquet
from beholder._core.wording import format_count
from beholder.evaluation._attack_plan import Chain
from beholder.evaluation._attack_protocol import NONE
from beholder.evaluation._labels import Labels
from beholder.jobs import check_content
from beholder.stimuli import StimulusSet

if TYPE_CHECKING:
    import pandas as pd

_KINDS = {
    "stimulus": "string", "label": "string", "norm": "string", "attack": "string", "source": "string",
    "base": "string", "eps": "float64", "radii": "string", "top1": "bool", "top5": "bool", "answer": "string",
    "size": "float64", "found_at": "float64", "reached": "bool", "top1_saved": "bool", "top5_saved": "bool",
    "size_saved": "float64",
}  # fmt: skip


@final
@dataclass(frozen=True, repr=False, eq=False)
class AttackedAnswers:
    """What a network answers to stimuli, as they are and attacked.

    Attributes
    ----------
    table : DataFrame
        ``stimulus, label, norm, attack, source, base, eps, radii, top1, top5, answer, size, found_at``: whether the
        label is the first answer, or among the first five, at this radius and all smaller ones of the run; the answer
        to the stimulus that was found, the length of its perturbation and the radius at which it was found. Clean
        stimuli have the attack ``none`` and eps 0. Of saved stimuli also ``top1_saved, top5_saved, size_saved``, of
        targeted attacks ``reached``.
    facts : dict
        Network, protocol, settings, and what was looked at on the way.
    """

    table: pd.DataFrame
    facts: dict[str, Any]

    def __repr__(self) -> str:
        attacks = ", ".join(sorted({each["attack"] for each in self.facts["levels"]}))
        return (
            f"AttackedAnswers({self.facts['model']}: "
            f"{format_count(self.facts['settings']['n_stimuli'], 'stimulus')}, {attacks})"
        )

    def _repr_html_(self) -> str:
        """Its first rows, for notebooks."""
        return render_table(repr(self), self.to_pandas())

    def to_pandas(self) -> pd.DataFrame:
        """The table, a copy."""
        return self.table.copy()


def make_attacked_table(
    stimuli: StimulusSet, labels: Labels, chains: Sequence[Chain], made: Mapping[str, Any]
) -> pd.DataFrame:
    """Rows of the clean stimuli, then of every chain and radius."""
    import pandas as pd

    n = len(stimuli)
    names = labels.classes
    clean: dict[str, np.ndarray] = made["clean"]
    held: list[tuple[Chain, float, Mapping[str, np.ndarray]]] = [
        (Chain("", NONE, (), "", "", ""), 0.0, {**clean, "size": np.zeros(n), "found_at": np.zeros(n)}),
        *made["columns"],
    ]
    frames: list[pd.DataFrame] = []
    for chain, eps, columns in held:
        own: dict[str, Any] = {
            "stimulus": list(stimuli.ids), "label": list(labels.names), "norm": [chain.norm] * n,
            "attack": [chain.attack] * n, "source": [chain.source] * n, "base": [chain.base] * n, "eps": [eps] * n,
            "radii": [_show(chain.radii)] * n, "top1": columns["top1"], "top5": columns["top5"],
            "answer": [names[i] if names else str(i) for i in columns["answer"].tolist()],
            "size": columns["size"], "found_at": columns["found_at"],
            **{name: columns[name] for name in ("top1_saved", "top5_saved") if name in columns},
        }  # fmt: skip
        for name, default in (("reached", False), ("size_saved", 0.0)):
            if any(name in each for _, _, each in made["columns"]):
                own[name] = columns.get(name, np.full(n, default))
        frames.append(pd.DataFrame(own))
    return pd.concat(frames, ignore_index=True)


def _show(radii: Sequence[float]) -> str:
    return " ".join(f"{each:.9g}" for each in radii)


def write_attacked(path: Path, table: pd.DataFrame, facts: Mapping[str, Any]) -> None:
    """Write the table and, beside it, the facts; equal ones give equal bytes."""
    write_parquet(path, table, {name: kind for name, kind in _KINDS.items() if name in table.columns})
    write_json(path.with_suffix(".json"), dict(facts))


@suggest_keywords
def read_attacked(folder: Path | str) -> list[AttackedAnswers]:
    """Answers of all networks in a folder that :func:`attack_stimuli` wrote, by name.

    Raises
    ------
    InputError
        A table that cannot be read.
    """
    import pandas as pd

    found: list[AttackedAnswers] = []
    for path in sorted(Path(folder).glob("*.json")):
        if path.name == "provenance.json" or not path.with_suffix(".parquet").is_file():
            continue
        check_content(Path(folder), path, path.with_suffix(".parquet"))
        facts = read_json_object(path, "model", "path_name", "settings", "levels", "checks", "protocol")
        try:
            table = pd.read_parquet(path.with_suffix(".parquet"))
        except (OSError, ValueError) as error:
            raise InputError("answers to attacked stimuli", got=f"{path.with_suffix('.parquet')} ({error})") from error
        found.append(AttackedAnswers(table, facts))
    return found
