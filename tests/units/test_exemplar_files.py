"""The folder of exemplars: pictures, sounds, manifest, resuming."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.forking import FORKING
from torch import Tensor, nn

import beholder as bh
from beholder.activations import Activations
from beholder.models import Unit, read_preprocessing
from beholder.stimuli import save_sound
from beholder.units import Exemplars, _exemplar_worker, find_exemplars, write_exemplars

from .conftest import Record, read_tree

UNITS = [Unit("0", 0), Unit("0", 3), Unit("1:in", 1)]
N_PICTURES = 45


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty-five pictures of several sizes."""
    folder = tmp_path_factory.mktemp("exemplars") / "images"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for i in range(N_PICTURES):
        pixels = generator.integers(0, 255, (40 + i % 3, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"picture_{i:02d}.png")
    return folder


@pytest.fixture(scope="module")
def acts(pictures: Path) -> Activations:
    net = bh.wrap(
        nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU()),
        preprocess=read_preprocessing({"kind": "image", "resize": 36, "crop": 32}),
        name="small",
    )
    for parameter in net.module.parameters():
        nn.init.normal_(parameter)
    return bh.record_units(net, pictures, layers=["0", "1:in"], out_path=pictures.parent / "activations")


def choose(acts: Activations, units: list[Unit] = UNITS, **options: object) -> Exemplars:
    return find_exemplars(acts, units, num_batches=2, **options)  # type: ignore[arg-type]


