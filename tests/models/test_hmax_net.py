"""HMAX: filters and stages against plain numpy and scipy, sizes, prototypes, the published checkpoint."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat
from scipy.ndimage import maximum_filter
from scipy.signal import correlate2d

from beholder._core.errors import StimulusError
from beholder.models import GreyPreprocessing, load_model, read_preprocessing
from beholder.models.nets._hmax import (
    FILTER_SIZES,
    HMAX,
    PATCH_SIZES,
    POOL_SIZES,
    S2,
    TIGHTNESS,
    draw_prototypes,
    make_hmax_filters,
)
from beholder.stimuli import make_shape_picture

from .test_metamer_nets import wrap_published


@pytest.fixture(scope="module")
def net() -> HMAX:
    net = HMAX([torch.rand(3, 4, size, size) / 10 for size in (2, 4)]).eval()
    return net.requires_grad_(False)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """Grey, of 80 × 90 pixels, in [0, 255]."""
    grey = Image.fromarray(make_shape_picture("spiral", 1)).convert("L").resize((90, 80))
    return np.asarray(grey, dtype=np.float64)


def test_sizes_are_the_published_ones():
    assert FILTER_SIZES == (7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37)
    assert (TIGHTNESS[0], round(TIGHTNESS[-1], 10)) == (4.0, 3.25)
    assert len(POOL_SIZES) == 8 and POOL_SIZES[0] == 8 and POOL_SIZES[-1] == 22
    with torch.device("meta"):
        net = HMAX()
    shapes = {}
    for name in ("s1_out", "c1_out", "s2_out", "c2_out"):
        net.get_submodule(name).register_forward_hook(lambda _m, _i, o, name=name: shapes.update({name: o.shape[1:]}))  # pyright: ignore[reportAttributeAccessIssue]
    out = net(torch.zeros(2, 1, 250, 250, device="meta"))
    bands = [250 // (size // 2) + 1 for size in POOL_SIZES]
    assert bands == [63, 51, 42, 36, 32, 28, 26, 23]
    assert shapes["s1_out"] == (64, 250, 250) and shapes["c2_out"] == (8, 400) and out.shape == (2, 3200)
    assert shapes["c1_out"] == (4 * sum(side**2 for side in bands),)
    assert shapes["s2_out"] == (3200 * sum((side + 1) ** 2 for side in bands),)


@pytest.mark.parametrize("index", [0, 6, 15])
def test_filters(index):
    size, filters = FILTER_SIZES[index], make_hmax_filters(FILTER_SIZES[index], TIGHTNESS[index])
    wavelength, half = 2 * size / (4 - index / 20), size // 2
    for filt, degrees in zip(filters, (90, -45, 0, 45), strict=True):
        direction = np.exp(1j * np.deg2rad(degrees + 90))
        expected = np.zeros((size, size))
        for row in range(size):
            for column in range(size):
                z = complex(row - half, column - half) * np.conj(direction)
                if abs(z) <= size / 2:
                    spread = 2 * (0.8 * wavelength) ** 2
                    expected[row, column] = np.exp(-(z.real**2 + 0.09 * z.imag**2) / spread) * np.cos(
                        2 * np.pi * z.real / wavelength
                    )
        expected -= expected.mean()
        np.testing.assert_allclose(filt, expected / np.sqrt((expected**2).sum()), atol=1e-12)


def compute_s1(picture: np.ndarray, index: int) -> np.ndarray:
    size = FILTER_SIZES[index]
    energy = np.sqrt(correlate2d(picture**2, np.ones((size, size)), mode="valid"))
    responses = [
        np.abs(correlate2d(picture, filt, mode="valid")) / energy for filt in make_hmax_filters(size, TIGHTNESS[index])
    ]
    return np.pad(np.stack(responses), ((0, 0), (size // 2,) * 2, (size // 2,) * 2))


def compute_c1(picture: np.ndarray, band: int) -> np.ndarray:
    pool = POOL_SIZES[band]
    best = np.maximum(compute_s1(picture, 2 * band), compute_s1(picture, 2 * band + 1))
    # scipy's window of an even size reaches one further to the left, as zero padding of half a window does
    return np.stack([maximum_filter(each, pool, mode="constant", cval=-np.inf) for each in best])


def test_s1_and_c1(net, picture):
    x = torch.tensor(picture, dtype=torch.float32)[None, None]
    s1 = net.s1(x)
    for index in (0, 7, 15):
        np.testing.assert_allclose(s1[index][0].numpy(), compute_s1(picture, index), atol=1e-6)
    for band in (0, 3):
        half = POOL_SIZES[band] // 2
        expected = compute_c1(picture, band)[:, ::half, ::half]
        found = net.find_band(x, band)[0].numpy()
        np.testing.assert_allclose(found[:, : expected.shape[1], : expected.shape[2]], expected, atol=1e-6)


def test_s2_is_a_gaussian_of_the_distance_and_c2_its_maximum(net, picture):
    x = torch.tensor(picture, dtype=torch.float32)[None, None]
    seen = {}
    handle = net.s2_out.register_forward_hook(lambda _m, _i, out: seen.update(s2=out))
    c2 = net(x)
    handle.remove()
    bands = [net.find_band(x, i)[0] for i in range(8)]
    flat, best = [], []
    for layer in net.s2:
        patches, size = layer.patches, layer.patches.shape[-1]
        maps = []
        for band in bands:
            padded = torch.nn.functional.pad(band, (size // 2,) * 4)
            places = padded.unfold(1, size, 1).unfold(2, size, 1).permute(1, 2, 0, 3, 4)
            distance = ((places[None] - patches[:, None, None]) ** 2).sum((3, 4, 5))
            maps.append(torch.exp(-distance / 2))
        flat += [each.flatten() for each in maps]
        best += [torch.stack([each[i].max() for each in maps]).max() for i in range(len(patches))]
    torch.testing.assert_close(seen["s2"][0], torch.cat(flat), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(c2[0], torch.stack(best), atol=1e-5, rtol=1e-5)


def test_gradients_are_finite_even_for_blank_pictures(net):
    for value in (0.0, 255.0):
        x = torch.full((1, 1, 80, 80), value, requires_grad=True)
        net(x).sum().backward()
        assert x.grad is not None and torch.isfinite(x.grad).all()


def test_gradients_flow_after_a_look_without_any():
    net = HMAX([torch.rand(2, 4, 2, 2)]).eval()
    x = torch.rand(1, 1, 60, 60)
    with torch.inference_mode():
        net(x)
    x.requires_grad_()
    net(x).sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0


def test_prototypes_are_pieces_of_responses_and_depend_on_the_seed(net):
    first, again, other = draw_prototypes(net), draw_prototypes(net), draw_prototypes(net, seed=1)
    assert [tuple(each.shape) for each in first] == [(400, 4, size, size) for size in PATCH_SIZES]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    assert all(each.min() >= 0 and each.max() < 1 and each.std() > 0 for each in first)


def test_it_runs_as_it_is_and_says_what_it_is(caplog):
    with caplog.at_level("INFO", "beholder"):
        model = load_model("hmax_standard", device="cpu")
    assert "not the published ones" in caplog.text
    assert model.name == "metamers:hmax@seeded" and model.classes is None
    layer = model.module.get_submodule("s2.0")
    assert isinstance(layer, S2) and layer.patches.min() < layer.patches.max() < 0.5


def test_published_checkpoint(tmp_path):
    """Fixed filters, patches with the orientation slowest, a readout; a normaliser that does nothing."""
    rng = torch.Generator().manual_seed(0)
    patches = [torch.rand(400, 4, size, size, generator=rng) for size in PATCH_SIZES]
    state = {}
    for i, size in enumerate(FILTER_SIZES):
        state[f"s1_units.{i}.gabor.weight"] = torch.zeros(1).expand(4, 1, size, size)
        state[f"s1_units.{i}.uniform.weight"] = torch.ones(1).expand(4, 1, size, size)
    for i, each in enumerate(patches):
        size = each.shape[-1]
        state[f"s2_units.{i}.conv.weight"] = each.transpose(0, 1).reshape(1600, 1, size, size)
        state[f"s2_units.{i}.uniform.weight"] = torch.ones(1).expand(1, 1, size, size)
        state[f"s2_units.{i}.patches_sum_sq"] = (each**2).sum((1, 2, 3))
    readout = {"fc.weight": torch.rand(1000, 3200, generator=rng), "fc.bias": torch.rand(1000, generator=rng)}
    file = tmp_path / "hmax_linear_classification.pt"
    torch.save({"model": wrap_published(state | readout, mean=(0.0,), std=(1.0,))}, file)
    model = load_model("hmax_standard", model_path=file, device="cpu")
    loaded = model.module.state_dict()
    for i, each in enumerate(patches):
        assert torch.equal(loaded[f"s2.{i}.patches"], each)
    assert torch.equal(loaded["fc.weight"], readout["fc.weight"])
    torch.save(loaded, tmp_path / "own.pt")
    again = load_model("hmax_standard", model_path=tmp_path / "own.pt", device="cpu")
    assert torch.equal(again.module.state_dict()["fc.bias"], readout["fc.bias"])


def test_published_patches_from_their_matlab_file(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    patches = [rng.random((5, 4, size, size)) for size in (2, 4)]  # patch, orientation, row, column
    cells = np.empty((1, 2), dtype=object)
    for i, each in enumerate(patches):
        cells[0, i] = np.stack([patch.transpose(1, 2, 0).ravel(order="F") for patch in each], axis=1)
    savemat(folder / "universal_patch_set.mat", {"patches": cells, "patchSizes": [[2, 4], [2, 4], [4, 4], [5, 5]]})
    model = load_model("hmax_standard@universal_patch_set", device="cpu")
    for i, each in enumerate(patches):
        np.testing.assert_allclose(model.module.get_buffer(f"s2.{i}.patches").numpy(), each, atol=1e-7)
    assert model.path_name == "hmax--universal_patch_set" and model.weights.sha256 is not None


def test_grey_preprocessing():
    grey = GreyPreprocessing()
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(300, 400, 3), dtype=np.uint8)
    prepared = grey.prepare(pixels)
    assert prepared.shape == (1, 250, 250) and prepared.dtype == np.float32 and prepared.max() > 150
    image = Image.fromarray(pixels).resize((333, 250), Image.Resampling.BILINEAR)
    left = round((333 - 250) / 2)
    expected = np.asarray(image.crop((left, 0, left + 250, 250)).convert("L"), dtype=np.float32)
    np.testing.assert_array_equal(prepared[0], expected)
    np.testing.assert_array_equal(grey.prepare(prepared), prepared)
    assert read_preprocessing(grey.to_dict()) == grey
    assert read_preprocessing({"kind": "grey", "crop": 100, "resize": 100, "white": 1.0}).input_range == (0.0, 1.0)
    with pytest.raises(StimulusError, match=r"\[0, 255\]"):
        grey.prepare(prepared + 200)
    with pytest.raises(StimulusError, match="shape"):
        grey.prepare(prepared[:, :10])
