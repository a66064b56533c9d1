"""What makes a kind of task: one record for each, found by its name.

The record of a kind of this package is ``KIND`` in the module of its name in :mod:`beholder.experiments.kinds`. It is
loaded by name when first asked for: records refer to planners and stand above what asks for them. Records of other
packages come by the entry point ``beholder.task_kinds``, or by :func:`register_task_kind`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, final

from beholder._core.errors import InputError, suggest_keywords
from beholder.experiments.settings._settings import KINDS, Settings
from beholder.responses import TASK_KINDS, AnswerForm

DrawPlaces = Callable[[Mapping[str, Any], int, random.Random], dict[str, Any]]
"""``draw_places(files, n_references, rng)``: place on the screen to the slot that is shown there, or to several."""

FindRoom = Callable[[Settings, int, int], float]
"""``find_room(settings, width, height)``: the longest side that its pictures can have in a window, CSS pixels."""

Decide = Callable[[Sequence[Any], Callable[[Any, Any], float], Callable[[], Any], int], Any]
"""``decide(asked, measure, get_scale, rating_steps)``: the answer of who goes by distances of the stimuli asked about.

``measure(a, b)`` is the distance of two stimuli, ``get_scale()`` the distances of all pairs of the folder, ascending.
"""


@final
@dataclass(frozen=True)
class NetworkRule:
    """How a network answers.

    Attributes
    ----------
    by : {"names", "units", "distances"}
        The first of the choices among its outputs; of two stimuli the one that drives the trial's unit more or, at a
        layer, is nearer to the references; or what ``decide`` says.
    near, far : str
        Places of the references that the right answer is like, and unlike; empty: there are none.
    decide : callable or None
        See :data:`Decide`.
    """

    by: Literal["names", "units", "distances"]
    near: str = ""
    far: str = ""
    decide: Decide | None = None


@final
@dataclass(frozen=True)
class TaskPage:
    """The page that another package brings for its kind of task.

    Attributes
    ----------
    folder : path
        Its files, which are served as they are, and lie in static pages: modules (``.js``) and pictures (``.svg``,
        ``.png``). ``style.css`` comes after our style sheet, and ``texts.en.json`` is laid over our texts.
    plugin : str
        The class that shows a trial, derived from ``TrialPlugin`` of ``../../js/trials/base.js``.
    module : str
        The file that exports it.
    """

    folder: Path
    plugin: str
    module: str = "page.js"


@final
@dataclass(frozen=True, kw_only=True)
class TaskKind:
    """A kind of task: what its trials consist of, how they are planned, shown and answered.

    Texts of our kinds stand in ``static/texts.en.json``.

    Attributes
    ----------
    name : str
        Of small letters, digits and ``_``.
    form : AnswerForm
        What an answer looks like; of built-in kinds that of :data:`beholder.responses.ANSWER_FORMS`.
    page : TaskPage or str
        What shows a trial: of another package its page; of ours the module of ``static/js/trials``, which ``kinds.js``
        imports. Empty: there is none, and people cannot take part.
    preset : str
        Name of its preset.
    make_preset : callable
        ``make_preset()``: the preset's settings.
    load_planner : callable
        ``load_planner()``: the function that plans it. Its keywords say which flags of ``tasks plan`` it takes.
    slots : tuple of str
        Slots of a trial's stimuli; ``references`` holds several.
    asked_slots : tuple of str
        Those that the answer is about, in the order of ``asked_places``.
    asked_places : tuple of str
        Places on the screen of what the answer is about.
    draw_places : callable
        See :data:`DrawPlaces`.
    find_room : callable
        See :data:`FindRoom`.
    network : NetworkRule
        How a network answers.
    modality : {"pictures", "sounds"} or None
        What stimuli have to be; None: either.
    is_in_turn : bool
        Whether pictures are shown for ``stimulus_ms``, one after the other, before the answer.
    is_timed_from_stimulus : bool
        Whether response times begin at the onset of a stimulus that is gone before the answer.
    unit_folders : bool
        Whether a trial names folders of queries and of references, whose pictures the build picks; the right answer is
        then ``query_max`` where nothing else is said.
    """

    name: str
    form: AnswerForm
    preset: str
    make_preset: Callable[[], Settings]
    load_planner: Callable[[], Callable[..., Any]]
    slots: tuple[str, ...]
    asked_slots: tuple[str, ...]
    asked_places: tuple[str, ...]
    draw_places: DrawPlaces
    find_room: FindRoom
    network: NetworkRule
    page: TaskPage | str = field(default="")
    modality: Literal["pictures", "sounds"] | None = field(default=None)
    is_in_turn: bool = field(default=False)
    is_timed_from_stimulus: bool = field(default=False)
    unit_folders: bool = field(default=False)


_NAME = re.compile(r"[a-z0-9_]+")


def list_task_kinds() -> tuple[str, ...]:
    """Names of all kinds of task, those of this package first.

    >>> list_task_kinds()[:2]
    ('2afc', 'counterfactual')
    """
    return tuple(TASK_KINDS)


@suggest_keywords
def get_task_kind(name: str) -> TaskKind:
    """The record of a kind of task.

    Raises
    ------
    UnknownNameError
        There is no such kind.
    InputError
        What another package brought by this name is no record of it.

    Examples
    --------
    >>> get_task_kind("odd_one_out").slots
    ('a', 'b', 'c')
    """
    return _load_own(name) if name in KINDS else _check_name(TASK_KINDS[name], name)


@cache
def _load_own(name: str) -> TaskKind:
    return import_module(f"beholder.experiments.kinds._{name}").KIND


def _check_name(kind: object, name: str) -> TaskKind:
    if not isinstance(kind, TaskKind):
        raise InputError(f"a beholder.experiments.TaskKind as {name}", got=type(kind).__name__)
    if kind.name != name:
        raise InputError(f"the kind of task {name}", got=f"one called {kind.name}", hint="the entry point's name")
    if not _NAME.fullmatch(name):
        raise InputError("a name of small letters, digits and _ for a kind of task", got=repr(name))
    return kind


@suggest_keywords
def register_task_kind(kind: TaskKind) -> TaskKind:
    """Add a kind of task to those of this process.

    Raises
    ------
    InputError
        Another kind has its name, or its preset's.
    """
    _check_name(kind, kind.name)
    for name in list_task_kinds():
        other = get_task_kind(name)
        if other != kind and (other.name == kind.name or other.preset == kind.preset):
            raise InputError("a kind of task with a name and a preset of its own", got=f"{kind.name}, {kind.preset}")
    TASK_KINDS.add(kind.name, kind)
    return kind


def require_page(settings: Settings) -> None:
    """Refuse to show people a kind of task that has no page.

    Raises
    ------
    InputError
        It was registered without one.
    """
    if not get_task_kind(settings.kind).page:
        raise InputError("a kind of task with a page", got=settings.kind, hint="simulated participants, who need none")
