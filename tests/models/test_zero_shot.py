"""Zero-shot heads against open_clip's own, and the files of labels and texts."""

from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from torch import nn

from beholder._core.errors import InputError
from beholder.models.definitions._base import Weights
from beholder.models.nets._clip import ClipModel
from beholder.models.network._model import Model
from beholder.models.preprocessing._read import ImagePreprocessing
from beholder.models.sources._open_clip import encode_image
from beholder.models.words._prompts import IMAGENET_TEMPLATES
from beholder.models.words._zero_shot import build_zero_shot_head, embed_texts, make_zero_shot, read_labels, read_texts

NAMES = ["goldfish", "great white shark", "great white shark", "crane {bird}"]


@pytest.fixture(scope="module")
def network() -> open_clip.CLIP:
    torch.manual_seed(0)
    return open_clip.CLIP(
        embed_dim=16,
        vision_cfg={"image_size": 32, "head_width": 16, "layers": 1, "width": 32, "patch_size": 16},  # pyright: ignore[reportArgumentType]
        text_cfg={"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},  # pyright: ignore[reportArgumentType]
    ).eval()


@pytest.fixture
def model(network) -> Model:
    return Model(
        name="open_clip:tiny@random",
        path_name="tiny",
        module=network,
        preprocessing=ImagePreprocessing(resize=32, crop=(32, 32)),
        weights=Weights("random"),
        forward=encode_image,
    )


def test_the_eighty_templates_are_the_published_ones():
    assert len(IMAGENET_TEMPLATES) == len(set(IMAGENET_TEMPLATES)) == 80
    assert [t.replace("{}", "x y") for t in IMAGENET_TEMPLATES] == [
        t("x y") for t in open_clip.OPENAI_IMAGENET_TEMPLATES
    ]


def test_the_head_is_that_of_open_clip(network, model):
    with torch.no_grad():
        expected = open_clip.build_zero_shot_classifier(
            network, open_clip.tokenize, NAMES[:2], open_clip.OPENAI_IMAGENET_TEMPLATES
        )
    head = build_zero_shot_head(model, NAMES[:2], batch_size=50)
    assert (head.shape, head.dtype) == ((2, 16), np.float32)
    np.testing.assert_allclose(head, expected.T.numpy(), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(head, axis=1), 1, atol=1e-6)


def test_one_template_and_odd_names(network):
    head = build_zero_shot_head(ClipModel(network), NAMES, ["a photo of a {}."])
    assert head.shape == (4, 16)
    np.testing.assert_array_equal(head[1], head[2])
    one = embed_texts(network, ["a photo of a crane {bird}."], normalize=True)[0]
    np.testing.assert_allclose(head[3], one, atol=1e-6)


def test_a_zero_shot_model_gives_cosines_times_100_and_keeps_its_layers(network, model):
    classifier = make_zero_shot(model, NAMES, ["{}"])
    assert classifier.classes == tuple(NAMES)
    assert classifier.module is model.module
    assert classifier.spec is None
    x = torch.rand(3, 3, 32, 32)
    head = build_zero_shot_head(model, NAMES, ["{}"])
    with torch.no_grad():
        features = encode_image(network, model.normalize(x)).numpy()
        logits = classifier(x).numpy()
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    np.testing.assert_allclose(logits, 100 * features @ head.T, atol=1e-3)
    x.requires_grad_()
    classifier(x).sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0


def test_a_finished_head_is_taken_and_checked(model):
    head = np.eye(4, 16, dtype=np.float32)
    assert make_zero_shot(model, NAMES, head=head)(torch.rand(1, 3, 32, 32)).shape == (1, 4)
    with pytest.raises(InputError, match="3 rows"):
        make_zero_shot(model, NAMES[:3], head=head)


def test_embeddings_do_not_depend_on_the_batch(network):
    texts = [f"text number {i}" for i in range(7)]
    whole = embed_texts(network, texts)
    assert (whole.shape, whole.dtype) == ((7, 16), np.float32)
    np.testing.assert_allclose(embed_texts(network, texts, batch_size=3), whole, atol=1e-5)
    with torch.no_grad():
        np.testing.assert_allclose(whole, network.encode_text(open_clip.tokenize(texts)).numpy(), atol=1e-5)


def test_wrong_arguments(network, model):
    with pytest.raises(InputError, match=r"text tower.*Linear"):
        embed_texts(nn.Linear(2, 2), ["x"])
    with pytest.raises(InputError, match="at least one text"):
        embed_texts(network, [])
    with pytest.raises(RuntimeError, match="tokens"):
        embed_texts(network, ["word " * 100])
    with pytest.raises(InputError, match=r"one \{\} each"):
        build_zero_shot_head(model, NAMES, ["a photo"])
    with pytest.raises(InputError, match="0 names"):
        build_zero_shot_head(model, [])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.txt", "tench\n goldfish \ngreat white shark, Carcharodon\n\n"),
        ("labels.csv", 'tench\ngoldfish\n"great white shark, Carcharodon"\n'),
        ("labels.csv", 'index,Label\n0,tench\n1,goldfish\n\n2,"great white shark, Carcharodon"\n'),
        ("labels.tsv", "label\ntench\ngoldfish\ngreat white shark, Carcharodon\n"),
    ],
)
def test_files_of_labels(tmp_path: Path, name: str, text: str):
    (tmp_path / name).write_text(text, encoding="utf-8-sig")
    assert read_labels(tmp_path / name) == ["tench", "goldfish", "great white shark, Carcharodon"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.txt", "a\n\nb\n", "line 2 is empty"),
        ("x.txt", "\n", "is empty"),
        ("x.csv", "", "is empty"),
        ("x.csv", "id,wnid\n1,n01\n", "the columns id, wnid"),
        ("x.csv", "id,label\n1\n", "row 1"),
        ("x.csv", "label\n", "without one"),
    ],
)
def test_files_of_labels_that_are_wrong(tmp_path: Path, name: str, text: str, message: str):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_labels(tmp_path / name)


def test_files_of_texts(tmp_path: Path):
    (tmp_path / "texts.txt").write_text("a dog\na cat, asleep\n", encoding="utf-8")
    assert read_texts(tmp_path / "texts.txt") == ["a dog", "a cat, asleep"]
    with pytest.raises(InputError, match="no file"):
        read_texts(tmp_path / "absent.txt")
    (tmp_path / "latin.txt").write_bytes("é".encode("latin1"))
    with pytest.raises(InputError, match="UTF-8"):
        read_texts(tmp_path / "latin.txt")
