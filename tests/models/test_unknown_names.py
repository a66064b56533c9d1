"""A mistyped name of a network is refused before anything heavy is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from beholder._core.errors import UnknownNameError
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


def test_commands_refuse_an_unknown_name_before_torch_is_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _RUN.format(commands=_COMMANDS)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
