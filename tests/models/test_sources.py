"""What each source lists, builds and refuses."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from beholder._core.errors import InputError, MissingExtra, UnknownNameError
from beholder.models import SOURCES, ModelDefinition, Source, list_layers, list_models, load_model
from beholder.models.definitions._base import get_source
from beholder.models.definitions._meta import build_on_meta, find_build_device
from beholder.models.preprocessing._read import ImagePreprocessing

FAST = ("alexnet", "densenet121", "efficientnet_b0", "googlenet", "inception_v3", "mnasnet0_5",
        "mobilenet_v3_small", "regnet_y_400mf", "resnet18", "shufflenet_v2_x0_5", "swin_t", "vgg11_bn", "vit_b_32",
        "deeplabv3_resnet50")  # fmt: skip


def check_meta(name: str, n_outputs: int | None = None) -> None:
    model = load_model(name, meta=True)
    assert model.input_shape is not None
    with torch.no_grad():
        output = model(torch.zeros((2, *model.input_shape), device="meta"))
    assert output.shape[0] == 2 and (n_outputs is None or output.shape[1] == n_outputs)


@pytest.mark.parametrize("name", FAST)
def test_torchvision_builds(name):
    check_meta(f"torchvision:{name}", 21 if "deeplab" in name else 1000)


@pytest.mark.slow
def test_every_torchvision_network_builds():
    from torchvision.models import list_models as list_all

    refused = 0
    for name in list_all():
        try:
            check_meta(f"torchvision:{name}")
        except InputError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused < 40 and len(get_source("torchvision").list_names()) >= 86


@pytest.mark.slow
@pytest.mark.parametrize("source", ["timm", "open_clip"])
def test_a_sample_of_a_large_source_builds(source):
    for name in get_source(source).list_names()[::10]:
        if "roberta" not in name and "mt5" not in name and "nllb" not in name:
            check_meta(f"{source}:{name}")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("fasterrcnn_resnet50_fpn", "boxes"),
        ("r3d_18", "clips"),
        ("raft_small", "pairs"),
        ("quantized_resnet18", "integer"),
    ],
)
def test_torchvision_says_why_not(name, reason):
    with pytest.raises(InputError, match=reason) as caught:
        load_model(f"torchvision:{name}", meta=True)
    assert "\n" not in str(caught.value)
    assert name not in get_source("torchvision").list_names()


def test_torchvision_preprocessing_follows_the_weights():
    source = get_source("torchvision")
    assert source.find("resnet50", None).preprocessing == ImagePreprocessing(resize=256)
    assert source.find("resnet50", "IMAGENET1K_V2").preprocessing == ImagePreprocessing(resize=232)
    swag = source.find("vit_b_16", "IMAGENET1K_SWAG_E2E_V1")
    assert swag.preprocessing.input_shape == (3, 384, 384)
    with torch.device("meta"):
        assert swag.build().image_size == 384


@pytest.mark.parametrize("name", ["googlenet", "densenet121"])
def test_published_files_with_other_names_load(name, tmp_path):
    """Files that older torchvision wrote: auxiliary heads, dots in DenseNet's names."""
    from torchvision.models import get_model

    options = {"aux_logits": True, "init_weights": False} if name == "googlenet" else {}
    state = get_model(name, **options).state_dict()
    if name == "densenet121":
        state = {key.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): value for key, value in state.items()}
    torch.save(state, tmp_path / "net.pth")
    model = load_model(f"torchvision:{name}", model_path=tmp_path / "net.pth", device="cpu")
    with torch.no_grad():
        assert model(torch.rand(1, 3, 224, 224)).shape == (1, 1000)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3", "shufflenet_v2_x0_5"])
def test_torchvision_computes_what_its_own_builder_does(name, tmp_path, monkeypatch):
    """The published file, read from the cache by torchvision's own road and by ours."""
    from torchvision.models import get_model, get_model_weights

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    torch.manual_seed(0)
    options = {} if name.startswith("shuffle") else {"aux_logits": True, "init_weights": False}
    file = tmp_path / "hub" / "checkpoints" / get_model_weights(name)["IMAGENET1K_V1"].url.rsplit("/", 1)[-1]
    file.parent.mkdir(parents=True)
    torch.save(get_model(name, **options).state_dict(), file)
    oracle = get_model(name, weights="IMAGENET1K_V1").eval()
    model = load_model(f"torchvision:{name}", device="cpu")
    assert model.weights.file == str(file)
    x = torch.rand(1, *(model.input_shape or ()))
    with torch.no_grad():
        assert torch.equal(model(x), oracle(model.normalize(x)))


def test_timm_preprocessing_follows_the_tag():
    source = get_source("timm")
    deit: Any = source.find("deit_base_patch16_224", None).preprocessing
    assert (deit.resize, deit.crop, deit.interpolation) == (248, (224, 224), "bicubic")
    vit: Any = source.find("vit_base_patch32_224", None).preprocessing
    assert vit.mean == (0.5, 0.5, 0.5) and vit.resize == 248
    own: Any
    own, tagged = source.find("resnet50.tv_in1k", None), source.find("resnet50", "tv_in1k")
    assert own.preprocessing == tagged.preprocessing and own.preprocessing.interpolation == "bilinear"
    assert own.requested_tag == "tv_in1k" and own.name == "resnet50"


