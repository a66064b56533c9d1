"""Words for where long work runs: ``local:4``, ``dask:ADDRESS``, ``slurm``, ``script``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords

QUEUES = ("slurm", "pbs", "lsf")
"""Systems that run jobs."""
_KINDS = ("local:N", "dask:ADDRESS", *QUEUES, "script")
_EXAMPLE = "slurm:partition=gpu,time=04:00:00, or slurm:FILE.toml"


@final
@dataclass(frozen=True)
class ClusterWord:
    """Where long work runs, as :func:`parse_cluster` reads it.

    Attributes
    ----------
    kind : {"local", "dask", "slurm", "pbs", "lsf", "script"}
    n_workers : int, optional
        Of ``local``.
    address : str
        Of the scheduler of ``dask``.
    options : mapping
        Of jobs, as they were given: partition, time, …
    """

    kind: str
    n_workers: int | None = None
    address: str = ""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


@suggest_keywords
def parse_cluster(word: str) -> ClusterWord:
    """Read a word for a cluster.

    Parameters
    ----------
    word : str
        ``local:N``, N processes of this machine; ``dask:ADDRESS``, the workers of a Dask scheduler that runs
        (``dask:tcp://node7:8786``; ``,wait=600`` allows the first so many seconds); ``slurm``, ``pbs``, ``lsf``, jobs
        that Dask starts there; ``script``, a job array that is written and not started. The last four take options:
        ``slurm:partition=gpu,time=04:00:00``, or those of a TOML file, ``slurm:gpu.toml``.

    Raises
    ------
    InputError
        Another word, no number or address, options that cannot be read.

    Examples
    --------
    >>> parse_cluster("local:4").n_workers, parse_cluster("dask:node7:8786").address
    (4, 'node7:8786')
    >>> parse_cluster("slurm:partition=gpu,gpus=1").options
    {'partition': 'gpu', 'gpus': '1'}
    """
    if not isinstance(word, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError("cluster as a word, such as 'local:2'", got=repr(word))
    kind, _, rest = word.partition(":")
    if kind == "local":
        if not (rest.isdecimal() and int(rest) >= 1):
            raise InputError("--cluster local:N, N processes", got=word, hint="local:2")
        return ClusterWord(kind, n_workers=int(rest))
    if kind == "dask":
        if not rest:
            raise InputError("--cluster dask:ADDRESS, of a scheduler that runs", got=word, hint="dask:tcp://HOST:8786")
        address, _, more = rest.partition(",")
        return ClusterWord(kind, address=address, options=_read_options(word, more))
    if kind in (*QUEUES, "script"):
        return ClusterWord(kind, options=_read_options(word, rest))
    raise UnknownNameError("cluster", word, _KINDS)


def _read_options(word: str, rest: str) -> dict[str, Any]:
    if not rest:
        return {}
    if rest.endswith(".toml"):
        try:
            return tomllib.loads(Path(rest).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"a TOML file of options in --cluster {word}", got=str(error)) from error
    pairs = [each.partition("=") for each in rest.split(",")]
    if not all(name.strip() and mark for name, mark, _ in pairs):
        raise InputError("options NAME=VALUE, with commas between, or a TOML file", got=word, hint=_EXAMPLE)
    return {name.strip(): value.strip() for name, _, value in pairs}
