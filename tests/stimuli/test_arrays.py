import pickle

import h5py
import numpy as np
import pytest

from beholder._core.errors import InputError, StimulusError, UnknownNameError
from beholder._core.hashing import hash_array
from beholder.stimuli import HDF5Images, StimulusSet, open_image, to_picture


@pytest.fixture
def rgb():
    return np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3), dtype=np.uint8)


def test_layouts_and_dtypes_give_the_same_picture(rgb):
    one = rgb[0]
    for form in (one, np.moveaxis(one, 2, 0), (one / 255).astype(np.float32), one / 255):
        assert np.array_equal(np.asarray(to_picture(form)), one)
        assert np.array_equal(np.asarray(open_image(form)), one)
    grey = one[:, :, 0]
    for form in (grey, grey[:, :, None], grey[None], grey / 255):
        assert np.array_equal(np.asarray(to_picture(form)), np.repeat(grey[:, :, None], 3, axis=2))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 4, 5), np.uint8), "shape"),
        (np.zeros(4, np.uint8), "shape"),
        (np.zeros((0, 4, 3), np.uint8), "shape"),
        (np.zeros((4, 4), np.int64), "uint8 or float"),
        (np.full((4, 4), 1.5), r"in \[0, 1\]"),
        (np.full((4, 4), -0.5), r"in \[0, 1\]"),
        (np.full((4, 4), np.nan), r"in \[0, 1\]"),
    ],
)
def test_arrays_that_are_no_pictures(array, message):
    with pytest.raises(StimulusError, match=message):
        to_picture(array)


def test_sets_of_arrays(rgb):
    stimuli = StimulusSet.from_arrays(rgb)
    assert stimuli.kind == "image"
    assert stimuli.ids == ("000000", "000001", "000002", "000003", "000004")
    assert stimuli.files == ("",) * 5
    assert stimuli.root is None
    assert np.array_equal(stimuli.source(3), rgb[3])
    part = stimuli[[4, 0]]
    assert np.array_equal(part.source(0), rgb[4])
    assert part.targets.tolist() == [4, 0]
    assert np.shares_memory(stimuli[1:3].arrays, stimuli.arrays)
    assert stimuli.find_bad_files() == []
    with pytest.raises(InputError, match="a set of arrays"):
        stimuli.path(0)
    assert stimuli.hash_stimulus(1) == hash_array(rgb[1])


def test_labels_make_targets_and_conditions_stay(rgb):
    stimuli = StimulusSet.from_arrays(rgb, list("vwxyz"), labels=list("bbaab"), conditions={"c": range(5)})
    assert stimuli.ids == tuple("vwxyz")
    assert stimuli.targets.tolist() == [1, 1, 0, 0, 1]
    assert stimuli[["y"]].conditions == {"c": [3]}
    with pytest.raises(InputError, match="3 files, one a stimulus; got 5"):
        StimulusSet.from_arrays(rgb, list("abc"))


def test_what_looks_like_pictures_is_checked_and_the_rest_is_arrays():
    assert StimulusSet.from_arrays(np.zeros((2, 3, 8, 8))).kind == "image"
    assert StimulusSet.from_arrays(np.zeros((2, 8, 8))).kind == "image"
    assert StimulusSet.from_arrays(np.zeros((2, 9))).kind == "array"
    assert StimulusSet.from_arrays(np.zeros((2, 5, 6, 7))).kind == "array"
    far = np.zeros((100, 8, 8))
    far[90] = 255
    with pytest.raises(StimulusError, match="kind='array'"):
        StimulusSet.from_arrays(far)
    assert StimulusSet.from_arrays(far, kind="array").kind == "array"
    with pytest.raises(InputError, match="pictures of shape"):
        StimulusSet.from_arrays(np.zeros((2, 9)), kind="image")
    with pytest.raises(InputError, match="at least one stimulus"):
        StimulusSet.from_arrays(np.zeros((0, 8, 8)))
    with pytest.raises(InputError, match="an array"):
        StimulusSet.from_arrays([np.zeros(3), np.zeros(4)])


