"""What a model is shown: one reading of everything that holds stimuli, the right scale, the right shape."""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

import beholder as bh
from beholder._core.errors import InputError, StimulusError
from beholder.models import GreyPreprocessing, ImagePreprocessing, SoundPreprocessing, collect_stimuli, wrap
from beholder.models.network._input_shape import needs_channel
from beholder.models.network._model import make_plain_model
from beholder.stimuli import StimulusSet, open_image, read_picture_size, save_sound


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    made = []
    for i in range(3):
        made.append(tmp_path / "pictures" / f"{i}.png")
        made[-1].parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)).save(made[-1])
    return made


def make_module(channels: int = 3) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))


def list_ways(files: list[Path]) -> dict[str, object]:
    """Everything that holds the three pictures."""
    pictures = [Image.open(file) for file in files]
    pixels = np.stack([np.asarray(picture) for picture in pictures])
    last = torch.from_numpy(pixels)
    data = torch.utils.data
    return {
        "folder": files[0].parent, "paths": files, "pictures": pictures, "generator": (p for p in pictures),
        "table": pd.DataFrame({"file": [str(file) for file in files]}), "uint8 channels last": pixels,
        "uint8 channels first": pixels.transpose(0, 3, 1, 2), "uint8 tensor": last,
        "floats channels last": pixels / 255, "floats": (pixels / np.float32(255)).transpose(0, 3, 1, 2),
        "tensor data set": data.TensorDataset(last.permute(0, 3, 1, 2) / 255, torch.arange(3)),
        "loader": data.DataLoader(data.TensorDataset(last.permute(0, 3, 1, 2) / 255)),
        "set": StimulusSet.from_folder(files[0].parent),
    }  # fmt: skip


def test_everything_that_holds_pictures_gives_one_answer_everywhere(files: list[Path], tmp_path: Path) -> None:
    net = wrap(make_module(), ImagePreprocessing(resize=12, crop=(12, 12)), name="net")
    batch = torch.stack([torch.from_numpy(net.prepare(file)) for file in files])
    wanted = net(batch).numpy()
    for name, way in list_ways(files).items():
        np.testing.assert_allclose(net(way).detach().numpy(), wanted, rtol=1e-5, atol=1e-6, err_msg=name)
    for name, way in list_ways(files).items():
        logits, _ = bh.capture(net, way, ["0"])
        np.testing.assert_allclose(logits.detach().numpy(), wanted, rtol=1e-5, atol=1e-6, err_msg=name)
    for name, way in list_ways(files).items():
        acts = bh.extract(net, way, ["4"], out_path=tmp_path / name)
        np.testing.assert_allclose(acts["4"].to_numpy(), wanted, rtol=1e-5, atol=1e-6, err_msg=name)


def test_one_picture_is_one_stimulus_in_every_command(files: list[Path], tmp_path: Path) -> None:
    net = wrap(make_module(), ImagePreprocessing(resize=12, crop=(12, 12)), name="net")
    picture = Image.open(files[0])
    for one in (picture, files[0], np.asarray(picture), net.prepare(files[0]), torch.from_numpy(net.prepare(files[0]))):
        assert net(one).shape == (1, 2)
        assert bh.capture(net, one, ["0"])[0].shape == (1, 2)
        assert len(bh.extract(net, one, ["4"], out_path=tmp_path / str(id(one))).stimulus_ids) == 1
    assert len(bh.make_metamers(net, picture, ["0"], iterations=2, repeats=1).keys) == 1
    assert bh.capture(make_module(), picture, ["0"])[0].shape == (1, 2)
    with pytest.raises(InputError, match="at least two stimuli; got 1"):
        bh.null_distribution(net, picture, ["0"], n_pairs=2)


