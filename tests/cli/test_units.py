"""``beholder units``, from drawing units to folders of exemplars."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import beholder.analysis as analyses
from beholder._core.errors import InputError
from beholder.cli._main import app, split_globals
from beholder.stimuli import StimulusSet, read_model_stimuli

from .conftest import NETWORK

Call = Callable[..., tuple[int, str, str]]
NET = ("--model_name", "file:net.py")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``net.py`` and ``images/`` with four classes of eleven pictures."""
    place = tmp_path_factory.mktemp("units")
    generator = np.random.default_rng(0)
    for i in range(44):
        folder = place / "images" / f"class_{i % 4}"
        folder.mkdir(exist_ok=True, parents=True)
        Image.fromarray(generator.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(folder / f"picture_{i}.png")
    (place / "net.py").write_text(NETWORK, encoding="utf-8")
    return place


@pytest.fixture
def workplace(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").symlink_to(pictures / "images")
    (tmp_path / "net.py").symlink_to(pictures / "net.py")
    return tmp_path


def test_the_three_steps(workplace: Path, beholder: Call) -> None:
    model = ["--model_name", "file:net.py"]
    code, out, err = beholder("units", "sample", *model, "--n_units", "4", "--filename", "units.json")
    assert (code, out.splitlines()[-1]) == (0, "units.json"), err
    document = json.loads((workplace / "units.json").read_text())
    assert set(document) == {"model", "seed", "units"}
    assert len(document["units"]) == 4
    code, out, err = beholder("units", "record", *NET, "--units_file", "units.json", "--json", "--threads", "1")
    assert code == 0, err
    tables = json.loads(out)
    assert tables["store"] == [{"model": document["model"], "path": "activations/net.mean.zarr", "n_stimuli": 44}]
    assert set(tables["accuracy"][0]) == {"accuracy_top1", "accuracy_top5", "n"}
    windows = ["--percentile", "40", "60", "--num_batches", "2"]
    code, out, err = beholder("units", "exemplars", *model, "--units_file", "units.json", *windows, "--json")
    assert code == 0, err
    tables = json.loads(out)
    assert [(row["layer"], row["channel"]) for row in tables["exemplars"]] == [
        (unit["layer"], unit["channel"]) for unit in document["units"]
    ]
    folder = workplace / tables["exemplars"][0]["folder"]
    assert len(list(folder.glob("batch_[01]/m*_[0-9].png"))) == 40
    assert (folder / "manifest.csv").exists()
    assert (workplace / "stimuli" / "net" / "provenance.json").exists()
    assert beholder("units", "exemplars", *NET, "--units_file", "units.json", *windows)[0] == 0


def test_a_first_look_at_units(workplace: Path, beholder: Call) -> None:
    """Without a file of units, batches and queries; of the only recording that has the layer, here an extraction."""
    look = ["units", "exemplars", "--unit", "0:2", "--top", "3"]
    code, _, err = beholder(*look)
    assert code == 2 and "`beholder units record --model_name NAME --layers 0" in err
    pictures = [str(path) for path in sorted((workplace / "images").rglob("*.png"))]
    assert beholder("extract", *NET, "-mn", "0", "-ip", *pictures[:12], "--threads", "1")[0] == 0
    code, out, err = beholder(*look, "--json")
    assert code == 0, err
    tables = json.loads(out)
    assert tables["windows"][0]["top"] == 3 and len(tables["stimuli"]) == 6
    folder = workplace / "stimuli" / "net_top3" / "0" / "channel_2" / "natural_images"
    assert tables["exemplars"] == [{"layer": "0", "channel": 2, "folder": str(folder.relative_to(workplace))}]
    assert sorted(path.stem for path in folder.rglob("*.png")) == [f"{s}_{k}" for s in ("max", "min") for k in range(3)]
    assert beholder(*look, "--in_path", *pictures[:12], "--extra_name", "of_files")[0] == 0
    assert beholder(*look, "--in_path", *pictures[1:12], "--extra_name", "of_fewer")[0] == 2
    code, out, err = beholder(*look)
    assert code == 0, err
    strongest = max(tables["stimuli"], key=lambda row: row["activation"])
    assert out.splitlines()[1].startswith(f"  most: {strongest['stimulus_id']} ({strongest['activation']:.4g}), ")
    found = read_model_stimuli(workplace / "stimuli" / "net_top3").units[0].select("natural", "max")
    assert [one.activation for one in found] == sorted(one.activation or 0 for one in found) and len(found) == 3
    code, _, err = beholder("tasks", "plan", "-s", "stimuli/net_top3", "--scheme", "released", "-nc", "0")
    assert code == 2 and "exemplars with queries" in err
    for more in (["--units_file", "units.json", "--unit", "0:2"], []):
        code, _, err = beholder("units", "exemplars", *more)
        assert code == 2 and "--units_file FILE or --unit LAYER:CHANNEL" in err


def test_files_go_where_folders_go(workplace: Path, beholder: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a shell makes them of ``images/*.png``."""
    files = [str(path) for path in sorted((workplace / "images").rglob("*.png"))[:4]]
    code, out, err = beholder(
        "stimuli", "grade", "--grade", "contrast", "--levels", "0.5", "-ip", *files, "-op", "graded"
    )
    assert (code, out.splitlines()[0]) == (0, "4 images, 1 level of contrast"), err
    code, out, err = beholder("metamers", "null", "file:net.py", *files, "--layers", "0", "-N", "3")
    assert code == 0 and out.startswith("3 pairs"), err
    code, _, err = beholder("metamers", "null", "file:net.py", "images", files[0], "--layers", "0", "-N", "3")
    assert code == 2 and "one folder of stimuli, or files" in err
    plan = ["tasks", "plan", "--kind", "similarity", "-s", *files, "-nh", "2", "-nc", "0", "-o", "plan.json"]
    code, _, err = beholder(*plan)
    assert code == 0, err
    asked: list[StimulusSet] = []

    def evaluate_battery(networks: object, stimuli: StimulusSet, *_: object, **__: object) -> None:
        asked.append(stimuli)
        raise InputError("nothing more", got="this")

    monkeypatch.setattr(analyses, "evaluate_battery", evaluate_battery)
    for given in (files, ["images"]):
        beholder("evaluate", "battery", "beholder:shapes", "--stimuli", *given, "--trials", "plan.json")
    assert [len(stimuli) for stimuli in asked] == [4, 44]


def test_maps_and_the_gallery(workplace: Path, beholder: Call) -> None:
    (workplace / "units.json").write_text(json.dumps({"model": "file:net.py", "units": [{"layer": "0", "channel": 2}]}))
    code, out, err = beholder("units", "maps", "--model_name", "file:net.py")
    assert (code, out) == (2, "")
    assert "beholder units exemplars" in err
    assert beholder("units", "record", *NET, "--units_file", "units.json", "--threads", "1")[0] == 0
    assert beholder("units", "exemplars", *NET, "--units_file", "units.json", "--num_batches", "1")[0] == 0
    code, out, err = beholder("units", "maps", "--model_name", "file:net.py", "--json")
    assert code == 0, err
    folder = "stimuli/net/0/channel_2"
    assert json.loads(out) == {"maps": [{"layer": "0", "channel": 2, "folder": folder, "n_maps": 20}]}
    assert len(list((workplace / folder / "activation_maps").rglob("*.png"))) == 20
    code, out, err = beholder("units", "maps", *NET, "--units_file", "units.json", "--threads", "1")
    assert (code, out.splitlines()) == (0, ["1 unit, 20 maps", "stimuli/net"]), err
    code, out, err = beholder("show", "stimuli", "--json")
    assert code == 0, err
    assert json.loads(out)["units"][0]["maps"] == 20
    code, _, err = beholder("report", "stimuli")
    assert code == 0, err
    assert "What drives single units of net?" in (workplace / "stimuli" / "report.html").read_text()


def test_class_accuracy_from_a_file_of_targets(workplace: Path, beholder: Call) -> None:
    record = ["units", "record", "--model_name", "file:net.py", "--layers", "0", "--threads", "1", "--json"]
    code, out, err = beholder(*record)
    assert code == 0, err
    by_folder = json.loads(out)["accuracy"][0]
    names = sorted(str(path.relative_to(workplace / "images")) for path in (workplace / "images").rglob("*.png"))
    targets = [int(name.partition("/")[0].removeprefix("class_")) for name in names]
    (workplace / "targets.txt").write_text("\n".join(str(target) for target in targets))
    code, out, err = beholder(*record, "--targets", "targets.txt")
    assert code == 0, err
    assert json.loads(out)["accuracy"][0] == by_folder
    shares = []
    for target in range(4):
        np.save(workplace / "all.npy", np.full(44, target))
        (accuracy,) = json.loads(beholder(*record, "--targets", "all.npy")[1])["accuracy"]
        assert accuracy["n"] == 44
        shares.append(accuracy["accuracy_top1"])
    assert sum(shares) == pytest.approx(1), "every picture has one answer"
    (workplace / "targets.txt").write_text("1\n2\n")
    code, _, err = beholder(*record, "--targets", "targets.txt")
    assert code == 2
    assert "44 class indices, one a stimulus" in err
    (workplace / "targets.txt").write_text("\n".join("9" for _ in targets))
    code, _, err = beholder(*record, "--targets", "targets.txt")
    assert code == 2
    assert "classes from 0 to 3" in err


def test_draft_and_things(workplace: Path, beholder: Call) -> None:
    (workplace / "build.py").write_text(NETWORK)
    record = ["units", "record", "--model_name", "beholder:shapes", "--layers", "block1.conv", "--threads", "1"]
    code, _, err = beholder(*record, "--draft", "--fraction", "0.1")
    assert code == 0, err
    code, _, err = beholder(*record, "--fraction", "0.1")
    assert code == 2
    assert "draft" in err, "other pixels: another recording"
    code, _, err = beholder(*record, "--things")
    assert code == 2
    assert "things" in err.lower()
    code, _, err = beholder(*record, "--labels", "nothing.txt")
    assert code == 2


def test_everything_goes_under_a_model_directory(workplace: Path, beholder: Call) -> None:
    (workplace / "mine").mkdir()
    (workplace / "mine" / "build_network.py").write_text(NETWORK, encoding="utf-8")
    before = set(workplace.iterdir())
    assert beholder("units", "sample", "-D", "mine", "--n_units", "2")[0] == 0
    assert beholder("units", "record", "-D", "mine", "--units_file", "units.json", "--threads", "1")[0] == 0
    code, _, err = beholder("units", "exemplars", "-D", "mine", "--units_file", "units.json", "--num_batches", "1")
    assert code == 0, err
    assert (workplace / "mine" / "stimuli" / "mine" / "provenance.json").exists()
    assert set(workplace.iterdir()) == before


def test_dealing(workplace: Path, beholder: Call) -> None:
    beholder("units", "sample", "--model_name", "beholder:shapes", "--n_units", "5")
    code, out, err = beholder("units", "split", "2", "--units_file", "units.json", "--json")
    assert code == 0, err
    assert json.loads(out) == {"files": [{"file": f"units_{i}.json", "n_units": n} for i, n in enumerate((3, 2))]}
    both = [json.loads((workplace / f"units_{i}.json").read_text())["units"] for i in range(2)]
    whole = json.loads((workplace / "units.json").read_text())["units"]
    assert sorted(map(str, both[0] + both[1])) == sorted(map(str, whole))


def test_files_of_units_are_not_lost(workplace: Path, beholder: Call) -> None:
    sample = ["units", "sample", "--model_name", "beholder:shapes", "--n_units", "3"]
    assert beholder(*sample)[0] == 0
    assert beholder(*sample)[0] == 0
    code, _, err = beholder(*sample, "--seed", "1")
    assert code == 2
    assert "--overwrite" in err
    assert beholder(*sample, "--seed", "1", "--overwrite")[0] == 0
    code, out, err = beholder(*sample, "--blacklist", "units.json", "--filename", "more.json", "--json")
    assert code == 0, err
    more = json.loads(out)["units"]
    assert not [unit for unit in more if unit in json.loads((workplace / "units.json").read_text())["units"]]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("sample --n_units 3", "--model_name NAME"),
        ("sample --model_name beholder:shapes --n_units 9999", "at most 1,168 units"),
        ("sample --model_name beholder:shapes --layers block9.conv", "block5.conv"),
        ("split 3 --units_file none.json", "no file at none.json"),
        ("record --model_name beholder:shapes --units_file none.json", "none.json"),
        ("record --model_name beholder:shapes --in_path nowhere", "nowhere"),
        ("exemplars --model_name beholder:shapes --units_file one.json", "beholder units record"),
        ("maps", "--model_name NAME"),
        ("maps --units_file none.json", "none.json"),
    ],
)
def test_wrong_input_is_one_line(command: str, message: str, workplace: Path, beholder: Call) -> None:
    (workplace / "one.json").write_text('{"units": [{"layer": "block1.conv", "channel": 0}]}')
    code, out, err = beholder("units", *shlex.split(command))
    assert (code, out) == (2, "")
    (line,) = err.strip().splitlines()
    assert message in line


def test_wrong_units_of_a_recording_are_one_line(workplace: Path, beholder: Call) -> None:
    record = ["units", "record", "--model_name", "file:net.py", "--layers", "0", "--threads", "1"]
    assert beholder(*record)[0] == 0
    for unit, more, message in [
        ({"layer": "2", "channel": 0}, "", "not recorded"),
        ({"layer": "0", "channel": 8}, "", "from 0 to 7; got 8"),
        ({"layer": "0", "channel": 0}, "", "at least 220 stimuli"),
        ({"layer": "0", "channel": 0}, "--num_batches 2 --start_min 3", "--start_min 18 --stop_min 20"),
    ]:
        (workplace / "units.json").write_text(json.dumps({"model": "file:net.py", "units": [unit]}))
        code, out, err = beholder("units", "exemplars", *NET, "--units_file", "units.json", *more.split())
        assert (code, out) == (2, "")
        (line,) = err.strip().splitlines()
        assert message in line
    assert not (workplace / "stimuli").exists()


@pytest.mark.parametrize(
    "command",
    [
        "sample --model_name resnet50-l2 --n_units 50 --filename units.json",
        "sample --model_name resnet50-l2 --n_units 50 --filename units.json --seed 42 --blacklist a.json b.json",
        "record --model_name resnet50-l2 --units_file units.json --pretrained --device cuda --in_path imagenet/val",
        "exemplars --model_name resnet50-l2 --units_file units.json --start_min 5000 --stop_min 5011 --start_max 44989"
        " --stop_max 45000",
    ],
)
def test_commands_of_the_document_are_understood(command: str) -> None:
    app.parse_args(split_globals(["units", *shlex.split(command)])[0], print_error=False, exit_on_error=False)
