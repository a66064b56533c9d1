"""The commands of an environment that only serves experiments, run one after the other.

``python -m tests.core.serving_commands ENVIRONMENT [export]`` runs them with the ``beholder`` of a virtual environment,
on files that the environment in which it is called has made.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OLD_ANSWERS = ROOT / "tests" / "fixtures" / "format_1" / "answers.zip"


def prepare(place: Path) -> None:
    """A built experiment, what its pages without a server collected, and answers of the first format."""
    from tests.experiment_folders import NO_PRACTICE, write_folder
    from tests.experiments.collected_records import collect

    from beholder.experiments import write_static_pages

    experiment = write_folder(place / "exp", n_tasks=1, changes=NO_PRACTICE)
    (page,) = write_static_pages(experiment)
    (place / "collected.json").write_text(json.dumps(collect(page)), encoding="utf-8")
    with zipfile.ZipFile(OLD_ANSWERS) as archive:
        archive.extractall(place / "old")


def serve(beholder: Sequence[str], place: Path) -> None:
    """Start a server, load its page and what the page asks for first, stop it as Ctrl-C does."""
    command = [*beholder, "tasks", "serve", "exp", "--db", "a.sqlite", "--port", "0"]
    with subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = next((found[1] for line in server.stdout if (found := re.match(r"open (http\S+)", line))), None)
        assert url, "the server did not start"
        try:
            for path in ("/", "/api/greeting"):
                with contextlib.closing(urllib.request.urlopen(url + path, timeout=20)) as answer:
                    assert answer.status == 200 and answer.read()
        finally:
            server.send_signal(signal.SIGINT)
        assert server.wait(20) == 0


def run_all(beholder: Sequence[str], place: Path, *, export: bool = False) -> None:
    """Run every command that the environment is for; raises where one fails.

    Parameters
    ----------
    beholder : sequence of str
        How the command line is called.
    place : Path
        Filled by :func:`prepare`.
    export : bool
        Whether the environment exports, too.
    """
    serve(beholder, place)
    lines = [
        "tasks status --db a.sqlite",
        "tasks backup copy.sqlite --db a.sqlite",
        "tasks simulate exp --db simulated.sqlite --participants 1 --observer lapse:0.1",
        "tasks import exp collected.json --db imported.sqlite",
        "tasks upgrade new.sqlite --db old/answers.sqlite",
        "tasks forget --db new.sqlite",
        *(["tasks export --db simulated.sqlite --out answers"] if export else []),
    ]
    for line in lines:
        done = subprocess.run([*beholder, *line.split()], cwd=place, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"beholder {line}: {done.stderr}"
    if not export:  # what is missing is told
        line = ["tasks", "export", "--db", "simulated.sqlite"]
        done = subprocess.run([*beholder, *line], cwd=place, capture_output=True, text=True, check=False)
        assert done.returncode == 2 and "pip install pandas" in done.stderr, done.stderr


def main() -> None:
    """Run them in a virtual environment."""
    environment, *what = sys.argv[1:]
    with tempfile.TemporaryDirectory() as place:
        prepare(Path(place))
        os.environ.pop("PYTHONPATH", None)  # the environment has a Beholder of its own
        run_all([str(Path(environment).resolve() / "bin" / "beholder")], Path(place), export="export" in what)


if __name__ == "__main__":
    main()
