"""Stimuli of files: how they are decoded and varied, kept in memory, and told apart."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.transforms import v2

from beholder._core.errors import InputError, StimulusError
from beholder._core.seeds import derive_seed
from beholder.models import GreyPreprocessing, ImagePreprocessing, Model, wrap
from beholder.stimuli import SHAPE_CATEGORIES, make_shape_picture
from beholder.training import DataSettings, open_training_data

SIZE = 16


def make_model() -> Model:
    return wrap(nn.Flatten(), preprocess=ImagePreprocessing(resize=SIZE, crop=(SIZE, SIZE), interpolation="bicubic"))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("n01440764_tench", "n01443537_goldfish"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(3):
            pixels = rng.integers(0, 255, (30, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{name[:9]}_{i}.jpg")
    return tmp_path / "pictures"


def test_crops_are_those_of_torchvision_on_the_whole_picture(pictures: Path) -> None:
    data, _ = open_training_data(pictures, make_model(), held_out=0)
    shown = data.read_batch(np.arange(6), epoch=2, seed=5)[0]
    crop = v2.RandomResizedCrop(SIZE, interpolation=v2.InterpolationMode.BICUBIC)
    transform = v2.Compose([crop, v2.RandomHorizontalFlip(), v2.PILToTensor()])
    for k in range(6):
        file = pictures / data.name_stimulus(k)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(5, "augment", 2, file.stem))
            expected = transform(Image.open(file).convert("RGB")).float() / 255
        assert torch.equal(shown[k], expected)


def test_shards_give_the_batches_of_the_folder(pictures: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for file in sorted(pictures.rglob("*.jpg")):
            for name, content in ((file.name, file.read_bytes()), (f"{file.stem}.cls", file.parent.name.encode())):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    model = make_model()
    parts = [open_training_data(source, model, held_out=0.3) for source in (pictures, tmp_path / "x.tar")]
    for folder, shards in zip(*parts, strict=True):
        assert folder is not None and shards is not None and folder.n_stimuli == shards.n_stimuli
        assert folder.classes == shards.classes and folder.fingerprint == shards.fingerprint
        for a, b in zip(*(each.read_batch(np.arange(each.n_stimuli), 1, 2) for each in (folder, shards)), strict=True):
            assert torch.equal(a, b)


def test_labels_are_outputs_by_wordnet_ids_and_names(pictures: Path) -> None:
    names = [f"class {i}" for i in range(8)] + ["goldfish", "tench"]
    with pytest.raises(InputError, match=r"n01440764_tench"):
        open_training_data(pictures, make_model(), classes=names)
    for name, folder in (("tench", "n01440764_tench"), ("goldfish", "n01443537_goldfish")):
        (pictures / folder).rename(pictures / name)
    data, _ = open_training_data(pictures, make_model(), classes=names, held_out=0)
    assert data.classes == tuple(names)
    assert data.read_batch(np.array([0, 3]), 0, 0)[1].tolist() == [8, 9]


def test_decoded_pictures_stay_in_memory_while_there_is_room(pictures: Path) -> None:
    data, _ = open_training_data(
        pictures, make_model(), DataSettings(cache_gb=3.5 * 30 * 40 * 4 / 2**30 * 4 / 3), held_out=0
    )
    first = data.read_batch(np.arange(6), 0, 0)[0]
    for file in pictures.rglob("*.jpg"):
        file.unlink()
    assert torch.equal(data.read_batch(np.arange(3), 0, 0)[0], first[:3])
    with pytest.raises(StimulusError):
        data.read_batch(np.array([3]), 0, 0)


def test_the_fingerprint_is_of_content_and_classes(pictures: Path, tmp_path: Path) -> None:
    model = make_model()

    def find(folder: Path) -> str:
        return open_training_data(folder, model, held_out=0)[0].fingerprint

    first = find(pictures)
    moved = pictures.rename(tmp_path / "elsewhere")
    assert find(moved) == first
    (moved / "n01440764_tench").rename(moved / "n01440764_carp")
    assert find(moved) != first
    (moved / "n01440764_carp").rename(moved / "n01440764_tench")
    file = next(moved.rglob("*_2.jpg"))
    file.write_bytes(file.read_bytes() + b"\n")
    assert find(moved) != first


def test_large_sets_are_told_by_names_and_sizes(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beholder.training.data._stored.MOST_HASHED", 10)
    first = open_training_data(pictures, make_model(), held_out=0)[0].fingerprint
    file = next(pictures.rglob("*_2.jpg"))
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"x")
    assert open_training_data(pictures, make_model(), held_out=0)[0].fingerprint == first
    file.write_bytes(content + b"x")
    assert open_training_data(pictures, make_model(), held_out=0)[0].fingerprint != first


@pytest.mark.parametrize("low", [0.0, -1.0])
def test_values_lie_in_the_models_range(pictures: Path, low: float) -> None:
    settings = DataSettings(augment=("crop", "jitter=1", "lighting=1"))
    model = wrap(nn.Flatten(), input_shape=(3, SIZE, SIZE), input_range=(low, 2.0))
    shown = open_training_data(pictures, model, settings, held_out=0)[0].read_batch(np.arange(6), 0, 0)[0]
    assert low <= float(shown.min()) < low + 0.1 and 1.9 < float(shown.max()) <= 2.0
    grey = wrap(nn.Flatten(), preprocess=GreyPreprocessing(resize=20, crop=(SIZE, SIZE)))
    shown = open_training_data(pictures, grey, settings, held_out=0)[0].read_batch(np.arange(6), 0, 0)[0]
    assert shown.shape == (6, 1, SIZE, SIZE) and 100 < float(shown.max()) <= 255


def test_drawn_pictures_are_those_of_the_stream() -> None:
    model = wrap(nn.Flatten(), preprocess=ImagePreprocessing(resize=224, crop=(224, 224)))
    data, held = open_training_data("shapes", model, DataSettings(augment=(), n_drawn=60))
    shown, labels = data.read_batch(np.array([3]), epoch=1, seed=7)
    picture = make_shape_picture(SHAPE_CATEGORIES[int(labels[0])], derive_seed(7, "picture", 1, 63 - 48))
    assert np.array_equal(shown[0].numpy(), picture.transpose(2, 0, 1) / np.float32(255))
    assert held is not None and held.fingerprint != data.fingerprint
