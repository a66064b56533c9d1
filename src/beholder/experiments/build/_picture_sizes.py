"""What a plan's pictures measure, and what becomes of their sizes on participants' screens."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from beholder._core.errors import InputError, suggest_keywords
from beholder.experiments.build._trials import TrialReader
from beholder.experiments.design._plan import ExperimentPlan
from beholder.experiments.design._plan_recognition import ICONS
from beholder.experiments.settings._kinds import get_task_kind
from beholder.experiments.settings._settings import Settings
from beholder.experiments.settings._sizes import parse_size
from beholder.stimuli import list_image_extensions

MOST_FILES = 4000
"""Files that are looked into; of larger plans the first tasks."""
USUAL_WINDOW = (1280, 720)
_WIDEST_PHONE = 500

_PLAIN_PX_PER_MM = 96 / 25.4


@suggest_keywords
def list_size_notes(plan: ExperimentPlan) -> list[str]:
    """What to know of the sizes that the plan's pictures will have on the screen; empty where nothing is worth a word.

    Sizes are read from the files' first bytes.

    Parameters
    ----------
    plan : ExperimentPlan

    Returns
    -------
    list of str
        That phones are let in and their windows are not; one line where pictures differ, or will be smaller than
        they might be in a usual window or the least one.
    """
    settings = plan.settings
    notes: list[str] = []
    if settings.phones and settings.min_width > _WIDEST_PHONE:
        notes.append(
            f"phones=true, but no phone has a window of min_width={settings.min_width}; "
            "--set min_width=0 min_height=0 lets them in"
        )
    trials = _read_trials(plan)
    if not trials:
        return notes
    word, length = parse_size(settings.size)
    largest = {max(max(size) for size in sizes) for sizes in trials}
    is_mixed = any(len({max(size) for size in sizes}) > 1 for sizes in trials)
    wanted = max(largest)
    if word == "px":
        wanted = round(length)
    elif word == "deg":
        distance = settings.viewing_distance_cm * 10
        wanted = round(2 * distance * math.tan(math.radians(length / 2)) * _PLAIN_PX_PER_MM)
    windows = [USUAL_WINDOW, (settings.min_width, settings.min_height)]
    rooms = {window: find_room(settings, *window) for window in windows if min(window) > 0}
    narrow = next((window for window, room in rooms.items() if room < wanted), None)
    told: list[str] = []
    if word in ("pixels", "points"):
        told += [f"each is shown by its own, size={word}"] if is_mixed or len(largest) > 1 else []
    elif is_mixed:
        told += ["those of a trial are shown equally large"]
    if word == "fit" and len(largest) > 1 and min(largest) < rooms[USUAL_WINDOW]:
        told += [f"size={min(largest)}px shows those of all trials so"]
    if narrow is not None:
        told += [f"at most about {rooms[narrow]} CSS pixels in a window of {_show(narrow)}"]
    least, most = _span(size for sizes in trials for size in sizes)
    span = _show(most) if least == most else f"{_show(least)} to {_show(most)}"
    return [*notes, f"pictures of {span} pixels: {', '.join(told)}"] if told else notes


def find_room(settings: Settings, width: int, height: int) -> int:
    """About how large pictures of equal sides can be in a window, the longer side in CSS pixels.

    The pages measure; this is what comes out of it with the English texts, as a test in a browser holds it to.

    Parameters
    ----------
    settings : Settings
    width, height : int
        Of the window, CSS pixels.

    Examples
    --------
    >>> from beholder.experiments import make_settings
    >>> find_room(make_settings("zimmermann-2afc"), 1280, 720)
    168
    """
    return max(48, int(get_task_kind(settings.kind).find_room(settings, width, height)))


def _read_trials(plan: ExperimentPlan) -> list[list[tuple[int, int]]]:
    """Width and height of the pictures of each trial that has any but icons, as far as files can be read."""
    reader = TrialReader(plan.kind, plan.scheme, plan.folder, plan.settings.n_references_shown)
    known: dict[Path, tuple[int, int] | None] = {}
    trials = []
    for trial in (*plan.practice, *(trial for task in plan.tasks for trial in task.trials)):
        if len(known) > MOST_FILES:
            break
        with contextlib.suppress(InputError, OSError):  # the build refuses what is wrong with a file
            paths = reader.read(trial, "main").files.values()
            sizes = [size for path in paths if (size := _read_size(path, known)) is not None]
            if sizes:
                trials.append(sizes)
    return trials


def _read_size(path: Path, known: dict[Path, tuple[int, int] | None]) -> tuple[int, int] | None:
    if path not in known:
        known[path] = None
        if path.parent != ICONS and path.suffix.lower() in (*list_image_extensions(), ".gif", ".webp"):
            with Image.open(path) as picture:
                known[path] = picture.size
    return known[path]


def _span(sizes: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], tuple[int, int]]:
    ordered = sorted(sizes, key=lambda size: (max(size), size))
    return ordered[0], ordered[-1]


def _show(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"
