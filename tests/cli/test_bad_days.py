"""Everything that can go wrong ends in one clear line and the right exit code, and nothing is lost."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

Command = Callable[..., tuple[int, str, str]]


def extract(place: Path, out: Path, *more: str | Path, layer: str = "2", **other: str | Path) -> list[str | Path]:
    model = other.get("model", f"file:{place / 'net.py'}")
    images = other.get("images", place / "images")
    return ["extract", "-m", model, "--module_name", layer, "--in_path", images, "--out_path", out, *more]


def last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith("error:")]
    assert len(lines) == 1 and text.rstrip().endswith(lines[0]), text
    return lines[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"layer": "22"}, ["expected the name of a layer", "'22'", "try '2'"]),
        ({"model": "resnet5"}, ["expected the name of a model", "'resnet5'", "resnet50"]),
        ({"model": "torchvison:resnet50"}, ["torchvision"]),
        ({"more": ["--device", "cuda:9"]}, ["--device cuda:9", "try --device auto"]),
        ({"more": ["--device", "gpu"]}, ["expected a device", "'gpu'"]),
        ({"more": ["--pool", "median"]}, ["median", "none"]),
        ({"more": ["--batchsize", "3"]}, ["expected a flag", "--batchsize", "--batch_size"]),
        ({"more": ["--file_format", ".xls"]}, ["file format", "'.xls'"]),
        ({"more": ["--fraction", "1.5"]}, ["fraction", "1.5"]),
        ({"more": ["--n_splits", "3"]}, ["--n_splits with --file_format txt or npy"]),
        ({"more": ["--n_splits", "0", "--file_format", "txt"]}, ["--n_splits of at least 1"]),
        ({"more": ["--compress_acts"]}, ["--n_components"]),
        ({"more": ["--reduce", "svd:3"]}, ["srp:K or pca:K"]),
        ({"more": ["--labels", "a.txt", "--texts", "b.txt"]}, ["one of --labels and --texts"]),
        ({"more": ["--batch_size", "0"]}, ["--batch_size of at least 1"]),
        ({"images": "/nowhere/at/all"}, ["/nowhere/at/all"]),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(
    place: Path, tmp_path: Path, beholder: Command, changes: dict, words: list[str]
) -> None:
    code, out, err = beholder(*extract(place, tmp_path / "out", *changes.pop("more", []), **changes))
    assert code == 2 and out == ""
    line = last_line(err)
    for word in words:
        assert word in line


def test_unknown_commands_suggest_the_nearest(beholder: Command) -> None:
    code, _, err = beholder("extrct")
    assert code == 2 and "extract" in last_line(err)


def test_a_folder_without_pictures(place: Path, tmp_path: Path, beholder: Command) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").touch()
    code, _, err = beholder(*extract(place, tmp_path / "out", images=tmp_path / "empty"))
    assert code == 2 and str(tmp_path / "empty") in last_line(err)


def test_a_broken_picture_is_named_and_can_be_skipped(place: Path, tmp_path: Path, beholder: Command) -> None:
    shutil.copytree(place / "images", tmp_path / "images")
    whole = (tmp_path / "images/cat/picture_0.png").read_bytes()
    (tmp_path / "images/cat/broken.png").write_bytes(whole[: len(whole) // 2])
    command = extract(place, tmp_path / "out", images=tmp_path / "images")
    code, _, err = beholder(*command)
    assert code == 2 and "broken.png" in last_line(err) and "--skip_bad" in err
    code, out, _ = beholder(*command, "--skip_bad", "--json")
    assert code == 0 and json.loads(out)["store"][0]["n_stimuli"] == 6


def test_missing_files_of_a_table_can_be_skipped(place: Path, tmp_path: Path, beholder: Command) -> None:
    names = [path.as_posix() for path in sorted((place / "images").rglob("*.png"))]
    (tmp_path / "table.csv").write_text("\n".join(["file", *names, "nowhere.png"]), encoding="utf-8")
    command = extract(place, tmp_path / "out", images=tmp_path / "table.csv")
    code, _, err = beholder(*command)
    assert code == 2 and "'nowhere.png'" in last_line(err)
    code, out, _ = beholder(*command, "--skip_bad", "--json")
    assert code == 0 and json.loads(out)["store"][0]["n_stimuli"] == 6


def test_one_data_set_of_several(place: Path, tmp_path: Path, beholder: Command) -> None:
    import h5py
    import numpy as np

    with h5py.File(tmp_path / "bricks.h5", "w") as file:
        file["a"] = np.zeros((2, 3, 40, 40), np.uint8)
        file["group/b"] = np.zeros((3, 3, 40, 40), np.uint8)
    code, _, err = beholder(*extract(place, tmp_path / "out", images=tmp_path / "bricks.h5"))
    assert code == 2 and f"try {tmp_path / 'bricks.h5'}/a" in last_line(err)
    code, out, _ = beholder(*extract(place, tmp_path / "out", "--json", images=tmp_path / "bricks.h5/group/b"))
    assert code == 0 and json.loads(out)["store"][0]["n_stimuli"] == 3


def test_a_pickle_posing_as_weights_is_refused(place: Path, tmp_path: Path, beholder: Command) -> None:
    class Evil:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "pwned",))

    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"weight": Evil()}))
    code, _, err = beholder(*extract(place, tmp_path / "out", "--model_path", tmp_path / "evil.pth"))
    assert code == 2 and "evil.pth" in last_line(err)
    assert not (tmp_path / "pwned").exists()


def test_weights_of_another_network_are_refused(place: Path, tmp_path: Path, beholder: Command) -> None:
    torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / "other.pth")
    code, _, err = beholder(*extract(place, tmp_path / "out", "--model_path", tmp_path / "other.pth"))
    assert code == 2 and "fc.weight" in last_line(err)


def test_a_read_only_folder(place: Path, tmp_path: Path, beholder: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    code, _, err = beholder(*extract(place, tmp_path / "out"))
    assert code == 2 and "a folder that can be written" in last_line(err)


def test_a_place_that_may_not_be_read(beholder: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is named, and not taken for the output."""

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "mine")

    monkeypatch.setattr("beholder.jobs.verify_outputs", refuse)
    code, _, err = beholder("verify", "mine")
    assert code == 2 and "may read" in last_line(err) and "got mine (permission denied)" in err


