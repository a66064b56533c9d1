"""Links of the built site lead somewhere, and land where they say."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.browser.links import find_dead_links, find_misses


def test_every_link_and_place_is_there(site: Path) -> None:
    assert find_dead_links(site) == []


def list_pages() -> list[str]:
    return sorted(page.stem for page in (Path(__file__).parents[2] / "docs").glob("*.md") if page.stem != "index")


FAST = ("five_minutes", "errors")


@pytest.mark.browser
@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in list_pages()]
)
def test_links_within_a_page_land(visit, name: str) -> None:
    page = visit(f"{name}/", viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    assert find_misses(page, page.reload, fresh=False) == []