@pytest.mark.parametrize("limits", [(0, 255), (-1, 1), (0, 1), None])
def test_pictures_are_scaled_to_the_input_range(files: list[Path], limits: tuple[float, float] | None) -> None:
    net = wrap(make_module(), input_shape=(3, 12, 12), input_range=limits, name="net")
    low, high = limits or (0, 1)
    pixels = np.stack([np.asarray(Image.open(file)) for file in files]).transpose(0, 3, 1, 2)
    batch = torch.from_numpy(low + pixels.astype(np.float32) / 255 * (high - low))
    np.testing.assert_allclose(net.prepare(files[1]), batch[1].numpy(), rtol=1e-5, atol=1e-5)
    wanted = net(batch).detach().numpy()
    for name, way in list_ways(files).items():
        if limits in ((0, 255), (-1, 1)) and name in ("floats", "tensor data set", "loader"):
            continue
        np.testing.assert_allclose(net(way).detach().numpy(), wanted, rtol=1e-4, atol=1e-4, err_msg=name)
    explicit = StimulusSet.from_arrays(pixels / np.float32(255))
    np.testing.assert_allclose(net(explicit).detach().numpy(), wanted, rtol=1e-4, atol=1e-4)


def test_floats_that_may_be_pictures_or_prepared_are_refused(files: list[Path], tmp_path: Path) -> None:
    net = wrap(make_module(), input_shape=(3, 12, 12), input_range=(0, 255), name="net")
    floats = np.random.default_rng(0).random((4, 3, 12, 12), dtype=np.float32)
    with pytest.raises(InputError, match=r"in \[0, 255\]; got values from .* which may be pictures in \[0, 1\]"):
        bh.extract(net, floats, ["0"], out_path=tmp_path)
    for held in (list(floats), torch.utils.data.TensorDataset(torch.from_numpy(floats))):
        with pytest.raises(InputError, match=r"which may be pictures in \[0, 1\]"):
            net(held)
    torch.testing.assert_close(net(list(floats * 255)), net(torch.from_numpy(floats * 255)))
    prepared = bh.extract(net, floats * 255, ["4"], out_path=tmp_path / "a")["4"].to_numpy()
    np.testing.assert_allclose(prepared, net(torch.from_numpy(floats * 255)).numpy(), rtol=1e-5)
    pictures = bh.extract(net, StimulusSet.from_arrays(floats), ["4"], out_path=tmp_path / "b")["4"].to_numpy()
    np.testing.assert_allclose(pictures, prepared, rtol=1e-5)
    as_they_are = StimulusSet.from_arrays(floats, kind="array")
    dark = bh.extract(net, as_they_are, ["4"], out_path=tmp_path / "c")["4"].to_numpy()
    np.testing.assert_allclose(dark, net(torch.from_numpy(floats)).numpy(), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint16"])
def test_integers_that_are_no_pixels_are_refused_by_dtype(dtype: str, tmp_path: Path) -> None:
    net = wrap(make_module(), input_shape=(3, 12, 12), input_range=(0, 1), name="net")
    pictures = np.random.default_rng(0).integers(0, 100, (2, 12, 12, 3)).astype(dtype)
    for given in (pictures, pictures.transpose(0, 3, 1, 2), torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy())):
        for call in (bh.extract, bh.make_metamers):
            with pytest.raises(InputError, match=f"pictures of uint8 or.*; got {dtype}") as error:
                call(net, given, layers=["0"], out_path=tmp_path)
            assert "skip_bad" not in str(error.value)
    held = StimulusSet.from_arrays(pictures.transpose(0, 3, 1, 2), kind="array")
    with pytest.raises(InputError, match=r"got 000000 with values from 0 to") as error:
        bh.extract(net, held, ["0"], out_path=tmp_path)
    assert "skip_bad" not in str(error.value)


def test_values_that_are_not_numbers_are_called_so(tmp_path: Path) -> None:
    net = wrap(make_module(), input_shape=(3, 12, 12), input_range=(0, 1), name="net")
    for shape in ((2, 12, 12, 3), (2, 3, 12, 12)):
        broken = np.full(shape, 0.5, np.float32)
        broken[1, 1, 1, 1] = np.nan
        with pytest.raises(InputError, match=r"got .*NaN among the values"):
            bh.extract(net, broken, ["0"], out_path=tmp_path)


