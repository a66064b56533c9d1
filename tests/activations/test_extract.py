"""Extraction: values, bytes, resuming, growing, refusing."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import beholder as bh
from beholder._core.errors import BeholderError, ConfigurationChanged, InputError
from beholder.activations import Activations, capture, extract
from beholder.models import Model, wrap
from beholder.stimuli import Exposure, StimulusSet

sys.path.insert(0, str(Path(__file__).parent))

from toy_nets import InPlaceNet, TokenNet

LAYERS = ["conv2", "relu@3:in", "output"]


@pytest.fixture
def net() -> Model:
    return wrap(InPlaceNet(), name="inplace")


@pytest.fixture
def stimuli() -> StimulusSet:
    arrays = np.random.default_rng(3).random((23, 3, 8, 8), dtype=np.float32)
    return StimulusSet.from_arrays(arrays, kind="array")


def read_tree(folder: Path) -> dict[str, bytes]:
    skip = ("provenance.json", ".provenance.lock", "run.lock")
    files = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not name.endswith(skip)}


def test_values_equal_those_of_one_big_batch(net: Model, stimuli: StimulusSet, tmp_path: Path) -> None:
    acts = extract(net, stimuli, LAYERS, out_path=tmp_path, batch_size=4)
    _, expected = capture(net, np.stack([stimuli.source(i) for i in range(23)]), LAYERS)
    assert acts.layers == LAYERS
    for name in LAYERS:
        np.testing.assert_allclose(acts[name].to_numpy(), expected[name].numpy(), rtol=1e-5, atol=1e-6)
    assert acts["conv2"].dims == ("stimulus", "channel", "height", "width")
    assert list(acts.stimuli["id"]) == list(stimuli.ids)


def test_reading_parts(net: Model, stimuli: StimulusSet, tmp_path: Path) -> None:
    layer = extract(net, stimuli, ["conv2"], out_path=tmp_path, batch_size=2)["conv2"]
    whole = layer[:]
    assert whole.shape == (23, 6, 8, 8)
    np.testing.assert_array_equal(layer[5:17, 0, 2], whole[5:17, 0, 2])
    np.testing.assert_array_equal(layer[[3, 1, 20]], whole[[3, 1, 20]])
    np.testing.assert_array_equal(layer[-1], whole[-1])
    np.testing.assert_array_equal(layer[::-1], whole[::-1])
    np.testing.assert_array_equal(layer[::5], whole[::5])
    np.testing.assert_array_equal(layer[np.arange(23) % 2 == 0], whole[::2])
    np.testing.assert_array_equal(layer[stimuli.ids[4]], whole[4])
    np.testing.assert_array_equal(layer[..., 0], whole[..., 0])
    assert layer[[]].shape == (0, *whole.shape[1:])
    blocks = list(layer.iter_blocks(max_bytes=6 * 64 * 4 * 5))
    np.testing.assert_array_equal(np.concatenate([block for _, block in blocks]), whole)
    assert [start for start, _ in blocks][:2] == [0, 5] or len(blocks) > 2


@pytest.mark.parametrize("n_replicates", [1, 2])
def test_one_shape_whichever_way_activations_are_read(
    net: Model, stimuli: StimulusSet, tmp_path: Path, n_replicates: int
) -> None:
    exposure = None
    acts = extract(net, stimuli[:4], ["conv2"], out_path=tmp_path, replicates=n_replicates, exposure=exposure)
    layer = acts["conv2"]
    own = (4, 6, 8, 8) if n_replicates == 1 else (4, 2, 6, 8, 8)
    whole = layer.to_numpy()
    assert layer.shape == whole.shape == own and (layer.ndim, len(layer.dims)) == (len(own), len(own))
    one = layer[2]
    read = [
        layer[:], np.asarray(layer), torch.tensor(layer).numpy(), torch.as_tensor(np.asarray(layer)).numpy(),
        np.stack([layer[i] for i in range(4)]), layer[[0, 1, 2, 3]], layer.sel(layer.ids), layer.to_xarray().to_numpy(),
        np.concatenate([block for _, block in layer.iter_blocks(max_bytes=1)]),
    ]  # fmt: skip
    for values in read:
        np.testing.assert_array_equal(values, whole)
    assert one.shape == layer.sel(layer.ids[2]).shape == layer[layer.ids[2]].shape == own[1:]
    np.testing.assert_array_equal(layer[:, 1], whole[:, 1])
    with_axis = layer.with_replicates
    assert with_axis.shape == with_axis[:].shape == np.asarray(with_axis).shape == (4, n_replicates, 6, 8, 8)
    np.testing.assert_array_equal(with_axis[:].reshape(whole.shape), whole)
    assert (layer.n_replicates, layer.feature_shape, layer.feature_dims) == (
        n_replicates, (6, 8, 8), ("channel", "height", "width"),
    )  # fmt: skip
    np.testing.assert_allclose(bh.compute_rdm(layer), bh.compute_rdm(with_axis), atol=1e-6)
    for suffix in ("npy", "csv", "parquet"):
        layer.save(tmp_path / f"one.{suffix}")
        with_axis.save(tmp_path / f"two.{suffix}")
        assert (tmp_path / f"one.{suffix}").read_bytes() == (tmp_path / f"two.{suffix}").read_bytes()
    assert np.load(tmp_path / "one.npy").shape == own


@pytest.mark.parametrize("changes", [{"workers": 2}, {"threads": 1}, {"threads": 5}])
def test_workers_and_cores_do_not_change_a_byte(
    net: Model, stimuli: StimulusSet, tmp_path: Path, changes: dict
) -> None:
    extract(net, stimuli, LAYERS, out_path=tmp_path / "one", batch_size=2)
    extract(net, stimuli, LAYERS, out_path=tmp_path / "two", batch_size=2, **changes)
    assert read_tree(tmp_path / "one") == read_tree(tmp_path / "two")


def test_batch_size_and_other_layers_change_nothing_that_matters(
    net: Model, stimuli: StimulusSet, tmp_path: Path
) -> None:
    alone = extract(net, stimuli, ["conv2"], out_path=tmp_path / "a", batch_size=1)["conv2"].to_numpy()
    other = extract(net, stimuli, LAYERS, out_path=tmp_path / "b", batch_size=16)["conv2"].to_numpy()
    assert np.abs(alone - other).max() <= 1e-5 * np.abs(alone).max()


def test_missing_parts_are_filled_to_the_same_bytes(net: Model, stimuli: StimulusSet, tmp_path: Path) -> None:
    extract(net, stimuli, LAYERS, out_path=tmp_path / "whole", batch_size=1)
    shutil.copytree(tmp_path / "whole", tmp_path / "torn")
    torn = tmp_path / "torn" / "inplace.zarr"
    (torn / "conv2/values/c.0.0.0.0.0").unlink()
    receipts = sorted((tmp_path / "torn" / ".inplace.zarr.jobs" / "receipts").iterdir())
    receipts[-1].unlink()
    extract(net, stimuli, LAYERS, out_path=tmp_path / "torn", batch_size=1)
    assert read_tree(tmp_path / "whole") == read_tree(tmp_path / "torn")


def test_layers_are_added_and_the_old_ones_kept(net: Model, stimuli: StimulusSet, tmp_path: Path) -> None:
    extract(net, stimuli, ["conv2"], out_path=tmp_path, batch_size=4)
    before = read_tree(tmp_path / "inplace.zarr" / "conv2")
    acts = extract(net, stimuli, ["conv1"], out_path=tmp_path)
    assert acts.layers == ["conv1", "conv2"], "as they lie in the network"
    assert read_tree(tmp_path / "inplace.zarr" / "conv2") == before
    _, expected = capture(net, np.stack([stimuli.source(i) for i in range(23)]), ["conv1"])
    np.testing.assert_allclose(acts["conv1"].to_numpy(), expected["conv1"].numpy(), rtol=1e-5, atol=1e-6)


def test_appending_gives_the_bytes_of_doing_it_at_once(net: Model, stimuli: StimulusSet, tmp_path: Path) -> None:
    extract(net, stimuli, LAYERS, out_path=tmp_path / "once", batch_size=4)
    extract(net, stimuli[:10], LAYERS, out_path=tmp_path / "grown", batch_size=4)
    with pytest.raises(ConfigurationChanged, match="13 new"):
        extract(net, stimuli, LAYERS, out_path=tmp_path / "grown")
    extract(net, stimuli, LAYERS, out_path=tmp_path / "grown", append=True)
    assert read_tree(tmp_path / "once") == read_tree(tmp_path / "grown")


def test_a_changed_configuration_is_named(net: Model, stimuli: StimulusSet, tmp_path: Path) -> None:
    extract(net, stimuli, ["conv2"], out_path=tmp_path, batch_size=4)
    with pytest.raises(ConfigurationChanged, match="dtype was 'float32', now 'float16'"):
        extract(net, stimuli, ["conv2"], out_path=tmp_path, dtype="float16")
    acts = extract(net, stimuli, ["conv2"], out_path=tmp_path, dtype="float16", overwrite=True)
    assert acts["conv2"].dtype == np.float16
    acts = extract(net, stimuli[3:9], ["conv2"], out_path=tmp_path, overwrite=True, batch_size=4)
    assert acts.stimulus_ids == stimuli.ids[3:9]
    extract(net, stimuli[3:9], ["conv2"], out_path=tmp_path / "fresh", batch_size=4)
    assert read_tree(tmp_path / "inplace.zarr") == read_tree(tmp_path / "fresh" / "inplace.zarr")


def test_other_content_under_the_same_ids_is_refused(net: Model, stimuli: StimulusSet, tmp_path: Path) -> None:
    extract(net, stimuli, ["conv2"], out_path=tmp_path, batch_size=4)
    other = StimulusSet.from_arrays(stimuli.arrays[::-1].copy(), kind="array")
    with pytest.raises(ConfigurationChanged, match="content differs"):
        extract(net, other, ["conv2"], out_path=tmp_path)


def test_files_may_move_but_not_change(tmp_path: Path) -> None:
    from PIL import Image

    from beholder.models import ImagePreprocessing

    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        (tmp_path / folder).mkdir()
        pixels = np.random.default_rng(seed).integers(0, 255, (3, 8, 8, 3), dtype=np.uint8)
        for i in range(3):
            Image.fromarray(pixels[i]).save(tmp_path / folder / f"{i}.png")
    net = wrap(InPlaceNet(), ImagePreprocessing(resize=8, crop=(8, 8)), name="inplace")
    extract(net, tmp_path / "a", ["conv2"], out_path=tmp_path / "out")
    extract(net, tmp_path / "b", ["conv2"], out_path=tmp_path / "out")
    with pytest.raises(ConfigurationChanged, match="content differs"):
        extract(net, tmp_path / "c", ["conv2"], out_path=tmp_path / "out")


def test_an_addition_that_would_alter_an_id_is_refused(tmp_path: Path) -> None:
    from PIL import Image

    from beholder.models import ImagePreprocessing

    net = wrap(InPlaceNet(), ImagePreprocessing(resize=8, crop=(8, 8)), name="inplace")
    for name in ("x/1.png", "y/2.png"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "images" / name)
    extract(net, tmp_path / "images", ["conv2"], out_path=tmp_path / "out")
    Image.new("RGB", (8, 8), "red").save(tmp_path / "images/y/1.png")
    with pytest.raises(ConfigurationChanged, match="would become 'x__1'"):
        extract(net, tmp_path / "images", ["conv2"], out_path=tmp_path / "out", append=True)


def test_an_unfinished_store_says_so(net: Model, stimuli: StimulusSet, tmp_path: Path) -> None:
    bad = stimuli.arrays.copy()
    bad[20, 0, 0, 0] = 1
    broken = StimulusSet.from_arrays(bad, kind="array")

    def prepare(array: np.ndarray) -> np.ndarray:
        if array[0, 0, 0] == 1:
            raise InputError("a stimulus that is not broken")
        return array

    with pytest.raises(BeholderError, match="broken"):
        extract(wrap(InPlaceNet(), prepare, name="inplace"), broken, ["conv2"], out_path=tmp_path, batch_size=1)
    with pytest.raises(InputError, match="did not end"):
        Activations(tmp_path / "inplace.zarr")


def test_presets_patterns_and_recorded_layers_stand_for_names(net: Model) -> None:
    from beholder.activations import list_asked_layers

    assert list_asked_layers(net, ["conv?"]) == ["conv1", "conv2"]
    assert list_asked_layers(net, ["conv?:in"]) == ["conv1:in", "conv2:in"]
    assert list_asked_layers(net, ["preset:penultimate"]) == list_asked_layers(net, ["penultimate"]) != []
    assert list_asked_layers(net.with_layers(("pool", "conv2")), ["recorded"]) == ["pool", "conv2"]


def test_pools_and_flattening(net: Model, stimuli: StimulusSet, tmp_path: Path) -> None:
    raw = extract(net, stimuli, ["conv2"], out_path=tmp_path)["conv2"].to_numpy()
    mean = extract(net, stimuli, ["conv2"], out_path=tmp_path, pool="mean")["conv2"]
    np.testing.assert_allclose(mean.to_numpy(), raw.mean((2, 3)), rtol=1e-5, atol=1e-6)
    assert (tmp_path / "inplace.mean.zarr").exists() and mean.dims == ("stimulus", "channel")
    flat = extract(net, stimuli, ["conv2"], out_path=tmp_path / "flat", flatten=True)["conv2"].to_numpy()
    np.testing.assert_array_equal(flat, raw.reshape(23, -1))


def test_tokens_of_a_sequence_first_network(stimuli: StimulusSet, tmp_path: Path) -> None:
    net = wrap(TokenNet(), name="tokens")
    acts = extract(net, stimuli, ["attn", "attn:weights"], out_path=tmp_path, batch_size=4)
    _, expected = capture(net, np.stack([stimuli.source(i) for i in range(23)]), ["attn", "attn:weights"])
    np.testing.assert_allclose(acts["attn"].to_numpy(), expected["attn"].transpose(0, 1).numpy(), rtol=1e-5, atol=1e-6)
    assert acts["attn:weights"].feature_dims == ("head", "query", "key")


def test_ensembles_join_global_maxima(stimuli: StimulusSet, tmp_path: Path) -> None:
    net = wrap(InPlaceNet(), name="inplace")
    acts = extract(net, stimuli, ["conv_ensemble", "convpen_ensemble"], out_path=tmp_path)
    _, layers = capture(net, np.stack([stimuli.source(i) for i in range(23)]), ["conv1", "conv2", "head:in"])
    maxima = [layers["conv1"].amax((2, 3)) * 5, layers["conv2"].amax((2, 3)) * 10]
    np.testing.assert_allclose(acts["conv_ensemble"].to_numpy(), torch.cat(maxima, 1).numpy(), rtol=1e-5)
    joined = torch.cat([*maxima, layers["head:in"]], 1)
    np.testing.assert_allclose(acts["convpen_ensemble"].to_numpy(), joined.numpy(), rtol=1e-5)


def test_replicates_are_clean_first_and_can_be_added(tmp_path: Path) -> None:
    arrays = np.random.default_rng(0).integers(0, 255, (5, 8, 8, 3), dtype=np.uint8)
    stimuli = StimulusSet.from_arrays(arrays)
    from beholder.models import ImagePreprocessing

    net = wrap(InPlaceNet(), ImagePreprocessing(resize=8, crop=(8, 8)), name="inplace")
    exposure = Exposure(border=0.0)
    two = extract(net, stimuli, ["conv2"], out_path=tmp_path / "a", replicates=2, exposure=exposure, batch_size=2)
    clean = extract(net, stimuli, ["conv2"], out_path=tmp_path / "b", batch_size=2)["conv2"].to_numpy()
    np.testing.assert_array_equal(two["conv2"][:, 0], clean)
    assert np.abs(two["conv2"][:, 1] - clean).max() > 0
    extract(net, stimuli, ["conv2"], out_path=tmp_path / "c", replicates=1, exposure=exposure, batch_size=2)
    extract(net, stimuli, ["conv2"], out_path=tmp_path / "c", replicates=2, exposure=exposure, batch_size=2)
    assert read_tree(tmp_path / "a") == read_tree(tmp_path / "c")


def test_sounds_of_any_length(tmp_path: Path) -> None:
    from beholder.stimuli import save_sound

    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Unflatten(1, (1, -1)), torch.nn.Conv1d(1, 4, 16, 8))
    (tmp_path / "sounds").mkdir()
    waves = [np.sin(np.arange(n) / 9).astype(np.float32) for n in (400, 300, 500)]
    for i, wave in enumerate(waves):
        save_sound(tmp_path / f"sounds/{i}.wav", wave, 8000)
    net = wrap(module, sample_rate=8000, name="ears")
    acts = extract(net, tmp_path / "sounds", ["1"], out_path=tmp_path, pool="mean")["1"].to_numpy()
    with torch.no_grad():
        expected = [module(torch.from_numpy(wave)[None]).mean(-1)[0].numpy() for wave in waves]
    np.testing.assert_allclose(acts, expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(InputError, match="the same shape of 1 for every stimulus"):
        extract(net, tmp_path / "sounds", ["1"], out_path=tmp_path)
    with pytest.raises(InputError, match="expected sounds"):
        extract(wrap(InPlaceNet(), sample_rate=8000), [np.zeros((8, 8, 3), np.uint8)], ["conv1"], out_path=tmp_path)


def test_zarr_and_xarray_open_the_store(net: Model, stimuli: StimulusSet, tmp_path: Path) -> None:
    import xarray
    import zarr

    acts = extract(net, stimuli, ["relu@3:in"], out_path=tmp_path)
    group: Any = zarr.open_group(tmp_path / "inplace.zarr", mode="r")
    assert sorted(name for name, _ in group.members()) == ["relu_3_in", "stimuli"]
    np.testing.assert_array_equal(group["relu_3_in/values"][:, 0], acts["relu@3:in"].to_numpy())
    assert group["relu_3_in"].attrs["layer"] == "relu@3:in"
    dataset = xarray.open_zarr(tmp_path / "inplace.zarr", group="relu_3_in", consolidated=False, chunks=None)
    assert dataset["values"].sel(stimulus=stimuli.ids[4]).shape == (1, 6, 8, 8)
    np.testing.assert_array_equal(dataset["values"][:, 0].values, acts["relu@3:in"].to_numpy())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pool": "median"}, r"pool none\|"),
        ({"batch_size": 0}, "batch_size of at least 1"),
        ({"layers": ["conv9"]}, "try 'conv"),
        ({"layers": []}, "at least one layer"),
        ({"layers": "conv2"}, "the string 'conv2'"),
        ({"layers": ["conv*x"]}, "a pattern that some layer matches"),
        ({"device": "cuda:7"}, "here for device=.cuda:7.: cpu"),
    ],
)
def test_bad_input_is_one_line(net: Model, stimuli: StimulusSet, tmp_path: Path, options: dict, message: str) -> None:
    layers = options.pop("layers", ["conv2"])
    extract(net, stimuli, ["conv1"], out_path=tmp_path / "out")
    with pytest.raises(InputError, match=message) as caught:
        extract(net, stimuli, layers, out_path=tmp_path / "out", **options)
    assert "\n" not in str(caught.value)


def test_a_module_is_afterwards_as_it_was(stimuli: StimulusSet, tmp_path: Path) -> None:
    net = InPlaceNet().train()
    net.conv2.weight.requires_grad_(False)
    before = {name: (value.stride(), value.requires_grad) for name, value in net.named_parameters()}
    extract(net, stimuli, ["conv2"], out_path=tmp_path)
    assert net.training and net.conv1.training
    assert {name: (value.stride(), value.requires_grad) for name, value in net.named_parameters()} == before
    assert net.conv2.weight.view(6, -1).shape == (6, 54)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"
        ),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory: you tried"),
        MemoryError(),
    ],
)
def test_every_way_of_running_out_of_memory_is_known(error: BaseException) -> None:
    from beholder._core.errors import is_out_of_memory

    assert is_out_of_memory(error)
    assert not is_out_of_memory(RuntimeError("shapes differ"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve pictures, of which number 7 is cut short."""
    from PIL import Image

    (tmp_path / "images").mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (12, 8, 8, 3), dtype=np.uint8)
    for i in range(12):
        Image.fromarray(pixels[i]).save(tmp_path / f"images/{i:02d}.png")
    broken = tmp_path / "images/07.png"
    broken.write_bytes(broken.read_bytes()[:90])
    return tmp_path / "images"


