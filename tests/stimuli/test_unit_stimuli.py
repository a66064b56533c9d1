"""Reading ``stimuli/{model}``: manifests, distributions, verdicts, maps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

import beholder as bh
from beholder.activations import describe_file
from beholder.stimuli import read_model_stimuli

HEAD = "file,role,source,rank,activation,percentile,seed,settings\n"
ROLES = ("reference", "reference", "query")
MAPS = "file,stimulus,low,high,mean,x,y,step_x,step_y,width,height,is_aligned\n"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two units of ``layer1.0.relu@3:in``, one of ``layer10``, one of ``layer9``; the second unit has everything."""
    out = tmp_path / "stimuli" / "net"
    names = {"layer1.0.relu_3_in": (4, 12), "layer10": (0,), "layer9": (1,)}
    for layer, channels in names.items():
        for channel in channels:
            ranks = {"min": (1, 0, 2), "max": (8, 9, 7)}
            rows = [
                f"batch_0/{sign}_{i}.png,{ROLES[i]},cat_{rank}.png,{rank},{rank / 4},50.0,1,{{}}"
                for sign in ranks
                for i, rank in enumerate(ranks[sign])
            ]
            write(out / layer / f"channel_{channel}" / "natural_images" / "manifest.csv", HEAD + "\n".join(rows) + "\n")
    unit = out / "layer1.0.relu_3_in" / "channel_12"
    exact = {"layer": "layer1.0.relu@3:in", "channel": 12, "n_stimuli": 10, "edges": [0, 1, 2], "counts": [3, 7]}
    write(unit / "natural_images" / "distribution.json", json.dumps(exact))
    made = "".join(
        f"{s}_{i}.png,reference,synthesis,{i},{a},,1,{{}}\n" for s, i, a in [("max", 10, 5.0), ("max", 2, 4.0)]
    )
    write(unit / "optimized_images" / "manifest.csv", HEAD + made)
    (unit / "optimized_images" / "transparency").mkdir()
    Image.new("L", (4, 4)).save(unit / "optimized_images" / "transparency" / "max_2.png")
    row = "natural_images/batch_0/max_1.png,natural_images/batch_0/max_1.png,-1.5,2.5,0.1,1.0,2.0,4.0,8.0,224,112,yes\n"
    write(unit / "activation_maps" / "manifest.csv", MAPS + row)
    table = "layer,channel,sign,activation_best,natural_best,beats,note\n"
    write(
        out / "optimized_units.csv",
        f"{table}layer1.0.relu@3:in,12,max,5.0,2.25,yes,\nlayer10,0,max,1.0,2.25,no,short\n",
    )
    recorded = ["layer9", "layer10", "layer1.0.relu@3:in"]
    write(out / "provenance.json", json.dumps({"outputs": {"natural_images": {"layers": recorded}}}))
    return out


def test_everything_that_is_known_of_a_unit(folder: Path) -> None:
    found = read_model_stimuli(folder)
    unit = found["layer1.0.relu@3:in", 12]
    assert (unit.edges, unit.counts) == ((0, 1, 2), (3, 7))
    assert unit.verdicts["max"]["beats"] == "yes"
    assert "min" not in unit.verdicts
    assert [one.rank for one in unit.select("natural", "max")] == [7, 8, 9]
    assert [one.rank for one in unit.select("natural", "min")] == [2, 1, 0]
    assert [one.path.name for one in unit.select("optimized", "max")] == ["max_2.png", "max_10.png"]
    assert [one.role for one in unit.select("natural", "min", "query")] == ["query"]
    strongest = unit.select("natural", "max")[-1]
    assert strongest.path == folder / "layer1.0.relu_3_in/channel_12/natural_images/batch_0/max_1.png"
    assert (strongest.activation, strongest.percentile, strongest.source) == (2.25, 50.0, "cat_9.png")
    assert strongest.map is not None
    assert (strongest.map.low, strongest.map.high, strongest.map.x, strongest.map.step_y) == (-1.5, 2.5, 1.0, 8.0)
    assert (strongest.map.width, strongest.map.height) == (224, 112)
    assert unit.select("natural", "max")[0].map is None
    weakest, best = unit.select("optimized", "max")
    assert weakest.opacity is not None
    assert best.opacity is None
    assert best.percentile is None


