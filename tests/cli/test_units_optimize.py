"""``beholder units optimize``."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from beholder.cli._main import app, split_globals
from beholder.stimuli import open_image

from .conftest import NETWORK

Call = Callable[..., tuple[int, str, str]]
UNITS = [("0", 1), ("2", 3), ("1", 0)]
PREPROCESSING = 'preprocessing = {"kind": "image", "resize": 40, "crop": 40}\n'
NET = ("--model_name", "file:net.py")
FAST = ["--steps", "3", "--threads", "1"]


@pytest.fixture
def workplace(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``net.py``, ``images/`` and ``units.json``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").symlink_to(place / "images")
    (tmp_path / "net.py").write_text(f"{NETWORK}\n\n{PREPROCESSING}", encoding="utf-8")
    (tmp_path / "bare.py").write_text(NETWORK, encoding="utf-8")
    units = [{"layer": layer, "channel": channel} for layer, channel in UNITS]
    (tmp_path / "units.json").write_text(json.dumps({"model": "file:net.py", "units": units}))
    return tmp_path


def read_tree(folder: Path) -> Mapping[str, bytes]:
    skip = ("provenance.json", ".lock", "machine.json", "machine.json.copy")
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith(skip))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_after_a_recording(workplace: Path, beholder: Call) -> None:
    assert beholder("units", "record", *NET, "--units_file", "units.json", "--threads", "1")[0] == 0
    command = ["units", "optimize", *NET, "--units_file", "units.json", "--n_images", "2", *FAST]
    code, out, err = beholder(*command, "--json", "--skipped_units_file", "skipped")
    assert code == 0, err
    assert "no recording" not in err
    tables = json.loads(out)
    assert [(row["layer"], row["channel"], row["sign"]) for row in tables["units"]] == [
        (*unit, sign) for unit in UNITS for sign in ("min", "max")
    ]
    assert {row["n_natural"] for row in tables["units"]} == {6}
    assert {row["beats"] for row in tables["units"]} <= {"yes", "no", "tie"}
    assert {row["file"] for row in tables["files"]} == {"stimuli/net/optimized_units.csv", "skipped.json"}
    skipped = json.loads((workplace / "skipped.json").read_text())["units"]
    short = {(row["layer"], row["channel"]) for row in tables["units"] if row["weakest_beats"] in ("no", "tie")}
    assert {(unit["layer"], unit["channel"]) for unit in skipped} == short
    images = workplace / "stimuli" / "net" / "2" / "channel_3" / "optimized_images"
    assert open_image(images / "max_1.png").size == (40, 40)
    code, out, err = beholder(*command, "--workers", "2")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0].startswith("3 units of file:")
    assert lines[0].endswith(", 2 images a sign, 3 steps")
    assert lines[1].startswith("max: ")
    assert lines[-1] == "stimuli/net/optimized_units.csv"
    for row in tables["units"]:
        names = [f"{row['layer']}:{row['channel']}", row["sign"]]
        told = any(line.split()[:2] == names and line.endswith(row["note"]) for line in lines)
        assert told == (row["beats"] != "yes")


def test_workers_do_not_change_a_byte(workplace: Path, beholder: Call) -> None:
    command = ["units", "optimize", *NET, "--units_file", "units.json", "--n_images", "1", *FAST]
    for name, workers in (("one", "1"), ("two", "2")):
        code, _, err = beholder(*command, "--workers", workers, "--out_path", name)
        assert code == 0, err
    assert read_tree(workplace / "one") == read_tree(workplace / "two")


def test_recording_first_and_phases(workplace: Path, beholder: Call) -> None:
    command = [
        "units",
        "optimize",
        *NET,
        "--units_file",
        "units.json",
        "--num_images",
        "1",
        "--in_path",
        "images",
        *FAST,
    ]
    code, out, err = beholder(*command, "--parameterization", "phase", "--json")
    assert code == 0, err
    assert (workplace / "activations" / "net.mean.zarr").is_dir()
    assert {row["n_natural"] for row in json.loads(out)["units"]} == {6}
    images = workplace / "stimuli" / "net" / "0" / "channel_1" / "optimized_images"
    assert (images / "transparency" / "max_0.png").exists()
    assert np.asarray(open_image(images / "max_0.png")).std() > 5


def test_everything_goes_under_a_model_directory(workplace: Path, beholder: Call) -> None:
    (workplace / "mine").mkdir()
    (workplace / "mine" / "build_network.py").write_text(f"{NETWORK}\n\n{PREPROCESSING}", encoding="utf-8")
    (workplace / "mine" / "units.json").write_text('{"units": [{"layer": "0", "channel": 2}]}')
    before = set(workplace.iterdir())
    command = ["units", "optimize", "-D", "mine", "--units_file", "units.json", "--n_images", "1", *FAST]
    code, out, err = beholder(*command, "--no_diversity", "--skipped_units_file", "skipped.json")
    assert code == 0, err
    assert "not compared" in out
    assert "no recording" in err
    assert (workplace / "mine" / "stimuli" / "mine" / "optimized_units.csv").exists()
    assert (workplace / "mine" / "skipped.json").exists()
    assert set(workplace.iterdir()) == before


def test_networks_that_take_any_shape(workplace: Path, beholder: Call) -> None:
    command = ["units", "optimize", "--units_file", "units.json", "--model_name", "file:bare.py", "--n_images", "1"]
    code, _, err = beholder(*command, *FAST, "--input_shape", "3", "24", "32")
    assert code == 0, err
    images = workplace / "stimuli" / "bare" / "0" / "channel_1" / "optimized_images"
    assert np.load(images / "max_0.npy", allow_pickle=False).shape == (3, 24, 32)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("--units_file none.json", "no file at none.json"),
        ("--units_file units.json --activations none.zarr", "nothing at none.zarr"),
        ("--units_file units.json --no_diversity --diversity 3", "--no_diversity or --diversity"),
        ("--units_file units.json --no_recording --in_path images", "--no_recording alone"),
        ("--units_file units.json --in_path nowhere", "nowhere"),
        ("--units_file units.json --n_images 0", "--n_images"),
        ("--units_file units.json --parameterization cppn", "fourier"),
        ("--units_file units.json --model_name file:bare.py", "--input_shape 3 224 224"),
        ("--units_file wide.json", "from 0 to 7; got 8"),
        ("--units_file lost.json", "nowhere"),
        ("--units_file units.json --device cuda:7", "cuda:7"),
    ],
)
def test_wrong_input_is_one_line(command: str, message: str, workplace: Path, beholder: Call) -> None:
    for name, unit in (("wide", {"layer": "0", "channel": 8}), ("lost", {"layer": "nowhere", "channel": 0})):
        (workplace / f"{name}.json").write_text(json.dumps({"model": "file:net.py", "units": [unit]}))
    model = () if "--model_name" in command else NET
    code, out, err = beholder("units", "optimize", *model, *shlex.split(command))
    assert (code, out) == (2, "")
    *before, line = err.strip().splitlines()
    assert message in line
    assert all("no recording" in each or "weights" in each for each in before)
    assert not (workplace / "stimuli").exists()


@pytest.mark.parametrize(
    "command",
    [
        "--model_name resnet50-l2 --units_file units.json",
        "--model_name resnet50-l2 --units_file units.json --skipped_units_file skipped --max_loops 7 --num_images 9"
        " --no_diversity --seed 42 --pretrained --device cuda --in_path imagenet/val",
    ],
)
def test_commands_of_the_document_are_understood(command: str) -> None:
    tokens = split_globals(["units", "optimize", *shlex.split(command)])[0]
    app.parse_args(tokens, print_error=False, exit_on_error=False)
