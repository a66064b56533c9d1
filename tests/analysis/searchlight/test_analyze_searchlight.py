"""From recordings with places to maps in NIfTI and GIFTI."""

import numpy as np
import pytest

from beholder._core.errors import InputError
from beholder.analysis import analyze_searchlight, write_searchlight_maps
from beholder.recordings import Recordings

IDS = [f"s{i}" for i in range(8)]
AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])
PLACES = np.argwhere(np.arange(60).reshape(5, 4, 3) % 5 > 0)


def make_brain(values=None, **kept):
    units = {"i": PLACES[:, 0], "j": PLACES[:, 1], "k": PLACES[:, 2], "subject": ["p"] * len(PLACES)}
    if values is None:
        values = np.random.default_rng(0).standard_normal((8, len(PLACES), 2))
    return Recordings(values, IDS, units, **{"volume_shape": (5, 4, 3), "affine": AFFINE, **kept})


def make_layers(seed=1):
    generator = np.random.default_rng(seed)
    return {"conv1": generator.standard_normal((8, 30)), "conv2": generator.standard_normal((8, 30))}


def test_maps_have_their_values_where_the_voxels_are(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    layers = make_layers()
    values = np.random.default_rng(0).standard_normal((8, len(PLACES), 1))
    near = np.linalg.norm(PLACES - PLACES[20], axis=1) <= 1.5
    values[:, near, 0] = layers["conv2"][:, : near.sum()]
    found = analyze_searchlight(layers, make_brain(values), radius=1.5, stimulus_ids=IDS, n_permutations=19)
    files = write_searchlight_maps(found, tmp_path)
    assert [path.name for path in files] == [f"p_{layer}{p}.nii.gz" for p in ("", "_p") for layer in ("conv1", "conv2")]
    image = nibabel.load(files[1])
    np.testing.assert_array_equal(image.affine, AFFINE)
    volume = np.asarray(image.dataobj)
    np.testing.assert_array_equal(volume[tuple(PLACES.T)], found.arrays["estimates_0"][1].astype(np.float32))
    assert np.count_nonzero(np.nan_to_num(volume, nan=1)) <= len(PLACES)
    table = found.table.set_index(["layer", "statistic"])
    assert table["estimate"]["conv2", "peak"] == np.nanmax(found.arrays["estimates_0"][1])
    before = files[0].read_bytes()
    assert write_searchlight_maps(found, tmp_path)[0].read_bytes() == before
    assert "p: " in found.sentences()[0] and "1.5 voxels" in found.methods() and found.plot() is not None


def test_a_radius_in_mm_is_by_the_affine():
    wide = analyze_searchlight(make_layers(), make_brain(), radius=2.0, in_mm=True, min_units=2, stimulus_ids=IDS)
    in_voxels = analyze_searchlight(make_layers(), make_brain(), radius=1.0, min_units=2, stimulus_ids=IDS)
    assert not np.array_equal(wide.arrays["estimates_0"], in_voxels.arrays["estimates_0"], equal_nan=True)
    with pytest.raises(InputError, match="in mm"):
        analyze_searchlight(make_layers(), make_brain(affine=None), in_mm=True, stimulus_ids=IDS)


def test_vertices_of_a_surface_give_a_gifti_with_a_map_a_layer(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    side = np.arange(36).reshape(6, 6)
    faces = np.vstack([
        np.stack([side[:-1, :-1], side[1:, :-1], side[:-1, 1:]], -1).reshape(-1, 3),
        np.stack([side[1:, 1:], side[1:, :-1], side[:-1, 1:]], -1).reshape(-1, 3),
    ])  # fmt: skip
    points = np.column_stack([np.argwhere(side >= 0), np.zeros(36)]).astype(np.float32)
    array = nibabel.gifti.GiftiDataArray
    surface = nibabel.gifti.GiftiImage(
        darrays=[array(points, "NIFTI_INTENT_POINTSET"), array(faces.astype(np.int32), "NIFTI_INTENT_TRIANGLE")]
    )
    nibabel.save(surface, tmp_path / "lh.surf.gii")
    chosen = np.delete(np.arange(36), [0, 7])
    brain = Recordings(np.random.default_rng(2).standard_normal((8, 34)), IDS, {"vertex": chosen})
    found = analyze_searchlight(
        make_layers(), brain, mesh=tmp_path / "lh.surf.gii", rings=1, stimulus_ids=IDS, n_permutations=0
    )
    (path,) = write_searchlight_maps(found, tmp_path)
    image = nibabel.load(path)
    assert path.name == "map.func.gii" and [each.meta["Name"] for each in image.darrays] == ["conv1", "conv2"]
    whole = image.darrays[0].data
    assert np.isnan(whole[[0, 7]]).all()
    np.testing.assert_array_equal(whole[chosen], found.arrays["estimates_0"][0].astype(np.float32))
    by_mm = analyze_searchlight(
        make_layers(), brain, mesh=tmp_path / "lh.surf.gii", radius=1.42, stimulus_ids=IDS, n_permutations=0
    )
    np.testing.assert_allclose(by_mm.arrays["estimates_0"], found.arrays["estimates_0"], equal_nan=True)


def test_what_has_no_place_is_refused(tmp_path):
    layers = make_layers()
    with pytest.raises(InputError, match="columns i, j, k"):
        analyze_searchlight(layers, Recordings(np.zeros((8, 9)), IDS), stimulus_ids=IDS)
    with pytest.raises(InputError, match="without time"):
        analyze_searchlight(layers, Recordings(np.zeros((8, 9, 1, 2)), IDS, times=[0, 1]), stimulus_ids=IDS)
    with pytest.raises(InputError, match="rings"):
        analyze_searchlight(layers, make_brain(), rings=2, stimulus_ids=IDS)
    found = analyze_searchlight(layers, make_brain(affine=None), radius=2, stimulus_ids=IDS, n_permutations=0)
    pytest.importorskip("nibabel")
    with pytest.raises(InputError, match="affine of their volume"):
        write_searchlight_maps(found, tmp_path)


def test_a_person_who_lacks_stimuli_is_compared_over_the_others():
    values = np.random.default_rng(0).standard_normal((8, len(PLACES), 1))
    missing = values.copy()
    missing[[2, 6]] = np.nan
    missing[0, 5] = np.nan
    asked = {"radius": 1.5, "n_permutations": 19, "min_units": 4}
    found = analyze_searchlight(make_layers(), make_brain(missing), stimulus_ids=IDS, **asked)
    kept = [0, 1, 3, 4, 5, 7]
    fewer = {name: rows[kept] for name, rows in make_layers().items()}
    units = make_brain().units
    brain = Recordings(missing[kept], [IDS[i] for i in kept], units, volume_shape=(5, 4, 3), affine=AFFINE)
    alone = analyze_searchlight(fewer, brain, stimulus_ids=[IDS[i] for i in kept], **asked)
    np.testing.assert_array_equal(found.arrays["estimates_0"], alone.arrays["estimates_0"])
    assert "p: 2 of 8 stimuli have no data and are left out." in found.warnings
    assert f"p: 1 of {len(PLACES)} units lack some stimuli and are in no neighbourhood." in found.warnings
    missing[1:] = np.nan
    with pytest.raises(InputError, match="4 stimuli or more with data of p"):
        analyze_searchlight(make_layers(), make_brain(missing), stimulus_ids=IDS)