@pytest.mark.parametrize(
    "name", ["convnext_large", "resnext101_32x8d", "vit_large_patch14_clip_224", "tf_efficientnet_lite0"]
)
def test_timm_builds(name):
    check_meta(f"timm:{name}")


def test_timm_old_names_are_followed():
    definition = get_source("timm").find("vit_huge_patch14_224_in21k", None)
    assert definition.name == "vit_huge_patch14_224"


def test_timm_weight_file_in_the_first_authors_format(tmp_path):
    """Facebook's ConvNeXt names, which timm itself translates."""
    model: Any = load_model("timm:convnext_atto@random", device="cpu")
    state = model.module.state_dict()
    assert "stages.0.blocks.0.conv_dw.weight" in state
    old = {}
    for key, value in state.items():
        key = (
            key.replace("stem.", "downsample_layers.0.")
            .replace(".conv_dw.", ".dwconv.")
            .replace(".mlp.fc1.", ".pwconv1.")
        )
        key = key.replace(".mlp.fc2.", ".pwconv2.").replace("head.norm.", "norm.").replace("head.fc.", "head.")
        if ".downsample." in key:
            stage = key.split(".")[1]
            key = key.replace(f"stages.{stage}.downsample.", f"downsample_layers.{stage}.")
        key = ".".join(part for part in key.split(".") if part != "blocks")
        old[key] = value
    torch.save({"model": old}, tmp_path / "facebook.pth")
    again = load_model("timm:convnext_atto", model_path=tmp_path / "facebook.pth", device="cpu")
    x = torch.rand(1, *model.input_shape)
    assert torch.equal(again(x), model(x))


def test_a_builder_that_moves_what_it_made_works_without_memory():
    """Also where the first attempt, under ``torch.device("meta")``, fails, as older timm's do."""

    def build():
        if torch.empty(0).is_meta:
            raise RuntimeError("a layout that is computed with tensors")
        return nn.Linear(2, 3).to(find_build_device())

    state = torch.get_rng_state()
    assert find_build_device().type == "cpu" and torch.equal(torch.get_rng_state(), state)
    with torch.device("meta"):
        assert find_build_device().type == "meta"
    assert all(parameter.is_meta for parameter in build_on_meta(build).parameters())


@pytest.mark.parametrize("name", ["RN50", "ViT-B-32", "convnext_large_d_320", "coca_ViT-B-32", "ViT-B-16-SigLIP"])
def test_open_clip_builds(name):
    check_meta(f"open_clip:{name}")


def test_open_clip_is_the_embedding_before_normalisation(tmp_path):
    model: Any = load_model("open_clip:ViT-S-32@random", device="cpu")
    x = torch.rand(2, 3, 224, 224)
    embedding = model(x)
    assert torch.equal(embedding, model.module.encode_image(model.normalize(x)))
    assert not torch.allclose(embedding.norm(dim=1), torch.ones(2), atol=1e-3)
    torch.save(
        {"state_dict": {f"module.{k}": v for k, v in model.module.state_dict().items()}}, tmp_path / "epoch_1.pt"
    )
    again = load_model("open_clip:ViT-S-32", model_path=tmp_path / "epoch_1.pt", device="cpu")
    assert torch.equal(again(x), embedding)


def test_open_clip_builds_what_the_weights_were_trained_with():
    """OpenAI's weights want the quick GELU, whichever name the architecture has."""
    for name, tag, quick in (
        ("ViT-B-32", "openai", True),
        ("ViT-B-32", "laion2b_s34b_b79k", False),
        ("ViT-B-32-quickgelu", None, True),
    ):
        with torch.device("meta"):
            module: Any = get_source("open_clip").find(name, tag).build()
        kinds = {type(child).__name__ for child in module.visual.modules()}
        assert ("QuickGELU" in kinds) is quick


def test_open_clip_leaves_the_root_logger_alone():
    import logging

    handlers = list(logging.getLogger().handlers)
    load_model("open_clip:RN50", meta=True)
    assert logging.getLogger().handlers == handlers


def test_transformers_vision(tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48, image_size=64, num_labels=5
    )
    saved = transformers.ViTForImageClassification(config)
    saved.save_pretrained(tmp_path / "vit")
    model = load_model(f"transformers:{tmp_path}/vit", device="cpu")
    assert model.weights.file and model.weights.file.endswith("model.safetensors") and model.classes is not None
    assert model.input_shape == (3, 224, 224) or model.input_shape == (3, 64, 64)
    x = torch.rand(2, 3, 64, 64)
    expected = saved.eval()(pixel_values=(x - 0.5) / 0.5).logits
    assert torch.allclose(model(x), expected, atol=1e-6)
    check_meta("transformers:vit")
    check_meta("transformers:dinov2")


