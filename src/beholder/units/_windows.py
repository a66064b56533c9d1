"""Which ranks the query stimuli are drawn from, checked against those of the references."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import final

from beholder._core.errors import InputError

N_REFERENCES = 9
N_POSITIONS = N_REFERENCES + 1


@final
@dataclass(frozen=True)
class Windows:
    """Ranks in ascending order of activation, half-open and counted from 0.

    With N stimuli and B batches the references of a unit are the ranks [0, 9B) and [N - 9B, N).

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
    """

    n_stimuli: int
    num_batches: int
    start_min: int
    stop_min: int
    start_max: int
    stop_max: int

    @property
    def n_references(self) -> int:
        """References per sign: 9B."""
        return N_REFERENCES * self.num_batches

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
        return asdict(self)

    def to_flags(self) -> str:
        """As flags of the command."""
        names = ("start_min", "stop_min", "start_max", "stop_max")
        return " ".join(f"--{name} {getattr(self, name)}" for name in names)


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
        fitting = n_stimuli // (2 * N_POSITIONS)
        raise InputError(
            f"at least {needed} stimuli for {num_batches} batches of {N_POSITIONS} per sign", got=str(n_stimuli),
            hint=f"--num_batches {fitting}" if fitting else f"at least {2 * N_POSITIONS} stimuli",
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
    if not asked.is_valid:
        high = n_stimuli - n_references
        raise InputError(
            f"windows of at least {num_batches} ranks each in [{n_references}, {high}), the first before the second",
            got=f"[{asked.start_min}, {asked.stop_min}) and [{asked.start_max}, {asked.stop_max})",
            hint=find_nearest(asked).to_flags(),
        )
    return asked


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
