"""Which ranks the query stimuli are drawn from, checked against those of the references."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import final

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import format_count
from beholder.stimuli import are_alike

N_REFERENCES = 9
N_POSITIONS = N_REFERENCES + 1


@final
@dataclass(frozen=True)
class Windows:
    """Ranks in ascending order of activation, half-open and counted from 0.

    With N stimuli and B batches the references of a unit are the ranks [0, 9B) and [N - 9B, N). :func:`plan_top` gives
    some without queries: one batch of ``top`` references a sign, and empty windows.

    Attributes
    ----------
    n_stimuli : int
        N.
    num_batches : int
        B, which is also the number of queries per sign.
    start_min, stop_min : int
        Window of the queries that drive the unit little.
    start_max, stop_max : int
        Window of the queries that drive it much.
    top : int or None
        References of a sign, where there are no queries.
    """

    n_stimuli: int
    num_batches: int
    start_min: int
    stop_min: int
    start_max: int
    stop_max: int
    top: int | None = None

    @property
    def n_references(self) -> int:
        """References per sign: 9B, or ``top``."""
        return N_REFERENCES * self.num_batches if self.top is None else self.top

    @property
    def n_positions(self) -> int:
        """Stimuli of a batch and sign: nine references and a query, or ``top`` references."""
        return N_POSITIONS if self.top is None else self.top

    def name_role(self, position: int) -> str:
        """``query`` for the last position of a batch with one, else ``reference``."""
        return "query" if self.top is None and position == N_REFERENCES else "reference"

    @property
    def are_alike(self) -> bool:
        """Whether a query that drives a unit little may drive it nearly as much as one that drives it much."""
        return self.top is None and are_alike(self.stop_min - 1, self.start_max, self.n_stimuli)

    @property
    def is_valid(self) -> bool:
        """Whether each window holds B ranks, apart from each other and from the references."""
        low, high = self.n_references, self.n_stimuli - self.n_references
        widths = (self.stop_min - self.start_min, self.stop_max - self.start_max)
        return low <= self.start_min and self.stop_min <= self.start_max and self.stop_max <= high and (
            min(widths) >= self.num_batches
        )  # fmt: skip

    def to_dict(self) -> dict[str, int]:
        """JSON-able."""
        table = asdict(self)
        if self.top is None:
            del table["top"]
        return table

    def to_flags(self) -> str:
        """As flags of the command."""
        names = ("start_min", "stop_min", "start_max", "stop_max")
        return " ".join(f"--{name} {getattr(self, name)}" for name in names)


@suggest_keywords
def plan_windows(
    n_stimuli: int,
    *,
    num_batches: int = 11,
    start_min: int | None = None,
    stop_min: int | None = None,
    start_max: int | None = None,
    stop_max: int | None = None,
    percentile: tuple[float, float] | None = None,
) -> Windows:
    """Complete and check the windows of the queries.

    Parameters
    ----------
    n_stimuli : int
        Recorded stimuli.
    num_batches : int
        Batches, and queries per sign.
    start_min, stop_min : int, optional
        One defaults from the other, ``num_batches`` ranks apart; without both the window begins where the
        references end.
    start_max, stop_max : int, optional
        Likewise; without both it ends where the references begin.
    percentile : (low, high), optional
        Instead: the windows that begin at ``low`` and end at ``high`` per cent of the stimuli.

    Raises
    ------
    InputError
        The windows are impossible; names the nearest possible ones.

    Examples
    --------
    >>> plan_windows(50_000, percentile=(10, 90)).to_flags()
    '--start_min 5000 --stop_min 5011 --start_max 44989 --stop_max 45000'
    """
    if num_batches < 1:
        raise InputError("--num_batches of at least 1", got=str(num_batches))
    needed = 2 * N_POSITIONS * num_batches
    if n_stimuli < needed:
        raise InputError(
            f"at least {needed} stimuli for {num_batches} batches of {N_POSITIONS} per sign", got=str(n_stimuli),
            hint=_suggest_few(n_stimuli, percentile) or f"at least 22 stimuli, or --top {min(n_stimuli, N_REFERENCES)}",
        )  # fmt: skip
    if percentile is not None:
        if any(value is not None for value in (start_min, stop_min, start_max, stop_max)):
            raise InputError("--percentile, or ranks", got="both")
        start_min, stop_max = read_percentile(percentile, n_stimuli)
    n_references = N_REFERENCES * num_batches
    if start_min is None:
        start_min = n_references if stop_min is None else stop_min - num_batches
    if stop_max is None:
        stop_max = n_stimuli - n_references if start_max is None else start_max + num_batches
    asked = Windows(
        n_stimuli,
        num_batches,
        start_min,
        start_min + num_batches if stop_min is None else stop_min,
        stop_max - num_batches if start_max is None else start_max,
        stop_max,
    )
    if percentile is not None and (start_min < n_references or stop_max > n_stimuli - n_references):
        raise _explain_percentile(asked, percentile)
    if not asked.is_valid:
        high = n_stimuli - n_references
        raise InputError(
            f"windows of at least {num_batches} ranks each in [{n_references}, {high}), the first before the second",
            got=f"[{asked.start_min}, {asked.stop_min}) and [{asked.start_max}, {asked.stop_max})",
            hint=find_nearest(asked).to_flags(),
        )
    return asked


@suggest_keywords
def plan_top(n_stimuli: int, top: int) -> Windows:
    """The stimuli that drive a unit least and most, without batches and queries.

    Parameters
    ----------
    n_stimuli : int
        Recorded stimuli.
    top : int
        Stimuli of a sign, 1 to ``n_stimuli``.

    Raises
    ------
    InputError
        Another number.
    """
    if not 1 <= top <= n_stimuli:
        raise InputError(f"--top from 1 to {n_stimuli}, the recorded stimuli", got=str(top))
    return Windows(n_stimuli, 1, top, top, n_stimuli - top, n_stimuli - top, top)


def _suggest_batches(n_stimuli: int, percentile: tuple[float, float] | None = None) -> str | None:
    """A flag for the largest number of batches that so many stimuli allow with queries that are not alike."""
    for size in range(n_stimuli // (2 * N_POSITIONS), 0, -1):
        start, stop = N_REFERENCES * size, n_stimuli - N_REFERENCES * size
        if percentile is not None:
            start, stop = read_percentile(percentile, n_stimuli)
        windows = Windows(n_stimuli, size, start, start + size, stop - size, stop)
        if windows.is_valid and not windows.are_alike:
            return f"--num_batches {size}"
    return None


def _suggest_few(n_stimuli: int, percentile: tuple[float, float] | None) -> str | None:
    """Flags for fewer batches; with percentiles nearer the median where those asked for are among the references."""
    fewer = _suggest_batches(n_stimuli, percentile)
    if fewer is not None or percentile is None or n_stimuli < 2 * N_POSITIONS:
        return fewer
    edge = _find_edge(n_stimuli, 1)
    return f"--num_batches 1 --percentile {edge} {100 - edge}" if edge else None


def _find_edge(n_stimuli: int, size: int) -> int | None:
    """The lowest per cent at which queries of so many batches may begin and differ; None where there is none."""
    for edge in range(math.ceil(100 * N_REFERENCES * size / n_stimuli), 50):
        start, stop = read_percentile((edge, 100 - edge), n_stimuli)
        windows = Windows(n_stimuli, size, start, start + size, stop - size, stop)
        if windows.is_valid and not windows.are_alike:
            return edge
    return None


def _explain_percentile(asked: Windows, percentile: tuple[float, float]) -> InputError:
    """Why queries at a percentile are impossible: the references are there."""
    n, n_references, size = asked.n_stimuli, asked.n_references, asked.num_batches
    share = 100 * n_references / n
    edge = _find_edge(n, size)
    ways = [way for way in [_suggest_batches(n, percentile)] if way]
    if edge is not None:
        ways.append(f"--percentile {edge} {100 - edge}")
    elif not ways and (fewer := _suggest_batches(n)):
        ways.append(f"{fewer} without --percentile, which leaves the queries next to the references")
    edges = [edge for edge in (percentile[0], 100 - percentile[1]) if edge > 0]
    if len(edges) == 2:
        ways.append(format_count(math.ceil(100 * n_references / min(edges)), "stimulus"))
    return InputError(
        f"queries between the references, which are the {share:.3g} % of "
        f"{format_count(n, 'stimulus')} that drive a unit least and most",
        got=f"--percentile {percentile[0]:g} {percentile[1]:g} with batches of nine references: {size}",
        hint=" or ".join(ways) or f"--top {min(n, N_REFERENCES)}",
    )


def read_percentile(percentile: tuple[float, float], n_stimuli: int) -> tuple[int, int]:
    """First rank of the lower window and end of the upper one.

    Parameters
    ----------
    percentile : (low, high)
        0 <= low < high <= 100.
    """
    if len(percentile) != 2 or not 0 <= percentile[0] < percentile[1] <= 100:
        raise InputError("--percentile LOW HIGH from 0 to 100", got=" ".join(str(value) for value in percentile))
    return round(n_stimuli * percentile[0] / 100), round(n_stimuli * percentile[1] / 100)


def find_nearest(asked: Windows) -> Windows:
    """The possible windows nearest to impossible ones: as wide where that fits, moved no further than needed."""
    size = asked.num_batches
    low, high = asked.n_references, asked.n_stimuli - asked.n_references
    width_min = _clip(asked.stop_min - asked.start_min, size, high - low - size)
    start_min = _clip(asked.start_min, low, high - size - width_min)
    stop_min = start_min + width_min
    width_max = _clip(asked.stop_max - asked.start_max, size, high - stop_min)
    stop_max = _clip(asked.stop_max, stop_min + width_max, high)
    return Windows(asked.n_stimuli, size, start_min, stop_min, stop_max - width_max, stop_max)


def _clip(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))
