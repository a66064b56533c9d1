"""Names of other tools: those of published weights load them, the others say in one line what to type."""

import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import torch

import beholder as bh
from beholder._core.errors import InputError, UnknownNameError
from beholder.models.catalog._elsewhere import list_names_elsewhere
from beholder.models.catalog._entries import list_aliases
from beholder.models.network._load import load_model, resolve_model
from beholder.models.preprocessing._read import ImagePreprocessing

PUBLISHED = "https://dl.fbaipublicfiles.com/"
# the files that thingsvision and PyTorch Hub load under these names
FILES = {
    "dino-vit-small-p8": "dino/dino_deitsmall8_pretrain/dino_deitsmall8_pretrain.pth",
    "dino-vit-small-p16": "dino/dino_deitsmall16_pretrain/dino_deitsmall16_pretrain.pth",
    "dino-vit-base-p8": "dino/dino_vitbase8_pretrain/dino_vitbase8_pretrain.pth",
    "dino-vit-base-p16": "dino/dino_vitbase16_pretrain/dino_vitbase16_pretrain.pth",
    "dinov2-vit-small-p14": "dinov2/dinov2_vits14/dinov2_vits14_pretrain.pth",
    "dinov2-vit-base-p14": "dinov2/dinov2_vitb14/dinov2_vitb14_pretrain.pth",
    "dinov2-vit-large-p14": "dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth",
    "dinov2-vit-giant-p14": "dinov2/dinov2_vitg14/dinov2_vitg14_pretrain.pth",
    "mae-vit-base-p16": "mae/pretrain/mae_pretrain_vit_base.pth",
    "mae-vit-large-p16": "mae/pretrain/mae_pretrain_vit_large.pth",
    "mae-vit-huge-p14": "mae/pretrain/mae_pretrain_vit_huge.pth",
}
HUB = {"dino_vits8": "dino-vit-small-p8", "dino_vits16": "dino-vit-small-p16", "dino_vitb8": "dino-vit-base-p8",
       "dino_vitb16": "dino-vit-base-p16", "dinov2_vits14": "dinov2-vit-small-p14",
       "dinov2_vitb14": "dinov2-vit-base-p14", "dinov2_vitl14": "dinov2-vit-large-p14",
       "dinov2_vitg14": "dinov2-vit-giant-p14"}  # fmt: skip
SUGGESTED = re.compile(r"\b(timm|open_clip|torchvision):[\w-]+@\w+")


@pytest.mark.parametrize("name", FILES)
def test_a_name_loads_the_file_that_the_other_tool_loads(name: str):
    from timm.models import get_pretrained_cfg

    found = resolve_model(name)
    assert found.definition.source == "timm"
    assert found.tag in found.definition.tags
    config = get_pretrained_cfg(f"{found.definition.name}.{found.tag}")
    assert config is not None and config.url == PUBLISHED + FILES[name]
    assert config.num_classes == 0  # the embedding, as the other tool returns it


@pytest.mark.parametrize("name", FILES)
def test_pictures_are_prepared_as_the_authors_evaluate(name: str):
    own = load_model(name, meta=True).preprocessing
    assert isinstance(own, ImagePreprocessing)
    size = (518, 518) if "dinov2" in name else (256, 224)
    resize = own.resize if isinstance(own.resize, int) else min(own.resize or (0, 0))
    assert (resize, own.crop, own.crop_mode) == (size[0], (size[1], size[1]), "center")
    assert own.interpolation == "bicubic"
    assert own.mean == (0.485, 0.456, 0.406)
    assert own.std == (0.229, 0.224, 0.225)


@pytest.mark.parametrize(("hub", "name"), HUB.items())
def test_names_of_pytorch_hub(hub: str, name: str):
    assert resolve_model(hub).name == resolve_model(name).name
    assert resolve_model(hub).path_name == name


@pytest.mark.parametrize(
    ("name", "loads"),
    [
        ("cornet-s", "cornet:cornet_s"),
        ("cornet-r", "cornet:cornet_r"),
        ("cornet-rt", "cornet:cornet_rt"),
        ("cornet-z", "cornet:cornet_z"),
    ],
)
def test_names_of_cornet(name: str, loads: str):
    assert resolve_model(name).name.startswith(f"{loads}@")


@pytest.mark.parametrize("name", list_names_elsewhere())
@pytest.mark.parametrize("spell", [str, str.lower, str.upper])
def test_a_name_that_loads_nothing_says_what_it_is(name: str, spell):
    with pytest.raises(InputError) as caught:
        resolve_model(spell(name))
    assert not isinstance(caught.value, UnknownNameError)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"expected a model that is loaded by its name alone; got {spell(name)!r}, ")
    assert "; try " in line
    assert "{" not in line


@pytest.mark.parametrize("name", ["clip", "OpenCLIP", "SegmentAnything"])
def test_what_is_suggested_resolves(name: str):
    with pytest.raises(InputError) as caught:
        resolve_model(name)
    suggested = [match[0] for match in SUGGESTED.finditer(caught.value.hint or "")]
    assert suggested
    for each in suggested:
        assert resolve_model(each).name == each


def test_no_name_is_listed_twice_or_loads():
    names = [name.lower() for name in list_names_elsewhere()]
    text = (files("beholder.models") / "_data" / "elsewhere.toml").read_text(encoding="utf-8")
    assert len(names) == len(set(names)) == sum(len(table["names"]) for table in tomllib.loads(text)["models"])
    assert not set(names) & {name.lower() for name in list_aliases()}


def test_weights_and_panels_lead_to_the_same_line(tmp_path: Path):
    with pytest.raises(InputError, match="VISSL trained by SimCLR"):
        resolve_model("simclr-rn50", pretrained=True)
    with pytest.raises(InputError, match="VISSL trained by SimCLR"):
        resolve_model("simclr-rn50@random")


def read_recipe() -> str:
    page = Path(__file__).parents[2] / "docs" / "own_models.md"
    section = page.read_text(encoding="utf-8").split("## Networks that other tools name")[1]
    return section.split("```python notest\n")[1].split("```")[0]


def test_the_pages_recipe_loads_a_file_of_this_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from torchvision.models import resnet50

    torch.manual_seed(3)
    network: Any = resnet50()
    trunk = {f"_feature_blocks.{name}": x for name, x in network.state_dict().items() if not name.startswith("fc.")}
    content = {"classy_state_dict": {"base_model": {"model": {"trunk": trunk}}}}
    torch.save(content, tmp_path / "model_final_checkpoint_phase799.torch")
    (tmp_path / "build_network.py").write_text(read_recipe(), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    net = bh.load_model("file:build_network.py", device="cpu")
    x = torch.rand(1, 3, 64, 64)
    network.fc = torch.nn.Identity()
    with torch.no_grad():
        expected = network.eval()(net.normalize(x))
    assert torch.allclose(net(x), expected, atol=1e-5)
    assert net.preprocessing.input_shape == (3, 224, 224)