def test_units_are_in_the_order_of_the_recording(folder: Path) -> None:
    found = read_model_stimuli(folder)
    assert [(unit.layer, unit.channel) for unit in found] == [
        ("layer9", 1), ("layer10", 0), ("layer1.0.relu@3:in", 4), ("layer1.0.relu@3:in", 12),
    ]  # fmt: skip
    (folder / "provenance.json").unlink()
    layers = [unit.layer for unit in read_model_stimuli(folder)]
    assert layers == ["layer1.0.relu@3:in", "layer1.0.relu@3:in", "layer9", "layer10"]


def test_looking_at_it(folder: Path) -> None:
    found = bh.open(folder)
    assert repr(found) == "ModelStimuli(4 units of net, 3 layers; stimuli: 24 natural, 2 optimized)"
    table = found.to_pandas()
    assert len(table) == 26
    assert set(table.loc[table["kind"] == "natural", "sign"]) == {"min", "max"}
    html = found._repr_html_()
    assert "layer10:0" in html
    assert "max_1.png" in html, "pictures that are missing are named"
    with pytest.raises(bh.InputError, match="layer10:0"):
        found["layer10", 3]
    summary = describe_file(folder)
    assert summary.kind == "stimuli"
    assert summary.facts == {"model": "net", "units": 4, "layers": 3}
    assert summary.tables["units"][1]["beats_max"] == "no"
    assert summary.tables["units"][3] == {
        "layer": "layer1.0.relu@3:in", "channel": 12, "natural": 6, "optimized": 2, "maps": 1,
        "beats_min": "", "beats_max": "yes",
    }  # fmt: skip
    assert describe_file(folder.parent).kind == "stimuli", "the only model in the folder"


def test_files_of_units_are_opened_and_shown(tmp_path: Path) -> None:
    path = tmp_path / "units.json"
    bh.UnitList([("conv1", 3), ("conv2", 0)], model="file:net", seed=7).save(path)  # pyright: ignore[reportArgumentType]
    assert bh.open(path).layers == ("conv1", "conv2")
    summary = describe_file(path)
    assert (summary.kind, summary.facts) == ("units", {"model": "file:net", "seed": 7, "units": 2})
    assert summary.tables["units"][1] == {"layer": "conv2", "channel": 0}
    path.write_text('{"units": ["layer4_1_conv3__1459"]}')
    assert describe_file(path).tables["units"] == [{"layer": "layer4_1_conv3", "channel": "1459"}]
    path.write_text("[1]")
    with pytest.raises(bh.InputError, match="a file of units"):
        describe_file(path)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (
            "layer9/channel_1/natural_images/manifest.csv",
            "file,role\nmax_1.png,query\n",
            "the columns file, role, rank",
        ),
        ("layer9/channel_1/natural_images/manifest.csv", HEAD + "strong.png,query,,0,1,,1,\n", "min_{k} or max_{k}"),
        (
            "layer9/channel_1/natural_images/manifest.csv",
            HEAD + "batch_0/max_1.png,query,,0,strong,1,,1\n",
            "a number; got 'strong'",
        ),
        ("layer9/channel_1/natural_images/distribution.json", "{}", "layer, edges and counts"),
        ("optimized_units.csv", "layer,channel\nlayer9,1\n", "the columns layer, channel, sign, beats"),
    ],
)
def test_files_that_do_not_read_are_named(folder: Path, file: str, text: str, message: str) -> None:
    write(folder / file, text)
    with pytest.raises(bh.InputError, match=message) as caught:
        read_model_stimuli(folder)
    assert file.rpartition("/")[2] in str(caught.value)


def test_other_folders_are_refused_with_the_nearest(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(bh.InputError, match="stimuli/net"):
        bh.open(folder.parent)
    with pytest.raises(bh.InputError, match="no folder"):
        read_model_stimuli(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(bh.InputError, match="natural_images"):
        read_model_stimuli(tmp_path / "empty")
