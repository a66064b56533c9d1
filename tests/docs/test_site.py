"""The site as readers meet it: what search finds, what copy buttons give, nothing cut off; badges that are true."""

from __future__ import annotations

import contextlib
import os
import runpy
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import ROOT

ADDRESS = "https://beholder.test/"
COPY = "button[data-clipboard-target]"
_BUILT_WITHIN = 900.0
PAGES_LOOKED_AT = ("", "install/", "five_minutes/", "tasks/", "models/", "python/", "errors/", "compare_people/")


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the built site; ``BEHOLDER_SITE`` names one that is built already, or being built."""
    folder = os.environ.get("BEHOLDER_SITE")
    if folder is not None:
        end = time.monotonic() + _BUILT_WITHIN
        while not Path(folder).is_dir():
            assert time.monotonic() < end, f"no site in {folder}"
            time.sleep(0.2)
    else:
        folder = str(tmp_path_factory.mktemp("site"))
        command = [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder]
        environment = {**os.environ, "BEHOLDER_GALLERY": "kept"}  # tutorials have tests of their own
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return Path(folder)


@pytest.fixture(scope="session")
def chromium():
    from tests.browser.processes import find_program

    program = find_program("chromium", "chromium-browser", "google-chrome")
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with (
        sync_playwright() as playwright,
        contextlib.closing(playwright.chromium.launch(executable_path=program, args=flags)) as browser,
    ):
        yield browser


@pytest.fixture
def visit(chromium, site):
    """Opens a page of the site, given its address and options of the context; no server is asked."""
    with contextlib.ExitStack() as stack:

        def go(address, **options):
            context = stack.enter_context(contextlib.closing(chromium.new_context(**options)))
            context.route("**/*", lambda route: _answer(route, site))
            page = context.new_page()
            page.goto(ADDRESS + address)
            return page

        yield go


def _answer(route, site):
    file = site / route.request.url.removeprefix(ADDRESS).partition("?")[0].partition("#")[0]
    file = file / "index.html" if file.is_dir() else file
    if file.is_file():
        route.fulfill(path=file)
    else:
        route.fulfill(status=404)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("similar pictures", "five_minutes/#similar-pictures"),
        ("GPU", "install/#gpu"),
        ("tutorial", "tutorials/"),
        ("install", "install/"),
        ("noise ceiling", "ceilings/"),
    ],
)
def test_search_finds(visit, words, wanted):
    page = visit("")
    page.locator("input[data-md-component=search-query]").fill(words)
    results = page.locator(".md-search-result__item a.md-search-result__link")
    results.first.wait_for()
    links = results.evaluate_all("(links) => links.map((link) => link.href)")
    found = [link.partition("?")[0] + ("#" + link.rpartition("#")[2] if "#" in link else "") for link in links]
    assert any(link.endswith(wanted) for link in found[:6]), found[:10]


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
    assert copied == "beholder tasks plan -s stimuli/resnet50-l2 -nt 21 -nb 10 -nc 3 -nh 51"


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_nothing_is_cut_off(visit, width, scheme):
    page = visit("", viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce")
    for name in PAGES_LOOKED_AT:
        page.goto(ADDRESS + name)
        assert page.evaluate("document.body.dataset.mdColorScheme") == {"light": "default", "dark": "slate"}[scheme]
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert page.evaluate(_CUT) == [], name


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
