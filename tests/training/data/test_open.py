"""Opening training data: parts, labels, and batches that seed and epoch alone decide."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from beholder._core.errors import InputError, StimulusError, UnknownNameError
from beholder.models import ImagePreprocessing, Model, SoundPreprocessing, wrap
from beholder.stimuli import load_sound, resample_sound, save_sound
from beholder.training import DataSettings, open_training_data, read_ahead
from beholder.training._skipping import SkippingData

SIZE = 16


def make_picture_model() -> Model:
    return wrap(nn.Flatten(), preprocess=ImagePreprocessing(resize=SIZE, crop=(SIZE, SIZE)))


def make_sound_model(rms: float | None = 0.1) -> Model:
    return wrap(nn.Identity(), preprocess=SoundPreprocessing(rate=1000, duration=0.5, pad="center", rms=rms))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("cat", "dog", "owl"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(8):
            pixels = rng.integers(0, 255, (30, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{name}_{i}.png")
    return tmp_path / "pictures"


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    (tmp_path / "sounds").mkdir()
    for digit in range(3):
        for speaker in ("ann", "bob"):
            for take in range(4):
                sound = rng.standard_normal(int(rng.integers(150, 800))).astype(np.float32) * 0.1
                save_sound(tmp_path / "sounds" / f"{digit}_{speaker}_{take}.wav", sound, 1000)
    return tmp_path / "sounds"


def test_a_batch_is_the_same_on_any_number_of_threads_and_in_any_batch(pictures: Path) -> None:
    names = ("crop", "flip", "jitter=0.3", "lighting", "randaugment", "erase")
    data, _ = open_training_data(pictures, make_picture_model(), DataSettings(augment=names))
    batches = [np.arange(4), np.arange(4, 12), np.array([2, 0])]
    runs = [list(read_ahead(data, batches, epoch=3, seed=7, n_threads=n)) for n in (0, 1, 3)]
    for run in runs[1:]:
        for (x, y), (expected, labels) in zip(run, runs[0], strict=True):
            assert torch.equal(x, expected) and torch.equal(y, labels)
    first, again = runs[0][0][0], runs[0][2][0]
    assert torch.equal(again, first[[2, 0]])
    assert first.shape == (4, 3, SIZE, SIZE) and first.dtype == torch.float32
    assert float(first.min()) >= 0 and float(first.max()) <= 1


def test_epoch_and_seed_change_what_is_shown(pictures: Path) -> None:
    data, _ = open_training_data(pictures, make_picture_model())
    first = data.read_batch(np.arange(3), epoch=0, seed=0)[0]
    assert not torch.equal(first, data.read_batch(np.arange(3), epoch=1, seed=0)[0])
    assert not torch.equal(first, data.read_batch(np.arange(3), epoch=0, seed=1)[0])


def test_the_common_generator_is_left_alone(pictures: Path) -> None:
    data, _ = open_training_data(pictures, make_picture_model(), DataSettings(augment=("crop", "mixup", "jitter")))
    before = torch.get_rng_state()
    x, soft = data.read_batch(np.arange(6), epoch=0, seed=0)
    assert torch.equal(torch.get_rng_state(), before)
    assert soft.shape == (6, 3) and torch.allclose(soft.sum(1), torch.ones(6))
    assert torch.equal(x, data.read_batch(np.arange(6), epoch=0, seed=0)[0])


def test_without_augmentation_pictures_are_as_prepare_gives_them(pictures: Path) -> None:
    model = make_picture_model()
    data, held = open_training_data(pictures, model, DataSettings(augment=()))
    assert held is not None
    for part in (data, held):
        shown, labels = part.read_batch(np.arange(part.n_stimuli), epoch=0, seed=0)
        for k in range(part.n_stimuli):
            file = pictures / part.name_stimulus(k)
            assert np.array_equal(shown[k].numpy(), model.prepare(file))
            assert part.classes[int(labels[k])] == file.parent.name


def test_fields_of_file_names_are_classes_and_parts(sounds: Path) -> None:
    pattern = "{digit}_{speaker}_{take}.wav"
    settings = DataSettings(label_pattern=pattern, validation_where="take=0-1")
    data, held = open_training_data(sounds, make_sound_model(), settings)
    assert data.classes == ("0", "1", "2") and data.n_stimuli == 12 and held is not None and held.n_stimuli == 12
    assert {held.name_stimulus(i)[-5] for i in range(12)} == {"0", "1"}
    by_speaker, _ = open_training_data(sounds, make_sound_model(), DataSettings(label_pattern=pattern,
                                                                              label_column="speaker"))  # fmt: skip
    assert by_speaker.classes == ("ann", "bob")


@pytest.mark.parametrize("rms", [None, 0.1])
def test_sounds_lie_at_random_places_at_their_level(sounds: Path, rms: float | None) -> None:
    settings = DataSettings(label_pattern="{digit}_{speaker}_{take}")
    data, _ = open_training_data(sounds, make_sound_model(rms), settings)
    shown = data.read_batch(np.arange(data.n_stimuli), epoch=0, seed=0)[0].numpy()
    assert shown.shape == (data.n_stimuli, 500)
    if rms is not None:
        assert np.allclose(np.sqrt(np.mean(shown**2, axis=1)), rms, rtol=1e-3)
    again = data.read_batch(np.arange(data.n_stimuli), epoch=1, seed=0)[0].numpy()
    moved = [not np.array_equal(a, b) for a, b in zip(shown, again, strict=True)]
    assert np.mean(moved) > 0.9


def test_drawn_sets_are_others_each_epoch_and_the_same_again() -> None:
    settings = DataSettings(n_drawn=96, n_drawn_validation=32)
    model = wrap(nn.Identity(), preprocess=SoundPreprocessing(rate=16_000, duration=1.0, rms=0.1))
    data, held = open_training_data("syllables", model, settings)
    assert data.n_stimuli == 96 and held is not None and held.n_stimuli == 32 and len(data.classes) == 16
    x, y = data.read_batch(np.array([0, 1]), epoch=0, seed=1)
    assert torch.equal(x, data.read_batch(np.array([0, 1]), epoch=0, seed=1)[0])
    assert not torch.equal(x, data.read_batch(np.array([0, 1]), epoch=1, seed=1)[0])
    labels = data.read_batch(np.arange(48), epoch=0, seed=1)[1]
    assert torch.bincount(labels, minlength=16).tolist() == [3] * 16 and torch.equal(labels[:2], y)
    fixed = held.read_batch(np.array([3]), epoch=0, seed=1)[0]
    assert torch.equal(fixed, held.read_batch(np.array([3]), epoch=5, seed=9)[0])


def test_a_bad_picture_is_named(pictures: Path) -> None:
    bad = pictures / "cat" / "cat_0.png"
    bad.write_bytes(bad.read_bytes()[:60])
    model = make_picture_model()
    data, _ = open_training_data(pictures, model, held_out=0)
    with pytest.raises(StimulusError, match="cat_0"):
        data.read_batch(np.arange(4), epoch=0, seed=0)
    skipping = SkippingData(data)
    x, labels = skipping.read_batch(np.arange(4), epoch=0, seed=0)
    assert len(x) == len(labels) == 3
    (name,) = skipping.skipped
    assert name.endswith("cat_0.png")


def test_a_folder_of_parts_is_no_folder_of_classes(pictures: Path, tmp_path: Path) -> None:
    for part in ("train", "val"):
        (tmp_path / "both" / part).mkdir(parents=True)
        for name in ("cat", "dog"):
            shutil.copytree(pictures / name, tmp_path / "both" / part / name)
    model = make_picture_model()
    with pytest.raises(InputError, match=r"parts, train, val.*both/train with validation .*both/val"):
        open_training_data(tmp_path / "both", model)
    settings = DataSettings(validation=tmp_path / "both" / "val")
    learnt, held = open_training_data(tmp_path / "both" / "train", model, settings)
    assert held is not None and (learnt.n_stimuli, held.n_stimuli) == (16, 16)
    with pytest.raises(InputError, match="16 that are"):
        open_training_data(
            tmp_path / "both" / "train", model, replace(settings, validation=tmp_path / "both" / "train")
        )


def test_validation_has_the_classes_that_are_learnt(pictures: Path, tmp_path: Path) -> None:
    shutil.copytree(pictures / "owl", tmp_path / "other" / "emu")
    with pytest.raises(InputError, match="1 others, such as emu"):
        open_training_data(pictures, make_picture_model(), DataSettings(validation=tmp_path / "other"))


def test_sounds_of_any_rate_fill_the_window(sounds: Path) -> None:
    for file in sorted(sounds.iterdir())[::2]:
        sound, _ = load_sound(file)
        save_sound(file, resample_sound(sound, 1000, 4000), 4000)
    settings = DataSettings(label_pattern="{digit}_{speaker}_{take}", augment=())
    model = make_sound_model()
    data, _ = open_training_data(sounds, model, settings, held_out=0)
    shown = data.read_batch(np.arange(24), 0, 0)[0]
    assert shown.shape == (24, 500)
    assert np.array_equal(shown[0].numpy(), model.prepare(sounds / data.name_stimulus(0)))


def test_what_cannot_be_trained_on_is_refused(pictures: Path, sounds: Path, tmp_path: Path) -> None:
    model = make_picture_model()
    with pytest.raises(InputError, match="at least two classes"):
        open_training_data(pictures / "cat", model, DataSettings(label_pattern="{label}_{i}.png"))
    with pytest.raises(InputError, match="one, cat"):
        open_training_data(pictures, model, DataSettings(train_where="label=cat"))
    (tmp_path / "alone").mkdir()
    shutil.copytree(pictures / "cat", tmp_path / "alone" / "cat")
    with pytest.raises(InputError, match="one, cat"):
        open_training_data(tmp_path / "alone", model, classes=("cat", "dog"))
    with pytest.raises(InputError, match="validation_where"):
        open_training_data("shapes", model, DataSettings(validation_where="take=0-4"))
    with pytest.raises(InputError, match="one folder a class"):
        open_training_data(pictures / "cat", model)
    with pytest.raises(InputError, match="sounds"):
        open_training_data(sounds, model)
    with pytest.raises(UnknownNameError, match="crop"):
        open_training_data(pictures, model, DataSettings(augment=("corp",)))
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="none"):
        settings = DataSettings(label_pattern="{digit}_{speaker}_{take}", background=tmp_path / "none")
        open_training_data(sounds, make_sound_model(), settings)
