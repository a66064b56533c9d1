"""``beholder tasks build --static`` and ``beholder tasks plan --texts``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from beholder.experiments import read_experiment
from beholder.stimuli import draw_shapes_set

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beholder: Call) -> Path:
    monkeypatch.chdir(tmp_path)
    draw_shapes_set(tmp_path / "shapes", n_per_category=1)
    (tmp_path / "texts.json").write_text(json.dumps({"lang": "de", "next": "Weiter"}))
    more = ["--texts", "texts.json", "--set", 'texts={"next": "Los"}', "-nc", "0"]
    code, _, err = beholder("tasks", "plan", "--kind", "similarity", "-s", "shapes", *more)
    assert code == 0, err
    return tmp_path / "plan.json"


def test_pages_are_written_beside_the_tasks(plan: Path, beholder: Call) -> None:
    code, out, err = beholder("tasks", "build", "--static", "--json")
    assert code == 0, err
    assert "weaker form" in err
    files = [Path(row["file"]) for row in json.loads(out)["pages"]]
    experiment = read_experiment("exp_data")
    assert [file.as_posix() for file in files] == [
        f"exp_data/static/task_{task.index}.html" for task in experiment.tasks
    ]
    before = files[0].read_bytes()
    assert "weaker form" in before.decode()[:600]
    code, out, err = beholder("tasks", "build", "--static")
    assert code == 0, err
    assert files[0].read_bytes() == before
    code, out, err = beholder("tasks", "build")
    assert code == 0, err
    assert "static" not in out + err


def test_texts_of_a_file_are_settings(plan: Path, beholder: Call) -> None:
    assert beholder("tasks", "build")[0] == 0
    assert dict(read_experiment("exp_data").settings.texts) == {"lang": "de", "next": "Los"}
    (plan.parent / "texts.json").write_text(json.dumps({"nekst": "Weiter"}))
    code, _, err = beholder("tasks", "plan", "--kind", "similarity", "-s", "shapes", "--texts", "texts.json")
    assert code == 2
    assert "next" in err
