"""Draw the pictures of the site's first pages and of README anew, from what the demo made.

    beholder demo --out DEMO
    python tools/draw_site.py DEMO

Cards are photographed in Chromium on the demo's own report and experiment, figures are drawn from its results; each in
light and in dark. Playwright is needed (``pip install '.[browser]'``), and a Chromium.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import beholder as bh
from beholder.analysis import RESULT_KINDS, open_result
from beholder.experiments import open_server, open_store, read_experiment
from beholder.figures import INK, PEOPLE_COLOR, fit_labels, make_figure, plot_rdm, use_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
LIGHT_INK = "#e2e6ea"
"""Of figures on the site's dark background."""
CARDS = {
    "unit_card": (".units article.unit", 0, 1100),
    "metamer_row": (".metamers.pictures article.stimulus", 1, 900),
    "sounds": (".metamers.sounds article.stimulus", 0, 900),
}
"""Picture to where it stands in the report, which one of several, and the width of the window."""
_LOAD = """(card) => Promise.all([...card.querySelectorAll("img")].map((image) => {
    image.loading = "eager";
    return image.decode();
}))"""
_QUALITY = 85
_MARGIN = 14.0


def main() -> None:
    """Draw them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path)
    demo = parser.parse_args().demo
    for name, text in draw_badges().items():
        write(PICTURES / f"badge-{name}.svg", text.encode())
    draw_rdm(demo)
    draw_curve(demo)
    with open_browser() as browser:
        for scheme in ("light", "dark"):
            for name, (where, place, width) in CARDS.items():
                photograph_card(browser, demo / "report.html", f"{name}-{scheme}", where, place, width, scheme)
        photograph_trial(browser, demo / "experiment" / "tasks", "experiment")


def draw_badges() -> dict[str, str]:
    """README's badges, from what pyproject.toml says: name to SVG."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    told = {
        "version": ("version", project["version"]),
        "python": ("Python", project["requires-python"].replace(">=", "≥ ")),
        "licence": ("licence", project["license"]),
    }
    return {name: draw_badge(left, right) for name, (left, right) in told.items()}


def draw_badge(left: str, right: str) -> str:
    """Two words side by side, dark and blue."""
    first, second = (round(14 + 6.6 * len(word)) for word in (left, right))
    middle = 'y="14" text-anchor="middle"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{first + second}" height="20" role="img" '
        f'aria-label="{left}: {right}"><title>{left}: {right}</title>'
        f'<clipPath id="r"><rect width="{first + second}" height="20" rx="3"/></clipPath><g clip-path="url(#r)">'
        f'<rect width="{first}" height="20" fill="#30363d"/>'
        f'<rect x="{first}" width="{second}" height="20" fill="#0072b2"/></g>'
        f'<g fill="#fff" font-family="DejaVu Sans,Verdana,sans-serif" font-size="11">'
        f'<text x="{first / 2:g}" {middle}>{left}</text>'
        f'<text x="{first + second / 2:g}" {middle}>{right}</text></g></svg>\n'
    )


def draw_rdm(demo: Path) -> None:
    """Dissimilarities of the demo's pictures at a late layer."""
    acts = bh.open(demo / "activations" / "shapes.zarr")
    layer = acts["block5"]
    with use_style():
        figure = make_figure(110, 95)
        plot_rdm(bh.compute_rdm(layer), figure.subplots(), categories=layer.labels, title="block5 of beholder:shapes")
    save_both(figure, "rdm")


def draw_curve(demo: Path) -> None:
    """How well each layer tells the categories."""
    result = open_result(demo / "layers" / "decode.parquet")
    drawing = next(each for each in RESULT_KINDS[result.kind].draw(result) if each.name == "layers")
    save_both(drawing.figure, "layer_curve")


def save_both(figure: Figure, name: str) -> None:
    """As SVG without a background, and once more with light ink."""
    for axes in [figure, *figure.axes]:
        axes.patch.set_alpha(0)
    buffer = io.StringIO()
    with use_style():
        fit_labels(figure)
        figure.set_layout_engine("none")
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": "Beholder"})
    text = buffer.getvalue()
    for scheme, ink in (("light", None), ("dark", LIGHT_INK)):
        drawn = text.replace(INK, ink).replace(PEOPLE_COLOR, ink) if ink else text
        write(PICTURES / f"{name}-{scheme}.svg", drawn.encode())


@contextlib.contextmanager
def open_browser() -> Iterator[Browser]:
    """Chromium."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        try:
            yield browser
        finally:
            browser.close()


def photograph_card(browser: Browser, report: Path, name: str, where: str, place: int, width: int, scheme: str) -> None:
    """One card of the report, at twice the pixels."""
    page = browser.new_page(viewport={"width": width, "height": 1400}, color_scheme=scheme, device_scale_factor=2)
    page.goto(report.resolve().as_uri())
    card = page.locator(where).nth(place)
    card.evaluate(_LOAD)
    card.scroll_into_view_if_needed()
    box = card.bounding_box()
    assert box is not None
    clip = {"x": box["x"] - _MARGIN, "y": box["y"], "width": box["width"] + 2 * _MARGIN, "height": box["height"]}
    save_photograph(page.screenshot(clip=clip), name)
    page.close()


def photograph_trial(browser: Browser, folder: Path, name: str) -> None:
    """The first trial that somebody sees who takes part in the demo's experiment."""
    experiment = read_experiment(folder)
    with (
        tempfile.TemporaryDirectory() as place,
        open_store(experiment, Path(place) / "answers.sqlite") as store,
        open_server(experiment, store) as server,
    ):
        page = browser.new_page(viewport={"width": 1280, "height": 760}, device_scale_factor=1.5)
        page.goto(server.url)
        go_to_trial(page)
        save_photograph(page.screenshot(), name)
        page.close()


def go_to_trial(page: Page) -> None:
    """Press the one button of every page before the first trial, and wait until that can be answered."""
    for _ in range(200):
        if page.evaluate("document.body.dataset.screen") == "trial":
            page.locator("[data-answer]:not([disabled])").first.wait_for()
            return
        for button in page.locator("button.main:not([disabled])").all()[:1]:
            button.click()
        page.wait_for_timeout(50)
    raise SystemExit("expected a trial after consent, instructions and checks; got none")


def save_photograph(data: bytes, name: str) -> None:
    """As WebP."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGB").save(buffer, "WEBP", quality=_QUALITY, method=6)
    write(PICTURES / f"{name}.webp", buffer.getvalue())


def write(path: Path, data: bytes) -> None:
    """Write a file, and say how large it is."""
    path.write_bytes(data)
    print(f"{path.name}: {len(data) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
