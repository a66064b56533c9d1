"""A result belongs to the network that made it: what changes it in memory or on disk is noticed by every command."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import beholder as bh
from beholder._core.errors import ConfigurationChanged, InputError
from beholder._core.provenance import find_network
from beholder.activations import Activations
from beholder.evaluation import judge_metamers
from beholder.models import ImagePreprocessing, Unit, identify_model
from beholder.stimuli import NullSet, read_metamer_table
from beholder.synthesis import Channel, make_metamers, null_distribution, optimize_units, synthesize
from beholder.units import find_exemplars, record_units, write_exemplars

SHAPE = (3, 8, 8)
PICTURES = np.random.default_rng(0).random((24, *SHAPE), dtype=np.float32)
UNIT = Unit("0", 1)


def make_module(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)).eval()


def wrap(module: nn.Module, **options: Any) -> bh.Model:
    options = {"input_shape": SHAPE, "input_range": (0.0, 1.0), "name": "net", "classes": tuple("abcde"), **options}
    return bh.wrap(module, **options)


def extract(model: bh.Model | str, out: Path, **options: Any) -> Activations:
    return bh.extract(model, PICTURES, ["0"], out_path=out, **options)


COMMANDS: dict[str, Callable[..., Any]] = {
    "extract": extract,
    "record": lambda model, out, **options: record_units(model, PICTURES, layers=["0"], out_path=out, **options),
    "make": lambda model, out, **options: make_metamers(
        model, PICTURES[:2], layers=["0"], iterations=2, out_path=out / "metamers", **options
    ),
    "null": lambda model, out, **options: null_distribution(
        model, PICTURES, ["0"], n_pairs=4, out_path=out / "null_dist", **options
    ),
    "optimize": lambda model, out, **options: optimize_units(
        model, [UNIT], steps=2, n_images=1, out_path=out, activations=None, input_shape=SHAPE, **options
    ),
    "synthesize": lambda model, out: synthesize(
        model, Channel("0", 1), steps=2, input_shape=SHAPE, transforms=(), checkpoint=out
    ),
}


def double(module: nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
    return output * 2


def zero_a_filter(module: Any) -> None:
    module[0].weight.data[1] = 0


CHANGES: dict[str, Callable[[nn.Sequential], Any]] = {
    "a filter set to zero": zero_a_filter,
    "a hook": lambda module: module[1].register_forward_hook(double),
    "a state dict": lambda module: module.load_state_dict(make_module(1).state_dict()),
    "a forward pass": lambda module: setattr(module[1], "forward", torch.tanh),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_module_that_changed_in_memory_is_refused(command: str, change: str, tmp_path: Path) -> None:
    module = make_module()
    COMMANDS[command](wrap(module), tmp_path)
    CHANGES[change](module)
    with pytest.raises(ConfigurationChanged, match="net has other weights, code or hooks than the network that made"):
        COMMANDS[command](wrap(module), tmp_path)
    COMMANDS[command](wrap(make_module()), tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
def test_two_functions_under_one_name_are_two_networks(command: str, tmp_path: Path) -> None:
    COMMANDS[command](wrap(make_module(), normalize=lambda x: (x - 0.5) / 0.25), tmp_path)
    COMMANDS[command](wrap(make_module(), normalize=lambda x: (x - 0.5) / 0.25), tmp_path)
    with pytest.raises(ConfigurationChanged, match="net has other weights, code or hooks"):
        COMMANDS[command](wrap(make_module(), normalize=lambda x: (x - 0.5) / 0.5), tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
def test_settings_say_which_network_which_preprocessing_and_which_device(command: str, tmp_path: Path) -> None:
    model = wrap(make_module())
    COMMANDS[command](model, tmp_path)
    files = [*tmp_path.glob(".*/settings.json"), *tmp_path.glob("*/.*/settings.json"), *tmp_path.glob("synthesis.json")]
    (settings,) = [json.loads(file.read_text()) for file in files]
    assert find_network(settings) == identify_model(model)
    described = settings["model"] if isinstance(settings["model"], dict) else settings
    assert described["preprocessing"] == model.preprocessing.to_dict()
    assert settings["device"] == "cpu"
    shape = replace(model.preprocessing, shape=None)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationChanged, match=r"preprocessing\.shape"):
        COMMANDS[command](replace(model, preprocessing=shape), tmp_path)


def test_what_cannot_be_identified_is_refused_where_it_would_be_stored(tmp_path: Path) -> None:
    with open(tmp_path / "log", "w") as log:
        normalize = lambda x: log.write("") or x  # noqa: E731
        for command in COMMANDS.values():
            with pytest.raises(InputError, match="version="):
                command(wrap(make_module(), normalize=normalize), tmp_path / "a")
        make_metamers(wrap(make_module(), normalize=normalize), PICTURES[:1], layers=["0"], iterations=2)
        null_distribution(wrap(make_module(), normalize=normalize), PICTURES, ["0"], n_pairs=2)
        extract(wrap(make_module(), normalize=normalize, version="1"), tmp_path)
        extract(wrap(make_module(), normalize=normalize, version="1"), tmp_path)
        with pytest.raises(ConfigurationChanged):
            extract(wrap(make_module(), normalize=normalize, version="2"), tmp_path)


NETWORK_FILE = """
from pathlib import Path
import torch
from torch import nn
input_shape = (3, 8, 8)
input_range = (0.0, 1.0)
layers = ["0"]
def build():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    net.load_state_dict(torch.load(Path(__file__).with_name("checkpoint.pt"), weights_only=True))
    return net
