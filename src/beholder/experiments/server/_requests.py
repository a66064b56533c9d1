"""What the page may send, checked name by name and type by type."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, final

from beholder._core.errors import InputError
from beholder._core.hashing import to_canonical_json
from beholder.experiments.server._security import Refusal
from beholder.experiments.settings._settings import Settings
from beholder.responses import check_response

MAX_JOIN_BYTES = 8 * 1024
MAX_PRESENTATION_BYTES = 1024
MAX_FAILURE_BYTES = 8 * 1024
MAX_STEP_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 8 * 1024
MAX_COMMENT = 10_000

_MAX_NAMES = 32
_MAX_MEASURES = 64
_DAY_MS = 24 * 3600 * 1000.0
_MOST = 1e15
_LARGEST = 1e300  # NaN, infinity and whole numbers that no float holds are not below it


@final
@dataclass(frozen=True)
class AnswerRequest:
    """An answer as sent, known to be well formed.

    Attributes
    ----------
    response : dict
    rt_ms : float
    details : dict
        ``shown_at``, ``frames``, ``window``, ``audio``; ``evidence`` where the page sent any.
    digest : bytes
        sha256 of all of it.
    """

    response: dict[str, Any]
    rt_ms: float
    details: dict[str, Any]
    digest: bytes


def parse_answer(body: dict[str, Any], settings: Settings) -> AnswerRequest:
    """Check the body of ``PUT /api/trials/{id}``."""
    _check_names(body, {"response", "rt_ms", "shown_at"}, {"frames", "window", "audio", "evidence"})
    try:
        response = check_response(
            settings.kind,
            body["response"],
            choices=settings.choices,
            rating_steps=settings.rating_steps,
            confidence_steps=settings.confidence_steps,
        )
    except InputError as error:
        raise _refuse(str(error)) from None
    rt_ms = _parse_number(body["rt_ms"], "rt_ms", _DAY_MS)
    details: dict[str, Any] = {"shown_at": _parse_number(body["shown_at"], "shown_at", _MOST)}
    for name in ("frames", "window", "audio"):
        details[name] = _parse_measures(_get(body, name), name)
    details |= _parse_evidence(body)
    digest = hashlib.sha256(to_canonical_json(body).encode("utf-8", "surrogatepass")).digest()
    return AnswerRequest(response, rt_ms, details, digest)


Parameters = dict[str, str | list[str]]
"""Of a link, by name: a text, or all that stand in it where there are several."""


def parse_join(body: dict[str, Any]) -> tuple[Parameters, dict[str, Any], bool]:
    """Check the body of ``POST /api/join``: parameters of the link, measures of the screen, whether to begin anew.

    What the parameters say is for :func:`pick_parameters` to judge.
    """
    _check_names(body, {"recruiter_params"}, {"screen", "begin"})
    begin = _get(body, "begin", True)
    if not isinstance(begin, bool):
        raise _refuse("begin: true or false")
    parameters = body["recruiter_params"]
    if not isinstance(parameters, dict) or len(parameters) > _MAX_NAMES:
        raise _refuse(f"recruiter_params: an object of at most {_MAX_NAMES} texts")
    for value in parameters.values():
        if not all(isinstance(each, str) for each in (value if isinstance(value, list) else [value])):
            raise _refuse("recruiter_params: texts, or lists of texts")
    return parameters, _parse_measures(_get(body, "screen"), "screen"), begin


def parse_presentation(body: dict[str, Any]) -> tuple[str, int]:
    """Check the body of ``POST /api/presentations``: the trial's id, and the page's own number for this time."""
    _check_names(body, {"trial", "key"})
    trial, key = body["trial"], body["key"]
    if not isinstance(trial, str):
        raise _refuse("trial: its id")
    if type(key) is not int or not 0 <= key < 2**53:
        raise _refuse("key: a whole number from 0, below 2^53")
    return trial, key


REASONS = {"fetch": "the file did not arrive", "decode": "the browser could not decode it"}
"""Why a page cannot show a stimulus."""


def parse_failure(body: dict[str, Any]) -> tuple[str, list[str], str]:
    """Check the body of ``POST /api/failures``: the trial's id, addresses of its stimuli, why they are not shown."""
    _check_names(body, {"trial", "stimuli", "reason"})
    trial, stimuli, reason = body["trial"], body["stimuli"], body["reason"]
    if not isinstance(trial, str):
        raise _refuse("trial: its id")
    if (
        not isinstance(stimuli, list)
        or not 0 < len(stimuli) <= 64
        or not all(isinstance(each, str) for each in stimuli)
    ):
        raise _refuse("stimuli: at most 64 addresses")
    if not isinstance(reason, str) or reason not in REASONS:
        raise _refuse(f"reason: one of {', '.join(REASONS)}")
    return trial, stimuli, reason


