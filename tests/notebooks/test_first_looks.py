"""What a notebook shows of the first things that people look at."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from tests.notebooks.conftest import RunCells

BEGIN = """
import beholder as bh
from beholder.stimuli import draw_shapes_set
stimuli = draw_shapes_set("images", 1, 1)[:4]
net = bh.load_model("beholder:shapes", device="cpu")
acts = bh.extract(net, stimuli, ["classifier"])
rdm = bh.compute_rdm(acts["classifier"])
"""


def list_kinds(outputs: list[dict[str, Any]]) -> list[set[str]]:
    return [set(each.get("data", {"stream": ""})) for each in outputs]


def test_figures_appear_once_each_and_things_show_themselves(run_cells: RunCells) -> None:
    shown = run_cells(
        BEGIN,
        "bh.plot_rdm(rdm);",
        "axes = [bh.plot_rdm(rdm), bh.plot_rdm(rdm)]",
        "net",
        'bh.describe_layers(net).filter("block1*")',
        'bh.UnitList([("block3", 5)])',
        'acts["classifier"]',
        'made = bh.visualize(net, "block3:5", 2, steps=2)\nmade',
        'bh.make_metamers(net, stimuli, ["classifier"], iterations=2)[0].plot();',
        "bh.write_report('activations', 'page.html');",
        "from beholder.figures import draw_for_files\nwith draw_for_files():\n    bh.plot_rdm(rdm)",
    )
    kinds = [list_kinds(outputs) for outputs in shown]
    assert [sum("image/png" in kind for kind in each) for each in kinds] == [0, 1, 2, 0, 0, 0, 0, 0, 1, 0, 0]
    assert [any("text/html" in kind for kind in each) for each in kinds[3:8]] == [True] * 5
    given = [each.get("data", {}) for outputs in shown[3:8] for each in outputs]
    told = [data["text/html"] for data in given if "text/html" in data]
    words = ["567,528", "Conv2d", "channels", "classifier", "data:image/webp"]
    assert all(word in html for word, html in zip(words, told, strict=True)), told


def test_a_script_that_imports_pyplot_can_show_figures_and_files_leave_nothing_open() -> None:
    code = (
        "import matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as plt; from beholder.figures import *;"
        "plot_rdm([[0, 1], [1, 0]]); assert plt.get_fignums() == [1]\n"
        "with draw_for_files(): plot_rdm([[0, 1], [1, 0]])\n"
        "assert plt.get_fignums() == [1]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