def test_values_out_of_range_do_not_pass(tmp_path: Path) -> None:
    for net in (
        wrap(make_module(), ImagePreprocessing(resize=12, crop=(12, 12)), name="net"),
        wrap(make_module(), input_shape=(3, 12, 12), input_range=(0, 1), name="own"),
    ):
        loud = torch.rand(2, 3, 12, 12) * 255
        extract = functools.partial(bh.extract, layers=["0"], out_path=tmp_path)
        for call in (bh.capture, extract, bh.make_metamers, bh.null_distribution):
            with pytest.raises(InputError, match=r"in \[0, 1\]; got values from"):
                call(net, loud, layers=["0"])
        for batch in (loud, loud - 10, -loud):
            with pytest.raises(InputError, match=r"in \[0, 1\]; got values from"):
                net(batch)
        with pytest.raises(InputError, match=r"in \[0, 1\]; got NaN among the values"):
            net(loud * np.nan)
        assert net(torch.rand(2, 3, 12, 12)).shape == (2, 2)
        x = torch.rand(2, 3, 12, 12, requires_grad=True)
        net(x).sum().backward()
        assert x.grad is not None and float(x.grad.abs().max()) > 0


def test_a_folder_of_other_sizes_names_the_preprocessing(files: list[Path], tmp_path: Path) -> None:
    net = wrap(make_module(), input_shape=(3, 64, 64), input_range=(0, 1))
    message = r"pictures of 64 × 64 pixels.*got .*12 × 12 pixels.*; try wrap\(\.\.\., preprocess=ImagePreprocessing\("
    with pytest.raises(StimulusError, match=message) as raised:
        bh.extract(net, files[0].parent, ["0"], out_path=tmp_path)
    way = str(raised.value).split("preprocess=")[1].split("), which")[0]
    resized = wrap(make_module(), eval(way, {"ImagePreprocessing": ImagePreprocessing}))
    assert resized.prepare(files[0]).shape == (3, 64, 64)
    x = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(resized.normalize(x), x)


def test_one_channel_makes_pictures_grey(files: list[Path], tmp_path: Path) -> None:
    net = wrap(make_module(1), input_shape=(1, 12, 12), input_range=(0, 1), name="grey")
    grey = np.stack([np.asarray(Image.open(file).convert("L")) for file in files])
    np.testing.assert_allclose(net.prepare(files[0])[0], grey[0] / np.float32(255))
    wanted = net(torch.from_numpy(grey[:, None] / np.float32(255)))
    for way in (files, grey, torch.from_numpy(grey), [Image.open(file) for file in files]):
        torch.testing.assert_close(net(way), wanted)
    with pytest.raises(StimulusError, match=r"preprocess=GreyPreprocessing\(resize=28, crop=\(28, 28\), white=1\)"):
        bh.extract(wrap(make_module(1), input_shape=(1, 28, 28)), files, ["0"], out_path=tmp_path)