def test_a_run_that_a_bad_file_ended_goes_on_without_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from beholder.activations.extraction import _worker
    from beholder.models import ImagePreprocessing

    net = wrap(InPlaceNet(), ImagePreprocessing(resize=8, crop=(8, 8)), name="inplace")
    monkeypatch.setattr("beholder.activations.extraction._plan._SHARD_STIMULI", 2)
    with pytest.raises(InputError, match=r"got 07.png \(.*skip_bad=True"):
        extract(net, folder, ["conv2"], out_path=tmp_path / "out", batch_size=2)
    written: list[str] = []
    write_shard = _worker.write_shard
    monkeypatch.setattr(
        _worker, "write_shard", lambda path, *args: written.append(path.name) or write_shard(path, *args)
    )
    whole = StimulusSet.from_folder(folder, skip_bad=True)
    acts = extract(net, whole, ["conv2"], out_path=tmp_path / "out", batch_size=2)
    assert len(acts.stimulus_ids) == 11 and acts["conv2"].shape[0] == 11
    assert written == ["c.3.0.0.0.0", "c.4.0.0.0.0", "c.5.0.0.0.0"], "what lay before the bad file is kept"
    extract(net, whole, ["conv2"], out_path=tmp_path / "fresh", batch_size=2)
    assert read_tree(tmp_path / "out") == read_tree(tmp_path / "fresh")
    with pytest.raises(ConfigurationChanged, match="the 11 stimuli"):
        extract(net, whole[:5], ["conv2"], out_path=tmp_path / "out")


