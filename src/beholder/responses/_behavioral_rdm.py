"""Dissimilarities between stimuli from what people chose or rated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import write_bytes
from beholder._core.notebooks import render_table
from beholder._core.renamed import accept_old_keywords
from beholder._core.tables import format_records
from beholder._core.wording import format_count

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_SIDES = ("a_id", "b_id", "c_id")


@suggest_keywords
def compute_odd_one_out_rdm(
    triplets: np.ndarray, odd: np.ndarray, n_stimuli: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    r"""Dissimilarity of two stimuli: the proportion of triplets with both in which they were not left together.

    :math:`d_{ij} = 1 - \frac{\#\{\text{the third was odd}\}}{\#\{\text{triplets with } i \text{ and } j\}}`.

    Parameters
    ----------
    triplets : numpy.ndarray
        (n_trials, 3), integers in [0, n_stimuli), three different stimuli in each.
    odd : numpy.ndarray
        (n_trials,), in {0, 1, 2}: which of the three was called the odd one out.
    n_stimuli : int, optional
        Default one more than the largest number in ``triplets``.

    Returns
    -------
    rdm : numpy.ndarray
        (n_stimuli, n_stimuli), float64 in [0, 1], symmetric, zeros on the diagonal; NaN for pairs never shown together.
    counts : numpy.ndarray
        (n_stimuli, n_stimuli), int64: how many triplets held both.

    Raises
    ------
    InputError
        Other shapes, a stimulus twice in a triplet, or choices that are none of the three.

    Notes
    -----
    Source: Hebart, Zheng, Pereira & Baker (2020), Revealing the multidimensional mental representations of natural
    objects underlying human similarity judgements, Nature Human Behaviour 4, Methods.

    >>> rdm, counts = compute_odd_one_out_rdm(np.array([[0, 1, 2], [0, 1, 2]]), np.array([2, 1]))
    >>> rdm[0].tolist()
    [0.0, 0.5, 0.5]
    """
    triplets, odd = np.asarray(triplets), np.asarray(odd)
    if triplets.ndim != 2 or triplets.shape[1] != 3 or odd.shape != (len(triplets),):
        raise InputError("triplets (n_trials, 3) and choices (n_trials,)", got=f"{triplets.shape} and {odd.shape}")
    if len(triplets) == 0 or not np.isin(odd, (0, 1, 2)).all():
        raise InputError("choices of 0, 1 or 2, at least one", got=str(sorted(set(odd.tolist()))[:5]))
    n = _count_stimuli(triplets, n_stimuli)
    ordered = np.sort(triplets, axis=1)
    if (ordered[:, :-1] == ordered[:, 1:]).any():
        raise InputError("three different stimuli in a triplet", got="one twice")
    shown, kept = np.zeros((n, n), dtype=np.int64), np.zeros((n, n), dtype=np.int64)
    for third, (a, b) in enumerate(((1, 2), (0, 2), (0, 1))):
        np.add.at(shown, (triplets[:, a], triplets[:, b]), 1)
        np.add.at(kept, (triplets[:, a], triplets[:, b]), odd == third)
    return _finish(kept + kept.T, shown + shown.T)


@suggest_keywords
def compute_rating_rdm(
    pairs: np.ndarray,
    ratings: np.ndarray,
    *,
    n_stimuli: int | None = None,
    steps: tuple[float, float] | None = None,
    participants: Sequence[Any] | np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Dissimilarity of two stimuli from ratings of likeness, :math:`(r_{max} - \bar r) / (r_{max} - r_{min})`.

    Parameters
    ----------
    pairs : numpy.ndarray
        (n_trials, 2), integers in [0, n_stimuli), two different stimuli in each, in either order.
    ratings : numpy.ndarray
        (n_trials,), numbers; higher is more alike.
    n_stimuli : int, optional
        Default one more than the largest number in ``pairs``.
    steps : (low, high), optional
        Ends of the scale; default the least and the greatest rating.
    participants : sequence, optional
        (n_trials,). With it each participant's ratings are first brought to the mean and standard deviation of all, so
        that nobody counts for more by using more of the scale; those who gave one rating only have no say.

    Returns
    -------
    rdm : numpy.ndarray
        (n_stimuli, n_stimuli), float64, symmetric, zeros on the diagonal; NaN for pairs never rated. In [0, 1] where
        ratings are not brought to one mean.
    counts : numpy.ndarray
        (n_stimuli, n_stimuli), int64: ratings of each pair.

    Raises
    ------
    InputError
        Other shapes, pairs of one stimulus, ratings that are not finite or outside the scale.

    >>> rdm, _ = compute_rating_rdm(np.array([[0, 1], [1, 2]]), np.array([7, 1]))
    >>> rdm[1].tolist()
    [0.0, 0.0, 1.0]
    """
    pairs, ratings = np.asarray(pairs), np.asarray(ratings, dtype=np.float64)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or ratings.shape != (len(pairs),) or len(pairs) == 0:
        raise InputError("pairs (n_trials, 2) and ratings (n_trials,)", got=f"{pairs.shape} and {ratings.shape}")
    if (pairs[:, 0] == pairs[:, 1]).any():
        raise InputError("two different stimuli in a pair", got="one twice")
    if not np.isfinite(ratings).all():
        raise InputError("finite ratings", got="others")
    low, high = steps or (float(ratings.min()), float(ratings.max()))
    if not low < high or ratings.min() < low or ratings.max() > high:
        raise InputError(f"ratings from {low:g} to {high:g} that differ", got=f"{ratings.min():g} to {ratings.max():g}")
    n = _count_stimuli(pairs, n_stimuli)
    if participants is not None:
        ratings = _level_participants(ratings, np.asarray(participants))
    used = np.isfinite(ratings)
    pairs, ratings = pairs[used], ratings[used]
    total, counts = np.zeros((n, n)), np.zeros((n, n), dtype=np.int64)
    np.add.at(total, (pairs[:, 0], pairs[:, 1]), (ratings - low) / (high - low))
    np.add.at(counts, (pairs[:, 0], pairs[:, 1]), 1)
    return _finish(total + total.T, counts + counts.T)


