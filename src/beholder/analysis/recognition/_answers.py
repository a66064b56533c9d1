"""Single answers of people apart from those of networks, joined by stimulus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.hashing import hash_settings
from beholder._core.wording import format_count
from beholder.analysis.recognition._joining import Shown, join_answers
from beholder.evaluation import Judgement, read_judgements
from beholder.responses import Trials, read_trials
from beholder.stimuli import CATEGORY_RULES, is_metamer_set, list_metamer_sets

ORIGINAL = "original"
ORIGINALS = ("", "natural", "orig", ORIGINAL)
_SHOWN_NAMES = 3
_OWN_CLASSES = "first"
"""The rule of judges that name one of their own classes: the most likely one."""


@final
@dataclass(frozen=True, eq=False)
class Answers:
    """Answers of people, and of networks to the same stimuli.

    Attributes
    ----------
    people, networks : DataFrame
        Columns of trial tables with ``participant`` and ``correct`` always there. Networks' rows are those whose
        stimuli people were shown, where both tell.
    rules : dict of str to str
        The decision rule of each network, empty where it is not told.
    shown : dict of str to tuple of str
        Columns that tell, beside the stimulus, what a network and people were shown.
    is_joined : bool
        Whether networks answered stimuli that people were shown.
    sentences : tuple of str
        What was read and joined.
    notes : tuple of str
        What a reader should know.
    n_choices : int
        Answers that people had to choose from, as far as experiments tell it; else 0.
    """

    people: Any
    networks: Any
    rules: dict[str, str]
    shown: Shown
    is_joined: bool
    sentences: tuple[str, ...]
    notes: tuple[str, ...]
    n_choices: int = 0

    @property
    def content(self) -> dict[str, str]:
        """A hash of people's answers, and of networks'."""
        return {
            side: hash_settings({str(name): [str(each) for each in table[name]] for name in table.columns})
            for side, table in (("people", self.people), ("networks", self.networks))
            if len(table)
        }


def open_answers(
    answers: Any,
    networks: Any,
    *,
    columns: Mapping[str, str] | Sequence[str] | None,
    id_pattern: str | None,
    include_excluded: bool,
    rule: str | None,
    by: Sequence[str] = (),
) -> Answers:
    """Read people's and networks' answers, and join them.

    Parameters
    ----------
    answers : Trials, DataFrame, path or sequence of path
        Answers whose ``rule`` is told are a network's, all others a person's.
    networks : Trials, DataFrame, Judgement, path or sequence of path, optional
        Answers of networks; also folders ``metamers/{model}`` (or of several of these) that were judged.
    columns, id_pattern, include_excluded
        As for :func:`beholder.responses.read_trials`.
    rule : str, optional
        Of networks whose tables do not tell it.
    by : sequence of str
        Columns by which answers will be told apart.

    Raises
    ------
    InputError
        Answers that are neither right nor wrong; a name of a person and a network; nothing in common.
    """
    import pandas as pd

    if rule is not None and rule not in CATEGORY_RULES:
        raise UnknownNameError("rule", rule, CATEGORY_RULES)
    reading: dict[str, Any] = {
        "columns": columns, "id_pattern": id_pattern, "include_excluded": include_excluded, "further": by
    }  # fmt: skip
    table, told, n_choices = _open(answers, reading)
    is_network = table["rule"].astype(str) != "" if "rule" in table.columns else np.zeros(len(table), dtype=bool)
    people, nets = table[~is_network], table[is_network]
    if networks is not None:
        others, more, _ = _open(networks, reading, judged=True)
        library: Any = pd
        nets = library.concat([nets, others], ignore_index=True) if len(nets) else others
        told = [*(f"People: {each}" for each in told), *(f"Networks: {each}" for each in more)]
    for part in (people, nets):
        if len(part):
            _check(part)
    twice = sorted(set(people["participant"]) & set(nets["participant"])) if len(nets) else []
    if twice:
        raise InputError("names that are a person's or a network's", got=f"both for {twice[0]!r}")
    rules, notes = _find_rules(nets, rule)
    people, nets, shown, joined, sentences, more_notes = join_answers(people.reset_index(drop=True), nets)
    rules = {name: each for name, each in rules.items() if name in shown}
    return Answers(people, nets, rules, shown, joined, (*told, *sentences), (*notes, *more_notes), n_choices)


def _open(source: Any, reading: Mapping[str, Any], judged: bool = False) -> tuple[Any, list[str], int]:
    """A table of answers, sentences on it, and how many answers there were to choose from (0: not told)."""
    if isinstance(source, Trials):
        return source.table.copy(), list(source.sentences), source.n_choices
    if isinstance(source, Judgement):
        table, sentence = _list_verdicts(source, "metamers")
        return table, [sentence], 0
    if hasattr(source, "columns"):
        trials = read_trials(source, **reading)
        return trials.table, list(trials.sentences), trials.n_choices
    several: list[Any] = [source] if isinstance(source, str | Path) else list(source)
    paths = [Path(each) for each in several]
    metamers = [path for path in paths if judged and _is_judged(path)]
    tables = [path for path in paths if path not in metamers]
    parts: list[Any] = []
    told: list[str] = []
    n_choices = 0
    if tables:
        trials = read_trials(*tables, **reading)
        n_choices = trials.n_choices
        parts.append(trials.table)
        told += trials.sentences
    for path in metamers:
        part, sentence = _list_verdicts(read_judgements(path), path.name)
        parts.append(part)
        told.append(sentence)
    if not parts:
        raise InputError("at least one file of answers", got="none")
    import pandas as pd

    library: Any = pd
    return (parts[0] if len(parts) == 1 else library.concat(parts, ignore_index=True)), told, n_choices


def _is_judged(path: Path) -> bool:
    return is_metamer_set(path) or bool(list_metamer_sets(path))


def _list_verdicts(found: Judgement, name: str) -> tuple[Any, str]:
    """What judging networks answered, in the columns of trial tables; one decision, that which people can make."""
    import pandas as pd

    verdicts: Any = found.select()
    chosen = verdicts[verdicts["decision"] == found.decision]
    is_original = chosen["layer"].astype(str) == ""
    table: Any = pd.DataFrame({
        "participant": chosen["judge"].astype(str), "stimulus": chosen["stimulus_id"].astype(str),
        "model": chosen["model"].astype(str).where(~is_original, ""),
        "layer": chosen["layer"].astype(str).where(~is_original, ORIGINAL),
        "truth": chosen["reference"].astype(str), "response": chosen["verdict"].astype(str),
        "correct": chosen["correct"].astype(bool),
        "rule": chosen["rule"].astype(str).where(chosen["rule"].astype(str) != "", _OWN_CLASSES),
        "seed": chosen["seed"],
    })  # fmt: skip
    table = table.drop_duplicates(["participant", "stimulus", "model", "layer", "seed"]).drop(columns="seed")
    left = len(verdicts) - len(chosen)
    more = f"; {left:,} by another decision than {found.decision} are left out" if left else ""
    judges = format_count(len(found.judges), "judge")
    return table.reset_index(drop=True), f"{format_count(len(table), 'verdict')} of {judges} of {name}{more}."


def _check(table: Any) -> None:
    if "correct" not in table.columns or table["correct"].isna().any():
        raise InputError(
            "answers that are right or wrong", got="a table without truth or correct", hint="--columns truth=…"
        )


def _find_rules(networks: Any, rule: str | None) -> tuple[dict[str, str], list[str]]:
    """The rule of each network, and a note on those that are not told."""
    found: dict[str, str] = {}
    names = dict.fromkeys(str(name) for name in networks["participant"]) if len(networks) else {}
    for name in names:
        own: Any = networks[networks["participant"] == name]
        said = {str(each) for each in own["rule"]} - {""} if "rule" in own.columns else set[str]()
        if len(said) > 1:
            raise InputError(f"one rule of {name}", got=" and ".join(sorted(said)), hint="tables of one rule each")
        if rule and said and said != {rule}:
            raise InputError(f"the rule that the table of {name} tells: {', '.join(said)}", got=f"--rule {rule}")
        found[name] = next(iter(said), rule or "")
    unknown = [name for name, each in found.items() if not each]
    notes = [
        f"By which rule the answers of {_list_names(unknown)} follow from outputs is not told in the tables; --rule "
        "says so."
    ]
    return found, notes if unknown else []


def _list_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(names[:_SHOWN_NAMES]) + more


def name_missing(table: Any, cells: Sequence[str], who: str) -> list[str]:
    """A note on participants (or networks) without answers in some of the cells."""
    found = {name: set(own["cell"]) for name, own in table.groupby("participant", sort=True)}
    lacking = {str(name): [cell for cell in cells if cell not in own] for name, own in found.items()}
    lacking = {name: missing for name, missing in lacking.items() if missing}
    if not lacking:
        return []
    name, missing = next(iter(lacking.items()))
    where = " ".join(missing[0].split("\n"))
    words = format_count(len(lacking), who)
    return [f"{words} without answers in some conditions ({name} in {where}): means there are over the others."]
