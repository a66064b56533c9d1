"""Networks of unlike depth decoded from the command line: classes, and a circular variable with its bias."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Two bundled networks shown 24 pictures whose table has an orientation."""
    import beholder as bh

    folder = tmp_path_factory.mktemp("decode")
    generator = np.random.default_rng(0)
    rows = []
    for i in range(24):
        Image.fromarray(generator.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(folder / f"p{i}.png")
        rows.append({"file": f"p{i}.png", "kind": "ab"[i % 2], "angle": 15 * (i % 12), "before": 15 * ((i * 5) % 12)})
    pd.DataFrame(rows).to_csv(folder / "pictures.csv", index=False)
    net = bh.load_model("beholder:shapes@random")
    for name, layers in (("one", ["block1", "block2", "block3"]), ("two", ["block1", "block3"])):
        bh.extract(net, folder / "pictures.csv", layers=layers, pool="mean", out_path=folder / name)
    return [next((folder / name).glob("*.zarr")) for name in ("one", "two")]


def test_depth_bins_of_two_stores(beholder, stores, tmp_path):
    argv = ["analyze", "decode", *stores, "--labels", "kind", "--classifier", "centroid", "--depth_bins", "2"]
    code, out, err = beholder(*argv, "--n_permutations", "0", "--out", tmp_path, "--json")
    assert code == 0, err
    rows = json.loads(out)["decode"]
    bins = [row for row in rows if row["statistic"] == "mean of depth bin"]
    assert [row["layer"] for row in bins] == ["depth 1 of 2", "depth 2 of 2"] * 2
    assert {row["layer"] for row in rows if row["statistic"] == "difference"} == {
        "block1", "block3", "depth 1 of 2", "depth 2 of 2",
    }  # fmt: skip
    assert "bins of relative depth" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_circular_variable_and_its_bias(beholder, stores, tmp_path):
    argv = ["analyze", "decode", stores[0], "--labels", "angle", "--period", "180", "--reference", "before"]
    code, out, err = beholder(*argv, "--n_permutations", "20", "--out", tmp_path, "--json")
    assert code == 0, err
    rows = json.loads(out)["decode-circular"]
    assert {row["statistic"] for row in rows} == {"circular-error", "circular-bias"}
    assert (tmp_path / "figures" / "decode-circular_bias.svg").is_file()
    code, _, err = beholder(*argv, "--n_permutations", "20", "--seed", "7", "--out", tmp_path)
    assert code == 2
    assert "seed" in err
    code, _, err = beholder(
        "analyze", "decode", stores[0], "--labels", "kind", "--period", "180", "--out", tmp_path / "new"
    )
    assert code == 2
    assert "labels that are numbers" in err


def test_stimuli_of_one_id_are_not_of_two_kinds(beholder, stores, tmp_path):
    import beholder as bh

    folder = tmp_path / "pictures"
    folder.mkdir()
    table = pd.read_csv(stores[0].parents[1] / "pictures.csv")
    table["kind"] = table["kind"].where(table.index != 5, "a")
    table["file"] = [str(stores[0].parents[1] / name) for name in table["file"]]
    table["id"] = [f"p{i}" for i in range(24)]
    table.to_csv(folder / "pictures.csv", index=False)
    net = bh.load_model("beholder:shapes@random")
    bh.extract(net, folder / "pictures.csv", layers=["block1"], pool="mean", out_path=folder / "other")
    other = next((folder / "other").glob("*.zarr"))
    code, _, err = beholder("analyze", "decode", stores[0], other, "--labels", "kind", "--out", tmp_path / "out")
    assert code == 2
    assert "1 that differ, 'p5' first" in err
