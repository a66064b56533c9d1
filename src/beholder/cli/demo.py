"""``beholder demo``: the whole flow on bundled observers and stimuli, offline."""

from __future__ import annotations

import shlex
from pathlib import Path

from beholder.cli._flags import OutputFlags, Seed, make_app

app = make_app("demo")


@app.default
def demo(*, out: Path = Path("demo"), rnd_seed: Seed = 42, output: OutputFlags = OutputFlags()) -> None:
    """Run the whole flow on what comes with the package: draw pictures, record a network, compare its layers.

    Example: beholder demo --out demo

    Parameters
    ----------
    out
        Folder for everything.
    rnd_seed
        Seed of the pictures.
    """
    from beholder.demo import run_demo
    from beholder.jobs import note_interruption

    with note_interruption():
        page = run_demo(out, seed=rnd_seed)
    tasks = out / "experiment" / "tasks"
    built = str(tasks) if tasks.is_dir() else None
    places = {name: str(out / name) for name in ("stimuli", "activations", "figures", "units")}
    if built:
        answers = str(tasks.with_name("answers.sqlite"))
        places["experiment"] = shlex.join(["beholder", "tasks", "serve", built, "--db", answers])
    lines = [f"{name + ':':<13}{place}" for name, place in places.items()]
    row = {"report": str(page), "folder": str(out), "tasks": built}
    output.print([*lines, f"Open {page} in a browser."], {"demo": [row]})
