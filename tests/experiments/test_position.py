"""What the server holds of a participant: as small as thousands of them need it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.experiment_folders import write_folder

from beholder.experiments import draw_presentation
from beholder.experiments.flow._position import restore_position
from beholder.responses import History, Session


def test_texts_are_there_once_and_what_was_drawn_is_as_it_was(tmp_path: Path) -> None:
    experiment = write_folder(tmp_path / "b", n_trials=20)
    drawn = json.dumps(draw_presentation(experiment, experiment.get_task(1), 7))
    one, other = (restore_position(History(Session(k, f"p{k}", 1, json.loads(drawn), 0.0), (), (), ())) for k in (1, 2))
    assert json.loads(json.dumps({"main": one.main, "practice": one.blocks})) == json.loads(drawn)
    texts = [[text for _, shown in position.main for text in shown["left"]] for position in (one, other)]
    assert len(texts[0]) == 22 * 9 and all(a is b for a, b in zip(*texts, strict=True))
    assert all(type(shown["left"]) is tuple for _, shown in one.main)
