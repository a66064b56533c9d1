import numpy as np
import pytest
import xxhash

from beholder._core.hashing import hash_array, hash_bytes, hash_file_fast


def test_bytes_and_files_hash_alike_as_the_reference_does(tmp_path):
    data = np.random.default_rng(0).bytes(9_000_001)  # more than two of the pieces that a file is read in
    (tmp_path / "a").write_bytes(data)
    assert hash_file_fast(tmp_path / "a") == hash_bytes(data) == "xxh128:" + xxhash.xxh128(data).hexdigest()
    # the value that xxHash's own specification states for empty input
    assert hash_bytes(b"") == "xxh128:99aa06d3014798d86001c324468d497f"


def test_an_array_is_its_dtype_shape_and_values_in_any_layout():
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    same = [np.asfortranarray(array), np.ascontiguousarray(array.T).T, np.repeat(array, 2, 0)[::2]]
    assert {hash_array(one) for one in same} == {hash_array(array)}
    changed = array.copy()
    changed[1, 2, 3] = np.nextafter(np.float32(23), np.float32(24))
    others = [array.reshape(3, 2, 4), array.astype(np.float64), array.view(np.int32), changed, array[:1]]
    assert len({hash_array(array), *(hash_array(one) for one in others)}) == 6
    assert hash_array(np.float32([])) != hash_array(np.float64([]))  # pyright: ignore[reportArgumentType]
    assert hash_array(np.array(1.0)) == hash_array(np.array(1.0))


def test_python_objects_have_no_bytes():
    with pytest.raises(TypeError, match="objects"):
        hash_array(np.array([None]))
