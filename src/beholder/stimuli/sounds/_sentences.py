"""The 400 read sentences of the metamer study: out of the published data file, into sounds and a table."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np

from beholder._core.errors import InputError
from beholder._core.files import TEMPORARY_PREFIX, write_text
from beholder._core.plain_pickle import Foreign, read_plain_pickle
from beholder.stimuli.sounds._sound import save_sound
from beholder.stimuli.words._words import load_words

SOUNDS_FOLDER = "sounds"
TABLE_FILE = "sentences.csv"
RMS = 0.1
_SECONDS = 2.0
_COLUMNS = ("number", "file", "word", "source")


@final
class Sentence(NamedTuple):
    """One clip.

    Parameters
    ----------
    word : str
        The word in the middle.
    sound : numpy.ndarray
        (n_samples,), float.
    sample_rate : int
    source : str
        The recording that it was cut from; ``""`` if the file does not say.
    """

    word: str
    sound: np.ndarray
    sample_rate: int
    source: str


def read_sentences(path: Path | str) -> list[Sentence]:
    """Read the clips of the published data file in their order, running nothing in it.

    The file is a pickled dictionary: ``Dataset_Word_Order`` lists the words; under each word lie ``audio_clips``, of
    which the first counts, and ``dataframe_metadata``, a mapping or a pandas row with ``word``, ``sr`` and ``source``.
    Where that does not give the rate, the clips are two seconds long.

    Raises
    ------
    InputError
        A file of another form, or a word that no network of the study names.

    Source: Feather et al. (2023), analysis_scripts/input_helpers.py, ``psychophysics_wsj400_jsintest``.
    """
    document = read_plain_pickle(path)
    try:
        words = [_read_text(word) for word in document["Dataset_Word_Order"]]
        sentences = [_read_sentence(word, document[word]) for word in words]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError("the published file of sentences", got=f"{path}, of another form ({reason})") from error
    strange = [sentence.word for sentence in sentences if sentence.word not in load_words()]
    if strange:
        raise InputError("words that the networks name", got=f"{', '.join(strange[:5])} in {path}")
    return sentences


def _read_sentence(word: str, entry: Any) -> Sentence:
    sound = np.asarray(entry["audio_clips"][0], dtype=np.float64).ravel()
    if sound.size == 0 or not np.isfinite(sound).all():
        raise ValueError(f"the clip of {word!r} holds no sound")
    facts = read_row(entry.get("dataframe_metadata"))
    rate = facts.get("sr")
    rate = int(rate) if isinstance(rate, int | float | np.number) else round(sound.size / _SECONDS)
    source = facts.get("source", "")
    return Sentence(word, sound, rate, _read_text(source) if isinstance(source, str | bytes) else "")


def _read_text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def read_row(value: Any) -> dict[str, Any]:
    """A mapping, or a pandas row as its pickle holds it; empty for anything else.

    Parameters
    ----------
    value : mapping or Foreign
        As :func:`~beholder._core.plain_pickle.read_plain_pickle` gives it. A row's state has, under ``_mgr`` or
        ``_data``, pandas' block layout "0.14.1": axes and blocks of values.
    """
    if isinstance(value, Mapping):
        return {str(key): each for key, each in value.items()}
    if not isinstance(value, Foreign) or not isinstance(value.state, Mapping):
        return {}
    manager = value.state.get("_mgr", value.state.get("_data"))
    layout = manager.state[-1] if isinstance(manager, Foreign) and isinstance(manager.state, tuple) else None
    try:
        plain = layout["0.14.1"]  # type: ignore[index]
        names = list(plain["axes"][0].arguments[1]["data"])
        values = list(np.asarray(plain["blocks"][0]["values"], dtype=object).ravel())
    except (KeyError, IndexError, TypeError, AttributeError):
        return {}
    return {str(name): each for name, each in zip(names, values, strict=False)}


def unpack_sentences(source: Path | str, folder: Path | str) -> list[str]:
    """Write the clips as WAV files, mean removed, RMS 0.1, as the study played them, with a table beside.

    Parameters
    ----------
    source : path
        The published data file.
    folder : path
        Gets ``sounds/{number}_{word}.wav`` and ``sentences.csv`` (``number, file, word, source``).

    Returns
    -------
    list of str
        The sounds, as POSIX paths below ``folder``.

    Raises
    ------
    InputError
        As for :func:`read_sentences`.
    """
    folder = Path(folder)
    rows = []
    temporary = folder / f"{TEMPORARY_PREFIX}{SOUNDS_FOLDER}-{os.getpid()}"
    temporary.mkdir(parents=True)
    try:
        for number, sentence in enumerate(read_sentences(source)):
            name = f"{number:03d}_{sentence.word}.wav"
            save_sound(temporary / name, sentence.sound, sentence.sample_rate, rms=RMS)
            rows.append((number, f"{SOUNDS_FOLDER}/{name}", sentence.word, sentence.source))
        shutil.rmtree(folder / SOUNDS_FOLDER, ignore_errors=True)
        os.replace(temporary, folder / SOUNDS_FOLDER)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerows([_COLUMNS, *rows])
    write_text(folder / TABLE_FILE, table.getvalue())
    return [row[1] for row in rows]
