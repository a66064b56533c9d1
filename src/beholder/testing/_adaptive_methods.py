"""What an adaptive method has to do."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from beholder._core.errors import suggest_keywords
from beholder.experiments import METHODS, Adaptive, AdaptiveProcedure, Estimate, make_staircase
from beholder.testing._expect import expect, explain

_RISING = (0.05, 0.1, 0.2, 0.4, 0.8)
_N_TRIALS = 30


@suggest_keywords
def check_adaptive_method(name: str) -> None:
    """Check an adaptive method, as experiments and logs use it, on answers drawn at random.

    Parameters
    ----------
    name : str
        Its name in :data:`beholder.experiments.METHODS`: that of the entry point, or as it was added there.

    Raises
    ------
    AssertionError
        It is no :class:`AdaptiveProcedure` with ``Parameters``; cannot be planned for levels that rise or fall; shows
        others, or ends before the plan does; its settings and answers do not bring back the same state.

    Examples
    --------
    >>> check_adaptive_method("up_down")
    """
    with explain(f"an adaptive method called {name!r}", hint="an entry point beholder.adaptive_methods"):
        made: Any = METHODS[name]
    good = isinstance(made, type) and issubclass(made, AdaptiveProcedure)
    expect(good, f"a class derived from AdaptiveProcedure as {name}", got=str(made))
    has_parameters = dataclasses.is_dataclass(getattr(made, "Parameters", None))
    expect(has_parameters, f"a dataclass Parameters in {name}", got="none")
    for levels in (_RISING, _RISING[::-1]):
        _check_levels(name, levels)


def _check_levels(name: str, levels: Sequence[float]) -> None:
    adaptive = Adaptive(method=name)
    with explain(f"{name} to be planned for levels {levels[0]:g} to {levels[-1]:g}"):
        procedure = make_staircase(adaptive, levels)
    expect(procedure.levels == tuple(levels), f"the levels of {name} in the order given", got=str(procedure.levels))
    drawn = np.random.default_rng(5).random(_N_TRIALS)
    for number, chance in enumerate(drawn):
        with explain(f"a next level from {name} after {number} answers"):
            level = procedure.next_level()
        expect(level in levels, f"one of the levels from {name}, to the end of the plan", got=str(level))
        assert level is not None
        again = procedure.next_level()
        expect(again == level, f"{name} to say the same when asked again", got=f"{level:g}, then {again}")
        with explain(f"{name} to take in an answer"):
            procedure.update(level, bool(chance < 0.4 + 0.5 * levels.index(level) / (len(levels) - 1)))
    settings = procedure.to_dict()
    expect(settings.get("method") == name, f"method {name} in its settings", got=str(settings.get("method")))
    with explain(f"settings of {name} as JSON, and back"):
        kept = AdaptiveProcedure.from_dict(json.loads(json.dumps(settings)))
    with explain(f"{name} to replay its own answers"):
        kept.replay(procedure.log)
    same = kept.next_level() == procedure.next_level()
    expect(same, f"{name} to stand where it stood once its answers are replayed", got="another level")
    found = procedure.estimate()
    expect(isinstance(found, Estimate), f"an Estimate from {name}", got=type(found).__name__)
    expect(found.n_trials == _N_TRIALS, f"an estimate of {name} from {_N_TRIALS} trials", got=str(found.n_trials))
    one, two = (repr(each.estimate()) for each in (procedure, kept))
    expect(one == two, f"the same estimate of {name} from replayed answers", got=f"{one} and {two}")
