"""Every class of errors says what it means and what to do, with a message that it really has."""

from __future__ import annotations

import errno
import inspect
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import beholder as bh
from beholder._core import addresses, errors
from beholder.jobs import JobFolder, open_output
from beholder.jobs._records import write_json_record

CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.BeholderError)
}


def extract(images: str = "images/star", layer: str = "classifier", **options: Any) -> None:
    bh.extract("beholder:shapes", images, [layer], device="cpu", **options)


def read_from_a_bad_disk(patch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    patch.setattr("PIL.Image.open", fail)
    bh.stimuli.open_image("star.png")


def add_on_another_machine(patch: pytest.MonkeyPatch) -> None:
    extract()
    file = next(Path("activations").rglob("machine.json"))
    write_json_record(file, {**json.loads(file.read_text(encoding="utf-8")), "processor": "of another kind"})
    extract(layer="block5")


def open_what_was_edited(patch: pytest.MonkeyPatch) -> None:
    extract()
    head = Path("activations/shapes.zarr/zarr.json")
    head.write_text(head.read_text(encoding="utf-8").replace("16", "17"), encoding="utf-8")
    bh.open("activations/shapes.zarr")


def read_no_picture(patch: pytest.MonkeyPatch) -> None:
    Path("mine").mkdir()
    Path("mine/star.png").write_text("no picture")
    extract("mine")


def load_offline(patch: pytest.MonkeyPatch) -> None:
    patch.setenv("BEHOLDER_OFFLINE", "1")
    bh.load_model("torchvision:alexnet")


def read_without_nibabel(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(sys.modules, "nibabel", None)
    Path("brain.nii").touch()
    bh.open_recordings("brain.nii", mask="mask.nii")


def replace_what_is_written(patch: pytest.MonkeyPatch) -> None:
    folder = JobFolder(Path("activations/.shapes.zarr.jobs"), Path("activations/shapes.zarr"))
    with open_output(folder):
        extract(overwrite=True)


def open_a_dead_server(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(addresses, "_WAITS", ())
    bh.open("http://127.0.0.1:9/shapes.zarr")


def fill_the_disk(patch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    patch.setattr("beholder._core.files.tempfile.mkstemp", fail)
    bh.UnitList((bh.Unit("block3", 5),)).save("units.json")


def change_the_settings(patch: pytest.MonkeyPatch) -> None:
    extract()
    extract(dtype="float16")


WAYS: dict[str, Callable[[pytest.MonkeyPatch], object]] = {
    "BeholderError": read_from_a_bad_disk,
    "InputError": lambda patch: extract("nowhere"),
    "UnknownNameError": lambda patch: extract(layer="clasifier"),
    "UnknownKeyword": lambda patch: extract(batchsize=4),
    "ConfigurationChanged": change_the_settings,
    "OtherMachine": add_on_another_machine,
    "DamagedOutput": open_what_was_edited,
    "StimulusError": read_no_picture,
    "WeightsUnavailable": load_offline,
    "MissingExtra": read_without_nibabel,
    "OutputBusy": replace_what_is_written,
    "StorageUnreachable": open_a_dead_server,
    "OutputError": fill_the_disk,
}
"""How each comes about."""


def read_example(kind: type) -> str:
    """The message in a docstring, on one line; ``…`` stands for what differs between machines."""
    text = inspect.getdoc(kind) or ""
    assert "What to do:" in text
    (block,) = re.findall(r"It says, for example::\n\n((?:    .*\n?)+)", text)
    return " ".join(block.split())


@pytest.mark.parametrize("name", CLASSES)
def test_the_example_is_what_it_says(name: str, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CLASSES[name]) as caught:
        WAYS[name](monkeypatch)
    assert type(caught.value) is CLASSES[name]
    told = str(caught.value).replace(str(workplace) + "/", "")
    pattern = ".*".join(map(re.escape, read_example(CLASSES[name]).split("…")))
    assert re.fullmatch(pattern, told), f"\n{told}\n{read_example(CLASSES[name])}"


def test_every_error_is_of_the_top_level_and_linked_from_the_tree() -> None:
    page = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
    for name, kind in CLASSES.items():
        assert getattr(bh, name) is kind
        assert f"(errors/{name}.md)" in page
