"""Published matrices, participants × stages × [human, network], in place of single answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from beholder._core.errors import InputError
from beholder._core.hashing import hash_array, hash_settings
from beholder._core.wording import format_count, use_verb
from beholder.analysis._result import Result, make_result
from beholder.analysis.recognition._cells import Cell
from beholder.analysis.recognition._generators import average_layers, list_measure_rows, read_measures
from beholder.analysis.recognition._proportions import (
    DIFFERENCE,
    NETWORK,
    OVER_PEOPLE,
    PEOPLE,
    PERSON,
    PROPORTION,
    make_row,
    note_equal_people,
)
from beholder.analysis.recognition._turns import get_turn, keep_matrix
from beholder.responses import MATRIX_SUFFIXES, RecognitionMatrix, read_recognition_matrix
from beholder.statistics import compute_mean_interval


def open_matrices(answers: Any) -> list[RecognitionMatrix] | None:
    """Matrices, where all that is given are files of these."""
    if isinstance(answers, RecognitionMatrix):
        return [answers]
    several: list[Any] = [answers] if isinstance(answers, str | Path) else []
    if isinstance(answers, list | tuple):
        several = list(cast(Sequence[Any], answers))
    if not several or not all(isinstance(each, str | Path | RecognitionMatrix) for each in several):
        return None
    are = [isinstance(each, RecognitionMatrix) or Path(each).suffix in MATRIX_SUFFIXES for each in several]
    if not any(are):
        return None
    if not all(are):
        raise InputError("single answers, or matrices", got="both")
    found: list[RecognitionMatrix] = []
    for each in several:
        if isinstance(each, RecognitionMatrix):
            found.append(each)
            continue
        name, mark, file = str(each).partition("=")
        path = Path(file) if mark and not Path(each).exists() else Path(each)
        read = read_recognition_matrix(path)
        title = name if path != Path(each) else shorten_file_name(path.stem)
        found.append(RecognitionMatrix(read.values, read.participants, read.stages, read.observers, title))
    names = [each.name for each in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError("matrices of different networks", got=f"{twice!r} twice", hint="NETWORK=FILE")
    return found


def shorten_file_name(stem: str) -> str:
    """The network in the name of a published file.

    >>> shorten_file_name("VisionExperiment1_network_vs_humans_datamatrix_vgg_19_public")
    'vgg_19'
    """
    return (stem.partition("datamatrix_")[2] or stem).removesuffix("_public")


def analyze_matrices(
    matrices: Sequence[RecognitionMatrix], stages: Sequence[str] | None, chance: float | None,
    measured: Mapping[str, Any], seed: int,
) -> Result:  # fmt: skip
    """Proportions and differences stage by stage, and what files say of the networks."""
    rows: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    notes: list[str] = []
    told: list[dict[str, Any]] = []
    for place, matrix in enumerate(matrices):
        names = list(stages or matrix.stages)
        if len(names) != len(matrix.stages):
            raise InputError(f"{len(matrix.stages)} --stages of {matrix.name}", got=", ".join(names))
        rows += list_matrix_rows(matrix, names)
        arrays |= keep_matrix(place, RecognitionMatrix(matrix.values, matrix.participants, tuple(names)))
        told.append({"name": matrix.name, "n_people": len(matrix.participants), "stages": names})
        n_missing = int(np.isnan(matrix.values[:, :, 0]).any(axis=1).sum())
        if n_missing:
            notes.append(
                f"{matrix.name}: {format_count(n_missing, 'participant')} {use_verb(n_missing, 'lacks')} a stage; "
                "means there are over the others."
            )
    notes += note_equal_people(rows)
    generators = [matrix.name for matrix in matrices]
    measures = read_measures(generators, **measured)
    more, further = list_measure_rows(average_layers([row for row in rows if row["statistic"] == PROPORTION]), measures)
    notes.append(
        "A matrix tells no single answers: the network's intervals are over the stimuli of different people, and it is "
        "one network."
    )
    settings: dict[str, Any] = {
        "form": "matrices", "by": ["model", "layer"], "networks": generators, "rules": {}, "matched": told,
        "n_people": max(len(matrix.participants) for matrix in matrices), "chance": chance,
        "chance_of": "given" if chance else "", "stages": list(stages or ()), "seed": seed,
        "sentences": [
            f"{each['name']}: {format_count(each['n_people'], 'participant')}, "
            f"{format_count(len(each['stages']), 'stage')}." for each in told
        ],
        "cells": [Cell(s, m.name, s).to_words() for m in matrices for s in (stages or m.stages)],
        "inputs": {m.name: hash_settings({"stages": list(m.stages), "values": hash_array(m.values)}) for m in matrices},
    }  # fmt: skip
    rows = sorted([*rows, *more], key=get_turn)
    return make_result("recognition", rows, settings, warnings=[*notes, *further], arrays=arrays)


def list_matrix_rows(matrix: RecognitionMatrix, stages: Sequence[str]) -> list[dict[str, Any]]:
    """Proportions and differences of a published matrix, which tells no single answers."""
    rows: list[dict[str, Any]] = []
    people, network = matrix.values[:, :, 0], matrix.values[:, :, 1]
    for place, stage in enumerate(stages):
        cell = Cell(stage, matrix.name, stage)
        if not np.isfinite(people[:, place]).any() and not np.isfinite(network[:, place]).any():
            continue
        for values, observer, model in ((people, PEOPLE, ""), (network, NETWORK, matrix.name)):
            found = compute_mean_interval(values[:, place], (0, 1))
            method = OVER_PEOPLE if observer == PEOPLE else "Student's t over the stimuli of people"
            rows.append(make_row(cell, PROPORTION, method, found, observer=observer, model=model))
        found = compute_mean_interval(people[:, place] - network[:, place], (-1, 1))
        rows.append(make_row(cell, DIFFERENCE, OVER_PEOPLE, found, observer=PEOPLE, minus=matrix.name))
    for who, own in zip(matrix.participants, people, strict=True):
        for place, stage in enumerate(stages):
            if np.isfinite(own[place]):
                found = compute_mean_interval([own[place]])
                cell = Cell(stage, matrix.name, stage)
                rows.append(make_row(cell, PROPORTION, "no interval", found, observer=PERSON, subject=who))
    return rows
