"""The site as readers meet it: what search finds, what copy buttons give, nothing cut off; badges that are true."""

from __future__ import annotations

import contextlib
import os
import runpy
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from .conftest import ROOT

WIDTHS = (1280, 390)
_BUILT_WITHIN = 900.0
PAGES_LOOKED_AT = ("", "install/", "five_minutes/", "tasks/", "models/", "python/", "errors/", "compare_people/")


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The address of the built site; ``BEHOLDER_SITE`` names one that is built already, or being built."""
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
    handler = partial(_Silent, directory=folder)
    with contextlib.closing(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


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
def page(chromium, site):
    with contextlib.closing(chromium.new_context(base_url=site, permissions=["clipboard-read"])) as context:
        yield context.new_page()


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
def test_search_finds(page, words, wanted):
    page.goto("")
    page.locator("label.md-search__icon, label[for=__search]").first.click()
    page.locator("input[data-md-component=search-query]").fill(words)
    results = page.locator(".md-search-result__item a.md-search-result__link")
    results.first.wait_for()
    links = results.evaluate_all("(links) => links.map((link) => link.href)")
    found = [link.partition("?")[0] + ("#" + link.rpartition("#")[2] if "#" in link else "") for link in links]
    assert any(link.endswith(wanted) for link in found[:6]), found[:10]


@pytest.mark.browser
def test_copy_buttons_give_commands_alone(page):
    page.goto("five_minutes/")
    button = page.locator(".language-console").first.locator("button.md-clipboard, .md-code__button").first
    button.click()
    assert page.evaluate("navigator.clipboard.readText()") == "beholder report ."


@pytest.mark.browser
def test_copied_sessions_leave_out_what_was_printed(page):
    page.goto("tasks/")
    block = page.locator(".language-console", has_text="error: expected every unit")
    block.locator("button.md-clipboard, .md-code__button").first.click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "beholder tasks plan -s stimuli/resnet50-l2 -nt 21 -nb 10 -nc 3 -nh 51"


@pytest.mark.browser
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off(chromium, site, width, scheme):
    context = chromium.new_context(
        base_url=site, viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    with contextlib.closing(context):
        page = context.new_page()
        for name in PAGES_LOOKED_AT:
            page.goto(name)
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
