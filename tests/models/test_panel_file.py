"""Panel files: what they may say, and what is said when they are wrong."""

from pathlib import Path

import pytest

from beholder._core.errors import InputError
from beholder.models.catalog._panel import load_panel
from beholder.models.catalog._panel_table import expand_taps
from beholder.models.preprocessing._read import CLIP_MEAN, IMAGENET_MEAN, ImagePreprocessing


@pytest.fixture
def write(tmp_path: Path):
    def write_panel(text: str) -> Path:
        file = tmp_path / "panel.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write_panel


def test_a_full_entry(write):
    file = write(
        """
        [[models]]
        name = "ConvNeXt-Tiny"
        source = "timm:convnext_tiny"
        weights = "fb_in1k"
        layers = ["stages.{0..3}", "head.fc"]
        pooling = "mean"
        device = "cuda:1"
        taps = { "stage{0,1}" = "stages.{0,1}" }
        preprocessing = { resize = 256, interpolation = "bilinear" }
        note = "for trying out"
        """
    )
    (alias,) = load_panel(file)
    assert (alias.path_name, alias.source, alias.model, alias.tag) == (
        "ConvNeXt-Tiny",
        "timm",
        "convnext_tiny",
        "fb_in1k",
    )
    assert alias.layers == ("stages.0", "stages.1", "stages.2", "stages.3", "head.fc")
    assert alias.taps == {"stage0": "stages.0", "stage1": "stages.1"}
    assert (alias.pool, alias.device) == ("mean", "cuda:1")
    own = alias.preprocessing
    assert isinstance(own, ImagePreprocessing)
    assert (own.resize, own.interpolation, own.crop, own.mean) == (256, "bilinear", (224, 224), IMAGENET_MEAN)


def test_preprocessing_starts_from_the_models_own_or_from_a_named_one(write):
    models = '[[models]]\nname = "a"\nsource = "RN50"\npreprocessing = { resize = 256 }\n'
    models += '[[models]]\nname = "b"\nsource = "RN50"\npreprocessing = { base = "imagenet", crop = 200 }\n'
    models += '[[models]]\nname = "c"\nsource = "RN50"\npreprocessing = "imagenet-232"\n'
    own, named, word = (alias.preprocessing for alias in load_panel(write(models)))
    assert isinstance(own, ImagePreprocessing) and isinstance(named, ImagePreprocessing)
    assert (own.resize, own.mean, own.interpolation) == (256, CLIP_MEAN, "bicubic")
    assert (named.crop, named.mean) == ((200, 200), IMAGENET_MEAN)
    assert word == ImagePreprocessing(resize=232)


def test_a_catalog_name_as_source_brings_its_settings(write):
    (alias,) = load_panel(write('[[models]]\nname = "mine"\nsource = "VGG19"\nweights = "random"\n'))
    assert alias.path_name == "mine"
    assert (alias.source, alias.model, alias.tag) == ("torchvision", "vgg19", "random")
    assert alias.layers == tuple(f"maxpool{i}" for i in range(1, 6))
    assert alias.taps["maxpool5"] == "features.36"


def test_weights_beside_the_panel_file(write, tmp_path: Path):
    (tmp_path / "net.pt").touch()
    text = '[[models]]\nname = "x"\nsource = "torchvision:alexnet"\nweights = "{}"\n'
    (alias,) = load_panel(write(text.format("net.pt")))
    assert alias.tag == str(tmp_path / "net.pt")
    with pytest.raises(InputError, match="no file at"):
        load_panel(write(text.format("gone.pt")))


def test_a_python_file_beside_the_panel_file(write, tmp_path: Path):
    (alias,) = load_panel(write('[[models]]\nname = "x"\nsource = "file:build_network.py"\n'), run_code=True)
    assert (alias.source, alias.model) == ("file", str(tmp_path / "build_network.py"))


ENTRY = '[[models]]\nname = "x"\nsource = "torchvision:alexnet"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ENTRY + 'layer = ["conv1"]\n', r"'layer'; try 'layers'; the keys are name, aliases, source"),
        (ENTRY + "zzz = 1\n", r"'zzz'; try one of name, aliases, source"),
        ('[[models]]\nsource = "torchvision:alexnet"\n', r"'name'.*got nothing"),
        ('[[models]]\nname = "x"\n', r"'source'.*got nothing"),
        ('[[models]]\nname = "x"\nsource = "nothing like it"\n', r"'source:name'"),
        (ENTRY + "layers = [1]\n", r"'layers'"),
        (ENTRY + 'pooling = "median"\n', r"one of none, mean, max, cls, center"),
        (ENTRY + 'device = "gpu"\n', r"a device"),
        (ENTRY + 'taps = { "a{1,2}" = "features.{1,2,3}" }\n', r"3 layers for 2 names"),
        (ENTRY + "taps = { a = 1 }\n", r"taps"),
        (ENTRY + "preprocessing = 3\n", r"preprocessing"),
        (ENTRY + "preprocessing = { sizes = 3 }\n", r"sizes"),
        (ENTRY + ENTRY, r"'x' twice"),
        ("[panel]\n", r"only \[\[models\]\]"),
        ("", r"at least one"),
        ("models = 3\n", r"at least one"),
        ("not toml", r"TOML"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(write, text: str, message: str):
    with pytest.raises(InputError, match=message) as caught:
        load_panel(write(text))
    assert "\n" not in str(caught.value)


def test_an_absent_or_unreadable_file(tmp_path: Path):
    with pytest.raises(InputError, match="no file at"):
        load_panel(tmp_path / "absent.toml")
    (tmp_path / "latin.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        load_panel(tmp_path / "latin.toml")


def test_taps_are_paired():
    assert expand_taps({"{a,b}.{0..1}": "{c,d}.{2..3}"}) == {"a.0": "c.2", "a.1": "c.3", "b.0": "d.2", "b.1": "d.3"}
