"""A mistyped name of a network is refused before anything heavy is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from beholder._core.errors import InputError, UnknownNameError
from beholder.cli._flags import refuse_missing_sets
from beholder.models import load_panel
from beholder.models.catalog import _sources_read
from beholder.models.catalog._resolve import BARE_NAME_SOURCES
from beholder.models.definitions._base import get_source

_COMMANDS = (
    ["extract", "squeezenet11", "--layers", "a"],
    ["units", "record", "squeezenet11"],
    ["metamers", "make", "squeezenet11", "."],
    ["metamers", "null", "squeezenet11", "."],
    ["evaluate", "natural", "squeezenet11", "."],
    ["evaluate", "adversarial", "squeezenet11", "."],
    ["evaluate", "battery", "squeezenet11", "--stimuli", ".", "--trials", "."],
    ["panel", "--stimuli_root", ".", "--output_dir", "out", "--models", "squeezenet11"],
    ["train", "squeezenet11", "."],
    ["units", "maps", "squeezenet11"],
    ["layers", "squeezenet11"],
)
_NET = "beholder:shapes"
_PLACES = (
    ["evaluate", "natural", _NET, "nowhere"],
    ["evaluate", "natural", _NET, "imagenet-val=nowhere"],
    ["evaluate", "adversarial", _NET, "nowhere"],
    ["evaluate", "battery", _NET, "--stimuli", "nowhere", "--trials", "."],
    ["evaluate", "battery", _NET, "--stimuli", ".", "--trials", "nowhere"],
    ["metamers", "judge", "nowhere"],
    ["panel", "--stimuli_root", "nowhere", "--output_dir", "out"],
    ["panel", "--stimuli_root", ".", "--folders", "nowhere", "--output_dir", "out"],
    ["train", f"{_NET}@random", "nowhere"],
    ["train", f"{_NET}@random", "shapes", "--validation", "nowhere"],
    ["train", f"{_NET}@random", "shapes", "--preset", "nowhere"],
    ["train", f"{_NET}@random", "shapes", "--preset", "nowhere.toml"],
    ["units", "sample", _NET, "--blacklist", "nowhere"],
    ["units", "split", "2", "--units_file", "nowhere"],
    ["units", "maps", _NET, "--out_path", "nowhere"],
    ["units", "occlude", _NET, "--out_path", "nowhere"],
    ["analyze", "sounds", _NET, "--in_path", "nowhere"],
)
_RUN = """
import sys
from beholder.cli._main import run
for words in {commands!r}:
    assert run(words, False) == 2, words
    assert "torch" not in sys.modules and "timm" not in sys.modules, words
"""


def test_names_that_are_read_are_those_that_are_listed() -> None:
    folders = {package: _sources_read._find_folder(package) for package in BARE_NAME_SOURCES}
    for package, without in (("torchvision", _sources_read._NO_PICTURES), ("timm", ())):
        folder = folders[package]
        assert folder is not None
        assert _sources_read._list_registered(list(_sources_read._read(folder)), without) == (
            get_source(package).list_names()
        )
    assert folders["open_clip"] is not None
    assert sorted(path.stem for path in folders["open_clip"].glob("*.json")) == get_source("open_clip").list_names()


def test_no_name_that_loads_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old names of timm, names with a tag and in capitals, too."""
    monkeypatch.setattr(_sources_read, "sys", type("", (), {"modules": {}}))
    for name in ("squeezenet1_1", "AlexNet", "vit_base_patch16_224.augreg_in21k", "tv_resnet34", "ViT-B/32", "alexnet"):
        _sources_read.refuse_unknown_name(name)
    with pytest.raises(UnknownNameError, match="squeezenet1_1"):
        _sources_read.refuse_unknown_name("squeezenet11")


def test_commands_refuse_what_is_not_there_before_torch_is_imported(tmp_path: Path) -> None:
    """Unknown names of networks and of presets, missing files and folders; each in one line that names it."""
    run = _RUN.format(commands=_COMMANDS + _PLACES)
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = done.stderr.splitlines()
    assert len(told) == len(_COMMANDS + _PLACES), done.stderr
    assert all(("squeezenet11" if words in _COMMANDS else "nowhere") in line for words, line in zip(
        _COMMANDS + _PLACES, told, strict=True
    )), done.stderr  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_networks_of_the_panel_are_known() -> None:
    for alias in load_panel():
        _sources_read.refuse_unknown_name(alias.path_name)


def test_places_that_evaluations_take_are_let_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("images").mkdir()
    Path("pictures.h5").touch()
    places = ["images", "imagenet-val", "imagenet-val=images", "train-{0..3}.tar", "s3://bucket/x", "pictures.h5/few"]
    refuse_missing_sets(places)
    for place in ("imagnet-val", "imagenet-val=nowhere", "nowhere"):
        with pytest.raises(InputError, match=f"nothing at {place}"):
            refuse_missing_sets([place])
