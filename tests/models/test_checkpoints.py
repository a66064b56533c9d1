"""Checkpoints with a model card: written, read back, and loaded as a name's weights everywhere."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import beholder as bh
from beholder._core.errors import InputError
from beholder.models import (
    ImagePreprocessing,
    ModelCard,
    find_model_words,
    load_checkpoint,
    load_panel,
    load_skeleton,
    make_card,
    read_card,
    resolve_model,
    set_head,
    write_checkpoint,
)

CLASSES = ("circle", "star", "cross")
SMALL = ImagePreprocessing(resize=40, crop=(32, 32), mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
FACTS: dict[str, Any] = {
    "preset": "adversarial",
    "settings": {"lr": 0.1, "attack": {"norm": "l2", "eps": 3}},
    "data": {"name": "drawn", "fingerprint": "xxh128:00", "n_stimuli": 12},
    "accuracies": ({"part": "validation", "attack": "pgd", "eps": 3, "accuracy_top1": 0.5, "n": 12},),
    "licence": "CC0-1.0",
    "notes": ("The step of the attack is MadryLab's.",),
}


@pytest.fixture(scope="module")
def trained() -> bh.Model:
    """The small bundled network with a head of three classes, weights of its own and another preprocessing."""
    net = bh.load_model("beholder:shapes@random", device="cpu", seed=3)
    set_head(net.module, "classifier", 3)
    return replace(net, preprocessing=SMALL, classes=CLASSES)


@pytest.fixture(scope="module")
def checkpoint(trained, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "robust" / "checkpoints"
    return write_checkpoint(folder / "best.safetensors", trained.module, make_card(trained, **FACTS))


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.rand((2, 3, 32, 32), generator=torch.Generator().manual_seed(0))


def test_a_card_is_read_back_whole(trained, checkpoint):
    card = read_card(checkpoint)
    assert card == make_card(trained, **FACTS)
    assert (card.model, card.classes, card.head) == (
        "beholder:shapes", CLASSES, {"module": "classifier", "n_classes": 3},
    )  # fmt: skip
    assert card.settings == FACTS["settings"] and card.accuracies == FACTS["accuracies"]
    assert card.started_from == "random, seed 3" and card.versions["torch"] == torch.__version__.partition("+")[0]
    assert card.read_preprocessing() == SMALL


def test_the_same_weights_give_the_same_bytes(trained, checkpoint, tmp_path):
    mixed = dict(reversed(list(trained.module.state_dict().items())))
    again = write_checkpoint(tmp_path / "best.safetensors", mixed, make_card(trained, **FACTS))
    assert again.read_bytes() == checkpoint.read_bytes()
    assert again.with_suffix(".md").read_text() == checkpoint.with_suffix(".md").read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best.md", "best.safetensors"]
    assert str(tmp_path) not in again.with_suffix(".md").read_text()


def test_a_name_with_a_checkpoint_is_the_trained_network(trained, checkpoint, pictures):
    loaded = bh.load_model(f"beholder:shapes@{checkpoint}", device="cpu")
    assert torch.equal(loaded(pictures), bh.wrap(trained.module, SMALL)(pictures))
    assert (loaded.classes, loaded.preprocessing, loaded.layers) == (CLASSES, SMALL, trained.layers)
    assert (loaded.name, loaded.path_name) == ("beholder:shapes@robust-best", "shapes--robust-best")
    by_flag = bh.load_model("beholder:shapes", model_path=checkpoint, device="cpu")
    assert torch.equal(by_flag(pictures), loaded(pictures)) and by_flag.path_name == loaded.path_name
    by_folder = bh.load_model("beholder:shapes", model_path=checkpoint.parent, device="cpu")
    assert by_folder.classes == CLASSES


def test_workers_and_looks_see_the_same_network(checkpoint, pictures):
    name = f"beholder:shapes@{checkpoint}"
    loaded = bh.load_model(name, device="cpu")
    assert loaded.spec is not None
    again = loaded.spec.load()
    assert again.classes == CLASSES and torch.equal(again(pictures), loaded(pictures))
    assert load_skeleton(name).module.get_submodule("classifier").out_features == 3
    shapes = {info.path: info.output_shape for info in bh.describe_layers(name)}
    assert shapes["classifier"] == (3,) and (shapes["pool1"] or ())[1:] == (8, 8)
    words = find_model_words(loaded) or []
    assert words == ["beholder:shapes", "--model_path", str(checkpoint)]
    assert resolve_model(words[0], model_path=words[2]).definition.classes == CLASSES


def test_what_a_panel_file_says_comes_before_the_card(checkpoint, tmp_path):
    file = tmp_path / "panel.toml"
    text = f'[[models]]\nname = "A"\nsource = "beholder:shapes"\nweights = "{checkpoint}"\n'
    file.write_text(f"{text}{text.replace('A', 'B', 1)}preprocessing = {{ resize = 36 }}\n")
    first, second = (bh.load_model(alias, device="cpu") for alias in load_panel(file))
    assert first.preprocessing == SMALL and first.classes == CLASSES == second.classes
    assert second.preprocessing == replace(SMALL, resize=36)


def test_an_alias_prepares_as_the_card_says(tmp_path, checkpoint):
    bh.register_model("my-shaped", "beholder:shapes", preprocessing="imagenet", overwrite=True)
    assert bh.load_model(f"my-shaped@{checkpoint}", device="cpu").preprocessing == SMALL
    assert bh.load_model("my-shaped@random", device="cpu").preprocessing == ImagePreprocessing()


def test_an_average_of_weights_is_written_as_the_weights(trained, tmp_path):
    average = {name: value * 2 for name, value in trained.module.state_dict().items()}
    card = make_card(trained, average, averaging="exponential moving average, decay 0.99")
    path = write_checkpoint(tmp_path / "ema.safetensors", average, card)
    assert all(torch.equal(value, average[name]) for name, value in load_file(path).items())
    assert "- Weights: exponential moving average, decay 0.99" in path.with_suffix(".md").read_text()


def test_the_page_tells_what_the_card_holds(checkpoint):
    page = checkpoint.with_suffix(".md").read_text()
    assert page.startswith("---\nlicense: CC0-1.0\n")
    assert "`beholder:shapes@best.safetensors`" in page
    assert "| validation | pgd | 3 | 0.5 | 12 |" in page
    assert "- `attack.norm`: l2" in page and "circle, star, cross" in page
    assert "- The step of the attack is MadryLab's." in page


def test_another_architecture_is_one_line(checkpoint):
    with pytest.raises(InputError) as caught:
        bh.load_model(f"torchvision:squeezenet1_1@{checkpoint}", device="cpu")
    text = str(caught.value)
    assert "52 missing (features.0.weight" in text and "unexpected (" in text
    assert f"try beholder:shapes@{checkpoint}, which its card names" in text and "\n" not in text


def test_other_shapes_are_told(checkpoint, tmp_path):
    state = load_file(checkpoint)
    name = next(name for name in state if state[name].ndim == 4)
    state[name] = state[name][:, :1].contiguous()
    path = write_checkpoint(tmp_path / "odd.safetensors", state, read_card(checkpoint))
    with pytest.raises(InputError, match=r"1 of another shape \(block1.conv.weight \(\d+, 1, 7, 7\) for"):
        bh.load_model(f"beholder:shapes@{path}", device="cpu")
    with pytest.raises(InputError, match="in the number of its classes; got one that differs in block1"):
        make_card(bh.load_model("beholder:shapes@random", device="cpu"), state)


def test_a_card_names_as_many_classes_as_there_are_outputs(trained):
    with pytest.raises(InputError, match="3 names of classes for beholder:shapes@random; got 2"):
        make_card(trained, classes=["a", "b"])


def test_a_card_holds_plain_finite_values(trained, tmp_path):
    for wrong in (float("nan"), object()):
        with pytest.raises(InputError, match="plain values and finite numbers"):
            write_checkpoint(tmp_path / "a.safetensors", trained.module, ModelCard(settings={"lr": wrong}))
    assert not list(tmp_path.iterdir())


def test_files_without_a_card(tmp_path, checkpoint):
    plain = tmp_path / "plain.safetensors"
    for metadata in (None, {"format": "pt"}, {"card": "no JSON"}, {"card": '{"title": "another program\'s"}'}):
        save_file(load_file(checkpoint), plain, metadata=metadata)
        with pytest.raises(InputError, match="which has none"):
            read_card(plain)
    with pytest.raises(InputError, match="no file at"):
        read_card(tmp_path / "absent.safetensors")
    with pytest.raises(InputError, match="2 of another shape"):
        bh.load_model(f"beholder:shapes@{plain}", device="cpu")
    with pytest.raises(InputError, match="ends in"):
        write_checkpoint(tmp_path / "a.pt", {}, ModelCard())


def _change_card(path: Path, target: Path, **fields: object) -> Path:
    data = path.read_bytes()
    (n,) = struct.unpack("<Q", data[:8])
    card = json.loads(json.loads(data[8 : 8 + n])["__metadata__"]["card"]) | fields
    save_file(load_file(path), target, metadata={"card": json.dumps(card)})
    return target


def test_a_later_or_a_foreign_card_is_refused_in_one_line(checkpoint, tmp_path):
    later = _change_card(checkpoint, tmp_path / "later.safetensors", format="beholder-model-card/2")
    with pytest.raises(InputError, match=r"beholder-model-card/1; got .*a later version's"):
        bh.load_model(f"beholder:shapes@{later}", device="cpu")
    for fields, name in (({"colour": 1}, "colour"), ({"classes": "abc"}, "classes"), ({"head": [1]}, "head")):
        odd = _change_card(checkpoint, tmp_path / "odd.safetensors", **fields)
        with pytest.raises(InputError, match=f"with its own fields; got '{name}' in that of"):
            bh.load_model(f"beholder:shapes@{odd}", device="cpu")


def test_a_cut_checkpoint_is_named(checkpoint, tmp_path):
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(checkpoint.read_bytes()[:2000])
    with pytest.raises(InputError, match="a truncated file"):
        bh.load_model(f"beholder:shapes@{cut}", device="cpu")


def test_variants_of_an_architecture_come_back(tmp_path):
    name = "torchvision:vit_b_16"
    variant = "IMAGENET1K_SWAG_E2E_V1"  # of 384 pixels, where the default weights have 224
    base = resolve_model(f"{name}@{variant}").definition
    card = ModelCard(name, variant=variant, preprocessing=base.preprocessing.to_dict())
    path = write_checkpoint(tmp_path / "a.safetensors", {"x": torch.zeros(1)}, card)
    found = resolve_model(f"{name}@{path}")
    assert found.variant == variant and found.definition.preprocessing.input_shape == (3, 384, 384)


class TiedNetwork(nn.Module):
    """Two names for one tensor, which the format does not know."""

    def __init__(self, n_classes: int = 4) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(n_classes, n_classes, bias=False), nn.Linear(n_classes, n_classes)
        self.second.weight = self.first.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x))


def test_a_module_of_the_users_own(tmp_path):
    net = bh.wrap(TiedNetwork(), input_shape=(4,), classes=("a", "b", "c", "d"))
    path = write_checkpoint(tmp_path / "own.safetensors", net.module, make_card(net))
    assert read_card(path).model is None and "load_checkpoint(module" in path.with_suffix(".md").read_text()
    fresh = TiedNetwork()
    loaded = load_checkpoint(fresh, path)
    x = torch.rand(3, 4)
    assert torch.equal(loaded(x), net(x)) and loaded.classes == ("a", "b", "c", "d")
    assert loaded.module is fresh and fresh.second.weight is fresh.first.weight
    with pytest.raises(InputError, match="of another shape"):
        load_checkpoint(TiedNetwork(5), path)
    with pytest.raises(InputError, match="a module of your own"):
        load_checkpoint(bh.load_model("beholder:shapes@random", device="cpu"), path)


def test_functions_of_the_users_own_are_not_kept(tmp_path):
    net = bh.wrap(TiedNetwork(), normalize=lambda x: x - 1, input_shape=(4,))
    assert make_card(net).preprocessing is None


def test_a_python_file_with_a_checkpoint(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from torch import nn\n\ninput_shape = (3, 8, 8)\ninput_range = (0, 1)\nlayers = ['0']\n\n\n"
        "def build():\n    return nn.Sequential(nn.Flatten(), nn.Linear(192, 10))\n"
    )
    net = bh.load_model(f"file:{file}", device="cpu")
    set_head(net.module, "1", 3)
    path = write_checkpoint(tmp_path / "mine.safetensors", net.module, make_card(net, classes=CLASSES))
    loaded = bh.load_model(f"file:{file}@{path}", device="cpu")
    x = torch.rand(2, 3, 8, 8)
    assert torch.equal(loaded(x), bh.wrap(net.module)(x)) and loaded.classes == CLASSES
    assert str(tmp_path) not in str(read_card(path).model)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(6, 9, bias=False), (2, 6)), (nn.Conv2d(6, 9, 3, stride=2, padding=1), (2, 6, 8, 8)),
        (nn.Conv1d(6, 9, 1), (2, 6, 8)),
    ],
)  # fmt: skip
def test_set_head_changes_the_number_of_outputs_alone(layer, shape):
    net = nn.Sequential(nn.Identity(), layer.double())
    before = net(torch.zeros(shape, dtype=torch.float64))
    set_head(net, "1", 4)
    after = net(torch.zeros(shape, dtype=torch.float64))
    assert after.shape == (before.shape[0], 4, *before.shape[2:]) and after.dtype == torch.float64
    assert (net[1].bias is None) == (layer.bias is None)


def test_set_head_refuses_other_layers():
    net = nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3))
    for path in ("0", "1"):
        with pytest.raises(InputError, match="a linear layer or a convolution to replace; got"):
            set_head(net, path, 4)
    with pytest.raises(InputError, match="a network with the layer fc"):
        set_head(net, "fc", 4)
