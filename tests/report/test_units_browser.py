"""The gallery of units in Chromium: filters, keyboard, maps, sounds, and its width."""

from __future__ import annotations

import base64
import re
import time

import pytest
from tests.metamer_folders import write_metamers, write_null, write_sound_metamers
from tests.unit_folders import write_unit, write_verdicts

from beholder._core.provenance import record_provenance
from beholder.figures import FigureRecord, plot_rdms, save_figure
from beholder.report import write_report

pytestmark = pytest.mark.browser

SHOWN = "[...document.querySelectorAll('.unit:not([hidden])')].map((u) => `${u.dataset.model}/${u.dataset.layer}`)"
ACTIVE = (
    "document.activeElement.closest('.unit')?.dataset.layer + ' ' + document.activeElement.querySelector('img')?.alt"
)
PLAYING = (
    "[...document.querySelectorAll('.sound')].map((c, i) => c.classList.contains('playing') ? i : -1)"
    ".filter((i) => i >= 0)"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    one, two = folder / "stimuli" / "one", folder / "stimuli" / "two"
    write_unit(one, "conv1", 3, n_optimized=3, maps=True)
    write_unit(one, "conv2.with.quite.a.long.name.that.must.not.widen.the.page.conv2:in", 12, n_optimized=2)
    write_unit(one, "conv3", 4)
    write_unit(two, "conv1", 7)
    write_verdicts(one, [("conv1", 3, "max", 50.0, 29.0, "yes", ""), ("conv3", 4, "max", 5.0, 29.0, "no", "")])
    return write_report(folder)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    write_unit(folder / "ear", "conv1", 0, suffix=".wav")
    return write_report(folder)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Enough of several kinds that the page is long."""
    folder = tmp_path_factory.mktemp("many")
    for channel in range(14):
        write_unit(folder / "stimuli" / "net", "conv1", channel, n_optimized=9)
    write_metamers(folder / "metamers" / "shapes")
    write_sound_metamers(folder / "metamers" / "syllables")
    write_null(folder / "null_dist" / "shapes")
    fig = plot_rdms({"conv1": [[0, 1], [1, 0]], "conv2": [[0, 1], [1, 0]]})
    for place in (1, 2):
        record = FigureRecord(
            title=f"Alike {place}?", answer="Yes.", alt="Two matrices.", order=450 + 100 * (place - 1)
        )
        save_figure(fig, folder / "figures" / f"rdms_{place}", record=record)
    record_provenance(folder, ".", {})
    return write_report(folder)


def choose(tab, key, value):
    tab.run(
        f"{{ const s = document.querySelector('select[data-key={key}]'); s.value = '{value}'; "
        "s.dispatchEvent(new Event('change')); }"
    )


def focus(tab, layer):
    tab.call("Emulation.setFocusEmulationEnabled", enabled=True)
    tab.run(f'document.querySelector(\'.unit[data-layer="{layer}"] .card[tabindex="0"]\').focus()')


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window(tab, page, width, scheme):
    tab.show(page, width, scheme=scheme)
    tab.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert tab.run("document.documentElement.scrollWidth") <= width
    tops = tab.run(
        "[...document.querySelector('.unit').querySelectorAll('.side')].map((s) => s.getBoundingClientRect().top)"
    )
    assert (tops[0] == tops[1]) if width == 1280 else tops[0] < tops[1]
    sizes = tab.run("[...document.querySelector('.unit').querySelectorAll('.card img')].map((i) => i.width)")
    assert max(sizes) - min(sizes) < 6, "natural and synthetic at the same size"


def test_filters_work_together_and_say_how_many(tab, page):
    tab.show(page, 1280)
    assert len(tab.run(SHOWN)) == 4
    choose(tab, "layer", "conv1")
    assert tab.run(SHOWN) == ["one/conv1", "two/conv1"]
    assert tab.run("document.querySelector('.count').textContent") == "2 of 4 units"
    choose(tab, "model", "two")
    assert tab.run(SHOWN) == ["two/conv1"]
    disabled = "[...document.querySelectorAll('select[data-key=layer] option')].filter((o) => o.disabled).length"
    assert tab.run(disabled) == 2, "layers that the other model alone has"
    choose(tab, "layer", "")
    choose(tab, "model", "")
    choose(tab, "beats", "no")
    assert tab.run(SHOWN) == ["one/conv3"]


def test_tab_goes_from_unit_to_unit_and_arrows_through_the_pictures(tab, page):
    tab.show(page, 1280)
    focus(tab, "conv1")
    assert tab.run(ACTIVE) == "conv1 reference, activation −10"
    tab.press("ArrowRight")
    assert tab.run(ACTIVE) == "conv1 reference, activation −9"
    tip = tab.run("document.querySelector('.tip:not([hidden])').textContent")
    assert "activation: −9" in tip
    assert "rank: 1 of 40" in tip
    assert tab.run("document.querySelectorAll('.tip img').length") == 1, "the picture, larger"
    tab.press("ArrowDown")
    assert tab.run(ACTIVE) == "conv1 reference, activation −6"
    tab.press("End")
    assert tab.run("document.activeElement.closest('.unit').dataset.model") == "two"
    tab.press("Home")
    assert tab.run(ACTIVE) == "conv1 reference, activation −10"
    tab.press("ArrowLeft")
    assert tab.run(ACTIVE) == "conv1 reference, activation −10"
    stops = tab.run("[...document.querySelectorAll('.unit')].map((u) => u.querySelectorAll('[tabindex=\"0\"]').length)")
    assert stops == [1, 1, 1, 1]
    outline = tab.run("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none", "the focus is seen"


def test_arrows_skip_units_that_are_filtered_out(tab, page):
    tab.show(page, 1280)
    choose(tab, "layer", "conv1")
    focus(tab, "conv1")
    for _ in range(60):
        tab.press("ArrowRight")
    assert tab.run("document.activeElement.closest('.unit').dataset.model") == "two"


def test_the_map_is_laid_over_the_picture(tab, page):
    tab.show(page, 1280)
    tab.run("scrollTo(0, document.querySelector('.unit').offsetTop)")
    visible = "getComputedStyle(document.querySelector('.map')).display"
    assert tab.run(visible) == "none"
    tab.run("document.querySelector('.show-maps').click()")
    assert tab.run(visible) == "block"
    boxes = tab.run(
        "['.frame', '.map'].map((n) => document.querySelector('.frame:has(.map)').parentElement.querySelector(n))"
        ".map((e) => e.getBoundingClientRect()).map((b) => [b.left, b.top, b.width, b.height].map(Math.round))"
    )
    assert boxes[0] == boxes[1]


def test_without_script_everything_is_there_but_the_filters(tab, page):
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.call("Page.navigate", url=page.resolve().as_uri())
        time.sleep(1)
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)
    assert len(tab.run(SHOWN)) == 4
    assert tab.run("[...document.querySelectorAll('.units .filter')].every((f) => f.hidden)")
    assert tab.run("document.querySelector('.show-maps').closest('[hidden]') === null")


def test_print_keeps_cards_whole_and_drops_controls(tab, page):
    tab.show(page, 1280, scheme="dark")
    tab.call("Emulation.setEmulatedMedia", media="print")
    assert tab.run("getComputedStyle(document.querySelector('.units .bar')).display") == "none"
    assert tab.run("getComputedStyle(document.querySelector('.unit')).breakInside") == "avoid"
    tab.call("Emulation.setEmulatedMedia", media="")


def test_two_to_four_cards_are_printed_on_a_page(tab, many):
    tab.show(many, 1280, scheme="dark")
    before, after = (_count_pages(tab, n) for n in (2, 14))
    assert 12 / 4 <= after - before <= 12 / 2, "twelve cards more"


def _count_pages(tab, n_units):
    tab.run(f"document.querySelectorAll('.unit').forEach((u, i) => {{ u.hidden = i >= {n_units}; }})")
    pdf = base64.b64decode(tab.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)["data"])
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


@pytest.mark.parametrize("width", [1280, 390])
def test_links_of_the_sidebar_land_and_the_page_does_not_grow(tab, many, width):
    tab.show(many, width)
    height = "document.documentElement.scrollHeight"
    before = tab.run(height)
    n = tab.run("document.querySelectorAll('nav a').length")
    assert n == 6
    for number in (5, 1, 3, 2, 4, 6):
        tab.run("scrollTo({ top: 0, behavior: 'instant' })")
        tab.run(f"document.querySelector('nav a[href=\"#section-{number}\"]').click()")
        missed = tab.run(
            "new Promise((done) => { let stays = 0; const end = performance.now() + 10000; const look = () => {"
            f" const top = document.querySelector('#section-{number}').getBoundingClientRect().top;"
            " const below = document.documentElement.scrollHeight - innerHeight - scrollY;"
            " const far = below < 2 ? 0 : top - 24; stays = Math.abs(far) < 4 ? stays + 1 : 0;"
            " if (stays === 3 || performance.now() > end) done(far); else setTimeout(look, 100); };"
            " setTimeout(look, 100); })"
        )
        assert abs(missed) < 4, number
    tab.run("document.querySelectorAll('img').forEach((i) => { i.loading = 'eager'; })")
    tab.run("Promise.all([...document.images].map((i) => i.decode())).then(() => true)")
    assert abs(tab.run(height) - before) <= 2


@pytest.mark.parametrize("width", [1280, 390])
def test_words_of_histograms_do_not_touch(tab, many, width):
    tab.show(many, width)
    touching = tab.run(
        "[...document.querySelectorAll('.histogram svg, .chart svg.plot')].flatMap((svg) => {"
        " const boxes = [...svg.querySelectorAll('text')].map((t) => [t.textContent, t.getBoundingClientRect()]);"
        " return boxes.flatMap(([a, p], i) => boxes.slice(i + 1).filter(([, q]) =>"
        " Math.min(p.right, q.right) - Math.max(p.left, q.left) > 0 &&"
        " Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 4).map(([b]) => `${a} | ${b}`)); })"
    )
    assert touching == []
    scale = tab.run(
        "[...document.querySelector('.histogram .names').querySelectorAll('text')].map((t) => t.textContent)"
    )
    assert {"5", "0", "40 pictures"} <= set(scale)


def test_one_sound_plays_at_a_time(tab, sounds):
    tab.show(sounds, 1280)
    tab.call("Emulation.setFocusEmulationEnabled", enabled=True)
    assert tab.run("[...document.querySelectorAll('.sound audio')].every((a) => a.hidden && !a.controls)")
    tab.run("document.querySelectorAll('.sound')[0].focus()")
    tab.run("document.querySelectorAll('.sound audio').forEach((a) => { a.loop = true; })")
    tab.press("Enter")
    assert _wait(tab, PLAYING, [0])
    assert tab.run("document.activeElement.getAttribute('aria-pressed')") == "true"
    tab.press("ArrowRight")
    tab.press(" ")
    assert _wait(tab, PLAYING, [1])
    tab.run("document.querySelectorAll('.sound')[1].click()")
    assert _wait(tab, PLAYING, [])


def test_a_sound_paused_before_it_began_fails_nothing(tab, sounds):
    tab.show(sounds, 1280)
    tab.call("Emulation.setFocusEmulationEnabled", enabled=True)
    tab.events.clear()
    tab.run("(() => { const card = document.querySelector('.sound'); card.click(); card.click(); })()")
    assert _wait(tab, PLAYING, [])
    assert tab.run("new Promise((done) => setTimeout(() => done('later'), 200))") == "later"
    assert tab.run("document.querySelector('.sound').getAttribute('aria-pressed')") == "false"
    assert [e for e in tab.events if e["method"] == "Runtime.exceptionThrown"] == []


def _wait(tab, script, value):
    for _ in range(100):
        if tab.run(script) == value:
            return True
        time.sleep(0.05)
    return tab.run(script) == value


def test_nothing_is_asked_of_a_server_and_nothing_fails(tab, page, sounds):
    for path in (page, sounds):
        tab.events.clear()
        tab.show(path, 1280)
        tab.run("document.querySelectorAll('img').forEach((i) => { i.loading = 'eager'; })")
        assert tab.run(
            "Promise.all([...document.images].map((i) => i.decode())).then(() => document.images.length > 0)"
        )
        asked = [e["params"]["request"]["url"] for e in tab.events if e["method"] == "Network.requestWillBeSent"]
        assert all(url.startswith(("data:", "file:")) for url in asked)
        assert [e for e in tab.events if e["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")] == []