def parse_skip(body: dict[str, Any]) -> str:
    """Check the body of ``POST /api/skips``: the trial's id."""
    _check_names(body, {"trial"})
    if not isinstance(body["trial"], str):
        raise _refuse("trial: its id")
    return body["trial"]


def parse_step(body: dict[str, Any], settings: Settings) -> tuple[str, dict[str, Any]]:
    """Check the body of ``POST /api/step``: the step that it ends, and what is kept of it."""
    _check_names(body, {"step"}, {"data", "at_ms", "evidence"})
    step, data = body["step"], _get(body, "data")
    if not isinstance(step, str) or step not in _STEPS:
        raise _refuse(f"step: one of {', '.join(_STEPS)}")
    if not isinstance(data, dict):
        raise _refuse("data: an object")
    if body.get("at_ms") is not None:
        _parse_number(body["at_ms"], "at_ms", _MOST)
    return step, _STEPS[step](data, settings) | _parse_evidence(body)


def _parse_evidence(body: Mapping[str, Any]) -> dict[str, Any]:
    """What the page counted since it last sent something; nothing where it sent none, which says something too."""
    counted = _parse_measures(_get(body, "evidence"), "evidence")
    return {"evidence": counted} if counted else {}


def _parse_consent(data: dict[str, Any], settings: Settings) -> dict[str, Any]:
    _check_names(data, {"version", "agreed"})
    if not isinstance(data["agreed"], bool):
        raise _refuse("agreed: true or false")
    if data["version"] != settings.consent_version:
        raise Refusal(409, "consent", "The consent text has changed; please load the page again.")
    return {"version": data["version"], "agreed": data["agreed"]}


def _parse_instructions(data: dict[str, Any], settings: Settings) -> dict[str, Any]:
    _check_names(data, set(), {"pages_ms", "total_ms"})
    kept: dict[str, Any] = {"pages_ms": _parse_measures(_get(data, "pages_ms"), "pages_ms")}
    if data.get("total_ms") is not None:
        kept["total_ms"] = _parse_number(data["total_ms"], "total_ms", _MOST)
    return kept


def _parse_checks(data: dict[str, Any], settings: Settings) -> dict[str, Any]:
    _check_names(data, set(), {"screen", "fullscreen", "calibration", "headphones", "level", "window", "audio"})
    kept: dict[str, Any] = {
        name: _parse_measures(data[name], name)
        for name in ("screen", "calibration", "level", "window", "audio")
        if data.get(name) is not None
    }
    if data.get("fullscreen") is not None:
        kept["fullscreen"] = _parse_measure(data["fullscreen"], "fullscreen")
    if data.get("headphones") is not None:
        kept["headphones"] = _parse_headphones(data["headphones"], settings)
    elif settings.headphone_check:
        raise _refuse("headphones: the result of the headphone check")
    return kept


