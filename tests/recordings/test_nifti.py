"""NIfTI with masks, beta series in BIDS folders, and recordings put together. Volumes are written by nibabel."""

import numpy as np
import pandas as pd
import pytest

from beholder import InputError
from beholder.recordings import Recordings, combine_runs, combine_subjects, open_recordings, write_nifti
from recording_files import list_runs, open_units

nibabel = pytest.importorskip("nibabel")
SHAPE = (3, 4, 2)
AFFINE = np.array([[-2.0, 0, 0, 10], [0, 3, 0, -20], [0, 0, 4, 5], [0, 0, 0, 1]])
BETAS = np.random.default_rng(0).normal(size=(*SHAPE, 4)).astype(np.float32)
ATLAS = np.zeros(SHAPE, dtype=np.int16)
ATLAS[0, 1, 1], ATLAS[2, 3, 0], ATLAS[1, 1, 1] = 1, 2, 2


def write(path, values, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.Nifti1Image(values, affine).to_filename(path)
    return path


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_an_atlas_gives_regions_and_the_affine_places_in_mm(tmp_path, suffix):
    path = write(tmp_path / f"betas{suffix}", BETAS)
    atlas = write(tmp_path / "atlas.nii.gz", ATLAS)
    found = open_units(path, stimuli=list("abcd"), mask=atlas, labels={1: "V1", 2: "IT"})
    np.testing.assert_array_equal(found.values[:, 0, 0], BETAS[0, 1, 1])
    assert found.units["region"].tolist() == ["V1", "IT", "IT"]
    place = found.units.iloc[0]
    np.testing.assert_allclose([place.x, place.y, place.z], nibabel.affines.apply_affine(AFFINE, [0, 1, 1]))
    assert found.volume_shape == SHAPE
    table = pd.DataFrame({"index": [1, 2], "name": ["V1", "IT"]})
    table.to_csv(tmp_path / "atlas.tsv", sep="\t", index=False)
    again = open_units(path, stimuli=list("abcd"), mask=atlas, labels=tmp_path / "atlas.tsv")
    assert again.units["region"].tolist() == ["V1", "IT", "IT"]
    numbers = open_units(path, stimuli=list("abcd"), mask=atlas)
    assert numbers.units["region"].tolist() == ["1", "2", "2"]


def test_masks_by_region_and_everything_without(tmp_path):
    path = write(tmp_path / "betas.nii", BETAS)
    one, two = write(tmp_path / "one.nii", (ATLAS == 1) * 1.0), write(tmp_path / "two.nii", (ATLAS == 2) * 0.5)
    found = open_units(path, stimuli=list("abcd"), mask={"V1": one, "IT": two})
    assert found.units["region"].tolist() == ["V1", "IT", "IT"]
    single = open_units(path, stimuli=list("abcd"), mask=two)
    np.testing.assert_array_equal(single.values, found.values[:, 1:])
    assert set(single.units["region"]) == {""}
    assert open_units(path, stimuli=list("abcd")).values.shape == (4, 24, 1)


def test_events_name_the_trials_and_repeats_are_kept(tmp_path):
    path = write(tmp_path / "betas.nii.gz", BETAS)
    events = pd.DataFrame({"onset": range(5), "stim_file": ["im/a.png", "im/b.png", "n/a", "im/a.png", "im/c.png"]})
    events.to_csv(tmp_path / "events.tsv", sep="\t", index=False)
    found = open_units(path, stimuli=tmp_path / "events.tsv")
    assert found.stimulus_ids == ("a", "b", "c")
    np.testing.assert_array_equal(found.values[0, :, 0], BETAS[..., 0].reshape(-1))
    np.testing.assert_array_equal(found.values[0, :, 1], BETAS[..., 2].reshape(-1))
    assert np.isnan(found.values[1:, :, 1]).all()
    without = open_units(path, stimuli=pd.DataFrame({"trial_type": ["a", "n/a", "b", "a"]}))
    assert without.stimulus_ids == ("a", "b")
    np.testing.assert_array_equal(without.values[1, :, 0], BETAS[..., 2].reshape(-1))


def test_a_volume_comes_back_where_it_was(tmp_path):
    path, atlas = write(tmp_path / "betas.nii", BETAS), write(tmp_path / "atlas.nii", ATLAS)
    found = open_units(path, stimuli=list("abcd"), mask=atlas)
    out = write_nifti(tmp_path / "map.nii.gz", found.values[:, :, 0].T, found)
    image = nibabel.load(out)
    np.testing.assert_array_equal(image.affine, AFFINE)
    np.testing.assert_array_equal(image.get_fdata()[ATLAS > 0], BETAS[ATLAS > 0])
    assert np.isnan(image.get_fdata()[ATLAS == 0]).all()
    assert write_nifti(tmp_path / "again.nii.gz", found.values[:, :, 0].T, found).read_bytes() == out.read_bytes()
    saved = open_units(found.save(tmp_path / "a.recordings.npz"))
    write_nifti(tmp_path / "one.nii", np.arange(3), saved)
    both = combine_subjects([found, found])
    for values, recordings, words in (
        (np.ones(6), both, "one unit a voxel"),
        (np.ones(2), found, "each of 3 units"),
        (np.ones(2), Recordings(np.ones((3, 2)), list("abc")), "places in a volume"),
    ):
        with pytest.raises(InputError, match=words):
            write_nifti(tmp_path / "bad.nii", values, recordings)


def test_masks_that_do_not_lie_on_the_data_are_refused(tmp_path):
    path = write(tmp_path / "betas.nii", BETAS)
    other = AFFINE.copy()
    other[0, 3] += 1
    for values, affine, labels, words in (
        (ATLAS[:2], AFFINE, None, "mask of the shape"),
        (ATLAS, other, None, "affine differs by up to 1"),
        (ATLAS * 0, AFFINE, None, "0 everywhere"),
        (ATLAS, AFFINE, {1: "V1"}, "none for 2"),
    ):
        mask = write(tmp_path / "mask.nii", values, affine)
        with pytest.raises(InputError, match=words):
            open_recordings(path, stimuli=list("abcd"), mask=mask, labels=labels)
    with pytest.raises(InputError, match="ids of 4 stimuli"):
        open_recordings(path)
    (tmp_path / "cut.nii").write_bytes(path.read_bytes()[:400])
    with pytest.raises(InputError, match="cannot be read"):
        open_recordings(tmp_path / "cut.nii", stimuli=list("abcd"))


def make_bids(root, files=("a", "b", "a")):
    rng = np.random.default_rng(1)
    betas = {}
    for sub in ("01", "02"):
        for run in ("1", "2"):
            name = f"sub-{sub}_task-view_run-{run}"
            betas[sub, run] = rng.normal(size=(*SHAPE, 3)).astype(np.float32)
            folder = root / "derivatives" / f"sub-{sub}" / "func"
            write(folder / f"{name}_space-T1w_betaseries.nii.gz", betas[sub, run])
            mask = np.ones(SHAPE, dtype=np.uint8)
            mask[int(run) - 1] = 0
            write(folder / f"{name}_space-T1w_desc-brain_mask.nii.gz", mask)
            events = pd.DataFrame(
                {
                    "onset": range(3),
                    "duration": 1,
                    "stim_file": [each if "/" in each else f"{each}.png" for each in files],
                }
            )
            raw = root / "raw" / f"sub-{sub}" / "func"
            raw.mkdir(parents=True, exist_ok=True)
            events.to_csv(raw / f"{name}_events.tsv", sep="\t", index=False)
    return betas


def test_beta_series_of_several_runs_and_subjects(tmp_path):
    betas = make_bids(tmp_path)
    found = open_units(tmp_path / "derivatives", events=tmp_path / "raw")
    assert found.values.shape == (2, 16, 4), "voxels that are in the brain in both runs, of two subjects"
    assert found.stimulus_ids == ("a", "b")
    second = found.select(subject="02")
    inside = betas["02", "2"][2].reshape(8, 3)
    np.testing.assert_array_equal(second.values[0, :, 2:], inside[:, [0, 2]])
    np.testing.assert_array_equal(second.values[1, :, 1], inside[:, 1])
    assert list_runs(found)[0] == ["task-view_run-1"] * 2 + ["task-view_run-2"] * 2
    with pytest.raises(InputError, match=r"_events\.tsv.*try events="):
        open_recordings(tmp_path / "derivatives")
    make_bids(tmp_path, files=("a", "b", "n/a"))
    with pytest.raises(InputError, match=r"3 volumes in sub-01_task-view_run-1.*2 events"):
        open_recordings(tmp_path / "derivatives", events=tmp_path / "raw")


def test_series_by_trial_type_and_maps_by_contrast(tmp_path):
    for kind, part in (("face", BETAS[..., :2]), ("house", BETAS[..., 2:])):
        write(tmp_path / "one" / f"sub-1_task-view_desc-{kind}_betaseries.nii.gz", part)
        write(tmp_path / "two" / f"sub-1_task-view_contrast-{kind}_stat-effect_statmap.nii.gz", part[..., 0])
        write(tmp_path / "two" / f"sub-1_task-view_contrast-{kind}_stat-t_statmap.nii.gz", part[..., 1])
    events = pd.DataFrame({"onset": range(4), "trial_type": ["house", "face", "face", "house"]})
    events.to_csv(tmp_path / "one" / "sub-1_task-view_events.tsv", sep="\t", index=False)
    found = open_units(tmp_path / "one")
    assert found.stimulus_ids == ("face", "house")
    np.testing.assert_array_equal(found.values[1], BETAS[..., 2:].reshape(-1, 2))
    maps = open_units(tmp_path / "two")
    np.testing.assert_array_equal(maps.values[:, :, 0], BETAS[..., [0, 2]].reshape(-1, 2).T)


def test_runs_and_subjects_join_by_id():
    one = Recordings([[1.0, 5], [2, 6]], ["a", "b"], {"subject": ["1", "1"]}, runs=["1"])
    two = Recordings([[3.0, 7], [4, 8]], ["b", "c"], {"subject": ["1", "1"]}, runs=["2"])
    both = combine_runs([one, two])
    np.testing.assert_array_equal(both.values[:, 0], [[1, np.nan], [2, 3], [4, np.nan]])
    assert list_runs(both) == [["1", ""], ["1", "2"], ["2", ""]]
    beside = combine_subjects([one, two])
    assert beside.values.shape == (3, 4, 1)
    np.testing.assert_array_equal(beside.measured.sum(axis=0), [2, 2, 2, 2])
    other = Recordings([[1.0, 5], [2, 6]], ["a", "b"], {"subject": ["1", "2"]}, runs=["1"])
    with pytest.raises(InputError, match="1 of 2 with other units"):
        combine_runs([one, other])
    with pytest.raises(InputError, match="none"):
        combine_subjects([])
