"""Kind of result: recognition by people and networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from beholder._core.files import to_path_name
from beholder.analysis._result import RESULT_KINDS, Result, ResultKind
from beholder.analysis.kinds._recognition_pictures import draw_recognition, plot_recognition
from beholder.analysis.kinds._recognition_words import ask_recognition, describe_recognition, tell_recognition
from beholder.analysis.kinds._short_names import shorten_networks
from beholder.responses import RecognitionMatrix, write_recognition_matrix


def _attach(result: Result, folder: Path, name: str) -> list[Path]:
    """The network scored on each person's stimuli, as ``.mat`` in the published form."""
    written: list[Path] = []
    for place, told in enumerate(result.settings["matched"]):
        values = result.arrays[f"matched_{place}"]
        people = tuple(str(each) for each in np.asarray(result.arrays[f"matched_{place}_people"]))
        matrix = RecognitionMatrix(values, people, tuple(told["stages"]), name=told["name"])
        path = folder / f"{name}_{to_path_name(told['name'])}.mat"
        written.append(write_recognition_matrix(path, matrix))
    return written


RESULT_KINDS.add(
    "recognition",
    ResultKind(
        ask_recognition,
        lambda result: tell_recognition(shorten_networks(result)),
        lambda result: describe_recognition(shorten_networks(result)),
        lambda result, ax: plot_recognition(shorten_networks(result), ax),
        lambda result: draw_recognition(shorten_networks(result)),
        _attach,
    ),
)
