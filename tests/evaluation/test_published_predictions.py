"""Published judgements: pickles of plain lists, beside a table of judgements."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest

from beholder import InputError
from beholder.evaluation import compare_with_published, find_published_predictions, read_published_predictions


def write(path, right=(True, False, True)):
    """As the published files are: dictionaries by stage of lists."""
    content = {
        "model_evaluation_directory": "alexnet",
        "correct_incorrect_16": {"relu0_fake_relu": list(right), "fc": [True]},
        "labels_16_way_all_layers": {"relu0_fake_relu": ["dog"] * 3, "fc": ["cat"]},
        "predictions_16_way_all_layers": {"relu0_fake_relu": ["dog", "cat", "dog"], "fc": ["cat"]},
        "average_correct_16": {"relu0_fake_relu": np.float64(2 / 3)},
    }
    path.write_bytes(pickle.dumps(content))
    return path


def test_a_row_an_answer(tmp_path):
    found = read_published_predictions(write(tmp_path / "accuracy_on_metamers_from_vgg_19.pckl"))
    assert found.iloc[1].tolist() == ["vgg_19", "alexnet", "category", "relu0_fake_relu", 1, "dog", "cat", False]
    assert len(found) == 4


def test_proportions_are_compared_by_network_judge_and_layer(tmp_path):
    published = read_published_predictions(write(tmp_path / "accuracy_on_metamers_from_vgg_19.pckl"))
    row = {"model": "vgg_19", "judge": "alexnet", "decision": "category", "layer": "features.1"}
    own = pd.DataFrame([{**row, "correct": right} for right in (True, False)])
    found: Any = compare_with_published(own, published, layers={"features.1": "relu0"}).set_index("layer")
    assert found.loc["relu0", ["proportion", "n", "n_published"]].tolist() == [0.5, 2, 3]
    assert found.loc["relu0", "difference"] == pytest.approx(0.5 - 2 / 3)
    assert np.isnan(found.loc["fc", "proportion"])
    with pytest.raises(InputError, match="on both sides"):
        compare_with_published(own, published)


def test_networks_of_one_bare_name_are_the_same_and_stay_apart_here(tmp_path):
    published = read_published_predictions(write(tmp_path / "accuracy_on_metamers_from_vgg_19.pckl"))
    names = ("torchvision:vgg19@IMAGENET1K_V1", "timm:vgg19@in1k")
    rows = [
        {"model": name, "judge": "torchvision:alexnet", "decision": "category", "layer": "relu0", "correct": right}
        for name, right in zip(names, (True, False), strict=True)
    ]
    found: Any = compare_with_published(pd.DataFrame(rows), published).dropna().set_index("model")
    assert found["proportion"].to_dict() == {names[0]: 1.0, names[1]: 0.0} and found["n_published"].tolist() == [3, 3]


def test_files_of_some_makers_are_found(tmp_path):
    for name in ("vgg_19", "alexnet"):
        write(tmp_path / f"accuracy_on_metamers_from_{name}.pckl")
    found = find_published_predictions([tmp_path], ["torchvision:vgg19@IMAGENET1K_V1"])
    assert [path.name for path in found] == ["accuracy_on_metamers_from_vgg_19.pckl"]
    assert len(find_published_predictions([tmp_path])) == 2
    with pytest.raises(InputError, match="2 files, of alexnet, vgg_19"):
        find_published_predictions([tmp_path], ["resnet50"])
    with pytest.raises(InputError, match="nothing at"):
        find_published_predictions([tmp_path / "absent"])


def test_nothing_else_is_read_and_nothing_is_run(tmp_path):
    marker = tmp_path / "ran"
    (tmp_path / "bad.pckl").write_bytes(f"cos\nsystem\n(S'touch {marker}'\ntR.".encode())
    with pytest.raises(InputError, match="correct_incorrect"):
        read_published_predictions(tmp_path / "bad.pckl")
    assert not marker.exists()
    with pytest.raises(InputError, match="as many labels"):
        read_published_predictions(write(tmp_path / "x.pckl", right=(True, True, True, True)))
