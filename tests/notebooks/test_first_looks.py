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


SLOW = """
import time
from IPython.display import DisplayHandle
from beholder._core.progress import show_progress
seen, show = [], DisplayHandle.display
DisplayHandle.display = lambda self, obj, **more: (seen.append(obj.data), show(self, obj, **more))[1]
with show_progress("count <sheep>", 4, "sheep") as advance:
    for _ in range(4):
        time.sleep(0.3)
        advance(1)
"""


def test_progress_and_sounds_need_no_setting_up_and_no_server(run_cells: RunCells) -> None:
    shown = run_cells(
        SLOW,
        "%env BEHOLDER_PROGRESS=0",
        "with show_progress('count', 4, 'sheep') as advance:\n    time.sleep(1)",
        "import beholder as bh; from beholder.stimuli import draw_syllables_set\n"
        "sounds = draw_syllables_set('sounds', 1, 1)[:2]\nsounds",
        "net = bh.load_model('beholder:syllables', device='cpu')\n"
        "acts = bh.record_units(net, sounds, layers=['block2'])\n"
        "best = bh.find_exemplars(acts, 'block2:3', top=1)\nbest",
        "best.show(); net(sounds).shape",
        "print(seen[0])",
        "bh.visualize(net, 'block2:3', steps=1)",
    )
    assert [list_kinds(outputs) for outputs in shown[:1]] == [[{"text/plain", "text/html"}]], "one bar, gone at the end"
    assert shown[0][0]["data"]["text/html"] == "" and shown[2] == []
    assert "<progress value='0.2500'" in shown[6][0]["text"] and "count &lt;sheep&gt;" in shown[6][0]["text"]
    players = [str(shown[i][-1]["data"]["text/html"]).count("<audio controls") for i in (3, 4, 7)]
    assert players == [2, 2, 1] and "data:audio/flac;base64," in shown[3][-1]["data"]["text/html"]
    assert any("image/png" in kind for kind in list_kinds(shown[5]))


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
        'from beholder.figures import plot_rdms\nfigure = plot_rdms({"classifier": rdm})\nfigure',
        "figure",
        "# fails\ndef look(layer):\n    return bh.extract(net, stimuli, [layer])\nlook('clasifier')",
    )
    kinds = [list_kinds(outputs) for outputs in shown]
    assert [sum("image/png" in kind for kind in each) for each in kinds] == [0, 1, 2, 0, 0, 0, 0, 0, 1, 0, 0, 1, 1, 0]
    assert [any("text/html" in kind for kind in each) for each in kinds[3:8]] == [True] * 5
    given = [each.get("data", {}) for outputs in shown[3:8] for each in outputs]
    told = [data["text/html"] for data in given if "text/html" in data]
    words = ["567,528", "Conv2d", "channels", "classifier", "data:image/webp"]
    assert all(word in html for word, html in zip(words, told, strict=True)), told
    *way, last = shown[-1][0]["traceback"]
    assert way == ["line 4: look('clasifier')", "line 3: return bh.extract(net, stimuli, [layer])"]
    assert last.startswith("\x1b[31mUnknownNameError\x1b[0m: expected ") and last.endswith("try 'classifier'")


def test_a_script_that_imports_pyplot_can_show_figures_and_files_leave_nothing_open() -> None:
    code = (
        "import matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as plt; from beholder.figures import *;"
        "plot_rdm([[0, 1], [1, 0]]); assert plt.get_fignums() == [1]\n"
        "with draw_for_files(): plot_rdm([[0, 1], [1, 0]])\n"
        "assert plt.get_fignums() == [1]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
