"""Did a person answer? What no person's answers look like, as a pure function of what is stored of them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from beholder._core.errors import suggest_keywords

FAST_MS = 150.0
"""Nobody sees a picture or hears a sound, decides and presses within so many milliseconds."""

EARLY_MS = 100.0
"""By how much an answer may come sooner after the one before than its own response time allows."""

REGULAR_MS = 20.0
"""Nobody's response times lie so close together: the middle half of at least :data:`REGULAR_N`."""

REGULAR_N = 20
JUMPS_N = 10
_SHARE = 0.1

SIGNS = ("webdriver", "no_page", "no_input", "jumps", "too_fast", "early", "regular")
"""Names of the signs, as an export has them."""

COUNTS = ("keys", "presses", "clicks", "moves", "jumps", "scripted", "pastes", "blurs", "blurred_ms", "hides",
          "hidden_ms")  # fmt: skip
"""What the page counts between two things that it sends."""


@final
@dataclass(frozen=True)
class Trace:
    """What is stored of how one answer was given.

    Attributes
    ----------
    rt_ms : float
        Response time, as the page measured it.
    elapsed_ms : float or None
        From the answer before to this one, by the server's clock; None for the first.
    counts : mapping or None
        What the page counted since it last sent something, see :data:`COUNTS`; None where nothing came with the answer.
    """

    rt_ms: float
    elapsed_ms: float | None = None
    counts: Mapping[str, Any] | None = None

    @property
    def is_without_input(self) -> bool:
        """Whether the browser reported neither key nor press nor click of its own before the answer."""
        return self.counts is not None and not any(
            get_count(self.counts, name) for name in ("keys", "presses", "clicks")
        )

    @property
    def is_fast(self) -> bool:
        """Whether nobody could have answered so soon."""
        return self.rt_ms < FAST_MS

    @property
    def is_early(self) -> bool:
        """Whether less time passed on the server than the answer says that it took."""
        return self.elapsed_ms is not None and self.elapsed_ms < self.rt_ms - EARLY_MS


@final
@dataclass(frozen=True)
class Evidence:
    """Whether a person took part, of one session.

    Attributes
    ----------
    signs : tuple of str
        See :func:`list_signs`.
    is_driven : bool or None
        Whether the browser said of itself that a program drives it; None where no page said anything.
    n_without_page, n_without_input, n_fast, n_early : int
        Answers with which no counts came; before which the browser reported no input; that came sooner after the onset,
        and after the answer before, than they can.
    spread_ms : float or None
        See :func:`compute_interquartile_range`.
    totals : mapping of str to float
        Sums of :data:`COUNTS` over the whole session, steps and practice too.
    """

    signs: tuple[str, ...] = ()
    is_driven: bool | None = None
    n_without_page: int = 0
    n_without_input: int = 0
    n_fast: int = 0
    n_early: int = 0
    spread_ms: float | None = None
    totals: Mapping[str, float] = field(default_factory=dict[str, float])


def summarize_evidence(traces: Sequence[Trace], others: Sequence[Mapping[str, Any]] = ()) -> Evidence:
    """Count and judge.

    Parameters
    ----------
    traces : sequence of Trace
        Of the main trials, catch trials too.
    others : sequence of mapping
        What the page counted before steps and practice answers.
    """
    sent = [*(trace.counts for trace in traces if trace.counts is not None), *others]
    is_driven = any(counts.get("webdriver") is True for counts in sent) if sent else None
    return Evidence(
        list_signs(traces, bool(is_driven)),
        is_driven,
        sum(trace.counts is None for trace in traces),
        sum(trace.is_without_input for trace in traces),
        sum(trace.is_fast for trace in traces),
        sum(trace.is_early for trace in traces),
        compute_interquartile_range([trace.rt_ms for trace in traces]),
        {name: sum(get_count(counts, name) for counts in sent) for name in COUNTS},
    )


def get_count(counts: Mapping[str, Any], name: str) -> float:
    """A count that the page sent; 0 for what is none: pages count, people may forge."""
    value = counts.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else 0.0


def compute_interquartile_range(rts_ms: Sequence[float]) -> float | None:
    """Interquartile range of response times in ms (quartiles at ranks of n + 1); None of fewer than four.

    >>> compute_interquartile_range([400.0, 500.0, 600.0, 700.0])
    250.0
    """
    if len(rts_ms) < 4:
        return None
    low, _, high = statistics.quantiles(rts_ms, n=4)
    return high - low


@suggest_keywords
def list_signs(traces: Sequence[Trace], is_driven: bool = False) -> tuple[str, ...]:
    """What of a participant's answers no person shows.

    Parameters
    ----------
    traces : sequence of Trace
        Of the main trials, catch trials too.
    is_driven : bool
        Whether the browser said of itself, anywhere in the session, that a program drives it.

    Returns
    -------
    tuple of str
        Of :data:`SIGNS`, in their order: ``webdriver``; ``no_page``, ``no_input`` and ``too_fast`` where that holds of
        two answers and of more than a tenth; ``jumps`` where more than half of ten or more mouse presses came without a
        movement from the place of the last; ``early`` where two answers came sooner after the one before than they say
        they took; ``regular`` where the middle half of twenty or more response times lies within 20 ms.

    Examples
    --------
    >>> list_signs([Trace(420.0, 900.0, {"presses": 1}), Trace(510.0, 1100.0, {"keys": 2})])
    ()
    >>> list_signs([Trace(600.0, 30.0), Trace(600.0, 30.0)])
    ('no_page', 'early')
    """

    def holds_often(found: Sequence[bool]) -> bool:
        return sum(found) >= 2 and sum(found) > _SHARE * len(traces)

    counts = [trace.counts for trace in traces if trace.counts is not None]
    n_presses, n_jumps = (sum(get_count(each, name) for each in counts) for name in ("presses", "jumps"))
    range_ms = compute_interquartile_range([trace.rt_ms for trace in traces])
    found = {
        "webdriver": is_driven,
        "no_page": holds_often([trace.counts is None for trace in traces]),
        "no_input": holds_often([trace.is_without_input for trace in traces]),
        "jumps": n_presses >= JUMPS_N and n_jumps > n_presses / 2,
        "too_fast": holds_often([trace.is_fast for trace in traces]),
        "early": sum(trace.is_early for trace in traces) >= 2,
        "regular": len(traces) >= REGULAR_N and range_ms is not None and range_ms < REGULAR_MS,
    }
    return tuple(name for name in SIGNS if found[name])
