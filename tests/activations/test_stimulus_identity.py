"""A store belongs to the bytes of its stimuli: other content under the same names and sizes is never mixed in."""

import os
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from beholder._core.errors import BeholderError, ConfigurationChanged, StimulusError
from beholder._core.files import read_json
from beholder._core.hashing import hash_bytes
from beholder.activations import Activations, describe_file, extract
from beholder.models import ImagePreprocessing, wrap
from beholder.stimuli import StimulusSet


def save(path: Path, seed: int) -> None:
    """An 8 × 8 picture whose file has the same size whatever it shows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, "BMP")


def make_net() -> Any:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3))
    return wrap(module, ImagePreprocessing(resize=8, crop=(8, 8)), name="small")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for i in range(6):
        save(tmp_path / "pictures" / f"{i}.bmp", i)
    return tmp_path / "pictures"


def overwrite_in_place(path: Path, seed: int) -> None:
    """Other content, of the same size, in the same file, with the old time put back."""
    before = path.stat()
    other = path.with_name("other.bmp")
    save(other, seed)
    data = other.read_bytes()
    other.unlink()
    with open(path, "r+b") as file:
        file.write(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)


@pytest.mark.parametrize("change", ["in place", "replaced"])
def test_a_picture_that_kept_name_size_and_time_is_noticed(pictures: Path, tmp_path: Path, change: str) -> None:
    extract(make_net(), pictures, ["0"], out_path=tmp_path / "out")
    if change == "in place":
        overwrite_in_place(pictures / "3.bmp", 99)
    else:
        times = (pictures / "3.bmp").stat()
        save(tmp_path / "new.bmp", 99)
        os.utime(tmp_path / "new.bmp", ns=(times.st_atime_ns, times.st_mtime_ns))
        (tmp_path / "new.bmp").replace(pictures / "3.bmp")
    for layers in (["0"], ["2"]):
        with pytest.raises(ConfigurationChanged, match=r"3\.bmp, whose content differs"):
            extract(make_net(), pictures, layers, out_path=tmp_path / "out")
    assert Activations(tmp_path / "out" / "small.zarr").layers == ["0"]


def test_untouched_files_are_not_read_again_and_touched_ones_are_by_content(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract(make_net(), pictures, ["0"], out_path=tmp_path / "out")
    read: list[int] = []
    true = StimulusSet._read
    monkeypatch.setattr(StimulusSet, "_read", lambda self, i: (read.append(i), true(self, i))[1])
    extract(make_net(), pictures, ["0"], out_path=tmp_path / "out")
    assert read == [0]  # to find the shapes of layers
    read.clear()
    os.utime(pictures / "4.bmp")
    extract(make_net(), pictures, ["0"], out_path=tmp_path / "out")
    assert read == [0, 4]


def test_hashes_are_those_of_the_bytes_that_were_decoded(pictures: Path, tmp_path: Path) -> None:
    acts = extract(make_net(), pictures, ["0"], out_path=tmp_path / "out")
    wanted = [hash_bytes((pictures / f"{i}.bmp").read_bytes()) for i in range(6)]
    assert list(acts.stimulus_hashes) == list(acts.stimuli["hash"]) == wanted
    (receipt,) = (tmp_path / "out" / ".small.zarr.jobs" / "receipts").glob("*.json")
    facts = read_json(receipt)["facts"]
    assert facts["hashes"] == wanted and [mark[0] for mark in facts["marks"]] == [
        (pictures / f"{i}.bmp").stat().st_size for i in range(6)
    ]


def test_a_resume_after_a_change_does_not_mix(tmp_path: Path) -> None:
    """The run ends at a damaged file; before the next run a picture of the finished half changes too."""
    many = tmp_path / "many"
    for i in range(300):
        save(many / f"{i:03d}.bmp", i)
    whole = (many / "299.bmp").read_bytes()
    (many / "299.bmp").write_bytes(whole[:100])
    with pytest.raises(BeholderError, match=r"299\.bmp"):
        extract(make_net(), many, ["0"], out_path=tmp_path / "out", batch_size=1)
    assert list((tmp_path / "out" / ".small.zarr.jobs" / "receipts").glob("*.json"))
    (many / "299.bmp").write_bytes(whole)
    overwrite_in_place(many / "007.bmp", 1007)
    with pytest.raises(ConfigurationChanged, match=r"007\.bmp, whose content differs"):
        extract(make_net(), many, ["0"], out_path=tmp_path / "out", batch_size=1)
    overwrite_in_place(many / "007.bmp", 7)
    resumed = extract(make_net(), many, ["0"], out_path=tmp_path / "out", batch_size=1)["0"].to_numpy()
    np.testing.assert_array_equal(
        resumed, extract(make_net(), many, ["0"], out_path=tmp_path / "once", batch_size=1)["0"].to_numpy()
    )


def test_a_picture_that_changes_while_it_is_extracted_ends_the_run(pictures: Path, tmp_path: Path) -> None:
    """Between the first and the second replicate; what was computed before is not called complete."""
    from beholder.stimuli import Exposure

    stimuli = StimulusSet.from_folder(pictures)
    exposure = Exposure(border=0.0)
    options = {"out_path": tmp_path / "out", "batch_size": 1, "exposure": exposure}
    extract(make_net(), stimuli, ["0"], replicates=1, **options)
    pinned = stimuli.pin()
    overwrite_in_place(pictures / "2.bmp", 77)
    with pytest.raises(StimulusError, match=r"2\.bmp, which has changed since"):
        pinned.read(2)
    with pytest.raises(ConfigurationChanged, match="content differs"):
        extract(make_net(), stimuli, ["0"], replicates=2, **options)


def test_every_picture_of_an_hdf5_set_is_checked(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (450, 8, 8, 3), dtype=np.uint8)
    for name, change in (("a.h5", None), ("b.h5", 231)):
        file: Any
        with h5py.File(tmp_path / name, "w") as file:
            if change is not None:
                pixels[change] = 255 - pixels[change]
            file["pictures"] = pixels
    extract(make_net(), tmp_path / "a.h5", ["0"], out_path=tmp_path / "out")
    extract(make_net(), tmp_path / "a.h5", ["0"], out_path=tmp_path / "out")
    with pytest.raises(ConfigurationChanged, match="000231, whose content differs"):
        extract(make_net(), tmp_path / "b.h5", ["0"], out_path=tmp_path / "out")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["pictures"][231] = pixels[231]
    with pytest.raises(ConfigurationChanged, match="000231, whose content differs"):
        extract(make_net(), tmp_path / "a.h5", ["2"], out_path=tmp_path / "out")


@pytest.mark.parametrize("place", [0, 1, 7])
def test_arrays_in_memory_are_checked_one_by_one(tmp_path: Path, place: int) -> None:
    arrays = np.random.default_rng(0).random((8, 3, 8, 8), dtype=np.float32)
    extract(make_net(), arrays, ["0"], out_path=tmp_path)
    arrays[place, 0, 0, 0] = 1 - arrays[place, 0, 0, 0]
    with pytest.raises(ConfigurationChanged, match=f"{place:06d}, whose content differs"):
        extract(make_net(), arrays, ["2"], out_path=tmp_path)


def test_additions_of_another_class_folder_get_a_class_of_their_own(tmp_path: Path) -> None:
    for i, name in enumerate(["spiral/s1", "spiral/s2", "wave/w1"]):
        save(tmp_path / "first" / f"{name}.bmp", i)
    for i, name in enumerate(["cross/c1", "cross/c2", "spiral/s3"]):
        save(tmp_path / "second" / f"{name}.bmp", 10 + i)
    net: Any = make_net()
    extract(net, tmp_path / "first", ["0"], out_path=tmp_path / "out")
    table = extract(net, tmp_path / "second", ["0"], out_path=tmp_path / "out", append=True).stimuli
    assert dict(zip(table["id"], table["label"], strict=True))["c1"] == "cross"
    assert dict(zip(table["label"], table["target"], strict=True)) == {"spiral": 0, "wave": 1, "cross": 2}
    assert table["target"].tolist() == [0, 0, 1, 2, 2, 0]


def test_indices_that_a_table_gave_are_kept_or_refused(tmp_path: Path) -> None:
    for i in range(4):
        save(tmp_path / f"{i}.bmp", i)
    (tmp_path / "one.csv").write_text("file,label,target\n0.bmp,cat,281\n1.bmp,dog,207\n")
    (tmp_path / "two.csv").write_text("file,label,target\n2.bmp,cat,281\n3.bmp,owl,24\n")
    (tmp_path / "bad.csv").write_text("file,label,target\n3.bmp,owl,281\n")
    net: Any = make_net()
    extract(net, tmp_path / "one.csv", ["0"], out_path=tmp_path / "out")
    with pytest.raises(ConfigurationChanged, match=r"281 for 'owl', which is that of 'cat' in the store"):
        extract(net, tmp_path / "bad.csv", ["0"], out_path=tmp_path / "out", append=True)
    acts = extract(net, tmp_path / "two.csv", ["0"], out_path=tmp_path / "out", append=True)
    assert acts.stimuli["target"].tolist() == [281, 207, 281, 24]


def test_a_folder_that_grew_keeps_the_old_indices(tmp_path: Path) -> None:
    for i, name in enumerate(["dog/d1", "owl/o1"]):
        save(tmp_path / "pictures" / f"{name}.bmp", i)
    net: Any = make_net()
    extract(net, tmp_path / "pictures", ["0"], out_path=tmp_path / "out")
    save(tmp_path / "pictures/ant/a1.bmp", 9)
    table = extract(net, tmp_path / "pictures", ["0"], out_path=tmp_path / "out", append=True).stimuli
    assert dict(zip(table["label"], table["target"], strict=True)) == {"dog": 0, "owl": 1, "ant": 2}


CONDITIONS = {
    "条件": [1, 2], "反応": [3, 4], "Größe": ["a", "b"], "Gräße": ["c", "d"], "x y": [0.5, 1.5], "x_y": [2.5, 3.5],
    "sha256": ["p", "q"], "id": [7, 8], "hash": ["r", "s"], "label": ["t", "u"], "a/b": [True, False],
}  # fmt: skip


def test_conditions_keep_their_exact_names_and_values(tmp_path: Path) -> None:
    import zarr

    arrays = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3), dtype=np.uint8)
    stimuli = StimulusSet.from_arrays(arrays, ["one", "two"], labels=["A", "B"], conditions=CONDITIONS)
    acts = extract(make_net(), stimuli, ["0"], out_path=tmp_path)
    assert {name: column.tolist() for name, column in acts.conditions.items()} == CONDITIONS
    table = acts.stimuli
    assert table["id"].tolist() == ["one", "two"] and table["label"].tolist() == ["A", "B"]
    assert table["condition_id"].tolist() == [7, 8] and table["condition_hash"].tolist() == ["r", "s"]
    assert table["条件"].tolist() == [1, 2] and table["Gräße"].tolist() == ["c", "d"]
    assert stimuli.to_pandas()["condition_label"].tolist() == ["t", "u"]
    group: Any = zarr.open_group(tmp_path / "small.zarr", mode="r")["stimuli/conditions"]
    assert {group[name].attrs["condition"]: group[name][:].tolist() for name in group} == CONDITIONS
    again = Activations(tmp_path / "small.zarr")
    assert list(again.conditions) == list(CONDITIONS)
    assert describe_file(tmp_path / "small.zarr").facts["conditions"] == ", ".join(CONDITIONS)


def test_xarray_opens_the_conditions(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    arrays = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3), dtype=np.uint8)
    stimuli = StimulusSet.from_arrays(arrays, ["one", "two"], conditions={"条件": [1, 2], "反応": [3, 4]})
    extract(make_net(), stimuli, ["0"], out_path=tmp_path)
    found = xarray.open_zarr(tmp_path / "small.zarr", group="stimuli/conditions", consolidated=False, chunks=None)
    assert {found[name].attrs["condition"]: found[name].values.tolist() for name in found} == {
        "条件": [1, 2],
        "反応": [3, 4],
    }


def test_fewer_conditions_leave_none_of_the_old_ones(tmp_path: Path) -> None:
    arrays = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3), dtype=np.uint8)
    many = StimulusSet.from_arrays(arrays, conditions={"a": [1, 2], "b": [3, 4]})
    extract(make_net(), many, ["0"], out_path=tmp_path)
    acts = extract(make_net(), StimulusSet.from_arrays(arrays, conditions={"b": [3, 4]}), ["0"], out_path=tmp_path)
    assert {name: column.tolist() for name, column in acts.conditions.items()} == {"b": [3, 4]}
    assert sorted(path.name for path in (tmp_path / "small.zarr/stimuli/conditions").iterdir()) == ["0", "zarr.json"]


def test_stores_of_the_first_version_are_read(tmp_path: Path) -> None:
    """As version 0 wrote it: conditions beside the columns under names fit for paths, and a column ``sha256``."""
    import zarr

    from beholder.activations.store._arrays import write_column

    arrays = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3), dtype=np.uint8)
    extract(make_net(), StimulusSet.from_arrays(arrays), ["0"], out_path=tmp_path)
    root: Any = zarr.open_group(tmp_path / "small.zarr", mode="r+")
    attributes = dict(root.attrs)
    del attributes["stimulus_conditions"], root["stimuli"]["hash"]
    attributes["stimulus_columns"] = ["id", "file", "label", "target", "reaction time", "sha256"]
    root.attrs.put(attributes)
    write_column(root["stimuli"], "reaction_time", [0.25, 0.5])
    write_column(root["stimuli"], "sha256", ["aa", "bb"])
    shutil.rmtree(tmp_path / ".small.zarr.jobs")  # whose checksums are of the other columns
    acts = Activations(tmp_path / "small.zarr")
    assert acts.conditions["reaction time"].tolist() == [0.25, 0.5]
    assert list(acts.stimuli) == ["id", "file", "label", "target", "sha256", "reaction time"]
    assert acts.stimulus_hashes == ("aa", "bb")


def test_a_panel_file_never_holds_two_contents_under_one_id(pictures: Path, tmp_path: Path) -> None:
    from beholder.activations import extract_panel

    options = {"output_dir": tmp_path / "panel", "replicates": 1, "layers": ["block1"], "device": "cpu"}
    extract_panel(pictures, models=["beholder:shapes"], **options)
    before = (tmp_path / "panel" / "model_activations_root.h5").read_bytes()
    overwrite_in_place(pictures / "3.bmp", 50)
    with pytest.raises(ConfigurationChanged, match=r"that shapes of .* was shown; got 3, whose content differs now"):
        extract_panel(pictures, models=["beholder:shapes@random"], **options)
    assert (tmp_path / "panel" / "model_activations_root.h5").read_bytes() == before
