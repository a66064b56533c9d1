"""What the first formats hold is read, shown, exported and reported; it is not continued and gives no verdicts."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import beholder as bh
from beholder.cli._main import run

ARCHIVE = Path(__file__).parent.parent / "fixtures" / "format_1" / "outputs.zip"
NET = "beholder:shapes"


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("format_1")
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def inside(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in the folder that the outputs were made in; nothing in it may change."""
    monkeypatch.chdir(outputs)
    before = read_tree(outputs)
    yield outputs
    assert read_tree(outputs) == before


def read_tree(folder: Path) -> dict[str, bytes]:
    skipped = (".lock", "-wal", "-shm")
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith(skipped)]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_stores_read_as_they_were_written(inside: Path) -> None:
    pooled = bh.open("activations/shapes.mean.zarr")
    assert pooled["block1"].shape[:2] == (12, 2)
    assert list(pooled.stimuli["contrast"].astype(str))[:3] == ["0.0", "0.5", "1.0"]
    flat = bh.open("activations/shapes.zarr")["classifier"].to_numpy()
    exported = np.load("exports/npy/shapes/classifier/activations.npy")
    np.testing.assert_array_equal(flat.reshape(exported.shape), exported)
    centred = bh.open("activations/shapes.centered.zarr")["classifier"].to_numpy()
    np.testing.assert_allclose(centred, exported - exported.mean(axis=0), atol=1e-5)


def test_tiles_without_checksums_read(inside: Path) -> None:
    layer = bh.open("activations/enlarge.zarr")["0"]
    assert layer.shape == (3, 12, 192, 192) and layer._layout is not None and not layer._layout.has_checksums
    whole = layer.to_numpy()
    np.testing.assert_array_equal(whole, np.asarray(layer._array)[:, 0])
    np.testing.assert_array_equal(layer[[2, 0]], whole[[2, 0]])
    assert set(np.unique(whole)) == {0, 1}


@pytest.mark.parametrize(
    "path",
    ["activations", "activations/shapes.mean.zarr", "activations/enlarge.zarr", "panel/model_activations_circle.h5",
     "units.json", "stimuli/shapes", "metamers/shapes/results.parquet", "metamers/shapes/judgements.parquet",
     "null_dist/shapes/block1.parquet", "exports/csv/shapes/classifier", "exports/pt/shapes/classifier",
     "exports/mat/shapes/classifier", "graded/stimuli.csv", "responses/responses.parquet"],
)  # fmt: skip
def test_show(inside: Path, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", path]) == 0
    assert run(["show", path, "--json"]) == 0
    assert capsys.readouterr().err == ""


def test_everything_opens(inside: Path) -> None:
    assert len(bh.open("stimuli/shapes")) == 2
    assert len(bh.open("metamers/shapes")) == 1 and len(bh.open("metamers/syllables")) == 1
    assert set(bh.open("null_dist/shapes").layers) == {"block1", "classifier"}
    assert len(bh.open("null_dist/shapes")["block1"]["pearson"]) == 20
    panel = bh.open("panel/model_activations_circle.h5")
    assert panel["shapes"]["circle_00"]["classifier"].shape == (2, 16)


def test_exports_and_reports(inside: Path, tmp_path: Path) -> None:
    bh.open("activations/shapes.zarr")["classifier"].save(tmp_path / "again.npy")
    np.testing.assert_array_equal(
        np.load(tmp_path / "again.npy"), np.load("exports/npy/shapes/classifier/activations.npy")
    )
    assert run(["tasks", "export", "exp_data", "--db", "answers.sqlite", "--out", str(tmp_path / "responses")]) == 0
    page = bh.write_report(".", tmp_path / "report.html").read_text(encoding="utf-8")
    assert "could not be read" not in page
    for words in ("What was recorded of", "What drives single units", "not tell apart", "panel"):
        assert words in page


CONTINUED = {
    "store": ["extract", "-m", NET, "-mn", "classifier", "-ip", "images/table.csv", "-op", "activations"],
    "recording": ["units", "record", "-m", NET, "--units-file", "units.json", "-ip", "natural", "-op",
                  "activations_units"],
    "exemplars": ["units", "exemplars", "-m", NET, "--units-file", "units.json", "--activations",
                  "activations_units/shapes.mean.zarr", "--num-batches", "2", "--start-min", "18", "--stop-min", "20",
                  "--start-max", "20", "--stop-max", "22"],
    "optimized": ["units", "optimize", "-m", NET, "--units-file", "one_unit.json", "--no-recording", "--n-images", "1"],
    "maps": ["units", "maps", "-m", NET, "--units-file", "units.json"],
    "occluded": ["units", "occlude", "-m", NET, "--units-file", "units.json", "--steps", "2"],
    "graded": ["stimuli", "grade", "--grade", "contrast", "--levels", "0.3", "1", "-ip", "images/circle", "-op",
               "graded"],
    "null": ["metamers", "null", NET, "images", "--layers", "block1", "classifier", "-N", "20"],
    "metamers": ["metamers", "make", NET, "shown", "--layers", "classifier", "--measured", "block1", "classifier",
                 "-I", "4"],
    "judgement": ["metamers", "judge", "metamers/shapes", "--models", NET, "--failed"],
    "tasks": ["tasks", "build", "-i", "plan.json", "-t", "exp_data", "-nr", "2"],
    "panel": ["panel", "--stimuli-root", "images", "--folders", "circle", "--output-dir", "panel", "--models", NET,
              "--layers", "classifier", "--replicates", "2", "-y"],
}  # fmt: skip


@pytest.mark.parametrize("kind", CONTINUED)
def test_no_output_is_continued(inside: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(CONTINUED[kind]) == 2
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(error) == 1
    told = (
        "is read, shown and exported, but not continued or used for verdicts",
        "of an earlier version",
        "of an older version",
    )
    assert any(words in error[0] for words in told), error[0]
    assert "--overwrite" in error[0] and ("another" in error[0] or "anew" in error[0])


def test_verify_compares_sizes(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "activations", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {row["output"]: row["n_files"] for row in found["outputs"]}["activations/shapes.zarr"] == 0
    assert all(row["n_unhashed"] and row["whole"] for row in found["outputs"])