def test_conditions_stay_when_stimuli_are_added(folder: Path, tmp_path: Path) -> None:
    from beholder.models import ImagePreprocessing

    net = wrap(InPlaceNet(), ImagePreprocessing(resize=8, crop=(8, 8)), name="inplace")
    rows = {"a.csv": [(0, "x"), (1, "y")], "b.csv": [(2, "z")]}
    for name, entries in rows.items():
        lines = [f"{folder / f'{i:02d}.png'},{i / 2},{word}" for i, word in entries]
        (tmp_path / name).write_text("\n".join(["file,coherence,face id", *lines]), encoding="utf-8")
    extract(net, tmp_path / "a.csv", ["conv2"], out_path=tmp_path / "out", batch_size=2)
    acts = extract(net, tmp_path / "b.csv", ["conv2"], out_path=tmp_path / "out", append=True)
    assert acts.stimuli["face id"].tolist() == ["x", "y", "z"]
    assert acts.stimuli["coherence"].tolist() == [0.0, 0.5, 1.0]


def test_a_layer_as_a_table_and_as_a_file(net: Model, stimuli: StimulusSet, tmp_path: Path) -> None:
    import pandas as pd

    acts = extract(net, stimuli, ["conv2"], out_path=tmp_path, pool="mean")
    table = acts["conv2"].to_pandas()
    assert table.shape == (23, 6) and table.index.name == "stimulus" and table.columns.name == "channel"
    np.testing.assert_array_equal(table.loc[stimuli.ids[3]], acts["conv2"][3])
    assert acts["conv2"].save(tmp_path / "mean.npy") == tmp_path / "mean.npy"
    np.testing.assert_array_equal(np.load(tmp_path / "mean.npy"), acts["conv2"].to_numpy())
    saved = acts["conv2"].save(tmp_path / "mean.csv")
    np.testing.assert_array_equal(pd.read_csv(saved, index_col="stimulus").to_numpy(np.float32), table.to_numpy())
    with pytest.raises(InputError, match="file format"):
        acts["conv2"].save(tmp_path / "mean.xls")
    assert "conv2" in acts._repr_html_() and "6 channel" in acts._repr_html_()


