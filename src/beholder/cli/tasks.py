"""``beholder tasks``: experiments with people, from the plan to the data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from beholder.cli._options import Json, Seed, Words, make_app, print_json

app = make_app("tasks", "Experiments: plan and build tasks, run them in a browser, simulate participants, get data.")
