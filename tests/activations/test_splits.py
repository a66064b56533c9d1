import numpy as np
import pytest

from beholder._core.errors import InputError
from beholder.activations.formats._splits import merge_activations, split_activations


def split_as_published(folder, features, suffix, n_splits):
    """The published script's bounds: n_splits - 1 files."""
    bounds = np.linspace(0, len(features), n_splits, dtype=int)
    for i in range(1, n_splits):
        part = features[bounds[i - 1] : bounds[i]]
        if suffix == ".npy":
            np.save(folder / f"activations_{i:02d}.npy", part)
        else:
            np.savetxt(folder / f"activations_{i:02d}.txt", part)


@pytest.fixture
def features():
    return np.random.default_rng(0).standard_normal((25, 7)).astype(np.float32)


@pytest.mark.parametrize("file_format", [".txt", ".npy", "txt", "npy"])
@pytest.mark.parametrize("n_splits", [1, 2, 10, 25, 120])
def test_round_trip(tmp_path, features, file_format, n_splits):
    paths = split_activations(tmp_path, features, file_format, n_splits)
    assert len(paths) == min(n_splits, 25)
    assert paths[0].name.startswith("activations_01.")
    merged = merge_activations(tmp_path)
    np.testing.assert_array_equal(merged, features)
    assert merged.dtype == (np.float32 if "npy" in file_format else np.float64)


def test_parts_are_never_empty_and_nearly_equal(tmp_path, features):
    sizes = [len(np.load(path)) for path in split_activations(tmp_path, features, "npy", 10)]
    assert len(sizes) == 10
    assert set(sizes) == {2, 3}
    assert sum(sizes) == 25


@pytest.mark.parametrize("suffix", [".txt", ".npy"])
@pytest.mark.parametrize("n_rows", [25, 9, 4])
def test_sets_of_the_published_script_are_read(tmp_path, features, suffix, n_rows):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        split_as_published(tmp_path, features[:n_rows], suffix, 10)
    np.testing.assert_array_equal(merge_activations(tmp_path).astype(np.float32), features[:n_rows])


def test_text_parts_are_what_savetxt_writes(tmp_path, features):
    split_activations(tmp_path, features, ".txt", 3)
    (tmp_path / "old").mkdir()
    np.savetxt(tmp_path / "old" / "a.txt", features[:8])
    assert (tmp_path / "activations_01.txt").read_bytes() == (tmp_path / "old" / "a.txt").read_bytes()


@pytest.mark.parametrize("file_format", [".txt", ".npy"])
def test_more_axes_round_trip(tmp_path, file_format):
    features = np.random.default_rng(1).standard_normal((11, 2, 3, 4)).astype(np.float32)
    split_activations(tmp_path, features, file_format, 4)
    np.testing.assert_array_equal(merge_activations(tmp_path), features)


def test_an_earlier_set_is_replaced(tmp_path, features):
    split_activations(tmp_path, features, ".txt", 10)
    split_activations(tmp_path, features * 2, ".npy", 3)
    np.testing.assert_array_equal(merge_activations(tmp_path), features * 2)
    assert len(list(tmp_path.iterdir())) == 3


def test_files_that_are_no_parts_stay(tmp_path, features):
    np.save(tmp_path / "activations.npy", features)
    (tmp_path / "targets.txt").write_text("1\n")
    split_activations(tmp_path, features, ".npy", 2)
    assert (tmp_path / "activations.npy").exists()
    assert len(merge_activations(tmp_path)) == 25


def test_what_does_not_fit_together_is_refused(tmp_path, features):
    with pytest.raises(InputError, match="none in"):
        merge_activations(tmp_path)
    split_activations(tmp_path, features, ".npy", 4)
    (tmp_path / "activations_02.npy").rename(tmp_path / "activations_2.txt")
    with pytest.raises(InputError, match="one format"):
        merge_activations(tmp_path)
    with pytest.raises(InputError, match="consecutive"):
        merge_activations(tmp_path, ".npy")
    (tmp_path / "activations_2.txt").unlink()
    np.save(tmp_path / "activations_02.npy", np.ones((3, 6)))
    with pytest.raises(InputError, match="equal columns"):
        merge_activations(tmp_path)


def test_a_pickle_is_refused(tmp_path):
    np.save(tmp_path / "activations_01.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="plain numbers"):
        merge_activations(tmp_path)


def test_arguments_are_checked(tmp_path, features):
    with pytest.raises(InputError, match="file_format"):
        split_activations(tmp_path, features, ".csv")
    with pytest.raises(InputError, match="n_splits"):
        split_activations(tmp_path, features, ".npy", 0)
    with pytest.raises(InputError, match="two or more axes"):
        split_activations(tmp_path, features[0], ".npy")
