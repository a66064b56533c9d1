"""A page is made to be passed on: it tells no place on this machine, and not the machine's name."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest
from PIL import Image
from tests.metamer_folders import write_metamers, write_null
from tests.unit_folders import write_unit

from beholder._core.provenance import record_provenance
from beholder.figures import FigureRecord, plot_rdms, save_figure
from beholder.report import write_report

_HOME = "/home/some.body"


def test_a_page_tells_no_place_and_no_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "results"
    model = f"file:{_HOME}/nets/build.py@main"
    write_metamers(folder / "metamers" / "net", model=model)
    write_null(folder / "null_dist" / "net")
    write_unit(folder / "stimuli" / "net", "conv1", 0)
    (folder / "pictures").mkdir()
    Image.new("RGB", (8, 8)).save(folder / "pictures" / "a.png")
    (folder / "pictures" / "b.png").write_bytes(b"none")
    (folder / "broken.rdms.npz").write_bytes(b"none")
    words = FigureRecord(
        title=f"Where is {_HOME}/a?", answer=f"In {_HOME}/b.", method=f"By {_HOME}/c.", warnings=(f"Not {_HOME}/d.",)
    )
    table = {"file": [f"{_HOME}/e.png"], "n": [1.5]}
    save_figure(plot_rdms({"a": [[0, 1], [1, 0]]}), folder / "figures" / "one", record=words, table=table)
    monkeypatch.setattr(platform, "node", lambda: "host-of-the-lab")
    monkeypatch.setattr(sys, "argv", ["beholder", "extract", "--in_path", f"{_HOME}/My Pictures", f"--out={folder}"])
    record_provenance(folder, ".", {"root": f"{_HOME}/My Pictures", "out": str(folder / "x")})

    html = write_report(folder).read_text()
    assert _HOME not in html
    assert "some.body" not in html
    assert str(tmp_path) not in html
    assert "host-of-the-lab" not in html
    assert "file:…/build.py@main" in html and "In …/b." in html and "…/e.png" in html
    assert "…/My Pictures" in html


def test_addresses_and_models_stay_as_they_are(tmp_path: Path) -> None:
    words = FigureRecord(title="What is in s3://lab/data/x?", answer="https://osf.io/a/b and torchvision:resnet50@v1.")
    save_figure(plot_rdms({"a": [[0, 1], [1, 0]]}), tmp_path / "one", record=words)
    html = write_report(tmp_path).read_text()
    assert "What is in s3://lab/data/x?" in html
    assert "https://osf.io/a/b and torchvision:resnet50@v1." in html