def test_a_table_of_replicates(tmp_path: Path) -> None:
    from beholder.models import ImagePreprocessing

    arrays = np.random.default_rng(0).integers(0, 255, (3, 8, 8, 3), dtype=np.uint8)
    net = wrap(InPlaceNet(), ImagePreprocessing(resize=8, crop=(8, 8)), name="inplace")
    layer = extract(net, arrays, ["conv2"], out_path=tmp_path, replicates=2, exposure=Exposure())["conv2"]
    table = layer.to_pandas()
    assert table.shape == (6, 6 * 8 * 8) and table.index.names == ["stimulus", "replicate"]
    np.testing.assert_array_equal(table.loc[("000001", 1)], layer[1, 1].ravel())


def test_numbers_that_float16_cannot_hold_are_an_error(stimuli: StimulusSet, tmp_path: Path) -> None:
    module = InPlaceNet()
    module.conv1.weight.data *= 1e6
    with pytest.raises(InputError, match=r"values of at most 65504 for dtype=.float16.; got .* at conv1"):
        extract(wrap(module, name="inplace"), stimuli, ["conv1"], out_path=tmp_path, dtype="float16")


def test_stimuli_are_added_though_the_old_files_are_gone(folder: Path, tmp_path: Path) -> None:
    from beholder.models import ImagePreprocessing

    net = wrap(InPlaceNet(), ImagePreprocessing(resize=8, crop=(8, 8)), name="inplace")
    options = {"out_path": tmp_path / "out", "batch_size": 2}
    extract(net, StimulusSet.from_folder(folder)[:3], ["conv2"], **options)
    (folder / "00.png").unlink()
    whole = StimulusSet.from_folder(folder)
    acts = extract(net, whole[["01", "02", "03", "04"]], ["conv2"], append=True, **options)
    assert acts.stimulus_ids == ("00", "01", "02", "03", "04")
    assert np.isfinite(acts["conv2"].to_numpy()).all()
    with pytest.raises(InputError, match=r"00\.png"):
        extract(net, whole[["01", "02"]], ["conv1"], append=True, **options)
