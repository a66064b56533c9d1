"""A procedure that chooses levels by the answers so far. The state is the log of answers, replayed."""

from __future__ import annotations

import abc
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import InputError
from beholder.experiments.settings._fields import parse_fields
from beholder.experiments.settings._methods import METHODS

if TYPE_CHECKING:
    from beholder.experiments.settings._settings import Adaptive

Answer = tuple[float, bool]
"""A level that was shown, and whether the answer was right."""


@final
@dataclass(frozen=True)
class Estimate:
    """Where a procedure puts the threshold.

    Attributes
    ----------
    threshold : float
        The level at ``target``; NaN where the answers do not tell.
    low, high : float
        The middle 95 % of what is plausible for it; NaN for procedures that do not say.
    target : float
        Proportion of right answers.
    n_trials : int
    """

    threshold: float
    low: float
    high: float
    target: float
    n_trials: int


class AdaptiveProcedure(abc.ABC):
    """A procedure that chooses levels from the answers so far.

    A class of its own is filed in :data:`METHODS`. It has a frozen dataclass ``Parameters``, whose fields are what
    settings may hold beside ``method``, and is made of one.

    Parameters
    ----------
    levels : sequence of float
        From the hardest to the easiest, rising or falling as numbers; at least two.
    """

    def __init__(self, levels: Sequence[float]) -> None:
        self.levels = tuple(float(level) for level in levels)
        steps = np.diff(self.levels)
        if len(self.levels) < 2 or not ((steps > 0).all() or (steps < 0).all()):
            raise InputError(
                "at least two levels in order, from the hardest to the easiest", got=str(list(self.levels)[:8])
            )
        self._log: list[Answer] = []

    @staticmethod
    @abc.abstractmethod
    def plan(adaptive: Adaptive, levels: tuple[float, ...]) -> Mapping[str, Any]:
        """The settings, as :meth:`from_dict` takes them, that an experiment's ``adaptive`` means for its levels.

        Parameters
        ----------
        adaptive : Adaptive
        levels : tuple of float
            From the hardest to the easiest.

        Raises
        ------
        InputError
            The method is not one for experiments, whose trials are counted beforehand.
        """

    @staticmethod
    def from_dict(settings: Mapping[str, Any]) -> AdaptiveProcedure:
        """The procedure that settings describe: ``method`` (``constant``, ``up_down``, ``quest+``) and its parameters.

        Raises
        ------
        UnknownNameError
            Another method, or a parameter that the method does not have.
        InputError
            A parameter of the wrong type or out of its range.

        >>> stairs = AdaptiveProcedure.from_dict({"method": "up_down", "levels": [1, 2, 3, 4], "down": 2, "start": 3})
        >>> stairs.next_level()
        4.0
        >>> stairs.update(4.0, True)
        >>> stairs.update(4.0, True)
        >>> stairs.next_level()
        3.0
        """
        values = dict(settings)
        method = str(values.pop("method", ""))
        made = METHODS[method]
        return made(parse_fields(made.Parameters, values, f"{method} parameter"))

    @property
    def log(self) -> tuple[Answer, ...]:
        """The answers so far."""
        return tuple(self._log)

    def update(self, level: float, correct: bool) -> None:
        """Take in an answer.

        Raises
        ------
        InputError
            A level that is none of the procedure's.
        """
        place = next((k for k, each in enumerate(self.levels) if math.isclose(each, level, rel_tol=1e-9)), None)
        if place is None:
            raise InputError(f"one of the levels {', '.join(f'{each:g}' for each in self.levels)}", got=f"{level:g}")
        self._take_in(place, bool(correct))
        self._log.append((self.levels[place], bool(correct)))

    def replay(self, answers: Iterable[Answer]) -> AdaptiveProcedure:
        """Take in answers, in order, and give the procedure itself."""
        for level, correct in answers:
            self.update(level, correct)
        return self

    @abc.abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The settings that :meth:`from_dict` takes; without the answers."""

    @abc.abstractmethod
    def next_level(self) -> float | None:
        """The level to show; None when the procedure has ended."""

    @abc.abstractmethod
    def estimate(self) -> Estimate:
        """The threshold, from the answers so far."""

    @abc.abstractmethod
    def _take_in(self, place: int, correct: bool) -> None:
        """Change the state by the answer at one of the levels."""
