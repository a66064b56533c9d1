"""``beholder tasks build --static`` and ``beholder tasks plan --texts``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.experiments.collected_records import collect

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


def test_what_the_pages_collect_is_exported(plan: Path, beholder: Call) -> None:
    assert beholder("tasks", "build", "--static")[0] == 0
    for k, page in enumerate(sorted(Path("exp_data/static").glob("*.html"))):
        Path(f"answers_{k}.json").write_text(json.dumps(collect(page, f"s{k}", k)), encoding="utf-8")
    files = sorted(str(path) for path in Path().glob("answers_*.json"))
    code, out, err = beholder("tasks", "import", "exp_data", *files, "--db", "answers.sqlite", "--json")
    assert code == 0, err
    assert json.loads(out)["import"] == [{"new": len(files), "there_already": 0, "repeated": 0, "others": 0}]
    code, out, _ = beholder("tasks", "import", "exp_data", files[0], "--db", "answers.sqlite")
    assert (code, out.strip()) == (0, "0 participants taken into answers.sqlite; 1 were there already")
    assert beholder("tasks", "export", "exp_data", "--db", "answers.sqlite", "--out", "answers")[0] == 0
    rows = Path("answers/responses.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + sum(len(json.loads(Path(file).read_text())["answers"]) for file in files)
    Path("bad.json").write_text("{}", encoding="utf-8")
    code, _, err = beholder("tasks", "import", "exp_data", "bad.json", "--db", "answers.sqlite")
    assert code == 2 and "bad.json" in err
