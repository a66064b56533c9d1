"""Named ways to train, and own ones in a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.files import explain_read_errors
from beholder.training._settings import TrainingSettings

MIN_EVAL_STEPS = 10
_KINDS = {each.name: str(each.type) for each in fields(TrainingSettings)}
_FIELDS = tuple(_KINDS)
_DEFAULTS = {each.name: each.default for each in fields(TrainingSettings)}


@final
@dataclass(frozen=True)
class Preset:
    """A named way to train.

    Parameters
    ----------
    image, sound : mapping of str to value
        What differs from the defaults of :class:`TrainingSettings`, by what the network is shown.
    source : str
        Where it is from, for the model card.
    """

    image: Mapping[str, Any]
    sound: Mapping[str, Any]
    source: str
    eps: Mapping[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    """The published radius by modality and norm."""


_PUBLISHED = (
    "SGD, momentum 0.9, weight decay 1e-4, rate divided by 10 every 50 epochs: 120 epochs in batches of 256 for "
    "pictures, 150 in batches of 128 for sounds, as published with model metamers (Feather et al. 2023)"
)
_PICTURE_STEPS = (
    "the publication gives no steps for pictures: 3 of 2/3 of the radius, as in MadryLab's robust ImageNet networks "
    "(Salman et al. 2020); the iterate of the largest loss is kept, as the robustness library does"
)
_SOUND_STEPS = "5 steps of half the radius from a random start, as published, for sounds"
_SOUND = {"epochs": 150, "batch_size": 128, "learning_rate": 0.01, "step_epochs": 50.0}
_IMAGE = {"epochs": 120, "batch_size": 256, "learning_rate": 0.1, "step_epochs": 50.0}
_EPS = {("image", "l2"): 3.0, ("image", "linf"): 8 / 255, ("sound", "l2"): 1.0, ("sound", "linf"): 0.002}

PRESETS: dict[str, Preset] = {
    "standard": Preset(_IMAGE, _SOUND, _PUBLISHED),
    "adversarial": Preset(
        {**_IMAGE, "attack": "pgd", "attack_steps": 3},
        {**_SOUND, "attack": "pgd", "attack_steps": 5, "random_start": True},
        f"{_PUBLISHED}; {_PICTURE_STEPS}; {_SOUND_STEPS}",
        _EPS,
    ),
    "random-noise": Preset(
        {**_IMAGE, "attack": "noise"},
        {**_SOUND, "attack": "noise"},
        f"{_PUBLISHED}; one draw of noise a stimulus, on the sphere (L2) or at the corners (L-infinity) of the ball",
        _EPS,
    ),
}
"""Ways to train that have a name; ``bh.train(preset=)`` also takes a TOML file."""


@suggest_keywords
def resolve_settings(
    preset: str | Path = "standard", modality: str = "image", changes: Mapping[str, Any] = MappingProxyType({})
) -> TrainingSettings:
    """The settings of a preset or a TOML file with single ones changed, and those that follow from others filled in.

    Parameters
    ----------
    preset : str or path
        A name of ``PRESETS``, or a TOML file: its keys are the fields of :class:`TrainingSettings`; ``preset`` in it
        names what it is based on.
    modality : {"image", "sound", "array"}
    changes : mapping, optional
        Single settings; None stands for the preset's own.

    Raises
    ------
    UnknownNameError
        No such preset, or no such key; near names are told.
    InputError
        A value of another kind, or outside its range.

    Examples
    --------
    >>> resolve_settings("adversarial", changes={"norm": "linf", "epochs": 12}).attack_step_size  # doctest: +ELLIPSIS
    0.0209...
    """
    own = read_preset(Path(preset)) if str(preset).endswith(".toml") else {"preset": str(preset)}
    base = str(own.pop("preset", "standard"))
    if base not in PRESETS:
        raise UnknownNameError("preset", base, PRESETS, hint=f"one of {', '.join(PRESETS)}, or a file NAME.toml")
    found = PRESETS[base]
    kind = "sound" if modality == "sound" else "image"
    plain = dict(found.sound if kind == "sound" else found.image)
    asked = {**changes}
    for key, value in changes.items():
        if value is None:
            del asked[key]
        else:
            asked[key] = _check_value(key, value)
    given = {**own, **asked}
    _refuse_idle(own, asked, plain)
    if "epochs" in given and "step_epochs" not in given:
        plain["step_epochs"] = plain["step_epochs"] * given["epochs"] / plain["epochs"]
    norm = str(given.get("norm", "l2"))
    if (kind, norm) in found.eps:
        plain["eps"] = found.eps[kind, norm]
    named: Any = base if isinstance(preset, str) and not str(preset).endswith(".toml") else Path(preset).stem
    values: dict[str, Any] = {**plain, **own, **asked, "preset": named}
    return fill_in(TrainingSettings(**values), kind)


_SCHEDULE = ("step_epochs", "step_factor")
_STEPS = ("attack_steps", "attack_step_size", "attack_keep", "random_start", "eval_steps")
_ATTACKED = ("eps", "norm", "space", "eval_stimuli")
_IDLE: tuple[tuple[str, str, tuple[str, ...], str, str | None], ...] = (
    ("attack", "none", (*_ATTACKED, *_STEPS), "an attack", "--preset adversarial or --preset random-noise"),
    ("attack", "noise", _STEPS, "the attack pgd", "--preset adversarial"),
    ("optimizer", "adamw", ("momentum",), "the optimizer sgd", None),
    ("schedule", "cosine", _SCHEDULE, "the schedule step", None),
    ("schedule", "constant", _SCHEDULE, "the schedule step", None),
)
"""Settings that do nothing where another one has a value; what they go with, and what to type."""


def _refuse_idle(own: Mapping[str, Any], asked: Mapping[str, Any], plain: Mapping[str, Any]) -> None:
    """Refuse what would change nothing: a radius without an attack is a misunderstanding.

    Where a single setting takes a file's attack away, what the file says of it may stay.
    """
    for name, value, idle, what, way in _IDLE:
        given = asked if name in asked else {**own, **asked}
        if {**plain, **own, **asked}.get(name, _DEFAULTS[name]) != value:
            continue
        for each in idle:
            if each in given:
                raise InputError(f"{each} with {what}", got=f"{name} {value}", hint=way)


def fill_in(settings: TrainingSettings, modality: str) -> TrainingSettings:
    """Settings whose None's that follow from others are values."""
    step_size = settings.attack_step_size
    if step_size is None and settings.attack == "pgd":
        step_size = settings.eps / 2 if modality == "sound" else settings.eps * 2 / 3
    return replace(
        settings,
        step_epochs=settings.epochs * 5 / 12 if settings.step_epochs is None else settings.step_epochs,
        attack_step_size=step_size,
        eval_steps=settings.eval_steps or max(settings.attack_steps, MIN_EVAL_STEPS),
    )


def read_preset(path: Path) -> dict[str, Any]:
    """What a TOML file sets.

    Raises
    ------
    InputError
        No such file, or none of TOML.
    UnknownNameError
        A key that is no setting.
    """
    if not path.is_file():
        raise InputError("a preset's TOML file", got=f"no file {path}", hint=f"one of {', '.join(PRESETS)}")
    with explain_read_errors(path, "a TOML file of training settings"):
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: _check_value(name, value, f"setting in {path.name}") for name, value in document.items()}


def _check_value(name: str, value: Any, what: str = "setting of a training") -> Any:
    """A value of the kind that the setting has; a whole number stands for a float."""
    if name not in _FIELDS:
        raise UnknownNameError(what, name, _FIELDS)
    kind = _KINDS[name].removesuffix(" | None")
    if kind == "bool":
        fits = isinstance(value, bool)
    elif kind in ("int", "float"):
        fits = isinstance(value, int if kind == "int" else (int, float)) and not isinstance(value, bool)
        value = float(value) if fits and kind == "float" else value
    else:
        fits = isinstance(value, str)
    if not fits:
        said = {"bool": "true or false", "int": "a whole number", "float": "a number"}.get(kind, "a word")
        raise InputError(f"{said} as {name}", got=repr(value))
    return value
