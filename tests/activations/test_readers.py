import os
import pickle
from typing import Any

import h5py
import numpy as np
import pytest
import zarr

from beholder._core.errors import InputError
from beholder.activations.formats._panel import write_panel_file
from beholder.activations.panel import _readers as _panel_readers
from beholder.activations.panel._readers import (
    get_activation_shape,
    get_available_images,
    get_available_layers,
    get_available_models,
    load_lazy_activations,
    load_model_activations_lazy,
)

IMAGES = ["object_01", "object_02", "object_10"]
LAYERS = {"layer1.0.conv1": (4, 2, 2), "fc": (5,)}
ZARR = "ignore:.*(does not have a Zarr|String|string|specification).*"


def make_values():
    rng = np.random.default_rng(0)
    return {layer: rng.standard_normal((3, 4, *shape)).astype(np.float32) for layer, shape in LAYERS.items()}


@pytest.fixture
def values():
    return make_values()


@pytest.fixture
def panel(tmp_path, values):
    """A file as the published pipeline writes it: no attributes."""
    path = tmp_path / "model_activations_semantic.h5"
    with h5py.File(path, "w") as file:
        for model in ("ViT-B-16", "ResNet50"):
            for row, image in enumerate(IMAGES):
                for layer, array in values.items():
                    file.create_dataset(f"{model}/{image}/{layer}", data=array[row].reshape(4, -1))
    return path


@pytest.fixture
def store(tmp_path, values):
    path = tmp_path / "stores" / "ResNet50.zarr"
    write_store(path, values)
    return path


def write_store(path, values, ids=IMAGES):
    """The documented store, by plain zarr."""
    root = zarr.open_group(path, mode="w", zarr_format=3)
    names = {"model": "torchvision:resnet50@V1", "path_name": "ResNet50"}
    root.attrs.put({**names, "layers": list(values), "complete": True})
    text = np.array(ids, dtype=object)
    root.create_group("stimuli").create_array("id", shape=(len(ids),), dtype="string")[:] = text
    for layer, array in values.items():
        group = root.create_group(layer)
        group.attrs["layer"] = layer
        names = ["stimulus", "replicate", *(f"axis{i}" for i in range(array.ndim - 2))]
        group.create_array("values", shape=array.shape, dtype=array.dtype, dimension_names=names)[:] = array
        group.create_array("stimulus", shape=(len(ids),), dtype="string")[:] = text


@pytest.fixture(params=["panel", "store"])
def path(request):
    if request.param == "store":
        request.applymarker(pytest.mark.filterwarnings(ZARR))
    return request.getfixturevalue(request.param)


def test_values_are_those_of_the_file(path, values):
    acts = load_lazy_activations(path)
    for row, image in enumerate(IMAGES):
        for layer, array in values.items():
            got = acts["ResNet50"][image][layer]
            assert isinstance(got, np.ndarray)
            assert got.dtype == np.float32
            np.testing.assert_array_equal(got, array[row].reshape(4, -1))


def test_levels_are_like_dictionaries(path):
    acts = load_lazy_activations(path)
    assert "ResNet50" in acts
    assert "ResNet51" not in acts
    assert acts.keys()[0] == "ResNet50"
    assert isinstance(acts.keys(), list)
    model = acts["ResNet50"]
    assert model.keys() == list(model) == IMAGES
    assert len(model) == 3
    assert "object_10" in model
    assert "object_10/fc" not in model
    assert "" not in model
    image = model["object_02"]
    assert image.keys() == list(image) == sorted(LAYERS)
    assert len(image) == 2
    assert "fc" in image
    assert 3 not in image
    assert "fc" in repr(image)
    assert "3 stimuli" in repr(model)
    assert "ResNet50" in repr(acts)


def test_missing_names_are_key_errors_that_suggest(path):
    acts = load_lazy_activations(path)
    with pytest.raises(KeyError, match="'ResNet50'") as raised:
        acts["ResNet5"]
    assert str(raised.value).startswith("expected the name of a model")
    with pytest.raises(KeyError, match="'object_01'"):
        acts["ResNet50"]["object_1"]
    with pytest.raises(KeyError, match=r"'layer1\.0\.conv1'"):
        acts["ResNet50"]["object_01"]["layer1.conv1"]


def test_average(path, values):
    acts = load_lazy_activations(path, average=True)
    got = acts["ResNet50"]["object_02"]["fc"]
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, values["fc"][1].mean(axis=0), atol=1e-6)
    got = load_model_activations_lazy(path, "ResNet50", average=True)["ResNet50"]["object_02"]["fc"]
    np.testing.assert_allclose(got, values["fc"][1].mean(axis=0), atol=1e-6)


