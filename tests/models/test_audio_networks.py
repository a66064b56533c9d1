"""CochCNN9, CochResNet50 and SpecTemp: sizes, equations, published names, heads for other tasks."""

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from beholder._core.errors import InputError, UnknownNameError, WeightsUnavailable
from beholder.models import describe_layers, find_alias, load_model, make_cochlear_filters, resolve_model
from beholder.models.front_ends._cochlear_filters import make_downsampling_window
from beholder.models.nets._cochcnn9 import CochCNN9
from beholder.models.nets._same_padding import find_same_padding, find_same_size
from beholder.models.nets._spectemp import RippleFilterbank
from beholder.models.sources._audio import AudioSource, pick_word_network
from beholder.stimuli import load_words

NAMES = ("cochcnn9", "cochresnet50", "spectemp")
CNN_SIZES = {
    "cochleagram": (211, 390), "batchnorm0": (1, 211, 390), "conv0": (96, 71, 130), "relu0": (96, 71, 130),
    "maxpool0": (96, 36, 65), "batchnorm1": (96, 36, 65), "conv1": (256, 18, 33), "maxpool1": (256, 9, 17),
    "conv2": (512, 9, 17), "conv3": (1024, 9, 17), "conv4": (512, 9, 17), "relu4": (512, 9, 17),
    "avgpool": (512, 5, 9), "fullyconnected": (4096,), "relufc": (4096,), "classification": (794,),
}  # fmt: skip
RESNET_SIZES = {
    "cochleagram": (211, 390), "conv1": (64, 106, 195), "relu": (64, 106, 195), "maxpool": (64, 53, 98),
    "layer1": (256, 53, 98), "layer2": (512, 27, 49), "layer3": (1024, 14, 25), "layer4": (2048, 7, 13),
    "avgpool": (2048, 1, 1), "fc": (794,),
}  # fmt: skip
SPECTEMP_SIZES = {
    "cochleagram": (211, 390), "spectempfilterbank.apply_filt": (111, 211, 390), "spectempfilterbank": (111, 211, 390),
    "avgpool": (111, 211, 1), "classification": (794,),
}  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Many small operations wait for one another on cores that are busy with something else."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("name", "sizes"), [*zip(NAMES, (CNN_SIZES, RESNET_SIZES, SPECTEMP_SIZES), strict=True)])
def test_sizes_are_the_published_ones(name, sizes):
    shapes = {layer.path: layer.output_shape for layer in describe_layers(f"audio:{name}")}
    assert {path: shapes[path] for path in sizes} == sizes


def test_stages_have_their_published_names():
    blueprints = {name: AudioSource().find(name, None) for name in NAMES}
    relus = [f"relu{i}" for i in range(5)]
    assert blueprints["cochcnn9"].layers == ("input_after_preproc", *relus, "avgpool", "relufc", "final")
    assert blueprints["cochcnn9"].taps["relu3_fakerelu"] == "relu3"
    assert blueprints["cochcnn9"].taps["final"] == "classification"
    assert blueprints["cochresnet50"].layers == (
        "input_after_preproc", "conv1_relu1", "layer1", "layer2", "layer3", "layer4", "avgpool", "final",
    )  # fmt: skip
    assert blueprints["cochresnet50"].taps["conv1_relu1_fake_relu"] == "relu"
    assert blueprints["spectemp"].layers == (
        "input_after_preproc", "filtered_signal", "spectempfilter_power", "avgpool", "final",
    )  # fmt: skip
    for definition in blueprints.values():
        assert definition.classes == load_words()
        assert definition.taps["input_after_preproc"] == "cochleagram"
        assert definition.preprocessing.input_range == (-1.0, 1.0)
        assert definition.preprocessing.input_shape == (40_000,)
        assert definition.preprocessing.sample_rate == 20_000


@pytest.mark.parametrize("name", NAMES)
def test_every_stage_of_the_published_experiments_is_a_layer(name):
    from beholder.stimuli import load_metamer_experiments

    paths = {layer.path for layer in describe_layers(f"audio:{name}")}
    found = 0
    for experiment in load_metamer_experiments():
        for network, stages in experiment.stages.items():
            alias = find_alias(network)
            if alias is None or (alias.source, alias.model) != ("audio", name):
                continue
            taps = AudioSource().find(name, None).taps
            assert {taps.get(stage, stage) for stage in stages} <= paths
            found += 1
    assert found


def test_same_padding():
    for size in (211, 390, 9, 2, 1):
        for kernel in (1, 2, 5, 14):
            for stride in (1, 2, 3):
                left, right, *_ = find_same_padding((1, size), (1, kernel), stride)
                assert 0 <= right - left <= 1
                if size >= kernel or left + right:
                    n = (size + left + right - kernel) // stride + 1
                    assert n == math.ceil(size / stride) == find_same_size((1, size), stride)[1]


