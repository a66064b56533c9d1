"""What comes with Beholder passes the checks that plug-ins have to pass."""

from __future__ import annotations

import inspect
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from tests.metamer_folders import write_metamers
from tests.responses.conftest import make_description, make_trials
from tests.unit_folders import write_unit
from torch import nn

import beholder as bh
import beholder.synthesis
from beholder._core.provenance import record_provenance
from beholder.analysis import DISTANCES
from beholder.experiments import KINDS
from beholder.figures import FigureRecord, plot_accuracy, save_figure
from beholder.jobs import EXECUTORS
from beholder.models import (
    PREPROCESSINGS,
    SOURCES,
    ArrayPreprocessing,
    GreyPreprocessing,
    ImagePreprocessing,
    Preprocessing,
    SoundPreprocessing,
    read_preprocessing,
)
from beholder.report import SECTIONS, write_rdms
from beholder.responses import export_responses, open_responses
from beholder.stimuli import NAMED_SETS
from beholder.synthesis import (
    OBJECTIVES,
    Channel,
    Difference,
    Direction,
    Diversity,
    FromFunction,
    Layer,
    Logit,
    MatchTarget,
    Neuron,
    Objective,
    TotalVariation,
)
from beholder.testing import (
    check_adaptive_method,
    check_distance,
    check_executor,
    check_objective,
    check_preprocessing,
    check_recordings_reader,
    check_result_kind,
    check_section,
    check_source,
    check_stimulus_set,
    check_task_kind,
)

# A small network of each source that needs neither files nor a network; the others load what those published.
NAMES = {
    "torchvision": ["squeezenet1_1"],
    "timm": ["mobilenetv3_small_050"],
    "cornet": ["cornet_z"],
    "robust": ["alexnet"],
    "beholder": ["shapes", "syllables"],
}


@pytest.mark.parametrize(
    "source", ["beholder", *(pytest.param(name, marks=pytest.mark.slow) for name in list(NAMES)[:4])]
)
def test_source(source: str) -> None:
    assert set(SOURCES) >= set(NAMES)
    check_source(source, NAMES[source])


@pytest.mark.parametrize(
    "preprocessing",
    [
        ImagePreprocessing(resize=72, crop=(64, 64)),
        ImagePreprocessing(resize=(64, 80), crop=(64, 80), crop_mode="squash", interpolation="bicubic"),
        GreyPreprocessing(resize=72, crop=(64, 64)),
        *(SoundPreprocessing(rate=16_000, duration=0.5, front_end=name) for name in ("waveform", "standardized")),
        ArrayPreprocessing(shape=(3, 8, 8), value_range=(-1, 1)),
        read_preprocessing({
            "kind": "extended", "base": {"kind": "sound", "rate": 8000, "duration": 0.5}, "then": "add_channel"
        }),
    ],
    ids=lambda each: type(each).__name__,
)  # fmt: skip
def test_preprocessing(preprocessing: Preprocessing) -> None:
    assert type(preprocessing) in [PREPROCESSINGS[name] for name in PREPROCESSINGS]
    check_preprocessing(preprocessing)


