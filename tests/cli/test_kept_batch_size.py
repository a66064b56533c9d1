"""An output keeps the batch size that it was begun with, and says so; made anew it takes the one asked for."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from .test_another_network import COMMANDS, make_module, wrap


def read_settings(folder: Path) -> dict[str, Any]:
    (file,) = [*folder.glob(".*/settings.json"), *folder.glob("*/.*/settings.json")]
    return json.loads(file.read_text())


@pytest.mark.parametrize(
    ("command", "key"), [("extract", "micro_batch"), ("make", "batch_size"), ("optimize", "batch_size")]
)
def test_another_batch_size_is_left_out_with_a_word(
    command: str, key: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run, model = COMMANDS[command], wrap(make_module())
    run(model, tmp_path, batch_size=2)
    before = read_settings(tmp_path)
    assert before[key] == 2
    with caplog.at_level(logging.INFO):
        run(model, tmp_path)
        assert "left out" not in caplog.text
        run(model, tmp_path, batch_size=3)
    assert read_settings(tmp_path) == before
    assert "batch_size=3 is left out" in caplog.text.replace("batch_size 3", "batch_size=3")
    run(model, tmp_path, batch_size=3, overwrite=True)
    assert read_settings(tmp_path)[key] == 3