def _parse_headphones(value: Any, settings: Settings) -> dict[str, Any]:
    """``n_correct`` follows from the answers where they are sent."""
    if not isinstance(value, dict):
        raise _refuse("headphones: an object")
    _check_names(value, {"n", "n_correct"}, {"answers", "correct"})
    n, n_correct = value["n"], value["n_correct"]
    if type(n) is not int or type(n_correct) is not int or not 0 <= n_correct <= n <= 100:
        raise _refuse("headphones: whole numbers n_correct of n")
    kept: dict[str, Any] = {"n": n, "n_correct": n_correct}
    if value.get("answers") is not None or value.get("correct") is not None:
        answers, correct = value.get("answers"), value.get("correct")
        for each in (answers, correct):
            if not isinstance(each, list) or len(each) != n or not all(_is_measure(item) for item in each):
                raise _refuse("headphones: answers and correct, one each a trial")
        assert isinstance(answers, list) and isinstance(correct, list)
        # `correct` may be what was right, or whether the answer was
        right = [c if isinstance(c, bool) else a == c for a, c in zip(answers, correct, strict=True)]
        kept |= {"answers": answers, "correct": correct, "n_correct": min(n_correct, sum(right))}
    if n != settings.headphone_trials:
        raise _refuse(f"headphones: {settings.headphone_trials} trials")
    return kept


def _parse_comment(data: dict[str, Any], settings: Settings) -> dict[str, Any]:
    _check_names(data, set(), {"text"})
    text = _get(data, "text", "")
    if not isinstance(text, str) or not _is_text(text):
        raise _refuse("text: a text")
    if len(text) > MAX_COMMENT:
        raise Refusal(413, "too_large", f"A comment has at most {MAX_COMMENT} characters.")
    return {"text": text}


def _parse_debrief(data: dict[str, Any], settings: Settings) -> dict[str, Any]:
    _check_names(data, set())
    return {}


_STEPS = {
    "consent": _parse_consent,
    "instructions": _parse_instructions,
    "checks": _parse_checks,
    "comment": _parse_comment,
    "debrief": _parse_debrief,
}


def _get(body: Mapping[str, Any], name: str, default: Any = MappingProxyType({})) -> Any:
    """What stands under a name; null is as good as absent."""
    value = body.get(name)
    return (dict(default) if isinstance(default, Mapping) else default) if value is None else value


def _check_names(body: Mapping[str, Any], needed: set[str], allowed: set[str] | frozenset[str] = frozenset()) -> None:
    missing, unknown = sorted(needed - set(body)), sorted(set(body) - needed - allowed)
    if missing:
        raise _refuse(f"{missing[0]} is missing")
    if unknown:
        raise _refuse(f"{unknown[0][:40]} is not known here")


def _parse_number(value: Any, name: str, most: float) -> float:
    if not _is_number(value) or not 0 <= value <= most:
        raise _refuse(f"{name}: a number from 0 to {most:g}")
    return float(value)


def _parse_measures(value: Any, name: str) -> dict[str, Any]:
    """A flat object of numbers, true, false and null: no place for texts that tell who somebody is."""
    if not isinstance(value, dict) or len(value) > _MAX_MEASURES:
        raise _refuse(f"{name}: an object of at most {_MAX_MEASURES} numbers")
    return {_parse_name(key, name): _parse_measure(each, f"{name}.{key[:40]}") for key, each in value.items()}


def _parse_name(key: str, name: str) -> str:
    if len(key) > 64 or not key.replace("_", "").replace("-", "").isalnum() or not key.isascii():
        raise _refuse(f"{name}: names of letters, digits, _ and -")
    return key


def _parse_measure(value: Any, name: str) -> Any:
    if not _is_measure(value):
        raise _refuse(f"{name}: a number, true, false or null")
    return value


def _is_measure(value: Any) -> bool:
    return value is None or isinstance(value, bool) or (_is_number(value) and abs(value) <= _MOST)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -_LARGEST < value < _LARGEST


def _is_text(value: str) -> bool:
    """Whether it can be written as UTF-8: no lone surrogates."""
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in value)


def _refuse(text: str) -> Refusal:
    return Refusal(422, "invalid", text[0].upper() + text[1:] + ".")
