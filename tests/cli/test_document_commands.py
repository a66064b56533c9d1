"""Every command line of the documents that Beholder follows, with ``beholder`` for ``python X.py``.

Paths and devices are replaced (a folder of two pictures, the CPU), weights come from a generated file
or from the bundled network under the panel's names. Without weights each ends in one line.
"""

from __future__ import annotations

import dataclasses
import inspect
import io
import logging
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from beholder.cli._main import app, run, set_up_logging, split_globals

# As the documents print them.
EXTRACT_2020_INTERACTIVE = (
    "python extract.py --model_name alexnet --interactive --flatten_acts --batch_size 32 --things --file_format .txt "
    "--in_path ./images/ --out_path ./activations/ --device cuda:1 --rnd_seed 42"
)
EXTRACT_2020 = (
    "python extract.py --model_name alexnet --module_name classifier.4 --batch_size 32 --things "
    "--in_path ./images/ --out_path ./activations/ --device cuda:1 --rnd_seed 42"
)
EXTRACT_2021_INTERACTIVE = (
    "python extract.py --model_name alexnet --interactive --flatten_acts --pretrained --batch_size 64 --things "
    "--file_format .txt --in_path ./images/ --out_path ./activations/ --device cuda --rnd_seed 42"
)
EXTRACT_2021 = (
    "python extract.py --model_name alexnet --module_name classifier.4 --pretrained --batch_size 32 --things "
    "--in_path ./images/ --out_path ./activations/ --device cuda --rnd_seed 42"
)
PANEL_QUICK_START = (
    "python runners/run_extract_activations.py --stimuli_root /path/to/stimuli/semantic "
    "--folders stimuli_rotatedsemantic --output_dir /path/to/output/activations "
    "--models ResNet50 CORNet-S ViT-B-16 --replicates 4 --auto_confirm"
)
PANEL_FOLDERS = (
    "python runners/run_extract_activations.py --stimuli_root ./stimuli/concrete "
    "--folders stimuli_rotatedconcrete stimuli_confound/leaves --output_dir ./output/concrete/activations "
    "--output_prefix concrete_models"
)
READER = "python examples/read_activations_example.py model_activations_semantic.h5 --model ResNet50 --show_layers"

COMMANDS = {
    "extract.py": "extract",
    "runners/run_extract_activations.py": "panel",
    "examples/read_activations_example.py": "show",
}

EXTRACT_FLAGS = {  # the document's list, with a value where one is taken
    "--model_name": "alexnet", "--interactive": None, "--module_name": "features.11", "--flatten_acts": None,
    "--center_acts": None, "--normalize_reps": None, "--compress_acts": None, "--batch_size": "32", "--things": None,
    "--pretrained": None, "--fraction": "0.5", "--file_format": ".npy", "--in_path": "./images/",
    "--out_path": "./activations/", "--model_path": "./models/", "--device": "cpu", "--rnd_seed": "42",
}  # fmt: skip
SHORT_FLAGS = {  # of the 2020 script
    "-m": "alexnet", "-it": None, "-mn": "features.11", "-fl": None, "-bs": "32", "-t": None, "-f": "0.5",
    "-ff": ".txt", "-ip": "./images/", "-op": "./activations/", "-mp": "./models/", "-dv": "cpu", "-rs": "42",
}  # fmt: skip
PANEL_FLAGS = {
    "--stimuli_root": "a", "--folders": "b c", "--output_dir": "d", "--output_prefix": "e",
    "--models": "VGG19 DeiT-Base", "--replicates": "4", "--auto_confirm": None,
}  # fmt: skip

Call = Callable[[list[str]], tuple[int, str, str]]