def test_inspection(path):
    assert "ResNet50" in get_available_models(path)
    assert get_available_images(path, "ResNet50") == IMAGES
    assert get_available_layers(path, "ResNet50") == sorted(LAYERS)
    assert get_available_layers(path, "ResNet50", "object_02") == sorted(LAYERS)
    assert get_activation_shape(path, "ResNet50") == (4, 5)
    assert get_activation_shape(path, "ResNet50", "object_02", "layer1.0.conv1") == (4, 16)
    for call in (
        lambda: get_available_images(path, "x"),
        lambda: get_available_layers(path, "x"),
        lambda: get_available_layers(path, "ResNet50", "x"),
        lambda: get_activation_shape(path, "ResNet50", "x"),
        lambda: get_activation_shape(path, "ResNet50", None, "x"),
        lambda: load_model_activations_lazy(path, "x"),
    ):
        with pytest.raises(KeyError):
            call()


def test_small_arrays_are_kept_until_cleared(panel):
    acts = load_lazy_activations(panel)
    first = acts["ResNet50"]["object_01"]["fc"]
    other = acts["ResNet50"]["object_02"]["fc"]
    assert acts["ResNet50"]["object_01"]["fc"] is first
    acts["ResNet50"]["object_01"].clear_cache()
    assert acts["ResNet50"]["object_02"]["fc"] is other
    again = acts["ResNet50"]["object_01"]["fc"]
    assert again is not first
    acts["ViT-B-16"].clear_cache()
    assert acts["ResNet50"]["object_01"]["fc"] is again
    acts["ResNet50"].clear_cache()
    assert acts["ResNet50"]["object_01"]["fc"] is not again
    again = acts["ResNet50"]["object_01"]["fc"]
    acts.clear_cache()
    assert acts["ResNet50"]["object_01"]["fc"] is not again


def test_arrays_of_10_mb_are_not_kept(panel, monkeypatch):
    assert _panel_readers.SMALL_BYTES == 10 * 1024**2
    monkeypatch.setattr(_panel_readers, "SMALL_BYTES", 4 * 16 * 4)
    image = load_lazy_activations(panel)["ResNet50"]["object_01"]
    first, second = image["layer1.0.conv1"], image["layer1.0.conv1"]
    assert first is not second
    assert image["fc"] is image["fc"]


def test_the_cache_is_bounded(panel, monkeypatch):
    monkeypatch.setattr(_panel_readers, "CACHE_BYTES", 4 * 5 * 4 * 2)
    acts = load_lazy_activations(panel)
    image = acts["ResNet50"]["object_01"]
    first = image["fc"]
    second = acts["ResNet50"]["object_02"]["fc"]
    assert image["fc"] is first
    assert acts["ResNet50"]["object_10"]["fc"] is not None
    assert image["fc"] is first
    assert acts["ResNet50"]["object_02"]["fc"] is not second


def test_usable_after_close_in_other_processes_and_as_a_context(path, values):
    with load_lazy_activations(path) as acts:
        image = acts["ResNet50"]["object_01"]
        first = image["fc"]
    assert image["fc"] is not first
    np.testing.assert_array_equal(image["fc"], first)
    copy = pickle.loads(pickle.dumps(acts))
    np.testing.assert_array_equal(copy["ResNet50"]["object_01"]["fc"], first)
    acts.close()
    acts.close()


def test_a_forked_process_reads_for_itself(panel, monkeypatch):
    acts: Any = load_lazy_activations(panel)
    first = acts["ResNet50"]["object_01"]["fc"]
    handle = acts._source._file
    pid = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)
    acts.clear_cache()
    np.testing.assert_array_equal(acts["ResNet50"]["object_01"]["fc"], first)
    assert acts._source._file is not handle
    handle.close()


def test_an_open_reader_does_not_hinder_a_writer(panel, values):
    acts = load_lazy_activations(panel)
    before = acts["ResNet50"]["object_01"]["fc"]

    class Layer:
        shape, dtype, stimulus_ids = values["fc"].shape, np.dtype(np.float32), IMAGES

        def __getitem__(self, index):
            return values["fc"][index] + 1

    write_panel_file(panel, {"ResNet50": {"fc": Layer()}})
    acts.close()
    np.testing.assert_array_equal(acts["ResNet50"]["object_01"]["fc"], before + 1)


