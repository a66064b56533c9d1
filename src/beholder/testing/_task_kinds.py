"""What a kind of task has to do."""

from __future__ import annotations

import inspect
import math
import random
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beholder._core.errors import suggest_keywords
from beholder._core.wording import format_count
from beholder.testing._expect import expect, explain

if TYPE_CHECKING:
    from beholder.experiments import Settings, TaskKind

_REFUSED = {
    r"\b(eval|importScripts|import)\s*\(|\bnew\s+Function\b": "code that is made or fetched while the page runs",
    r"(?<![\w/])(https?:)?//(?!www\.w3\.org/)\w+\.\w": "an address of another server",
    r"\bstyle\s*=\s*[\"']|\binnerHTML\b|\bdocument\.write\b": "markup in texts: h(tag, attributes, ...children)",
}
"""What the pages' Content-Security-Policy refuses, or would let a text become markup."""


@suggest_keywords
def check_task_kind(name: str, sources: Sequence[Path | str] = ()) -> None:
    """Check a kind of task: its record and its page; with stimuli also that it is planned, built, answered and saved.

    Parameters
    ----------
    name : str
        That of the entry point, or of the record that was registered.
    sources : sequence of path
        Folders of stimuli that its planner makes a small experiment of.

    Raises
    ------
    AssertionError
        The record's preset, slots, places and answers do not go together; its places are not drawn from the generator
        alone; its page lacks its module, class or instructions, imports what is not there, or does what the policy of
        the pages refuses; ideal participants do not get through an experiment, or not everything right.

    Examples
    --------
    >>> check_task_kind("odd_one_out")
    """
    from beholder.experiments import get_task_kind

    with explain(f"a kind of task called {name!r}", hint="an entry point beholder.task_kinds"):
        kind = get_task_kind(name)
    with explain(f"settings from make_preset of {name}"):
        settings = kind.make_preset()
    expect(settings.kind == name, f"settings of {name} from its make_preset", got=settings.kind)
    _check_preset(kind)
    _check_places(kind)
    with explain(f"find_room of {name} to give the side of a picture"):
        room = kind.find_room(settings, 1280, 720)
        expect(math.isfinite(room) and 0 < room <= 1280, f"find_room of {name} within 1280 × 720", got=str(room))
    decides = kind.network.decide is not None
    expect(
        (kind.network.by == "distances") == decides,
        f"decide in the network rule of {name} where it goes by distances, and only there",
        got=f"by {kind.network.by} {'with' if decides else 'without'} it",
    )  # fmt: skip
    _check_page(name, settings)
    if sources:
        with tempfile.TemporaryDirectory() as folder:
            _check_experiment(kind, list(sources), Path(folder).resolve())


def _check_preset(kind: TaskKind) -> None:
    from beholder.experiments import get_preset, get_task_kind, list_task_kinds

    others = [name for name in list_task_kinds() if name != kind.name and get_task_kind(name).preset == kind.preset]
    expect(not others, f"a preset of its own for {kind.name}", got=f"{kind.preset}, that of {', '.join(others)}")
    with explain(f"the preset {kind.preset}"):
        get_preset(kind.preset)


def _check_places(kind: TaskKind) -> None:
    """What the answer is about is shown, each once, where the record says, and drawn from the generator alone."""
    files = {slot: Path(slot) for slot in kind.slots if slot != "references"}
    files |= {f"{side}_{k}": Path(side) for side in ("reference", "reference_min", "reference_max") for k in range(3)}
    missing = set(kind.asked_slots) - set(kind.slots)
    expect(not missing, f"asked_slots of {kind.name} among its slots", got=", ".join(sorted(missing)))
    for seed in range(4):
        with explain(f"draw_places of {kind.name} to place its slots"):
            shown, again = (kind.draw_places(files, 3, random.Random(seed)) for _ in range(2))
        expect(shown == again, f"draw_places of {kind.name} to draw from rng alone", got="another draw")
        absent = set(kind.asked_places) - set(shown)
        expect(not absent, f"the places {kind.asked_places} of {kind.name}", got=f"none called {', '.join(absent)}")
        asked = [slot for place in kind.asked_places for slot in _list_slots(shown[place])]
        expect(
            sorted(asked) == sorted(kind.asked_slots), f"asked_slots of {kind.name} in its asked_places, each once",
            got=str(asked),
        )  # fmt: skip
    n_values = len(kind.form.values)
    expect(
        not kind.form.by_place or n_values == len(kind.asked_slots), f"a place to answer for each slot of {kind.name}",
        got=f"{n_values} for {len(kind.asked_slots)}",
    )  # fmt: skip


def _list_slots(shown: str | list[str]) -> list[str]:
    return [shown] if isinstance(shown, str) else shown


def _check_page(name: str, settings: Settings) -> None:
    from beholder.experiments import TaskPage, get_task_kind, join_page_scripts, read_texts

    page = get_task_kind(name).page
    if not isinstance(page, TaskPage):
        return
    with explain(f"the page of {name} to be joined into one", hint="imports and exports as in our modules"):
        script = join_page_scripts(name)
    expect(
        re.search(rf"\bclass {re.escape(page.plugin)}\b", script) is not None,
        f"{page.module} of {name} to export the class {page.plugin}", got="none",
        hint=f"export class {page.plugin} extends TrialPlugin",
    )  # fmt: skip
    for path in page.folder.glob("*.js"):
        for pattern, what in _REFUSED.items():
            found = re.search(pattern, path.read_text(encoding="utf-8"))
            expect(found is None, f"a page of {name} without {what}", got=f"{found[0] if found else ''} in {path.name}")
    with explain(f"texts of {name}"):
        texts = read_texts(kind=name)
    silent = [
        each
        for each in settings.instructions
        if not any(f"instructions.{part}{each}.body" in texts for part in (f"{name}.", ""))
    ]
    expect(not silent, f"texts of the instructions of {name}", got=f"none of {', '.join(silent)}")


def _check_experiment(kind: TaskKind, sources: list[Path | str], folder: Path) -> None:
    from beholder.experiments import build_tasks, read_plan, simulate_participants, write_static_pages
    from beholder.responses import read_responses

    with explain(f"the planner of {kind.name} to plan, and its plan to be built"):
        planner = kind.load_planner()
        keywords: dict[str, Any] = {"settings": kind.make_preset(), "seed": 1}
        planned = planner(
            sources[0] if "source" in inspect.signature(planner).parameters else sources, folder, **keywords
        )
        planned.save(folder / "plan.json")
        experiment = build_tasks(read_plan(folder / "plan.json"), folder / "built")
    unknown = {slot for task in experiment.tasks for trial in task.trials for slot in trial.files} - set(kind.slots)
    expect(
        "references" in kind.slots or not unknown, f"trials of {kind.name} of the slots {', '.join(kind.slots)}",
        got=", ".join(sorted(unknown)),
    )  # fmt: skip
    with explain(f"ideal participants to get through {kind.name}"):
        made = simulate_participants(experiment, folder / "answers.db", 2, "ideal")
        table = read_responses(folder / "answers.db").trials
    expect(len(table) > 0, f"answers to {kind.name} in the file of answers", got="none")
    expect(
        made.n_correct == made.n_answers, f"ideal participants to be right in {kind.name}",
        got=f"{made.n_correct} of {format_count(made.n_answers, 'answer')}",
    )  # fmt: skip
    if kind.page:
        with explain(f"pages of {kind.name} without a server"):
            write_static_pages(experiment)
