"""Published data by name, and published results without the raw data. Small files of the published forms."""

import pickle

import numpy as np
import pytest
import scipy.io
from PIL import Image
from scipy.spatial.distance import squareform

from beholder import InputError, StimulusSet
from beholder.recordings import open_recordings, read_published_regression, summarize_published_regressions
from beholder.stimuli import get_asset, get_asset_folder
from beholder.stimuli.images._objects import unpack_objects
from recording_files import open_rdms

RNG = np.random.default_rng(0)
META = [("subj_idx", "<i8"), ("hemi", "S2"), ("voxel_id", "<i8"), ("n_reps", "<f8")]


def write_regression(path, layer, r2):
    n_voxels = len(r2)
    meta = np.zeros(n_voxels, dtype=META)
    meta["subj_idx"], meta["hemi"] = np.arange(n_voxels) % 2, b"lh"
    masks = np.zeros((n_voxels, 1))
    masks[:2] = 1
    content = {
        "r2s": r2,
        "alphas": np.ones_like(r2),
        "layer_name": layer.encode(),
        "random_seed": 3882,
        "all_train_idxs": np.eye(3),
        "all_test_idxs": 1 - np.eye(3),
        "roi_masks": {"masks": masks, "mask_names": ["pitch"]},
        "voxel_meta": meta,
    }
    path.write_bytes(pickle.dumps(content))
    return read_published_regression(path)


def test_the_published_summary(tmp_path):
    r2 = [RNG.random((4, 3)) * 1.2 for _ in range(2)]
    stages = [write_regression(tmp_path / f"{layer}.pckl", layer, r2[i]) for i, layer in enumerate(("conv1", "fc"))]
    assert stages[0].units["subject"].tolist() == ["0", "1", "0", "1"]
    assert stages[0].train.dtype == bool and stages[0].seed == 3882
    table = summarize_published_regressions(stages).set_index(["region", "layer"])
    medians = np.median(np.stack(r2), axis=2)  # by hand: median over splits, best layer a voxel, median over voxels
    assert table.loc[("all", "best"), "r2"] == pytest.approx(np.median(medians.max(axis=0)))
    assert table.loc[("pitch", "conv1"), "r2"] == pytest.approx(np.median(medians[0, :2]))
    best = np.stack(r2)[medians.argmax(axis=0), np.arange(4)]
    assert table.loc[("all", "best"), "sd"] == pytest.approx(np.std(np.median(best, axis=0)))
    assert table.loc[("all", "best"), "proportion_above_1"] == (medians.max(axis=0) > 1).mean()
    with pytest.raises(InputError, match="same voxels"):
        summarize_published_regressions([])
    (tmp_path / "other.pckl").write_bytes(pickle.dumps({"r2s": r2[0]}))
    with pytest.raises(InputError, match="r2s, alphas and voxel_meta"):
        read_published_regression(tmp_path / "other.pckl")


def test_78_pictures_by_name(asset_home):
    with pytest.raises(InputError, match="try beholder assets fetch algonauts-78"):
        open_recordings("algonauts-78")
    folder = get_asset_folder("algonauts-78")
    values = RNG.random((2, 2, 78 * 77 // 2))
    for place, region in enumerate(("EVC", "IT")):
        (folder / "brain_data").mkdir(parents=True, exist_ok=True)
        squares = np.stack([squareform(each) for each in values[place]])
        np.savez(folder / "brain_data" / f"fmri_{region}_RDMs.npz", squares)
    for file in get_asset("algonauts-78").files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        if not (folder / file).exists():
            (folder / file).write_bytes(b"jpg")
    found = open_rdms("algonauts-78")
    assert found.table["region"].tolist() == ["EVC", "EVC", "IT", "IT"]
    np.testing.assert_allclose(found.values, values.reshape(4, -1))
    assert found.stimulus_ids == StimulusSet.from_named("algonauts-78").ids


def write_objects(folder):
    folder.mkdir(parents=True)
    kinds = [(name, object) for name in ("category", "human", "face", "animal", "natural", "image")]
    structs = np.zeros((1, 92), dtype=kinds)
    for number in range(92):
        picture = np.full((5, 5, 3), number, dtype=np.uint8)
        structs[0, number] = ("face" if number % 2 else "tool", 0, number % 2, 0, 0, picture)
    scipy.io.savemat(folder / "Kriegeskorte_Neuron2008_supplementalData.mat", {"stimuli_92objs": structs})


def test_92_pictures_by_name(asset_home):
    folder = get_asset_folder("rsa-92")
    write_objects(folder)
    unpack_objects(folder / "Kriegeskorte_Neuron2008_supplementalData.mat", folder)
    structs = np.zeros((1, 1), dtype=[("RDM", object), ("name", object)])
    condensed = RNG.random(92 * 91 // 2)
    structs[0, 0] = (squareform(condensed), "hIT | BE | Session: 1")
    scipy.io.savemat(folder / "92_brainRDMs.mat", {"RDMs": structs})
    for name in ("92_behavRDMs.mat", "92_modelRDMs.mat"):
        (folder / name).write_bytes(b"mat")
    found = open_rdms("rsa-92")
    np.testing.assert_array_equal(found.values[0], condensed)
    stimuli = StimulusSet.from_named("rsa-92")
    assert stimuli.ids == found.stimulus_ids
    with Image.open(folder / "pictures" / "image_07.png") as picture:
        assert picture.getpixel((0, 0)) == (6, 6, 6)
    (folder / "bad.mat").write_bytes(b"no")
    with pytest.raises(InputError, match="92 objects"):
        unpack_objects(folder / "bad.mat", folder)


def test_lists_of_published_files_are_whole():
    for name, count in (("fmri-regressions", 52), ("network-predictions", 689)):
        asset = get_asset(name)
        assert len(asset.files) == len(set(asset.files)) == count
        assert len(asset.published_hashes) == count and all(len(each) == 64 for each in asset.published_hashes.values())
        assert all(" " not in address and address.endswith(".pckl") for address in asset.addresses)
