"""Own models: directories in the older form, networks that hand over their stages, training sets, the template."""

import logging
import pickle
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import wavfile
from torch import nn

import beholder as bh
from beholder._core.errors import InputError, StimulusError
from beholder.models import (
    find_unit_layers,
    iter_training_batches,
    list_layers,
    load_model,
    select_layers,
    wrap,
    write_template,
)
from beholder.models.network._latent import is_driven
from beholder.synthesis import validate_model

from .own_networks import NETWORK, PICTURES, SOUNDS, write_directory

KEYS = ("input_after_preproc", "layer1_fake_relu", "layer1", "layer2.out", "pair", "heads/a", "final")


@pytest.fixture
def directory(tmp_path):
    return write_directory(tmp_path / "mynet")


@pytest.fixture
def model(directory):
    return load_model(f"file:{directory}/build_network.py", device="cpu")


def test_a_directory_in_the_older_form(model, directory):
    assert model.path_name == "mynet"
    assert model.stages == model.layers == ("input_after_preproc", "layer1_fake_relu", "layer2.out", "final")
    assert model.classes == tuple(f"class {i}" for i in range(5))
    assert (model.input_range, model.input_shape, model.modality) == ((0.0, 1.0), (3, 64, 64), "image")
    assert load_model(f"file:{directory}", device="cpu").name == model.name
    pixels = np.random.default_rng(0).integers(256, size=(80, 100, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(pixels).resize((64, 64)), np.float32).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(model.prepare(Image.fromarray(pixels)), expected, atol=1e-7)
    np.testing.assert_array_equal(model.prepare(expected), expected)
    with pytest.raises(StimulusError, match="values"):
        model.prepare(expected + 1)


def test_stages_are_layers_and_agree_with_the_network_itself(model):
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    logits, found = bh.capture(model, x, [*KEYS, "model.conv2"])
    (final, _, outputs), _ = model.module(x, with_latent=True, fake_relu=True)
    assert torch.equal(logits, final) and torch.equal(model(x), final)
    for key in ("input_after_preproc", "layer1_fake_relu", "layer1", "layer2.out", "final"):
        assert torch.equal(found[key], outputs[key])
    assert torch.equal(found["pair"], torch.cat([part.flatten(1) for part in outputs["pair"]], 1))
    assert torch.equal(found["heads/a"], final)
    assert torch.equal(found["model.conv2"].relu(), found["layer2.out"])


def test_the_networks_own_flags_are_within_reach(model):
    x = torch.rand(1, 3, 64, 64, requires_grad=True)
    assert model.latent is not None and model.latent.names == KEYS
    _, plain = model.latent.run(x)
    _, fake = model.latent.run(x, fake_relu=True)
    assert "layer1_fake_relu" not in plain and torch.equal(fake["layer1_fake_relu"], plain["layer1"])
    (through,) = torch.autograd.grad(fake["layer1_fake_relu"].sum(), x, retain_graph=True)
    (blocked,) = torch.autograd.grad(plain["layer1"].sum(), x)
    assert not torch.equal(through, blocked)
    assert torch.count_nonzero(blocked) < torch.count_nonzero(through) or not torch.allclose(through, blocked)


def test_passes_take_the_flag_only_where_it_is_wanted(model):
    seen = []

    def note(_module, _args, kwargs):
        seen.append(kwargs["fake_relu"])

    model.module.register_forward_pre_hook(note, with_kwargs=True)
    x = torch.rand(1, 3, 64, 64)
    bh.capture(model, x, ["layer1"])
    assert set(seen) == {False}
    seen.clear()
    bh.capture(model, x, ["layer1_fake_relu"])
    assert set(seen) == {True}
    seen.clear()
    with model.latent.use_fake_relu():
        model(x)
    model(x)
    assert seen == [True, False]


def test_every_command_knows_the_stages(model, directory):
    name = f"file:{directory}"
    rows = {layer.path: layer for layer in list_layers(name)[1]}
    assert list(rows)[-len(KEYS) :] == list(KEYS)
    assert rows["layer2.out"].output_shape == (8, 7, 7) and rows["layer1_fake_relu"].output_shape == (6, 15, 15)
    assert rows["model.conv1"].n_calls == 1 and not any(path.startswith("all_outputs") for path in rows)
    assert select_layers(name, "layer1*") == ["layer1_fake_relu", "layer1"]
    assert select_layers(model, ["final"]) == ["final"]
    assert find_unit_layers(model) == find_unit_layers(name) == ["model.conv1", "model.conv2"]
    assert [unit.layer for unit in bh.sample_units(model, 3, layers=["layer2.out"])] == ["layer2.out"] * 3
    validate_model(model, model.stages)


def test_extraction(model, directory, tmp_path):
    for i in range(3):
        Image.fromarray(np.full((70, 70, 3), 60 * i, np.uint8)).save(tmp_path / f"{i}.png")
    pictures = [tmp_path / f"{i}.png" for i in range(3)]
    (tmp_path / "images").mkdir()
    for picture in pictures:
        picture.rename(tmp_path / "images" / picture.name)
    acts = bh.extract(model, tmp_path / "images", ["recorded"], out_path=tmp_path / "acts")
    assert acts.layers == list(model.layers) or tuple(acts.layers) == model.layers
    batch = torch.tensor(np.stack([model.prepare(tmp_path / "images" / f"{i}.png") for i in range(3)]))
    expected = model.latent.run(batch, fake_relu=True)[1]
    found = acts["layer1_fake_relu"].to_numpy().reshape(3, 6, 15, 15)
    np.testing.assert_allclose(found, expected["layer1_fake_relu"].numpy(), atol=1e-5)


def test_another_process_builds_the_same(model):
    again = pickle.loads(pickle.dumps(model.spec)).load()
    assert again.preprocessing == model.preprocessing and again.latent is not None
    own = model.module.state_dict()
    assert all(torch.equal(value, own[name]) for name, value in again.module.state_dict().items())
    assert again.module is not model.module


def test_sounds(tmp_path, caplog):
    directory = write_directory(tmp_path / "soundnet", SOUNDS)
    model = load_model(f"file:{directory}", device="cpu")
    asked = [m for n, m in sys.modules.items() if n.startswith("_beholder_file_") and "ASKED" in vars(m)]
    assert asked[-1].ASKED == {"identity": False, "strict": True}
    assert (model.modality, model.sample_rate, model.input_shape) == ("sound", 4000, (8000,))
    assert model.classes == ("__nullSignal__", "ability", "able", "about", "above")
    rng = np.random.default_rng(0)
    for rate, n in ((4000, 8000), (4000, 9001), (4000, 7001), (8000, 16000)):
        wavfile.write(tmp_path / "x.wav", rate, rng.standard_normal(n).astype(np.float32) / 10)
        prepared = model.prepare(tmp_path / "x.wav")
        assert prepared.shape == (8000,) and prepared.dtype == np.float32
        assert np.sqrt(np.mean(prepared**2)) == pytest.approx(0.1, rel=1e-4)
    long = rng.standard_normal(9001).astype(np.float32)
    middle = long[500:8500]
    np.testing.assert_allclose(
        model.prepare(long), np.clip(middle / np.sqrt(np.mean(middle**2)) / 10, -1, 1), atol=1e-6
    )
    logits = model(torch.tensor(prepared)[None])
    assert logits.shape == (1, 5)  # the head for words, not the first one
    _, layers = bh.capture(model, prepared[None], ["relu0", "final/signal/speaker_int"])
    assert layers["final/signal/speaker_int"].shape == (1, 3)
    spike = np.zeros(8000, np.float32)
    spike[4000] = 1
    wavfile.write(tmp_path / "spike.wav", 4000, spike)
    with caplog.at_level(logging.WARNING, "beholder"):
        assert model.prepare(tmp_path / "spike.wav").max() == 1
    assert "1 values beyond [-1, 1] are clipped" in caplog.text
    assert next(iter_training_batches(directory)).shape == (2, 8000)


def test_training_batches(directory, model):
    def first_values(**options):
        return [float(x[0, 0, 0]) * 20 for batch in iter_training_batches(directory, **options) for x in batch]

    assert first_values(shuffle=False, n_stimuli=4, start=6) == pytest.approx([6, 7, 8, 9])
    assert len(first_values(shuffle=False)) == 12
    shuffled = first_values(n_stimuli=8, seed=1)
    assert shuffled == first_values(n_stimuli=8, seed=1) != first_values(n_stimuli=8, seed=2)
    state = torch.get_rng_state()
    drawn = iter_training_batches(model, n_stimuli=8, seed=1)
    assert next(drawn).shape == (2, 3, 64, 64)
    torch.rand(5)
    assert torch.equal(next(drawn)[:, 0, 0, 0] * 20, torch.tensor(shuffled[2:4]))
    torch.set_rng_state(state)
    with pytest.raises(InputError, match=r"20 stimuli.*got 18"):
        first_values(shuffle=False, n_stimuli=20, start=2)


def test_training_sets_that_cannot_be_had(tmp_path, model):
    with pytest.raises(InputError, match="no file"):
        next(iter_training_batches(tmp_path))
    plain = write_directory(tmp_path / "plain", "from torch import nn\nmodel = nn.Linear(2, 2)\n")
    with pytest.raises(InputError, match="make_loaders"):
        next(iter_training_batches(plain))
    absent = PICTURES.replace("count = 12", "open('/absent/imagenet'); count = 12")
    with pytest.raises(InputError, match="a training set that can be read") as caught:
        next(iter_training_batches(write_directory(tmp_path / "absent", NETWORK + absent)))
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="build_network"):
        next(iter_training_batches(load_model("beholder:shapes", device="cpu")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import absent_package.datasets", "no module 'absent_package'.*PYTHONPATH"),
        ("def main(return_metamer_layers=False):\n    import absent_package", "no module 'absent_package'"),
        ("def main(return_metamer_layers=False):\n    open('weights.pt')", "FileNotFoundError"),
        ("import sys\nsys.exit(3)", "SystemExit"),
        (NETWORK.replace("self.fc(latent)", "self.fc(x)") + PICTURES, "runs on a stimulus of shape .3, 64, 64."),
        (NETWORK.replace("return (final, latent, all_outputs)", "return final") + PICTURES, "all_outputs"),
    ],
)
def test_files_that_do_not_work_are_one_line(tmp_path, text, message):
    directory = write_directory(tmp_path / "broken", text)
    with pytest.raises(InputError, match=message) as caught:
        load_model(f"file:{directory}", device="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without CUDA")
