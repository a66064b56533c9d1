"""Make a bundled network's file of a finished training: rounded to half precision, measured on held-out stimuli.

The commands that train the four networks stand in ``docs/bundled.md``; after each of them, say::

    python tools/bundle_networks.py runs/shapes shapes --page docs/bundled.md

``--page`` puts the accuracies of all bundled networks into the documentation.

The file and its card go to ``src/beholder/models/_data``. Accuracies are those of the rounded weights on stimuli that
training never drew: as they are, and under PGD and Auto-PGD in an L2 ball (pictures 3, waveforms of sounds 0.5).
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pages import fill_page
from safetensors.torch import load_file

import beholder as bh
from beholder.models import read_card, write_checkpoint
from beholder.models.nets._bundled import to_stored_state
from beholder.stimuli import draw_shapes_set, draw_syllables_set

FOLDER = Path(bh.__file__).parent / "models" / "_data"
NAMES = ("shapes", "shapes-robust", "syllables", "syllables-robust")
TAG = "v2"
HELD_OUT_SEED = 2
EPS = {"shapes": 3.0, "syllables": 0.5}
_KEPT = ("attack", "norm", "eps", "accuracy_top1", "accuracy_top5", "n", "low", "high")


def measure_network(name: str, n_per_category: int, steps: int, folder: Path) -> list[dict[str, Any]]:
    """Accuracy of a bundled network on held-out stimuli, a record an attack, the clean one first."""
    kind = name.partition("-")[0]
    draw = {"shapes": draw_shapes_set, "syllables": draw_syllables_set}[kind]
    found = bh.evaluate_adversarial(
        f"beholder:{name}@{TAG}", draw(folder / "held_out", n_per_category, HELD_OUT_SEED), norm="l2", eps=EPS[kind],
        attacks=["pgd", "apgd-ce"], steps=steps, apgd_steps=steps, n_checked=0, out_path=folder / "attacked",
        device="cpu", threads=1,
    )  # fmt: skip
    rows = found.table[list(_KEPT)].to_dict("records")
    return [{"part": "held-out", **{str(key): value for key, value in row.items()}} for row in rows]


def bundle_network(run: Path, name: str, n_per_category: int, steps: int) -> Path:
    """Round, write, measure what was written, and write the card that tells it."""
    trained = run / "checkpoints" / "best.safetensors"
    card = replace(read_card(trained), licence="MIT", accuracies=())
    stored = to_stored_state(load_file(trained))
    path = FOLDER / f"{name}-{TAG}.safetensors"
    write_checkpoint(path, stored, card)
    with tempfile.TemporaryDirectory() as scratch:
        accuracies = measure_network(name, n_per_category, steps, Path(scratch))
    return write_checkpoint(path, stored, replace(card, accuracies=tuple(accuracies)))


def format_accuracies() -> str:
    """The accuracies on the cards of all bundled networks as a table in Markdown, percent with Wilson's intervals."""
    lines = ["| network | stimuli | as they are | L2 ball | PGD | Auto-PGD |", "|---|---|---|---|---|---|"]
    for name in NAMES:
        path = FOLDER / f"{name}-{TAG}.safetensors"
        if path.is_file():
            records = {record["attack"]: record for record in read_card(path).accuracies}
            clean, *attacked = (records[attack] for attack in ("none", "pgd", "apgd-ce"))
            told = [f"{100 * r['accuracy_top1']:.0f} ({100 * r['low']:.0f} to {100 * r['high']:.0f})"
                    for r in (clean, *attacked)]  # fmt: skip
            first = [f"`beholder:{name}`", str(clean["n"]), told[0], f"{attacked[0]['eps']:g}", *told[1:]]
            lines.append(f"| {' | '.join(first)} |")
    return "\n".join(lines)


def main() -> None:
    """Parse, bundle, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of the training")
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--n_per_category", type=int, default=20)
    parser.add_argument("--steps", type=int, default=20, help="of each attack")
    parser.add_argument("--page", type=Path, help="a page of the documentation that gets the table")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    path = bundle_network(asked.run, asked.name, asked.n_per_category, asked.steps)
    for record in read_card(path).accuracies:
        print(f"{record['attack']:>8} {record['eps']:g}: {record['accuracy_top1']:.3f} of {record['n']}")
    print(f"{path}, {path.stat().st_size} bytes")
    if asked.page is not None:
        fill_page(asked.page, "accuracies", format_accuracies())


if __name__ == "__main__":
    main()
