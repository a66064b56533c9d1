"""Pages of the site as they look: wide and narrow, light, dark and on paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.browser.screens import LOOKS, SIZES, check_screen, take_picture

pytestmark = pytest.mark.browser

PAGES = {"front": "", "guide": "metamers/", "reference": "reference/activations/extract/"}
SCHEMES = {"light": "default", "dark": "slate"}
FAST = {("front", "1280", "light"), ("guide", "390", "dark")}


@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    [
        pytest.param(name, *look, marks=() if (name, *look) in FAST else pytest.mark.slow)
        for name in PAGES
        for look in LOOKS
    ],
)
def test_a_page(visit, tmp_path: Path, name: str, size: str, scheme: str) -> None:
    dark = "dark" if scheme == "dark" else "light"
    page = visit(PAGES[name], viewport=SIZES[size], color_scheme=dark, reduced_motion="reduce")
    if scheme == "print":
        page.emulate_media(media="print")
    page.wait_for_function("(name) => document.body.dataset.mdColorScheme === name", arg=SCHEMES[dark])
    check_screen(f"site-{name}-{size}-{scheme}", take_picture(page), tmp_path)
