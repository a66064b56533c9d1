"""``beholder demo``: the whole flow on bundled observers and stimuli, offline."""

from __future__ import annotations

import shlex
from pathlib import Path

from beholder.cli._options import Json, Seed, make_app, print_json

app = make_app("demo")


@app.default
def demo(*, out: Path = Path("demo"), rnd_seed: Seed = 42, json: Json = False) -> None:
    """Run the whole flow on what comes with the package: draw pictures, record a network, compare its layers.

    Example: beholder demo --out demo

    Parameters
    ----------
    out
        Folder for everything.
    rnd_seed
        Seed of the pictures.
    json
        Print one JSON document to stdout.
    """
    from beholder.demo import run_demo

    page = run_demo(out, seed=rnd_seed)
    tasks = out / "experiment" / "tasks"
    if json:
        built = str(tasks) if tasks.is_dir() else None
        print_json({"demo": [{"report": str(page), "folder": str(out), "tasks": built}]})
    else:
        for name in ("stimuli", "activations", "figures", "units"):
            print(f"{name + ':':<13}{out / name}")
        if tasks.is_dir():
            serve = shlex.join(
                ["beholder", "tasks", "serve", str(tasks), "--db", str(tasks.with_name("answers.sqlite"))]
            )
            print(f"{'experiment:':<13}{serve}")
        print(f"Open {page} in a browser.")
