"""The panel command: files that grow, names that clash, the question before the work."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

Command = Callable[..., tuple[int, str, str]]


def panel(place: Path, out: Path, *more: str | Path) -> list[str | Path]:
    net = f"file:{place / 'net.py'}"
    paths = ["--stimuli_root", place / "images", "--output_dir", out]
    return ["panel", *paths, "--models", net, "--layers", "0", "5", "--replicates", "2", *more]


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: shapes.update({name: item.shape} if isinstance(item, h5py.Dataset) else {}))
    return shapes


def test_layout_default_names_and_replicates(place: Path, tmp_path: Path, beholder: Command) -> None:
    assert beholder(*panel(place, tmp_path))[0] == 0
    shapes = read_shapes(tmp_path / "model_activations_root.h5")
    assert len(shapes) == 12
    assert shapes["net/picture_0/5"] == (2, 4)
    assert shapes["net/picture_0/0"] == (2, 8 * 22 * 22)
    assert beholder("panel", "--check", tmp_path / "model_activations_root.h5")[0] == 0
    code, out, _ = beholder("show", tmp_path / "model_activations_root.h5", "--model", "net", "--show_layers")
    assert code == 0 and "2 x 3872" in out


def test_folders_and_prefix_and_clashes(place: Path, tmp_path: Path, beholder: Command) -> None:
    command = panel(place, tmp_path, "--output_prefix", "animals")
    assert beholder(*command, "--folders", "cat", "dog")[0] == 0
    assert sorted(path.name for path in tmp_path.glob("*.h5")) == ["animals_cat.h5", "animals_dog.h5"]
    code, _, err = beholder(*command, "--folders", "cat", place / "images" / "cat")
    assert code == 2 and "different last names" in err
    code, _, err = beholder(*command, "--folders", "cow")
    assert code == 2 and "cow" in err


def test_the_first_replicate_is_clean_and_the_others_differ(place: Path, tmp_path: Path, beholder: Command) -> None:
    assert beholder(*panel(place, tmp_path))[0] == 0
    file: Any
    with h5py.File(tmp_path / "model_activations_root.h5") as file:
        values: Any = file["net/picture_1/5"][:]
    assert np.abs(values[0] - values[1]).max() > 0


def test_a_rerun_adds_layers_and_loses_nothing(place: Path, tmp_path: Path, beholder: Command) -> None:
    command = panel(place, tmp_path)
    assert beholder(*command)[0] == 0
    before = (tmp_path / "model_activations_root.h5").read_bytes()
    assert beholder(*command)[0] == 0
    assert (tmp_path / "model_activations_root.h5").read_bytes() == before
    command[command.index("0")] = "2"
    assert beholder(*command)[0] == 0
    shapes = read_shapes(tmp_path / "model_activations_root.h5")
    assert {name.rpartition("/")[2] for name in shapes} == {"0", "2", "5"}


def test_averages_do_not_replace_replicates(place: Path, tmp_path: Path, beholder: Command) -> None:
    assert beholder(*panel(place, tmp_path))[0] == 0
    code, _, err = beholder(*panel(place, tmp_path, "--average_replicates"))
    assert code == 2 and "average_replicates was False, now True" in err
    assert read_shapes(tmp_path / "model_activations_root.h5")["net/picture_0/5"] == (2, 4)
    assert beholder(*panel(place, tmp_path / "mean", "--average_replicates"))[0] == 0
    mean: Any
    single: Any
    with (
        h5py.File(tmp_path / "model_activations_root.h5") as single,
        h5py.File(tmp_path / "mean/model_activations_root.h5") as mean,
    ):
        expected = single["net/picture_0/5"][:].mean(0, keepdims=True)
        np.testing.assert_allclose(mean["net/picture_0/5"][:], expected, rtol=1e-6)


@pytest.mark.parametrize(("answer", "done"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_it_asks_first_on_a_terminal(
    place: Path, tmp_path: Path, beholder: Command, monkeypatch: pytest.MonkeyPatch, answer: str, done: bool
) -> None:
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    code, _, err = beholder(*panel(place, tmp_path))
    assert code == 0 and "Proceed with activation extraction? (y/n): " in err
    assert (tmp_path / "model_activations_root.h5").exists() == done


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--models", "ResNet5O"], "'ResNet50'"),
        (["--replicates", "0"], "--replicates of at least 1"),
        (["--layers", "nine"], "'nine'"),
    ],
)
def test_bad_input(place: Path, tmp_path: Path, beholder: Command, more: list[str], words: str) -> None:
    paths = ["--stimuli_root", place / "images", "--output_dir", tmp_path]
    defaults = {"--models": f"file:{place / 'net.py'}", "--replicates": "1", "--layers": "0"} | {more[0]: more[1]}
    code, _, err = beholder("panel", *paths, *[token for pair in defaults.items() for token in pair])
    assert code == 2 and words in err
    assert not list(tmp_path.glob("*.h5"))


@pytest.mark.parametrize("layer", ["7", "4"])  # none of the network's, and one that is not asked for
def test_axes_of_a_layer_that_no_model_is_asked_for_are_refused(
    place: Path, tmp_path: Path, beholder: Command, layer: str
) -> None:
    code, _, err = beholder(*panel(place, tmp_path), "--axes", f"{layer}=channel,height,width")
    assert code == 2
    assert f"a layer asked of some model, to name the axes of; got '{layer}'" in err.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_axes_are_those_of_the_models_that_have_the_layer(place: Path, tmp_path: Path, beholder: Command) -> None:
    more = ["--models", f"file:{place / 'net.py'}", "beholder:shapes", "--layers", "output"]
    paths = ["--stimuli_root", place / "images", "--output_dir", tmp_path, "--replicates", "1"]
    code, _, err = beholder("panel", *paths, *more, "--axes", "output=channel")
    assert code == 0, err
    panel_file = tmp_path / "panel.toml"
    panel_file.write_text(
        f'[[models]]\nname = "a"\nsource = "file:{place / "net.py"}"\nlayers = ["0"]\n'
        '[[models]]\nname = "b"\nsource = "beholder:shapes"\nlayers = ["block2"]\n'
    )
    more = ["--panel_file", panel_file, "--run_code", "--axes", "block2=channel,height,width", "--pool", "mean"]
    code, _, err = beholder("panel", *paths, *more, "--output_prefix", "second")
    assert code == 0, err
    assert read_shapes(tmp_path / "second_root.h5")["b/picture_0/block2"][0] == 1


def test_overwriting_leaves_nothing_of_the_model_and_all_of_the_others(
    place: Path, tmp_path: Path, beholder: Command
) -> None:
    assert beholder(*panel(place, tmp_path))[0] == 0
    other = ["--models", "beholder:shapes", "--layers", "output"]
    assert beholder(*panel(place, tmp_path, *other)[:5], *other, "--replicates", "2")[0] == 0
    again = ["panel", "--stimuli_root", place / "images", "--output_dir", tmp_path, "--layers", "5", "--overwrite"]
    code, _, err = beholder(*again, "--models", f"file:{place / 'net.py'}", "--replicates", "3")
    assert code == 0, err
    shapes = read_shapes(tmp_path / "model_activations_root.h5")
    assert {shape for name, shape in shapes.items() if name.startswith("net/")} == {(3, 4)}
    assert shapes["shapes/picture_0/output"] == (2, 16)


def test_weights_that_cannot_be_had_are_noticed_before_the_work(
    place: Path, tmp_path: Path, beholder: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    monkeypatch.setenv("BEHOLDER_OFFLINE", "1")
    paths = ["--stimuli_root", place / "images", "--output_dir", tmp_path / "out"]
    for model in ("alexnet", "CORNet-S", "SLIP ViT-Small", "resnet50-l2"):
        code, _, err = beholder("panel", *paths, "--models", "beholder:shapes", model, "--replicates", "1")
        assert code == 2 and "expected the weights" in err
        assert not list((tmp_path / "out").rglob("*.zarr"))


def test_other_weights_of_a_panel_model_go_by_its_name_there(place: Path, tmp_path: Path, beholder: Command) -> None:
    """``{name}--{tag}``, whatever the catalog calls the same network."""
    from beholder.activations.panel._extract import plan_panel

    images = place / "images" / "cat"
    plan = plan_panel(images, tmp_path, models=["ResNet50@random", "VGG19", "alexnet@random"])
    assert plan.names == ("ResNet50--random", "VGG19", "alexnet--random")
    (tmp_path / "panel.toml").write_text('[[models]]\nname = "Mine"\nsource = "beholder:shapes"\nlayers = ["block5"]\n')
    command = ["panel", "--stimuli_root", images, "--output_dir", tmp_path, "--panel_file", tmp_path / "panel.toml"]
    code, _, err = beholder(*command, "--models", "Mine@random", "Mine", "--pool", "mean", "--replicates", "1")
    assert code == 0, err
    file: Any
    with h5py.File(tmp_path / "model_activations_root.h5") as file:
        assert sorted(file) == ["Mine", "Mine--random"]
        assert np.abs(file["Mine/picture_0/block5"][:] - file["Mine--random/picture_0/block5"][:]).max() > 0