def test_cochcnn9_against_the_equations():
    """A forward pass in the order of the published table, with padding counted by hand."""
    torch.manual_seed(0)
    net = CochCNN9().eval()
    for i in range(3):
        layer: Any = net.get_submodule(f"batchnorm{i}")
        torch.nn.init.normal_(layer.weight, 1, 0.1)
        torch.nn.init.normal_(layer.bias)
        layer.running_mean.normal_()
    p = net.state_dict()

    def norm(x, i):
        name = f"batchnorm{i}"
        scale = p[f"{name}.weight"] / (p[f"{name}.running_var"] + 1e-5).sqrt()
        return (x - p[f"{name}.running_mean"][:, None, None]) * scale[:, None, None] + p[f"{name}.bias"][:, None, None]

    sound = 0.1 * torch.randn(1, 40_000)
    with torch.no_grad():
        x = norm(net.cochleagram(sound)[:, None], 0)
        x = F.relu(F.conv2d(F.pad(x, (5, 6, 3, 3)), p["conv0.weight"], stride=3))
        x = norm(F.max_pool2d(F.pad(x, (1, 2, 0, 1), value=-1e9), (2, 5), stride=2), 1)
        x = F.relu(F.conv2d(F.pad(x, (3, 4, 1, 1)), p["conv1.weight"], stride=2))
        x = norm(F.max_pool2d(F.pad(x, (2, 2, 0, 0), value=-1e9), (2, 5), stride=2), 2)
        for i in (2, 3, 4):
            x = F.relu(F.conv2d(F.pad(x, (2, 2, 0, 1)), p[f"conv{i}.weight"]))
        x = F.avg_pool2d(F.pad(x, (2, 2, 0, 1)), (2, 5), stride=2).flatten(1)
        x = F.relu(F.linear(x, p["fullyconnected.weight"], p["fullyconnected.bias"]))
        expected = F.linear(x, p["classification.weight"], p["classification.bias"])
        found = net(sound)
    assert found.std() > 1e-3
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def make_plain_ripples(n_channels: int, n_frames: int, rate: int):
    """Whole two-dimensional transfer functions, bin by bin, in the published order; rates and scales beside them."""
    rates, scales = (0, 0.5, 1, 2, 4, 8, 16, 32, 64), (0, 0.0625, 0.125, 0.25, 0.5, 1, 2)
    n_f, n_t = 2 * n_channels, 3 * n_frames
    temporal, spectral = {}, {}
    for r in rates:
        u = r * np.arange(n_frames) / rate
        h = np.sin(2 * np.pi * u) * u**2 * np.exp(-3.5 * u)
        row = np.fft.fft(np.pad(h - h.mean(), (0, 2 * n_frames)))
        gain = np.abs(row) / np.abs(row).max() if r else np.zeros(n_t)
        if r == 64:
            top = gain[: n_t // 2 + 1].argmax()
            gain[top : n_t - top + 1] = 1
        temporal[r] = gain * np.exp(1j * np.angle(row)) if r else np.eye(n_t)[0]
    for s in scales:
        ratio = np.array([(6 * min(k, n_f - k) / n_f / s) ** 2 if s else 0 for k in range(n_f)])
        gain = ratio * np.exp(-ratio)
        gain = gain / gain.max() if s else np.eye(n_f)[0]
        if s == 2:
            top = gain[: n_channels + 1].argmax()
            gain[top : n_f - top + 1] = 1
        spectral[s] = gain
    filters, names = [], []
    for sign in (-1, 1):
        for s in scales:
            for r in rates:
                if sign == 1 and (s == 0 or r == 0):
                    continue
                whole = np.outer(spectral[s], temporal[r])
                for kf in range(n_f):
                    for kt in range(n_t):
                        way_f = 0 if kf in (0, n_f // 2) else (1 if kf < n_f // 2 else -1)
                        way_t = 0 if kt == 0 or 2 * kt == n_t else (1 if kt < n_t / 2 else -1)
                        direction = sign if r else 1
                        if way_f * way_t == -direction:
                            whole[kf, kt] = 0
                filters.append(whole)
                names.append((sign * r, s))
    return filters, names


@pytest.mark.parametrize("n_frames", [8, 9])
def test_ripple_filters_against_whole_transforms(n_frames):
    n_channels = 5
    filters, names = make_plain_ripples(n_channels, n_frames, 200)
    bank = RippleFilterbank(n_channels, n_frames, 200)
    assert len(names) == 111
    assert [tuple(map(abs, name)) for name in bank.ripples] == [tuple(map(abs, name)) for name in names]
    assert all(ours == theirs for ours, theirs in zip(bank.ripples, names, strict=True))
    x = np.random.default_rng(0).standard_normal((2, n_channels, n_frames))
    padded = np.fft.fft2(np.pad(x, ((0, 0), (0, n_channels), (0, 2 * n_frames))))
    expected = np.stack([np.fft.ifft2(padded * f)[:, :n_channels, :n_frames] for f in filters], axis=1)
    assert np.abs(expected.imag).max() < 1e-12
    found = bank(torch.from_numpy(x).float()).numpy()
    np.testing.assert_allclose(found, expected.real, atol=2e-6)


def test_spectemp_tells_directions_apart_and_averages_power():
    torch.manual_seed(0)
    net: Any = load_model("audio:spectemp@random", device="cpu").module
    bank: Any = net.get_submodule("spectempfilterbank.apply_filt")
    channel, frame = torch.meshgrid(torch.arange(211) / 6, torch.arange(390) / 200, indexing="ij")
    powers = {}
    for way in (1, -1):
        ripple = torch.cos(2 * torch.pi * (8 * frame + way * 0.5 * channel))[None]
        power = bank(ripple)[0, :, 50:160, 100:300].square().mean(dim=(1, 2))
        powers[way] = dict(zip(bank.ripples, power.tolist(), strict=True))
        best = max(powers[way], key=powers[way].get)
        assert (abs(best[0]), best[1]) == (8, 0.5)
    assert powers[1][8, 0.5] > 20 * powers[-1][8, 0.5]
    assert powers[-1][-8, 0.5] > 20 * powers[1][-8, 0.5]
    with torch.no_grad():
        x = net.spectempfilterbank(100 * net.cochleagram(0.1 * torch.randn(1, 40_000)))
    assert x.min().item() == pytest.approx(1e-8)
    torch.testing.assert_close(net.avgpool(x)[..., 0], x.mean(dim=-1), atol=1e-4, rtol=1e-5)


def make_published_state(name: str) -> dict[str, torch.Tensor]:
    """Names and shapes of a published checkpoint, each tensor filled with a number of its own, without the memory."""
    with torch.device("meta"):
        own = AudioSource().find(name, None).build().state_dict()
    values = {key: torch.tensor(float(i % 97 + 1)).expand(value.shape) for i, (key, value) in enumerate(own.items())}
    rep = "0.full_rep.rep.Cochleagram."
    gains = torch.tensor(make_cochlear_filters().transfer, dtype=torch.float32)
    constants = {
        f"{rep}compute_subbands.coch_filters": torch.stack([gains, torch.zeros(1).expand(gains.shape)], dim=-1),
        f"{rep}downsampling.downsample_filter": torch.tensor(make_downsampling_window(100)).float()[None, None],
    }
    network = {f"1.{key}": value for key, value in values.items()}
    if name == "spectemp":
        network["1.spectempfilterbank.apply_filt.all_Hts"] = torch.zeros(1).expand(111, 422, 1170, 2)
    both = {f"module.model.{key}": value for key, value in {**constants, **network}.items()}
    both |= {f"module.attacker.model.{key}": torch.tensor(0.0).expand(value.shape) for key, value in network.items()}
    means = {"new_mean": torch.zeros(1, 1, 1), "new_std": torch.ones(1, 1, 1)}
    return both | {f"module.preproc.normalize.{key}": value for key, value in means.items()}


@pytest.mark.parametrize(
    ("name", "file", "path_name"),
    [
        ("cochcnn9", "kell2018_wsn_word.pt", "cochcnn9"),
        ("cochresnet50", "cochresnet_wsn_word.pt", "cochresnet50"),
        ("spectemp", "spectemp_model.pt", "spectemp"),
    ],
)
def test_a_checkpoint_in_the_published_format_loads(tmp_path: Path, name, file, path_name):
    state = make_published_state(name)
    torch.save({"model": state, "epoch": 150, "optimizer": {}}, tmp_path / file)
    model = load_model(f"audio:{name}", model_path=tmp_path, device="cpu")
    assert (model.path_name, model.weights.tag) == (path_name, Path(file).stem)
    loaded = model.module.state_dict()
    assert len(loaded) > 1
    for key, value in loaded.items():
        assert (value == state[f"module.model.1.{key}"].flatten()[0]).all(), key
    shapes = {key: tuple(value.shape) for key, value in loaded.items()}
    if name == "cochcnn9":
        assert shapes["conv0.weight"] == (96, 1, 7, 14)
        assert shapes["conv1.weight"] == (256, 96, 4, 8)
        assert shapes["conv3.weight"] == (1024, 512, 2, 5)
        assert shapes["fullyconnected.weight"] == (4096, 23_040)
        assert shapes["classification.weight"] == (794, 4096)
        assert not [key for key in shapes if key.startswith("conv") and key.endswith("bias")]
    if name == "spectemp":
        assert shapes == {"classification.weight": (794, 23_421), "classification.bias": (794,)}


def test_other_prefixes_and_heads_for_other_tasks(caplog):
    """Networks of several tasks, networks whose front end stands before them, plain state dicts."""
    with torch.device("meta"):
        net = AudioSource().find("cochresnet50", None).build()
        own = net.state_dict()
        heads = {
            "signal/word_int": (794, 2048),
            "signal/speaker_int": (433, 2048),
            "noise/labels_binary_via_int": (517, 2048),
        }
        several = {key: value for key, value in own.items() if not key.startswith("fc.")}
        for task, shape in heads.items():
            several[f"fc.{task}.weight"], several[f"fc.{task}.bias"] = torch.empty(shape), torch.empty(shape[0])
    with caplog.at_level(logging.INFO, logger="beholder"):
        picked = pick_word_network({f"model.1.{key}": value for key, value in several.items()}, net)
    assert {key: value.shape for key, value in picked.items()} == {key: value.shape for key, value in own.items()}
    assert "signal/speaker_int (433), noise/labels_binary_via_int (517)" in caplog.text
    for prefix in ("", "module.", "module.model.", "model.1.", "1."):
        assert set(pick_word_network({f"{prefix}{key}": value for key, value in own.items()}, net)) == set(own)
    strange = pick_word_network({**own, "model.1.extra.weight": own["fc.bias"]}, net)
    assert "extra.weight" in strange


def test_a_checkpoint_of_another_front_end_is_refused():
    with torch.device("meta"):
        net = AudioSource().find("spectemp", None).build()
    name = "model.0.full_rep.rep.Cochleagram."
    with pytest.raises(InputError, match="cochlear filters"):
        pick_word_network({f"{name}compute_subbands.coch_filters": torch.zeros(42, 20_001, 2)}, net)
    with pytest.raises(InputError, match="downsampling window"):
        pick_word_network({f"{name}downsampling.downsample_filter": torch.zeros(1, 1, 1001)}, net)
    with pytest.raises(InputError, match="new_std"):
        pick_word_network({"preproc.normalize.new_std": torch.full((1, 1, 1), 2.0)}, net)


def test_names_and_weights_that_are_not_there(tmp_path, monkeypatch):
    assert AudioSource().list_names() == list(NAMES)
    assert AudioSource().find("kell2018", None).name == "cochcnn9"
    with pytest.raises(UnknownNameError, match="cochcnn9"):
        AudioSource().find("cochcnn8", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("BEHOLDER_CACHE", str(tmp_path))
    with pytest.raises(WeightsUnavailable, match=r"kell2018_wsn_word\.pt.*model_path=FILE.*@random"):
        load_model("audio:cochcnn9", device="cpu")


def test_the_studys_names_are_in_the_catalog():
    for name, loads in (
        ("kell2018", "audio:cochcnn9@kell2018_wsn_word"),
        ("CochResNet50", "audio:cochresnet50@cochresnet_wsn_word"),
        ("cochresnet50_l2_1_robust_waveform", "audio:cochresnet50@cochresnet_wsn_word_l2_1_robust_waveform"),
        ("kell2018_linf_p002_random_step_waveform", "audio:cochcnn9@kell2018_wsn_word_linf_p002_random_step_waveform"),
        ("spectemp_filters", "audio:spectemp@spectemp_model"),
    ):
        assert resolve_model(name, check_file=False).name == loads
    tags = {tag for name in NAMES for tag in AudioSource().find(name, None).tags}
    from beholder.models.catalog._entries import list_catalog

    named = {entry.alias.tag for entry in list_catalog() if entry.alias.source == "audio"}
    assert named == tags


def test_gradient_reaches_the_samples_of_every_network():
    for name in NAMES:
        model = load_model(f"audio:{name}@random", device="cpu")
        sound = 0.1 * torch.randn(1, 40_000, generator=torch.Generator().manual_seed(0))
        sound.requires_grad_()
        (gradient,) = torch.autograd.grad(model(sound)[0, 3], sound)
        assert torch.isfinite(gradient).all()
        assert gradient.abs().max() > 0
        assert not any(getattr(module, "inplace", False) for module in model.module.modules())
