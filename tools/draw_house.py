"""The picture of the house on its page, drawn from the order that import-linter holds.

python tools/draw_house.py            # writes docs/house.svg
python tools/draw_house.py --check    # fails where it is not current
"""

from __future__ import annotations

import argparse
import html
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "house.svg"
_WIDTH, _GAP, _LINE, _PAD, _FONT = 860, 8, 15, 8, 11


def read_orders() -> dict[str, list[list[str]]]:
    """Of the house and of each room with an order of its own: steps from top to bottom, names of each."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    return {
        contract["containers"][0]: [[name.strip("() ") for name in step.split("|")] for step in contract["layers"]]
        for contract in contracts
        if contract["type"] == "layers"
    }


def draw_house(orders: dict[str, list[list[str]]]) -> str:
    """SVG: a row a step of the staircase, a box a room, its sub-rooms in their order."""
    parts: list[str] = []
    y = _GAP
    for step in orders["beholder"]:
        inside = {room: _wrap_room(orders.get(f"beholder.{room}", []), len(step)) for room in step}
        height = 2 * _PAD + _LINE * (1 + max(len(lines) for lines in inside.values()))
        width = (_WIDTH - _GAP * (len(step) + 1)) / len(step)
        for place, room in enumerate(step):
            x = _GAP + place * (width + _GAP)
            parts.append(f'<rect class="room" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}" rx="4"/>')
            parts.append(f'<text class="name" x="{x + _PAD:.1f}" y="{y + _PAD + 10}">{room}</text>')
            for line, text in enumerate(inside[room], start=1):
                where = f'x="{x + _PAD:.1f}" y="{y + _PAD + 10 + line * _LINE}"'
                parts.append(f'<text class="inside" {where}>{html.escape(text)}</text>')
        y += height + _GAP
    style = (
        f".room{{fill:#f4f4f1;stroke:#8a8a86}}text{{font:{_FONT}px sans-serif;fill:#222}}"
        ".name{font-weight:bold}.inside{fill:#555}"
    )
    title = "The rooms of Beholder, top to bottom: a room imports from those below it alone."
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" role="img" aria-label="{title}">'
        f'<title>{title}</title><style>{style}</style><rect width="{_WIDTH}" height="{y}" fill="#fff"/>'
        + "\n".join(parts)
        + "</svg>\n"
    )


def _wrap_room(steps: list[list[str]], n_beside: int) -> list[str]:
    """Sub-rooms as lines: ``a → b, c → d``, from top to bottom, those of files alone left out."""
    most = int((_WIDTH / n_beside - 3 * _PAD) / (_FONT * 0.53))
    words = [", ".join(name for name in step if not name.startswith("_")) for step in steps]
    lines: list[str] = []
    for word in filter(None, words):
        joined = f"{lines[-1]} → {word}" if lines else word
        if lines and len(joined) <= most:
            lines[-1] = joined
            continue
        whole = f"→ {word}" if lines else word
        while len(whole) > most and ", " in whole[:most]:
            cut = whole.rindex(", ", 0, most)
            lines.append(whole[: cut + 1])
            whole = whole[cut + 2 :]
        lines.append(whole)
    return lines


def main() -> None:
    """Write it, or say that it is not current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    drawn = draw_house(read_orders())
    if not parser.parse_args().check:
        PICTURE.write_text(drawn, encoding="utf-8")
    elif not PICTURE.exists() or PICTURE.read_text(encoding="utf-8") != drawn:
        sys.exit("docs/house.svg is not what pyproject.toml says; try python tools/draw_house.py")


if __name__ == "__main__":
    main()
