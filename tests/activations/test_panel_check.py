import h5py
import numpy as np
import pytest

from beholder._core.errors import InputError
from beholder.activations.panel._check import check_panel_file


@pytest.fixture
def panel(tmp_path):
    path = tmp_path / "panel.h5"
    with h5py.File(path, "w") as file:
        for model in ("A", "B"):
            for stimulus in ("s1", "s2", "s3"):
                for layer, width in (("conv1", 6), ("fc", 3)):
                    file.create_dataset(f"{model}/{stimulus}/{layer}", data=np.ones((4, width), np.float32))
    return path


def test_a_whole_file(panel):
    check = check_panel_file(panel)
    assert check.is_whole
    assert check.to_dict()["problems"] == []
    assert check.to_dict()["models"][1] == {
        "model": "B",
        "n_stimuli": 3,
        "n_layers": 2,
        "n_replicates": 4,
        "n_values": 108,
    }
    assert check.to_lines()[0] == "A: 3 stimuli x 2 layers x 4 replicates, 108 values"
    assert check.to_lines()[-1].endswith("whole")
    assert check_panel_file(panel, n_replicates=4).is_whole


def replace(file, name, data):
    del file[name]
    file[name] = data


def delete(file, name):
    del file[name]


@pytest.mark.parametrize(
    ("damage", "place", "problem"),
    [
        (lambda f: delete(f, "B/s2"), "/B", "lacks stimulus s2"),
        (lambda f: delete(f, "B/s2/fc"), "/B/s2", "lacks layer fc"),
        (lambda f: [delete(f, f"B/s2/{layer}") for layer in ("fc", "conv1")], "/B/s2", "lacks layer conv1"),
        (lambda f: f.create_group("C"), "/C", "an empty group"),
        (lambda f: f.create_dataset("features", data=1.0), "/features", "only models' groups"),
        (lambda f: replace(f, "A/s1", np.ones(3)), "/A/s1", "a stimulus's group should be"),
        (lambda f: f.create_group("A/s1/deep"), "/A/s1/deep", "a group where a dataset"),
        (lambda f: replace(f, "A/s1/fc", np.ones((4, 3))), "/A/s1/fc", "float64, not float32"),
        (lambda f: replace(f, "A/s1/fc", np.ones((2, 3), "f4")), "/A/s1/fc", "2 replicates, not 4"),
        (lambda f: replace(f, "A/s1/fc", np.ones((4, 5), "f4")), "/A/s1/fc", "5 features, not 3"),
        (lambda f: replace(f, "A/s1/fc", np.ones(4, "f4")), "/A/s1/fc", "shape (4,)"),
        (lambda f: replace(f, "A/s1/fc", np.full((4, 3), np.nan, "f4")), "/A/s1/fc", "12 of 12 values"),
        (lambda f: f["A"].attrs.__setitem__("layers", '["conv1", "fc", "late"]'), "/A/s1", "lacks layer late"),
    ],
)
def test_each_damage_is_named(panel, damage, place, problem):
    with h5py.File(panel, "a") as file:
        damage(file)
    check = check_panel_file(panel)
    assert not check.is_whole
    assert any(p.place == place and problem in p.problem for p in check.problems), check.problems
    assert any(place in line and problem in line for line in check.to_lines())


def test_models_with_other_numbers_of_replicates(panel):
    with h5py.File(panel, "a") as file:
        for stimulus in ("s1", "s2", "s3"):
            for layer in ("conv1", "fc"):
                replace(file, f"B/{stimulus}/{layer}", np.ones((2, 3), "f4"))
    assert "A 4, B 2" in check_panel_file(panel).problems[0].problem
    assert len(check_panel_file(panel, n_replicates=4).problems) == 6


def test_values_need_not_be_read_and_many_problems_are_cut(panel):
    with h5py.File(panel, "a") as file:
        replace(file, "A/s1/fc", np.full((4, 3), np.inf, "f4"))
        for i in range(30):
            file.create_group(f"A/s1/deep{i}")
    assert any("infinite" in p.problem for p in check_panel_file(panel).problems)
    check = check_panel_file(panel, read_values=False)
    assert len(check.problems) == 30
    assert "... and 10 more" in check.to_lines()


def test_an_empty_or_foreign_file(tmp_path):
    h5py.File(tmp_path / "empty.h5", "w").close()
    assert check_panel_file(tmp_path / "empty.h5").problems[0].problem == "no models"
    (tmp_path / "text.h5").write_text("x")
    with pytest.raises(InputError, match="an HDF5 file"):
        check_panel_file(tmp_path / "text.h5")
