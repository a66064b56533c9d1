import pytest
from PIL import Image

from beholder._core.provenance import record_provenance
from beholder.figures import FigureRecord, plot_rdms, save_figure
from beholder.report import write_report

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    for name in ("dog/dog_1", "dog/dog_2", "a_category_with_a_very_long_name_that_must_not_widen_the_page/cat_1"):
        path = folder / "pictures" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64), (200, 90, 20)).save(path)
    fig = plot_rdms({"conv1": [[0, 1], [1, 0]], "conv2": [[0, 1], [1, 0]]})
    record = FigureRecord(title="Alike?", answer="x" * 300, alt="Two matrices.")
    save_figure(fig, folder / "rdms", table={f"column{i}": [i] for i in range(40)}, record=record)
    record_provenance(folder, ".", {"long": "y" * 500})
    return write_report(folder)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window_and_words_stand_out(tab, page, width, scheme):
    tab.show(page, width, scheme=scheme)
    tab.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert tab.run("document.documentElement.scrollWidth") <= width
    colors = tab.run("['color', 'backgroundColor'].map((name) => getComputedStyle(document.body)[name])")
    ink, ground = (sum(int(part) for part in color.strip("rgb()").split(",")) for color in colors)
    assert (ground > 700 and ink < 120) if scheme == "light" else (ground < 120 and ink > 600)
    left, top = tab.run("[...['main', 'nav']].map((n) => document.querySelector(n).getBoundingClientRect().left)")
    assert (left > top + 100) if width == 1280 else abs(left - top) < 30


def test_pictures_load_and_nothing_is_asked_of_a_server(tab, page):
    tab.events.clear()
    tab.show(page, 1280)
    tab.run("document.querySelectorAll('img').forEach((i) => { i.loading = 'eager'; })")
    assert tab.run("Promise.all([...document.images].map((i) => i.decode())).then(() => document.images.length)") == 4
    assert tab.run("[...document.images].every((i) => i.naturalWidth > 0)")
    asked = [
        event["params"]["request"]["url"] for event in tab.events if event["method"] == "Network.requestWillBeSent"
    ]
    assert asked
    assert all(url.startswith(("data:", "file:")) for url in asked)
    errors = [event for event in tab.events if event["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")]
    assert errors == []


def test_tables_sort_by_a_column(tab, tmp_path):
    """Numbers by size, words with numbers in them too, what is empty below; a heading is a button."""
    table = {"n": [10, float("nan"), 2.5, -3, 1000.5], "layer": ["conv10", "conv9", "", "conv1", "fc"]}
    fig = plot_rdms({"conv1": [[0, 1], [1, 0]]})
    save_figure(fig, tmp_path / "rdms", table=table, record=FigureRecord(title="Alike?", answer="", alt=""))
    tab.show(write_report(tmp_path), 1280)
    tab.run("document.querySelector('details').open = true")
    cells = "[...document.querySelectorAll('.scroll tbody')[0].rows].map((row) => row.cells[{}].textContent).join('|')"
    press = "document.querySelectorAll('.scroll th .sort')[0].click()"
    tab.run(press)
    assert tab.run(cells.format(0)) == "−3|2.5|10|1,000|"
    tab.run(press)
    assert tab.run(cells.format(0)) == "1,000|10|2.5|−3|"
    assert tab.run("document.querySelector('.scroll th').getAttribute('aria-sort')") == "descending"
    tab.run("document.querySelectorAll('.scroll th .sort')[1].focus()")
    assert tab.run("document.activeElement.tagName") == "BUTTON"
    tab.run("document.activeElement.click()")
    assert tab.run(cells.format(1)) == "conv1|conv9|conv10|fc|"
    assert tab.run("document.querySelectorAll('.scroll th[aria-sort]').length") == 1


def test_keyboard_moves_through_the_gallery_and_shows_facts(tab, page):
    tab.show(page, 1280)
    tab.run("document.querySelector('.card[tabindex=\"0\"]').focus()")
    name = "document.activeElement.querySelector('img')?.alt"
    assert tab.run(name) == "cat_1"
    tab.press("ArrowRight")
    assert tab.run(name) == "dog_1"
    assert "dog/dog_1.png" in tab.run("document.querySelector('.tip:not([hidden])').textContent")
    tab.press("End")
    assert tab.run(name) == "dog_2"
    assert tab.run("document.querySelectorAll('.card[tabindex=\"0\"]').length") == 1


def test_filter_leaves_one_group(tab, page):
    tab.show(page, 1280)
    tab.run("{ const s = document.querySelector('select'); s.value = 'dog'; s.dispatchEvent(new Event('change')); }")
    shown = "[...document.querySelectorAll('.group:not([hidden])')].map((g) => g.dataset.group)"
    assert tab.run(shown) == ["dog"]


def test_print_leaves_out_navigation(tab, page):
    tab.show(page, 1280, scheme="dark")
    tab.call("Emulation.setEmulatedMedia", media="print")
    assert tab.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    tab.call("Emulation.setEmulatedMedia", media="")
