import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from beholder._core.errors import InputError
from beholder.figures import FigureRecord, plot_accuracy, read_figure_record, render_svg, save_figure

EVERY_FORMAT = True
RECORD = FigureRecord(title="Who is right?", answer="Half of them.", warnings=("few",), order=3)


def save(path):
    ax: Any = plot_accuracy([1, 2], [2, 2], ["dog", "cat"])
    table = {"category": ["dog", "cat"], "share": [1 / 3, 1.0]}
    return save_figure(ax.figure, path, table=table, record=RECORD)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return save(tmp_path_factory.mktemp("figure") / "new" / "accuracy.svg")


def test_writes_three_formats_table_and_words(files):
    assert {kind: path.name for kind, path in files.items()} == {
        "svg": "accuracy.svg",
        "pdf": "accuracy.pdf",
        "png": "accuracy.png",
        "csv": "accuracy.csv",
        "record": "accuracy.figure.json",
    }
    assert read_figure_record(files["record"]) == RECORD
    assert files["csv"].read_text() == f"category,share\ndog,{1 / 3!r}\ncat,1.0\n"


def test_svg_keeps_words_as_text_and_pdf_embeds_its_font(files):
    svg = files["svg"].read_text()
    assert re.search(r"<text[^>]*>dog</text>", svg)
    pdf = files["pdf"].read_bytes()
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf


def test_png_has_twice_the_screens_resolution(files):
    with Image.open(files["png"]) as picture:
        assert picture.width == pytest.approx(85 / 25.4 * 300, abs=1)


def test_the_same_figure_gives_the_same_bytes(files, tmp_path):
    again = save(tmp_path / "accuracy")
    for kind, path in files.items():
        assert path.read_bytes() == again[kind].read_bytes(), kind
    for kind in ("svg", "pdf", "png"):
        assert not any(word in files[kind].read_bytes() for word in (b"CreationDate", b"ModDate", b"<dc:date>"))


def test_labels_set_after_drawing_are_fitted_when_saving(tmp_path):
    ax: Any = plot_accuracy([1] * 2, [2] * 2, ["dog", "cat"])
    ax.set_xticks(np.linspace(0, 100, 30), [f"{x:.3f} %" for x in np.linspace(0, 100, 30)])
    save_figure(ax.figure, tmp_path / "x")
    assert not all(label.get_visible() and label.get_rotation() == 0 for label in ax.get_xticklabels())


def test_a_figure_that_is_fitted_is_drawn_once_a_format(tmp_path, monkeypatch):
    ax: Any = plot_accuracy([1, 2], [2, 2], ["dog", "cat"])
    drawn = []
    draw = type(ax.figure).draw
    monkeypatch.setattr(type(ax.figure), "draw", lambda own, *words: [draw(own, *words), drawn.append(own)])
    assert render_svg(ax.figure).count(b"<svg") == len(drawn) == 1
    ax.get_xticklabels()[0].set_fontsize(30)  # of which no figure hears
    assert b"30px" in render_svg(ax.figure)
    assert len(drawn) > 2


@pytest.mark.parametrize("text", ["[]", '{"answer": "no title"}', '{"title": 3}', '{"title": "a", "else": 1}', "{"])
def test_a_foreign_record_is_refused(tmp_path, text):
    path = tmp_path / "a.figure.json"
    path.write_text(text)
    with pytest.raises(InputError):
        read_figure_record(path)
