"""CLIP's documented interface, on networks with random weights."""

import logging
import warnings
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from beholder._core.errors import InputError, UnknownNameError, WeightsUnavailable
from beholder.models import clip
from beholder.models._clip_model import ClipModel, script_model
from beholder.models._load import load_model
from beholder.models.clip import _load_file, make_transform


def make_network(*, resnet: bool = False) -> open_clip.CLIP:
    torch.manual_seed(0)
    tower = {"layers": [1, 1, 1, 1], "width": 16} if resnet else {"layers": 2, "width": 32, "patch_size": 16}
    network = open_clip.CLIP(
        embed_dim=16,
        vision_cfg={"image_size": 32, "head_width": 16, **tower},
        text_cfg={"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
        quick_gelu=True,
    ).eval()
    torch.nn.init.constant_(network.logit_scale, np.log(100))
    return network


@pytest.fixture(scope="module")
def network() -> open_clip.CLIP:
    return make_network()


def test_available_models():
    names = clip.available_models()
    assert names[:2] == ["RN50", "ViT-B/32"]
    assert {"RN101", "ViT-B/16", "ViT-L/14", "ViT-L/14@336px"} <= set(names)
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
        def encode_image(self, image, *options, **more):
            return image.mean((2, 3)) if np.random is not None else eval("image")

        encode_text = encode_image

    model = ClipModel(Unscriptable())
    with caplog.at_level(logging.WARNING, "beholder"):
        assert script_model(model, "CLIP of mine") is model
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("CLIP of mine is not scripted")


def test_the_transform_is_clips_and_agrees_with_ours():
    preprocessing = load_model("ViT-32", meta=True).preprocessing
    transform = make_transform(preprocessing)
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (301, 260, 3), dtype=np.uint8))
    expected = open_clip.image_transform(
        224, is_train=False, mean=open_clip.OPENAI_DATASET_MEAN, std=open_clip.OPENAI_DATASET_STD
    )(picture)
    torch.testing.assert_close(transform(picture), expected)
    ours = preprocessing.normalize(torch.from_numpy(preprocessing.prepare(picture))[None])[0]
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)
    assert transform(Image.new("L", (40, 30))).shape == (3, 224, 224)


def test_load_with_random_weights(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    model, transform = clip.load("ViT-B/32", jit=False, weights="random")
    images = transform(Image.new("RGB", (50, 60), (200, 30, 30))).unsqueeze(0)
    with torch.no_grad():
        per_image, per_text = model(images, clip.tokenize(["red", "blue"]))
    assert (per_image.shape, per_text.shape, per_image.dtype) == ((1, 2), (2, 1), torch.float32)
    assert per_image.abs().max() <= 100
    network = model.network
    assert network.get_parameter("logit_scale").exp().item() == pytest.approx(100)
    assert type(network.get_submodule("transformer.resblocks.0.mlp.gelu")).__name__ == "QuickGELU"
    assert next(model.parameters()).device.type == "cpu"
    assert not model.training


def test_the_first_cuda_device_is_the_default(monkeypatch):
    asked = {}

    def stop(name, **options):
        asked.update(options, name=name)
        raise WeightsUnavailable("nothing here")

    monkeypatch.setattr("beholder.models._load.load_model", stop)
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
    fresh = make_network()
    torch.nn.init.normal_(fresh.text_projection)
    _load_file(fresh, file)
    torch.testing.assert_close(fresh.state_dict(), state, atol=1e-3, rtol=1e-3)
    assert fresh.text_projection.dtype == torch.float32