def test_tensors_count_as_arrays(rgb):
    torch = pytest.importorskip("torch")
    stimuli = StimulusSet.from_arrays(torch.from_numpy(rgb))
    assert np.array_equal(stimuli.source(2), rgb[2])
    asking = torch.rand(2, 3, 4, 4, requires_grad=True)
    assert np.array_equal(StimulusSet.from_arrays(asking).source(1), asking.detach()[1].numpy())


@pytest.fixture
def bricks(tmp_path, rgb):
    with h5py.File(tmp_path / "nsd.hdf5", "w") as file:
        file["imgBrick"] = rgb
        file["more/grey"] = rgb[..., 0]
        file["scalar"] = 3
        file["index"] = np.arange(4)
    return tmp_path / "nsd.hdf5"


def test_hdf5_pictures_are_read_one_by_one_and_travel(bricks, rgb):
    stimuli = StimulusSet.from_hdf5(bricks, "imgBrick")
    assert stimuli.kind == "image"
    assert len(stimuli) == 5
    assert np.array_equal(stimuli.source(4), rgb[4])
    part = stimuli[[3, 1]][::-1]
    again = pickle.loads(pickle.dumps(part))
    assert again.arrays.shape == (2, 6, 7, 3)
    assert np.array_equal(again.source(0), rgb[1])
    assert np.array_equal(again.source(1), rgb[3])
    assert len(pickle.dumps(stimuli)) < 2000
    stimuli.arrays.close()
    assert np.array_equal(stimuli.source(0), rgb[0])
    assert stimuli.hash_stimulus(0) == StimulusSet.from_arrays(rgb).hash_stimulus(0)
    assert "imgBrick" in repr(stimuli.arrays)
    assert StimulusSet.from_hdf5(bricks, "/more/grey").kind == "image"


def test_hdf5_that_cannot_be_read(bricks, tmp_path):
    with pytest.raises(UnknownNameError, match="'imgBrick'"):
        StimulusSet.from_hdf5(bricks, "imgBricks")
    with pytest.raises(InputError, match=r"2 in .*imgBrick, more/grey"):
        StimulusSet.from_hdf5(bricks)
    with pytest.raises(InputError, match="no file at"):
        StimulusSet.from_hdf5(tmp_path / "none.h5", "x")
    (tmp_path / "x.h5").write_text("no")
    with pytest.raises(InputError, match="does not open"):
        HDF5Images(tmp_path / "x.h5", "x")


class Endless:
    """An array-like whose ``[]`` answers any index, read row by row."""

    def __init__(self, rgb):
        self.shape, self.dtype, self.n_reads, self._rgb = rgb.shape, rgb.dtype, 0, rgb

    def __len__(self):
        return len(self._rgb)

    def __getitem__(self, index):
        self.n_reads += 1
        assert isinstance(index, int), "only whole rows are asked for"
        return self._rgb[index % len(self._rgb)]


def test_other_arrays_stay_where_they_are(rgb, tmp_path):
    endless = Endless(rgb)
    stimuli = StimulusSet.from_arrays(endless)
    assert (len(stimuli), stimuli.kind, endless.n_reads) == (5, "image", 0)
    part = stimuli[[4, 1]][::-1]
    assert endless.n_reads == 0
    assert np.array_equal(part.source(1), rgb[4])
    assert endless.n_reads == 1
    assert stimuli.hash_stimulus(0) == StimulusSet.from_arrays(rgb).hash_stimulus(0)
    assert "Endless" in repr(stimuli.arrays)
    assert StimulusSet.from_arrays(part.arrays).arrays is part.arrays
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a"] = rgb
        stimuli = StimulusSet.from_arrays(file["a"])
        assert np.array_equal(stimuli[2:].source(0), rgb[2])
    with pytest.raises(StimulusError, match="kind='array'"):
        StimulusSet.from_arrays(Endless(rgb.astype(np.float32)))


def test_a_zarr_array_is_read_stimulus_by_stimulus(rgb, tmp_path):
    zarr = pytest.importorskip("zarr")
    array = zarr.create_array(tmp_path / "a.zarr", shape=rgb.shape, dtype=rgb.dtype, chunks=(1, *rgb.shape[1:]))
    array[:] = rgb
    stimuli = pickle.loads(pickle.dumps(StimulusSet.from_arrays(array)))
    assert np.array_equal(stimuli[3:].source(1), rgb[4])
