"""``beholder analyze rsa``: one document with ``--json``, a page, and one line for what cannot be done."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from beholder.recordings import RecordedRDMs

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two layers and RDMs of three people for the same pictures."""
    from beholder.cli._main import run

    folder = tmp_path_factory.mktemp("rsa")
    words = ["extract", "--model-name", f"file:{place}/net.py@random", "--layers", "0", "2"]
    assert run([*words, "--in-path", str(place / "images"), "--out-path", str(folder / "activations")]) == 0
    rng = np.random.default_rng(0)
    ids = [f"picture_{i}" for i in range(6)]
    subjects = {"subject": ["a", "b", "c"], "region": ["IT"] * 3}
    RecordedRDMs(rng.random((3, 15)), ids, subjects).save(folder / "it.recordings.npz")
    RecordedRDMs(rng.random((3, 15)), [f"x{i}.png" for i in range(6)], subjects).save(folder / "other.recordings.npz")
    return folder


QUICK = ("--n_draws", "20", "--n_permutations", "20")


def test_one_command_writes_all(beholder: Call, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (store,) = (folder / "activations").glob("*.zarr")
    asked = ("analyze", "rsa", store, "--recordings", "it.recordings.npz", *QUICK)
    code, out, _ = beholder(*asked, "--json")
    assert code == 0
    document = json.loads(out)
    assert set(document) == {"rsa", "sentences", "warnings", "files"}
    assert list(document["rsa"][0])[:7] == ["model", "layer", "target", "subject", "statistic", "method", "estimate"]
    assert Path(document["files"][-1]["file"]) == Path("analysis/report.html")
    assert "IT" in document["sentences"][0]["text"]
    for name in ("rsa.parquet", "rsa.result.json", "report.html", "provenance.json", "figures/rsa_layers.svg"):
        assert (folder / "analysis" / name).is_file(), name
    code, out, err = beholder(*asked, "--method", "rho-a")
    assert code == 2 and "method was 'spearman', now 'rho-a'" in err
    code, out, _ = beholder(*asked, "--method", "rho-a", "--overwrite", "--quiet")
    assert code == 0 and out.splitlines()[-1] == "analysis/report.html" and "rho-a = " in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--recordings", "other.recordings.npz"), "id_pattern"),
        (("--recordings", "none.npz"), "none.npz"),
        (("--recordings", "it.recordings.npz", "--method", "spearmann"), "'spearman'"),
        (("--recordings", "it.recordings.npz", "--replicates", "cross"), "two replicates or more"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    beholder: Call, folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(folder)
    (store,) = (folder / "activations").glob("*.zarr")
    code, out, err = beholder("analyze", "rsa", store, *QUICK, *words, "--quiet", "--out", "elsewhere")
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and told in err and err.count("\n") == 1


def test_other_options_and_inputs_are_refused_before_the_work(
    beholder: Call, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(folder)
    (store,) = (folder / "activations").glob("*.zarr")
    asked = ("analyze", "rsa", store, *QUICK, "--out", tmp_path, "--recordings")
    assert beholder(*asked, "it.recordings.npz")[0] == 0

    def work(*_: object, **__: object) -> None:
        raise AssertionError("the work began")

    monkeypatch.setattr("beholder.analysis.rsa._analyze.make_targets", work)
    code, _, err = beholder(*asked, "it.recordings.npz", "--method", "pearson")
    assert code == 2
    assert "method was 'spearman', now 'pearson'" in err
    rdms = RecordedRDMs(np.random.default_rng(1).random((3, 15)), [f"picture_{i}" for i in range(6)])
    rdms.save(folder / "else.recordings.npz")
    code, _, err = beholder(*asked, "else.recordings.npz")
    assert code == 2
    assert "got other content in the recordings" in err and err.count("\n") == 1


def test_several_files_are_regions_or_conditions(
    beholder: Call, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(folder)
    (store,) = (folder / "activations").glob("*.zarr")
    people = {"subject": ["a", "b", "c"], "region": ["IT"] * 3}
    ids = [f"picture_{i}" for i in range(6)]
    RecordedRDMs(np.random.default_rng(3).random((3, 15)), ids, people).save(folder / "after.recordings.npz")
    files = ("--recordings", "it.recordings.npz", "after.recordings.npz")
    code, out, err = beholder("analyze", "rsa", store, *files, *QUICK, "--out", tmp_path, "--json")
    assert code == 0, err
    rows = [row for row in json.loads(out)["rsa"] if row["statistic"] == "difference of recordings"]
    assert {(row["target"], row["other_target"]) for row in rows} == {("it IT", "after IT")}