def test_a_network_of_another_shape_is_told_by_trying(files: list[Path], tmp_path: Path) -> None:
    lenet = nn.Sequential(nn.Conv2d(1, 4, 5), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 24 * 24, 2))
    for call in (
        lambda net: net(files), lambda net: bh.capture(net, files, ["0"]),
        lambda net: bh.extract(net, files, ["0"], out_path=tmp_path), lambda net: bh.make_metamers(net, files, ["0"]),
        lambda net: bh.null_distribution(net, files, ["0"]),
    ):  # fmt: skip
        with pytest.raises(InputError, match=r"runs on, such as \(1, 28, 28\); got \(3, 12, 12\)"):
            call(wrap(lenet, name="lenet"))
    colour = nn.Sequential(nn.Conv2d(3, 4, 5), nn.Flatten(), nn.Linear(4 * 28 * 28, 2))
    for net, constants, meant in (
        (lenet, "white=WHITE", "value that white had"),
        (colour, "mean=MEAN, std=STD", "mean and std"),
    ):
        with pytest.raises(InputError, match=rf"{constants}\)\), with the {meant}.*its training") as raised:
            wrap(net, name="own")(files)
        way = str(raised.value).split("preprocess=")[1].split("), with")[0]
        with pytest.raises(NameError):  # pasted as it is, no number comes out
            eval(way, {"ImagePreprocessing": ImagePreprocessing, "GreyPreprocessing": GreyPreprocessing})
    with pytest.raises(InputError, match=r"such as \(1, 12, 12\).*try wrap\(\.\.\., input_shape=\(1, 12, 12\)\)"):
        wrap(make_module(1))(files)


@pytest.mark.parametrize("text", ["imagenet", " imagenet\n", {"base": "imagenet", "resize": 232}])
def test_a_preprocessing_by_name(text: Any) -> None:
    net: Any = wrap(make_module(), preprocess=text)
    assert net.input_shape == (3, 224, 224) and net.preprocessing.mean == (0.485, 0.456, 0.406)
    with pytest.raises(InputError, match="a named preprocessing"):
        wrap(make_module(), preprocess="imagenett")


# --- sounds ---------------------------------------------------------------------------------------------------------

SECOND = SoundPreprocessing(rate=8000, duration=1.0)


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    (tmp_path / "sounds").mkdir()
    for i, n in enumerate((2384, 8000, 9000)):
        wave = 0.3 * np.sin(np.arange(n) / (5 + i)).astype(np.float32)
        save_sound(tmp_path / "sounds" / f"{i}.wav", wave, 8000)
    return tmp_path / "sounds"


