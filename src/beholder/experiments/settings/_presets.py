"""Settings of published experiments, and sensible ones for the other kinds of task; each in its kind's record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder.experiments.settings._kinds import get_task_kind, list_task_kinds
from beholder.experiments.settings._settings import KINDS, Settings

PRESETS: tuple[str, ...] = tuple(get_task_kind(kind).preset for kind in KINDS)
"""Names of the presets of this package, one a kind of task."""


@suggest_keywords
def get_preset(name: str) -> Settings:
    """Settings of a preset.

    ``zimmermann-2afc`` and ``zimmermann-counterfactual`` have the timings, counts and rules of Zimmermann, Klein &
    Brendel (2023), Scale alone does not improve mechanistic interpretability, and of the earlier counterfactual
    experiment; ``feather-pictures`` and ``feather-words`` the timings and counts of Feather et al. (2023), Model
    metamers reveal divergent invariances. The others are Beholder's own.

    Raises
    ------
    UnknownNameError
        There is no such preset.

    Examples
    --------
    >>> get_preset("feather-pictures").slow_stimulus_ms
    400
    """
    makers = {kind.preset: kind.make_preset for kind in map(get_task_kind, list_task_kinds())}
    if name not in makers:
        raise UnknownNameError("preset", name, makers)
    return _make_preset(makers[name], name)


@cache
def _make_preset(make: Callable[[], Settings], name: str) -> Settings:
    return make().replace({"preset": name})


@suggest_keywords
def name_preset(kind: str) -> str:
    """The preset of a kind of task.

    >>> name_preset("words")
    'feather-words'
    """
    return get_task_kind(kind).preset


@suggest_keywords
def make_settings(
    preset: str | None = None, changes: Mapping[str, Any] | None = None, *, kind: str | None = None
) -> Settings:
    """Settings of a preset, with other values for some.

    Parameters
    ----------
    preset : str, optional
        One of :data:`PRESETS` or of a registered kind; default the one of the kind.
    changes : mapping of str to value, optional
        Values by name, those of a group by dotted names: ``practice.n_required``.
    kind : str, optional
        Kind of task; default that of the preset, or ``2afc``.
    """
    settings = get_preset(preset or name_preset(kind or KINDS[0]))
    if kind is not None and settings.kind != kind:
        raise InputError(
            f"a preset of the kind {kind}", got=f"{preset!r}, which is one of {settings.kind}", hint=name_preset(kind)
        )
    changed = settings.replace(changes or {})
    if changed.kind != settings.kind:
        raise InputError(f"the kind {settings.kind} of the preset", got=changed.kind, hint=f"--kind {changed.kind}")
    return changed