def translate(line: str, **replaced: str | None) -> list[str]:
    """Tokens of ``beholder ...`` for a document's line; ``flag=value`` replaces a value, None takes the flag away."""
    words = shlex.split(line)
    tokens = [COMMANDS[words[1]]]
    rest = words[2:]
    while rest:
        word = rest.pop(0)
        values = []
        while word.startswith("--") and rest and not rest[0].startswith("--"):
            values.append(rest.pop(0))
        name = word.removeprefix("--")
        if word.startswith("--") and name in replaced:
            new = replaced.pop(name)
            if new is None:
                continue
            values = shlex.split(new)
        tokens += [word, *values]
    for name, new in replaced.items():
        tokens += [f"--{name}", *shlex.split(new or "")]
    return tokens


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Iterator[Call]:
    """Run tokens in-process; gives exit code, stdout and stderr. The logger is put back as it was."""
    logger = logging.getLogger("beholder")
    before = logger.handlers[:], logger.level, logger.propagate

    def call(argv: list[str]) -> tuple[int, str, str]:
        tokens, quiet, verbose = split_globals(argv)
        capsys.readouterr()
        set_up_logging(quiet, verbose)
        code = run(tokens, verbose)
        return (code, *capsys.readouterr())  # pyright: ignore[reportReturnType]

    yield call
    logger.handlers[:], logger.propagate = before[0], before[2]
    logger.setLevel(before[1])


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Writes a random state dict of a torchvision network under its published name, once a session."""
    import torch
    from torchvision.models import get_model

    folder = tmp_path_factory.mktemp("weights")

    def write(name: str, file_name: str) -> Path:
        path = folder / file_name
        if not path.exists():
            torch.save(get_model(name, weights=None).state_dict(), path)
        return path

    return write


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: THINGS with two concepts of one picture, and the folders of the pipeline's lines."""
    generator = np.random.default_rng(0)
    concepts = ("aardvark", "abacus")
    files = [f"images/{name}/{name}_01b.jpg" for name in concepts]
    for folder in (
        "semantic/stimuli_rotatedsemantic",
        "concrete/stimuli_rotatedconcrete",
        "concrete/stimuli_confound/leaves",
    ):
        files += [f"stimuli/{folder}/object_{i:02d}.png" for i in (1, 2)]
    for file in files:
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 255, (48, 64, 3), dtype=np.uint8)).save(path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "things_concept.tsv").write_text("Word\tuniqueID\nAardvark\taardvark\nAbacus\tabacus\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty caches, and no network."""
    from huggingface_hub import constants

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "empty"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # read when huggingface_hub was imported
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "empty" / "hub"))


@pytest.fixture
def small_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of the panel's names, each the bundled network with layers of its own."""
    from beholder.models import Alias

    layers = {"ResNet50": ("block4", "block5"), "CORNet-S": ("pool2", "classifier"), "ViT-B-16": ("block5.conv",)}
    aliases = [Alias(name, "beholder", "shapes", "v1", layers=own) for name, own in layers.items()]
    monkeypatch.setattr("beholder.activations.panel._extract.load_panel", lambda file=None, **_: aliases)


# --- accepted ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        EXTRACT_2020,
        EXTRACT_2020_INTERACTIVE,
        EXTRACT_2021,
        EXTRACT_2021_INTERACTIVE,
        PANEL_QUICK_START,
        PANEL_FOLDERS,
        READER,
    ],
)
def test_every_line_is_accepted_as_printed(line: str) -> None:
    tokens, _, _ = split_globals(translate(line))
    command, bound, _ = app.parse_args(tokens, print_error=False, exit_on_error=False)
    assert command.__name__ == tokens[0]
    if command.__name__ == "extract":
        assert list_values(bound)["model_name"] == "alexnet"
        assert list_values(bound)["rnd_seed"] == 42
        assert list_values(bound)["things"] is True
    if "--models" in tokens:
        assert list_values(bound)["models"] == ["ResNet50", "CORNet-S", "ViT-B-16"]


@pytest.mark.parametrize("flag", EXTRACT_FLAGS)
def test_every_flag_of_the_list_is_accepted(flag: str) -> None:
    accept("extract", flag, EXTRACT_FLAGS[flag], "--model_name", "alexnet")


@pytest.mark.parametrize("flag", SHORT_FLAGS)
def test_every_short_flag_is_accepted(flag: str) -> None:
    accept("extract", flag, SHORT_FLAGS[flag], "-m", "alexnet")


@pytest.mark.parametrize("word", ["True", "true", "False"])
@pytest.mark.parametrize(
    "flag", [flag for flag, value in [*EXTRACT_FLAGS.items(), *SHORT_FLAGS.items()] if value is None]
)
def test_a_bool_of_the_lists_takes_a_word(flag: str, word: str) -> None:
    """The documents give the type of these flags as (bool)."""
    tokens, _, _ = split_globals(["extract", "--model_name", "alexnet", flag, word, "--out_path", "a"])
    _, bound, _ = app.parse_args(tokens, print_error=False, exit_on_error=False)
    names = {"-it": "interactive", "-fl": "flatten_acts", "-t": "things"}
    assert list_values(bound)[names.get(flag, flag.removeprefix("--"))] is (word.lower() == "true")
    assert list_values(bound)["out_path"] == "a"


@pytest.mark.parametrize("flag", PANEL_FLAGS)
def test_every_flag_of_the_pipeline_is_accepted(flag: str) -> None:
    accept("panel", flag, PANEL_FLAGS[flag])