@final
@dataclass(frozen=True, eq=False, repr=False)
class BehavioralRDM:
    """A matrix of dissimilarities from people's answers.

    Attributes
    ----------
    stimulus_ids : tuple of str
        (n_stimuli,).
    rdm : numpy.ndarray
        (n_stimuli, n_stimuli), float64; NaN for pairs nobody compared.
    counts : numpy.ndarray
        (n_stimuli, n_stimuli), int64: answers behind each value.
    kind : {"odd_one_out", "similarity"}
    n_participants : int
    """

    stimulus_ids: tuple[str, ...]
    rdm: np.ndarray
    counts: np.ndarray
    kind: str
    n_participants: int

    def __repr__(self) -> str:
        above = np.triu_indices(len(self.rdm), 1)
        known = int(np.isfinite(self.rdm[above]).sum())
        return (
            f"BehavioralRDM({self.kind}, {format_count(len(self.stimulus_ids), 'stimulus')}, "
            f"{known} of {format_count(len(above[0]), 'pair')}, "
            f"{format_count(self.n_participants, 'participant')})"
        )

    def _repr_html_(self) -> str:
        """Its first rows, for notebooks."""
        return render_table(repr(self), self.to_pandas())

    def to_pandas(self) -> pd.DataFrame:
        """A row a pair: ``stimulus_a, stimulus_b, dissimilarity, n_answers``."""
        import pandas as pd

        return pd.DataFrame(self._list_pairs())

    def save(self, path: Path | str) -> None:
        """Write :meth:`to_pandas` as CSV, by rename."""
        rows = self._list_pairs()
        write_bytes(path, format_records(rows, list(rows[0])))

    def plot(
        self,
        ax: Axes | None = None,
        *,
        categories: Sequence[str] | None = None,
        labels: Sequence[str] | None = None,
        rank: bool = True,
        title: str = "",
        name: str | None = None,
        limits: tuple[float, float] | None = None,
        colorbar: bool = True,
        sides: str = "xy",
    ) -> Axes:
        """Draw the matrix; see :func:`beholder.figures.plot_rdm`. Every pair must have been compared."""
        from beholder.figures import plot_rdm

        return plot_rdm(
            self.rdm, ax, categories=categories, labels=labels, rank=rank, title=title, name=name, limits=limits,
            colorbar=colorbar, sides=sides,
        )  # fmt: skip

    def _list_pairs(self) -> list[dict[str, Any]]:
        rows, columns = np.triu_indices(len(self.rdm), 1)
        return [
            {
                "stimulus_a": self.stimulus_ids[i],
                "stimulus_b": self.stimulus_ids[j],
                "dissimilarity": float(self.rdm[i, j]) if np.isfinite(self.rdm[i, j]) else None,
                "n_answers": int(self.counts[i, j]),
            }
            for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
        ]


