"""CLIP's documented interface, on networks with random weights."""

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from beholder._core.errors import InputError, UnknownNameError, WeightsUnavailable
from beholder.models import clip
from beholder.models.clip import _load_file, make_transform
from beholder.models.nets._clip import ClipModel, script_model
from beholder.models.network._load import load_model


def make_network(*, resnet: bool = False) -> open_clip.CLIP:
    torch.manual_seed(0)
    tower = {"layers": [1, 1, 1, 1], "width": 16} if resnet else {"layers": 2, "width": 32, "patch_size": 16}
    network = open_clip.CLIP(
        embed_dim=16,
        vision_cfg={"image_size": 32, "head_width": 16, **tower},  # pyright: ignore[reportArgumentType]
        text_cfg={"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},  # pyright: ignore[reportArgumentType]
        quick_gelu=True,
    ).eval()
    torch.nn.init.constant_(network.logit_scale, np.log(100))
    return network


@pytest.fixture(scope="module")
def network() -> open_clip.CLIP:
    return make_network()


def test_available_models():
    names = clip.available_models()
    assert names == [
        "RN50", "RN101", "RN50x4", "RN50x16", "RN50x64", "ViT-B/32", "ViT-B/16", "ViT-L/14", "ViT-L/14@336px",
    ]  # fmt: skip
    known = open_clip.list_pretrained()
    assert all((clip._ARCHITECTURES[name], "openai") in known for name in names)


def test_tokens_are_those_of_the_published_tokenizer():
    tokens = clip.tokenize("a diagram")
    assert (tokens.dtype, tokens.shape) == (torch.int64, (1, 77))
    assert tokens[0].tolist() == [49406, 320, 22697, 49407] + [0] * 73
    texts = ["a dog", "", "Ünïcode, émoji 🐶 &amp; punctuation!!", "MIXED case   and\nspaces", "word " * 75]
    assert torch.equal(clip.tokenize(texts), open_clip.tokenize(texts))
    assert clip.tokenize(["a dog", "a cat"], context_length=8).shape == (2, 8)


def test_a_text_that_is_too_long_raises_as_in_clips_own_package():
    with pytest.raises(RuntimeError, match="78 tokens"):
        clip.tokenize("word " * 76)
    with pytest.raises(InputError, match="at most 5 tokens"):
        clip.tokenize("one two three four", context_length=5)
    long = clip.tokenize(["one two three four", "one"], context_length=5, truncate=True)
    assert long[0, -1] == long[1, 2] == 49407  # the end token stays the last
    assert torch.equal(long[0, :4], clip.tokenize(texts="one two three four")[0, :4])
    with pytest.raises(InputError, match="int"):
        clip.tokenize([3])  # pyright: ignore[reportArgumentType]


def test_logits_are_cosines_times_100(network):
    model = ClipModel(network)
    image, text = torch.rand(3, 3, 32, 32), clip.tokenize(["a dog", "a cat"])
    with torch.no_grad():
        per_image, per_text = model(image, text)
        i, t = model.encode_image(image).double().numpy(), model.encode_text(text).double().numpy()
        assert torch.equal(model.encode_image(image), network.encode_image(image))
    cosine = (i @ t.T) / np.outer(np.linalg.norm(i, axis=1), np.linalg.norm(t, axis=1))
    assert i.shape == (3, 16) and t.shape == (2, 16)
    assert not np.allclose(np.linalg.norm(i, axis=1), 1)
    np.testing.assert_allclose(per_image.numpy(), 100 * cosine, atol=1e-3)
    assert torch.equal(per_text, per_image.T)


@pytest.mark.parametrize("resnet", [False, True])
def test_a_scripted_model_gives_the_same(resnet: bool, caplog):
    model = ClipModel(make_network(resnet=resnet)).eval()
    scripted = script_model(model, "CLIP")
    assert isinstance(scripted, torch.jit.ScriptModule)
    assert not caplog.records
    for n in (1, 3):
        image, text = torch.rand(n, 3, 32, 32), clip.tokenize(["a dog"] * n)
        with torch.no_grad():
            torch.testing.assert_close(scripted(image, text), model(image, text))
            torch.testing.assert_close(scripted.encode_text(text), model.encode_text(text))
            torch.testing.assert_close(scripted.encode_image(image), model.encode_image(image))


def test_what_cannot_be_scripted_runs_unscripted_and_says_so(caplog):
    class Unscriptable(torch.nn.Module):
        image_size = 32

        def forward(self, image, *options, **more):
            return image.mean((2, 3)) if np.random is not None else eval("image")

    network: Any = make_network()
    network.visual = Unscriptable()
    model = ClipModel(network)
    with caplog.at_level(logging.WARNING, "beholder"):
        assert script_model(model, "CLIP of mine") is model
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("CLIP of mine is not scripted")


def test_the_transform_is_clips_and_agrees_with_ours():
    preprocessing = load_model("ViT-32", meta=True).preprocessing
    transform = make_transform(preprocessing)
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (301, 260, 3), dtype=np.uint8))
    expected = open_clip.image_transform(  # pyright: ignore[reportCallIssue]
        224, is_train=False, mean=open_clip.OPENAI_DATASET_MEAN, std=open_clip.OPENAI_DATASET_STD
    )(picture)
    torch.testing.assert_close(transform(picture), expected)
    ours = preprocessing.normalize(torch.from_numpy(preprocessing.prepare(picture))[None])[0]
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)
    assert transform(Image.new("L", (40, 30))).shape == (3, 224, 224)


