"""A network scored on the very stimuli of each participant: participants × stages × [human, network]."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from beholder._core.wording import format_count
from beholder.analysis.recognition._answers import Answers
from beholder.analysis.recognition._cells import Cell
from beholder.analysis.recognition._proportions import (
    NETWORK,
    make_row,
    match_network,
    take_cell,
)
from beholder.responses import OBSERVERS, RecognitionMatrix
from beholder.statistics import compute_mean_interval

MATCHED = "proportion correct on the stimuli of one person"
Matched = tuple[RecognitionMatrix, list[Cell], str]


def match_answers(answers: Answers, cells: Sequence[Cell]) -> tuple[list[Matched], list[str]]:
    """For each network, people's proportions correct and its own on the same stimuli, stage by stage.

    Parameters
    ----------
    answers : Answers
        Joined.
    cells : sequence of Cell

    Returns
    -------
    matched : list of (RecognitionMatrix, list of Cell, str)
        The cells of its stages, and the network. Named as the network; where stimuli were made for several networks,
        one for each of these that answers itself, with the originals and its own layers, else one for each network that
        answers and each that they were made for.
    notes : list of str
        What could not be matched.
    """
    if not answers.is_joined:
        return [], []
    made: list[Matched] = []
    notes: list[str] = []
    people = sorted({str(name) for name in answers.people["participant"]})
    for name in answers.rules:
        for title, own in _list_stages(name, cells):
            values = np.full((len(people), len(own), 2), np.nan)
            n_all = n_matched = 0
            for place, cell in enumerate(own):
                rows = take_cell(answers.people, cell)
                matched = match_network(answers, rows, name)
                n_all, n_matched = n_all + len(rows), n_matched + len(matched)
                if not len(matched):
                    continue
                means: Any = matched.groupby("participant")[["correct", "network"]].mean()
                for who, human, network in means.itertuples():
                    values[people.index(str(who)), place] = human, network
            there = np.asarray(np.isfinite(values).any(axis=(1, 2)))
            stages_there = np.asarray(np.isfinite(values).any(axis=(0, 2)))
            if not there.any():
                continue
            if n_matched < n_all:
                notes.append(
                    f"{title}: {n_all - n_matched:,} of {format_count(n_all, 'answer')} "
                    "of people are to stimuli that the network "
                    "did not answer; the matched proportions are without them."
                )
            kept = [cell for cell, has in zip(own, stages_there, strict=True) if has]
            names = [who for who, has in zip(people, there, strict=True) if has]
            stages = tuple(cell.stage for cell in kept)
            matrix = RecognitionMatrix(values[there][:, stages_there], tuple(names), stages, OBSERVERS, title)
            made.append((matrix, kept, name))
    return made, notes


def _list_stages(name: str, cells: Sequence[Cell]) -> Iterator[tuple[str, list[Cell]]]:
    """What a network's matrices are called, and their stages."""
    generators = list(dict.fromkeys(cell.generator for cell in cells if cell.generator and not cell.is_original))
    if not generators:
        yield name, list(cells)
        return
    for generator in [name] if name in generators else generators:
        own = [cell for cell in cells if cell.generator == generator or cell.is_original]
        yield (name if generator == name else f"{name} on {generator}"), own


def list_matched_rows(matrix: RecognitionMatrix, cells: Sequence[Cell], rule: str) -> list[dict[str, Any]]:
    """A row for the network on each person's stimuli, at each stage."""
    rows: list[dict[str, Any]] = []
    for place, cell in enumerate(cells):
        for who, (human, network) in zip(matrix.participants, matrix.values[:, place], strict=True):
            if np.isfinite(network):
                found = compute_mean_interval([network])
                words: dict[str, Any] = {"model": matrix.name, "subject": who, "rule": rule, "person": float(human)}
                rows.append(make_row(cell, MATCHED, "no interval", found, observer=NETWORK, **words))
    return rows