def test_files_written_for_cuda_load_on_the_cpu(tmp_path, caplog):
    text = (
        "import torch\nfrom torch import nn\ndef main(return_metamer_layers=False):\n"
        "    net = nn.Linear(2, 2)\n    net.load_state_dict(torch.load('w.pt'))\n"
        "    torch.zeros(1).cuda()\n    return net.cuda(), None, ['fc']\n"
    )
    directory = write_directory(tmp_path / "cuda", text.replace("w.pt", str(tmp_path / "w.pt")))
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "w.pt")
    kept = nn.Module.cuda, torch.Tensor.cuda, torch.load
    with caplog.at_level(logging.INFO, "beholder"):
        model = load_model(f"file:{directory}", device="cpu")
    assert caplog.text.count("no CUDA device here") == 1 and model.device.type == "cpu"
    assert (nn.Module.cuda, torch.Tensor.cuda, torch.load) == kept


class Handing(nn.Module):
    """A wrapped network that hands over its stages, without ``fake_relu``."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x, with_latent=False):
        out = torch.relu(self.fc(x))
        return (out, {"a.b": x * 2, "training": out}) if with_latent else out


def test_wrapped_networks_are_driven_too(caplog):
    model = wrap(Handing(), input_shape=(4,))
    assert model.latent is not None and model.latent.names == ("a.b", "training")
    x = torch.rand(2, 4)
    logits, layers = bh.capture(model, x, ["a.b", "training", "fc"])
    assert torch.equal(layers["a.b"], x * 2) and torch.equal(layers["training"], logits)
    assert wrap(model.module, input_shape=(4,)).taps == model.taps
    with caplog.at_level(logging.WARNING, "beholder"):
        silent = wrap(Handing())
    assert "input_shape=" in caplog.text and silent.latent is None and not is_driven(silent.module)
    assert torch.equal(silent(x), silent.module(x))
    assert wrap(nn.Linear(2, 2)).latent is None


@pytest.mark.parametrize(("kind", "shape"), [("picture", (3, 112, 112)), ("sound", (40000,))])
def test_the_template_runs_as_it_is(tmp_path, kind, shape, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = write_template("my_network", kind)
    text = (folder / "build_network.py").read_text()
    assert [f"TODO {i}" in text for i in range(1, 10)] == [True] * 9
    assert "metamers make my_network/example/" in text
    model = load_model("file:my_network", device="cpu")
    assert model.input_shape == shape and model.path_name == "my_network"
    assert model.modality == ("image" if kind == "picture" else "sound")
    validate_model(model, model.stages[1:2])
    stimuli = torch.tensor(np.stack([model.prepare(file) for file in sorted((folder / "example").iterdir())]))
    assert model(stimuli).shape == (2, 4)
    first, second = (next(iter_training_batches(folder, seed=seed)) for seed in (0, 1))
    assert first.shape == (2, *shape) and not torch.equal(first, second)
    before = (folder / "build_network.py").stat().st_mtime_ns
    assert write_template("my_network", kind) == folder
    assert (folder / "build_network.py").stat().st_mtime_ns == before


def test_a_template_replaces_nothing(tmp_path):
    folder = write_template(tmp_path / "mine", "picture")
    (folder / "build_network.py").write_text("mine")
    with pytest.raises(InputError, match="which has one"):
        write_template(folder, "picture")
    assert (folder / "build_network.py").read_text() == "mine"
    with pytest.raises(InputError, match="picture or sound"):
        write_template(tmp_path / "x", "smell")  # type: ignore[arg-type]
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="a file at"):
        write_template(tmp_path / "file", "sound")


def test_a_file_that_changes_is_run_again(tmp_path):
    directory = write_directory(tmp_path / "changing", "from torch import nn\nmodel = nn.Linear(2, 2)\n")
    first = load_model(f"file:{directory}", device="cpu")
    again = load_model(f"file:{directory}", device="cpu")
    assert first.module is not again.module
    write_directory(directory, "from torch import nn\nmodel = nn.Linear(2, 7)\n")
    assert load_model(f"file:{directory}", device="cpu").module.out_features == 7


REAL = """
import torch
from torch import nn
from torchvision import transforms
from torchvision.models import squeezenet1_1


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.network = squeezenet1_1()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None])
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225])[:, None, None])

    def forward(self, x, with_latent=False, fake_relu=False, no_relu=False):
        x, all_outputs = (x - self.mean) / self.std, {}
        for i, layer in enumerate(self.network.features):
            x = layer(x)
            all_outputs[f"stage{i}"] = x
        all_outputs["final"] = self.network.classifier(x).flatten(1)
        return (all_outputs["final"], None, all_outputs) if with_latent else all_outputs["final"]


