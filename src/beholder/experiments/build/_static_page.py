"""A task as one page without a server, for MTurk or JATOS: the weaker form, because answers reach the browser."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import open_atomic
from beholder._core.seeds import derive_seed
from beholder.experiments.build._bundle import embed_file, make_page
from beholder.experiments.build._content import hash_task
from beholder.experiments.flow._experiment import MEDIA_TYPES, Experiment, Task, Trial
from beholder.experiments.flow._flow import ENDS, pick_code
from beholder.experiments.flow._page_files import list_page_files
from beholder.experiments.flow._payloads import make_greeting, make_public_settings, make_timing
from beholder.experiments.flow._position import Position
from beholder.experiments.flow._presentation import draw_presentation
from beholder.experiments.flow._showing import is_brief
from beholder.experiments.settings._kinds import require_page
from beholder.experiments.settings._recruiters import get_recruiter
from beholder.experiments.settings._settings import Settings
from beholder.responses import get_answer_form

FOLDER = "static"
WEAKER = (
    "the weaker form: the page holds the right answers and keeps what is answered until the end; "
    "`beholder tasks serve` does neither"
)
"""What has to be said wherever such pages are made."""

_REMARK = (
    "Made by Beholder. This is the weaker form of the experiment: the page holds the right answers, which a "
    "participant can read, and the answers given leave the browser only at the end. Where a server can be run, "
    "`beholder tasks serve` does neither."
)


@suggest_keywords
def write_static_pages(experiment: Experiment, folder: Path | str | None = None) -> list[Path]:
    """Write each task of an experiment as one self-contained page.

    A page needs no server and no network: stimuli, scripts and texts are in it. At the end it posts the answers to
    MTurk or JATOS where it was opened from there, and offers them as a file elsewhere. What is where on the screen is
    drawn when the page is written, so everybody who opens a page sees the same.

    Parameters
    ----------
    experiment : Experiment
    folder : path, optional
        Default ``static`` in the experiment's folder.

    Returns
    -------
    list of Path
        ``task_{i}.html`` of each task.

    Raises
    ------
    InputError
        Trials whose level depends on the answers before them, or several sessions: only a server can run those.
    """
    folder = experiment.path / FOLDER if folder is None else Path(folder)
    check_static(experiment.settings, any(trial.levels for task in experiment.tasks for trial in task.trials))
    paths = []
    for task in experiment.tasks:
        path = folder / f"task_{task.index}.html"
        with open_atomic(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(make_static_page(experiment, task))
        paths.append(path)
    return paths


@suggest_keywords
def check_static(settings: Settings, adaptive: bool) -> None:
    """Refuse what only a server can run.

    Parameters
    ----------
    settings : Settings
    adaptive : bool
        Whether levels follow from the answers.
    """
    require_page(settings)
    if adaptive:
        raise InputError("an experiment with constant levels", got="adaptive trials", hint="`beholder tasks serve`")
    if settings.sessions.n > 1:
        raise InputError(
            "an experiment of one session, since pages without a server know nobody again",
            got=f"sessions.n {settings.sessions.n}", hint="`beholder tasks serve`",
        )  # fmt: skip


def name_page(experiment: Experiment, task: Task) -> str:
    """The name that a task's page gives to what it collects: of this plan, task and order, and of these stimuli."""
    text = f"{experiment.plan_hash}/{task.name}/{_seed_page(experiment, task)}/{hash_task(experiment, task)}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def name_old_page(experiment: Experiment, task: Task) -> str:
    """:func:`name_page` of the first version, which did not look at the stimuli."""
    text = f"{experiment.plan_hash}/{task.name}/{_seed_page(experiment, task)}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def draw_page(experiment: Experiment, task: Task) -> dict[str, Any]:
    """What a task's page shows where and when, as :func:`draw_presentation` gives it."""
    return draw_presentation(experiment, task, _seed_page(experiment, task))


def _seed_page(experiment: Experiment, task: Task) -> int:
    return derive_seed(experiment.settings.seed, "static", task.index)


def make_static_page(experiment: Experiment, task: Task) -> str:
    """The page of one task, HTML."""
    settings = experiment.settings
    presentation = draw_page(experiment, task)
    position = Position(0, task.index, presentation["main"], presentation["practice"], "consent")
    embed, files = _make_embedder()
    blocks = [
        _list_payloads(experiment, experiment.practice, position, block, embed)
        for block in range(1, len(position.blocks) + 1)
    ]
    main = _list_payloads(experiment, task.trials, position, 0, embed)
    data = {
        "name": name_page(experiment, task),
        "task": task.index,
        "kind": experiment.kind,
        "plan_hash": experiment.plan_hash,
        "greeting": {**make_greeting(experiment), "job": get_recruiter(settings.recruiter).job},
        "settings": make_public_settings(settings),
        "texts": dict(settings.texts),
        "codes": {end: pick_code(settings, end) for end in ENDS},
        "practice": blocks,
        "main": main,
        "files": files,
    }
    return make_page(data, _REMARK, list_page_files(experiment.kind))


def _make_embedder() -> tuple[Callable[[Path], str], list[str]]:
    """A function that gives each file an address in the page, the same for the same content."""
    files: list[str] = []
    known: dict[str, str] = {}

    def embed(path: Path) -> str:
        kind = MEDIA_TYPES.get(path.suffix.lower())
        if kind is None:
            raise InputError(f"pictures or sounds ({', '.join(MEDIA_TYPES)})", got=str(path))
        address = embed_file(path, kind)
        if address not in known:
            known[address] = f"#{len(files)}"
            files.append(address)
        return known[address]

    return embed, files


def _list_payloads(
    experiment: Experiment, trials: tuple[Trial, ...], position: Position, phase: int, embed: Callable[[Path], str]
) -> list[dict[str, Any]]:
    rows = position.list_trials(phase)
    payloads = []
    for number, (n, shown) in enumerate(rows, start=1):
        trial = trials[n - 1]
        stimuli = {
            place: [embed(trial.files[slot]) for slot in what] if isinstance(what, list) else embed(trial.files[what])
            for place, what in shown.items()
        }
        timing = make_timing(experiment.settings, position, phase, number)
        payloads.append(
            {
                "id": f"{phase}-{number}",
                "n": number,
                "trial": n,
                "phase": "practice" if phase else "main",
                "kind": experiment.kind,
                "stimuli": stimuli,
                "timing": timing,
                "brief": is_brief(experiment.settings, trial, timing["stimulus_ms"]),
                "correct": find_right_response(experiment.kind, shown, trial.correct),
            }
        )
    return payloads


def find_right_response(kind: str, shown: dict[str, Any], correct: str | None) -> dict[str, Any] | None:
    """What a participant who is right answers, by the places on the screen; None where no answer is right.

    >>> find_right_response("2afc", {"upper": "query_min", "lower": "query_max"}, "query_max")
    {'choice': 'lower'}
    >>> find_right_response("similarity", {"left": "a", "right": "b"}, "7")
    {'rating': 7}
    """
    if correct is None:
        return None
    form = get_answer_form(kind)
    if not form.by_place:
        return {form.name: int(correct) if form.name == "rating" else correct}
    if "items" in shown:
        return {form.name: shown["items"].index(correct)}
    return {form.name: next(place for place, slot in shown.items() if slot == correct)}