@pytest.mark.parametrize("name", ["wav2vec2", "hubert", "whisper", "ast"])
def test_transformers_sound(name, tmp_path):
    transformers = pytest.importorskip("transformers")
    small = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "num_conv_pos_embeddings": 16,
    }
    tiny = {
        "wav2vec2": lambda: transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**small)),
        "hubert": lambda: transformers.HubertModel(transformers.HubertConfig(**small)),
        "whisper": lambda: transformers.WhisperModel(
            transformers.WhisperConfig(d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
                                       decoder_attention_heads=2,
                                       encoder_ffn_dim=32, decoder_ffn_dim=32)),
        "ast": lambda: transformers.ASTForAudioClassification(
            transformers.ASTConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)),
    }  # fmt: skip
    torch.manual_seed(0)
    tiny[name]().save_pretrained(tmp_path / name)
    model = load_model(f"transformers:{tmp_path}/{name}", device="cpu")
    assert model.modality == "sound" and model.sample_rate == 16_000
    n_samples = model.input_shape[0] if model.input_shape else 16_000
    x = (0.1 * torch.randn(2, n_samples, generator=torch.Generator().manual_seed(0))).requires_grad_()
    output = model(x)
    assert output.shape[0] == 2 and output.ndim == 2
    output.sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0


def test_transformers_says_what_it_lacks(monkeypatch):
    pytest.importorskip("transformers")
    with pytest.raises(InputError, match=r"encoder of pictures or sounds"):
        import transformers

        from beholder.models.sources import _transformers

        monkeypatch.setattr(_transformers, "_read_config", lambda *args: transformers.BertConfig())
        load_model("transformers:google/bert", meta=True)
    with pytest.raises(UnknownNameError, match="dinov2"):
        load_model("transformers:dinov3x", meta=True)
    monkeypatch.setattr("beholder.models.sources._transformers.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"beholder\[transformers\]"):
        load_model("transformers:vit", meta=True)


FILE = """
import torch
from torch import nn

input_shape = (3, 32, 32)
input_range = (0.0, 1.0)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))

"""
ENDINGS = {
    "build": "def build():\n    return Net()\n",
    "build_layers": "def build():\n    return Net(), ['conv']\n",
    "main": "def main(return_metamer_layers=False):\n"
    "    return (Net(), object(), ['conv']) if return_metamer_layers else Net()\n",
    "model": "model = nn.DataParallel(Net())\n",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_file(ending, tmp_path):
    file = tmp_path / "my_nets" / "build_network.py"
    file.parent.mkdir()
    file.write_text(FILE + ENDINGS[ending])
    model: Any = load_model(f"file:{file}", device="cpu")
    assert model.path_name == "my_nets" and model.input_shape == (3, 32, 32)
    assert model.layers == (() if ending in ("build", "model") else ("conv",))
    assert model(torch.rand(2, 3, 32, 32)).shape == (2, 2)
    assert np.array_equal(model.prepare(np.ones((3, 32, 32))), np.ones((3, 32, 32), np.float32))
    again = model.spec.load("cpu")
    assert all(torch.equal(a, b) for a, b in zip(again.module.parameters(), model.module.parameters(), strict=True))
    assert list_layers(f"file:{file}")[1][0].output_shape == (4, 30, 30)
    state = {key: torch.ones_like(value) for key, value in model.module.state_dict().items()}
    torch.save(state, tmp_path / "ones.pth")
    loaded: Any = load_model(f"file:{file}", model_path=tmp_path / "ones.pth", device="cpu")
    assert loaded.path_name == "my_nets--ones" and loaded.module.fc.weight.min() == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [("x = 1", "build"), ("1 / 0", "ZeroDivisionError"), ("def build(): return 3", "torch.nn.Module")],
)
def test_file_without_a_network(text, message, tmp_path):
    (tmp_path / "net.py").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load_model(f"file:{tmp_path}/net.py", device="cpu")
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no file"):
        load_model("file:absent.py", device="cpu")


class OtherSource(Source):
    def list_names(self) -> list[str]:
        return ["line"]

    def find(self, name: str, tag: str | None) -> ModelDefinition:
        return ModelDefinition("other", "line", nn.Flatten, ImagePreprocessing())


def test_third_party_source(monkeypatch):
    monkeypatch.setitem(SOURCES._entries, "other", OtherSource)
    assert load_model("other:line@random", device="cpu")(torch.rand(1, 3, 4, 4)).shape == (1, 48)
    assert [listing.loads for listing in list_models("other:")] == ["other:line"]
    monkeypatch.setitem(SOURCES._entries, "other", 3)
    with pytest.raises(InputError, match="entry point"):
        load_model("other:line@random", device="cpu")


def test_list_models():
    assert [model.loads for model in list_models("torchvision:squeezenet*")] == [
        "torchvision:squeezenet1_0",
        "torchvision:squeezenet1_1",
    ]
    names = {model.loads for model in list_models("EFFICIENTNET_LITE0")}
    assert "timm:tf_efficientnet_lite0" in names
    assert any(model.source == "catalog" for model in list_models("RN50"))
    assert list_models("no-such-network") == []


def test_importing_the_room_loads_no_torch():
    code = "import sys, beholder.models as m; m.list_aliases(); assert not {'torch', 'timm'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
