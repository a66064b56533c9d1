"""Metamers of several networks side by side: own sets, and published examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.metamer_folders import write_metamers, write_sound_metamers

import beholder as bh
from beholder._core.errors import InputError
from beholder.report import write_report
from beholder.report._kind_metamer_grids import MetamerGridKind
from beholder.report._section import Page
from beholder.report._write import collect_sections
from beholder.stimuli import MetamerGrid, make_shape_picture, read_metamer_grid, save_picture

STAGES = {"alexnet": ("relu0", "relu4", "final"), "resnet50": ("conv1_relu1_fake_relu", "final")}


def write_examples(folder: Path) -> Path:
    """As published: ``{i}_{network}/{j}_{stage}/{number}_{network}_{stage}.png``, originals of ``orig``."""
    for number in (0, 25):
        for i, (network, stages) in enumerate([("orig", ("orig",)), *STAGES.items()]):
            for j, stage in enumerate(stages):
                path = folder / f"{i}_{network}" / f"{j}_{stage}" / f"{number}_{network}_{stage}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                save_picture(path, make_shape_picture("star", number + 10 * i + j))
    return folder


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    write_metamers(folder / "metamers" / "shapes", layers=("block1", "classifier"))
    write_metamers(folder / "metamers" / "shapes-robust", model="beholder:shapes-robust@v1", layers=("block2",))
    write_examples(folder / "examples-vision-1")
    return folder


def test_own_sets_and_examples_are_read_by_stimulus_network_and_stage(results: Path) -> None:
    own, published = bh.open(results / "metamers"), bh.open(results / "examples-vision-1")
    assert isinstance(own, MetamerGrid) and isinstance(published, MetamerGrid)
    assert repr(own) == "MetamerGrid(9 metamers: 3 stimuli, 2 networks)"
    assert repr(published) == "MetamerGrid(10 metamers: 2 stimuli, 2 networks)"
    row = published.rows[1]
    assert row.stimulus == "25" and row.original is not None and row.original.name == "25_orig_orig.png"
    assert {name: tuple(stage for stage, _ in stages) for name, stages in row.made.items()} == STAGES
    assert [stage for stage, _ in own.rows[0].made["shapes"]] == ["block1", "classifier"]
    assert len(own.to_pandas()) == 9 + 3
    assert [row.stimulus for row in published.select("25").rows] == ["25"]
    with pytest.raises(InputError, match="26"):
        published.select(["26"])
    with pytest.raises(InputError, match="published examples"):
        read_metamer_grid(results)


def test_stimuli_of_one_name_and_other_content_are_told_apart(tmp_path: Path) -> None:
    write_metamers(tmp_path / "a", categories=("star",))
    table = write_metamers(tmp_path / "b", categories=("star",)) / "stimuli.csv"
    table.write_text(table.read_text().replace("0" * 64, "1" * 64))
    assert [row.stimulus for row in read_metamer_grid(tmp_path).rows] == ["star_0", "star_0 (b)"]


def test_the_page_has_a_section_of_each(results: Path) -> None:
    page = Page(results, results / "report.html")
    kind = MetamerGridKind()
    found = {item.name: kind.render(item, page) for item in kind.find(results)}
    assert set(found) == {"metamers", "examples-vision-1"}
    published: Any = found["examples-vision-1"]
    assert published.answer == "10 metamers of 2 pictures, of 2 networks: published examples."
    lines = published.view.rows[0].lines
    assert [line.network for line in lines] == ["", "alexnet", "resnet50"]
    assert [card.name for card in lines[1].cards] == list(STAGES["alexnet"])
    assert lines[1].cards[0].link == "examples-vision-1/1_alexnet/0_relu0/0_alexnet_relu0.png"
    assert page.is_claimed(results / "examples-vision-1"), "no gallery of them beside"
    titles = [section.title for section in collect_sections(results, results / "report.html")]
    assert sum("beside one another" in title for title in titles) == 2
    assert sum("not tell apart" in title for title in titles) == 2


def test_one_network_alone_has_no_second_section(tmp_path: Path) -> None:
    write_metamers(tmp_path / "metamers" / "shapes")
    assert MetamerGridKind().find(tmp_path) == []


def test_a_notebook_shows_pictures_and_plays_sounds(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    html = bh.open(results / "metamers")._repr_html_()
    assert html.count("<img") == 3 * (1 + 3)
    assert "shapes-robust" in html and "block2" in html
    assert bh.open(results / "metamers" / "shapes")._repr_html_().count("<img") == 3 * 3
    write_sound_metamers(tmp_path / "syllables")
    grid = read_metamer_grid(tmp_path / "syllables")
    assert grid._repr_html_().count("<audio controls") == 2 * 3
    assert "<p>stimulus 0</p>" in bh.open(results / "examples-vision-1")._repr_html_()
    monkeypatch.setattr("beholder.stimuli.made._metamer_rows._MOST_PLAYERS", 4)
    html = grid._repr_html_()
    assert html.count("<audio controls") == 3 and "1 more" in html, "no more players than a browser plays"


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_the_grid_fits_and_filters(tab, results: Path, width: int) -> None:
    page = write_report(results)
    tab.show(page, width)
    assert tab.run("document.documentElement.scrollWidth") <= width
    grid = "[...document.querySelectorAll('.metamers.grid')].find((g) => g.textContent.includes('relu4'))"
    assert tab.run(f"{grid}.querySelector('.count').textContent") == "10 metamers"
    tab.run(
        f"{{ const s = {grid}.querySelector('select'); s.value = 'alexnet'; s.dispatchEvent(new Event('change')); }}"
    )
    assert tab.run(f"{grid}.querySelector('.count').textContent") == "6 of 10 metamers"
    assert tab.run(f"{grid}.querySelectorAll('.network:not([hidden])').length") == 2
