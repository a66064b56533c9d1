"""Pixel by pixel against the sources' own pipelines."""

from __future__ import annotations

import io
import pickle
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from beholder._core.errors import InputError, StimulusError
from beholder.models import ImagePreprocessing, read_preprocessing
from beholder.models.preprocessing._read import from_open_clip, from_timm, from_torchvision

SIZES = [(640, 480), (301, 517), (256, 256), (257, 400), (225, 224), (100, 333), (31, 17), (1000, 120)]


def make_picture(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(width * 10_000 + height)
    coarse = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8)).resize((width, height), 3)
    noise = rng.integers(-40, 40, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(coarse, dtype=int) + noise, 0, 255).astype(np.uint8))


def check_against(oracle, preprocessing: ImagePreprocessing, picture: Image.Image) -> None:
    expected = oracle(picture)
    pixels = preprocessing.prepare_uint8(picture)
    assert pixels.dtype == np.uint8 and pixels.shape == (*expected.shape[1:], 3)
    fused = preprocessing.normalize_uint8(pixels[None])
    assert fused.is_contiguous(memory_format=torch.channels_last) and fused.dtype == torch.float32
    assert torch.equal(fused[0], expected)
    prepared = preprocessing.prepare(picture)
    assert prepared.dtype == np.float32 and prepared.shape == expected.shape and prepared.flags.c_contiguous
    assert torch.equal(preprocessing.normalize(torch.from_numpy(prepared)[None])[0], expected)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "options", [{"crop_size": 224}, {"crop_size": 224, "resize_size": 232}, {"crop_size": 299, "resize_size": 342}]
)
def test_torchvision_pixels(size, options):
    from torchvision.transforms._presets import ImageClassification

    oracle = ImageClassification(**options)
    check_against(oracle, from_torchvision(oracle), make_picture(*size))


def test_torchvision_bicubic_weights():
    from torchvision.models import ViT_B_16_Weights

    oracle = ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1.transforms()
    preprocessing = from_torchvision(oracle)
    assert preprocessing.interpolation == "bicubic" and preprocessing.input_shape == (3, 384, 384)
    check_against(oracle, preprocessing, make_picture(500, 431))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["center", "squash", "border"])
@pytest.mark.parametrize(
    ("side", "crop_pct", "interpolation"),
    [(224, 0.9, "bicubic"), (240, 1.0, "bilinear"), ((192, 256), 0.95, "bicubic")],
)
def test_timm_pixels(size, mode, side, crop_pct, interpolation):
    from timm.data import create_transform  # pyright: ignore[reportPrivateImportUsage]

    height, width = (side, side) if isinstance(side, int) else side
    config = {
        "input_size": (3, height, width), "interpolation": interpolation, "crop_pct": crop_pct, "crop_mode": mode,
        "mean": (0.5, 0.45, 0.4), "std": (0.25, 0.2, 0.3),
    }  # fmt: skip
    check_against(create_transform(**config), from_timm(config), make_picture(*size))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_open_clip_pixels(size, mode, interpolation):
    from open_clip.transform import PreprocessCfg, image_transform_v2

    config = {"size": 224, "resize_mode": mode, "interpolation": interpolation}
    check_against(
        image_transform_v2(PreprocessCfg(**config), is_train=False), from_open_clip(config), make_picture(*size)
    )


def test_jpeg_file_as_the_oracle_reads_it(shared_data):
    from torchvision.models import SqueezeNet1_1_Weights

    oracle = SqueezeNet1_1_Weights.IMAGENET1K_V1.transforms()
    preprocessing = from_torchvision(oracle)
    for file in sorted((shared_data / "imagenet_sample").glob("*/*"))[::250]:
        with Image.open(file) as image:
            expected = oracle(image.convert("RGB"))
        for source in (file, str(file), file.read_bytes()):
            assert torch.equal(preprocessing.normalize_uint8(preprocessing.prepare_uint8(source)[None])[0], expected)


def test_draft_is_off_unless_asked_for():
    buffer = io.BytesIO()
    make_picture(1400, 1100).save(buffer, "JPEG")
    plain = ImagePreprocessing().prepare_uint8(buffer.getvalue())
    drafted = ImagePreprocessing(draft=True).prepare_uint8(buffer.getvalue())
    assert plain.shape == drafted.shape and not np.array_equal(plain, drafted)
    assert ImagePreprocessing(draft=True).to_dict()["draft"] is True


