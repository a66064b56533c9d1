"""A connection to a Dask scheduler: one that runs somewhere, or one of this command whose workers are jobs."""

# distributed has no types
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, final

from beholder._core.errors import InputError, MissingExtra
from beholder._core.progress import logger
from beholder.jobs._cluster import ClusterWord
from beholder.jobs._queues import open_queue, read_seconds

_CONNECT_SECONDS, _CLOSE_SECONDS, _WAIT_SECONDS = 30.0, 10.0, 60.0


@final
@dataclass
class DaskSession:
    """A connection to a scheduler, kept for all plans of a command.

    Attributes
    ----------
    client : distributed.Client
    label : str
        What is connected to, for messages.
    scale : callable
        Asks for so many workers, where they are started by this command.
    n_asked : int
        How many it has asked for.
    wait : float or None
        Seconds in which at least one worker has to come; None for no limit.
    """

    client: Any
    label: str
    wait: float | None = _WAIT_SECONDS
    scale: Callable[[int], None] = field(default=lambda n: None)
    n_asked: int = 0


@contextlib.contextmanager
def open_session(cluster: ClusterWord) -> Generator[DaskSession]:
    """Connect to the scheduler that a word names, or start one whose workers are jobs of a queue."""
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtra("distributed", "cluster", f"--cluster {cluster.kind}") from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    if cluster.kind != "dask":
        with open_queue(cluster) as (client, options, scale):
            yield DaskSession(client, f"jobs of {cluster.kind}", options.wait, scale)
        return
    wait = _read_wait(cluster, _WAIT_SECONDS)
    address = cluster.address if "://" in cluster.address else f"tcp://{cluster.address}"
    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(
            f"a Dask scheduler at {address}", got=say_briefly(error), hint="`dask scheduler` there, then its address"
        ) from error
    with _closing(client):
        logger.info("dask scheduler %s, dashboard %s", address, client.dashboard_link)
        yield DaskSession(client, address, wait)


@contextlib.contextmanager
def _closing(client: Any) -> Generator[None]:
    try:
        yield
    finally:
        with contextlib.suppress(Exception):
            client.close(timeout=_CLOSE_SECONDS)


def _read_wait(cluster: ClusterWord, default: float | None) -> float | None:
    unknown = sorted(set(cluster.options) - {"wait"})
    if unknown:
        raise InputError("dask:ADDRESS,wait=SECONDS", got=f"the option {unknown[0]}")
    return read_seconds(cluster.options.get("wait"), default)


def say_briefly(error: BaseException) -> str:
    """An error in a line that is not long."""
    return (" ".join(str(error).split()) or type(error).__name__)[:200]
