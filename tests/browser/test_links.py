"""Links of report pages, of experiments' pages and of the documents' site lead where they say."""

from __future__ import annotations

import pytest
from tests.browser.links import find_dead_links, find_misses
from tests.browser.page_folders import write_results

from beholder.report import write_report

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return write_report(write_results(tmp_path_factory.mktemp("results")))


@pytest.mark.parametrize("size", [(1280, 900), (390, 844)], ids=["1280", "390"])
def test_links_within_a_report_land_while_its_pictures_load(chromium, report, size):
    page = chromium.new_page(viewport={"width": size[0], "height": size[1]})
    try:
        assert find_misses(page, lambda: page.goto(report.as_uri())) == []
    finally:
        page.close()


def test_files_that_a_report_links_to_are_there(report):
    assert find_dead_links(report.parent) == []


PAGE = """<style>p {{ margin: 0; height: {height}px }}
header {{ position: sticky; top: 0; height: 60px; background: red }}
h2 {{ scroll-margin-top: {margin}px }}</style><header></header><a href="#far">far</a><a href="#end">end</a>
<p></p><h2 id="far">Far</h2><p></p><h2 id="end">End</h2><a href="{other}">other</a>"""


@pytest.mark.parametrize(
    ("changes", "misses"),
    [({}, []), ({"margin": 0}, ["#far lies behind something"]), ({"margin": 400}, ["#far lands 400 px"])],
)
def test_a_heading_behind_a_bar_and_one_far_below_are_misses(chromium, tmp_path, changes, misses):
    file = tmp_path / "page.html"
    file.write_text(PAGE.format(**{"height": 2000, "margin": 70, "other": "#"} | changes), encoding="utf-8")
    page = chromium.new_page(viewport={"width": 800, "height": 600})
    try:
        found = find_misses(page, lambda: page.goto(file.as_uri()), fresh=False)
    finally:
        page.close()
    assert len(found) == len(misses) and all(a.startswith(b) for a, b in zip(found, misses, strict=True)), found


def test_dead_links_are_found(tmp_path):
    (tmp_path / "guide").mkdir()
    (tmp_path / "index.html").write_text(PAGE.format(height=1, margin=0, other="guide/#there"), encoding="utf-8")
    (tmp_path / "guide" / "index.html").write_text('<a href="../#far">a</a><a href="../b.png">b</a>', encoding="utf-8")
    assert find_dead_links(tmp_path) == ["guide/index.html: ../b.png", "index.html: guide/#there has no such place"]
