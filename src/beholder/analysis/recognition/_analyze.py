"""``analyze recognition``: how often people and networks are right, and where they part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED
from beholder.analysis._result import Result, make_result
from beholder.analysis.recognition._answers import Answers, name_missing, open_answers
from beholder.analysis.recognition._cells import choose_by, file_answers, leave_out_untold, list_cells
from beholder.analysis.recognition._confusion import (
    MOST_LABELS,
    NO_ANSWER,
    Confusions,
    clean,
    count_confusions,
    list_confusion_rows,
)
from beholder.analysis.recognition._cues import add_texture, iter_cue_rows, note_cues
from beholder.analysis.recognition._generators import (
    average_layers,
    iter_generator_rows,
    list_generators,
    list_measure_rows,
    read_measures,
)
from beholder.analysis.recognition._joining import is_told
from beholder.analysis.recognition._matched import list_matched_rows, match_answers
from beholder.analysis.recognition._matrices import analyze_matrices, open_matrices
from beholder.analysis.recognition._proportions import (
    PROPORTION,
    iter_differences,
    iter_proportions,
    note_equal_people,
)
from beholder.analysis.recognition._turns import get_turn, keep_matrix


@suggest_keywords
def analyze_recognition(
    answers: Any,
    networks: Any = None,
    *,
    columns: Mapping[str, str] | Sequence[str] | None = None,
    id_pattern: str | None = None,
    include_excluded: bool = False,
    by: Sequence[str] | None = None,
    stages: Sequence[str] | None = None,
    texture_pattern: str | None = None,
    chance: float | None = None,
    rule: str | None = None,
    attacked: Path | str | None = None,
    attack: str | None = None,
    brain: Path | str | None = None,
    seed: int = DEFAULT_SEED,
) -> Result:
    """How often people and networks are right, by condition, level or layer, and what they answer where they are not.

    Parameters
    ----------
    answers : Trials, DataFrame, path or sequence of path
        Single answers, as :func:`beholder.responses.read_trials` reads them; those whose ``rule`` is told are a
        network's, all others a person's. Or ``.mat`` and ``.npy`` files in the published form, participants × stages ×
        [human, network], one a network, each also as ``"NETWORK=FILE"``.
    networks : Trials, DataFrame, Judgement, path or sequence of path, optional
        Answers of networks to the same stimuli; also what judges said of metamers, or the folders of these.
    columns, id_pattern, include_excluded
        As for :func:`beholder.responses.read_trials`.
    by : sequence of str, optional
        Columns that tell cells apart; default those that vary of network and layer, else level, else condition.
    stages : sequence of str, optional
        Values of the last of ``by``, in order, which alone are counted; of matrices the names of their stages.
    texture_pattern : str, optional
        Of stimuli whose cues disagree: a regular expression whose group in the stimulus's id is the texture's label;
        ``truth`` is the shape's. A column ``texture`` says the same.
    chance : float in (0, 1), optional
        Proportion correct by guessing; default 1 over the answers that an exported experiment had to choose
        from, of other tables over the labels that occur.
    rule : {"first", "mean", "max", "sum"}, optional
        Of networks whose tables do not tell by which rule a category follows from their outputs.
    attacked, brain : path, optional
        Accuracy under attack and prediction of brains of the networks that stimuli were made for, as for
        ``beholder metamers judge``.
    attack : str, optional
        Which attack, ``NORM:EPS``.
    seed : int
        Of bootstrap draws, where one observer answered stimuli several times.

    Returns
    -------
    Result
        ``kind`` is ``recognition``. Statistics: ``proportion correct`` (of people, each person, each network),
        ``difference``, ``proportion correct on the stimuli of one person`` (of a network), ``confusion``, ``shape
        bias`` and choices, ``recognised`` (of each network's stimuli, all layers), measures and their correlations. The
        column ``observer`` says whose they are, ``rule`` a network's decision rule, ``n_answers`` how many answers.
        ``n`` is what the interval is over: people for people, stimuli for one observer.

    Raises
    ------
    InputError
        Answers that are neither right nor wrong; nothing in common; single answers and matrices at once.

    Notes
    -----
    Shape bias: Geirhos et al. 2019, ICLR. Matched scoring: Feather et al. 2023, Nature Neuroscience 26.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [(who, f"s{k}", "ab"[k % 2], k % 3 > n) for n, who in enumerate(["p1", "p2"]) for k in range(12)]
    >>> people = pd.DataFrame(rows, columns=["participant", "stimulus", "condition", "correct"])
    >>> found = analyze_recognition(people)
    >>> found.table.query("observer == 'people' and target == 'all'")[["estimate", "n"]].to_numpy().tolist()
    [[0.5, 2.0]]
    """
    if chance is not None and not 0 < chance < 1:
        raise InputError("a --chance between 0 and 1", got=f"{chance:g}")
    matrices = open_matrices(answers)
    measured = {"attacked": attacked, "attack": attack, "brain": brain}
    if matrices is not None:
        if networks is not None or by or columns or texture_pattern or id_pattern or rule:
            raise InputError("matrices alone", got="matrices with flags of single answers, such as --networks or --by")
        return analyze_matrices(matrices, stages, chance, measured, seed)
    opened = open_answers(
        answers, networks, columns=columns, id_pattern=id_pattern, include_excluded=include_excluded, rule=rule,
        by=by or (),
    )  # fmt: skip
    return _analyze_answers(opened, by, stages, texture_pattern, id_pattern, chance, measured, seed)


def _analyze_answers(
    opened: Answers, by: Sequence[str] | None, stages: Sequence[str] | None, texture_pattern: str | None,
    id_pattern: str | None, chance: float | None, measured: Mapping[str, Any], seed: int,
) -> Result:  # fmt: skip
    chosen = choose_by(opened.people if len(opened.people) else opened.networks, by)
    own, untold = leave_out_untold(opened.people, chosen, "people")
    others, more_untold = leave_out_untold(opened.networks, chosen, "networks")
    opened = replace(opened, people=own, networks=others, notes=(*opened.notes, *untold, *more_untold))
    people = file_answers(add_texture(opened.people, texture_pattern), chosen)
    for name in opened.rules:
        own = opened.networks[opened.networks["participant"] == name]
        lacking = [e for e in chosen if e not in own.columns or (e == chosen[-1] and not is_told(own, e))]
        if lacking:
            got = f"those of {name} without {', '.join(lacking)}"
            raise InputError(f"networks' answers by {', '.join(chosen)}", got=got, hint="--columns, or --by")
    networks = file_answers(add_texture(opened.networks, texture_pattern), chosen if len(opened.networks) else ())
    cells = list_cells([people, networks], chosen, stages)
    keys = [cell.key for cell in cells]
    people, networks = (table[table["cell"].isin(keys)].reset_index(drop=True) for table in (people, networks))
    if not len(people) and not len(networks):
        raise InputError("at least one answer in the stages", got="none")
    counted = Answers(people, networks, opened.rules, opened.shown, opened.is_joined, opened.sentences, opened.notes)
    notes = [*opened.notes, *(name_missing(people, keys, "participant") if len(people) else [])]
    notes += [*(name_missing(networks, keys, "network") if len(networks) else []), *note_cues(counted)]
    rows = [*iter_proportions(counted, cells, seed), *iter_differences(counted, cells)]
    notes += note_equal_people(rows)
    rows += iter_cue_rows(counted, cells, seed)
    generators = list_generators(cells)
    rows += iter_generator_rows(counted, cells, seed)
    measures = read_measures(generators, **measured)
    more, further = list_measure_rows(average_layers([row for row in rows if row["statistic"] == PROPORTION]), measures)
    rows, notes = [*rows, *more], [*notes, *further]
    matched, unmatched = match_answers(counted, cells)
    notes += unmatched
    arrays: dict[str, np.ndarray] = {}
    for place, (matrix, stages_of, name) in enumerate(matched):
        arrays |= keep_matrix(place, matrix)
        rows += list_matched_rows(matrix, stages_of, opened.rules[name])
    confusions = count_confusions(counted, cells)
    if confusions is not None:
        rows += list_confusion_rows(confusions, cells, opened.rules)
        arrays |= _keep_confusions(confusions)
    rows.sort(key=get_turn)
    labels = _list_labels(counted)
    n_choices = max(len(labels), opened.n_choices)
    settings: dict[str, Any] = {
        "form": "answers", "by": chosen, "stages": list(stages or ()), "networks": list(opened.rules),
        "rules": opened.rules, "n_people": len(set(people["participant"])) if len(people) else 0,
        "n_labels": len(labels), "chance": chance or (1 / n_choices if n_choices > 1 else None),
        "chance_of": "given" if chance else "choices" if n_choices > len(labels) else "labels" if labels else "",
        "id_pattern": id_pattern, "texture_pattern": texture_pattern, "is_joined": opened.is_joined, "seed": seed,
        "cells": [cell.to_words() for cell in cells],
        "matched": [
            {"name": m.name, "n_people": len(m.participants), "stages": list(m.stages)} for m, _, _ in matched
        ],
        "sentences": list(opened.sentences), "inputs": counted.content,
    }  # fmt: skip
    return make_result("recognition", rows, settings, warnings=notes, arrays=arrays)


def _list_labels(answers: Answers) -> list[str]:
    """What can be answered: labels that occur, as answers or as truths; none where they are too many to be choices."""
    found: set[str] = set()
    for table in (answers.people, answers.networks):
        for column in ("truth", "response") if len(table) and "truth" in table.columns else ():
            found |= {clean(value) for value in table[column]} if column in table.columns else set()
    found.discard(NO_ANSWER)
    return sorted(found) if len(found) <= MOST_LABELS else []


def _keep_confusions(found: Confusions) -> dict[str, np.ndarray]:
    return {
        "confusions": found.counts, "confusions_observers": np.array(found.observers),
        "confusions_labels": np.array(found.labels), "confusions_answers": np.array(found.answers),
    }  # fmt: skip