def list_values(bound: inspect.BoundArguments) -> dict[str, Any]:
    """What a command is called with, flag by flag."""
    found: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        found |= vars(value) if dataclasses.is_dataclass(value) else {name: value}
    return found


def accept(command: str, flag: str, value: str | None, *others: str) -> None:
    needed = [] if flag in others else list(others)
    tokens, _, _ = split_globals([command, *needed, flag, *shlex.split(value or "")])
    app.parse_args(tokens, print_error=False, exit_on_error=False)


# --- run --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [EXTRACT_2020, EXTRACT_2021], ids=["2020", "2021"])
def test_extract_runs(line: str, place: Path, call: Call, random_weights: Callable[[str, str], Path]) -> None:
    import beholder as bh

    weights = random_weights("alexnet", "alexnet-owt-7be5be79.pth")
    code, out, err = call(translate(line, device="cpu", model_path=str(weights)))
    assert code == 0, err
    acts = bh.open(place / "activations" / "alexnet.zarr")
    assert acts["classifier.4"].to_numpy().shape == (2, 4096)
    assert acts.stimulus_ids == ("aardvark_01b", "abacus_01b")
    assert "alexnet.zarr" in out


@pytest.mark.parametrize("line", [EXTRACT_2020_INTERACTIVE, EXTRACT_2021_INTERACTIVE], ids=["2020", "2021"])
def test_interactive_extract_runs(
    line: str, place: Path, call: Call, random_weights: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = random_weights("alexnet", "alexnet-owt-7be5be79.pth")
    monkeypatch.setattr(sys, "stdin", io.StringIO("feature.11\nfeatures.11\n"))
    code, out, err = call(translate(line, device="cpu", model_path=str(weights)))
    assert code == 0, err
    assert "(classifier): Sequential(" in out  # the network is printed
    assert "features.11" in out
    folder = place / "activations" / "alexnet" / "features.11"
    assert np.loadtxt(folder / "activations.txt").shape == (2, 256 * 13 * 13)
    assert np.loadtxt(folder / "targets.txt").tolist() == [0, 1]


@pytest.mark.parametrize(
    ("first", "second"),
    [(EXTRACT_2020_INTERACTIVE, EXTRACT_2020), (EXTRACT_2021_INTERACTIVE, EXTRACT_2021)],
    ids=["2020", "2021"],
)
def test_the_two_lines_of_a_document_run_one_after_the_other(
    first: str,
    second: str,
    place: Path,
    call: Call,
    random_weights: Callable[[str, str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first flattens and reads 64 (32) pictures at a time, the second does neither."""
    import beholder as bh

    weights = str(random_weights("alexnet", "alexnet-owt-7be5be79.pth"))
    monkeypatch.setattr(sys, "stdin", io.StringIO("features.11\n"))
    assert call(translate(first, device="cpu", model_path=weights))[0] == 0
    code, _, err = call(translate(second, device="cpu", model_path=weights))
    assert code == 0, err
    assert ("--batch_size 32 is left out" in err) == ("64" in first)
    acts = bh.open(place / "activations" / "alexnet.zarr")
    assert {name: acts[name].shape[1:] for name in acts.layers} == {
        "features.11": (256, 13, 13),
        "classifier.4": (4096,),
    }
    monkeypatch.setattr(sys, "stdin", io.StringIO("features.11\n"))
    code, _, err = call(translate(first, device="cpu", model_path=weights, flatten_acts="False"))
    assert code == 2 and "flatten was True" in err  # the flat export is not replaced unasked


def test_ensemble_of_the_document_runs(place: Path, call: Call, random_weights: Callable[[str, str], Path]) -> None:
    """Note 5 of the 2021 document: max-pools with the penultimate layer, compressed."""
    weights = random_weights("alexnet", "alexnet-owt-7be5be79.pth")
    line = EXTRACT_2021.replace("classifier.4", "maxpoolpen_ensemble")
    tokens = [
        *translate(line, device="cpu", model_path=str(weights), file_format=".npy"),
        "--center_acts",
        "--compress_acts",
    ]
    code, _, err = call(tokens)
    assert code == 0, err
    rows = np.load(place / "activations" / "alexnet" / "maxpoolpen_ensemble" / "activations.npy")
    assert rows.shape == (2, 1)  # two centred rows have one direction
    from beholder import Activations

    assert Activations(place / "activations" / "alexnet.zarr")["maxpoolpen_ensemble"].shape == (2, 512 + 4096)


def test_panel_quick_start_runs(place: Path, call: Call, small_panel: None) -> None:
    tokens = translate(
        PANEL_QUICK_START, stimuli_root="stimuli/semantic", output_dir="output/activations", device="cpu"
    )
    code, out, err = call(tokens)
    assert code == 0, err
    path = place / "output" / "activations" / "model_activations_stimuli_rotatedsemantic.h5"
    assert path.name in out
    file: Any
    with h5py.File(path) as file:
        assert sorted(file) == ["CORNet-S", "ResNet50", "ViT-B-16"]
        assert list(file["ResNet50"]) == ["object_01", "object_02"]
        assert file["ResNet50/object_01/block4"].shape == (4, 160 * 14 * 14)
    code, out, err = call(translate(READER.replace("model_activations_semantic.h5", str(path))))
    assert code == 0, err
    assert "block4" in out
    assert "pool2" not in out  # another model's layer


def test_panel_over_two_folders_runs(place: Path, call: Call, small_panel: None) -> None:
    """Without ``--models`` all of the panel; without ``--auto_confirm`` nobody is asked where stdin is no terminal."""
    code, _, err = call(translate(PANEL_FOLDERS, device="cpu", replicates="1"))
    assert code == 0, err
    folder = place / "output" / "concrete" / "activations"
    names = sorted(path.name for path in folder.glob("*.h5"))
    assert names == ["concrete_models_leaves.h5", "concrete_models_stimuli_rotatedconcrete.h5"]
    with h5py.File(folder / names[0]) as file:
        assert sorted(file) == ["CORNet-S", "ResNet50", "ViT-B-16"]


def test_panel_asks_on_a_terminal(place: Path, call: Call, small_panel: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    code, _, err = call(translate(PANEL_FOLDERS, device="cpu"))
    assert code == 0
    assert "Proceed with activation extraction? (y/n): " in err
    assert not list(place.glob("output/**/*.h5"))


def test_panel_with_real_architecture_gives_the_documents_shape(
    place: Path, call: Call, random_weights: Callable[[str, str], Path]
) -> None:
    """Pooled, ResNet50's ``layer1.0.conv1`` is the document's (4, 64)."""
    weights = random_weights("resnet50", "resnet50-11ad3fa6.pth")
    tokens = translate(
        PANEL_QUICK_START, stimuli_root="stimuli/semantic", output_dir="out", models="ResNet50", device="cpu",
        model_path=str(weights), layers="layer1.0.conv1", pool="mean",
    )  # fmt: skip
    code, _, err = call(tokens)
    assert code == 0, err
    from beholder.activations import get_activation_shape

    file = "out/model_activations_stimuli_rotatedsemantic.h5"
    assert get_activation_shape(file, "ResNet50") == (4, 64)
    code, out, _ = call(["panel", "--check", file])
    assert (code, out.splitlines()[-1]) == (0, f"{file}: whole")


# --- without weights --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [EXTRACT_2020, EXTRACT_2020_INTERACTIVE, EXTRACT_2021, EXTRACT_2021_INTERACTIVE],
    ids=lambda line: line[10:20],
)
def test_extract_without_weights_ends_in_one_line(line: str, place: Path, call: Call, no_weights: None) -> None:
    code, out, err = call(translate(line, device="cpu"))
    check_line(code, err, "expected the weights IMAGENET1K_V1 of torchvision:alexnet", "alexnet-owt-7be5be79.pth")
    assert out == ""
    assert not (place / "activations").exists()


@pytest.mark.parametrize("name", ["RN50"])
def test_clip_without_weights_ends_in_one_line(name: str, place: Path, call: Call, no_weights: None) -> None:
    code, _, err = call(translate(EXTRACT_2021, device="cpu", model_name=name, module_name="visual"))
    check_line(code, err, "expected the weights openai of open_clip:RN50", "open_clip_model.safetensors")


@pytest.mark.parametrize("line", [PANEL_QUICK_START, PANEL_FOLDERS], ids=["quick start", "folders"])
def test_panel_without_weights_ends_in_one_line(line: str, place: Path, call: Call, no_weights: None) -> None:
    root = "stimuli/semantic" if "semantic" in line else "stimuli/concrete"
    code, out, err = call(translate(line, stimuli_root=root, output_dir="output", device="cpu"))
    check_line(code, err, "expected the weights IMAGENET1K_V2 of torchvision:resnet50", "resnet50-11ad3fa6.pth")
    assert out == ""
    assert not list(place.glob("output/**/*.h5"))


def check_line(code: int, err: str, *parts: str) -> None:
    """Exit code 2 and one line: what was expected, what came, the ways to get it."""
    assert code == 2, err
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "Traceback" not in err
    for part in (
        *parts,
        "; got an offline environment",
        "; try ",
        "beholder models fetch",
        "--model_path FILE",
        "@random",
    ):
        assert part in lines[0], f"{part!r} is not in {lines[0]}"