def test_load_with_random_weights(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    model: Any
    model, transform = clip.load("ViT-B/32", jit=False, weights="random")
    images = transform(Image.new("RGB", (50, 60), (200, 30, 30))).unsqueeze(0)
    with torch.no_grad():
        per_image, per_text = model(images, clip.tokenize(["red", "blue"]))
    assert (per_image.shape, per_text.shape, per_image.dtype) == ((1, 2), (2, 1), torch.float32)
    assert per_image.abs().max() <= 100
    assert model.logit_scale.exp().item() == pytest.approx(100)
    assert (model.visual.input_resolution, model.visual.output_dim) == (224, 512)
    assert (model.context_length, model.vocab_size, model.dtype) == (77, 49408, torch.float32)
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert type(model.get_submodule("transformer.resblocks.0.mlp.gelu")).__name__ == "QuickGELU"
    assert next(model.parameters()).device.type == "cpu"
    assert not model.training


def test_the_first_cuda_device_is_the_default(monkeypatch):
    asked = {}

    def stop(name, **options):
        asked.update(options, name=name)
        raise WeightsUnavailable("nothing here")

    monkeypatch.setattr("beholder.models.network._load.load_model", stop)
    for there, device in ((True, "cuda:0"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        with pytest.raises(WeightsUnavailable):
            clip.load("RN50")
        assert asked == {"name": "open_clip:RN50", "weights": "openai", "device": device}
    with pytest.raises(WeightsUnavailable):
        clip.load("RN50", torch.device("cpu"))
    assert asked["device"] == "cpu"


@pytest.mark.parametrize("spelling", ["vit-b/32", "ViT-B-32", "ViT-32", "clip-ViT"])
def test_spellings(spelling: str):
    assert clip._find_name(spelling) == "ViT-B/32"


def test_wrong_arguments():
    with pytest.raises(UnknownNameError, match="ViT-B/32"):
        clip.load("ViT-B/23")
    with pytest.raises(RuntimeError, match="no-such-file"):
        clip.load("no-such-file.pt")
    with pytest.raises(TypeError):
        clip.load("RN50", "cpu", False, None, "x.pt")  # pyright: ignore[reportCallIssue]
    with pytest.raises(InputError, match="'laion'"):
        clip.load("RN50", weights="laion")
    with pytest.raises(InputError, match="both"):
        clip.load("RN50", weights="random", model_path="x.pt")


@pytest.mark.parametrize("kind", ["state", "wrapped", "archive"])
def test_weights_from_a_file(network, tmp_path: Path, kind: str):
    file, state = tmp_path / "RN50.pt", network.state_dict()
    if kind == "archive":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.script(network).save(file)
    else:
        settings = {
            "input_resolution": torch.tensor(32),
            "context_length": torch.tensor(77),
            "vocab_size": torch.tensor(49408),
        }
        half = {name: value.half() for name, value in state.items()} | settings
        torch.save(half if kind == "state" else {"state_dict": half}, file)
    torch.manual_seed(9)
    fresh: Any = make_network()
    torch.nn.init.normal_(fresh.text_projection)
    _load_file(fresh, file)
    torch.testing.assert_close(fresh.state_dict(), state, atol=1e-3, rtol=1e-3)
    assert fresh.text_projection.dtype == torch.float32


@pytest.mark.parametrize("resnet", [False, True])
def test_a_file_as_name(resnet: bool, tmp_path: Path):
    """Any CLIP network: its shapes tell its size. Parameters go by the names of CLIP's own state dict."""
    torch.manual_seed(0)
    tower = {"layers": [1, 1, 2, 1], "width": 16} if resnet else {"layers": 2, "width": 64, "patch_size": 16}
    network = open_clip.CLIP(
        embed_dim=32,
        vision_cfg={"image_size": 64, **tower},  # pyright: ignore[reportArgumentType]
        text_cfg={"context_length": 20, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2},  # pyright: ignore[reportArgumentType]
        quick_gelu=True,
    ).eval()
    state = network.state_dict()
    settings = {name: torch.tensor(1) for name in ("input_resolution", "context_length", "vocab_size")}
    torch.save(state | settings, tmp_path / "mine.pt")
    model: Any
    model, transform = clip.load(str(tmp_path / "mine.pt"), device="cpu", download_root=str(tmp_path))
    assert (model.visual.input_resolution, model.context_length) == (64, 20)
    assert set(model.state_dict()) == set(state)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())  # not rounded
    images, text = torch.rand(2, 3, 64, 64), clip.tokenize(["a dog", "a cat"], context_length=20)
    with torch.no_grad():
        torch.testing.assert_close(model.encode_image(images), network.encode_image(images))
        torch.testing.assert_close(model.encode_text(text), network.encode_text(text))
        torch.testing.assert_close(model.encode_text(text.int()), network.encode_text(text))
    assert transform(Image.new("RGB", (90, 70))).shape == (3, 64, 64)
    torch.save({"a.weight": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(InputError, match="weights of a CLIP network"):
        clip.load(str(tmp_path / "other.pt"), device="cpu")


def test_download_root(tmp_path: Path, monkeypatch, caplog):
    """OpenAI's file is looked for there, checked, and fetched; ``~/.cache/clip`` is used where nothing is named."""
    asked = []

    def fetch(url, target, sha256=None, **_):
        if Path(target).exists():
            return Path(target)
        asked.append((url.rpartition("/")[2], Path(target), sha256))
        Path(target).write_bytes(b"weights")
        return Path(target)

    monkeypatch.setattr(clip, "download_file", fetch)
    found = clip._find_published("ViT-B/32", tmp_path)
    assert found == tmp_path / "ViT-B-32.pt"
    ((name, _, sha256),) = asked
    assert name == "ViT-B-32.pt" and sha256.startswith("40d36571") and len(sha256) == 64
    assert clip._find_published("ViT-B/32", tmp_path) == found and len(asked) == 2  # not the published file
    assert "fetched again" in caplog.text
    monkeypatch.setenv("HOME", str(tmp_path))
    assert clip._find_published("ViT-B/32", None) is None
    own = tmp_path / ".cache" / "clip" / "ViT-B-32.pt"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"weights")
    assert clip._find_published("ViT-B/32", None) is None
    monkeypatch.setattr(clip, "hash_file", lambda path: sha256)
    assert clip._find_published("ViT-B/32", None) == own


def test_the_readme_of_clip_runs_but_for_the_weights(tmp_path: Path, monkeypatch):
    """What a script for OpenAI's package does, on random weights."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    model: Any
    model, preprocess = clip.load("RN50", device="cpu", weights="random", jit=False)
    image = preprocess(Image.new("RGB", (300, 250), (10, 200, 90))).unsqueeze(0)
    text = clip.tokenize(["a diagram", "a dog", "a cat"])
    with torch.no_grad():
        image_features = model.encode_image(image)
        text_features = model.encode_text(text)
        logits_per_image, _ = model(image, text)
        probs = logits_per_image.softmax(dim=-1).cpu().numpy()
    image_features /= image_features.norm(dim=-1, keepdim=True)
    text_features /= text_features.norm(dim=-1, keepdim=True)
    similarity = (100.0 * image_features @ text_features.T).softmax(dim=-1)
    np.testing.assert_allclose(similarity.numpy(), probs, atol=1e-5)
    assert (model.visual.input_resolution, model.context_length, model.vocab_size) == (224, 77, 49408)
    assert sum(int(np.prod(p.shape)) for p in model.parameters()) == 102_007_137
    assert {"visual.attnpool.positional_embedding", "token_embedding.weight", "logit_scale"} <= set(model.state_dict())
