"""``beholder tasks plan`` and ``beholder tasks build``: the documents' command lines, flags, one-line refusals."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from tests.exemplar_folders import write_easy_units, write_units

from beholder.cli._main import app, split_globals
from beholder.experiments import read_experiment
from beholder.stimuli import draw_shapes_set

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``stimuli/net`` with 50 units, 11 batches and 10 visualisations each, made the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_from_exemplars_to_tasks(workplace: Path, beholder: Call) -> None:
    """Exemplars of nb + 1 batches and visualisations, as the commands before leave them."""
    draw_shapes_set(workplace / "images", n_per_category=4)
    units = [{"layer": "block1.conv", "channel": c} for c in range(3)]
    (workplace / "units.json").write_text(json.dumps({"model": "beholder:shapes", "units": units}))
    assert beholder("units", "record", "--units_file", "units.json", "--threads", "1")[0] == 0
    code, _, err = beholder("units", "exemplars", "--units_file", "units.json", "--num_batches", "3")
    assert code == 0, err
    more = ["--n_images", "9", "--steps", "1", "--diversity", "0", "--threads", "1"]
    code, _, err = beholder("units", "optimize", "--units_file", "units.json", *more)
    assert code == 0, err
    for images in ("natural", "optimized"):
        line = f"-nt=2 -nb 2 -nc=1 -nh=6 -s=./stimuli/shapes -o {images}.json -m={images} --seed=1"
        code, out, err = beholder("tasks", "plan", *shlex.split(line))
        assert code == 0, err
        assert out.splitlines() == [
            "2afc: 6 tasks of 2 trials and 1 catch trial, 5 for practice; about 1 minute each at 4 s an answer",
            f"{images}.json",
        ]
        code, out, err = beholder(
            "tasks", "build", "-t", f"data_{images}", "-i", f"{images}.json", "-nr", "9", "--json"
        )
        assert code == 0, err
        tables = json.loads(out)
        assert [row["n_trials"] for row in tables["tasks"]] == [3] * 6
        made = read_experiment(f"data_{images}")
        shown = Counter()
        for task in made.tasks:
            for trial in task.trials:
                assert trial.unit is not None
                assert len(trial.list_files("reference_max")) == 9
                folder = workplace / "stimuli" / "shapes" / "block1.conv" / f"channel_{trial.unit.channel}"
                place = (
                    folder / "optimized_images"
                    if images == "optimized"
                    else folder / f"natural_images/batch_{trial.unit.batch}"
                )
                if trial.is_catch:
                    assert trial.files["query_max"].read_bytes() == trial.list_files("reference_max")[-1].read_bytes()
                    continue
                shown[trial.unit.channel] += 1
                query = folder / f"natural_images/batch_{(task.index - 1) % 2 + 1}/max_9.png"
                assert trial.files["query_max"].read_bytes() == query.read_bytes()
                assert trial.files["reference_min_3"].read_bytes() == (place / "min_3.png").read_bytes()
        assert shown == dict.fromkeys(range(3), 4)
    code, out, err = beholder("units", "occlude", "--units_file", "units.json", "--steps", "2", "--json")
    assert code == 0, err
    assert [row["n_batches"] for row in json.loads(out)["occluded"]] == [3] * 3
    line = "--kind counterfactual -nt 2 -nc 1 -nh 3 -s stimuli/shapes -o occluded.json"
    code, _, err = beholder("tasks", "plan", *shlex.split(line))
    assert code == 0, err
    assert "row_choices_min" in err
    assert beholder("tasks", "build", "-i", "occluded.json", "-t", "occluded")[0] == 0
    files = read_experiment("occluded").tasks[0].trials[0].files
    assert set(files) == {"base", "min", "max", *(f"reference_{k}" for k in range(9))}
    assert json.loads((workplace / "provenance.json").read_text())["outputs"]["natural.json"]["settings"]["seed"] == 1


def test_the_line_of_the_document(workplace: Path, beholder: Call) -> None:
    write_units(workplace / "stimuli" / "resnet50-l2", 50, 11, files=False)
    (workplace / "tools" / "data-generation").mkdir(parents=True)
    line = (
        "-nt=20 -nb 10 -nc=3 -nh=50 -s=stimuli/resnet50-l2 -o tools/data-generation/l2_robust.json -m=natural --seed=1"
    )
    code, _, err = beholder("tasks", "plan", *shlex.split(line))
    assert code == 0, err
    first = (workplace / "tools/data-generation/l2_robust.json").read_bytes()
    plan = json.loads(first)
    assert plan["tasks"][0]["trials"][0]["queries"].startswith("../../stimuli/resnet50-l2/features.")
    assert Counter(len(task["trials"]) for task in plan["tasks"]) == {23: 50}
    assert beholder("tasks", "plan", *shlex.split(line))[0] == 0
    assert (workplace / "tools/data-generation/l2_robust.json").read_bytes() == first
    code, _, err = beholder("tasks", "plan", *shlex.split(line.replace("--seed=1", "--seed=2")))
    assert code == 2
    assert "seed was 1, now 2" in err
    assert beholder("tasks", "plan", *shlex.split(line.replace("--seed=1", "--seed=2")), "--overwrite")[0] == 0
    code, _, err = beholder("tasks", "plan", *shlex.split(line.replace("-nb 10", "-nb 11")), "--overwrite")
    assert code == 2
    assert "try -nb 10 or `beholder units exemplars --num_batches 12`" in err


def test_the_line_of_the_released_code(workplace: Path, beholder: Call) -> None:
    write_units(workplace / "stimuli" / "resnet50_hard", 12, 4, files=False)
    (workplace / "stimuli" / "resnet50").mkdir()
    write_easy_units(workplace / "easy", 7)
    line = "-s stimuli -o plan.json -sc easy -nc 2 -nt 6 -nh 8 -c natural -m resnet50 -upm 12 -maxb 3 --extra_name hard"
    code, _, err = beholder("tasks", "plan", *shlex.split(line))
    assert code == 0, err
    plan = json.loads((workplace / "plan.json").read_text())
    assert plan["scheme"] == "released"
    assert plan["tasks"][0]["raw_trials"][0]["queries"].startswith("stimuli/resnet50_hard/")
    assert plan["tasks"][0]["raw_catch_trials"][0]["queries"].startswith("easy/unit_")
    code, _, err = beholder("tasks", "plan", *shlex.split(line), "-minb", "1", "--scheme", "document")
    assert code == 2
    assert "-sc with --scheme released" in err


def test_other_kinds(workplace: Path, beholder: Call) -> None:
    for i in range(8):
        Image.new("RGB", (4, 4), (i, i, i)).save(workplace / f"p{i}.png")
    rows = [f"p{i}.png,{'cat' if i % 2 else 'dog'}" for i in range(8)]
    (workplace / "pictures.csv").write_text("\n".join(["file,label", *rows]))
    for kind in ("recognition", "same_different", "odd_one_out", "similarity"):
        flags = ["--kind", kind, "-s", "pictures.csv", "-o", f"{kind}.json", "--practice", "pictures.csv"]
        changes = [
            "practice.n_with_feedback=2",
            "practice.n_without=2",
            "practice.n_obvious=0",
            "practice.n_required=1",
        ]
        code, out, err = beholder("tasks", "plan", *flags, "--set", *changes, "--json")
        assert code == 0, err
        assert json.loads(out)["files"] == [{"file": f"{kind}.json"}]
        code, out, err = beholder("tasks", "build", "-i", f"{kind}.json", "-t", kind)
        assert code == 0, err
        made = read_experiment(kind)
        assert (made.kind, len(made.practice)) == (kind, 4)
        assert made.settings.practice.n_required == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "-s FOLDER"),
        ("-s nowhere", "no folder at nowhere"),
        ("-s net -m resnet50", "-c natural -m resnet50"),
        ("-s net -c natural -m optimized", "one kind of references"),
        ("-s net --preset zimerman", "zimmermann-2afc"),
        ("-s net --kind words --preset zimmermann-2afc", "feather-words"),
        ("-s net --set disabled=3", "disabled_ms"),
        ("-s net --set disabled_ms", "--set name=value"),
        ("-s net -nt 7", "try -nt 6"),
        ("-s net -nt 4 -nh 4", "try -nt 3 or -nh 3"),
        ("-s net --layers a", "flags of 2afc; got --layers"),
        ("-s net --kind words -nb 2", "flags of words; got -nb"),
        ("-s net --kind same_different -sc x", "flags of same_different; got -sc"),
        ("-s net net", "-s FOLDER; got 2 folders"),
        ("-s net -kind 2afc", "expected a flag"),
    ],
)
def test_wrong_input_is_one_line(line: str, message: str, workplace: Path, beholder: Call) -> None:
    write_units(workplace / "net", 6, 3, files=False)
    before = sorted(workplace.iterdir())
    code, out, err = beholder("tasks", "plan", *shlex.split(line))
    assert (code, out) == (2, "")
    (text,) = err.strip().splitlines()
    assert message in text
    assert sorted(workplace.iterdir()) == before


def test_build_in_one_line(workplace: Path, beholder: Call) -> None:
    code, out, err = beholder("tasks", "build", "-i", "none.json")
    assert (code, out) == (2, "")
    assert "no file at none.json" in err


@pytest.mark.parametrize(
    "command",
    [
        "plan -nt=20 -nb 10 -nc=3 -nh=50 -s=../../../stimuli-generation/stimuli/resnet50-l2 -o l2_robust.json"
        " -m=natural --seed=1",
        "plan -nt 40 -nc 5 -nh 63 -s stimuli -sc catch -o out.json -c optimized -m resnet50 -upm 84 -minb 0 -maxb 10"
        " --extra_name hard99 --seed 1",
        "build -t exp_data -i l2_robust.json -nr 9",
    ],
)
def test_commands_of_the_document_are_understood(command: str) -> None:
    app.parse_args(split_globals(["tasks", *shlex.split(command)])[0], print_error=False, exit_on_error=False)
