"""The site as readers meet it: what search finds, what copy buttons give, nothing cut off; badges that are true."""

from __future__ import annotations

import json
import re
import runpy

import pytest

from .conftest import ADDRESS, ROOT

COPY = "button[data-clipboard-target]"
SOUGHT = {
    "similar pictures": "five_minutes/#similar-pictures",
    "GPU": "install/#gpu",
    "tutorial": "tutorials/",
    "install": "install/",
    "noise ceiling": "ceilings/",
}
"""Words, and the place that is to be among the first that search finds."""
NAMES = {"make_metamers": "synthesis", "StimulusSet": "stimuli", "compute_rdm": "activations"}
PAGES_LOOKED_AT = ("", "install/", "five_minutes/", "tasks/", "models/", "python/", "errors/", "compare_people/")


@pytest.mark.browser
def test_search_finds(visit):
    """One visit: the index is read once."""
    page = visit("")
    field = page.locator("input[data-md-component=search-query]")
    for words, wanted in SOUGHT.items():
        field.fill(words)
        field.press("End")  # it listens to keys
        page.wait_for_function(_IS_FOUND, arg=wanted)
    for name, room in NAMES.items():
        field.fill(name)
        field.press("End")
        item = ".md-search-result__item:nth-child(-n+2)"
        page.locator(f"{item} a.md-search-result__link[href*='{room}/{name}/']").first.wait_for()


_IS_FOUND = """(wanted) => [...document.querySelectorAll(".md-search-result__item a.md-search-result__link")]
    .slice(0, 6).some(({href}) => (href.split(/[?#]/)[0] + new URL(href).hash).endsWith(wanted))"""
"""Whether a place is among the first links of what search found."""


def test_a_name_s_page_has_its_place(site):
    """Its tab is marked, the way to it is above, the names of its room, and of no other, are at the left."""
    text = (site / "reference" / "units" / "sample_units" / "index.html").read_text(encoding="utf-8")
    assert re.search(r'md-tabs__item--active">\s*<a [^>]*>\s*Reference\s', text)
    way = text.partition('<ol class="md-path__list">')[2].partition("</ol>")[0]
    assert re.findall(r'<span class="md-ellipsis">\s*(.+?)\s*</span>', way)[-3:] == ["Reference", "Rooms", "units"]
    nav = text.partition("md-nav--primary")[2].partition("md-sidebar--secondary")[0]
    assert 'href="../record_units/"' in nav and 'href="./"' in nav
    assert 'href="../../models/"' in nav and "../../models/wrap/" not in nav


def test_pages_and_what_search_reads_are_small(site):
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))["docs"]
    assert not [each["location"] for each in index if each["location"].endswith("#methods-and-properties")]
    assert not [each["location"] for each in index if each["title"] == "Source" and "#" in each["location"]]
    assert (site / "search" / "search_index.json").stat().st_size < 2_200_000
    pages = [path.stat().st_size for path in site.rglob("*.html")]
    assert sum(pages) / len(pages) < 50_000
    assert not [*site.rglob("*.map"), *site.rglob("lunr.*.js")]


@pytest.mark.browser
def test_copy_buttons_give_commands_alone(visit):
    page = visit("five_minutes/", permissions=["clipboard-read"])
    page.locator(".language-console").first.locator(COPY).click()
    assert page.evaluate("navigator.clipboard.readText()") == "beholder report ."


@pytest.mark.browser
def test_copied_sessions_leave_out_what_was_printed(visit):
    page = visit("tasks/", permissions=["clipboard-read"])
    page.locator(".language-console", has_text="error: expected every unit").locator(COPY).click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "beholder tasks plan -s stimuli/shapes -nt 5 -nb 2 -nc 1 -nh 7"


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_nothing_is_cut_off(visit, width, scheme):
    page = visit("", viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce")
    for name in PAGES_LOOKED_AT:
        page.goto(ADDRESS + name)
        assert page.evaluate("document.body.dataset.mdColorScheme") == {"light": "default", "dark": "slate"}[scheme]
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert page.evaluate(_CUT) == [], name


@pytest.mark.browser
@pytest.mark.parametrize("name", ["reference/activations/extract/", "commands/analyze/"])
def test_meanings_of_names_and_flags_need_no_scrolling_on_a_phone(visit, name):
    page = visit(name, viewport={"width": 390, "height": 900})
    assert page.locator(".meanings td").count() > 20
    assert page.locator(".meanings td:last-child").first.bounding_box()["width"] > 300
    assert page.evaluate("""[...document.querySelectorAll(".meanings *")].every(
        (element) => element.getBoundingClientRect().right <= innerWidth)""")


_CUT = """() => [...document.querySelectorAll("article *")].filter((element) => {
    const {right, width} = element.getBoundingClientRect();
    if (!width || right <= innerWidth + 1) return false;
    for (let above = element; above; above = above.parentElement)
        if (["auto", "scroll"].includes(getComputedStyle(above).overflowX)) return false;
    return true;
}).map((element) => element.outerHTML.slice(0, 120))"""
"""What goes beyond the window in nothing that scrolls."""


def test_badges_are_true():
    draw_badges = runpy.run_path(str(ROOT / "tools" / "draw_site.py"))["draw_badges"]
    for name, text in draw_badges().items():
        file = ROOT / "docs" / "pictures" / f"badge-{name}.svg"
        assert file.read_text(encoding="utf-8") == text, "python tools/draw_site.py"


def test_pictures_of_the_first_pages_are_small():
    sizes = {path.name: path.stat().st_size for path in (ROOT / "docs" / "pictures").iterdir()}
    assert sizes
    assert not {name: size for name, size in sizes.items() if size > 400_000}