class Data:
    min_value, max_value, num_classes, label_mapping = 0, 1, 1000, None
    transform_test = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor()])


def main(return_metamer_layers=False):
    net = Net()
    net.network.load_state_dict(torch.load(WEIGHTS))
    return net, Data(), ["stage3", "stage12", "final"]
"""


def test_a_real_network_answers_as_the_same_one_by_name(tmp_path, shared_data, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(shared_data / "torch_home"))
    named = load_model("torchvision:squeezenet1_1@IMAGENET1K_V1", device="cpu")
    directory = write_directory(tmp_path / "real", REAL.replace("WEIGHTS", repr(named.weights.file)))
    own = load_model(f"file:{directory}", device="cpu")
    assert own.classes == named.classes and own.input_shape == named.input_shape
    folders = sorted((shared_data / "imagenet_sample").iterdir())[::125]
    pictures = [next(folder.iterdir()) for folder in folders if folder.is_dir()]
    batch = torch.tensor(np.stack([own.prepare(picture) for picture in pictures]))
    same = torch.tensor(np.stack([named.prepare(picture) for picture in pictures]))
    assert torch.equal(batch, same)
    logits, layers = bh.capture(own, batch, ["stage3", "stage12"])
    expected, of_named = bh.capture(named, same, ["features.3", "features.12"])
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(layers["stage3"], of_named["features.3"], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(layers["stage12"], of_named["features.12"], atol=1e-4, rtol=1e-4)