NET = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 7 * 7, 5)).eval()
_DRAWS = np.random.default_rng(0)
EXAMPLES: dict[str, Objective] = {
    "Channel": Channel("1", 2),
    "Neuron": Neuron("1", 1, (3, 4)),
    "Direction": Direction("1", _DRAWS.standard_normal(4)),
    "Layer": Layer("1"),
    "Logit": Logit(3),
    "Difference": Difference("1", _DRAWS.standard_normal((4, 7, 7))),
    "MatchTarget": MatchTarget("1", _DRAWS.standard_normal((4, 7, 7))),
    "Diversity": Diversity("1"),
    "TotalVariation": TotalVariation(),
    "FromFunction": FromFunction(lambda view: view.layer("1").flatten(1).amax(1), ("1",)),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_objective(name: str) -> None:
    assert type(EXAMPLES[name]) is OBJECTIVES[name]
    check_objective(EXAMPLES[name], NET, input_shape=(3, 16, 16), relates_images=name == "Diversity")


def test_every_public_objective_is_found_by_its_name() -> None:
    public = {name: getattr(beholder.synthesis, name) for name in dir(beholder.synthesis)}
    classes = {
        name: one
        for name, one in public.items()
        if inspect.isclass(one) and issubclass(one, Objective) and one is not Objective
    }
    ours = {name: OBJECTIVES[name] for name in OBJECTIVES if OBJECTIVES[name].__module__.startswith("beholder.")}
    assert ours == classes
    assert {*EXAMPLES, "MatchRectified"} == set(ours), "an example of each, but of the one that only metamers make"


def write_results(name: str, folder: Path) -> None:
    """Small results that a section of the report shows."""
    if name == "rdms":
        rdms = (1 - np.eye(3, dtype=np.float32))[None, None]
        write_rdms(folder / "a.rdms.npz", rdms, layers=["conv"], measures=["cosine"], stimulus_ids=["a", "b", "c"])
    elif name == "metamers":
        write_metamers(folder / "metamers" / "shapes", layers=("block1",), categories=("circle",))
    elif name == "units":
        write_unit(folder / "stimuli" / "shapes", "block1", 3)
    elif name == "pictures":
        Image.new("RGB", (8, 8), (200, 0, 0)).save(folder / "red.png")
    elif name == "figures":
        figure = plot_accuracy([1, 2], [2, 2], ["dog", "cat"]).get_figure(root=True)
        assert figure is not None
        record = FigureRecord(title="Who is right?", answer="Half of them.", alt="Dots.")
        save_figure(figure, folder / "accuracy", record=record)
    elif name == "hdf5":
        with h5py.File(folder / "panel.h5", "w") as file:
            file["net/stimulus_0/conv"] = np.zeros((1, 5), np.float32)
    elif name == "answers":
        with open_responses(folder.parent / "answers.db", make_description(), make_trials()) as store:
            export_responses(store.path, folder / "answers")
    elif name == "provenance":
        record_provenance(folder, "net.zarr", {"a": 1})


@pytest.mark.parametrize("name", ["rdms", "metamers", "units", "answers", "pictures", "figures", "hdf5", "provenance"])
def test_section(name: str, tmp_path: Path) -> None:
    write_results(name, tmp_path)
    check_section(name, tmp_path)


def test_sections_have_their_turn() -> None:
    """Those that claim what others would show look first; each is a file of its own."""
    kinds = [SECTIONS[name] for name in SECTIONS]
    ours = sorted((kind for kind in kinds if kind.__module__.startswith("beholder.")), key=lambda kind: kind.turn)
    told = [kind.__module__.removeprefix("beholder.report._kind_") for kind in ours]
    assert told == [
        "analysis",
        "training",
        "rdms",
        "metamer_grids",
        "metamers",
        "units",
        "answers",
        "pictures",
        "sounds",
        "figures",
        "stores",
        "hdf5",
        "provenance",
    ]


@pytest.mark.parametrize("name", ["inline", "processes"])
def test_executor(name: str) -> None:
    assert name in EXECUTORS
    check_executor(name)


@pytest.mark.parametrize("kind", KINDS)
def test_task_kind(kind: str) -> None:
    check_task_kind(kind)


def test_stimulus_set(tmp_path: Path) -> None:
    """ImageNet's pictures as two class folders, the one named set that needs no download."""
    assert "imagenet-val" in NAMED_SETS
    for wnid in ("n01440764", "n01443537"):
        (tmp_path / wnid).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / wnid / f"{wnid}_1.JPEG")
    check_stimulus_set("imagenet-val", tmp_path)


@pytest.mark.parametrize("name", ["quest+", "up_down"])
def test_adaptive_method(name: str) -> None:
    check_adaptive_method(name)


@pytest.mark.parametrize("name", DISTANCES.names())
def test_distance(name: str) -> None:
    check_distance(name)


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".mat", ".h5"])
def test_recordings_reader(suffix: str, tmp_path: Path) -> None:
    path, values, ids = tmp_path / f"cells{suffix}", np.arange(6.0).reshape(3, 2), ["a", "b", "c"]
    if suffix == ".npz":
        np.savez(path, values=values, stimulus_ids=ids)
    elif suffix == ".npy":
        np.save(path, values)
    elif suffix == ".mat":
        savemat(path, {"values": values})
    else:
        with h5py.File(path, "w") as file:
            file["values"] = values
    check_recordings_reader(path, stimuli=ids)


def test_result_kind() -> None:
    values = np.random.default_rng(0).random((8, 3))
    ids = [f"s{k}" for k in range(8)]
    check_result_kind(bh.analyze_cka({"conv": values}, bh.Recordings(values, ids), stimulus_ids=ids, n_permutations=19))
