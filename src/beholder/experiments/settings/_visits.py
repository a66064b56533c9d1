"""The same person on another day: how many sessions, what they show, when each is open."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal, final

from beholder._core.durations import DAY_S
from beholder._core.errors import InputError


@final
@dataclass(frozen=True)
class Sessions:
    """The sessions of one participant.

    Attributes
    ----------
    n : int
        How many, at least 1.
    deal : {"split", "repeat"}
        ``split``: what one participant is shown is cut into sessions, so that nothing is shown twice; ``repeat``: every
        session shows the same trials, in another order.
    days_min : float
        Least days, of 24 hours, from the last answer of a session to the first page of the next one.
    days_max : float or None
        Most days; who comes later finds the study closed. None: no bound.
    completion_codes : tuple of str
        One for each session; empty: all have ``completion_code``.

    Examples
    --------
    >>> Sessions(3, "repeat", days_min=0.75, days_max=3)
    Sessions(n=3, deal='repeat', days_min=0.75, days_max=3, completion_codes=())
    """

    n: int = 1
    deal: Literal["split", "repeat"] = "split"
    days_min: float = 1.0
    days_max: float | None = None
    completion_codes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.n < 1:
            raise InputError("sessions.n of at least 1", got=str(self.n))
        others = {each.name for each in dataclasses.fields(self) if getattr(self, each.name) != each.default} - {"n"}
        if self.n == 1 and others:
            raise InputError(f"sessions.n of at least 2 with sessions.{min(others)}", got="1")
        if self.days_min < 0:
            raise InputError("sessions.days_min of at least 0", got=f"{self.days_min:g}")
        if self.days_max is not None and self.days_max <= self.days_min:
            raise InputError(f"sessions.days_max above sessions.days_min, {self.days_min:g}", got=f"{self.days_max:g}")
        if self.completion_codes and len(self.completion_codes) != self.n:
            raise InputError(
                f"{self.n} sessions.completion_codes, one for each session", got=str(len(self.completion_codes))
            )

    @property
    def n_parts(self) -> int:
        """Into how many parts the trials of a participant are cut: 1 where every session shows all of them."""
        return self.n if self.deal == "split" else 1


@final
@dataclass(frozen=True)
class Window:
    """When a session can be begun, seconds since 1970.

    Attributes
    ----------
    opens : float
    closes : float or None
        None: it stays open.
    """

    opens: float
    closes: float | None

    def find_state(self, now: float) -> str:
        """``early``, ``open`` or ``closed``.

        >>> [Window(10.0, 20.0).find_state(now) for now in (9.0, 10.0, 20.0, 21.0)]
        ['early', 'open', 'open', 'closed']
        """
        if now < self.opens:
            return "early"
        return "open" if self.closes is None or now <= self.closes else "closed"


def find_window(sessions: Sessions, ended: float) -> Window:
    """When the session after one can be begun.

    Parameters
    ----------
    sessions : Sessions
    ended : float
        When the last trial of the session before was answered, seconds since 1970.

    Examples
    --------
    >>> find_window(Sessions(2, days_min=1, days_max=2), 0.0)
    Window(opens=86400.0, closes=172800.0)
    """
    closes = None if sessions.days_max is None else ended + sessions.days_max * DAY_S
    return Window(ended + sessions.days_min * DAY_S, closes)


def find_next(sessions: Sessions, visit: int, answered_all: float | None) -> Window | None:
    """When the session after one can be begun; None where none follows, or where it is not through.

    Parameters
    ----------
    sessions : Sessions
    visit : int
        Which session it is, from 1.
    answered_all : float or None
        When its last trial was answered, seconds since 1970.
    """
    return None if visit >= sessions.n or answered_all is None else find_window(sessions, answered_all)


def name_task(sessions: Sessions, participant: int, visit: int) -> int:
    """The task that a participant of the plan is given in a session.

    Tasks of one participant follow each other: with two sessions, tasks 1 and 2 are those of participant 1.

    Parameters
    ----------
    participant, visit : int
        From 1.

    Examples
    --------
    >>> name_task(Sessions(2), participant=3, visit=2)
    6
    """
    return (participant - 1) * sessions.n + visit


def find_visit(sessions: Sessions, task: int) -> tuple[int, int]:
    """Whose task it is, and of which session: the inverse of :func:`name_task`.

    >>> find_visit(Sessions(2), 6)
    (3, 2)
    """
    return (task - 1) // sessions.n + 1, (task - 1) % sessions.n + 1
