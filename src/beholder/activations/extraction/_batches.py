"""Micro-batches: which stimuli stand in which slot, and how one stimulus is read and prepared."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from beholder._core.errors import InputError
from beholder.models import Preprocessing, prepare_stimulus
from beholder.stimuli import Exposure, StimulusSet, expose_image, open_image


@dataclass
class MicroBatch:
    """One micro-batch: which slots are computed, and which stimulus stands in each slot."""

    rows: slice
    keep: slice
    members: list[int]


def load_stimulus(
    stimuli: StimulusSet,
    index: int,
    preprocessing: Preprocessing,
    exposure: Exposure | None,
    *,
    replicate: int = 0,
    seed: int = 0,
    as_uint8: bool = False,
) -> tuple[np.ndarray, str, list[int] | None]:
    """One stimulus, read, exposed and prepared; the hash of its file or array, and the mark of the file."""
    source, digest, mark = stimuli.read(index)
    with name_bad_stimulus(stimuli, index):
        if exposure is not None:
            picture = open_image(source, keep_alpha=True)
            source = expose_image(picture, replicate, exposure=exposure, seed=seed, stimulus_id=stimuli.ids[index])
        if as_uint8:
            return preprocessing.prepare_uint8(source), digest, mark
        return prepare_stimulus(preprocessing, stimuli, index, source), digest, mark


def cut_micro_batches(start: int, stop: int, first: int, size: int, *, align: bool = True) -> list[MicroBatch]:
    """Cut ``[start, stop)`` into micro-batches; those wholly before ``first`` are skipped.

    Slots before ``first`` (already stored) and after ``stop`` are padded with a computed member, so
    that a stimulus has the same slot of the same size whenever it is computed.
    """
    tasks = []
    for low in range(start, stop, size):
        high = min(low + size, stop)
        begin = max(low, first)
        if begin >= high:
            continue
        slots = range(low, low + size) if align else range(low, high)
        members = [i if begin <= i < high else begin for i in slots]
        tasks.append(MicroBatch(slice(begin, high), slice(begin - low, high - low), members))
    return tasks


@contextlib.contextmanager
def name_bad_stimulus(stimuli: StimulusSet, index: int) -> Iterator[None]:
    """Say which file it was when a stimulus given as bytes cannot be read, or is none that the network takes."""
    try:
        yield
    except InputError as error:
        name = stimuli.files[index] or stimuli.ids[index]
        if name in str(error):
            raise
        reason = error.got or str(error)
        if not stimuli.files[index] or (error.hint is not None and not reason.startswith("bytes")):
            raise type(error)(error.expected, got=f"{name} with {reason}", hint=error.hint) from error
        reason = reason.removeprefix("bytes") if reason.startswith("bytes") else f" {reason}"
        raise type(error)(
            "a stimulus that can be read", got=f"{name}{reason}", hint="--skip_bad to leave such files out"
        ) from error