def test_arrays():
    preprocessing = ImagePreprocessing()
    pixels = np.asarray(make_picture(300, 280))
    expected = preprocessing.prepare(make_picture(300, 280))
    for array in (pixels, pixels.transpose(2, 0, 1), torch.from_numpy(pixels.copy())):
        assert np.array_equal(preprocessing.prepare(array), expected)
    floats = np.random.default_rng(0).random((3, 224, 224))
    assert np.array_equal(preprocessing.prepare(floats), floats.astype(np.float32))
    for array in (pixels / 255, (pixels / 255).transpose(2, 0, 1).astype(np.float32)):
        assert np.array_equal(preprocessing.prepare(array), expected), "float pictures of any size are pictures"
    with pytest.raises(StimulusError, match=r"shape"):
        preprocessing.prepare(np.zeros((5, 32, 32), np.float32))
    with pytest.raises(StimulusError, match=r"\[0, 1\]"):
        preprocessing.prepare(floats * 255)
    with pytest.raises(StimulusError, match=r"\[0, 1\]"):
        preprocessing.prepare(np.full((3, 224, 224), np.nan))
    with pytest.raises(StimulusError, match="8-bit"):
        preprocessing.prepare_uint8(floats)


def test_gradient_through_normalize():
    preprocessing = ImagePreprocessing()
    x = torch.rand(2, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(preprocessing.normalize, (x,))
    with torch.inference_mode():
        preprocessing.normalize(torch.rand(1, 3, 4, 4))
    y: Any = torch.rand(1, 3, 4, 4, requires_grad=True)
    preprocessing.normalize(y).sum().backward()
    assert torch.allclose(y.grad[0, :, 0, 0], 1 / torch.tensor(preprocessing.std))


def test_batch_of_other_dtype_is_refused():
    with pytest.raises(InputError, match="uint8 batch"):
        ImagePreprocessing().normalize_uint8(np.zeros((1, 3, 8, 8), np.uint8))
    with pytest.raises(InputError, match="uint8 batch"):
        ImagePreprocessing().normalize_uint8(np.zeros((1, 8, 8, 3), np.float32))


@pytest.mark.parametrize(
    "preprocessing",
    [
        ImagePreprocessing(),
        ImagePreprocessing(resize=(200, 210), crop=None, crop_mode="squash"),
        ImagePreprocessing(resize=None, crop=None),
    ],
)
def test_round_trip(preprocessing):
    assert read_preprocessing(preprocessing.to_dict()) == preprocessing
    assert pickle.loads(pickle.dumps(preprocessing)) == preprocessing


def test_reading_tables():
    assert read_preprocessing("clip").mean[0] == pytest.approx(0.48145466)  # pyright: ignore[reportAttributeAccessIssue]
    assert read_preprocessing({"base": "imagenet", "crop": 192}).input_shape == (3, 192, 192)
    for table, text in (
        ({"base": "nonsense"}, "named preprocessing"), ({"kind": "smell"}, "kind"), ({"size": 3}, "fields"),
        ({"crop_mode": "top"}, "crop mode"), ({"interpolation": "best"}, "interpolation"),
        ({"antialias": False}, "antialias"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=text):
            read_preprocessing(table)


def test_no_resize_keeps_the_picture():
    picture = make_picture(41, 23)
    preprocessing = ImagePreprocessing(resize=None, crop=None)
    assert preprocessing.input_shape is None
    assert np.array_equal(preprocessing.prepare_uint8(picture), np.asarray(picture))


def test_transparency_and_grey():
    preprocessing = ImagePreprocessing(resize=None, crop=None, background=(10, 20, 30))
    clear = Image.new("RGBA", (4, 4), (200, 0, 0, 0))
    assert np.array_equal(preprocessing.prepare_uint8(clear)[0, 0], (10, 20, 30))
    assert np.array_equal(preprocessing.prepare_uint8(Image.new("L", (4, 4), 77))[0, 0], (77, 77, 77))


@pytest.mark.parametrize("name", ["vit", "convnext", "dinov2"])
@pytest.mark.parametrize("size", [(640, 480), (301, 517)])
def test_transformers_pixels(name, size):
    transformers = pytest.importorskip("transformers")
    from beholder.models.sources._transformers import TransformersSource

    oracle = {"vit": "ViTImageProcessorPil", "convnext": "ConvNextImageProcessorPil", "dinov2": "BitImageProcessorPil"}[
        name
    ]
    oracle = partial(getattr(transformers, oracle)(), return_tensors="pt")
    preprocessing = TransformersSource().find(name, None).preprocessing
    picture = make_picture(*size)
    expected = oracle(picture)["pixel_values"][0]
    found = preprocessing.normalize_uint8(preprocessing.prepare_uint8(picture)[None])[0]
    assert found.shape == expected.shape
    # their rescaling multiplies by a rounded 1/255
    assert torch.allclose(found, expected, atol=2e-6)