def test_an_output_folder_that_is_a_file(place: Path, tmp_path: Path, beholder: Command) -> None:
    (tmp_path / "out").write_text("mine", encoding="utf-8")
    code, _, err = beholder(*extract(place, tmp_path / "out"))
    assert code == 2 and "expected a folder" in last_line(err)
    assert (tmp_path / "out").read_text(encoding="utf-8") == "mine"


def test_a_full_disk_loses_nothing(place: Path, tmp_path: Path, beholder: Command) -> None:
    assert beholder(*extract(place, tmp_path / "whole", "--batch_size", "1"))[0] == 0
    tokens = [str(token) for token in extract(place, tmp_path / "full", "--batch_size", "1")]
    code = textwrap.dedent(
        f"""
        import resource, sys
        from beholder.cli import main
        resource.setrlimit(resource.RLIMIT_FSIZE, (7000, resource.RLIM_INFINITY))
        main({tokens!r})
        """
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "full disk" in last_line(result.stderr) and "run the same command again" in result.stderr
    assert beholder(*tokens)[0] == 0
    values = "net.zarr/2/values/c.0.0.0.0.0"
    assert (tmp_path / "full" / values).read_bytes() == (tmp_path / "whole" / values).read_bytes()
    assert not list((tmp_path / "full").rglob(".tmp-*"))


def test_a_batch_that_does_not_fit_is_redone_smaller(
    place: Path, tmp_path: Path, beholder: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from beholder.activations import Activations
    from beholder.activations.extraction._worker import _ExtractionSession

    assert beholder(*extract(place, tmp_path / "whole", "--batch_size", "4"))[0] == 0
    forward = _ExtractionSession._forward

    def forward_in_little_memory(self: _ExtractionSession, task: object, batch: object, *state: object) -> None:
        if len(batch) > 2:  # type: ignore[arg-type]
            raise torch.OutOfMemoryError("CUDA out of memory")
        forward(self, task, batch, *state)  # type: ignore[arg-type]

    monkeypatch.setattr(_ExtractionSession, "_forward", forward_in_little_memory)
    code, _, err = beholder(*extract(place, tmp_path / "small", "--batch_size", "4"))
    assert code == 0 and "smaller batches" in err
    listed = json.loads((tmp_path / "small/provenance.json").read_text(encoding="utf-8"))
    assert [shard["batch"] for shard in listed["outputs"]["net.zarr"]["smaller_batches"]] == [2]
    whole, small = (Activations(tmp_path / name / "net.zarr")["2"].to_numpy() for name in ("whole", "small"))
    assert abs(whole - small).max() <= 1e-5 * abs(whole).max()


def test_a_changed_configuration_names_the_difference(place: Path, tmp_path: Path, beholder: Command) -> None:
    assert beholder(*extract(place, tmp_path / "out"))[0] == 0
    code, _, err = beholder(*extract(place, tmp_path / "out", "--dtype", "float16"))
    assert code == 2 and "dtype was 'float32', now 'float16'" in last_line(err) and "--overwrite" in err
    assert beholder(*extract(place, tmp_path / "out", "--dtype", "float16", "--overwrite"))[0] == 0


def test_a_second_run_on_one_output_leaves_with_code_1(place: Path, tmp_path: Path, beholder: Command) -> None:
    from beholder.activations.store._arrays import job_folder

    with job_folder(tmp_path / "out" / "net.zarr").hold():
        code, _, err = beholder(*extract(place, tmp_path / "out"))
    assert code == 1 and "another run" in last_line(err)


def test_json_is_one_document_and_nothing_else(place: Path, tmp_path: Path, beholder: Command) -> None:
    code, out, _ = beholder(*extract(place, tmp_path / "out", "--json"))
    document = json.loads(out)
    assert code == 0 and document["layers"][0]["shape"] == [6, 1, 8, 16, 16]


def test_interactive_asks_again(
    place: Path, tmp_path: Path, beholder: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO("features.11\n2\n"))
    command = ["extract", "-m", f"file:{place / 'net.py'}", "--interactive", "-ip", place / "images"]
    code, out, _ = beholder(*command, "-op", tmp_path / "out")
    assert code == 0 and "Conv2d(3, 8" in out and "'features.11'" in out
    assert (tmp_path / "out/net.zarr/2/zarr.json").exists()


def test_interactive_asks_until_a_layer_can_be_captured(
    place: Path, tmp_path: Path, beholder: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO("2:sideways\n2@7\nrelu*\n2[0]\n2\n"))
    command = ["extract", "-m", f"file:{place / 'net.py'}", "--interactive", "-ip", place / "images", "--json"]
    code, out, err = beholder(*command, "-op", tmp_path / "out")
    assert code == 0, err
    assert json.loads(out)["layers"][0]["layer"] == "2", "with --json nothing else stands on stdout"
    assert "Conv2d(3, 8" in err
    for word in ("'2:sideways'", "'2@7'", "'relu*'", "'2[0]'"):
        assert word in err


def test_compression_of_a_layer_that_was_asked_for_needs_a_number(
    place: Path, tmp_path: Path, beholder: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO("2\n"))
    command = ["extract", "-m", f"file:{place / 'net.py'}", "--interactive", "-ip", place / "images"]
    code, _, err = beholder(*command, "-op", tmp_path / "out", "--compress_acts")
    assert code == 2 and "--n_components K" in last_line(err)


@pytest.mark.parametrize("file_format", [".npy", "txt", ".mat", "pt", "csv", "hdf5"])
def test_formats(place: Path, tmp_path: Path, beholder: Command, file_format: str) -> None:
    command = extract(place, tmp_path / "out", "--file_format", file_format, "--flatten_acts", "--center_acts")
    code, out, _ = beholder(*command)
    assert code == 0
    folder = tmp_path / "out/net/2"
    suffix = {"hdf5": "h5"}.get(file_format, file_format.lstrip("."))
    assert str(folder / f"activations.{suffix}") in out
    names = (folder / "file_names.txt").read_text(encoding="utf-8").split()
    assert names[0] == "cat/picture_0.png" and len(names) == 6


def test_an_export_of_other_values_names_what_it_was_made_from(place: Path, tmp_path: Path, beholder: Command) -> None:
    command = extract(place, tmp_path / "out", "--file_format", "npy")
    assert beholder(*command)[0] == 0
    code, _, err = beholder(*command, "--center_acts")
    assert code == 2 and "made_from was 'net.zarr', now 'net.centered.zarr'" in last_line(err) and "unset" not in err
