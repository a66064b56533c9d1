"""Write the PNG of each category's icon, 256 × 256, from its SVG; catch trials of picture recognition show them.

    python tools/draw_icons.py

Needs Chromium and playwright, as the browser tests do.
"""

from __future__ import annotations

import base64
import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ICONS = Path(__file__).resolve().parents[1] / "src" / "beholder" / "experiments" / "static" / "icons"
SIZE, MARGIN = 256, 28
PAPER = "#dcdcda"


def main() -> None:
    """Write them all."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": SIZE, "height": SIZE})
        for path in sorted(ICONS.glob("*.svg")):
            address = "data:image/svg+xml;base64," + base64.b64encode(path.read_bytes()).decode()
            inner = SIZE - 2 * MARGIN
            page.set_content(
                f"<body style='margin:0;background:{PAPER}'>"
                f"<img src='{address}' style='display:block;margin:{MARGIN}px;width:{inner}px;height:{inner}px'>"
            )
            page.wait_for_function("document.images[0].complete")
            picture = Image.open(io.BytesIO(page.screenshot())).convert("L").quantize(16)
            picture.save(path.with_suffix(".png"), optimize=True)
        browser.close()


if __name__ == "__main__":
    main()
