"""Signs that a program answered: how often people, simulated observers and scripted browsers show one.

Usage: python benchmarks/evidence.py [--people FOLDER] [--simulated 20] [--scripted 3]

FOLDER has CSV files of published answers, one a person, with columns ``rt`` (s) and ``object_response`` (``na``: none),
as bethgelab/model-vs-human gives them; their response times alone can be judged. Needs Playwright and a Chromium.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import csv
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from peers import import_browser_tests, stop  # noqa: E402

from beholder.experiments import KINDS, open_server, open_store, read_experiment, simulate_participants  # noqa: E402
from beholder.experiments.simulation._browser import BROWSERS  # noqa: E402
from beholder.responses import Trace, list_signs, read_responses  # noqa: E402

PRESSED = {"presses": 1, "clicks": 1}
UNSEEN = "--disable-blink-features=AutomationControlled"


def judge_people(folder: Path) -> list[tuple[str, ...]]:
    """Signs of each person, by response times."""
    found = []
    for path in sorted(folder.rglob("*.csv")):
        with open(path, newline="", encoding="utf-8") as file:
            rows = [{name.lower(): value for name, value in row.items()} for row in csv.DictReader(file)]
        rts = [1000 * float(row["rt"]) for row in rows if row["object_response"] != "na"]
        found.append(list_signs([Trace(rt, None, PRESSED) for rt in rts]))
    return found


def judge_simulated(n: int) -> list[tuple[str, ...]]:
    """Signs of observers that are simulated over HTTP, of every kind of task."""
    from tests.experiment_folders import write_folder

    found = []
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as place:
            write_folder(Path(place) / "b", kind, n_trials=24, changes={"practice.n_required": 0})
            simulate_participants(read_experiment(Path(place) / "b"), f"{place}/a.db", n, "lapse:0.2")
            found += read_signs(f"{place}/a.db")
    return found


def import_browsers() -> tuple[Any, Any, Any, str]:
    """What drives a browser through an experiment, and Chromium; ends the benchmark where it is not there."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        stop("a Chromium", "none on PATH", "apt install chromium")
    build_folder = import_browser_tests("tests.browser.built_folders").build_folder
    participant = import_browser_tests("tests.browser.participant").Participant
    return build_folder, participant, import_browser_tests("playwright.sync_api").sync_playwright, program


def judge_scripted(n: int, flags: Iterable[str], act: Callable[..., None]) -> list[tuple[str, ...]]:
    """Signs of a browser that a program drives through 24 trials of odd-one-out."""
    build_folder, Participant, sync_playwright, program = import_browsers()
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        experiment = read_experiment(build_folder(place / "b", "odd_one_out", 24))
        store = stack.enter_context(open_store(experiment, place / "a.db"))
        server = stack.enter_context(open_server(experiment, store))
        playwright = stack.enter_context(sync_playwright())
        browser = stack.enter_context(
            contextlib.closing(playwright.chromium.launch(executable_path=program, args=[*root, *flags]))
        )
        for _ in range(n):
            with contextlib.closing(browser.new_context(viewport={"width": 1280, "height": 720})) as context:
                act(Participant(context, server.url))
        return read_signs(place / "a.db")


def click_by_script(person) -> None:
    """A script inside the page presses its buttons."""
    target = "document.querySelector('[data-answer]:not([disabled]), button.main:not([disabled])')?.click()"
    while person.screen not in ("comment", "end"):
        person.page.evaluate(target)
        person.page.wait_for_timeout(40)


def press_from_side_to_side(person) -> None:
    """The mouse of a program, which needs no way from one button to another, 300 to 500 ms after the onset."""
    person.go_to_trial()
    for k in range(25):  # the practice has one
        trial = person.trial
        person.page.wait_for_timeout(300 + 37 * (k * k % 7))
        person.answer(2 * (k % 2))
        person.wait_until(
            "(trial) => document.body.dataset.trial !== trial || !document.querySelector('[data-answer]')", trial
        )
        person.go_to("trial", "comment")
        if person.screen == "trial":
            person.wait_for_answers()


def read_signs(db: Path | str) -> list[tuple[str, ...]]:
    """Of everybody in a file of answers."""
    return [tuple(signs.split()) for signs in read_responses(db).participants["automation_signs"]]


def tell(who: str, found: list[tuple[str, ...]]) -> None:
    """One line."""
    counts = collections.Counter(sign for signs in found for sign in signs)
    which = ", ".join(f"{sign} {n}" for sign, n in counts.most_common())
    print(f"{who:48}{len(found):9}{sum(map(bool, found)):11}  {which}", flush=True)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=Path)
    parser.add_argument("--simulated", type=int, default=20, help="observers of each kind of task")
    parser.add_argument("--scripted", type=int, default=3, help="browsers of each kind")
    args = parser.parse_args()
    import_browsers()
    print(f"{'who':48}{'sessions':>9}{'with signs':>11}")
    if args.people:
        tell("people, by response times", judge_people(args.people))
    tell("simulated over HTTP, all kinds", judge_simulated(args.simulated))
    n = args.scripted
    tell("browser driven by mouse", judge_scripted(n, (), lambda person: person.take_part()))
    tell("browser driven by keys", judge_scripted(n, (), lambda person: person.take_part(keyboard=True)))
    tell("the same by mouse, flag hidden", judge_scripted(n, (UNSEEN,), lambda person: person.take_part()))
    tell("flag hidden, at a person's pace", judge_scripted(n, (UNSEEN,), press_from_side_to_side))
    tell("flag hidden, clicks by a script in the page", judge_scripted(n, (UNSEEN,), click_by_script))


if __name__ == "__main__":
    main()
