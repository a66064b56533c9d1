"""``beholder demo``: the whole flow on bundled observers and stimuli, offline."""

from __future__ import annotations

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
    if json:
        print_json({"demo": [{"report": str(page), "folder": str(out), "tasks": str(out / "experiment" / "tasks")}]})
    else:
        for name in ("stimuli", "activations", "figures", "units", "experiment"):
            print(f"{name + ':':<13}{out / name}")
        tasks = out / "experiment" / "tasks"
        if tasks.is_dir():
            print(
                f"Take part in its experiment: beholder tasks serve {tasks} --db {out / 'experiment' / 'answers.sqlite'}"
            )
        print(f"Open {page} in a browser.")
