from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn

from beholder._core.errors import UnknownNameError, WeightsUnavailable
from beholder.models import load_model, read_card
from beholder.models.nets._bundled import BundledPictureNetwork, load_stored_state, to_stored_state
from beholder.models.sources._bundled import _FOLDER, BundledSource
from beholder.stimuli import SHAPE_CATEGORIES, SYLLABLE_CATEGORIES, make_shape_picture, make_syllable
from beholder.synthesis import open_attack_space, run_apgd, run_pgd
from beholder.training import resolve_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Many small operations wait for one another on cores that are busy with something else."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def net():
    return load_model("beholder:shapes")


@pytest.fixture(scope="module")
def ear():
    return load_model("beholder:syllables", device="cpu")


def test_loads_from_the_package(net):
    assert net.name == "beholder:shapes@v2"
    assert net.path_name == "shapes"
    assert net.classes == SHAPE_CATEGORIES
    assert net.input_shape == (3, 224, 224)
    assert net.weights.file == str(_FOLDER / "shapes-v2.safetensors")


def test_file_is_small_and_stored_in_half_precision():
    path = _FOLDER / "shapes-v2.safetensors"
    assert path.stat().st_size < 1_400_000
    with safe_open(path, "pt") as file:
        dtypes = {name: file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118
    assert dtypes["block3.conv.weight"] == torch.float16
    assert dtypes["block3.norm.running_var"] == torch.float32


def test_more_than_nine_of_ten_held_out_pictures_are_named_right(net):
    pictures = [(target, make_shape_picture(category, 9_000_000 + i))
                for target, category in enumerate(SHAPE_CATEGORIES) for i in range(5)]  # fmt: skip
    batch = torch.from_numpy(np.stack([net.prepare(picture) for _, picture in pictures]))
    with torch.inference_mode():
        answers = net(batch).argmax(1).tolist()
    assert np.mean([answer == target for answer, (target, _) in zip(answers, pictures, strict=True)]) > 0.9


@pytest.mark.parametrize(("name", "classes"), [("shapes", SHAPE_CATEGORIES), ("syllables", SYLLABLE_CATEGORIES)])
def test_cards_tell_what_twins_reach_and_how_they_were_trained(name, classes):
    plain, robust = (read_card(_FOLDER / f"{name}{side}-v2.safetensors") for side in ("", "-robust"))
    accuracies = []
    for side, card in (("", plain), ("-robust", robust)):
        assert card.classes == classes and card.licence == "MIT"
        settings = resolve_settings(
            ROOT / "tools" / "networks" / f"{name}{side}.toml", {"shapes": "image", "syllables": "sound"}[name]
        )
        assert {**card.settings, "seed": settings.seed} == settings.to_dict()
        found = {record["attack"]: record["accuracy_top1"] for record in card.accuracies}
        assert found["none"] > 0.9
        accuracies.append(found)
    for attack in ("pgd", "apgd-ce"):
        assert accuracies[1][attack] > accuracies[0][attack] + 0.1


def test_all_files_together_are_small():
    files = [path for path in _FOLDER.glob("*.safetensors") if path.stem.endswith("-v2")]
    assert len(files) == 4
    assert sum(path.stat().st_size for path in files) < 6_000_000


def test_the_robust_twin_withstands_what_the_standard_one_does_not():
    """PGD and Auto-PGD at the radius of training, on pictures that training never drew."""
    pictures = [make_shape_picture(category, 7_000_000 + i) for i, category in enumerate(SHAPE_CATEGORIES[:8])]
    labels = torch.arange(8)
    right = {}
    for name in ("shapes", "shapes-robust"):
        own = load_model(f"beholder:{name}", device="cpu")
        space = open_attack_space(own)
        x = space.enter(torch.from_numpy(np.stack([own.prepare(picture) for picture in pictures])))
        attacks: list[tuple[Any, dict[str, Any]]] = [(run_pgd, {"step_size": 1.0}), (run_apgd, {})]
        for run, more in attacks:
            found = run(
                space.predict, x, labels, norm="l2", radius=3.0, n_steps=5, low=space.low, high=space.high, **more
            )
            right[name, run.__name__] = int((~found.is_wrong).sum())
    for attack in ("run_pgd", "run_apgd"):
        assert right["shapes-robust", attack] >= right["shapes", attack] + 1


@pytest.mark.parametrize("name", ["shapes", "syllables"])
def test_earlier_weights_are_there_by_their_tag(name):
    earlier = load_model(f"beholder:{name}@v1", device="cpu")
    assert (earlier.name, earlier.path_name) == (f"beholder:{name}@v1", f"{name}--v1")
    assert earlier.weights.file == str(_FOLDER / f"{name}-v1.safetensors")


def test_recorded_layers_are_modules_of_the_stated_shapes(net):
    shapes = {}
    hooks = [
        net.module.get_submodule(layer).register_forward_hook(
            lambda module, args, output, layer=layer: shapes.__setitem__(layer, tuple(output.shape[1:]))
        )
        for layer in net.layers
    ]
    with torch.inference_mode():
        net(torch.rand(1, 3, 224, 224))
    for hook in hooks:
        hook.remove()
    assert shapes == {
        "block1": (24, 112, 112),
        "block2": (48, 56, 56),
        "block3": (96, 28, 28),
        "block4": (160, 14, 14),
        "block5": (256, 7, 7),
        "classifier": (16,),
    }


def test_nothing_works_in_place_and_gradients_reach_the_picture(net):
    assert not any(getattr(module, "inplace", False) for module in net.module.modules())
    relus = [module for module in net.module.modules() if isinstance(module, nn.ReLU)]
    assert len(relus) == 5
    picture = torch.full((1, 3, 224, 224), 0.5, requires_grad=True)
    net(picture)[0, 3].backward()
    assert picture.grad is not None
    assert picture.grad.abs().sum() > 0


def test_builds_without_memory_and_takes_random_weights():
    definition = BundledSource().find("shapes", None)
    with torch.device("meta"):
        assert next(definition.build().parameters()).is_meta
    random = load_model("beholder:shapes@random")
    assert random.weights.tag == "random"


def test_stored_state_comes_back_and_a_foreign_one_is_refused():
    torch.manual_seed(0)
    first: Any
    second: Any
    first, second = BundledPictureNetwork(16), BundledPictureNetwork(16)
    stored = to_stored_state(first.state_dict())
    load_stored_state(second, stored)
    assert torch.equal(second.block2.conv.weight, first.block2.conv.weight.half().float())
    with pytest.raises(RuntimeError, match=r"classifier\.bias"):
        load_stored_state(second, {name: value for name, value in stored.items() if name != "classifier.bias"})


def test_unknown_names_and_a_missing_file_say_what_to_do(monkeypatch, tmp_path):
    with pytest.raises(UnknownNameError, match="shapes"):
        load_model("beholder:shape")
    monkeypatch.setattr("beholder.models.sources._bundled._FOLDER", tmp_path)
    for name in ("shapes", "syllables"):
        with pytest.raises(WeightsUnavailable, match=rf"{name}-v2\.safetensors"):
            load_model(f"beholder:{name}")


def test_the_sound_network_loads_from_the_package(ear):
    assert (ear.name, ear.path_name) == ("beholder:syllables@v2", "syllables")
    assert ear.classes == SYLLABLE_CATEGORIES
    assert (ear.input_shape, ear.input_range, ear.sample_rate) == ((16_000,), (-1.0, 1.0), 16_000)
    path = _FOLDER / "syllables-v2.safetensors"
    assert ear.weights.file == str(path)
    assert path.stat().st_size < 1_400_000


def test_more_than_nine_of_ten_held_out_syllables_are_named_right(ear):
    sounds = [(target, make_syllable(category, 9_000_000 + i))
              for target, category in enumerate(SYLLABLE_CATEGORIES) for i in range(3)]  # fmt: skip
    batch = torch.from_numpy(np.stack([ear.prepare(sound) for _, sound in sounds]))
    with torch.inference_mode():
        answers = ear(batch).argmax(1).tolist()
    assert np.mean([answer == target for answer, (target, _) in zip(answers, sounds, strict=True)]) > 0.9


def test_layers_of_the_sound_network_have_the_stated_shapes(ear):
    from beholder.models import describe_layers

    shapes = {layer.path: layer.output_shape for layer in describe_layers(ear)}
    assert {layer: shapes[layer] for layer in ear.layers} == {
        "cochleagram": (65, 94),
        "block1": (32, 65, 94),
        "block2": (64, 32, 47),
        "block3": (128, 16, 23),
        "block4": (192, 8, 11),
        "classifier": (16,),
    }
    assert not any(getattr(module, "inplace", False) for module in ear.module.modules())
    assert len([module for module in ear.module.modules() if isinstance(module, nn.ReLU)]) == 4


def test_the_sound_network_bears_silence(ear):
    """All zeros, a syllable between silences, and a constant: finite answers and gradients."""
    sounds = np.zeros((3, 16_000), np.float32)
    sounds[1, 6000:12_000] = make_syllable("sha", 1)[6000:12_000]
    sounds[2] = 0.5
    batch = torch.from_numpy(np.stack([ear.prepare(sound) for sound in sounds])).requires_grad_()
    logits = ear(batch)
    (gradient,) = torch.autograd.grad(logits[:, 3].sum(), batch)
    assert torch.isfinite(logits).all()
    assert torch.isfinite(gradient).all()
    assert (gradient.abs().amax(1) > 0).tolist() == [False, True, False]
    torch.testing.assert_close(logits[0], logits[2])
