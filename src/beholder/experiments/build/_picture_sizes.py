"""What a plan's pictures measure, and what becomes of their sizes on participants' screens."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import format_count
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
        That phones are let in and their windows are not; that pictures of one trial differ, that trials differ, that
        pictures will be made smaller to find room.
    """
    settings = plan.settings
    notes = []
    if settings.phones and settings.min_width > _WIDEST_PHONE:
        notes.append(
            f"phones=true, but no phone has a window of min_width={settings.min_width}; "
            "--set min_width=0 min_height=0 lets them in"
        )
    trials = _read_trials(plan)
    if not trials:
        return notes
    word, length = parse_size(settings.size)
    own = word in ("pixels", "points")
    mixed = [sizes for sizes in trials if len({max(size) for size in sizes}) > 1]
    if mixed:
        least, most = _span(size for sizes in mixed for size in sizes)
        fate = (
            "as they are, by size=" + word + "; size=fit shows those of a trial equally large"
            if own
            else "equally large; size=pixels shows each pixel for pixel"
        )
        notes.append(
            f"pictures of one trial differ in size, from {_show(least)} to {_show(most)} pixels, in {len(mixed)} of "
            f"{format_count(len(trials), 'trial')}: they are shown {fate}"
        )
    largest = {max(max(size) for size in sizes) for sizes in trials}
    if len(largest) > 1 and (own or word == "fit"):
        notes.append(
            f"trials differ in size: their largest pictures have {min(largest)} to {max(largest)} pixels; "
            f"size={min(largest)}px shows all alike"
        )
    wanted = max(largest)
    if word == "px":
        wanted = round(length)
    elif word == "deg":
        distance = plan.settings.viewing_distance_cm * 10
        wanted = round(2 * distance * math.tan(math.radians(length / 2)) * _PLAIN_PX_PER_MM)
    least_window = (plan.settings.min_width, plan.settings.min_height)
    windows = [least_window, USUAL_WINDOW] if min(least_window) > 0 else [USUAL_WINDOW]
    rooms = [find_room(plan.settings, *window) for window in windows]
    if min(rooms) < wanted:
        told = ", ".join(
            f"about {room} in one of {width} × {height}{' (the least)' if (width, height) == least_window else ''}"
            for room, (width, height) in zip(rooms, windows, strict=True)
            if room < wanted
        )
        notes.append(f"pictures of {wanted} CSS pixels are made smaller where a window has no room for them: {told}")
    return notes


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
