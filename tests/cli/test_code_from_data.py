"""Code is run where the command line names it, never because a file of data does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.metamer_folders import write_metamers

import beholder as bh
from beholder._core.errors import InputError
from beholder.models import load_panel

Call = Callable[..., tuple[int, str, str]]
EVIL = "from pathlib import Path\nPath(__file__).with_suffix('.ran').touch()\nraise SystemExit\n"
UNITS = [{"layer": "conv1", "channel": 0}, {"layer": "conv1", "channel": 1}]


@pytest.fixture
def workplace(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a hostile file, and files of data that name it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.py").write_text(EVIL, encoding="utf-8")
    shutil.copytree(place / "images" / "cat", tmp_path / "images")
    return tmp_path


COMMANDS = (
    ("split", "2", "--units_file"),
    ("record", "--in_path", "images", "--units_file"),
    ("exemplars", "--units_file"),
    ("optimize", "--units_file"),
    ("occlude", "--units_file"),
    ("maps", "--units_file"),
)


@pytest.mark.parametrize("name", ["file:evil.py", "file:evil.py@own", "file:./evil.py@random"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_file_of_units_runs_nothing(workplace: Path, beholder: Call, command: tuple[str, ...], name: str) -> None:
    (workplace / "units.json").write_text(json.dumps({"model": name, "seed": 1, "units": UNITS}), encoding="utf-8")
    code, _, err = beholder("units", *command, "units.json")
    assert not (workplace / "evil.ran").exists()
    assert code == 2 and err.count("\n") == 1, err
    assert f"--model_name {name}" in err and "units.json" in err
    code, _, err = beholder("units", *command, "units.json", "-D", workplace)
    assert code == 2 and not (workplace / "evil.ran").exists()


def test_the_directory_that_is_named_is_its_own_network(place: Path, tmp_path: Path, beholder: Call) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copy(place / "net.py", folder / "build_network.py")
    code, _, err = beholder("units", "sample", "-D", folder, "--n_units", "2", "--filename", "u.json")
    assert code == 0, err
    assert json.loads((folder / "u.json").read_text())["model"].startswith("file:")
    code, _, err = beholder("units", "split", "2", "-D", folder, "--units_file", "u.json")
    assert code == 0, err


def test_a_panel_file_runs_nothing_unless_asked(place: Path, workplace: Path, beholder: Call) -> None:
    for line in ('source = "file:evil.py"', 'source = "file:evil.py"\npreprocessing = { resize = 10 }'):
        (workplace / "panel.toml").write_text(f'[[models]]\nname = "a"\n{line}\n', encoding="utf-8")
        args = ["panel", "--stimuli_root", "images", "--output_dir", "out", "--panel_file", "panel.toml", "-y"]
        code, _, err = beholder(*args)
        assert code == 2 and "--run_code" in err and err.count("\n") == 1, err
        with pytest.raises(InputError, match="run_code=True"):
            load_panel("panel.toml")
        with pytest.raises(InputError, match="run_code=True"):
            bh.extract_panel("images", "out", panel_file="panel.toml")
        assert not (workplace / "evil.ran").exists()
    shutil.copy(place / "net.py", workplace / "evil.py")
    (workplace / "panel.toml").write_text('[[models]]\nname = "a"\nsource = "file:evil.py"\n', encoding="utf-8")
    code, _, err = beholder(*args, "--run_code", "--replicates", "1", "--layers", "0")
    assert code == 0, err


def test_metamers_of_a_python_file_name_no_judge(workplace: Path, beholder: Call) -> None:
    write_metamers(workplace / "metamers" / "evil", model="file:evil.py@own")
    code, _, err = beholder("metamers", "judge", "metamers")
    assert not (workplace / "evil.ran").exists()
    assert code == 2 and "--models file:evil.py@own" in err, err
