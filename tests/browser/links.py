"""Where links lead: anchors within a page are clicked and measured, files and ids of other pages looked for."""

from __future__ import annotations

import html
import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

FARTHEST = 140
"""CSS pixels below the window's upper edge at which what a link leads to may lie; a bar on top of the page is less."""

_LAND = """async (index) => {
    const link = [...document.querySelectorAll('a[href^="#"]')][index];
    const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    const href = link.getAttribute("href");
    if (href === "#" || !link.checkVisibility()) return null;
    if (!target) return {href, fault: "leads to nothing"};
    link.click();
    const next = () => new Promise((go) => requestAnimationFrame(go));
    for (let calm = 0, last = NaN, n = 0; calm < 8 && n < 300; n++) {
        await next();
        const {top} = target.getBoundingClientRect();
        const isStill = Math.abs(top - last) < 0.5 && (n > 60 || (top >= -2 && top < innerHeight));
        calm = isStill ? calm + 1 : 0;
        last = top;
    }
    const {left, top, width} = target.getBoundingClientRect();
    const end = scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
    const across = Math.max(left + Math.min(width, 300) / 2, 0);
    const hit = document.elementFromPoint(Math.min(across, innerWidth - 1), top + 3);
    const isOther = Boolean(hit) && !target.contains(hit) && !hit.contains(target);
    const covered = isOther && getComputedStyle(hit).position !== "static";
    return {href, top, end, covered};
}"""


def find_misses(page, load, *, fresh=True):
    """Links of a page to places in it that do not land there, a line each.

    Parameters
    ----------
    page : playwright Page
    load : callable
        Opens the page, as somebody who has not seen it.
    fresh : bool
        Open it anew for each link, so that pictures load on the way.
    """
    page.emulate_media(reduced_motion="reduce")  # else pages are still on their way when they are measured
    load()
    misses, n = [], page.evaluate("document.querySelectorAll('a[href^=\"#\"]').length")
    for index in range(n):
        if fresh and index:
            load()
        found = page.evaluate(_LAND, index)
        if found is None:
            continue
        if "fault" in found:
            misses.append(f"{found['href']} {found['fault']}")
        elif found["covered"]:
            misses.append(f"{found['href']} lies behind something")
        elif not -2 <= found["top"] <= FARTHEST and not (found["end"] and found["top"] >= 0):
            misses.append(f"{found['href']} lands {found['top']:.0f} px below the upper edge")
    return misses


_TAG = re.compile(r"<[a-zA-Z][^>]*>")
_ATTRIBUTE = re.compile(r"""\s(href|src|id|name)=(?:"([^"]*)"|'([^']*)'|([^\s>"']+))""")


def read_attributes(text: str) -> tuple[set[str], list[str]]:
    """Ids of a page, and what it links to or loads, each once."""
    found = [
        (name, html.unescape("".join(values)))
        for tag in _TAG.findall(text)
        for name, *values in _ATTRIBUTE.findall(tag)
    ]
    ids = {value for name, value in found if name in ("id", "name")}
    return ids, list(dict.fromkeys(value for name, value in found if name in ("href", "src")))


def find_dead_links(folder: Path, prefix: str = "/") -> list[str]:
    """Links between the HTML files of a folder to files or ids that are not there, a line each.

    Links to other sites are nobody's here; ``prefix`` is the path that the folder is published under.
    """
    root = str(folder)
    files = {str(path) for path in folder.rglob("*") if path.is_file()}
    pages = {
        path: read_attributes(Path(path).read_text(encoding="utf-8"))
        for path in sorted(path for path in files if path.endswith(".html"))
    }
    dead = []
    for path, (_, links) in pages.items():
        here, where = os.path.dirname(path), os.path.relpath(path, root)  # noqa: PTH120
        for link in links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            place = unquote(parts.path)
            start = f"{root}/{place.removeprefix(prefix)}" if place.startswith("/") else f"{here}/{place}"
            target = os.path.normpath(start) if place else path
            target = target if target in files else f"{target}/index.html"
            if target not in files:
                dead.append(f"{where}: {link}")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target][0]:
                dead.append(f"{where}: {link} has no such place")
    return dead