@accept_old_keywords(everybody="include_excluded", level_participants="standardize_within_participant")
@suggest_keywords
def make_behavioral_rdm(
    table: pd.DataFrame | Path | str, *, include_excluded: bool = False, standardize_within_participant: bool = False
) -> BehavioralRDM:
    """Dissimilarities from the exported answers of an odd-one-out or similarity experiment.

    Parameters
    ----------
    table : DataFrame or path
        ``responses`` as :func:`export_responses` writes it, CSV or Parquet, or the folder that it lies in. Catch trials
        are left out.
    include_excluded : bool
        Take in the answers of excluded participants too.
    standardize_within_participant : bool
        Of ratings: bring each participant's to one mean and standard deviation first.

    Returns
    -------
    BehavioralRDM
        Stimuli sorted by id.

    Raises
    ------
    InputError
        Answers to another kind of task, or none that count.

    Examples
    --------
    >>> rdm = make_behavioral_rdm("answers/")  # doctest: +SKIP
    """
    frame: Any = _read_table(table)
    missing = [name for name in ("a_id", "b_id", "choice", "participant") if name not in frame]
    if missing:
        raise InputError(
            "answers to odd-one-out or similarity trials", got=f"a table without the column {missing[0]!r}"
        )
    for name, wanted in (("catch_trial", True), ("excluded", not include_excluded)):
        if wanted and name in frame:
            frame = frame[~_read_flags(frame[name])]
    if frame.empty:
        raise InputError(
            "at least one answer that counts", got="none",
            hint="make_behavioral_rdm(…, include_excluded=True) in Python, whose .save writes a file of the RDM",
        )  # fmt: skip
    sides = [name for name in _SIDES if name in frame]
    if frame[sides].isna().any(axis=None):
        raise InputError("a stimulus in each place of every trial", got="trials without one")
    names = frame[sides].astype(str)
    ids = tuple(sorted(set(names.to_numpy().ravel().tolist())))
    places = {name: i for i, name in enumerate(ids)}
    shown = np.array([[places[name] for name in row] for row in names.itertuples(index=False)])
    n_people = int(frame["participant"].nunique())
    if len(sides) == 3:
        odd = np.array(["abc".index(choice) for choice in frame["choice"]])
        return BehavioralRDM(ids, *compute_odd_one_out_rdm(shown, odd, len(ids)), "odd_one_out", n_people)
    ratings = frame["choice"].astype(float).to_numpy()
    people = frame["participant"].to_numpy() if standardize_within_participant else None
    rdm, counts = compute_rating_rdm(shown, ratings, n_stimuli=len(ids), participants=people)
    return BehavioralRDM(ids, rdm, counts, "similarity", n_people)


def _read_table(table: pd.DataFrame | Path | str) -> pd.DataFrame:
    import pandas as pd

    if isinstance(table, pd.DataFrame):
        return table
    path = Path(table)
    path = path / "responses.parquet" if path.is_dir() else path
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        # Names are text, whatever they look like: 007 is not 7, and a stimulus may be called NA.
        kinds: Any = dict.fromkeys((*_SIDES, "participant"), str)
        return pd.read_csv(path, low_memory=False, dtype=kinds, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        raise InputError("exported answers, responses.csv or .parquet", got=f"{path} ({error})") from error


def _read_flags(column: Any) -> np.ndarray:
    """Truth values, (n_trials,), bool: as they are, or as a CSV file tells them; an empty cell is False."""
    meant = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False, "": False, "nan": False}
    words = column.astype(object).where(column.notna(), "").astype(str).str.strip().str.lower()
    unknown = sorted(set(words) - set(meant))
    if unknown:
        raise InputError(f"true or false in the column {column.name!r}", got=repr(unknown[0]))
    return words.map(meant).to_numpy(dtype=bool)


def _count_stimuli(numbers: np.ndarray, n_stimuli: int | None) -> int:
    if not np.issubdtype(numbers.dtype, np.integer):
        raise InputError("stimuli as integers from 0", got=str(numbers.dtype))
    n = int(numbers.max()) + 1 if n_stimuli is None else n_stimuli
    if numbers.min() < 0 or numbers.max() >= n:
        raise InputError(f"stimuli from 0 to {n - 1}", got=f"{numbers.min()} to {numbers.max()}")
    return n


def _level_participants(ratings: np.ndarray, participants: np.ndarray) -> np.ndarray:
    if participants.shape != ratings.shape:
        raise InputError(f"{format_count(len(ratings), 'participant')}, one a rating", got=str(participants.shape))
    levelled = np.full_like(ratings, np.nan)
    for who in np.unique(participants):
        own = participants == who
        sd = ratings[own].std()
        if sd > 0:
            levelled[own] = (ratings[own] - ratings[own].mean()) / sd * ratings.std() + ratings.mean()
    if not np.isfinite(levelled).any():
        raise InputError("participants whose ratings differ", got="none")
    return levelled


def _finish(likeness: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From sums of likeness in [0, 1] to dissimilarities."""
    with np.errstate(invalid="ignore"):
        rdm = np.where(counts > 0, 1 - likeness / np.maximum(counts, 1), np.nan)
    np.fill_diagonal(rdm, 0.0)
    return rdm, counts
