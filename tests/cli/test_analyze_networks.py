"""Two stores compared by CKA, a store mapped by a searchlight, from the command line."""

import json

import numpy as np

from beholder.activations import write_activations
from beholder.recordings import RecordedRDMs, Recordings

IDS = [f"s{i}" for i in range(8)]


def write_store(path, seed, **layers):
    generator = np.random.default_rng(seed)
    values = {name: generator.standard_normal((8, n)).astype(np.float32) for name, n in layers.items()}
    write_activations(path, values, IDS, model=path.stem, settings={"seed": seed})
    return values


def test_cka_of_two_stores_prints_every_pair_and_writes_a_page(beholder, tmp_path):
    write_store(tmp_path / "one.zarr", 0, conv1=9, conv2=12)
    write_store(tmp_path / "two.zarr", 1, block1=7)
    argv = ["analyze", "cka", tmp_path / "one.zarr", "--recordings", tmp_path / "two.zarr", "--out", tmp_path / "out"]
    code, out, err = beholder(*argv, "--n_permutations", "19", "--json")
    assert code == 0, err
    table = json.loads(out)["cka"]
    assert [(row["model"], row["layer"], row["target"]) for row in table] == [
        ("one", "conv1", "block1"), ("one", "conv2", "block1"),
    ]  # fmt: skip
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "centred kernel alignment" in page
    code, _, err = beholder(*argv, "--biased")
    assert code == 2 and "debiased" in err


def test_a_searchlight_writes_a_map_a_layer(beholder, tmp_path):
    write_store(tmp_path / "one.zarr", 0, conv1=9)
    places = np.argwhere(np.ones((3, 3, 3)))
    units = {"i": places[:, 0], "j": places[:, 1], "k": places[:, 2]}
    values = np.random.default_rng(2).standard_normal((8, 27))
    Recordings(values, IDS, units, volume_shape=(3, 3, 3), affine=np.eye(4)).save(tmp_path / "b.recordings.npz")
    code, out, err = beholder(
        "analyze", "searchlight", tmp_path / "one.zarr", "--recordings", tmp_path / "b.recordings.npz",
        "--radius", "1.5", "--n_permutations", "19", "--out", tmp_path / "out", "--json",
    )  # fmt: skip
    assert code == 0, err
    assert "highest peak" in out and "give no p below 0.05" in out and "map_conv1_p.nii.gz" in out
    assert sorted(path.name for path in (tmp_path / "out" / "maps").iterdir()) == [
        "map_conv1.nii.gz", "map_conv1_p.nii.gz",
    ]  # fmt: skip


def test_places_without_a_volume_are_told_and_leave_the_table(beholder, tmp_path):
    write_store(tmp_path / "one.zarr", 0, conv1=9)
    places = np.argwhere(np.ones((3, 3, 3)))
    units = {"i": places[:, 0], "j": places[:, 1], "k": places[:, 2]}
    Recordings(np.random.default_rng(2).standard_normal((8, 27)), IDS, units).save(tmp_path / "b.recordings.npz")
    code, out, err = beholder(
        "analyze", "searchlight", tmp_path / "one.zarr", "--recordings", tmp_path / "b.recordings.npz",
        "--radius", "1.5", "--n_permutations", "0", "--out", tmp_path / "out",
    )  # fmt: skip
    assert code == 0, err
    assert "highest peak" in out and "No maps are written" in out and not (tmp_path / "out" / "maps").exists()


def test_combined_layers_and_models_write_a_page(beholder, tmp_path):
    write_store(tmp_path / "one.zarr", 0, conv1=9, conv2=9)
    rng = np.random.default_rng(3)
    for name in ("it", "pixels"):
        RecordedRDMs(rng.random((1, 28)), IDS, {"region": [name]}).save(tmp_path / f"{name}.recordings.npz")
    code, out, err = beholder(
        "analyze", "combine", tmp_path / "one.zarr", "--recordings", tmp_path / "it.recordings.npz", "--models",
        tmp_path / "pixels.recordings.npz", "--n_permutations", "19", "--n_repeats", "2", "--out", tmp_path / "out",
        "--json",
    )  # fmt: skip
    assert code == 0, err
    assert {row["layer"] for row in json.loads(out)["combine"] if row["statistic"] == "single model"} == {
        "conv1", "conv2", "pixels",
    }  # fmt: skip
    assert "Groen" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
