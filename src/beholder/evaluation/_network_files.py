"""What is known of networks beside their metamers: people's recognition, attacked accuracy, prediction of brains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core import tables
from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.files import read_json
from beholder.evaluation._judgement_table import NATURAL
from beholder.responses import read_recognition_matrix
from beholder.statistics import compute_mean_interval

if TYPE_CHECKING:
    import pandas as pd

NATURAL_WORDS = ("", "natural", "orig", "original")
_NETWORK_COLUMNS = ("network", "model")
_WORST = "worst"
_VALUE_COLUMNS = ("value", "brain_prediction", "r2", "score")


def name_network(name: str, known: Iterable[str]) -> str:
    """The network that a name in a file means.

    Parameters
    ----------
    name : str
        A full name, or one without source or weights.
    known : iterable of str
        Full names.

    Raises
    ------
    UnknownNameError
        None of them, or several.

    >>> name_network("alexnet", ["torchvision:alexnet@IMAGENET1K_V1"])
    'torchvision:alexnet@IMAGENET1K_V1'
    """
    known = list(known)
    if name in known:
        return name
    fitting = [full for full in known if name in (full.partition("@")[0], full.partition(":")[2], _bare(full))]
    if len(fitting) != 1:
        raise UnknownNameError("network with judged metamers", name, [_bare(full) for full in known])
    return fitting[0]


def _bare(full: str) -> str:
    return full.partition(":")[2].partition("@")[0] or full


@suggest_keywords
def read_human_recognition(path: Path | str, layers: Mapping[str, Sequence[str]], network: str = "") -> pd.DataFrame:
    """Read people's proportion of right answers to a network's metamers.

    Parameters
    ----------
    path : path
        A ``.csv`` with the columns ``layer, accuracy`` (0 to 1), and where they are told ``network, participant``; the
        layer of natural stimuli is empty, ``natural`` or ``original``. Or a ``.mat`` with ``participant_data_matrix``,
        participants × stages × (person, network), natural stimuli first, then the network's matched layers in order.
    layers : mapping of str to sequence of str
        Matched layers of each network whose metamers were judged.
    network : str
        Whose metamers these are, where the file does not say.

    Returns
    -------
    DataFrame
        ``model, layer, n_participants, accuracy, low, high``: mean over participants with the 95 % interval of
        Student's t. Several rows of one participant and layer, as of several sessions, are averaged first.
    """
    path = Path(path)
    if path.suffix == ".mat":
        rows = _read_matrix(path, layers, network)
    else:
        rows = []
        for row in read_records(path):
            model = name_network(_pick(row, _NETWORK_COLUMNS, path, network), layers)
            layer = str(row.get("layer") or "")
            layer = NATURAL if layer in NATURAL_WORDS else layer
            if layer != NATURAL and layer not in layers[model]:
                raise UnknownNameError(f"matched layer of {model}", layer, layers[model])
            rows.append((model, layer, str(row.get("participant") or ""), _to_proportion(row, "accuracy", path)))
    return _average_people(rows)


def _read_matrix(path: Path, layers: Mapping[str, Sequence[str]], network: str) -> list[tuple[str, str, str, float]]:
    if not network:
        raise InputError(f"the network of {path.name}", got="no name", hint=f"NETWORK={path}")
    model = name_network(network, layers)
    stages = (NATURAL, *layers[model])
    matrix = read_recognition_matrix(path).values
    if matrix.shape[1] != len(stages):
        raise InputError(
            f"a matrix participants × {len(stages)} × 2: natural stimuli, then {', '.join(stages[1:])}",
            got=f"{matrix.shape} in {path}", hint="a .csv that names the layers",
        )  # fmt: skip
    people = matrix[:, :, 0]
    return [
        (model, stage, str(who), float(people[who, place]))
        for who in range(len(people))
        for place, stage in enumerate(stages)
        if not np.isnan(people[who, place])
    ]


def _average_people(rows: list[tuple[str, str, str, float]]) -> pd.DataFrame:
    import pandas as pd

    found: dict[tuple[str, str], dict[str | int, list[float]]] = {}
    for k, (model, layer, who, proportion) in enumerate(rows):
        found.setdefault((model, layer), {}).setdefault(who or k, []).append(proportion)
    made = []
    for (model, layer), people in found.items():
        mean = compute_mean_interval([np.mean(own) for own in people.values()])
        made.append((model, layer, mean.n, mean.estimate, mean.low, mean.high))
    return pd.DataFrame(made, columns=["model", "layer", "n_participants", "accuracy", "low", "high"])


@suggest_keywords
def read_attacked_accuracy(path: Path | str, known: Iterable[str], attack: str | None = None) -> dict[str, float]:
    """Read networks' top-1 accuracy under one attack.

    Parameters
    ----------
    path : path
        What ``beholder evaluate adversarial`` wrote (``adversarial.parquet``) or printed (``--json``), or a ``.csv``
        with the same columns: ``model, norm, eps, accuracy_top1``, and where there are several attacks ``attack``.
    known : iterable of str
        Full names of the networks.
    attack : str, optional
        ``NORM:EPS``, such as ``l2:3`` or ``linf:4/255``, or ``NORM:EPS:ATTACK``, such as ``l2:3:pgd``; needed where the
        file holds several with an eps above 0. Of several attacks at a radius ``worst`` counts, where it is there.

    Returns
    -------
    dict of str to float
        Accuracy by network, 0 to 1; networks that are not among ``known`` are left out.

    Raises
    ------
    InputError
        None of the networks; several attacks and none asked for; one network twice with other numbers.
    """
    path, known = Path(path), list(known)
    found: dict[tuple[str, float, str], dict[str, float]] = {}
    others: list[str] = []
    for row in read_records(path):
        if "eps" not in row:
            raise InputError("rows with the columns model, norm, eps, accuracy_top1", got=str(path))
        eps = _to_number(row["eps"], path)
        if eps > 0:
            try:
                network = name_network(_pick(row, _NETWORK_COLUMNS, path), known)
            except UnknownNameError as error:
                others.append(error.name)
                continue
            own = found.setdefault((str(row.get("norm", "")), eps, str(row.get("attack") or "")), {})
            proportion = _to_proportion(row, "accuracy_top1", path)
            if own.setdefault(network, proportion) != proportion:
                raise InputError(f"one accuracy of {network} at {row.get('norm', '')}:{eps:g}", got=f"two in {path}")
    if not found and others:
        got = f"that of {', '.join(dict.fromkeys(others))[:80]} in {path}"
        raise InputError(f"attacked accuracy of {', '.join(map(_bare, known))[:80]}", got=got)
    fitting = [key for key in found if attack is None or _fits(key, attack, path)]
    everybody = {network for key in fitting for network in found[key]}
    worst = [key for key in fitting if key[2] == _WORST and set(found[key]) == everybody]
    fitting = worst if len(worst) == 1 and len({key[:2] for key in fitting}) == 1 else fitting
    if len(fitting) != 1:
        shown = _list_attacks(found, fitting or list(found))
        raise InputError(
            "one attack, --attack NORM:EPS or NORM:EPS:ATTACK",
            got=attack or (f"several in {path}" if found else f"none in {path}"),
            hint=" or ".join(shown) or None,
        )  # fmt: skip
    return found[fitting[0]]


def _fits(key: tuple[str, float, str], attack: str, path: Path) -> bool:
    """Whether an attack is the one that is asked for; radii are the same to six digits."""
    norm, _, rest = attack.partition(":")
    word, _, kind = rest.partition(":")
    over, slash, under = word.partition("/")
    eps = _to_number(over, path) / (_to_number(under, path) if slash else 1.0)
    return key[0] == norm and f"{key[1]:g}" == f"{eps:g}" and kind in ("", key[2])


def _list_attacks(found: Mapping[tuple[str, float, str], Mapping[str, float]], keys: Sequence[Any]) -> list[str]:
    """What tells attacks apart: norm and radius, where these do not suffice the attack, too."""
    named: list[str] = []
    for norm, eps, kind in keys:
        here = {key[2]: set(own) for key, own in found.items() if key[:2] == (norm, eps)}
        enough = len(here) == 1 or here.get(_WORST) == set().union(*here.values())
        named.append(f"{norm}:{eps:g}" if enough or not kind else f"{norm}:{eps:g}:{kind}")
    return list(dict.fromkeys(named))


@suggest_keywords
def read_brain_prediction(path: Path | str, known: Iterable[str]) -> dict[str, float]:
    """Read how well networks predict brain responses; where a file tells several layers, the best one counts.

    Parameters
    ----------
    path : path
        A table (``.csv`` or JSON) with the columns ``network`` (or ``model``), ``layer`` where told, and ``value`` (or
        ``r2``, ``score``).
    known : iterable of str
        Full names of the networks; others are left out.
    """
    path, known = Path(path), list(known)
    best: dict[str, float] = {}
    for row in read_records(path):
        try:
            network = name_network(_pick(row, _NETWORK_COLUMNS, path), known)
        except UnknownNameError:
            continue
        value = _to_number(_pick(row, _VALUE_COLUMNS, path), path)
        best[network] = max(best.get(network, -np.inf), value)
    return best


def read_records(path: Path | str) -> list[dict[str, Any]]:
    """Rows of a ``.csv`` or ``.parquet``, or of the first table of records in a JSON document."""
    path = Path(path)
    if path.suffix == ".parquet":
        import pandas as pd

        try:
            return tables.list_rows(pd.read_parquet(path))
        except (OSError, ValueError) as error:
            raise InputError("a table", got=f"{path} ({error})") from error
    if path.suffix == ".json":
        document = read_json(path)
        found = list(document.values()) if isinstance(document, dict) else [document]
        found = [table for table in found if isinstance(table, list) and table and isinstance(table[0], dict)]
        if not found:
            raise InputError("a JSON document with a table of records", got=str(path))
        return found[0]
    return tables.read_records(path)


def _pick(row: Mapping[str, Any], columns: Sequence[str], path: Path, default: str = "") -> str:
    for column in columns:
        if row.get(column) not in (None, ""):
            return str(row[column])
    if default:
        return default
    raise InputError(f"a column {' or '.join(columns)}", got=f"{path} with {', '.join(row)}")


def _to_number(value: Any, path: Path) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise InputError("finite numbers", got=f"{value!r} in {path}")
    return number


def _to_proportion(row: Mapping[str, Any], column: str, path: Path) -> float:
    if column not in row:
        raise InputError(f"a column {column}", got=f"{path} with {', '.join(row)}")
    proportion = _to_number(row[column], path)
    if not 0 <= proportion <= 1:
        raise InputError(f"{column} from 0 to 1", got=f"{proportion:g} in {path}")
    return proportion
