"""One bad or hostile file costs its own section, not the page; and the page stays small."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from beholder.cli._main import run
from beholder.report import write_rdms, write_report

GOOD = "good.rdms.npz"


def write_good(folder: Path) -> None:
    rdms = np.zeros((1, 1, 3, 3), np.float32)
    write_rdms(folder / GOOD, rdms, layers=["conv"], measures=["cosine"], stimulus_ids=["a", "b", "c"])


def write_figure(folder: Path, table: str) -> None:
    record = {"title": "A figure?", "answer": "Yes.", "explanation": "", "method": "", "warnings": [], "order": 300}
    (folder / "figure.figure.json").write_text(json.dumps(record))
    (folder / "figure.csv").write_text(table)


def write_huge_picture(folder: Path) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 12_000, 12_000, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(12_000 * 1501))
    (folder / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def write_absurd_arrays(folder: Path) -> None:
    with zipfile.ZipFile(folder / "absurd.rdms.npz", "w") as archive:
        for name in ("rdms", "layers", "measures", "stimulus_ids", "categories", "model"):
            head = io.BytesIO()
            shape = {"descr": "<f4", "fortran_order": False, "shape": (40_000, 400, 1000, 1000)}
            np.lib.format.write_array_header_1_0(head, shape)
            archive.writestr(f"{name}.npy", head.getvalue())


def write_bad_hdf5(folder: Path) -> None:
    import h5py

    with h5py.File(folder / "panel.h5", "w") as file:
        for i in range(20):
            file[f"model/stimulus_{i}/conv"] = np.zeros((2, 50), np.float32)
    data = bytearray((folder / "panel.h5").read_bytes())
    data[600:4000] = b"\xff" * 3400
    (folder / "panel.h5").write_bytes(data)


BAD: dict[str, tuple[str, Callable[[Path], object]]] = {
    "hdf5": ("panel.h5", write_bad_hdf5),
    "cell": ("figure.csv", lambda folder: write_figure(folder, "a,b\n1," + "x" * 200_000 + "\n")),
    "deep": ("provenance.json", lambda folder: (folder / "provenance.json").write_text("[" * 100_000)),
    "list": ("provenance.json", lambda folder: (folder / "provenance.json").write_text('{"outputs": {"a": [1]}}')),
    "versions": (
        "",
        lambda folder: (folder / "provenance.json").write_text('{"outputs": {"a": {"versions": [1], "finished": {}}}}'),
    ),
    "words": ("report.json", lambda folder: (folder / "report.json").write_text("[1, 2]")),
    "figure": ("x.figure.json", lambda folder: (folder / "x.figure.json").write_text('{"title": ["a"], "answer": {}}')),
    "arrays": ("absurd.rdms.npz", write_absurd_arrays),
    "picture": ("bomb.png", write_huge_picture),
    "store": ("x.zarr", lambda folder: ((folder / "x.zarr").mkdir(), (folder / "x.zarr/zarr.json").write_text("{"))),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_costs_one_line(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    name, write = BAD[kind]
    write_good(tmp_path)
    write(tmp_path)
    page = write_report(tmp_path)
    text = page.read_text(encoding="utf-8")
    assert GOOD in text and "Which stimuli are alike" in text
    if kind in ("hdf5", "cell", "deep", "figure", "arrays", "picture", "store"):
        assert name in text
    if kind == "words":
        assert name in caplog.text
    assert page.stat().st_size < 20_000_000


def test_results_of_another_version_are_told_in_words(tmp_path: Path) -> None:
    """Of every kind: what a result lacks is named, after what to do."""
    from beholder.analysis import RESULT_KINDS, make_result

    write_good(tmp_path)
    kinds = RESULT_KINDS.names()
    for kind in kinds:
        rows = [{"layer": "conv1", "statistic": "r", "estimate": 0.5, "n": 4}]
        make_result(kind, rows, {}).save(tmp_path / f"{kind}.parquet")
    text = write_report(tmp_path).read_text(encoding="utf-8")
    unread = [kind for kind in kinds if f"{kind}.result.json could not be read: " in text]
    assert len(unread) > 15
    for kind in unread:
        words = text.partition(f"{kind}.result.json could not be read: ")[2][:200]
        assert words.startswith("it is damaged, or another version wrote it; try the command that made it ("), words


def test_the_page_stays_small(tmp_path: Path) -> None:
    write_good(tmp_path)
    outputs = {f"output {i}": {"finished": "2026-01-01", "note": "x" * 10_000} for i in range(3_000)}
    (tmp_path / "provenance.json").write_text(json.dumps({"outputs": outputs}))
    write_figure(tmp_path, ",".join(f"c{i}" for i in range(5_000)) + "\n" + ",".join(["y" * 5_000] * 5_000) + "\n")
    page = write_report(tmp_path)
    assert page.stat().st_size < 2_000_000
    assert "cut here" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.h5", b"\x89HDF\r\n\x1a\n" + b"\xff" * 600), ("a.csv", b"\xff\xfe" * 50), ("a.csv", b'"' + b"x" * 200_000),
     ("a.json", b"[" * 100_000), ("a.json", b"[[1], 2]"), ("a.npy", b"\x93NUMPY\x01\x00"), ("a.pt", b"PK\x03\x04"),
     ("a.mat", b"\0" * 200), ("a.parquet", b"PAR1" + b"\0" * 50 + b"PAR1"), ("a.zarr/zarr.json", b"{}")],
)  # fmt: skip
def test_show_names_what_it_cannot_read(
    name: str, content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    shown = path.parent if path.name == "zarr.json" else path
    assert run(["show", str(shown)]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1 and error[0].startswith("error: expected") and str(shown) in error[0]
