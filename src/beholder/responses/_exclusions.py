"""Whose data count: published rules as a pure function of a few numbers a participant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from beholder._core.errors import UnknownNameError, suggest_keywords


@final
@dataclass(frozen=True)
class ParticipantSummary:
    """What the rules look at, of one participant.

    Attributes
    ----------
    finished : bool
        Whether every trial was answered.
    n_catch, n_catch_correct : int
        Catch trials answered, and answered right.
    time_s : float or None
        Seconds from the first page to the last answer.
    instructions_s : float or None
        Seconds on the instructions.
    row_choices : tuple of int
        How often each of the two answers was chosen in main and catch trials; empty where there are no two.
    practice_blocks : int
        Attempts at the practice.
    signs : tuple of str
        What of the answers no person shows, see :func:`beholder.responses.list_signs`.
    """

    finished: bool
    n_catch: int = 0
    n_catch_correct: int = 0
    time_s: float | None = None
    instructions_s: float | None = None
    row_choices: tuple[int, ...] = ()
    practice_blocks: int = 0
    signs: tuple[str, ...] = ()

    @property
    def catch_ratio(self) -> float | None:
        """Proportion of catch trials answered right, in [0, 1]; None without catch trials."""
        return self.n_catch_correct / self.n_catch if self.n_catch else None


RULES = (
    "catch_ratio_min", "time_s_min", "time_s_max", "instructions_s_min", "row_choices_min", "practice_blocks_max",
    "automation",
)  # fmt: skip
"""Names of the rules, as the settings of an experiment have them."""

UNFINISHED = "unfinished"
"""The reason of those who did not answer every trial; always applied."""


@suggest_keywords
def list_exclusions(conduct: ParticipantSummary, rules: Mapping[str, Any]) -> tuple[str, ...]:
    """Which rules a participant breaks; nobody is left out who breaks none.

    A rule's bound itself is within the rule: 4 of 5 catch trials pass a ``catch_ratio_min`` of 0.8, 135 s pass a
    ``time_s_min`` of 135, 3 blocks pass a ``practice_blocks_max`` of 3. A rule about something that the experiment
    does not have (catch trials, two buttons, instructions) leaves nobody out.

    Parameters
    ----------
    conduct : ParticipantSummary
    rules : mapping of str to number, bool or None
        Of :data:`RULES`; None and absent switch a rule off. ``automation`` is true or false: with it, whoever's answers
        show a sign that no person's do is left out.

    Returns
    -------
    tuple of str
        Names of broken rules in the order of :data:`RULES`, ``unfinished`` first.

    Notes
    -----
    Source of all but ``automation``: Zimmermann, Klein & Brendel (2023), Scale alone does not improve mechanistic
    interpretability.

    Examples
    --------
    >>> list_exclusions(ParticipantSummary(True, n_catch=5, n_catch_correct=3), {"catch_ratio_min": 0.8})
    ('catch_ratio_min',)
    """
    for name in rules:
        if name not in RULES:
            raise UnknownNameError("rule of exclusion", name, RULES)
    seen = {
        "catch_ratio_min": conduct.catch_ratio,
        "time_s_min": conduct.time_s,
        "time_s_max": conduct.time_s,
        "instructions_s_min": conduct.instructions_s,
        "row_choices_min": min(conduct.row_choices) if conduct.row_choices else None,
        "practice_blocks_max": conduct.practice_blocks,
    }
    broken = [UNFINISHED] if not conduct.finished else []
    for name, value in seen.items():
        bound = rules.get(name)
        if bound is None or value is None:
            continue
        if value > bound if name.endswith("_max") else value < bound - 1e-9:
            broken.append(name)
    if rules.get("automation") and conduct.signs:
        broken.append("automation")
    return tuple(broken)
