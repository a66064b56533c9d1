import re
from typing import Any

import pytest
from scipy.io import loadmat

from beholder._core.errors import InputError
from beholder.stimuli import get_metamer_experiment, load_metamer_experiments


def test_numbers_titles_and_networks():
    table = {(e.modality, e.number): e for e in load_metamer_experiments()}
    assert list(table) == [("vision", n) for n in (1, 3, 4, 5, 6, 9, 10, 12, 16)] + [
        ("audio", n) for n in (1, 3, 4, 6, 7, 8)
    ]
    assert [e.paper_number for e in table.values()] == [1, 7, 8, 3, 6, 12, 5, 2, 4, 1, 3, 4, 2, 5, 6]
    assert table["vision", 1].networks == ("cornet_s", "alexnet", "vgg_19", "resnet50", "resnet101")
    assert table["audio", 6].stages == {
        "spectemp_filters": ("input_after_preproc", "filtered_signal", "spectempfilter_power", "avgpool", "final")
    }
    assert sum(len(e.networks) for e in table.values()) == 59
    for experiment in table.values():
        for stages in experiment.stages.values():
            assert stages[-1] == "final" and len(set(stages)) == len(stages)
            assert ("input_after_preproc" in stages) == (experiment.modality == "audio")


def test_a_network_has_the_same_stages_in_every_experiment():
    known: dict[str, tuple[str, ...]] = {}
    for experiment in load_metamer_experiments():
        for network, stages in experiment.stages.items():
            assert known.setdefault(network, stages) == stages


def test_stages_are_those_of_the_published_answers(shared_data):
    files = sorted((shared_data / "human_recognition").glob("*.mat"))
    assert files
    for file in files:
        kind: Any
        kind, number, network = re.match(r"(\w+?)Experiment(\d+)_.*_datamatrix_(.*)_public", file.name).groups()  # pyright: ignore[reportOptionalMemberAccess]
        content = loadmat(file)
        stages = [each.strip() for each in content["model_layers"]]
        experiment = get_metamer_experiment(kind.lower(), int(number))
        assert stages[0].startswith("natural_") and tuple(stages[1:]) == experiment.stages[network]
        assert content["participant_data_matrix"].shape[1] == len(experiment.stages[network]) + 1


def test_as_a_table():
    table = get_metamer_experiment("vision", 9).to_pandas()
    assert len(table) == 24 and table.columns[0] == "modality"
    assert table.query("network.str.startswith('vone') and position == 0")["stage"].tolist() == ["v1_output"]


def test_unknown_numbers_name_the_known():
    with pytest.raises(InputError, match="got vision 2; try one of vision 1, vision 3"):
        get_metamer_experiment("vision", 2)


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        get_metamer_experiment("vision", 1).stages["x"] = ()  # pyright: ignore[reportIndexIssue]
