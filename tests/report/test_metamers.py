"""Metamers on the report page."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.metamer_folders import write_metamers, write_null, write_sound_metamers

from beholder.figures import PickerStimulus, render_picker
from beholder.report import Page, write_report
from beholder.report._kind_metamers import MetamerKind, _tell_match
from beholder.report._metamer_view import format_verdict, word_verdict
from beholder.stimuli import MetamerSet

LAYERS = ("block1", "classifier")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    write_metamers(folder / "metamers" / "shapes", seeds=(0, 3), passed=(True, False))
    write_null(folder / "null_dist" / "shapes")
    write_sound_metamers(folder / "metamers" / "syllables", layers=("cochleagram", "classifier"))
    write_report(folder)
    return folder


def _render(folder, name="shapes"):
    kind = MetamerKind()
    item = next(path for path in kind.find(folder) if path.name == name)
    return kind.render(item, Page(folder, folder / "report.html"))


def test_a_row_holds_the_original_and_a_metamer_a_layer(folder):
    section: Any = _render(folder)
    rows = section.view.rows
    assert [row.heading for row in rows][:2] == ["circle_0, seed 0", "circle_0, seed 3"]
    assert [card.name for card in rows[0].cards] == ["original", *LAYERS]
    assert [card.words for card in rows[0].cards] == ["", "passes", "fails: called dots"]
    table = MetamerSet(folder / "metamers" / "shapes").to_pandas()
    own = table[(table["layer"] == "block1") & (table["measured_layer"] == "block1")].iloc[0]
    assert dict(rows[0].cards[1].facts)["dB SNR as saved"] == f"{own['db_snr_saved']:.3g}"
    assert rows[0].cards[1].link == "metamers/shapes/block1/circle_0/metamer.png"
    assert "12 metamers of 3 pictures at 2 layers; 6 of 12 tested ones pass." in section.answer
    assert section.warnings == ()


def test_null_metamers_and_losses_are_drawn(folder):
    layers = _render(folder).view.layers  # pyright: ignore
    assert [layer.verdict for layer in layers] == ["6 of 6 pass", "6 of 6 fail"]
    assert [chart.heading for chart in layers[0].charts] == ["Spearman", "Pearson", "SNR (dB)", "Loss (log)"]
    assert "2,000 random pairs up to" in layers[0].charts[0].svg
    assert layers[0].charts[0].svg.count('class="passed"') == 6
    assert layers[1].charts[2].svg.count('class="failed"') == 6
    assert layers[0].charts[3].svg.count("<polyline") == 6


def test_sounds_have_players_and_say_what_is_not_judged(tmp_path):
    write_sound_metamers(tmp_path / "metamers" / "syllables", passed=(None,))
    section: Any = _render(tmp_path, "syllables")
    cards = section.view.rows[0].cards
    assert all(
        card.sound.startswith("data:audio/flac") and card.source.startswith("data:image/svg+xml") for card in cards
    )
    assert "4 of 4 metamers are not tested" in section.warnings[0]
    assert "beholder metamers null beholder:syllables@v1 FOLDER, with a FOLDER of natural sounds" in section.warnings[0]
    assert section.answer.endswith("not tested yet.")
    assert "random pairs" not in section.view.layers[0].charts[0].svg


def test_metamers_that_are_neither_tested_nor_close_are_not_called_the_same(tmp_path):
    close = {"passed": None, "db_snr": 30.0, "db_snr_saved": 20.1}
    rows = [close, {**close, "passed": True, "db_snr_saved": 5.0}]
    assert "are nearly the same" in _tell_match(rows, "look")
    for other in ({**close, "db_snr_saved": 19.0}, {"passed": False, "db_snr": 19.0, "db_snr_saved": np.nan}):
        told = _tell_match([close, other], "look")
        assert "nearly the same" not in told and "here 19 to 20.1: at 20 dB" in told


def test_an_unreadable_metamer_costs_only_itself(tmp_path):
    made = write_metamers(tmp_path / "metamers" / "shapes")
    files = list(MetamerSet(made))
    files[0].path.write_bytes(b"no picture")
    files[1].path.unlink()
    files[2].path.with_suffix(".losses.npy").unlink()
    section: Any = _render(tmp_path)
    assert sum(len(row.cards) for row in section.view.rows) == 3 + 6 - 2
    assert "Not readable: block1/circle_0/metamer.png" in section.warnings[0]


def test_a_full_page_shows_what_fits(tmp_path):
    write_metamers(tmp_path / "metamers" / "shapes")
    kind, page = MetamerKind(), Page(tmp_path, tmp_path / "report.html")
    page.budget.left = 9_000
    section: Any = kind.render(kind.find(tmp_path)[0], page)
    assert 0 < len(section.view.rows) < 3
    assert "of 3 stimuli are shown: the page is full" in section.warnings[0]


def test_names_are_escaped(tmp_path):
    write_metamers(tmp_path / "metamers" / "shapes", predictions={"circle_0": "<script>alert(1)</script>"})
    html = write_report(tmp_path).read_text()
    assert "<script>alert(1)" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_a_picker_escapes_what_it_shows():
    evil = "</script><script>window.evil=1</script>"
    one = PickerStimulus("data:image/png;base64,AA==", "", evil, evil)
    html = render_picker(evil, {evil: one}, {(evil, evil, 0): one}, rest=evil)
    assert "window.evil=1</script><script>" not in html
    assert html.count("</script>") == 2


@pytest.fixture(scope="module")
def picker(tmp_path_factory):
    evil = "</script><script>window.evil=1</script>"
    uri = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
    originals = {name: PickerStimulus(uri, "data:audio/wav;base64,", f"original {name}") for name in ("a", evil)}
    made = {
        (name, layer, 0): PickerStimulus(uri, "data:audio/wav;base64,", f"{name} {layer}", f"facts of {name} {layer}")
        for name in ("a", evil) for layer in ("early", "late") if (name, layer) != ("a", "late")
    }  # fmt: skip
    path = tmp_path_factory.mktemp("picker") / "cell.html"
    cell = render_picker("head", originals, made)
    path.write_text(f"<!DOCTYPE html><meta charset=utf-8><body>{cell}<hr>{cell}")
    return path


@pytest.mark.browser
def test_the_picker_picks(tab, picker):
    tab.events.clear()
    tab.show(picker, 800)
    cells = "[...document.querySelectorAll('[data-beholder-picker]')]"
    text = cells + ".map((cell) => cell.querySelector('[data-part=%s]').innerText)"
    assert tab.run(text % "facts") == ["facts of a early"] * 2
    pick = (
        "{ const s = document.querySelectorAll('select'); s[%d].value = '1';"
        " s[%d].dispatchEvent(new Event('change')); }"
    )
    tab.run(pick % (1, 1))
    assert tab.run(text % "facts")[0].startswith("No metamer of this stimulus")
    assert tab.run("document.querySelector('[data-part=metamer]').hidden")
    tab.run(pick % (0, 0))
    shown = tab.run(text % "metamer")
    assert shown[0].strip().endswith("late")
    assert shown[1].strip() == "a early"
    assert tab.run("window.evil") is None
    assert tab.run("document.querySelectorAll('select')[2].disabled")
    assert [e for e in tab.events if e["method"] == "Runtime.exceptionThrown"] == []


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_page_fits_filters_and_plays(tab, folder, width):
    page = folder / "report.html"
    tab.events.clear()
    tab.show(page, width)
    assert tab.run("document.documentElement.scrollWidth") <= width
    assert tab.run("document.querySelector('.metamers .count').textContent") == "12 metamers"
    tab.run(
        "{ const s = document.querySelector('.metamers select[data-key=layer]'); s.value = 'block1';"
        " s.dispatchEvent(new Event('change')); }"
    )
    assert tab.run("document.querySelector('.metamers .count').textContent") == "6 of 12 metamers"
    assert tab.run("[...document.querySelectorAll('.metamers.pictures .matched:not([hidden])')].length") == 1
    tab.run("document.querySelector('.metamers .card[tabindex=\"0\"]').focus()")
    tab.press("ArrowRight")
    assert "dB SNR as saved" in tab.run("document.querySelector('.tip:not([hidden])').textContent")
    # A verdict stands in words, not in colour alone.
    assert tab.run("document.querySelector('.made .words span').textContent") == "passes"
    assert tab.run("document.querySelectorAll('.metamers.sounds .sound[role=button]').length") == 6
    assert [e for e in tab.events if e["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")] == []


@pytest.mark.parametrize(
    ("passed", "original", "metamer", "words"),
    [
        (True, "cat", "cat", "passes"),
        (False, "cat", "cat", "fails"),
        (False, "cat", "quilt", "fails: called quilt"),
        (False, "", "quilt", "fails"),
        (None, "cat", "quilt", "not tested"),
    ],
)
def test_a_metamer_of_another_name_says_so(passed: bool | None, original: str, metamer: str, words: str) -> None:
    row = {"passed": passed, "prediction_original": original, "prediction_metamer": metamer}
    assert word_verdict(format_verdict(row), row) == words