def test_unreadable_files_are_value_errors(tmp_path):
    (tmp_path / "text.h5").write_text("no")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "text.h5", tmp_path / "absent.h5", tmp_path / "folder"):
        with pytest.raises(ValueError, match="expected"):
            load_lazy_activations(path)
        with pytest.raises(ValueError, match="expected"):
            get_available_models(path)
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file.create_group("m")
    assert get_available_images(tmp_path / "empty.h5", "m") == []
    for call in (get_available_layers, get_activation_shape):
        with pytest.raises(ValueError, match="not empty"):
            call(tmp_path / "empty.h5", "m")


def test_exact_names_find_what_stands_under_a_path_name(tmp_path, values):
    class Layer:
        shape, dtype, stimulus_ids = values["fc"].shape, np.dtype(np.float32), IMAGES

        def __getitem__(self, index):
            return values["fc"][index]

    write_panel_file(tmp_path / "p.h5", {"SLIP ViT-Small": {"blocks/1:in": Layer()}})
    acts = load_lazy_activations(tmp_path / "p.h5")
    for model in ("SLIP ViT-Small", "SLIP_ViT-Small"):
        assert model in acts
        np.testing.assert_array_equal(acts[model]["object_02"]["blocks/1:in"], values["fc"][1])


@pytest.mark.filterwarnings(ZARR)
def test_a_folder_of_stores(store, values):
    write_store(store.parent / "ResNet50.mean.zarr", {"fc": values["fc"] * 2})
    acts = load_lazy_activations(store.parent)
    assert acts.keys() == ["ResNet50", "ResNet50.mean"]
    np.testing.assert_array_equal(acts["ResNet50.mean"]["object_10"]["fc"], values["fc"][2] * 2)
    alone = load_lazy_activations(store)
    assert alone.keys() == ["ResNet50"]
    np.testing.assert_array_equal(alone["torchvision:resnet50@V1"]["object_10"]["fc"], values["fc"][2])


def test_the_file_may_be_open_elsewhere_in_the_process(panel, values):
    acts = load_lazy_activations(panel)
    assert acts["ResNet50"]["object_01"]["fc"].shape == (4, 5)
    file: Any
    with h5py.File(panel) as file:
        assert file["ResNet50/object_01/fc"].shape == (4, 5)
        assert np.array_equal(load_lazy_activations(panel)["ResNet50"]["object_02"]["fc"], values["fc"][1])


def test_neighbours_labels_and_tables_of_a_layer(tmp_path):
    from torch import nn

    from beholder.activations import compute_rdm, extract
    from beholder.models import wrap
    from beholder.stimuli import StimulusSet

    rng = np.random.default_rng(3)
    layer = rng.standard_normal((9, 4, 2, 2)).astype(np.float32)
    layer[4] = 1.0
    ids = [f"s{i}" for i in range(9)]
    stimuli = StimulusSet.from_arrays(layer, ids, labels=[f"c{i % 3}" for i in range(9)], kind="array")
    net = wrap(nn.Sequential(nn.Identity(), nn.Flatten()), name="same", input_shape=(4, 2, 2))
    acts = extract(net, stimuli, ["0", "1"], out_path=tmp_path, device="cpu")
    for method in ("correlation", "cosine", "euclidean"):
        rdm = compute_rdm(layer, method)
        found = acts["0"].nearest("s2", 4, method=method)
        order = [i for i in np.argsort(rdm[2], kind="stable") if i != 2 and not np.isnan(rdm[2, i])][:4]
        assert found["stimulus"].tolist() == [ids[i] for i in order]
        assert found["label"].tolist() == [f"c{i % 3}" for i in order]
        np.testing.assert_allclose(found["distance"], rdm[2, order], rtol=1e-5)
    assert len(acts["0"].nearest("s0", 99)) == 7
    assert acts.ids == acts["0"].ids == tuple(ids) and acts.labels == acts["1"].labels == stimuli.labels
    np.testing.assert_array_equal(acts["0"].sel(["s5", "s1"]), layer[[5, 1]])
    np.testing.assert_array_equal(acts["0"].sel("s5"), layer[5])
    table = acts.to_pandas()
    assert table.shape == (9, 32) and list(table.columns.get_level_values("layer").unique()) == ["0", "1"]
    np.testing.assert_array_equal(table.loc["s3", "1"], layer[3].ravel())
    for call in (lambda: acts["0"].nearest("s9"), lambda: acts["0"].nearest("s0", method="gaussian"),
                 lambda: acts["0"].nearest("s0", 0), lambda: acts["0"].nearest("s4"), lambda: acts.to_pandas([]),
                 lambda: acts["0"].sel(["s9"])):  # fmt: skip
        with pytest.raises(InputError):
            call()