"""


def panel(name: str, out: Path) -> Any:
    folder = out / "pictures"
    folder.mkdir(exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), 200, np.uint8)).save(folder / "a.png")
    options = {"replicates": 1, "exposure": None, "workers": 1}
    return bh.extract_panel(out, out / "panel", folders=["pictures"], models=[name], device="cpu", **options)


@pytest.mark.parametrize("command", [*(name for name in COMMANDS if name != "synthesize"), "panel"])
def test_a_file_whose_checkpoint_was_replaced_is_refused(command: str, tmp_path: Path) -> None:
    file = tmp_path / "mynet" / "build_network.py"
    file.parent.mkdir()
    file.write_text(NETWORK_FILE)
    torch.save(make_module().state_dict(), file.with_name("checkpoint.pt"))
    run = panel if command == "panel" else COMMANDS[command]
    run(f"file:{file}", tmp_path)
    run(f"file:{file}", tmp_path)
    torch.save(make_module(1).state_dict(), file.with_name("checkpoint.pt"))
    with pytest.raises(ConfigurationChanged, match="other weights, code or hooks"):
        run(f"file:{file}", tmp_path)


def test_one_more_layer_of_another_network_is_refused(tmp_path: Path) -> None:
    extract(wrap(make_module()), tmp_path)
    with pytest.raises(ConfigurationChanged, match="other weights"):
        bh.extract(wrap(make_module(1)), PICTURES, ["1"], out_path=tmp_path)
    assert bh.extract(wrap(make_module()), PICTURES, ["1"], out_path=tmp_path).layers == ["0", "1"]


def test_a_panel_file_is_not_completed_from_another_network(tmp_path: Path) -> None:
    file = tmp_path / "mynet" / "build_network.py"
    file.parent.mkdir()
    file.write_text(NETWORK_FILE)
    torch.save(make_module().state_dict(), file.with_name("checkpoint.pt"))
    (made,) = panel(f"file:{file}", tmp_path)
    for stores in made.parent.glob("*.stores"):
        stores.rename(tmp_path / "gone")
    torch.save(make_module(1).state_dict(), file.with_name("checkpoint.pt"))
    with pytest.raises(ConfigurationChanged, match=r"the network that made .* in .*\.h5"):
        panel(f"file:{file}", tmp_path)


def test_the_seed_reaches_random_weights(tmp_path: Path) -> None:
    name = "beholder:shapes@random"
    pictures = np.random.default_rng(0).random((3, 3, 64, 64), dtype=np.float32)
    values = {}
    for seed in (1, 2):
        values[seed] = bh.extract(name, pictures, ["block1"], out_path=tmp_path / str(seed), seed=seed)["block1"][:]
    assert not np.allclose(values[1], values[2])
    with pytest.raises(ConfigurationChanged, match="other weights"):
        bh.extract(name, pictures, ["block1"], out_path=tmp_path / "1", seed=2)
    again = bh.extract(name, pictures, ["block1"], out_path=tmp_path / "1", seed=1)["block1"][:]
    assert np.array_equal(again, values[1])
    record_units(name, pictures, layers=["block1"], out_path=tmp_path / "records", seed=1)
    with pytest.raises(ConfigurationChanged, match="other weights"):
        record_units(name, pictures, layers=["block1"], out_path=tmp_path / "records", seed=2)


def passed(folder: Path) -> list[Any]:
    return list(read_metamer_table(folder / "metamers" / "net")["passed"].dropna())


def test_verdicts_are_filled_from_the_own_null_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    COMMANDS["make"](wrap(make_module()), tmp_path)
    with caplog.at_level(logging.WARNING):
        COMMANDS["null"](wrap(make_module(1)), tmp_path)
    assert not passed(tmp_path)
    assert "other weights, code or hooks than the one that made the metamers" in caplog.text
    COMMANDS["null"](wrap(make_module()), tmp_path, overwrite=True)
    assert len(passed(tmp_path)) == 2
    assert NullSet(tmp_path / "null_dist" / "net").network == identify_model(wrap(make_module()))
    COMMANDS["make"](wrap(make_module(1)), tmp_path, overwrite=True)
    assert not passed(tmp_path)


def test_a_null_that_does_not_say_whose_it_is_gives_no_verdicts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    COMMANDS["make"](wrap(make_module()), tmp_path)
    COMMANDS["null"](wrap(make_module()), tmp_path)
    assert len(passed(tmp_path)) == 2
    file = tmp_path / "null_dist" / "net" / "layers.json"
    file.write_text(json.dumps({"layers": json.loads(file.read_text())["layers"]}))
    with caplog.at_level(logging.WARNING):
        COMMANDS["make"](wrap(make_module()), tmp_path)
    assert not passed(tmp_path)
    assert "`beholder metamers null --overwrite`" in caplog.text


def test_a_judge_that_changed_is_refused(tmp_path: Path) -> None:
    COMMANDS["make"](wrap(make_module()), tmp_path)
    folder = tmp_path / "metamers"
    judge = wrap(make_module(2), name="judge")
    judge_metamers(folder, judge)
    zero_a_filter(judge.module)
    with pytest.raises(ConfigurationChanged, match="judge has other weights"):
        judge_metamers(folder, judge)
    judge_metamers(folder, judge, overwrite=True)
    with pytest.raises(InputError, match=r"the network that made .* as one of its judges"):
        judge_metamers(folder, wrap(make_module(1)))
    judge_metamers(folder, wrap(make_module()))


def make_exemplars(model: bh.Model, out: Path, **options: Any) -> Path:
    acts = COMMANDS["record"](model, out, overwrite=True)
    best = find_exemplars(acts, [UNIT], num_batches=1, start_min=10, stop_max=14)
    return write_exemplars(best, out / "stimuli", stimuli=PICTURES, model=model, **options)


def test_exemplars_and_visualizations_of_one_folder_are_of_one_network(tmp_path: Path) -> None:
    make_exemplars(wrap(make_module()), tmp_path)
    with pytest.raises(ConfigurationChanged):
        make_exemplars(wrap(make_module(1)), tmp_path)
    with pytest.raises(ConfigurationChanged, match=r"the network that made .*natural_images"):
        COMMANDS["optimize"](wrap(make_module(1)), tmp_path / "stimuli")
    COMMANDS["optimize"](wrap(make_module()), tmp_path / "stimuli")
    make_exemplars(wrap(make_module(1)), tmp_path, overwrite=True)
    COMMANDS["optimize"](wrap(make_module(1)), tmp_path / "stimuli", overwrite=True)


def test_visualizations_are_not_held_against_a_recording_of_another_network(tmp_path: Path) -> None:
    acts = COMMANDS["record"](wrap(make_module()), tmp_path)
    options = {"steps": 2, "n_images": 1, "out_path": tmp_path / "stimuli", "activations": acts}
    with pytest.raises(InputError, match="a recording of net as it is now"):
        optimize_units(wrap(make_module(1)), [UNIT], input_shape=SHAPE, **options)
    optimize_units(wrap(make_module()), [UNIT], input_shape=SHAPE, **options)


def test_the_hash_of_a_weights_file_is_provenance_alone(tmp_path: Path) -> None:
    model = wrap(make_module())
    extract(replace(model, weights=bh.models.Weights("wrapped", sha256="a" * 64)), tmp_path)
    acts = extract(replace(model, weights=bh.models.Weights("wrapped", sha256="b" * 64)), tmp_path)
    assert "a" * 64 not in json.dumps(acts.attributes["settings"])


def test_other_preprocessing_is_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        Image.fromarray(np.full((20, 20, 3), 100, np.uint8)).save(tmp_path / f"{name}.png")
    pictures = bh.StimulusSet.from_folder(tmp_path)
    small = ImagePreprocessing(resize=10, crop=(8, 8))
    first = bh.wrap(make_module(), preprocess=small, name="net")
    bh.extract(first, pictures, ["0"], out_path=tmp_path)
    cropped = replace(first, preprocessing=replace(small, crop=(6, 6)))
    with pytest.raises(ConfigurationChanged, match=r"preprocessing\.crop"):
        bh.extract(cropped, pictures, ["0"], out_path=tmp_path)
    assert identify_model(first) == identify_model(cropped)
    assert identify_model(first) != identify_model(replace(first, preprocessing=replace(small, mean=(0, 0, 0))))
    functions = [lambda picture: np.zeros(SHAPE), lambda picture: np.ones(SHAPE)]
    nets = [wrap(make_module(), preprocess=function, name="own") for function in functions]
    bh.extract(nets[0], pictures, ["0"], out_path=tmp_path)
    with pytest.raises(ConfigurationChanged, match=r"preprocessing\.prepare_with\.identity"):
        bh.extract(nets[1], pictures, ["0"], out_path=tmp_path)


def test_a_unit_is_shown_with_stimuli_of_one_network(tmp_path: Path) -> None:
    from beholder.experiments.design._unit_folders import find_units

    folder = make_exemplars(wrap(make_module()), tmp_path)
    COMMANDS["optimize"](wrap(make_module()), tmp_path / "stimuli")
    assert len(find_units(folder)) == 1
    COMMANDS["optimize"](wrap(make_module(1)), tmp_path / "stimuli", overwrite=True)
    with pytest.raises(InputError, match="exemplars and visualisations of one network; got two networks"):
        find_units(folder)


def test_the_report_leaves_out_the_null_of_another_network(tmp_path: Path) -> None:
    from beholder.report._kind_metamers import find_null_folder, has_own_null
    from beholder.stimuli import MetamerSet

    COMMANDS["make"](wrap(make_module()), tmp_path)
    COMMANDS["null"](wrap(make_module()), tmp_path)
    made = MetamerSet(tmp_path / "metamers" / "net")
    assert has_own_null(made, find_null_folder(made.path))
    COMMANDS["null"](wrap(make_module(1)), tmp_path, overwrite=True)
    assert not has_own_null(made, find_null_folder(made.path))