class OneD(nn.Module):
    """As the usual tutorial writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv1d(1, 16, 80, stride=16), nn.Linear(16, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv(x).relu().mean(-1))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.fc = nn.GRU(40, 6, batch_first=True), nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.rnn(x.unflatten(-1, (-1, 40)))[0][:, -1])


class Spectral(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 5)
        self.register_buffer("window", torch.hann_window(256))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        power = torch.stft(x, 256, 128, window=self.window, return_complex=True).abs()  # pyright: ignore[reportArgumentType]
        return self.conv(power[:, None]).mean((2, 3))


@pytest.mark.parametrize("module", [OneD, Recurrent, Spectral])
def test_sound_networks_of_each_kind(module: type[nn.Module], sounds: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = wrap(module(), SECOND, name="sound")
    layer = {"OneD": "conv", "Recurrent": "rnn", "Spectral": "conv"}[module.__name__]
    acts = bh.extract(net, sounds, [layer, "output"], out_path=tmp_path)
    x = torch.stack([torch.from_numpy(SECOND.prepare(path)) for path in sorted(sounds.iterdir())])
    wanted = net.module(x[:, None] if module is OneD else x).detach().numpy()
    np.testing.assert_allclose(acts["output"].to_numpy(), wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(net(sounds).numpy(), wanted, rtol=1e-4, atol=1e-5)
    exact = wrap(module(), sample_rate=8000, input_shape=(8000,), name="exact")
    with pytest.raises(
        StimulusError,
        match=r"sounds of 8,000 samples \(1 s at 8000 Hz\); got .*2,384 samples; "
        r"try wrap\(\.\.\., preprocess=SoundPreprocessing\(rate=8000, duration=1\)\), which cuts and pads",
    ):
        bh.extract(exact, sounds, ["output"], out_path=tmp_path / "exact")
    assert exact(x).shape == wanted.shape and exact(sounds / "1.wav").shape == wanted[:1].shape


def test_a_channel_axis_may_be_asked_for(sounds: Path) -> None:
    net = wrap(OneD(), sample_rate=8000, input_shape=(1, 8000))
    assert net.prepare(sounds / "1.wav").shape == (1, 8000) and net(sounds / "1.wav").shape == (1, 2)


def test_normalize_follows_a_ready_preprocessing(sounds: Path, files: list[Path]) -> None:
    net = wrap(OneD(), SECOND, normalize=lambda x: 2 * x[:, None])
    x = torch.from_numpy(SECOND.prepare(sounds / "0.wav"))[None]
    torch.testing.assert_close(net(x), net.module(2 * x[:, None]))
    own = ImagePreprocessing(resize=12, crop=(12, 12))
    net = wrap(make_module(), own, normalize=lambda x: -x)
    assert net.input_range == (0, 1) and net.input_shape == (3, 12, 12)
    x = torch.from_numpy(own.prepare(files[0]))[None]
    torch.testing.assert_close(net(files[0]), net.module(-own.normalize(x)))
    with pytest.raises(InputError, match="a ready preprocessing alone; got input_range"):
        wrap(make_module(), own, input_range=(0, 1))


def test_trying_leaves_a_network_and_random_numbers_as_they_were() -> None:
    module: Any = nn.Sequential(nn.Conv1d(1, 4, 80, 16), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Flatten())
    torch.manual_seed(3)
    before = (module[1].running_mean.clone(), torch.rand(1))
    torch.manual_seed(3)
    wrap(module, SECOND)
    assert torch.equal(module[1].running_mean, before[0]) and torch.equal(torch.rand(1), before[1])
    lazy: Any = nn.Sequential(nn.LazyConv1d(4, 80))
    assert not needs_channel(make_plain_model(lazy), 8000)
    assert torch.nn.parameter.is_lazy(lazy[0].weight)


def test_whole_numbers_of_sound_files_are_full_scale(sounds: Path) -> None:
    from scipy.io import wavfile

    net = wrap(OneD(), SECOND)
    wave = (0.5 * np.sin(np.arange(8000) / 9) * 32767).astype(np.int16)
    wavfile.write(sounds / "w.wav", 8000, wave)
    np.testing.assert_allclose(net.prepare(sounds / "w.wav"), net.prepare(wave), atol=1e-7)
    np.testing.assert_allclose(net(wave[None]).numpy(), net(sounds / "w.wav").numpy(), rtol=1e-5, atol=1e-6)
    with pytest.raises(StimulusError, match="samples as floats"):
        net.prepare(wave.astype(np.uint8))
    with pytest.raises(InputError, match=r"in \[-1, 1\]; got values from"):
        net(torch.from_numpy(wave.astype(np.float32))[None])


def test_prepared_tensors_of_another_size_still_pass() -> None:
    net = wrap(make_module(), ImagePreprocessing(resize=12, crop=(12, 12)))
    assert net(torch.rand(2, 3, 20, 30)).shape == (2, 2)
    assert len(collect_stimuli(net, np.zeros((5, 20, 30, 3), np.uint8))) == 5


def test_grey_preprocessing_of_float_pictures_is_scaled() -> None:
    grey = wrap(make_module(1), GreyPreprocessing(resize=12, crop=(12, 12), white=255.0))
    pixels = np.random.default_rng(0).integers(0, 255, (2, 1, 12, 12), dtype=np.uint8)
    torch.testing.assert_close(
        grey(StimulusSet.from_arrays(pixels / np.float32(255))), grey(torch.from_numpy(pixels).float())
    )


def test_another_order_of_classes_is_told(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    from beholder.models import log_class_order

    pixels = np.zeros((3, 12, 12, 3), np.uint8)
    net = wrap(make_module(), ImagePreprocessing(resize=12, crop=(12, 12)), classes=("wolf", "sea lion"), name="net")

    def make(*labels: str) -> StimulusSet:
        return StimulusSet.from_arrays(pixels[: len(labels)], labels=labels)

    assert not log_class_order(net, make("tree", "sea_lion")) and not log_class_order(net, make("0", "1"))
    assert not log_class_order(wrap(make_module()), make("wolf", "sea_lion"))
    assert log_class_order(net, make("3", "5"))
    caplog.clear()
    bh.extract(net, make("wolf", "sea_lion"), ["0"], out_path=tmp_path)
    (message,) = [record.getMessage() for record in caplog.records if "class indices" in record.getMessage()]
    assert "wolf is 1 here, and 0 among the outputs of net" in message


def write_greys(folder: Path, n: int, odd: int) -> Path:
    """Pictures of 12 × 12 pixels, but for one of 12 × 13."""
    folder.mkdir()
    for i in range(n):
        Image.new("RGB", (13 if i == odd else 12, 12), (9 * i,) * 3).save(folder / f"p{i:02d}.png")
    return folder


def test_odd_sizes_of_own_pictures_are_met_before_any_work(tmp_path: Path) -> None:
    """Where nothing resizes them: those that a network does not take, and those of which a layer has another shape."""
    folder = write_greys(tmp_path / "own", 24, odd=22)
    module = make_module()
    fixed, free = wrap(module, input_shape=(3, 12, 12), name="fixed"), wrap(module, name="free")
    refused = r"12 × 12 pixels.*got p22.png with 12 × 13 pixels; try wrap\(..., preprocess=ImagePreprocessing"
    for work in (
        lambda: fixed(folder),
        lambda: bh.extract(fixed, folder, ["4"], out_path=tmp_path / "out"),
        lambda: bh.record_units(fixed, StimulusSet.from_folder(folder), layers=["0"], out_path=tmp_path / "out"),
        lambda: bh.null_distribution(fixed, folder, ["0"], n_pairs=2),
        lambda: bh.make_metamers(fixed, folder, ["0"], iterations=2),
    ):
        with pytest.raises(InputError, match=refused):
            work()
    with pytest.raises(InputError, match=r"got \(4, 10, 11\) instead of \(4, 10, 10\) for p22.png"):
        bh.extract(free, folder, ["0"], out_path=tmp_path / "out")
    assert not list(tmp_path.glob("out/*.zarr")), "nothing was begun"
    assert bh.extract(free, folder, ["4"], out_path=tmp_path / "out")["4"].shape == (24, 2)
    turned = Image.new("RGB", (12, 13))
    turned.getexif()[274] = 6  # lies on its side
    turned.save(tmp_path / "turned.jpg", exif=turned.getexif())
    assert read_picture_size(tmp_path / "turned.jpg") == (13, 12) == open_image(tmp_path / "turned.jpg").size


def test_arrays_of_wrong_shapes_get_one_line_from_networks_of_any_kind() -> None:
    """Not an error of torch's, whatever the network says of its input."""
    lenet = nn.Sequential(nn.Conv2d(1, 2, 5), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 24 * 24, 3))
    shapes = bh.load_model("beholder:shapes", device="cpu")
    calls = [
        shapes, wrap(lenet, name="free"), wrap(lenet, input_shape=(1, 28, 28), name="fixed"),
        wrap(nn.Linear(4, 3), name="row"), lambda x: bh.capture(lenet, x, ["0"]),
    ]  # fmt: skip
    for shape in ((3, 50, 70), (50, 70), (2, 3, 4, 5, 6), (7,), (4, 7), (2, 5, 9, 9)):
        for x in (np.zeros(shape, np.float32), torch.zeros(shape), np.zeros(shape, np.uint8)):
            for call in calls:
                with pytest.raises(InputError, match=r"^expected .*; got .*(shape|pixels|array|\(|torch)"):
                    call(x)
    with pytest.raises(InputError, match=r"such as \(4,\), along the first axis; got .*try an array \(n_stimuli, 4\)"):
        wrap(nn.Linear(4, 3))(np.zeros((2, 7), np.float32))
    assert bh.describe_layers(wrap(lenet)).paths == ["0", "1", "2", "3"]
