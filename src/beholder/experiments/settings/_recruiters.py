"""Where participants come from, as data: how they are told apart, and how they go back."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final
from urllib.parse import quote, urlsplit

from beholder._core.errors import InputError, UnknownNameError

_UNFILLED = re.compile(r"\{\{.*\}\}|\$\{.*\}")
"""A place in a link that nobody filled in, as of somebody who copied it from the recruiter's settings."""
MOST_CHARACTERS = 500
"""No id and no address of a site is longer."""


@final
@dataclass(frozen=True)
class Recruiter:
    """A way to come in and to go out.

    Attributes
    ----------
    name : str
    identity : str
        The parameter of the link that says who somebody is; empty: nobody is known, anybody can come again.
    job : str
        The parameter that says for which of the recruiter's jobs somebody came; one who is through with another job has
        taken part already.
    parameters : tuple of str
        Parameters of the link that are kept, in a table apart.
    preview : mapping of str to str
        Values of parameters that say that somebody only looks.
    return_url : str
        Where to send people at the end; ``{code}`` is filled in.
    submit_parameter : str
        The parameter that says which site takes the form at the end.
    submit_path : str
        Path of that form.
    submit_fields : tuple of str
        Parameters that the form sends back.
    sites : tuple of str
        Sites that may show the page in a frame and take the form; nobody else may.
    """

    name: str
    identity: str = ""
    job: str = ""
    parameters: tuple[str, ...] = ()
    preview: tuple[tuple[str, str], ...] = ()
    return_url: str = ""
    submit_parameter: str = ""
    submit_path: str = ""
    submit_fields: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()


RECRUITERS: dict[str, Recruiter] = {
    "none": Recruiter("none"),
    "prolific": Recruiter(
        "prolific",
        identity="PROLIFIC_PID",
        job="STUDY_ID",
        parameters=("PROLIFIC_PID", "STUDY_ID", "SESSION_ID"),
        return_url="https://app.prolific.com/submissions/complete?cc={code}",
    ),
    "mturk": Recruiter(
        "mturk",
        identity="workerId",
        job="assignmentId",
        parameters=("workerId", "assignmentId", "hitId", "turkSubmitTo"),
        preview=(("assignmentId", "ASSIGNMENT_ID_NOT_AVAILABLE"),),
        submit_parameter="turkSubmitTo",
        submit_path="/mturk/externalSubmit",
        submit_fields=("assignmentId",),
        sites=("https://www.mturk.com", "https://worker.mturk.com", "https://workersandbox.mturk.com"),
    ),
}
"""Recruiters by name."""


def get_recruiter(name: str) -> Recruiter:
    """A recruiter by name; an unknown one is refused."""
    if name not in RECRUITERS:
        raise UnknownNameError("recruiter", name, RECRUITERS)
    return RECRUITERS[name]


def pick_parameters(recruiter: Recruiter, parameters: Mapping[str, str | Sequence[str]]) -> dict[str, str]:
    """The parameters of a link that the recruiter knows and filled in; others are dropped.

    Every id that a link carries is looked at here, and nowhere else.

    Parameters
    ----------
    recruiter : Recruiter
    parameters : mapping of str to str or sequence of str
        More than one value of a name that stands in the link more than once.

    Raises
    ------
    InputError
        Two values of one name, one that is too long, or one with characters that no id has: nobody can tell who it is.

    Examples
    --------
    >>> pick_parameters(get_recruiter("prolific"), {"PROLIFIC_PID": "{{%PROLIFIC_PID%}}", "STUDY_ID": " s1 ", "x": "y"})
    {'STUDY_ID': 's1'}
    """
    found = {name: _read_id(name, parameters[name]) for name in recruiter.parameters if name in parameters}
    return {name: value for name, value in found.items() if value and not _UNFILLED.fullmatch(value)}


def _read_id(name: str, given: str | Sequence[str]) -> str:
    values = {value.strip() for value in ([given] if isinstance(given, str) else given)}
    if len(values) > 1:
        raise InputError(f"one {name} in the link", got=f"{len(values)}")
    value = min(values, default="")
    if len(value) > MOST_CHARACTERS:
        raise InputError(f"{name} of at most {MOST_CHARACTERS} characters in the link", got=str(len(value)))
    odd = next((sign for sign in value if sign == "\ufffd" or unicodedata.category(sign)[0] == "C"), None)
    if odd is not None:
        raise InputError(f"{name} in the link without control characters", got=f"U+{ord(odd):04X} in it")
    return value


def is_other_job(recruiter: Recruiter, before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether somebody came for another of the recruiter's jobs than before.

    Parameters
    ----------
    before, now : mapping of str to str
        Parameters of the links, as :func:`pick_parameters` gives them.
    """
    old, new = before.get(recruiter.job), now.get(recruiter.job)
    return old is not None and new is not None and old != new


def is_preview(recruiter: Recruiter, parameters: Mapping[str, str | Sequence[str]]) -> bool:
    """Whether somebody only looks, before accepting."""
    return any(parameters.get(name) == value for name, value in recruiter.preview)


def describe_return(recruiter: Recruiter, code: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    """How a participant goes back at the end.

    Parameters
    ----------
    code : str
        Completion, screen-out or no-consent code; empty where the experiment has none.
    parameters : mapping of str to str
        What was kept of the link.

    Returns
    -------
    dict
        ``code``, ``code_url`` (a link, or None) and ``submit`` (``url`` and ``fields`` of a form to post, or None).

    Examples
    --------
    >>> describe_return(get_recruiter("prolific"), "C1", {})["code_url"]
    'https://app.prolific.com/submissions/complete?cc=C1'
    """
    url = recruiter.return_url.format(code=quote(code, safe="")) if recruiter.return_url and code else None
    submit = None
    if recruiter.submit_parameter:
        site = urlsplit(parameters.get(recruiter.submit_parameter, ""))
        origin = f"{site.scheme}://{site.netloc}"
        fields = {name: parameters[name] for name in recruiter.submit_fields if parameters.get(name)}
        if origin in recruiter.sites and len(fields) == len(recruiter.submit_fields):
            submit = {"url": origin + recruiter.submit_path, "fields": {**fields, "code": code}}
    return {"code": code or None, "code_url": url, "submit": submit}
