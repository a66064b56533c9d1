"""Conditions of long work that change no byte: where it runs, on which kinds of machines, whether only for a look.

Every public function of long work is a :func:`long_work`, and has the keywords ``cluster``, ``mixed`` and ``dry_run``.
They hold for all that the function calls: a function that calls another need not hand them on.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from typing import Any, ParamSpec, TypeVar

from beholder._core.errors import InputError, suggest_keywords
from beholder.jobs._array import read_array_task
from beholder.jobs._call import write_call
from beholder.jobs._cluster import parse_cluster
from beholder.jobs._dry_run import answer, get_probe, run_dry
from beholder.jobs._script_options import ScriptOptions

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


@dataclass(frozen=True)
class Conditions:
    """Under which conditions long work is done.

    Attributes
    ----------
    cluster : str, optional
        Where: see :func:`parse_cluster`; default this machine.
    mixed : bool
        Machines of several kinds, whose values differ in their last digits, may fill one output.
    dry_run : bool
        Only say what would be done.
    """

    cluster: str | None = None
    mixed: bool = False
    dry_run: bool = False

    def check(self, workers: object = None) -> None:
        """Refuse what cannot be, before the hours of work.

        Raises
        ------
        InputError
            A word for a cluster that is none; another number of workers beside it.
        """
        if self.cluster is not None:
            n = parse_cluster(self.cluster).n_workers
            if n is not None and workers not in (None, 1, n):
                got = f"--workers {workers} with --cluster {self.cluster}"
                raise InputError("one number, by --workers or --cluster local:N", got=got)


_NAMES = tuple(each.name for each in fields(Conditions))
_PLAIN = Conditions()
_now: ContextVar[Conditions | None] = ContextVar("conditions of long work", default=None)


def read_conditions() -> Conditions:
    """Those of the function of long work that is running; outside of any, the defaults.

    >>> read_conditions()
    Conditions(cluster=None, mixed=False, dry_run=False)
    """
    return _now.get() or _PLAIN


def keep_open(name: str, start: Callable[[], AbstractContextManager[T]]) -> T:
    """What is opened once and kept until the outermost function of long work ends, whatever ends it.

    >>> @long_work
    ... def work():
    ...     return [keep_open("list", lambda: contextlib.nullcontext([1])) for _ in range(2)]
    >>> one, other = work()
    >>> one is other
    True
    """
    kept = _kept.get()
    if kept is None:
        raise RuntimeError("nothing is kept open outside of a function of long work")
    if name not in kept.values:
        kept.values[name] = kept.held.enter_context(start())
    return kept.values[name]


class _Kept:
    def __init__(self, held: contextlib.ExitStack) -> None:
        self.held = held
        self.values: dict[str, Any] = {}


_kept: ContextVar[_Kept | None] = ContextVar("what long work keeps open", default=None)


def read_script_options(conditions: Conditions) -> ScriptOptions | None:
    """What jobs ask for, where the work is to be written as a job array."""
    if conditions.cluster is None or conditions.dry_run or read_array_task() is not None:
        return None
    cluster = parse_cluster(conditions.cluster)
    return ScriptOptions.read(cluster.options) if cluster.kind == "script" else None


@suggest_keywords
def long_work(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a public function of long work, which has keywords of :class:`Conditions`: they hold while it runs.

    What a function that it calls is not told itself holds there, too. With ``dry_run`` the function gives a
    :class:`DryRun` in place of what it gives otherwise; a command prints it, and ends. With ``cluster="script"`` the
    function is not called: it gives the :class:`JobScripts` that were written.

    >>> @long_work
    ... def work(*, mixed=False):
    ...     return read_conditions().mixed
    >>> work(), work(mixed=True)
    (False, True)
    """

    @functools.wraps(function)
    def work(*args: P.args, **kwargs: P.kwargs) -> R:
        outer = read_conditions()
        conditions = Conditions(**{name: kwargs.get(name) or getattr(outer, name) for name in _NAMES})  # type: ignore[arg-type]
        conditions.check(kwargs.get("workers"))
        if outer.cluster is None and (options := read_script_options(conditions)) is not None:
            rest = {name: value for name, value in kwargs.items() if name != "cluster"}
            return write_call(function, args, rest, options)  # type: ignore[return-value]
        with contextlib.ExitStack() as held:
            token = _now.set(conditions)
            held.callback(_now.reset, token)
            if _kept.get() is None:
                held.callback(_kept.reset, _kept.set(_Kept(held.enter_context(contextlib.ExitStack()))))
            if conditions.dry_run and get_probe() is None:
                return answer(run_dry(lambda: function(*args, **kwargs)))  # type: ignore[return-value]
            return function(*args, **kwargs)

    return work
