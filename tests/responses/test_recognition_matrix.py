"""The published form of recognition against MATLAB files as scipy reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from beholder._core.errors import InputError
from beholder.responses import RecognitionMatrix, read_recognition_matrix, write_recognition_matrix

VALUES = np.array([[[1, 0.5], [0.25, 1]], [[0, 1], [np.nan, 0.75]], [[0.5, 0.5], [1, 1]]])


def test_what_is_written_is_read_and_has_the_published_variables(tmp_path: Path) -> None:
    made = RecognitionMatrix(VALUES, ("p1", "p2", "p10"), ("natural", "layer 1"), name="net")
    path = write_recognition_matrix(tmp_path / "net.mat", made)
    content = scipy.io.loadmat(path)
    assert content["participant_data_matrix"].shape == (3, 2, 2)
    assert [each.strip() for each in content["axis_order"]] == ["participants", "model_layers", "conditions"]
    found = read_recognition_matrix(path)
    assert np.array_equal(found.values, VALUES, equal_nan=True)
    assert (found.participants, found.stages, found.observers) == (made.participants, made.stages, made.observers)
    again = write_recognition_matrix(tmp_path / "again.mat", made)
    assert again.read_bytes() == path.read_bytes()
    np.save(tmp_path / "net.npy", VALUES)
    assert read_recognition_matrix(tmp_path / "net.npy").stages == ("1", "2")


def test_what_is_no_such_matrix(tmp_path: Path) -> None:
    for name, content, said in (
        ("none", {"x": np.ones((2, 2))}, "with none"),
        ("two", {"x": np.ones((2, 2, 2)), "y": np.ones((2, 2, 2))}, "with x, y; try --variable NAME"),
        ("three", {"participant_data_matrix": np.ones((2, 2, 3))}, r"got shape \(2, 2, 3\)"),
        ("percent", {"participant_data_matrix": np.full((2, 2, 2), 95.0)}, "proportions from 0 to 1; got 95 to 95"),
    ):
        scipy.io.savemat(tmp_path / f"{name}.mat", content)
        with pytest.raises(InputError, match=said.replace("--variable NAME", "(--)?variable")):
            read_recognition_matrix(tmp_path / f"{name}.mat")
    assert read_recognition_matrix(tmp_path / "two.mat", "y").values.shape == (2, 2, 2)
    with pytest.raises(InputError, match="name of a variable of two"):
        read_recognition_matrix(tmp_path / "two.mat", "z")
    (tmp_path / "text.mat").write_text("no", encoding="utf-8")
    with pytest.raises(InputError, match="version 5"):
        read_recognition_matrix(tmp_path / "text.mat")


def test_published_matrices_name_their_stages(shared_data: Path) -> None:
    path = shared_data / "human_recognition" / "VisionExperiment1_network_vs_humans_datamatrix_cornet_s_public.mat"
    found = read_recognition_matrix(path)
    assert found.values.shape == (22, 6, 2) and len(found.participants) == 22
    assert found.stages == ("natural_image", "V1_fake_relu", "V2_fake_relu", "V4_fake_relu", "IT_fake_relu", "final")
    assert found.observers == ("Human", "Network")
    raw = scipy.io.loadmat(path)["participant_data_matrix"]
    assert np.array_equal(found.values, raw)