def read_manifest(folder: Path) -> list[dict[str, str]]:
    with open(folder / "manifest.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_folder_is_as_the_contract_says(acts: Activations, pictures: Path, tmp_path: Path) -> None:
    best = choose(acts)
    folder = write_exemplars(best, tmp_path / "stimuli")
    assert folder == tmp_path / "stimuli" / "small"
    images = folder / "1_in" / "channel_1" / "natural_images"
    names = {f"batch_{b}/{sign}_{k}.png" for b in range(2) for sign in ("min", "max") for k in range(10)}
    assert {path.relative_to(images).as_posix() for path in images.rglob("*.png")} == names
    rows = read_manifest(images)
    assert list(rows[0]) == ["file", "role", "source", "rank", "activation", "percentile", "seed", "settings"]
    assert [row["file"] for row in rows[:2]] == ["batch_0/min_0.png", "batch_0/min_1.png"]
    assert {row["file"] for row in rows} == names
    table = (
        best.to_pandas()
        .query("layer == '1:in' and channel == 1")
        .sort_values(["batch", "sign"], ascending=[True, False])
    )
    expected: Any
    for row, expected in zip(rows, table.itertuples(), strict=True):
        assert row["role"] == expected.role
        assert (row["source"], int(row["rank"])) == (expected.source, expected.rank)
        assert np.float32(row["activation"]) == np.float32(expected.activation)
        assert float(row["percentile"]) == expected.percentile
        assert row["seed"] == "42"
        settings = json.loads(row["settings"])
        assert (settings["scheme"], settings["num_batches"], settings["n_stimuli"]) == ("document", 2, N_PICTURES)
        pixels = np.asarray(Image.open(images / row["file"]))
        prepared = read_preprocessing({"kind": "image", "resize": 36, "crop": 32}).prepare_uint8(
            pictures / row["source"]
        )
        np.testing.assert_array_equal(pixels, prepared)
    exact = json.loads((images / "distribution.json").read_text())
    assert (exact["layer"], exact["channel"], exact["n_stimuli"]) == ("1:in", 1, N_PICTURES)
    assert sum(exact["counts"]) == N_PICTURES
    assert len(exact["edges"]) == len(exact["counts"]) + 1
    provenance = json.loads((folder / "provenance.json").read_text())["outputs"]["natural_images"]
    assert provenance["units"] == ["0:0", "0:3", "1:in:1"]


def test_stopped_runs_continue_to_the_same_bytes(
    acts: Activations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = choose(acts)
    write_exemplars(best, tmp_path / "whole")
    expected = read_tree(tmp_path / "whole")
    write = _exemplar_worker.write_bytes
    for n_files in (0, 3, 41, 77, 122):
        out = tmp_path / f"stopped{n_files}"
        left = [n_files]

        def write_some(path: Path, data: bytes, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            write(path, data)

        monkeypatch.setattr(_exemplar_worker, "write_bytes", write_some)
        with pytest.raises(KeyboardInterrupt):
            write_exemplars(best, out)
        monkeypatch.setattr(_exemplar_worker, "write_bytes", write)
        write_exemplars(best, out)
        assert read_tree(out) == expected
        monkeypatch.setattr(_exemplar_worker, "write_bytes", write_some)
        write_exemplars(best, out)
    monkeypatch.undo()


def test_units_may_be_added(acts: Activations, tmp_path: Path) -> None:
    write_exemplars(choose(acts), tmp_path / "whole")
    for n in (1, 3):
        write_exemplars(choose(acts, UNITS[::-1][:n]), tmp_path / "grown")
    assert read_tree(tmp_path / "grown") == read_tree(tmp_path / "whole")


def test_workers_do_not_change_a_byte(acts: Activations, tmp_path: Path) -> None:
    write_exemplars(choose(acts), tmp_path / "one", threads=1)
    write_exemplars(choose(acts), tmp_path / "two", workers=2)
    assert read_tree(tmp_path / "one") == read_tree(tmp_path / "two")


def test_other_settings_are_refused(acts: Activations, tmp_path: Path) -> None:
    folder = write_exemplars(choose(acts), tmp_path)
    with pytest.raises(bh.InputError, match=r"seed was 42, now 43.*overwrite=True"):
        write_exemplars(choose(acts, seed=43), tmp_path)
    (folder / "0" / "channel_0" / "optimized_images").mkdir()
    (folder / "0" / "channel_0" / "optimized_images" / "max_0.png").write_bytes(b"")
    write_exemplars(choose(acts, UNITS[:1], seed=43), tmp_path, overwrite=True)
    assert (folder / "0" / "channel_0" / "optimized_images" / "max_0.png").exists()
    assert {path.parent.name for path in folder.rglob("natural_images")} == {"channel_0"}
    assert write_exemplars(choose(acts), tmp_path, extra_name="hard").name == "small_hard"


def test_order_of_units_counts_in_the_released_scheme(acts: Activations, tmp_path: Path) -> None:
    write_exemplars(choose(acts, scheme="released"), tmp_path)
    write_exemplars(choose(acts, UNITS[:2], scheme="released"), tmp_path)
    with pytest.raises(bh.InputError, match="another order of units"):
        write_exemplars(choose(acts, UNITS[::-1], scheme="released"), tmp_path)


def test_foreign_folders_are_refused(acts: Activations, tmp_path: Path) -> None:
    (tmp_path / "small" / "0" / "channel_3" / "natural_images").mkdir(parents=True)
    with pytest.raises(bh.InputError, match="channel_3"):
        write_exemplars(choose(acts), tmp_path)


def test_stimuli_that_moved_or_changed(acts: Activations, pictures: Path, tmp_path: Path) -> None:
    import shutil

    moved = tmp_path / "moved"
    shutil.copytree(pictures, moved)
    write_exemplars(choose(acts), tmp_path / "here")
    write_exemplars(choose(acts), tmp_path / "there", stimuli=moved)
    assert read_tree(tmp_path / "here") == read_tree(tmp_path / "there")
    for file in moved.iterdir():
        Image.new("RGB", (40, 40)).save(file)
    with pytest.raises(bh.InputError, match="changed since"):
        write_exemplars(choose(acts), tmp_path / "changed", stimuli=moved)
    with pytest.raises(bh.InputError, match="without 40 of them"):
        write_exemplars(choose(acts), tmp_path / "fewer", stimuli=bh.StimulusSet.from_folder(pictures)[:5])


def test_float_pictures_and_other_arrays(record: Record, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    pictures = generator.random((24, 4, 3))
    acts = record(pictures, axes=dict.fromkeys(("first", "second"), ("channel", "place")))
    with pytest.raises(bh.InputError, match="stimuli=ARRAYS"):
        write_exemplars(find_exemplars(acts, [Unit("first", 0)], num_batches=1), tmp_path / "without")
    net = bh.wrap(nn.Identity(), input_shape=(4, 3))
    best = find_exemplars(acts, [Unit("first", 0)], num_batches=1)
    stimuli = bh.StimulusSet.from_arrays(pictures.astype(np.float32), kind="array")
    folder = write_exemplars(best, tmp_path / "arrays", stimuli=stimuli, model=net)
    saved = np.load(folder / "first" / "channel_0" / "natural_images" / "batch_0" / "max_8.npy", allow_pickle=False)
    np.testing.assert_array_equal(saved, pictures[best.positions[0, 1, 0, 8]].astype(np.float32))


class Ear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 3, 9)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x[:, None]).mean(2)


def test_sounds(tmp_path: Path) -> None:
    from scipy.io import wavfile

    generator = np.random.default_rng(0)
    (tmp_path / "sounds").mkdir()
    for i in range(22):
        save_sound(tmp_path / "sounds" / f"sound_{i:02d}.wav", generator.standard_normal(400) * 0.1, 8000)
    preprocessing = read_preprocessing({"kind": "sound", "rate": 8000, "duration": 0.05})
    net = bh.wrap(Ear(), preprocess=preprocessing, name="ear")
    acts = bh.record_units(net, tmp_path / "sounds", out_path=tmp_path / "activations")
    assert acts.layers == ["conv", "output"]
    best = find_exemplars(acts, [Unit("conv", 2)], num_batches=1)
    folder = write_exemplars(best, tmp_path / "stimuli")
    images = folder / "conv" / "channel_2" / "natural_images"
    rows = read_manifest(images)
    assert {Path(row["file"]).suffix for row in rows} == {".wav"}
    rate, samples = wavfile.read(images / rows[0]["file"])
    assert rate == 8000
    np.testing.assert_array_equal(samples, preprocessing.prepare(tmp_path / "sounds" / rows[0]["source"]))


def write_all(path: Path, out: Path) -> None:
    write_exemplars(choose(Activations(path)), out, threads=1)


@pytest.mark.parametrize("n_kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_killed(acts: Activations, tmp_path: Path, n_kills: int) -> None:
    write_all(acts.path, tmp_path / "whole")
    expected = read_tree(tmp_path / "whole")
    n_inside = 0
    for kill in range(n_kills):
        out = tmp_path / f"broken{kill}"
        process = FORKING.Process(target=write_all, args=(acts.path, out))
        process.start()
        while process.is_alive() and len(list(out.rglob("*.png"))) < 5 + 97 * kill // n_kills:
            time.sleep(0.001)
        process.kill()
        process.join()
        n_inside += len(read_tree(out)) < len(expected)
        write_all(acts.path, out)
        assert read_tree(out) == expected, f"kill {kill} left other bytes"
    assert n_inside, "no kill fell into the work"
