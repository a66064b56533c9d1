"""People's RDMs from the answers of odd-one-out and similarity experiments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.recordings import RecordedRDMs
from beholder.responses import BehavioralRDM, is_export, make_behavioral_rdm

if TYPE_CHECKING:
    import pandas as pd  # pyright: ignore[reportMissingTypeStubs]

POOLED = "people together"
"""How the name ends of a target that is one RDM of all answers, which is nobody's own."""
_TABLES = (".csv", ".parquet")
_PAIRS = ("stimulus_a", "stimulus_b")
_WORDS = ("participant", "a_id", "b_id", "c_id", *_PAIRS)


def is_behavior(path: Path) -> bool:
    """Whether a path is an export of answers, or a table."""
    return is_export(path) if path.is_dir() else path.suffix in _TABLES and path.is_file()


@suggest_keywords
def read_behavior(path: Path | str | pd.DataFrame, name: str = "") -> RecordedRDMs:
    """People's RDMs, as recordings that layers are compared with.

    One for each person where every person compared every pair of stimuli, so that people have a noise ceiling; else one
    of all answers together.

    Parameters
    ----------
    path : path or DataFrame
        An export of an odd-one-out or similarity experiment, or its ``responses.csv`` or ``.parquet``; who broke a rule
        is left out. Or what :meth:`BehavioralRDM.save` wrote.
    name : str
        Default the path's.

    Raises
    ------
    InputError
        Other answers; pairs of stimuli that nobody compared.

    Notes
    -----
    Source: Hebart et al. 2020, Nature Human Behaviour 4.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [("p1", "cat", "dog", "car", "c"), ("p1", "cat", "dog", "bus", "c"), ("p1", "car", "bus", "dog", "c")]
    >>> rows += [("p1", "cat", "car", "bus", "a")]
    >>> found = read_behavior(pd.DataFrame(rows, columns=["participant", "a_id", "b_id", "c_id", "choice"]))
    >>> found.stimulus_ids, found.to_square()[0][1].tolist()
    (('bus', 'car', 'cat', 'dog'), [0.0, 0.0, 1.0, 1.0])
    """
    import pandas as pd  # pyright: ignore[reportMissingTypeStubs]

    library: Any = pd
    if isinstance(path, str | Path):
        place = Path(path)
        name = name or place.stem
        file = place / "responses.parquet" if place.is_dir() else place
        if file.suffix == ".parquet":
            table: Any = library.read_parquet(file)
        else:
            table = library.read_csv(file, dtype=dict.fromkeys(_WORDS, str))
    else:
        table = path
    if {*_PAIRS, "dissimilarity"} <= set(table.columns):
        return _read_pairs(table, name)
    if not {"a_id", "b_id", "choice"} & set(table.columns):
        raise InputError(
            "answers to odd-one-out or similarity trials, or a behavioural RDM that was saved",
            got=f"a table of other columns ({', '.join(map(str, table.columns[:4]))})",
            hint="recordings of brains as .npy, .npz, .mat, .h5, .nc, .fif, NIfTI or BIDS",
        )
    whole = make_behavioral_rdm(table)
    _check_pairs(whole.rdm)
    people = _list_people(table, whole)
    rdms = people or {"": whole}
    region = "people" if people else f"{whole.n_participants} {POOLED}"
    columns = {"subject": list(rdms), "region": [region] * len(rdms)}
    return RecordedRDMs(np.stack([each.rdm for each in rdms.values()]), whole.stimulus_ids, columns, name)


def _list_people(table: Any, whole: BehavioralRDM) -> dict[str, BehavioralRDM]:
    """Each person's RDM, where all compared all pairs; else nothing."""
    found: dict[str, BehavioralRDM] = {}
    for who, own in table.groupby("participant", sort=True):
        try:
            rdm = make_behavioral_rdm(own)
        except InputError:  # left out by a rule
            continue
        if rdm.stimulus_ids != whole.stimulus_ids or not np.isfinite(rdm.rdm).all():
            return {}
        found[str(who)] = rdm
    return found


def _read_pairs(table: Any, name: str) -> RecordedRDMs:
    """A saved behavioural RDM: a row a pair."""
    ids = tuple(dict.fromkeys(str(one) for row in table[list(_PAIRS)].to_numpy() for one in row))
    rdm = np.full((len(ids), len(ids)), np.nan)
    np.fill_diagonal(rdm, 0)
    places = {one: i for i, one in enumerate(ids)}
    sides = [[places[str(one)] for one in table[side]] for side in _PAIRS]
    rdm[sides[0], sides[1]] = rdm[sides[1], sides[0]] = table["dissimilarity"]
    _check_pairs(rdm)
    return RecordedRDMs(rdm[None], ids, {"subject": [""], "region": [POOLED]}, name)


def _check_pairs(rdm: np.ndarray) -> None:
    missing = int((~np.isfinite(rdm)).sum()) // 2
    if missing:
        n = len(rdm) * (len(rdm) - 1) // 2
        raise InputError(
            "answers in which every pair of stimuli was compared", got=f"{missing} of {n} pairs that nobody compared",
            hint="more participants, or fewer stimuli",
        )  # fmt: skip
